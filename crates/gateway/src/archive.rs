//! A gateway's database read from outside: sealed sessions, their records and their logs. The
//! gateway may be running beside it, or be gone for good.

use std::{
    io::{self, Write},
    path::Path,
};

use cmcp_record::export::{CompatExport, SignedCheckpoint, WriteError, Writer};

use crate::store::{LogRow, Reader, StoreError, StoredSeal};

/// An audit database, read only.
#[derive(Debug)]
pub struct Archive(Reader);

/// A session in the database.
#[derive(Clone, Debug)]
pub struct ArchivedSession(LogRow);

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportForm {
    /// The Python cMCP 0.7.1's.
    Compat,
    /// Ours.
    Ours,
}

/// Why the archive gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The database cannot be read.
    #[error("{0}")]
    Store(String),
    /// The session was never sealed, so that nothing of it is signed.
    #[error("session `{0}` is still open; close it, or let the gateway seal it at its next start")]
    Open(String),
    /// What was signed does not read back.
    #[error("the stored signatures of session `{0}` are damaged")]
    Seal(String),
    /// The log does not read back.
    #[error("the stored log of session `{session}` does not hold together: {cause}")]
    Log {
        /// The session.
        session: String,
        /// The first fault.
        cause: String,
    },
    /// The receiver failed.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

impl From<StoreError> for ArchiveError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

impl ArchivedSession {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Whose it is.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.0.principal
    }

    /// The principal's own name for it.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// Whether it was sealed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.closed
    }
}

impl Archive {
    /// Opens the database at `path`, which must exist.
    ///
    /// # Errors
    /// It cannot be read, or is no database of ours.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        Ok(Self(Reader::open(path)?))
    }

    /// Every session, oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn sessions(&self) -> Result<Vec<ArchivedSession>, ArchiveError> {
        Ok(self.0.logs()?.into_iter().map(ArchivedSession).collect())
    }

    /// The session with that id, or the newest that its principal called so.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn session(&self, id: &str) -> Result<Option<ArchivedSession>, ArchiveError> {
        let found = match self.0.log(id)? {
            Some(row) => Some(row),
            None => self
                .0
                .logs()?
                .into_iter()
                .rev()
                .find(|row| row.label.as_deref() == Some(id)),
        };
        Ok(found.map(ArchivedSession))
    }

    /// The plain trust record.
    ///
    /// # Errors
    /// The session is open, or the database cannot be read.
    pub fn record(&self, session: &ArchivedSession) -> Result<Vec<u8>, ArchiveError> {
        self.0.record(session.0.key)?.ok_or_else(|| session.open())
    }

    /// The envelope for verifiers of the Python cMCP.
    ///
    /// # Errors
    /// The session is open, or the database cannot be read.
    pub fn claim(&self, session: &ArchivedSession) -> Result<Vec<u8>, ArchiveError> {
        self.0.claim(session.0.key)?.ok_or_else(|| session.open())
    }

    /// Writes the session's log, with the signature made when it was sealed.
    ///
    /// # Errors
    /// The session is open, its log does not hold together, or the receiver failed.
    pub fn export(
        &self,
        session: &ArchivedSession,
        form: ExportForm,
        out: impl Write,
    ) -> Result<(), ArchiveError> {
        let seal = self.0.seal(session.0.key)?.ok_or_else(|| session.open())?;
        match form {
            ExportForm::Ours => self.ours(session, &seal, out),
            ExportForm::Compat => self.compat(session, &seal, out),
        }
    }

    fn ours(
        &self,
        session: &ArchivedSession,
        seal: &StoredSeal,
        out: impl Write,
    ) -> Result<(), ArchiveError> {
        let checkpoint = seal.checkpoint().ok_or_else(|| session.damaged())?;
        let broken = |error| self.broken(session, Some(&checkpoint), error);
        let mut writer = Writer::new(out, session.id())?;
        self.0
            .entries(session.0.key, &mut |entry| writer.entry(entry))?
            .map_err(broken)?;
        writer.finish(&checkpoint).map_err(broken)?;
        Ok(())
    }

    fn compat(
        &self,
        session: &ArchivedSession,
        seal: &StoredSeal,
        out: impl Write,
    ) -> Result<(), ArchiveError> {
        let signature = seal.bundle_signature().ok_or_else(|| session.damaged())?;
        let checkpoint = seal.checkpoint();
        let broken = |error| self.broken(session, checkpoint.as_ref(), error);
        let mut writer = CompatExport::new(out, session.id())?;
        self.0
            .entries(session.0.key, &mut |entry| writer.entry(entry))?
            .map_err(broken)?;
        writer.finish(&signature).map_err(broken)?;
        Ok(())
    }

    /// Writing stopped at the first entry that did not fit; which one is to blame, its neighbours
    /// tell.
    fn broken(
        &self,
        session: &ArchivedSession,
        signed: Option<&SignedCheckpoint>,
        error: WriteError,
    ) -> ArchiveError {
        let first = match error {
            WriteError::Io(error) => return ArchiveError::Write(error),
            WriteError::Log(_) | WriteError::Checkpoint => error.to_string(),
        };
        match self.0.examine(&session.0, signed) {
            Ok(found) => ArchiveError::Log {
                session: session.0.id.clone(),
                cause: found.problems.first().map_or(first, ToString::to_string),
            },
            Err(error) => error.into(),
        }
    }
}

impl ArchivedSession {
    fn open(&self) -> ArchiveError {
        ArchiveError::Open(self.0.id.clone())
    }

    fn damaged(&self) -> ArchiveError {
        ArchiveError::Seal(self.0.id.clone())
    }
}
