use super::*;

fn unread(text: &str) -> (usize, &'static str) {
    let unread = parse(text).unread.expect("something that is not data");
    (unread.line, unread.what)
}

#[test]
fn data_is_read_as_it_stands() {
    let policy = parse(
        "# made by a tool\npackage policy\n\nimport future.keywords.in\napi_version := \"0.10.0\"\n\
         containers := [\n  {\"command\": [\"a\\u0062\", `raw\\d`], \"n\": null, \"t\": true, \"f\": false, \"i\": -1.5e3,},\n]\n\
         create_container := data.framework.create_container\nempty := {}\nnone := []\n",
    );
    assert_eq!(policy.unread, None);
    assert_eq!(policy.package, "policy");
    let lines: Vec<_> = policy
        .rules
        .iter()
        .map(|rule| (rule.name.as_str(), rule.line))
        .collect();
    assert_eq!(
        lines,
        [
            ("api_version", 5),
            ("containers", 6),
            ("create_container", 9),
            ("empty", 10),
            ("none", 11)
        ]
    );
    let container = &policy
        .rule("containers")
        .and_then(Term::as_list)
        .expect("a list")[0];
    let command = container
        .get("command")
        .and_then(Term::as_list)
        .expect("a list");
    assert_eq!(
        command,
        [Term::Text("ab".to_owned()), Term::Text("raw\\d".to_owned())]
    );
    assert_eq!(container.get("n"), Some(&Term::Null));
    assert_eq!(container.get("t"), Some(&Term::Bool(true)));
    assert_eq!(container.get("f"), Some(&Term::Bool(false)));
    assert_eq!(container.get("i"), Some(&Term::Number("-1.5e3".to_owned())));
    let reference = Term::Reference("data.framework.create_container".to_owned());
    assert_eq!(policy.rule("create_container"), Some(&reference));
    assert_eq!(policy.rule("empty"), Some(&Term::Object(Vec::new())));
    assert_eq!(policy.rule("none"), Some(&Term::Array(Vec::new())));
    assert_eq!(policy.rule("absent"), None);
}

#[test]
fn code_is_not_taken_for_data() {
    let after = |rule: &str| unread(&format!("package policy\na := 1\n{rule}")).0;
    for rule in [
        "b := 1 + 2",
        "b := true { input.x }",
        "b := true if input.x",
        "b = true",
        "b { true }",
        "b[x] { true }",
        "default b := true",
        "b := f(1)",
        "b := data.x[0]",
        "b := data.x == 1",
        "b := [x | x := 1]",
        "b := {1, 2}",
        "b := {x: 1}",
        "b := {\"x\": 1, \"x\": 2}",
        "b := {\"x\" 1}",
        "b := [1 2]",
        "b := [,]",
        "b := 1-2",
        "b := -",
        "b := data.x with input as 1",
        "b := {\"allowed\": false} else := {\"allowed\": true}",
        "a := 2",
        "b := data.not",
        "b := data.",
        "b := $x",
        "b :=",
        "b := [",
        "b := {",
        "b := {\"x\":",
        "b := \"x",
        "b := `x",
        "b := \"\\x\"",
        "import data.x as y",
        "1",
    ] {
        assert!(after(rule) >= 3, "{rule}");
    }
    assert_eq!(unread("b := 1"), (1, "something else than `package`"));
    assert_eq!(unread(""), (1, "something else than `package`"));
    assert_eq!(
        unread("package policy\na := 1\na := 2"),
        (3, "a rule that is already there")
    );
}

#[test]
fn what_stands_before_the_code_is_still_read() {
    let policy = parse("package policy\na := 1\nb { true }\nc := 2\n");
    let names: Vec<_> = policy.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["a"]);
    assert_eq!(
        policy.unread.expect("code").to_string(),
        "line 3: a rule that is not `name := data`"
    );
}

#[test]
fn b23_depth_and_size_are_bounded() {
    let deep = |brackets: usize| {
        let (open, close) = ("[".repeat(brackets), "]".repeat(brackets));
        parse(&format!("package policy\na := {open}{close}\n"))
    };
    assert_eq!(deep(16).unread, None);
    assert!(deep(18).unread.is_some());
    assert!(deep(100_000).unread.is_some());
    let rules = |many: usize| {
        let rules: String = (0..many).map(|rule| format!("a{rule} := 1\n")).collect();
        parse(&format!("package policy\n{rules}")).unread
    };
    assert_eq!(rules(256), None);
    assert_eq!(
        rules(257).expect("too many").what,
        "more rules than a policy has"
    );
    let members = |many: usize| {
        let members: String = (0..many).map(|name| format!("\"a{name}\": 1,")).collect();
        parse(&format!("package policy\na := {{{members}}}\n")).unread
    };
    assert_eq!(members(256), None);
    let too_many = members(257).expect("too many");
    assert_eq!(too_many.what, "more members than an object of a policy has");
    let long = format!("package policy\n#{}", "x".repeat(1 << 20));
    assert_eq!(unread(&long), (1, "more than a policy may have"));
}
