//! What a caller is told that was not let in: `WWW-Authenticate` as RFC 6750, RFC 9449 and RFC 9728
//! have it. All of it is made from configuration and fixed words.

use std::fmt::Write as _;

use cmcp_mcp::fetch::UrlError;
use http::{HeaderMap, HeaderName, HeaderValue, header::WWW_AUTHENTICATE};

use super::{
    Authorization, Denied, ProofError, document,
    settings::{Dpop, Oauth},
};

/// The words that do not change while the gateway runs.
#[derive(Debug)]
pub(super) struct Words {
    /// Where our metadata are.
    pub(super) metadata: String,
    /// What our own paths stand behind.
    base: String,
    /// The scope to ask for at first.
    scope: String,
    algorithms: String,
    pub(super) document: bytes::Bytes,
    /// Path of our own name.
    pub(super) path: String,
}

impl Words {
    pub(super) fn of(settings: &Oauth) -> Result<Self, UrlError> {
        let resource = &settings.resource;
        let path = resource.path().to_owned();
        let scopes = if settings.required_scopes.is_empty() {
            &settings.scopes_supported
        } else {
            &settings.required_scopes
        };
        let base = path.strip_suffix(ENDPOINT).unwrap_or(&path);
        let algorithms: Vec<&str> = settings.algorithms.iter().map(|one| one.as_str()).collect();
        let metadata = resource.at(&format!("{}{path}", document::WELL_KNOWN))?;
        Ok(Self {
            metadata: metadata.as_str().to_owned(),
            base: format!("{}{base}", resource.origin()),
            scope: scopes.join(" "),
            algorithms: algorithms.join(" "),
            document: document::of(settings),
            path,
        })
    }

    /// How clients spell the URL of a path of ours, whatever stands in front of us.
    pub(super) fn url_of(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

impl Authorization {
    /// Adds what a caller without credentials is told.
    pub(crate) fn challenge(&self, headers: &mut HeaderMap) {
        self.add(headers, None, &self.words.scope);
    }

    /// Adds what a caller is told whose token lets nobody in.
    pub(crate) fn refuse(&self, headers: &mut HeaderMap, denied: Denied, now: i64) {
        let error = match denied {
            Denied::Scope => "insufficient_scope",
            Denied::Proof(ProofError::Nonce) => "use_dpop_nonce",
            Denied::Proof(_) => "invalid_dpop_proof",
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
            | Denied::Unavailable => "invalid_token",
        };
        let text = denied.to_string();
        self.add(headers, Some((error, &text)), &self.words.scope);
        if matches!(
            denied,
            Denied::Proof(ProofError::Nonce | ProofError::Missing)
        ) && let Ok(nonce) = HeaderValue::from_str(&self.proofs.nonce(now))
        {
            headers.insert(NONCE, nonce);
        }
    }

    /// Adds what a caller is told whose token gives too little for what it asked: all that this needs,
    /// at once.
    pub(crate) fn step_up(&self, headers: &mut HeaderMap, scopes: &[String]) {
        let error = ("insufficient_scope", "the token gives too little for this");
        self.add(headers, Some(error), &scopes.join(" "));
    }

    fn add(&self, headers: &mut HeaderMap, error: Option<(&str, &str)>, scope: &str) {
        let dpop = self.settings.dpop;
        let proof_failed = error.is_some_and(|(code, _)| code.contains("dpop"));
        if dpop != Dpop::Required && !proof_failed {
            self.append(headers, "Bearer", error, scope);
        }
        if dpop != Dpop::Off {
            self.append(headers, "DPoP", error, scope);
        }
    }

    fn append(
        &self,
        headers: &mut HeaderMap,
        scheme: &str,
        error: Option<(&str, &str)>,
        scope: &str,
    ) {
        let mut value = format!(
            "{scheme} resource_metadata={}",
            quoted(&self.words.metadata)
        );
        let mut more = |name: &str, text: &str| {
            let _infallible = write!(value, ", {name}={}", quoted(text));
        };
        if !scope.is_empty() {
            more("scope", scope);
        }
        if let Some((code, text)) = error {
            more("error", code);
            more("error_description", text);
        }
        if scheme == "DPoP" {
            more("algs", &self.words.algorithms);
        }
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
}

/// A quoted string; what cannot stand in one is left out, as `error_description` has it.
fn quoted(text: &str) -> String {
    let allowed = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
    format!("\"{}\"", text.chars().filter(allowed).collect::<String>())
}

/// The path of the MCP endpoint.
const ENDPOINT: &str = "/mcp";
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
