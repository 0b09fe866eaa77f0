use super::{Event, EventLog, HashAlg, Kind, Registers, order};
use crate::reader::{Malformed, Reader};

/// Whether an event's digest is over its data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Payload {
    /// The digest is recomputed from the event's data: what it says was measured.
    Recomputed(Preimage),
    /// The digest is over something that is not in the log. The event's data was not measured.
    Elsewhere(&'static str),
    /// For this type the digest is over the data, and it is not over these: they were changed, or the
    /// type is wrong.
    Differs,
}

/// Which bytes of an event its digest is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Preimage {
    /// All of its data.
    Data,
    /// The content of the EFI variable in it.
    VariableData,
    /// The text behind the word that says what it is (GRUB).
    Text,
    /// The name of a section in ASCII, closed by a NUL, where the event has it in UTF-16 (systemd-stub).
    SectionName,
}

/// An EFI variable in an event (`UEFI_VARIABLE_DATA`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Variable<'a> {
    /// Whose name space it is in.
    pub guid: &'a [u8; 16],
    /// Its name.
    pub name: String,
    /// Its content.
    pub data: &'a [u8],
}

impl<'a> Event<'a> {
    /// What its digest of a bank is over; none where it has no such digest.
    #[must_use]
    pub fn payload(&self, bank: HashAlg) -> Option<Payload> {
        let digest = self.digest(bank)?;
        let over = |bytes: &[u8]| bank.digest(bytes) == digest;
        let Some(kind) = Kind::from_id(self.kind) else {
            return Some(if over(self.data) {
                Payload::Recomputed(Preimage::Data)
            } else {
                Payload::Elsewhere("something that its type, which is unknown, does not tell")
            });
        };
        Some(match rule(kind) {
            Rule::Data | Rule::Elsewhere(_) if over(self.data) => {
                Payload::Recomputed(Preimage::Data)
            }
            Rule::Data => Payload::Differs,
            Rule::Elsewhere(what) => Payload::Elsewhere(what),
            // The profile changed its mind: firmware of both kinds is in use.
            Rule::Variable if over(self.data) => Payload::Recomputed(Preimage::Data),
            Rule::Variable => match self.variable() {
                Ok(variable) if over(variable.data) => Payload::Recomputed(Preimage::VariableData),
                Ok(_) | Err(_) => Payload::Differs,
            },
            Rule::Loader => self.loader(&over),
        })
    }

    /// The EFI variable that it holds.
    ///
    /// # Errors
    ///
    /// Its data is not that of a variable, to the last byte.
    pub fn variable(&self) -> Result<Variable<'a>, Malformed> {
        let mut reader = Reader::new(self.data);
        let guid = reader.take("GUID of a variable", 16)?;
        let guid = guid
            .first_chunk()
            .ok_or_else(|| Malformed::new("GUID of a variable", 0, "16 bytes", guid.len()))?;
        let units = reader.u64_le("length of a variable's name")?;
        let size = reader.u64_le("size of a variable")?;
        let bytes = units.saturating_mul(2);
        let name = reader.take("name of a variable", length(bytes))?;
        let data = reader.take("content of a variable", length(size))?;
        reader.end("variable")?;
        let name = utf16(name)
            .ok_or_else(|| Malformed::new("name of a variable", 32, "UTF-16", "something else"))?;
        Ok(Variable { guid, name, data })
    }

    /// The text behind the word that GRUB puts before what it measured, up to its NUL.
    #[must_use]
    pub fn loader_text(&self) -> Option<(&'static str, &'a [u8])> {
        LOADER_WORDS.iter().find_map(|(word, meaning)| {
            let rest = self.data.strip_prefix(word.as_bytes())?;
            let end = rest.iter().position(|byte| *byte == 0);
            let text = rest.get(..end.unwrap_or(rest.len()))?;
            Some((*meaning, text))
        })
    }

    fn loader(&self, over: &impl Fn(&[u8]) -> bool) -> Payload {
        if over(self.data) {
            return Payload::Recomputed(Preimage::Data);
        }
        if let Some((_, text)) = self.loader_text() {
            let closed = [text, b"\0".as_slice()].concat();
            return if over(text) || over(&closed) {
                Payload::Recomputed(Preimage::Text)
            } else {
                Payload::Differs
            };
        }
        let name = utf16(self.data).filter(|name| name.starts_with('.') && name.is_ascii());
        match name {
            Some(name) if over(format!("{name}\0").as_bytes()) => {
                Payload::Recomputed(Preimage::SectionName)
            }
            Some(_) => Payload::Elsewhere("the content of the section that it names"),
            None => Payload::Elsewhere("the file or variable that it names"),
        }
    }
}

impl EventLog<'_> {
    /// Whether secure boot was on, as firmware measured it before it handed over. None where that is
    /// not told, told twice, or told by data that its digest is not over.
    ///
    /// The type of an event is not measured, so neither the variable's event nor the separator before
    /// which it must stand is believed by its type: a program that ran later can extend the same
    /// register, but not before the separator.
    #[must_use]
    pub fn secure_boot(&self, bank: HashAlg) -> Option<bool> {
        let register = match self.registers() {
            Registers::Pcr => 7,
            Registers::Cc => 1,
        };
        let separator = order::separators(bank);
        let before = self
            .extended()
            .filter(|event| event.register == register)
            .take_while(|event| {
                let digest = event.digest(bank).unwrap_or_default();
                !separator.iter().any(|known| known == digest)
            });
        let mut found = before.filter_map(|event| {
            let variable = event.variable().ok()?;
            let named = variable.guid == GLOBAL_VARIABLE && variable.name == "SecureBoot";
            let measured = event.digest(bank) == Some(bank.digest(event.data).as_slice());
            (named && measured).then_some(variable.data)
        });
        match (found.next(), found.next()) {
            (Some([1]), None) => Some(true),
            (Some([] | [0]), None) => Some(false),
            (_, _) => None,
        }
    }
}

/// What the profile says that a digest is over.
enum Rule {
    Data,
    Variable,
    Loader,
    Elsewhere(&'static str),
}

const fn rule(kind: Kind) -> Rule {
    match kind {
        Kind::Separator
        | Kind::Action
        | Kind::CrtmVersion
        | Kind::TableOfDevices
        | Kind::OmitBootDeviceEvents
        | Kind::VariableDriverConfig
        | Kind::GptEvent
        | Kind::EfiAction
        | Kind::VariableBoot2
        | Kind::VariableAuthority
        | Kind::SpdmDevicePolicy
        | Kind::SpdmDeviceAuthority => Rule::Data,
        Kind::VariableBoot => Rule::Variable,
        Kind::Ipl => Rule::Loader,
        Kind::PrebootCert | Kind::NoAction => Rule::Elsewhere("nothing that was extended"),
        Kind::EventTag => Rule::Elsewhere("what the tag's description names"),
        Kind::CompactHash => Rule::Elsewhere("what the program that passed it in chose"),
        Kind::PlatformConfigFlags => Rule::Elsewhere("the configuration that it names"),
        Kind::IplPartitionData | Kind::GptEvent2 => Rule::Elsewhere("the partition table"),
        Kind::HandoffTables | Kind::HandoffTables2 => Rule::Elsewhere("the tables that it names"),
        Kind::BootServicesApplication | Kind::BootServicesDriver | Kind::RuntimeServicesDriver => {
            Rule::Elsewhere("the image that was loaded (its Authenticode digest)")
        }
        Kind::PostCode
        | Kind::PostCode2
        | Kind::CrtmContents
        | Kind::CpuMicrocode
        | Kind::NonhostCode
        | Kind::NonhostConfig
        | Kind::NonhostInfo
        | Kind::FirmwareBlob
        | Kind::FirmwareBlob2
        | Kind::HcrtmEvent
        | Kind::SpdmFirmwareBlob
        | Kind::SpdmFirmwareConfig => Rule::Elsewhere("the firmware that it names"),
    }
}

/// UTF-16 with or without the NUL that closes it.
fn utf16(bytes: &[u8]) -> Option<String> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    let units: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    let text = String::from_utf16(&units).ok()?;
    Some(text.strip_suffix('\0').map(str::to_owned).unwrap_or(text))
}

fn length(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// EFI_GLOBAL_VARIABLE, 8be4df61-93ca-11d2-aa0d-00e098032b8c.
const GLOBAL_VARIABLE: &[u8; 16] = &[
    0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c,
];

/// Longer words first: the distribution patches of GRUB leave out the colon.
const LOADER_WORDS: &[(&str, &str)] = &[
    ("grub_cmd: ", "command"),
    ("grub_cmd ", "command"),
    ("kernel_cmdline: ", "kernel command line"),
    ("grub_kernel_cmdline ", "kernel command line"),
    ("module_cmdline: ", "module command line"),
];
