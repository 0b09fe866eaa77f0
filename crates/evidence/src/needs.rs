//! What a verifier of some evidence has to have fetched, derived from the evidence itself and asked of
//! nobody: paths of AMD's, Intel's and the token issuers' services.

mod amd;
mod intel;

use crate::{
    Evidence, Part, Platform, azure, b64,
    dcap::Tee,
    reader::Malformed,
    snp::{Product, Tcb},
    x509::{Certificate, Crl, all_from_pem},
};
use cmcp_json::{Limits, Value};

/// One document that is needed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Need {
    /// AMD: root and intermediate of a product.
    AmdChain(Product, AmdKey),
    /// AMD: the revocation list of a product.
    AmdCrl(Product, AmdKey),
    /// AMD: the certificate of a chip for its firmware.
    AmdVcek {
        /// The product.
        product: Product,
        /// The chip, as the service names it: 64 bytes, on Turin 8.
        chip: Vec<u8>,
        /// The firmware.
        tcb: Tcb,
    },
    /// The keys of Confidential Space.
    GcpKeys,
    /// Intel: the revocation list of a PCK authority.
    IntelPckCrl(PckAuthority),
    /// Intel: the quoting enclave's identity.
    IntelQeIdentity(Tee),
    /// Intel: the revocation list of the root.
    IntelRootCrl,
    /// Intel: what is known of a kind of machine.
    IntelTcbInfo(Tee, [u8; 6]),
    /// The keys of an instance of Microsoft Azure Attestation.
    MaaKeys {
        /// The issuer that the token names; nobody vouches for it yet.
        issuer: String,
    },
    /// The keys of NVIDIA's attestation service.
    NrasKeys,
}

/// Which kind of key AMD signs reports with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AmdKey {
    /// A chip's.
    Vcek,
    /// One lent to a provider.
    Vlek,
}

/// Who issues PCK certificates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PckAuthority {
    /// For machines of several packages.
    Platform,
    /// For machines of one.
    Processor,
}

/// Whose service has a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Service {
    /// AMD's key distribution service.
    Kds,
    /// Intel's provisioning certification service.
    Pcs,
    /// The place of the root's revocation list, in full.
    IntelRootCrl,
    /// An instance of Microsoft Azure Attestation.
    Maa {
        /// The issuer that the token names.
        issuer: String,
    },
    /// NVIDIA's remote attestation service.
    Nras,
    /// The place of Confidential Space's keys, in full.
    GcpKeys,
}

/// Why evidence does not say what is needed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NeedsError {
    /// A part that says it is missing.
    #[error("the evidence has no single `{0}`")]
    Part(&'static str),
    /// It cannot be read.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// The report does not name its product.
    #[error("a report of version 2 does not name its product; say which it is")]
    ProductUnnamed,
    /// No service for that processor.
    #[error("the processor is {0}, which no service of AMD is known for")]
    Product(String),
    /// The chip's identity is hidden.
    #[error(
        "the machine's owner masks the chip's identity: nobody can say which certificate is needed"
    )]
    ChipMasked,
    /// The quote's certificates say nothing of the machine.
    #[error("the quote's PCK certificates cannot be used: {0}")]
    Pck(String),
    /// A token that cannot be read.
    #[error("the token cannot be read: {0}")]
    Token(&'static str),
    /// Nothing of this platform is fetched.
    #[error("nothing is fetched for platform {platform}: {why}")]
    Nothing {
        /// The platform.
        platform: Platform,
        /// Why not.
        why: &'static str,
    },
}

/// What has to be fetched for this evidence. `product` stands in for what a report of version 2 leaves out.
///
/// # Errors
///
/// See [`NeedsError`].
pub fn needs(evidence: &Evidence, product: Option<Product>) -> Result<Vec<Need>, NeedsError> {
    let part = |part: Part| evidence.part(part).ok_or(NeedsError::Part(part.as_str()));
    let platform = evidence.platform();
    let nothing = |why| Err(NeedsError::Nothing { platform, why });
    match platform {
        Platform::Aci | Platform::Snp => amd::needs(part(Part::Report)?, product),
        Platform::AzureSnp => match azure::hcl::parse(part(Part::HclReport)?)?.hardware {
            azure::hcl::Hardware::Snp(report) => amd::needs(report, product),
            azure::hcl::Hardware::Tdx(_) => nothing("the paravisor's report is of TDX"),
        },
        Platform::AzureTdx | Platform::Sgx | Platform::Tdx => intel::needs(part(Part::Quote)?),
        Platform::Maa => Ok(vec![Need::MaaKeys {
            issuer: issuer(part(Part::Token)?)?,
        }]),
        Platform::Gcp => Ok(vec![Need::GcpKeys]),
        Platform::Nras => Ok(vec![Need::NrasKeys]),
        Platform::Gpu => nothing(
            "manifests and OCSP responses are saved from NVIDIA's services by hand; `evidence show` names the versions",
        ),
        Platform::Nitro => nothing("a document carries its own certificates"),
        Platform::Tpm => nothing("certificates of attestation keys come with the evidence"),
        Platform::Software => nothing("nobody endorses software"),
    }
}

impl Need {
    /// Whose service has it.
    #[must_use]
    pub fn service(&self) -> Service {
        match self {
            Self::AmdChain(..) | Self::AmdCrl(..) | Self::AmdVcek { .. } => Service::Kds,
            Self::GcpKeys => Service::GcpKeys,
            Self::IntelPckCrl(_) | Self::IntelQeIdentity(_) | Self::IntelTcbInfo(..) => {
                Service::Pcs
            }
            Self::IntelRootCrl => Service::IntelRootCrl,
            Self::MaaKeys { issuer } => Service::Maa {
                issuer: issuer.clone(),
            },
            Self::NrasKeys => Service::Nras,
        }
    }

    /// Path and query below the service's base; empty where the service is named in full.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::AmdChain(product, key) => {
                format!("/{}/v1/{product}/cert_chain", key.as_str())
            }
            Self::AmdCrl(product, key) => format!("/{}/v1/{product}/crl", key.as_str()),
            Self::AmdVcek { product, chip, tcb } => amd::vcek_path(*product, chip, tcb),
            Self::GcpKeys | Self::IntelRootCrl => String::new(),
            Self::IntelPckCrl(authority) => {
                let authority = authority.as_str();
                format!("/sgx/certification/v4/pckcrl?ca={authority}&encoding=der")
            }
            Self::IntelQeIdentity(tee) => {
                let tee = intel::word(*tee);
                format!("/{tee}/certification/v4/qe/identity?update=standard")
            }
            Self::IntelTcbInfo(tee, fmspc) => {
                let (tee, fmspc) = (intel::word(*tee), crate::hex::encode(fmspc));
                format!("/{tee}/certification/v4/tcb?fmspc={fmspc}&update=standard")
            }
            Self::MaaKeys { .. } => "/certs".to_owned(),
            Self::NrasKeys => "/.well-known/jwks.json".to_owned(),
        }
    }

    /// The header in which the issuer's certificates travel, where they do.
    #[must_use]
    pub const fn chain_header(&self) -> Option<&'static str> {
        match self {
            Self::IntelPckCrl(_) => Some("sgx-pck-crl-issuer-chain"),
            Self::IntelQeIdentity(_) => Some("sgx-enclave-identity-issuer-chain"),
            Self::IntelTcbInfo(..) => Some("tcb-info-issuer-chain"),
            Self::AmdChain(..)
            | Self::AmdCrl(..)
            | Self::AmdVcek { .. }
            | Self::GcpKeys
            | Self::IntelRootCrl
            | Self::MaaKeys { .. }
            | Self::NrasKeys => None,
        }
    }

    /// The name of the file that it is kept in. A chain that travels in a header is kept beside it, as
    /// `NAME.chain.pem`.
    #[must_use]
    pub fn file(&self) -> String {
        match self {
            Self::AmdChain(product, key) => {
                format!("amd-{product}-{}-chain.pem", key.as_str()).to_ascii_lowercase()
            }
            Self::AmdCrl(product, key) => {
                format!("amd-{product}-{}.crl", key.as_str()).to_ascii_lowercase()
            }
            Self::AmdVcek { product, chip, tcb } => amd::vcek_file(*product, chip, tcb),
            Self::GcpKeys => "gcp-keys.json".to_owned(),
            Self::IntelPckCrl(authority) => format!("intel-pck-{}.crl", authority.as_str()),
            Self::IntelQeIdentity(tee) => format!("intel-{}-qe-identity.json", intel::word(*tee)),
            Self::IntelRootCrl => "intel-root.crl".to_owned(),
            Self::IntelTcbInfo(tee, fmspc) => {
                let fmspc = crate::hex::encode(fmspc);
                format!("intel-{}-tcb-{fmspc}.json", intel::word(*tee))
            }
            Self::MaaKeys { issuer } => format!("maa-keys-{}.json", host(issuer)),
            Self::NrasKeys => "nras-keys.json".to_owned(),
        }
    }

    /// Whether it never changes: then one that is there need not be fetched again.
    #[must_use]
    pub const fn lasts(&self) -> bool {
        matches!(self, Self::AmdVcek { .. })
    }

    /// Whether what came is what was asked for. It is not verified: an appraisal does that.
    ///
    /// # Errors
    ///
    /// What it is not.
    pub fn check(&self, bytes: &[u8]) -> Result<(), String> {
        match self {
            Self::AmdChain(..) => match all_from_pem(bytes) {
                Ok(chain) if chain.len() >= 2 => Ok(()),
                Ok(_) => Err("it holds one certificate, and a chain has two".to_owned()),
                Err(error) => Err(error.to_string()),
            },
            Self::AmdCrl(..) | Self::IntelPckCrl(_) | Self::IntelRootCrl => {
                let crl = Crl::from_der(bytes);
                crl.map(|_| ()).map_err(|error| error.to_string())
            }
            Self::AmdVcek { chip, .. } => amd::check_vcek(bytes, chip),
            Self::GcpKeys | Self::MaaKeys { .. } | Self::NrasKeys => {
                let document = json(bytes)?;
                let keys = document.get("keys").and_then(Value::as_array);
                match keys.is_some_and(|keys| !keys.is_empty()) {
                    true => Ok(()),
                    false => Err("it is no set of keys".to_owned()),
                }
            }
            Self::IntelQeIdentity(tee) => {
                let id = match tee {
                    Tee::Sgx => "QE",
                    Tee::Tdx => "TD_QE",
                };
                member(&json(bytes)?, "enclaveIdentity", "id", id)
            }
            Self::IntelTcbInfo(tee, fmspc) => {
                let document = json(bytes)?;
                let id = intel::word(*tee).to_ascii_uppercase();
                member(&document, "tcbInfo", "id", &id)?;
                member(&document, "tcbInfo", "fmspc", &crate::hex::encode(fmspc))
            }
        }
    }
}

/// Whether certificates that came in a header are certificates.
///
/// # Errors
///
/// What they are not.
pub fn check_chain(pem: &[u8]) -> Result<(), String> {
    for der in all_from_pem(pem).map_err(|error| error.to_string())? {
        Certificate::from_der(&der).map_err(|error| error.to_string())?;
    }
    Ok(())
}

impl AmdKey {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Vcek => "vcek",
            Self::Vlek => "vlek",
        }
    }
}

impl PckAuthority {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Processor => "processor",
        }
    }
}

/// The issuer that a token names, before anything of it is verified.
fn issuer(token: &[u8]) -> Result<String, NeedsError> {
    let token = str::from_utf8(token).map_err(|_| NeedsError::Token("it is not a text"))?;
    let mut parts = token.trim_ascii().split('.');
    let payload = parts.nth(1).ok_or(NeedsError::Token("it has no payload"))?;
    let payload =
        b64::decode(payload).map_err(|_| NeedsError::Token("its payload is no base64url"))?;
    let claims = json(&payload).map_err(|_| NeedsError::Token("its payload is no strict JSON"))?;
    let issuer = claims.get("iss").and_then(Value::as_str);
    let issuer = issuer.ok_or(NeedsError::Token("it names no issuer"))?;
    Ok(issuer.trim_end_matches('/').to_owned())
}

/// The host of a URL, as part of a file's name.
fn host(url: &str) -> String {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let named = host.chars().map(|c| if allowed(c) { c } else { '-' });
    named.take(100).collect()
}

fn json(bytes: &[u8]) -> Result<Value, String> {
    let limits = Limits {
        bytes: 8 << 20,
        depth: 32,
        ..Limits::DOCUMENT
    };
    cmcp_json::parse(bytes, &limits).map_err(|error| format!("it is not strict JSON: {error}"))
}

fn member(document: &Value, object: &str, name: &str, expected: &str) -> Result<(), String> {
    let found = document.get(object).and_then(|object| object.get(name));
    match found.and_then(Value::as_str) {
        Some(found) if found.eq_ignore_ascii_case(expected) => Ok(()),
        Some(found) => Err(format!("`{object}.{name}` is `{found}`, not `{expected}`")),
        None => Err(format!("it has no `{object}.{name}`")),
    }
}
