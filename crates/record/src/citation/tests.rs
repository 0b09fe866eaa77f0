use cmcp_evidence::Sha256Digest;
use cmcp_json::Value;

use super::{Citation, Surface, Untried, resolve};
use crate::trust_record::tests::{changed, member};
use crate::trust_record::{AcceptedProfiles, TrustRecord};

fn citing() -> TrustRecord {
    let record = changed(|record| {
        let appraisal = member(record, &["appraisal"]).as_object_mut().unwrap();
        appraisal.insert("policy_ref", "https://policy.example/1");
        let runtime = member(record, &["runtime"]).as_object_mut().unwrap();
        runtime.insert("rim_uri", "https://rim.example/1");
        record.insert("transparency", "https://log.example/1");
        let reference = cmcp_json::Object::from([
            ("rel", "condition-appraisal"),
            ("id", "https://elsewhere.example"),
            ("resolver", "somebody"),
        ]);
        record.insert("references", vec![Value::Object(reference)]);
    });
    TrustRecord::parse(&record, &AcceptedProfiles::v0_2()).unwrap()
}

#[test]
fn each_surface_reports_what_the_resolver_did() {
    let asked = std::cell::RefCell::new(Vec::new());
    let resolver = |uri: &str| {
        asked.borrow_mut().push(uri.to_owned());
        (uri == "https://policy.example/1").then(|| b"policy".to_vec())
    };
    let found = resolve(&citing(), Some(&resolver));
    let policy = Citation::Resolved {
        uri: "https://policy.example/1".to_owned(),
        digest: Sha256Digest::of(b"policy"),
        bytes: 6,
    };
    let rim = Citation::Unresolvable {
        uri: "https://rim.example/1".to_owned(),
    };
    assert_eq!(
        found,
        [
            (Surface::PolicyRef, policy),
            (Surface::RimUri, rim),
            (
                Surface::AibomUri,
                Citation::NotAttempted(Untried::FieldAbsent)
            ),
            (
                Surface::Transparency,
                Citation::NotAttempted(Untried::SurfaceDeferred)
            ),
        ]
    );
    // Neither the log nor the references are anybody's to resolve here.
    assert_eq!(
        *asked.borrow(),
        ["https://policy.example/1", "https://rim.example/1"]
    );
}

#[test]
fn without_a_resolver_nothing_is_attempted() {
    for (surface, citation) in resolve(&citing(), None) {
        let expected = match surface {
            Surface::Transparency => Untried::SurfaceDeferred,
            Surface::PolicyRef | Surface::RimUri | Surface::AibomUri => Untried::NoResolver,
        };
        assert_eq!(citation, Citation::NotAttempted(expected));
    }
}
