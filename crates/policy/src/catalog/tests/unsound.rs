//! Resources, templates and prompts that a catalog must not have.

use super::{
    Document, Tool, faults,
    items::{entry, loaded, prompt, resource, template, whole},
    json, load,
};
use crate::catalog::ItemKind;

fn faults_of(document: &Document) -> Vec<String> {
    faults(&document.to_value().unwrap().to_string())
}

/// The only fault of the whole document after a change.
fn fault(change: impl FnOnce(&mut Document)) -> String {
    let mut document = whole();
    change(&mut document);
    let faults = faults_of(&document);
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].clone()
}

/// The only fault of the whole document with one member of an entry replaced.
fn fault_with(kind: ItemKind, member: &str, value: &str) -> String {
    let mut document = whole().to_value().unwrap();
    let entries = document.as_object_mut().unwrap();
    let entries = entries.get_mut(kind.member()).unwrap();
    let entry = &mut entries.as_array_mut().unwrap()[0];
    entry.as_object_mut().unwrap().insert(member, json(value));
    let faults = faults(&document.to_string());
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults[0].clone()
}

#[test]
fn a_definition_changed_after_approval_is_refused_whatever_it_defines() {
    for kind in ItemKind::ALL {
        let fault = fault_with(
            kind,
            "digest",
            "\"sha256:0000000000000000000000000000000000000000000000000000000000000000\"",
        );
        let place = format!("{}[0].digest: the definition has digest", kind.member());
        assert!(fault.starts_with(&place), "{fault}");
        assert!(fault.ends_with("it was changed after approval; approve it again"));
    }
}

#[test]
fn g07_two_prompts_of_one_name_or_of_one_look_are_a_load_error() {
    let alias = |name: &'static str| {
        move |document: &mut Document| document.prompts[1].alias = Some(name.to_owned())
    };
    assert_eq!(
        fault(alias("web__plan")),
        "prompts[1]: the name `web__plan` is already that of `prompts[0]`: give one of them an `alias`"
    );
    assert_eq!(
        fault(alias("web__p1an")),
        "prompts[1]: `web__p1an` looks like `web__plan`: give one of them an `alias` that cannot be mistaken"
    );
}

#[test]
fn g07_a_uri_has_one_owner() {
    assert_eq!(
        fault(|document| document.resources[1] = resource("local", "notes://a")),
        "resources[1]: the URI `notes://a` is already that of `resources[0]`: it has one owner; remove one entry"
    );
    assert_eq!(
        fault(|document| document
            .resource_templates
            .push(template("web", "file:///{name}"))),
        "resource_templates[1]: the URI `file:///{name}` is already that of `resource_templates[0]`: it has one owner; remove one entry"
    );
    // URIs are made by programs: those that look alike are different.
    let mut document = whole();
    document.resources[1] = resource("local", "notes://l");
    document.resources.push(resource("web", "notes://1"));
    assert_eq!(loaded(&document).items(ItemKind::Resource).len(), 3);
}

#[test]
fn g06_names_that_could_be_misread_are_a_load_error() {
    for name in ["pl\u{430}n", "pl\u{200b}an", "a b", "a::b", "a\\nb", ""] {
        let fault = fault(|document| {
            document.prompts[1] = Tool {
                alias: None,
                ..prompt("local", "greet")
            };
            let alias = Some(json(&format!("\"{name}\"")).as_str().unwrap().to_owned());
            document.prompts[1].alias = alias;
        });
        assert!(
            fault.starts_with("prompts[1].alias: `") && fault.contains("is not a prompt name"),
            "{fault}"
        );
    }
    for uri in [
        "notes://\u{430}",
        "notes://a b",
        "no scheme",
        "/etc/passwd",
        "a:\\tb",
        "",
    ] {
        let faults = {
            let mut document = whole();
            document.resources[0] = resource("web", uri);
            faults_of(&document)
        };
        assert!(
            faults.iter().any(|fault| {
                fault.starts_with("resources[0].definition.uri: `")
                    && fault.contains("is not the URI of a resource")
            }),
            "{uri:?}: {faults:?}"
        );
    }
    let long = format!("notes://{}", "x".repeat(9000));
    let told = fault(|document| document.resources[0] = resource("web", &long));
    assert!(told.len() < 600, "{told}");
}

#[test]
fn templates_that_cannot_be_held_against_are_a_load_error() {
    for (uri_template, why) in [
        ("{+uri}", "it does not begin with a scheme"),
        ("{scheme}://x", "it does not begin with a scheme"),
        ("notes://all", "it has no variable"),
        ("notes://{id", "expression 1 is not one of RFC 6570"),
        ("notes://id}", "expression 1 is not one of RFC 6570"),
        ("notes://{a}/{}", "expression 2 is not one of RFC 6570"),
        ("notes://{!id}", "expression 1 is not one of RFC 6570"),
        ("notes://{a b}", "expression 1 is not one of RFC 6570"),
        (
            "notes://../{id}",
            "it has `.` or `..` as a part of its path",
        ),
        (
            "notes://{id}/%2E%2e/x",
            "it has `.` or `..` as a part of its path",
        ),
        (
            "notes://a b/{id}",
            "it holds a character that a URI does not have",
        ),
    ] {
        let told = fault(|document| {
            document.resource_templates[0] = template("local", uri_template);
        });
        assert!(
            told.starts_with(&format!(
                "resource_templates[0].definition.uriTemplate: `{uri_template}` is not a template that URIs can be held against: {why}"
            )),
            "{told}"
        );
    }
}

#[test]
fn members_of_entries_are_checked() {
    let resource = ItemKind::Resource;
    assert_eq!(
        fault_with(resource, "server", "\"nobody\""),
        "resources[0].server: there is no server `nobody` (`web`, `local`)"
    );
    assert!(
        fault_with(resource, "alias", "\"a\"")
            .starts_with("resources[0]: `alias` is not known here: remove it (`server`, ")
    );
    assert_eq!(
        fault_with(resource, "read_only", "1"),
        "resources[0].read_only: expected true or false, found number"
    );
    assert_eq!(
        fault_with(resource, "redact", r#"["$.structuredContent.a"]"#),
        "resources[0].redact: path `$.structuredContent.a` is not understood at character 2: what is read from a resource has `contents` and `_meta`; write `$.contents[*].text` for its text"
    );
    assert_eq!(
        fault_with(ItemKind::Prompt, "redact", r#"["$.contents"]"#),
        "prompts[0].redact: path `$.contents` is not understood at character 2: what a prompt comes to has `messages`, `description` and `_meta`; write `$.messages[*].content.text` for its text"
    );
    assert_eq!(
        fault_with(ItemKind::Prompt, "attestation", "{}"),
        "prompts[0].attestation: `attestation` is not enforced by this version, so it is not accepted either: write `null`"
    );
    let mut document = whole().to_value().unwrap();
    document.as_object_mut().unwrap().insert("prompts", 7_i64);
    assert_eq!(
        faults(&document.to_string()),
        ["prompts: expected an array, found number"]
    );
}

#[test]
fn nothing_that_matters_has_a_default() {
    for kind in [
        ItemKind::Resource,
        ItemKind::ResourceTemplate,
        ItemKind::Prompt,
    ] {
        for member in ["server", "definition", "digest"] {
            let mut document = whole().to_value().unwrap();
            let entries = document.as_object_mut().unwrap();
            let entries = entries.get_mut(kind.member()).unwrap();
            let entry = &mut entries.as_array_mut().unwrap()[0];
            entry.as_object_mut().unwrap().remove(member).unwrap();
            let faults = faults(&document.to_string());
            let missing = format!("{}[0]: `{member}` is missing", kind.member());
            assert!(faults.contains(&missing), "{member}: {faults:?}");
        }
    }
    assert_eq!(
        fault(|document| document.resources[0] = entry("web", r#"{"name":"r"}"#)),
        "resources[0].definition: `uri` is missing"
    );
    assert_eq!(
        fault(|document| document.resources[0] = entry("web", r#"{"uri":"a:b"}"#)),
        "resources[0].definition: `name` is missing"
    );
}

#[test]
fn faults_have_a_line() {
    let text = whole()
        .to_text()
        .unwrap()
        .replace("\"notes://a\"", "\"notes a\"");
    let errors = load(&text).unwrap_err();
    let at = errors
        .iter()
        .find(|error| error.place == "resources[0].definition.uri")
        .unwrap();
    let line = text.lines().nth(at.line - 1).unwrap();
    assert!(line.contains("notes a"), "{line}");
}

#[test]
fn g05_text_that_shows_a_person_something_else_is_refused_in_prompts_and_resources() {
    for (kind, definition, at) in [
        (
            ItemKind::Prompt,
            r#"{"name":"p","description":"Re\u200bad."}"#,
            "/description",
        ),
        (
            ItemKind::Prompt,
            r#"{"name":"p","arguments":[{"name":"a","description":"\u202ex"}]}"#,
            "/arguments/0/description",
        ),
        (
            ItemKind::Resource,
            r#"{"uri":"a:b","name":"x\udb40\udc41"}"#,
            "/name",
        ),
        (
            ItemKind::ResourceTemplate,
            r#"{"uriTemplate":"a:{b}","name":"t","title":"\u2066"}"#,
            "/title",
        ),
    ] {
        let mut document = whole();
        document.items_mut(kind)[0] = entry("web", definition);
        let faults = faults_of(&document);
        let expected = format!("at `{at}`: such text shows a person");
        assert!(
            faults.iter().any(|fault| fault.contains(&expected)),
            "{faults:?}"
        );
    }
}

#[test]
fn declared_arguments_of_prompts_are_checked() {
    let said = |arguments: &str| {
        let definition = format!(r#"{{"name":"plan","arguments":{arguments}}}"#);
        fault(|document| document.prompts[0] = entry("web", &definition))
    };
    let at = |index: usize| format!("prompts[0].definition.arguments[{index}]");
    assert_eq!(
        said("{}"),
        "prompts[0].definition.arguments: expected an array, found object"
    );
    assert_eq!(
        said("[7]"),
        format!("{}: expected an object, found number", at(0))
    );
    assert_eq!(said("[{}]"), format!("{}: `name` is missing", at(0)));
    assert_eq!(
        said(r#"[{"name":"a"},{"name":"a"}]"#),
        format!("{}.name: `a` is here twice: remove one entry", at(1))
    );
    assert_eq!(
        said(r#"[{"name":"a","required":"yes"}]"#),
        format!("{}.required: expected true or false, found string", at(0))
    );
}
