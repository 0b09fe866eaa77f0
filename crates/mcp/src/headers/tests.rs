use cmcp_json::{Limits, Object, Value, parse};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    HeaderError, Kind, METHOD, Mirrored, NAME, SchemaError, check_method, check_name, check_params,
    decode, encode, encode_params, mirrored, single,
};

fn value(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::REQUEST).unwrap()
}

fn object(text: &str) -> Object {
    value(text).as_object().unwrap().clone()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, text) in pairs {
        let name = HeaderName::try_from(*name).unwrap();
        map.append(name, HeaderValue::from_bytes(text.as_bytes()).unwrap());
    }
    map
}

fn region() -> HeaderName {
    HeaderName::from_static("mcp-param-region")
}

#[test]
fn a_value_survives_encoding_and_only_what_must_be_is_marked() {
    for (text, expected) in [
        ("Hello", "Hello"),
        ("", ""),
        ("a b\tc", "a b\tc"),
        ("=?base64?SGVsbG8=", "=?base64?SGVsbG8="),
        ("SGVsbG8=?=", "SGVsbG8=?="),
        (" edge", "=?base64?IGVkZ2U=?="),
        ("edge\t", "=?base64?ZWRnZQk=?="),
        ("grüße", "=?base64?Z3LDvMOfZQ==?="),
        ("a\nb", "=?base64?YQpi?="),
        ("\u{7f}", "=?base64?fw==?="),
        (
            "=?base64?SGVsbG8=?=",
            "=?base64?PT9iYXNlNjQ/U0dWc2JHOD0/PQ==?=",
        ),
    ] {
        let header = encode(text);
        assert_eq!(header, expected, "{text:?}");
        assert_eq!(decode(header.to_str().unwrap(), &NAME).unwrap(), text);
    }
}

#[test]
fn marked_base64_must_be_padded_canonical_and_utf8() {
    for inner in [
        "SGVsbG8",
        "SGVs!!!bG8=",
        "SGVsbG9=",
        "SGVs bG8=",
        "_-8=",
        "/w==",
        "SGVsbG8==",
    ] {
        let text = format!("=?base64?{inner}?=");
        assert_eq!(
            decode(&text, &NAME),
            Err(HeaderError::Base64(NAME)),
            "{inner}"
        );
    }
    assert_eq!(
        decode("=?BASE64?SGVsbG8=?=", &NAME).unwrap(),
        "=?BASE64?SGVsbG8=?="
    );
    assert_eq!(decode("=?base64??=", &NAME).unwrap(), "");
}

#[test]
fn f03_the_method_header_must_be_there_once_and_equal_with_case() {
    assert_eq!(
        check_method(&headers(&[("MCP-METHOD", "tools/list")]), "tools/list"),
        Ok(())
    );
    assert_eq!(
        check_method(&headers(&[("mcp-method", " tools/list\t")]), "tools/list"),
        Ok(())
    );
    let differs = Err(HeaderError::Differs(METHOD));
    assert_eq!(
        check_method(&headers(&[("mcp-method", "TOOLS/LIST")]), "tools/list"),
        differs
    );
    assert_eq!(
        check_method(&headers(&[("mcp-method", "tools/call")]), "tools/list"),
        differs
    );
    assert_eq!(
        check_method(&headers(&[]), "tools/list"),
        Err(HeaderError::Missing(METHOD))
    );
    let twice = headers(&[("mcp-method", "tools/list"), ("Mcp-Method", "tools/list")]);
    assert_eq!(
        check_method(&twice, "tools/list"),
        Err(HeaderError::Repeated(METHOD))
    );
    let bytes = headers(&[("mcp-method", "töols")]);
    assert_eq!(
        check_method(&bytes, "tools/list"),
        Err(HeaderError::Unreadable(METHOD))
    );
}

#[test]
fn f03_the_name_header_is_compared_after_decoding() {
    let check = |header: &[(&str, &str)], params: &str| {
        check_name(&headers(header), "tools/call", &object(params))
    };
    assert_eq!(
        check(&[("mcp-name", "  echo  ")], r#"{"name":"echo"}"#),
        Ok(())
    );
    assert_eq!(
        check(
            &[("mcp-name", "=?base64?Z3LDvMOfZQ==?=")],
            r#"{"name":"grüße"}"#
        ),
        Ok(())
    );
    assert_eq!(
        check(&[("mcp-name", "Echo")], r#"{"name":"echo"}"#),
        Err(HeaderError::Differs(NAME))
    );
    assert_eq!(
        check(&[], r#"{"name":"echo"}"#),
        Err(HeaderError::Missing(NAME))
    );
    assert_eq!(
        check(&[("mcp-name", "=?base64?####?=")], r#"{"name":"echo"}"#),
        Err(HeaderError::Base64(NAME))
    );
    // Not a string: refused where the parameters are read.
    assert_eq!(check(&[], r#"{"name":1}"#), Ok(()));
}

#[test]
fn the_name_header_mirrors_a_member_that_depends_on_the_method() {
    let check = |name: &str, method, params| {
        check_name(&headers(&[("mcp-name", name)]), method, &object(params))
    };
    assert_eq!(check("p", "prompts/get", r#"{"name":"p"}"#), Ok(()));
    assert_eq!(
        check("file:///a", "resources/read", r#"{"uri":"file:///a"}"#),
        Ok(())
    );
    assert_eq!(check("t", "tasks/cancel", r#"{"taskId":"t"}"#), Ok(()));
    assert_eq!(
        check("u", "tasks/get", r#"{"taskId":"t"}"#),
        Err(HeaderError::Differs(NAME))
    );
    assert_eq!(check("anything", "tools/list", "{}"), Ok(()));
}

const SCHEMA: &str = r#"{"type":"object","properties":{
    "region":{"type":"string","x-mcp-header":"Region"},
    "n":{"type":"integer","x-mcp-header":"Count"},
    "opts":{"type":"object","properties":{"dry":{"type":"boolean","x-mcp-header":"Dry-Run"}}},
    "x-mcp-header":{"type":"string"},
    "plain":{"type":"number","default":{"x-mcp-header":"data"}}}}"#;

#[test]
fn marks_are_found_along_properties_and_data_that_looks_like_one_is_not_a_mark() {
    let name = |text: &'static str| HeaderName::from_static(text);
    let path = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(
        mirrored(&value(SCHEMA)).unwrap(),
        [
            Mirrored {
                header: region(),
                path: path(&["region"]),
                kind: Kind::String
            },
            Mirrored {
                header: name("mcp-param-count"),
                path: path(&["n"]),
                kind: Kind::Integer
            },
            Mirrored {
                header: name("mcp-param-dry-run"),
                path: path(&["opts", "dry"]),
                kind: Kind::Boolean
            },
        ]
    );
}

#[test]
fn a_schema_that_breaks_the_rules_is_refused() {
    let one = |property: &str| mirrored(&value(&format!(r#"{{"properties":{{"a":{property}}}}}"#)));
    for token in ["\"\"", "\"a b\"", "\"a:b\"", "\"é\"", "1"] {
        let property = format!(r#"{{"type":"string","x-mcp-header":{token}}}"#);
        assert_eq!(
            one(&property),
            Err(SchemaError::Token("a".into())),
            "{token}"
        );
    }
    for kind in ["\"number\"", "\"object\"", "[\"string\",\"null\"]", "null"] {
        let property = format!(r#"{{"type":{kind},"x-mcp-header":"A"}}"#);
        assert_eq!(one(&property), Err(SchemaError::Type("a".into())), "{kind}");
    }
    let item = r#"{"type":"array","items":{"type":"string","x-mcp-header":"A"}}"#;
    assert_eq!(one(item), Err(SchemaError::Place));
    for keyword in ["anyOf", "allOf", "oneOf"] {
        let schema = format!(
            r#"{{"{keyword}":[{{"properties":{{"a":{{"type":"string","x-mcp-header":"A"}}}}}}]}}"#
        );
        assert_eq!(
            mirrored(&value(&schema)),
            Err(SchemaError::Place),
            "{keyword}"
        );
    }
    let defs = r#"{"$defs":{"a":{"type":"string","x-mcp-header":"A"}}}"#;
    assert_eq!(mirrored(&value(defs)), Err(SchemaError::Place));
    assert_eq!(
        mirrored(&value(r#"{"type":"string","x-mcp-header":"A"}"#)),
        Err(SchemaError::Place)
    );
    let twice = r#"{"properties":{"a":{"type":"string","x-mcp-header":"X"},"b":{"type":"string","x-mcp-header":"x"}}}"#;
    assert_eq!(mirrored(&value(twice)), Err(SchemaError::Twice("b".into())));
}

#[test]
fn arguments_are_mirrored_by_type_and_absent_or_null_ones_are_not() {
    let mirrors = mirrored(&value(SCHEMA)).unwrap();
    let encoded = |arguments: &str| -> Vec<(String, String)> {
        encode_params(&mirrors, &object(arguments))
            .unwrap()
            .into_iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect()
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        encoded(r#"{"region":"zürich","n":5.0,"opts":{"dry":false}}"#),
        [
            pair("mcp-param-region", "=?base64?esO8cmljaA==?="),
            pair("mcp-param-count", "5"),
            pair("mcp-param-dry-run", "false"),
        ]
    );
    assert_eq!(encoded(r#"{"region":null,"opts":"x"}"#), []);
    assert_eq!(
        encoded(r#"{"n":-9007199254740991}"#),
        [pair("mcp-param-count", "-9007199254740991")]
    );
    for arguments in [
        r#"{"n":9007199254740992}"#,
        r#"{"n":1.5}"#,
        r#"{"n":1e300}"#,
        r#"{"region":[]}"#,
    ] {
        assert!(
            encode_params(&mirrors, &object(arguments)).is_err(),
            "{arguments}"
        );
    }
}

#[test]
fn f03_mirrored_arguments_must_agree_with_the_body() {
    let mirrors = mirrored(&value(SCHEMA)).unwrap();
    let check = |pairs: &[(&str, &str)], arguments: &str| {
        check_params(&headers(pairs), &mirrors, &object(arguments))
    };
    let body = r#"{"region":"Hello"}"#;
    assert_eq!(
        check(&[("Mcp-Param-Region", "=?base64?SGVsbG8=?=")], body),
        Ok(())
    );
    assert_eq!(check(&[("mcp-param-region", "Hello")], body), Ok(()));
    assert_eq!(check(&[], body), Err(HeaderError::Missing(region())));
    assert_eq!(
        check(&[("mcp-param-region", "hello")], body),
        Err(HeaderError::Differs(region()))
    );
    assert_eq!(
        check(&[("mcp-param-region", "=?base64?SGVsbG8?=")], body),
        Err(HeaderError::Base64(region()))
    );
    assert_eq!(
        check(&[("mcp-param-region", "=?base64?SGVs!!!bG8=?=")], body),
        Err(HeaderError::Base64(region()))
    );
    // A value that only begins like a marked one is itself.
    assert_eq!(
        check(
            &[("mcp-param-region", "=?base64?SGVsbG8=")],
            r#"{"region":"=?base64?SGVsbG8="}"#
        ),
        Ok(())
    );
    for absent in ["{}", r#"{"region":null}"#] {
        assert_eq!(
            check(&[("mcp-param-region", "x")], absent),
            Err(HeaderError::Differs(region())),
            "{absent}"
        );
        assert_eq!(check(&[], absent), Ok(()));
    }
    let twice = [("mcp-param-region", "Hello"), ("mcp-param-region", "Hello")];
    assert_eq!(check(&twice, body), Err(HeaderError::Repeated(region())));
    assert_eq!(
        check(
            &[("mcp-param-unknown", "x"), ("mcp-param-region", "Hello")],
            body
        ),
        Ok(())
    );
}

#[test]
fn f03_integers_are_compared_as_numbers_and_booleans_as_words() {
    let mirrors = mirrored(&value(SCHEMA)).unwrap();
    let check = |name: &str, header: &str, arguments: &str| {
        check_params(&headers(&[(name, header)]), &mirrors, &object(arguments)).is_ok()
    };
    for (header, body) in [
        ("5", "5"),
        ("5", "5.0"),
        ("05", "5"),
        ("-1", "-1"),
        ("100", "1e2"),
    ] {
        assert!(
            check("mcp-param-count", header, &format!(r#"{{"n":{body}}}"#)),
            "{header} {body}"
        );
    }
    for (header, body) in [
        ("6", "5"),
        ("+5", "5"),
        ("5.0", "5"),
        ("", "0"),
        ("-", "0"),
        ("5", "\"6\""),
    ] {
        assert!(
            !check("mcp-param-count", header, &format!(r#"{{"n":{body}}}"#)),
            "{header} {body}"
        );
    }
    assert!(check(
        "mcp-param-dry-run",
        "true",
        r#"{"opts":{"dry":true}}"#
    ));
    assert!(!check(
        "mcp-param-dry-run",
        "True",
        r#"{"opts":{"dry":true}}"#
    ));
    assert!(!check(
        "mcp-param-dry-run",
        "true",
        r#"{"opts":{"dry":false}}"#
    ));
}

#[test]
fn a_single_value_is_trimmed_of_blanks() {
    assert_eq!(
        single(&headers(&[("mcp-name", " \tx ")]), &NAME),
        Ok(Some("x"))
    );
    assert_eq!(single(&headers(&[]), &NAME), Ok(None));
}
