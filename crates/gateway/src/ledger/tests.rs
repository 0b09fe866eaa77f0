mod killed;
mod overlap;
mod power;
mod pressure;
mod workload;

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use cmcp_evidence::Timestamp;
use cmcp_record::audit::{
    Count, Durability as LogDurability, Mode, RecordPer, SessionEnd, SessionStart,
    SuspiciousSequence, Text,
};

use super::*;
use crate::store::{Reader, WalSync};

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("audit.db")
    }

    fn start(&self, clock: Clock) -> (Ledger, LedgerThreads) {
        Ledger::start(Store::open(&self.path()).unwrap(), Vec::new(), clock).unwrap()
    }

    fn start_with(&self, wal: WalSync) -> (Ledger, LedgerThreads) {
        self.start_with_all(vec![wal])
    }

    fn start_with_all(&self, wals: Vec<WalSync>) -> (Ledger, LedgerThreads) {
        let store = Store::open(&self.path()).unwrap();
        Ledger::start_with(store, wals, Vec::new(), clock()).unwrap()
    }
}

fn clock() -> Clock {
    Clock::new(|| Timestamp::from_unix_seconds(1_800_000_000))
}

fn session_start() -> Kind {
    let digest = Sha256Digest::of(b"x");
    Kind::SessionStart(Box::new(SessionStart {
        binary: digest,
        catalog: digest,
        config: digest,
        durability_read: LogDurability::Process,
        durability_write: LogDurability::Disk,
        evidence: None,
        inherited: false,
        label: None,
        mode: Mode::Enforcing,
        platform: Text::new("software-only"),
        policy: digest,
        predecessor: None,
        principal: Text::new("anonymous"),
        record_per: RecordPer::Session,
        sensitivity: Text::new("public"),
    }))
}

fn note() -> Kind {
    Kind::SuspiciousSequence(SuspiciousSequence {
        count: Count::new(4),
        tool: Text::new("t"),
    })
}

async fn open(ledger: &Ledger, log: i64) {
    let first = AppendRequest::plain(log, session_start(), Durability::Disk);
    let receipt = ledger
        .open(format!("log-{log}"), "p".to_owned(), None, first)
        .unwrap();
    receipt.await.unwrap().unwrap();
}

async fn append(ledger: &Ledger, log: i64, durability: Durability) -> Result<Receipt, LedgerError> {
    ledger
        .append(AppendRequest::plain(log, note(), durability))
        .await
}

fn replay(path: &Path, log: i64) -> Chain {
    let mut chain = Chain::new(&format!("log-{log}"));
    let reader = Reader::open(path).unwrap();
    reader
        .entries(log, &mut |bytes| chain.take(bytes).map(|_| ()))
        .unwrap()
        .unwrap();
    chain
}

#[tokio::test]
async fn an_appended_entry_is_in_the_store_when_its_receipt_arrives() {
    let bench = Bench::new();
    let (ledger, _threads) = bench.start(clock());
    open(&ledger, 1).await;
    for (expected, durability) in [(1, Durability::Process), (2, Durability::Disk)] {
        let receipt = append(&ledger, 1, durability).await.unwrap();
        assert_eq!(receipt.seq, expected);
        let chain = replay(&bench.path(), 1);
        assert_eq!((chain.size(), chain.root()), (receipt.size, receipt.root));
    }
}

#[tokio::test]
async fn an_entry_for_a_log_that_was_never_opened_is_refused() {
    let bench = Bench::new();
    let (ledger, _threads) = bench.start(clock());
    let error = append(&ledger, 9, Durability::Disk).await.unwrap_err();
    assert!(matches!(error, LedgerError::Entry(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn entries_of_many_callers_form_one_unbroken_chain_each() {
    let bench = Bench::new();
    let (ledger, threads) = bench.start(clock());
    for log in 1..=4 {
        open(&ledger, log).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..32u32 {
        let ledger = ledger.clone();
        tasks.spawn(async move {
            let log = i64::from(caller % 4) + 1;
            for turn in 0..20 {
                let durability = if turn % 2 == 0 {
                    Durability::Process
                } else {
                    Durability::Disk
                };
                append(&ledger, log, durability).await.unwrap();
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    drop(ledger);
    threads.join();
    for log in 1..=4 {
        assert_eq!(replay(&bench.path(), log).size(), 1 + 8 * 20);
    }
}

// L18
#[tokio::test]
async fn a_clock_set_back_changes_no_order_and_is_said() {
    let now = Arc::new(AtomicI64::new(1_800_000_000));
    let seen = Arc::clone(&now);
    let bench = Bench::new();
    let (ledger, _threads) = bench.start(Clock::new(move || {
        Timestamp::from_unix_seconds(seen.load(Ordering::SeqCst))
    }));
    open(&ledger, 1).await;
    now.fetch_sub(3600, Ordering::SeqCst);
    append(&ledger, 1, Durability::Disk).await.unwrap();
    let reader = Reader::open(&bench.path()).unwrap();
    let mut last = Vec::new();
    reader
        .entries(1, &mut |bytes| {
            last = bytes.to_vec();
            Ok::<(), ()>(())
        })
        .unwrap()
        .unwrap();
    let entry = cmcp_record::audit::Entry::parse(&last).unwrap();
    assert!(entry.clock_set_back);
    assert_eq!(entry.time.unix_seconds(), 1_800_000_000);
}

// L03
#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_again() {
    let bench = Bench::new();
    let healthy = Arc::new(AtomicBool::new(true));
    let syncs = Arc::new(AtomicU64::new(0));
    let (works, count) = (Arc::clone(&healthy), Arc::clone(&syncs));
    let (ledger, _threads) = bench.start_with(WalSync::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        if works.load(Ordering::SeqCst) {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(5))
        }
    }));
    open(&ledger, 1).await;
    healthy.store(false, Ordering::SeqCst);
    let error = append(&ledger, 1, Durability::Disk).await.unwrap_err();
    assert!(matches!(error, LedgerError::Poisoned(_)), "{error}");
    let failed_at = syncs.load(Ordering::SeqCst);
    // The disk is well again, but what the kernel dropped will not come back.
    healthy.store(true, Ordering::SeqCst);
    for durability in [Durability::Disk, Durability::Process] {
        let error = append(&ledger, 1, durability).await.unwrap_err();
        assert!(matches!(error, LedgerError::Poisoned(_)), "{error}");
    }
    assert_eq!(syncs.load(Ordering::SeqCst), failed_at);
    assert!(ledger.failure().is_some_and(|cause| cause.contains("sync")));
}

// L17
#[tokio::test]
async fn a_slow_disk_makes_larger_groups() {
    let bench = Bench::new();
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let syncs = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&syncs);
    let (ledger, _threads) = bench.start_with(WalSync::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        let _ = gate.lock().unwrap().recv();
        Ok(())
    }));
    release.send(()).unwrap();
    open(&ledger, 1).await;
    let before = syncs.load(Ordering::SeqCst);
    let waiting: Vec<_> = (0..500)
        .map(|_| {
            let ledger = ledger.clone();
            tokio::spawn(async move { append(&ledger, 1, Durability::Disk).await })
        })
        .collect();
    tokio::task::yield_now().await;
    for _ in 0..3 {
        release.send(()).unwrap();
    }
    for task in waiting {
        task.await.unwrap().unwrap();
    }
    let used = syncs.load(Ordering::SeqCst) - before;
    assert!(used <= 3, "500 entries took {used} syncs");
}

#[tokio::test]
async fn sealing_closes_the_log_for_good() {
    let bench = Bench::new();
    let (ledger, _threads) = bench.start(clock());
    open(&ledger, 1).await;
    let end = SessionEnd {
        reason: Text::new("closed"),
        sensitivity: Text::new("public"),
        successor: None,
    };
    let request = AppendRequest::plain(1, Kind::SessionEnd(end), Durability::Disk);
    ledger.append(request).await.unwrap();
    let seal = Seal {
        record: b"r".to_vec(),
        claim: b"c".to_vec(),
        checkpoint: b"{}".to_vec(),
        key: String::new(),
        signature: String::new(),
        bundle_signature: String::new(),
    };
    ledger.seal(1, seal).await.unwrap();
    assert!(append(&ledger, 1, Durability::Disk).await.is_err());
    let reader = Reader::open(&bench.path()).unwrap();
    assert!(reader.open_logs().unwrap().is_empty());
    assert_eq!(reader.record(1).unwrap().unwrap(), b"r");
}

/// Prints how many durable entries a second 64 callers get where a sync takes 4 ms. No bound is
/// asserted: the machine decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throughput_with_a_sync_of_four_milliseconds_is_printed() {
    let bench = Bench::new();
    let (ledger, threads) = bench.start_with(WalSync::new(|| {
        std::thread::sleep(Duration::from_millis(4));
        Ok(())
    }));
    open(&ledger, 1).await;
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let ledger = ledger.clone();
        tasks.spawn(async move {
            for _ in 0..100 {
                append(&ledger, 1, Durability::Disk).await.unwrap();
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{:.0} durable entries/s, 64 callers, 4 ms sync",
        6400.0 / seconds
    );
    drop(ledger);
    threads.join();
    assert_eq!(replay(&bench.path(), 1).size(), 6401);
}
