//! Issuers whose tokens let callers in, and what servers are shown.

use cmcp_gateway::oauth::{Algorithm, Dpop, IssuerKeys};
use cmcp_policy::catalog::{Document, ServerSpec, TlsPin, Transport};

use super::*;

const HEAD: &str = "oauth:\n  resource: https://gateway.example/mcp\n";
const LISTEN: &str = "listen_addr: \"127.0.0.1:1\"\n";
const ISSUER: &str =
    "  issuers:\n    - issuer: https://idp.example/realm\n      principal_prefix: corp\n";
const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k"}]}"#;

fn place() -> Place {
    let place = Place::new();
    fs::write(place.folder.path().join("keys.json"), KEYS).unwrap();
    fs::write(place.folder.path().join("secret"), "s3cret\n").unwrap();
    place
}

/// The same with servers behind it.
fn with_servers() -> Place {
    let place = place();
    let http = |name: &str, url: &str| ServerSpec {
        name: name.to_owned(),
        display_name: None,
        transport: Transport::Http {
            url: url.to_owned(),
            pin: TlsPin::WebPki,
        },
    };
    let process = ServerSpec {
        name: "files".to_owned(),
        display_name: None,
        transport: Transport::Stdio {
            command: "/bin/true".to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            measured: BTreeMap::new(),
        },
    };
    let document = Document {
        servers: vec![
            http("web", "https://web.example/mcp"),
            http("here", "http://127.0.0.1:9/mcp"),
            process,
        ],
        ..Document::default()
    };
    fs::write(place.path("catalog.json"), document.to_text().unwrap()).unwrap();
    place
}

fn faults(text: &str) -> Vec<String> {
    place().problems(&format!("{text}{LISTEN}"), Purpose::Start, &[DEV])
}

#[test]
fn issuers_are_taken_as_the_file_has_them() {
    let text = format!(
        "{HEAD}{ISSUER}    - issuer: https://partner.example\n      principal_prefix: partner\n      jwks: keys.json\n      introspection:\n        endpoint: https://partner.example/introspect\n        client_id: gateway\n        client_secret_file: secret\n  algorithms: [ES256, PS512]\n  scopes_supported: [\"tools:read\"]\n  required_scopes: [mcp]\n  implied_scopes: {{tools: [\"tools:read\", \"tools:write\"]}}\n  principal_claim: oid\n  attributes:\n    groups: {{claim: groups, type: texts}}\n    department: {{claim: dept}}\n  dpop: optional\n  allow_private_hosts: [IDP.internal]\n{LISTEN}"
    );
    let (config, documents) = place().load(&text, Purpose::Start, &[DEV]).unwrap();
    let oauth = config.oauth.as_ref().unwrap();
    assert_eq!(oauth.resource.as_str(), "https://gateway.example/mcp");
    assert_eq!(oauth.algorithms, [Algorithm::Es256, Algorithm::Ps512]);
    assert_eq!(oauth.dpop, Dpop::Optional);
    assert_eq!(oauth.principal_claim, "oid");
    assert_eq!(oauth.private_hosts, ["idp.internal"]);
    let [corp, partner] = oauth.issuers.as_slice() else {
        panic!("{oauth:?}")
    };
    assert!(matches!(corp.keys, IssuerKeys::Discovered));
    assert!(matches!(partner.keys, IssuerKeys::Pinned(_)));
    assert_eq!(corp.issuer.as_str(), "https://idp.example/realm");
    assert!(partner.introspection.is_some());
    // Clients come by that name, with a token and with no other way in.
    assert!(config.hosts.hosts.contains(&"gateway.example".to_owned()));
    assert!(matches!(
        config.listen,
        Listen::Authenticated { shared: None, .. }
    ));
    // Policies may name what tokens give.
    let schema = documents.engine.schema_text();
    for attribute in ["scopes", "issuer", "client_id", "groups", "department"] {
        assert!(schema.contains(attribute), "{attribute}");
    }
    // Nothing of a secret is shown.
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn the_word_off_is_a_word() {
    let text = format!("{HEAD}{ISSUER}  dpop: off\n{LISTEN}");
    let (config, _) = place().load(&text, Purpose::Start, &[DEV]).unwrap();
    let oauth = config.oauth.unwrap();
    assert_eq!(oauth.dpop, Dpop::Off);
    let usual = [
        Algorithm::Es256,
        Algorithm::EdDsa,
        Algorithm::Rs256,
        Algorithm::Ps256,
    ];
    assert_eq!(oauth.algorithms, usual);
}

#[test]
fn a_policy_about_an_issuers_principal_is_no_doubt() {
    let place = place();
    let policy = "permit(principal == Agent::\"corp:alice\", action, resource) when { principal has scopes && principal.scopes.contains(\"a\") };\npermit(principal == Agent::\"other:alice\", action, resource);";
    fs::write(place.folder.path().join("policies/a.cedar"), policy).unwrap();
    let text = format!("{HEAD}{ISSUER}{LISTEN}");
    let (config, _) = place.load(&text, Purpose::Start, &[DEV]).unwrap();
    let doubts: Vec<&String> = config
        .notices
        .iter()
        .filter(|notice| notice.contains("alice"))
        .collect();
    assert_eq!(doubts.len(), 1, "{doubts:?}");
    assert!(doubts[0].contains("other:alice"), "{doubts:?}");
}

/// What stands below the issuer, or in the place of something in it, and what is said of it.
const ISSUERS: [(&str, &str, &str); 21] = [
    (
        "gateway.example/mcp",
        "gateway.example/mcp/",
        "5:13: `oauth.resource` is `https://gateway.example/mcp/`; write `https://gateway.example/mcp`, its one spelling",
    ),
    (
        "gateway.example/mcp",
        "GATEWAY.example:443/mcp?a",
        "5:13: `oauth.resource` is `https://GATEWAY.example:443/mcp?a`; write `https://gateway.example/mcp`, its one spelling",
    ),
    (
        "https://gateway",
        "http://gateway",
        "5:13: `oauth.resource` is `http://gateway.example/mcp`: it begins with `http://`, which is accepted for this machine only; write an `https` URL",
    ),
    (
        "https://idp",
        "http://idp",
        "7:15: `oauth.issuers.issuer` is `http://idp.example/realm`: it begins with `http://`, which is accepted for this machine only; write an `https` URL",
    ),
    (
        "",
        "      jwks_uri: file:///etc/passwd\n",
        "9:17: `oauth.issuers.jwks_uri` is `file:///etc/passwd`: it is not a URL; write an `https` URL",
    ),
    (
        "corp",
        "Corp:x",
        "8:25: `oauth.issuers.principal_prefix` is `Corp:x`; write a lower-case letter, and up to 31 of `a` to `z`, `0` to `9` and `-`",
    ),
    (
        "      principal_prefix: corp\n",
        "",
        "7:7: `oauth.issuers.principal_prefix` has no value; write a text, or remove the key",
    ),
    (
        "",
        "      jwks: keys.json\n      jwks_uri: https://idp.example/keys\n",
        "10:17: `oauth.issuers.jwks_uri` and `oauth.issuers.jwks` are both set; keep one of the two",
    ),
    (
        "",
        "      jwks: ../keys.json\n",
        "9:13: `oauth.issuers.jwks` contains `..`; write the path without it",
    ),
    (
        "",
        "      secret: x\n",
        "9:7: `oauth.issuers.secret` is not a key of the configuration; use `issuer`, `principal_prefix`, `jwks_uri`, `jwks`, `introspection`",
    ),
    (
        "",
        "      introspection: {endpoint: \"https://idp.example/i\", client_id: g}\n",
        "9:22: `oauth.issuers.introspection.client_secret_env` has no value; write the name of the variable with the secret, or `client_secret_file`, or remove the key",
    ),
    (
        "",
        "      introspection: {endpoint: \"https://idp.example/i\", client_id: g, client_secret_env: NOT_SET}\n",
        "9:91: `oauth.issuers.introspection.client_secret_env` refers to `NOT_SET`, which is not set; export it",
    ),
    (
        "",
        "    - issuer: https://idp.example/realm\n      principal_prefix: other\n",
        "7:5: issuer `https://idp.example/realm` or its prefix `other` is listed twice; give each its own",
    ),
    (
        "",
        "    - issuer: https://two.example\n      principal_prefix: corp\n",
        "7:5: issuer `https://two.example` or its prefix `corp` is listed twice; give each its own",
    ),
    (
        "",
        "principals:\n  - {name: \"corp:alice\", token_sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n",
        "10:5: principal `corp:alice` could be taken for one of the issuer's, whose names begin with `corp:`; rename it",
    ),
    (
        "",
        "  algorithms: [HS256]\n",
        "9:16: `oauth.algorithms` is `HS256`; write a signature algorithm: `ES256`, `ES384`, `EdDSA`, `PS256`, `PS384`, `PS512`, `RS256`, `RS384`, `RS512`",
    ),
    (
        "",
        "  algorithms: [none]\n",
        "9:16: `oauth.algorithms` is `none`; write a signature algorithm: `ES256`, `ES384`, `EdDSA`, `PS256`, `PS384`, `PS512`, `RS256`, `RS384`, `RS512`",
    ),
    (
        "",
        "  required_scopes: [\"a b\"]\n",
        "9:21: `oauth.required_scopes` is `a b`; write a scope without blanks",
    ),
    (
        "",
        "  attributes: {scopes: {claim: x}}\n",
        "9:24: `oauth.attributes` is `scopes`; write letters, digits and `_`, other than `name`, `scopes`, `issuer` and `client_id`",
    ),
    (
        "",
        "  tool_scopes: {pay: [a]}\n",
        "9:16: `oauth.tool_scopes` names the tool `pay`, which is not in the catalog; name it as callers do",
    ),
    (
        "",
        "  dpop: no\n",
        "9:9: `oauth.dpop` is `no`; write `off`, `optional` or `required`",
    ),
];

#[test]
fn what_is_wrong_with_an_issuer_is_named() {
    let mut wrong = Vec::new();
    for (from, to, expected) in ISSUERS {
        let text = format!("{HEAD}{ISSUER}");
        let text = match from {
            "" => text + to,
            from => text.replace(from, to),
        };
        let found = faults(&text);
        if found != [format!("CONFIG_ERROR DIR/cmcp-config.yaml:{expected}")] {
            wrong.push((text, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_issuer_without_a_name_of_our_own_or_with_keys_that_are_none_is_named() {
    let alone = "oauth: {dpop: required, issuers: [{issuer: \"https://idp.example\", principal_prefix: corp}]}\n";
    let none = "oauth: {resource: \"https://gateway.example/mcp\"}\n";
    let keys = format!("{HEAD}{ISSUER}      jwks: secret\n");
    let gone = format!("{HEAD}{ISSUER}      jwks: none.json\n");
    for (text, expected) in [
        (
            alone,
            "cmcp-config.yaml:4:34: `oauth.resource` has no value; write the URL that clients reach this gateway by, or remove the key",
        ),
        (
            none,
            "cmcp-config.yaml:4:19: `oauth.issuers` has no value; write a list of issuers, or remove the key",
        ),
        (
            &keys,
            "secret: it is not one JSON text; save the issuer's JSON Web Key Set here",
        ),
        (
            &gone,
            "none.json: the file cannot be read: it does not exist; check the path, which counts from the configuration file's folder",
        ),
    ] {
        assert_eq!(faults(text), [format!("CONFIG_ERROR DIR/{expected}")]);
    }
    let asking = "      introspection: {endpoint: \"https://idp.example/i\", client_id: g, client_secret_file: secret}\n";
    let second = ISSUER.replace("  issuers:\n", "").replace("idp", "two");
    let second = second.replace("corp", "two");
    let twice = format!("{HEAD}{ISSUER}{asking}{second}{asking}");
    let expected = "CONFIG_ERROR DIR/cmcp-config.yaml:12:22: a second issuer has `introspection`; keep one, since a token that does not say whose it is can be shown to one issuer only";
    assert_eq!(faults(&twice), [expected]);
}

#[test]
fn a_check_of_the_file_asks_for_no_secret() {
    let text = format!(
        "attestation: {{provider: software-only}}\n{HEAD}{ISSUER}      introspection: {{endpoint: \"https://idp.example/i\", client_id: g, client_secret_env: NOT_SET}}\nupstreams:\n  credentials:\n    web: {{bearer_file: not-there}}\n"
    );
    let place = with_servers();
    place.load(&text, Purpose::Validate, &[]).unwrap();
}

#[test]
fn servers_are_shown_what_the_file_refers_to_and_nobody_else_is() {
    let place = with_servers();
    let text = "attestation: {allow_unmeasured_spawn: true}\nupstreams:\n  credentials:\n    web: {bearer_env: CMCP_WEB_TOKEN}\n    here:\n      oauth:\n        issuer: https://idp.example\n        client_id: gateway\n        client_secret_file: secret\n        scope: a b\n";
    let variables = [DEV, ("CMCP_WEB_TOKEN", "t0ken")];
    let (config, _) = place.load(text, Purpose::Start, &variables).unwrap();
    let names: Vec<&String> = config.credentials.keys().collect();
    assert_eq!(names, ["here", "web"]);
    assert_eq!(config.credentials["web"].url, "https://web.example/mcp");
    let shown = format!("{config:?}");
    assert!(
        !shown.contains("t0ken") && !shown.contains("s3cret"),
        "{shown}"
    );
    // A variable that the file refers to is read, whatever it is called.
    let unread = |notice: &&String| notice.contains("is not read");
    assert_eq!(config.notices.iter().find(unread), None);
    // The digest states what is referred to, and not what is there.
    let digest = |token: &str| {
        let variables = [DEV, ("CMCP_WEB_TOKEN", token)];
        let (config, _) = place.load(text, Purpose::Start, &variables).unwrap();
        config.effective().digest().unwrap()
    };
    assert_eq!(digest("a"), digest("b"));
}

/// What stands below `credentials`, and what is said of it.
const CREDENTIALS: [(&str, &str); 10] = [
    (
        "nobody: {bearer_env: PATH}",
        "7:13: `nobody` is no server of the catalog; name one as the catalog has it, or remove the credential",
    ),
    (
        "files: {bearer_env: PATH}",
        "7:12: server `files` is a process; its credentials go into its environment, by `env` in the catalog",
    ),
    (
        "web: {}",
        "7:10: `upstreams.credentials.web` has no value; write `bearer_env`, `bearer_file` or `oauth`, or remove the key",
    ),
    (
        "web: {bearer: t0ken}",
        "7:11: `upstreams.credentials.web.bearer` is not a key of the configuration; use `bearer_env`, `bearer_file`, `oauth`",
    ),
    (
        "web: {bearer_env: NOT_SET}",
        "7:23: `upstreams.credentials.web.bearer_env` refers to `NOT_SET`, which is not set; export it",
    ),
    (
        "web: {bearer_env: A, bearer_file: secret}",
        "7:23: `upstreams.credentials.web.bearer_env` and `upstreams.credentials.web.bearer_file` are both set; keep one of the two",
    ),
    (
        "web: {oauth: {client_id: g, client_secret_file: secret}}",
        "7:18: `upstreams.credentials.web.oauth.issuer` has no value; write the issuer that knows this client, or `token_endpoint`, or remove the key",
    ),
    (
        "web: {oauth: {client_id: g, issuer: \"https://idp.example\"}}",
        "7:18: `upstreams.credentials.web.oauth.client_secret_env` has no value; write `client_secret_env`, `client_secret_file` or `key_file`, or remove the key",
    ),
    (
        "web: {oauth: {client_id: g, issuer: \"http://idp.example\", client_secret_file: secret}}",
        "7:41: `upstreams.credentials.web.oauth.issuer` is `http://idp.example`: it begins with `http://`, which is accepted for this machine only; write an `https` URL",
    ),
    (
        "web: {oauth: {client_id: g, issuer: \"https://a.example\", token_endpoint: \"https://a.example/t\", client_secret_file: secret}}",
        "7:78: `upstreams.credentials.web.oauth.token_endpoint` and `upstreams.credentials.web.oauth.issuer` are both set; keep one of the two",
    ),
];

#[test]
fn what_is_wrong_with_a_credential_is_named() {
    let place = with_servers();
    let head = "attestation: {allow_unmeasured_spawn: true}\nupstreams:\n  credentials:\n    ";
    let mut wrong = Vec::new();
    for (text, expected) in CREDENTIALS {
        let found = place.problems(&format!("{head}{text}\n"), Purpose::Start, &[DEV]);
        if found.first() != Some(&format!("CONFIG_ERROR DIR/cmcp-config.yaml:{expected}")) {
            wrong.push((text, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
