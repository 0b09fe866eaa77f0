use super::*;
use crate::check::Outcome;

fn fresh(platform: Platform, binding: &Binding, freshness: Freshness) -> bool {
    let evidence = Evidence::new(platform);
    let result = appraise(&Input {
        evidence: &evidence,
        endorsements: &Endorsements::default(),
        binding,
        policy: &ReferenceValues::refusing_all(freshness),
        at: Timestamp::from_unix_seconds(0),
    });
    let found = result.checks.iter().find(|done| done.check == &FRESH);
    found.unwrap().outcome == Outcome::Met
}

#[test]
fn a_challenge_that_has_no_room_is_refused_and_never_taken_for_none() {
    let long = |length| Binding::Challenge(vec![7; length]);
    for platform in Platform::ALL {
        let most = room(platform);
        for freshness in [Freshness::Required, Freshness::Unproven] {
            assert!(fresh(platform, &long(most), freshness), "{platform}");
            assert!(!fresh(platform, &long(most + 1), freshness), "{platform}");
            assert!(!fresh(platform, &long(0), freshness), "{platform}");
        }
    }
}

#[test]
fn evidence_without_a_challenge_is_for_a_policy_that_says_so() {
    let none = &Binding::Unknown;
    assert!(!fresh(Platform::Snp, none, Freshness::Required));
    assert!(fresh(Platform::Snp, none, Freshness::Unproven));
}

#[test]
fn c06_a_platform_that_is_refused_is_never_affirmed() {
    for platform in Platform::ALL {
        let evidence = Evidence::new(platform);
        let result = appraise(&Input {
            evidence: &evidence,
            endorsements: &Endorsements::default(),
            binding: &Binding::Unknown,
            policy: &ReferenceValues::refusing_all(Freshness::Unproven),
            at: Timestamp::from_unix_seconds(0),
        });
        let expected = if platform == Platform::Software {
            crate::Status::None
        } else {
            crate::Status::Contraindicated
        };
        assert_eq!(result.status, expected, "{platform}");
        let failed: Vec<&str> = result.failures().map(|done| done.check.code).collect();
        assert_eq!(failed, ["evidence.platform"], "{platform}");
    }
}

#[test]
fn a13_what_is_too_large_is_refused_before_it_is_read() {
    let evidence = Evidence::new(Platform::Snp).with(crate::Part::Report, vec![0; MAX_BYTES]);
    let endorsements = Endorsements {
        certificates: vec![vec![0]],
        ..Endorsements::default()
    };
    let result = appraise(&Input {
        evidence: &evidence,
        endorsements: &endorsements,
        binding: &Binding::Unknown,
        policy: &ReferenceValues::refusing_all(Freshness::Unproven),
        at: Timestamp::from_unix_seconds(0),
    });
    let failed: Vec<&str> = result.failures().map(|done| done.check.code).collect();
    assert!(failed.contains(&"evidence.size"), "{failed:?}");
    assert!(
        failed.contains(&"evidence.platform"),
        "nothing of it was read"
    );
}

#[test]
fn c12_a_withdrawn_release_is_refused_with_the_reason_however_well_it_is_signed() {
    let forge = snp::forge::Forge::new(snp::Product::Genoa);
    let (report, endorsements) = (forge.report(), forge.endorsements());
    let evidence = Evidence::new(Platform::Snp).with(crate::Part::Report, report.clone());
    let judge = |withdrawn| {
        let policy = ReferenceValues {
            withdrawn,
            snp: Some(forge.policy()),
            ..ReferenceValues::refusing_all(Freshness::Unproven)
        };
        appraise(&Input {
            evidence: &evidence,
            endorsements: &endorsements,
            binding: &Binding::Unknown,
            policy: &policy,
            at: Timestamp::parse_rfc3339("2026-06-01T00:00:00Z").unwrap(),
        })
    };
    let reason = || "leaks its signing key".to_owned();
    let withdrawn = |value: &[u8]| {
        vec![crate::policy::Withdrawn {
            value: value.to_vec(),
            reason: reason(),
        }]
    };
    assert_eq!(judge(Vec::new()).status, crate::Status::Affirming);
    assert_eq!(judge(withdrawn(&[7; 48])).status, crate::Status::Affirming);
    let refused = judge(withdrawn(&report[0x90..0xc0]));
    assert_eq!(refused.status, crate::Status::Contraindicated);
    let told: Vec<&crate::check::Checked> = refused.failures().collect();
    assert_eq!(told.len(), 1);
    assert!(
        matches!(&told[0].outcome, Outcome::Failed { actual, .. } if actual.contains(&reason()))
    );
}
