//! The `requestState` that a client is given with `input_required` and repeats its request with.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use cmcp_evidence::Sha256Digest;

use super::{
    NotOurs, Purpose, SealError, Sealer,
    codec::{Reader, Writer},
    spent::{Bounds, Spent},
};

/// The request that a state belongs to. It opens next to the very same request alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound<'a> {
    pub(crate) principal: &'a str,
    pub(crate) method: &'a str,
    /// [`Bound::digest`] over target and arguments.
    pub(crate) call: Sha256Digest,
    /// The link that the request goes to.
    pub(crate) upstream: u64,
}

impl Bound<'_> {
    /// The digest of a request's target and arguments, as they were received.
    pub(crate) fn digest(target: &str, arguments: &[u8]) -> Sha256Digest {
        let length = u64::try_from(target.len()).unwrap_or(u64::MAX);
        let parts: [&[u8]; 3] = [&length.to_be_bytes(), target.as_bytes(), arguments];
        Sha256Digest::of_parts(&parts)
    }

    /// What tells this request from every other.
    pub(super) fn key(&self) -> Sha256Digest {
        let length = |text: &str| u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes();
        let (upstream, call) = self.parts();
        Sha256Digest::of_parts(&[
            &length(self.principal),
            self.principal.as_bytes(),
            &length(self.method),
            self.method.as_bytes(),
            &upstream,
            &call,
        ])
    }

    fn parts(&self) -> ([u8; 8], [u8; 32]) {
        (self.upstream.to_be_bytes(), *self.call.as_bytes())
    }
}

/// What a call waits under for its answers: see [`crate::parking`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Handle(pub(crate) [u8; 16]);

impl fmt::Debug for Handle {
    // Whoever knows it may take the call.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle(..)")
    }
}

/// One thing that the server asked for.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Its key in `inputRequests`.
    pub(crate) key: String,
    /// What is kept of it, so that its answer can be judged.
    pub(crate) request: Bytes,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// What is found again when the request is repeated.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct RequestState {
    /// The server's own state, raw; it is not given any where it gave none.
    pub(crate) own: Option<Bytes>,
    pub(crate) asked: Vec<Asked>,
    /// The call that waits for the answers, where one does.
    pub(crate) handle: Option<Handle>,
}

impl fmt::Debug for RequestState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestState")
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}

/// Seals and opens request states; each opens once.
#[derive(Debug)]
pub(crate) struct RequestStates {
    sealer: Arc<Sealer>,
    // Times in states are counted from here, so that no clock that is set can stretch them.
    began: Instant,
    spent: Mutex<Spent>,
}

impl RequestStates {
    pub(crate) fn new(sealer: Arc<Sealer>, now: Instant) -> Self {
        Self::bounded(sealer, now, BOUNDS)
    }

    pub(super) fn bounded(sealer: Arc<Sealer>, now: Instant, bounds: Bounds) -> Self {
        Self {
            sealer,
            began: now,
            spent: Mutex::new(Spent::new(bounds)),
        }
    }

    /// The state as its client carries it, good for `lifetime`, and never for longer than
    /// [`MAX_LIFETIME`].
    pub(crate) fn seal(
        &self,
        bound: &Bound<'_>,
        state: &RequestState,
        now: Instant,
        lifetime: Duration,
    ) -> Result<String, SealError> {
        let RequestState { own, asked, handle } = state;
        let mut writer = Writer::default();
        let lifetime = millis(lifetime.min(MAX_LIFETIME));
        writer.number(self.age(now).saturating_add(lifetime));
        writer.optional(handle.as_ref().map(|handle| handle.0.as_slice()));
        writer.optional(own.as_deref());
        writer.number(u64::try_from(asked.len()).unwrap_or(u64::MAX));
        for Asked { key, request } in asked {
            writer.bytes(key.as_bytes());
            writer.bytes(request);
        }
        let (upstream, call) = bound.parts();
        let parts = aad(bound, &upstream, &call);
        let plain = writer.into_bytes();
        self.sealer.seal(Purpose::RequestState, &parts, plain)
    }

    /// Opens a state, and uses it up.
    pub(crate) fn open(
        &self,
        bound: &Bound<'_>,
        text: &str,
        now: Instant,
    ) -> Result<RequestState, NotOurs> {
        let (upstream, call) = bound.parts();
        let parts = aad(bound, &upstream, &call);
        let opened = self.sealer.open(Purpose::RequestState, &parts, text)?;
        let (expiry, state) = read(&opened.plain).ok_or(NotOurs)?;
        let age = self.age(now);
        if expiry <= age {
            return Err(NotOurs);
        }
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.spend(bound.principal, (expiry, opened.nonce), age)?;
        Ok(state)
    }

    /// How many used states are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.spent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    fn age(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.began))
    }
}

fn aad<'a>(bound: &Bound<'a>, upstream: &'a [u8; 8], call: &'a [u8; 32]) -> [&'a [u8]; 4] {
    let (principal, method) = (bound.principal.as_bytes(), bound.method.as_bytes());
    [principal, method, upstream, call]
}

fn read(plain: &[u8]) -> Option<(u64, RequestState)> {
    let mut reader = Reader::new(plain);
    let expiry = reader.number()?;
    let handle = match reader.optional()? {
        Some(bytes) => Some(Handle(bytes.try_into().ok()?)),
        None => None,
    };
    let own = reader.optional()?.map(Bytes::copy_from_slice);
    let mut asked = Vec::new();
    for _ in 0..reader.number()? {
        let key = reader.text()?;
        let request = Bytes::copy_from_slice(reader.bytes()?);
        asked.push(Asked { key, request });
    }
    let state = RequestState { own, asked, handle };
    reader.is_empty().then_some((expiry, state))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The longest that a state is good for.
pub(crate) const MAX_LIFETIME: Duration = Duration::from_secs(600);
/// Used states that are remembered: some 36 bytes each.
const BOUNDS: Bounds = Bounds {
    per_principal: 1 << 18,
    total: 1 << 20,
};
