//! What somebody with access to the disk changes, and what reading it says.

use std::{fs, ops::Range};

use cmcp_evidence::{Sha256Digest, SigningKey, Timestamp};
use cmcp_record::{
    audit::{
        Chain, Count, Durability, Kind, Mode, RecordPer, SessionEnd, SessionStart,
        SuspiciousSequence, Text,
    },
    export,
};

use super::*;
use crate::{Archive, ArchiveError, ExportForm, recovery};

const SEALED: i64 = 1;
const OPEN: i64 = 2;

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_800_000_000 + second)
}

/// The entries of a short log.
fn log(id: &str) -> Vec<Vec<u8>> {
    let digest = Sha256Digest::of(b"x");
    let start = Kind::SessionStart(Box::new(SessionStart {
        binary: digest,
        catalog: digest,
        config: digest,
        durability_read: Durability::Process,
        durability_write: Durability::Disk,
        evidence: None,
        inherited: false,
        label: None,
        mode: Mode::Enforcing,
        platform: Text::new("software-only"),
        policy: digest,
        predecessor: None,
        principal: Text::new("p"),
        record_per: RecordPer::Session,
        sensitivity: Text::new("public"),
    }));
    let note = |count| {
        Kind::SuspiciousSequence(SuspiciousSequence {
            count: Count::new(count),
            tool: Text::new("t"),
        })
    };
    let end = Kind::SessionEnd(SessionEnd {
        reason: Text::new("closed"),
        sensitivity: Text::new("public"),
        successor: None,
    });
    let mut chain = Chain::new(id);
    let kinds = [start, note(4), note(5), end];
    let entries = kinds.iter().zip(0..);
    entries
        .map(|(kind, second)| chain.append(kind, at(second)).unwrap().bytes)
        .collect()
}

/// A database with a sealed log and an open one, in pages as small as they can be.
fn database(path: &Path) -> [Vec<Vec<u8>>; 2] {
    let empty = Connection::open(path).unwrap();
    empty
        .execute_batch("PRAGMA page_size = 512; VACUUM")
        .unwrap();
    drop(empty);
    let mut store = Store::open(path).unwrap();
    let logs = [("sealed", SEALED), ("open", OPEN)].map(|(id, key)| {
        let log = Row::Log {
            key,
            id,
            principal: "p",
            label: None,
            opened: 0,
        };
        let entries = self::log(id);
        let rows = entries.iter().zip(0..).map(|(body, seq)| Row::Entry {
            log: key,
            seq,
            body,
            salts: Some(&[7; 64]),
        });
        store
            .write(&std::iter::once(log).chain(rows).collect::<Vec<_>>())
            .unwrap();
        entries
    });
    let signed = export::write(io::sink(), "sealed", &logs[0], (&key(), at(9))).unwrap();
    let seal = Seal {
        record: b"r".to_vec(),
        claim: b"c".to_vec(),
        checkpoint: signed.checkpoint.to_value().to_vec(),
        key: signed.key.to_b64url(),
        signature: signed.signature.to_b64url(),
        bundle_signature: signed.signature.to_b64url(),
    };
    store
        .write(&[Row::Seal {
            log: SEALED,
            closed: 0,
            seal: &seal,
        }])
        .unwrap();
    logs
}

/// What an export of the sealed log comes to.
fn export(path: &Path) -> Result<Vec<u8>, ArchiveError> {
    let archive = Archive::open(path)?;
    let session = archive
        .session("sealed")?
        .ok_or(ArchiveError::Open(String::new()))?;
    let mut out = Vec::new();
    archive.export(&session, ExportForm::Ours, &mut out)?;
    Ok(out)
}

/// The fault that an export names.
fn export_fault(path: &Path) -> String {
    let error = export(path).unwrap_err();
    let ArchiveError::Log { session, cause } = error else {
        panic!("{error}")
    };
    assert_eq!(session, "sealed");
    cause
}

/// The fault of the open log that a start names.
fn start_fault(path: &Path) -> Option<String> {
    let found = recovery::find(
        &Reader::open(path).unwrap(),
        &cmcp_policy::sensitivity::Vocabulary::builtin(),
    );
    found.err().map(|error| error.to_string())
}

struct Bodies(Connection);

impl Bodies {
    fn open(path: &Path) -> Self {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch("PRAGMA synchronous = OFF")
            .unwrap();
        Self(connection)
    }

    fn run(&self, order: &str) {
        self.0.execute_batch(order).unwrap();
    }

    fn set(&self, log: i64, seq: usize, body: &[u8]) {
        let place = place(log, seq as u64).unwrap();
        let mut update = self
            .0
            .prepare_cached("UPDATE entries SET body = ?2 WHERE place = ?1")
            .unwrap();
        assert_eq!(update.execute(params![place, body]).unwrap(), 1);
    }
}

#[test]
fn l05_a_flipped_bit_in_a_stored_entry_is_named_by_export_and_start() {
    let folder = folder();
    let path = folder.path().join("audit.db");
    let [sealed, open] = database(&path);
    let bodies = Bodies::open(&path);
    for (seq, body) in sealed.iter().enumerate() {
        for place in 0..body.len() {
            let mut damaged = body.clone();
            damaged[place] ^= 1 << (place % 8);
            bodies.set(SEALED, seq, &damaged);
            let fault = export_fault(&path);
            assert!(
                fault.starts_with(&format!("entry {seq}: ")),
                "{place} of {seq}: {fault}"
            );
        }
        bodies.set(SEALED, seq, body);
    }
    // Of a log that nobody has signed yet, the last entry is vouched for by nothing, and the one
    // before it by the last alone: it or the last is named.
    let last = open.len() - 1;
    for (seq, body) in open.iter().enumerate().take(last) {
        for place in (0..body.len()).step_by(3) {
            let mut damaged = body.clone();
            damaged[place] ^= 1 << (place % 8);
            bodies.set(OPEN, seq, &damaged);
            let fault = start_fault(&path).unwrap();
            let named =
                |n| fault.contains("session `open`") && fault.contains(&format!("(entry {n}: "));
            assert!(
                named(seq) || (seq + 1 == last && named(last)),
                "{place} of {seq}: {fault}"
            );
        }
        bodies.set(OPEN, seq, body);
    }
    assert_eq!(start_fault(&path), None);
    export(&path).unwrap();
}

#[test]
fn l05_flipped_bytes_all_over_the_database_are_noticed_or_change_nothing() {
    let folder = folder();
    let path = folder.path().join("audit.db");
    let [_, open] = database(&path);
    assert!(
        !path.with_extension("db-wal").exists(),
        "all is in the one file"
    );
    let bytes = fs::read(&path).unwrap();
    let whole = export(&path).unwrap();
    assert!((4_096..65_536).contains(&bytes.len()), "{}", bytes.len());
    let half = bytes.len() / 2;
    let flip = |places| unnoticed(&bytes, places, (&whole, &open));
    let unnoticed = std::thread::scope(|scope| {
        let first = scope.spawn(|| flip(0..half));
        flip(half..bytes.len()) + first.join().unwrap()
    });
    println!(
        "{unnoticed} of {} bytes matter to no log",
        bytes.len().div_ceil(7)
    );
    assert!(unnoticed < bytes.len().div_ceil(7));
}

/// Flips a bit of some of these bytes; how often neither export nor start said so.
fn unnoticed(bytes: &[u8], places: Range<usize>, (whole, open): (&[u8], &[Vec<u8>])) -> usize {
    let folder = folder();
    let path = folder.path().join("audit.db");
    let mut unnoticed = 0;
    // Every byte of the file takes a minute; nothing repeats itself every seven.
    for place in places.step_by(7) {
        let mut damaged = bytes.to_vec();
        damaged[place] ^= 1 << (place % 8);
        fs::write(&path, damaged).unwrap();
        let exported = export(&path);
        if let Ok(found) = &exported {
            // A signature that does not hold is what a verifier sees first.
            let holds = export::check(&mut found.as_slice(), Some(&key().public()));
            assert!(found == whole || holds.is_err(), "byte {place}");
        }
        let reader = Reader::open(&path);
        let orphans = reader
            .map_err(|error| error.to_string())
            .and_then(|reader| {
                recovery::find(&reader, &cmcp_policy::sensitivity::Vocabulary::builtin())
                    .map_err(|error| error.to_string())
            });
        for orphan in orphans
            .iter()
            .flatten()
            .filter(|orphan| orphan.log.id == "open")
        {
            // Of a log that nobody has signed yet, the end may be lost or altered unseen.
            let size = usize::try_from(orphan.chain.size()).unwrap();
            assert!(size <= open.len(), "byte {place}");
            let kept = Chain::replay("open", &open[..size]).unwrap();
            assert!(
                kept.root() == orphan.chain.root() || size == open.len(),
                "byte {place}"
            );
        }
        unnoticed += usize::from(exported.is_ok() && orphans.is_ok());
    }
    unnoticed
}

#[test]
fn l10_rows_moved_repeated_or_deleted_are_named_by_export_and_start() {
    let cases = [
        // The second and the third trade places.
        (
            "UPDATE entries SET place = -1 WHERE place = {1}; UPDATE entries SET place = {1} WHERE place = {2}; UPDATE entries SET place = {2} WHERE place = -1",
            "entry 1: has sequence number 2 where 1 is expected",
        ),
        (
            "DELETE FROM entries WHERE place = {1}",
            "entry 1: has sequence number 2 where 1 is expected",
        ),
        (
            "DELETE FROM entries WHERE place = {0}",
            "entry 0: has sequence number 1 where 0 is expected",
        ),
        (
            "UPDATE entries SET body = (SELECT body FROM entries WHERE place = {1}) WHERE place = {2}",
            "entry 2: has sequence number 1 where 2 is expected",
        ),
        (
            "INSERT INTO entries (place, body) SELECT {3} + 1, body FROM entries WHERE place = {3}",
            "entry 4: has sequence number 3 where 4 is expected",
        ),
    ];
    for (order, expected) in cases {
        let folder = folder();
        let path = folder.path().join("audit.db");
        database(&path);
        let bodies = Bodies::open(&path);
        for log in [SEALED, OPEN] {
            let order = (0..4).fold(order.to_owned(), |order, seq| {
                order.replace(&format!("{{{seq}}}"), &place(log, seq).unwrap().to_string())
            });
            bodies.run(&order);
        }
        assert_eq!(export_fault(&path), expected, "{order}");
        let fault = start_fault(&path).unwrap();
        assert!(fault.contains(&format!("({expected})")), "{order}: {fault}");
    }
}

#[test]
fn l10_a_sealed_log_cut_at_its_end_or_swapped_for_another_is_not_exported() {
    let folder = folder();
    let path = folder.path().join("audit.db");
    database(&path);
    let bodies = Bodies::open(&path);
    bodies.run(&format!(
        "DELETE FROM entries WHERE place = {}",
        place(SEALED, 3).unwrap()
    ));
    assert_eq!(
        export_fault(&path),
        "3 entries, and the checkpoint states 4"
    );
    bodies.run(&format!(
        "DELETE FROM entries WHERE place < {0}; UPDATE entries SET place = place - {1}",
        place(OPEN, 0).unwrap(),
        PER_LOG,
    ));
    assert_eq!(
        export_fault(&path),
        "the document is of log `sealed`, its entries are of `open`"
    );
}

#[test]
fn l21_salts_may_be_erased_and_the_log_still_proves_itself() {
    let folder = folder();
    let path = folder.path().join("audit.db");
    database(&path);
    let whole = export(&path).unwrap();
    Bodies::open(&path).run("UPDATE entries SET salts = NULL");
    assert_eq!(export(&path).unwrap(), whole);
    export::check(&mut whole.as_slice(), Some(&key().public())).unwrap();
}
