//! What a server asks of its client, on a pipe that says of nothing which request it belongs to.

use std::time::Duration;

use bytes::Bytes;
use cmcp_json::Value;
use cmcp_mcp::{
    Server,
    client::StdioClient,
    method::ClientMethod,
    upstream::{Answer, Ask, Event, Request},
};
use tokio::sync::mpsc;

use super::support::{
    ask, beside, call, client, heard, listening, result, say, say_slowly, talker, talker_with,
    until,
};

const ROOTS: &str = r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#;
const SAMPLE: &str = r#"{"jsonrpc":"2.0","id":7.0,"method":"sampling/createMessage","params":{"maxTokens":1e2,"messages":[]}}"#;
const ALL: &str = r#"{"roots":{},"sampling":{},"elicitation":{}}"#;

fn code(answer: &Value) -> Option<i64> {
    answer.get("error")?.get("code")?.as_i64()
}

async fn question(said: &mut mpsc::Receiver<Event>) -> Request {
    match said.recv().await {
        Some(Event::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// The responses that the talker has got.
async fn responses(client: &StdioClient) -> Vec<String> {
    let mut all = heard(client).await;
    all.retain(|message| message.get("method").is_none());
    all.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn e12_with_one_request_in_flight_a_question_is_that_request_s() {
    let client = talker_with("legacy", ALL);
    let (asking, mut said) = listening(say(&[SAMPLE], "park"));
    let (answered, ()) = tokio::join!(result(&client, asking), async {
        let Request {
            method,
            params,
            answer,
        } = question(&mut said).await;
        assert_eq!(method, ClientMethod::Sample);
        assert_eq!(
            params.as_deref(),
            Some(br#"{"maxTokens":1e2,"messages":[]}"#.as_slice())
        );
        let result = Bytes::from_static(br#"{"role":"assistant","n":1.50}"#);
        answer.send(Answer::Result(result)).unwrap();
    });
    assert_eq!(
        answered.to_string(),
        r#"{"jsonrpc":"2.0","id":7.0,"result":{"role":"assistant","n":1.50}}"#
    );
    assert_eq!(client.observed().refused, 0);
    client.close().await;
}

#[tokio::test]
async fn e12_with_two_requests_in_flight_a_question_is_refused_and_neither_sees_it() {
    let client = talker_with("legacy", ALL);
    let (other, mut of_other) = listening(say(&[], "hang"));
    let (asking, mut said) = listening(say(&[ROOTS], "park"));
    let answered = beside(&client, other, result(&client, asking)).await;
    assert_eq!(code(&answered), Some(-32603), "{answered}");
    assert!(said.recv().await.is_none() && of_other.recv().await.is_none());
    assert_eq!(client.observed().refused, 1);
    client.close().await;
}

#[tokio::test]
async fn e12_with_no_request_in_flight_that_listens_a_question_is_refused() {
    let client = talker_with("legacy", ALL);
    let answered = result(&client, say(&[ROOTS], "park")).await;
    assert_eq!(code(&answered), Some(-32603));
    client.close().await;
}

#[tokio::test]
async fn e12_what_was_not_declared_is_refused_before_anybody_sees_it() {
    let client = talker_with("legacy", r#"{"roots":{}}"#);
    let elicit = |mode: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{{"mode":"{mode}","message":"?"}}}}"#
        )
    };
    let other = r#"{"jsonrpc":"2.0","id":1,"method":"tasks/list"}"#;
    for asked in [SAMPLE, &elicit("form"), &elicit("url"), other] {
        let (asking, mut said) = listening(say(&[asked], "park"));
        let answered = result(&client, asking).await;
        assert_eq!(code(&answered), Some(-32601), "{asked}");
        assert!(said.recv().await.is_none());
    }
    assert_eq!(client.observed().refused, 4);
    client.close().await;
    // `{}` declares forms and nothing else.
    let client = talker_with("legacy", ALL);
    let (asking, mut said) = listening(say(&[&elicit("url")], "park"));
    let answered = result(&client, asking).await;
    assert_eq!(code(&answered), Some(-32602));
    assert!(said.recv().await.is_none());
    client.close().await;
}

#[tokio::test]
async fn e12_a_modern_server_can_ask_nothing_on_the_pipe() {
    let client = talker_with("modern", ALL);
    let (asking, mut said) = listening(say(&[ROOTS], "park"));
    let answered = result(&client, asking).await;
    assert_eq!(code(&answered), Some(-32601));
    assert!(said.recv().await.is_none());
    client.close().await;
}

#[tokio::test]
async fn what_is_declared_is_what_the_server_is_told() {
    for (era, method, place) in [
        ("legacy", "initialize", ["params", "capabilities"]),
        (
            "modern",
            "server/discover",
            ["_meta", "io.modelcontextprotocol/clientCapabilities"],
        ),
    ] {
        let client = talker_with(era, ALL);
        let heard = super::support::heard_of(&client, method).await;
        let at = |value: &Value, name: &str| value.get(name).cloned().unwrap();
        let last = heard.last().unwrap();
        let declared = match era {
            "legacy" => at(&at(last, place[0]), place[1]),
            _ => at(&at(&at(last, "params"), place[0]), place[1]),
        };
        assert_eq!(declared.to_string(), ALL);
        client.close().await;
    }
}

#[tokio::test]
async fn nobody_s_answer_is_an_error_of_ours() {
    let client = talker_with("legacy", ALL);
    let (asking, mut said) = listening(say(&[ROOTS], "park"));
    let (answered, ()) = tokio::join!(result(&client, asking), async {
        drop(question(&mut said).await);
    });
    assert_eq!(code(&answered), Some(-32603));
    let (asking, mut said) = listening(say(&[ROOTS], "park"));
    let (answered, ()) = tokio::join!(result(&client, asking), async {
        let (code, message) = (-1, "no".to_owned());
        let answer = question(&mut said).await.answer;
        answer.send(Answer::Error { code, message }).unwrap();
    });
    assert_eq!(
        answered.to_string(),
        r#"{"jsonrpc":"2.0","id":"q","error":{"code":-1,"message":"no"}}"#
    );
    client.close().await;
}

#[tokio::test]
async fn a_question_that_the_server_withdraws_is_answered_by_nobody() {
    let client = talker_with("legacy", ALL);
    let withdraw =
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q"}}"#;
    let (asking, mut said) = listening(say_slowly(&[ROOTS, withdraw], "answer", 50));
    let (_, ()) = tokio::join!(result(&client, asking), async {
        let mut answer = question(&mut said).await.answer;
        answer.closed().await;
    });
    assert_eq!(responses(&client).await, [""; 0]);
    assert_eq!(client.observed().dropped, 0);
    client.close().await;
}

#[tokio::test]
async fn e10_a_second_question_under_an_id_that_waits_is_refused() {
    let client = talker_with("legacy", ALL);
    let (asking, mut said) = listening(say(&[ROOTS, ROOTS], "park"));
    let (answered, ()) = tokio::join!(result(&client, asking), async {
        let first = question(&mut said).await;
        until("the refusal", || client.observed().refused == 1).await;
        drop(first);
    });
    assert_eq!(code(&answered), Some(-32603));
    client.close().await;
}

#[tokio::test]
async fn the_deadline_stands_still_while_the_server_waits_for_us() {
    let client = talker_with("legacy", ALL);
    ask(&client, call("params")).await.unwrap();
    let (asking, mut said) = listening(Ask {
        deadline: Duration::from_millis(500),
        ..say(&[ROOTS], "park")
    });
    let (answered, ()) = tokio::join!(result(&client, asking), async {
        let request = question(&mut said).await;
        tokio::time::sleep(Duration::from_millis(900)).await;
        let roots = Bytes::from_static(br#"{"roots":[]}"#);
        request.answer.send(Answer::Result(roots)).unwrap();
    });
    assert_eq!(code(&answered), None);
    client.close().await;
}

#[tokio::test]
async fn a_cancelled_request_leaves_no_question_open() {
    let client = talker_with("legacy", ALL);
    let (asking, mut said) = listening(say(&[ROOTS], "hang"));
    let request = {
        let asked = client.ask(asking);
        tokio::pin!(asked);
        tokio::select! {
            reply = &mut asked => panic!("{reply:?}"),
            request = question(&mut said) => request,
        }
    };
    assert!(request.answer.is_closed());
    let responses = responses(&client).await;
    assert_eq!(responses.len(), 1, "{responses:?}");
    assert!(responses[0].contains(r#""id":"q","error":{"code":-32603"#));
    client.close().await;
}

#[tokio::test]
async fn ping_is_answered_whoever_waits() {
    let client = client(talker("legacy"));
    let ping = r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#;
    let answered = result(&client, say(&[ping], "park")).await;
    assert_eq!(
        answered.to_string(),
        r#"{"jsonrpc":"2.0","id":"p","result":{}}"#
    );
    client.close().await;
}
