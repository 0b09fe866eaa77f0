//! What was used of one limit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{CallLimit, Limited, What, bucket::Bucket};

/// Calls of one principal, or of one principal's use of one tool.
#[derive(Debug, Default)]
pub(super) struct Account {
    bucket: Bucket,
    day: Day,
    running: Arc<AtomicU64>,
}

/// Calls of the day that began with the first of them.
#[derive(Clone, Copy, Debug, Default)]
struct Day {
    began: Duration,
    calls: u64,
}

/// The account after one more call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge {
    bucket: Bucket,
    day: Day,
}

/// One of the calls at once.
#[derive(Debug)]
pub(super) struct Running(Arc<AtomicU64>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Account {
    /// What one more call would make of it.
    pub(super) fn check(&self, limit: &CallLimit, now: Duration) -> Result<Charge, Limited> {
        let CallLimit {
            rate,
            per_day,
            per_session: _,
            concurrent,
        } = limit;
        let mut day = self.day;
        if now >= day.began.saturating_add(DAY) || day.calls == 0 {
            day = Day {
                began: now,
                calls: 0,
            };
        }
        if per_day.is_some_and(|most| day.calls >= most) {
            let ends = day.began.saturating_add(DAY);
            return Err(limited(What::Day, ends.saturating_sub(now)));
        }
        day.calls = day.calls.saturating_add(1);
        if concurrent.is_some_and(|most| self.running.load(Ordering::Acquire) >= most) {
            return Err(limited(What::Concurrent, SOON));
        }
        let bucket = match rate {
            None => self.bucket,
            Some(rate) => self
                .bucket
                .take(rate, now)
                .map_err(|wait| limited(What::Rate, wait))?,
        };
        Ok(Charge { bucket, day })
    }

    /// Takes the call into account.
    pub(super) fn charge(&mut self, limit: &CallLimit, charge: Charge) -> Option<Running> {
        let Charge { bucket, day } = charge;
        (self.bucket, self.day) = (bucket, day);
        limit.concurrent?;
        self.running.fetch_add(1, Ordering::AcqRel);
        Some(Running(Arc::clone(&self.running)))
    }

    /// Whether it says nothing that a new one would not say.
    pub(super) fn is_idle(&self, limit: &CallLimit, now: Duration) -> bool {
        let day_over = limit.per_day.is_none() || now >= self.day.began.saturating_add(DAY);
        day_over && self.bucket.is_full(now) && self.running.load(Ordering::Acquire) == 0
    }
}

fn limited(what: What, after: Duration) -> Limited {
    Limited {
        what,
        retry_after: Some(after),
    }
}

const DAY: Duration = Duration::from_secs(86_400);
/// When a call that met too many others may look again.
const SOON: Duration = Duration::from_secs(1);
