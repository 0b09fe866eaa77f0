use super::{Tool, document, faults, faults_of_definition, http, load, stdio, tool};

#[test]
fn with_one_server_names_stay_bare_even_while_the_other_has_no_tools() {
    let alone = load(&document(vec![http("web")], vec![tool("web", "one")])).unwrap();
    assert!(alone.tool("one").is_some());
    let two = load(&document(
        vec![http("web"), stdio("local")],
        vec![tool("web", "one")],
    ))
    .unwrap();
    assert!(two.tool("one").is_none() && two.tool("web__one").is_some());
}

#[test]
fn names_are_compared_byte_by_byte() {
    let names = ["read_file", "read__file", "Read_FILE", "_read_file"];
    let tools = names.iter().map(|name| tool("web", name)).collect();
    let catalog = load(&document(vec![http("web")], tools)).unwrap();
    for name in names {
        assert_eq!(catalog.tool(name).unwrap().upstream_name, name);
    }
    for other in [
        "READ_FILE",
        "read_file ",
        " read_file",
        "read\u{200d}_file",
        "ｒead_file",
        "reаd_file",
        "",
        "web__read_file",
    ] {
        assert!(catalog.tool(other).is_none(), "{other:?}");
    }
}

#[test]
fn colliding_names_are_refused() {
    let two = |a: &str, b: &str| {
        faults(&document(
            vec![http("web")],
            vec![tool("web", a), tool("web", b)],
        ))
    };
    assert_eq!(
        two("one", "one"),
        ["tools[1]: the name `one` is already that of `tools[0]`: give one of them an `alias`"]
    );
    assert_eq!(
        two("list_1", "list_l"),
        [
            "tools[1]: `list_l` looks like `list_1`: give one of them an `alias` that cannot be mistaken"
        ]
    );
}

#[test]
fn an_alias_may_not_take_a_name_that_the_rule_makes_for_another() {
    let aliased = Tool {
        alias: Some("web__one".to_owned()),
        ..tool("local", "two")
    };
    let taken = document(
        vec![http("web"), stdio("local")],
        vec![tool("web", "one"), aliased],
    );
    assert_eq!(
        faults(&taken),
        [
            "tools[1]: the name `web__one` is already that of `tools[0]`: give one of them an `alias`"
        ]
    );
}

#[test]
fn the_same_name_on_two_servers_is_told_apart_by_the_server() {
    let both = document(
        vec![http("web"), stdio("local")],
        vec![tool("web", "one"), tool("local", "one")],
    );
    let catalog = load(&both).unwrap();
    let names: Vec<_> = catalog
        .tools()
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    assert_eq!(names, ["web__one", "local__one"]);
}

#[test]
fn names_that_could_be_misread_are_refused() {
    for (name, shown) in [
        ("a\\\"b", "a\\\"b"),
        ("Action::\\\"x\\\"", "Action::\\\"x\\\""),
        ("a::b", "a::b"),
        ("a\\nb", "a\\nb"),
        ("re\u{430}d", "re\\u{430}d"),
        ("read\u{200b}", "read\\u{200b}"),
        ("\u{202e}daer", "\\u{202e}daer"),
        ("ｒead", "\\u{ff52}ead"),
        ("", ""),
        ("a b", "a b"),
        ("a/b", "a/b"),
    ] {
        let faults = faults_of_definition(&format!(r#"{{"name":"{name}","inputSchema":{{}}}}"#));
        let expected = format!(
            "tools[0].name: `{shown}` is not a tool name: 1 to 128 of A-Z, a-z, 0-9, `_`, `.` and `-`"
        );
        assert!(faults.contains(&expected), "{faults:?}");
    }
    let long = format!(r#"{{"name":"{}","inputSchema":{{}}}}"#, "x".repeat(129));
    assert!(faults_of_definition(&long)[0].contains("is not a tool name"));
    // Long enough only together with its server's name.
    let joined = document(
        vec![http("web"), stdio("local")],
        vec![tool("web", &"x".repeat(126))],
    );
    assert!(faults(&joined)[0].contains("is not a tool name"));
}

#[test]
fn server_names_are_part_of_names() {
    for (name, legal) in [
        ("a", true),
        ("a-1", true),
        ("A", false),
        ("1a", false),
        ("a_b", false),
        ("", false),
    ] {
        assert_eq!(
            load(&document(vec![http(name)], Vec::new())).is_ok(),
            legal,
            "{name}"
        );
    }
    assert!(load(&document(vec![http(&"a".repeat(32))], Vec::new())).is_err());
}
