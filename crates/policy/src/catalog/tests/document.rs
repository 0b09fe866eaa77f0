use cmcp_evidence::{Sha256Digest, Timestamp};
use cmcp_json::{Form, Object, Value, canonical};

use super::{
    Approval, Baa, Document, Effect, ServerSpec, TlsPin, Tool, Transport, definition, document,
    fault, faults, faults_of_definition, http, json, load, stdio, tool, with,
};

#[test]
fn what_is_written_is_read_back() {
    let first = Tool {
        effect: Effect::Reads,
        sensitivity: "hipaa_phi".to_owned(),
        compliance_domain: "hipaa_phi".to_owned(),
        baa: Baa::Covered,
        redact: vec!["$.structuredContent.ssn".parse().unwrap()],
        approval: Approval {
            by: Some("zoe".to_owned()),
            at: Some(Timestamp::from_unix_seconds(1_780_000_000)),
        },
        ..tool("web", "one")
    };
    let second = Tool {
        alias: Some("2.second".to_owned()),
        ..tool("local", "two")
    };
    let url = "https://[2001:db8::1]:8443/mcp?x=1".to_owned();
    let transport = Transport::Http {
        url,
        pin: TlsPin::Key(Sha256Digest::of(b"key")),
    };
    let pinned = ServerSpec {
        transport,
        ..http("pinned")
    };
    let written = Document {
        servers: vec![http("web"), stdio("local"), pinned],
        tools: vec![first, second],
        ..Document::default()
    };
    let text = written.to_text().unwrap();
    let catalog = load(&text).unwrap();
    assert_eq!(catalog.to_document(), written);
    assert_eq!(catalog.to_document().to_text().unwrap(), text);

    let names: Vec<_> = catalog
        .tools()
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    assert_eq!(names, ["web__one", "2.second"]);
    let tool = catalog.tool("web__one").unwrap();
    assert!(tool.read_only() && tool.baa_covered() && !tool.is_exception());
    assert_eq!(tool.sensitivity.rank(), 3);
    assert_eq!(
        catalog.server_of(tool).unwrap().endpoint(),
        "https://example.com/mcp"
    );
}

#[test]
fn the_hash_covers_everything_but_the_signatures_and_not_the_layout() {
    let text = document(vec![http("web")], vec![tool("web", "one")]);
    let catalog = load(&text).unwrap();
    let mut unsigned = json(&text);
    unsigned.as_object_mut().unwrap().remove("signatures");
    let bytes = canonical(&unsigned, Form::Verbatim).unwrap();
    assert_eq!(
        catalog.hash(),
        Sha256Digest::of_parts(&[b"cmcp/catalog/v1\0", &bytes])
    );
    assert_eq!(load(&unsigned.to_string()).unwrap().hash(), catalog.hash());
    let pretty = catalog.to_document().to_text().unwrap();
    assert_eq!(load(&pretty).unwrap().hash(), catalog.hash());
    let definition = canonical(&definition("one"), Form::Verbatim).unwrap();
    assert_eq!(
        catalog.tools()[0].digest,
        Sha256Digest::of_parts(&[b"cmcp/definition/v1\0", &definition])
    );
}

/// Computed by another program from the same document: a change here is a new version of the form.
#[test]
fn a_fixed_document_keeps_its_hash() {
    let catalog = load(&document(vec![http("web")], vec![tool("web", "one")])).unwrap();
    assert_eq!(
        catalog.tools()[0].digest.to_string(),
        "sha256:786da22e3c2bb86a9bbeaf30ca13afb4bb280a8f897207cd110f8eb64e6f86e3"
    );
    assert_eq!(
        catalog.hash().to_string(),
        "sha256:21c6901d381e15798c692abde18868e285e914d55c99ffebed7f6aca0c91bc3e"
    );
}

#[test]
fn callers_see_the_approved_definition_under_the_exposed_name() {
    let catalog = load(&document(
        vec![http("web"), stdio("local")],
        vec![tool("web", "one")],
    ))
    .unwrap();
    let listing = catalog.tool("web__one").unwrap().listing();
    let shown = definition("one")
        .to_string()
        .replacen("\"one\"", "\"web__one\"", 1);
    assert_eq!(listing.to_string(), shown);
    assert!(shown.contains(r#""icons":[],"x-own":1.50"#));
}

#[test]
fn top_level_members_are_checked() {
    assert_eq!(
        fault(&["surprise"], "1"),
        "$: `surprise` is not known here: remove it (`cmcp_catalog`, `servers`, `tools`, `resources`, `resource_templates`, `prompts`, `signatures` are)"
    );
    for (version, shown) in [
        ("2", "2"),
        ("\"1\"", "\"1\""),
        ("1.0", "1.0"),
        ("null", "null"),
    ] {
        assert_eq!(
            fault(&["cmcp_catalog"], version),
            format!(
                "cmcp_catalog: version `{shown}` of the catalog is not known: this program reads version 1"
            )
        );
    }
    assert_eq!(
        fault(&["signatures"], "[{}]"),
        "signatures: `signatures` is not enforced by this version, so it is not accepted either: leave it empty"
    );
    assert_eq!(
        faults("7"),
        ["$: expected an object or an array, found number"]
    );
}

#[test]
fn members_of_tools_are_checked() {
    let one = |member: &str, value: &str| fault(&["tools", "0", member], value);
    assert_eq!(
        one("server", "\"nobody\""),
        "tools[0].server: there is no server `nobody` (`web`, `local`)"
    );
    assert_eq!(
        one("read_only", "\"yes\""),
        "tools[0].read_only: expected true or false, found string"
    );
    assert_eq!(
        one("alias", "\"a::b\""),
        "tools[0].alias: `a::b` is not a tool name: 1 to 128 of A-Z, a-z, 0-9, `_`, `.` and `-`"
    );
    assert_eq!(
        one("sensitivity", "\"top\""),
        "tools[0].sensitivity: sensitivity `top` has no rank: use one of `confidential`, `hipaa_phi`, `mnpi`, `pii`, `public`, `trade_secret`, or declare it under `sensitivity.vocabulary`"
    );
    assert_eq!(
        one("compliance_domain", "\"x\""),
        "tools[0].compliance_domain: compliance domain `x` is not declared: use one of `external`, `hipaa_phi`, `internal`, `mnpi`, `pci_data`, `pii`, `public`, or declare it under `sensitivity.compliance_domains`"
    );
    assert_eq!(
        one("redact", r#"["$.ssn"]"#),
        "tools[0].redact: path `$.ssn` is not understood at character 2: a tool result has `structuredContent`, `content` and `_meta`; write `$.structuredContent.…` for a member of the structured output"
    );
    assert_eq!(
        one("approved_at", "\"yesterday\""),
        "tools[0].approved_at: `yesterday` is not a time with a zone, as in `2026-06-05T00:00:00Z`"
    );
    assert_eq!(
        one("attestation", "{}"),
        "tools[0].attestation: `attestation` is not enforced by this version, so it is not accepted either: write `null`"
    );
    assert_eq!(
        one("name", "\"three\""),
        "tools[0].definition.name: the definition is named `one`, the entry differs: approve the tool again"
    );
    assert!(
        one("readOnly", "true")
            .starts_with("tools[0]: `readOnly` is not known here: remove it (`server`, ")
    );
}

#[test]
fn nothing_that_matters_has_a_default() {
    for path in [
        &["cmcp_catalog"][..],
        &["servers"],
        &["tools"],
        &["servers", "web", "transport"],
        &["servers", "web", "url"],
        &["servers", "web", "tls"],
        &["servers", "local", "command"],
        &["tools", "0", "server"],
        &["tools", "0", "name"],
        &["tools", "0", "definition"],
        &["tools", "0", "digest"],
        &["tools", "0", "read_only"],
    ] {
        let faults = faults(&with(path, None));
        let missing = format!("`{}` is missing", path[path.len() - 1]);
        assert!(
            faults.iter().any(|fault| fault.ends_with(&missing)),
            "{path:?}: {faults:?}"
        );
    }
}

#[test]
fn everything_wrong_is_reported_at_once_with_its_line() {
    let text = "{\n\"cmcp_catalog\": 1,\n\"servers\": {\n\"Web\": {\"transport\": \"streamable-http\", \"url\": \"x\",\n\
        \"tls\": {\"pin\": \"webpki\"}}},\n\"tools\": [\n{\"server\": \"Web\", \"name\": \"a b\",\n\"read_only\": 1}]}";
    let errors = load(text).unwrap_err();
    let places: Vec<_> = errors
        .iter()
        .map(|error| (error.place.as_str(), error.line))
        .collect();
    assert_eq!(
        places,
        [
            ("servers.Web", 4),
            ("servers.Web.url", 4),
            ("tools[0].name", 7),
            ("tools[0].name", 7),
            ("tools[0]", 7),
            ("tools[0].read_only", 8),
        ],
        "{errors:#?}"
    );
    let broken = load("{\"cmcp_catalog\": 1,\n \"cmcp_catalog\": 1}").unwrap_err();
    assert_eq!(
        (broken[0].line, broken[0].to_string()),
        (2, "$: member name repeated in one object".to_owned())
    );
}

#[test]
fn a_definition_changed_after_approval_is_refused() {
    let text = with(
        &["tools", "0", "definition", "description"],
        Some(Value::from("Does more.")),
    );
    let faults = faults(&text);
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0].starts_with("tools[0].digest: the definition has digest `sha256:"),
        "{faults:?}"
    );
    assert!(faults[0].ends_with("it was changed after approval; approve it again"));
}

#[test]
fn definitions_that_cannot_be_enforced_are_refused() {
    let schema =
        |schema: &str| faults_of_definition(&format!(r#"{{"name":"one","inputSchema":{schema}}}"#));
    let fault = |why: &str| {
        [format!(
            "tools[0].definition.inputSchema: `inputSchema` cannot be enforced: {why}"
        )]
    };
    assert_eq!(
        schema(r#"{"properties":{"a":{"$ref":"https://example.com/x"}}}"#),
        fault("`/properties/a/$ref` refers outside the document; nothing is ever fetched")
    );
    assert_eq!(schema("7"), fault("a schema is an object, this is number"));
    assert_eq!(
        faults_of_definition(r#"{"name":"one"}"#),
        ["tools[0].definition: `inputSchema` is missing"]
    );
    assert_eq!(
        faults_of_definition(r#"{"name":"one","inputSchema":{},"outputSchema":{"type":1}}"#),
        [
            "tools[0].definition.outputSchema: `outputSchema` cannot be enforced: `/type` is not valid JSON Schema"
        ]
    );
    let large = format!(r#"{{"description":"{}"}}"#, "x".repeat(10 << 20));
    let text = document(vec![http("web")], vec![tool("web", "one")]).replace(
        r#"{"type":"object","properties":{"a":{"type":"string"}}}"#,
        &large,
    );
    assert!(faults(&text).contains(&fault("it is longer than 262144 bytes")[0]));
}

#[test]
fn hidden_characters_anywhere_in_a_definition_are_refused() {
    for (place, definition) in [
        (
            "/description",
            r#"{"name":"one","inputSchema":{},"description":"Re\u200bad."}"#,
        ),
        (
            "/inputSchema/properties/a/enum/0",
            r#"{"name":"one","inputSchema":{"properties":{"a":{"enum":["x\u202ey"]}}}}"#,
        ),
        (
            "/inputSchema/properties/a/default",
            r#"{"name":"one","inputSchema":{"properties":{"a":{"default":"x\udb40\udc41"}}}}"#,
        ),
        (
            "/inputSchema/properties/a\\u{200b}",
            r#"{"name":"one","inputSchema":{"properties":{"a\u200b":{}}}}"#,
        ),
        (
            "/inputSchema/$comment",
            r#"{"name":"one","inputSchema":{"$comment":"\u2066x"}}"#,
        ),
        (
            "/annotations/title",
            r#"{"name":"one","inputSchema":{},"annotations":{"title":"\u001b[8m"}}"#,
        ),
    ] {
        let faults = faults_of_definition(definition);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults[0].contains(&format!("at `{place}`: such text shows a person")),
            "{faults:?}"
        );
    }
}

#[test]
fn what_a_server_hints_about_its_tools_is_not_believed() {
    let hints = json(
        r#"{"name":"one","inputSchema":{},"annotations":{"readOnlyHint":true,"destructiveHint":false}}"#,
    );
    let tool = Tool {
        definition: hints,
        ..tool("web", "one")
    };
    let catalog = load(&document(vec![http("web")], vec![tool])).unwrap();
    assert!(!catalog.tools()[0].read_only());
}

#[test]
fn an_exception_is_callable_marked_and_leaves_the_rest_alone() {
    let catalog = load(&document(vec![http("web")], vec![tool("web", "one")])).unwrap();
    let approval = Approval {
        by: Some("ops".to_owned()),
        at: None,
    };
    let with = catalog
        .with_exception(http("emergency"), &["restart".to_owned()], &approval)
        .unwrap();
    assert_eq!(with.hash(), catalog.hash());
    let exception = with.tool("restart").unwrap();
    assert!(exception.is_exception() && !exception.read_only());
    assert!(exception.check_arguments(&json(r#"{"any":1}"#)).is_ok());
    assert_eq!(
        exception.offered_digest(&definition("restart")),
        Ok(exception.digest)
    );
    assert!(!with.tool("one").unwrap().is_exception());
    assert!(catalog.tool("restart").is_none());
    for taken in ["one", "0ne::", "restart\n"] {
        assert!(
            catalog
                .with_exception(http("emergency"), &[taken.to_owned()], &approval)
                .is_err(),
            "{taken}"
        );
    }
}

#[test]
fn arguments_are_held_against_the_approved_schema() {
    let catalog = load(&document(vec![http("web")], vec![tool("web", "one")])).unwrap();
    let tool = catalog.tool("one").unwrap();
    assert!(tool.check_arguments(&json(r#"{"a":"x"}"#)).is_ok());
    for arguments in [
        r#"{"a":1}"#,
        r#"{"a":null}"#,
        r#"{"a":"x","b":1}"#,
        "[]",
        "\"a\"",
        "null",
    ] {
        assert!(
            tool.check_arguments(&json(arguments)).is_err(),
            "{arguments}"
        );
    }
    assert!(tool.check_arguments(&Object::new().into()).is_ok());
}
