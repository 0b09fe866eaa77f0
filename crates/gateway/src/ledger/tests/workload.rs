//! A life of a log with every kind of row in it, and what must be found after it broke off anywhere.

use std::{collections::HashMap, fmt, str::FromStr};

use super::*;
use crate::{recovery, store::Row};

/// One thing after the other, each waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Append(i64, Durability),
    Block,
    CallRecord(i64),
    /// An entry with the mark that it raised.
    Mark(i64),
    Open(i64, Durability),
    /// The end's entry, then the documents.
    Seal(i64),
    /// Three callers at once.
    Together(i64),
}

pub(super) const STEPS: [Step; 15] = [
    Step::Open(1, Durability::Disk),
    Step::Append(1, Durability::Process),
    Step::Append(1, Durability::Disk),
    Step::Block,
    Step::Open(2, Durability::Process),
    Step::Append(2, Durability::Process),
    Step::Together(1),
    Step::Mark(2),
    Step::CallRecord(1),
    Step::Append(1, Durability::Process),
    Step::Append(2, Durability::Process),
    Step::Seal(1),
    Step::Append(2, Durability::Process),
    Step::Append(2, Durability::Disk),
    Step::Append(2, Durability::Process),
];

/// Entries that may be in the log though nobody was told: those of one step.
const IN_FLIGHT: u64 = 3;

/// What a caller was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ack {
    Blocked,
    CallRecord,
    Entry {
        log: i64,
        size: u64,
        root: String,
        durability: Durability,
    },
    Mark,
    Sealed,
}

impl Ack {
    /// The size that this log has for whoever was told.
    fn size_of(&self, of: i64) -> Option<u64> {
        match self {
            Self::Entry { log, size, .. } => (*log == of).then_some(*size),
            Self::Blocked | Self::CallRecord | Self::Mark | Self::Sealed => None,
        }
    }

    pub(super) fn is_on_disk(&self) -> bool {
        !matches!(
            self,
            Self::Entry {
                durability: Durability::Process,
                ..
            }
        )
    }
}

impl fmt::Display for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked => f.write_str("blocked"),
            Self::CallRecord => f.write_str("record"),
            Self::Mark => f.write_str("mark"),
            Self::Sealed => f.write_str("sealed"),
            Self::Entry {
                log,
                size,
                root,
                durability,
            } => write!(f, "{log} {size} {root} {durability:?}"),
        }
    }
}

impl FromStr for Ack {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let words: Vec<&str> = text.split(' ').collect();
        Ok(match words[..] {
            ["blocked"] => Self::Blocked,
            ["record"] => Self::CallRecord,
            ["mark"] => Self::Mark,
            ["sealed"] => Self::Sealed,
            [log, size, root, durability] => Self::Entry {
                log: log.parse().map_err(|_| ())?,
                size: size.parse().map_err(|_| ())?,
                root: root.to_owned(),
                durability: if durability == "Disk" {
                    Durability::Disk
                } else {
                    Durability::Process
                },
            },
            _ => return Err(()),
        })
    }
}

/// Does one step and passes on what its callers were told, as soon as they are.
pub(super) async fn take(ledger: &Ledger, step: Step, told: &dyn Fn(Ack)) {
    let tell = |log, durability, receipt: Receipt| {
        told(Ack::Entry {
            log,
            size: receipt.size,
            root: receipt.root.to_string(),
            durability,
        });
    };
    let one = |log, durability| async move {
        tell(
            log,
            durability,
            append(ledger, log, durability).await.unwrap(),
        );
    };
    match step {
        Step::Append(log, durability) => one(log, durability).await,
        Step::Block => {
            let reason = Some("r".to_owned());
            ledger.block("p".to_owned(), reason).await.unwrap();
            told(Ack::Blocked);
        }
        Step::CallRecord(log) => {
            let record = b"call".to_vec();
            ledger
                .call_record(log, "c".to_owned(), record)
                .await
                .unwrap();
            told(Ack::CallRecord);
        }
        Step::Mark(log) => {
            let receipt = ledger.append(marked(log)).await.unwrap();
            tell(log, Durability::Disk, receipt);
            told(Ack::Mark);
        }
        Step::Open(log, durability) => {
            let first = AppendRequest::plain(log, session_start(), durability);
            let opened = ledger.open(format!("log-{log}"), "p".to_owned(), None, first);
            tell(log, durability, opened.unwrap().await.unwrap().unwrap());
        }
        Step::Seal(log) => {
            let request = AppendRequest::plain(log, session_end(), Durability::Disk);
            tell(log, Durability::Disk, ledger.append(request).await.unwrap());
            ledger.seal(log, seal()).await.unwrap();
            told(Ack::Sealed);
        }
        Step::Together(log) => {
            let disk = Durability::Disk;
            tokio::join!(one(log, disk), one(log, disk), one(log, disk));
        }
    }
}

/// An entry with salts, and with the mark that it raised.
fn marked(log: i64) -> AppendRequest {
    let mark = Mark {
        principal: "p".to_owned(),
        version: 1,
        sensitivity: "pii".to_owned(),
        resets: 0,
        seen: "{}".to_owned(),
    };
    AppendRequest {
        mark: Some(Arc::new(mark)),
        salts: Some(Box::new([7; 64])),
        ..AppendRequest::plain(log, note(), Durability::Disk)
    }
}

/// Opens what is left, as a start does, and holds it against what callers were told: `kept` of it
/// must be there, and of the rest no more than a tail may be missing.
pub(super) fn hold_against(path: &Path, told: &[Ack], kept: &dyn Fn(&Ack) -> bool) {
    let mut store = Store::open(path).unwrap();
    let reader = Reader::open(path).unwrap();
    let orphans =
        recovery::find(&reader, &cmcp_policy::sensitivity::Vocabulary::builtin()).unwrap();
    let roots: HashMap<i64, Vec<String>> = reader
        .logs()
        .unwrap()
        .iter()
        .map(|log| (log.key, roots(&reader, log.key)))
        .collect();
    for ack in told {
        let found = match ack {
            Ack::Blocked => reader.blocks().unwrap() == ["p"],
            Ack::CallRecord => {
                let record = reader.call_record(1, "c").unwrap();
                record.as_deref() == Some(b"call".as_slice())
            }
            Ack::Mark => reader.marks().unwrap()[0].sensitivity == "pii",
            Ack::Sealed => reader.record(1).unwrap().as_deref() == Some(b"r".as_slice()),
            Ack::Entry {
                log, size, root, ..
            } => {
                let place = usize::try_from(*size).unwrap() - 1;
                let found = roots.get(log).and_then(|roots| roots.get(place));
                assert!(
                    found.is_none_or(|found| found == root),
                    "{ack}: another log"
                );
                found.is_some()
            }
        };
        assert!(found || !kept(ack), "lost: {ack}");
    }
    for (log, roots) in &roots {
        let last = told.iter().rev().find_map(|ack| ack.size_of(*log));
        let most = last.unwrap_or(0) + IN_FLIGHT;
        assert!(
            roots.len() as u64 <= most,
            "log {log}: {} of {most}",
            roots.len()
        );
    }
    for mut orphan in orphans {
        let next = orphan.chain.append(&note(), clock().now()).unwrap();
        let row = Row::Entry {
            log: orphan.log.key,
            seq: next.seq,
            body: &next.bytes,
            salts: None,
        };
        store.write(&[row]).unwrap();
        assert_eq!(replay(path, orphan.log.key).root(), orphan.chain.root());
    }
}

/// The root at each size of a log, which verifies on the way.
fn roots(reader: &Reader, log: i64) -> Vec<String> {
    let mut chain = Chain::new(&format!("log-{log}"));
    let mut roots = Vec::new();
    let read = reader.entries(log, &mut |bytes| {
        chain
            .take(bytes)
            .map(|_| roots.push(chain.root().to_string()))
    });
    read.unwrap().unwrap();
    roots
}

pub(super) fn session_end() -> Kind {
    Kind::SessionEnd(SessionEnd {
        reason: Text::new("closed"),
        sensitivity: Text::new("public"),
        successor: None,
    })
}

pub(super) fn seal() -> Seal {
    Seal {
        record: b"r".to_vec(),
        claim: b"c".to_vec(),
        checkpoint: b"{}".to_vec(),
        key: String::new(),
        signature: String::new(),
        bundle_signature: String::new(),
    }
}

/// A folder in memory where there is one: thousands of databases are opened, and every opening
/// syncs. What a sync is worth is the test's own business.
pub(super) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}
