//! Reference values: the YAML document that says which evidence is accepted, and its signature.

use std::path::{Path, PathBuf};

use cmcp_evidence::{PublicKey, ReferenceValues, Sha256Digest, Signature, policy::PolicyFault};
use cmcp_json::{Limits, Object, Value};

use crate::config::{
    fault::{Fault, Problem},
    yaml::{self, Node, Position, Scalar, Style, Tree},
};

/// What is used where no file is named.
pub(crate) const SHIPPED: &str = include_str!("../../evidence/defaults/reference-values.yaml");

/// Reference values, and which bytes they are.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) values: ReferenceValues,
    /// The same as a JSON value, for verifiers that read no YAML.
    pub(crate) document: Value,
    pub(crate) digest: Sha256Digest,
    /// The file, or none for those shipped.
    pub(crate) file: Option<PathBuf>,
}

/// The signature of a file does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsigned {
    #[error("it is neither 64 bytes nor their base64url")]
    Form,
    #[error("it does not hold under the key that was named")]
    Mismatch,
}

impl Read {
    /// Reads a document; `file` is its name in messages.
    pub(crate) fn from_bytes(bytes: &[u8], file: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let name = file.map_or_else(
            || "reference-values.yaml".to_owned(),
            |file| file.display().to_string(),
        );
        let at = |position, fault| Problem::at(&name, position, fault);
        let root = yaml::parse(bytes).map_err(|faults| {
            let faults = faults.into_iter();
            faults
                .map(|(position, fault)| at(position, fault))
                .collect::<Vec<_>>()
        })?;
        let document = value(&root);
        let values = ReferenceValues::read(&document).map_err(|faults| {
            let mut problems: Vec<(Position, Fault)> = faults
                .into_iter()
                .map(|PolicyFault { path, what }| {
                    (place(&root, &path), Fault::ReferenceValue { path, what })
                })
                .collect();
            problems.sort_by_key(|(position, _)| *position);
            let problems = problems.into_iter();
            problems
                .map(|(position, fault)| at(position, fault))
                .collect::<Vec<_>>()
        })?;
        Ok(Self {
            values,
            document,
            digest: Sha256Digest::of(bytes),
            file: file.map(Path::to_owned),
        })
    }

    /// Those that come with this program.
    pub(crate) fn shipped() -> Result<Self, Vec<Problem>> {
        Self::from_bytes(SHIPPED.as_bytes(), None)
    }
}

/// What a signature of reference values covers: like a policy bundle's, a digest and what it is of.
pub(crate) fn signed_bytes(document: &[u8]) -> Vec<u8> {
    format!("cmcp-reference-values-v1|{}", Sha256Digest::of(document)).into_bytes()
}

/// Checks a detached signature: 64 bytes, or their base64url.
pub(crate) fn verify(document: &[u8], signature: &[u8], key: &PublicKey) -> Result<(), Unsigned> {
    let signature = match <[u8; 64]>::try_from(signature) {
        Ok(bytes) => Signature::from_bytes(bytes),
        Err(_) => std::str::from_utf8(signature)
            .ok()
            .map(|text| text.trim().trim_end_matches('='))
            .and_then(|text| Signature::from_b64url(text).ok())
            .ok_or(Unsigned::Form)?,
    };
    key.verify(&signed_bytes(document), &signature)
        .map_err(|_| Unsigned::Mismatch)
}

/// The document as JSON has it: an unquoted number is one, `true` and `false` are no texts.
pub(crate) fn value(node: &Node) -> Value {
    match &node.tree {
        Tree::Null => Value::Null,
        Tree::Sequence(items) => Value::Array(items.iter().map(value).collect()),
        Tree::Mapping(members) => {
            let mut object = Object::new();
            for member in members {
                object.insert(member.key.as_str(), value(&member.value));
            }
            object.into()
        }
        Tree::Scalar(Scalar { text, style }) => match (style, text.as_str()) {
            (Style::Plain, "true") => Value::from(true),
            (Style::Plain, "false") => Value::from(false),
            (Style::Plain, text) => number(text).unwrap_or_else(|| Value::from(text)),
            (Style::Quoted, text) => Value::from(text),
        },
    }
}

fn number(text: &str) -> Option<Value> {
    if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return None;
    }
    cmcp_json::parse(text.as_bytes(), &Limits::REQUEST).ok()
}

/// Where a member stands, or the mapping that it is missing from.
fn place(root: &Node, path: &str) -> Position {
    let (mut node, mut at, mut rest) = (root, root.at, path);
    while let (Tree::Mapping(members), false) = (&node.tree, rest.is_empty()) {
        // A key may hold dots: the longest that fits is meant.
        let fits = members.iter().filter_map(|member| {
            let behind = rest.strip_prefix(member.key.as_str())?;
            match behind.strip_prefix('.') {
                Some(behind) => Some((member, behind)),
                None => behind.is_empty().then_some((member, "")),
            }
        });
        let Some((member, behind)) = fits.min_by_key(|(_, behind)| behind.len()) else {
            break;
        };
        (node, at, rest) = (&member.value, member.at, behind);
    }
    at
}

#[cfg(test)]
mod tests;
