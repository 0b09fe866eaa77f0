//! Plain trust records.

use std::io::Read;

use cmcp_evidence::Timestamp;
use cmcp_json::Value;

use super::report::{Check, Document, Field, Report};
use super::{Expectations, Pin, bundle, common, hardware};
use crate::code::Code;
use crate::trust_record::{PROFILE, TrustRecord};

/// Judges a value that should be a trust record. Checks are made in the specification's order, and
/// all of them, so that the report names every failure.
pub(crate) fn verify(
    record: Value,
    export: Option<&mut dyn Read>,
    expectations: &Expectations,
    now: Timestamp,
) -> Report {
    let record = match TrustRecord::from_value(record, &expectations.profiles) {
        Ok(record) => record,
        Err(error) => return common::malformed(Document::Record, &error),
    };
    let key = record.confirmation_key();
    let profile = record.text(&["eat_profile"]).unwrap_or(PROFILE);
    let mut checks = vec![Check::pass(Field::Schema).actual(profile)];
    let revocation = common::revocation(expectations, &key, now, &mut checks);
    checks.push(common::trusted_key(&expectations.trusted_key, &key));
    let issued = record.integer(&["iat"]).unwrap_or(i64::MAX);
    let fresh = common::age(expectations.freshness, issued, now);
    checks.push(fresh.map_or_else(|wrong| wrong, |()| common::fresh(expectations.freshness)));
    let nonce = record.text(&["runtime", "nonce"]);
    checks.extend(common::challenge(&expectations.challenge, nonce));
    checks.push(common::signature(
        &key,
        record.preimage(),
        record.signature(),
    ));
    let grade = hardware::judge(&record, expectations, now, &mut checks);
    checks.push(policy(&record, expectations));
    let stated = match (export, &key) {
        (Some(export), Ok(key)) => bundle::for_record(export, &record, key, &mut checks),
        (Some(_), Err(_)) | (None, _) => {
            checks.push(Check::skip(Field::AuditChain, NO_EXPORT));
            checks.push(Check::skip(Field::AuditBundle, NO_EXPORT));
            None
        }
    };
    checks.push(match (&expectations.catalog, stated) {
        (pin, Some(stated)) => {
            common::pinned(Field::ToolCatalogHash, Code::CatalogMismatch, pin, stated)
        }
        (Pin::NotPinned, None) => Check::skip(Field::ToolCatalogHash, "not pinned"),
        (Pin::Pinned(catalog), None) => {
            Check::not_established(Field::ToolCatalogHash, Code::CatalogNotStated)
                .expected(catalog)
                .remedy("a record names no catalog: give its audit export, whose first entry does")
        }
    });
    checks.extend(expectations.anchor.check(&record));
    Report::judged(Document::Record, checks, revocation).graded(grade)
}

const NO_EXPORT: &str = "no audit export was given";

fn policy(record: &TrustRecord, expectations: &Expectations) -> Check {
    let field = Field::PolicyBundleHash;
    if record.text(&["policy", "enforcement_mode"]) == Some("declared") {
        // A gateway evaluates its policy; an importer of somebody else's log may only name one.
        let gateway = record.text(&["model", "provider"]) == Some("none");
        let check = if gateway {
            Check::fail(field, Code::PolicyNotEvaluated)
        } else {
            Check::not_established(field, Code::PolicyNotEvaluated)
        };
        return check
            .expected("a policy that was evaluated")
            .actual("`declared`");
    }
    let stated = record.text(&["policy", "bundle_hash"]).unwrap_or_default();
    common::pinned(field, Code::PolicyMismatch, &expectations.policy, stated)
}
