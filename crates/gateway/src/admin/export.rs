//! `/audit/export`: a session's log as a stream, in the older form or in ours.

use std::{
    io::{self, Write},
    sync::Arc,
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
use tokio::sync::mpsc;

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
    // The first piece is waited for: a log that does not read back at all is an error, not an
    // empty success. Later failures break the stream off without its signature.
    let (pipe, mut pieces) = mpsc::channel(PIECES);
    let job = Job {
        gateway,
        log,
        seal,
        format,
    };
    tokio::task::spawn_blocking(move || job.run(Pipe::new(pipe)));
    match pieces.recv().await {
        Some(Ok(first)) => stream(first, pieces),
        Some(Err(_)) | None => refuse(
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
}

impl Job {
    fn run(self, pipe: Pipe) {
        let failed = pipe.sender.clone();
        let done = match self.format {
            Format::Cmcp => self.ours(pipe),
            Format::Compat => self.compat(pipe),
        };
        if let Err(error) = done {
            tracing::error!(session = %self.log.id, %error, "an export broke off");
            let _ = failed.blocking_send(Err(io::Error::other("the export broke off")));
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
        writer.finish(&checkpoint)?;
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
        writer.finish(&signature)?;
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

type Piece = Result<Bytes, io::Error>;

/// A writer that hands pieces to the response's stream, and waits while the client reads slowly.
struct Pipe {
    sender: mpsc::Sender<Piece>,
    buffer: Vec<u8>,
}

impl Pipe {
    fn new(sender: mpsc::Sender<Piece>) -> Self {
        Self {
            sender,
            buffer: Vec::with_capacity(PIECE_BYTES),
        }
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
        self.sender
            .blocking_send(Ok(Bytes::from(piece)))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

fn stream(first: Bytes, pieces: mpsc::Receiver<Piece>) -> Response {
    let rest = futures_util::stream::unfold(pieces, |mut pieces| async move {
        pieces.recv().await.map(|piece| (piece, pieces))
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
