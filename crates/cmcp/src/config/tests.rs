use std::{
    collections::BTreeMap,
    fs,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use cmcp_gateway::{CallLimit, LimitSettings, Listen, Rate};
use cmcp_policy::mode::Mode;

use super::{
    Config, Purpose, Request,
    documents::Documents,
    environment::Environment,
    evidence::EvidenceSource,
    fault::{Code, Problem},
    load,
};

mod issuers;

/// A folder with a valid bundle and catalog, and a configuration that names them.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let policies = folder.path().join("policies");
        fs::create_dir(&policies).unwrap();
        fs::write(policies.join("manifest.json"), MANIFEST).unwrap();
        fs::write(policies.join("schema.cedarschema"), "").unwrap();
        fs::write(
            policies.join("a.cedar"),
            "permit(principal, action, resource);",
        )
        .unwrap();
        fs::write(folder.path().join("catalog.json"), CATALOG).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Loads `text` behind the keys that name the documents.
    fn load(
        &self,
        text: &str,
        purpose: Purpose,
        variables: &[(&str, &str)],
    ) -> Result<(Config, Documents), Vec<Problem>> {
        let file: PathBuf = self.folder.path().join("cmcp-config.yaml");
        let head = format!(
            "policy_bundle_path: {}\ncatalog_path: {}\naudit_db_path: {}\n",
            self.path("policies"),
            self.path("catalog.json"),
            self.path("audit.db"),
        );
        fs::write(&file, head + text).unwrap();
        let environment: Environment = variables.iter().copied().collect();
        load(&Request {
            file: &file,
            environment: &environment,
            purpose,
            enforcement: None,
        })
    }

    /// The codes and messages of every problem, with the folder's path as `DIR`.
    fn problems(&self, text: &str, purpose: Purpose, variables: &[(&str, &str)]) -> Vec<String> {
        let problems = self
            .load(text, purpose, variables)
            .err()
            .unwrap_or_default();
        let folder = self.folder.path().display().to_string();
        problems
            .iter()
            .map(|problem| format!("{} {problem}", problem.fault.code().as_str()))
            .map(|text| text.replace(&folder, "DIR"))
            .collect()
    }
}

const MANIFEST: &str = r#"{"version":"1","authored_at":"2026-06-05T00:00:00Z","author_identity":"a","commit_sha":"0"}"#;
const CATALOG: &str = r#"{"cmcp_catalog":1,"servers":{},"tools":[],"signatures":[]}"#;
const DEV: (&str, &str) = ("CMCP_DEV_MODE", "1");

#[test]
fn development_mode_needs_nothing_else_and_says_so() {
    let (config, _) = Place::new().load("", Purpose::Start, &[DEV]).unwrap();
    assert!(matches!(config.listen, Listen::Local { .. }));
    assert_eq!(config.listen.addr().to_string(), "127.0.0.1:8443");
    assert_eq!(config.evidence, EvidenceSource::Development);
    assert_eq!(config.evidence.name(), "software-only");
    let warning = "software evidence, because of `CMCP_DEV_MODE=1`, whatever this machine has: records prove nothing about it";
    assert_eq!(config.warnings(), [warning]);
}

#[test]
fn outside_development_mode_everything_that_is_missing_is_named_at_once() {
    assert_eq!(
        Place::new().problems("listen_addr: \"127.0.0.1:1\"\n", Purpose::Start, &[]),
        [
            "OPERATOR_TOKEN_REQUIRED environment CMCP_OPERATOR_TOKEN: it is not set; set it to a secret that callers do not have (`openssl rand -hex 32`)",
            "BEARER_TOKEN_REQUIRED environment CMCP_BEARER_TOKEN: it is not set; set it to a secret (`openssl rand -hex 32`), or list `principals` in the file",
            "POLICY_HASH_REQUIRED environment CMCP_POLICY_HASH: it is not set; set it to what `cmcp validate-bundle --bundle-path …` prints for the reviewed bundle",
            "CATALOG_HASH_REQUIRED environment CMCP_CATALOG_HASH: it is not set; set it to what `cmcp catalog show …` prints for the reviewed catalog",
            "ATTESTATION_PROVIDER_UNSUPPORTED DIR/cmcp-config.yaml:1:1: no hardware evidence is available in this version; set `CMCP_DEV_MODE=1` while developing, or `danger_software_evidence: true`",
        ]
    );
}

#[test]
fn a_check_of_the_file_does_not_ask_for_what_belongs_to_the_machine() {
    let text = "attestation: {provider: software-only}\n";
    let (config, _) = Place::new().load(text, Purpose::Validate, &[]).unwrap();
    assert_eq!(config.evidence, EvidenceSource::ToCome);
}

#[test]
fn software_evidence_is_never_a_fallback() {
    let place = Place::new();
    let problems = place
        .load(
            "attestation: {provider: software-only}\n",
            Purpose::Start,
            &[],
        )
        .unwrap_err();
    let found = problems
        .iter()
        .find(|p| p.fault.code() == Code::AttestationProviderUnsupported);
    assert_eq!(
        found.unwrap().fault.to_string(),
        "`attestation.provider: software-only` proves nothing about this machine; set `CMCP_DEV_MODE=1` while developing, or `danger_software_evidence: true`"
    );
}

#[test]
fn limits_are_off_unless_they_are_set_and_then_what_they_say() {
    let place = Place::new();
    let limits = |text: &str| place.load(text, Purpose::Start, &[DEV]).unwrap().0.limits;
    assert_eq!(limits(""), LimitSettings::default());
    let text = "limits:\n  default: {rate: 600/min, calls_per_day: 5000, calls_per_session: 7, concurrent: 8}\n  principals:\n    batch: {rate: 100/s, burst: 300}\n    \"okta:root\": {}\n  calls_in_flight: 2\n  calls_waiting: 0\n  request_bytes: 8388608\n";
    let rate = |calls, seconds, burst| Rate {
        calls: NonZeroU32::new(calls).unwrap(),
        per: Duration::from_secs(seconds),
        burst: NonZeroU32::new(burst).unwrap(),
    };
    let batch = CallLimit {
        rate: Some(rate(100, 1, 300)),
        ..CallLimit::default()
    };
    let expected = LimitSettings {
        default: CallLimit {
            rate: Some(rate(600, 60, 600)),
            per_day: Some(5_000),
            per_session: Some(7),
            concurrent: Some(8),
        },
        principals: [("batch", batch), ("okta:root", CallLimit::default())]
            .map(|(name, limit)| (name.to_owned(), limit))
            .into(),
        tools: BTreeMap::new(),
        in_flight: NonZeroUsize::new(2).unwrap(),
        waiting: 0,
        request_bytes: 8_388_608,
    };
    assert_eq!(limits(text), expected);
    // A session is not a tool's.
    let text = "limits: {tools: {pay: {calls_per_session: 5}}}\n";
    let problems = place.problems(text, Purpose::Start, &[DEV]);
    let unknown = "CONFIG_ERROR DIR/cmcp-config.yaml:4:24: `limits.tools.pay.calls_per_session` is not a key of the configuration; use `rate`, `burst`, `calls_per_day`, `concurrent`";
    assert!(
        problems.iter().any(|problem| problem == unknown),
        "{problems:?}"
    );
}

#[test]
fn a_production_start_with_software_evidence_asked_for() {
    let place = Place::new();
    let (_, documents) = place.load("", Purpose::Start, &[DEV]).unwrap();
    let (policy, catalog) = (
        documents.bundle.hash().hex(),
        documents.catalog.hash().to_string(),
    );
    let text = "danger_software_evidence: true\ndanger_plain_http: true\nattestation:\n  enforcement_mode: silent\n";
    let variables = [
        ("CMCP_BEARER_TOKEN", "caller"),
        ("CMCP_OPERATOR_TOKEN", "operator"),
        ("CMCP_POLICY_HASH", policy.as_str()),
        ("CMCP_CATALOG_HASH", catalog.as_str()),
        ("CMCP_SESSION_CLOSE_DRAIN_SECONDS", "0.5"),
    ];
    let (config, _) = place.load(text, Purpose::Start, &variables).unwrap();
    let Listen::Authenticated { addr, shared } = config.listen else {
        panic!("no token")
    };
    assert_eq!(addr.to_string(), "0.0.0.0:8443");
    assert!(shared.unwrap().matches(b"caller"));
    assert!(config.operator.unwrap().matches(b"operator"));
    assert_eq!(config.mode, Mode::Silent);
    assert_eq!(config.session_drain.as_millis(), 500);
    assert_eq!(config.evidence, EvidenceSource::Danger);
    assert_eq!(config.warnings().len(), 3);
}

#[test]
fn pins_that_do_not_match_are_fatal() {
    let zeros = "0".repeat(64);
    let place = Place::new();
    let (_, documents) = place.load("", Purpose::Start, &[DEV]).unwrap();
    let variables = [
        DEV,
        ("CMCP_POLICY_HASH", &zeros),
        ("CMCP_CATALOG_HASH", &zeros),
    ];
    assert_eq!(
        place.problems("", Purpose::Start, &variables),
        [
            format!(
                "POLICY_HASH_MISMATCH DIR/policies: the policy bundle is {}, not sha256:{zeros}; review it and pin the new digest",
                documents.bundle.hash()
            ),
            format!(
                "CATALOG_HASH_MISMATCH DIR/catalog.json: the catalog is {}, not sha256:{zeros}; review it and pin the new digest",
                documents.catalog.hash()
            ),
        ]
    );
}

/// Environments that are refused, and how.
#[test]
fn every_fault_of_the_environment_is_named() {
    let place = Place::new();
    for (variables, expected) in ENVIRONMENT {
        let text = "listen_addr: \"127.0.0.1:1\"\n";
        let found = place.problems(text, Purpose::Validate, variables);
        assert_eq!(found, [*expected], "{variables:?}");
    }
}

/// Texts whose values contradict each other or the environment.
#[test]
fn every_fault_between_keys_is_named() {
    let place = Place::new();
    for (text, variables, expected) in BETWEEN {
        let text = text.replace("principals:", "listen_addr: \"127.0.0.1:1\"\nprincipals:");
        assert_eq!(
            place.problems(&text, Purpose::Validate, variables),
            [*expected],
            "{text}"
        );
    }
}

#[test]
fn problems_of_every_file_are_named_together() {
    let place = Place::new();
    fs::write(place.path("catalog.json"), "{").unwrap();
    fs::remove_file(place.path("policies/manifest.json")).unwrap();
    let found = place.problems("listen_addr: 1\n", Purpose::Validate, &[DEV]);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(
        found[0].starts_with("CONFIG_ERROR DIR/cmcp-config.yaml:4:14: "),
        "{found:#?}"
    );
    assert!(
        found[1].starts_with("CONFIG_ERROR DIR/policies: "),
        "{found:#?}"
    );
    assert!(
        found[2].starts_with("CONFIG_ERROR DIR/catalog.json:1: "),
        "{found:#?}"
    );
}

#[test]
fn a_missing_document_is_one_problem() {
    let place = Place::new();
    fs::remove_dir_all(place.path("policies")).unwrap();
    fs::remove_file(place.path("catalog.json")).unwrap();
    assert_eq!(
        place.problems("", Purpose::Start, &[DEV]),
        [
            "CONFIG_ERROR DIR/policies: the file cannot be read: it does not exist; check the path, which counts from the configuration file's folder",
            "CONFIG_ERROR DIR/catalog.json: the file cannot be read: it does not exist; check the path, which counts from the configuration file's folder",
        ]
    );
}

#[test]
fn the_digest_covers_what_is_in_effect_and_no_secret() {
    let place = Place::new();
    let digest = |text: &str, variables: &[(&str, &str)]| {
        let (config, _) = place.load(text, Purpose::Start, variables).unwrap();
        config.effective().digest().unwrap()
    };
    let plain = digest("", &[DEV]);
    assert_eq!(
        plain,
        digest("record_per: session\n", &[DEV]),
        "a default may be written out"
    );
    assert_ne!(plain, digest("record_per: call\n", &[DEV]));
    let tokens = |caller, operator| {
        [
            DEV,
            ("CMCP_BEARER_TOKEN", caller),
            ("CMCP_OPERATOR_TOKEN", operator),
        ]
    };
    let loopback = "listen_addr: \"127.0.0.1:8443\"\n";
    assert_eq!(
        digest(loopback, &tokens("a", "b")),
        digest(loopback, &tokens("c", "d"))
    );
    assert_eq!(
        plain,
        digest(loopback, &[DEV]),
        "the address in effect is the same"
    );
}

#[test]
fn what_children_may_see_has_to_be_there() {
    let place = Place::new();
    let catalog = CATALOG.replace(
        r#""servers":{}"#,
        r#""servers":{"files":{"transport":"stdio","command":"/usr/bin/files","args":[],"env":["FILES_KEY"],"measured":{}}}"#,
    );
    fs::write(place.path("catalog.json"), catalog).unwrap();
    assert_eq!(
        place.problems("", Purpose::Start, &[DEV]),
        [
            "CONFIG_ERROR DIR/catalog.json: server `files` is to see `FILES_KEY`, which is not set; export it, or take it out of the server's `env`"
        ]
    );
    assert!(
        place
            .load("", Purpose::Start, &[DEV, ("FILES_KEY", "k")])
            .is_ok()
    );
    assert!(place.load("", Purpose::Validate, &[DEV]).is_ok());
}

/// The 0.7.1 session of the shared folder.
#[test]
fn the_sample_of_the_python_cmcp_loads() {
    let sample =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/formats/cmcp-sample");
    if !sample.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "../shared is not here");
        println!("skipped: ../shared is not here");
        return;
    }
    let sample = sample.canonicalize().unwrap();
    let text = fs::read_to_string(sample.join("cmcp-config.yaml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cmcp-config.yaml");
    let at = |name: &str| sample.join(name).display().to_string();
    let text = text
        .replace("./policies/", &at("policies/"))
        .replace("./catalog.json", &at("catalog.json"))
        .replace(
            "./audit.db",
            &folder.path().join("audit.db").display().to_string(),
        );
    fs::write(&file, text).unwrap();
    let environment: Environment = [DEV].into_iter().collect();
    let request = Request {
        file: &file,
        environment: &environment,
        purpose: Purpose::Start,
        enforcement: Some(Mode::Advisory),
    };
    let (config, documents) = load(&request).unwrap();
    assert_eq!(config.listen.addr().to_string(), "127.0.0.1:18443");
    assert_eq!(config.mode, Mode::Advisory);
    assert_eq!(documents.catalog.tools().len(), 4);
    let hash = documents.bundle.hash().to_string();
    assert!(
        hash.starts_with("sha256:f514dade") && hash.ends_with("077b"),
        "{hash}"
    );
}

type Variables = &'static [(&'static str, &'static str)];

/// Environments with one fault each, and the exact message.
const ENVIRONMENT: &[(Variables, &str)] = &[
    (
        &[("CMCP_DEV_MODE", "true")],
        "CONFIG_ERROR environment CMCP_DEV_MODE: it is neither `0` nor `1`; set it to `1` for development mode, or unset it",
    ),
    (
        &[DEV, ("CMCP_BEARER_TOKEN", "a b")],
        "CONFIG_ERROR environment CMCP_BEARER_TOKEN: a token cannot hold blanks or characters beyond ASCII: no header carries them; set another one, as `openssl rand -hex 32` makes it",
    ),
    (
        &[
            DEV,
            ("CMCP_BEARER_TOKEN", "x"),
            ("CMCP_OPERATOR_TOKEN", "x"),
        ],
        "CONFIG_ERROR environment CMCP_OPERATOR_TOKEN: the tokens for calls and for operators are the same; set two different ones",
    ),
    (
        &[DEV, ("CMCP_POLICY_HASH", "sha256:zz")],
        "CONFIG_ERROR environment CMCP_POLICY_HASH: it is not a digest; set it to `sha256:` and 64 lower-case hexadecimal digits",
    ),
    (
        &[DEV, ("CMCP_POLICY_SIGNING_KEY", "zz")],
        "POLICY_SIGNING_KEY_INVALID environment CMCP_POLICY_SIGNING_KEY: it is not an Ed25519 public key; set it to the 32 bytes in base64url (43 characters) or hexadecimal (64)",
    ),
    (
        &[DEV, ("CMCP_SESSION_CLOSE_DRAIN_SECONDS", "soon")],
        "CONFIG_ERROR environment CMCP_SESSION_CLOSE_DRAIN_SECONDS: it is not a number of seconds; set it to a number from 0 to 3600",
    ),
    (
        &[DEV, ("CMCP_NRAS_API_KEY", "k")],
        "CONFIG_ERROR environment CMCP_NRAS_API_KEY: `CMCP_NRAS_API_KEY` is not available in this version; unset it: no evidence of GPUs is taken",
    ),
];

/// Texts whose values contradict each other or the environment, and the exact message.
const BETWEEN: &[(&str, Variables, &str)] = &[
    (
        "listen_addr: \"0.0.0.0:1\"\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:14: `listen_addr` is `0.0.0.0:1` and there is no token; set `CMCP_BEARER_TOKEN`, list `principals`, or listen on `127.0.0.1`",
    ),
    (
        "listen_addr: \"0.0.0.0:1\"\n",
        &[("CMCP_BEARER_TOKEN", "t")],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:14: `listen_addr` is `0.0.0.0:1`: plain HTTP beyond loopback shows tokens and data to the network; listen on `127.0.0.1`, or set `danger_plain_http: true` where something in front does TLS",
    ),
    (
        "danger_plain_http: true\nlisten_addr: \"0.0.0.0:1\"\n",
        &[DEV, ("CMCP_BEARER_TOKEN", "t")],
        "CONFIG_ERROR DIR/cmcp-config.yaml:5:14: development mode counts on loopback only and `listen_addr` is `0.0.0.0:1`; listen on `127.0.0.1`, or set `danger_software_evidence: true` in the file as well",
    ),
    (
        "listen_addr: gateway:1\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:14: `listen_addr` is `gateway:1`; write `ip:port`, `[v6]:port` or `localhost:port`",
    ),
    (
        "sink_policy: {tool_max_sensitivity: {a: pii}}\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:37: `sink_policy` has one of its two keys; set both, or neither",
    ),
    (
        "sink_policy: {tool_max_sensitivity: {a: pi}, response_max_sensitivity: pii}\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:41: `sink_policy.tool_max_sensitivity` names the sensitivity `pi`, which is not in the vocabulary; use `confidential`, `hipaa_phi`, `mnpi`, `pii`, `public`, `trade_secret`",
    ),
    (
        "sensitivity: {vocabulary: {pii: 4}}\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:27: sensitivity label `pii` already has a rank: choose another name",
    ),
    (
        "allowed_hosts: [\"https://a.example\"]\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:17: `allowed_hosts` is `https://a.example`; write a host name, with or without a port",
    ),
    (
        "allowed_origins: [\"*\"]\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:19: `allowed_origins` is `*`; write a whole origin, as `https://app.example`",
    ),
    (
        "upstreams: {allow_private_hosts: [\"tools.internal:8080\"]}\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:35: `upstreams.allow_private_hosts` is `tools.internal:8080`; write a host name without a port",
    ),
    (
        "upstreams: {allow_private_hosts: [\"10.0.0.1\"]}\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:35: `upstreams.allow_private_hosts` is `10.0.0.1`; write a host name without a port",
    ),
    (
        "limits: {default: {rate: 10}}\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:26: `limits.default.rate` is `10`; write a rate, as `10/s`, `600/min`, `5000/h` or `20000/day`",
    ),
    (
        "limits: {default: {rate: 0/s}}\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:26: `limits.default.rate` is `0/s`; write a rate, as `10/s`, `600/min`, `5000/h` or `20000/day`",
    ),
    (
        "limits: {default: {burst: 5}}\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:19: `limits.default.rate` has no value; write the rate that the burst belongs to, or remove the key",
    ),
    (
        "limits: {default: {calls_per_month: 5}}\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:20: `limits.default.calls_per_month` is not a key of the configuration; use `rate`, `burst`, `calls_per_day`, `calls_per_session`, `concurrent`",
    ),
    (
        "limits: {tools: {pay: {rate: 1/s}}}\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:17: `limits.tools` names the tool `pay`, which is not in the catalog; name it as callers do",
    ),
    (
        "limits: {calls_in_flight: 0}\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:27: `limits.calls_in_flight` is `0`; write a whole number from 1 to 1000000",
    ),
    (
        "redact: [\"$.x\"]\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:10: `redact` is `$.x`; write a path into a result, as `$.structuredContent.a[*].b`",
    ),
    (
        "trust_domain: Example.com\n",
        &[DEV],
        "CONFIG_ERROR DIR/cmcp-config.yaml:4:15: `trust_domain` is `Example.com`; write a trust domain: lower-case letters, digits, `.`, `-` and `_`",
    ),
    (
        "session_close_drain_seconds: 3\n",
        &[DEV, ("CMCP_SESSION_CLOSE_DRAIN_SECONDS", "4")],
        "CONFIG_ERROR environment CMCP_SESSION_CLOSE_DRAIN_SECONDS: the file sets `session_close_drain_seconds` as well; keep one of the two",
    ),
    (
        PRINCIPAL,
        &[DEV, ("CMCP_BEARER_TOKEN", "test")],
        "CONFIG_ERROR environment CMCP_BEARER_TOKEN: it is also the token of a principal; give the shared token a value of its own, or unset it",
    ),
];

/// A principal whose token is `test`.
const PRINCIPAL: &str = "principals:\n  - {name: a, token_sha256: \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"}\n";
