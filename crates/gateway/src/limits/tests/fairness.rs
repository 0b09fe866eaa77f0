use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinSet, time::Instant};

use crate::limits::{LimitSettings, Limited, Limits, Place, What};

const PATIENCE: Duration = Duration::from_secs(10);

fn limits(in_flight: usize, waiting: usize) -> Arc<Limits> {
    let settings = LimitSettings {
        in_flight: NonZeroUsize::new(in_flight).unwrap(),
        waiting,
        ..LimitSettings::default()
    };
    Arc::new(Limits::new(settings, std::time::Instant::now()))
}

async fn enter(limits: &Limits, principal: &str) -> Result<Place, Limited> {
    limits.enter(principal, PATIENCE).await
}

/// Lets every other task go as far as it can.
async fn settle() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_place_waits_for_one_and_places_go_round() {
    let limits = limits(4, 100);
    let alice = [
        enter(&limits, "alice").await.unwrap(),
        enter(&limits, "alice").await.unwrap(),
    ];
    let bob = [
        enter(&limits, "bob").await.unwrap(),
        enter(&limits, "bob").await.unwrap(),
    ];
    let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    for who in ["alice", "alice", "alice", "bob", "carol", "carol"] {
        let (limits, told) = (Arc::clone(&limits), told.clone());
        tasks.spawn(async move {
            let place = enter(&limits, who).await.unwrap();
            told.send(who).unwrap();
            settle().await;
            drop(place);
        });
        settle().await;
    }
    assert_eq!(limits.load(), (4, 6));
    drop(alice);
    drop(bob);
    let mut served = Vec::new();
    for _ in 0..6 {
        served.push(order.recv().await.unwrap());
    }
    // Whoever may have a place at all has the first; nobody waits for all of another's.
    let first: Vec<_> = served.iter().take(5).copied().collect();
    assert!(
        first.contains(&"bob") && first.contains(&"carol"),
        "{served:?}"
    );
    while tasks.join_next().await.is_some() {}
    assert_eq!(limits.load(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn one_principal_never_has_more_than_half() {
    let limits = limits(5, 100);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(enter(&limits, "alice").await.unwrap());
    }
    let waits = tokio::spawn({
        let limits = Arc::clone(&limits);
        async move { enter(&limits, "alice").await.is_ok() }
    });
    settle().await;
    assert_eq!(limits.load(), (3, 1), "though two places are free");
    let bob = enter(&limits, "bob").await.unwrap();
    drop(held.pop());
    assert!(waits.await.unwrap());
    drop((bob, held));
    assert_eq!(limits.load(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_too_long_or_stops_waiting_leaves_nothing_behind() {
    let limits = limits(2, 100);
    let held = [
        enter(&limits, "alice").await.unwrap(),
        enter(&limits, "bob").await.unwrap(),
    ];
    let began = Instant::now();
    let refused = enter(&limits, "carol").await.unwrap_err();
    assert_eq!((refused.what, began.elapsed()), (What::Capacity, PATIENCE));
    let waits = tokio::spawn({
        let limits = Arc::clone(&limits);
        async move { enter(&limits, "carol").await }
    });
    settle().await;
    assert_eq!(limits.load(), (2, 1));
    waits.abort();
    settle().await;
    assert_eq!(limits.load(), (2, 0));
    drop(held);
    assert_eq!(limits.load(), (0, 0));
    assert!(enter(&limits, "carol").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_place_that_was_called_for_one_who_is_just_gone_goes_to_the_next() {
    let limits = limits(2, 100);
    let held = [
        enter(&limits, "alice").await.unwrap(),
        enter(&limits, "bob").await.unwrap(),
    ];
    let waits = |who: &'static str| {
        let limits = Arc::clone(&limits);
        tokio::spawn(async move { enter(&limits, who).await })
    };
    let (gone, next) = (waits("carol"), waits("dave"));
    settle().await;
    // The place is given, and the task is gone before it could look.
    drop(held);
    gone.abort();
    assert!(next.await.unwrap().is_ok());
    assert!(gone.await.is_err());
    settle().await;
    assert_eq!(limits.load(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn n01_a_thousand_sessions_with_a_thousand_calls_each_stay_within_bounds() {
    let limits = limits(64, 256);
    let mut held = Vec::new();
    for _ in 0..32 {
        held.push(enter(&limits, "flood").await.unwrap());
    }
    // As many as may wait do so; the rest of a million is refused at once.
    let mut waiting = JoinSet::new();
    let refused = Arc::new(AtomicUsize::new(0));
    for _ in 0..128 {
        let limits = Arc::clone(&limits);
        waiting.spawn(async move { enter(&limits, "flood").await.map(drop) });
    }
    settle().await;
    assert_eq!(limits.load(), (32, 128));
    for _ in 0..1_000_000 - 160 {
        match enter(&limits, "flood").await {
            Ok(_) => panic!("one too many"),
            Err(Limited { what, .. }) => assert_eq!(what, What::Capacity),
        }
        refused.fetch_add(1, Ordering::Relaxed);
    }
    assert_eq!(limits.load(), (32, 128));
    // Another principal notices nothing.
    let began = Instant::now();
    for _ in 0..1_000 {
        assert!(enter(&limits, "alice").await.is_ok());
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    drop(held);
    while let Some(ended) = waiting.join_next().await {
        assert!(ended.unwrap().is_ok());
    }
    assert_eq!(limits.load(), (0, 0));
    assert_eq!(refused.load(Ordering::Relaxed), 1_000_000 - 160);
}

#[tokio::test(start_paused = true)]
async fn n01_whoever_comes_while_all_places_are_taken_waits_for_one_turn_only() {
    let limits = limits(2, 2_000);
    let held = [
        enter(&limits, "alice").await.unwrap(),
        enter(&limits, "bob").await.unwrap(),
    ];
    let served = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for at in 0..1_000 {
        let who = if at % 2 == 0 { "alice" } else { "bob" };
        let (limits, served) = (Arc::clone(&limits), Arc::clone(&served));
        tasks.spawn(async move {
            let place = enter(&limits, who).await.unwrap();
            served.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            drop(place);
        });
    }
    settle().await;
    let late = tokio::spawn({
        let (limits, served) = (Arc::clone(&limits), Arc::clone(&served));
        async move {
            let _place = enter(&limits, "carol").await.unwrap();
            served.load(Ordering::SeqCst)
        }
    });
    settle().await;
    drop(held);
    let before = late.await.unwrap();
    assert!(before <= 4, "{before} of those that came earlier");
    while tasks.join_next().await.is_some() {}
}
