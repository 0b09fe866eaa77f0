mod refused;

use std::time::{Duration, Instant};

use cmcp_json::{Limits, Value, parse};

use super::{Bare, Schema, SchemaError, ViolatedRule};

fn json(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::RESPONSE).unwrap()
}

fn arguments(schema: &str) -> Schema {
    Schema::compile(&json(schema), Bare::Closed).unwrap()
}

fn accepts(schema: &Schema, value: &str) -> bool {
    schema.check(&json(value)).is_ok()
}

fn broken(schema: &Schema, value: &str) -> ViolatedRule {
    schema.check(&json(value)).unwrap_err().rule
}

fn refused(schema: &str) -> SchemaError {
    Schema::compile(&json(schema), Bare::Closed).unwrap_err()
}

mod closed {
    use super::*;

    #[test]
    fn arguments_that_are_not_declared_are_refused() {
        let schema =
            arguments(r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}"#);
        assert!(accepts(&schema, r#"{"a":"x"}"#));
        assert_eq!(
            broken(&schema, r#"{"a":"x","b":1}"#),
            ViolatedRule::Undeclared("/additionalProperties".into())
        );
        assert_eq!(
            broken(&schema, r#"{"a":1}"#),
            ViolatedRule::Keyword("/properties/a/type".into())
        );
        assert_eq!(
            broken(&schema, "{}"),
            ViolatedRule::Keyword("/required".into())
        );
    }

    #[test]
    fn a_tool_without_declared_parameters_takes_none() {
        for text in [
            "{}",
            r#"{"type":"object"}"#,
            r#"{"type":"object","properties":{}}"#,
        ] {
            let schema = arguments(text);
            assert!(accepts(&schema, "{}"), "{text}");
            assert!(!accepts(&schema, r#"{"a":1}"#), "{text}");
            let output = Schema::compile(&json(text), Bare::Open).unwrap();
            assert!(accepts(&output, r#"{"a":1}"#), "{text}");
        }
    }

    #[test]
    fn a_schema_that_speaks_for_itself_is_taken_at_its_word() {
        let open = arguments(r#"{"properties":{"a":{}},"additionalProperties":true}"#);
        assert!(accepts(&open, r#"{"b":1}"#));
        let typed = arguments(r#"{"additionalProperties":{"type":"integer"}}"#);
        assert!(accepts(&typed, r#"{"b":1}"#));
        assert!(!accepts(&typed, r#"{"b":"x"}"#));
        let unevaluated = arguments(
            r#"{"allOf":[{"properties":{"a":{}}}],"unevaluatedProperties":{"type":"null"}}"#,
        );
        assert!(accepts(&unevaluated, r#"{"a":1,"b":null}"#));
        assert!(!accepts(&unevaluated, r#"{"b":1}"#));
        let in_branch =
            arguments(r#"{"allOf":[{"properties":{"a":{}},"additionalProperties":true}]}"#);
        assert!(accepts(&in_branch, r#"{"b":1}"#));
    }

    #[test]
    fn nested_objects_are_closed_when_they_declare_properties() {
        let schema = arguments(
            r##"{"properties":{
                "point":{"type":"object","properties":{"x":{"type":"number"}}},
                "filter":{"type":"object"},
                "list":{"type":"array","items":{"properties":{"n":{}}}},
                "map":{"additionalProperties":{"properties":{"v":{}}}},
                "byName":{"patternProperties":{"^x-":{"type":"string"}}},
                "ref":{"$ref":"#/$defs/pet"}},
              "$defs":{"pet":{"properties":{"name":{},"owner":{"properties":{"id":{}}}}}}}"##,
        );
        for value in [
            r#"{"point":{"x":1}}"#,
            r#"{"filter":{"anything":{"at":"all"}}}"#,
            r#"{"list":[{"n":1},{}]}"#,
            r#"{"map":{"any":{"v":1}}}"#,
            r#"{"byName":{"x-a":"1"}}"#,
            r#"{"ref":{"name":"Rex","owner":{"id":1}}}"#,
            r#"{"point":"not an object: its schema does not say that it must be one"}"#,
        ] {
            let verdict = schema.check(&json(value));
            assert_eq!(
                verdict.is_ok(),
                !value.contains("must be one"),
                "{value}: {verdict:?}"
            );
        }
        for value in [
            r#"{"point":{"x":1,"y":2}}"#,
            r#"{"list":[{"n":1},{"m":2}]}"#,
            r#"{"map":{"any":{"w":1}}}"#,
            r#"{"byName":{"a":"1"}}"#,
            r#"{"ref":{"name":"Rex","bark":1}}"#,
            r#"{"ref":{"owner":{"id":1,"ssn":2}}}"#,
        ] {
            assert!(
                matches!(broken(&schema, value), ViolatedRule::Undeclared(_)),
                "{value}"
            );
        }
    }

    #[test]
    fn what_any_part_of_a_composition_declares_is_declared() {
        let schema = arguments(
            r##"{"allOf":[{"properties":{"a":{}}},{"$ref":"#/$defs/more"}],"properties":{"c":{}},
                "$defs":{"more":{"properties":{"b":{}}}}}"##,
        );
        assert!(accepts(&schema, r#"{"a":1,"b":2,"c":3}"#));
        assert_eq!(
            broken(&schema, r#"{"d":1}"#),
            ViolatedRule::Undeclared("/unevaluatedProperties".into())
        );
    }

    const UNION: &str = r#""properties":{"pet":{"oneOf":[
        {"properties":{"kind":{"const":"cat"},"lives":{"type":"integer"}},"required":["kind"]},
        {"properties":{"kind":{"const":"dog"},"barks":{"type":"integer"}},"required":["kind"]}]}}"#;

    #[test]
    fn a_property_that_only_a_failing_branch_declares_is_refused() {
        let schema = arguments(&format!("{{{UNION}}}"));
        assert!(accepts(&schema, r#"{"pet":{"kind":"cat","lives":9}}"#));
        assert!(!accepts(&schema, r#"{"pet":{"kind":"cat","barks":1}}"#));
        assert!(!accepts(&schema, r#"{"pet":{"kind":"cat","ssn":1}}"#));
    }

    #[test]
    fn before_2019_09_what_any_branch_declares_is_taken_and_nothing_else() {
        let schema = arguments(&format!(
            r#"{{"$schema":"http://json-schema.org/draft-07/schema#",{UNION}}}"#
        ));
        assert!(accepts(&schema, r#"{"pet":{"kind":"cat","lives":9}}"#));
        assert!(accepts(&schema, r#"{"pet":{"kind":"cat","barks":1}}"#));
        assert!(!accepts(&schema, r#"{"pet":{"kind":"cat","ssn":1}}"#));
    }

    #[test]
    fn a_draft_7_root_that_is_a_reference_is_closed_too() {
        let schema = arguments(
            r##"{"$schema":"http://json-schema.org/draft-07/schema#","$ref":"#/definitions/In",
                "properties":{"ignored":{}},
                "definitions":{"In":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}}"##,
        );
        assert!(accepts(&schema, r#"{"a":"x"}"#));
        assert!(!accepts(&schema, r#"{"a":1}"#));
        assert!(!accepts(&schema, r#"{"a":"x","b":1}"#));
        assert!(!accepts(&schema, r#"{"a":"x","ignored":1}"#));
        let beside = arguments(
            r##"{"$schema":"http://json-schema.org/draft-07/schema#","$ref":"#/definitions/In","additionalProperties":true,
                "definitions":{"In":{"properties":{"a":{}}}}}"##,
        );
        assert!(!accepts(&beside, r#"{"b":1}"#));
    }

    #[test]
    fn closing_never_admits_what_the_approved_schema_refuses() {
        // Closed alone, only the second branch would match `{x, y}`, and `oneOf` would hold.
        let one_of = arguments(
            r#"{"properties":{"p":{}},"oneOf":[
                {"properties":{"p":{"properties":{"x":{}}}}},
                {"properties":{"p":{"properties":{"x":{},"y":{}}}}}]}"#,
        );
        assert_eq!(
            broken(&one_of, r#"{"p":{"x":1,"y":2}}"#),
            ViolatedRule::Keyword("/oneOf".into())
        );
        let not = arguments(
            r#"{"properties":{"p":{}},"not":{"required":["p"],"properties":{"p":{"properties":{"x":{"const":1}}}}}}"#,
        );
        assert!(!accepts(&not, r#"{"p":{"x":1,"y":2}}"#));
    }

    #[test]
    fn recursive_schemas_are_closed_at_every_level() {
        let schema = arguments(
            r##"{"properties":{"tree":{"$ref":"#/$defs/node"}},
                "$defs":{"node":{"properties":{"value":{"type":"integer"},"kids":{"type":"array","items":{"$ref":"#/$defs/node"}}}}}}"##,
        );
        assert!(accepts(
            &schema,
            r#"{"tree":{"kids":[{"kids":[{"value":1}]}]}}"#
        ));
        assert!(!accepts(
            &schema,
            r#"{"tree":{"kids":[{"kids":[{"value":1,"extra":1}]}]}}"#
        ));
        let root = arguments(r##"{"properties":{"next":{"$ref":"#"},"v":{}}}"##);
        assert!(accepts(&root, r#"{"next":{"next":{"v":1}}}"#));
        assert!(!accepts(&root, r#"{"next":{"next":{"w":1}}}"#));
    }

    #[test]
    fn conditions_are_not_closed() {
        let schema = arguments(
            r#"{"properties":{"mode":{},"extra":{}},
                "if":{"properties":{"mode":{"const":"full"}},"required":["mode"]},
                "then":{"required":["extra"]}}"#,
        );
        assert!(accepts(&schema, r#"{"mode":"full","extra":1}"#));
        assert!(accepts(&schema, r#"{"mode":"brief"}"#));
        assert!(!accepts(&schema, r#"{"mode":"full"}"#));
        assert!(!accepts(&schema, r#"{"mode":"brief","other":1}"#));
    }
}

mod bounded {
    use super::*;

    #[test]
    fn a_pattern_made_to_explode_is_matched_in_linear_time() {
        let schema = arguments(r#"{"properties":{"a":{"pattern":"^(a+)+$"}}}"#);
        let value = format!(r#"{{"a":"{}!"}}"#, "a".repeat(1_000_000));
        let start = Instant::now();
        assert!(!accepts(&schema, &value));
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{:?}",
            start.elapsed()
        );
    }

    #[test]
    fn branches_that_multiply_with_depth_end_at_the_budget() {
        let schema = arguments(
            r##"{"$ref":"#/$defs/n","$defs":{"n":{"anyOf":[
                {"properties":{"a":{"$ref":"#/$defs/n"},"x":{"type":"string"}}},
                {"properties":{"a":{"$ref":"#/$defs/n"},"y":{"type":"string"}}},
                {"properties":{"a":{"$ref":"#/$defs/n"},"z":{"type":"string"}}}],"not":{"required":["bad"]}}}}"##,
        );
        let value = format!(
            "{}{}{}",
            r#"{"a":"#.repeat(60),
            r#"{"bad":1}"#,
            "}".repeat(60)
        );
        let start = Instant::now();
        assert!(schema.check(&json(&value)).is_err());
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{:?}",
            start.elapsed()
        );
    }

    #[test]
    fn the_deepest_value_fits_a_small_stack() {
        let run = || {
            // Fourteen subschemas on every level of a value with 64.
            let mut chain = String::new();
            for i in 0..4 {
                chain.push_str(&format!(r##""d{i}":{{"allOf":[{{"$ref":"#/$defs/e{i}"}}]}},"e{i}":{{"$ref":"#/$defs/d{}"}},"##, i + 1));
            }
            let text = format!(
                r##"{{"$ref":"#/$defs/d0","$defs":{{{chain}"d4":{{"type":"object","properties":{{"a":{{"$ref":"#/$defs/d0"}}}}}}}}}}"##
            );
            let schema = Schema::compile(&json(&text), Bare::Closed).unwrap();
            let value = format!("{}{}", r#"{"a":"#.repeat(63), "{}") + &"}".repeat(63);
            schema.check(&json(&value)).is_ok()
        };
        assert!(
            std::thread::Builder::new()
                .stack_size(2 << 20)
                .spawn(run)
                .unwrap()
                .join()
                .unwrap()
        );
    }
}

#[test]
fn numbers_are_judged_as_spelled() {
    let schema = arguments(
        r#"{"properties":{"n":{"type":"integer","maximum":100},"c":{"const":1},"e":{"enum":[2,"a",[1,{"b":null}]]}}}"#,
    );
    assert!(accepts(&schema, r#"{"n":7}"#));
    assert!(accepts(&schema, r#"{"n":7.0,"c":1.0}"#));
    assert!(accepts(&schema, r#"{"e":2}"#));
    assert!(accepts(&schema, r#"{"e":[1,{"b":null}]}"#));
    for value in [
        r#"{"n":7.5}"#,
        r#"{"n":12345678901234567890123}"#,
        r#"{"n":"7"}"#,
        r#"{"n":true}"#,
        r#"{"n":[7]}"#,
        r#"{"n":null}"#,
        r#"{"c":2}"#,
        r#"{"e":[1,{"b":1}]}"#,
    ] {
        assert!(!accepts(&schema, value), "{value}");
    }
}

#[test]
fn a_violation_says_nothing_of_the_value() {
    let schema = arguments(r#"{"properties":{"a":{"additionalProperties":{"type":"integer"}}}}"#);
    let violation = schema
        .check(&json(r#"{"a":{"078-05-1120":"secret"}}"#))
        .unwrap_err();
    assert_eq!(
        violation.to_string(),
        "`/properties/a/additionalProperties/type` of the approved schema is not satisfied"
    );
    assert_eq!(violation.instance, "/a/078-05-1120");
}

#[test]
fn formats_annotate_and_do_not_refuse() {
    let schema = arguments(
        r#"{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"type":"string","format":"email"}}}"#,
    );
    assert!(accepts(&schema, r#"{"a":"no address"}"#));
}

#[test]
fn anchors_and_escaped_pointers_are_followed() {
    let schema = arguments(
        r##"{"properties":{"a":{"$ref":"#here"},"b":{"$ref":"#/$defs/a~1b%20c"}},
            "$defs":{"x":{"$anchor":"here","properties":{"v":{"type":"integer"}}},"a/b c":{"type":"string"}}}"##,
    );
    assert!(accepts(&schema, r#"{"a":{"v":1},"b":"s"}"#));
    assert!(!accepts(&schema, r#"{"a":{"v":1,"w":2}}"#));
    assert!(!accepts(&schema, r#"{"b":1}"#));
}
