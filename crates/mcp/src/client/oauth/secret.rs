//! Secrets by reference: read when they are spent, so that a new one in the same place is found.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use http::HeaderValue;
use zeroize::Zeroizing;

use super::{UnixTime, bearer_header};

/// The place of a secret.
#[derive(Clone)]
pub struct SecretSource(Arc<Read>);

type Read = dyn Fn() -> Result<Zeroizing<String>, SecretFault> + Send + Sync;

/// Why a secret cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    /// Its file.
    #[error("cannot be read: {0}")]
    Read(io::ErrorKind),
    /// Longer than any secret.
    #[error("is too long")]
    TooLong,
    /// Nothing is there.
    #[error("is empty")]
    Empty,
    /// It has characters that no header carries.
    #[error("has blanks or characters beyond ASCII, which no header carries")]
    Characters,
}

impl SecretSource {
    /// A secret that this closure reads.
    pub fn new(
        read: impl Fn() -> Result<Zeroizing<String>, SecretFault> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(read))
    }

    /// A secret that stays as it is.
    #[must_use]
    pub fn fixed(secret: String) -> Self {
        let secret = Zeroizing::new(secret);
        Self::new(move || Ok(secret.clone()))
    }

    /// Reads it, away from the event loop. Line ends behind it are not part of it.
    ///
    /// # Errors
    /// [`SecretFault`].
    pub async fn read(&self) -> Result<Zeroizing<String>, SecretFault> {
        let read = Arc::clone(&self.0);
        let secret = tokio::task::spawn_blocking(move || read()).await;
        let secret = secret.unwrap_or(Err(SecretFault::Read(io::ErrorKind::Other)))?;
        let trimmed = secret.trim_end_matches(['\r', '\n']);
        if trimmed.is_empty() {
            return Err(SecretFault::Empty);
        }
        Ok(Zeroizing::new(trimmed.to_owned()))
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretSource(..)")
    }
}

/// A bearer token by reference, as it was last read.
pub(super) struct Kept {
    source: SecretSource,
    now: UnixTime,
    last: Mutex<Option<(i64, HeaderValue)>>,
}

impl Kept {
    pub(super) fn new(source: SecretSource, now: UnixTime) -> Self {
        Self {
            source,
            now,
            last: Mutex::new(None),
        }
    }

    pub(super) async fn header(&self) -> Result<HeaderValue, SecretFault> {
        match self.last() {
            Some((at, value)) if self.age(at) < KEEP => Ok(value),
            Some(_) | None => self.read().await,
        }
    }

    /// Another value than the one that was refused, if there is one by now.
    pub(super) async fn reread(
        &self,
        used: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, SecretFault> {
        let value = match self.last() {
            // Refusals come in crowds; the file is not read for each of them.
            Some((at, value)) if self.age(at) < PAUSE => value,
            Some(_) | None => self.read().await?,
        };
        Ok((Some(&value) != used).then_some(value))
    }

    async fn read(&self) -> Result<HeaderValue, SecretFault> {
        let secret = self.source.read().await?;
        let value = bearer_header(&secret).ok_or(SecretFault::Characters)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(((self.now)(), value.clone()));
        Ok(value)
    }

    fn age(&self, at: i64) -> i64 {
        (self.now)().saturating_sub(at)
    }

    fn last(&self) -> Option<(i64, HeaderValue)> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Seconds for which a token is used as it was read.
const KEEP: i64 = 60;
/// Seconds after reading it in which a refusal does not have it read again.
const PAUSE: i64 = 1;
