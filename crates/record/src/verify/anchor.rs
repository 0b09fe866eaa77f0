//! Anchoring: whether a record stands in a log whose root the caller has from elsewhere.

use cmcp_evidence::Sha256Digest;
use cmcp_json::{Limits, ParseError, Value};

use super::report::{Check, Field};
use crate::code::Code;
use crate::shape::{COUNT, Rule, Shape, Violation, required};
use crate::tree;
use crate::trust_record::TrustRecord;

/// What the caller knows about the log a record names.
#[derive(Clone, Debug)]
pub enum Anchor {
    /// A receipt, and the root of the log by another way than the record or the receipt.
    Given {
        /// The receipt kept beside the record.
        receipt: Receipt,
        /// The root as published.
        root: Sha256Digest,
    },
    /// Nothing: a log entry the record names is not established.
    NotGiven,
}

/// A proof that a record is a leaf of a tree: of which tree, the root says.
#[derive(Clone, Debug)]
pub struct Receipt {
    index: u64,
    count: u64,
    path: Vec<Sha256Digest>,
    root: Sha256Digest,
}

/// Why bytes are no receipt.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AnchorError {
    /// Not strict JSON.
    #[error(transparent)]
    Json(#[from] ParseError),
    /// Not the members of a receipt.
    #[error("not an inclusion receipt: {}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Shape(Vec<Violation>),
    /// JSON, but no object.
    #[error("an inclusion receipt is one JSON object")]
    NotAnObject,
}

impl Receipt {
    /// Reads `{leaf_index, leaf_count, audit_path, merkle_root}`.
    ///
    /// # Errors
    /// The bytes are no receipt.
    pub fn parse(bytes: &[u8]) -> Result<Self, AnchorError> {
        let value = cmcp_json::parse(bytes, &Limits::DOCUMENT)?;
        let object = value.as_object().ok_or(AnchorError::NotAnObject)?;
        let violations = RECEIPT.violations(object);
        let count = |name: &str| object.get(name).and_then(Value::as_u64);
        let digest = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
        let path = object.get("audit_path").and_then(Value::as_array);
        match (
            count("leaf_index"),
            count("leaf_count"),
            path.and_then(|path| path.iter().map(digest).collect()),
            object.get("merkle_root").and_then(digest),
        ) {
            (Some(index), Some(count), Some(path), Some(root)) if violations.is_empty() => {
                Ok(Self {
                    index,
                    count,
                    path,
                    root,
                })
            }
            _ => Err(AnchorError::Shape(violations)),
        }
    }
}

impl Receipt {
    /// Whether this leaf is at the receipt's place in the receipt's own tree. Whose tree that is, its root says.
    ///
    /// # Errors
    /// The proof does not lead to the root.
    pub(crate) fn includes(&self, leaf: &Sha256Digest) -> Result<(), tree::ProofError> {
        let Self {
            index,
            count,
            path,
            root,
        } = self;
        tree::verify_inclusion(leaf, *index, *count, path, root)
    }
}

static RECEIPT: Shape = Shape::of(&[
    required("leaf_index", COUNT),
    required("leaf_count", COUNT),
    required("audit_path", Rule::Each(&Rule::Sha256)),
    required("merkle_root", Rule::Sha256),
]);

impl Anchor {
    /// The line about the log, when the record names one or the caller gave a receipt.
    pub(super) fn check(&self, record: &TrustRecord) -> Option<Check> {
        let uri = record.text(&["transparency"]);
        let Self::Given { receipt, root } = self else {
            return uri.map(|uri| {
                Check::not_established(Field::Transparency, Code::AnchorNotChecked)
                    .actual(uri)
                    .remedy("give the receipt and the log's root to check the record against")
            });
        };
        let failed = || Check::fail(Field::Transparency, Code::AnchorInvalid);
        if receipt.root != *root {
            return Some(failed().expected(root).actual(receipt.root));
        }
        let Ok(bytes) = record.anchor_bytes() else {
            return Some(failed().remedy("the record has no form that a log could hold"));
        };
        Some(match receipt.includes(&tree::leaf(&bytes)) {
            Ok(()) => Check::pass(Field::Transparency).actual(root),
            Err(error) => failed()
                .expected(format_args!("a proof that leads to {root}"))
                .actual(error),
        })
    }
}
