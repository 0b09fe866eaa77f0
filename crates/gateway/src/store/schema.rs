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
    log INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    body BLOB NOT NULL,
    salts BLOB,
    PRIMARY KEY (log, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS marks (
    principal TEXT PRIMARY KEY,
    sensitivity TEXT NOT NULL,
    resets INTEGER NOT NULL
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

pub(super) fn prepare(connection: &Connection, path: &Path) -> Result<(), StoreError> {
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
    let foreign: i64 = connection
        .query_row(
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'audit_entries'",
            [],
            |row| row.get(0),
        )
        .map_err(fail)?;
    if foreign > 0 {
        return Err(StoreError::Corrupt {
            path: path.to_owned(),
            cause: "it is the Python cMCP's audit database; keep it as it is and give this gateway another `audit_db_path`".to_owned(),
        });
    }
    connection.execute_batch(TABLES).map_err(fail)?;
    // Written even when unchanged, so that the write-ahead log exists from here on.
    connection
        .execute_batch(&format!("PRAGMA user_version = {FORMAT};"))
        .map_err(fail)?;
    Ok(())
}
