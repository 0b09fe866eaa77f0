use cmcp_evidence::Sha256Digest;
use cmcp_json::{Form, Value, canonical};

use super::{Catalog, TlsPin, Transport, faults, json, load};
use crate::{Compat, catalog::Approved, fixture, sensitivity::Vocabulary};

fn shared(path: &str) -> Option<String> {
    fixture::shared(path).map(|bytes| String::from_utf8(bytes).unwrap())
}

const PLACEHOLDER: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

const ECHO: &str = r#"{
  "tool_name": "echo",
  "server": {"display_name": "Mock", "url": "http://127.0.0.1:19001/mcp",
    "tls_fingerprint": "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "transport": "streamable-http"},
  "approved_definition": {"description": "Répète.",
    "input_schema": {"type": "object", "properties": {"message": {"type": "string"}}},
    "output_schema": {"type": "object", "properties": {"message": {"type": "string"}}}},
  "definition_hash": "sha256:cded98f1a631156da040be4c67abfb1e95023f6c3ab3c23dd6cf0a3fef287d2e",
  "added_at": "2026-06-05T00:00:00Z",
  "approved_by": "zoe@example.com"
}"#;

/// An array of one sound entry, with one replacement; the hash is made to fit.
fn entry(from: &str, to: &str) -> String {
    assert!(ECHO.contains(from), "{from}");
    let mut value = json(&ECHO.replacen(from, to, 1));
    let definition = value.get("approved_definition").unwrap();
    let hash = Sha256Digest::of(&canonical(definition, Form::Pyj).unwrap()).to_string();
    value
        .as_object_mut()
        .unwrap()
        .insert("definition_hash", hash);
    format!("[{value}]")
}

fn load_as(text: &str, compat: Compat) -> Result<Catalog, Vec<String>> {
    let read = Catalog::parse(text.as_bytes(), &Vocabulary::builtin(), compat);
    read.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

#[test]
fn the_sample_catalog_has_the_hashes_of_the_vectors() {
    let Some(text) = shared("formats/cmcp-sample/catalog.json") else {
        return;
    };
    let Some(vectors) = shared("formats/cmcp-vectors.json") else {
        return;
    };
    let vectors = json(&vectors);
    let expected = |name: &str| {
        vectors
            .get(name)
            .unwrap()
            .get("hash")
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    for compat in [Compat::Off, Compat::V07] {
        let catalog = load_as(&text, compat).unwrap();
        assert_eq!(catalog.hash().to_string(), expected("catalog_hash"));
        // Here the definition as written and the triple that drift compares are the same bytes.
        let echo = catalog.tool("echo").unwrap();
        assert_eq!(echo.digest.to_string(), expected("definition_hash(echo)"));
        let names: Vec<_> = catalog
            .tools()
            .iter()
            .map(|tool| tool.name.as_str())
            .collect();
        assert_eq!(names, ["echo", "crm.contacts", "email", "boom"]);
        assert_eq!(catalog.servers().len(), 1);
        assert!(catalog.tools().iter().all(|tool| !tool.read_only()));
    }
}

#[test]
fn the_listing_is_that_of_the_sample_exchange() {
    let Some(text) = shared("formats/cmcp-sample/catalog.json") else {
        return;
    };
    let Some(exchange) = shared("formats/cmcp-sample/exchange.jsonl") else {
        return;
    };
    let named = |line: &Value| line.get("name").and_then(Value::as_str) == Some("tools-list");
    let exchange = exchange.lines().map(json).find(named).unwrap();
    let shown = exchange
        .get("response")
        .unwrap()
        .get("result")
        .unwrap()
        .get("tools")
        .unwrap();
    let catalog = load(&text).unwrap();
    let listed: Vec<Value> = catalog.tools().iter().map(Approved::listing).collect();
    assert_eq!(Value::Array(listed).to_string(), shown.to_string());
}

#[test]
fn an_entry_becomes_a_tool() {
    let catalog = load(&format!("[{ECHO}]")).unwrap();
    let echo = catalog.tool("echo").unwrap();
    assert_eq!(echo.sensitivity.name(), "public");
    assert_eq!(echo.compliance_domain, "external");
    assert_eq!(echo.approval.by.as_deref(), Some("zoe@example.com"));
    assert_eq!(echo.approval.at.unwrap().rfc3339(), "2026-06-05T00:00:00Z");
    assert!(echo.output_schema().is_some());
    let server = catalog.server_of(echo).unwrap();
    assert_eq!(
        (server.name.as_str(), server.display_name.as_deref()),
        ("mock", Some("Mock"))
    );
    assert!(echo.check_arguments(&json(r#"{"message":"x"}"#)).is_ok());
    assert!(
        echo.check_arguments(&json(r#"{"message":"x","more":1}"#))
            .is_err()
    );
}

#[test]
fn members_of_an_entry_are_checked() {
    let fault = |from: &str, to: &str| {
        let faults = faults(&entry(from, to));
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].clone()
    };
    let added = r#""added_at""#;
    assert_eq!(
        fault(added, r#""own": 1, "added_at""#),
        "[0]: `own` is not known here: remove it (`tool_name`, `server`, `approved_definition`, `definition_hash`, `added_at`, `approved_by`, `compliance_domain`, `requires_baa`, `sensitivity_level`, `catalog_exception` are)"
    );
    assert_eq!(
        fault(r#""echo""#, r#""Echo""#),
        "[0].tool_name: `Echo` is not in lower case, as names in this form of the catalog must be"
    );
    assert_eq!(
        fault(r#""echo""#, r#""e\"cho""#),
        "[0].tool_name: `e\\\"cho` is not a tool name: 1 to 128 of A-Z, a-z, 0-9, `_`, `.` and `-`"
    );
    assert_eq!(
        fault(r#""zoe@example.com""#, "1"),
        "[0].approved_by: expected a string, found number"
    );
    assert!(
        fault(added, r#""sensitivity_level": "top", "added_at""#)
            .starts_with("[0].sensitivity_level: sensitivity `top` has no rank")
    );
    assert_eq!(
        fault(r#""description": "Répète.","#, ""),
        "[0].approved_definition: `description` is missing"
    );
    assert_eq!(
        fault(
            r#""description": "Répète.","#,
            r#""description": "x", "title": "y","#
        ),
        "[0].approved_definition: `title` is not known here: remove it (`description`, `input_schema`, `output_schema` are)"
    );
}

#[test]
fn members_of_an_entrys_server_are_checked() {
    let fault = |from: &str, to: &str| {
        let faults = faults(&entry(from, to));
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].clone()
    };
    let transport = r#""transport""#;
    assert_eq!(
        fault("streamable-http", "websocket"),
        "[0].server.transport: `websocket` is not one of `http-sse`, `streamable-http` and `stdio`"
    );
    assert_eq!(
        fault(transport, r#""spiffe_id": "spiffe://x/y", "transport""#),
        "[0].server.spiffe_id: `spiffe_id` is not enforced by this version, so it is not accepted either: remove it, or set `compat: cmcp-0.7` to have it ignored as 0.7.1 does"
    );
    assert!(
        load_as(
            &entry(transport, r#""spiffe_id": "spiffe://x/y", "transport""#),
            Compat::V07
        )
        .is_ok()
    );
    assert!(load(&entry(transport, r#""spiffe_id": null, "transport""#)).is_ok());
    assert_eq!(
        fault(transport, r#""provenance": {}, "transport""#),
        "[0].server.provenance: `provenance` is not enforced by this version, so it is not accepted either: remove it"
    );
    assert_eq!(
        fault(transport, r#""rotation_mode": "never", "transport""#),
        "[0].server.rotation_mode: `never` is not one of `key-pinned` and `cert-pinned`"
    );
    assert_eq!(
        fault(PLACEHOLDER, "SHA256:REPLACE"),
        "[0].server.tls_fingerprint: `SHA256:REPLACE` is not a pin: write `sha256:` and 64 hexadecimal digits (in a 0.7.1 catalog `SHA256:` and 44 characters of base64)"
    );
}

#[test]
fn a_stored_hash_that_differs_is_refused() {
    let text = format!("[{}]", ECHO.replace("Répète.", "Répète!"));
    assert_eq!(
        faults(&text),
        [
            "[0].definition_hash: the definition has digest `sha256:6523eb74f4b95445b52aac5dd34682d6cfc14518452ec4090e5ac012b67d370f`, the catalog says `sha256:cded98f1a631156da040be4c67abfb1e95023f6c3ab3c23dd6cf0a3fef287d2e`: it was changed after approval; approve it again"
        ]
    );
    let mut without = json(ECHO);
    without.as_object_mut().unwrap().remove("definition_hash");
    assert_eq!(
        faults(&format!("[{without}]")),
        ["[0]: `definition_hash` is missing"]
    );
}

#[test]
fn a_name_stands_for_one_tool() {
    let twice = format!("[{ECHO},{ECHO}]");
    assert_eq!(
        faults(&twice),
        ["[1]: the name `echo` is already that of `[0]`: give one of them an `alias`"]
    );
    let near = |name: &str| ECHO.replace("\"echo\"", &format!("\"{name}\""));
    let three = format!(
        "[{},{},{}]",
        near("read_file"),
        near("read__file"),
        near("_read_file")
    );
    assert_eq!(load(&three).unwrap().tools().len(), 3);
    assert_eq!(
        load_as(&three, Compat::V07).unwrap_err(),
        [
            "[1]: `read_file` and this name both stand for `Action::\"ReadFile\"` under `compat: cmcp-0.7`: rename one",
            "[2]: `read__file` and this name both stand for `Action::\"ReadFile\"` under `compat: cmcp-0.7`: rename one",
        ]
    );
}

#[test]
fn pins_mean_what_the_rotation_mode_says() {
    let pin = |mode: &str, fingerprint: &str, compat| {
        let text = entry(r#""transport""#, &format!("{mode}\"transport\""))
            .replace("http://127.0.0.1:19001", "https://example.com")
            .replace(PLACEHOLDER, fingerprint);
        match &load_as(&text, compat).unwrap().servers()[0].transport {
            Transport::Http { pin, .. } => *pin,
            other @ Transport::Stdio { .. } => panic!("{other:?}"),
        }
    };
    // The base64 of the bytes 0 to 31.
    let given = "SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let digest = Sha256Digest::from_bytes(std::array::from_fn(|i| u8::try_from(i).unwrap()));
    let key = r#""rotation_mode": "key-pinned", "#;
    let cert = r#""rotation_mode": "cert-pinned", "#;
    assert_eq!(pin("", given, Compat::Off), TlsPin::Key(digest));
    assert_eq!(pin(key, given, Compat::Off), TlsPin::Key(digest));
    assert_eq!(pin(cert, given, Compat::Off), TlsPin::Certificate(digest));
    assert_eq!(pin(key, given, Compat::V07), TlsPin::Certificate(digest));
    assert_eq!(pin("", PLACEHOLDER, Compat::Off), TlsPin::Placeholder);
}

#[test]
fn the_quickstart_fingerprint_that_is_no_digest_does_not_matter_in_the_clear() {
    let text = entry(
        PLACEHOLDER,
        "SHA256:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB=",
    );
    assert!(load(&text).is_ok());
    assert!(load(&text.replace("http://127.0.0.1:19001", "https://example.com")).is_err());
}

#[test]
fn coverage_is_what_was_declared_and_under_compatibility_what_0_7_1_made_of_it() {
    let covered = |flag: &str, compat| {
        let text = entry(r#""added_at""#, &format!("{flag}\"added_at\""));
        load_as(&text, compat).unwrap().tools()[0].baa_covered()
    };
    let (yes, no) = (r#""requires_baa": true, "#, r#""requires_baa": false, "#);
    assert_eq!(
        [
            covered(yes, Compat::Off),
            covered(no, Compat::Off),
            covered("", Compat::Off)
        ],
        [true, false, false]
    );
    assert_eq!(
        [
            covered(yes, Compat::V07),
            covered(no, Compat::V07),
            covered("", Compat::V07)
        ],
        [false, true, true]
    );
}

#[test]
fn a_schema_that_says_nothing_takes_nothing_but_under_compatibility() {
    let declared =
        r#""input_schema": {"type": "object", "properties": {"message": {"type": "string"}}}"#;
    for schema in [
        r#""input_schema": {}"#,
        r#""input_schema": {"type": "object"}"#,
    ] {
        let text = entry(declared, schema);
        let any = json(r#"{"any":1}"#);
        assert!(
            load_as(&text, Compat::Off).unwrap().tools()[0]
                .check_arguments(&any)
                .is_err()
        );
        assert!(
            load_as(&text, Compat::V07).unwrap().tools()[0]
                .check_arguments(&any)
                .is_ok()
        );
    }
    let closed = load_as(&format!("[{ECHO}]"), Compat::V07).unwrap();
    assert!(
        closed.tools()[0]
            .check_arguments(&json(r#"{"message":"x","more":1}"#))
            .is_err()
    );
}

#[test]
fn a_child_process_is_named_absolutely_and_measured_as_stated() {
    let digest = Sha256Digest::of(b"script");
    let server = |spawn: &str| {
        let value = json(&entry(
            r#""transport": "streamable-http""#,
            &format!(r#""transport": "stdio", "spawn": {spawn}"#),
        ));
        value.to_string()
    };
    let text = server(&format!(
        r#"{{"command": "/usr/bin/python3", "args": ["/srv/s.py"], "binary_digest": "{digest}", "measure_target": "/srv/s.py"}}"#
    ));
    let catalog = load(&text).unwrap();
    assert_eq!(
        catalog.servers()[0].transport,
        Transport::Stdio {
            command: "/usr/bin/python3".to_owned(),
            args: vec!["/srv/s.py".to_owned()],
            env: Vec::new(),
            cwd: None,
            measured: [("/srv/s.py".to_owned(), digest)].into(),
        }
    );
    assert_eq!(catalog.servers()[0].endpoint(), "/usr/bin/python3");
    let unmeasured = load(&server(r#"{"command": "/bin/s", "binary_digest": null}"#)).unwrap();
    assert!(
        matches!(&unmeasured.servers()[0].transport, Transport::Stdio { measured, .. } if measured.is_empty())
    );
    assert_eq!(
        faults(&server(r#"{"command": "python3"}"#)),
        ["[0].server.spawn.command: `python3` is not an absolute path without `.` and `..`"]
    );
    assert_eq!(
        faults(&server("{}")),
        ["[0].server.spawn: `command` is missing"]
    );
}

#[test]
fn servers_are_told_apart_and_named() {
    let with = |name: &str, display: &str, port: &str| {
        let named = ECHO.replace("\"echo\"", &format!("\"{name}\""));
        named
            .replace("\"Mock\"", &format!("\"{display}\""))
            .replace("19001", port)
    };
    let crm = "CRM Server (mock)";
    let text = format!(
        "[{},{},{},{}]",
        with("a", crm, "1"),
        with("b", crm, "1"),
        with("c", crm, "2"),
        with("d", "42 — ¿?", "3")
    );
    let catalog = load(&text).unwrap();
    let names: Vec<_> = catalog
        .servers()
        .iter()
        .map(|server| server.name.as_str())
        .collect();
    assert_eq!(names, ["crm-server-mock", "crm-server-mock-2", "server"]);
    let servers: Vec<_> = catalog.tools().iter().map(|tool| tool.server).collect();
    assert_eq!(servers, [0, 0, 1, 2]);
}

#[test]
fn an_array_becomes_a_document_that_keeps_every_exposed_name() {
    let other = ECHO
        .replace("\"echo\"", "\"crm.contacts\"")
        .replace("19001", "19002");
    let catalog = load(&format!("[{ECHO},{other}]")).unwrap();
    let again = load(&catalog.to_document().to_text().unwrap()).unwrap();
    let names: Vec<_> = again
        .tools()
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    assert_eq!(names, ["echo", "crm.contacts"]);
    assert_eq!(again.servers().len(), 2);
}
