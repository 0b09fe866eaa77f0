//! `cmcp evidence`.

mod challenge;
mod ended;
mod failure;
mod files;
mod refresh;
mod show;
mod verify;

pub(crate) use ended::Ended;
pub(crate) use failure::EvidenceFailure;
pub(crate) use files::{offered, open, read, reference_values as named_reference_values};
pub(crate) use refresh::run as refresh;
pub(crate) use show::run as show;
pub(crate) use verify::{known, run as verify};

use cmcp_evidence::{
    Collected, Endorsements, Evidence,
    wire::{
        Content, Recognised,
        certificate::{Carrier, Legacy},
        recognise,
    },
};

use crate::{
    cli::{EvidenceFile, Format, ReferenceValuesArgs},
    commands::{Context, Exit, Failure},
    reference_values,
};

/// Prints the reference values that are shipped, or checks others.
pub(crate) fn reference_values(
    arguments: &ReferenceValuesArgs,
    context: Context<'_>,
) -> Result<Exit, Failure> {
    let values = files::reference_values(&arguments.file)?;
    context.output.json(&values.document);
    match &values.file {
        None if context.output.format == Format::Human => {
            context.output.raw(reference_values::SHIPPED.as_bytes());
        }
        None => {}
        Some(file) => context.output.line(format!(
            "✓ Reference values valid: {}\n{}",
            file.display(),
            values.digest
        )),
    }
    Ok(Exit::Ok)
}

/// Evidence out of a file, and what is said of the file.
pub(crate) struct Opened {
    /// The format, in words.
    pub(crate) format: String,
    pub(crate) content: Opening,
    pub(crate) notes: Vec<String>,
}

/// What a file held.
pub(crate) enum Opening {
    /// A certificate: what its evidence is bound to is its key.
    Certificate(Box<Carrier>),
    /// Evidence, and what came with it.
    Evidence(Box<Collected>),
}

impl Opened {
    /// Reads evidence: a file, and the parts of it that lie in files of their own.
    pub(crate) fn read(arguments: &EvidenceFile) -> Result<Self, Failure> {
        let path = &arguments.evidence;
        let bytes = read(path, files::MAX_EVIDENCE)?;
        let Recognised {
            format,
            encoding,
            content,
            mut notes,
        } = recognise(&bytes).map_err(|error| EvidenceFailure::NotEvidence {
            path: path.clone(),
            error,
        })?;
        let content = match content {
            Content::Evidence(collected) => {
                let Collected {
                    evidence,
                    endorsements,
                } = collected;
                let evidence = whole(evidence, arguments)?;
                Opening::Evidence(Box::new(Collected {
                    evidence,
                    endorsements,
                }))
            }
            Content::Claimed(claimed) => {
                notes.push(
                    "it came with a claims-buffer, which is not judged: name the report data you expect"
                        .to_owned(),
                );
                let evidence = whole(claimed.evidence, arguments)?;
                Opening::Evidence(Box::new(Collected {
                    evidence,
                    endorsements: claimed.endorsements,
                }))
            }
            Content::Certificate(der) => Opening::Certificate(carrier(&der, arguments)?),
        };
        let format = match encoding {
            None => format.as_str().to_owned(),
            Some(encoding) => format!("{} in {encoding}", format.as_str()),
        };
        Ok(Self {
            format,
            content,
            notes,
        })
    }

    /// The evidence.
    pub(crate) fn evidence(&self) -> &Evidence {
        match &self.content {
            Opening::Certificate(carrier) => &carrier.evidence,
            Opening::Evidence(collected) => &collected.evidence,
        }
    }

    /// What came with it.
    pub(crate) fn endorsements(&self) -> &Endorsements {
        match &self.content {
            Opening::Certificate(carrier) => &carrier.endorsements,
            Opening::Evidence(collected) => &collected.endorsements,
        }
    }
}

/// The evidence with the platform and the parts that the command line adds.
fn whole(evidence: Evidence, arguments: &EvidenceFile) -> Result<Evidence, Failure> {
    let platform = arguments.platform.unwrap_or(evidence.platform());
    let parts = evidence.parts();
    let mut whole = parts.fold(Evidence::new(platform), |whole, (part, bytes)| {
        whole.with(part, bytes)
    });
    for (part, path) in &arguments.part {
        whole = whole.with(*part, read(path, files::MAX_EVIDENCE)?);
    }
    Ok(whole)
}

/// A certificate is judged as it is: nothing can be added to what its key is bound to.
fn carrier(der: &[u8], arguments: &EvidenceFile) -> Result<Box<Carrier>, Failure> {
    let flag = match (arguments.platform, arguments.part.is_empty()) {
        (Some(platform), _) => Some(("--platform", platform.to_string())),
        (None, false) => Some(("--part", String::new())),
        (None, true) => None,
    };
    if let Some((flag, value)) = flag {
        return Err(Failure::Flag {
            flag,
            value,
            expected: "nothing: a certificate carries its evidence whole",
        });
    }
    let legacy = arguments.legacy_extension.iter();
    let legacy: Vec<Legacy> = legacy.map(|word| Legacy::from(*word)).collect();
    let carrier = Carrier::read(der, &legacy).map_err(|error| EvidenceFailure::Carrier {
        path: arguments.evidence.clone(),
        error,
    })?;
    Ok(Box::new(carrier))
}
