use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use super::{Asker, CallLimit, LimitSettings, Limited, Limits, Made, Permit, Rate, What};

mod bombs;
mod fairness;
mod weights;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

fn rate(calls: u32, per: Duration, burst: u32) -> CallLimit {
    CallLimit {
        rate: Some(Rate {
            calls: NonZeroU32::new(calls).unwrap(),
            per,
            burst: NonZeroU32::new(burst).unwrap(),
        }),
        ..CallLimit::default()
    }
}

fn of_everybody(default: CallLimit) -> LimitSettings {
    LimitSettings {
        default,
        ..LimitSettings::default()
    }
}

struct World {
    limits: Limits,
    began: Instant,
    session: Made,
}

impl World {
    fn new(settings: LimitSettings) -> Self {
        let began = Instant::now();
        Self {
            limits: Limits::new(settings, began),
            began,
            session: Made::default(),
        }
    }

    fn admit(&self, principal: &str, tool: &str, at: Duration) -> Result<Permit, Limited> {
        let asker = Asker {
            principal,
            tool: Some(tool),
            session: &self.session,
        };
        self.limits.admit(&asker, self.began + at)
    }

    fn count(&self, principal: &str, tool: &str, at: Duration) -> usize {
        (0..1_000)
            .take_while(|_| self.admit(principal, tool, at).is_ok())
            .count()
    }

    fn entries(&self) -> usize {
        self.limits.table.lock().unwrap().principals.len()
    }
}

fn refused(admitted: Result<Permit, Limited>) -> (What, Option<Duration>) {
    let Limited { what, retry_after } = admitted.unwrap_err();
    (what, retry_after)
}

#[test]
fn without_limits_nothing_is_held_up_and_nothing_counted() {
    let world = World::new(LimitSettings::default());
    assert_eq!(world.count("alice", "pay", Duration::ZERO), 1_000);
    assert_eq!(world.entries(), 0);
    let elsewhere = LimitSettings {
        tools: BTreeMap::from([("pay".to_owned(), rate(1, SECOND, 1))]),
        ..LimitSettings::default()
    };
    let world = World::new(elsewhere);
    assert_eq!(world.count("alice", "read", Duration::ZERO), 1_000);
    assert_eq!(world.entries(), 0);
}

#[test]
fn a_burst_passes_then_the_rate_and_the_wait_that_is_told_is_the_shortest() {
    let world = World::new(of_everybody(rate(10, SECOND, 20)));
    assert_eq!(world.count("alice", "pay", Duration::ZERO), 20);
    let (what, wait) = refused(world.admit("alice", "pay", Duration::ZERO));
    assert_eq!((what, wait), (What::Rate, Some(Duration::from_millis(100))));
    let just = Duration::from_nanos(99_999_999);
    assert!(world.admit("alice", "pay", just).is_err());
    assert!(
        world
            .admit("alice", "pay", Duration::from_millis(100))
            .is_ok()
    );
    assert!(
        world
            .admit("alice", "pay", Duration::from_millis(100))
            .is_err()
    );
    assert_eq!(world.count("alice", "pay", Duration::from_millis(600)), 5);
    // Idle for as long as anybody likes, and it is a burst again, no more.
    assert_eq!(world.count("alice", "pay", 1_000 * SECOND), 20);
    assert_eq!(
        world.count("bob", "pay", 1_000 * SECOND),
        20,
        "bob has his own"
    );
}

#[test]
fn over_any_time_no_more_passes_than_rate_and_burst_allow() {
    let world = World::new(of_everybody(rate(7, SECOND, 3)));
    let mut passed = 0;
    for step in 0..100_000u32 {
        let at = Duration::from_micros(u64::from(step) * 100);
        passed += usize::from(world.admit("alice", "pay", at).is_ok());
    }
    assert_eq!(
        passed,
        3 + 69,
        "the burst, and one each seventh of a second for 10 s"
    );
}

#[test]
fn a_refused_call_costs_nothing() {
    let settings = LimitSettings {
        default: CallLimit {
            per_day: Some(3),
            ..rate(1, SECOND, 1)
        },
        tools: BTreeMap::from([("pay".to_owned(), rate(1, 60 * SECOND, 1))]),
        ..LimitSettings::default()
    };
    let world = World::new(settings);
    assert!(world.admit("alice", "pay", Duration::ZERO).is_ok());
    for second in 1..50 {
        // The tool's own limit refuses; the principal's stays as it was.
        let wait = (60 - second) * SECOND;
        let refusal = refused(world.admit("alice", "pay", second * SECOND));
        assert_eq!(refusal, (What::Rate, Some(wait)));
    }
    assert!(world.admit("alice", "read", 49 * SECOND).is_ok());
    assert!(
        world.admit("alice", "read", 49 * SECOND).is_err(),
        "one a second"
    );
    assert!(world.admit("alice", "read", 50 * SECOND).is_ok());
    let (what, wait) = refused(world.admit("alice", "read", 51 * SECOND));
    assert_eq!((what, wait), (What::Day, Some(DAY - 51 * SECOND)));
    assert!(world.admit("alice", "read", DAY).is_ok(), "the next day");
}

#[test]
fn a_tool_is_limited_for_each_principal_alone() {
    let settings = LimitSettings {
        tools: BTreeMap::from([(
            "pay".to_owned(),
            CallLimit {
                per_day: Some(2),
                ..CallLimit::default()
            },
        )]),
        ..LimitSettings::default()
    };
    let world = World::new(settings);
    assert_eq!(world.count("alice", "pay", Duration::ZERO), 2);
    assert_eq!(world.count("bob", "pay", Duration::ZERO), 2);
    assert_eq!(world.count("alice", "Pay", Duration::ZERO), 1_000);
    assert_eq!(refused(world.admit("alice", "pay", SECOND)).0, What::Day);
}

#[test]
fn a_principals_own_limit_stands_in_place_of_the_default() {
    let settings = LimitSettings {
        default: CallLimit {
            per_day: Some(1),
            ..CallLimit::default()
        },
        principals: BTreeMap::from([
            ("batch".to_owned(), rate(100, SECOND, 100)),
            ("root".to_owned(), CallLimit::default()),
        ]),
        ..LimitSettings::default()
    };
    let world = World::new(settings);
    assert_eq!(world.count("alice", "pay", Duration::ZERO), 1);
    assert_eq!(world.count("batch", "pay", Duration::ZERO), 100);
    assert_eq!(world.count("root", "pay", Duration::ZERO), 1_000);
}

#[test]
fn a_session_has_its_budget_whatever_the_time() {
    let limit = CallLimit {
        per_session: Some(3),
        ..CallLimit::default()
    };
    let mut world = World::new(of_everybody(limit));
    assert_eq!(world.count("alice", "pay", Duration::ZERO), 3);
    assert_eq!(
        refused(world.admit("alice", "pay", 10 * DAY)),
        (What::Session, None)
    );
    world.session = Made::default();
    assert_eq!(world.count("alice", "pay", 10 * DAY), 3);
}

#[test]
fn calls_at_once_are_counted_for_as_long_as_their_permits_live() {
    let settings = LimitSettings {
        default: CallLimit {
            concurrent: Some(3),
            ..CallLimit::default()
        },
        tools: BTreeMap::from([(
            "pay".to_owned(),
            CallLimit {
                concurrent: Some(1),
                ..CallLimit::default()
            },
        )]),
        ..LimitSettings::default()
    };
    let world = World::new(settings);
    let admit = |tool| world.admit("alice", tool, Duration::ZERO);
    let pay = admit("pay").unwrap();
    let (what, wait) = refused(admit("pay"));
    assert_eq!((what, wait), (What::Concurrent, Some(SECOND)));
    let read = [admit("read").unwrap(), admit("read").unwrap()];
    assert_eq!(refused(admit("read")).0, What::Concurrent);
    assert!(world.admit("bob", "pay", Duration::ZERO).is_ok());
    drop(pay);
    assert!(admit("pay").is_ok());
    drop(read);
    let held: Vec<_> = (0..3).map(|_| admit("read").unwrap()).collect();
    assert!(admit("read").is_err());
    drop(held);
}

#[test]
fn n01_idle_principals_are_forgotten_and_those_that_owe_are_not() {
    let limit = CallLimit {
        per_day: Some(1),
        ..rate(1, SECOND, 1)
    };
    let began = Instant::now();
    let limits = Limits::with_room(of_everybody(limit), began, 4_096);
    let admit = |principal: &str, at: Duration| {
        let session = Made::default();
        let asker = Asker {
            principal,
            tool: None,
            session: &session,
        };
        limits
            .admit(&asker, began + at)
            .map(|_| ())
            .map_err(|e| e.what)
    };
    let entries = || limits.table.lock().unwrap().principals.len();
    for n in 0..4_096 {
        assert_eq!(admit(&format!("p{n}"), Duration::ZERO), Ok(()));
    }
    // Their day is not over: forgetting them would give them another.
    assert_eq!(admit("one more", SECOND), Err(What::Capacity));
    assert_eq!(admit("p7", SECOND), Err(What::Day));
    assert_eq!(entries(), 4_096);
    for n in 0..100_000 {
        let day = DAY * (1 + n / 4_000);
        assert_eq!(admit(&format!("q{n}"), day), Ok(()), "{n}");
        assert!(entries() <= 4_096);
    }
}

#[test]
fn the_wait_is_told_in_whole_seconds_and_never_as_none_at_all() {
    let seconds = |nanos| {
        let limited = Limited {
            what: What::Rate,
            retry_after: Some(Duration::from_nanos(nanos)),
        };
        limited.seconds()
    };
    assert_eq!(seconds(0), Some(1));
    assert_eq!(seconds(1), Some(1));
    assert_eq!(seconds(1_000_000_000), Some(1));
    assert_eq!(seconds(1_000_000_001), Some(2));
    let never = Limited {
        what: What::Session,
        retry_after: None,
    };
    assert_eq!(never.seconds(), None);
}

#[test]
fn rates_beyond_all_measure_are_no_limit_and_break_nothing() {
    let limit = rate(u32::MAX, Duration::from_nanos(1), u32::MAX);
    let world = World::new(of_everybody(limit));
    assert_eq!(world.count("alice", "pay", Duration::ZERO), 1_000);
    let limit = rate(1, Duration::MAX, u32::MAX);
    let world = World::new(of_everybody(limit));
    assert_eq!(world.count("alice", "pay", 100 * DAY), 1_000);
}
