use std::path::Path;

use super::{config, say};

#[test]
fn the_configuration_quotes_its_paths() {
    let text = config(
        Path::new("/tmp/a \"b\": c"),
        "127.0.0.1:8443".parse().unwrap(),
    );
    assert!(
        text.contains(r#"policy_bundle_path: "/tmp/a \"b\": c/policies""#),
        "{text}"
    );
    let root = crate::config::yaml::parse(text.as_bytes()).unwrap();
    let mut problems = Vec::new();
    crate::config::values::Values::read("demo", &root, &mut problems);
    assert_eq!(problems, Vec::new());
}

#[test]
fn client_configurations_are_json() {
    let lines = say::clients("127.0.0.1:8443".parse().unwrap(), "/usr/bin/cmcp");
    let documents: Vec<&str> = lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| line.starts_with('{'))
        .collect();
    assert_eq!(
        documents,
        [
            r#"{"mcpServers":{"cmcp":{"command":"/usr/bin/cmcp","args":["client-bridge","--gateway-url","http://127.0.0.1:8443/mcp"]}}}"#,
            r#"{"servers":{"cmcp":{"type":"http","url":"http://127.0.0.1:8443/mcp"}}}"#,
            r#"{"mcpServers":{"cmcp":{"url":"http://127.0.0.1:8443/mcp"}}}"#,
        ]
    );
}
