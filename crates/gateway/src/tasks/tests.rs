use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Bounds, Form, Made, Task, TaskError, Tasks};

mod shapes;

const HOUR: Duration = Duration::from_secs(3_600);

fn tasks() -> Tasks<u32> {
    Tasks::new(Bounds {
        per_principal: 3,
        total: 5,
        longest: 2 * HOUR,
    })
}

fn made(upstream_id: &str, payload: u32) -> Made<u32> {
    Made {
        upstream: 7,
        upstream_id: upstream_id.to_owned(),
        form: Form::Nested,
        ttl: Some(HOUR),
        told: Bytes::from_static(b"{}"),
        payload,
    }
}

fn keep(tasks: &Tasks<u32>, who: &str, upstream_id: &str, now: Instant) -> Arc<Task<u32>> {
    let room = tasks.room(who).unwrap();
    room.keep(made(upstream_id, 1), now).unwrap()
}

#[test]
fn a_task_is_its_owners_alone() {
    let (tasks, now) = (tasks(), Instant::now());
    let task = keep(&tasks, "alice", "t", now);
    assert!(tasks.find("alice", &task.id, now).is_some());
    for (who, id) in [
        ("bob", task.id.as_str()),
        ("", &task.id),
        ("alice", "t"),
        ("alice", ""),
    ] {
        assert!(tasks.find(who, id, now).is_none(), "{who} {id}");
    }
    let upper = task.id.to_ascii_uppercase();
    assert!(tasks.find("alice", &upper, now).is_none());
    assert!(!format!("{task:?}").contains(&task.id));
}

#[test]
fn ids_are_random_and_the_servers_own_do_not_meet() {
    let (tasks, now) = (Tasks::new(Bounds::default()), Instant::now());
    let mut ids = HashSet::new();
    for n in 0..500u32 {
        let room = tasks.room("alice").unwrap();
        ids.insert(room.keep(made(&n.to_string(), n), now).unwrap().id.clone());
    }
    assert_eq!(ids.len(), 500);
    // Two principals, two servers, one id.
    let bob = keep(&tasks, "bob", "0", now);
    let elsewhere = Made {
        upstream: 8,
        ..made("0", 2)
    };
    let elsewhere = tasks.room("alice").unwrap().keep(elsewhere, now).unwrap();
    let found = |who: &str, upstream| {
        let found = tasks.of_upstream(&Arc::from(who), upstream, "0");
        found.map(|task| task.id.clone())
    };
    assert_eq!(found("bob", 7), Some(bob.id.clone()));
    assert_eq!(found("alice", 8), Some(elsewhere.id.clone()));
    assert_eq!(found("bob", 8), None);
    // The same server and owner once more: one of the two tasks would be the other's.
    let again = tasks.room("bob").unwrap().keep(made("0", 9), now);
    assert_eq!(again.map(|_| ()), Err((TaskError::Reused, 9)));
    assert_eq!(tasks.len(), 502);
}

#[test]
fn a_task_ends_with_its_time_and_gives_back_what_was_left_open() {
    let (tasks, now) = (tasks(), Instant::now());
    let task = keep(&tasks, "alice", "short", now);
    let room = tasks.room("alice").unwrap();
    let endless = Made {
        ttl: None,
        ..made("endless", 2)
    };
    room.keep(endless, now).unwrap();
    let room = tasks.room("bob").unwrap();
    let long = Made {
        ttl: Some(Duration::MAX),
        ..made("long", 3)
    };
    room.keep(long, now).unwrap();
    assert!(
        tasks
            .expired(now + HOUR - Duration::from_nanos(1))
            .is_empty()
    );
    assert!(
        tasks.find("alice", &task.id, now + HOUR).is_none(),
        "even before it is taken out"
    );
    let expired = tasks.expired(now + HOUR);
    assert_eq!(
        expired.iter().map(|task| task.payload).collect::<Vec<_>>(),
        [1]
    );
    assert_eq!(tasks.len(), 2);
    assert_eq!(
        tasks.expired(now + 2 * HOUR).len(),
        2,
        "none is kept for ever"
    );
    assert_eq!(tasks.len(), 0);
    assert!(tasks.0.lock().unwrap().of.is_empty());
}

#[test]
fn a_task_is_taken_out_once() {
    let (tasks, now) = (tasks(), Instant::now());
    let task = keep(&tasks, "alice", "t", now);
    assert_eq!(tasks.end(&task).map(|task| task.payload), Some(1));
    assert!(tasks.end(&task).is_none());
    assert!(tasks.find("alice", &task.id, now).is_none());
    assert!(tasks.of_upstream(&Arc::from("alice"), 7, "t").is_none());
    keep(&tasks, "alice", "t", now);
    assert_eq!(tasks.len(), 1, "the server's id is free again");
}

#[test]
fn n01_room_is_bounded_for_each_and_in_all_and_promised_room_counts() {
    let (tasks, now) = (tasks(), Instant::now());
    let promised = tasks.room("alice").unwrap();
    keep(&tasks, "alice", "1", now);
    let last = keep(&tasks, "alice", "2", now);
    let full = |who: &str| tasks.room(who).map(|_| ()).err();
    assert_eq!(full("alice"), Some(TaskError::Full));
    keep(&tasks, "bob", "1", now);
    let other = tasks.room("bob").unwrap();
    assert_eq!(full("carol"), Some(TaskError::Full));
    drop((promised, other));
    assert_eq!(full("carol"), None);
    tasks.end(&last);
    keep(&tasks, "alice", "3", now);
    assert_eq!(tasks.expired(now + HOUR).len(), 3);
    let table = tasks.0.lock().unwrap();
    assert!(table.of.is_empty() && table.promised == 0);
    assert!(table.by_upstream.is_empty() && table.ends.is_empty());
}

#[test]
fn a_principal_lists_its_own_tasks_in_pages_that_hold_still() {
    let (tasks, now) = (Tasks::new(Bounds::default()), Instant::now());
    let own: Vec<_> = (0..7)
        .map(|n| {
            keep(&tasks, "bob", &n.to_string(), now);
            keep(&tasks, "alice", &n.to_string(), now)
        })
        .collect();
    let (first, place) = tasks.page("alice", (None, 3), now);
    // What ends or is added between two pages moves nothing.
    tasks.end(&own[1]);
    tasks.end(&own[4]);
    keep(&tasks, "alice", "new", now);
    let (second, place) = tasks.page("alice", (place, 3), now);
    let (third, end) = tasks.page("alice", (place, 3), now);
    let ids = |page: Vec<Arc<Task<u32>>>| -> Vec<String> {
        page.iter().map(|task| task.upstream_id.clone()).collect()
    };
    assert_eq!(ids(first), ["0", "1", "2"]);
    assert_eq!(ids(second), ["3", "5", "6"]);
    assert_eq!(ids(third), ["new"]);
    assert_eq!(end, None);
    assert_eq!(tasks.page("alice", (Some(u64::MAX), 3), now).1, None);
    assert!(tasks.page("nobody", (None, 3), now).0.is_empty());
    assert!(tasks.page("alice", (None, 100), now + HOUR).0.is_empty());
    let (exactly, end) = tasks.page("bob", (None, 7), now);
    assert_eq!((exactly.len(), end), (7, None));
}

#[test]
fn what_a_server_said_last_is_what_is_known() {
    let (tasks, now) = (tasks(), Instant::now());
    let task = keep(&tasks, "alice", "t", now);
    assert_eq!(task.told(), "{}");
    tasks
        .find("alice", &task.id, now)
        .unwrap()
        .tell(Bytes::from_static(b"{\"status\":1}"));
    assert_eq!(task.told(), "{\"status\":1}");
    assert_eq!((task.upstream, task.form), (7, Form::Nested));
}
