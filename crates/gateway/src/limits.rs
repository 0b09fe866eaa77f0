//! Limits on callers: how fast, how many, how many at once. All but the bound on what is in flight
//! are off unless they are configured, and none of them is policy: whoever meets one may come back.

mod account;
mod bucket;
mod lanes;
mod settings;
mod weight;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use account::{Account, Running};
pub(crate) use lanes::Place;
use lanes::{Lanes, Size};
pub use settings::{CallLimit, LimitSettings, Rate};
use weight::Scale;
pub(crate) use weight::{Weighed, Weight};

/// Which limit was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The gateway's own bound on what is in flight.
    Capacity,
    /// Calls at once.
    Concurrent,
    /// Calls of one day.
    Day,
    /// Calls in a time.
    Rate,
    /// Calls of one session.
    Session,
}

impl What {
    /// The word in the answer.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Capacity => "in_flight",
            Self::Concurrent => "concurrent",
            Self::Day => "calls_per_day",
            Self::Rate => "rate",
            Self::Session => "calls_per_session",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Capacity => "too much is in flight",
            Self::Concurrent => "too many calls at once",
            Self::Day => "the calls of this day are used up",
            Self::Rate => "calls come too fast",
            Self::Session => "the calls of this session are used up",
        })
    }
}

/// A limit that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Limited {
    pub(crate) what: What,
    /// When it is worth coming back; never, where there is none.
    pub(crate) retry_after: Option<Duration>,
}

impl Limited {
    /// Whole seconds until it is worth coming back, for `Retry-After`: rounded up, at least one.
    pub(crate) fn seconds(&self) -> Option<u64> {
        let after = self.retry_after?;
        let up = u64::from(after.subsec_nanos() > 0);
        Some(after.as_secs().saturating_add(up).max(1))
    }
}

/// How many calls a session has made. It lives and ends with the session.
#[derive(Debug, Default)]
pub(crate) struct Made(AtomicU64);

/// Whose call of what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    pub(crate) principal: &'a str,
    /// The tool; `None` for what is no call of one.
    pub(crate) tool: Option<&'a str>,
    pub(crate) session: &'a Made,
}

/// The limits, and what was used of them.
#[derive(Debug)]
pub(crate) struct Limits {
    settings: LimitSettings,
    // Nothing is configured, so nothing is counted.
    off: bool,
    began: Instant,
    table: Mutex<Table>,
    lanes: Lanes,
    scale: Scale,
}

#[derive(Debug)]
struct Table {
    principals: HashMap<String, Principal>,
    /// The size at which idle entries are looked for again.
    sweep_at: usize,
    /// The most principals there may be.
    most: usize,
}

#[derive(Debug, Default)]
struct Principal {
    own: Account,
    // Only tools that have a limit stand here.
    tools: HashMap<String, Account>,
}

/// A call that was let in. While it lives the call counts among those at once.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Permit {
    // Of the principal, and of the principal's calls of the tool.
    _running: [Option<Running>; 2],
}

impl Limits {
    pub(crate) fn new(settings: LimitSettings, now: Instant) -> Self {
        Self::with_room(settings, now, MAX_PRINCIPALS)
    }

    fn with_room(settings: LimitSettings, now: Instant, most: usize) -> Self {
        let lanes = Lanes::new(Size {
            places: settings.in_flight.get(),
            waiting: settings.waiting,
        });
        let scale = Scale::new(settings.request_bytes);
        let all = settings.principals.values().chain(settings.tools.values());
        let off = all.chain([&settings.default]).all(CallLimit::is_none);
        Self {
            settings,
            off,
            began: now,
            table: Mutex::new(Table {
                principals: HashMap::new(),
                sweep_at: FIRST_SWEEP.min(most),
                most,
            }),
            lanes,
            scale,
        }
    }

    /// Waits for a place among the requests in flight, for at most `patience`. Places go round
    /// among the principals that wait, and how many wait is bounded.
    pub(crate) async fn enter(
        &self,
        principal: &str,
        patience: Duration,
    ) -> Result<Place, Limited> {
        let entered = tokio::time::timeout(patience, self.lanes.enter(principal)).await;
        entered.ok().flatten().ok_or(BUSY)
    }

    /// Lets a call in, and counts it; a call that is refused is not counted.
    pub(crate) fn admit(&self, asker: &Asker<'_>, now: Instant) -> Result<Permit, Limited> {
        if self.off {
            return Ok(Permit::default());
        }
        let Asker {
            principal,
            tool,
            session,
        } = *asker;
        let settings = &self.settings;
        let own = settings.principals.get(principal);
        let own = own.unwrap_or(&settings.default);
        let of_tool = tool.and_then(|tool| Some((tool, settings.tools.get(tool)?)));
        if own.is_none() && of_tool.is_none() {
            return Ok(Permit::default());
        }
        let now = now.saturating_duration_since(self.began);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = table.entry(principal, settings, now)?;
        let made = session.0.load(Ordering::Relaxed);
        if own.per_session.is_some_and(|limit| made >= limit) {
            return Err(Limited {
                what: What::Session,
                retry_after: None,
            });
        }
        // Both are asked before either is charged.
        let charge = entry.own.check(own, now)?;
        let mut permit = Permit::default();
        if let Some((tool, limit)) = of_tool {
            let account = match entry.tools.get_mut(tool) {
                Some(account) => account,
                None => entry.tools.entry(tool.to_owned()).or_default(),
            };
            let charge = account.check(limit, now)?;
            permit._running[1] = account.charge(limit, charge);
        }
        permit._running[0] = entry.own.charge(own, charge);
        session.0.store(made.saturating_add(1), Ordering::Relaxed);
        Ok(permit)
    }

    /// Weighs a request's body while it is read, which breaks off when too much of requests is held
    /// already. The weight is kept for as long as what is made of the body is in use.
    pub(crate) fn weigh<B>(&self, principal: &str, body: B) -> (Weighed<B>, Weight) {
        self.scale.weigh(principal, body)
    }

    /// Bytes of requests that are held.
    pub(crate) fn bytes(&self) -> usize {
        self.scale.bytes()
    }

    /// Requests in flight, and those that wait to be.
    pub(crate) fn load(&self) -> (usize, usize) {
        self.lanes.load()
    }
}

impl Table {
    fn entry(
        &mut self,
        principal: &str,
        settings: &LimitSettings,
        now: Duration,
    ) -> Result<&mut Principal, Limited> {
        let is_known = self.principals.contains_key(principal);
        if !is_known && self.principals.len() >= self.sweep_at {
            self.principals.retain(|name, entry| {
                let own = settings.principals.get(name).unwrap_or(&settings.default);
                entry.tools.retain(|tool, account| {
                    let limit = settings.tools.get(tool);
                    limit.is_some_and(|limit| !account.is_idle(limit, now))
                });
                !entry.tools.is_empty() || !entry.own.is_idle(own, now)
            });
            // Twice as many as are in use: each sweep is paid for by as many arrivals.
            let next = self.principals.len().saturating_mul(2);
            self.sweep_at = next
                .clamp(FIRST_SWEEP, self.most.max(FIRST_SWEEP))
                .min(self.most);
            if self.principals.len() >= self.most {
                return Err(BUSY);
            }
        }
        Ok(self.principals.entry(principal.to_owned()).or_default())
    }
}

/// As much is in flight as there may be.
pub(crate) const BUSY: Limited = Limited {
    what: What::Capacity,
    retry_after: Some(Duration::from_secs(1)),
};
/// Principals that are counted at once, some 300 bytes each; idle ones are forgotten.
const MAX_PRINCIPALS: usize = 100_000;
/// Fewer entries than this are not worth sweeping.
const FIRST_SWEEP: usize = 1_024;

#[cfg(test)]
mod tests;
