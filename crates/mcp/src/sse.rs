//! Server-sent events, both ways.

use bytes::{Bytes, BytesMut};

use crate::lines;

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The `event` field; empty where there was none, which means `message`.
    pub name: Bytes,
    /// The `data` lines, joined by line feeds. Empty data is an event too: servers use it to
    /// announce an id.
    pub data: Bytes,
    /// The `id` field of this event; absent ones are not inherited.
    pub id: Option<Bytes>,
}

impl Event {
    /// Whether the event carries a message, by its name.
    #[must_use]
    pub fn is_message(&self) -> bool {
        self.name.is_empty() || self.name == "message"
    }
}

/// Why a stream is read no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// One event passed the cap.
    #[error("one event is larger than {limit} bytes")]
    TooLarge {
        /// The cap.
        limit: usize,
    },
}

/// Turns bytes, however they are cut, into events.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    line: BytesMut,
    data: BytesMut,
    pending: Event,
    has_data: bool,
    place: Place,
    retry: Option<u64>,
    last_id: Option<Bytes>,
}

/// Where in the stream the next byte stands, as far as line ends go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the first line, where a byte order mark may stand.
    Start,
    /// Anywhere else.
    Inside,
    /// Behind a carriage return; a line feed here belongs to it.
    AfterReturn,
}

impl Decoder {
    /// A decoder that refuses events of more than `limit` bytes, field names included.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: BytesMut::new(),
            data: BytesMut::new(),
            pending: Event::default(),
            has_data: false,
            place: Place::Start,
            retry: None,
            last_id: None,
        }
    }

    /// The milliseconds that the server last asked to wait before reconnecting.
    #[must_use]
    pub fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// The id that the server last named, in an event with data or without: where a stream that
    /// breaks off here goes on. The empty id stands for none.
    #[must_use]
    pub fn last_id(&self) -> Option<&Bytes> {
        self.last_id.as_ref().filter(|id| !id.is_empty())
    }

    /// Changes the limit of an event, from the next byte on.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Takes the next bytes and appends the events that they complete.
    ///
    /// # Errors
    /// [`SseError::TooLarge`]; the events completed before are in `events` even so.
    pub fn push(&mut self, mut bytes: &[u8], events: &mut Vec<Event>) -> Result<(), SseError> {
        while let Some(&first) = bytes.first() {
            if self.place == Place::AfterReturn {
                self.place = Place::Inside;
                if first == b'\n' {
                    bytes = bytes.get(1..).unwrap_or_default();
                    continue;
                }
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            let held = self.line.len().saturating_add(self.data.len());
            if held.saturating_add(part.len()) > self.limit {
                return Err(SseError::TooLarge { limit: self.limit });
            }
            self.line.extend_from_slice(part);
            let Some((&terminator, rest)) = rest.split_first() else {
                return Ok(());
            };
            self.end_line(events);
            if terminator == b'\r' {
                self.place = Place::AfterReturn;
            }
            bytes = rest;
        }
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<Event>) {
        let mut line = self.line.split().freeze();
        if self.place == Place::Start {
            self.place = Place::Inside;
            if line.starts_with(b"\xef\xbb\xbf") {
                line = line.slice(3..);
            }
        }
        if line.is_empty() {
            self.end_event(events);
            return;
        }
        let colon = line
            .iter()
            .position(|&byte| byte == b':')
            .unwrap_or(line.len());
        let name = line.slice(..colon);
        let value = line.get(colon..).unwrap_or_default();
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = line.slice_ref(value.strip_prefix(b" ").unwrap_or(value));
        match name.as_ref() {
            b"data" => {
                if self.has_data {
                    self.data.extend_from_slice(b"\n");
                }
                self.has_data = true;
                if self.data.is_empty() {
                    // The usual event is one long line: keep its allocation.
                    self.data = BytesMut::from(value);
                } else {
                    self.data.extend_from_slice(&value);
                }
            }
            b"event" => self.pending.name = value,
            b"id" if !value.contains(&0) => self.pending.id = Some(value),
            b"retry" => self.retry = digits(&value).or(self.retry),
            // A comment, or a field that nobody defined.
            _ => {}
        }
    }

    fn end_event(&mut self, events: &mut Vec<Event>) {
        let data = self.data.split().freeze();
        let event = std::mem::take(&mut self.pending);
        if event.id.is_some() {
            self.last_id.clone_from(&event.id);
        }
        if std::mem::take(&mut self.has_data) {
            events.push(Event { data, ..event });
        }
    }
}

/// Writes one event. Line ends inside `data` become separate `data` lines, so that no text can
/// end the event or begin another; in `name` and `id` they are left out.
#[must_use]
pub fn encode(name: &str, id: Option<&str>, data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(data.len().saturating_add(64));
    if !name.is_empty() {
        field(&mut out, b"event: ", name);
    }
    if let Some(id) = id {
        field(&mut out, b"id: ", id);
    }
    let mut rest = data;
    loop {
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let (line, tail) = rest.split_at(end.unwrap_or(rest.len()));
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.extend_from_slice(b"\n");
        rest = match tail {
            [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
            [] => break,
        };
    }
    out.extend_from_slice(b"\n");
    out.freeze()
}

/// A message as an event, in parts to be sent one after the other: `json` itself is one of them
/// where copying it would cost. It is JSON, so a line end in it can only stand between tokens,
/// where a space means the same: there is one `data` line, and no token changes.
#[must_use]
pub fn message(id: Option<&str>, json: &Bytes) -> [Bytes; 3] {
    let whole = json.len() < COPIED;
    let mut head = BytesMut::with_capacity(if whole {
        json.len().saturating_add(64)
    } else {
        64
    });
    head.extend_from_slice(b"event: message\n");
    if let Some(id) = id {
        field(&mut head, b"id: ", id);
    }
    head.extend_from_slice(b"data: ");
    let flat = !json.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
    if whole {
        let start = head.len();
        head.extend_from_slice(json);
        if !flat {
            lines::flatten(head.get_mut(start..).unwrap_or_default());
        }
        head.extend_from_slice(END);
        return [head.freeze(), Bytes::new(), Bytes::new()];
    }
    let body = if flat {
        json.clone()
    } else {
        let mut body = BytesMut::from(&json[..]);
        lines::flatten(&mut body);
        body.freeze()
    };
    [head.freeze(), body, Bytes::from_static(END)]
}

/// The first event of a stream that can be resumed: an id, no data, and how long to wait before
/// coming back.
#[must_use]
pub fn priming(id: &str, retry_ms: u64) -> Bytes {
    let mut out = BytesMut::with_capacity(64);
    field(&mut out, b"id: ", id);
    field(&mut out, b"retry: ", &retry_ms.to_string());
    out.extend_from_slice(b"data: \n\n");
    out.freeze()
}

/// A comment that keeps an idle stream open.
#[must_use]
pub fn keep_alive() -> Bytes {
    Bytes::from_static(b": keep-alive\n\n")
}

fn field(out: &mut BytesMut, name: &[u8], value: &str) {
    out.extend_from_slice(name);
    let safe = value
        .bytes()
        .filter(|byte| !matches!(byte, b'\n' | b'\r' | 0));
    out.extend(safe);
    out.extend_from_slice(b"\n");
}

fn digits(value: &[u8]) -> Option<u64> {
    let all = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    all.then(|| std::str::from_utf8(value).ok()?.parse().ok())
        .flatten()
}

const END: &[u8] = b"\n\n";
/// Longer messages are sent from where they lie.
const COPIED: usize = 32 << 10;

#[cfg(test)]
mod tests;
