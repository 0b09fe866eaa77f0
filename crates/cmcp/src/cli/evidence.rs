//! `cmcp evidence` and `cmcp measure`.

use std::path::PathBuf;

use clap::{
    Args, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use cmcp_evidence::{Part, Platform, Timestamp, snp::Product, wire::certificate::Legacy};

#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Judge evidence by reference values, offline.
    #[command(after_help = VERIFY)]
    Verify(Box<EvidenceVerifyArgs>),
    /// Explain every field of evidence, without judging it.
    #[command(after_help = SHOW)]
    Show(EvidenceShowArgs),
    /// Fetch what endorses evidence into a folder.
    #[command(after_help = REFRESH)]
    Refresh(Box<EvidenceRefreshArgs>),
    /// Print the reference values that are used where none are named, or check others.
    #[command(after_help = REFERENCE_VALUES)]
    ReferenceValues(ReferenceValuesArgs),
}

/// Evidence, where one file does not say all of it.
#[derive(Args, Debug)]
pub(crate) struct EvidenceFile {
    /// The evidence.
    #[arg(value_name = "FILE")]
    pub(crate) evidence: PathBuf,
    /// Add a part that lies in a file of its own, as `event_log=ccel.dat`; more than once.
    #[arg(long, value_name = "PART=FILE", value_parser = part)]
    pub(crate) part: Vec<(Part, PathBuf)>,
    /// Whose evidence it is, where its format is used by several: an SEV-SNP report by `snp` and `aci`.
    #[arg(long, value_name = "NAME", value_parser = platform())]
    pub(crate) platform: Option<Platform>,
    /// Read evidence in a certificate from this issuer's own extension, where there is no other.
    #[arg(long, value_enum, value_name = "ISSUER")]
    pub(crate) legacy_extension: Vec<LegacyWord>,
}

fn part(text: &str) -> Result<(Part, PathBuf), String> {
    let (name, path) = text.split_once('=').unwrap_or((text, ""));
    let part = Part::ALL.into_iter().find(|part| part.as_str() == name);
    match part {
        Some(part) if !path.is_empty() => Ok((part, PathBuf::from(path))),
        Some(_) => Err("write PART=FILE, as `event_log=ccel.dat`".to_owned()),
        None => {
            let known = Part::ALL.map(Part::as_str).join(", ");
            Err(format!("parts are: {known}"))
        }
    }
}

fn platform() -> impl TypedValueParser<Value = Platform> {
    PossibleValuesParser::new(Platform::ALL.map(Platform::as_str))
        .try_map(|name| Platform::parse(&name).ok_or("it is none of them"))
}

#[derive(Args, Debug)]
pub(crate) struct EvidenceVerifyArgs {
    #[command(flatten)]
    pub(crate) file: EvidenceFile,
    /// Certificates, revocation lists, collateral, keys, manifests: files, or folders of them; more than
    /// once.
    #[arg(long, value_name = "PATH")]
    pub(crate) endorsements: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reference_values: ReferenceValuesFile,
    /// The challenge that the evidence must carry: hexadecimal digits in lower case, else base64url;
    /// `hex:` or `base64url:` before it says which.
    #[arg(long, value_name = "NONCE", conflicts_with = "report_data")]
    pub(crate) nonce: Option<String>,
    /// The 64 bytes of report data that the evidence must carry, in hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    pub(crate) report_data: Option<String>,
    /// Judge as of this time, as `2026-06-05T00:00:00Z`. Default: now.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse_rfc3339)]
    pub(crate) at: Option<Timestamp>,
    /// With `--format ear`: sign the result with this Ed25519 key, PEM (PKCS#8).
    #[arg(long, value_name = "FILE")]
    pub(crate) sign_key: Option<PathBuf>,
}

/// The words of `--legacy-extension`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LegacyWord {
    Dstack,
    Gramine,
}

impl From<LegacyWord> for Legacy {
    fn from(word: LegacyWord) -> Self {
        match word {
            LegacyWord::Dstack => Self::Dstack,
            LegacyWord::Gramine => Self::Gramine,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct ReferenceValuesFile {
    /// What is accepted. Default: what `cmcp evidence reference-values` prints.
    #[arg(long, value_name = "FILE")]
    pub(crate) reference_values: Option<PathBuf>,
    /// The key that must have signed it: the signature is in FILE.sig. Hexadecimal, base64url, or a PEM
    /// file.
    #[arg(long, value_name = "KEY", requires = "reference_values")]
    pub(crate) reference_values_key: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct EvidenceShowArgs {
    #[command(flatten)]
    pub(crate) file: EvidenceFile,
}

#[derive(Args, Debug)]
pub(crate) struct EvidenceRefreshArgs {
    #[command(flatten)]
    pub(crate) file: EvidenceFile,
    /// Where to write. Certificates of chips that lie there already are not fetched again.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) into: PathBuf,
    /// AMD's product name, for reports that do not say it (version 2).
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) product: Option<ProductWord>,
    #[command(flatten)]
    pub(crate) services: ServicesArgs,
    /// Host names of services that may resolve to private addresses.
    #[arg(long, value_name = "HOSTS", value_delimiter = ',', value_parser = super::host_name)]
    pub(crate) allow_private_hosts: Vec<String>,
}

/// The words of `--product`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProductWord {
    Milan,
    Genoa,
    Turin,
}

impl From<ProductWord> for Product {
    fn from(word: ProductWord) -> Self {
        match word {
            ProductWord::Milan => Self::Milan,
            ProductWord::Genoa => Self::Genoa,
            ProductWord::Turin => Self::Turin,
        }
    }
}

/// Where the services are.
#[derive(Args, Debug)]
pub(crate) struct ServicesArgs {
    /// AMD's key distribution service.
    #[arg(long, value_name = "URL", default_value = "https://kdsintf.amd.com")]
    pub(crate) kds: String,
    /// Intel's provisioning certification service, or a cache of it.
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://api.trustedservices.intel.com"
    )]
    pub(crate) pcs: String,
    /// The revocation list of Intel's root.
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
    )]
    pub(crate) intel_root_crl: String,
    /// The instance of Microsoft Azure Attestation. Default: the token's issuer, if it is below
    /// `attest.azure.net`.
    #[arg(long, value_name = "URL")]
    pub(crate) maa: Option<String>,
    /// NVIDIA's remote attestation service.
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://nras.attestation.nvidia.com"
    )]
    pub(crate) nras: String,
    /// The keys of Google's Confidential Space.
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://www.googleapis.com/service_accounts/v1/metadata/jwk/signer@confidentialspace-sign.iam.gserviceaccount.com"
    )]
    pub(crate) gcp_keys: String,
}

#[derive(Args, Debug)]
pub(crate) struct ReferenceValuesArgs {
    /// Check this document instead, and its signature if a key is named.
    #[command(flatten)]
    pub(crate) file: ReferenceValuesFile,
}

const VERIFY: &str = "Examples:\n  \
    cmcp evidence verify quote.bin --endorsements collateral/ --reference-values mine.yaml --nonce 5f3c…\n  \
    cmcp evidence verify report.bin --endorsements vcek.der --at 2026-06-05T00:00:00Z --format json\n\n\
    Exit codes: 0 affirming; 1 contraindicated: a check failed; 2 usage; 3 warning: every check holds but\n\
    for what the reference values tolerate by name; 4 not evidence; 5 none: software proves nothing;\n\
    6 a file cannot be read or written; 7 the reference values or a key are not usable; 8 the reference\n\
    values are not signed by that key; 9 incomplete: none failed, some could not be made.";
const SHOW: &str = "Example: cmcp evidence show quote.bin\n\n\
    Exit codes: 0 shown; 2 usage; 4 not evidence; 6 the file cannot be read.";
const REFRESH: &str = "Examples:\n  cmcp evidence refresh quote.bin --into collateral/\n  \
    cmcp evidence refresh quote.bin --into collateral/ --pcs https://pccs.example:8081 \\\n    \
    --allow-private-hosts pccs.example\n\n\
    Exit codes: 0 all written; 2 usage; 4 not evidence, or nothing that a service endorses; 6 a file\n\
    cannot be read or written; 10 a service did not answer as it should; 11 it sent something else.";
const REFERENCE_VALUES: &str = "Examples:\n  cmcp evidence reference-values > mine.yaml\n  \
    cmcp evidence reference-values --reference-values mine.yaml\n\n\
    Exit codes: 0 printed, or valid; 2 usage; 6 the file cannot be read; 7 not usable, with every\n\
    problem; 8 not signed by that key.";
