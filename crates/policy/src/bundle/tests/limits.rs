use super::*;
use crate::bundle::statement::{MAX_NESTING, MAX_OPERATORS, MAX_TOKENS, split};

#[test]
fn statements_end_at_semicolons_outside_strings_and_comments() {
    let text = "// a; b\npermit(x) when { \";\\\";//\" == 1 }; // c;\n\n forbid(y);trailing";
    let statements: Vec<_> = split(text).map(|s| (s.line, s.text.to_owned())).collect();
    assert_eq!(
        statements,
        [
            (2, "permit(x) when { \";\\\";//\" == 1 };".to_owned()),
            (4, "forbid(y);".to_owned()),
            (4, "trailing".to_owned()),
        ]
    );
    assert_eq!(split("// only words\n\n").count(), 0);
}

/// Reads a policy on a stack of 2 MiB, as worker threads have.
fn read(policy: String) -> Result<PolicyBundle, String> {
    let reader = move || bundle(&policy, Compat::Off).map_err(|errors| told(&errors));
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(reader)
        .unwrap()
        .join()
        .unwrap()
}

fn when(condition: &str) -> String {
    format!("permit(principal, action, resource) when {{ {condition} }};")
}

#[test]
fn the_deepest_policies_that_pass_are_read_and_loaded_on_a_small_stack() {
    let open = MAX_NESTING - 2;
    for condition in [
        format!("{}true{}", "(".repeat(open), ")".repeat(open)),
        format!("{}1{} == 1", "[".repeat(open), "]".repeat(open)),
        format!("{}true", "if true then true else ".repeat(MAX_OPERATORS)),
        vec!["1 == 1"; MAX_OPERATORS].join(" && "),
        vec!["1 == 1"; MAX_OPERATORS].join(" || "),
        format!("1 < {}", vec!["1"; MAX_OPERATORS].join(" + ")),
        format!("context{} == 1", ".a".repeat(MAX_OPERATORS)),
        format!(
            "{}1{} == {}",
            "[".repeat(open),
            "]".repeat(open),
            vec!["1"; MAX_OPERATORS].join(" * ")
        ),
        format!(
            "[{}].contains(\"w\")",
            vec!["\"x\""; MAX_TOKENS / 2 - 20].join(",")
        ),
    ] {
        let bundle = read(when(&condition)).unwrap();
        let load = move || {
            let catalog = crate::fixture::catalog(vec![crate::fixture::tool("t", "{}")]);
            // Whether it may be loaded is not the question here: it must come back.
            let _ = crate::fixture::load_bundle(&bundle, catalog, &[], Compat::V07)
                .map(|world| world.permits("t", "{}"));
        };
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        thread.spawn(load).unwrap().join().unwrap();
    }
}

#[test]
fn deeper_and_longer_policies_are_refused_before_they_are_parsed() {
    for (condition, said) in [
        (
            format!("{}true{}", "(".repeat(40), ")".repeat(40)),
            "it nests more than 32 brackets",
        ),
        (
            format!("{}true{}", "(".repeat(100_000), ")".repeat(100_000)),
            "it nests more than 32 brackets",
        ),
        (
            "if true then true else ".repeat(100_000) + "true",
            "it has more than 300 operators",
        ),
        (
            vec!["1 == 1"; 100_000].join(" && "),
            "it has more than 300 operators",
        ),
        (
            format!("[{}].contains(\"w\")", vec!["\"x\""; 10_000].join(",")),
            "it has more than 4000 tokens",
        ),
    ] {
        let refusal = read(when(&condition)).unwrap_err();
        assert!(refusal.contains(said), "{refusal}");
    }
}

#[test]
fn a_bundle_of_a_hundred_thousand_policies_is_refused() {
    let many = "permit(principal,action,resource);\n".repeat(100_000);
    assert!(read(many).unwrap_err().contains("more than 2000 policies"));
    let large = format!(
        "//{}\npermit(principal,action,resource);",
        "x".repeat(5 << 20)
    );
    assert!(read(large).unwrap_err().contains("more than 4194304 bytes"));
}
