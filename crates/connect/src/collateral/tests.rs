use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use cmcp_mcp::fetch::{FetchFault, Listed};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// Answers each connection with the next of these, and says where it listens.
async fn site(answers: &[&str]) -> (Url, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a?b=c", listener.local_addr().unwrap());
    let mut answers: VecDeque<String> = answers.iter().map(ToString::to_string).collect();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Some(answer) = answers.pop_front() {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let line = String::from_utf8_lossy(&request[..length]);
            let line = line.lines().next().unwrap().to_owned();
            log.lock().unwrap().push(line);
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (url.parse().unwrap(), seen)
}

fn services(url: &Url) -> Services {
    let patience = Patience {
        tries: 3,
        wait: Duration::from_millis(1),
        longest: Duration::from_millis(2),
    };
    Services::new(Fetcher::new(Listed::default().and(url)).unwrap(), patience)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_document_comes_byte_for_byte_and_its_chain_decoded() {
    let headers = "X-Chain: -----BEGIN%20A-----%0AAB%2BC+D%3D%3D%0A\r\nContent-Type: application/pkix-crl\r\n";
    let (url, seen) = site(&[&answer("200 OK", headers, "\u{30}\u{1} body")]).await;
    let got = services(&url).get(&url, Some("x-chain")).await.unwrap();
    assert_eq!(got.bytes, b"0\x01 body");
    assert_eq!(got.chain.as_deref(), Some("-----BEGIN A-----\nAB+C+D==\n"));
    assert_eq!(*seen.lock().unwrap(), ["GET /a?b=c HTTP/1.1"]);
}

#[tokio::test]
async fn a_chain_that_is_missing_or_twice_or_ill_encoded_is_refused() {
    for headers in [
        "",
        "X-Chain: a\r\nX-Chain: a\r\n",
        "X-Chain: %4\r\n",
        "X-Chain: %ff\r\n",
    ] {
        let (url, _) = site(&[&answer("200 OK", headers, "x")]).await;
        let error = services(&url).get(&url, Some("x-chain")).await;
        let expected = CollateralError::Chain {
            place: url.place(),
            header: "x-chain",
        };
        assert_eq!(error, Err(expected), "{headers:?}");
    }
}

#[tokio::test]
async fn a_service_that_is_asked_too_often_is_asked_again_and_not_for_ever() {
    let busy = answer("429 Too Many Requests", "Retry-After: 3600\r\n", "");
    let (url, seen) = site(&[&busy, &busy, &answer("200 OK", "", "x")]).await;
    assert_eq!(services(&url).get(&url, None).await.unwrap().bytes, b"x");
    assert_eq!(seen.lock().unwrap().len(), 3);
    let down = answer("503 Service Unavailable", "", "");
    let (url, seen) = site(&[&busy, &busy, &down, &down]).await;
    let error = services(&url).get(&url, None).await.unwrap_err();
    let place = url.place();
    assert_eq!(error, CollateralError::Throttled { place, status: 503 });
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn other_answers_are_named() {
    let (url, _) = site(&[&answer("404 Not Found", "", "no")]).await;
    let place = url.place();
    let got = services(&url).get(&url, None).await;
    assert_eq!(
        got,
        Err(CollateralError::Unknown {
            place: place.clone()
        })
    );
    let (url, _) = site(&[&answer("500 Oops", "", "no")]).await;
    let place = url.place();
    let got = services(&url).get(&url, None).await;
    assert_eq!(got, Err(CollateralError::Status { place, status: 500 }));
    for (answer, fault) in [
        (
            answer("302 Found", "Location: /\r\n", ""),
            FetchFault::Redirect(302),
        ),
        (
            answer("200 OK", "Content-Encoding: gzip\r\n", "x"),
            FetchFault::Compressed,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\nx".to_owned(),
            FetchFault::Lost,
        ),
    ] {
        let (url, _) = site(&[&answer]).await;
        match services(&url).get(&url, None).await {
            Err(CollateralError::Fetch(error)) => assert_eq!(error.cause, fault),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_document_without_end_is_given_up() {
    let body = "x".repeat((4 << 20) + 1);
    let (url, _) = site(&[&answer("200 OK", "", &body)]).await;
    match services(&url).get(&url, None).await {
        Err(CollateralError::Fetch(error)) => {
            assert_eq!(error.cause, FetchFault::TooLarge(4 << 20));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn f18_a_service_at_a_private_address_is_not_reached_unless_named() {
    let (url, seen) = site(&[&answer("200 OK", "", "x")]).await;
    let fetcher = Fetcher::new(Listed::default()).unwrap();
    let services = Services::new(fetcher, Patience::USUAL);
    let error = services.get(&url, None).await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    assert!(seen.lock().unwrap().is_empty());
}
