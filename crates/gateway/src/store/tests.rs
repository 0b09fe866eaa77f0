mod damage;

use std::os::unix::fs::PermissionsExt;

use super::*;

/// In memory where there is such a folder: some tests open thousands of databases.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

fn log_row() -> Row<'static> {
    Row::Log {
        key: 1,
        id: "a",
        principal: "p",
        label: Some("l"),
        opened: 0,
    }
}

fn bodies(reader: &Reader, log: i64) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    reader
        .entries(log, &mut |body| {
            bodies.push(body.to_vec());
            Ok::<(), ()>(())
        })
        .unwrap()
        .unwrap();
    bodies
}

#[test]
fn what_was_written_is_read_back_in_order() {
    let folder = folder();
    let path = folder.path().join("audit.db");
    let mut store = Store::open(&path).unwrap();
    let salts = [7; 64];
    let second = Row::Entry {
        log: 1,
        seq: 1,
        body: b"two",
        salts: None,
    };
    let first = Row::Entry {
        log: 1,
        seq: 0,
        body: b"one",
        salts: Some(&salts),
    };
    store.write(&[log_row(), second, first]).unwrap();
    let reader = Reader::open(&path).unwrap();
    assert_eq!(bodies(&reader, 1), [b"one".to_vec(), b"two".to_vec()]);
    let row = reader.log("a").unwrap().unwrap();
    assert_eq!(
        (row.key, row.principal.as_str(), row.closed),
        (1, "p", false)
    );
    assert_eq!(reader.labelled("p", "l").unwrap().unwrap().id, "a");
    assert!(reader.labelled("q", "l").unwrap().is_none());
}

#[test]
fn a_failed_batch_leaves_nothing() {
    let folder = folder();
    let path = folder.path().join("audit.db");
    let mut store = Store::open(&path).unwrap();
    let entry = || Row::Entry {
        log: 1,
        seq: 0,
        body: b"x",
        salts: None,
    };
    assert!(store.write(&[log_row(), entry(), entry()]).is_err());
    assert!(Reader::open(&path).unwrap().log("a").unwrap().is_none());
}

// L23
#[test]
fn a_second_writer_is_refused() {
    let folder = folder();
    let path = folder.path().join("audit.db");
    let _first = Store::open(&path).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::Locked(_))));
}

#[test]
fn l23_a_link_to_a_database_is_that_database() {
    let folder = folder();
    let (path, link) = (
        folder.path().join("audit.db"),
        folder.path().join("link.db"),
    );
    let store = Store::open(&path).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(Store::open(&link), Err(StoreError::Locked(_))));
    drop(store);
    let mut store = Store::open(&link).unwrap();
    store.write(&[log_row()]).unwrap();
    store.wal_sync().unwrap().sync().unwrap();
    assert!(Reader::open(&path).unwrap().log("a").unwrap().is_some());
    assert!(matches!(Store::open(&path), Err(StoreError::Locked(_))));
}

// L20: whoever has the salts can confirm a guess.
#[test]
fn l20_nobody_else_may_read_a_new_database_or_what_lies_beside_it() {
    let folder = folder();
    let path = folder.path().join("audit.db");
    let mut store = Store::open(&path).unwrap();
    store.write(&[log_row()]).unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap().flatten() {
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}: {mode:o}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort_unstable();
    assert_eq!(
        names,
        ["audit.db", "audit.db-shm", "audit.db-wal", "audit.db.lock"]
    );
}

// L24
#[test]
fn a_newer_format_is_refused_by_name() {
    let folder = folder();
    let path = folder.path().join("audit.db");
    drop(Store::open(&path).unwrap());
    Connection::open(&path)
        .unwrap()
        .execute_batch("PRAGMA user_version = 2")
        .unwrap();
    let error = Store::open(&path).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
}

// L24
#[test]
fn a_reader_refuses_a_newer_format_and_what_is_no_log_at_all() {
    let folder = folder();
    let path = folder.path().join("audit.db");
    drop(Store::open(&path).unwrap());
    Reader::open(&path).unwrap();
    let version = |to| {
        let order = format!("PRAGMA user_version = {to}");
        Connection::open(&path)
            .unwrap()
            .execute_batch(&order)
            .unwrap();
        Reader::open(&path).unwrap_err()
    };
    let error = version(2);
    assert!(
        matches!(
            error,
            StoreError::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
    let error = version(0);
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

// L22
#[test]
fn a_reader_that_stops_taking_entries_holds_up_no_other() {
    let folder = folder();
    let path = folder.path().join("audit.db");
    let mut store = Store::open(&path).unwrap();
    let body = vec![b'x'; 1 << 16];
    let entry = |seq| Row::Entry {
        log: 1,
        seq,
        body: &body,
        salts: None,
    };
    let rows: Vec<_> = std::iter::once(log_row())
        .chain((0..16).map(entry))
        .collect();
    store.write(&rows).unwrap();
    let reader = std::sync::Arc::new(Reader::open(&path).unwrap());
    let (stopped, is_stopped) = std::sync::mpsc::channel();
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let slow = std::sync::Arc::clone(&reader);
    let reading = std::thread::spawn(move || {
        let mut taken = 0;
        let read = slow.entries(1, &mut |_| {
            taken += 1;
            if taken == 10 {
                stopped.send(()).unwrap();
                may_go_on.recv().unwrap();
            }
            Ok::<(), ()>(())
        });
        read.unwrap().unwrap();
        taken
    });
    is_stopped.recv().unwrap();
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        done.send(reader.log("a").unwrap().is_some()).unwrap();
    });
    let other = is_done.recv_timeout(std::time::Duration::from_secs(10));
    assert_eq!(other, Ok(true), "another reader waits for the slow one");
    // What is written in the meantime is not part of what is being read.
    store.write(&[entry(16)]).unwrap();
    go_on.send(()).unwrap();
    assert_eq!(reading.join().unwrap(), 16);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_kept() {
    let folder = folder();
    let path = folder.path().join("audit.db");
    std::fs::write(&path, b"these are somebody's notes, not a database at all").unwrap();
    assert!(matches!(
        Store::open(&path),
        Err(StoreError::Corrupt { .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap().len(), 49);
}

#[test]
fn the_older_gateways_database_is_refused_and_kept() {
    let folder = folder();
    let path = folder.path().join("audit.db");
    let older = Connection::open(&path).unwrap();
    older
        .execute_batch("CREATE TABLE audit_entries (sequence_number INTEGER)")
        .unwrap();
    drop(older);
    let error = Store::open(&path).unwrap_err();
    assert!(error.to_string().contains("Python cMCP"), "{error}");
}

#[test]
fn a_folder_that_does_not_exist_is_named() {
    let folder = folder();
    let error = Store::open(&folder.path().join("nowhere/audit.db")).unwrap_err();
    assert!(error.to_string().contains("nowhere/audit.db"), "{error}");
    assert!(!error.is_fatal());
}

#[test]
fn a_full_disk_is_told_apart_from_a_broken_one() {
    let folder = folder();
    let path = folder.path().join("audit.db");
    let mut store = Store::open(&path).unwrap();
    // SQLite's own bound on pages fails exactly as a full disk does.
    store
        .connection
        .execute_batch("PRAGMA max_page_count = 1")
        .unwrap();
    let body = vec![b'x'; 1 << 20];
    let error = store
        .write(&[
            log_row(),
            Row::Entry {
                log: 1,
                seq: 0,
                body: &body,
                salts: None,
            },
        ])
        .unwrap_err();
    assert!(matches!(error, StoreError::Full), "{error}");
    assert!(!error.is_fatal());
}

#[test]
fn blocks_and_marks_survive() {
    let folder = folder();
    let path = folder.path().join("audit.db");
    let mut store = Store::open(&path).unwrap();
    let older = Mark {
        principal: "p".to_owned(),
        version: 1,
        sensitivity: "pii".to_owned(),
        resets: 0,
        seen: "{}".to_owned(),
    };
    let newer = Mark {
        version: 2,
        sensitivity: "hipaa_phi".to_owned(),
        resets: 2,
        ..older.clone()
    };
    let rows = [
        Row::Block {
            principal: "p",
            since: 1,
            reason: "r",
        },
        Row::Block {
            principal: "q",
            since: 1,
            reason: "r",
        },
        Row::Unblock { principal: "p" },
        Row::Mark(&newer),
        Row::Mark(&older),
    ];
    store.write(&rows).unwrap();
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.blocks().unwrap(), ["q"]);
    let marks = reader.marks().unwrap();
    assert_eq!(marks.len(), 1);
    assert_eq!(
        (marks[0].sensitivity.as_str(), marks[0].resets),
        ("hipaa_phi", 2)
    );
}

impl Store {
    /// Makes a checkpoint due after this many pages, so that a small log has some.
    pub(crate) fn checkpoint_after(&self, pages: u32) {
        let order = format!("PRAGMA wal_autocheckpoint = {pages}");
        self.connection.execute_batch(&order).unwrap();
    }
}
