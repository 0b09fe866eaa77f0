use std::fs;

use crate::support::{line, run};

#[test]
fn the_demo_proves_itself_and_verify_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let ran = line(
        folder.path(),
        "demo --once --dir proof --listen 127.0.0.1:0",
    );
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("RESULT: FAIL (partially_verified)"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("FAIL  "), "{}", ran.out);
    let verify = |arguments: &[&str]| {
        let mut all = vec!["verify", "proof/record.json"];
        all.extend_from_slice(arguments);
        run(folder.path(), &all, &[])
    };
    let partial = verify(&["--audit-bundle", "proof/audit.json"]);
    assert_eq!(partial.code, 3, "{}", partial.out);
    let pinned = verify(&["--policy-hash", &"0".repeat(64)]);
    assert_eq!(pinned.code, 1);
    assert!(
        pinned
            .out
            .contains("policy_bundle.hash       FAIL  policy_mismatch"),
        "{}",
        pinned.out
    );
    let json = verify(&["--format", "json"]);
    assert!(
        json.out.starts_with(r#"{"status":"partially_verified","#),
        "{}",
        json.out
    );
    fs::write(folder.path().join("proof/record.json"), "{}x").unwrap();
    assert_eq!(verify(&[]).code, 4);
    assert_eq!(verify(&["--compat", "cmcp-0.7"]).code, 1);
    let usage = verify(&["--trusted-tpm-ca", "ca.pem"]);
    assert_eq!(usage.code, 2);
    assert_eq!(
        usage.err,
        "error: `--trusted-tpm-ca` is not available in this version; leave it out, nothing else is checked for it\n"
    );
    let again = line(folder.path(), "demo --once --dir proof");
    assert!(
        again.code == 1 && again.err.ends_with("is not empty; choose another folder\n"),
        "{}",
        again.err
    );
}

#[test]
fn records_outlive_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    line(
        folder.path(),
        "demo --once --dir proof --listen 127.0.0.1:0",
    );
    let listed = line(folder.path(), "audit export --database proof/audit.db");
    assert_eq!(listed.code, 0, "{}", listed.err);
    let session = listed
        .out
        .lines()
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    let export = format!("audit export --database proof/audit.db --session {session} --dir out");
    let written = line(folder.path(), &export);
    assert_eq!(written.code, 0, "{}", written.err);
    for (record, audit) in [
        ("record.json", "audit.json"),
        ("claim.json", "audit-cmcp-0.7.json"),
    ] {
        let verify = format!("verify out/{record} --audit-bundle out/{audit}");
        let ran = line(folder.path(), &verify);
        assert_eq!(ran.code, 3, "{}", ran.out);
    }
    assert_eq!(
        line(folder.path(), &export).code,
        1,
        "nothing is overwritten"
    );
    let none = line(
        folder.path(),
        "audit export --database proof/audit.db --session x",
    );
    assert_eq!(none.code, 1);
    assert_eq!(
        none.err,
        "error: proof/audit.db has no session `x`; without `--session` its sessions are listed\n"
    );
}
