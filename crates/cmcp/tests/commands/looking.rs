//! Servers that list some things and fail at others.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use crate::support::{line, run};

/// A server of the newest revision, which lists its tools, gives no resources, says no end to its
/// prompts, and has no templates.
fn odd_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || answer(stream));
        }
    });
    url
}

fn answer(stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let header = header.trim().to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if header.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    let member = |name: &str| {
        let rest = body.split(&format!("\"{name}\":")).nth(1).unwrap();
        rest.split([',', '}']).next().unwrap().to_owned()
    };
    let page = PAGES.fetch_add(1, Ordering::SeqCst);
    let endless = format!(
        r#""result":{{"resultType":"complete","ttlMs":0,"cacheScope":"private","prompts":[{{"name":"greet"}}],"nextCursor":"{page}"}}"#
    );
    let outcome = match member("method").as_str() {
        r#""server/discover""# => {
            r#""result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"resources":{},"prompts":{}},"ttlMs":0,"cacheScope":"private"}"#
        }
        r#""tools/list""# => {
            r#""result":{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[{"name":"look","description":"Looks.","inputSchema":{"type":"object"}}]}"#
        }
        r#""prompts/list""# => &endless,
        r#""resources/list""# => r#""error":{"code":-32603,"message":"the disk is on fire"}"#,
        _ => r#""error":{"code":-32601,"message":"Method not found"}"#,
    };
    let reply = format!(r#"{{"jsonrpc":"2.0","id":{},{outcome}}}"#, member("id"));
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{reply}",
        reply.len()
    )
    .unwrap();
}

static PAGES: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_list_that_does_not_come_spoils_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = format!("odd={}", odd_server());
    let ran = run(folder.path(), &["init", "--server", &server], &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(
        ran.err.contains("left out: resources of `odd`: ")
            && ran.err.contains("the disk is on fire"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("left out: prompts of `odd`: its list of prompts does not end; nothing of it can be approved"),
        "{}",
        ran.err
    );
    let shown = line(folder.path(), "--format json catalog show");
    assert!(
        shown.out.contains(r#""tools":[{"tool":"look","#)
            && shown
                .out
                .contains(r#""resources":[],"resource_templates":[],"prompts":[]"#),
        "{}",
        shown.out
    );
    // What nobody approved is not compared with a list that does not come.
    let compared = line(folder.path(), "catalog diff");
    assert_eq!(compared.code, 0, "{}{}", compared.out, compared.err);
}
