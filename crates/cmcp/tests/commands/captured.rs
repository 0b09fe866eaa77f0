//! Captured evidence, and reference values that fit it.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A captured file's path; none where the captures are not here.
pub(crate) fn vector(name: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    if !folder.is_dir() {
        assert_ne!(option_env!("CI"), Some("true"), "../shared is not here");
        eprintln!("skipped: ../shared is not here");
        return None;
    }
    let path: PathBuf = folder.join(name).canonicalize().unwrap();
    Some(path.to_str().unwrap().to_owned())
}

/// The shipped reference values with changes, each within the section of a platform.
pub(crate) fn values(changes: &[(&str, &str, &str)]) -> String {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../evidence/defaults/reference-values.yaml");
    let mut text = fs::read_to_string(file).unwrap();
    for (section, from, to) in changes {
        let heading = format!("\n{section}:");
        let (before, rest) = text.split_once(&heading).unwrap();
        let end = rest
            .match_indices('\n')
            .map(|(at, _)| at)
            .find(|at| {
                let next = rest.as_bytes().get(at + 1);
                next.is_some_and(u8::is_ascii_lowercase)
            })
            .unwrap_or(rest.len());
        let (block, after) = rest.split_at(end);
        assert!(block.contains(from), "{section} has no `{from}`");
        text = format!("{before}{heading}{}{after}", block.replace(from, to));
    }
    text
}

/// Captured evidence, what endorses it, and reference values that accept it.
pub(crate) struct Case {
    pub(crate) evidence: String,
    pub(crate) endorsements: Vec<String>,
    pub(crate) report_data: String,
    pub(crate) values: String,
    /// A time at which everything holds.
    pub(crate) at: &'static str,
}

/// Hexadecimal digits of some bytes of a file.
pub(crate) fn digits(path: &str, from: usize, to: usize) -> String {
    let bytes = fs::read(path).unwrap();
    bytes[from..to]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A report of a Genoa. No revocation list of AMD's was captured, so that going without one is tolerated and
/// the result a warning.
pub(crate) fn genoa() -> Option<Case> {
    let report = vector("snp/attestation-rs-live-report-v5-genoa.bin")?;
    let measurement = digits(&report, 0x90, 0xc0);
    let measurement = format!("measurements: {{release-1: \"{measurement}\"}}");
    Some(Case {
        endorsements: vec![
            vector("snp/attestation-rs-live-vcek-genoa.der")?,
            vector("snp/go-sev-guest-ask_ark_genoa.pem")?,
        ],
        report_data: digits(&report, 0x50, 0x90),
        values: values(&[
            ("snp", "measurements: none", &measurement),
            ("snp", &"f".repeat(128), &digits(&report, 0x1a0, 0x1e0)),
            ("snp", "smt: forbidden", "smt: allowed"),
            ("snp", "crl-required", "not-checked"),
        ]),
        at: "2026-06-05T00:00:00Z",
        evidence: report,
    })
}

/// A quote of a TDX guest in Google's cloud, up to date on its day.
pub(crate) fn domain() -> Option<Case> {
    let quote = vector("tdx/flashbots-gcp-tdx-1782809233226668671")?;
    let measurement = format!(
        "measurements: {{firmware-1: \"{}\"}}",
        digits(&quote, 184, 232)
    );
    let register = |from: usize| format!("[\"{}\"]", digits(&quote, from, from + 48));
    Some(Case {
        endorsements: vec![vector(
            "tdx/collateral-json/flashbots-gcp-tdx-collateral-1782809233226668671.json",
        )?],
        report_data: digits(&quote, 568, 632),
        values: values(&[
            ("tdx", "measurements: none", &measurement),
            (
                "tdx",
                "ffffffffffffffffffffffffffffffff",
                "0749bf90ceea86f7917d4d484356081c",
            ),
            (
                "tdx",
                "rtmr0: replayed",
                &format!("rtmr0: {}", register(376)),
            ),
            (
                "tdx",
                "rtmr1: replayed",
                &format!("rtmr1: {}", register(424)),
            ),
            (
                "tdx",
                "rtmr2: replayed",
                &format!("rtmr2: {}", register(472)),
            ),
            ("tdx", "rtmr3: replayed", "rtmr3: ignored"),
        ]),
        at: "2026-07-01T00:00:00Z",
        evidence: quote,
    })
}
