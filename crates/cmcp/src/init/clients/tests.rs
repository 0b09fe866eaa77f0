use std::path::Path;

use super::{ClientError, Found, Launch, from_argument, read};

fn command(name: &str, command: &str, args: &[&str], env: &[(&str, &str)]) -> Found {
    let launch = Launch::Command {
        command: command.to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: env
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        cwd: None,
    };
    Found {
        name: name.to_owned(),
        launch,
    }
}

fn url(name: &str, url: &str, headers: &[&str]) -> Found {
    let headers = headers.iter().map(|name| (*name).to_owned()).collect();
    Found {
        name: name.to_owned(),
        launch: Launch::Url {
            url: url.to_owned(),
            headers,
        },
    }
}

#[test]
fn claude_desktop() {
    let text = r#"{"mcpServers": {"files": {"command": "npx", "args": ["-y", "server-files", "/srv"],
        "env": {"API_KEY": "s3cret"}}, "old": {"command": "x", "disabled": true}}}"#;
    let expected = vec![command(
        "files",
        "npx",
        &["-y", "server-files", "/srv"],
        &[("API_KEY", "s3cret")],
    )];
    assert_eq!(read(Path::new("c.json"), text), Ok(expected));
}

#[test]
fn vs_code_with_comments_and_inputs() {
    let text = r#"{
        // servers of this workspace
        "inputs": [{"id": "key", "type": "promptString"}],
        "servers": {
            "crm": {"type": "http", "url": "https://crm.example/mcp", "headers": {"Authorization": "Bearer ${input:key}"}},
            "git": {"type": "stdio", "command": "/usr/bin/mcp-git", "env": {"TOKEN": "${input:key}"},},
        },
    }"#;
    let expected = vec![
        url("crm", "https://crm.example/mcp", &["Authorization"]),
        command("git", "/usr/bin/mcp-git", &[], &[("TOKEN", "")]),
    ];
    assert_eq!(read(Path::new("mcp.json"), text), Ok(expected));
}

#[test]
fn cursor_with_an_address() {
    let text = r#"{"mcpServers": {"docs": {"url": "http://127.0.0.1:9000/mcp"}}}"#;
    let expected = vec![url("docs", "http://127.0.0.1:9000/mcp", &[])];
    assert_eq!(read(Path::new("mcp.json"), text), Ok(expected));
}

#[test]
fn errors_name_file_server_and_remedy() {
    let cases = [
        (
            r#"{"mcpServers": {"a": {}}}"#,
            "mcp.json: server `a` has neither `command` nor `url`; complete it, or leave it out",
        ),
        (
            r#"{"mcpServers": {"a": {"command": ["x"]}}}"#,
            "mcp.json: `command` of server `a` is not a string; correct it",
        ),
        (
            r#"{"servers": {"a": {"command": "x", "args": ["${workspaceFolder}/y"]}}}"#,
            "mcp.json: server `a` uses `${workspaceFolder}`, which only its client can fill in; write the value instead",
        ),
        (
            r#"{"servers": {"a": {"type": "sse", "url": "http://h/sse"}}}"#,
            "mcp.json: server `a` speaks the old `sse` transport; use its streamable HTTP address",
        ),
        (
            r#"{"tools": {}}"#,
            "mcp.json: there is no `mcpServers` (Claude Desktop, Cursor) and no `servers` (VS Code); name the file that lists your servers",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(
            read(Path::new("mcp.json"), text).unwrap_err().to_string(),
            expected
        );
    }
    let error = read(Path::new("mcp.json"), "{\n \"a\": tru }")
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("mcp.json:2:7: "), "{error}");
}

#[test]
fn servers_of_the_command_line() {
    assert_eq!(
        from_argument("files=/usr/bin/mcp-files '/srv/my data' --flag=\"a b\" c\\ d"),
        Ok(command(
            "files",
            "/usr/bin/mcp-files",
            &["/srv/my data", "--flag=a b", "c d"],
            &[]
        ))
    );
    assert_eq!(
        from_argument("crm=https://crm.example/mcp?x=1"),
        Ok(url("crm", "https://crm.example/mcp?x=1", &[]))
    );
    for text in ["files", "=x", "a b=c", "a=", "a='open"] {
        let text = text.to_owned();
        assert_eq!(from_argument(&text), Err(ClientError::Argument { text }));
    }
}
