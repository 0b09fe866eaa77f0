//! The end of a session: no further call, the last entry, the records, the seal.

mod documents;
mod notes;

use std::{sync::Arc, time::Duration};

use cmcp_record::audit::{
    KillSwitch as KillEntry, Kind, RecordPer as LogRecordPer, SessionEnd, SessionStart, Switched,
    Text,
};

use crate::{
    call::{self, Call},
    ledger::{AppendRequest, Durability, LedgerError, Pending, Receipt},
    refusal::Refusal,
    sessions::{EnterError, NewSession, Session, Stay},
    settings::RecordPer,
    startup::Gateway,
};
pub(crate) use documents::{SealError, Sealing, Terms};
pub(crate) use notes::{Noted, audited};

/// Why a session was not closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CloseError {
    /// Somebody else is closing it.
    #[error("the session is being closed already")]
    Closing,
    /// Its records could not be made or stored; it stays open.
    #[error("{0}")]
    Seal(#[from] SealError),
}

impl From<LedgerError> for CloseError {
    fn from(error: LedgerError) -> Self {
        Self::Seal(error.into())
    }
}

/// What a reset did.
#[derive(Debug)]
pub(crate) struct ResetDone {
    pub(crate) old: String,
    pub(crate) new: String,
    pub(crate) closed_sensitivity: String,
    pub(crate) resets: u64,
    pub(crate) stale: bool,
}

/// A session that is named before it begins.
#[derive(Debug)]
pub(crate) struct Successor {
    /// Its id.
    pub(crate) id: String,
    /// The id of the one before.
    pub(crate) of: String,
}

impl Gateway {
    /// The first entry of a session's log, queued before any other.
    pub(crate) fn open_log(&self, session: &Session) -> Result<Pending, Refusal> {
        let view = session.view();
        let start = SessionStart {
            binary: self.settings.binary_digest,
            catalog: self.rules().catalog.hash(),
            config: self.settings.config_digest,
            durability_read: cmcp_record::audit::Durability::Process,
            durability_write: cmcp_record::audit::Durability::Disk,
            evidence: self.evidence.digest(),
            inherited: view.max_sensitivity.rank() > 0,
            label: session.label.as_deref().map(Text::new),
            mode: call::mode(self.settings.mode),
            platform: Text::new(self.evidence.platform_name()),
            policy: session.noted().policy().hash,
            predecessor: session.predecessor.as_deref().map(Text::new),
            principal: Text::new(&session.principal.name),
            record_per: match self.settings.record_per {
                RecordPer::Call => LogRecordPer::Call,
                RecordPer::Session => LogRecordPer::Session,
            },
            sensitivity: Text::new(view.max_sensitivity.name()),
        };
        let first = AppendRequest::plain(
            session.log,
            Kind::SessionStart(Box::new(start)),
            Durability::Process,
        );
        Ok(self.ledger.open(
            session.id.clone(),
            session.principal.name.clone(),
            session.label.clone(),
            first,
        )?)
    }

    /// Closes a session and answers with its envelope.
    pub(crate) async fn close_session(
        &self,
        session: &Arc<Session>,
        reason: &str,
    ) -> Result<Vec<u8>, CloseError> {
        if !session.start_closing() {
            return Err(CloseError::Closing);
        }
        let closed = match session.ended() {
            Some(sealing) => self.seal(sealing).await.map_err(CloseError::from),
            None => {
                self.drain(session).await;
                let end = self.ending(session, reason);
                self.close_with(session, end).await
            }
        };
        self.settle(session, closed)
    }

    /// The operator's reset: the session is closed, and its principal starts again at `public`.
    pub(crate) async fn reset_session(
        &self,
        session: &Arc<Session>,
        reason: &str,
    ) -> Result<ResetDone, CloseError> {
        let new = crate::ids::uuid().map_err(|_| SealError::Randomness)?;
        if !session.start_closing() {
            return Err(CloseError::Closing);
        }
        self.drain(session).await;
        // Taken after the last call of the session has raised it, and cleared only now: until here
        // every new session of the principal still starts with what was seen.
        let sensitivity = session.view().max_sensitivity;
        let before = session.seen().reset();
        let resets = session.seen().view().reset_count;
        let end = SessionEnd {
            reason: Text::new(&format!("reset {resets} by the operator: {reason}")),
            sensitivity: Text::new(sensitivity.name()),
            successor: Some(Text::new(&new)),
        };
        let closed = self.close_with(session, end).await;
        if closed.is_err() {
            // What could not be recorded did not happen.
            session.seen().put_back(before);
        }
        self.settle(session, closed)?;
        self.open_successor(session, &new);
        Ok(ResetDone {
            old: session.id.clone(),
            new,
            closed_sensitivity: sensitivity.name().to_owned(),
            resets,
            stale: !self.evidence.is_fresh(self.clock.now()),
        })
    }

    /// Stores the block and closes the principal's sessions; the last envelope, if any.
    pub(crate) async fn kill(
        &self,
        agent: &str,
        reason: &str,
        authorized_by: &str,
    ) -> Result<Option<Vec<u8>>, CloseError> {
        self.ledger
            .block(agent.to_owned(), Some(reason.to_owned()))
            .await?;
        self.kill_switch.stored(agent);
        // Whatever its client was asked, no answer of it counts any more.
        self.parking.forget(agent);
        let mut claim = Ok(None);
        for session in self.sessions.all() {
            if session.principal.name != agent || !session.start_closing() {
                continue;
            }
            // Behind this entry no call was let through: those under way end before it.
            self.drain(&session).await;
            let entry = kill_entry(agent, reason, authorized_by, Switched::Tripped);
            let closed = match self.note(&session, entry).await {
                Ok(()) => {
                    let end = self.ending(&session, "kill_switch");
                    self.close_with(&session, end).await
                }
                Err(error) => Err(error.into()),
            };
            // One that cannot be sealed now keeps no other open.
            claim = self.settle(&session, closed).map(Some);
        }
        claim
    }

    /// Opens the principal's next session with the operator's order as its second entry.
    pub(crate) async fn open_after_unblock(
        &self,
        agent: &str,
        reason: &str,
        authorized_by: &str,
    ) -> Option<String> {
        let principal = self
            .principals
            .iter()
            .chain(std::iter::once(&self.anonymous))
            .find(|principal| principal.name == agent)?;
        let stay = self.stay(principal, None, None).ok()?;
        let entry = kill_entry(agent, reason, authorized_by, Switched::Unblocked);
        self.note(&stay.0, entry).await.ok()?;
        Some(stay.0.id.clone())
    }

    /// Closes every session, at the gateway's own end.
    pub(crate) async fn close_all(&self, reason: &str) {
        for session in self.sessions.all() {
            match self.close_session(&session, reason).await {
                Ok(_) => {}
                Err(CloseError::Closing) => self.sealed_elsewhere(&session).await,
                Err(error) => {
                    tracing::error!(session = %session.id, %error, "a session was not sealed; the next start seals it");
                }
            }
        }
    }

    /// Waits for whoever is closing a session, as long as closing may take.
    async fn sealed_elsewhere(&self, session: &Session) {
        let sealed = async {
            while self.sessions.find(&session.id, None).is_some() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let patience = self.settings.session_drain.saturating_add(SEAL_PATIENCE);
        if tokio::time::timeout(patience, sealed).await.is_err() {
            tracing::error!(session = %session.id, "a session was not sealed in time; the next start seals it");
        }
    }

    /// Enters or opens a session of a principal; the new one may have a name already.
    pub(crate) fn stay(
        &self,
        principal: &Arc<cmcp_policy::engine::Principal>,
        label: Option<&str>,
        successor: Option<Successor>,
    ) -> Result<Stay, EnterError<Refusal>> {
        let new = || {
            let (id, predecessor) = match successor {
                Some(Successor { id, of }) => (id, Some(of)),
                None => {
                    let id = crate::ids::uuid();
                    let fault = |_| Refusal::Fault("no randomness from the system");
                    (id.map_err(fault)?, None)
                }
            };
            Ok(NewSession {
                id,
                predecessor,
                noted: Noted::first(&self.rules()),
            })
        };
        let open = |session: &Session| self.open_log(session);
        let now = self.clock.now();
        self.sessions.enter((principal, label), now, new, open)
    }

    /// The trust record of one call, where one is made per call.
    pub(crate) async fn per_call_record(
        &self,
        session: &Session,
        call_id: &str,
        receipt: &Receipt,
    ) -> Result<(), Refusal> {
        if self.settings.record_per == RecordPer::Session {
            return Ok(());
        }
        let sealing = Sealing {
            log: session.log,
            id: session.id.clone(),
            principal: session.principal.name.clone(),
            label: session.label.clone(),
            root: receipt.root,
            calls: receipt.calls,
            data_class: session.view().max_sensitivity.name().to_owned(),
            terms: self.terms(session),
        };
        let record = self
            .trust_record(&sealing)
            .map_err(|_| Refusal::Fault("the call's trust record could not be made"))?;
        self.ledger
            .call_record(session.log, call_id.to_owned(), record)
            .await?;
        Ok(())
    }

    fn ending(&self, session: &Session, reason: &str) -> SessionEnd {
        SessionEnd {
            reason: Text::new(reason),
            sensitivity: Text::new(session.view().max_sensitivity.name()),
            successor: None,
        }
    }

    /// Waits for the calls in flight, and ends those that take too long.
    async fn drain(&self, session: &Arc<Session>) {
        let drained = tokio::time::timeout(self.settings.session_drain, session.drained()).await;
        if drained.is_err() {
            // What the upstream does with them nobody knows; the log says so, and then ends.
            tracing::warn!(session = %session.id, "closing with calls in flight; they end as unknown");
            session.abort();
            session.drained().await;
        }
        self.end_tasks_of(session).await;
    }

    async fn close_with(
        &self,
        session: &Arc<Session>,
        end: SessionEnd,
    ) -> Result<Vec<u8>, CloseError> {
        self.catch_up(session, &self.rules()).await?;
        let data_class = end.sensitivity.as_str().to_owned();
        let request = AppendRequest {
            log: session.log,
            kind: Kind::SessionEnd(end),
            durability: Durability::Disk,
            salts: None,
            mark: Some(session.seen().mark()),
        };
        // Nothing is queued behind the end: whoever tells the log anything holds the same lock.
        let queued = {
            let mut noted = session.noted();
            let queued = self.ledger.queue(request)?;
            noted.end();
            queued
        };
        let receipt = match self.ledger.receive(queued).await {
            Ok(receipt) => receipt,
            Err(error) => {
                session.noted().go_on();
                return Err(error.into());
            }
        };
        let sealing = Sealing {
            log: session.log,
            id: session.id.clone(),
            principal: session.principal.name.clone(),
            label: session.label.clone(),
            root: receipt.root,
            calls: receipt.calls,
            data_class,
            terms: self.terms(session),
        };
        session.end(sealing.clone());
        Ok(self.seal(sealing).await?)
    }

    // A session that could not be sealed stays, so that closing it can be tried again.
    fn settle(
        &self,
        session: &Arc<Session>,
        closed: Result<Vec<u8>, CloseError>,
    ) -> Result<Vec<u8>, CloseError> {
        match closed {
            Ok(claim) => {
                self.sessions.remove(session);
                self.telemetry.sealed();
                Ok(claim)
            }
            Err(error) => {
                session.stop_closing();
                Err(error)
            }
        }
    }

    fn open_successor(&self, session: &Session, id: &str) {
        let successor = Successor {
            id: id.to_owned(),
            of: session.id.clone(),
        };
        if self
            .stay(
                &session.principal,
                session.label.as_deref(),
                Some(successor),
            )
            .is_err()
        {
            tracing::warn!(principal = %session.principal.name, "the successor is opened with the next call");
        }
    }

    /// The operational log's line: identifiers and codes, never arguments or responses.
    pub(crate) fn log_line(
        &self,
        outcome: &Result<call::Cleared, Refusal>,
        session: &Session,
        call: &Call,
        call_id: &str,
    ) {
        let Err(refusal) = outcome else { return };
        tracing::info!(
            session = %session.id,
            call = %call_id,
            principal = %call.principal.name,
            code = refusal.code().as_str(),
            "a call was refused"
        );
    }
}

fn kill_entry(agent: &str, reason: &str, authorized_by: &str, switched: Switched) -> Kind {
    Kind::KillSwitch(KillEntry {
        agent: Text::new(agent),
        authorized_by: Some(Text::new(authorized_by)),
        reason: Text::new(reason),
        switched,
    })
}

/// How often the end of somebody else's closing is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long sealing may take beyond the wait for calls in flight.
const SEAL_PATIENCE: Duration = Duration::from_secs(10);
