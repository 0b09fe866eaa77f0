use super::*;
use crate::check::checks;
use crate::token::fixture::{ISSUED, NOW, at, object, read};

checks! {
    ALL:
    TIME = "test.time", "it counts", "wait";
    NONCE = "test.nonce", "it is fresh", "ask again";
}

fn times(claims: &str, skew: u64, age: u64) -> Result<(), String> {
    let lifetime = Lifetime {
        skew: Duration::from_secs(skew),
        max_age: Duration::from_secs(age),
    };
    let mut checks = Checks::new();
    checks.require(ALL);
    check_times(&object(claims), lifetime, at(NOW), &TIME, &mut checks);
    let is_met = checks.is_met(&TIME);
    let found = checks.finish();
    let outcome = found.iter().find(|checked| *checked.check == TIME);
    if let crate::check::Outcome::Failed { actual, .. } = &outcome.unwrap().outcome {
        return Err(actual.clone());
    }
    assert!(is_met);
    Ok(())
}

fn token(nbf: i64, iat: i64, exp: i64) -> String {
    format!(r#"{{"nbf":{nbf},"iat":{iat},"exp":{exp}}}"#)
}

const AGE: u64 = 3600;

#[test]
fn a_token_counts_from_its_beginning_to_its_end_give_or_take_a_minute() {
    let now = ISSUED + 600;
    assert_eq!(times(&token(now, now, now + 1), 0, AGE), Ok(()));
    assert!(times(&token(now + 1, now, now + 9), 0, AGE).is_err());
    assert!(times(&token(now, now + 1, now + 9), 0, AGE).is_err());
    assert!(times(&token(now - 9, now - 9, now), 0, AGE).is_err());
    assert_eq!(times(&token(now + 60, now + 60, now + 99), 60, AGE), Ok(()));
    assert!(times(&token(now + 61, now + 61, now + 99), 60, AGE).is_err());
    assert_eq!(times(&token(now - 99, now - 99, now - 59), 60, AGE), Ok(()));
    assert!(times(&token(now - 99, now - 99, now - 60), 60, AGE).is_err());
}

#[test]
fn a_token_is_no_older_than_policy_takes() {
    let now = ISSUED + 600;
    assert_eq!(times(&token(now - 99, now - 99, now + 99), 0, 100), Ok(()));
    assert!(times(&token(now - 100, now - 100, now + 99), 0, 100).is_err());
    assert_eq!(
        times(&token(now - 159, now - 159, now + 99), 60, 100),
        Ok(())
    );
    assert!(times(&token(now - 160, now - 160, now + 99), 60, 100).is_err());
}

#[test]
fn times_that_are_missing_odd_or_turned_around_are_refused() {
    let now = ISSUED + 600;
    for bad in [
        "{}".to_owned(),
        format!(r#"{{"iat":{now}}}"#),
        format!(r#"{{"exp":{}}}"#, now + 9),
        format!(r#"{{"iat":"{now}","exp":{}}}"#, now + 9),
        format!(r#"{{"iat":{now}.5,"exp":{}}}"#, now + 9),
        format!(r#"{{"iat":{now},"exp":9999999999999}}"#),
        format!(r#"{{"iat":-1,"exp":{}}}"#, now + 9),
        format!(r#"{{"iat":{now},"exp":{},"nbf":null}}"#, now + 9),
        token(now + 9, now + 9, now + 9),
        token(now + 9, now, now + 5),
    ] {
        assert!(times(&bad, 60, AGE).is_err(), "{bad}");
    }
    let no_begin = format!(r#"{{"iat":{now},"exp":{}}}"#, now + 9);
    assert_eq!(times(&no_begin, 0, AGE), Ok(()));
}

#[test]
fn a_minute_is_the_most_that_clocks_may_differ_by() {
    let lifetime = |skew: &str| {
        read(
            &format!(r#"{{"skew_seconds":{skew},"max_age_seconds":28800}}"#),
            Lifetime::read,
        )
    };
    assert!(lifetime("60").is_ok());
    assert_eq!(
        lifetime("61").unwrap_err(),
        ["`skew_seconds`: must be a whole number from 0 to 60"]
    );
    assert!(lifetime("-1").is_err());
}

#[test]
fn a_challenge_is_written_in_the_one_form_that_policy_says() {
    assert_eq!(NonceForm::Base64Url.write(&[0xFF; 3]).unwrap(), "____");
    assert_eq!(NonceForm::Hex.write(&[0xAB]).unwrap(), "ab");
    assert_eq!(NonceForm::Text.write(b"abc").unwrap(), "abc");
    assert_eq!(NonceForm::Text.write(&[0xFF]), None);
    let mut checks = Checks::new();
    let binding = Binding::Challenge(vec![0xFF]);
    assert_eq!(
        challenge_text(&binding, NonceForm::Text, &NONCE, &mut checks),
        None
    );
    assert!(!checks.is_met(&NONCE));
}

#[test]
fn what_came_from_outside_is_shortened_and_made_visible_in_messages() {
    assert_eq!(shown(None), "nothing");
    assert_eq!(
        shown(Some(&Value::from("a\n\u{202e}"))),
        "`a\\n\u{202e}`".replace('\u{202e}', "\\u{202e}")
    );
    assert_eq!(shown(Some(&Value::Bool(true))), "true");
    let long = Value::from("x".repeat(1000));
    assert_eq!(shown(Some(&long)).len(), 162);
    let list = Value::Array(vec![long; 3]);
    assert!(shown(Some(&list)).len() < 400);
}

#[test]
fn an_empty_list_or_a_fault_inside_a_list_is_a_fault() {
    let list = |text: &str| {
        read(text, |fields| {
            some_of(fields, "keys", |value| {
                mapping(value, |fields| fields.number("a", 9))
            })
        })
    };
    assert_eq!(list(r#"{"keys":[{"a":1},{"a":2}]}"#), Ok(vec![1, 2]));
    for (bad, what) in [
        (
            r#"{"keys":[]}"#,
            "`keys`: is an empty list: write what is accepted",
        ),
        (r#"{"keys":1}"#, "`keys`: must be a list"),
        (
            r#"{"keys":[{"a":10}]}"#,
            "`keys`: `a`: must be a whole number from 0 to 9",
        ),
    ] {
        assert_eq!(list(bad).unwrap_err(), [what]);
    }
    let unknown = list(r#"{"keys":[{"a":1,"b":2}]}"#).unwrap_err();
    assert!(
        unknown[0].starts_with("`keys`: `b`: is not known here"),
        "{unknown:?}"
    );
}
