//! One request to the demo's own gateway on loopback.

use std::{io, net::SocketAddr, time::Duration};

use cmcp_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Sends one request and reads its answer to the end of the connection: HTTP/1.0 asks for neither
/// chunks nor a length.
pub(crate) async fn request(
    addr: SocketAddr,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> io::Result<Answer> {
    let body = body.map(Value::to_vec).unwrap_or_default();
    let length = body.len();
    let mut head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {addr}\r\nAccept: application/json, text/event-stream\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n"
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let exchange = async {
        let mut stream = TcpStream::connect(addr).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&body).await?;
        let mut bytes = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut bytes).await?;
        Ok::<_, io::Error>(bytes)
    };
    let bytes = tokio::time::timeout(PATIENCE, exchange)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    answer(&bytes).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

fn answer(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = bytes.split_at_checked(end.checked_add(4)?)?;
    let line = std::str::from_utf8(head).ok()?.lines().next()?;
    let status = line.split(' ').nth(1)?.parse().ok()?;
    Some(Answer {
        status,
        body: body.to_vec(),
    })
}

const MAX_ANSWER: u64 = 16 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::answer;

    #[test]
    fn status_and_body_are_taken_apart() {
        let read = answer(b"HTTP/1.0 403 Forbidden\r\na: b\r\n\r\n{}\r\n\r\n").unwrap();
        assert_eq!(
            (read.status, read.body.as_slice()),
            (403, b"{}\r\n\r\n".as_slice())
        );
        assert!(answer(b"HTTP/1.0 200 OK\r\n").is_none());
    }
}
