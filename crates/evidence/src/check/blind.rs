//! Mutation: the tests run as if one check never failed. `interop/blind_checks.py` names each in turn,
//! and expects a test to notice.

use std::sync::LazyLock;

use super::{Check, Outcome};

/// Turns a failure of the check that is named into its success.
pub(super) fn see(check: &'static Check, outcome: Outcome) -> Outcome {
    match (BLINDED.as_deref() == Some(check.code), &outcome) {
        (true, Outcome::Failed { .. }) => Outcome::Met,
        (_, _) => outcome,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the variable is of the mutation run, and none of this is in the product"
)]
static BLINDED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("CMCP_BLIND_CHECK").ok());
