use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use cmcp_evidence::SigningKey;

use crate::{
    captured::{Case, digits, domain, genoa, values, vector},
    support::{Ran, run},
};

/// `cmcp evidence verify` with everything that the evidence needs, and more.
pub(crate) fn verify(folder: &Path, case: &Case, more: &[&str]) -> Ran {
    fs::write(folder.join("mine.yaml"), &case.values).unwrap();
    let mut all = vec!["evidence", "verify", case.evidence.as_str()];
    for path in &case.endorsements {
        all.extend(["--endorsements", path]);
    }
    all.extend(["--reference-values", "mine.yaml", "--at", case.at]);
    all.extend_from_slice(more);
    run(folder, &all, &[])
}

#[test]
fn evidence_is_affirmed_and_what_it_proves_is_said() {
    let Some(domain) = domain() else { return };
    let folder = tempfile::tempdir().unwrap();
    let ran = verify(
        folder.path(),
        &domain,
        &["--report-data", &domain.report_data],
    );
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with("evidence: TDX quote of platform tdx, 8000 bytes, sha256:"));
    let used = format!(
        "endorsement: {}: intel-collateral (TDX 00806F050000): used",
        domain.endorsements[0]
    );
    assert_eq!(lines[1], used);
    for line in [
        "bound to: the 64 bytes of report data that were named",
        "judged as of: 2026-07-01T00:00:00Z",
        "proved:",
        "  where tcb-status = UpToDate",
        "  holds until 2026-07-30T07:53:47Z",
    ] {
        assert!(lines.contains(&line), "{line}\n{}", ran.out);
    }
    assert!(
        !ran.out.contains("FAIL") && !ran.out.contains("TOLERATED"),
        "{}",
        ran.out
    );
    let last = lines.last().copied();
    assert_eq!(last, Some("RESULT: affirming (every check holds)"));
}

#[test]
fn what_is_tolerated_is_a_warning_and_said() {
    let Some(genoa) = genoa() else { return };
    let folder = tempfile::tempdir().unwrap();
    let ran = verify(
        folder.path(),
        &genoa,
        &["--report-data", &genoa.report_data],
    );
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("\nTOLERATED  snp.revocation: "),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("\n  where product = genoa\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .ends_with("RESULT: warning (every check holds but 1 that policy tolerates)\n"),
        "{}",
        ran.out
    );
}

#[test]
fn c06_every_failed_check_is_listed_with_what_was_expected() {
    let Some(genoa) = genoa() else { return };
    let folder = tempfile::tempdir().unwrap();
    let shipped = values(&[]);
    let genoa = Case {
        values: shipped,
        ..genoa
    };
    let ran = verify(folder.path(), &genoa, &[]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    for code in [
        "evidence.fresh",
        "snp.measurement",
        "snp.chip-id",
        "snp.revocation",
        "snp.smt",
    ] {
        let begins = format!("FAIL   {code}: ");
        let mut lines = ran
            .out
            .lines()
            .skip_while(|line| !line.starts_with(&begins));
        let title = lines.next();
        assert!(title.is_some(), "{code}\n{}", ran.out);
        for word in ["remedy:", "expected:", "actual:"] {
            let line = lines.next().unwrap().trim_start();
            assert!(
                line.starts_with(word) && line.len() > word.len() + 4,
                "{code}: {line}"
            );
        }
    }
    assert!(
        ran.out
            .contains("\nstated by the evidence, and not proved:\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .ends_with("RESULT: contraindicated (6 failed, 0 could not be made)\n")
    );
}

#[test]
fn c07_what_is_offered_and_not_needed_is_listed_and_changes_no_exit_code() {
    let Some(genoa) = genoa() else { return };
    let folder = tempfile::tempdir().unwrap();
    let extras = folder.path().join("extras");
    fs::create_dir(&extras).unwrap();
    for (name, from) in [
        ("a-other-root.pem", vector("snp/amd-milan-ark.pem").unwrap()),
        (
            "b-other-vcek.der",
            vector("snp/sev-crate-turin-vcek.der").unwrap(),
        ),
        (
            "c-other.json",
            vector("tdx/dcap-qvl-tdx_quote_collateral.json").unwrap(),
        ),
        (
            "d-evidence.bin",
            vector("snp/trustee-test-report.bin").unwrap(),
        ),
        ("e-same-again.der", genoa.endorsements[0].clone()),
    ] {
        fs::copy(from, extras.join(name)).unwrap();
    }
    fs::write(extras.join("f-junk"), "junk").unwrap();
    let more = [
        "--report-data",
        genoa.report_data.as_str(),
        "--endorsements",
        "extras",
    ];
    let ran = verify(folder.path(), &genoa, &more);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    for line in [
        "endorsement: extras/a-other-root.pem: certificates (ARK-Milan): not used",
        "endorsement: extras/b-other-vcek.der: certificates (SEV-VCEK): not used",
        "endorsement: extras/c-other.json: intel-collateral (TDX B0C06F000000): not used",
        "endorsement: extras/d-evidence.bin: neither DER, COSE nor text: NOT RECOGNISED",
        "endorsement: extras/f-junk: no kind of text that endorses anything: NOT RECOGNISED",
    ] {
        assert!(
            ran.out.lines().any(|found| found == line),
            "{line}\n{}",
            ran.out
        );
    }
    // Of two that are the same, one is enough.
    let same = ran
        .out
        .lines()
        .filter(|line| line.contains("(SEV-VCEK): used"));
    assert_eq!(same.count(), 1, "{}", ran.out);
}

#[test]
fn c08_the_same_inputs_give_the_same_bytes_with_and_without_a_network() {
    let Some(domain) = domain() else { return };
    let folder = tempfile::tempdir().unwrap();
    let more = [
        "--report-data",
        domain.report_data.as_str(),
        "--format",
        "json",
    ];
    let first = verify(folder.path(), &domain, &more);
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(
        first
            .out
            .starts_with(r#"{"status":"affirming","evidence":{"format":"TDX quote","#)
    );
    let second = verify(folder.path(), &domain, &more);
    assert_eq!(first.out, second.out);
    // Without any network at all, where this machine lets a test have none.
    let alone = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--net",
            env!("CARGO_BIN_EXE_cmcp"),
        ])
        .args(["evidence", "verify", &domain.evidence])
        .args(["--endorsements", &domain.endorsements[0]])
        .args(["--reference-values", "mine.yaml", "--at", domain.at])
        .args(more)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output();
    match alone {
        Ok(alone) if alone.stderr.starts_with(b"unshare:") => {}
        Ok(alone) => assert_eq!(String::from_utf8(alone.stdout).unwrap(), first.out),
        Err(error) => eprintln!("without unshare: {error}"),
    }
}

/// One run for each way to end, and its exit code.
#[test]
fn c14_every_class_of_failure_has_an_exit_code_of_its_own() {
    let Some(domain) = domain() else { return };
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let bound = ["--report-data", domain.report_data.as_str()];
    assert_eq!(verify(here, &domain, &bound).code, 0);
    assert_eq!(verify(here, &domain, &[]).code, 1);
    assert_eq!(verify(here, &domain, &["--nonce", "?"]).code, 2);
    assert_eq!(
        verify(here, &domain, &["--nonce", "ab", "--report-data", "ab"]).code,
        2
    );
    assert_eq!(warned(here), 3);
    let words = |line: &str| run(here, &line.split(' ').collect::<Vec<_>>(), &[]);
    let not_evidence = words("evidence verify mine.yaml");
    assert_eq!(not_evidence.code, 4, "{}", not_evidence.err);
    assert!(
        not_evidence
            .err
            .starts_with("error: mine.yaml: not recognised as evidence: ")
    );
    let software =
        r#"{"format":"cmcp-evidence/v1","platform":"software","evidence":[],"endorsements":{}}"#;
    fs::write(here.join("software.json"), software).unwrap();
    let none = words("evidence verify software.json --nonce ab");
    assert_eq!(none.code, 5, "{}{}", none.out, none.err);
    assert!(
        none.out
            .ends_with("RESULT: none (evidence of software shows nothing)\n")
    );
    assert_eq!(words("evidence verify no-such-file").code, 6);
    assert_eq!(words("evidence show no-such-file").code, 6);
    assert_eq!(
        verify(here, &domain, &["--endorsements", "no-such-folder"]).code,
        6
    );
    fs::write(here.join("bad.yaml"), "freshness: sometimes\n").unwrap();
    let bad = words("evidence verify software.json --reference-values bad.yaml");
    assert_eq!(bad.code, 7, "{}", bad.err);
    assert!(
        bad.err.contains("error: CONFIG_ERROR: bad.yaml:1:1: `freshness` must be one of: challenge-required, unproven\n"),
        "{}",
        bad.err
    );
    let key = SigningKey::from_seed(&[9; 32]).public().hex();
    let unsigned = verify(here, &domain, &["--reference-values-key", &key]);
    assert_eq!(unsigned.code, 8, "{}", unsigned.err);
    let usage = words("catalog show --format ear");
    assert_eq!(usage.code, 2, "{}", usage.err);
    assert!(
        usage
            .err
            .contains("only `evidence verify` has an attestation result")
    );
}

/// A quote whose machine is behind, and a policy that bears with it until a day.
fn warned(folder: &Path) -> i32 {
    let quote = vector("sgx/dcap-qvl-sgx_quote").unwrap();
    let collateral = vector("sgx/dcap-qvl-sgx_quote_collateral.json").unwrap();
    let until = "until: \"2025-12-31T00:00:00Z\"";
    let statuses = format!(
        "tolerated_statuses: [{{status: ConfigurationAndSWHardeningNeeded, {until}, grace_days: unlimited}}]"
    );
    let advisories = format!(
        "tolerated_advisories: [{{id: INTEL-SA-00289, {until}}}, {{id: INTEL-SA-00615, {until}}}]"
    );
    let measurement = format!("measurements: {{app: \"{}\"}}", digits(&quote, 112, 144));
    let values = values(&[
        ("sgx", "tolerated_statuses: []", &statuses),
        ("sgx", "tolerated_advisories: []", &advisories),
        (
            "sgx",
            "tcb_evaluation_at_least: 19",
            "tcb_evaluation_at_least: 17",
        ),
        ("sgx", "measurements: none", &measurement),
        ("sgx", "identity: pinned", "identity: danger-any-machine"),
        (
            "sgx",
            "ppids: [\"ffffffffffffffffffffffffffffffff\"]",
            "ppids: any",
        ),
    ]);
    fs::write(folder.join("sgx.yaml"), values).unwrap();
    let data = digits(&quote, 368, 432);
    let ran = run(
        folder,
        &[
            "evidence",
            "verify",
            &quote,
            "--endorsements",
            &collateral,
            "--reference-values",
            "sgx.yaml",
            "--report-data",
            &data,
            "--at",
            "2025-06-20T00:00:00Z",
        ],
        &[],
    );
    assert!(
        ran.code != 3 || ran.out.contains("TOLERATED  dcap.tcb-status: "),
        "{}{}",
        ran.out,
        ran.err
    );
    assert!(ran.code == 3, "{}{}", ran.out, ran.err);
    ran.code
}

#[test]
fn show_explains_every_field_and_judges_nothing() {
    let Some(genoa) = genoa() else { return };
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), &["evidence", "show", &genoa.evidence], &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out
            .starts_with("SEV-SNP report of platform snp; nothing of it is judged\n")
    );
    assert!(
        ran.out.contains("report.measurement @144 = "),
        "{}",
        ran.out
    );
    let json = run(
        folder.path(),
        &["evidence", "show", &genoa.evidence, "--format", "json"],
        &[],
    );
    assert!(
        json.out
            .starts_with(r#"{"format":"SEV-SNP report","platform":"snp","fields":["#)
    );
}

#[test]
fn a_certificate_is_bound_to_its_own_key_and_to_nothing_else() {
    let Some(certificate) = vector("ratls-certs/gramine-cert.pem") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let verify = |more: &[&str]| {
        let mut all = vec![
            "evidence",
            "verify",
            certificate.as_str(),
            "--at",
            "2026-06-05T00:00:00Z",
        ];
        all.extend_from_slice(more);
        run(folder.path(), &all, &[])
    };
    let ran = verify(&[]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("\nbound to: the certificate's key\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("FAIL   sgx.debug: "), "{}", ran.out);
    for more in [
        ["--nonce", "ab"],
        ["--part", "quote=x"],
        ["--platform", "tdx"],
    ] {
        let ran = verify(&more);
        assert_eq!(ran.code, 2, "{more:?}: {}", ran.err);
    }
}

#[test]
fn parts_and_platforms_that_no_file_says_are_named() {
    let Some(quote) = vector("tdx/attestation-rs-tdx_quote_live.dat") else {
        return;
    };
    let log = vector("ccel/attestation-rs-tdx_ccel_live2.dat").unwrap();
    let other = vector("ccel/attestation-rs-tdx_ccel_live.bin").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let verify = |log: &str| {
        let part = format!("event_log={log}");
        let all = [
            "evidence",
            "verify",
            quote.as_str(),
            "--part",
            &part,
            "--at",
            "2026-06-05T00:00:00Z",
        ];
        run(folder.path(), &all, &[]).out
    };
    assert!(
        !verify(&log).contains("FAIL   tdx.rtmr"),
        "{}",
        verify(&log)
    );
    assert!(
        verify(&other).contains("FAIL   tdx.rtmr2: "),
        "{}",
        verify(&other)
    );
    let ran = run(
        folder.path(),
        &["evidence", "verify", &quote, "--part", "log=x"],
        &[],
    );
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("parts are: ak_public, attest, "),
        "{}",
        ran.err
    );
}
