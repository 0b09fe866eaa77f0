use std::time::{Duration, Instant};

use super::{MAX_BYTES, Node, Position, Tree, parse};
use crate::config::fault::Fault;

fn faults(text: &str) -> Vec<(usize, usize, Fault)> {
    let faults = parse(text.as_bytes()).unwrap_err();
    faults
        .into_iter()
        .map(|(at, fault)| (at.line, at.column, fault))
        .collect()
}

fn duplicate(key: &str, first: usize) -> Fault {
    Fault::DuplicateKey {
        key: key.to_owned(),
        first,
    }
}

#[test]
fn places_count_from_one() {
    let root = parse(b"a: 1\nb:\n  - c: x\n").unwrap();
    let Tree::Mapping(members) = &root.tree else {
        panic!("{root:?}")
    };
    assert_eq!(members[0].at, Position { line: 1, column: 1 });
    assert_eq!(members[0].value.at, Position { line: 1, column: 4 });
    let Tree::Sequence(items) = &members[1].value.tree else {
        panic!("{root:?}")
    };
    assert_eq!(items[0].at, Position { line: 3, column: 5 });
}

#[test]
fn nothing_is_null() {
    for text in ["", "\n", "# only a remark\n", "---\n", "~", "null"] {
        assert_eq!(parse(text.as_bytes()).unwrap().tree, Tree::Null, "{text:?}");
    }
}

#[test]
fn a_key_stands_once_in_a_mapping() {
    assert_eq!(
        faults("a: 1\nb: 2\na: 3\n"),
        vec![(3, 1, duplicate("a", 1))]
    );
    assert_eq!(faults("{a: 1, \"a\": 2}"), vec![(1, 8, duplicate("a", 1))]);
    assert_eq!(
        faults("x:\n  a: 1\n  a: 1\n"),
        vec![(3, 3, duplicate("a", 2))]
    );
}

#[test]
fn anchors_aliases_and_tags_are_refused_with_their_places() {
    assert_eq!(
        faults("a: &x 1\nb: *x\n"),
        vec![(1, 4, Fault::Anchor), (2, 4, Fault::Alias)]
    );
    let tag = |tag: &str| Fault::Tag {
        tag: tag.to_owned(),
    };
    let found = faults("a: !!python/object:os.system [x]\nb: !local 1\n");
    assert!(matches!(found[0], (1, 4, Fault::Tag { .. })), "{found:?}");
    assert_eq!(found[1], (2, 4, tag("!local")));
}

#[test]
fn a_bomb_of_aliases_is_refused_before_it_grows() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let below = format!("*a{}", level - 1);
        text.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            vec![below; 9].join(", ")
        ));
    }
    let start = Instant::now();
    assert!(
        faults(&text)
            .iter()
            .any(|(_, _, fault)| *fault == Fault::Alias)
    );
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_merge_key_merges_nothing() {
    let found = faults("base: &b {a: 1}\nx:\n  <<: *b\n");
    assert_eq!(found, vec![(1, 7, Fault::Anchor), (3, 7, Fault::Alias)]);
}

#[test]
fn one_document_is_read() {
    assert_eq!(faults("a: 1\n---\nb: 2\n"), vec![(2, 1, Fault::Documents)]);
}

#[test]
fn keys_are_text() {
    assert_eq!(faults("? [a, b]\n: 1\n"), vec![(1, 3, Fault::KeyNotText)]);
    assert_eq!(faults("~: 1\n"), vec![(1, 1, Fault::KeyNotText)]);
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = "[".repeat(5_000);
    let found = faults(&deep);
    assert!(
        matches!(found[0].2, Fault::Depth { .. } | Fault::Syntax { .. }),
        "{found:?}"
    );
    let nested = format!("a: {}1{}", "[".repeat(20), "]".repeat(20));
    assert_eq!(faults(&nested), vec![(1, 20, Fault::Depth { limit: 16 })]);
    let long = "a: ".to_owned() + &"x".repeat(MAX_BYTES);
    assert_eq!(
        faults(&long),
        vec![(1, 1, Fault::Size { limit: MAX_BYTES })]
    );
}

#[test]
fn hostile_texts_end_in_time_and_without_panic() {
    let start = Instant::now();
    let patterns = [
        "[",
        "{",
        "- ",
        "? ",
        ": ",
        "a: ",
        "'",
        "\"",
        "|\n",
        "&a ",
        "*a ",
        "!a ",
        "%YAML 1.1\n",
        "#",
        "\t",
        "a\n ",
        "{a: ",
        "- - ",
        "[[],",
        "\u{85}",
        "\u{feff}",
        "---\n",
        "...\n",
        "a:\n",
        "x: y\n",
    ];
    for pattern in patterns {
        let text = pattern.repeat(30_000 / pattern.len());
        let _outcome = parse(text.as_bytes());
    }
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(
        parse(b"a: \xff").unwrap_err(),
        vec![(Position::START, Fault::Encoding)]
    );
}

#[test]
fn malformed_yaml_names_its_place() {
    let found = faults("a: 1\nb: [1, 2\nc: 3\n");
    assert!(
        matches!(found.as_slice(), [(3.., _, Fault::Syntax { .. })]),
        "{found:?}"
    );
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[ a-c:\\-?\\[\\]{}&*!|>'\"%#,\n\t~0-9]{0,80}") {
        let _outcome: Result<Node, _> = parse(text.as_bytes());
    }
}
