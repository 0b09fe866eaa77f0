use std::fs;

use crate::support::{initialised, line, run};

#[test]
fn init_writes_what_start_accepts_and_overwrites_nothing() {
    let folder = initialised();
    for name in [
        "cmcp-config.yaml",
        "catalog.json",
        "policies/manifest.json",
        "policies/starter.cedar",
        "policies/schema.cedarschema",
    ] {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
    let ran = line(folder.path(), "validate-config --config cmcp-config.yaml");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.starts_with("✓ Config valid: cmcp-config.yaml\n"),
        "{}",
        ran.out
    );
    let server = format!("shop={} demo-server", env!("CARGO_BIN_EXE_cmcp"));
    let again = run(folder.path(), &["init", "--server", &server], &[]);
    assert_eq!(again.code, 1);
    assert!(
        again.err.ends_with("error: ./cmcp-config.yaml exists; choose another folder with `--dir`, or add `--force` to replace it\n"),
        "{}",
        again.err
    );
    let forced = run(
        folder.path(),
        &["init", "--server", &server, "--force"],
        &[],
    );
    assert_eq!(forced.code, 0, "{}", forced.err);
    assert!(
        forced
            .out
            .contains("the starter policy permits none of them yet"),
        "{}",
        forced.out
    );
}

#[test]
fn init_takes_a_client_configuration_and_keeps_its_secrets_out() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_cmcp");
    let client = format!(
        r#"{{"mcpServers": {{"Shop": {{"command": "{program}", "args": ["demo-server"], "env": {{"SHOP_KEY": "s3cret-value"}}}}, "gone": {{"command": "no-such-program"}}}}}}"#
    );
    fs::write(folder.path().join("mcp.json"), client).unwrap();
    let ran = line(folder.path(), "init --from mcp.json --dir out");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err
            .contains("left out: `gone`: `no-such-program` is not on the search path"),
        "{}",
        ran.err
    );
    assert!(ran.out.contains("export SHOP_KEY=…"), "{}", ran.out);
    let catalog = fs::read_to_string(folder.path().join("out/catalog.json")).unwrap();
    assert!(catalog.contains("SHOP_KEY") && !catalog.contains("s3cret-value"));
    assert!(
        catalog.contains("\"measured\": {\n"),
        "the executable is measured"
    );
}

#[test]
fn the_catalog_is_shown_compared_and_pinned() {
    let folder = initialised();
    let shown = line(folder.path(), "catalog show");
    assert!(
        shown.code == 0
            && shown.out.contains("list_orders")
            && shown.out.contains("catalog sha256:"),
        "{}",
        shown.out
    );
    let same = line(folder.path(), "catalog diff");
    assert_eq!(same.code, 0, "{}{}", same.out, same.err);
    let path = folder.path().join("catalog.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(folder.path().join("older.json"), &text).unwrap();
    let nothing = line(folder.path(), "catalog pin");
    assert_eq!(
        (nothing.code, nothing.out.lines().last()),
        (0, Some("nothing to approve")),
        "{}",
        nothing.err
    );
    // Another build of the server: the digest that was measured is not its file's.
    let program = shown_digest(&text);
    fs::write(&path, text.replace(&program, &"0".repeat(64))).unwrap();
    let changed = line(folder.path(), "catalog diff");
    assert_eq!(changed.code, 1);
    assert!(
        changed.out.contains("is not the file that was measured"),
        "{}",
        changed.out
    );
    let unasked = line(folder.path(), "catalog pin");
    assert_eq!(unasked.code, 1);
    assert!(unasked.err.ends_with("error: nothing was approved; type `yes`, or add `--yes` once you have seen the changes\n"), "{}", unasked.err);
    let pinned = line(folder.path(), "catalog pin --yes");
    assert_eq!(pinned.code, 0, "{}", pinned.err);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let against = line(folder.path(), "catalog diff --against older.json");
    assert_eq!(against.code, 0, "{}", against.out);
}

#[test]
fn resources_and_prompts_are_approved_shown_and_compared_as_what_they_are() {
    let folder = initialised();
    let shown = line(folder.path(), "catalog show");
    let kinds: Vec<_> = shown
        .out
        .lines()
        .filter(|line| {
            ["shop://", "orders://", "refund_letter", "echo"]
                .iter()
                .any(|name| line.starts_with(name))
        })
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|w| !w.is_empty())
                .take(4)
                .collect()
        })
        .collect::<Vec<Vec<_>>>();
    assert_eq!(
        kinds,
        [
            ["echo", "tool", "shop", "writes"],
            ["shop://prices", "resource", "shop", "reads"],
            ["orders://{id}", "resource template", "shop", "reads"],
            ["refund_letter", "prompt", "shop", "reads"],
        ],
        "{}",
        shown.out
    );
}

#[test]
fn a_prompt_that_nobody_approved_is_approved_by_name() {
    let folder = initialised();
    let path = folder.path().join("catalog.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(folder.path().join("older.json"), &text).unwrap();
    let (before, prompts) = text.split_once("\"prompts\": [").unwrap();
    let (_, after) = prompts.split_once("\n ]").unwrap();
    let without = format!("{before}\"prompts\": [\n ]{after}");
    fs::write(&path, without).unwrap();
    let json = line(folder.path(), "--format json catalog diff");
    assert_eq!(json.code, 1, "{}{}", json.out, json.err);
    assert!(
        json.out.contains(
            r#""prompts":[{"prompt":"refund_letter","server":"shop","state":"not approved","places":[]}]"#
        ),
        "{}",
        json.out
    );
    assert!(
        json.out
            .contains(r#"{"uri":"shop://prices","server":"shop","state":"same","places":[]}"#),
        "{}",
        json.out
    );
    let unnamed = line(folder.path(), "catalog pin --yes");
    assert_eq!(
        unnamed.out.lines().last(),
        Some("nothing to approve"),
        "what is new is approved by name: {}",
        unnamed.out
    );
    let unknown = line(folder.path(), "catalog pin --yes --resource shop://nothing");
    assert_eq!(
        (unknown.code, unknown.err.as_str()),
        (
            2,
            "error: `--resource` names `shop://nothing`, which is not known\n"
        )
    );
    let pinned = line(
        folder.path(),
        "catalog pin --yes --approver zoe --prompt refund_letter",
    );
    assert_eq!(pinned.code, 0, "{}", pinned.err);
    let against = line(folder.path(), "catalog diff --against older.json");
    assert_eq!(against.code, 0, "{}", against.out);
}

fn shown_digest(catalog: &str) -> String {
    let measured = catalog.split("\"measured\"").nth(1).unwrap();
    measured
        .split("sha256:")
        .nth(1)
        .unwrap()
        .chars()
        .take(64)
        .collect()
}
