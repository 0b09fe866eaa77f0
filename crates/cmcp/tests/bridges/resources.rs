//! Resources and prompts: governed, pinned and looked through as tools are, in both eras.

use cmcp_json::Value;

use crate::{
    client::{Got, Modern, Session, at},
    items::{Item, before},
    support::{ALICE, BOB, Setup, text},
    upstream::{Era, Upstream},
};

const READ: &str = r#"{"uri":"doc://one"}"#;
const LETTER: &str = r#"{"name":"letter","arguments":{"to":"Ann"}}"#;
const COMPLETE: &str =
    r#"{"ref":{"type":"ref/prompt","name":"letter"},"argument":{"name":"to","value":"A"}}"#;

fn library() -> Vec<Item> {
    vec![
        Item::tool("echo"),
        Item::resource("doc://one"),
        Item::resource("doc://two"),
        Item::template("doc://by-id/{id}"),
        Item::prompt("letter"),
        Item::prompt("poem"),
    ]
}

fn with(era: Era) -> (Upstream, Setup) {
    let upstream = Upstream::start(era, &library());
    let setup = before(&[("up", &upstream)]);
    (upstream, setup)
}

/// Names or URIs in a list.
fn names(got: &Got, list: &str, key: &str) -> Vec<String> {
    let list = at(&got.result(), list);
    let name = |item: &Value| text(item, key).to_owned();
    list.as_array().unwrap().iter().map(name).collect()
}

/// The contents of a resource, or the messages of a prompt, as text.
pub(crate) fn contents(got: &Got, list: &str) -> String {
    at(&got.result(), list).to_string()
}

/// The outcome of a call.
fn outcome(log: &[Value], got: &Got) -> Value {
    let is_it = |entry: &&Value| {
        text(entry, "kind") == "outcome" && text(entry, "call_id") == got.header("cmcp-call-id")
    };
    log.iter().find(is_it).unwrap().clone()
}

#[test]
fn resources_and_prompts_pass_between_the_eras_and_are_in_the_log() {
    for era in [Era::Legacy, Era::Modern] {
        let (upstream, setup) = with(era);
        let gateway = setup.start();
        let session = Session::open(&gateway, ALICE, "{}");
        let modern = Modern::new(&gateway, ALICE);
        let mut done = Vec::new();
        for (method, params, action, target, member) in [
            (
                "resources/read",
                READ,
                "read_resource",
                "doc://one",
                "contents",
            ),
            ("prompts/get", LETTER, "get_prompt", "letter", "messages"),
            (
                "completion/complete",
                COMPLETE,
                "complete",
                "letter",
                "completion",
            ),
        ] {
            for (got, is_modern) in [
                (session.ask(method, params), false),
                (modern.ask(method, params), true),
            ] {
                let result = got.result();
                assert!(!at(&result, member).is_null(), "{result}");
                // Each era has its own members, whatever the server's.
                let own =
                    ["resultType", "ttlMs", "cacheScope"].map(|name| result.get(name).is_some());
                let cached = is_modern && method == "resources/read";
                assert_eq!(own[0], is_modern, "{result}");
                assert!(own[1] == cached || era == Era::Modern, "{result}");
                assert!(is_modern || !own.contains(&true), "{result}");
                done.push((got, action, target));
            }
        }
        assert_eq!(
            upstream.of("resources/read")[0].raw("uri"),
            r#""doc://one""#
        );
        assert_eq!(
            upstream.of("prompts/get")[0].raw("arguments"),
            r#"{"to":"Ann"}"#
        );
        let log = gateway.finish();
        for (got, action, target) in done {
            let entry = outcome(&log, &got);
            assert_eq!(
                ["action", "tool", "verdict", "result"].map(|name| text(&entry, name)),
                [action, target, "allow", "response"]
            );
        }
    }
}

#[test]
fn lists_hold_what_was_approved_and_pages_are_the_clients_own() {
    let (upstream, setup) = with(Era::Legacy);
    // What a server offers beyond that is nobody's business.
    let mut more = library();
    more.push(Item::resource("doc://unapproved"));
    upstream.offer(&more);
    let gateway = setup.start();
    let session = Session::open(&gateway, ALICE, "{}");
    let modern = Modern::new(&gateway, BOB);
    for got in [
        session.ask("resources/list", "{}"),
        modern.ask("resources/list", "{}"),
    ] {
        assert_eq!(names(&got, "resources", "uri"), ["doc://one", "doc://two"]);
        gateway.unheard();
    }
    let templates = session.ask("resources/templates/list", "{}");
    assert_eq!(
        names(&templates, "resourceTemplates", "uriTemplate"),
        ["doc://by-id/{id}"]
    );
    gateway.unheard();
    let prompts = modern.ask("prompts/list", "{}");
    assert_eq!(names(&prompts, "prompts", "name"), ["letter", "poem"]);
    // No server was asked for any of it.
    assert!(upstream.requests().is_empty(), "{:?}", upstream.requests());
    for cursor in [r#""x""#, "1", r#""""#] {
        let got = session.ask("prompts/list", &format!(r#"{{"cursor":{cursor}}}"#));
        assert_eq!(got.error().0, -32602, "{cursor}");
    }
    let log = gateway.finish();
    let listed = log
        .iter()
        .filter(|entry| entry.get("action").and_then(Value::as_str) == Some("list_resources"));
    assert_eq!(listed.count(), 3);
}

#[test]
fn e14_policy_decides_about_reading_getting_and_completing() {
    let policy = r#"
@id("all") permit(principal, action, resource);
@id("not-to-mallory") forbid(principal, action == Action::"get_prompt", resource)
when { context.arguments has to && context.arguments.to == "Mallory" };
@id("no-guessing") forbid(principal, action == Action::"complete", resource)
when { context.arguments has value && context.arguments.value == "" };
"#;
    let (upstream, setup) = with(Era::Legacy);
    let gateway = setup.policy(policy).start();
    let session = Session::open(&gateway, BOB, "{}");
    let modern = Modern::new(&gateway, BOB);
    // Denied with the rule, before anything reached the server.
    for (method, params, rule) in [
        (
            "prompts/get",
            r#"{"name":"letter","arguments":{"to":"Mallory"}}"#,
            "not-to-mallory",
        ),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/prompt","name":"letter"},"argument":{"name":"to","value":""}}"#,
            "no-guessing",
        ),
    ] {
        for got in [session.ask(method, params), modern.ask(method, params)] {
            let (code, data) = got.error();
            assert_eq!(code, -31001, "{got:?}");
            assert_eq!(at(&data, "policies.0").as_str(), Some(rule), "{got:?}");
        }
    }
    nothing_reached(&upstream);
    gateway.finish();
}

fn nothing_reached(upstream: &Upstream) {
    for method in ["resources/read", "prompts/get", "completion/complete"] {
        assert!(
            upstream.of(method).is_empty(),
            "{method} reached the server"
        );
    }
}

#[test]
fn e25_what_a_principal_may_never_have_is_in_no_list_and_answered_like_what_is_not_there() {
    let policy = r#"
@id("all") permit(principal, action, resource);
@id("no-two") forbid(principal == Agent::"bob", action == Action::"read_resource", resource == McpResource::"doc://two");
@id("no-poem") forbid(principal == Agent::"bob", action == Action::"get_prompt", resource == Prompt::"poem");
"#;
    let (upstream, setup) = with(Era::Legacy);
    let gateway = setup.policy(policy).start();
    let session = Session::open(&gateway, BOB, "{}");
    let modern = Modern::new(&gateway, BOB);
    for got in [
        session.ask("resources/list", "{}"),
        modern.ask("resources/list", "{}"),
    ] {
        gateway.unheard();
        assert_eq!(names(&got, "resources", "uri"), ["doc://one"]);
    }
    let prompts = session.ask("prompts/list", "{}");
    assert_eq!(names(&prompts, "prompts", "name"), ["letter"]);
    for uri in ["doc://two", "doc://none"] {
        let params = format!(r#"{{"uri":"{uri}"}}"#);
        let (code, data) = session.ask("resources/read", &params).error();
        assert_eq!((code, at(&data, "uri").as_str()), (-32002, Some(uri)));
        let (code, data) = modern.ask("resources/read", &params).error();
        assert_eq!((code, at(&data, "uri").as_str()), (-32602, Some(uri)));
    }
    for name in ["poem", "none"] {
        let params = format!(r#"{{"name":"{name}","arguments":{{"to":"Ann"}}}}"#);
        for got in [
            session.ask("prompts/get", &params),
            modern.ask("prompts/get", &params),
        ] {
            assert_eq!(got.refusal(), (-32602, "ITEM_NOT_IN_CATALOG".to_owned()));
        }
    }
    nothing_reached(&upstream);
    // Alice is another matter.
    let alice = Session::open(&gateway, ALICE, "{}");
    let got = alice.ask("resources/read", r#"{"uri":"doc://two"}"#);
    assert!(contents(&got, "contents").contains("the content"));
    gateway.finish();
}

#[test]
fn what_a_prompt_is_given_has_to_be_what_was_approved() {
    let (upstream, setup) = with(Era::Modern);
    let gateway = setup.start();
    let session = Session::open(&gateway, ALICE, "{}");
    for arguments in [
        "{}",
        r#"{"tone":"warm"}"#,
        r#"{"to":7}"#,
        r#"{"to":null}"#,
        r#"{"to":"Ann","more":"x"}"#,
    ] {
        let params = format!(r#"{{"name":"letter","arguments":{arguments}}}"#);
        let got = session.ask("prompts/get", &params);
        assert_eq!(got.error().0, -32602, "{arguments}: {got:?}");
    }
    let got = session.ask("prompts/get", r#"{"name":"letter","arguments":"Ann"}"#);
    assert_eq!(got.error().0, -32602);
    assert!(upstream.of("prompts/get").is_empty());
    gateway.finish();
}

#[test]
fn g02_a_changed_resource_or_prompt_stops_alone_and_the_log_says_what_it_is() {
    for era in [Era::Legacy, Era::Modern] {
        let (upstream, setup) = with(era);
        let gateway = setup.start();
        let mut changed = library();
        changed[1] = Item::resource("doc://one").with("mimeType", r#""text/html""#);
        changed[3] = Item::template("doc://by-id/{id}").with("title", r#""Changed""#);
        changed[4] = Item::prompt("letter").with("description", r#""A text!""#);
        upstream.offer(&changed);
        let session = Session::open(&gateway, ALICE, "{}");
        for (method, params) in [
            ("resources/read", READ),
            ("resources/read", r#"{"uri":"doc://by-id/7"}"#),
            ("prompts/get", LETTER),
            ("completion/complete", COMPLETE),
        ] {
            let got = session.ask(method, params);
            assert_eq!(got.refusal().1, "CATALOG_DRIFT", "{got:?}");
            assert!(
                upstream.of(method).is_empty(),
                "{method} reached the server"
            );
        }
        let two = session.ask("resources/read", r#"{"uri":"doc://two"}"#);
        assert!(contents(&two, "contents").contains("the content"));
        let poem = session.ask("prompts/get", r#"{"name":"poem","arguments":{"to":"Ann"}}"#);
        assert!(contents(&poem, "messages").contains("Ann"));
        assert_eq!(session.call("echo").text(), r#"{"text":"hello"}"#);
        let log = gateway.finish();
        let mut drifted: Vec<[String; 2]> = log
            .iter()
            .filter(|entry| text(entry, "kind") == "catalog_drift")
            .map(|entry| {
                let tool = at(entry, "tools.0");
                ["item", "tool"].map(|name| text(&tool, name).to_owned())
            })
            .collect();
        drifted.sort();
        assert_eq!(
            drifted,
            [
                ["prompt", "letter"],
                ["resource", "doc://one"],
                ["resource_template", "doc://by-id/{id}"]
            ]
        );
    }
}

#[test]
fn contents_are_looked_through_and_redacted_by_path() {
    let secret = "AKIAIOSFODNN7EXAMPLQ";
    let items = [
        Item::resource("doc://one").redacting("$.contents[*].note"),
        Item::prompt("letter").redacting("$.messages[0].content.note"),
    ];
    let upstream = Upstream::start(Era::Legacy, &items);
    upstream.act(move |seen| match seen.method.as_str() {
        "resources/read" => Some(seen.result(&format!(
            r#"{{"contents":[{{"uri":"doc://one","text":"{secret}","note":"inner","n":1e2}}]}}"#
        ))),
        "prompts/get" => Some(seen.result(&format!(
            r#"{{"messages":[{{"role":"user","content":{{"type":"text","text":"{secret}","note":"inner"}}}}]}}"#
        ))),
        _ => None,
    });
    let gateway = before(&[("up", &upstream)]).start();
    let session = Session::open(&gateway, ALICE, "{}");
    let mut done = Vec::new();
    for (method, params, member) in [
        ("resources/read", READ, "contents"),
        ("prompts/get", LETTER, "messages"),
    ] {
        let got = session.ask(method, params);
        let shown = contents(&got, member);
        assert!(
            !shown.contains("inner") && shown.contains(secret),
            "{shown}"
        );
        done.push(got);
    }
    let log = gateway.finish();
    for got in done {
        let entry = outcome(&log, &got);
        assert_eq!(text(&entry, "verdict"), "redact");
        assert!(
            at(&entry, "labels").to_string().contains("secret"),
            "{entry}"
        );
    }
    assert!(!Value::Array(log).to_string().contains(secret));
}

#[test]
fn a_label_of_the_contents_can_keep_them_back() {
    let policy = r#"
@id("all") permit(principal, action, resource);
@id("no-secrets") forbid(principal, action in [Action::"read_resource", Action::"get_prompt"], resource)
when { context.labels.contains("secret") };
"#;
    let (upstream, setup) = with(Era::Modern);
    upstream.on("resources/read", |seen| {
        seen.result(r#"{"resultType":"complete","contents":[{"uri":"doc://one","text":"AKIAIOSFODNN7EXAMPLQ"}]}"#)
    });
    let gateway = setup.policy(policy).start();
    let session = Session::open(&gateway, ALICE, "{}");
    let got = session.ask("resources/read", READ);
    assert_eq!(got.refusal(), (-31001, "POLICY_DENY".to_owned()));
    let log = gateway.finish();
    let entry = outcome(&log, &got);
    assert_eq!(
        ["code", "result"].map(|name| text(&entry, name)),
        ["egress_denied", "response"]
    );
}

#[test]
fn a_result_that_is_none_is_kept_back() {
    let (upstream, setup) = with(Era::Legacy);
    let gateway = setup.start();
    let session = Session::open(&gateway, ALICE, "{}");
    let many: Vec<String> = (0..101).map(|n| format!("\"v{n}\"")).collect();
    let many = format!(r#"{{"completion":{{"values":[{}]}}}}"#, many.join(","));
    for (method, params, wrong) in [
        ("resources/read", READ, r#"{"contents":"inner"}"#.to_owned()),
        (
            "prompts/get",
            LETTER,
            r#"{"messages":[{"role":"user","content":"inner"}]}"#.to_owned(),
        ),
        ("completion/complete", COMPLETE, many),
        (
            "completion/complete",
            COMPLETE,
            r#"{"completion":{"values":[{"a":"inner"}]}}"#.to_owned(),
        ),
    ] {
        upstream.on(method, move |seen| seen.result(&wrong));
        let got = session.ask(method, params);
        assert_eq!(
            got.refusal(),
            (-31001, "POLICY_DENY".to_owned()),
            "{method}"
        );
        assert!(!got.last.to_string().contains("inner"), "{got:?}");
    }
    gateway.finish();
}

#[test]
fn a_resource_that_is_not_there_has_each_eras_own_code() {
    for era in [Era::Legacy, Era::Modern] {
        let (upstream, setup) = with(era);
        upstream.on("resources/read", move |seen| match era {
            Era::Legacy => seen
                .error(r#"{"code":-32002,"message":"gone","data":{"uri":"doc://one","more":1.0}}"#),
            Era::Modern => seen
                .error(r#"{"code":-32602,"message":"gone","data":{"uri":"doc://one","more":1.0}}"#),
        });
        let gateway = setup.start();
        let session = Session::open(&gateway, ALICE, "{}");
        let got = session.ask("resources/read", READ);
        assert_eq!(got.error().0, -32002);
        assert!(got.last.to_string().contains(r#""more":1.0"#), "{got:?}");
        let got = Modern::new(&gateway, ALICE).ask("resources/read", READ);
        assert_eq!(got.error().0, -32602);
        gateway.finish();
    }
}

#[test]
fn a_template_lets_through_what_it_matches_and_nothing_else() {
    let items = [
        Item::template("doc://by-id/{id}"),
        Item::template("doc://{kind}/latest"),
        Item::resource("doc://by-id/listed").labelled("pii"),
        Item::template("find://{?q}"),
    ];
    let upstream = Upstream::start(Era::Legacy, &items);
    let gateway = before(&[("up", &upstream)]).start();
    let session = Session::open(&gateway, ALICE, "{}");
    let read = |uri: &str| {
        let uri = Value::from(uri);
        session.ask("resources/read", &format!(r#"{{"uri":{uri}}}"#))
    };
    let mut read_well = Vec::new();
    for uri in [
        "doc://by-id/7",
        "doc://by-id/a%2Fb",
        "doc://other/latest",
        "find://?q=x",
        "doc://by-id/listed",
    ] {
        let got = read(uri);
        assert!(contents(&got, "contents").contains(uri), "{uri}: {got:?}");
        read_well.push(got);
    }
    for uri in [
        // Two templates match, so that nobody can say which was meant.
        "doc://by-id/latest",
        "doc://by-id/a/b",
        "doc://by-id/",
        "doc://by-id/7?x=1",
        "DOC://by-id/7",
        "doc://by-id/7\u{7f}",
        "doc://by-id/{id}",
        "",
    ] {
        let got = read(uri);
        assert_eq!(got.error().0, -32002, "{uri}: {got:?}");
    }
    let sent = upstream.of("resources/read");
    assert_eq!(sent.len(), 5, "{sent:?}");
    let log = gateway.finish();
    // Its own entry decides about what is listed, not the template that matches it too.
    let entry = outcome(&log, &read_well[4]);
    assert_eq!(text(&entry, "data_class"), "pii");
    assert_eq!(text(&outcome(&log, &read_well[0]), "data_class"), "public");
}
