use cmcp_json::Value;

use super::{Compat, ServerSpec, TlsPin, Transport, fault, json, load, with};

#[test]
fn members_of_http_servers_are_checked() {
    let web = |member: &str, value: &str| fault(&["servers", "web", member], value);
    assert_eq!(
        web("transport", "\"sse\""),
        "servers.web.transport: `sse` is not one of `stdio` and `streamable-http`"
    );
    assert_eq!(
        web("command", "\"/bin/sh\""),
        "servers.web: `command` is not known here: remove it (`transport`, `url`, `tls`, `display_name`, `attestation` are)"
    );
    assert_eq!(
        web("attestation", "{}"),
        "servers.web.attestation: `attestation` is not enforced by this version, so it is not accepted either: write `null`"
    );
    assert_eq!(
        web("url", "\"http://example.com/mcp\""),
        "servers.web.url: `http://example.com/mcp` would be called in the clear: use https"
    );
    for url in [
        "https://u:p@example.com/",
        "https://example.com/#x",
        "ftp://example.com/",
    ] {
        assert_eq!(
            web("url", &format!("\"{url}\"")),
            format!(
                "servers.web.url: `{url}` is not an http or https URL without user, password and fragment"
            )
        );
    }
    assert_eq!(
        web("tls", r#"{"pin":"none"}"#),
        "servers.web.tls.pin: `none` is not one of `certificate`, `key` and `webpki`"
    );
    assert_eq!(
        web("tls", r#"{"pin":"key"}"#),
        "servers.web.tls: `sha256` is missing"
    );
    assert_eq!(
        web("tls", r#"{"pin":"webpki","sha256":"sha256:00"}"#),
        "servers.web.tls: `sha256` is not known here: remove it (`pin` are)"
    );
    assert_eq!(
        web("tls", r#"{"pin":"key","sha256":"sha256:AA"}"#),
        "servers.web.tls.sha256: `sha256:AA` is not a pin: write `sha256:` and 64 hexadecimal digits (in a 0.7.1 catalog `SHA256:` and 44 characters of base64)"
    );
}

#[test]
fn members_of_stdio_servers_are_checked() {
    let local = |member: &str, value: &str| fault(&["servers", "local", member], value);
    assert_eq!(
        local("command", "\"server\""),
        "servers.local.command: `server` is not an absolute path without `.` and `..`"
    );
    assert_eq!(
        local("cwd", "\"/srv/../etc\""),
        "servers.local.cwd: `/srv/../etc` is not an absolute path without `.` and `..`"
    );
    assert_eq!(
        local("env", r#"["LD_PRELOAD"]"#),
        "servers.local.env: `LD_PRELOAD` may not reach a child: it can change what the child runs, or is the gateway's own"
    );
    assert_eq!(
        local("env", r#"["A=B"]"#),
        "servers.local.env: `A=B` is not the name of an environment variable"
    );
    assert_eq!(
        local("args", "[1]"),
        "servers.local.args[0]: expected a string, found number"
    );
    assert_eq!(
        local(
            "measured",
            r#"{"server":"sha256:0000000000000000000000000000000000000000000000000000000000000000"}"#
        ),
        "servers.local.measured.server: `server` is not an absolute path without `.` and `..`"
    );
}

#[test]
fn variables_that_change_what_a_child_runs_do_not_reach_it() {
    let variables = "LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES PYTHONPATH PYTHONSTARTUP PYTHONHOME \
        NODE_OPTIONS NODE_PATH BASH_ENV ENV IFS PERL5OPT RUBYOPT JAVA_TOOL_OPTIONS GLIBC_TUNABLES \
        npm_config_node_options CMCP_BEARER_TOKEN SSLKEYLOGFILE GIT_SSH_COMMAND";
    for name in variables.split_whitespace() {
        let fault = fault(&["servers", "local", "env"], &format!("[\"{name}\"]"));
        assert!(fault.contains("may not reach a child"), "{fault}");
    }
    let fine = json(r#"["PATH","HOME","LANG","GITHUB_TOKEN","MY_API_KEY"]"#);
    assert!(load(&with(&["servers", "local", "env"], Some(fine))).is_ok());
}

#[test]
fn plain_http_stays_on_this_machine() {
    let loads = |url: &str| load(&with(&["servers", "web", "url"], Some(Value::from(url)))).is_ok();
    for url in [
        "http://127.0.0.1:9000/mcp",
        "http://localhost/mcp",
        "http://[::1]:1/",
        "http://127.8.8.8",
    ] {
        assert!(loads(url), "{url}");
    }
    for url in [
        "http://0.0.0.0/",
        "http://127.0.0.1.example.com/",
        "http://localhost.example.com/",
        "http://10.0.0.1/",
    ] {
        assert!(!loads(url), "{url}");
    }
    for url in [
        "https://",
        "https:///x",
        "https://a b/",
        "https://a:port/",
        "https://[::1/",
        "https://a\\b/",
        "https://é/",
    ] {
        assert!(!loads(url), "{url}");
    }
}

#[test]
fn a_server_can_be_described_by_itself() {
    let identity = json(
        r#"{"display_name":"Emergency","url":"https://example.com/mcp","transport":"http-sse",
            "tls_fingerprint":"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}"#,
    );
    let server = ServerSpec::parse_identity(&identity, Compat::Off).unwrap();
    let url = "https://example.com/mcp".to_owned();
    assert_eq!(server.name, "emergency");
    assert_eq!(
        server.transport,
        Transport::Http {
            url,
            pin: TlsPin::Placeholder
        }
    );
    let errors = ServerSpec::parse_identity(
        &json(r#"{"url":"ftp://x","transport":"http-sse"}"#),
        Compat::Off,
    );
    let places: Vec<_> = errors
        .unwrap_err()
        .iter()
        .map(|error| error.place.clone())
        .collect();
    assert_eq!(
        places,
        ["server_identity", "server_identity.url", "server_identity"]
    );
}
