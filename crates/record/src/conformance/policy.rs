//! Whether the policy a record names hashes to what the record says: check TR-POL-003.

use cmcp_evidence::{Sha256Digest, Sha384Digest};
use cmcp_json::{Object, Value};

use super::families::resolved;
use super::{Input, InputError};
use crate::trust_record::Digest;

pub(super) fn answer(input: &Input<'_>) -> Result<Object, InputError> {
    let policy = input.value("record")?.get("policy");
    let finding = judge(policy, input.optional("resolutions"));
    Ok(Object::from([("tr_pol_003", finding)]))
}

/// A reference the record got wrong is seen without resolving anything; one that leads nowhere is
/// only unverified.
fn judge(policy: Option<&Value>, resolutions: Option<&Value>) -> &'static str {
    let uri = match policy.and_then(|policy| policy.get("policy_uri")) {
        None | Some(Value::Null) => return "skip",
        Some(uri) => uri.as_str().filter(|uri| is_absolute(uri)),
    };
    let Some(uri) = uri else {
        return "fail";
    };
    let declared = policy
        .and_then(|policy| policy.get("bundle_hash"))
        .and_then(Value::as_str)
        .and_then(|hash| hash.parse::<Digest>().ok());
    let (Some(declared), Some(_)) = (declared, resolutions) else {
        return "skip";
    };
    let Some(bytes) = resolved(resolutions, uri) else {
        return "unverified";
    };
    let found = match declared {
        Digest::Sha256(_) => Digest::Sha256(Sha256Digest::of(&bytes)),
        Digest::Sha384(_) => Digest::Sha384(Sha384Digest::of(&bytes)),
    };
    if found == declared { "pass" } else { "fail" }
}

/// The check's own reading of an absolute URI: a scheme, and nothing that only a slip puts there.
fn is_absolute(uri: &str) -> bool {
    let slips = |c: char| c.is_whitespace() || c.is_control();
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    !uri.contains(slips)
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}
