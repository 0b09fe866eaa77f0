use cmcp_json::{Limits, Value};

use super::BundleError;

/// What a bundle says of itself; every member of the file is hashed but the signature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Manifest {
    /// Dotted integers where bundles are to replace one another.
    pub version: String,
    /// When it was written, as its author wrote it.
    pub authored_at: String,
    /// Who wrote it.
    pub author_identity: String,
    /// The commit that it was made from.
    pub commit_sha: String,
    pub(super) signature: Option<String>,
    pub(super) hashed: Value,
}

impl Manifest {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Vec<BundleError>> {
        let document = cmcp_json::parse(bytes, &Limits::DOCUMENT).map_err(|error| {
            let (line, column) = error.position(bytes);
            vec![BundleError::ManifestSyntax {
                line,
                column,
                kind: error.kind,
            }]
        })?;
        let Value::Object(mut members) = document else {
            return Err(vec![BundleError::ManifestShape]);
        };
        let mut errors = Vec::new();
        let mut member = |name: &'static str| {
            let text = members
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default();
            if text.is_empty() {
                errors.push(BundleError::ManifestMember { member: name });
            }
            text.to_owned()
        };
        let version = member("version");
        let authored_at = member("authored_at");
        let author_identity = member("author_identity");
        let commit_sha = member("commit_sha");
        let signature = match members.remove("signature") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                errors.push(BundleError::ManifestSignature);
                None
            }
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        let hashed = Value::Object(members);
        Ok(Self {
            version,
            authored_at,
            author_identity,
            commit_sha,
            signature,
            hashed,
        })
    }

    /// The signature over the bundle's hash, if there is one.
    #[must_use]
    pub fn signature(&self) -> Option<&str> {
        self.signature.as_deref()
    }
}
