//! Makes logs, event by event.

use super::super::{HashAlg, Kind};

/// A log in the making.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    banks: Vec<HashAlg>,
    bytes: Vec<u8>,
}

impl Log {
    /// A log with its header.
    pub(crate) fn new(banks: &[HashAlg]) -> Self {
        let mut spec = b"Spec ID Event03\0".to_vec();
        spec.extend([0, 0, 0, 0, 0, 2, 0, 2]);
        spec.extend(u32::try_from(banks.len()).unwrap().to_le_bytes());
        for bank in banks {
            spec.extend(bank.id().to_le_bytes());
            spec.extend(u16::try_from(bank.size()).unwrap().to_le_bytes());
        }
        spec.push(0);
        let mut bytes = vec![0, 0, 0, 0, 3, 0, 0, 0];
        bytes.extend([0; 20]);
        bytes.extend(u32::try_from(spec.len()).unwrap().to_le_bytes());
        bytes.extend(spec);
        Self {
            banks: banks.to_vec(),
            bytes,
        }
    }

    /// An event whose digest is over its data.
    pub(crate) fn event(self, register: u32, kind: Kind, data: &[u8]) -> Self {
        self.measured(register, kind, data, data)
    }

    /// An event whose digest is over something else than its data.
    pub(crate) fn measured(mut self, register: u32, kind: Kind, over: &[u8], data: &[u8]) -> Self {
        self.bytes.extend(register.to_le_bytes());
        self.bytes.extend(kind.id().to_le_bytes());
        let count = u32::try_from(self.banks.len()).unwrap();
        self.bytes.extend(count.to_le_bytes());
        for bank in self.banks.clone() {
            self.bytes.extend(bank.id().to_le_bytes());
            self.bytes.extend(bank.digest(over));
        }
        let size = u32::try_from(data.len()).unwrap();
        self.bytes.extend(size.to_le_bytes());
        self.bytes.extend(data);
        self
    }

    /// A separator in each of these registers.
    pub(crate) fn separators(self, registers: std::ops::RangeInclusive<u32>) -> Self {
        registers.fold(self, |log, register| {
            log.event(register, Kind::Separator, &[0; 4])
        })
    }

    /// Bytes as they are.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    /// The log.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }
}

/// The data of an event about an EFI variable of the global name space.
pub(crate) fn variable(name: &str, content: &[u8]) -> Vec<u8> {
    let mut data = vec![
        0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b,
        0x8c,
    ];
    let units: Vec<u16> = name.encode_utf16().collect();
    data.extend((units.len() as u64).to_le_bytes());
    data.extend((content.len() as u64).to_le_bytes());
    data.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    data.extend(content);
    data
}

/// A sound log of a small machine: secure boot on, one application, the hand-over.
pub(crate) fn sound(banks: &[HashAlg]) -> Log {
    Log::new(banks)
        .event(0, Kind::CrtmVersion, b"1\0")
        .event(7, Kind::VariableDriverConfig, &variable("SecureBoot", &[1]))
        .event(7, Kind::Separator, &[0; 4])
        .measured(
            1,
            Kind::VariableBoot,
            &[0, 0],
            &variable("BootOrder", &[0, 0]),
        )
        .event(
            4,
            Kind::EfiAction,
            b"Calling EFI Application from Boot Option",
        )
        .separators(0..=6)
        .measured(
            4,
            Kind::BootServicesApplication,
            b"the boot loader",
            b"a path",
        )
        .measured(11, Kind::Ipl, b".linux\0", b".\0l\0i\0n\0u\0x\0\0\0")
        .measured(11, Kind::Ipl, b"a kernel", b".\0l\0i\0n\0u\0x\0\0\0")
        .event(5, Kind::EfiAction, b"Exit Boot Services Invocation")
}

/// The kernel's list: a boot aggregate and files, in the `ima-ng` template.
pub(crate) fn ima(entries: &[(&str, &[u8])]) -> Vec<u8> {
    entries
        .iter()
        .flat_map(|(name, digest)| ima_entry(name, digest))
        .collect()
}

/// One entry of it.
pub(crate) fn ima_entry(name: &str, digest: &[u8]) -> Vec<u8> {
    let field = |bytes: Vec<u8>| {
        let size = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        [size.to_vec(), bytes].concat()
    };
    let digest = [b"sha256:\0".to_vec(), digest.to_vec()].concat();
    let name = [name.as_bytes().to_vec(), vec![0]].concat();
    let data = [field(digest), field(name)].concat();
    [
        10_u32.to_le_bytes().to_vec(),
        HashAlg::Sha1.digest(&data),
        field(b"ima-ng".to_vec()),
        field(data),
    ]
    .concat()
}
