//! A token bucket, as the one moment at which it will be full again.

use std::time::Duration;

use super::Rate;

/// A bucket of tokens. Times are counted from one fixed moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    full_at: Duration,
}

impl Bucket {
    /// The bucket with one token less, or how long until there is one.
    pub(super) fn take(self, rate: &Rate, now: Duration) -> Result<Self, Duration> {
        let token = rate.interval();
        let full_at = self.full_at.max(now).saturating_add(token);
        let room = token.saturating_mul(rate.burst.get());
        match full_at.checked_sub(now.saturating_add(room)) {
            Some(wait) if !wait.is_zero() => Err(wait),
            Some(_) | None => Ok(Self { full_at }),
        }
    }

    /// Whether it is full, and so like a new one.
    pub(super) fn is_full(self, now: Duration) -> bool {
        self.full_at <= now
    }
}
