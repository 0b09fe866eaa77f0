//! Names of tools: four that look alike are four, and one that is hidden is like none.

use crate::support::{
    ALICE, Answer, BOB, Server, Setup, Tool, json, member,
    setup::{ALL, ECHO, PAY, definitions},
    text,
};

/// The answer without what tells two calls apart.
fn shape(answer: &Answer) -> String {
    let id = answer.header("cmcp-call-id").unwrap();
    assert_eq!(id.len(), 36);
    let mut headers = answer.headers.clone();
    headers
        .retain(|(name, _)| !["cmcp-call-id", "cmcp-entry-hash", "date"].contains(&name.as_str()));
    format!(
        "{} {headers:?} {}",
        answer.status,
        answer.text().replace(id, "ID")
    )
}

#[test]
fn e25_a_tool_is_named_by_its_exact_bytes() {
    let (server, setup) = Setup::usual();
    let gateway = setup.start();
    for name in [
        "Echo",
        "ECHO",
        "echo ",
        " echo",
        "echo\u{200d}",
        "\u{ff45}cho",
        "ech\u{43e}",
        "e\u{301}cho",
        "up__echo",
        "up/echo",
        "nothing",
        "",
        "../echo",
    ] {
        let answer = gateway.call(name, r#"{"text":"a"}"#);
        let expected = (403, -32000, "TOOL_NOT_IN_CATALOG".to_owned());
        assert_eq!(answer.refusal(), expected, "{name:?}");
        assert_eq!(
            gateway.verdict(&answer),
            ["catalog_miss", "deny", "not-dispatched"],
            "{name:?}"
        );
    }
    for name in ["1", "null", "[\"echo\"]", "{\"name\":\"echo\"}", "true"] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":{name},"arguments":{{"text":"a"}}}}}}"#
        );
        let (status, code, _) = gateway.post(&body).refusal();
        assert_eq!((status, code), (400, -32602), "{name}");
    }
    assert_eq!(gateway.call("echo\0", "{}").refusal().1, -32700);
    assert!(server.is_untouched());
    gateway.still_serves();
    gateway.finish();
}

#[test]
fn e25_a_tool_that_is_hidden_is_answered_like_one_that_is_not_there() {
    let (server, setup) = Setup::usual();
    let gateway = setup
        .policy(
            r#"
            permit(principal, action, resource == Resource::"echo");
            permit(principal == Agent::"bob", action, resource == Resource::"pay");"#,
        )
        .start();
    let session = gateway.initialize(ALICE);
    let legacy = [("Mcp-Session-Id", session.as_str())];
    let in_session = |tool: &str| {
        gateway.post_as(
            ALICE,
            crate::support::gateway::call(tool, "{}").as_bytes(),
            &legacy,
        )
    };
    let modern = |tool: &str| {
        gateway.modern(
            ALICE,
            "tools/call",
            &format!(r#"{{"name":"{tool}","arguments":{{}}}}"#),
        )
    };
    // The same with arguments that would not fit: nothing of its schema is told either.
    for arguments in ["{}", r#"{"amount":"x"}"#, r#"{"surplus":1}"#] {
        let (hidden, unknown) = (
            gateway.call("pay", arguments),
            gateway.call("pax", arguments),
        );
        assert_eq!(shape(&hidden), shape(&unknown));
        assert_eq!(gateway.verdict(&hidden)[0], "tool_hidden");
        assert_eq!(gateway.verdict(&unknown)[0], "catalog_miss");
    }
    assert_eq!(shape(&in_session("pay")), shape(&in_session("pax")));
    assert_eq!(shape(&modern("pay")), shape(&modern("pax")));
    let list = |token: &str| {
        let body = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        let tools = member(&gateway.post_as(token, body, &[]).result(), "tools");
        let names = tools
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| text(tool, "name").to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(list(ALICE), ["echo"]);
    assert_eq!(list(BOB), ["echo", "pay"]);
    assert!(server.is_untouched());
    gateway.finish();
}

#[test]
fn e26_four_names_are_four_tools() {
    let names = ["read_file", "read__file", "Read_FILE", "_read_file"];
    let mut tools: Vec<Tool> = names.iter().map(|name| Tool::named(name)).collect();
    tools.push(Tool::reads(ECHO));
    let server = Server::offering(&definitions(&tools));
    for permitted in names {
        let gateway = Setup::before(&server, &tools)
            .policy(&format!(
                r#"permit(principal, action == Action::"call_tool", resource == Resource::"{permitted}");"#
            ))
            .start();
        let before = server.calls().len();
        for name in names {
            let answer = gateway.call(name, "{}");
            assert_eq!(
                answer.status == 200,
                name == permitted,
                "{permitted}: {name}"
            );
        }
        let sent = server.calls();
        assert_eq!(sent.len(), before + 1);
        assert_eq!(sent[before].tool(), permitted);
        gateway.finish();
    }
}

#[test]
fn e27_a_name_that_policy_could_misread_does_not_load() {
    let (server, _) = Setup::usual();
    for name in [
        "a\"b",
        "a::b",
        "a\nb",
        "a b",
        "Resource::\"pay\"",
        "a\\",
        "é",
        "\u{202e}a",
        "",
    ] {
        let failed = Setup::before(&server, &[Tool::named(name)]).fail();
        assert_eq!(failed.code, Some(1), "{name:?}");
        let errors = failed.errors();
        assert!(
            !errors.is_empty() && errors.iter().all(|e| e.contains("catalog.json")),
            "{failed:?}"
        );
        assert!(
            !failed.stderr.contains('\u{202e}'),
            "shown escaped: {failed:?}"
        );
    }
    assert!(server.is_untouched());
}

#[test]
fn g07_names_of_two_servers_do_not_collide() {
    let first = Server::offering(&[json(ECHO), json(PAY)]);
    let second = Server::offering(&[json(ECHO)]);
    let setup = |tools: &[Tool]| {
        let setup = Setup::empty()
            .server("one", &first.url)
            .server("two", &second.url);
        setup.policy(ALL).tools(tools)
    };
    let echo = Tool::reads(ECHO);
    let gateway = setup(&[echo.clone().of("one"), echo.clone().of("two")]).start();
    for (name, right, wrong) in [
        ("one__echo", &first, &second),
        ("two__echo", &second, &first),
    ] {
        let before = (right.calls().len(), wrong.calls().len());
        assert_eq!(gateway.call(name, r#"{"text":"a"}"#).status, 200);
        assert_eq!(
            (right.calls().len(), wrong.calls().len()),
            (before.0 + 1, before.1)
        );
        assert_eq!(right.calls()[before.0].tool(), "echo");
    }
    assert_eq!(
        gateway.call("echo", r#"{"text":"a"}"#).refusal().2,
        "TOOL_NOT_IN_CATALOG"
    );
    gateway.finish();
    // One name twice on one server, and two that only look alike.
    for other in [echo.clone(), Tool::named("ech0"), Tool::named("e\u{441}ho")] {
        let failed = Setup::before(&first, &[echo.clone(), other, Tool::named("echO")]).fail();
        assert!(!failed.errors().is_empty(), "{failed:?}");
        assert_eq!(failed.code, Some(1));
    }
}
