//! Documents that others made: the known-answer record, the session of the Python cMCP 0.7.1.

use cmcp_evidence::{PublicKey, Timestamp};

use super::{failures, not_established, outcome};
use crate::audit::samples::{at, json, shared};
use crate::code::Code;
use crate::trust_record::{AcceptedProfiles, TrustRecord, TrustedKey};
use crate::verify::{Expectations, Field, Freshness, Outcome, Pin, Status, verify_record};

#[test]
fn the_known_answer_record_verifies() {
    let Some(kat) = shared("trace-kat.json") else {
        return;
    };
    let kat = json(&kat);
    let text = |name: &str| kat.get(name).unwrap().as_str().unwrap().to_owned();
    let record = kat.get("record_signed").unwrap().to_vec();
    let parsed = TrustRecord::parse(&record, &AcceptedProfiles::v0_2()).unwrap();
    assert_eq!(
        cmcp_evidence::hex::encode(parsed.preimage()),
        text("jcs_preimage_utf8_hex")
    );
    assert_eq!(
        String::from_utf8(parsed.anchor_bytes().unwrap()).unwrap(),
        text("anchor_bytes_ascii")
    );
    let key = TrustedKey::from_jwk(kat.get("jwk").unwrap()).unwrap();
    assert!(key.is_called(&text("jwk_thumbprint_b64url")));
    let expected = Expectations {
        trusted_key: Pin::Pinned(key),
        ..Expectations::unpinned(Freshness::DEFAULT)
    };
    let now = Timestamp::from_unix_seconds(1_785_000_000);
    let report = verify_record(&record, None, &expected, now);
    assert_eq!(failures(&report), []);
    assert_eq!(
        not_established(&report),
        [(Field::HardwareAttestation, Code::SoftwareEvidence)]
    );
}

#[test]
fn the_claims_of_0_7_1_verify_up_to_their_hardware() {
    for name in ["claim.json", "claim-2.json"] {
        let Some(claim) = shared(&format!("cmcp-sample/{name}")) else {
            return;
        };
        let pinned = Expectations {
            policy: Pin::Pinned(POLICY.parse().unwrap()),
            catalog: Pin::Pinned(CATALOG.parse().unwrap()),
            ..Expectations::unpinned(Freshness::DEFAULT)
        };
        let report = verify_record(&claim, None, &pinned, at(60));
        assert_eq!(failures(&report), [], "{name}");
        assert_eq!(report.status, Status::PartiallyVerified);
        assert_eq!(
            not_established(&report),
            [(Field::HardwareAttestation, Code::SoftwareEvidence)]
        );
        assert_eq!(outcome(&report, Field::TrustedPublicKey), Outcome::Skip);
        assert_eq!(outcome(&report, Field::PolicyBundleHash), Outcome::Pass);
        assert_eq!(outcome(&report, Field::ToolCatalogHash), Outcome::Pass);
        assert_eq!(outcome(&report, Field::AuditBundle), Outcome::Skip);
    }
}

const POLICY: &str = "sha256:f514dade035f4bc89ce0cfef8e071b67313355e8ad47859272d7df87e96e077b";
const CATALOG: &str = "sha256:5a34de899d7575c38d9271fa85afedaa1464fa9a100effe834e5192c8f39f2e4";

#[test]
fn the_claims_key_can_be_pinned() {
    let Some(claim) = shared("cmcp-sample/claim.json") else {
        return;
    };
    let x = json(&claim);
    let x = ["trace", "cnf", "jwk", "x"]
        .iter()
        .fold(&x, |value, name| value.get(name).unwrap());
    let key = PublicKey::from_b64url(x.as_str().unwrap()).unwrap();
    let pinned = |key| Expectations {
        trusted_key: Pin::Pinned(TrustedKey::new(key)),
        ..Expectations::unpinned(Freshness::DEFAULT)
    };
    let report = verify_record(&claim, None, &pinned(key), at(60));
    assert_eq!(outcome(&report, Field::TrustedPublicKey), Outcome::Pass);
    let other = crate::trust_record::tests::key().public();
    let report = verify_record(&claim, None, &pinned(other), at(60));
    assert_eq!(
        failures(&report),
        [(Field::TrustedPublicKey, Code::KeyMismatch)]
    );
}
