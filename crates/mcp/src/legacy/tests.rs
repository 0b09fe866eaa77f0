use std::time::{Duration, Instant};

use super::{Bounds, Lookup, Opening, SessionId, Sessions, TableFull};
use crate::{
    jsonrpc::{Id, Params},
    server::session::{Handshake, Session},
};

const BOUNDS: Bounds = Bounds {
    total: 3,
    per_principal: 2,
    idle: Duration::from_secs(600),
};

fn http() -> Opening {
    Opening::Http(Handshake::read(&Params::default()))
}

fn id(session: &Session) -> String {
    session.id().unwrap().as_str().to_owned()
}

fn table() -> (Sessions, Instant) {
    (Sessions::new(BOUNDS), Instant::now())
}

#[test]
fn f13_ids_carry_all_256_bits_they_were_made_from_and_only_visible_ascii() {
    let mut random = [0xab; 32];
    random[31] = 0x01;
    let id = SessionId::from_random(&random);
    assert_eq!(id.as_str(), format!("{}01", "ab".repeat(31)));
    assert!(
        id.as_str()
            .bytes()
            .all(|byte| (0x21..=0x7e).contains(&byte))
    );
}

#[test]
fn f13_an_id_chosen_by_the_client_is_unknown() {
    let (mut table, now) = table();
    assert_eq!(
        table.look_up("my-own-session", "alice", now),
        Lookup::Unknown
    );
    assert!(table.is_empty());
}

#[test]
fn f13_another_principal_cannot_use_look_up_or_end_a_session() {
    let (mut table, now) = table();
    let session = table.open(&[1; 32], "alice", http(), now).unwrap();
    assert_eq!(
        table.look_up(&id(&session), "mallory", now),
        Lookup::Foreign
    );
    assert_eq!(table.end(&id(&session), "mallory", now), Lookup::Foreign);
    assert_eq!(
        table.look_up(&id(&session), "alice", now),
        Lookup::Own(session.clone())
    );
}

#[test]
fn foreign_use_does_not_keep_a_session_alive() {
    let (mut table, now) = table();
    let session = table.open(&[1; 32], "alice", http(), now).unwrap();
    let later = now + Duration::from_secs(599);
    assert_eq!(
        table.look_up(&id(&session), "mallory", later),
        Lookup::Foreign
    );
    let end = now + Duration::from_secs(601);
    assert_eq!(table.look_up(&id(&session), "alice", end), Lookup::Unknown);
}

#[test]
fn an_ended_session_is_unknown() {
    let (mut table, now) = table();
    let session = table.open(&[1; 32], "alice", http(), now).unwrap();
    assert_eq!(
        table.end(&id(&session), "alice", now),
        Lookup::Own(session.clone())
    );
    assert_eq!(table.look_up(&id(&session), "alice", now), Lookup::Unknown);
}

#[test]
fn use_resets_the_idle_time_and_idling_past_it_ends_the_session() {
    let (mut table, now) = table();
    let session = table.open(&[1; 32], "alice", http(), now).unwrap();
    let used = now + Duration::from_secs(600);
    assert_eq!(
        table.look_up(&id(&session), "alice", used),
        Lookup::Own(session.clone())
    );
    let still = used + Duration::from_secs(600);
    assert_eq!(
        table.look_up(&id(&session), "alice", still),
        Lookup::Own(session.clone())
    );
    table.expire(still + Duration::from_secs(601));
    assert_eq!(table.len(), 0);
}

#[test]
fn one_session_too_many_ends_the_principals_own_longest_idle_one() {
    let (mut table, now) = table();
    let second = Duration::from_secs(1);
    let other = table.open(&[9; 32], "bob", http(), now).unwrap();
    let first = table.open(&[1; 32], "alice", http(), now + second).unwrap();
    let kept = table
        .open(&[2; 32], "alice", http(), now + 2 * second)
        .unwrap();
    table
        .open(&[3; 32], "alice", http(), now + 3 * second)
        .unwrap();
    let then = now + 4 * second;
    assert_eq!(table.look_up(&id(&first), "alice", then), Lookup::Unknown);
    assert!(first.is_ended() && !kept.is_ended());
    assert_eq!(
        table.look_up(&id(&kept), "alice", then),
        Lookup::Own(kept.clone())
    );
    assert_eq!(
        table.look_up(&id(&other), "bob", then),
        Lookup::Own(other.clone())
    );
    assert_eq!(table.len(), 3);
}

#[test]
fn a_full_table_refuses_and_never_ends_somebody_elses_session() {
    let (mut table, now) = table();
    table.open(&[1; 32], "alice", http(), now).unwrap();
    table.open(&[2; 32], "alice", http(), now).unwrap();
    table.open(&[3; 32], "bob", http(), now).unwrap();
    let refused = table.open(&[4; 32], "carol", http(), now);
    assert_eq!(refused.unwrap_err(), TableFull { total: 3 });
    assert_eq!(table.len(), 3);
}

#[test]
fn a_full_table_makes_room_by_ending_what_is_idle() {
    let (mut table, now) = table();
    for n in 1..4_u8 {
        table.open(&[n; 32], &n.to_string(), http(), now).unwrap();
    }
    let later = now + Duration::from_secs(601);
    assert!(table.open(&[4; 32], "carol", http(), later).is_ok());
    assert_eq!(table.len(), 1);
}

#[test]
fn a_session_that_is_ended_any_way_is_told_so() {
    let (mut table, now) = table();
    let ended = table.open(&[1; 32], "alice", http(), now).unwrap();
    table.end(&id(&ended), "alice", now);
    let idle = table.open(&[2; 32], "alice", http(), now).unwrap();
    let later = now + Duration::from_secs(601);
    assert_eq!(table.look_up(&id(&idle), "alice", later), Lookup::Unknown);
    let left = table.open(&[3; 32], "alice", http(), later).unwrap();
    assert_eq!(table.iter().collect::<Vec<_>>(), [&left]);
    assert!(ended.is_ended() && idle.is_ended() && !left.is_ended());
}

#[test]
fn a_session_that_ended_by_itself_is_unknown() {
    let (mut table, now) = table();
    let session = table.open(&[1; 32], "alice", Opening::Pair, now).unwrap();
    assert!(session.is_pair() && !session.is_http());
    session.end();
    assert_eq!(table.look_up(&id(&session), "alice", now), Lookup::Unknown);
    assert!(table.is_empty());
}

#[test]
fn a_stream_that_is_read_and_a_request_that_is_served_keep_a_session() {
    let (mut table, now) = table();
    let reading = table.open(&[1; 32], "alice", http(), now).unwrap();
    let served = table.open(&[2; 32], "bob", http(), now).unwrap();
    let stream = reading.standalone(Duration::from_secs(15));
    let request = served.open(&Id::from(1)).unwrap();
    let later = now + Duration::from_secs(6_000);
    table.expire(later);
    assert_eq!(table.len(), 2);
    drop((stream, request));
    table.expire(later + Duration::from_secs(601));
    assert!(table.is_empty());
}

#[test]
fn the_places_of_ended_sessions_are_free_again() {
    let (mut table, now) = table();
    for round in 0..10_u8 {
        let first = table.open(&[round; 32], "alice", http(), now).unwrap();
        let second = table
            .open(&[round + 100; 32], "alice", http(), now)
            .unwrap();
        table.end(&id(&first), "alice", now);
        assert!(!second.is_ended());
        table.end(&id(&second), "alice", now);
    }
    assert!(table.is_empty() && table.held.is_empty());
}
