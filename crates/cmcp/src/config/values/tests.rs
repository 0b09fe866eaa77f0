use super::{Values, looks_typed};
use crate::config::{fault::Problem, keys, yaml};

fn read(text: &str) -> (Values, Vec<String>) {
    let mut problems: Vec<Problem> = Vec::new();
    let root = yaml::parse(text.as_bytes()).unwrap();
    let values = Values::read("c.yaml", &root, &mut problems);
    (values, problems.iter().map(ToString::to_string).collect())
}

/// Texts with one fault each, and the exact message.
const FAULTS: &[(&str, &str)] = &[
    (
        "a",
        "c.yaml:1:1: the document is not a mapping; write keys and values, as in `listen_addr: \"127.0.0.1:8443\"`",
    ),
    (
        "catalogue_path: x",
        "c.yaml:1:1: `catalogue_path` is not a key of the configuration; did you mean `catalog_path`?",
    ),
    (
        "provider: auto",
        "c.yaml:1:1: `provider` is not a key of the configuration; did you mean `attestation.provider`?",
    ),
    (
        "attestation:\n  povider: auto",
        "c.yaml:2:3: `attestation.povider` is not a key of the configuration; did you mean `attestation.provider`?",
    ),
    (
        "telemetry: on",
        "c.yaml:1:1: `telemetry` is not a key of the configuration; remove it, `docs/configuration.md` lists the keys there are",
    ),
    (
        "<<: {}",
        "c.yaml:1:1: `<<` is not a key of the configuration; remove it, `docs/configuration.md` lists the keys there are",
    ),
    (
        "attestation: auto",
        "c.yaml:1:14: `attestation` is `auto`, and has keys of its own; write them indented below it",
    ),
    (
        "attestation: [provider]",
        "c.yaml:1:14: `attestation` is a list, and has keys of its own; write them indented below it",
    ),
    (
        "catalog_path:",
        "c.yaml:1:13: `catalog_path` has no value; write a path, or remove the key",
    ),
    (
        "catalog_path: ../c.json",
        "c.yaml:1:15: `catalog_path` contains `..`; write the path without it",
    ),
    (
        "policy_bundle_path: 'a\\..\\b'",
        "c.yaml:1:21: `policy_bundle_path` contains `..`; write the path without it",
    ),
    (
        "audit_db_path: [a]",
        "c.yaml:1:16: `audit_db_path` is a list; write a path",
    ),
    (
        "catalog_reload_interval_seconds: 5",
        "c.yaml:1:1: `catalog_reload_interval_seconds` would change the catalog while the gateway runs; remove the key and restart with a newly pinned catalog",
    ),
    (
        "max_response_size_bytes: 0",
        "c.yaml:1:26: `max_response_size_bytes` is `0`; write a whole number from 1 to 67108864",
    ),
    (
        "max_response_size_bytes: \"5\"",
        "c.yaml:1:26: `max_response_size_bytes` is `\"5\"`; write a whole number from 1 to 67108864",
    ),
    (
        "max_response_size_bytes: 0x10",
        "c.yaml:1:26: `max_response_size_bytes` is `0x10`; write a whole number from 1 to 67108864",
    ),
    (
        "max_response_size_bytes: 1_000",
        "c.yaml:1:26: `max_response_size_bytes` is `1_000`; write a whole number from 1 to 67108864",
    ),
    (
        "max_response_size_bytes: 1e3",
        "c.yaml:1:26: `max_response_size_bytes` is `1e3`; write a whole number from 1 to 67108864",
    ),
    (
        "max_response_size_bytes: 010",
        "c.yaml:1:26: `max_response_size_bytes` is `010`; write a whole number from 1 to 67108864",
    ),
    (
        "danger_plain_http: yes",
        "c.yaml:1:20: `danger_plain_http` is `yes`; write `true` or `false`",
    ),
    (
        "danger_plain_http: \"true\"",
        "c.yaml:1:20: `danger_plain_http` is `\"true\"`; write `true` or `false`",
    ),
    (
        "trust_domain: 12",
        "c.yaml:1:15: `trust_domain` is `12`; write a text",
    ),
    (
        "attestation: {provider: sgx}",
        "c.yaml:1:25: `attestation.provider` is `sgx`; write `auto`, `azure-cvm`, `opaque`, `sev-snp`, `software-only`, `tdx` or `tpm`",
    ),
    (
        "attestation: {enforcement_mode: Enforcing}",
        "c.yaml:1:33: `attestation.enforcement_mode` is `Enforcing`; write `advisory`, `enforcing` or `silent`",
    ),
    (
        "kill_switch: {deny_rate_threshold: 0}",
        "c.yaml:1:36: `kill_switch.deny_rate_threshold` is `0`; write a number above 0 and up to 1",
    ),
    (
        "kill_switch: {deny_rate_threshold: 1e-1}",
        "c.yaml:1:36: `kill_switch.deny_rate_threshold` is `1e-1`; write a number above 0 and up to 1",
    ),
    (
        "sensitivity: {vocabulary: {x: -1}}",
        "c.yaml:1:31: `sensitivity.vocabulary` is `-1`; write a mapping of labels to ranks, whole numbers from 0",
    ),
    (
        "sensitivity: {compliance_domains: {x: 1}}",
        "c.yaml:1:39: `sensitivity.compliance_domains` is `1`; write a mapping of names to `true` or `false`",
    ),
    (
        "allowed_hosts: example.com",
        "c.yaml:1:16: `allowed_hosts` is `example.com`; write a list of texts",
    ),
    (
        "redact: [{a: 1}]",
        "c.yaml:1:10: `redact` is a mapping; write a list of texts",
    ),
    (
        "record_per: request",
        "c.yaml:1:13: `record_per` is `request`; write `call` or `session`",
    ),
    (
        "compat: 0.7",
        "c.yaml:1:9: `compat` is `0.7`; write `cmcp-0.7`",
    ),
    (
        "principals: {name: a}",
        "c.yaml:1:13: `principals` is a mapping; write a list of principals, each with `name` and `token_sha256`",
    ),
    (
        "principals: [a]",
        "c.yaml:1:14: `principals` is `a`; write a mapping with `name` and `token_sha256`",
    ),
    (
        "principals:\n  - name: a\n",
        "c.yaml:2:5: `principals.token_sha256` has no value; write the SHA-256 of the token, 64 lower-case hexadecimal digits (`printf %s \"$TOKEN\" | sha256sum`), or remove the key",
    ),
    (
        "principals:\n  - {name: anonymous, token_sha256: DIGEST}\n",
        "c.yaml:2:12: `principals.name` is `anonymous`; write a name of at most 128 bytes, other than `anonymous`",
    ),
    (
        "principals:\n  - {name: a, token_sha256: abc}\n",
        "c.yaml:2:29: `principals.token_sha256` is `abc`; write the SHA-256 of the token, 64 lower-case hexadecimal digits (`printf %s \"$TOKEN\" | sha256sum`)",
    ),
    (
        "principals:\n  - {name: a, token_sha256: DIGEST, role: b}\n",
        "c.yaml:2:95: `principals.role` is not a key of the configuration; use `name`, `token_sha256` and `attributes`",
    ),
    (
        "principals:\n  - {name: a, token_sha256: DIGEST, attributes: {x: 1.5}}\n",
        "c.yaml:2:111: `principals.attributes.x` is `1.5`; write `true`, `false`, a whole number, a text or a list of texts",
    ),
    (
        "principals:\n  - {name: a, token_sha256: DIGEST}\n  - {name: a, token_sha256: OTHER}\n",
        "c.yaml:3:5: principal `a` is listed already on line 2; give each its own name",
    ),
    (
        "principals:\n  - {name: a, token_sha256: DIGEST}\n  - {name: b, token_sha256: 'sha256:DIGEST'}\n",
        "c.yaml:3:5: principal `b` has the token of `a`; give each principal a token of its own",
    ),
];

/// Settings of parts that come later, and the exact refusal.
const LATER: &[(&str, &str)] = &[
    (
        "attestation: {provider: tpm}",
        "c.yaml:1:25: `attestation.provider: tpm` is not available in this version; use `auto` or `software-only`, with software evidence asked for",
    ),
    (
        "attestation: {provider: sev-snp}",
        "c.yaml:1:25: `attestation.provider: sev-snp` is not available in this version; use `auto` or `software-only`, with software evidence asked for",
    ),
    (
        "attestation: {provider: tdx}",
        "c.yaml:1:25: `attestation.provider: tdx` is not available in this version; use `auto` or `software-only`, with software evidence asked for",
    ),
    (
        "attestation: {provider: opaque}",
        "c.yaml:1:25: `attestation.provider: opaque` is not available in this version; use `auto` or `software-only`, with software evidence asked for",
    ),
    (
        "attestation: {provider: azure-cvm}",
        "c.yaml:1:25: `attestation.provider: azure-cvm` is not available in this version; use `auto` or `software-only`, with software evidence asked for",
    ),
    (
        "attestation: {expected_measurement: sha384-ab}",
        "c.yaml:1:37: `attestation.expected_measurement: sha384-ab` is not available in this version; remove it: software evidence measures nothing",
    ),
    (
        "attestation: {required_provenance_kind: tee-attested}",
        "c.yaml:1:41: `attestation.required_provenance_kind: tee-attested` is not available in this version; remove it, and pin servers by digest or certificate",
    ),
    (
        "agent_manifest: {path: m.json}",
        "c.yaml:1:24: `agent_manifest.path: m.json` is not available in this version; remove the key, and tell callers apart by `principals`",
    ),
    (
        "agent_manifest: {trust_anchor_path: m.json}",
        "c.yaml:1:37: `agent_manifest.trust_anchor_path: m.json` is not available in this version; remove the key, and tell callers apart by `principals`",
    ),
    (
        "agent_manifest: {authenticated_subject: 'spiffe://a/b'}",
        "c.yaml:1:41: `agent_manifest.authenticated_subject: \"spiffe://a/b\"` is not available in this version; remove the key, and tell callers apart by `principals`",
    ),
    (
        "agent_manifest: {revocation_list_path: r}",
        "c.yaml:1:40: `agent_manifest.revocation_list_path: r` is not available in this version; remove the key, and tell callers apart by `principals`",
    ),
    (
        "kill_switch: {enabled: true}",
        "c.yaml:1:24: `kill_switch.enabled: true` is not available in this version; set it to `false`",
    ),
    (
        "conformance_profile: aarm",
        "c.yaml:1:22: `conformance_profile: aarm` is not available in this version; remove it: the profile needs an agent manifest",
    ),
];

fn with_digests(text: &str) -> String {
    text.replace("DIGEST", &"ab".repeat(32))
        .replace("OTHER", &"cd".repeat(32))
}

#[test]
fn every_fault_says_where_what_and_what_to_do() {
    for (text, expected) in FAULTS {
        assert_eq!(read(&with_digests(text)).1, [*expected], "{text}");
    }
}

#[test]
fn a_part_of_a_later_version_is_refused_by_name() {
    for (text, expected) in LATER {
        assert_eq!(read(text).1, [*expected], "{text}");
    }
}

#[test]
fn a_later_part_at_its_default_is_fine() {
    let text = "\
attestation: {expected_measurement: null, required_provenance_kind: ~}
agent_manifest:
kill_switch: {enabled: false, window_seconds: 300, deny_rate_threshold: 0.9, min_calls: 10}
policy_reload_interval_seconds: 0
conformance_profile: null
sensitivity: {}
";
    assert_eq!(read(text).1, Vec::<String>::new());
}

#[test]
fn every_problem_of_a_file_is_named_at_once() {
    let texts = read("max_response_size_bytes: no\nfoo: 1\nattestation:\n  provider: sgx\n").1;
    let places: Vec<&str> = texts
        .iter()
        .filter_map(|text| text.split(": ").next())
        .collect();
    assert_eq!(places, ["c.yaml:1:26", "c.yaml:2:1", "c.yaml:4:13"]);
}

#[test]
fn values_and_defaults() {
    let (values, problems) = read("record_per: call\nmax_response_size_bytes: 10\n");
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(values.text(&keys::RECORD_PER).as_deref(), Some("call"));
    assert_eq!(values.number(&keys::MAX_RESPONSE_SIZE), 10);
    assert_eq!(values.number(&keys::VALIDITY_SECONDS), 86_400);
    assert_eq!(values.text(&keys::COMPAT), None);
    assert!(!values.flag(&keys::DANGER_PLAIN_HTTP));
}

#[test]
fn texts_that_yaml_reads_as_something_else() {
    for text in ["true", "No", "on", "12", "-1", "1.5", ".5", "1e3", "+7"] {
        assert!(looks_typed(text), "{text}");
    }
    for text in [
        "cmcp.gateway",
        "127.0.0.1:8443",
        "./policies/",
        "nano",
        "e3",
        "-",
        "1.2.3",
    ] {
        assert!(!looks_typed(text), "{text}");
    }
}
