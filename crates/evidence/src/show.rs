//! Every field of a piece of evidence, explained.

mod endorsements;

use crate::{
    Endorsements, Evidence, Part, Platform, azure, dcap, eventlog, gpu, hex, nitro,
    reader::Malformed, snp, token, tpm,
};

/// One field of a format: what it is called, where it is, what it holds, and what that means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Field {
    /// The part it is in and its name, joined by a dot.
    pub name: String,
    /// The byte of its part that it begins at, where it has one.
    pub at: Option<usize>,
    /// Its value: a number, a word, hexadecimal digits.
    pub value: String,
    /// What it says, in a sentence; empty where name and value say all.
    pub says: String,
}

impl Field {
    /// A field at a byte.
    pub fn at(
        at: usize,
        name: impl Into<String>,
        value: impl ToString,
        says: impl Into<String>,
    ) -> Self {
        Self {
            at: Some(at),
            ..Self::new(name, value, says)
        }
    }

    /// A field without a place of its own.
    pub fn new(name: impl Into<String>, value: impl ToString, says: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            at: None,
            value: value.to_string(),
            says: says.into(),
        }
    }
}

/// Why evidence cannot be shown.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("part `{part}`: {error}", part = .part.as_str())]
pub struct ShowError {
    /// Which part cannot be read.
    pub part: Part,
    /// What is wrong with it.
    pub error: Malformed,
}

/// Every field of evidence and of what came with it. To look is not to judge: nothing here is believed.
///
/// # Errors
///
/// A part that is not as its format has it. Endorsements that cannot be read are shown as that.
pub fn show(evidence: &Evidence, endorsements: &Endorsements) -> Result<Vec<Field>, ShowError> {
    let platform = evidence.platform();
    let mut fields = vec![Field::new(
        "platform",
        platform,
        "who is said to have made it",
    )];
    for (part, bytes) in evidence.parts() {
        let shown = part_of(platform, part, bytes).map_err(|error| ShowError { part, error });
        fields.extend(shown?);
    }
    fields.extend(endorsements::show(endorsements));
    Ok(fields)
}

fn part_of(platform: Platform, part: Part, bytes: &[u8]) -> Result<Vec<Field>, Malformed> {
    match part {
        Part::Report if platform == Platform::Gpu => gpu::show(bytes),
        Part::Report => snp::show(bytes),
        Part::Quote => dcap::show(bytes),
        Part::Document => nitro::show(bytes),
        Part::HclReport => azure::show_hcl(bytes),
        Part::Token => token::show(platform, bytes),
        Part::EventLog => event_log(platform, bytes),
        Part::AkPublic | Part::Attest | Part::ImaLog | Part::Pcrs | Part::Signature => {
            tpm::show(&Evidence::new(Platform::Tpm).with(part, bytes))
        }
        Part::Certificates => Ok(endorsements::certificates("certificates", bytes)),
        Part::RuntimeData => Ok(vec![Field::at(
            0,
            "runtime_data",
            readable(bytes),
            "what the report data is a digest of; made by the program itself",
        )]),
    }
}

/// TDX has the tables of its firmware, or a list in JSON that some producers make of them.
fn event_log(platform: Platform, bytes: &[u8]) -> Result<Vec<Field>, Malformed> {
    if bytes.trim_ascii_start().starts_with(b"[") {
        let log = eventlog::JsonLog::parse(bytes)?;
        let events = log.events().iter().enumerate();
        return Ok(events
            .map(|(place, event)| json_event(place, event))
            .collect());
    }
    let log = match platform {
        Platform::Tdx | Platform::AzureTdx => eventlog::parse_ccel(bytes)?,
        Platform::Aci
        | Platform::AzureSnp
        | Platform::Gcp
        | Platform::Gpu
        | Platform::Maa
        | Platform::Nitro
        | Platform::Nras
        | Platform::Sgx
        | Platform::Snp
        | Platform::Software
        | Platform::Tpm => eventlog::parse(bytes)?,
    };
    Ok(eventlog::show(&log))
}

fn json_event(place: usize, event: &eventlog::JsonEvent) -> Field {
    let value = match event.digest.is_empty() {
        true => "no digest".to_owned(),
        false => hex::encode(&event.digest),
    };
    let says = format!(
        "extends RTMR {}; event type {:#x}, `{}`, {} bytes of data",
        event.rtmr,
        event.kind,
        event.name.escape_debug(),
        event.payload.len()
    );
    Field::new(format!("event_log[{place}]"), value, says)
}

/// A text as it is, other bytes as digits.
fn readable(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        Ok(_) | Err(_) => hex::encode(bytes),
    }
}

#[cfg(test)]
mod tests;
