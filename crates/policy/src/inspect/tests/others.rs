//! What is read from resources, what prompts come to, completions and notices.

use cmcp_json::Value;

use super::secret;
use crate::{
    catalog::{Approved, Catalog, Document},
    fixture::{catalog_of, json, prompt, resource},
    inspect::{
        Inspected, StructureError, inspect_completion, inspect_notice, inspect_prompt,
        inspect_resource,
    },
    path::JsonPath,
};

fn catalog(redact: &[&str]) -> Catalog {
    let paths = || -> Vec<JsonPath> { redact.iter().map(|path| path.parse().unwrap()).collect() };
    let mut document = Document {
        resources: vec![resource("notes://all")],
        prompts: vec![prompt("plan", "[]")],
        ..Document::default()
    };
    let of = |kind: &str| {
        paths()
            .into_iter()
            .filter(|path| path.to_string().contains(kind))
            .collect()
    };
    document.resources[0].redact = of("contents");
    document.prompts[0].redact = of("messages");
    catalog_of(document)
}

type Look = fn(&mut Value, &Approved, &[JsonPath]) -> Result<Inspected, StructureError>;

fn read(result: &str) -> Result<Inspected, StructureError> {
    let catalog = catalog(&[]);
    inspect_resource(
        &mut json(result),
        catalog.listed("notes://all").unwrap(),
        &[],
    )
}

fn got(result: &str) -> Result<Inspected, StructureError> {
    let catalog = catalog(&[]);
    inspect_prompt(&mut json(result), catalog.prompt("plan").unwrap(), &[])
}

fn message(content: &str) -> String {
    format!(r#"{{"messages":[{{"role":"user","content":{content}}}]}}"#)
}

fn rules(inspected: &Inspected) -> Vec<&'static str> {
    inspected
        .findings
        .iter()
        .map(|finding| finding.rule)
        .collect()
}

#[test]
fn what_is_read_has_contents_of_text_or_bytes() {
    for result in [
        r#"{"contents":[]}"#,
        r#"{"contents":[{"uri":"notes://all","text":""}]}"#,
        r#"{"contents":[{"uri":"notes://all","mimeType":"image/png","blob":"iVBORw0K"},{"uri":"notes://b","text":"x","_meta":{"a":1}}],"ttlMs":0}"#,
        r#"{"resultType":"input_required","requestState":"x"}"#,
    ] {
        assert_eq!(read(result), Ok(Inspected::default()), "{result}");
    }
    for (result, expected) in [
        ("[]", "`result` is array, not an object"),
        ("{}", "`contents` is missing, not an array"),
        (r#"{"contents":{}}"#, "`contents` is object, not an array"),
        (
            r#"{"contents":["x"]}"#,
            "`contents[*]` is string, not an object",
        ),
        (
            r#"{"contents":[{"text":"x"}]}"#,
            "`contents[*].uri` is missing, not a string",
        ),
        (
            r#"{"contents":[{"uri":7,"text":"x"}]}"#,
            "`contents[*].uri` is number, not a string",
        ),
        (
            r#"{"contents":[{"uri":"a:b"}]}"#,
            "`contents[*]` has to have either `text` or `blob`",
        ),
        (
            r#"{"contents":[{"uri":"a:b","text":"x","blob":"eA=="}]}"#,
            "`contents[*]` has to have either `text` or `blob`",
        ),
        (
            r#"{"contents":[{"uri":"a:b","text":null}]}"#,
            "`contents[*].text` is null, not a string",
        ),
        (
            r#"{"contents":[{"uri":"a:b","text":"x","mimeType":1}]}"#,
            "`contents[*].mimeType` is number, not a string",
        ),
        (
            r#"{"resultType":"complete"}"#,
            "`contents` is missing, not an array",
        ),
    ] {
        assert_eq!(read(result).unwrap_err().to_string(), expected, "{result}");
    }
}

#[test]
fn a_prompt_is_messages_of_blocks_of_every_kind() {
    for content in [
        r#"{"type":"text","text":"x"}"#,
        r#"{"type":"image","data":"eA==","mimeType":"image/png"}"#,
        r#"{"type":"audio","data":"eA==","mimeType":"audio/wav","annotations":{}}"#,
        r#"{"type":"resource_link","uri":"a:b","name":"n"}"#,
        r#"{"type":"resource","resource":{"uri":"a:b","text":"x"}}"#,
        r#"{"type":"resource","resource":{"uri":"a:b","blob":"eA=="}}"#,
        r#"{"type":"of_a_later_revision"}"#,
    ] {
        assert_eq!(
            got(&message(content)),
            Ok(Inspected::default()),
            "{content}"
        );
    }
    assert!(got(r#"{"messages":[],"description":"d"}"#).is_ok());
}

#[test]
fn a_prompt_that_is_none_is_refused() {
    for (result, expected) in [
        ("{}".to_owned(), "`messages` is missing, not an array"),
        (
            r#"{"messages":[],"description":7}"#.to_owned(),
            "`description` is number, not a string",
        ),
        (
            r#"{"messages":[7]}"#.to_owned(),
            "`messages[*]` is number, not an object",
        ),
        (
            r#"{"messages":[{"content":{"type":"text","text":"x"}}]}"#.to_owned(),
            "`messages[*].role` is missing, not a string",
        ),
        (
            r#"{"messages":[{"role":"system","content":{"type":"text","text":"x"}}]}"#.to_owned(),
            "`messages[*].role` is none of `user` and `assistant`",
        ),
        (
            r#"{"messages":[{"role":"user"}]}"#.to_owned(),
            "`messages[*].content` is null, not an object",
        ),
        (message("\"x\""), "`content` is string, not an object"),
        (message("[]"), "`content` is array, not an object"),
        (message("{}"), "`content.type` is missing, not a string"),
        (
            message(r#"{"type":"text"}"#),
            "`content.text` is missing, not a string",
        ),
        (
            message(r#"{"type":"image","data":"eA=="}"#),
            "`content.mimeType` is missing, not a string",
        ),
        (
            message(r#"{"type":"resource"}"#),
            "`content.resource` is null, not an object",
        ),
        (
            message(r#"{"type":"resource","resource":{"uri":"a:b"}}"#),
            "`content.resource` has to have either `text` or `blob`",
        ),
        (
            message(r#"{"type":"resource_link","uri":"a:b"}"#),
            "`content.name` is missing, not a string",
        ),
    ] {
        assert_eq!(got(&result).unwrap_err().to_string(), expected, "{result}");
    }
}

#[test]
fn h06_everything_that_can_be_read_is_looked_through() {
    let secret = secret();
    for result in [
        format!(r#"{{"contents":[{{"uri":"a:b","text":"{secret}"}}]}}"#),
        format!(r#"{{"contents":[{{"uri":"a:{secret}","blob":""}}]}}"#),
        format!(r#"{{"contents":[{{"uri":"a:b","blob":"","_meta":{{"{secret}":1}}}}]}}"#),
        format!(r#"{{"contents":[],"_meta":{{"x":["{secret}"]}}}}"#),
    ] {
        assert_eq!(
            rules(&read(&result).unwrap()),
            ["secret/github-token"],
            "{result}"
        );
    }
    for content in [
        format!(r#"{{"type":"text","text":"{secret}"}}"#),
        format!(r#"{{"type":"resource","resource":{{"uri":"a:b","text":"{secret}"}}}}"#),
        format!(r#"{{"type":"of_a_later_revision","x":{{"y":"{secret}"}}}}"#),
    ] {
        let inspected = got(&message(&content)).unwrap();
        assert_eq!(rules(&inspected), ["secret/github-token"], "{content}");
        assert!(inspected.labels.contains("secret"));
    }
    let description = format!(r#"{{"messages":[],"description":"{secret}"}}"#);
    assert_eq!(rules(&got(&description).unwrap()), ["secret/github-token"]);
}

#[test]
fn h04_what_is_cut_in_two_by_messages_is_found() {
    let secret = secret();
    let (head, tail) = secret.split_at(12);
    let two = |a: &str, b: &str| {
        format!(
            r#"{{"messages":[{{"role":"user","content":{{"type":"text","text":"{a}"}}}},{{"role":"assistant","content":{{"type":"resource","resource":{{"uri":"a:b","text":"{b}"}}}}}}]}}"#
        )
    };
    assert_eq!(
        rules(&got(&two(head, tail)).unwrap()),
        ["secret/github-token"]
    );
    let contents = format!(
        r#"{{"contents":[{{"uri":"a:b","text":"{head}"}},{{"uri":"a:c","text":"{tail}"}}]}}"#
    );
    assert_eq!(rules(&read(&contents).unwrap()), ["secret/github-token"]);
}

#[test]
fn what_is_redacted_is_taken_out_and_leaves_a_sound_result() {
    let catalog = catalog(&["$.contents[*]._meta.owner", "$.messages[0].content.text"]);
    let resource = catalog.listed("notes://all").unwrap();
    let mut result = json(
        r#"{"contents":[{"uri":"notes://all","text":"by Zoe Doe, 2026","_meta":{"owner":"Zoe Doe"}}]}"#,
    );
    let inspected = inspect_resource(&mut result, resource, &[]).unwrap();
    assert_eq!(inspected.redactions, ["$.contents[*]._meta.owner"]);
    assert_eq!(
        result.to_string(),
        r#"{"contents":[{"uri":"notes://all","text":"by [redacted], 2026","_meta":{"owner":"[redacted]"}}]}"#
    );
    let prompt = catalog.prompt("plan").unwrap();
    let mut result = json(
        r#"{"messages":[{"role":"user","content":{"type":"text","text":"the plan"}},{"role":"user","content":{"type":"text","text":"user, see the plan"}}]}"#,
    );
    let inspected = inspect_prompt(&mut result, prompt, &[]).unwrap();
    assert_eq!(inspected.redactions, ["$.messages[0].content.text"]);
    assert_eq!(
        result.to_string(),
        r#"{"messages":[{"role":"user","content":{"type":"text","text":"[redacted]"}},{"role":"user","content":{"type":"text","text":"user, see [redacted]"}}]}"#
    );
}

#[test]
fn a_redaction_that_would_break_the_result_refuses_it() {
    let catalog = catalog(&[]);
    for (look, item, path, result) in [
        (
            inspect_resource as Look,
            catalog.listed("notes://all").unwrap(),
            "$.contents",
            r#"{"contents":[{"uri":"a:b","text":"x"}]}"#,
        ),
        (
            inspect_prompt as Look,
            catalog.prompt("plan").unwrap(),
            "$.messages[0].content",
            r#"{"messages":[{"role":"user","content":{"type":"text","text":"x"}}]}"#,
        ),
    ] {
        let mut value = json(result);
        let refused = look(&mut value, item, &[path.parse().unwrap()]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("what `{path}` name cannot be taken out without breaking the result")
        );
        assert_eq!(value, json(result), "untouched");
    }
}

#[test]
fn nothing_is_touched_where_nothing_is_named() {
    let catalog = catalog(&[]);
    let text = r#"{"contents":[{"uri":"notes://all","text":"x\u0041","size":1.50}],"x-own":1e2}"#;
    let mut result = json(text);
    let before = result.to_string();
    let inspected =
        inspect_resource(&mut result, catalog.listed("notes://all").unwrap(), &[]).unwrap();
    assert!(inspected.redactions.is_empty());
    assert_eq!(result.to_string(), before);
}

#[test]
fn a_completion_is_a_hundred_texts_at_most() {
    let secret = secret();
    let values = |count: usize| {
        let values = vec!["\"v\""; count].join(",");
        json(&format!(
            r#"{{"completion":{{"values":[{values}],"total":1000,"hasMore":true}}}}"#
        ))
    };
    assert_eq!(inspect_completion(&values(100)), Ok(Inspected::default()));
    assert_eq!(
        inspect_completion(&values(101)).unwrap_err().to_string(),
        "`completion.values` has more than 100 elements"
    );
    let found = inspect_completion(&json(&format!(
        r#"{{"completion":{{"values":["{secret}"]}}}}"#
    )));
    assert_eq!(rules(&found.unwrap()), ["secret/github-token"]);
    for (result, expected) in [
        ("7", "`result` is number, not an object"),
        ("{}", "`completion` is null, not an object"),
        (
            r#"{"completion":{}}"#,
            "`completion.values` is missing, not an array",
        ),
        (
            r#"{"completion":{"values":["a",7]}}"#,
            "`completion.values[*]` is number, not a string",
        ),
        (
            r#"{"completion":{"values":[],"hasMore":"no"}}"#,
            "`completion.hasMore` is string, not a boolean",
        ),
        (
            r#"{"completion":{"values":[],"total":"3"}}"#,
            "`completion.total` is string, not a number",
        ),
    ] {
        let refused = inspect_completion(&json(result)).unwrap_err();
        assert_eq!(refused.to_string(), expected, "{result}");
    }
}

#[test]
fn notices_are_looked_through() {
    let secret = secret();
    let found = |params: &str| rules(&inspect_notice(&json(params)).unwrap());
    assert_eq!(
        found(r#"{"level":"info","data":"fine"}"#),
        Vec::<&str>::new()
    );
    assert_eq!(
        found(&format!(
            r#"{{"level":"info","data":{{"a":["{secret}"]}}}}"#
        )),
        ["secret/github-token"]
    );
    assert_eq!(
        found(&format!(
            r#"{{"progressToken":1,"progress":50,"message":"{secret}"}}"#
        )),
        ["secret/github-token"]
    );
    assert!(inspect_notice(&json("[]")).is_err());
}
