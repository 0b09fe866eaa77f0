//! Unified kernel images (UAPI group; systemd-stub): PCRs 4, 9 and 11 of a machine that boots one.
//!
//! **PCR 4** gets, from firmware that boots the image directly: `EV_EFI_ACTION` "Calling EFI Application
//! from Boot Option", a separator, the image by its Authenticode digest, and, from stubs before 258, the
//! kernel inside it by its own, because those load it through firmware. Where a shim or a boot loader comes
//! before the image, its events come before the image's: [`Uki::pcr4_events`] gives them one by one.
//!
//! **PCR 9** gets, from the kernel: the command line in UTF-16 with its NUL, and the initrd.
//!
//! **PCR 11** gets, from the stub, for every section that it knows and that is there: the section's name
//! with its NUL, then the section as it is loaded. The order is the stub's own and not that of the image:
//! `.linux .osrel .cmdline .initrd .ucode .splash .dtb .uname .sbat .pcrpkey .profile .dtbauto .hwids .efifw`.
//! `.pcrsig` is left out, since it signs the result. Which of them a stub knows depends on its version,
//! which the image says itself (`.sdmagic`). Then the running system extends words for the phases of its
//! start ([`PHASES`]).

pub mod pe;

use pe::{Image, Section};

use crate::{eventlog::HashAlg, reader::Malformed};

/// A unified kernel image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Uki<'a> {
    image: Image<'a>,
    version: u32,
}

/// Why PCRs of an image are not known before it boots.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UkiFault {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Nothing in it says which stub it begins with.
    #[error("the image has no `.sdmagic` section that names systemd-stub and its version")]
    NoStub,
    /// The stub measures in another way, or nobody has compared.
    #[error("systemd-stub {0} is older than 252, the first that measures as computed here")]
    Version(u32),
    /// A section that a bootable image has.
    #[error("the image has no section `{0}`")]
    Missing(&'static str),
    /// The same section again.
    #[error("the image has `{0}` more than once: which one is measured is decided when it boots")]
    Repeated(String),
    /// A section whose use depends on the machine.
    #[error("`{section}` makes {pcr} depend on the machine")]
    Machine {
        /// The section.
        section: &'static str,
        /// The register.
        pcr: &'static str,
    },
    /// What the stub puts into the initrd beside the image's.
    #[error("the stub adds what `{0}` holds to the initrd, which changes PCR 9")]
    Added(&'static str),
    /// A command line in another coding.
    #[error("`.cmdline` is not UTF-8")]
    CommandLine,
}

/// What one extension is, and its digest.
pub type Extension = (String, Vec<u8>);

impl<'a> Uki<'a> {
    /// Reads an image.
    ///
    /// # Errors
    ///
    /// It is no unified kernel image, or one whose measurements the machine decides.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, UkiFault> {
        let image = Image::parse(bytes)?;
        let version = stub_version(&image).ok_or(UkiFault::NoStub)?;
        if version < OLDEST {
            return Err(UkiFault::Version(version));
        }
        let uki = Self { image, version };
        for (name, since) in MEASURED {
            let sections = uki.image.sections().iter();
            let count = sections.filter(|section| section.name == name).count();
            if count > 1 && since <= version {
                return Err(UkiFault::Repeated(name.to_owned()));
            }
        }
        uki.section(".linux").ok_or(UkiFault::Missing(".linux"))?;
        Ok(uki)
    }

    /// The version of the stub that it begins with.
    #[must_use]
    pub const fn stub_version(&self) -> u32 {
        self.version
    }

    /// The image.
    #[must_use]
    pub const fn image(&self) -> &Image<'a> {
        &self.image
    }

    /// What PCR 4 is extended with for this image, in order.
    ///
    /// # Errors
    ///
    /// The kernel in it is no image itself.
    pub fn pcr4_events(&self, bank: HashAlg) -> Result<Vec<Extension>, UkiFault> {
        let mut events = vec![("image".to_owned(), self.image.authenticode(bank))];
        if self.version < LOADS_ITSELF {
            let kernel = self.linux()?;
            let kernel = kernel.raw.get(..kernel.size).unwrap_or(kernel.raw);
            events.push((
                "kernel".to_owned(),
                Image::parse(kernel)?.authenticode(bank),
            ));
        }
        Ok(events)
    }

    /// PCR 4 of a machine whose firmware boots the image directly.
    ///
    /// # Errors
    ///
    /// As [`Self::pcr4_events`].
    pub fn pcr4(&self, bank: HashAlg) -> Result<Vec<u8>, UkiFault> {
        let mut events = vec![
            ("boot option".to_owned(), bank.digest(BOOT_OPTION)),
            ("separator".to_owned(), bank.digest(&[0; 4])),
        ];
        events.extend(self.pcr4_events(bank)?);
        Ok(register(bank, &events))
    }

    /// What the kernel extends PCR 9 with.
    ///
    /// # Errors
    ///
    /// The stub changes the initrd or the command line in a way that only it knows.
    pub fn pcr9_events(&self, bank: HashAlg) -> Result<Vec<Extension>, UkiFault> {
        let mut added = vec![".ucode", ".pcrsig", ".pcrpkey"];
        if self.version >= KEEPS_RELEASE {
            added.extend([".osrel", ".profile"]);
        }
        if let Some(name) = added.into_iter().find(|name| self.section(name).is_some()) {
            return Err(UkiFault::Added(name));
        }
        let mut events = Vec::new();
        if let Some(section) = self.section(".cmdline") {
            let bytes = section.raw.get(..section.size).unwrap_or(section.raw);
            let text = std::str::from_utf8(bytes).map_err(|_| UkiFault::CommandLine)?;
            let text = text.split('\0').next().unwrap_or_default();
            let text = text.trim_matches(|letter: char| letter <= ' ');
            let units = text.encode_utf16().chain([0]);
            let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
            events.push(("command line".to_owned(), bank.digest(&bytes)));
        }
        if let Some(section) = self.section(".initrd") {
            events.push(("initrd".to_owned(), section.digest(bank)?));
        }
        Ok(events)
    }

    /// PCR 9 after the kernel has taken command line and initrd.
    ///
    /// # Errors
    ///
    /// As [`Self::pcr9_events`].
    pub fn pcr9(&self, bank: HashAlg) -> Result<Vec<u8>, UkiFault> {
        Ok(register(bank, &self.pcr9_events(bank)?))
    }

    /// What the stub extends PCR 11 with.
    ///
    /// # Errors
    ///
    /// A section is measured or not as the machine decides.
    pub fn pcr11_events(&self, bank: HashAlg) -> Result<Vec<Extension>, UkiFault> {
        let mut events = Vec::new();
        for (name, since) in MEASURED {
            let Some(section) = self.section(name).filter(|_| since <= self.version) else {
                continue;
            };
            if let Some(section) = CHOSEN.into_iter().find(|chosen| *chosen == name) {
                let pcr = "PCR 11";
                return Err(UkiFault::Machine { section, pcr });
            }
            let closed = format!("{name}\0");
            events.push((format!("name of {name}"), bank.digest(closed.as_bytes())));
            events.push((name.to_owned(), section.digest(bank)?));
        }
        Ok(events)
    }

    /// PCR 11 after the stub, and after each phase of the start that follows.
    ///
    /// # Errors
    ///
    /// As [`Self::pcr11_events`].
    pub fn pcr11(&self, bank: HashAlg) -> Result<Vec<Extension>, UkiFault> {
        let mut value = register(bank, &self.pcr11_events(bank)?);
        let mut values = vec![("stub".to_owned(), value.clone())];
        for phase in PHASES {
            value = bank.extend(&value, &bank.digest(phase.as_bytes()));
            values.push((phase.to_owned(), value.clone()));
        }
        Ok(values)
    }

    fn linux(&self) -> Result<&Section<'a>, UkiFault> {
        self.section(".linux").ok_or(UkiFault::Missing(".linux"))
    }

    fn section(&self, name: &str) -> Option<&Section<'a>> {
        let found = self.image.sections().iter();
        let mut found = found.filter(|section| section.name == name && section.size > 0);
        found.next()
    }
}

/// The value of a register that began with zeros.
fn register(bank: HashAlg, events: &[Extension]) -> Vec<u8> {
    events
        .iter()
        .fold(vec![0; bank.size()], |value, (_, digest)| {
            bank.extend(&value, digest)
        })
}

/// The version in `#### LoaderInfo: systemd-stub 252.39-1 ####`.
fn stub_version(image: &Image<'_>) -> Option<u32> {
    let magic = image
        .sections()
        .iter()
        .find(|section| section.name == ".sdmagic")?;
    let text = magic.raw.get(..magic.size).unwrap_or(magic.raw);
    let text = std::str::from_utf8(text).ok()?;
    let version = text.strip_prefix("#### LoaderInfo: systemd-stub ")?;
    let end = version.find(|letter: char| !letter.is_ascii_digit())?;
    version.get(..end)?.parse().ok()
}

/// What the running system extends PCR 11 with, one after the other, where its services do that.
pub const PHASES: [&str; 4] = ["enter-initrd", "leave-initrd", "sysinit", "ready"];

/// What is measured, in the stub's order, and the first version that knows it.
const MEASURED: [(&str, u32); 14] = [
    (".linux", 252),
    (".osrel", 252),
    (".cmdline", 252),
    (".initrd", 252),
    (".ucode", 256),
    (".splash", 252),
    (".dtb", 252),
    (".uname", 254),
    (".sbat", 254),
    (".pcrpkey", 252),
    (".profile", 257),
    (".dtbauto", 257),
    (".hwids", 257),
    (".efifw", 258),
];
/// Of these the stub takes the one that fits the machine, if any.
const CHOSEN: [&str; 3] = [".dtbauto", ".hwids", ".efifw"];
const BOOT_OPTION: &[u8] = b"Calling EFI Application from Boot Option";
/// The first version that extends PCR 11 as all since do, and loads the kernel through firmware.
const OLDEST: u32 = 252;
/// The first version that hands the image's os-release and profile to the kernel.
const KEEPS_RELEASE: u32 = 257;
/// The first version that loads the kernel without firmware, which then does not measure it.
const LOADS_ITSELF: u32 = 258;

#[cfg(test)]
mod tests;
