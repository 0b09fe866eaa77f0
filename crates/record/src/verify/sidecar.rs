//! `cmcp.commitment/v1`: what a record's producer says that its evidence commits to, and what vouches for the
//! evidence. It travels beside the record and is not trusted until the evidence is found to carry it.

use cmcp_evidence::{
    Commitment, Endorsements, NonceError, Sha256Digest, check_nonce,
    wire::container::{self, ContainerError},
};
use cmcp_json::{Limits, Object, ParseError, Value};

/// A sidecar that was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sidecar {
    /// What the second half of the report data is said to be a digest of.
    pub commitment: Commitment,
    /// What vouches for the evidence.
    pub endorsements: Endorsements,
}

/// Why bytes are no sidecar.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SidecarError {
    /// Not the JSON that is read here.
    #[error(transparent)]
    Json(#[from] ParseError),
    /// A member is missing, of another kind, or not known.
    #[error("`{member}` {what}")]
    Member {
        /// Which.
        member: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The challenge is none that is taken.
    #[error(transparent)]
    Nonce(#[from] NonceError),
    /// Its endorsements cannot be read.
    #[error(transparent)]
    Endorsements(#[from] ContainerError),
}

impl Sidecar {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, SidecarError> {
        let document = cmcp_json::parse(bytes, &Limits::DOCUMENT)?;
        let object = document
            .as_object()
            .ok_or_else(|| wrong("the sidecar", "must be an object"))?;
        if let Some(unknown) = object.keys().find(|name| !KNOWN.contains(name)) {
            return Err(wrong(unknown, "is not known here"));
        }
        if text(object, "type")? != TYPE {
            return Err(wrong("type", "must be `cmcp.commitment/v1`"));
        }
        let nonce = match object.contains_key("nonce") {
            true => Some(text(object, "nonce")?.to_owned()),
            false => None,
        };
        if let Some(nonce) = &nonce {
            check_nonce(nonce)?;
        }
        let log_size = object.get("log_size").and_then(Value::as_u64);
        let endorsements = object.get("endorsements");
        Ok(Self {
            commitment: Commitment {
                nonce,
                policy: digest(object, "policy")?,
                catalog: digest(object, "catalog")?,
                config: digest(object, "config")?,
                log_size: log_size.ok_or_else(|| wrong("log_size", "must be a whole number"))?,
                log_root: digest(object, "log_root")?,
            },
            endorsements: container::read_endorsements(
                endorsements.ok_or_else(|| wrong("endorsements", "is not there"))?,
            )?,
        })
    }

    /// Writes it.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let Self {
            commitment,
            endorsements,
        } = self;
        let mut object = Object::from([("type", TYPE)]);
        if let Some(nonce) = &commitment.nonce {
            object.insert("nonce", nonce.as_str());
        }
        for (name, digest) in [
            ("policy", commitment.policy),
            ("catalog", commitment.catalog),
            ("config", commitment.config),
        ] {
            object.insert(name, digest);
        }
        object.insert("log_size", commitment.log_size);
        object.insert("log_root", commitment.log_root);
        object.insert("endorsements", container::write_endorsements(endorsements));
        Value::Object(object).to_vec()
    }
}

fn text<'a>(object: &'a Object, name: &str) -> Result<&'a str, SidecarError> {
    let text = object.get(name).and_then(Value::as_str);
    text.ok_or_else(|| wrong(name, "must be a text"))
}

fn digest(object: &Object, name: &str) -> Result<Sha256Digest, SidecarError> {
    let digest = text(object, name)?.parse();
    digest.map_err(|_| {
        wrong(
            name,
            "must be `sha256:` and 64 lower-case hexadecimal digits",
        )
    })
}

fn wrong(member: &str, what: &'static str) -> SidecarError {
    let member = member.to_owned();
    SidecarError::Member { member, what }
}

const TYPE: &str = "cmcp.commitment/v1";
const KNOWN: [&str; 8] = [
    "type",
    "nonce",
    "policy",
    "catalog",
    "config",
    "log_size",
    "log_root",
    "endorsements",
];

#[cfg(test)]
mod tests;
