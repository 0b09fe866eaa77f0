//! Routes beside MCP: probes, records, exports, and what only an operator may do.

mod body;
mod exception;
mod export;
mod operator;
mod probes;
mod records;

pub(crate) use exception::exception;
pub(crate) use export::export;
pub(crate) use operator::{close, reset, trip, unblock};
pub(crate) use probes::{metrics, ready};
pub(crate) use records::{call_record, claim, record};

use std::sync::Arc;

use axum::{extract::FromRequestParts, response::Response};
use http::{HeaderMap, request::Parts};

use crate::{
    edge::{Caller, Fault, Operator},
    startup::Gateway,
    store::LogRow,
};

/// Whoever asks for a log: its principal, or the operator, who may see all.
#[derive(Debug)]
pub(crate) enum Asker {
    Operator,
    Principal(String),
}

impl FromRequestParts<Arc<Gateway>> for Asker {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        gateway: &Arc<Gateway>,
    ) -> Result<Self, Response> {
        if has_token(&parts.headers) && Operator::from_request_parts(parts, gateway).await.is_ok() {
            return Ok(Self::Operator);
        }
        let Caller(principal) = Caller::from_request_parts(parts, gateway).await?;
        Ok(Self::Principal(principal.name.clone()))
    }
}

impl Asker {
    /// The principal whose sessions alone are seen; none for the operator.
    fn principal(&self) -> Option<&str> {
        match self {
            Self::Operator => None,
            Self::Principal(name) => Some(name),
        }
    }
}

fn has_token(headers: &HeaderMap) -> bool {
    headers.contains_key(http::header::AUTHORIZATION)
}

/// The log with this id, or the asker's newest under this label. Somebody else's is like none.
async fn find_log(
    gateway: &Arc<Gateway>,
    asker: &Asker,
    id: String,
) -> Result<Option<LogRow>, Response> {
    let principal = asker.principal().map(ToOwned::to_owned);
    read(gateway, move |gateway| {
        let found = gateway.reader.log(&id)?;
        let own = |row: &LogRow| principal.as_ref().is_none_or(|name| *name == row.principal);
        match (found.filter(own), &principal) {
            (Some(row), _) => Ok(Some(row)),
            (None, Some(name)) => gateway.reader.labelled(name, &id),
            (None, None) => Ok(None),
        }
    })
    .await
}

/// Reads from the store off the event loop.
async fn read<T: Send + 'static>(
    gateway: &Arc<Gateway>,
    work: impl FnOnce(&Gateway) -> Result<T, crate::store::StoreError> + Send + 'static,
) -> Result<T, Response> {
    let gateway = Arc::clone(gateway);
    match tokio::task::spawn_blocking(move || work(&gateway)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            tracing::error!(%error, "the audit database cannot be read");
            Err(unreadable())
        }
        Err(_) => Err(unreadable()),
    }
}

fn unreadable() -> Response {
    Fault::Internal.response("the audit database cannot be read")
}
