use bytes::Bytes;
use proptest::prelude::*;

use super::{member, object, set, without};

fn check(raw: &str, names: &[&str], expected: &str) {
    let raw = Bytes::copy_from_slice(raw.as_bytes());
    let members = object(&raw).unwrap();
    let cut = without(&raw, &members, names);
    assert_eq!(std::str::from_utf8(&cut).unwrap(), expected);
}

#[test]
fn members_are_cut_and_every_other_byte_stays() {
    check(
        r#"{"a":1, "b" : 1.0e2 ,"c":"\u0041"}"#,
        &["b"],
        r#"{"a":1 ,"c":"\u0041"}"#,
    );
    check(r#"{ "a":1, "b":2 }"#, &["a"], r#"{ "b":2 }"#);
    check(r#"{"a":1,"b":2}"#, &["b"], r#"{"a":1}"#);
    check(
        r#"{"a":1,"b":2,"c":3,"d":4}"#,
        &["a", "b", "d"],
        r#"{"c":3}"#,
    );
    check(r#"{"a":1,"b":2,"c":3}"#, &["b", "c"], r#"{"a":1}"#);
    check(r#"{"a":1,"b":2}"#, &["a", "b"], "{}");
    check(r#"{"a":{"b":2}}"#, &["b"], r#"{"a":{"b":2}}"#);
    check("{}", &["b"], "{}");
}

#[test]
fn a_member_is_set_where_it_stands_or_behind_the_others() {
    let raw = Bytes::from_static(br#"{"a": 1e2,"token" : "x","z":{}}"#);
    let members = object(&raw).unwrap();
    assert_eq!(
        &set(&raw, &members, "token", b"7")[..],
        br#"{"a": 1e2,"token" : 7,"z":{}}"#
    );
    assert_eq!(
        &set(&raw, &members, "new", b"7")[..],
        br#"{"a": 1e2,"token" : "x","z":{},"new":7}"#
    );
    assert_eq!(&member(&raw, &members, "a").unwrap()[..], b"1e2");
    assert!(member(&raw, &members, "b").is_none());
}

proptest! {
    #[test]
    fn what_is_left_reads_as_what_was_not_cut(
        keys in proptest::collection::btree_map("[a-d]", 0i64..100, 0..4),
        cut in proptest::collection::vec("[a-d]", 0..4),
        space in "[ \\n]{0,2}",
    ) {
        let inner: Vec<String> = keys
            .iter()
            .map(|(k, v)| format!("{space}\"{k}\"{space}:{space}{v}{space}"))
            .collect();
        let raw = Bytes::from(format!("{{{}}}", inner.join(",")));
        let members = object(&raw).unwrap();
        let names: Vec<&str> = cut.iter().map(String::as_str).collect();
        let left = object(&without(&raw, &members, &names)).unwrap();
        let expected: Vec<(&str, i64)> = keys
            .iter()
            .filter(|(k, _)| !names.contains(&k.as_str()))
            .map(|(k, v)| (k.as_str(), *v))
            .collect();
        let got: Vec<(&str, i64)> = left.iter().map(|(k, v)| (k, v.as_i64().unwrap())).collect();
        prop_assert_eq!(got, expected);
    }
}
