//! What is said in the other direction, and what belongs to no request.

use super::*;

fn wanting_progress(tool: &str, token: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","_meta":{{"progressToken":{token}}}}}}}"#
    )
}

#[tokio::test]
async fn what_is_said_during_a_call_comes_before_its_answer_under_the_client_s_own_token() {
    let mut client = Client::initialized().await;
    let set =
        r#"{"jsonrpc":"2.0","id":0,"method":"logging/setLevel","params":{"level":"warning"}}"#;
    assert_eq!(
        client.ask(set).await,
        r#"{"jsonrpc":"2.0","id":0,"result":{}}"#
    );
    client.send(&wanting_progress("talk", "1.50")).await;
    for expected in [
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1e0,"progressToken":1.50}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data": "x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"progress":true,"level":"Some(Warning)"}}"#,
    ] {
        assert_eq!(client.line().await, expected);
    }
    // Who gave no token hears of no progress.
    client.send(&call(2, "talk")).await;
    assert!(client.line().await.contains("notifications/message"));
    assert!(client.line().await.contains(r#""progress":false"#));
}

#[tokio::test]
async fn a_level_that_is_none_is_refused() {
    let mut client = Client::initialized().await;
    let set = r#"{"jsonrpc":"2.0","id":0,"method":"logging/setLevel","params":{"level":"loud"}}"#;
    assert_eq!(error_code(&client.ask(set).await), -32602);
}

#[tokio::test]
async fn a_legacy_client_is_asked_and_its_answer_goes_back() {
    let mut client = Client::initialized().await;
    client.send(&call(1, "question")).await;
    assert_eq!(
        client.line().await,
        r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"maxTokens": 1}}"#
    );
    client
        .send(r#"{"jsonrpc":"2.0","id":1,"result":{"role": "assistant"}}"#)
        .await;
    assert_eq!(
        client.line().await,
        r#"{"jsonrpc":"2.0","id":1,"result":{"said":{"role": "assistant"}}}"#
    );
}

#[tokio::test]
async fn a_modern_client_is_never_asked() {
    let mut client = Client::initialized().await;
    let line = client
        .ask(&modern("1", "tools/call", r#""name":"question","#))
        .await;
    assert_eq!(
        line,
        r#"{"jsonrpc":"2.0","id":1,"result":{"code":-32601,"resultType":"complete"}}"#
    );
}

#[tokio::test]
async fn a_modern_request_is_cancelled_by_notification_and_by_no_other_id() {
    let mut client = Client::start();
    client
        .send(&modern("1", "tools/call", r#""name":"hang","#))
        .await;
    client
        .send(&modern("\"1\"", "tools/call", r#""name":"hang","#))
        .await;
    client
        .send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
        .await;
    // The one is free again, the other is still being served.
    loop {
        let line = client
            .ask(&modern("1", "tools/call", r#""name":"echo","uri":1,"#))
            .await;
        if line.contains("result") {
            break;
        }
        assert_eq!(error_code(&line), -32600);
    }
    let line = client
        .ask(&modern("\"1\"", "tools/call", r#""name":"echo","#))
        .await;
    assert_eq!(error_code(&line), -32600);
}

#[tokio::test]
async fn a_second_handshake_is_refused() {
    let mut client = Client::initialized().await;
    let again = r#"{"jsonrpc":"2.0","id":5,"method":"initialize","params":{}}"#;
    assert_eq!(error_code(&client.ask(again).await), -32600);
}

#[tokio::test]
async fn lists_of_what_a_server_has_not_are_empty() {
    let mut client = Client::initialized().await;
    for (method, member) in [
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
        ("prompts/list", "prompts"),
    ] {
        let ask = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
        assert_eq!(
            client.ask(&ask).await,
            format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"{member}":[]}}}}"#)
        );
    }
}

#[tokio::test]
async fn other_requests_are_passed_on_with_their_bytes() {
    let mut client = Client::initialized().await;
    let read = r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri": "x:\u0041"}}"#;
    assert_eq!(
        client.ask(read).await,
        r#"{"jsonrpc":"2.0","id":1,"result":{"got": "x:\u0041"}}"#
    );
}

#[tokio::test]
async fn subscriptions_and_changes_of_lists_reach_the_legacy_client() {
    let mut client = Client::initialized().await;
    let subscribe =
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"x"}}"#;
    assert_eq!(
        client.ask(subscribe).await,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#
    );
    assert_eq!(
        *client.server.watched.lock().unwrap(),
        BTreeSet::from(["x".to_owned()])
    );
    let updated = Said::ResourceUpdated {
        uri: "x".into(),
        params: raw(r#"{"uri":"x", "n":1.0}"#),
    };
    client.hears(updated);
    assert_eq!(
        client.line().await,
        r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x", "n":1.0}}"#
    );
    client.hears(Said::ListChanged(Kind::Prompts));
    assert_eq!(
        client.line().await,
        r#"{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}"#
    );
    let unsubscribe = subscribe.replace("subscribe", "unsubscribe");
    client.ask(&unsubscribe).await;
    assert!(client.server.watched.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_client_tells_that_its_roots_have_changed() {
    let mut client = Client::initialized().await;
    client
        .send(r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#)
        .await;
    while client.server.told.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*client.server.told.lock().unwrap(), [Told::RootsChanged]);
}

const FILTER: &str = r#""notifications":{"toolsListChanged":true,"resourceSubscriptions":["x"]},"#;

#[tokio::test]
async fn a_modern_client_listens_and_hears_what_it_wanted_to_hear() {
    let mut client = Client::start();
    let listen = modern("\"l\"", "subscriptions/listen", FILTER);
    assert_eq!(
        client.ask(&listen).await,
        r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["x"]},"_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}}"#
    );
    client.hears(Said::ListChanged(Kind::Prompts));
    client.hears(Said::ListChanged(Kind::Tools));
    assert_eq!(
        client.line().await,
        r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}}"#
    );
}

#[tokio::test]
async fn a_modern_client_listens_until_it_cancels_or_its_input_ends() {
    let mut client = Client::start();
    let listen = modern("\"l\"", "subscriptions/listen", FILTER);
    client.ask(&listen).await;
    let list = |id| modern(id, "tools/list", "");
    // Other requests are answered meanwhile.
    assert!(client.ask(&list("2")).await.contains("result"));
    client
        .send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"l"}}"#)
        .await;
    assert!(client.ask(&list("3")).await.contains("result"));
    client.hears(Said::ListChanged(Kind::Tools));
    assert!(client.ask(&list("4")).await.contains(r#""id":4"#));
    client.ask(&listen).await;
    let Client {
        server,
        input,
        mut output,
        task,
    } = client;
    drop(input);
    assert_eq!(output.next_line().await.unwrap(), None);
    task.await.unwrap().unwrap();
    assert!(server.closed.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_question_nobody_will_answer_is_given_up_at_the_end_of_input() {
    let mut client = Client::initialized().await;
    client.send(&call(1, "question")).await;
    client.line().await;
    let Client {
        input,
        mut output,
        task,
        ..
    } = client;
    drop(input);
    let line = output.next_line().await.unwrap().unwrap();
    assert!(line.contains(r#""result":{"code":"#), "{line}");
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn f09_a_client_that_reads_nothing_is_not_read_either_and_loses_no_answer() {
    let mut client = Client::initialized().await;
    let asked = 20_000;
    let (mut input, output) = (client.input, &mut client.output);
    let sending = tokio::spawn(async move {
        for id in 0..asked {
            let ping = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n");
            input.write_all(ping.as_bytes()).await.unwrap();
        }
        input
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    // The pipes are full, and so is what waits to be written: the sender waits too.
    assert!(!sending.is_finished());
    for _ in 0..asked {
        output.next_line().await.unwrap().unwrap();
    }
    sending.await.unwrap();
}

#[tokio::test]
async fn a_client_that_has_gone_is_an_error_and_ends_what_is_under_way() {
    let mut client = Client::initialized().await;
    client.send(&call(1, "hang")).await;
    let Client {
        server,
        mut input,
        output,
        task,
    } = client;
    drop(output);
    input
        .write_all(b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n")
        .await
        .unwrap();
    assert!(task.await.unwrap().is_err());
    assert!(server.closed.load(Ordering::SeqCst));
}
