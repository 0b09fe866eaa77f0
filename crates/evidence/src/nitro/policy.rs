//! What is accepted of a Nitro document.

use std::time::Duration;

use cmcp_json::Value;

use super::{
    Kind,
    document::{MAX_KEY, PCR_BYTES, PCRS},
};
use crate::{
    hex,
    policy::{
        Fields, Measurements, Pin,
        fields::{Roots, hex_of, text},
    },
};

/// What a field that the enclave or instance filled in must hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FieldRule {
    /// The word `binding`: what the verifier expects the document to be bound to.
    Binding,
    /// The word `absent`: nothing.
    Absent,
    /// The word `any`: whatever was put there; it is stated in the result.
    Any,
    /// One of these; never empty.
    OneOf(Vec<Vec<u8>>),
}

/// What the registers must hold that no field of their own is decided for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Registers {
    /// The word `any`: whatever was measured.
    Any,
    /// What they hold before anything is measured, but for these. The word `unused` is none of these.
    UnusedBut(Vec<(u8, Vec<u8>)>),
}

/// What an enclave is accepted by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EnclavePolicy {
    /// PCR0: the image.
    pub measurements: Measurements,
    /// PCR1: kernel and boot ramdisk.
    pub pcr1: Pin<Vec<u8>>,
    /// PCR2: the application.
    pub pcr2: Pin<Vec<u8>>,
    /// PCR3: the parent instance's role.
    pub pcr3: Pin<Vec<u8>>,
    /// PCR4: the parent instance.
    pub pcr4: Pin<Vec<u8>>,
    /// PCR8: the certificate that the image is signed with.
    pub pcr8: Pin<Vec<u8>>,
    /// The others.
    pub other_pcrs: Registers,
}

/// What an instance with a NitroTPM is accepted by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InstancePolicy {
    /// PCR4: what UEFI started.
    pub pcr4: Pin<Vec<u8>>,
    /// PCR7: which keys UEFI's secure boot trusts.
    pub pcr7: Pin<Vec<u8>>,
    /// PCR12: the command line.
    pub pcr12: Pin<Vec<u8>>,
    /// The others from 8; those of AWS's firmware, 0 to 3, 5 and 6, are AWS's to change.
    pub other_pcrs: Registers,
}

/// What is accepted of a Nitro document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NitroPolicy {
    /// Whose signature counts.
    pub roots: Roots,
    /// Whether the authorities' revocation lists are needed.
    pub revocation: Revocation,
    /// How old a document may be.
    pub max_age: Duration,
    /// How far its clock may be ahead.
    pub max_skew: Duration,
    /// Whether it must be known whose machine it is.
    pub identity: Identity,
    /// The instances it may run on.
    pub instances: Pin<String>,
    /// The field `nonce`.
    pub nonce: FieldRule,
    /// The field `user_data`.
    pub user_data: FieldRule,
    /// The field `public_key`.
    pub public_key: FieldRule,
    /// Enclaves, unless they are refused.
    pub enclave: Option<EnclavePolicy>,
    /// Instances, unless they are refused.
    pub instance: Option<InstancePolicy>,
}

/// Whether revocation lists are needed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Revocation {
    /// From every authority that says where it publishes one.
    CrlRequired,
    /// They are not looked at.
    NotChecked,
}

/// Whether it must be known whose machine it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Identity {
    /// At least one pin names the machine or its owner.
    Pinned,
    /// Anybody's.
    DangerAnyMachine,
}

impl NitroPolicy {
    /// Reads its section.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let roots = fields.roots("roots");
        let revocation = fields.word(
            "revocation",
            &[
                ("crl-required", Revocation::CrlRequired),
                ("not-checked", Revocation::NotChecked),
            ],
        );
        let max_age = fields.number("max_age_seconds", MAX_AGE);
        let max_skew = fields.number("max_skew_seconds", MAX_SKEW);
        let identity = fields.word(
            "identity",
            &[
                ("pinned", Identity::Pinned),
                ("danger-any-machine", Identity::DangerAnyMachine),
            ],
        );
        let instances = fields.pin("instances", instance);
        let nonce = fields.read("nonce", |value| rule(value, Bindable::Yes));
        let user_data = fields.read("user_data", |value| rule(value, Bindable::Yes));
        let public_key = fields.read("public_key", |value| rule(value, Bindable::No));
        let enclave = fields.section_or("enclave", "refused", EnclavePolicy::read);
        let instance = fields.section_or("instance", "refused", InstancePolicy::read);
        let policy = Self {
            roots: roots?,
            revocation: revocation?,
            max_age: Duration::from_secs(max_age?),
            max_skew: Duration::from_secs(max_skew?),
            identity: identity?,
            instances: instances?,
            nonce: nonce?,
            user_data: user_data?,
            public_key: public_key?,
            enclave: enclave?,
            instance: instance?,
        };
        policy.contradictions(fields);
        Some(policy)
    }

    /// Whether a pin says which machine a document of this kind comes from, or whose it is.
    #[must_use]
    pub fn names_a_machine(&self, kind: Kind) -> bool {
        let by_register = match (kind, &self.enclave) {
            (Kind::Enclave, Some(enclave)) => !enclave.pcr3.is_any() || !enclave.pcr4.is_any(),
            (Kind::Enclave, None) | (Kind::Instance, _) => false,
        };
        by_register || !self.instances.is_any()
    }

    fn contradictions(&self, fields: &mut Fields<'_>) {
        match (&self.nonce, &self.user_data) {
            (FieldRule::Binding, FieldRule::Binding) => fields.fault(
                "user_data",
                "carries the binding, and so does `nonce`: only one of them can",
            ),
            (FieldRule::Binding, _) | (_, FieldRule::Binding) => {}
            (_, _) => fields.fault(
                "user_data",
                "write `binding` here or for `nonce`: nothing else says what a document was made for",
            ),
        }
        let accepted = [
            (Kind::Enclave, self.enclave.is_some()),
            (Kind::Instance, self.instance.is_some()),
        ];
        if accepted.iter().all(|(_, accepted)| !accepted) {
            fields.fault(
                "enclave",
                "is refused, and so are instances: refuse the platform instead",
            );
        }
        for (kind, accepted) in accepted {
            if accepted && self.identity == Identity::Pinned && !self.names_a_machine(kind) {
                fields.fault(
                    "identity",
                    format!(
                        "is pinned, and nothing says whose {} it is: name `instances`, PCR3 or PCR4, or write `danger-any-machine`",
                        kind.as_str()
                    ),
                );
            }
        }
    }
}

impl EnclavePolicy {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let measurements = fields.measurements("measurements", PCR_BYTES);
        let pcr1 = fields.hex_pin("pcr1", PCR_BYTES);
        let pcr2 = fields.hex_pin("pcr2", PCR_BYTES);
        let pcr3 = fields.hex_pin("pcr3", PCR_BYTES);
        let pcr4 = fields.hex_pin("pcr4", PCR_BYTES);
        let pcr8 = fields.hex_pin("pcr8", PCR_BYTES);
        let other_pcrs = registers(fields, &[0, 1, 2, 3, 4, 8]);
        Some(Self {
            measurements: measurements?,
            pcr1: pcr1?,
            pcr2: pcr2?,
            pcr3: pcr3?,
            pcr4: pcr4?,
            pcr8: pcr8?,
            other_pcrs: other_pcrs?,
        })
    }
}

impl InstancePolicy {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let pcr4 = fields.hex_pin("pcr4", PCR_BYTES);
        let pcr7 = fields.hex_pin("pcr7", PCR_BYTES);
        let pcr12 = fields.hex_pin("pcr12", PCR_BYTES);
        let other_pcrs = registers(fields, &[0, 1, 2, 3, 4, 5, 6, 7, 12]);
        let policy = Self {
            pcr4: pcr4?,
            pcr7: pcr7?,
            pcr12: pcr12?,
            other_pcrs: other_pcrs?,
        };
        if policy.pcr4.is_any() && policy.pcr7.is_any() {
            fields.fault(
                "pcr4",
                "is any, and so is `pcr7`: one of them says what was started",
            );
        }
        if policy.pcr7.is_any() && policy.pcr12.is_any() {
            fields.fault(
                "pcr12",
                "is any: without secure boot's `pcr7` the command line must be pinned with what it is for",
            );
        }
        Some(policy)
    }
}

enum Bindable {
    Yes,
    No,
}

fn rule(value: &Value, bindable: Bindable) -> Result<FieldRule, String> {
    match (value.as_str(), value.as_array(), bindable) {
        (Some("binding"), _, Bindable::Yes) => Ok(FieldRule::Binding),
        (Some("absent"), _, _) => Ok(FieldRule::Absent),
        (Some("any"), _, _) => Ok(FieldRule::Any),
        (_, Some([]), _) => Err("is an empty list: write what is accepted, or `any`".to_owned()),
        (_, Some(list), _) => {
            let values: Result<Vec<Vec<u8>>, String> = list.iter().map(data).collect();
            values.map(FieldRule::OneOf)
        }
        (_, None, Bindable::Yes) => {
            Err("must be `binding`, `absent`, `any` or a list of hexadecimal values".to_owned())
        }
        (_, None, Bindable::No) => {
            Err("must be `absent`, `any` or a list of hexadecimal values".to_owned())
        }
    }
}

fn data(value: &Value) -> Result<Vec<u8>, String> {
    let bytes = hex::decode(&text(value)?).map_err(|error| error.to_string())?;
    if bytes.len() > MAX_KEY {
        return Err(format!(
            "has more than {MAX_KEY} bytes, and no field holds so many"
        ));
    }
    Ok(bytes)
}

fn instance(value: &Value) -> Result<String, String> {
    let text = text(value)?;
    let digits = text.strip_prefix("i-").unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!(
            "`{text}` is no instance; they look like `i-0123456789abcdef0`"
        ));
    }
    Ok(text)
}

fn registers(fields: &mut Fields<'_>, decided: &[u8]) -> Option<Registers> {
    fields.read("other_pcrs", |value| {
        match (value.as_str(), value.as_object()) {
            (Some("any"), _) => Ok(Registers::Any),
            (Some("unused"), _) => Ok(Registers::UnusedBut(Vec::new())),
            (_, Some(listed)) if listed.iter().len() > 0 => {
                let read = |(name, value): (&str, &Value)| {
                    let index = name.parse::<u8>().ok();
                    let index = index.filter(|index| *index < PCRS && index.to_string() == name);
                    let index =
                        index.ok_or_else(|| format!("`{name}` is no register from 0 to 31"))?;
                    if decided.contains(&index) {
                        return Err(format!("PCR{index} has a field of its own, or is AWS's"));
                    }
                    let value =
                        hex_of(value, PCR_BYTES).map_err(|what| format!("`{name}` {what}"))?;
                    Ok((index, value))
                };
                let list: Result<Vec<(u8, Vec<u8>)>, String> = listed.iter().map(read).collect();
                list.map(Registers::UnusedBut)
            }
            (_, _) => Err(
                "must be `any`, `unused`, or a mapping of numbers to values that are not unused"
                    .to_owned(),
            ),
        }
    })
}

// The certificate that signs a document lives three hours.
const MAX_AGE: u64 = 3 * 60 * 60;
const MAX_SKEW: u64 = 300;
