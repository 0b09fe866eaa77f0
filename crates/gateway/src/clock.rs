//! The one way the gateway learns the time.

use std::{fmt, sync::Arc};

use cmcp_evidence::Timestamp;

/// A clock that is handed in, so that every other line takes the time as a value.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock of one's own; tests set it back with this.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The operating system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(system_now)
    }

    /// The time now, as seconds since 1970.
    #[must_use]
    pub fn unix_seconds(&self) -> i64 {
        crate::oauth::seconds(self.now())
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the gateway's one reading of the system clock"
)]
fn system_now() -> Timestamp {
    let micros =
        match std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            // A clock before 1970 is a clock that was never set: records refuse such a time.
            Err(_) => 0,
        };
    Timestamp::from_micros(micros)
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
