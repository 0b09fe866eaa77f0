//! Every file of the folder: what its bytes say it is, and the rows that it stands in.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cmcp_evidence::{
    Evidence, Platform, azure, cbor,
    endorse::{self, Kind, Offered, Sorted},
    eventlog,
    measure::{
        self,
        snp::{Firmware, Launch},
    },
    show::show,
    tpm::Attest,
    wire::{Content, Recognised, Unrecognised, certificate::Carrier, cmw::Cmw, recognise},
    x509,
};
use cmcp_json::Limits;

use super::{Result, case::Row, devices, vectors::Vectors};

/// One file.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    /// What it is, as far as its bytes say.
    pub(crate) is: Option<String>,
    /// In how many rows it stands.
    pub(crate) rows: usize,
}

impl File {
    pub(crate) fn wrong(&self) -> Option<String> {
        let unread = self.is.is_none();
        unread.then(|| format!("{}: nothing here reads it", self.name))
    }
}

pub(crate) fn all(vectors: &Vectors, rows: &[Row]) -> Result<Vec<File>> {
    let names = vectors.names()?;
    names
        .into_iter()
        .map(|name| {
            let bytes = vectors.file(&name)?;
            let is = evidence(&bytes).or_else(|| READERS.iter().find_map(|read| read(&bytes)));
            let holds = |row: &&Row| row.files.contains(&name);
            Ok(File {
                is,
                rows: rows.iter().filter(holds).count(),
                name,
            })
        })
        .collect()
}

/// Evidence that is recognised and read field by field.
fn evidence(bytes: &[u8]) -> Option<String> {
    match recognise(bytes) {
        Ok(recognised) => Some(shown(&recognised)),
        Err(Unrecognised::NotEvidence { what, .. }) if endorse::kind_of(bytes) == Kind::Unknown => {
            Some(what)
        }
        Err(_) => None,
    }
}

fn shown(recognised: &Recognised) -> String {
    let Recognised {
        format,
        encoding,
        content,
        notes,
    } = recognised;
    let read = match content {
        Content::Evidence(collected) => show(&collected.evidence, &collected.endorsements),
        Content::Claimed(claimed) => show(&claimed.evidence, &claimed.endorsements),
        Content::Certificate(der) => {
            let carrier = Carrier::read(der, &[]);
            let evidence = carrier.map_or(Evidence::new(Platform::Software), |it| it.evidence);
            show(&evidence, &cmcp_evidence::Endorsements::default())
        }
    };
    let mut said = format.as_str().to_owned();
    if let Some(encoding) = encoding {
        said.push_str(&format!(", {encoding}"));
    }
    if let Err(error) = read {
        said.push_str(&format!(": {error}"));
    }
    for note in notes {
        said.push_str(&format!("; {note}"));
    }
    said
}

type Reader = fn(&[u8]) -> Option<String>;

/// Tried in this order; each looks at what the bytes announce.
const READERS: &[Reader] = &[
    endorsement,
    event_log,
    canonical_log,
    wrapper,
    documents,
    container_policy,
    firmware,
    id_block,
    public_key,
    serialised_quote,
    cbor_item,
    protobuf,
    yaml,
    tables,
    sized,
];

fn endorsement(bytes: &[u8]) -> Option<String> {
    let mut sorted = Sorted::default();
    let name = "file".to_owned();
    let bytes = bytes.to_vec();
    sorted.offer(&[Offered { name, bytes }], &[]);
    let item = sorted.items.first()?;
    let known = item.kind != Kind::Unknown;
    known.then(|| format!("{}: {}", item.kind.as_str(), item.says))
}

fn event_log(bytes: &[u8]) -> Option<String> {
    let (what, log) = match bytes.first_chunk()? {
        [0, 0, 0, 0, 3, 0, 0, 0] => ("TCG2 event log", eventlog::parse(bytes)),
        [1, 0, 0, 0, 3, 0, 0, 0] => ("CCEL", eventlog::parse_ccel(bytes)),
        _ => return None,
    };
    Some(match log {
        Ok(log) => format!(
            "{what}: {} events, {} banks",
            log.events().len(),
            log.banks().len()
        ),
        Err(error) => format!("{what}: {error}"),
    })
}

fn canonical_log(bytes: &[u8]) -> Option<String> {
    let log = STANDARD.decode(bytes.trim_ascii()).ok()?;
    let log = eventlog::CelLog::parse(&log).ok()?;
    Some(format!(
        "canonical event log, base64: {} events",
        log.events().len()
    ))
}

/// A wrapper that holds no evidence of ours.
fn wrapper(bytes: &[u8]) -> Option<String> {
    let cmw = Cmw::from_cbor(bytes)
        .or_else(|_| Cmw::from_json(bytes))
        .ok()?;
    let kinds: Vec<String> = cmw
        .records()
        .iter()
        .map(|(_, it)| it.kind.to_string())
        .collect();
    Some(format!("conceptual message wrapper: {}", kinds.join(", ")))
}

/// JSON documents by their members.
fn documents(bytes: &[u8]) -> Option<String> {
    let document = cmcp_json::parse(bytes, &Limits::DOCUMENT).ok()?;
    let has = |name: &str| document.get(name).is_some();
    if azure::release::ReleasePolicy::parse(bytes).is_ok() {
        return Some("release policy".to_owned());
    }
    if azure::runtime::Runtime::parse(bytes).is_ok() {
        return Some("runtime data of a machine of Azure".to_owned());
    }
    if Launch::from_inputs(&document).is_ok() {
        return Some("inputs of an SNP launch digest".to_owned());
    }
    if devices::is_claims(&document) {
        return Some("claims of NVIDIA's service, without a signature".to_owned());
    }
    let named: &[(&[&str], &str)] = &[
        (
            &["x5c"],
            "a chain of certificates, as a token's header has it",
        ),
        (&["kty", "crv", "x"], "a JSON Web Key"),
        (
            &["ear_verifier_id"],
            "claims of an attestation result (EAR)",
        ),
        (
            &["uefi_event_logs"],
            "an event log as another program reads it",
        ),
        (
            &["image", "platform"],
            "digests of the parts of a TDX image",
        ),
        (&["akey"], "runtime data of a container group"),
        (&["key", "claims"], "a request of the key release sidecar"),
        (
            &["arch", "config"],
            "an NVIDIA report as another program reads it",
        ),
    ];
    let known = named
        .iter()
        .find(|(members, _)| members.iter().all(|name| has(name)));
    if let Some((_, what)) = known {
        return Some((*what).to_owned());
    }
    let rows = document.as_array()?;
    let first = rows.first()?;
    let what = [
        ("expect", "rows of this table"),
        ("claims_buffer", "worked claims-buffers"),
        ("measurement_id", "measurements by name, another project's"),
    ];
    let what = what.iter().find(|(member, _)| first.get(member).is_some());
    let (_, what) = what?;
    Some(format!("{what}: {}", rows.len()))
}

fn container_policy(bytes: &[u8]) -> Option<String> {
    let data = measure::cce::host_data(bytes).ok()?;
    let findings = azure::cce::lint(&data.policy).len();
    Some(format!("container policy: {findings} findings"))
}

fn firmware(bytes: &[u8]) -> Option<String> {
    let firmware = Firmware::from_ovmf(bytes).ok()?;
    Some(format!(
        "OVMF for SNP: {} sections",
        firmware.sections.len()
    ))
}

/// An ID block's signature begins with the kind of its key, and only zeros and two keys follow.
fn id_block(bytes: &[u8]) -> Option<String> {
    let head: &[u8; 8] = bytes.first_chunk()?;
    let announced = bytes.len() == 4096 && *head == [1, 0, 0, 0, 1, 0, 0, 0];
    announced.then(|| "SNP ID authentication information: ECDSA P-384, two keys".to_owned())
}

fn public_key(bytes: &[u8]) -> Option<String> {
    let spki = x509::key_from_pem(bytes).ok()?;
    let key = x509::VerifyingKey::from_spki_der(&spki).ok()?;
    Some(format!("public key: {:?}", key.kind()))
}

/// A TPM quote as a Rust program serialised it: length, signature, length, message, PCR values.
fn serialised_quote(bytes: &[u8]) -> Option<String> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    if u64::from_le_bytes(*length) != 256 {
        return None;
    }
    let (_signature, rest) = rest.split_at_checked(256)?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (message, _pcrs) = rest.split_at_checked(length)?;
    let attest = Attest::parse(message).ok()?;
    let extra = attest.extra.len();
    Some(format!(
        "serialised TPM quote: signature, message ({extra} bytes quoted), PCR values"
    ))
}

fn cbor_item(bytes: &[u8]) -> Option<String> {
    let item = cbor::parse(bytes, &cbor::Limits::FOREIGN).ok()?;
    let (tag, _) = item.as_tag()?;
    let what = match tag {
        399 => "Arm CCA token",
        501 => "unsigned CoRIM",
        _ => "CBOR",
    };
    Some(format!("{what} (tag {tag}): read as CBOR, not appraised"))
}

fn protobuf(bytes: &[u8]) -> Option<String> {
    let capture = devices::Capture::read(bytes).ok()?;
    Some(format!(
        "attestation of go-tpm-tools (protobuf): {}",
        capture.says()
    ))
}

fn yaml(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let known = text
        .lines()
        .any(|line| line.starts_with("firmware") || line.starts_with("mrtd"));
    known.then(|| "firmware and platform data of a TDX machine (YAML)".to_owned())
}

fn tables(bytes: &[u8]) -> Option<String> {
    bytes
        .starts_with(b"# Attestation test vectors")
        .then(|| "what the files are".to_owned())
}

/// What has no structure of its own is known by its length alone, and by its rows.
fn sized(bytes: &[u8]) -> Option<String> {
    match bytes.len() {
        256 => Some("256 bytes: an RSA signature".to_owned()),
        768 => Some("768 bytes: the values of 24 PCRs of SHA-256".to_owned()),
        1024 => Some("1024 bytes: a TDREPORT, which only its own machine can check".to_owned()),
        _ => None,
    }
}
