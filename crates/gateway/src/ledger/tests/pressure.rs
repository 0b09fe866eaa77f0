//! A disk that is slow, and receipts that wait for it.

use std::sync::{
    Mutex,
    mpsc::{Receiver, Sender, channel},
};

use super::*;

/// A ledger whose syncs each wait for a word.
fn gated(bench: &Bench) -> (Ledger, Sender<()>, Arc<AtomicU64>) {
    let (release, gate) = channel::<()>();
    let gate: Mutex<Receiver<()>> = Mutex::new(gate);
    let syncs = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&syncs);
    let (ledger, _threads) = bench.start_with(WalSync::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        // Nobody lets go of it any more: then it is no gate.
        let _ = gate.lock().unwrap().recv();
        Ok(())
    }));
    (ledger, release, syncs)
}

type Waiting = oneshot::Receiver<Result<Receipt, LedgerError>>;

fn submit(ledger: &Ledger, durability: Durability) -> Result<Waiting, LedgerError> {
    let (answer, receipt) = oneshot::channel();
    let entry = AppendRequest::plain(1, note(), durability).into_append(answer);
    ledger.send(Command::Append(entry)).map(|()| receipt)
}

async fn until(mut condition: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < give_up);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn v1_a_receipt_for_the_disk_waits_for_the_sync_and_one_for_the_process_does_not() {
    let bench = Bench::new();
    let (ledger, release, syncs) = gated(&bench);
    release.send(()).unwrap();
    open(&ledger, 1).await;
    let mut written = submit(&ledger, Durability::Disk).unwrap();
    until(|| syncs.load(Ordering::SeqCst) == 2).await;
    assert_eq!(replay(&bench.path(), 1).size(), 2, "committed");
    append(&ledger, 1, Durability::Process).await.unwrap();
    assert!(
        written.try_recv().is_err(),
        "nobody is told before the sync has ended"
    );
    release.send(()).unwrap();
    assert_eq!(written.await.unwrap().unwrap().seq, 1);
}

#[tokio::test]
async fn l17_a_disk_that_stalls_refuses_callers_beyond_a_bound_and_loses_none_it_took() {
    let bench = Bench::new();
    let (ledger, release, syncs) = gated(&bench);
    release.send(()).unwrap();
    open(&ledger, 1).await;
    let mut taken = vec![submit(&ledger, Durability::Disk).unwrap()];
    until(|| syncs.load(Ordering::SeqCst) == 2).await;
    let started = Instant::now();
    let refused = loop {
        match submit(&ledger, Durability::Disk) {
            Ok(waiting) => taken.push(waiting),
            Err(error) => break error,
        }
        assert!(taken.len() <= 20_000, "the queue has no bound");
        // The writer takes from the queue as fast as it can.
        if taken.len().is_multiple_of(500) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(matches!(refused, LedgerError::Overloaded), "{refused}");
    assert!(started.elapsed() < Duration::from_secs(10));
    // The queue, and one batch in the writer's hand besides the one at the disk.
    assert!(
        (QUEUE..=QUEUE + 1_024 + 2).contains(&taken.len()),
        "{}",
        taken.len()
    );
    assert!(ledger.failure().is_none(), "overload is no failure");
    drop(release);
    let count = taken.len() as u64;
    for (place, waiting) in taken.into_iter().enumerate() {
        assert_eq!(waiting.await.unwrap().unwrap().seq, place as u64 + 1);
    }
    assert_eq!(replay(&bench.path(), 1).size(), count + 1);
    append(&ledger, 1, Durability::Disk).await.unwrap();
}

#[tokio::test]
async fn l17_stalls_of_half_a_second_are_shared_by_all_who_wait() {
    let bench = Bench::new();
    let syncs = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&syncs);
    let (ledger, _threads) = bench.start_with(WalSync::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(500));
        Ok(())
    }));
    open(&ledger, 1).await;
    let before = syncs.load(Ordering::SeqCst);
    let waiting: Vec<_> = (0..400)
        .map(|_| submit(&ledger, Durability::Disk).unwrap())
        .collect();
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    let used = syncs.load(Ordering::SeqCst) - before;
    assert!(used <= 2, "400 entries took {used} syncs of half a second");
}
