//! Products and the versions of their firmware.

use std::fmt;

use super::report::Cpuid;

/// A line of processors with a root of its own.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Product {
    /// Third generation.
    Milan,
    /// Fourth generation; Bergamo and Siena share its root.
    Genoa,
    /// Fifth generation.
    Turin,
}

impl Product {
    /// All of them, by age.
    pub const ALL: [Self; 3] = [Self::Milan, Self::Genoa, Self::Turin];

    /// As AMD writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }

    /// The product of a name in a certificate, with or without a stepping (`Milan-B0`).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let line = name.split_once('-').map_or(name, |(line, _)| line);
        Self::ALL
            .into_iter()
            .find(|product| product.as_str() == line)
    }

    /// The product of a processor.
    ///
    /// # Errors
    ///
    /// The processor, in words: no root is known for it.
    pub fn from_cpuid(cpuid: Cpuid) -> Result<Self, String> {
        let Cpuid { family, model, .. } = cpuid;
        match (family, model) {
            (0x19, 0x00..=0x0f) => Ok(Self::Milan),
            (0x19, 0x10..=0x1f | 0xa0..=0xaf) => Ok(Self::Genoa),
            (0x1a, 0x00..=0x11) => Ok(Self::Turin),
            (0x1a, 0x50..=0x57 | 0x90..=0xaf | 0xc0..=0xc7) => {
                Err("Venice, for which no root is known".to_owned())
            }
            _ => Err(format!("family {family:#04x}, model {model:#04x}")),
        }
    }

    const fn layout(self) -> Layout {
        match self {
            Self::Milan | Self::Genoa => Layout::BootloaderFirst,
            Self::Turin => Layout::FmcFirst,
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Copy)]
enum Layout {
    BootloaderFirst,
    FmcFirst,
}

/// The security versions of a machine's firmware.
// Compared one by one, never as a number: Turin puts `fmc` where Milan and Genoa have the boot
// loader, so no order of integers fits both, and one component must not make up for another.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tcb {
    /// Firmware management controller; Turin only, 0 elsewhere.
    pub fmc: u8,
    /// Boot loader of the secure processor.
    pub bootloader: u8,
    /// Operating system of the secure processor.
    pub tee: u8,
    /// SNP firmware.
    pub snp: u8,
    /// Microcode of all cores: the lowest.
    pub microcode: u8,
}

impl Tcb {
    /// Reads the eight bytes of a report as the product lays them out.
    ///
    /// # Errors
    ///
    /// A byte that the product keeps free is not zero: the versions, and that byte's number.
    pub fn read(product: Product, bytes: [u8; 8]) -> Result<Self, (Self, usize)> {
        let (tcb, reserved) = match (product.layout(), bytes) {
            (Layout::BootloaderFirst, [bootloader, tee, a, b, c, d, snp, microcode]) => (
                Self {
                    fmc: 0,
                    bootloader,
                    tee,
                    snp,
                    microcode,
                },
                [0, 0, a, b, c, d, 0, 0],
            ),
            (Layout::FmcFirst, [fmc, bootloader, tee, snp, a, b, c, microcode]) => (
                Self {
                    fmc,
                    bootloader,
                    tee,
                    snp,
                    microcode,
                },
                [0, 0, 0, 0, a, b, c, 0],
            ),
        };
        match reserved.iter().position(|byte| *byte != 0) {
            None => Ok(tcb),
            Some(used) => Err((tcb, used)),
        }
    }

    /// Each component by name.
    #[must_use]
    pub const fn components(&self) -> [(&'static str, u8); 5] {
        let Self {
            fmc,
            bootloader,
            tee,
            snp,
            microcode,
        } = *self;
        [
            ("fmc", fmc),
            ("bootloader", bootloader),
            ("tee", tee),
            ("snp", snp),
            ("microcode", microcode),
        ]
    }

    /// Whether no component is below that of `floor`.
    #[must_use]
    pub fn reaches(&self, floor: &Self) -> bool {
        let pairs = self.components().into_iter().zip(floor.components());
        pairs.into_iter().all(|((_, own), (_, least))| own >= least)
    }
}

impl fmt::Display for Tcb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self
            .components()
            .into_iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        f.write_str(&parts.join(", "))
    }
}
