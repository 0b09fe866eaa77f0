use std::path::Path;

use super::{differing, pages, schema, write};

#[test]
fn the_documents_of_the_repository_are_those_generated() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    assert_eq!(differing(&docs), Vec::<&str>::new(), "run `cmcp generate`");
}

#[test]
fn a_file_that_differs_is_named() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(differing(folder.path()).len(), pages().len());
    write(folder.path()).unwrap();
    assert_eq!(differing(folder.path()), Vec::<&str>::new());
    std::fs::write(folder.path().join("commands.md"), "other").unwrap();
    assert_eq!(differing(folder.path()), ["commands.md"]);
}

#[test]
fn the_schema_is_closed_and_names_later_parts_at_their_default_only() {
    let schema = schema::schema();
    assert_eq!(
        schema.get("additionalProperties").and_then(|v| v.as_bool()),
        Some(false)
    );
    let at = |section: &str, key: &str| {
        let section = schema
            .get("properties")
            .and_then(|p| p.get(section))
            .unwrap();
        section
            .get("properties")
            .and_then(|p| p.get(key))
            .unwrap()
            .clone()
    };
    let provider = at("attestation", "provider")
        .get("enum")
        .unwrap()
        .to_string();
    assert_eq!(provider, r#"["auto","software-only"]"#);
    assert_eq!(
        at("kill_switch", "enabled")
            .get("const")
            .unwrap()
            .to_string(),
        "false"
    );
    assert_eq!(
        at("agent_manifest", "path")
            .get("type")
            .unwrap()
            .to_string(),
        r#""null""#
    );
}
