//! Syncs that overlap.

use std::sync::{
    Mutex,
    mpsc::{Receiver, Sender, channel},
};

use super::*;

/// How a sync ends.
type End = io::Result<()>;

/// A sync that ends as it is told; the first one ends well at once. Counts those that began.
fn told(began: &Arc<AtomicU64>) -> (WalSync, Sender<End>) {
    let (tell, ends) = channel::<End>();
    let ends: Mutex<Receiver<End>> = Mutex::new(ends);
    let began = Arc::clone(began);
    let wal = WalSync::new(move || {
        if began.fetch_add(1, Ordering::SeqCst) == 0 {
            return Ok(());
        }
        ends.lock().unwrap().recv().unwrap()
    });
    (wal, tell)
}

async fn until(began: &AtomicU64, count: u64) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while began.load(Ordering::SeqCst) < count {
        assert!(Instant::now() < give_up);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

struct Two {
    ledger: Ledger,
    tell: [Sender<End>; 2],
    waiting: [Pending; 2],
    _threads: LedgerThreads,
}

/// Two entries, each with a sync of its own under way.
async fn two(bench: &Bench) -> Two {
    let began = Arc::new(AtomicU64::new(0));
    let ((one, tell_one), (other, tell_other)) = (told(&began), told(&began));
    let (ledger, threads) = bench.start_with_all(vec![one, other]);
    open(&ledger, 1).await;
    let submit = || ledger.queue(AppendRequest::plain(1, note(), Durability::Disk));
    let first = submit().unwrap();
    until(&began, 2).await;
    let second = submit().unwrap();
    until(&began, 3).await;
    Two {
        ledger,
        tell: [tell_one, tell_other],
        waiting: [first, second],
        _threads: threads,
    }
}

#[tokio::test]
async fn an_entry_does_not_wait_for_the_sync_of_another() {
    let bench = Bench::new();
    let Two {
        ledger,
        tell,
        waiting,
        _threads,
    } = two(&bench).await;
    for tell in &tell {
        tell.send(Ok(())).unwrap();
    }
    for (waiting, seq) in waiting.into_iter().zip(1..) {
        assert_eq!(waiting.await.unwrap().unwrap().seq, seq);
    }
    assert!(ledger.failure().is_none());
}

// L03
#[tokio::test]
async fn a_sync_that_ends_well_after_another_has_failed_acknowledges_nothing() {
    let bench = Bench::new();
    let Two {
        ledger,
        tell,
        waiting,
        _threads,
    } = two(&bench).await;
    // One of them fails, whichever of the entries it is for.
    tell[0].send(Err(io::Error::from_raw_os_error(5))).unwrap();
    let give_up = Instant::now() + Duration::from_secs(20);
    while ledger.failure().is_none() {
        assert!(Instant::now() < give_up);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tell[1].send(Ok(())).unwrap();
    for waiting in waiting {
        let error = waiting.await.unwrap().unwrap_err();
        assert!(matches!(error, LedgerError::Poisoned(_)), "{error}");
    }
}
