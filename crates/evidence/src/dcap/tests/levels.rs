//! How far behind machine, module and quoting enclave are, and what policy tolerates of it.

use super::{Section, Trial, assert_refused, assert_status, collateral::ALSO, forge::Mint, judge};
use crate::Status;

#[test]
fn b12_a_quoting_enclave_below_every_level_is_refused() {
    let mut mint = Mint::tdx();
    mint.qe[258] = 7;
    assert_refused(&judge(&mint), &ALSO);
}

#[test]
fn b12_a_machine_below_every_level_is_refused() {
    let mut mint = Mint::tdx();
    mint.machine.components[15] = 0;
    assert_refused(&judge(&mint), &ALSO);
    let mut mint = Mint::tdx();
    mint.machine.pce_svn = 10;
    assert_refused(&judge(&mint), &ALSO);
}

#[test]
fn b12_a_tdx_module_that_intel_does_not_know_is_refused() {
    // Version 3 of the module has no identity; security version 1 is below all levels of version 1.
    for (place, value) in [(1, 3), (0, 1)] {
        let mut mint = Mint::tdx();
        mint.body[place] = value;
        assert_refused(&judge(&mint), &ALSO);
    }
    // The signer, by Intel's collateral and by policy.
    let mut mint = Mint::tdx();
    mint.body[64] = 1;
    assert_refused(
        &judge(&mint),
        &[&["tdx.mrsignerseam"], ALSO.as_slice()].concat(),
    );
}

#[test]
fn evidence_of_an_evaluation_that_is_too_old_is_refused() {
    let older = |text: &str| {
        text.replace(
            r#""tcbEvaluationDataNumber":20"#,
            r#""tcbEvaluationDataNumber":19"#,
        )
    };
    let mut info = Mint::tdx();
    info.info = older(&info.info);
    let mut identity = Mint::tdx();
    identity.identity = older(&identity.identity);
    for mint in [info, identity] {
        assert_refused(&judge(&mint), &["dcap.tcb-evaluation"]);
        let forged = mint.build();
        let section = Section::tdx(&forged.root).with("tcb_evaluation_at_least", "19");
        assert_status(&Trial::of(&forged, section).judge(), Status::Affirming);
    }
}

const STATUSES: [&str; 6] = [
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "Revoked",
];

fn tolerated(status: &str, until: &str, grace: &str) -> String {
    format!(r#"[{{"status":"{status}","until":"{until}","grace_days":{grace}}}]"#)
}

#[test]
fn b12_every_status_but_up_to_date_is_refused_unless_policy_names_it() {
    for status in STATUSES {
        for mint in [Mint::tdx(), Mint::sgx()] {
            let mint = mint.status(status, "");
            let forged = mint.build();
            let section = super::section(&mint, &forged);
            let result = Trial::of(&forged, section.clone()).judge();
            if status == "Revoked" {
                assert_refused(&result, &ALSO);
                continue;
            }
            assert_eq!(result.claim("tcb-status"), Some(status));
            assert_refused(&result, &["dcap.tcb-status"]);
            let named = tolerated(status, "2026-07-01T00:00:00Z", "\"unlimited\"");
            let result =
                Trial::of(&forged, section.clone().with("tolerated_statuses", named)).judge();
            assert_status(&result, Status::Warning);
            let other = if status == "OutOfDate" {
                "ConfigurationNeeded"
            } else {
                "OutOfDate"
            };
            let named = tolerated(other, "2026-07-01T00:00:00Z", "\"unlimited\"");
            let result = Trial::of(&forged, section.with("tolerated_statuses", named)).judge();
            assert_refused(&result, &["dcap.tcb-status"]);
        }
    }
}

#[test]
fn b12_a_status_word_that_is_not_known_is_refused() {
    let mint = Mint::tdx().status("Excellent", "");
    assert_refused(&judge(&mint), &ALSO);
}

#[test]
fn a_tolerated_status_ends_at_its_time_and_with_its_grace() {
    let mint = Mint::tdx().status("OutOfDate", "");
    let forged = mint.build();
    let judge = |until: &str, grace: &str| {
        let named = tolerated("OutOfDate", until, grace);
        let section = Section::tdx(&forged.root).with("tolerated_statuses", named);
        Trial::of(&forged, section).judge()
    };
    let result = judge("2026-06-01T00:00:01Z", "\"unlimited\"");
    assert_status(&result, Status::Warning);
    assert_eq!(
        result.not_after,
        Some("2026-06-01T00:00:01Z".parse().unwrap())
    );
    assert_refused(
        &judge("2026-06-01T00:00:00Z", "\"unlimited\""),
        &["dcap.tcb-status"],
    );
    // The level is of 2026-03-01, 92 days before.
    assert_refused(&judge("2030-01-01T00:00:00Z", "92"), &["dcap.tcb-status"]);
    let result = judge("2030-01-01T00:00:00Z", "93");
    assert_status(&result, Status::Warning);
    assert_eq!(
        result.not_after,
        Some("2026-06-02T00:00:00Z".parse().unwrap())
    );
}

#[test]
fn every_open_advisory_needs_its_name_in_policy() {
    let mint = Mint::tdx().status("SWHardeningNeeded", r#""INTEL-SA-00289","INTEL-SA-00615""#);
    let forged = mint.build();
    let judge = |advisories: &str| {
        let named = tolerated("SWHardeningNeeded", "2026-07-01T00:00:00Z", "\"unlimited\"");
        let section = Section::tdx(&forged.root)
            .with("tolerated_statuses", named)
            .with("tolerated_advisories", advisories);
        Trial::of(&forged, section).judge()
    };
    let first = r#"{"id":"INTEL-SA-00289","until":"2026-06-02T00:00:00Z"}"#;
    let second = r#"{"id":"INTEL-SA-00615","until":"2026-06-03T00:00:00Z"}"#;
    let over = r#"{"id":"INTEL-SA-00615","until":"2026-06-01T00:00:00Z"}"#;
    assert_refused(&judge("[]"), &["dcap.advisories"]);
    assert_refused(&judge(&format!("[{first}]")), &["dcap.advisories"]);
    assert_refused(&judge(&format!("[{first},{over}]")), &["dcap.advisories"]);
    let result = judge(&format!("[{first},{second}]"));
    assert_status(&result, Status::Warning);
    assert_eq!(
        result.not_after,
        Some("2026-06-02T00:00:00Z".parse().unwrap())
    );
}

#[test]
fn a_status_of_the_quoting_enclave_counts() {
    let mut mint = Mint::tdx();
    mint.identity = mint
        .identity
        .replace(r#""tcbStatus":"UpToDate""#, r#""tcbStatus":"OutOfDate""#);
    assert_refused(&judge(&mint), &["dcap.tcb-status"]);
    // The independent verifier leaves this one out of its verdict.
    let mut mint = Mint::tdx();
    mint.identity = mint.identity.replace(
        r#""tcbStatus":"UpToDate""#,
        r#""tcbStatus":"ConfigurationNeeded""#,
    );
    let result = judge(&mint);
    assert_eq!(result.claim("tcb-status"), Some("UpToDate"));
    assert_refused(&result, &["dcap.tcb-status"]);
}

#[test]
fn the_current_module_of_a_domain_counts_besides_the_launched_one() {
    // Launched with a current module, and an older one runs now.
    let mut mint = Mint::tdx5(3);
    mint.body[6 + 584] = 3;
    let result = judge(&mint);
    assert_eq!(result.claim("tcb-status"), Some("UpToDate"));
    assert_refused(&result, &["dcap.tcb-status"]);
    // Launched with an older one, and a current one runs now.
    let mut mint = Mint::tdx5(3);
    mint.body[6] = 3;
    let result = judge(&mint);
    assert_eq!(result.claim("tcb-status"), Some("TDRelaunchAdvised"));
    assert_refused(&result, &["dcap.tcb-status"]);
    let forged = mint.build();
    let named = tolerated("TDRelaunchAdvised", "2026-07-01T00:00:00Z", "\"unlimited\"");
    let section = Section::tdx(&forged.root).with("tolerated_statuses", named);
    assert_status(&Trial::of(&forged, section).judge(), Status::Warning);
}

#[test]
fn grace_counts_from_the_oldest_level_that_is_behind() {
    let judge = |platform: &str, enclave: &str, grace: &str| {
        let mut mint = Mint::tdx();
        if !platform.is_empty() {
            mint = mint.status("OutOfDate", "");
            mint.info = mint.info.replace("2026-03-01T00:00:00Z", platform);
        }
        if !enclave.is_empty() {
            let behind = mint.identity.replace("UpToDate", "OutOfDate");
            mint.identity = behind.replace("2026-03-01T00:00:00Z", enclave);
        }
        let forged = mint.build();
        let named = tolerated("OutOfDate", "2030-01-01T00:00:00Z", grace);
        let section = Section::tdx(&forged.root).with("tolerated_statuses", named);
        Trial::of(&forged, section).judge()
    };
    // 31 days before the appraisal, and a year.
    let (late, early) = ("2026-05-01T00:00:00Z", "2025-06-01T00:00:00Z");
    assert_status(&judge(late, "", "32"), Status::Warning);
    assert_status(&judge("", late, "32"), Status::Warning);
    assert_status(&judge(late, late, "32"), Status::Warning);
    assert_refused(&judge(early, late, "32"), &["dcap.tcb-status"]);
    assert_refused(&judge(late, early, "32"), &["dcap.tcb-status"]);
    assert_status(&judge(late, early, "366"), Status::Warning);
}
