//! Trust records and envelopes of sealed sessions.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use bytes::Bytes;
use cmcp_json::{Object, Value};
use http::StatusCode;

use super::{Asker, find_log, read};
use crate::{edge, startup::Gateway};

/// The envelope that the Python cMCP's verifier reads.
pub(crate) async fn claim(
    State(gateway): State<Arc<Gateway>>,
    asker: Asker,
    Path(id): Path<String>,
) -> Response {
    let found = stored(&gateway, &asker, id.clone(), |gateway, log| {
        gateway.reader.claim(log)
    })
    .await;
    found
        .unwrap_or_else(Ok)
        .unwrap_or_else(|()| missing("trace claim", &id))
}

/// The plain trust record.
pub(crate) async fn record(
    State(gateway): State<Arc<Gateway>>,
    asker: Asker,
    Path(id): Path<String>,
) -> Response {
    let found = stored(&gateway, &asker, id.clone(), |gateway, log| {
        gateway.reader.record(log)
    })
    .await;
    found
        .unwrap_or_else(Ok)
        .unwrap_or_else(|()| missing("trust record", &id))
}

/// The record made for one call, where one is made per call.
pub(crate) async fn call_record(
    State(gateway): State<Arc<Gateway>>,
    asker: Asker,
    Path((id, call)): Path<(String, String)>,
) -> Response {
    let found = stored(&gateway, &asker, id.clone(), move |gateway, log| {
        gateway.reader.call_record(log, &call)
    })
    .await;
    found
        .unwrap_or_else(Ok)
        .unwrap_or_else(|()| missing("trust record", &id))
}

/// The stored document as a response, or nothing; the outer error is a finished refusal.
async fn stored(
    gateway: &Arc<Gateway>,
    asker: &Asker,
    id: String,
    what: impl FnOnce(&Gateway, i64) -> Result<Option<Vec<u8>>, crate::store::StoreError>
    + Send
    + 'static,
) -> Result<Result<Response, ()>, Response> {
    let Some(log) = find_log(gateway, asker, id).await? else {
        return Ok(Err(()));
    };
    let document = read(gateway, move |gateway| what(gateway, log.key)).await?;
    Ok(document
        .map(|bytes| edge::bytes(StatusCode::OK, Bytes::from(bytes)))
        .ok_or(()))
}

fn missing(what: &str, id: &str) -> Response {
    let text = format!("{what} not found for session_id={id}");
    edge::json(
        StatusCode::NOT_FOUND,
        Object::from([("error", Value::from(text))]),
    )
}
