//! Reading beside the writer: exports, records, recovery.

use std::{convert::Infallible, path::Path, sync::Mutex};

use cmcp_evidence::{PublicKey, Signature};
use cmcp_json::Limits;
use cmcp_record::export::{Checkpoint, Examination, ExportFailure, SignedCheckpoint};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{PER_LOG, StoreError, read_error, schema};

/// A read-only connection.
#[derive(Debug)]
pub(crate) struct Reader {
    connection: Mutex<Connection>,
    path: std::path::PathBuf,
}

/// Some entries of a log, and the place of the last of them.
#[derive(Default)]
struct Page {
    bodies: Vec<Vec<u8>>,
    end: Option<i64>,
}

/// A log's row.
#[derive(Clone, Debug)]
pub(crate) struct LogRow {
    pub(crate) key: i64,
    pub(crate) id: String,
    pub(crate) principal: String,
    pub(crate) label: Option<String>,
    pub(crate) closed: bool,
}

/// What a principal's sessions have seen.
#[derive(Clone, Debug)]
pub(crate) struct MarkRow {
    pub(crate) principal: String,
    /// Rises with every change.
    pub(crate) version: u64,
    pub(crate) sensitivity: String,
    pub(crate) resets: u64,
    /// Labels, tools and injection events, as JSON.
    pub(crate) seen: String,
}

/// The signatures of a sealed log.
#[derive(Debug)]
pub(crate) struct StoredSeal {
    checkpoint: Vec<u8>,
    key: String,
    signature: String,
    bundle_signature: String,
}

impl StoredSeal {
    /// The checkpoint signed when the log was closed; `None` when the row is damaged.
    pub(crate) fn checkpoint(&self) -> Option<SignedCheckpoint> {
        let members = cmcp_json::parse(&self.checkpoint, &Limits::DOCUMENT).ok()?;
        Some(SignedCheckpoint {
            checkpoint: Checkpoint::from_value(&members)?,
            key: PublicKey::from_b64url(&self.key).ok()?,
            signature: Signature::from_b64url(&self.signature).ok()?,
        })
    }

    /// The older export's signature; `None` when the row is damaged.
    pub(crate) fn bundle_signature(&self) -> Option<Signature> {
        Signature::from_b64url(&self.bundle_signature).ok()
    }
}

impl Reader {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(path, flags).map_err(|e| read_error(path, &e))?;
        schema::check(&connection, path)?;
        Ok(Self {
            connection: Mutex::new(connection),
            path: path.to_owned(),
        })
    }

    /// Hands every entry that a log has now to `each`, in order, a page at a time: whoever is slow to
    /// take them holds up no other reader, and no checkpoint.
    pub(crate) fn entries<E>(
        &self,
        log: i64,
        each: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Result<(), E>, StoreError> {
        let first = log.saturating_mul(PER_LOG);
        let last: Option<i64> = self.with(|connection| {
            connection
                .prepare_cached("SELECT max(place) FROM entries WHERE place >= ?1 AND place < ?2")?
                .query_row(params![first, first.saturating_add(PER_LOG)], |row| {
                    row.get(0)
                })
        })?;
        let mut rest = last.map(|last| (first, last));
        while let Some((from, last)) = rest {
            let Page { bodies, end } = self.page(from, last)?;
            for body in bodies {
                if let Err(error) = each(&body) {
                    return Ok(Err(error));
                }
            }
            rest = end
                .filter(|end| *end < last)
                .map(|end| (end.saturating_add(1), last));
        }
        Ok(Ok(()))
    }

    fn page(&self, from: i64, last: i64) -> Result<Page, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT place, body FROM entries WHERE place BETWEEN ?1 AND ?2 ORDER BY place",
            )?;
            let mut rows = statement.query(params![from, last])?;
            let mut page = Page::default();
            let mut bytes = 0_usize;
            while bytes < PAGE_BYTES
                && let Some(row) = rows.next()?
            {
                let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
                bytes = bytes.saturating_add(body.len());
                page.bodies.push(body.to_vec());
                page.end = Some(row.get(0)?);
            }
            Ok(page)
        })
    }

    /// What is wrong with a log that does not read back, entry by entry; `signed` is what it was
    /// sealed with.
    pub(crate) fn examine(
        &self,
        log: &LogRow,
        signed: Option<&SignedCheckpoint>,
    ) -> Result<Box<ExportFailure>, StoreError> {
        let mut examination = Examination::default();
        let read = self.entries(log.key, &mut |stored| {
            examination.entry(stored);
            Ok::<(), Infallible>(())
        })?;
        match read {
            Ok(()) => Ok(examination.conclude(&log.id, signed)),
            Err(never) => match never {},
        }
    }

    /// Logs that were never closed: those of a crash, when asked at start.
    pub(crate) fn open_logs(&self) -> Result<Vec<LogRow>, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT key, id, principal, label, closed FROM logs WHERE closed IS NULL ORDER BY key",
            )?;
            statement.query_map([], log_row)?.collect()
        })
    }

    /// Every log, oldest first.
    pub(crate) fn logs(&self) -> Result<Vec<LogRow>, StoreError> {
        self.with(|connection| {
            let mut statement = connection
                .prepare("SELECT key, id, principal, label, closed FROM logs ORDER BY key")?;
            statement.query_map([], log_row)?.collect()
        })
    }

    /// The log with this id.
    pub(crate) fn log(&self, id: &str) -> Result<Option<LogRow>, StoreError> {
        self.with(|connection| {
            connection
                .prepare_cached("SELECT key, id, principal, label, closed FROM logs WHERE id = ?1")?
                .query_row(params![id], log_row)
                .optional()
        })
    }

    /// The newest log of `principal` under `label`; `closed` narrows it to sealed ones.
    pub(crate) fn labelled(
        &self,
        principal: &str,
        label: &str,
    ) -> Result<Option<LogRow>, StoreError> {
        self.with(|connection| {
            connection
                .prepare_cached(
                    "SELECT key, id, principal, label, closed FROM logs
                     WHERE principal = ?1 AND label = ?2 ORDER BY key DESC LIMIT 1",
                )?
                .query_row(params![principal, label], log_row)
                .optional()
        })
    }

    /// The plain trust record of a sealed log.
    pub(crate) fn record(&self, log: i64) -> Result<Option<Vec<u8>>, StoreError> {
        self.blob("SELECT record FROM logs WHERE key = ?1", log)
    }

    /// The compatibility envelope of a sealed log.
    pub(crate) fn claim(&self, log: i64) -> Result<Option<Vec<u8>>, StoreError> {
        self.blob("SELECT claim FROM logs WHERE key = ?1", log)
    }

    /// The signatures of a sealed log.
    pub(crate) fn seal(&self, log: i64) -> Result<Option<StoredSeal>, StoreError> {
        self.with(|connection| {
            connection
                .prepare_cached(
                    "SELECT checkpoint, signer, signature, bundle_signature FROM logs
                     WHERE key = ?1 AND closed IS NOT NULL",
                )?
                .query_row(params![log], |row| {
                    Ok(StoredSeal {
                        checkpoint: row.get(0)?,
                        key: row.get(1)?,
                        signature: row.get(2)?,
                        bundle_signature: row.get(3)?,
                    })
                })
                .optional()
        })
    }

    /// The record made for one call.
    pub(crate) fn call_record(&self, log: i64, call: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|connection| {
            connection
                .prepare_cached("SELECT record FROM call_records WHERE log = ?1 AND call = ?2")?
                .query_row(params![log, call], |row| row.get(0))
                .optional()
        })
    }

    /// The marks of all principals.
    pub(crate) fn marks(&self) -> Result<Vec<MarkRow>, StoreError> {
        self.with(|connection| {
            let mut statement = connection
                .prepare("SELECT principal, version, sensitivity, resets, seen FROM marks")?;
            statement
                .query_map([], |row| {
                    let count = |number: i64| u64::try_from(number).unwrap_or(0);
                    Ok(MarkRow {
                        principal: row.get(0)?,
                        version: count(row.get(1)?),
                        sensitivity: row.get(2)?,
                        resets: count(row.get(3)?),
                        seen: row.get(4)?,
                    })
                })?
                .collect()
        })
    }

    /// Principals whose calls are stopped.
    pub(crate) fn blocks(&self) -> Result<Vec<String>, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare("SELECT principal FROM blocks")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })
    }

    fn blob(&self, sql: &str, log: i64) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|connection| {
            let found: Option<Option<Vec<u8>>> = connection
                .prepare_cached(sql)?
                .query_row(params![log], |row| row.get(0))
                .optional()?;
            Ok(found.flatten())
        })
    }

    fn with<T>(&self, f: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        // A poisoned lock means a panic while only reading; the connection itself is sound.
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        f(&connection).map_err(|e| read_error(&self.path, &e))
    }
}

fn log_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<LogRow> {
    Ok(LogRow {
        key: row.get(0)?,
        id: row.get(1)?,
        principal: row.get(2)?,
        label: row.get(3)?,
        closed: row.get::<_, Option<i64>>(4)?.is_some(),
    })
}

/// Bytes of entries after which a page ends.
const PAGE_BYTES: usize = 256 * 1024;
