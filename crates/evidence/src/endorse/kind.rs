//! What a file is, by what stands in it and never by its name.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cmcp_json::{Limits, Value};

use super::{List, intel::Piece};
use crate::{
    azure::{HostCertificates, uvm::Uvm},
    b64, hex,
    jose::{Jwk, KeySet},
    x509::{
        Certificate, Crl, all_from_pem, crls_from_pem,
        der::{self, Der},
    },
};

/// The kinds of endorsements.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Certificates, DER or PEM.
    Certificates,
    /// The metadata service's certificates of an Azure host (THIM).
    HostCertificates,
    /// Intel's collateral in one document.
    IntelCollateral,
    /// An answer of Intel's service: QE identity.
    IntelQeIdentity,
    /// An answer of Intel's service: TCB info.
    IntelTcbInfo,
    /// A JSON Web Key Set.
    KeySet,
    /// An OCSP response.
    Ocsp,
    /// A container policy (Rego).
    Policy,
    /// Certificate revocation lists, DER or PEM.
    RevocationLists,
    /// A reference integrity manifest (SWID).
    Rim,
    /// None of these.
    Unknown,
    /// An endorsement of a utility VM (COSE).
    Uvm,
}

impl Kind {
    /// Its name in a report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certificates => "certificates",
            Self::HostCertificates => "host-certificates",
            Self::IntelCollateral => "intel-collateral",
            Self::IntelQeIdentity => "intel-qe-identity",
            Self::IntelTcbInfo => "intel-tcb-info",
            Self::KeySet => "key-set",
            Self::Ocsp => "ocsp-response",
            Self::Policy => "container-policy",
            Self::RevocationLists => "revocation-lists",
            Self::Rim => "integrity-manifest",
            Self::Unknown => "unknown",
            Self::Uvm => "uvm-endorsement",
        }
    }
}

/// What was found in a file.
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) says: String,
    pub(super) entries: Vec<(List, Vec<u8>)>,
    pub(super) piece: Option<Piece>,
}

impl Found {
    fn new(kind: Kind, says: impl Into<String>) -> Self {
        Self {
            kind,
            says: says.into(),
            entries: Vec::new(),
            piece: None,
        }
    }

    fn unknown(says: impl Into<String>) -> Self {
        Self::new(Kind::Unknown, says)
    }

    fn with(mut self, list: List, bytes: &[u8]) -> Self {
        self.entries.push((list, bytes.to_vec()));
        self
    }
}

/// Says what a file is. Some services wrap what they give into base64 or hexadecimal digits; one such
/// wrapping is taken off.
pub(super) fn recognise(bytes: &[u8]) -> Found {
    let found = plain(bytes);
    if found.kind != Kind::Unknown {
        return found;
    }
    let text = str::from_utf8(bytes).unwrap_or_default();
    let text = text.trim_ascii().trim_matches('"');
    let digits: String = text.split_ascii_whitespace().collect();
    let wrapped = [
        (
            "hexadecimal digits",
            hex::decode(&digits.to_ascii_lowercase()).ok(),
        ),
        ("base64", STANDARD.decode(&digits).ok()),
    ];
    for (how, unwrapped) in wrapped {
        let inner = unwrapped
            .filter(|inner| !inner.is_empty())
            .map(|inner| plain(&inner));
        if let Some(mut inner) = inner.filter(|inner| inner.kind != Kind::Unknown) {
            inner.says = match inner.says.is_empty() {
                true => format!("in {how}"),
                false => format!("{}, in {how}", inner.says),
            };
            return inner;
        }
    }
    found
}

fn plain(bytes: &[u8]) -> Found {
    match bytes.first() {
        None => return Found::unknown("the file is empty"),
        Some(&der::SEQUENCE) => return of_der(bytes),
        // COSE_Sign1, with its tag or without.
        Some(0xd2 | 0x84) => return of_cose(bytes),
        Some(_) => {}
    }
    let Ok(text) = str::from_utf8(bytes) else {
        return Found::unknown("neither DER, COSE nor text");
    };
    let start = text.trim_ascii_start();
    if start.starts_with(['{', '[']) {
        of_json(bytes)
    } else if text.contains("-----BEGIN ") {
        of_pem(text)
    } else if start.starts_with('<') {
        Found::new(Kind::Rim, "").with(List::Rims, bytes)
    } else if is_rego(start) {
        Found::new(Kind::Policy, "").with(List::Policies, bytes)
    } else {
        Found::unknown("no kind of text that endorses anything")
    }
}

fn of_cose(bytes: &[u8]) -> Found {
    match Uvm::parse(bytes) {
        Ok(uvm) => {
            let says = format!("{}, svn {}", uvm.feed, uvm.svn);
            Found::new(Kind::Uvm, says).with(List::Uvm, bytes)
        }
        Err(error) => Found::unknown(format!("COSE, and no endorsement of a utility VM: {error}")),
    }
}

fn of_der(bytes: &[u8]) -> Found {
    if let Ok(certificate) = Certificate::from_der(bytes) {
        let found = Found::new(Kind::Certificates, name(&certificate));
        return found.with(List::Certificates, bytes);
    }
    if let Ok(crl) = Crl::from_der(bytes) {
        return Found::new(Kind::RevocationLists, about(&crl)).with(List::Crls, bytes);
    }
    let mut outer = Der::new(bytes);
    // RFC 6960: an OCSP response begins with its status, and nothing else that comes here does.
    let status = outer
        .sequence("response")
        .ok()
        .and_then(|inner| inner.next_tag());
    if status == Some(ENUMERATED) && outer.is_done() {
        return Found::new(Kind::Ocsp, "").with(List::Ocsp, bytes);
    }
    match Certificate::from_der(bytes) {
        Err(error) => Found::unknown(format!("DER, and neither list nor certificate: {error}")),
        Ok(_) => Found::unknown("DER"),
    }
}

/// PEM blocks of both kinds in any order.
fn of_pem(text: &str) -> Found {
    let mut certificates = Vec::new();
    let mut crls = Vec::new();
    let mut wrong = None;
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once("-----BEGIN ") {
        let end = behind.find("-----BEGIN ").unwrap_or(behind.len());
        let (block, after) = behind.split_at_checked(end).unwrap_or((behind, ""));
        let block = format!("-----BEGIN {block}");
        let read = if block.starts_with("-----BEGIN X509 CRL-----") {
            crls_from_pem(block.as_bytes()).map(|found| crls.extend(found))
        } else {
            all_from_pem(block.as_bytes()).map(|found| certificates.extend(found))
        };
        wrong = wrong.or(read.err());
        rest = after;
    }
    if let Some(error) = wrong {
        return Found::unknown(error.to_string());
    }
    let mut says = Vec::new();
    for der in &certificates {
        match Certificate::from_der(der) {
            Ok(certificate) => says.push(name(&certificate)),
            Err(error) => return Found::unknown(error.to_string()),
        }
    }
    for der in &crls {
        match Crl::from_der(der) {
            Ok(crl) => says.push(about(&crl)),
            Err(error) => return Found::unknown(error.to_string()),
        }
    }
    let kind = match certificates.is_empty() {
        true => Kind::RevocationLists,
        false => Kind::Certificates,
    };
    let mut found = Found::new(kind, says.join(", "));
    for der in &certificates {
        found = found.with(List::Certificates, der);
    }
    for der in &crls {
        found = found.with(List::Crls, der);
    }
    found
}

fn of_json(bytes: &[u8]) -> Found {
    let document = match cmcp_json::parse(bytes, &LIMITS) {
        Ok(document) => document,
        Err(error) => return Found::unknown(format!("not strict JSON: {error}")),
    };
    let has = |name: &str| document.get(name).is_some();
    if has("tcb_info") && has("qe_identity") {
        let about = document.get("tcb_info").and_then(Value::as_str);
        let about = about.and_then(|text| cmcp_json::parse(text.as_bytes(), &LIMITS).ok());
        let about = about.map(|tcb_info| machine(&tcb_info)).unwrap_or_default();
        return Found::new(Kind::IntelCollateral, about).with(List::Intel, bytes);
    }
    if has("tcbInfo") || has("enclaveIdentity") {
        return of_service(bytes, &document);
    }
    if document.get("keys").and_then(Value::as_array).is_some() {
        return of_keys(bytes);
    }
    if has("vcekCert") {
        return match HostCertificates::parse(bytes) {
            Ok(host) => {
                let found = Found::new(Kind::HostCertificates, "");
                host.certificates.iter().fold(found, |found, certificate| {
                    found.with(List::Certificates, certificate)
                })
            }
            Err(error) => Found::unknown(error.to_string()),
        };
    }
    Found::unknown("JSON with none of the members that endorsements have")
}

/// Keys are pinned by their thumbprints, so these are what is said of them.
fn of_keys(bytes: &[u8]) -> Found {
    match KeySet::parse(bytes) {
        Ok(set) => {
            let thumbprint = |key: &Jwk| b64::encode(key.thumbprint().as_bytes());
            let thumbprints: Vec<String> = set.keys.iter().map(thumbprint).collect();
            Found::new(Kind::KeySet, thumbprints.join(", ")).with(List::KeySets, bytes)
        }
        Err(error) => Found::unknown(error.to_string()),
    }
}

/// An answer of Intel's service: its document is signed as it stands there, so that its bytes count.
fn of_service(bytes: &[u8], document: &Value) -> Found {
    let (kind, member) = match document.get("tcbInfo").is_some() {
        true => (Kind::IntelTcbInfo, "tcbInfo"),
        false => (Kind::IntelQeIdentity, "enclaveIdentity"),
    };
    let inner = document.get(member);
    let id = inner
        .and_then(|inner| inner.get("id"))
        .and_then(Value::as_str);
    let (Some(inner), Some(id)) = (inner, id) else {
        return Found::unknown("an answer of Intel's service without `id`");
    };
    let mut found = Found::new(kind, machine(inner));
    found.piece = Some(Piece {
        kind,
        id: id.to_owned(),
        answer: bytes.to_vec(),
    });
    found
}

/// Technology and kind of machine, as a TCB info or an identity says them.
fn machine(document: &Value) -> String {
    let words = ["id", "fmspc"].map(|name| document.get(name).and_then(Value::as_str));
    let words: Vec<&str> = words.into_iter().flatten().collect();
    words.join(" ")
}

fn name(certificate: &Certificate) -> String {
    certificate
        .common_name()
        .unwrap_or_else(|| "without a name".to_owned())
}

fn about(crl: &Crl) -> String {
    match crl.next_update() {
        Some(end) => format!("from {} until {end}", crl.this_update()),
        None => format!("from {}", crl.this_update()),
    }
}

/// A module of Rego begins with its package, behind comments.
fn is_rego(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| line.starts_with("package "))
}

const ENUMERATED: u8 = 0x0a;
/// TCB information has some ten thousand members.
const LIMITS: Limits = Limits {
    bytes: 8 << 20,
    depth: 16,
    // A chain that Intel's library gave out may end in the zero of a text of C.
    nul: cmcp_json::Nul::Accept,
    ..Limits::DOCUMENT
};
