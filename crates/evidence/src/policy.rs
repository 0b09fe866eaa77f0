//! The appraisal policy: which evidence is accepted, written so that a person can read and sign it.
//!
//! Every field is decided in the document. There is no default for a field that is not there, and a
//! field that is not known is an error: what was not decided was not thought of.

pub(crate) mod fields;

pub use fields::{Fields, Measurements, Pin, PolicyFault};

use cmcp_json::Value;

use crate::{
    Platform,
    azure::{AciPolicy, AzureSnpPolicy, AzureTdxPolicy},
    dcap::{SgxPolicy, TdxPolicy},
    gpu::GpuPolicy,
    hex,
    nitro::NitroPolicy,
    snp::SnpPolicy,
    token::{GcpPolicy, MaaPolicy, NrasPolicy},
    tpm::TpmPolicy,
};

/// Whether evidence has to be made for somebody's challenge.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Freshness {
    /// The verifier says what the evidence must be bound to; else it is refused.
    Required,
    /// Evidence that could have been recorded earlier is taken.
    Unproven,
}

/// A measurement of a release that must not be trusted any more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Withdrawn {
    /// The measurement, or another value that says what runs.
    pub value: Vec<u8>,
    /// Why, for whoever is refused.
    pub reason: String,
}

/// The document: one section for each platform, or none where it is refused.
#[derive(Clone, Debug)]
pub struct ReferenceValues {
    /// Whether evidence must be bound to a challenge.
    pub freshness: Freshness,
    /// What was taken back, whatever else accepts it.
    pub withdrawn: Vec<Withdrawn>,
    /// Azure confidential containers.
    pub aci: Option<AciPolicy>,
    /// SEV-SNP on Azure.
    pub azure_snp: Option<AzureSnpPolicy>,
    /// TDX on Azure.
    pub azure_tdx: Option<AzureTdxPolicy>,
    /// Confidential Space.
    pub gcp: Option<GcpPolicy>,
    /// NVIDIA GPUs.
    pub gpu: Option<GpuPolicy>,
    /// Tokens of Microsoft Azure Attestation.
    pub maa: Option<MaaPolicy>,
    /// AWS Nitro.
    pub nitro: Option<NitroPolicy>,
    /// Tokens of NVIDIA's service.
    pub nras: Option<NrasPolicy>,
    /// SGX.
    pub sgx: Option<SgxPolicy>,
    /// SEV-SNP.
    pub snp: Option<SnpPolicy>,
    /// TDX.
    pub tdx: Option<TdxPolicy>,
    /// TPM 2.0.
    pub tpm: Option<TpmPolicy>,
}

impl ReferenceValues {
    /// Refuses every platform; sections are added to it in code.
    #[must_use]
    pub const fn refusing_all(freshness: Freshness) -> Self {
        Self {
            freshness,
            withdrawn: Vec::new(),
            aci: None,
            azure_snp: None,
            azure_tdx: None,
            gcp: None,
            gpu: None,
            maa: None,
            nitro: None,
            nras: None,
            sgx: None,
            snp: None,
            tdx: None,
            tpm: None,
        }
    }

    /// Reads the document: `format: cmcp-reference-values/v1`, `freshness`, and for each platform its
    /// section or the word `refused`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its place.
    pub fn read(document: &Value) -> Result<Self, Vec<PolicyFault>> {
        let mut faults = Vec::new();
        let read =
            Fields::open(document, "", &mut faults).and_then(|fields| Self::read_fields(fields));
        match read {
            Some(values) if faults.is_empty() => Ok(values),
            Some(_) | None => Err(faults),
        }
    }

    fn read_fields(mut fields: Fields<'_>) -> Option<Self> {
        let format = fields.word("format", &[("cmcp-reference-values/v1", ())]);
        let freshness = fields.word(
            "freshness",
            &[
                ("challenge-required", Freshness::Required),
                ("unproven", Freshness::Unproven),
            ],
        );
        let withdrawn = fields.read("withdrawn", withdrawn);
        let aci = fields.platform(Platform::Aci, AciPolicy::read);
        let azure_snp = fields.platform(Platform::AzureSnp, AzureSnpPolicy::read);
        let azure_tdx = fields.platform(Platform::AzureTdx, AzureTdxPolicy::read);
        let gcp = fields.platform(Platform::Gcp, GcpPolicy::read);
        let gpu = fields.platform(Platform::Gpu, GpuPolicy::read);
        let maa = fields.platform(Platform::Maa, MaaPolicy::read);
        let nitro = fields.platform(Platform::Nitro, NitroPolicy::read);
        let nras = fields.platform(Platform::Nras, NrasPolicy::read);
        let sgx = fields.platform(Platform::Sgx, SgxPolicy::read);
        let snp = fields.platform(Platform::Snp, SnpPolicy::read);
        let tdx = fields.platform(Platform::Tdx, TdxPolicy::read);
        let tpm = fields.platform(Platform::Tpm, TpmPolicy::read);
        fields.close();
        format?;
        Some(Self {
            freshness: freshness?,
            withdrawn: withdrawn?,
            aci: aci?,
            azure_snp: azure_snp?,
            azure_tdx: azure_tdx?,
            gcp: gcp?,
            gpu: gpu?,
            maa: maa?,
            nitro: nitro?,
            nras: nras?,
            sgx: sgx?,
            snp: snp?,
            tdx: tdx?,
            tpm: tpm?,
        })
    }
}

/// `none`, or a mapping of measurements, in hexadecimal digits, to reasons.
fn withdrawn(value: &Value) -> Result<Vec<Withdrawn>, String> {
    const FORM: &str = "must be `none` or a mapping of measurements to reasons";
    if value.as_str() == Some("none") {
        return Ok(Vec::new());
    }
    let entries = value.as_object().ok_or(FORM)?.iter();
    if entries.len() == 0 {
        return Err("is empty: name what was withdrawn, or write `none`".to_owned());
    }
    let read = |(value, reason): (&str, &Value)| {
        Ok(Withdrawn {
            value: hex::decode(value).map_err(|error| format!("`{value}`: {error}"))?,
            reason: fields::text(reason)?,
        })
    };
    entries.map(read).collect()
}

#[cfg(test)]
mod tests;
