use super::*;
use crate::config::yaml;

const SHAPE: Shape = Shape::Sequence(&Shape::Members(&[
    Part {
        name: "name",
        need: Need::Required,
        shape: Shape::Text,
    },
    Part {
        name: "kind",
        need: Need::Optional,
        shape: Shape::Choice(&["off", "on"]),
    },
    Part {
        name: "more",
        need: Need::Optional,
        shape: Shape::Map(&Shape::List),
    },
    Part {
        name: "token_env",
        need: Need::Optional,
        shape: Shape::Text,
    },
]));

fn read(text: &str) -> (Option<Shaped>, Vec<String>) {
    let mut problems = Vec::new();
    let root = yaml::parse(text.as_bytes()).unwrap();
    let read = SHAPE.read(("f", "key"), &root, &mut problems);
    (read, problems.iter().map(ToString::to_string).collect())
}

#[test]
fn a_value_of_its_shape_tells_its_parts() {
    let text = "- {name: a, kind: off, more: {x: [p, q]}, token_env: A}\n- {name: b}\n";
    let (read, problems) = read(text);
    assert_eq!(problems, Vec::<String>::new());
    let read = read.unwrap();
    let [first, second] = read.values() else {
        panic!("{read:?}")
    };
    assert_eq!(first.text("name").unwrap().text, "a");
    assert_eq!(first.text("kind").unwrap().text, "off");
    let (name, list) = first.get("more").unwrap().members().next().unwrap();
    let items: Vec<&str> = list.list().iter().map(|item| item.text.as_str()).collect();
    assert_eq!((name, items), ("x", vec!["p", "q"]));
    assert!(second.get("kind").is_none());
    assert_eq!(read.variables(), ["A"]);
    assert_eq!(
        read.to_json().to_string(),
        r#"[{"kind":"off","more":{"x":["p","q"]},"name":"a","token_env":"A"},{"name":"b"}]"#
    );
}

#[test]
fn what_does_not_fit_is_named_with_its_place_and_what_would() {
    let (read, problems) = read(
        "- {kind: maybe, name: a}\n- {other: 1}\n- x\n- {name: [a]}\n- {name: c, more: {x: 1}}\n",
    );
    assert_eq!(read.unwrap().values().len(), 1);
    assert_eq!(
        problems,
        [
            "f:1:10: `key.kind` is `maybe`; write one of `off`, `on`",
            "f:2:4: `key.other` is not a key of the configuration; use `name`, `kind`, `more`, `token_env`",
            "f:2:3: `key.name` has no value; write a text, or remove the key",
            "f:3:3: `key` is `x`; write a mapping with `name`, `kind`, `more`, `token_env`",
            "f:4:10: `key.name` is a list; write a text",
            "f:5:23: `key.more.x` is `1`; write a list of texts",
        ]
    );
}
