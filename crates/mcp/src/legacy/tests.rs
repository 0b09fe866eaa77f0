use std::time::{Duration, Instant};

use super::{Bounds, Lookup, Sessions, TableFull};
use crate::version::Version;

const VERSION: Version = Version::V2025_11_25;
const BOUNDS: Bounds = Bounds {
    total: 3,
    per_principal: 2,
    idle: Duration::from_secs(600),
};

fn table() -> (Sessions, Instant) {
    (Sessions::new(BOUNDS), Instant::now())
}

#[test]
fn ids_carry_all_256_bits_they_were_made_from_and_only_visible_ascii() {
    let (mut table, now) = table();
    let mut random = [0xab; 32];
    random[31] = 0x01;
    let id = table.open(&random, "alice", VERSION, now).unwrap();
    assert_eq!(id.as_str(), format!("{}01", "ab".repeat(31)));
    assert!(
        id.as_str()
            .bytes()
            .all(|byte| (0x21..=0x7e).contains(&byte))
    );
}

#[test]
fn an_id_chosen_by_the_client_is_unknown() {
    let (mut table, now) = table();
    assert_eq!(
        table.look_up("my-own-session", "alice", now),
        Lookup::Unknown
    );
    assert!(table.is_empty());
}

#[test]
fn another_principal_cannot_use_look_up_or_end_a_session() {
    let (mut table, now) = table();
    let id = table.open(&[1; 32], "alice", VERSION, now).unwrap();
    assert_eq!(table.look_up(id.as_str(), "mallory", now), Lookup::Foreign);
    assert_eq!(table.end(id.as_str(), "mallory", now), Lookup::Foreign);
    assert_eq!(
        table.look_up(id.as_str(), "alice", now),
        Lookup::Own(VERSION)
    );
}

#[test]
fn foreign_use_does_not_keep_a_session_alive() {
    let (mut table, now) = table();
    let id = table.open(&[1; 32], "alice", VERSION, now).unwrap();
    let later = now + Duration::from_secs(599);
    assert_eq!(
        table.look_up(id.as_str(), "mallory", later),
        Lookup::Foreign
    );
    let end = now + Duration::from_secs(601);
    assert_eq!(table.look_up(id.as_str(), "alice", end), Lookup::Unknown);
}

#[test]
fn an_ended_session_is_unknown() {
    let (mut table, now) = table();
    let id = table.open(&[1; 32], "alice", VERSION, now).unwrap();
    assert_eq!(table.end(id.as_str(), "alice", now), Lookup::Own(VERSION));
    assert_eq!(table.look_up(id.as_str(), "alice", now), Lookup::Unknown);
}

#[test]
fn use_resets_the_idle_time_and_idling_past_it_ends_the_session() {
    let (mut table, now) = table();
    let id = table.open(&[1; 32], "alice", VERSION, now).unwrap();
    let used = now + Duration::from_secs(600);
    assert_eq!(
        table.look_up(id.as_str(), "alice", used),
        Lookup::Own(VERSION)
    );
    let still = used + Duration::from_secs(600);
    assert_eq!(
        table.look_up(id.as_str(), "alice", still),
        Lookup::Own(VERSION)
    );
    table.expire(still + Duration::from_secs(601));
    assert_eq!(table.len(), 0);
}

#[test]
fn one_session_too_many_ends_the_principals_own_longest_idle_one() {
    let (mut table, now) = table();
    let second = Duration::from_secs(1);
    let other = table.open(&[9; 32], "bob", VERSION, now).unwrap();
    let first = table
        .open(&[1; 32], "alice", VERSION, now + second)
        .unwrap();
    let kept = table
        .open(&[2; 32], "alice", VERSION, now + 2 * second)
        .unwrap();
    table
        .open(&[3; 32], "alice", VERSION, now + 3 * second)
        .unwrap();
    let then = now + 4 * second;
    assert_eq!(
        table.look_up(first.as_str(), "alice", then),
        Lookup::Unknown
    );
    assert_eq!(
        table.look_up(kept.as_str(), "alice", then),
        Lookup::Own(VERSION)
    );
    assert_eq!(
        table.look_up(other.as_str(), "bob", then),
        Lookup::Own(VERSION)
    );
    assert_eq!(table.len(), 3);
}

#[test]
fn a_full_table_refuses_and_never_ends_somebody_elses_session() {
    let (mut table, now) = table();
    table.open(&[1; 32], "alice", VERSION, now).unwrap();
    table.open(&[2; 32], "alice", VERSION, now).unwrap();
    table.open(&[3; 32], "bob", VERSION, now).unwrap();
    assert_eq!(
        table.open(&[4; 32], "carol", VERSION, now),
        Err(TableFull { total: 3 })
    );
    assert_eq!(table.len(), 3);
}
