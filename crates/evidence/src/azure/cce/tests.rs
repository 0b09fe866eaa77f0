use super::*;
use crate::azure::tests::forged::cce_policy;

fn found(policy: &str) -> Vec<String> {
    lint(policy.as_bytes())
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn with(from: &str, to: &str) -> Vec<String> {
    let policy = cce_policy();
    let changed = policy.replace(from, to);
    assert_ne!(changed, policy, "{from}");
    found(&changed)
}

#[test]
fn a_policy_that_is_closed_has_no_findings() {
    assert_eq!(found(&cce_policy()), Vec::<String>::new());
}

#[test]
fn a_rule_that_allows_everything_is_found_with_what_it_opens() {
    let rule = |name: &str, value: &str| {
        with(
            &format!("{name} := data.framework.{name}\n"),
            &format!("{name} := {value}\n"),
        )
    };
    assert_eq!(
        rule("mount_device", r#"{"allowed": true}"#),
        ["allow-everything mount_device"]
    );
    assert_eq!(
        rule(
            "create_container",
            r#"{"allowed": true, "allow_stdio_access": true}"#
        ),
        [
            "allow-everything create_container",
            "stdio create_container"
        ]
    );
    assert_eq!(
        rule("exec_in_container", r#"{"allowed": true}"#),
        [
            "allow-everything exec_in_container",
            "exec exec_in_container"
        ]
    );
    assert_eq!(
        rule(
            "exec_external",
            r#"{"allowed": true, "allow_stdio_access": true}"#
        ),
        [
            "allow-everything exec_external",
            "exec exec_external",
            "stdio exec_external"
        ]
    );
    assert_eq!(
        rule("load_fragment", r#"{"allowed": true}"#),
        ["allow-everything load_fragment", "fragment load_fragment"]
    );
    assert_eq!(
        rule("load_fragment", r#"{"allowed": false}"#),
        Vec::<String>::new()
    );
    // An answer to more than the question counts as an answer to everything.
    let more = r#"{"allowed": false, "metadata": []}"#;
    assert_eq!(
        rule("mount_overlay", more),
        ["allow-everything mount_overlay"]
    );
    let stdio = r#"{"allowed": false, "allow_stdio_access": false}"#;
    assert_eq!(
        rule("mount_overlay", stdio),
        ["allow-everything mount_overlay"]
    );
}

#[test]
fn rules_that_are_not_the_frameworks_are_found() {
    let swapped = with(
        "data.framework.dump_stacks",
        "data.framework.get_properties",
    );
    assert_eq!(swapped, ["foreign-rule dump_stacks"]);
    let own = with("data.framework.dump_stacks", "true");
    assert_eq!(own, ["foreign-rule dump_stacks"]);
    let missing = with("scratch_mount := data.framework.scratch_mount\n", "");
    assert_eq!(missing, ["missing-rule scratch_mount"]);
    let newer = with(
        "scratch_mount :=",
        "rw_mount_device := data.framework.rw_mount_device\nscratch_mount :=",
    );
    assert_eq!(newer, Vec::<String>::new());
    let unknown = with(
        "scratch_mount :=",
        "backdoor := {\"allowed\": true}\nscratch_mount :=",
    );
    assert_eq!(unknown, ["allow-everything backdoor"]);
    let denied = with(
        "scratch_mount :=",
        "backdoor := {\"allowed\": false}\nscratch_mount :=",
    );
    assert_eq!(denied, ["allow-everything backdoor"]);
    assert_eq!(
        with("package policy", "package other"),
        ["foreign-rule package `other`"]
    );
    assert_eq!(
        with("containers := [", "containers := 1\napi_svn := ["),
        ["foreign-rule containers"]
    );
}

#[test]
fn code_is_found_and_nothing_behind_it_counts_as_missing() {
    let code = with("scratch_mount := data", "scratch_mount { true }\nx := data");
    assert_eq!(code.len(), 1);
    assert!(code[0].starts_with("unreadable line "), "{code:?}");
    assert_eq!(lint(&[0xff]).len(), 1);
    assert_eq!(lint(&[0xff])[0].kind, FindingKind::Unreadable);
}

#[test]
fn what_a_container_leaves_open_is_found() {
    for (from, to, finding) in [
        (
            "\"allow_elevated\":false",
            "\"allow_elevated\":true",
            "elevated containers[app]",
        ),
        ("\"allow_elevated\":false,", "", "elevated containers[app]"),
        (
            "\"allow_stdio_access\":false",
            "\"allow_stdio_access\":true",
            "stdio containers[app]",
        ),
        ("\"allow_stdio_access\":false,", "", "stdio containers[app]"),
        (
            "\"exec_processes\":[]",
            "\"exec_processes\":[{\"command\":[\"sh\"],\"signals\":[]}]",
            "exec containers[app].exec_processes",
        ),
        (
            "\"exec_processes\":[],",
            "",
            "exec containers[app].exec_processes",
        ),
        (
            "\"signals\":[]",
            "\"signals\":[],\"new\":1",
            "unknown-member containers[app].new",
        ),
    ] {
        assert_eq!(with(from, to), [finding], "{from} {to}");
    }
    assert_eq!(
        with("\"env_rules\":[{", "\"env_rules\":1,\"new\":[{"),
        [
            "unknown-member containers[app].new",
            "wildcard-env containers[app].env_rules"
        ]
    );
    let external = "external_processes := [{\"allow_stdio_access\":true,\"command\":[\"sh\"],\"env_rules\":[],\"working_dir\":\"/\"}]\nscratch_mount :=";
    assert_eq!(
        with("scratch_mount :=", external),
        ["exec external_processes[0]", "stdio external_processes[0]"]
    );
    assert_eq!(
        with(
            "scratch_mount :=",
            "fragments := [{\"feed\":\"f\",\"includes\":[\"containers\"],\"issuer\":\"i\",\"minimum_svn\":\"1\"}]\nscratch_mount :="
        ),
        ["fragment i f"]
    );
    assert_eq!(
        with("containers := [{", "containers := [7,{")[0],
        "unknown-member containers[0]"
    );
}

#[test]
fn flags_that_let_the_host_in_are_found() {
    for flag in FLAGS
        .iter()
        .filter(|flag| **flag != "allow_capabilities_dropping")
    {
        let (from, to) = (format!("{flag} := false"), format!("{flag} := true"));
        assert_eq!(with(&from, &to), [format!("allowed-flag {flag}")]);
    }
    let older = "allow_capabilities_dropping := true\nscratch_mount :=";
    assert_eq!(
        with("scratch_mount :=", older),
        ["allowed-flag allow_capabilities_dropping"]
    );
}

#[test]
fn environment_variables_with_more_than_one_value_are_found() {
    let rule = |strategy: &str, pattern: &str| {
        let to = format!(
            "{{\"pattern\":\"{pattern}\",\"required\":true,\"strategy\":\"{strategy}\"}},{{\"pattern\":\"^ENC_"
        );
        with("{\"pattern\":\"^ENC_", &to)
    };
    let place = "containers[app].env_rules";
    assert_eq!(
        rule("re2", "^AKV_ENDPOINT=.*$"),
        [format!("wildcard-env {place} ^AKV_ENDPOINT=.*$")]
    );
    assert_eq!(
        rule("re2", "^MAA_ENDPOINT=a"),
        [format!("wildcard-env {place} ^MAA_ENDPOINT=a")]
    );
    // `regex.match` looks anywhere: this one also takes `AKV_ENDPOINT=x?HOSTNAME=y`.
    for pattern in [
        "HOSTNAME=.+",
        "ENC_TOKEN=.+",
        ".*",
        "^.+=.+",
        "^=x",
        "^ENC_A=.|AKV_ENDPOINT=",
        "^ENC_.*",
    ] {
        assert_eq!(
            rule("re2", pattern),
            [format!("unanchored-env {place} {pattern}")]
        );
    }
    assert_eq!(rule("re2", "^ENC_WEBHOOK_URL=.*$"), Vec::<String>::new());
    assert_eq!(
        rule("string", "AKV_ENDPOINT=vault.example"),
        Vec::<String>::new()
    );
    assert_eq!(
        rule("glob", "A=*"),
        [format!("wildcard-env {place} strategy glob")]
    );
    let nothing = with("\"strategy\":\"string\"", "\"other\":\"string\"");
    assert_eq!(
        nothing,
        [
            format!("unknown-member {place}.other"),
            format!("wildcard-env {place} strategy none")
        ]
    );
}
