use crate::{Limits, Object, Value, parse};

fn value(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::DOCUMENT).expect("value")
}

#[test]
fn objects_are_equal_in_any_order_and_numbers_as_spelled() {
    assert_eq!(
        value(r#"{"a":{"b":1,"c":2},"d":3}"#),
        value(r#"{"d":3,"a":{"c":2,"b":1}}"#)
    );
    assert_ne!(value(r#"{"a":1}"#), value(r#"{"a":1.0}"#));
    assert_ne!(value(r#"{"a":1}"#), value(r#"{"a":1,"b":2}"#));
    assert_ne!(value(r#"{"a":1,"b":2}"#), value(r#"{"a":2,"b":1}"#));
    assert_ne!(value("[1,2]"), value("[2,1]"));
}

#[test]
fn members_keep_their_order_through_changes() {
    let mut object = Object::from([("b", 1_i64), ("a", 2), ("c", 3), ("a", 4)]);
    assert_eq!(
        Value::from(object.clone()).to_string(),
        r#"{"b":1,"a":4,"c":3}"#
    );
    assert_eq!(object.insert("b", "x"), Some(Value::from(1_i64)));
    assert_eq!(object.insert("d", true), None);
    assert_eq!(object.remove("a"), Some(Value::from(4_i64)));
    assert_eq!(object.remove("a"), None);
    assert_eq!(object.len(), 3);
    assert!(object.contains_key("c") && !object.is_empty());
    assert_eq!(object.keys().collect::<Vec<_>>(), ["b", "c", "d"]);
    assert_eq!(
        Value::from(object).to_string(),
        r#"{"b":"x","c":3,"d":true}"#
    );
}

#[test]
fn a_changed_member_loses_its_span() {
    let Value::Object(mut object) = value(r#"{"a":1,"b":2,"c":3}"#) else {
        panic!("object");
    };
    assert!(object.get_mut("a").is_some());
    object.insert("b", 5_i64);
    assert_eq!(object.span("a"), None);
    assert_eq!(object.span("b"), None);
    assert_eq!(object.span("c"), Some(17..18));
}

#[test]
fn accessors_give_only_what_is_there() {
    let value =
        value(r#"{"n":null,"b":true,"i":-5,"u":18446744073709551615,"f":1.0,"s":"x","a":[1]}"#);
    let get = |name| value.get(name).expect("member");
    assert!(get("n").is_null());
    assert_eq!(get("b").as_bool(), Some(true));
    assert_eq!((get("i").as_i64(), get("i").as_u64()), (Some(-5), None));
    assert_eq!(
        (get("u").as_i64(), get("u").as_u64()),
        (None, Some(u64::MAX))
    );
    assert_eq!((get("f").as_i64(), get("f").as_u64()), (None, None));
    let float = get("f").as_number().expect("number");
    assert!(!float.is_integer_spelling());
    assert!((float.as_f64() - 1.0).abs() < f64::EPSILON);
    assert_eq!(get("s").as_str(), Some("x"));
    assert_eq!(get("a").as_array().map(<[_]>::len), Some(1));
    assert_eq!(get("a").get("x"), None);
    assert_eq!(get("a").kind(), "array");
}

#[test]
fn a_number_of_any_length_keeps_its_spelling_and_is_equal_to_the_same_spelling_alone() {
    for length in [1, 21, 22, 23, 24, 100, 300] {
        let spelling = "1".repeat(length);
        let number: crate::Number = spelling.parse().unwrap();
        assert_eq!(number.as_str(), spelling);
        assert_eq!(number, number.clone());
        let other: crate::Number = format!("{spelling}.0").parse().unwrap();
        assert_ne!(number, other);
        let known = std::collections::HashSet::from([number]);
        assert!(known.contains(&spelling.parse().unwrap()) && !known.contains(&other));
    }
    assert_eq!(crate::Number::from(i64::MIN).as_i64(), Some(i64::MIN));
}

#[test]
fn n05_a_long_text_of_little_else_than_small_lists_is_read_with_no_room_to_spare() {
    let rooms = |one: &str, count: usize| {
        let text = format!("[{}{one}]", format!("{one},").repeat(count));
        let Value::Array(lists) = value(&text) else {
            panic!("{text}");
        };
        let room = |list: &Value| {
            let Value::Array(list) = list else {
                panic!("{list}");
            };
            list.capacity()
        };
        assert!(lists.iter().all(|list| room(list) == room(&lists[0])));
        room(&lists[0])
    };
    assert_eq!([rooms("[0]", 9_000), rooms("[0,0]", 9_000)], [1, 2]);
    assert_eq!(rooms("[0,0,0]", 9_000), 4);
    assert_eq!(size_of::<Value>(), 32);
    assert!(size_of::<crate::Number>() <= size_of::<String>());
}
