//! What a server says about a request while it serves it.

use std::time::Duration;

use bytes::Bytes;
use cmcp_json::Value;
use cmcp_mcp::{
    Server, UpstreamError,
    upstream::{Ask, Event, Input, LogLevel, Said},
};
use tokio::sync::mpsc;

use super::support::{
    ask, beside, call, call_with, client, heard_of, listening, result, say, say_slowly, talker,
};

const PROGRESS: &str = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":$TOKEN,"progress":1.0}}"#;
const MESSAGE: &str =
    r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":[1e2]}}"#;

fn progress(ask: Ask) -> Ask {
    Ask {
        progress: true,
        ..ask
    }
}

fn text(params: &Bytes) -> &str {
    std::str::from_utf8(params).unwrap()
}

#[tokio::test]
async fn e18_progress_reaches_the_request_it_is_about_and_no_other() {
    for era in ["legacy", "modern"] {
        let client = client(talker(era));
        let (first, mut of_first) = listening(progress(say(&[PROGRESS, PROGRESS], "answer")));
        let (second, mut of_second) = listening(progress(say(&[PROGRESS], "answer")));
        tokio::join!(result(&client, first), result(&client, second));
        let mut tokens = Vec::new();
        for (said, count) in [(&mut of_first, 2), (&mut of_second, 1)] {
            let mut seen = Vec::new();
            while let Some(event) = said.recv().await {
                let Event::Progress(params) = event else {
                    panic!("{event:?}")
                };
                seen.push(params);
            }
            assert_eq!(seen.len(), count);
            assert!(text(&seen[0]).ends_with(r#","progress":1.0}"#), "{seen:?}");
            tokens.push(seen[0].clone());
        }
        assert_ne!(tokens[0], tokens[1], "one token each");
        assert_eq!(client.observed().dropped, 0);
        client.close().await;
    }
}

#[tokio::test]
async fn e18_progress_that_nobody_asked_for_or_with_a_foreign_token_is_dropped() {
    let client = client(talker("legacy"));
    let foreign = PROGRESS.replace("$TOKEN", "\"$TOKEN\"");
    let late = PROGRESS.replace("$TOKEN", "1");
    let (ask, mut said) = listening(progress(say(&[&foreign, &late], "answer")));
    result(&client, ask).await;
    assert!(said.recv().await.is_none());
    let (plain, mut said) = listening(say(&[&PROGRESS.replace("$TOKEN", "$ID")], "answer"));
    result(&client, plain).await;
    assert!(said.recv().await.is_none());
    assert_eq!(client.observed().dropped, 3);
    client.close().await;
}

#[tokio::test]
async fn a_progress_token_is_ours_whatever_the_caller_names() {
    let client = client(talker("legacy"));
    let named = Ask {
        meta: Some(Bytes::from_static(br#"{"progressToken":"mine","x":1e0}"#)),
        ..call("params")
    };
    let plain = result(&client, named.clone()).await;
    assert_eq!(plain.get("_meta").unwrap().to_string(), r#"{"x":1e0}"#);
    let asked = result(&client, progress(named)).await;
    let meta = asked.get("_meta").unwrap();
    assert!(meta.get("progressToken").unwrap().as_u64().is_some());
    client.close().await;
}

#[tokio::test]
async fn progress_puts_the_deadline_off_and_silence_does_not() {
    let client = client(talker("modern"));
    ask(&client, call("params")).await.unwrap();
    let slow = say_slowly(&[PROGRESS; 5], "answer", 200);
    let patient = Ask {
        deadline: Duration::from_millis(700),
        ..slow
    };
    let error = client.ask(patient.clone()).await.unwrap_err();
    let after = Duration::from_millis(700);
    assert_eq!(error, UpstreamError::Timeout { sent: true, after });
    result(&client, progress(patient)).await;
    client.close().await;
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_is_cancelled_in_both_eras() {
    for era in ["legacy", "modern"] {
        let client = client(talker(era));
        ask(&client, call("params")).await.unwrap();
        let hang = Ask {
            deadline: Duration::from_millis(50),
            ..say(&[], "hang")
        };
        client.ask(hang).await.unwrap_err();
        let calls = heard_of(&client, "tools/call").await;
        let cancelled = heard_of(&client, "notifications/cancelled").await;
        assert_eq!(cancelled.len(), 1);
        let named = cancelled[0].get("params").unwrap().get("requestId");
        assert_eq!(named, calls[1].get("id"), "{era}");
        client.close().await;
    }
}

#[tokio::test]
async fn a_log_message_is_the_only_request_s_or_nobody_s() {
    let client = client(talker("legacy"));
    let mut unasked = client.said();
    let (one, mut said) = listening(say(&[MESSAGE], "answer"));
    result(&client, one).await;
    let Some(Event::Message(params)) = said.recv().await else {
        panic!()
    };
    assert_eq!(text(&params), r#"{"level":"info","data":[1e2]}"#);
    assert!(unasked.try_recv().is_err());

    let (other, mut of_other) = listening(say(&[], "hang"));
    let (both, mut of_both) = listening(say(&[MESSAGE], "answer"));
    beside(&client, other, result(&client, both)).await;
    assert!(of_both.recv().await.is_none() && of_other.recv().await.is_none());
    assert_eq!(unasked.recv().await.unwrap(), Said::Message(params));
    client.close().await;
}

#[tokio::test]
async fn a_modern_server_logs_for_the_request_that_named_a_level() {
    let client = client(talker("modern"));
    let mut unasked = client.said();
    let (silent, mut said) = listening(say(&[MESSAGE], "answer"));
    result(&client, silent).await;
    assert!(said.recv().await.is_none());
    assert!(matches!(unasked.recv().await, Ok(Said::Message(_))));
    let (asked, mut said) = listening(Ask {
        log_level: Some(LogLevel::Warning),
        ..say(&[MESSAGE], "answer")
    });
    result(&client, asked).await;
    assert!(matches!(said.recv().await, Some(Event::Message(_))));
    let params = Ask {
        log_level: Some(LogLevel::Warning),
        ..call("params")
    };
    let params = result(&client, params).await;
    let level = params
        .get("_meta")
        .unwrap()
        .get("io.modelcontextprotocol/logLevel");
    assert_eq!(level.and_then(Value::as_str), Some("warning"));
    assert!(heard_of(&client, "logging/setLevel").await.is_empty());
    client.close().await;
}

#[tokio::test]
async fn a_legacy_server_is_told_a_level_when_it_changes() {
    let client = client(talker("legacy"));
    for level in [
        None,
        Some(LogLevel::Info),
        Some(LogLevel::Info),
        None,
        Some(LogLevel::Error),
    ] {
        let params = Ask {
            log_level: level,
            ..call("params")
        };
        let params = result(&client, params).await;
        assert_eq!(params.get("_meta"), None);
    }
    let told = heard_of(&client, "logging/setLevel").await;
    let levels: Vec<_> = told
        .iter()
        .map(|told| told.get("params").unwrap().to_string())
        .collect();
    assert_eq!(levels, [r#"{"level":"info"}"#, r#"{"level":"error"}"#]);
    client.close().await;
}

#[tokio::test]
async fn the_end_of_an_elicitation_by_url_reaches_the_only_request() {
    let client = client(talker("legacy"));
    let complete = r#"{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"e"}}"#;
    let (ask, mut said) = listening(say(&[complete], "answer"));
    result(&client, ask).await;
    assert!(
        matches!(said.recv().await, Some(Event::ElicitationComplete(params)) if text(&params) == r#"{"elicitationId":"e"}"#)
    );
    let mut unasked = client.said();
    result(&client, say(&[complete], "answer")).await;
    assert!(matches!(
        unasked.recv().await,
        Ok(Said::ElicitationComplete(_))
    ));
    client.close().await;
}

#[tokio::test]
async fn a_listener_that_is_behind_holds_up_its_own_request_alone() {
    let client = client(talker("legacy"));
    let flood = vec![PROGRESS; 400];
    let (events, mut said) = mpsc::channel(1);
    let flooded = Ask {
        events: Some(events),
        ..progress(say(&flood, "answer"))
    };
    let flooded = client.ask(flooded);
    tokio::pin!(flooded);
    let others = async {
        for _ in 0..5 {
            ask(&client, call("params")).await.unwrap();
        }
    };
    tokio::select! {
        reply = &mut flooded => panic!("its listener has read nothing: {reply:?}"),
        () = others => {}
    }
    let (reply, count) = tokio::join!(flooded, async {
        let mut count = 0_u64;
        while said.recv().await.is_some() {
            count += 1;
        }
        count
    });
    reply.unwrap();
    assert!(count >= 256, "{count}");
    assert_eq!(count + client.observed().dropped, 400);
    client.close().await;
}

#[tokio::test]
async fn what_a_modern_server_asked_for_goes_back_to_it_byte_for_byte() {
    let input = Some(Input {
        responses: Bytes::from_static(br#"{"k":{"action":"accept","content":{"n":1e2}}}"#),
        state: Some(Bytes::from_static(br#""\u0041""#)),
    });
    let again = Ask {
        input,
        ..call_with("params", "{\"a\":1.0}")
    };
    let modern = client(talker("modern"));
    let params = result(&modern, again.clone()).await.to_string();
    let expected = r#"{"name":"params","arguments":{"a":1.0},"inputResponses":{"k":{"action":"accept","content":{"n":1e2}}},"requestState":"A","_meta":{"#;
    assert!(params.starts_with(expected), "{params}");
    modern.close().await;
    let legacy = client(talker("legacy"));
    assert_eq!(legacy.ask(again).await.unwrap_err(), UpstreamError::Stale);
    legacy.close().await;
}

#[tokio::test]
async fn the_task_member_goes_to_servers_of_its_revision_only() {
    let task = Ask {
        task: Some(Bytes::from_static(br#"{"ttl":6e4}"#)),
        ..call("params")
    };
    let legacy = client(talker("legacy"));
    let params = result(&legacy, task.clone()).await;
    assert_eq!(params.get("task").unwrap().to_string(), r#"{"ttl":6e4}"#);
    legacy.close().await;
    let modern = client(talker("modern"));
    assert_eq!(result(&modern, task).await.get("task"), None);
    modern.close().await;
}

#[tokio::test]
async fn a_call_without_listeners_hears_nothing_and_is_answered() {
    let client = client(talker("legacy"));
    let call = call_with("say", &format!("{{\"lines\":[{}]}}", Value::from(MESSAGE)));
    ask(&client, call).await.unwrap();
    client.close().await;
}
