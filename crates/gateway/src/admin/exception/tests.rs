//! Break-glass from the operator's side to the record's.

use std::sync::atomic::Ordering;

use cmcp_json::{Object, Value};

use crate::testing::{ALICE, World, definition};

const LINE: &str = "POST /catalog/exception";

fn body(world: &World, change: impl FnOnce(&mut Object)) -> String {
    let server = Object::from([
        ("display_name", Value::from("Emergency")),
        ("url", Value::from(world.upstream.url.as_str())),
        (
            "tls_fingerprint",
            Value::from("SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ),
    ]);
    let mut body = Object::from([
        ("reason", Value::from("outage 17")),
        ("authorized_by", Value::from("zoe")),
        ("tool_names", Value::Array(vec!["restart".into()])),
        ("server_identity", server.into()),
    ]);
    change(&mut body);
    Value::Object(body).to_string()
}

fn offer_restart(world: &World) {
    let tools = vec![definition("echo"), definition("restart")];
    *world.upstream.tools.lock().unwrap() = tools;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_is_callable_until_it_expires_and_every_use_is_on_record() {
    let world = World::new(|_| {}).await;
    offer_restart(&world);
    assert_eq!(world.call("echo").await, "ok");
    assert_eq!(world.call("restart").await, "TOOL_NOT_IN_CATALOG");
    let request = body(&world, |body| {
        body.insert("expires_in_seconds", 60i64);
    });
    let (status, answer) = world.operator(LINE, &request).await;
    assert_eq!(status.as_u16(), 201, "{answer}");
    assert_eq!(
        answer.to_string(),
        r#"{"status":"ok","added_tools":["restart"],"reason":"outage 17","authorized_by":"zoe","expires_at":"2027-01-15T08:01:00Z"}"#
    );
    assert_eq!(world.shown().await, ["echo", "restart"]);
    assert_eq!(world.call("restart").await, "ok");
    assert_eq!(world.call("echo").await, "ok");
    world.pass(60);
    // Its time is over, whether or not anybody has noticed.
    assert_eq!(world.call("restart").await, "TOOL_NOT_IN_CATALOG");
    assert_eq!(world.shown().await, ["echo"]);
    world.gateway.end_exceptions().await;
    assert_eq!(world.call("restart").await, "TOOL_NOT_IN_CATALOG");
    assert_eq!(world.call("echo").await, "ok");
    assert_eq!(world.upstream.calls.load(Ordering::SeqCst), 4);
    let kinds = world.kinds();
    let told: Vec<&str> = kinds
        .iter()
        .map(String::as_str)
        .filter(|kind| *kind != "declarations")
        .collect();
    assert_eq!(
        told,
        [
            "session_start",
            "outcome",
            "outcome catalog_miss",
            "break_glass added",
            "break_glass used",
            "intent",
            "outcome",
            "outcome",
            "outcome catalog_miss",
            "break_glass expired",
            "outcome catalog_miss",
            "outcome",
        ]
    );
    let claim = world.close().await;
    let listed = claim
        .get("gateway")
        .unwrap()
        .get("catalog_exceptions")
        .unwrap();
    assert_eq!(
        listed.to_string(),
        r#"[{"tool_name":"restart","reason":"outage 17","authorized_by":"zoe","added_at":"2027-01-15T08:00:00+00:00"}]"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_begins_under_an_exception_is_told_of_it_first() {
    let world = World::new(|_| {}).await;
    let (status, answer) = world.operator(LINE, &body(&world, |_| {})).await;
    assert_eq!(status.as_u16(), 201, "{answer}");
    assert_eq!(world.call("echo").await, "ok");
    assert_eq!(world.kinds()[..2], ["session_start", "break_glass added"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_judges_an_exception_as_any_other_tool() {
    let policy = "permit(principal, action, resource == Resource::\"echo\");";
    let world = World::signed(policy, None, |_| {}).await;
    offer_restart(&world);
    let (status, _) = world.operator(LINE, &body(&world, |_| {})).await;
    assert_eq!(status.as_u16(), 201);
    assert_eq!(world.call("restart").await, "TOOL_NOT_IN_CATALOG");
    assert_eq!(world.upstream.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_operator_may_and_a_caller_does_not_learn_that_somebody_can() {
    let world = World::new(|_| {}).await;
    let request = body(&world, |_| {});
    let (status, _) = world.request(LINE, ALICE, request.clone()).await;
    assert_eq!(status.as_u16(), 404);
    let (status, answer) = world.request(LINE, "", request).await;
    assert_eq!(status.as_u16(), 401, "{answer}");
    assert_eq!(world.call("restart").await, "TOOL_NOT_IN_CATALOG");
}

/// Requests that are wrong in one member, and what is said of them.
fn members(world: &World) -> Vec<(String, &'static str)> {
    let set = |name: &'static str, value: &str| {
        let value = cmcp_json::parse(value.as_bytes(), &cmcp_json::Limits::REQUEST).unwrap();
        body(world, |body| {
            body.insert(name, value);
        })
    };
    let without = |name: &str| {
        body(world, |body| {
            body.remove(name);
        })
    };
    let many: Vec<String> = (0..65).map(|n| format!("\"t{n}\"")).collect();
    vec![
        ("{}".to_owned(), "MISSING_FIELD"),
        (without("reason"), "MISSING_FIELD"),
        (without("authorized_by"), "MISSING_FIELD"),
        (without("tool_names"), "MISSING_FIELD"),
        (without("server_identity"), "MISSING_FIELD"),
        (set("reason", "\"\""), "INVALID_FIELD"),
        (set("reason", "1"), "INVALID_FIELD"),
        (set("authorized_by", "null"), "INVALID_FIELD"),
        (set("tool_names", "[]"), "INVALID_FIELD"),
        (set("tool_names", "\"restart\""), "INVALID_FIELD"),
        (set("tool_names", "[1]"), "INVALID_FIELD"),
        (set("tool_names", "[\"echo\"]"), "INVALID_FIELD"),
        (set("tool_names", "[\"ech\\u043e\"]"), "INVALID_FIELD"),
        (set("tool_names", "[\"a\",\"a\"]"), "INVALID_FIELD"),
        (
            set("tool_names", &format!("[{}]", many.join(","))),
            "INVALID_FIELD",
        ),
        (set("server_identity", "[]"), "INVALID_FIELD"),
        (set("expires_in_seconds", "0"), "INVALID_FIELD"),
        (set("expires_in_seconds", "86401"), "INVALID_FIELD"),
        (set("expires_in_seconds", "1.5"), "INVALID_FIELD"),
        (set("expires_in", "60"), "INVALID_FIELD"),
    ]
}

/// The same for the server.
fn servers(world: &World) -> Vec<(String, &'static str)> {
    let server = |name: &'static str, value: Option<&str>| {
        body(world, |body| {
            let server = body.get_mut("server_identity").unwrap();
            let server = server.as_object_mut().unwrap();
            match value {
                Some(value) => drop(server.insert(name, value)),
                None => drop(server.remove(name)),
            }
        })
    };
    vec![
        (server("url", None), "MISSING_FIELD"),
        (server("display_name", None), "MISSING_FIELD"),
        (server("tls_fingerprint", None), "MISSING_FIELD"),
        (server("transport", Some("stdio")), "INVALID_FIELD"),
        (server("transport", Some("carrier-pigeon")), "INVALID_FIELD"),
        (
            server("url", Some("https://example.org/mcp")),
            "INVALID_FIELD",
        ),
        (server("url", Some("file:///etc/passwd")), "INVALID_FIELD"),
        (server("tls_fingerprint", Some("SHA256:x")), "INVALID_FIELD"),
        (server("other", Some("x")), "INVALID_FIELD"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_said_and_nothing_is_let_through() {
    let world = World::new(|_| {}).await;
    for request in ["[]", "1", "null", "{", "", r#"{"reason":1,"reason":2}"#] {
        let (status, answer) = world.operator(LINE, request).await;
        let word = answer.get("error_code").and_then(Value::as_str);
        assert_eq!(
            (status.as_u16(), word),
            (400, Some("PARSE_ERROR")),
            "{request}"
        );
    }
    for (request, code) in members(&world).into_iter().chain(servers(&world)) {
        let (status, answer) = world.operator(LINE, &request).await;
        let word = answer.get("error_code").and_then(Value::as_str);
        assert_eq!(
            (status.as_u16(), word),
            (422, Some(code)),
            "{request}: {answer}"
        );
    }
    assert_eq!(world.shown().await, ["echo"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_its_own_is_reached_and_let_go_again() {
    let world = World::new(|_| {}).await;
    let other = crate::testing::Upstream::start().await;
    *other.tools.lock().unwrap() = vec![definition("restart")];
    let request = body(&world, |body| {
        let server = body.get_mut("server_identity").unwrap();
        server
            .as_object_mut()
            .unwrap()
            .insert("url", other.url.as_str());
    });
    let (status, answer) = world.operator(LINE, &request).await;
    assert_eq!(status.as_u16(), 201, "{answer}");
    let (again, _) = world.operator(LINE, &request).await;
    assert_eq!(again.as_u16(), 422, "one name is let through once");
    assert_eq!(world.call("restart").await, "ok");
    assert_eq!(other.calls.load(Ordering::SeqCst), 1);
    world.pass(3_600);
    world.gateway.tend_evidence().await;
    world.gateway.end_exceptions().await;
    world.gateway.end_exceptions().await;
    assert_eq!(world.call("restart").await, "TOOL_NOT_IN_CATALOG");
    assert_eq!(world.call("echo").await, "ok");
}
