//! `tools/list`, page after page, within bounds.

use std::collections::HashSet;

use bytes::Bytes;
use cmcp_json::Value;

use super::{handshake::shorten, outgoing::list_params};
use crate::{
    jsonrpc::Outcome,
    upstream::{Listing, Page, ProtocolFault, UpstreamError},
    version::Version,
};

pub(super) const LIST: &str = "tools/list";

/// A negotiated server that can be asked for pages.
pub(super) trait Pages: Sync {
    fn version(&self) -> Version;

    /// One `tools/list` request, answered with at most `max_bytes`.
    fn page(
        &self,
        params: Option<Bytes>,
        max_bytes: usize,
    ) -> impl Future<Output = Result<Outcome, UpstreamError>> + Send;
}

/// Asks for all pages.
pub(super) async fn list(server: &impl Pages, generation: u64) -> Result<Listing, UpstreamError> {
    let mut listing = Listing {
        pages: Vec::new(),
        tools: Vec::new(),
        complete: false,
        generation,
    };
    let mut cursor: Option<String> = None;
    let mut seen = HashSet::new();
    let mut left = MAX_BYTES;
    while listing.pages.len() < MAX_PAGES && listing.tools.len() < MAX_TOOLS {
        let params = list_params(cursor.as_deref(), server.version())?;
        let (bytes, mut value) = match server.page(params, left).await? {
            Outcome::Result { bytes, value } => (bytes, value),
            Outcome::Error { code, message, .. } => {
                return Err(UpstreamError::Rpc {
                    method: LIST,
                    code,
                    message: shorten(&message),
                });
            }
        };
        left = left.saturating_sub(bytes.len());
        let next = value
            .get("nextCursor")
            .filter(|next| !next.is_null())
            .cloned();
        listing.tools.append(&mut tools(&mut value)?);
        listing.pages.push(Page {
            cursor: cursor.take(),
            bytes,
        });
        match next {
            None => {
                listing.complete = true;
                return Ok(listing);
            }
            // The empty text is a cursor; a cursor that comes again would never end.
            Some(Value::String(next)) if seen.insert(next.clone()) => cursor = Some(next),
            Some(_) => return Err(UpstreamError::Protocol(ProtocolFault::Listing)),
        }
    }
    Ok(listing)
}

fn tools(page: &mut Value) -> Result<Vec<Value>, UpstreamError> {
    let fault = UpstreamError::Protocol(ProtocolFault::Listing);
    let list = page.as_object_mut().and_then(|page| page.remove("tools"));
    let Some(Value::Array(tools)) = list else {
        return Err(fault);
    };
    let named = |tool: &Value| tool.get("name").and_then(Value::as_str).is_some();
    if tools.iter().all(named) {
        Ok(tools)
    } else {
        Err(fault)
    }
}

const MAX_PAGES: usize = 256;
const MAX_TOOLS: usize = 10_000;
const MAX_BYTES: usize = 32 << 20;

#[cfg(test)]
mod tests;
