//! The launch digest of an SEV-SNP guest (AMD publication 56860, `LD` and `PAGE_INFO`): what its report's
//! MEASUREMENT says, from the firmware's bytes and how the guest is started.

mod firmware;
mod inputs;
mod save_area;

pub use firmware::{Firmware, Section, SectionKind};
pub use save_area::{Vcpu, Vmm};

use crate::{Sha256Digest, Sha384Digest, reader::Malformed};

/// Why there is no launch digest.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SnpMeasureError {
    /// The firmware is not what OVMF builds for SNP.
    #[error("firmware: {0}")]
    Firmware(#[from] Malformed),
    /// A kernel, and a firmware that does not look at its digest.
    #[error(
        "the firmware has no place for the digests of kernel, initrd and command line, so it would start any: \
         take a firmware that has one (OVMF's AmdSev), or start it from a disk"
    )]
    NoHashesTable,
    /// Several processors, and a firmware that does not say where the others start.
    #[error("the firmware does not say where other processors than the first start")]
    NoResetVector,
    /// No processor, or more than are started.
    #[error("{0} processors: give 1 to {MAX_VCPUS}")]
    Vcpus(u32),
    /// More memory than firmware claims.
    #[error("the firmware's sections have more than {MAX_PAGES} pages")]
    TooLarge,
    /// A member of the inputs is missing, not known, or of another kind.
    #[error("inputs: `{member}` {what}")]
    Inputs {
        /// The member.
        member: String,
        /// What is wrong with it.
        what: String,
    },
}

/// A guest, as it is started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Launch {
    /// Its firmware.
    pub firmware: Firmware,
    /// The kernel, where the firmware is given one directly (`-kernel`).
    pub kernel: Option<KernelDigests>,
    /// How many virtual processors it has.
    pub vcpus: u32,
    /// What they say they are.
    pub vcpu: Vcpu,
    /// `SEV_FEATURES` of each: 1 is SNP alone; newer KVM adds 0x20.
    pub guest_features: u64,
    /// Who starts it.
    pub vmm: Vmm,
}

/// Digests of what the firmware starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KernelDigests {
    /// The kernel.
    pub kernel: Sha256Digest,
    /// The initrd; that of nothing where there is none.
    pub initrd: Sha256Digest,
    /// The command line and the zero byte behind it.
    pub cmdline: Sha256Digest,
}

impl KernelDigests {
    /// Of these files and this command line.
    #[must_use]
    pub fn of(kernel: &[u8], initrd: &[u8], cmdline: &str) -> Self {
        Self {
            kernel: Sha256Digest::of(kernel),
            initrd: Sha256Digest::of(initrd),
            cmdline: cmdline_digest(cmdline),
        }
    }

    /// QEMU's table of them, as the firmware finds it in memory: 168 bytes, padded to 176.
    fn table(&self) -> Vec<u8> {
        let mut table = Vec::new();
        table.extend(TABLE_GUID);
        table.extend(TABLE_BYTES.to_le_bytes());
        for (guid, digest) in [
            (CMDLINE_GUID, &self.cmdline),
            (INITRD_GUID, &self.initrd),
            (KERNEL_GUID, &self.kernel),
        ] {
            table.extend(guid);
            table.extend(ENTRY_BYTES.to_le_bytes());
            table.extend(digest.as_bytes());
        }
        table
    }
}

fn cmdline_digest(cmdline: &str) -> Sha256Digest {
    Sha256Digest::of_parts(&[cmdline.as_bytes(), &[0]])
}

impl Launch {
    /// The launch digest.
    ///
    /// # Errors
    ///
    /// The guest could not be started so.
    pub fn digest(&self) -> Result<Sha384Digest, SnpMeasureError> {
        let Self {
            firmware,
            kernel,
            vcpus,
            vcpu,
            guest_features,
            vmm,
        } = self;
        if !(1..=MAX_VCPUS).contains(vcpus) {
            return Err(SnpMeasureError::Vcpus(*vcpus));
        }
        let mut digest = LaunchDigest(firmware.digest);
        self.sections(&mut digest, kernel.as_ref())?;
        let area = |entry: u32| save_area::page(entry, *vcpu, *guest_features, *vmm);
        digest.page(VMSA, VMSA_GPA, Some(&area(save_area::FIRST_ENTRY)));
        if *vcpus > 1 {
            let entry = firmware.reset_entry.ok_or(SnpMeasureError::NoResetVector)?;
            let contents = Sha384Digest::of(&area(entry));
            for _ in 1..*vcpus {
                digest.fold(VMSA, VMSA_GPA, &contents);
            }
        }
        Ok(digest.0)
    }

    fn sections(
        &self,
        digest: &mut LaunchDigest,
        kernel: Option<&KernelDigests>,
    ) -> Result<(), SnpMeasureError> {
        let sections = &self.firmware.sections;
        let hashed = sections
            .iter()
            .any(|section| section.kind == SectionKind::KernelHashes);
        if kernel.is_some() && !hashed {
            return Err(SnpMeasureError::NoHashesTable);
        }
        // EC2's hypervisor adds the page of processor features when it is done with the rest.
        let ec2 = matches!(self.vmm, Vmm::Ec2 | Vmm::Ec2Of2023);
        let last = |section: &&Section| ec2 && section.kind == SectionKind::Cpuid;
        for section in sections.iter().filter(|section| !last(section)) {
            self.section(*section, digest, kernel)?;
        }
        for section in sections.iter().filter(last) {
            self.section(*section, digest, kernel)?;
        }
        Ok(())
    }

    fn section(
        &self,
        section: Section,
        digest: &mut LaunchDigest,
        kernel: Option<&KernelDigests>,
    ) -> Result<(), SnpMeasureError> {
        let Section { gpa, size, kind } = section;
        match (kind, kernel) {
            (SectionKind::KernelHashes, Some(kernel)) => {
                let page = self.hashes_page(section, kernel)?;
                digest.page(NORMAL, gpa.into(), Some(&page));
            }
            (SectionKind::Memory, _) if self.vmm == Vmm::Gce => {
                digest.pages(UNMEASURED, gpa, size);
            }
            (SectionKind::Memory | SectionKind::CallingArea | SectionKind::KernelHashes, _) => {
                digest.pages(ZERO, gpa, size)
            }
            (SectionKind::Secrets, _) => digest.page(SECRETS, gpa.into(), None),
            (SectionKind::Cpuid, _) => digest.page(CPUID, gpa.into(), None),
        }
        Ok(())
    }

    /// The page that the firmware reserves for the digests, with QEMU's table where the firmware looks for it.
    fn hashes_page(
        &self,
        section: Section,
        kernel: &KernelDigests,
    ) -> Result<Vec<u8>, SnpMeasureError> {
        let at = self.firmware.hashes_table.filter(|at| *at != 0);
        let at = at.ok_or(SnpMeasureError::NoHashesTable)?;
        let offset = usize::try_from(at % PAGE_BYTES).map_err(|_| SnpMeasureError::TooLarge)?;
        let table = kernel.table();
        let end = offset.saturating_add(table.len());
        let mut page = vec![0; PAGE];
        match page.get_mut(offset..end) {
            Some(place) if section.size == PAGE_BYTES => place.copy_from_slice(&table),
            Some(_) | None => {
                return Err(Malformed::new(
                    "hashes table",
                    0,
                    "one page that has room for it",
                    format_args!("{} bytes, and the table at {at:#x}", section.size),
                )
                .into());
            }
        }
        Ok(page)
    }
}

/// The digest while it is folded over pages.
struct LaunchDigest(Sha384Digest);

impl LaunchDigest {
    /// One page by its contents; none where they do not count.
    fn page(&mut self, kind: u8, gpa: u64, contents: Option<&[u8]>) {
        let contents = match contents {
            Some(contents) => Sha384Digest::of(contents),
            None => NOTHING,
        };
        self.fold(kind, gpa, &contents);
    }

    /// Pages whose contents do not count.
    fn pages(&mut self, kind: u8, gpa: u32, size: u32) {
        let pages = u64::from(size.div_ceil(PAGE_BYTES));
        for page in 0..pages {
            let offset = page.saturating_mul(PAGE_BYTES.into());
            self.fold(kind, u64::from(gpa).saturating_add(offset), &NOTHING);
        }
    }

    fn fold(&mut self, kind: u8, gpa: u64, contents: &Sha384Digest) {
        self.0 = Sha384Digest::of_parts(&[
            self.0.as_bytes(),
            contents.as_bytes(),
            &PAGE_INFO_BYTES.to_le_bytes(),
            // The type; no initial migration image; no permissions for the lower privilege levels; a reserved byte.
            &[kind, 0, 0, 0, 0, 0],
            &gpa.to_le_bytes(),
        ]);
    }
}

const NOTHING: Sha384Digest = Sha384Digest::from_bytes([0; 48]);
const PAGE_INFO_BYTES: u16 = 0x70;
const PAGE_BYTES: u32 = 4096;
const PAGE: usize = 4096;
/// Firmware claims some hundred kilobytes; a gigabyte would only cost time.
const MAX_PAGES: u32 = 1 << 14;
const MAX_VCPUS: u32 = 4096;

const NORMAL: u8 = 1;
const VMSA: u8 = 2;
const ZERO: u8 = 3;
const UNMEASURED: u8 = 4;
const SECRETS: u8 = 5;
const CPUID: u8 = 6;
/// Where the firmware records every save area: all ones, cut to whole pages and 48 bits.
const VMSA_GPA: u64 = 0xffff_ffff_f000;

const TABLE_BYTES: u16 = 168;
const ENTRY_BYTES: u16 = 50;
// 9438d606-4f22-4cc9-b479-a793d411fd21
const TABLE_GUID: [u8; 16] = *b"\x06\xd6\x38\x94\x22\x4f\xc9\x4c\xb4\x79\xa7\x93\xd4\x11\xfd\x21";
// 97d02dd8-bd20-4c94-aa78-e7714d36ab2a
const CMDLINE_GUID: [u8; 16] = *b"\xd8\x2d\xd0\x97\x20\xbd\x94\x4c\xaa\x78\xe7\x71\x4d\x36\xab\x2a";
// 44baf731-3a2f-4bd7-9af1-41e29169781d
const INITRD_GUID: [u8; 16] = *b"\x31\xf7\xba\x44\x2f\x3a\xd7\x4b\x9a\xf1\x41\xe2\x91\x69\x78\x1d";
// 4de79437-abd2-427f-b835-d5b172d2045b
const KERNEL_GUID: [u8; 16] = *b"\x37\x94\xe7\x4d\xd2\xab\x7f\x42\xb8\x35\xd5\xb1\x72\xd2\x04\x5b";

#[cfg(test)]
mod tests;
