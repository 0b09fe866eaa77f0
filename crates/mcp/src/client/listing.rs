//! The listing methods, page after page, within bounds.

use std::collections::HashSet;

use bytes::Bytes;
use cmcp_json::Value;

use super::{handshake::shorten, outgoing::list_params, own::Own};
use crate::{
    error::Code,
    jsonrpc::Outcome,
    upstream::{Kind, Listing, Offers, Page, ProtocolFault, UpstreamError},
};

/// A negotiated server that can be asked for pages.
pub(super) trait Pages: Sync {
    fn offers(&self) -> &Offers;

    fn own(&self) -> &Own;

    /// One request of the method that lists this kind, answered with at most `max_bytes`.
    fn page(
        &self,
        kind: Kind,
        params: Option<Bytes>,
        max_bytes: usize,
    ) -> impl Future<Output = Result<Outcome, UpstreamError>> + Send;
}

/// Asks for all pages.
pub(super) async fn list(
    server: &impl Pages,
    kind: Kind,
    generation: u64,
) -> Result<Listing, UpstreamError> {
    let mut listing = Listing::none(generation);
    let declared = server.offers().has(&[kind.capability()]);
    // Servers with tools have been seen that do not say so; asking does no harm.
    if !declared && kind != Kind::Tools {
        return Ok(listing);
    }
    // Templates have no capability of their own, so that many a server has none of the method.
    let may_lack = !declared || kind == Kind::ResourceTemplates;
    listing.complete = false;
    let mut cursor: Option<String> = None;
    let mut seen = HashSet::new();
    let mut left = MAX_BYTES;
    while listing.pages.len() < MAX_PAGES && listing.items.len() < MAX_ITEMS {
        let params = list_params(cursor.as_deref(), server.offers().version, server.own())?;
        let (bytes, mut value) = match server.page(kind, params, left).await? {
            Outcome::Result { bytes, value } => (bytes, value),
            Outcome::Error { code, .. }
                if code == Code::MethodNotFound.value() && may_lack && cursor.is_none() =>
            {
                return Ok(Listing::none(generation));
            }
            Outcome::Error { code, message, .. } => {
                return Err(UpstreamError::Rpc {
                    method: kind.method(),
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
        listing.items.append(&mut items(kind, &mut value)?);
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

fn items(kind: Kind, page: &mut Value) -> Result<Vec<Value>, UpstreamError> {
    let fault = UpstreamError::Protocol(ProtocolFault::Listing);
    let list = page
        .as_object_mut()
        .and_then(|page| page.remove(kind.member()));
    let Some(Value::Array(items)) = list else {
        return Err(fault);
    };
    let named = |item: &Value| item.get(kind.key()).and_then(Value::as_str).is_some();
    if items.iter().all(named) {
        Ok(items)
    } else {
        Err(fault)
    }
}

const MAX_PAGES: usize = 256;
const MAX_ITEMS: usize = 10_000;
const MAX_BYTES: usize = 32 << 20;

#[cfg(test)]
mod tests;
