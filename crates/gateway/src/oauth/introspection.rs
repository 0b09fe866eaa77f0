//! What an issuer says of a token that says nothing itself (RFC 7662).

use std::time::Duration;

use cmcp_json::{Object, Value};
use cmcp_mcp::{
    client::oauth::basic,
    fetch::{Fetcher, Form},
};
use http::StatusCode;
use tokio::{sync::Semaphore, time::timeout};

use super::{Denied, settings::Introspection};
use crate::said::Said;

/// One issuer's endpoint.
#[derive(Debug)]
pub(super) struct Introspector {
    /// The issuer's place in the settings.
    pub(super) issuer: usize,
    settings: Introspection,
    places: Semaphore,
    failed: Said,
}

impl Introspector {
    pub(super) fn new(issuer: usize, settings: Introspection) -> Self {
        Self {
            issuer,
            settings,
            places: Semaphore::new(MAX_ASKING),
            failed: Said::default(),
        }
    }

    /// What the issuer says of an active token; nothing of any other.
    pub(super) async fn ask(
        &self,
        fetcher: &Fetcher,
        token: &str,
    ) -> Result<Option<Object>, Denied> {
        if !is_token(token) {
            return Err(Denied::Unknown);
        }
        let place = timeout(PATIENCE, self.places.acquire()).await;
        let Ok(Ok(_place)) = place else {
            return Err(Denied::Unavailable);
        };
        match self.exchange(fetcher, token).await {
            Ok(answer) => {
                self.failed.forget();
                Ok(answer)
            }
            Err(why) => {
                if self.failed.is_news(&why) {
                    let endpoint = self.settings.endpoint.place();
                    tracing::warn!(%endpoint, "a token could not be introspected: {why}");
                }
                Err(Denied::Unavailable)
            }
        }
    }

    async fn exchange(&self, fetcher: &Fetcher, token: &str) -> Result<Option<Object>, String> {
        let Introspection {
            endpoint,
            client_id,
            client_secret,
        } = &self.settings;
        let secret = client_secret
            .read()
            .await
            .map_err(|e| format!("the client secret {e}"))?;
        let credential = basic(client_id, &secret).map_err(|e| e.to_string())?;
        let form = Form::new()
            .with("token", token)
            .with("token_type_hint", "access_token");
        let answer = fetcher.post(endpoint, &form, Some(credential)).await;
        let answer = answer.map_err(|e| e.to_string())?;
        if answer.status != StatusCode::OK {
            return Err(format!("HTTP status {}", answer.status.as_u16()));
        }
        match (answer.document.get("active"), &answer.document) {
            (Some(Value::Bool(true)), Value::Object(claims)) => Ok(Some(claims.clone())),
            (Some(Value::Bool(false)), _) => Ok(None),
            _ => Err("the answer says neither that it is active nor that it is not".to_owned()),
        }
    }
}

/// The characters of a bearer token (RFC 6750).
fn is_token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && token.len() <= MAX_TOKEN && body.bytes().all(allowed)
}

/// Tokens that are asked about at once.
const MAX_ASKING: usize = 32;
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);
const MAX_TOKEN: usize = 16 << 10;
