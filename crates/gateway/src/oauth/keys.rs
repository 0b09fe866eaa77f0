//! The keys of one issuer: fetched before they are needed, kept for a while when the issuer is away,
//! and fetched once more when a token names a key that is not among them.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cmcp_evidence::Timestamp;
use cmcp_mcp::{
    client::oauth::metadata::{DiscoveryError, Issuer},
    fetch::{FetchError, Fetcher, Url},
    jose::{Header, KeySet, PublicKey, SetError},
};

use super::{
    Denied,
    settings::{IssuerKeys, OauthIssuer},
};
use crate::said::Said;

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct KeyRing {
    issuer: Url,
    source: IssuerKeys,
    state: Mutex<State>,
    // One fetches, the others wait for what comes of it.
    fetching: tokio::sync::Mutex<()>,
    generation: AtomicU64,
    failed: Said,
}

#[derive(Clone, Debug, Default)]
struct State {
    keys: Option<(Arc<KeySet>, Timestamp)>,
    /// When fetching was last begun.
    tried: Option<Timestamp>,
    /// Where metadata said that the keys are, and when.
    place: Option<(Url, Timestamp)>,
}

/// Why keys could not be fetched.
#[derive(Debug, thiserror::Error)]
enum RingError {
    #[error("{0}")]
    Discovery(#[from] DiscoveryError),
    #[error("{0}")]
    Fetch(#[from] FetchError),
    #[error("the keys at `{place}` cannot be used: {cause}")]
    Set { place: String, cause: SetError },
}

impl KeyRing {
    pub(super) fn new(issuer: &OauthIssuer) -> Self {
        Self {
            issuer: issuer.issuer.clone(),
            source: issuer.keys.clone(),
            state: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
            generation: AtomicU64::new(1),
            failed: Said::default(),
        }
    }

    /// A number that grows when the keys become others.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The key that a token means, with the generation it belongs to.
    pub(super) async fn find(
        &self,
        fetcher: &Fetcher,
        header: &Header,
        now: Timestamp,
    ) -> Result<(PublicKey, u64), Denied> {
        if let IssuerKeys::Pinned(keys) = &self.source {
            let key = keys.find(header).ok_or(Denied::Key)?;
            return Ok((key.clone(), self.generation()));
        }
        let known = self.generation();
        if let Some(key) = self.usable(now).and_then(|keys| keys.find(header).cloned()) {
            return Ok((key, known));
        }
        self.fetch(fetcher, now, known).await;
        let known = self.generation();
        let keys = self.usable(now).ok_or(Denied::Unavailable)?;
        let key = keys.find(header).ok_or(Denied::Key)?;
        Ok((key.clone(), known))
    }

    /// Fetches the keys again when it is time to.
    pub(super) async fn tend(&self, fetcher: &Fetcher, now: Timestamp) {
        let due = match (&self.source, &self.state().keys) {
            (IssuerKeys::Pinned(_), _) => false,
            (IssuerKeys::Discovered | IssuerKeys::At(_), None) => true,
            (IssuerKeys::Discovered | IssuerKeys::At(_), Some((_, fetched))) => {
                now.saturating_since(*fetched) >= REFRESH_AFTER
            }
        };
        if due {
            self.fetch(fetcher, now, self.generation()).await;
        }
    }

    /// The keys, unless they are so old that the issuer may have withdrawn them long ago.
    fn usable(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        let (keys, fetched) = self.state().keys?;
        (now.saturating_since(fetched) < STALE_AFTER).then_some(keys)
    }

    /// Fetches the keys, unless somebody has just done so: whoever makes up names of keys makes nobody
    /// fetch more often than that.
    async fn fetch(&self, fetcher: &Fetcher, now: Timestamp, known: u64) {
        let _one = self.fetching.lock().await;
        let before = self.state();
        let pause = match before.keys {
            Some(_) => PAUSE,
            None => FIRST_PAUSE,
        };
        let recent = |tried: Timestamp| now.saturating_since(tried) < pause;
        if self.generation() != known || before.tried.is_some_and(recent) {
            return;
        }
        self.locked().tried = Some(now);
        match self.load(fetcher, &before, now).await {
            Ok((keys, place)) => {
                self.failed.forget();
                let changed = before.keys.is_none_or(|(old, _)| *old != keys);
                let mut state = self.locked();
                state.keys = Some((Arc::new(keys), now));
                state.place = place;
                drop(state);
                if changed {
                    self.generation.fetch_add(1, Ordering::AcqRel);
                }
            }
            Err(error) => {
                // They may have moved.
                self.locked().place = None;
                let text = error.to_string();
                if self.failed.is_news(&text) {
                    tracing::warn!(issuer = %self.issuer, "the issuer's keys could not be fetched: {text}");
                }
            }
        }
    }

    async fn load(
        &self,
        fetcher: &Fetcher,
        before: &State,
        now: Timestamp,
    ) -> Result<(KeySet, Option<(Url, Timestamp)>), RingError> {
        let (url, place) = match (&self.source, &before.place) {
            (IssuerKeys::At(url), _) => (url.clone(), None),
            (IssuerKeys::Discovered | IssuerKeys::Pinned(_), Some((url, at)))
                if now.saturating_since(*at) < REDISCOVER_AFTER =>
            {
                (url.clone(), Some((url.clone(), *at)))
            }
            (IssuerKeys::Discovered | IssuerKeys::Pinned(_), _) => {
                let metadata = Issuer::discover(fetcher, &self.issuer).await?;
                let of = self.issuer.as_str().to_owned();
                let member = "jwks_uri";
                let url = metadata.keys.ok_or(DiscoveryError::Member { of, member })?;
                (url.clone(), Some((url, now)))
            }
        };
        let document = fetcher.get(&url).await?;
        let keys = KeySet::of(&document).map_err(|cause| RingError::Set {
            place: url.place(),
            cause,
        })?;
        Ok((keys, place))
    }

    fn state(&self) -> State {
        self.locked().clone()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys are fetched again after this long.
pub(super) const REFRESH_AFTER: Duration = Duration::from_secs(300);
/// Keys are used for this long when they cannot be fetched again.
pub(super) const STALE_AFTER: Duration = Duration::from_secs(3_600);
/// Metadata are read again after this long.
const REDISCOVER_AFTER: Duration = Duration::from_secs(3_600);
/// Time between two attempts.
pub(super) const PAUSE: Duration = Duration::from_secs(30);
/// The same while there are no keys at all.
const FIRST_PAUSE: Duration = Duration::from_secs(3);
