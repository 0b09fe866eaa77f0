use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use super::*;

#[tokio::test]
async fn callers_share_one_run_and_none_of_them_cuts_it_short() {
    let flight = Flight::new();
    let (runs, gate) = (
        Arc::new(AtomicU32::new(0)),
        Arc::new(tokio::sync::Notify::new()),
    );
    let work = || {
        let (runs, gate) = (Arc::clone(&runs), Arc::clone(&gate));
        async move {
            gate.notified().await;
            Ok(runs.fetch_add(1, Ordering::SeqCst))
        }
    };
    let impatient = tokio::time::timeout(Duration::from_millis(1), flight.join(work)).await;
    assert!(impatient.is_err());
    let joined = async { tokio::join!(flight.join(work), flight.join(work)) };
    let open = async { gate.notify_one() };
    let ((first, second), ()) = tokio::join!(joined, open);
    assert_eq!((first, second), (Ok(0), Ok(0)));
    gate.notify_one();
    assert_eq!(
        flight.join(work).await,
        Ok(1),
        "a new run when the last has ended"
    );
}

#[tokio::test]
async fn a_run_that_panics_is_an_error_to_all() {
    let flight: Flight<u32> = Flight::new();
    let result = flight.join(|| async { panic!("a fault of ours") }).await;
    assert_eq!(result, Err(UpstreamError::Lost { sent: false }));
}
