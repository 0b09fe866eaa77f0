//! Who is calling: a principal by its token, or the operator by its own.

use std::sync::Arc;

use axum::{extract::FromRequestParts, response::Response};
use cmcp_policy::engine::Principal;
use http::{HeaderMap, HeaderValue, header, request::Parts};

use super::Fault;
use crate::{settings::Listen, startup::Gateway};

/// An authenticated caller.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Arc<Principal>);

/// The operator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operator;

impl FromRequestParts<Arc<Gateway>> for Caller {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        gateway: &Arc<Gateway>,
    ) -> Result<Self, Response> {
        gateway.caller(&parts.headers).map(Self)
    }
}

impl FromRequestParts<Arc<Gateway>> for Operator {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        gateway: &Arc<Gateway>,
    ) -> Result<Self, Response> {
        gateway.check_site(&parts.headers)?;
        let token = bearer(&parts.headers);
        let is_operator = match (&gateway.settings.operator, token) {
            (Some(hash), Some(token)) => hash.matches(token),
            (Some(_) | None, _) => false,
        };
        if is_operator {
            return Ok(Self);
        }
        // Whoever is known but no operator learns nothing of these routes.
        gateway.caller(&parts.headers)?;
        Err(Fault::NotFound.response("no such route"))
    }
}

impl Gateway {
    /// The principal a request comes from.
    fn caller(&self, headers: &HeaderMap) -> Result<Arc<Principal>, Response> {
        self.check_site(headers)?;
        let shared = match &self.settings.listen {
            Listen::Local { .. } => return Ok(Arc::clone(&self.anonymous)),
            Listen::Authenticated { shared, .. } => shared,
        };
        let Some(token) = bearer(headers) else {
            return Err(unauthorized(
                Fault::TokenMissing,
                "a bearer token is required",
            ));
        };
        // Every entry is compared, so that the time says nothing of which one matched.
        let mut found = None;
        for (entry, principal) in self.settings.principals.iter().zip(&self.principals) {
            if entry.token.matches(token) {
                found = Some(principal);
            }
        }
        if let Some(principal) = found {
            return Ok(Arc::clone(principal));
        }
        match shared {
            Some(hash) if hash.matches(token) => Ok(Arc::clone(&self.anonymous)),
            Some(_) | None => Err(unauthorized(
                Fault::TokenInvalid,
                "the bearer token is not accepted",
            )),
        }
    }

    fn check_site(&self, headers: &HeaderMap) -> Result<(), Response> {
        self.transport.check_site(headers).map_err(|rejection| {
            self.telemetry.refused_request();
            super::bytes(rejection.status, rejection.body)
        })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

fn unauthorized(fault: Fault, text: &str) -> Response {
    let mut response = fault.response(text);
    let challenge = HeaderValue::from_static("Bearer realm=\"cmcp-runtime\"");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, challenge);
    response
}
