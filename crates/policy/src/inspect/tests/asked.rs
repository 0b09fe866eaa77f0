//! What servers ask of clients, and what these answer.

use proptest::prelude::*;

use cmcp_json::Value;

use super::secret;
use crate::{
    fixture::json,
    inspect::{
        Asked, Inspected, inspect_answer, inspect_asked, inspect_completion, inspect_notice,
    },
};

pub(super) fn asked(asked: Asked, params: &str) -> Result<(), String> {
    inspect_asked(asked, &json(params))
        .map(drop)
        .map_err(|error| error.to_string())
}

pub(super) fn form(properties: &str) -> String {
    format!(r#"{{"message":"m","requestedSchema":{{"type":"object","properties":{properties}}}}}"#)
}

pub(super) fn answered(answer: &str, schema: Option<&str>) -> Result<(), String> {
    let schema = schema.map(json);
    inspect_answer(Asked::Elicit, &json(answer), schema.as_ref())
        .map(drop)
        .map_err(|error| error.to_string())
}

#[test]
fn elicitation_is_a_form_or_a_link_and_never_both() {
    let params = |params: &str| asked(Asked::Elicit, params);
    let schema = r#""requestedSchema":{"type":"object","properties":{}}"#;
    let link = r#""url":"https://example.com/x""#;
    assert_eq!(params(&format!(r#"{{"message":"m",{schema}}}"#)), Ok(()));
    assert_eq!(
        params(&format!(r#"{{"mode":"url","message":"m",{link}}}"#)),
        Ok(())
    );
    assert_eq!(
        params(&format!(
            r#"{{"mode":"url","message":"m",{link},"elicitationId":"e"}}"#
        )),
        Ok(())
    );
    for (wrong, why) in [
        ("[]".to_owned(), "`params` is array, not an object"),
        (
            format!("{{{schema}}}"),
            "`message` is missing, not a string",
        ),
        (
            format!(r#"{{"message":["m"],{schema}}}"#),
            "`message` is array, not a string",
        ),
        (
            r#"{"message":"m"}"#.to_owned(),
            "`requestedSchema` is not an object of `type: object` with `properties`",
        ),
        (
            format!(r#"{{"message":"m",{schema},{link}}}"#),
            "`url` is string, not absent from a form",
        ),
        (
            format!(r#"{{"mode":"url","message":"m",{schema},{link}}}"#),
            "`requestedSchema` is object, not absent from a link",
        ),
        (
            r#"{"mode":"url","message":"m"}"#.to_owned(),
            "`url` is missing, not a string",
        ),
        (
            format!(r#"{{"mode":"popup","message":"m",{schema}}}"#),
            "`mode` is none of `form` and `url`",
        ),
        (
            format!(r#"{{"message":"m",{schema},"elicitationId":7}}"#),
            "`elicitationId` is number, not a string",
        ),
    ] {
        assert_eq!(params(&wrong), Err(why.to_owned()), "{wrong}");
    }
}

/// Links, and why nobody is sent to them.
const REFUSED: [(&str, &str); 24] = [
    (
        "http://example.com",
        "it is neither https, nor http on this machine",
    ),
    (
        "http://localhost.example.com/",
        "it is neither https, nor http on this machine",
    ),
    (
        "http://127.0.0.1.nip.io/",
        "it is neither https, nor http on this machine",
    ),
    (
        "ftp://example.com",
        "it is neither https, nor http on this machine",
    ),
    (
        "javascript:alert(1)",
        "it is neither https, nor http on this machine",
    ),
    (
        "javascript://x",
        "it is neither https, nor http on this machine",
    ),
    (
        "data:text/html,x",
        "it is neither https, nor http on this machine",
    ),
    (
        "file:///etc/passwd",
        "it has no host, or a port that is none",
    ),
    (
        "//example.com",
        "it is neither https, nor http on this machine",
    ),
    ("", "it is neither https, nor http on this machine"),
    (
        "https://user@example.com/",
        "it has a user or a password in it",
    ),
    (
        "https://example.com:pw@evil.example/",
        "it has a user or a password in it",
    ),
    ("https://", "it has no host, or a port that is none"),
    ("https:///x", "it has no host, or a port that is none"),
    (
        "https://example.com:99999/",
        "it has no host, or a port that is none",
    ),
    (
        "https://example.com:+1/",
        "it has no host, or a port that is none",
    ),
    ("https://[::1/", "it has no host, or a port that is none"),
    (
        "https://[example.com]/",
        "it has no host, or a port that is none",
    ),
    (
        "https://ex%61mple.com/",
        "it has no host, or a port that is none",
    ),
    (
        "https://exаmple.com/",
        "it holds characters other than printable ASCII, or `\\`",
    ),
    (
        "https://example.com/a b",
        "it holds characters other than printable ASCII, or `\\`",
    ),
    (
        "https://example.com\\@evil.example/",
        "it holds characters other than printable ASCII, or `\\`",
    ),
    (
        "https://example.com/\u{202e}x",
        "it holds characters other than printable ASCII, or `\\`",
    ),
    (
        "https://example.com/\r\nx",
        "it holds characters other than printable ASCII, or `\\`",
    ),
];

#[test]
fn f17_a_link_is_one_that_a_person_can_judge() {
    let link = |url: &str| {
        let url = Value::from(url);
        asked(
            Asked::Elicit,
            &format!(r#"{{"mode":"url","message":"m","url":{url}}}"#),
        )
        .map_err(|error| error.replacen("the link cannot be shown to a person: ", "", 1))
    };
    for url in [
        "https://example.com",
        "https://example.com:8443/a?b=c#d",
        "HTTPS://Example.com/",
        "https://[2001:db8::1]/x",
        "http://localhost:3000/callback",
        "http://127.0.0.1/x",
        "http://[::1]:80/x",
        "https://example.com/a@b",
    ] {
        assert_eq!(link(url), Ok(()), "{url}");
    }
    for (url, why) in REFUSED {
        assert_eq!(link(url), Err(why.to_owned()), "{url}");
    }
    let long = format!("https://example.com/{}", "a".repeat(2_048));
    assert_eq!(link(&long), Err("it has more than 2048 bytes".to_owned()));
}

#[test]
fn sampling_is_messages_a_model_can_read() {
    let sample = |params: &str| asked(Asked::Sample, params);
    let text = r#"{"role":"user","content":{"type":"text","text":"x"}}"#;
    for params in [
        format!(r#"{{"messages":[{text}],"maxTokens":10}}"#),
        format!(
            r#"{{"messages":[{text}],"maxTokens":10,"systemPrompt":"s","includeContext":"thisServer","temperature":0.5,"stopSequences":["x"],"modelPreferences":{{}},"tools":[],"toolChoice":{{"mode":"auto"}}}}"#
        ),
        r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"t","input":{}}]},{"role":"user","content":[{"type":"tool_result","toolUseId":"1","content":[{"type":"text","text":"x"}],"isError":false}]}],"maxTokens":1}"#.to_owned(),
    ] {
        assert_eq!(sample(&params), Ok(()), "{params}");
    }
    for (params, why) in [
        ("{}".to_owned(), "`messages` is missing, not an array"),
        (
            format!(r#"{{"messages":[{text}],"systemPrompt":7}}"#),
            "`systemPrompt` is number, not a string",
        ),
        (
            format!(r#"{{"messages":[{text}],"includeContext":"everything"}}"#),
            "`includeContext` is none of `none`, `thisServer` and `allServers`",
        ),
        (
            format!(r#"{{"messages":[{text}],"maxTokens":"10"}}"#),
            "`maxTokens` is string, not a number",
        ),
        (
            r#"{"messages":[{"role":"system","content":{"type":"text","text":"x"}}]}"#.to_owned(),
            "`messages[*].role` is none of `user` and `assistant`",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"tool_use","id":"1","name":"t"}]}]}"#
                .to_owned(),
            "`content.input` is null, not an object",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"tool_result","toolUseId":"1"}]}]}"#
                .to_owned(),
            "`content.content` is missing, not an array",
        ),
    ] {
        assert_eq!(sample(&params), Err(why.to_owned()), "{params}");
    }
}

#[test]
fn both_ways_are_looked_through() {
    let secret = secret();
    let found = |inspected: Inspected| inspected.labels.contains("secret");
    for (kind, params) in [
        (
            Asked::Sample,
            format!(r#"{{"messages":[],"systemPrompt":"{secret}"}}"#),
        ),
        (
            Asked::Elicit,
            form(&format!(
                r#"{{"f":{{"type":"string","description":"{secret}"}}}}"#
            )),
        ),
        (
            Asked::Elicit,
            format!(r#"{{"mode":"url","message":"m","url":"https://e.example/?t={secret}"}}"#),
        ),
    ] {
        assert!(
            found(inspect_asked(kind, &json(&params)).unwrap()),
            "{params}"
        );
    }
    let schema = json(r#"{"type":"object","properties":{"f":{"type":"string"}}}"#);
    for (kind, answer, schema) in [
        (
            Asked::Sample,
            format!(
                r#"{{"role":"assistant","model":"m","content":{{"type":"text","text":"{secret}"}}}}"#
            ),
            None,
        ),
        (
            Asked::Elicit,
            format!(r#"{{"action":"accept","content":{{"f":"{secret}"}}}}"#),
            Some(&schema),
        ),
        (
            Asked::ListRoots,
            format!(r#"{{"roots":[{{"uri":"file:///{secret}"}}]}}"#),
            None,
        ),
    ] {
        assert!(
            found(inspect_answer(kind, &json(&answer), schema).unwrap()),
            "{answer}"
        );
    }
}

#[test]
fn answers_of_models_and_roots_are_what_the_protocol_says() {
    let answer = |kind: Asked, answer: &str| {
        inspect_answer(kind, &json(answer), None)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let text = r#"{"type":"text","text":"x"}"#;
    for content in [text.to_owned(), format!("[{text}]")] {
        assert_eq!(
            answer(
                Asked::Sample,
                &format!(
                    r#"{{"role":"assistant","content":{content},"model":"m","stopReason":"endTurn"}}"#
                )
            ),
            Ok(())
        );
    }
    assert_eq!(
        answer(
            Asked::Sample,
            &format!(r#"{{"role":"assistant","content":{text}}}"#)
        ),
        Err("`model` is missing, not a string".to_owned())
    );
    assert_eq!(
        answer(Asked::Sample, r#"{"model":"m"}"#),
        Err("`role` is missing, not a string".to_owned())
    );
    assert_eq!(
        answer(
            Asked::ListRoots,
            r#"{"roots":[{"uri":"file:///srv","name":"s"}]}"#
        ),
        Ok(())
    );
    for (wrong, why) in [
        ("{}", "`roots` is missing, not an array"),
        (
            r#"{"roots":["file:///"]}"#,
            "`roots[*]` is string, not an object",
        ),
        (
            r#"{"roots":[{"name":"s"}]}"#,
            "`roots[*].uri` is missing, not a string",
        ),
    ] {
        assert_eq!(answer(Asked::ListRoots, wrong), Err(why.to_owned()));
    }
    let many = vec![r#"{"uri":"file:///"}"#; 1_001].join(",");
    assert!(answer(Asked::ListRoots, &format!(r#"{{"roots":[{many}]}}"#)).is_err());
    assert_eq!(
        inspect_asked(Asked::ListRoots, &Value::Null),
        Ok(Inspected::default())
    );
    assert!(inspect_asked(Asked::ListRoots, &Value::from("x")).is_err());
}

/// Any JSON.
fn any_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[a-z$@:/.]{0,8}".prop_map(Into::into),
        prop::sample::select(WORDS).prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map(prop::sample::select(WORDS), inner, 0..6).prop_map(
                |members| serde_json::Value::Object(
                    members
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect()
                )
            ),
        ]
    })
}

const WORDS: &[&str] = &[
    "type",
    "object",
    "properties",
    "required",
    "string",
    "enum",
    "oneOf",
    "const",
    "items",
    "array",
    "default",
    "format",
    "email",
    "message",
    "requestedSchema",
    "mode",
    "url",
    "form",
    "action",
    "accept",
    "decline",
    "content",
    "messages",
    "role",
    "user",
    "text",
    "roots",
    "uri",
    "contents",
    "completion",
    "values",
    "minimum",
    "maximum",
    "minLength",
    "number",
    "integer",
];

proptest! {
    #[test]
    fn nothing_that_is_said_makes_it_panic(params in any_value(), schema in any_value()) {
        let (params, schema) = (json(&params.to_string()), json(&schema.to_string()));
        for kind in [Asked::Sample, Asked::Elicit, Asked::ListRoots] {
            let _ = inspect_asked(kind, &params);
            let _ = inspect_answer(kind, &params, None);
            let _ = inspect_answer(kind, &params, Some(&schema));
        }
        let _ = inspect_completion(&params);
        let _ = inspect_notice(&params);
    }
}
