//! `cmcp evidence verify`.

use std::path::Path;

use cmcp_evidence::{
    AttestationResult, Binding, Endorsements, Evidence, Input, SigningKey, Status, Timestamp,
    appraise,
    check::Outcome,
    ear,
    endorse::Sorted,
    wire::certificate::{Issuer, Question},
    x509::{Certificate, all_from_pem},
};
use cmcp_gateway::Clock;

use super::{Ended, EvidenceFailure, Opened, Opening, challenge::Named, files};
use crate::{
    cli::{EvidenceVerifyArgs, Format},
    commands::{Context, Exit, Failure},
    reference_values::Read as Values,
    render::evidence::{self as report, Policy, Verdict},
};

pub(crate) fn run(arguments: &EvidenceVerifyArgs, context: Context<'_>) -> Result<Exit, Failure> {
    let key = signing_key(arguments, context)?;
    let named = Named::read(arguments)?;
    let values = files::reference_values(&arguments.reference_values)?;
    let opened = Opened::read(&arguments.file)?;
    let case = Case {
        opened: &opened,
        values: &values,
        named: certificate_names_its_own(&opened, arguments, named)?,
        at: arguments.at.unwrap_or_else(|| Clock::system().now()),
    };
    // A certificate brings its own endorsements along.
    let mut sorted = match &opened.content {
        Opening::Certificate(_) => Sorted::default(),
        Opening::Evidence(carried) => {
            Sorted::carried("with the evidence", carried.endorsements.clone())
        }
    };
    sorted.offer(
        &files::offered(&arguments.endorsements)?,
        &known(opened.evidence()),
    );
    let mut result = case.appraise(&sorted.endorsements);
    let unused = sorted.unused(&result, |left| case.appraise(left));
    result.notes.extend(opened.notes.iter().cloned());
    let name = values.file.as_deref().map(Path::display);
    let name = name.map_or_else(|| "as shipped".to_owned(), |name| name.to_string());
    let signed = match &arguments.reference_values.reference_values_key {
        Some(_) => "signed by the key that was named",
        None => "no signature asked for",
    };
    let verdict = Verdict {
        result: &result,
        format: &opened.format,
        digest: opened.evidence().digest(),
        bytes: opened.evidence().size(),
        bound: &case.named.says,
        policy: Policy {
            name: &name,
            digest: values.digest,
            signed,
        },
        items: &sorted.items,
        unused: &unused,
    };
    print(&verdict, &case, key.as_ref(), context);
    Ok(exit(&result))
}

/// What is judged, and by what.
struct Case<'a> {
    opened: &'a Opened,
    values: &'a Values,
    named: Named,
    at: Timestamp,
}

impl Case<'_> {
    fn appraise(&self, endorsements: &Endorsements) -> AttestationResult {
        match &self.opened.content {
            Opening::Certificate(carrier) => carrier.appraise(&Question {
                endorsements,
                issuer: Issuer::Itself,
                policy: &self.values.values,
                at: self.at,
            }),
            Opening::Evidence(collected) => appraise(&Input {
                evidence: &collected.evidence,
                endorsements,
                binding: &self.named.binding,
                policy: &self.values.values,
                at: self.at,
            }),
        }
    }
}

fn print(verdict: &Verdict<'_>, case: &Case<'_>, key: Option<&SigningKey>, context: Context<'_>) {
    let output = context.output;
    if output.format == Format::Ear {
        let claims = ear::claims(
            verdict.result,
            &ear::Context {
                developer: DEVELOPER,
                build: BUILD,
                policy: case.values.digest,
                binding: &case.named.binding,
            },
        );
        let text = match key {
            Some(key) => ear::sign(&claims, key),
            None => claims.to_string(),
        };
        output.raw(format!("{text}\n").as_bytes());
        return;
    }
    for line in report::lines(verdict) {
        output.line(line);
    }
    output.json(&report::document(verdict));
}

fn exit(result: &AttestationResult) -> Exit {
    let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed { .. });
    let ended = match result.status {
        Status::Affirming => return Exit::Ok,
        Status::Warning => Ended::Warning,
        Status::None => Ended::Nothing,
        Status::Contraindicated => {
            match result.checks.iter().any(|checked| failed(&checked.outcome)) {
                true => Ended::Contraindicated,
                false => Ended::Incomplete,
            }
        }
    };
    Exit::Evidence(ended)
}

/// A key signs one kind of output alone: that it was named for another is a mistake.
fn signing_key(
    arguments: &EvidenceVerifyArgs,
    context: Context<'_>,
) -> Result<Option<SigningKey>, Failure> {
    let Some(path) = &arguments.sign_key else {
        return Ok(None);
    };
    if context.output.format != Format::Ear {
        return Err(Failure::Flag {
            flag: "--sign-key",
            value: path.display().to_string(),
            expected: "`--format ear` beside it: no other output is signed",
        });
    }
    let pem = files::read(path, files::MAX_KEY)?;
    let key = SigningKey::from_pem(&pem).map_err(|error| EvidenceFailure::Key {
        path: path.clone(),
        error,
    });
    Ok(Some(key?))
}

/// The evidence in a certificate is bound to the certificate's key, and can be bound to nothing else.
fn certificate_names_its_own(
    opened: &Opened,
    arguments: &EvidenceVerifyArgs,
    named: Named,
) -> Result<Named, Failure> {
    match (&opened.content, &named.binding) {
        (Opening::Evidence(_), _) => Ok(named),
        (Opening::Certificate(_), Binding::Unknown) => Ok(Named {
            says: "the certificate's key".to_owned(),
            ..named
        }),
        (Opening::Certificate(_), Binding::Challenge(_) | Binding::ReportData(_)) => {
            let (flag, value) = match (&arguments.nonce, &arguments.report_data) {
                (Some(nonce), _) => ("--nonce", nonce.clone()),
                (None, data) => ("--report-data", data.clone().unwrap_or_default()),
            };
            Err(Failure::Flag {
                flag,
                value,
                expected: "nothing: evidence in a certificate is bound to the certificate's key",
            })
        }
    }
}

/// The certificates in a quote: Intel's raw answers may need their issuers.
pub(crate) fn known(evidence: &Evidence) -> Vec<Certificate> {
    evidence
        .parts()
        .filter_map(|(_, bytes)| cmcp_evidence::dcap::parse(bytes).ok())
        .map(|quote| quote.quoting.certificates)
        .filter_map(|pem| all_from_pem(pem.strip_suffix(&[0]).unwrap_or(pem)).ok())
        .flatten()
        .filter_map(|der| Certificate::from_der(&der).ok())
        .collect()
}

/// The product's name in claims that other programs read.
const DEVELOPER: &str = "https://cmcp.dev";
const BUILD: &str = concat!("cmcp ", env!("CARGO_PKG_VERSION"));
