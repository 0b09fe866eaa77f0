use cmcp_json::Value;

use crate::{
    Sha256Digest,
    policy::{
        Fields, Pin,
        fields::{Roots, text},
    },
    token::common::{Identity, Lifetime, issuer_name, some_of, thumbprint},
};

/// What is accepted of NVIDIA's service. Devices that can be debugged never are: there is no field for them.
#[derive(Clone, Debug)]
pub struct NrasPolicy {
    /// The services; never empty.
    pub issuers: Vec<String>,
    /// Who signs for them.
    pub signers: Signers,
    /// How long an answer counts.
    pub lifetime: Lifetime,
    /// How many devices there must be.
    pub devices: u64,
    /// Models, as NVIDIA calls them.
    pub models: Pin<String>,
    /// Versions of the driver.
    pub driver_versions: Pin<String>,
    /// Versions of the VBIOS.
    pub vbios_versions: Pin<String>,
    /// Identifiers of devices (`ueid`).
    pub device_ids: Pin<String>,
    /// What to do about the service's warnings.
    pub warnings: Warnings,
    /// Whether something says whose devices they are.
    pub identity: Identity,
}

/// Who signs for the service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Signers {
    /// Keys of these thumbprints; never empty.
    Keys(Vec<Sha256Digest>),
    /// Keys whose certificates, in the header or with the key in a key set, lead to these roots: the
    /// service changes its keys every other day.
    Roots(Roots),
}

/// What to do about the service's warnings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Warnings {
    /// A warning is a failure.
    Refused,
    /// A warning is passed on.
    Tolerated,
}

impl NrasPolicy {
    /// Reads its section.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let issuers = some_of(fields, "issuers", issuer_name);
        let signers = fields.section("signers", Signers::read);
        let lifetime = fields.section("lifetime", Lifetime::read);
        let devices = fields.read("devices", |value| match value.as_u64() {
            Some(number @ 1..=64) => Ok(number),
            Some(_) | None => Err("must be a whole number from 1 to 64".to_owned()),
        });
        let models = fields.pin("models", text);
        let driver_versions = fields.pin("driver_versions", text);
        let vbios_versions = fields.pin("vbios_versions", text);
        let device_ids = fields.pin("device_ids", text);
        let words = [
            ("refused", Warnings::Refused),
            ("tolerated", Warnings::Tolerated),
        ];
        let warnings = fields.word("warnings", &words);
        let pinned = device_ids.as_ref().map(|ids| !ids.is_any());
        let identity = Identity::read(fields, pinned, "`device_ids`");
        Some(Self {
            issuers: issuers?,
            signers: signers?,
            lifetime: lifetime?,
            devices: devices?,
            models: models?,
            driver_versions: driver_versions?,
            vbios_versions: vbios_versions?,
            device_ids: device_ids?,
            warnings: warnings?,
            identity: identity?,
        })
    }
}

impl Signers {
    /// Either keys or roots; the other one is `none`.
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let keys = fields.read("keys", |value| match (value.as_str(), value.as_array()) {
            (Some("none"), _) => Ok(None),
            (_, Some(list)) if !list.is_empty() => {
                let keys: Result<Vec<Sha256Digest>, String> = list.iter().map(thumbprint).collect();
                keys.map(Some)
            }
            (_, _) => Err("must be `none` or a list of thumbprints".to_owned()),
        });
        let mut none = false;
        fields.read("roots", |value: &Value| {
            none = value.as_str() == Some("none");
            if value.as_str() == Some("vendor") {
                return Err("no root of the service is compiled in: give its certificate, PEM, or write `none`".to_owned());
            }
            Ok(())
        })?;
        let roots = if none {
            None
        } else {
            Some(fields.roots("roots")?)
        };
        match (keys?, roots) {
            (Some(keys), None) => Some(Self::Keys(keys)),
            (None, Some(roots)) => Some(Self::Roots(roots)),
            (None, None) => {
                fields.fault("keys", "and `roots` are `none`: say who may sign");
                None
            }
            (Some(_), Some(_)) => {
                fields.fault(
                    "keys",
                    "and `roots` are both given: write `none` for one of them",
                );
                None
            }
        }
    }
}
