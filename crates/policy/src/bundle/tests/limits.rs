use super::*;
use crate::bundle::statement::{MAX_NESTING, MAX_TOKENS, split};

#[test]
fn statements_end_at_semicolons_outside_strings_and_comments() {
    let text = "// a; b\npermit(x) when { \";\\\";//\" == 1 }; // c;\n\n forbid(y);trailing";
    let statements: Vec<_> = split(text)
        .iter()
        .map(|s| (s.line, s.text.to_owned()))
        .collect();
    assert_eq!(
        statements,
        [
            (2, "permit(x) when { \";\\\";//\" == 1 };".to_owned()),
            (4, "forbid(y);".to_owned()),
            (4, "trailing".to_owned()),
        ]
    );
    assert!(split("// only words\n\n").is_empty());
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
    let longest = (MAX_TOKENS - 20) / 4;
    for condition in [
        format!("{}true{}", "(".repeat(open), ")".repeat(open)),
        format!("{}1{} == 1", "[".repeat(open), "]".repeat(open)),
        format!("{}true", "if true then true else ".repeat(open)),
        vec!["1 == 1"; longest].join(" && "),
        vec!["1 == 1"; longest].join(" || "),
        format!("1 < {}", vec!["1"; longest].join(" + ")),
        format!("context{} == 1", ".a".repeat(longest)),
        format!("[{}].contains(\"w\")", vec!["\"x\""; longest].join(",")),
    ] {
        let bundle = read(when(&condition)).unwrap();
        let load = move || {
            let catalog = crate::fixture::catalog(vec![crate::fixture::tool("t", "{}")]);
            // Whether it may be loaded is not the question here: it must come back.
            let _ = crate::fixture::load_bundle(&bundle, catalog, &[], Compat::V07)
                .map(|world| world.permits("t", "{}"));
        };
        std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(load)
            .unwrap()
            .join()
            .unwrap();
    }
}

#[test]
fn deeper_and_longer_policies_are_refused_before_they_are_parsed() {
    let deep = when(&format!(
        "{}true{}",
        "(".repeat(MAX_NESTING),
        ")".repeat(MAX_NESTING)
    ));
    assert!(
        read(deep)
            .unwrap_err()
            .contains("it nests more than 48 brackets and conditionals")
    );
    let conditionals = when(&format!(
        "{}true",
        "if true then true else ".repeat(100_000)
    ));
    assert!(
        read(conditionals)
            .unwrap_err()
            .contains("it nests more than")
    );
    let long = when(&vec!["1 == 1"; 100_000].join(" && "));
    assert!(
        read(long)
            .unwrap_err()
            .contains("it has more than 4000 tokens")
    );
    let set = when(&format!(
        "[{}].contains(\"w\")",
        vec!["\"x\""; 10_000].join(",")
    ));
    assert!(
        read(set)
            .unwrap_err()
            .contains("it has more than 4000 tokens")
    );
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

#[test]
fn zz_probe() {
    let Ok(shape) = std::env::var("SHAPE") else { return };
    let n: usize = std::env::var("N").unwrap().parse().unwrap();
    let condition = match shape.as_str() {
        "paren" => format!("{}true{}", "(".repeat(n), ")".repeat(n)),
        "set" => format!("{}1{} == 1", "[".repeat(n), "]".repeat(n)),
        "if" => format!("{}true", "if true then true else ".repeat(n)),
        "and" => vec!["1 == 1"; n].join(" && "),
        "or" => vec!["1 == 1"; n].join(" || "),
        "add" => format!("1 < {}", vec!["1"; n].join(" + ")),
        "attr" => format!("context{} == 1", ".a".repeat(n)),
        "list" => format!("[{}].contains(\"w\")", vec!["\"x\""; n].join(",")),
        _ => panic!(),
    };
    println!("parse");
    let bundle = read(when(&condition)).unwrap();
    println!("load");
    let load = move || {
        let catalog = crate::fixture::catalog(vec![crate::fixture::tool("t", "{}")]);
        let world = crate::fixture::load_bundle(&bundle, catalog, &[], Compat::V07);
        println!("decide");
        let _ = world.map(|world| println!("{:?}", world.decide("t", "{}")));
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(load).unwrap().join().unwrap();
}
