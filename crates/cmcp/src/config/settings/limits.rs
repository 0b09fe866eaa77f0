//! Limits on calls.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use cmcp_gateway::{CallLimit, LimitSettings, Rate};

use super::Builder;
use crate::config::{
    fault::{Fault, Problem},
    key::Key,
    keys,
    shape::{self, Shaped},
    values::Value,
};

impl Builder<'_> {
    pub(super) fn limits(&mut self) -> LimitSettings {
        let bound = |key| usize::try_from(self.values.number(key)).unwrap_or(usize::MAX);
        let (in_flight, waiting) = (bound(&keys::LIMITS_IN_FLIGHT), bound(&keys::LIMITS_WAITING));
        let request_bytes = bound(&keys::LIMITS_BYTES);
        let default = match self.shaped(&keys::LIMITS_DEFAULT) {
            Some(limit) => self.limit(keys::LIMITS_DEFAULT.path, &limit),
            None => CallLimit::default(),
        };
        LimitSettings {
            default,
            principals: self.limits_of(&keys::LIMITS_PRINCIPALS),
            tools: self.limits_of(&keys::LIMITS_TOOLS),
            in_flight: NonZeroUsize::new(in_flight).unwrap_or(NonZeroUsize::MIN),
            waiting,
            request_bytes,
        }
    }

    fn limits_of(&mut self, key: &Key) -> BTreeMap<String, CallLimit> {
        let Some(limits) = self.shaped(key) else {
            return BTreeMap::new();
        };
        limits
            .members()
            .map(|(name, limit)| {
                let path = format!("{}.{name}", key.path);
                (name.to_owned(), self.limit(&path, limit))
            })
            .collect()
    }

    fn limit(&mut self, path: &str, limit: &Shaped) -> CallLimit {
        let rate = limit.text("rate").and_then(|item| shape::rate(&item.text));
        let burst = limit.integer("burst");
        if rate.is_none() && burst.is_some() {
            let (key, expected) = (format!("{path}.rate"), "the rate that the burst belongs to");
            let expected = expected.to_owned();
            let fault = Fault::NoValue { key, expected };
            self.problems.push(Problem::at(self.file, limit.at, fault));
        }
        let rate = rate.and_then(|(calls, seconds)| {
            let calls = NonZeroU32::new(calls)?;
            let burst = burst.and_then(|burst| u32::try_from(burst).ok());
            Some(Rate {
                calls,
                per: Duration::from_secs(seconds),
                burst: burst.and_then(NonZeroU32::new).unwrap_or(calls),
            })
        });
        let number = |name: &str| limit.integer(name).and_then(|n| u64::try_from(n).ok());
        CallLimit {
            rate,
            per_day: number("calls_per_day"),
            per_session: number("calls_per_session"),
            concurrent: number("concurrent"),
        }
    }

    fn shaped(&self, key: &Key) -> Option<Shaped> {
        match self.values.value(key) {
            Some(Value::Shaped(shaped)) => Some(shaped),
            _ => None,
        }
    }
}
