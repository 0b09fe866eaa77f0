//! Who is calling: a principal by its token or by an issuer's word, or the operator by its own token.

use std::sync::Arc;

use axum::{extract::FromRequestParts, response::Response};
use cmcp_evidence::Sha256Digest;
use cmcp_policy::engine::Principal;
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};

use super::Fault;
use crate::{
    oauth::{Authorization, Denied, ProofError, Scheme, Shown, seconds},
    settings::Listen,
    startup::Gateway,
};

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
        gateway.caller(parts).await.map(Self)
    }
}

impl FromRequestParts<Arc<Gateway>> for Operator {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        gateway: &Arc<Gateway>,
    ) -> Result<Self, Response> {
        gateway.check_site(&parts.headers)?;
        let is_operator = match (&gateway.settings.operator, credential(&parts.headers)) {
            (Some(hash), Credential::Shown(Scheme::Bearer, token)) => {
                hash.matches(token.as_bytes())
            }
            (Some(_) | None, _) => false,
        };
        if is_operator {
            return Ok(Self);
        }
        // Whoever is known but no operator learns nothing of these routes.
        gateway.caller(parts).await?;
        Err(Fault::NotFound.response("no such route"))
    }
}

impl Gateway {
    /// The principal a request comes from.
    async fn caller(&self, parts: &Parts) -> Result<Arc<Principal>, Response> {
        self.check_site(&parts.headers)?;
        if matches!(self.settings.listen, Listen::Local { .. }) {
            return Ok(Arc::clone(&self.anonymous));
        }
        let (scheme, token) = match credential(&parts.headers) {
            Credential::Shown(scheme, token) => (scheme, token),
            Credential::Missing => {
                let text = "a bearer token is required";
                return Err(self.unauthorized(Fault::TokenMissing, text));
            }
            // Two readers could each believe another one.
            Credential::Twice => {
                let text = "more than one `Authorization` header came along";
                return Err(self.unauthorized(Fault::TokenTwice, text));
            }
        };
        let digest = Sha256Digest::of(token.as_bytes());
        if scheme == Scheme::Bearer
            && let Some(known) = self.by_static(&digest)
        {
            return Ok(known);
        }
        let Some(authorization) = &self.authorization else {
            let text = "the bearer token is not accepted";
            return Err(self.unauthorized(Fault::TokenInvalid, text));
        };
        let shown = Shown {
            scheme,
            token,
            digest: *digest.as_bytes(),
            proof: proof(&parts.headers),
            method: &parts.method,
            path: parts.uri.path(),
        };
        let admitted = authorization.admit(shown, self.clock.now()).await;
        admitted.map_err(|denied| self.refused(authorization, denied))
    }

    /// The principal of a configured token, or whoever shares the common one.
    fn by_static(&self, digest: &Sha256Digest) -> Option<Arc<Principal>> {
        // Every entry is compared, so that the time says nothing of which one matched.
        let mut found = None;
        for (entry, principal) in self.settings.principals.iter().zip(&self.principals) {
            if entry.token.is(digest) {
                found = Some(principal);
            }
        }
        let shared = match &self.settings.listen {
            Listen::Authenticated { shared, .. } => shared.as_ref(),
            Listen::Local { .. } => None,
        };
        let shares = shared.is_some_and(|hash| hash.is(digest));
        found.or(shares.then_some(&self.anonymous)).map(Arc::clone)
    }

    /// Refuses requests addressed to, or coming from, another site.
    pub(crate) fn check_site(&self, headers: &HeaderMap) -> Result<(), Response> {
        self.transport.check_site(headers).map_err(|rejection| {
            self.telemetry.refused_request();
            super::bytes(rejection.status, rejection.body)
        })
    }

    fn unauthorized(&self, fault: Fault, text: &str) -> Response {
        let mut response = fault.response(text);
        match &self.authorization {
            Some(authorization) => authorization.challenge(response.headers_mut()),
            None => {
                let challenge = HeaderValue::from_static("Bearer realm=\"cmcp-runtime\"");
                response
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, challenge);
            }
        }
        response
    }

    fn refused(&self, authorization: &Authorization, denied: Denied) -> Response {
        tracing::debug!("a token was refused: {denied}");
        let fault = match denied {
            Denied::Scope => Fault::ScopeInsufficient,
            Denied::Unavailable | Denied::Proof(ProofError::Busy) => {
                let mut response = Fault::IssuerUnavailable.response(&denied.to_string());
                let wait = HeaderValue::from_static("5");
                response.headers_mut().insert(header::RETRY_AFTER, wait);
                return response;
            }
            Denied::Unknown
            | Denied::Malformed(_)
            | Denied::Algorithm
            | Denied::Type
            | Denied::Issuer
            | Denied::Key
            | Denied::Signature
            | Denied::Audience
            | Denied::Expired
            | Denied::Early
            | Denied::Claim(_)
            | Denied::Inactive
            | Denied::Bound
            | Denied::Binding
            | Denied::Unbound
            | Denied::Proof(_) => Fault::TokenInvalid,
        };
        let mut response = fault.response(&denied.to_string());
        let now = seconds(self.clock.now());
        authorization.refuse(response.headers_mut(), denied, now);
        response
    }
}

/// What the headers of a request hold for us.
enum Credential<'a> {
    Missing,
    Twice,
    Shown(Scheme, &'a str),
}

fn credential(headers: &HeaderMap) -> Credential<'_> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Credential::Missing,
        (Some(_), Some(_)) => return Credential::Twice,
        (Some(value), None) => value,
    };
    let Some((scheme, token)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
        return Credential::Missing;
    };
    let token = token.trim_matches([' ', '\t']);
    if scheme.eq_ignore_ascii_case("bearer") {
        Credential::Shown(Scheme::Bearer, token)
    } else if scheme.eq_ignore_ascii_case("dpop") {
        Credential::Shown(Scheme::Dpop, token)
    } else {
        Credential::Missing
    }
}

/// The proof, if there is exactly one.
fn proof(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(PROOF).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        (Some(_) | None, _) => None,
    }
}

const PROOF: HeaderName = HeaderName::from_static("dpop");
