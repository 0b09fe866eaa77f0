//! The limits as they are configured.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

/// Limits on callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// Of each principal that has none of its own.
    pub default: CallLimit,
    /// Principal → its own, which stands in place of the default.
    pub principals: BTreeMap<String, CallLimit>,
    /// Tool → what each principal's calls of it are held to, beside what the principal is held to.
    pub tools: BTreeMap<String, CallLimit>,
    /// Requests that are served at once; one principal has at most half of them.
    pub in_flight: NonZeroUsize,
    /// Requests that may wait to be served; one principal has at most half of them.
    pub waiting: usize,
    /// Bytes of requests that are held at once; one principal has at most half of them.
    pub request_bytes: usize,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            default: CallLimit::default(),
            principals: BTreeMap::new(),
            tools: BTreeMap::new(),
            in_flight: IN_FLIGHT,
            waiting: IN_FLIGHT.get(),
            request_bytes: REQUEST_BYTES,
        }
    }
}

/// What calls are held to; nothing where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallLimit {
    /// Calls in a time.
    pub rate: Option<Rate>,
    /// Calls of one day, which begins with the first of them.
    pub per_day: Option<u64>,
    /// Calls of one session; without effect for a tool.
    pub per_session: Option<u64>,
    /// Calls at once.
    pub concurrent: Option<u64>,
}

impl CallLimit {
    /// Whether it holds calls to nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// So many calls in a time, of which some may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub calls: NonZeroU32,
    /// In what time.
    pub per: Duration,
    /// How many may come at once, when none came for long.
    pub burst: NonZeroU32,
}

impl Rate {
    /// The time in which one call more becomes possible.
    #[must_use]
    pub fn interval(&self) -> Duration {
        // Never zero: a rate beyond one call per nanosecond is none.
        let interval = self.per.checked_div(self.calls.get()).unwrap_or_default();
        interval.max(Duration::from_nanos(1))
    }
}

const IN_FLIGHT: NonZeroUsize = match NonZeroUsize::new(4_096) {
    Some(number) => number,
    None => NonZeroUsize::MIN,
};
const REQUEST_BYTES: usize = 256 * 1024 * 1024;
