//! Transport sessions of the legacy era: who holds which `Mcp-Session-Id`.
//!
//! The only place where such sessions exist. Governance sessions are another thing and do not
//! lean on these.

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

use crate::version::Version;

/// The transport sessions that are open. Pure: the caller brings random bytes and the time.
#[derive(Debug)]
pub struct Sessions {
    bounds: Bounds,
    open: HashMap<String, Session>,
}

/// How many sessions there may be, and for how long one may lie idle.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Sessions of all principals together.
    pub total: usize,
    /// Sessions of one principal; one more ends that principal's longest idle one.
    pub per_principal: usize,
    /// After this long without a request a session is ended.
    pub idle: Duration,
}

/// One transport session.
#[derive(Clone, Debug)]
pub struct Session {
    principal: String,
    version: Version,
    last_used: Instant,
}

/// Whose a session id is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lookup {
    /// The asking principal's.
    Own(Version),
    /// Another principal's: answered like an unknown one, and worth an audit entry.
    Foreign,
    /// Nobody's, or it has ended.
    Unknown,
}

/// A session id, made here only.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct SessionId(String);

/// All the sessions there may be are in use.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{total} transport sessions are open, which is the limit; end one or try again later")]
pub struct TableFull {
    /// The limit.
    pub total: usize,
}

impl Sessions {
    /// An empty table.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            open: HashMap::new(),
        }
    }

    /// Opens a session for a principal; `random` comes fresh from the operating system.
    ///
    /// # Errors
    /// [`TableFull`] when other principals hold every place.
    pub fn open(
        &mut self,
        random: &[u8; 32],
        principal: &str,
        version: Version,
        now: Instant,
    ) -> Result<SessionId, TableFull> {
        self.expire(now);
        if self.held_by(principal).count() >= self.bounds.per_principal {
            self.end_longest_idle(principal);
        }
        if self.open.len() >= self.bounds.total {
            return Err(TableFull {
                total: self.bounds.total,
            });
        }
        let id = SessionId::from_random(random);
        let session = Session {
            principal: principal.to_owned(),
            version,
            last_used: now,
        };
        self.open.insert(id.0.clone(), session);
        Ok(id)
    }

    /// Says whose an id is, and counts that as use when it is the asker's own.
    pub fn look_up(&mut self, id: &str, principal: &str, now: Instant) -> Lookup {
        let idle = self.bounds.idle;
        match self.open.get_mut(id) {
            Some(session) if session.idle_at(now) > idle => {
                self.open.remove(id);
                Lookup::Unknown
            }
            Some(session) if session.principal == principal => {
                session.last_used = now;
                Lookup::Own(session.version)
            }
            Some(_) => Lookup::Foreign,
            None => Lookup::Unknown,
        }
    }

    /// Ends a session of this principal; says whose the id was.
    pub fn end(&mut self, id: &str, principal: &str, now: Instant) -> Lookup {
        let found = self.look_up(id, principal, now);
        if matches!(found, Lookup::Own(_)) {
            self.open.remove(id);
        }
        found
    }

    /// Ends what has been idle too long.
    pub fn expire(&mut self, now: Instant) {
        let idle = self.bounds.idle;
        self.open.retain(|_, session| session.idle_at(now) <= idle);
    }

    /// How many sessions are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn held_by(&self, principal: &str) -> impl Iterator<Item = (&String, &Session)> {
        self.open
            .iter()
            .filter(move |(_, session)| session.principal == principal)
    }

    fn end_longest_idle(&mut self, principal: &str) {
        let oldest = self
            .held_by(principal)
            .min_by_key(|(_, session)| session.last_used);
        if let Some(id) = oldest.map(|(id, _)| id.clone()) {
            self.open.remove(&id);
        }
    }
}

impl Session {
    fn idle_at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_used)
    }
}

impl SessionId {
    fn from_random(random: &[u8; 32]) -> Self {
        let hex = random.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        Self(
            hex.filter_map(|digit| char::from_digit(digit.into(), 16))
                .collect(),
        )
    }

    /// The id as it goes into the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
