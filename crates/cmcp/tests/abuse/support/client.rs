//! HTTP as a caller writes it: every byte is the test's.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use cmcp_json::{Limits, Value, parse};

use super::PATIENCE;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        parse(&self.body, &Limits::RESPONSE)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The `result` member.
    pub(crate) fn result(&self) -> Value {
        let body = self.json();
        let result = body.get("result").cloned();
        result.unwrap_or_else(|| panic!("no result: {} {body}", self.status))
    }

    /// HTTP status, JSON-RPC code and `error.data.error_code`.
    pub(crate) fn refusal(&self) -> (u16, i64, String) {
        let body = self.json();
        let error = body
            .get("error")
            .unwrap_or_else(|| panic!("no error: {body}"));
        let code = error.get("code").and_then(Value::as_i64).unwrap();
        let data = error.get("data").and_then(|data| data.get("error_code"));
        let word = data.and_then(Value::as_str).unwrap_or_default();
        (self.status, code, word.to_owned())
    }
}

/// A connection to the gateway.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    pub(crate) fn request(
        &mut self,
        line: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<()> {
        let mut head = format!("{line} HTTP/1.1\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !line.starts_with("GET") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.write(head.as_bytes())?;
        // Whoever refuses a body early closes before all of it was taken.
        let _refused = self.write(body);
        Ok(())
    }

    pub(crate) fn read(&mut self) -> io::Result<Answer> {
        let (line, headers) = read_head(&mut self.0)?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or(io::ErrorKind::InvalidData)?;
        let body = read_body(&mut self.0, &headers)?;
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    /// Whether the gateway has closed its side.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.0.fill_buf(), Ok([]) | Err(_))
    }
}

/// A first line and the headers below it.
pub(crate) fn read_head(
    stream: &mut BufReader<TcpStream>,
) -> io::Result<(String, Vec<(String, String)>)> {
    let mut first = String::new();
    if stream.read_line(&mut first)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => return Ok((first.trim_end().to_owned(), headers)),
        }
    }
}

/// A body by its length, in chunks, or up to the end.
pub(crate) fn read_body(
    stream: &mut BufReader<TcpStream>,
    headers: &[(String, String)],
) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if find(headers, "transfer-encoding").is_some() {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim(), 16);
            let size = size.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            let start = body.len();
            body.resize(start + size, 0);
            stream.read_exact(&mut body[start..])?;
            stream.read_line(&mut line)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match find(headers, "content-length").and_then(|length| length.parse().ok()) {
        Some(length) => {
            body.resize(length, 0);
            stream.read_exact(&mut body)?;
        }
        None => {
            stream.read_to_end(&mut body)?;
        }
    }
    Ok(body)
}

pub(crate) fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut values = headers.iter();
    let found = values.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}
