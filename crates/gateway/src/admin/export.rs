//! `/audit/export`: a session's log as a stream, in the older form or in ours.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Query, State},
    response::Response,
};
use bytes::Bytes;
use cmcp_json::{Object, Value};
use cmcp_record::export::{CompatExport, SignedCheckpoint, WriteError, Writer};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use tokio::{
    runtime::Handle,
    sync::{
        Semaphore, SemaphorePermit,
        mpsc::{self, error::SendTimeoutError},
    },
};

use super::{Asker, find_log, read};
use crate::{
    edge,
    startup::Gateway,
    store::{LogRow, StoreError, StoredSeal},
};

/// What to export.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    session_id: Option<String>,
    #[serde(default)]
    format: Format,
}

/// In which form.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// Ours.
    Cmcp,
    /// 0.7.1's.
    #[default]
    Compat,
}

/// Streams a log with its signature at the end.
pub(crate) async fn export(
    State(gateway): State<Arc<Gateway>>,
    asker: Asker,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let (id, format) = match wanted {
        Ok(Query(Wanted {
            session_id: Some(id),
            format,
        })) if !id.is_empty() => (id, format),
        Ok(_) => {
            return refuse(
                StatusCode::BAD_REQUEST,
                "query parameter 'session_id' is required",
            );
        }
        Err(_) => {
            return refuse(
                StatusCode::BAD_REQUEST,
                "query parameters are 'session_id' and 'format' (compat or cmcp)",
            );
        }
    };
    let log = match find_log(&gateway, &asker, id.clone()).await {
        Ok(Some(log)) => log,
        Ok(None) => {
            return refuse(StatusCode::NOT_FOUND, &format!("session_id={id} not found"));
        }
        Err(response) => return response,
    };
    let key = log.key;
    let seal = match read(&gateway, move |gateway| gateway.reader.seal(key)).await {
        Ok(seal) => seal,
        Err(response) => return response,
    };
    let Ok(place) = PLACES.try_acquire() else {
        let text = "too many logs are being exported; try again in a while";
        return refuse(StatusCode::SERVICE_UNAVAILABLE, text);
    };
    // The first piece is waited for: a log that does not read back at all is an error, not an
    // empty success. Later failures break the stream off without its signature.
    let (pipe, mut pieces) = mpsc::channel(PIECES);
    let job = Job {
        gateway,
        log,
        seal,
        format,
        _place: place,
    };
    tokio::task::spawn_blocking(move || job.run(Pipe::new(pipe, PATIENCE)));
    match pieces.recv().await {
        Some(Piece::Bytes(first)) => stream(first, pieces),
        Some(Piece::End) | None => refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the stored log is broken",
        ),
    }
}

struct Job {
    gateway: Arc<Gateway>,
    log: LogRow,
    seal: Option<StoredSeal>,
    format: Format,
    _place: SemaphorePermit<'static>,
}

impl Job {
    fn run(self, pipe: Pipe) {
        let done = match self.format {
            Format::Cmcp => self.ours(pipe),
            Format::Compat => self.compat(pipe),
        };
        if let Err(error) = done {
            tracing::error!(session = %self.log.id, %error, "an export broke off");
        }
    }

    fn ours(&self, pipe: Pipe) -> Result<(), ExportError> {
        let mut writer = Writer::new(pipe, &self.log.id)?;
        self.gateway
            .reader
            .entries(self.log.key, &mut |entry| writer.entry(entry))??;
        let checkpoint: SignedCheckpoint = match &self.seal {
            Some(seal) => seal.checkpoint().ok_or(ExportError::Seal)?,
            None => writer
                .checkpoint(self.gateway.clock.now())
                .sign(&self.gateway.key),
        };
        writer.finish(&checkpoint)?.end()?;
        Ok(())
    }

    fn compat(&self, pipe: Pipe) -> Result<(), ExportError> {
        let mut writer = CompatExport::new(pipe, &self.log.id)?;
        self.gateway
            .reader
            .entries(self.log.key, &mut |entry| writer.entry(entry))??;
        let signature = match &self.seal {
            Some(seal) => seal.bundle_signature().ok_or(ExportError::Seal)?,
            None => self.gateway.key.sign(writer.digest().as_bytes()),
        };
        writer.finish(&signature)?.end()?;
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("the stored seal does not read back")]
    Seal,
}

/// What goes from the store to the client. A stream without its end broke off.
#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    End,
}

/// A writer that hands pieces to the response's stream, and waits while the client reads slowly, but
/// not for one that does not read at all.
struct Pipe {
    sender: mpsc::Sender<Piece>,
    buffer: Vec<u8>,
    patience: Duration,
}

impl Pipe {
    fn new(sender: mpsc::Sender<Piece>, patience: Duration) -> Self {
        Self {
            sender,
            buffer: Vec::with_capacity(PIECE_BYTES),
            patience,
        }
    }

    fn send(&self, piece: Piece) -> io::Result<()> {
        let sent = self.sender.send_timeout(piece, self.patience);
        Handle::current()
            .block_on(sent)
            .map_err(|error| match error {
                SendTimeoutError::Closed(_) => io::ErrorKind::BrokenPipe.into(),
                SendTimeoutError::Timeout(_) => io::ErrorKind::TimedOut.into(),
            })
    }

    fn end(&self) -> io::Result<()> {
        self.send(Piece::End)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE_BYTES));
        if piece.is_empty() {
            return Ok(());
        }
        self.send(Piece::Bytes(Bytes::from(piece)))
    }
}

fn stream(first: Bytes, pieces: mpsc::Receiver<Piece>) -> Response {
    let rest = futures_util::stream::unfold(Some(pieces), |pieces| async move {
        let mut pieces = pieces?;
        match pieces.recv().await {
            Some(Piece::Bytes(piece)) => Some((Ok(piece), Some(pieces))),
            Some(Piece::End) => None,
            None => Some((Err(io::Error::other("the export broke off")), None)),
        }
    });
    let all = futures_util::StreamExt::chain(
        futures_util::stream::once(async move { Ok::<Bytes, io::Error>(first) }),
        rest,
    );
    let mut response = Response::new(Body::from_stream(all));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refuse(status: StatusCode, text: &str) -> Response {
    edge::json(status, Object::from([("error", Value::from(text))]))
}

/// Pieces between store and client.
const PIECES: usize = 4;
/// Bytes of one piece.
const PIECE_BYTES: usize = 64 * 1024;
/// Exports that may be under way; each has a thread of those that all other reading needs too.
static PLACES: Semaphore = Semaphore::const_new(32);
/// How long a client may take for one piece.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
