//! What a PCK certificate says about the machine: the extension 1.2.840.113741.1.13.1.

use der::{
    Decode as _, Reader as _, SliceReader, Tag,
    asn1::{AnyRef, ObjectIdentifier},
};

/// What a PCK certificate says about the machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Machine {
    /// Identifies the processor package.
    pub ppid: [u8; 16],
    /// Security versions of the machine's components.
    pub components: [u8; 16],
    /// Security version of the provisioning certification enclave.
    pub pce_svn: u16,
    /// The components as the processor encodes them.
    pub cpu_svn: [u8; 16],
    /// Identifies the provisioning certification enclave.
    pub pce_id: [u8; 2],
    /// Kind of machine: family, model, stepping, platform, custom SKU.
    pub fmspc: [u8; 6],
    /// How memory is protected.
    pub memory: Memory,
    /// Identifies a machine of several packages.
    pub platform_instance: Option<[u8; 16]>,
    /// Packages can be added to it.
    pub dynamic_platform: Option<bool>,
    /// Intel's registration service keeps a copy of its root keys.
    pub cached_keys: Option<bool>,
    /// Simultaneous multithreading is on.
    pub smt: Option<bool>,
    /// Members that have no name here.
    pub unknown: Vec<String>,
}

/// How memory is protected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Memory {
    /// Encrypted, with integrity and replay protection.
    Standard,
    /// Encrypted.
    Scalable,
    /// Encrypted, with integrity.
    ScalableWithIntegrity,
}

impl Memory {
    /// Its word in policies and claims.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Scalable => "scalable",
            Self::ScalableWithIntegrity => "scalable-with-integrity",
        }
    }
}

/// A flag of the machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FlagName {
    /// Packages can be added to it.
    DynamicPlatform,
    /// Intel keeps a copy of its root keys.
    CachedKeys,
    /// Simultaneous multithreading is on.
    Smt,
}

impl FlagName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::DynamicPlatform, Self::CachedKeys, Self::Smt];

    /// Its name in claims.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DynamicPlatform => "dynamic-platform",
            Self::CachedKeys => "cached-keys",
            Self::Smt => "smt",
        }
    }
}

/// Why the extension could not be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MachineError {
    /// There is none.
    #[error("the PCK certificate has no extension 1.2.840.113741.1.13.1")]
    Absent,
    /// It is not DER.
    #[error("the PCK extension is not a sequence of pairs in DER")]
    Der,
    /// A member is missing.
    #[error("the PCK extension has no `{0}`")]
    Missing(&'static str),
    /// A member is there twice.
    #[error("the PCK extension has member {0} twice")]
    Twice(String),
    /// A member has another form.
    #[error("`{0}` of the PCK extension has another type or length")]
    Form(&'static str),
}

impl From<der::Error> for MachineError {
    fn from(_: der::Error) -> Self {
        Self::Der
    }
}

impl Machine {
    /// Reads the content of the extension.
    ///
    /// # Errors
    ///
    /// It is not what Intel writes.
    pub fn read(extension: Option<&[u8]>) -> Result<Self, MachineError> {
        let extension = extension.ok_or(MachineError::Absent)?;
        let mut members = Members::read(AnyRef::from_der(extension)?)?;
        let mut tcb = Members::read(members.take(TCB, "TCB")?)?;
        let mut components = [0; 16];
        for (number, component) in (1..).zip(&mut components) {
            *component = small(tcb.take(arc(TCB, number)?, "TCB component")?)?;
        }
        let pce_svn = tcb.take(arc(TCB, 17)?, "PCESVN")?.decode_as::<u16>()?;
        let cpu_svn = octets(tcb.take(arc(TCB, 18)?, "CPUSVN")?, "CPUSVN")?;
        let mut machine = Self {
            ppid: octets(members.take(PPID, "PPID")?, "PPID")?,
            components,
            pce_svn,
            cpu_svn,
            pce_id: octets(members.take(PCE_ID, "PCEID")?, "PCEID")?,
            fmspc: octets(members.take(FMSPC, "FMSPC")?, "FMSPC")?,
            memory: memory(members.take(SGX_TYPE, "SGX type")?)?,
            platform_instance: None,
            dynamic_platform: None,
            cached_keys: None,
            smt: None,
            unknown: Vec::new(),
        };
        if let Some(instance) = members.find(INSTANCE) {
            machine.platform_instance = Some(octets(instance, "platform instance")?);
        }
        if let Some(configuration) = members.find(CONFIGURATION) {
            let mut flags = Members::read(configuration)?;
            machine.dynamic_platform = flags.flag(1)?;
            machine.cached_keys = flags.flag(2)?;
            machine.smt = flags.flag(3)?;
            machine.unknown.extend(flags.names());
        }
        machine.unknown.extend(tcb.names());
        machine.unknown.extend(members.names());
        Ok(machine)
    }

    /// A flag, where the certificate has it: only those of the Platform CA do.
    #[must_use]
    pub const fn flag(&self, name: FlagName) -> Option<bool> {
        match name {
            FlagName::DynamicPlatform => self.dynamic_platform,
            FlagName::CachedKeys => self.cached_keys,
            FlagName::Smt => self.smt,
        }
    }
}

/// The pairs of one sequence, each handed out once.
struct Members<'a>(Vec<(ObjectIdentifier, AnyRef<'a>)>);

impl<'a> Members<'a> {
    fn read(sequence: AnyRef<'a>) -> Result<Self, MachineError> {
        if sequence.header().tag() != Tag::Sequence {
            return Err(MachineError::Der);
        }
        let mut reader = SliceReader::new(sequence.value())?;
        let mut members: Vec<(ObjectIdentifier, AnyRef<'a>)> = Vec::new();
        while !reader.is_finished() {
            let pair =
                reader.sequence(|pair| Ok::<_, der::Error>((pair.decode()?, pair.decode()?)))?;
            let (oid, _) = pair;
            if members.len() == MAX_MEMBERS {
                return Err(MachineError::Der);
            }
            if members.iter().any(|(known, _)| *known == oid) {
                return Err(MachineError::Twice(oid.to_string()));
            }
            members.push(pair);
        }
        Ok(Self(members))
    }

    fn find(&mut self, oid: ObjectIdentifier) -> Option<AnyRef<'a>> {
        let at = self.0.iter().position(|(known, _)| *known == oid)?;
        Some(self.0.swap_remove(at).1)
    }

    fn take(
        &mut self,
        oid: ObjectIdentifier,
        what: &'static str,
    ) -> Result<AnyRef<'a>, MachineError> {
        self.find(oid).ok_or(MachineError::Missing(what))
    }

    fn flag(&mut self, number: u32) -> Result<Option<bool>, MachineError> {
        let Some(value) = self.find(arc(CONFIGURATION, number)?) else {
            return Ok(None);
        };
        let flag = value.decode_as::<bool>();
        flag.map(Some)
            .map_err(|_| MachineError::Form("configuration"))
    }

    fn names(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|(oid, _)| oid.to_string())
    }
}

fn arc(parent: ObjectIdentifier, number: u32) -> Result<ObjectIdentifier, MachineError> {
    parent.push_arc(number).map_err(|_| MachineError::Der)
}

fn octets<const N: usize>(value: AnyRef<'_>, what: &'static str) -> Result<[u8; N], MachineError> {
    if value.header().tag() != Tag::OctetString {
        return Err(MachineError::Form(what));
    }
    let bytes = value.value().try_into();
    bytes.map_err(|_| MachineError::Form(what))
}

fn small(value: AnyRef<'_>) -> Result<u8, MachineError> {
    let number = value.decode_as::<u8>();
    number.map_err(|_| MachineError::Form("TCB component"))
}

fn memory(value: AnyRef<'_>) -> Result<Memory, MachineError> {
    match (value.header().tag(), value.value()) {
        (Tag::Enumerated, [0]) => Ok(Memory::Standard),
        (Tag::Enumerated, [1]) => Ok(Memory::Scalable),
        (Tag::Enumerated, [2]) => Ok(Memory::ScalableWithIntegrity),
        (_, _) => Err(MachineError::Form("SGX type")),
    }
}

/// The longest real sequence, of the TCB, has 18.
const MAX_MEMBERS: usize = 32;

/// The extension itself.
pub(super) const EXTENSION: &str = "1.2.840.113741.1.13.1";
const PPID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.1");
const TCB: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.2");
const PCE_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.3");
const FMSPC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.4");
const SGX_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.5");
const INSTANCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.6");
const CONFIGURATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.7");
