use std::time::Duration;

use cmcp_mcp::{
    fetch::{FetchFault, Fetcher, Form, Listed, Url},
    upstream::ConnectFault,
};

use super::support::{Site, json, with};

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

fn fetcher(site: &Site) -> Fetcher {
    Fetcher::new(Listed::default().and(&url(&site.url("/")))).unwrap()
}

async fn fault(site: &Site, path: &str) -> FetchFault {
    let place = url(&site.url(path));
    fetcher(site).get(&place).await.unwrap_err().cause
}

#[tokio::test]
async fn a_document_is_fetched_and_a_form_is_posted() {
    let site = Site::start(|seen, _| match seen.verb.as_str() {
        "GET" => with(
            200,
            "Content-Type: application/jwk-set+json; charset=utf-8\r\n",
            "{\"a\":1}",
        ),
        _ => json(400, "{\"error\":\"invalid_grant\"}"),
    })
    .await;
    let place = url(&site.url("/keys?v=1"));
    let fetcher = fetcher(&site);
    let got = fetcher.get(&place).await.unwrap();
    assert_eq!(got.to_string(), "{\"a\":1}");
    let form = Form::new().with("grant_type", "x y");
    let posted = fetcher.post(&place, &form, Some("Basic abc".parse().unwrap()));
    let posted = posted.await.unwrap();
    assert_eq!(posted.status, 400);
    let seen = site.seen();
    assert_eq!(seen[0].path, "/keys?v=1");
    assert_eq!(seen[0].header("authorization"), None);
    assert_eq!(seen[0].header("accept-encoding"), None);
    assert_eq!(seen[1].field("grant_type").as_deref(), Some("x y"));
    assert_eq!(seen[1].header("authorization"), Some("Basic abc"));
    assert_eq!(
        seen[1].header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
}

#[tokio::test]
async fn f17_redirects_are_not_followed_wherever_they_lead() {
    let other = Site::start(|_, _| json(200, "{}")).await;
    let there = other.url("/");
    let site = Site::start(move |seen, addr| {
        let location = match seen.path.as_str() {
            "/file" => "file:///etc/passwd".to_owned(),
            "/other" => there.clone(),
            _ => format!("http://{addr}/other"),
        };
        with(302, &format!("Location: {location}\r\n"), "")
    })
    .await;
    for path in ["/file", "/other", "/same"] {
        assert_eq!(fault(&site, path).await, FetchFault::Redirect(302));
    }
    assert_eq!(site.seen().len(), 3);
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn f18_an_address_that_is_not_listed_is_not_connected_to() {
    let site = Site::start(|_, _| json(200, "{}")).await;
    let port = site.addr.port();
    let closed = Fetcher::new(Listed::default()).unwrap();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let place = url(&format!("http://{host}:{port}/"));
        let error = closed.get(&place).await.unwrap_err();
        assert!(
            matches!(error.cause, FetchFault::Connect(ConnectFault::Address(_))),
            "{host}: {error}"
        );
    }
    // Listed by its name, whatever the port; metadata services are out of reach even so.
    let open = Fetcher::new(Listed::hosts(
        ["localhost", "169.254.169.254", "100.100.100.200"].map(str::to_owned),
    ));
    let open = open.unwrap().within(Duration::from_secs(2));
    let place = url(&format!("http://localhost:{port}/"));
    assert!(open.get(&place).await.is_ok());
    for host in ["169.254.169.254", "100.100.100.200"] {
        let error = open.get(&url(&format!("https://{host}/"))).await;
        let cause = error.unwrap_err().cause;
        assert!(
            matches!(cause, FetchFault::Connect(ConnectFault::Address(_))),
            "{host}: {cause}"
        );
    }
    assert_eq!(site.seen().len(), 1);
}

#[tokio::test]
async fn what_is_no_document_is_refused_by_what_it_is() {
    let site = Site::start(|seen, _| match seen.path.as_str() {
        "/html" => with(200, "Content-Type: text/html\r\n", "<p>"),
        "/none" => with(200, "", "{}"),
        "/gzip" => with(
            200,
            "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
            "x",
        ),
        "/twice" => json(200, "{\"a\":1,\"a\":2}"),
        "/broken" => json(200, "{"),
        "/missing" => json(404, "{}"),
        "/page" => with(500, "Content-Type: text/html\r\n", "<p>"),
        "/empty" => Vec::new(),
        "/short" => {
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
                .to_vec()
        }
        "/large" => json(200, &format!("\"{}\"", "a".repeat(600 << 10))),
        _ => b"nonsense\r\n\r\n".to_vec(),
    })
    .await;
    for (path, expected) in [
        ("/html", FetchFault::ContentType),
        ("/none", FetchFault::ContentType),
        ("/gzip", FetchFault::Compressed),
        ("/twice", FetchFault::NotJson),
        ("/broken", FetchFault::NotJson),
        ("/missing", FetchFault::Status(404)),
        ("/page", FetchFault::Status(500)),
        ("/empty", FetchFault::Lost),
        ("/short", FetchFault::Lost),
        ("/large", FetchFault::TooLarge(512 << 10)),
        ("/other", FetchFault::Lost),
    ] {
        assert_eq!(fault(&site, path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn a_place_that_does_not_answer_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = url(&format!(
        "http://{}/keys?secret=1",
        silent.local_addr().unwrap()
    ));
    let within = Duration::from_millis(200);
    let fetcher = Fetcher::new(Listed::default().and(&place))
        .unwrap()
        .within(within);
    let error = fetcher.get(&place).await.unwrap_err();
    assert_eq!(error.cause, FetchFault::Timeout(within));
    assert!(!error.to_string().contains("secret"), "{error}");
}
