use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Asked, Bound, Handle, MAX_PLAIN, NotOurs, Purpose, RequestState, RequestStates, SealError,
    Sealer, spent::Bounds,
};

const MINUTE: Duration = Duration::from_secs(60);

fn states(now: Instant) -> RequestStates {
    RequestStates::new(Arc::new(Sealer::new().unwrap()), now)
}

fn bound(principal: &str) -> Bound<'_> {
    Bound {
        principal,
        method: "tools/call",
        call: Bound::digest("pay", br#"{"amount":1}"#),
        upstream: 7,
    }
}

fn state() -> RequestState {
    RequestState {
        own: Some(Bytes::from_static(br#""their \u0041 state""#)),
        asked: vec![
            Asked {
                key: "confirm".to_owned(),
                request: Bytes::from_static(br#"{"type":"object"}"#),
            },
            Asked {
                key: String::new(),
                request: Bytes::new(),
            },
        ],
        handle: Some(Handle([9; 16])),
    }
}

#[test]
fn a_state_comes_back_as_it_was_given_out() {
    let now = Instant::now();
    let states = states(now);
    let empty = RequestState {
        own: Some(Bytes::new()),
        ..RequestState::default()
    };
    for state in [state(), RequestState::default(), empty] {
        let text = states.seal(&bound("alice"), &state, now, MINUTE).unwrap();
        assert!(
            text.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        );
        assert_eq!(states.open(&bound("alice"), &text, now), Ok(state));
    }
}

#[test]
fn nothing_of_a_state_can_be_read_in_it_and_equal_ones_look_different() {
    let now = Instant::now();
    let states = states(now);
    let one = states.seal(&bound("alice"), &state(), now, MINUTE).unwrap();
    let two = states.seal(&bound("alice"), &state(), now, MINUTE).unwrap();
    assert_ne!(one, two);
    let shown = format!("{states:?} {:?}", state());
    assert!(
        shown.contains("Sealer(..)") && shown.contains("confirm"),
        "{shown}"
    );
    assert!(
        !shown.contains("their") && !shown.contains("9, 9"),
        "{shown}"
    );
}

#[test]
fn a_state_opens_once() {
    let now = Instant::now();
    let states = states(now);
    let text = states.seal(&bound("alice"), &state(), now, MINUTE).unwrap();
    assert!(states.open(&bound("alice"), &text, now).is_ok());
    assert_eq!(states.open(&bound("alice"), &text, now), Err(NotOurs));
    let last = now + MINUTE - Duration::from_millis(1);
    assert_eq!(states.open(&bound("alice"), &text, last), Err(NotOurs));
}

#[test]
fn a_state_of_two_at_the_same_time_is_had_by_one() {
    let now = Instant::now();
    let states = states(now);
    let text = states.seal(&bound("alice"), &state(), now, MINUTE).unwrap();
    let had = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| states.open(&bound("alice"), &text, now).is_ok()))
            .collect();
        tries
            .into_iter()
            .map(|t| t.join().unwrap())
            .filter(|ok| *ok)
            .count()
    });
    assert_eq!(had, 1);
}

#[test]
fn another_request_than_the_one_it_was_given_for_does_not_open_a_state() {
    let now = Instant::now();
    let states = states(now);
    let text = states.seal(&bound("alice"), &state(), now, MINUTE).unwrap();
    let own = bound("alice");
    let others = [
        Bound {
            principal: "bob",
            ..own
        },
        Bound {
            principal: "",
            ..own
        },
        Bound {
            method: "prompts/get",
            ..own
        },
        Bound { upstream: 8, ..own },
        Bound {
            call: Bound::digest("pay", br#"{"amount":2}"#),
            ..own
        },
        Bound {
            call: Bound::digest("pay{", br#""amount":1}"#),
            ..own
        },
    ];
    for other in others {
        assert_eq!(states.open(&other, &text, now), Err(NotOurs), "{other:?}");
    }
    // A failure uses nothing up.
    assert!(states.open(&own, &text, now).is_ok());
}

#[test]
fn where_one_bound_part_ends_cannot_be_moved() {
    let sealer = Sealer::new().unwrap();
    let text = sealer
        .seal(Purpose::Cursor, &[b"ab", b"c"], Vec::new())
        .unwrap();
    assert!(sealer.open(Purpose::Cursor, &[b"a", b"bc"], &text).is_err());
    assert!(sealer.open(Purpose::Cursor, &[b"abc"], &text).is_err());
    assert!(
        sealer
            .open(Purpose::Cursor, &[b"ab", b"c", b""], &text)
            .is_err()
    );
    assert!(
        sealer
            .open(Purpose::RequestState, &[b"ab", b"c"], &text)
            .is_err()
    );
    assert!(sealer.open(Purpose::Cursor, &[b"ab", b"c"], &text).is_ok());
}

#[test]
fn a_state_with_any_byte_changed_cut_or_added_is_refused() {
    let now = Instant::now();
    let states = states(now);
    let text = states.seal(&bound("alice"), &state(), now, MINUTE).unwrap();
    let refused = |text: &str| assert_eq!(states.open(&bound("alice"), text, now), Err(NotOurs));
    for at in 0..text.len() {
        for bit in 0..7 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            if let Ok(changed) = String::from_utf8(bytes) {
                refused(&changed);
            }
        }
        let (head, tail) = text.split_at(at);
        refused(head);
        refused(&format!("{head}{}", tail.split_at(1).1));
        refused(&format!("{head}A{tail}"));
    }
    for addition in ["=", "A", " ", "\n", "%3D"] {
        refused(&format!("{text}{addition}"));
        refused(&format!("{addition}{text}"));
    }
    refused("");
    refused("null");
    refused(&"A".repeat(1 << 20));
    assert!(states.open(&bound("alice"), &text, now).is_ok());
}

#[test]
fn a_state_ends_with_its_time_and_no_time_is_longer_than_ten_minutes() {
    let now = Instant::now();
    let states = states(now);
    let seal = |lifetime| {
        states
            .seal(&bound("alice"), &state(), now, lifetime)
            .unwrap()
    };
    let cases = [
        (MINUTE, MINUTE),
        (Duration::from_secs(3_600), Duration::from_secs(600)),
        (Duration::MAX, Duration::from_secs(600)),
    ];
    for (asked, given) in cases {
        let just = given - Duration::from_millis(1);
        assert_eq!(
            states.open(&bound("alice"), &seal(asked), now + given),
            Err(NotOurs)
        );
        assert!(
            states
                .open(&bound("alice"), &seal(asked), now + just)
                .is_ok()
        );
    }
    assert_eq!(
        states.open(&bound("alice"), &seal(Duration::ZERO), now),
        Err(NotOurs)
    );
}

#[test]
fn another_process_cannot_open_a_state() {
    let now = Instant::now();
    let text = states(now)
        .seal(&bound("alice"), &state(), now, MINUTE)
        .unwrap();
    assert_eq!(states(now).open(&bound("alice"), &text, now), Err(NotOurs));
}

#[test]
fn what_a_client_cannot_carry_is_not_sealed() {
    let now = Instant::now();
    let large = RequestState {
        own: Some(Bytes::from(vec![b' '; MAX_PLAIN])),
        ..RequestState::default()
    };
    let refused = states(now).seal(&bound("alice"), &large, now, MINUTE);
    assert!(matches!(
        refused,
        Err(SealError::TooLarge {
            limit: MAX_PLAIN,
            ..
        })
    ));
}

#[test]
fn n01_used_states_that_could_not_be_remembered_are_refused_and_only_for_who_used_so_many() {
    let now = Instant::now();
    let bounds = Bounds {
        per_principal: 4,
        total: 6,
    };
    let states = RequestStates::bounded(Arc::new(Sealer::new().unwrap()), now, bounds);
    let seal = |who, at| states.seal(&bound(who), &state(), at, MINUTE).unwrap();
    for _ in 0..4 {
        assert!(
            states
                .open(&bound("alice"), &seal("alice", now), now)
                .is_ok()
        );
    }
    assert_eq!(
        states.open(&bound("alice"), &seal("alice", now), now),
        Err(NotOurs)
    );
    assert!(states.open(&bound("bob"), &seal("bob", now), now).is_ok());
    assert!(
        states
            .open(&bound("carol"), &seal("carol", now), now)
            .is_ok()
    );
    assert_eq!(
        states.open(&bound("dave"), &seal("dave", now), now),
        Err(NotOurs),
        "in all"
    );
    let later = now + MINUTE + Duration::from_millis(1);
    for who in ["dave", "alice", "bob"] {
        assert!(
            states.open(&bound(who), &seal(who, later), later).is_ok(),
            "{who}"
        );
    }
    assert_eq!(states.remembered(), 3, "what expired is forgotten");
}

#[test]
fn n01_a_table_in_steady_use_holds_no_more_than_what_is_still_open() {
    let now = Instant::now();
    let states = states(now);
    for second in 0..5_000 {
        let at = now + Duration::from_secs(second);
        let text = states.seal(&bound("alice"), &state(), at, MINUTE).unwrap();
        assert!(states.open(&bound("alice"), &text, at).is_ok());
        assert!(states.remembered() <= 62, "after {second} s");
    }
}
