use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{initialised, line, run};

#[test]
fn errors_of_a_configuration_are_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let text = "listen_adr: x\nmax_response_size_bytes: many\n";
    fs::write(folder.path().join("c.yaml"), text).unwrap();
    let ran = line(folder.path(), "validate-config --config c.yaml");
    assert_eq!(ran.code, 1);
    assert_eq!(ran.out, "");
    let expected = [
        "✗ Config invalid: c.yaml:1:1: `listen_adr` is not a key of the configuration; did you mean `listen_addr`?",
        "  c.yaml:2:26: `max_response_size_bytes` is `many`; write a whole number from 1 to 67108864",
        "  policy/: the file cannot be read: it does not exist; check the path, which counts from the configuration file's folder",
        "  catalog.json: the file cannot be read: it does not exist; check the path, which counts from the configuration file's folder",
        "",
    ];
    let lines: Vec<&str> = ran.err.split('\n').collect();
    assert_eq!(lines, expected);
    let json = line(
        folder.path(),
        "validate-config --config c.yaml --format json",
    );
    assert!(
        json.out.starts_with(
            r#"{"valid":false,"problems":[{"code":"CONFIG_ERROR","place":"c.yaml:1:1","#
        ),
        "{}",
        json.out
    );
}

#[test]
fn a_bundle_prints_its_digest_and_compares_it() {
    let folder = initialised();
    let printed = line(folder.path(), "validate-bundle --bundle-path policies/");
    let digest = printed.out.trim().to_owned();
    assert!(
        printed.code == 0 && digest.starts_with("sha256:"),
        "{}",
        printed.out
    );
    let bare = digest.trim_start_matches("sha256:");
    for expected in [&digest, bare] {
        let ran = run(
            folder.path(),
            &[
                "validate-bundle",
                "--bundle-path",
                "policies/",
                "--expected-hash",
                expected,
            ],
            &[],
        );
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (0, format!("✓ Bundle valid: {digest}\n").as_str())
        );
    }
    let ran = line(
        folder.path(),
        "validate-bundle --bundle-path policies/ --expected-hash ab",
    );
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        format!("✗ Bundle hash mismatch: expected ab, got {digest}\n")
    );
    let catalog = line(folder.path(), "validate-bundle --bundle-path catalog.json");
    assert!(
        catalog.code == 0 && catalog.out.starts_with("sha256:"),
        "{}",
        catalog.err
    );
    let missing = line(folder.path(), "validate-bundle --bundle-path none/");
    assert_eq!(missing.code, 1);
    assert!(
        missing.err.starts_with("✗ Bundle load error: none/: "),
        "{}",
        missing.err
    );
}

#[test]
fn policy_says_which_rule_decides_and_why() {
    let folder = initialised();
    let checked = line(folder.path(), "policy check --config cmcp-config.yaml");
    assert!(
        checked.code == 0
            && checked
                .out
                .starts_with("✓ Policy valid: 2 policies for 5 tools\n"),
        "{}{}",
        checked.out,
        checked.err
    );
    let explain = |tool: &str, arguments: &str| {
        run(
            folder.path(),
            &[
                "policy",
                "explain",
                "--config",
                "cmcp-config.yaml",
                "--tool",
                tool,
                "--arguments",
                arguments,
            ],
            &[],
        )
    };
    let permitted = explain("list_orders", r#"{"customer_id":"C-1001"}"#);
    assert_eq!(permitted.code, 0, "{}", permitted.err);
    assert!(
        permitted
            .out
            .starts_with("permit: permitted by `read-only-tools`"),
        "{}",
        permitted.out
    );
    let denied = explain("refund_order", r#"{"order_id":"O-5001","amount":1}"#);
    assert_eq!(denied.code, 1);
    assert!(
        denied
            .out
            .starts_with("deny: denied, because no policy permits it"),
        "{}",
        denied.out
    );
    let unknown = explain("list_order", "{}");
    assert_eq!(unknown.code, 2);
    assert_eq!(
        unknown.err,
        "error: `--tool` names `list_order`, which is not known; did you mean `list_orders`?\n"
    );
    let wrong = explain("list_orders", "{");
    assert_eq!(wrong.code, 2, "{}", wrong.err);
}

#[test]
fn what_is_asked_about_fits_the_action() {
    let folder = initialised();
    let explain = |flags: &str| {
        line(
            folder.path(),
            &format!("policy explain --config cmcp-config.yaml {flags}"),
        )
    };
    for (flags, said) in [
        (
            "--server nobody",
            "`--server` names `nobody`, which is not known",
        ),
        (
            "--prompt nothing",
            "`--prompt` names `nothing`, which is not known",
        ),
        (
            "--resource nothing://at/all",
            "`--resource` names `nothing://at/all`, which is not known",
        ),
        (
            "--tool list_orders --action elicit",
            "`--action` is `elicit`; write `call_tool`",
        ),
        ("--tool list_orders --prompt x", "cannot be used with"),
        ("--action elicit", "required arguments were not provided"),
    ] {
        let ran = explain(flags);
        assert_eq!(ran.code, 2, "{flags}: {}", ran.out);
        assert!(ran.err.contains(said), "{flags}: {}", ran.err);
    }
}

#[test]
fn every_other_action_is_explained_too() {
    let folder = initialised();
    let explain = |flags: &str| {
        line(
            folder.path(),
            &format!("policy explain --config cmcp-config.yaml {flags}"),
        )
    };
    let catalog = catalog(folder.path());
    let first = |kind: &str, name: &str| {
        let item = &catalog.get(kind).unwrap().as_array().unwrap()[0];
        let name = item.get("definition").unwrap().get(name).unwrap();
        name.as_str().unwrap().to_owned()
    };
    let servers = catalog.get("servers").unwrap().as_object().unwrap();
    let server = servers.keys().next().unwrap();
    let (uri, template) = (
        first("resources", "uri"),
        first("resource_templates", "uriTemplate"),
    );
    let completion = r#"--action complete --arguments {"argument":"a","value":"b"}"#;
    for permitted in [
        format!("--server {server}"),
        format!("--resource {uri}"),
        format!("--resource {uri} --action subscribe"),
        format!("--resource {template} {completion}"),
        format!("--prompt {} {completion}", first("prompts", "name")),
    ] {
        let ran = explain(&permitted);
        assert_eq!(ran.code, 0, "{permitted}: {}{}", ran.out, ran.err);
        assert!(
            ran.out
                .starts_with("permit: permitted by `approved-resources-and-prompts`"),
            "{permitted}: {}",
            ran.out
        );
    }
    let asked = explain(&format!(
        "--server {server} --action elicit --elicit-mode url"
    ));
    assert_eq!(asked.code, 1, "{}", asked.err);
    assert!(
        asked
            .out
            .starts_with("deny: denied, because no policy permits it"),
        "{}",
        asked.out
    );
}

fn catalog(folder: &Path) -> cmcp_json::Value {
    let text = fs::read(folder.join("catalog.json")).unwrap();
    cmcp_json::parse(&text, &cmcp_json::Limits::DOCUMENT).unwrap()
}

#[test]
fn completions_and_documents_are_made_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(folder.path(), &["completions", shell], &[]);
        assert!(
            ran.code == 0 && ran.out.contains("validate-config"),
            "{shell}"
        );
    }
    assert_eq!(line(folder.path(), "generate").code, 0);
    assert_eq!(line(folder.path(), "generate --check").code, 0);
    let page: PathBuf = folder.path().join("docs/configuration.md");
    fs::write(&page, "other").unwrap();
    let ran = line(folder.path(), "generate --check");
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            1,
            "docs/configuration.md: out of date; run `cmcp generate`\n"
        )
    );
}

#[test]
fn wrong_usage_is_2() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["start"][..], &["frobnicate"], &["verify"], &[]] {
        assert_eq!(run(folder.path(), arguments, &[]).code, 2, "{arguments:?}");
    }
    assert_eq!(line(folder.path(), "child-supervise no-plan").code, 2);
}
