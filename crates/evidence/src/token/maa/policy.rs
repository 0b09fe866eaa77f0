use cmcp_json::{Object, Value};

use crate::{
    Sha256Digest, b64,
    policy::{
        Fields, Measurements, Pin,
        fields::{number, text},
    },
    token::common::{Identity, Lifetime, NonceForm, issuer_name, mapping, some_of, thumbprint},
};

/// What is accepted of tokens of Microsoft Azure Attestation. Debuggable guests never are: there is no
/// field for them.
#[derive(Clone, Debug)]
pub struct MaaPolicy {
    /// The instances; never empty.
    pub issuers: Vec<Issuer>,
    /// How long a token counts.
    pub lifetime: Lifetime,
    /// How the challenge is written in the runtime data.
    pub nonce: NonceForm,
    /// What may run; never empty.
    pub workloads: Vec<Workload>,
    /// Launch measurements.
    pub measurements: MaaMeasurements,
    /// Digests of container policies, 32 bytes.
    pub host_data: Pin<Vec<u8>>,
    /// Digests of ID keys, 48 bytes.
    pub id_key_digests: Pin<Vec<u8>>,
    /// Thumbprints of keys in the runtime data.
    pub runtime_keys: Pin<Sha256Digest>,
    /// Identifiers of virtual machines.
    pub vm_ids: Pin<String>,
    /// Privilege levels; never empty.
    pub vmpl: Vec<u64>,
    /// Whether simultaneous multithreading may be on.
    pub smt: Boot,
    /// Floors of security versions.
    pub minimum: Least,
    /// What endorses the utility VM of a container group; none where no container group is accepted.
    pub uvm: Option<Uvm>,
    /// Whether a virtual machine must boot securely.
    pub secure_boot: Boot,
    /// Whether something says whose machine it is.
    pub identity: Identity,
}

/// An instance of the service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuer {
    /// Its address.
    pub name: String,
    /// Thumbprints of its keys; never empty.
    pub keys: Vec<Sha256Digest>,
    /// Hashes of the policies it may apply. Anybody may run an instance with a policy of their own, so
    /// only the shared ones go without.
    pub policy_hashes: Pin<String>,
}

/// What a token may be of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Workload {
    /// A confidential container group.
    ContainerGroup,
    /// A confidential pod of Kubernetes.
    Kata,
    /// A confidential virtual machine.
    Cvm,
}

impl Workload {
    /// Attestation type and compliance status.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::ContainerGroup => ("sevsnpvm", "azure-compliant-uvm"),
            Self::Kata => ("sevsnpvm", "azure-signed-katacc-uvm"),
            Self::Cvm => ("sevsnpvm", "azure-compliant-cvm"),
        }
    }

    /// Whether containers run under a policy of their own.
    #[must_use]
    pub const fn has_containers(self) -> bool {
        match self {
            Self::ContainerGroup | Self::Kata => true,
            Self::Cvm => false,
        }
    }
}

/// Which launch measurements are accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MaaMeasurements {
    /// Those that Microsoft endorses: the compliance status says so of a virtual machine, the utility VM's
    /// endorsement of a container group.
    Endorsed,
    /// Those that are named.
    Named(Measurements),
}

/// Whether something must be on, or need not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Boot {
    /// The safe setting is required.
    Required,
    /// Either will do.
    NotRequired,
}

/// Floors of security versions, each compared on its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Least {
    /// Of the guest.
    pub guest_svn: u64,
    /// Of the boot loader.
    pub bootloader: u64,
    /// Of the secure processor's system.
    pub tee: u64,
    /// Of the SNP firmware.
    pub snp: u64,
    /// Of the microcode.
    pub microcode: u64,
}

/// What endorses a utility VM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Uvm {
    /// Who: a `did:x509`.
    pub issuer: String,
    /// As what; never empty.
    pub feeds: Vec<String>,
    /// In which version at least.
    pub minimum_svn: u64,
}

impl MaaPolicy {
    /// Reads its section.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let issuers = some_of(fields, "issuers", |value| mapping(value, Issuer::read));
        let lifetime = fields.section("lifetime", Lifetime::read);
        let nonce = NonceForm::read(fields);
        let workloads = some_of(fields, "workloads", workload);
        let measurements = measurements(fields);
        let host_data = fields.hex_pin("host_data", 32);
        let id_key_digests = fields.hex_pin("id_key_digests", 48);
        let runtime_keys = fields.pin("runtime_keys", thumbprint);
        let vm_ids = fields.pin("vm_ids", text);
        let vmpl = some_of(fields, "vmpl", |value| number(value, 3));
        let smt = fields.word(
            "smt",
            &[("refused", Boot::Required), ("allowed", Boot::NotRequired)],
        );
        let minimum = fields.section("minimum", Least::read);
        let uvm = fields.section_or("uvm", "not-required", Uvm::read);
        let words = [
            ("required", Boot::Required),
            ("not-required", Boot::NotRequired),
        ];
        let secure_boot = fields.word("secure_boot", &words);
        let pinned = host_data
            .as_ref()
            .zip(runtime_keys.as_ref())
            .zip(vm_ids.as_ref())
            .map(|((host, keys), vms)| !(host.is_any() && keys.is_any() && vms.is_any()));
        let identity = Identity::read(fields, pinned, "`host_data`, `runtime_keys` and `vm_ids`");
        let policy = Self {
            issuers: issuers?,
            lifetime: lifetime?,
            nonce: nonce?,
            workloads: workloads?,
            measurements: measurements?,
            host_data: host_data?,
            id_key_digests: id_key_digests?,
            runtime_keys: runtime_keys?,
            vm_ids: vm_ids?,
            vmpl: vmpl?,
            smt: smt?,
            minimum: minimum?,
            uvm: uvm?,
            secure_boot: secure_boot?,
            identity: identity?,
        };
        policy.agrees(fields).then_some(policy)
    }

    fn agrees(&self, fields: &mut Fields<'_>) -> bool {
        let containers = self
            .workloads
            .iter()
            .any(|workload| workload.has_containers());
        match (containers, &self.uvm) {
            (true, None) => {
                fields.fault(
                    "uvm",
                    "is `not-required`, and `workloads` has containers, which run in a utility VM",
                );
                false
            }
            (false, Some(_)) => {
                fields.fault("uvm", "endorses a utility VM, and `workloads` has no containers: write `not-required`");
                false
            }
            (true, Some(_)) | (false, None) => true,
        }
    }

    /// The instance that says it issued these claims. One slash at the end of its address is cut off.
    #[must_use]
    pub fn issuer_of(&self, claims: &Object) -> Option<&Issuer> {
        let name = claims.get("iss").and_then(Value::as_str)?;
        let name = name.strip_suffix('/').unwrap_or(name);
        self.issuers.iter().find(|issuer| issuer.name == name)
    }
}

impl Issuer {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let name = fields.read("issuer", issuer_name);
        let keys = some_of(fields, "keys", thumbprint);
        let policy_hashes = fields.pin("policy_hashes", |value| {
            let hash = value
                .as_str()
                .filter(|text| b64::decode_array::<32>(text).is_ok());
            hash.map(str::to_owned).ok_or_else(|| {
                "must be a SHA-256 digest in base64url, as `x-ms-policy-hash` has it".to_owned()
            })
        });
        let (name, keys, policy_hashes) = (name?, keys?, policy_hashes?);
        if policy_hashes.is_any() && !is_shared(&name) {
            fields.fault("policy_hashes", "is `any`, and the instance is not one of Microsoft's shared ones: pin the policy that it applies");
            return None;
        }
        Some(Self {
            name,
            keys,
            policy_hashes,
        })
    }
}

/// Microsoft's shared instances have one name for each region.
fn is_shared(name: &str) -> bool {
    let host = name.strip_prefix("https://shared").unwrap_or_default();
    let host = host.strip_suffix(".attest.azure.net").unwrap_or_default();
    host.split_once('.').is_some_and(|(region, short)| {
        let plain = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        plain(region) && plain(short)
    })
}

impl Least {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let guest_svn = fields.number("guest_svn", u64::from(u32::MAX));
        let bootloader = fields.number("bootloader", 255);
        let tee = fields.number("tee", 255);
        let snp = fields.number("snp", 255);
        let microcode = fields.number("microcode", 255);
        Some(Self {
            guest_svn: guest_svn?,
            bootloader: bootloader?,
            tee: tee?,
            snp: snp?,
            microcode: microcode?,
        })
    }
}

impl Uvm {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let issuer = fields.text("issuer");
        let feeds = some_of(fields, "feeds", text);
        let minimum_svn = fields.number("minimum_svn", u64::from(u32::MAX));
        Some(Self {
            issuer: issuer?,
            feeds: feeds?,
            minimum_svn: minimum_svn?,
        })
    }
}

fn workload(value: &Value) -> Result<Workload, String> {
    match value.as_str() {
        Some("container-group") => Ok(Workload::ContainerGroup),
        Some("kata") => Ok(Workload::Kata),
        Some("cvm") => Ok(Workload::Cvm),
        Some(_) | None => Err("must be among container-group, kata, cvm".to_owned()),
    }
}

fn measurements(fields: &mut Fields<'_>) -> Option<MaaMeasurements> {
    let mut endorsed = false;
    let word = fields.read("measurements", |value| {
        endorsed = value.as_str() == Some("endorsed");
        Ok(())
    });
    word?;
    if endorsed {
        return Some(MaaMeasurements::Endorsed);
    }
    fields
        .measurements("measurements", 48)
        .map(MaaMeasurements::Named)
}
