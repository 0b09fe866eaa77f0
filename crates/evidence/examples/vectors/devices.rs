//! GPUs, enclaves of AWS, TPMs.

use std::collections::BTreeMap;

use cmcp_evidence::{
    Binding, Endorsements, Evidence, Part, Platform,
    eventlog::HashAlg,
    gpu, hex, nitro,
    tpm::AkPublic,
    wire::{Content, recognise},
};
use cmcp_json::Value;

use super::{
    Result,
    case::{Asks, Case, Row},
    policy::Policy,
    vectors::{Stated, Vectors},
};

/// One GPU, or all of a host.
pub(crate) fn gpu(vectors: &Vectors, row: &Stated) -> Result<Row> {
    let name = row.file("report").or_else(|_| row.file("evidence"))?;
    let Content::Evidence(collected) = recognise(&vectors.file(name)?)?.content else {
        return Err("evidence of devices".into());
    };
    let mut evidence = collected.evidence;
    if row.has_file("chain") {
        evidence = evidence.with(Part::Certificates, vectors.file(row.file("chain")?)?);
    }
    let reports: Vec<&[u8]> = evidence.all(Part::Report).collect();
    let count = reports.len();
    let first = gpu::Report::parse(reports.first().ok_or("a report")?)?;
    let policy = Policy::shipped("devices")?
        .with("gpu/identity", r#""danger-any-machine""#)?
        .with("gpu/devices", r#""any""#)?
        .said(
            "gpu/device_count",
            &count.to_string(),
            "as many as there are",
        )?
        .with("gpu/measurements", r#""danger-not-compared""#)?
        .with("gpu/revocation", r#""not-checked""#)?;
    let binding = Binding::Challenge(first.nonce.to_vec());
    let case = Case {
        row,
        evidence,
        endorsements: Endorsements::default(),
        binding,
        policy,
        at: row.time("2026-11-20T00:00:00Z")?,
    };
    case.judge(Asks::All, &["gpu.chain"])
}

/// An enclave's document, in the envelope of whoever captured it.
pub(crate) fn nitro(vectors: &Vectors, row: &Stated) -> Result<Row> {
    let Content::Evidence(collected) = recognise(&vectors.file(row.file("document")?)?)?.content
    else {
        return Err("a document".into());
    };
    let bytes = collected
        .evidence
        .part(Part::Document)
        .ok_or("a document")?;
    let document = nitro::parse(bytes)?;
    let pin = |index: u8| -> Result<String> {
        let value = document
            .pcr(index)
            .ok_or_else(|| format!("no PCR {index}"))?;
        Ok(format!(r#"["{}"]"#, hex::encode(value)))
    };
    let data = document.user_data.ok_or("user data")?.to_vec();
    let instance = document.instance().ok_or("an instance")?;
    let mut policy = Policy::shipped("enclave")?
        .with("nitro/revocation", r#""not-checked""#)?
        .with("nitro/max_age_seconds", "10800")?
        .with("nitro/nonce", r#""absent""#)?
        .with("nitro/user_data", r#""binding""#)?
        .captured("nitro/instances", &format!(r#"["{instance}"]"#))?
        .measured(
            "nitro/enclave/measurements",
            document.pcr(0).ok_or("PCR 0")?,
        )?;
    for index in [1, 2, 3, 4, 8] {
        policy = policy.captured(&format!("nitro/enclave/pcr{index}"), &pin(index)?)?;
    }
    let case = Case {
        row,
        evidence: collected.evidence,
        endorsements: Endorsements::default(),
        binding: Binding::Challenge(data),
        policy,
        at: row.time("")?,
    };
    case.judge(Asks::All, &["nitro.age"])
}

/// A TPM's quote in go-tpm-tools' protobuf: the SHA-256 bank's.
pub(crate) fn tpm(vectors: &Vectors, row: &Stated) -> Result<Row> {
    let capture = Capture::read(&vectors.file(row.file("attestation")?)?)?;
    let (attest, signature, pcrs) = capture.quotes.get(&HashAlg::Sha256.id()).ok_or("a quote")?;
    let loader = pcrs.chunks(32).nth(4).ok_or("PCR 4")?;
    let name = AkPublic::parse(&capture.key)?.name().ok_or("a name")?;
    let section = format!(
        r#"{{"names":["{}"],"certificates":"refused","identity":"pinned","quote":{{
        "bank":"sha256","quoted":"0-23",
        "pcrs":{{"0-3,5-9":"replayed","4":["{}"],"10":"ignored","11-14":"replayed","15-23":"ignored"}},
        "software":"pinned","secure_boot":"required","event_order":"refused","payloads":"reported","ima":"ignored",
        "qualifying_data":"whole","counters":"any","clock":"any","firmware":"any"}}}}"#,
        hex::encode(&name),
        hex::encode(loader)
    );
    // Where a nonce is required and the row names none, any will do: none was quoted.
    let nonce = match row.value("qualifying_data") {
        Some(_) => row.hex("qualifying_data")?,
        None => vec![0],
    };
    let says = "its key, PCR 4 as captured, others replayed from the log where it explains them";
    let case = Case {
        row,
        evidence: Evidence::new(Platform::Tpm)
            .with(Part::AkPublic, capture.key.clone())
            .with(Part::Attest, attest.clone())
            .with(Part::Signature, signature.clone())
            .with(Part::Pcrs, pcrs.clone())
            .with(Part::EventLog, capture.log.clone()),
        endorsements: Endorsements::default(),
        binding: Binding::Challenge(nonce),
        policy: Policy::shipped("TPM")?.said("tpm", &section, says)?,
        at: row.time("2026-06-09T00:00:00Z")?,
    };
    case.judge(Asks::All, &["tpm.binding"])
}

/// An attestation of go-tpm-tools.
pub(crate) struct Capture {
    key: Vec<u8>,
    log: Vec<u8>,
    /// By the bank's number.
    quotes: BTreeMap<u16, Quoted>,
}

/// Quote, signature and PCR values.
type Quoted = (Vec<u8>, Vec<u8>, Vec<u8>);

impl Capture {
    pub(crate) fn read(message: &[u8]) -> Result<Self> {
        let message = fields(message)?;
        let mut quotes = BTreeMap::new();
        for (_, quote) in message.iter().filter(|(number, _)| *number == 2) {
            let quote = fields(quote)?;
            let pcrs = fields(field(&quote, 3)?)?;
            let bank = *field(&pcrs, 1)?.last().ok_or("a bank")?;
            let mut values = BTreeMap::new();
            for (_, entry) in pcrs.iter().filter(|(number, _)| *number == 2) {
                let entry = fields(entry)?;
                let index = *field(&entry, 1)?.last().ok_or("an index")?;
                values.insert(index, field(&entry, 2)?.to_vec());
            }
            let values: Vec<u8> = values.into_values().flatten().collect();
            let (attest, signature) = (field(&quote, 1)?.to_vec(), field(&quote, 2)?.to_vec());
            quotes.insert(u16::from(bank), (attest, signature, values));
        }
        Ok(Self {
            key: field(&message, 1)?.to_vec(),
            log: field(&message, 3)?.to_vec(),
            quotes,
        })
    }

    /// What it holds, in words.
    pub(crate) fn says(&self) -> String {
        format!(
            "{} quotes, an event log of {} bytes",
            self.quotes.len(),
            self.log.len()
        )
    }
}

/// The fields of a protobuf message: number, and bytes or the digits of a number.
fn fields(mut bytes: &[u8]) -> Result<Vec<(u64, Vec<u8>)>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let value = varint(&mut bytes)?;
        match key & 7 {
            0 => found.push((key >> 3, value.to_be_bytes().to_vec())),
            2 => {
                let length = usize::try_from(value)?;
                let (field, rest) = bytes.split_at_checked(length).ok_or("a field is cut")?;
                found.push((key >> 3, field.to_vec()));
                bytes = rest;
            }
            other => return Err(format!("wire type {other}").into()),
        }
    }
    Ok(found)
}

fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or("a number is cut")?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Ok(value);
        }
    }
    Err("a number is too long".into())
}

fn field(fields: &[(u64, Vec<u8>)], number: u64) -> Result<&[u8]> {
    let found = fields.iter().find(|(known, _)| *known == number);
    found
        .map(|(_, bytes)| bytes.as_slice())
        .ok_or_else(|| format!("no field {number}").into())
}

/// Whether a JSON list is one of tokens.
pub(crate) fn is_claims(document: &Value) -> bool {
    let marks = [
        "measres",
        "x-nvidia-gpu-arch-check",
        "x-nvidia-overall-att-result",
    ];
    marks.iter().any(|mark| document.get(mark).is_some())
}
