use super::{Environment, VARIABLES};

fn review(variables: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let mut problems = Vec::new();
    let environment: Environment = variables.iter().copied().collect();
    let mut notices = environment.review(&mut problems);
    notices.extend(environment.unread(&["CMCP_MINE".to_owned()]));
    (problems.iter().map(ToString::to_string).collect(), notices)
}

#[test]
fn what_a_later_version_reads_is_refused_by_name() {
    let (problems, notices) = review(&[
        ("CMCP_NRAS_API_KEY", "k"),
        ("CMCP_OTEL_ENABLED", "true"),
        ("CMCP_SPIRE_SOCKET", "/run/spire.sock"),
    ]);
    assert_eq!(notices, Vec::<String>::new());
    assert_eq!(
        problems,
        [
            "environment CMCP_OTEL_ENABLED: `CMCP_OTEL_ENABLED` is not available in this version; unset it, and read `/metrics`",
            "environment CMCP_SPIRE_SOCKET: `CMCP_SPIRE_SOCKET` is not available in this version; unset it, and tell callers apart by `principals`",
            "environment CMCP_NRAS_API_KEY: `CMCP_NRAS_API_KEY` is not available in this version; unset it: no evidence of GPUs is taken",
        ]
    );
}

#[test]
fn what_switches_a_later_part_off_is_fine() {
    let (problems, notices) = review(&[
        ("CMCP_OTEL_ENABLED", "False"),
        ("CMCP_SPIRE_SOCKET", ""),
        ("OTEL_SERVICE_NAME", "x"),
    ]);
    assert_eq!((problems, notices), (Vec::new(), Vec::new()));
}

#[test]
fn what_is_never_read_is_said() {
    let (problems, notices) = review(&[
        ("CMCP_BEARER_TOKN", "x"),
        ("CMCP_TEE_PROVIDER", "tdx"),
        ("CMCP_SESSION_CLEANUP_INTERVAL_SECONDS", "60"),
        ("CMCP_MINE", "x"),
        ("CMCP_ZEBRA", "x"),
        ("OPAQUE_ATTESTATION_URL", "https://o.example"),
        ("PATH", "/bin"),
    ]);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(
        notices,
        [
            "`OPAQUE_ATTESTATION_URL` has no effect: it counts with `attestation.provider: opaque` only",
            "`CMCP_SESSION_CLEANUP_INTERVAL_SECONDS` has no effect: idle sessions close by `session_idle_timeout_seconds`",
            "`CMCP_TEE_PROVIDER` has no effect: set `attestation.provider` in the file",
            "`CMCP_BEARER_TOKN` is not read; did you mean `CMCP_BEARER_TOKEN`?",
            "`CMCP_ZEBRA` is not read",
        ]
    );
}

#[test]
fn every_name_is_there_once() {
    let mut names: Vec<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), VARIABLES.len());
}
