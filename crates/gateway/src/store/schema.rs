//! The tables, and the refusal of formats this version does not know.

use std::path::Path;

use rusqlite::Connection;

use super::{StoreError, read_error};

/// The format written here. A reader refuses anything newer.
const FORMAT: i64 = 1;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS logs (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    principal TEXT NOT NULL,
    label TEXT,
    opened INTEGER NOT NULL,
    closed INTEGER,
    record BLOB,
    claim BLOB,
    checkpoint BLOB,
    signer TEXT,
    signature TEXT,
    bundle_signature TEXT
);
CREATE INDEX IF NOT EXISTS logs_open ON logs (key) WHERE closed IS NULL;
CREATE INDEX IF NOT EXISTS logs_label ON logs (principal, label, key);
CREATE TABLE IF NOT EXISTS entries (
    -- log * 2^31 + seq: one tree, whose leaves hold whole entries.
    place INTEGER PRIMARY KEY,
    body BLOB NOT NULL,
    salts BLOB
);
CREATE TABLE IF NOT EXISTS marks (
    principal TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    sensitivity TEXT NOT NULL,
    resets INTEGER NOT NULL,
    seen TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (
    principal TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    reason TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS call_records (
    log INTEGER NOT NULL,
    call TEXT NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (log, call)
) WITHOUT ROWID;
";

/// Refuses what is not a database of ours, or not of a format known here.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    match format(connection, path)? {
        0 => Err(foreign(
            path,
            "it holds no audit log; check the path".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// The format of a database; 0 for an empty one.
fn format(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let fail = |e: rusqlite::Error| read_error(path, &e);
    let found: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(fail)?;
    if found > FORMAT {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known: FORMAT,
        });
    }
    let older: i64 = connection
        .query_row(
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'audit_entries'",
            [],
            |row| row.get(0),
        )
        .map_err(fail)?;
    if older > 0 {
        let cause = "it is the Python cMCP's audit database; keep it as it is and give this gateway another `audit_db_path`";
        return Err(foreign(path, cause.to_owned()));
    }
    Ok(found)
}

fn foreign(path: &Path, cause: String) -> StoreError {
    StoreError::Corrupt {
        path: path.to_owned(),
        cause,
    }
}

pub(super) fn prepare(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let fail = |e: rusqlite::Error| read_error(path, &e);
    format(connection, path)?;
    // `synchronous = NORMAL` syncs at checkpoints only; every acknowledgement that promises the
    // disk waits for `WalSync` besides, which covers all frames committed before it.
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = NORMAL;
             PRAGMA wal_autocheckpoint = 4000;
             PRAGMA foreign_keys = OFF;
             PRAGMA trusted_schema = OFF;",
        )
        .map_err(fail)?;
    connection.execute_batch(TABLES).map_err(fail)?;
    // Written even when unchanged, so that the write-ahead log exists from here on.
    connection
        .execute_batch(&format!("PRAGMA user_version = {FORMAT};"))
        .map_err(fail)?;
    Ok(())
}
