use std::time::Duration;

use tokio::time::{Instant, advance};

use super::{Bounds, ParkError, Parking};
use crate::sealed::Handle;

const MINUTE: Duration = Duration::from_secs(60);

fn parking() -> Parking<&'static str> {
    Parking::new(Bounds {
        per_principal: 2,
        total: 3,
    })
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_on_with_what_its_client_brings() {
    let parking = parking();
    let (handle, stall) = parking.park("alice", MINUTE).unwrap();
    let call = tokio::spawn(stall.resumed());
    advance(MINUTE - Duration::from_millis(1)).await;
    let resume = parking.take("alice", &handle).unwrap();
    assert_eq!(parking.len(), 0);
    assert_eq!(resume.hand("answers"), Ok(()));
    assert_eq!(call.await.unwrap(), Some("answers"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_comes_back_for_ends_at_its_time_and_is_told() {
    let parking = parking();
    let began = Instant::now();
    let (handle, stall) = parking.park("alice", MINUTE).unwrap();
    assert_eq!(stall.resumed().await, None);
    assert_eq!(began.elapsed().as_secs(), 60);
    assert_eq!(parking.len(), 0);
    assert!(parking.take("alice", &handle).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_call_is_not_had_past_its_time_even_where_it_has_not_noticed_yet() {
    let parking = parking();
    let (handle, _stall) = parking.park("alice", MINUTE).unwrap();
    advance(MINUTE).await;
    assert!(parking.take("alice", &handle).is_none());
}

#[tokio::test(start_paused = true)]
async fn nobody_elses_call_is_had_and_its_owner_still_has_it() {
    let parking = parking();
    let (handle, stall) = parking.park("alice", MINUTE).unwrap();
    assert!(parking.take("bob", &handle).is_none());
    assert!(parking.take("", &handle).is_none());
    assert!(parking.take("alice", &Handle([0; 16])).is_none());
    parking
        .take("alice", &handle)
        .unwrap()
        .hand("mine")
        .unwrap();
    assert_eq!(stall.resumed().await, Some("mine"));
}

#[tokio::test(start_paused = true)]
async fn a_call_is_had_once() {
    let parking = parking();
    let (handle, _stall) = parking.park("alice", MINUTE).unwrap();
    let first = parking.take("alice", &handle);
    assert!(first.is_some() && parking.take("alice", &handle).is_none());
}

#[tokio::test(start_paused = true)]
async fn whoever_took_a_call_and_brings_nothing_ends_it() {
    let parking = parking();
    let (handle, stall) = parking.park("alice", MINUTE).unwrap();
    drop(parking.take("alice", &handle));
    assert_eq!(stall.resumed().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_taken_in_time_waits_for_what_is_on_its_way() {
    let parking = parking();
    let (handle, stall) = parking.park("alice", MINUTE).unwrap();
    let call = tokio::spawn(stall.resumed());
    let resume = parking.take("alice", &handle).unwrap();
    advance(2 * MINUTE).await;
    assert_eq!(resume.hand("late"), Ok(()));
    assert_eq!(call.await.unwrap(), Some("late"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ended_by_itself_leaves_nothing_behind() {
    let parking = parking();
    let (handle, stall) = parking.park("alice", MINUTE).unwrap();
    drop(stall);
    assert_eq!(parking.len(), 0);
    assert!(parking.take("alice", &handle).is_none());
    // Between the taking and the handing over.
    let (handle, stall) = parking.park("alice", MINUTE).unwrap();
    let resume = parking.take("alice", &handle).unwrap();
    drop(stall);
    assert_eq!(resume.hand("too late"), Err("too late"));
}

#[tokio::test(start_paused = true)]
async fn n01_a_full_table_refuses_and_has_room_again_when_calls_end() {
    let parking = parking();
    let park = |who| parking.park(who, MINUTE);
    let (first, mut held) = park("alice").map(|(h, s)| (h, vec![s])).unwrap();
    held.push(park("alice").unwrap().1);
    assert_eq!(park("alice").map(|_| ()), Err(ParkError::Full), "hers");
    held.push(park("bob").unwrap().1);
    assert_eq!(park("carol").map(|_| ()), Err(ParkError::Full), "all");
    assert!(parking.take("alice", &first).is_some());
    assert!(park("carol").is_ok(), "whose call ended at once");
    assert!(park("alice").is_ok());
    drop(held);
    assert_eq!(parking.len(), 0);
    for who in ["alice", "bob", "carol"] {
        assert!(park(who).is_ok());
    }
    assert!(parking.table.lock().unwrap().of.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_ends_tells_its_calls() {
    let parking = parking();
    let (_, stall) = parking.park("alice", MINUTE).unwrap();
    parking.close();
    assert_eq!(stall.resumed().await, None);
    assert_eq!(parking.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_principal_whose_answers_count_no_more_is_waited_for_no_more() {
    let parking = parking();
    let (_, first) = parking.park("alice", MINUTE).unwrap();
    let (_, second) = parking.park("alice", MINUTE).unwrap();
    let (handle, others) = parking.park("bob", MINUTE).unwrap();
    parking.forget("alice");
    assert_eq!(first.resumed().await, None);
    assert_eq!(second.resumed().await, None);
    assert_eq!(parking.len(), 1);
    assert!(!parking.table.lock().unwrap().of.contains_key("alice"));
    parking.take("bob", &handle).unwrap().hand("his").unwrap();
    assert_eq!(others.resumed().await, Some("his"));
}
