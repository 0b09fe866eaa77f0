//! The embedded store: one SQLite database with the log, the records and the sensitivity marks.
//!
//! One writer ([`Store`], owned by the ledger's thread) and read-only connections beside it
//! ([`Reader`]). Commits write to the write-ahead log without a sync; [`WalSync`] makes them
//! durable, so that one sync serves everybody who waits and never blocks the next commit.

mod reader;
mod schema;

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, ErrorCode, params};

use crate::seen::Mark;

pub(crate) use reader::{LogRow, MarkRow, Reader, StoredSeal};

/// Why the store could not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Another process writes to this database.
    #[error("`{0}` is in use by another gateway; give each its own `audit_db_path`")]
    Locked(PathBuf),
    /// The file is no database of ours, or is damaged.
    #[error(
        "`{path}` is damaged or not a cMCP audit database ({cause}); restore it from a backup, or move it away to start a new log"
    )]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        cause: String,
    },
    /// The file was written by a newer version.
    #[error(
        "`{path}` has format {found}, this version reads up to {known}; start the version that wrote it"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// The format found.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// No space is left.
    #[error("no space is left for the audit database; free some, the gateway goes on by itself")]
    Full,
    /// The file or its folder cannot be written.
    #[error("the audit database cannot be written: {0}")]
    ReadOnly(String),
    /// The operating system failed a read, write or sync.
    #[error("the audit database failed: {0}")]
    Io(String),
}

impl StoreError {
    /// After these nothing more may be acknowledged by this process: the kernel may have dropped
    /// pages, and a second sync may report success for bytes that are gone.
    pub(crate) fn is_fatal(&self) -> bool {
        match self {
            Self::Corrupt { .. } | Self::Io(_) | Self::Newer { .. } | Self::Locked(_) => true,
            Self::Full | Self::ReadOnly(_) => false,
        }
    }
}

/// The writing connection.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    path: PathBuf,
    // Held for the life of the process: the second gateway on this file is refused.
    _lock: File,
}

/// One row to write; a batch is one transaction.
#[derive(Debug)]
pub(crate) enum Row<'a> {
    /// A new log.
    Log {
        key: i64,
        id: &'a str,
        principal: &'a str,
        label: Option<&'a str>,
        opened: i64,
    },
    /// An entry of a log.
    Entry {
        log: i64,
        seq: u64,
        body: &'a [u8],
        salts: Option<&'a [u8; 64]>,
    },
    /// The highest sensitivity a principal has reached.
    Mark(&'a Mark),
    /// A log's records, made when it was closed.
    Seal {
        log: i64,
        closed: i64,
        seal: &'a Seal,
    },
    /// A principal whose calls are stopped.
    Block {
        principal: &'a str,
        since: i64,
        reason: &'a str,
    },
    /// A principal that may call again.
    Unblock { principal: &'a str },
    /// A record made for one call.
    CallRecord {
        log: i64,
        call: &'a str,
        record: &'a [u8],
    },
}

/// Everything that is signed when a log is closed: the key does not outlive the process.
#[derive(Clone, Debug)]
pub(crate) struct Seal {
    /// The plain trust record.
    pub(crate) record: Vec<u8>,
    /// The envelope for older verifiers.
    pub(crate) claim: Vec<u8>,
    /// The checkpoint's members as JSON.
    pub(crate) checkpoint: Vec<u8>,
    /// The public key, base64url.
    pub(crate) key: String,
    /// Its signature over the checkpoint, base64url.
    pub(crate) signature: String,
    /// Its signature over the older export, base64url.
    pub(crate) bundle_signature: String,
}

impl Store {
    /// Opens or creates the database at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let path = &real(path);
        let lock = lock(path)?;
        // What SQLite puts beside the database gets its mode.
        own(path)?;
        let connection = Connection::open(path).map_err(|e| read_error(path, &e))?;
        schema::prepare(&connection, path)?;
        sync_folder(path)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Writes `rows` in one transaction: all of them, or none.
    pub(crate) fn write(&mut self, rows: &[Row<'_>]) -> Result<(), StoreError> {
        let path = &self.path;
        let transaction = self
            .connection
            .unchecked_transaction()
            .map_err(|e| read_error(path, &e))?;
        for row in rows {
            insert(&transaction, row).map_err(|e| read_error(path, &e))?;
        }
        transaction.commit().map_err(|e| read_error(path, &e))
    }

    /// The first unused key for a log.
    pub(crate) fn next_log_key(&self) -> Result<i64, StoreError> {
        self.connection
            .query_row("SELECT coalesce(max(key), 0) + 1 FROM logs", [], |row| {
                row.get(0)
            })
            .map_err(|e| read_error(&self.path, &e))
    }

    /// The handle that makes commits durable.
    pub(crate) fn wal_sync(&self) -> Result<WalSync, StoreError> {
        let mut wal = self.path.clone().into_os_string();
        wal.push("-wal");
        // SQLite takes no locks on the write-ahead log itself, so a second descriptor is harmless.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&wal)
            .map_err(|e| StoreError::Io(e.to_string()))?;
        Ok(WalSync::new(move || file.sync_data()))
    }
}

/// Makes everything that was committed before the call durable.
pub(crate) struct WalSync(Box<dyn Fn() -> io::Result<()> + Send>);

impl WalSync {
    pub(crate) fn new(sync: impl Fn() -> io::Result<()> + Send + 'static) -> Self {
        Self(Box::new(sync))
    }

    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        (self.0)().map_err(|e| StoreError::Io(format!("sync: {e}")))
    }
}

fn insert(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<()> {
    match row {
        Row::Log {
            key,
            id,
            principal,
            label,
            opened,
        } => connection
            .prepare_cached(
                "INSERT INTO logs (key, id, principal, label, opened) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![key, id, principal, label, opened])?,
        Row::Entry {
            log,
            seq,
            body,
            salts,
        } => connection
            .prepare_cached("INSERT INTO entries (place, body, salts) VALUES (?1, ?2, ?3)")?
            .execute(params![
                place(*log, *seq).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, *log))?,
                body,
                salts.map(<[u8; 64]>::as_slice)
            ])?,
        Row::Mark(mark) => insert_mark(connection, mark)?,
        Row::Seal { log, closed, seal } => write_seal(connection, (*log, *closed), seal)?,
        Row::Block {
            principal,
            since,
            reason,
        } => connection
            .prepare_cached(
                "INSERT INTO blocks (principal, since, reason) VALUES (?1, ?2, ?3)
                 ON CONFLICT (principal) DO NOTHING",
            )?
            .execute(params![principal, since, reason])?,
        Row::Unblock { principal } => connection
            .prepare_cached("DELETE FROM blocks WHERE principal = ?1")?
            .execute(params![principal])?,
        Row::CallRecord { log, call, record } => connection
            .prepare_cached("INSERT INTO call_records (log, call, record) VALUES (?1, ?2, ?3)")?
            .execute(params![log, call, record])?,
    };
    Ok(())
}

fn insert_mark(connection: &Connection, mark: &Mark) -> rusqlite::Result<usize> {
    let Mark {
        principal,
        version,
        sensitivity,
        resets,
        seen,
    } = mark;
    let count = |number: &u64| i64::try_from(*number).unwrap_or(i64::MAX);
    // Entries of one principal may be written in another order than they were made.
    connection
        .prepare_cached(
            "INSERT INTO marks (principal, version, sensitivity, resets, seen)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (principal) DO UPDATE
             SET version = ?2, sensitivity = ?3, resets = ?4, seen = ?5
             WHERE excluded.version > marks.version",
        )?
        .execute(params![
            principal,
            count(version),
            sensitivity,
            count(resets),
            seen
        ])
}

fn write_seal(
    connection: &Connection,
    (log, closed): (i64, i64),
    seal: &Seal,
) -> rusqlite::Result<usize> {
    let Seal {
        record,
        claim,
        checkpoint,
        key,
        signature,
        bundle_signature,
    } = seal;
    connection
        .prepare_cached(
            "UPDATE logs SET closed = ?2, record = ?3, claim = ?4, checkpoint = ?5,
             signer = ?6, signature = ?7, bundle_signature = ?8 WHERE key = ?1",
        )?
        .execute(params![
            log,
            closed,
            record,
            claim,
            checkpoint,
            key,
            signature,
            bundle_signature
        ])
}

/// Where an entry stands in the one tree of all entries; `None` past the last place of its log.
fn place(log: i64, seq: u64) -> Option<i64> {
    let seq = i64::try_from(seq).ok().filter(|seq| *seq < PER_LOG)?;
    log.checked_mul(PER_LOG)?.checked_add(seq)
}

/// Places of one log, which bounds its entries; logs are bounded by 2^32.
const PER_LOG: i64 = 1 << 31;

/// The file behind links: whoever reaches a database by another name finds the same lock and the
/// same write-ahead log.
fn real(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        // A folder that is not there is named as it was written, by whatever fails next.
        _ => path.to_owned(),
    }
}

/// A file that nobody else may read when it is new: salts let anybody confirm a guess.
fn own(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| StoreError::ReadOnly(format!("`{}`: {e}", path.display())))
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.to_owned().into_os_string();
    name.push(".lock");
    let file = own(Path::new(&name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.to_owned())),
        Err(TryLockError::Error(e)) => Err(StoreError::Io(e.to_string())),
    }
}

fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|f| f.sync_all())
        .map_err(|e| StoreError::Io(e.to_string()))
}

fn read_error(path: &Path, error: &rusqlite::Error) -> StoreError {
    let Some(code) = error.sqlite_error_code() else {
        return StoreError::Corrupt {
            path: path.to_owned(),
            cause: error.to_string(),
        };
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a library's enum; the rest is an I/O failure"
    )]
    match code {
        ErrorCode::DiskFull => StoreError::Full,
        ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
            StoreError::ReadOnly(format!("`{}`: {error}", path.display()))
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt {
            path: path.to_owned(),
            cause: error.to_string(),
        },
        _ => StoreError::Io(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
