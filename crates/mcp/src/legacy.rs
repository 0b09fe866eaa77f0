//! Transport sessions of the legacy era: who holds which session id.
//!
//! The only place where such ids exist. Governance sessions are another thing and do not lean on
//! these.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::server::session::{Handshake, Session, Shared};

/// The transport sessions that are open. Pure: the caller brings random bytes and the time.
#[derive(Debug)]
pub struct Sessions {
    bounds: Bounds,
    shared: Shared,
    open: HashMap<Arc<str>, Entry>,
    held: HashMap<Arc<str>, HashSet<Arc<str>>>,
}

/// How many sessions there may be, and for how long one may lie idle.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Sessions of all principals together.
    pub total: usize,
    /// Sessions of one principal; one more ends that principal's longest idle one.
    pub per_principal: usize,
    /// After this long without a request, and without a stream that somebody reads, a session is
    /// ended.
    pub idle: Duration,
}

/// What kind of session to open.
#[derive(Clone, Debug)]
pub enum Opening {
    /// Of Streamable HTTP, after its handshake.
    Http(Handshake),
    /// The pair of 2024-11-05, whose handshake is still to come.
    Pair,
}

#[derive(Debug)]
struct Entry {
    principal: Arc<str>,
    session: Session,
    last_used: Instant,
}

/// Whose a session id is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Lookup {
    /// The asking principal's.
    Own(Session),
    /// Another principal's: answered like an unknown one, and worth an audit entry.
    Foreign,
    /// Nobody's, or it has ended.
    Unknown,
}

/// A session id, made here only.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct SessionId(Arc<str>);

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
            shared: Shared::default(),
            open: HashMap::new(),
            held: HashMap::new(),
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
        opening: Opening,
        now: Instant,
    ) -> Result<Session, TableFull> {
        let mine = self.held.get(principal).map_or(0, HashSet::len);
        if mine >= self.bounds.per_principal {
            self.end_longest_idle(principal);
        }
        if self.open.len() >= self.bounds.total {
            self.expire(now);
        }
        if self.open.len() >= self.bounds.total {
            return Err(TableFull {
                total: self.bounds.total,
            });
        }
        let id = SessionId::from_random(random);
        let session = match opening {
            Opening::Http(handshake) => Session::http(id.clone(), handshake, &self.shared),
            Opening::Pair => Session::pair(id.clone(), &self.shared),
        };
        let principal: Arc<str> = principal.into();
        let entry = Entry {
            principal: Arc::clone(&principal),
            session: session.clone(),
            last_used: now,
        };
        self.held
            .entry(principal)
            .or_default()
            .insert(Arc::clone(&id.0));
        self.open.insert(id.0, entry);
        Ok(session)
    }

    /// Says whose an id is, and counts that as use when it is the asker's own.
    pub fn look_up(&mut self, id: &str, principal: &str, now: Instant) -> Lookup {
        let idle = self.bounds.idle;
        let Some(entry) = self.open.get_mut(id) else {
            return Lookup::Unknown;
        };
        if entry.is_over(now, idle) {
            self.remove(id);
            return Lookup::Unknown;
        }
        if *entry.principal != *principal {
            return Lookup::Foreign;
        }
        entry.last_used = now;
        Lookup::Own(entry.session.clone())
    }

    /// Ends a session of this principal; says whose the id was.
    pub fn end(&mut self, id: &str, principal: &str, now: Instant) -> Lookup {
        let found = self.look_up(id, principal, now);
        match &found {
            Lookup::Own(_) => self.remove(id),
            Lookup::Foreign | Lookup::Unknown => {}
        }
        found
    }

    /// Ends what has been idle too long.
    pub fn expire(&mut self, now: Instant) {
        let idle = self.bounds.idle;
        let over: Vec<_> = self
            .open
            .iter_mut()
            .filter_map(|(id, entry)| entry.is_over(now, idle).then(|| Arc::clone(id)))
            .collect();
        for id in over {
            self.remove(&id);
        }
    }

    /// Ends all streams that no request is waiting on: the server is about to stop.
    pub fn close_streams(&self) {
        self.iter().for_each(Session::close_streams);
    }

    /// The sessions that are open, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.open.values().map(|entry| &entry.session)
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

    fn end_longest_idle(&mut self, principal: &str) {
        let mine = self.held.get(principal).into_iter().flatten();
        let oldest = mine
            .filter_map(|id| Some((id, self.open.get(id)?.last_used)))
            .min_by_key(|(_, last_used)| *last_used);
        if let Some(id) = oldest.map(|(id, _)| Arc::clone(id)) {
            self.remove(&id);
        }
    }

    fn remove(&mut self, id: &str) {
        let Some(entry) = self.open.remove(id) else {
            return;
        };
        if let Some(mine) = self.held.get_mut(&entry.principal) {
            mine.remove(id);
            if mine.is_empty() {
                self.held.remove(&entry.principal);
            }
        }
        entry.session.end();
    }
}

impl Entry {
    /// Whether it has ended, or nobody has used it for too long. A stream that is read is use.
    fn is_over(&mut self, now: Instant, idle: Duration) -> bool {
        if self.session.is_ended() {
            return true;
        }
        if now.saturating_duration_since(self.last_used) <= idle {
            return false;
        }
        if self.session.is_busy() {
            self.last_used = now;
            return false;
        }
        true
    }
}

impl SessionId {
    /// An id that carries all of these bits.
    #[must_use]
    pub fn from_random(random: &[u8; 32]) -> Self {
        let hex = random.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let text: String = hex
            .filter_map(|digit| char::from_digit(digit.into(), 16))
            .collect();
        Self(text.into())
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
