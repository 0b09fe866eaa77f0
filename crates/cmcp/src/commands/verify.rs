//! `cmcp verify`.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    time::Duration,
};

use cmcp_evidence::{Timestamp, endorse::Sorted};
use cmcp_gateway::Clock;
use cmcp_json::{Limits, parse};
use cmcp_record::{
    trust_record::{AcceptedProfiles, Digest, TrustedKey},
    verify::{
        Appraisal, Asked, Expectations, Freshness, NotAppraised, Pin, Sidecar, Status,
        verify_record,
    },
};

use crate::{
    cli::{ReferenceValuesFile, VerifyArgs},
    commands::{
        Context, Exit, Failure,
        evidence::{self, EvidenceFailure},
    },
    config::pins,
    render::report::{self, Wording},
};

pub(crate) fn run(arguments: &VerifyArgs, context: Context<'_>) -> Result<Exit, Failure> {
    available(arguments)?;
    let mut expectations = expectations(arguments)?;
    let record = read(&arguments.record, MAX_RECORD)?;
    let now = Clock::system().now();
    if arguments.reference_values.is_some() {
        expectations.evidence = appraisal(arguments, &record, now).map_err(in_record)?;
    }
    let mut export = match &arguments.audit_bundle {
        None => None,
        Some(path) => Some(BufReader::with_capacity(1 << 16, open(path)?)),
    };
    let export = export.as_mut().map(|export| -> &mut dyn Read { export });
    let report = verify_record(&record, export, &expectations, now);
    let wording = if arguments.compat.is_some() {
        Wording::V07
    } else {
        Wording::Ours
    };
    for line in report::lines(&report, wording) {
        context.output.line(line);
    }
    context.output.json(&report::document(&report, wording));
    Ok(exit(report.status, wording))
}

/// What the reference values say of the evidence in the record. That there is none is for the report to say.
fn appraisal(
    arguments: &VerifyArgs,
    record: &[u8],
    now: Timestamp,
) -> Result<Pin<Appraisal>, Failure> {
    let values = evidence::named_reference_values(&ReferenceValuesFile {
        reference_values: arguments.reference_values.clone(),
        reference_values_key: arguments.reference_values_key.clone(),
    })?;
    let (commitment, mut sorted) = match &arguments.commitment {
        None => (Pin::NotPinned, Sorted::default()),
        Some(path) => {
            let read = evidence::read(path, MAX_SIDECAR)?;
            let sidecar = Sidecar::parse(&read).map_err(|error| EvidenceFailure::Commitment {
                path: path.clone(),
                error,
            })?;
            let carried = Sorted::carried("with the commitment", sidecar.endorsements);
            (Pin::Pinned(sidecar.commitment), carried)
        }
    };
    let offered = evidence::offered(&arguments.endorsements)?;
    let judged = Appraisal::evidence(record).and_then(|carried| {
        sorted.offer(&offered, &evidence::known(&carried));
        Appraisal::judge(
            record,
            &Asked {
                reference_values: &values.values,
                endorsements: &sorted.endorsements,
                commitment,
                at: now,
            },
        )
    });
    match judged {
        Ok(appraisal) => Ok(Pin::Pinned(appraisal)),
        Err(
            NotAppraised::Document(_) | NotAppraised::Nothing | NotAppraised::Unsupported { .. },
        ) => Ok(Pin::NotPinned),
        Err(
            error @ (NotAppraised::Encoding(_) | NotAppraised::Malformed(_) | NotAppraised::Key(_)),
        ) => Err(EvidenceFailure::NotJudged {
            path: arguments.record.clone(),
            error,
        }
        .into()),
    }
}

/// The exit codes of `evidence` are not those of `verify`.
fn in_record(failure: Failure) -> Failure {
    if let Failure::Evidence(failure) = failure {
        Failure::InRecord(failure)
    } else {
        failure
    }
}

/// One exit code for each verdict; the Python cMCP has one for all but the first.
fn exit(status: Status, wording: Wording) -> Exit {
    match (status, wording) {
        (Status::Verified, _) => Exit::Ok,
        (Status::Failed, _) | (_, Wording::V07) => Exit::Failed,
        (Status::PartiallyVerified, Wording::Ours) => Exit::PartiallyVerified,
        (Status::Unverified, Wording::Ours) => Exit::Unverified,
    }
}

/// Flags of the Python cMCP whose part comes later are refused by name: ignoring one would leave
/// out a check that the caller asked for.
fn available(arguments: &VerifyArgs) -> Result<(), Failure> {
    let later = [
        ("--agent-manifest", &arguments.agent_manifest),
        (
            "--agent-manifest-trust-anchor",
            &arguments.agent_manifest_trust_anchor,
        ),
        ("--trusted-tpm-ca", &arguments.trusted_tpm_ca),
    ];
    match later.into_iter().find(|(_, given)| given.is_some()) {
        Some((flag, _)) => Err(Failure::FlagLater { flag }),
        None => Ok(()),
    }
}

fn expectations(arguments: &VerifyArgs) -> Result<Expectations, Failure> {
    let max_age = Duration::from_secs(arguments.max_age);
    let max_skew = Duration::from_secs(SKEW_SECONDS);
    let mut expected = Expectations::unpinned(Freshness::Checked { max_age, max_skew });
    expected.profiles = AcceptedProfiles::with_draft();
    if let Some(text) = &arguments.policy_hash {
        expected.policy = Pin::Pinned(digest("--policy-hash", text)?);
    }
    if let Some(text) = &arguments.catalog_hash {
        expected.catalog = Pin::Pinned(digest("--catalog-hash", text)?);
    }
    if let Some(text) = &arguments.trusted_key {
        expected.trusted_key = Pin::Pinned(trusted_key(text)?);
    }
    if let Some(nonce) = &arguments.nonce {
        expected.challenge = Pin::Pinned(nonce.clone());
    }
    if !arguments.launch_measurement.is_empty() {
        let measurements = arguments.launch_measurement.iter();
        let digests = measurements.map(|text| digest("--launch-measurement", text));
        expected.measurements = Pin::Pinned(digests.collect::<Result<_, _>>()?);
    }
    Ok(expected)
}

/// A digest with its algorithm, or the 64 digits of a SHA-256.
fn digest(flag: &'static str, text: &str) -> Result<Digest, Failure> {
    let wrong = || Failure::Flag {
        flag,
        value: text.to_owned(),
        expected: "`sha256:` and 64 lower-case hexadecimal digits, or `sha384:` and 96",
    };
    let text = text.trim();
    if text.contains(':') {
        text.parse()
    } else {
        format!("sha256:{text}").parse()
    }
    .map_err(|_| wrong())
}

/// A key in hexadecimal or base64url, or the path of a JWK.
fn trusted_key(text: &str) -> Result<TrustedKey, Failure> {
    if let Some(key) = pins::parse_key(text) {
        return Ok(TrustedKey::new(key));
    }
    let wrong = || Failure::Flag {
        flag: "--trusted-key",
        value: text.to_owned(),
        expected: "an Ed25519 public key: 64 hexadecimal digits, 43 characters of base64url, or the path of a JWK",
    };
    let path = Path::new(text);
    if !path.is_file() {
        return Err(wrong());
    }
    let jwk = parse(&read(path, MAX_KEY)?, &Limits::REQUEST).map_err(|_| wrong())?;
    TrustedKey::from_jwk(&jwk).map_err(|_| wrong())
}

fn open(path: &Path) -> Result<File, Failure> {
    let failed = |error| Failure::Read {
        path: path.to_owned(),
        error,
    };
    let file = File::open(path).map_err(failed)?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(failed(io::ErrorKind::IsADirectory.into())),
        Ok(_) => Ok(file),
        Err(error) => Err(failed(error)),
    }
}

/// At most one byte more than the limit: the verifier then says that it is too large.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::Read {
            path: path.to_owned(),
            error,
        })?;
    Ok(bytes)
}

const MAX_RECORD: u64 = 64 << 20;
const MAX_KEY: u64 = 64 << 10;
const MAX_SIDECAR: u64 = 16 << 20;
/// How far ahead of this machine's clock a record may be issued.
const SKEW_SECONDS: u64 = 300;
