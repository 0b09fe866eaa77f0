//! The digests and keys the operator pinned.

use cmcp_evidence::{PublicKey, Sha256Digest};

use crate::config::{
    environment::{self, Environment, Variable},
    fault::{Code, Fault, Problem},
};

/// What bundle and catalog must be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pins {
    pub(crate) policy: Option<Sha256Digest>,
    pub(crate) catalog: Option<Sha256Digest>,
    /// Key that must have signed the bundle.
    pub(crate) signing_key: Option<PublicKey>,
    pub(crate) successor_key: Option<PublicKey>,
}

impl Pins {
    pub(crate) fn read(environment: &Environment, problems: &mut Vec<Problem>) -> Self {
        let pins = Self {
            policy: digest(environment, &environment::POLICY_HASH, problems),
            catalog: digest(environment, &environment::CATALOG_HASH, problems),
            signing_key: key(environment, &environment::SIGNING_KEY, problems),
            successor_key: key(environment, &environment::SUCCESSOR_KEY, problems),
        };
        if pins.successor_key.is_some() && pins.signing_key.is_none() {
            let fault = Fault::Variable {
                code: Code::PolicySigningKeyInvalid,
                reason: "a successor means something only beside a current key",
                remedy: "set `CMCP_POLICY_SIGNING_KEY` as well",
            };
            problems.push(Problem::variable(environment::SUCCESSOR_KEY.name, fault));
        }
        pins
    }
}

/// `sha256:<hex>`, or the digits alone.
pub(crate) fn parse_digest(text: &str) -> Option<Sha256Digest> {
    let text = text.trim();
    if text.starts_with("sha256:") {
        text.parse()
    } else {
        format!("sha256:{text}").parse()
    }
    .ok()
}

/// An Ed25519 public key in base64url or hexadecimal.
pub(crate) fn parse_key(text: &str) -> Option<PublicKey> {
    let text = text.trim();
    if text.len() == 64 {
        PublicKey::from_hex(text)
    } else {
        PublicKey::from_b64url(text)
    }
    .ok()
}

fn digest(
    environment: &Environment,
    variable: &Variable,
    problems: &mut Vec<Problem>,
) -> Option<Sha256Digest> {
    let text = environment.text(variable, problems)?;
    let digest = parse_digest(&text);
    if digest.is_none() {
        let fault = Fault::Variable {
            code: Code::Config,
            reason: "it is not a digest",
            remedy: "set it to `sha256:` and 64 lower-case hexadecimal digits",
        };
        problems.push(Problem::variable(variable.name, fault));
    }
    digest
}

fn key(
    environment: &Environment,
    variable: &Variable,
    problems: &mut Vec<Problem>,
) -> Option<PublicKey> {
    let text = environment.text(variable, problems)?;
    let key = parse_key(&text);
    if key.is_none() {
        let fault = Fault::Variable {
            code: Code::PolicySigningKeyInvalid,
            reason: "it is not an Ed25519 public key",
            remedy: "set it to the 32 bytes in base64url (43 characters) or hexadecimal (64)",
        };
        problems.push(Problem::variable(variable.name, fault));
    }
    key
}
