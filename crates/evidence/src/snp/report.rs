//! The attestation report (AMD publication 56860, `ATTESTATION_REPORT`), read in place.

use crate::reader::{Malformed, Reader};

/// A report, as it came. Nothing of it is proved before its signature is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report<'a> {
    /// The bytes that are signed.
    pub signed: &'a [u8],
    /// Its version: 2 to 5.
    pub version: u32,
    /// The security version that the guest's owner gave it.
    pub guest_svn: u32,
    /// What the guest's owner allows the machine.
    pub policy: u64,
    /// The family, as the owner named it.
    pub family_id: &'a [u8],
    /// The image, as the owner named it.
    pub image_id: &'a [u8],
    /// The privilege level that asked for the report.
    pub vmpl: u32,
    /// How it is signed: 1 is ECDSA on P-384 with SHA-384.
    pub signature_algo: u32,
    /// The firmware that runs.
    pub current_tcb: [u8; 8],
    /// How the machine is set up.
    pub platform_info: u64,
    /// Which key signs, and whether an author is named.
    pub flags: u32,
    /// What the guest had signed.
    pub report_data: &'a [u8],
    /// The launch digest.
    pub measurement: &'a [u8],
    /// What the host said at launch.
    pub host_data: &'a [u8],
    /// Who signed the ID block.
    pub id_key_digest: &'a [u8],
    /// Who certified that signer.
    pub author_key_digest: &'a [u8],
    /// This guest, for as long as it runs.
    pub report_id: &'a [u8],
    /// Its migration agent; all ones where it has none.
    pub report_id_ma: &'a [u8],
    /// The firmware that the signing key speaks for.
    pub reported_tcb: [u8; 8],
    /// The processor; version 2 does not say.
    pub cpuid: Option<Cpuid>,
    /// The chip.
    pub chip_id: &'a [u8],
    /// The firmware that the machine cannot go back behind.
    pub committed_tcb: [u8; 8],
    /// The version of the firmware that runs.
    pub current: Firmware,
    /// The version that it cannot go back behind.
    pub committed: Firmware,
    /// The firmware that the guest was launched on.
    pub launch_tcb: [u8; 8],
    /// What it was hardened against: from version 5.
    pub mitigations: Option<Mitigations>,
    /// The signature's two numbers, little-endian.
    pub signature: RawSignature<'a>,
    /// Runs of bytes that this version keeps free, each with its place.
    pub reserved: Vec<(usize, &'a [u8])>,
}

/// What CPUID says of the processor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cpuid {
    /// Family, extended family added.
    pub family: u8,
    /// Model, extended model included.
    pub model: u8,
    /// Stepping.
    pub stepping: u8,
}

/// A firmware version.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Firmware {
    /// Major version of the interface.
    pub major: u8,
    /// Minor version of the interface.
    pub minor: u8,
    /// Build.
    pub build: u8,
}

impl std::fmt::Display for Firmware {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            major,
            minor,
            build,
        } = self;
        write!(f, "{major}.{minor}.{build}")
    }
}

/// Vectors of the mitigations that the firmware verified; AMD's bulletins say what a bit means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mitigations {
    /// When the guest was launched.
    pub launch: u64,
    /// Now.
    pub current: u64,
}

/// The two numbers of the signature, each 72 bytes, little-endian.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RawSignature<'a> {
    r: &'a [u8],
    s: &'a [u8],
}

impl RawSignature<'_> {
    /// Whether there is none.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.r.iter().chain(self.s).all(|byte| *byte == 0)
    }

    /// Both numbers big-endian, 48 bytes each; none if one of them is longer than that.
    #[must_use]
    pub fn big_endian(&self) -> Option<[u8; 96]> {
        let mut bytes = [0; 96];
        let (r, s) = bytes.split_at_mut(48);
        reverse(self.r, r)?;
        reverse(self.s, s)?;
        Some(bytes)
    }
}

fn reverse(number: &[u8], into: &mut [u8]) -> Option<()> {
    let (low, high) = number.split_at_checked(into.len())?;
    if high.iter().any(|byte| *byte != 0) {
        return None;
    }
    for (place, byte) in into.iter_mut().zip(low.iter().rev()) {
        *place = *byte;
    }
    Some(())
}

/// Reads a report.
///
/// # Errors
///
/// Another length than 1,184 bytes, or a version that is not known: nothing is taken for the nearest
/// known one.
pub fn parse(bytes: &[u8]) -> Result<Report<'_>, Malformed> {
    if bytes.len() != LENGTH {
        let expected = format_args!("{LENGTH} bytes");
        return Err(Malformed::new("report", 0, expected, bytes.len()));
    }
    let mut reader = Reader::new(bytes);
    let version = reader.u32_le("version")?;
    if !(2..=5).contains(&version) {
        return Err(Malformed::new("version", 0, "2 to 5", version));
    }
    let mut report = Report::blank(version);
    report.read_guest(&mut reader)?;
    report.read_identity(&mut reader)?;
    report.read_machine(&mut reader)?;
    report.signed = reader.read();
    report.signature = RawSignature {
        r: reader.take("signature.r", 72)?,
        s: reader.take("signature.s", 72)?,
    };
    report.read_reserved(&mut reader, "reserved behind the signature", 368)?;
    reader.end("report")?;
    Ok(report)
}

impl<'a> Report<'a> {
    /// The reserved runs that are not zero.
    pub fn used_reserved(&self) -> impl Iterator<Item = (usize, &'a [u8])> {
        let used = self.reserved.iter();
        used.filter(|(_, run)| run.iter().any(|byte| *byte != 0))
            .copied()
    }

    fn blank(version: u32) -> Self {
        let zero = Firmware {
            major: 0,
            minor: 0,
            build: 0,
        };
        Self {
            signed: &[],
            version,
            guest_svn: 0,
            policy: 0,
            family_id: &[],
            image_id: &[],
            vmpl: 0,
            signature_algo: 0,
            current_tcb: [0; 8],
            platform_info: 0,
            flags: 0,
            report_data: &[],
            measurement: &[],
            host_data: &[],
            id_key_digest: &[],
            author_key_digest: &[],
            report_id: &[],
            report_id_ma: &[],
            reported_tcb: [0; 8],
            cpuid: None,
            chip_id: &[],
            committed_tcb: [0; 8],
            current: zero,
            committed: zero,
            launch_tcb: [0; 8],
            mitigations: None,
            signature: RawSignature { r: &[], s: &[] },
            reserved: Vec::new(),
        }
    }

    fn read_guest(&mut self, reader: &mut Reader<'a>) -> Result<(), Malformed> {
        self.guest_svn = reader.u32_le("guest_svn")?;
        self.policy = reader.u64_le("policy")?;
        self.family_id = reader.take("family_id", 16)?;
        self.image_id = reader.take("image_id", 16)?;
        self.vmpl = reader.u32_le("vmpl")?;
        self.signature_algo = reader.u32_le("signature_algo")?;
        self.current_tcb = reader.array("current_tcb")?;
        self.platform_info = reader.u64_le("platform_info")?;
        self.flags = reader.u32_le("flags")?;
        self.read_reserved(reader, "reserved behind the flags", 4)
    }

    fn read_identity(&mut self, reader: &mut Reader<'a>) -> Result<(), Malformed> {
        self.report_data = reader.take("report_data", 64)?;
        self.measurement = reader.take("measurement", 48)?;
        self.host_data = reader.take("host_data", 32)?;
        self.id_key_digest = reader.take("id_key_digest", 48)?;
        self.author_key_digest = reader.take("author_key_digest", 48)?;
        self.report_id = reader.take("report_id", 32)?;
        self.report_id_ma = reader.take("report_id_ma", 32)?;
        Ok(())
    }

    fn read_machine(&mut self, reader: &mut Reader<'a>) -> Result<(), Malformed> {
        self.reported_tcb = reader.array("reported_tcb")?;
        if self.version < 3 {
            self.read_reserved(reader, "reserved behind reported_tcb", 24)?;
        } else {
            self.cpuid = Some(Cpuid {
                family: reader.u8("cpuid family")?,
                model: reader.u8("cpuid model")?,
                stepping: reader.u8("cpuid stepping")?,
            });
            self.read_reserved(reader, "reserved behind the processor", 21)?;
        }
        self.chip_id = reader.take("chip_id", 64)?;
        self.committed_tcb = reader.array("committed_tcb")?;
        self.current = self.read_firmware(reader)?;
        self.committed = self.read_firmware(reader)?;
        self.launch_tcb = reader.array("launch_tcb")?;
        if self.version < 5 {
            return self.read_reserved(reader, "reserved behind launch_tcb", 168);
        }
        self.mitigations = Some(Mitigations {
            launch: reader.u64_le("launch_mit_vector")?,
            current: reader.u64_le("current_mit_vector")?,
        });
        self.read_reserved(reader, "reserved behind the mitigations", 152)
    }

    fn read_firmware(&mut self, reader: &mut Reader<'a>) -> Result<Firmware, Malformed> {
        let [build, minor, major] = reader.array("firmware version")?;
        self.read_reserved(reader, "reserved behind a firmware version", 1)?;
        Ok(Firmware {
            major,
            minor,
            build,
        })
    }

    fn read_reserved(
        &mut self,
        reader: &mut Reader<'a>,
        what: &'static str,
        length: usize,
    ) -> Result<(), Malformed> {
        let at = reader.at();
        self.reserved.push((at, reader.take(what, length)?));
        Ok(())
    }
}

/// Bytes of a report, signature included.
pub const LENGTH: usize = 1184;
