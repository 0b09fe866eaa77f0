//! Questions to the client.

use super::*;

/// The request of ours in an event.
fn question(text: &str) -> (u64, String) {
    let value = value(text.as_bytes());
    let id = value.get("id").and_then(cmcp_json::Value::as_u64).unwrap();
    let method = value.get("method").and_then(|method| method.as_str());
    (id, method.unwrap().to_owned())
}

#[tokio::test]
async fn a_question_goes_out_on_the_request_s_own_stream_and_its_answer_comes_back() {
    let session = session(NEW);
    let (port, feed) = session.open(&id(1)).unwrap();
    let asking = tokio::spawn({
        let port = port.clone();
        async move {
            let params = br#"{"messages":[ ],"maxTokens":1}"#;
            port.ask(ClientMethod::Sample, Some(params)).await
        }
    });
    let mut events = stream(respond(feed).await);
    let text = data(&mut events).await.unwrap();
    assert_eq!(
        text,
        r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"messages":[ ],"maxTokens":1}}"#
    );
    assert!(session.respond(answer(1, r#"{"role": "assistant"}"#)));
    let Ok(Outcome::Result { value: _, bytes }) = asking.await.unwrap() else {
        panic!("an answer")
    };
    assert_eq!(bytes, r#"{"role": "assistant"}"#);
    // A second answer is nobody's.
    assert!(!session.respond(answer(1, "{}")));
    port.finish(last("{}"));
    assert_eq!(data(&mut events).await.unwrap(), "{}");
}

#[tokio::test]
async fn e10_answers_find_their_own_questions_and_never_those_of_another_session() {
    let (mine, other) = (session(NEW), session(NEW));
    let (first, feed) = mine.open(&id(1)).unwrap();
    let (second, second_feed) = mine.open(&id(2)).unwrap();
    let ask = |port: &Port| {
        let port = port.clone();
        tokio::spawn(async move { port.ask(ClientMethod::ListRoots, None).await })
    };
    let (asking, asking_too) = (ask(&first), ask(&second));
    let mut events = stream(respond(feed).await);
    let mut second_events = stream(respond(second_feed).await);
    let (one, _) = question(&data(&mut events).await.unwrap());
    let (two, _) = question(&data(&mut second_events).await.unwrap());
    assert_ne!(one, two);
    assert!(!other.respond(answer(one, "{}")));
    assert!(mine.respond(answer(two, "2")));
    assert!(mine.respond(answer(one, "1")));
    for (asking, expected) in [(asking, "1"), (asking_too, "2")] {
        match asking.await.unwrap() {
            Ok(Outcome::Result { bytes, .. }) => assert_eq!(bytes, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn answers_that_were_not_asked_for_are_nobody_s() {
    let session = session(NEW);
    for id in [Some(Id::from(1)), Some(Id::String("1".into())), None] {
        let response = jsonrpc::Response {
            id,
            ..answer(1, "{}")
        };
        assert!(!session.respond(response));
    }
}

#[tokio::test]
async fn stateless_clients_old_clients_and_those_that_cannot_are_never_asked() {
    let id1 = SessionId::from_random(&[1; 32]);
    let capabilities = r#"{"roots":{"listChanged":true},"sampling":null}"#;
    let unable = Session::http(id1, handshake(NEW, capabilities), &Shared::default());
    for (port, feed) in [
        Port::plain(&id(1)),
        Port::modern(&id(1)),
        unable.open(&id(1)).unwrap(),
    ] {
        for method in [ClientMethod::Sample, ClientMethod::Elicit] {
            let asked = port.ask(method, None).await;
            assert_eq!(asked.unwrap_err(), AskError::Unable);
        }
        port.finish(last("{}"));
        assert_eq!(whole(respond(feed).await).await, "{}");
    }
    assert!(unable.can(ClientMethod::ListRoots));
}

#[tokio::test]
async fn a_question_given_up_is_withdrawn_and_the_client_told() {
    let session = session(NEW);
    let (port, feed) = session.open(&id(1)).unwrap();
    let asked = tokio::time::timeout(NOW, port.ask(ClientMethod::Elicit, None));
    assert!(asked.await.is_err());
    let mut events = stream(respond(feed).await);
    let (asked, _) = question(&data(&mut events).await.unwrap());
    assert_eq!(
        data(&mut events).await.unwrap(),
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{asked}}}}}"#
        )
    );
    assert!(!session.respond(answer(asked, "{}")));
}

#[tokio::test]
async fn a_question_ends_when_its_request_is_cancelled_or_the_session_ends() {
    let session = session(NEW);
    let (port, _feed) = session.open(&id(1)).unwrap();
    let ask = |port: &Port| {
        let port = port.clone();
        tokio::spawn(async move { port.ask(ClientMethod::Elicit, None).await })
    };
    let asking = ask(&port);
    tokio::task::yield_now().await;
    assert!(session.cancel(&id(1)));
    assert_eq!(asking.await.unwrap().unwrap_err(), AskError::Gone);
    let (port, _feed) = session.open(&id(2)).unwrap();
    let asking = ask(&port);
    tokio::task::yield_now().await;
    session.end();
    assert_eq!(asking.await.unwrap().unwrap_err(), AskError::Gone);
    let asked = port.ask(ClientMethod::Elicit, None).await;
    assert_eq!(asked.unwrap_err(), AskError::Gone);
}

#[tokio::test]
async fn so_many_questions_wait_at_once_and_no_more() {
    let session = session(NEW);
    let (port, _feed) = session.open(&id(1)).unwrap();
    let most = Bounds::default().asked;
    let asking: Vec<_> = (0..most)
        .map(|_| {
            let port = port.clone();
            tokio::spawn(async move { port.ask(ClientMethod::Elicit, None).await })
        })
        .collect();
    for _ in 0..=most {
        tokio::task::yield_now().await;
    }
    let asked = tokio::time::timeout(10 * NOW, port.ask(ClientMethod::Elicit, None)).await;
    assert_eq!(asked.unwrap().unwrap_err(), AskError::TooMany { most });
    for asking in asking {
        asking.abort();
    }
}

#[tokio::test]
async fn e18_progress_reaches_the_question_of_the_same_session_and_token_alone() {
    let (mine, other) = (session(NEW), session(NEW));
    let mut heard = Vec::new();
    let mut keep = Vec::new();
    for (session, token) in [(&mine, "1"), (&mine, "\"1\""), (&other, "1")] {
        let request = Id::String(format!("{token}{}", keep.len()));
        let (port, feed) = session.open(&request).unwrap();
        let (progress, receiver) = mpsc::channel(1);
        let watched = Watched {
            token: Id::from_value(&value(token.as_bytes())).unwrap(),
            progress,
        };
        keep.push((
            feed,
            tokio::spawn(async move {
                port.ask_watched(ClientMethod::Sample, None, Some(watched))
                    .await
            }),
        ));
        heard.push(receiver);
    }
    tokio::task::yield_now().await;
    let said = params(r#"{"progressToken":1,"progress": 0.5}"#);
    assert_eq!(mine.hear(ClientNote::Progress, &said), Heard::Done);
    assert_eq!(
        heard[0].recv().await.unwrap(),
        r#"{"progressToken":1,"progress": 0.5}"#
    );
    assert!(heard[1].try_recv().is_err() && heard[2].try_recv().is_err());
    let unknown = params(r#"{"progressToken":1.0,"progress":1}"#);
    assert_eq!(mine.hear(ClientNote::Progress, &unknown), Heard::Dropped);
}
