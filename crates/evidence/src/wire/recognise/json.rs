use cmcp_json::{Limits, Value};

use super::{
    Content, Fault, Format, Recognised, Unrecognised, binary, broken, dstack, of, single,
    text::{certificates, foreign, issuer, other},
    with,
};
use crate::{
    Collected, Endorsements, Evidence, Part, Platform, hex,
    wire::{cmw::Cmw, container},
};

type Result<T> = std::result::Result<T, Unrecognised>;

/// What a JSON document is, by the members that its format requires.
pub(super) fn recognise(bytes: &[u8]) -> Result<Recognised> {
    let document = cmcp_json::parse(bytes, &LIMITS).map_err(|error| Unrecognised::Unknown {
        why: format!("not the JSON that is read here: {error}"),
    })?;
    let has = |name: &str| document.get(name).is_some();
    let is_text = |name: &str| {
        document
            .get(name)
            .is_some_and(|value| value.as_str().is_some())
    };
    if has("format") {
        contained(&document)
    } else if has("platform") && has("evidence") {
        attestation_rs(&document)
    } else if has("eat_profile") && has("runtime") {
        record(&document)
    } else if has("hcl_report") || (has("quote") && has("report")) {
        azure(&document)
    } else if is_text("message") && is_text("signature") && has("pcrs") {
        tpm_quote(&document)
    } else if is_text("quote") && has("event_log") {
        dstack_quote(&document)
    } else if is_text("attestation") {
        dstack_attestation(&document)
    } else if has("detached_eat") {
        nvat(&document)
    } else if document.as_array().is_some() {
        list(bytes, &document)
    } else if issuer(&document).is_some() {
        Err(Unrecognised::NotEvidence {
            what: "claims without a signature".to_owned(),
            instead: "give the token they were taken from",
        })
    } else if let Ok(cmw) = Cmw::from_value(&document) {
        binary::unwrap(&cmw)
    } else {
        Err(other(bytes, "JSON with the members of none of them"))
    }
}

fn contained(document: &Value) -> Result<Recognised> {
    let format = Format::Container;
    let collected = container::read(document).map_err(|error| broken(format, error))?;
    Ok(Recognised {
        content: Content::Evidence(collected),
        ..of(format, Evidence::new(Platform::Software))
    })
}

fn attestation_rs(document: &Value) -> Result<Recognised> {
    let format = Format::AttestationRs;
    let evidence = document.get("evidence").unwrap_or(&Value::Null);
    match document.get("platform").and_then(Value::as_str) {
        Some("snp") => {
            let report = base64(format, evidence, "attestation_report")?;
            let mut endorsements = Endorsements::default();
            if let Some(chain) = evidence.get("cert_chain").and_then(Value::as_object) {
                for (name, value) in chain.iter().filter(|(_, value)| !value.is_null()) {
                    let text = value
                        .as_str()
                        .ok_or_else(|| member(format, name, "a text"))?;
                    let found = certificates(format, name, text)?;
                    endorsements.certificates.extend(found);
                }
            }
            let evidence = Evidence::new(Platform::Snp).with(Part::Report, report);
            Ok(with(format, evidence, endorsements))
        }
        Some("tdx") => {
            let quote = base64(format, evidence, "quote")?;
            Ok(single(format, Platform::Tdx, Part::Quote, &quote))
        }
        Some("az-snp" | "az-tdx") => azure(evidence).map(|recognised| Recognised {
            format,
            ..recognised
        }),
        Some(_) | None => Err(member(
            format,
            "platform",
            "`snp`, `tdx`, `az-snp` or `az-tdx`",
        )),
    }
}

/// Azure's: an HCL report, the quote of its TPM, and a VCEK or a TD quote. Before it had a version, bytes were
/// arrays of numbers and two members had other names.
fn azure(document: &Value) -> Result<Recognised> {
    let format = match document.get("version").map(Value::as_u64) {
        None => Format::AzureVtpmUnversioned,
        Some(Some(1)) => Format::AzureVtpm,
        Some(_) => return Err(member(Format::AzureVtpm, "version", "1")),
    };
    let bytes = |value: &Value, names: [&'static str; 2]| {
        let found = names
            .iter()
            .find_map(|name| Some((*name, value.get(name)?)));
        let (name, value) = found.ok_or_else(|| member(format, names[0], "there"))?;
        bytes_of(format, name, value)
    };
    let hcl = bytes(document, ["hcl_report", "report"])?;
    let quote = document.get("tpm_quote").or_else(|| document.get("quote"));
    let quote = quote.ok_or_else(|| member(format, "tpm_quote", "there"))?;
    let td_quote = document.get("td_quote");
    let platform = match td_quote {
        Some(_) => Platform::AzureTdx,
        None => Platform::AzureSnp,
    };
    let mut evidence = Evidence::new(platform).with(Part::HclReport, hcl);
    evidence = quoted(format, evidence, quote)?;
    if let Some(td_quote) = td_quote {
        evidence = evidence.with(Part::Quote, bytes_of(format, "td_quote", td_quote)?);
    }
    let mut endorsements = Endorsements::default();
    if let Some(vcek) = document.get("vcek") {
        let text = vcek
            .as_str()
            .ok_or_else(|| member(format, "vcek", "a text"))?;
        endorsements.certificates = certificates(format, "vcek", text)?;
    }
    Ok(with(format, evidence, endorsements))
}

fn tpm_quote(document: &Value) -> Result<Recognised> {
    let format = Format::TpmQuote;
    let evidence = quoted(format, Evidence::new(Platform::Tpm), document)?;
    let mut recognised = of(format, evidence);
    let note = "a TPM's quote alone: its key is not here";
    recognised.notes.push(note.to_owned());
    Ok(recognised)
}

/// Message, signature and PCR values of a TPM's quote.
fn quoted(format: Format, evidence: Evidence, quote: &Value) -> Result<Evidence> {
    let bytes = |name: &'static str| {
        let value = quote
            .get(name)
            .ok_or_else(|| member(format, name, "there"))?;
        digits_or_numbers(format, name, value)
    };
    let (message, signature) = (bytes("message")?, bytes("signature")?);
    let list = quote.get("pcrs").and_then(Value::as_array);
    let list = list.ok_or_else(|| member(format, "pcrs", "a list"))?;
    let mut pcrs = Vec::new();
    for pcr in list {
        pcrs.extend(digits_or_numbers(format, "pcrs", pcr)?);
    }
    Ok(evidence
        .with(Part::Attest, message)
        .with(Part::Signature, signature)
        .with(Part::Pcrs, pcrs))
}

fn dstack_quote(document: &Value) -> Result<Recognised> {
    let format = Format::DstackQuote;
    let quote = document.get("quote").unwrap_or(&Value::Null);
    let quote = digits_or_numbers(format, "quote", quote)?;
    let inner = match binary::recognise(&quote) {
        Some(inner) => inner?,
        None => return Err(member(format, "quote", "a quote")),
    };
    let log = document.get("event_log").and_then(Value::as_str);
    let log = log.ok_or_else(|| member(format, "event_log", "a text"))?;
    let Content::Evidence(Collected { evidence, .. }) = inner.content else {
        return Err(member(format, "quote", "a quote"));
    };
    let mut recognised = of(format, evidence.with(Part::EventLog, log.as_bytes()));
    recognised.notes = inner.notes;
    let note = "`vm_config` is the producer's own words and was passed over";
    recognised.notes.push(note.to_owned());
    Ok(recognised)
}

fn dstack_attestation(document: &Value) -> Result<Recognised> {
    let format = Format::DstackAttestation;
    let inner = document.get("attestation").unwrap_or(&Value::Null);
    let inner = digits_or_numbers(format, "attestation", inner)?;
    match dstack::recognise(&inner) {
        Some(recognised) => recognised.map(|recognised| Recognised {
            encoding: Some("hexadecimal digits in JSON"),
            ..recognised
        }),
        None => Err(member(
            format,
            "attestation",
            "dstack's attestation, version 0",
        )),
    }
}

fn nvat(document: &Value) -> Result<Recognised> {
    let answer = document.get("detached_eat").unwrap_or(&Value::Null);
    match is_nras(answer) {
        true => Ok(single(
            Format::NvatResult,
            Platform::Nras,
            Part::Token,
            &answer.to_vec(),
        )),
        false => Err(member(
            Format::NvatResult,
            "detached_eat",
            "a list of tokens",
        )),
    }
}

fn list(bytes: &[u8], document: &Value) -> Result<Recognised> {
    let items = document.as_array().unwrap_or_default();
    if is_nras(document) {
        return Ok(single(
            Format::NrasAnswer,
            Platform::Nras,
            Part::Token,
            bytes,
        ));
    }
    let is_device =
        |item: &Value| item.get("evidence").is_some() && item.get("certificate").is_some();
    if !items.is_empty() && items.iter().all(is_device) {
        return devices(items);
    }
    if let Ok(cmw) = Cmw::from_value(document) {
        return binary::unwrap(&cmw);
    }
    Err(other(bytes, "a JSON list of none of them"))
}

/// `[["JWT", token], {device: token}]`, with any number of devices.
fn is_nras(answer: &Value) -> bool {
    let Some([overall, ..]) = answer.as_array() else {
        return false;
    };
    let Some([word, token]) = overall.as_array() else {
        return false;
    };
    word.as_str() == Some("JWT") && token.as_str().is_some()
}

fn devices(items: &[Value]) -> Result<Recognised> {
    let format = Format::GpuList;
    let mut evidence = Evidence::new(Platform::Gpu);
    for item in items {
        let report = base64(format, item, "evidence")?;
        let certificates = base64(format, item, "certificate")?;
        evidence = evidence
            .with(Part::Report, report)
            .with(Part::Certificates, certificates);
    }
    Ok(of(format, evidence))
}

/// A trust record that carries its evidence whole (version 0.3).
fn record(document: &Value) -> Result<Recognised> {
    let format = Format::TrustRecord;
    let evidence = document
        .get("runtime")
        .and_then(|runtime| runtime.get("evidence"));
    let Some(evidence) = evidence else {
        return Err(Unrecognised::NotEvidence {
            what: "a trust record without evidence".to_owned(),
            instead: "verify it as a record; its twin of version 0.3 carries the evidence",
        });
    };
    let quote = evidence.get("quote").and_then(Value::as_str);
    let quote = quote.ok_or_else(|| member(format, "runtime.evidence.quote", "embedded"))?;
    let quote = crate::b64::decode(quote).map_err(|_| {
        member(
            format,
            "runtime.evidence.quote",
            "base64url without padding",
        )
    })?;
    let (platform, part) = match evidence.get("format").and_then(Value::as_str) {
        Some("tdx-quote-v4") => (Platform::Tdx, Part::Quote),
        Some("sev-snp-report-v2") => (Platform::Snp, Part::Report),
        Some("nvidia-gpu-attestation-report") => (Platform::Gpu, Part::Report),
        Some("tpm2-quote") => (Platform::Tpm, Part::Attest),
        Some(_) | None => {
            return Err(member(
                format,
                "runtime.evidence.format",
                "one that is known here",
            ));
        }
    };
    let mut recognised = single(format, platform, part, &quote);
    let note = "the record itself was not verified";
    recognised.notes.push(note.to_owned());
    Ok(recognised)
}

fn base64(format: Format, value: &Value, name: &'static str) -> Result<Vec<u8>> {
    let text = value.get(name).and_then(Value::as_str);
    text.and_then(foreign)
        .ok_or_else(|| member(format, name, "base64 without white space"))
}

/// base64, or an array of numbers below 256.
fn bytes_of(format: Format, name: &str, value: &Value) -> Result<Vec<u8>> {
    match value.as_str() {
        Some(text) => foreign(text).ok_or_else(|| member(format, name, "base64")),
        None => numbers(value).ok_or_else(|| member(format, name, "bytes")),
    }
}

/// Hexadecimal digits in lower case, or an array of numbers below 256.
fn digits_or_numbers(format: Format, name: &str, value: &Value) -> Result<Vec<u8>> {
    match value.as_str() {
        Some(text) => {
            hex::decode(text).map_err(|_| member(format, name, "hexadecimal digits in lower case"))
        }
        None => numbers(value).ok_or_else(|| member(format, name, "bytes")),
    }
}

fn numbers(value: &Value) -> Option<Vec<u8>> {
    let byte = |value: &Value| value.as_u64().and_then(|number| u8::try_from(number).ok());
    value.as_array()?.iter().map(byte).collect()
}

pub(super) fn member(format: Format, name: &str, expected: &'static str) -> Unrecognised {
    let member = name.to_owned();
    broken(format, Fault::Member { member, expected })
}

const LIMITS: Limits = Limits {
    bytes: 40 << 20,
    string_bytes: 40 << 20,
    ..Limits::DOCUMENT
};
