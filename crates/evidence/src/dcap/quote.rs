//! Intel's quotes, viewed in the bytes that arrived.

use crate::reader::{Malformed, Reader};

/// A quote. Every length in it was followed and fits; nothing in it is believed yet.
#[derive(Clone, Copy, Debug)]
pub struct Quote<'a> {
    /// What comes first, for every kind.
    pub header: Header<'a>,
    /// What the machine says about the program.
    pub body: Body<'a>,
    /// Header and body: what the attestation key signs.
    pub signed: &'a [u8],
    /// The attestation key's signature, ECDSA P-256 with SHA-256: r and s.
    pub signature: &'a [u8],
    /// The attestation key: x and y.
    pub attestation_key: &'a [u8],
    /// What vouches for the attestation key.
    pub quoting: Quoting<'a>,
    /// What follows the quote; captures are often padded with zeros.
    pub rest: &'a [u8],
}

/// The first 48 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// 3 for SGX, 4 or 5 for TDX.
    pub version: u16,
    /// SGX or TDX.
    pub tee: Tee,
    /// SVN of the quoting enclave, where it is told here.
    pub qe_svn: u16,
    /// SVN of the provisioning certification enclave, where it is told here.
    pub pce_svn: u16,
    /// Who made the quoting enclave.
    pub qe_vendor: &'a [u8],
    /// Free for the quoting enclave; its first 16 bytes identify it.
    pub user_data: &'a [u8],
}

/// Which technology made a quote.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tee {
    /// An enclave.
    Sgx,
    /// A trust domain.
    Tdx,
}

/// What the machine says about the program.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// About an enclave.
    Enclave(EnclaveReport<'a>),
    /// About a trust domain.
    Domain(DomainReport<'a>),
}

/// The report of an enclave, 384 bytes; also the quoting enclave has one.
#[derive(Clone, Copy, Debug)]
pub struct EnclaveReport<'a> {
    /// Where it begins.
    pub at: usize,
    /// All of it.
    pub bytes: &'a [u8],
    /// Security version of the processor.
    pub cpu_svn: &'a [u8],
    /// Optional features of the state save area.
    pub miscselect: u32,
    /// Extended product id.
    pub ext_prod_id: &'a [u8],
    /// Enclave attributes.
    pub flags: u64,
    /// Processor features that the enclave may use.
    pub xfrm: u64,
    /// Digest over the enclave as built.
    pub mrenclave: &'a [u8],
    /// Digest of its signer's key.
    pub mrsigner: &'a [u8],
    /// Set by whoever launched it.
    pub config_id: &'a [u8],
    /// Product id.
    pub isv_prod_id: u16,
    /// Security version.
    pub isv_svn: u16,
    /// Version of the configuration.
    pub config_svn: u16,
    /// Product family.
    pub family_id: &'a [u8],
    /// 64 bytes of the enclave's choice.
    pub report_data: &'a [u8],
    /// The reserved fields, in order.
    pub reserved: [&'a [u8]; 4],
}

/// The report of a trust domain.
#[derive(Clone, Copy, Debug)]
pub struct DomainReport<'a> {
    /// Where it begins.
    pub at: usize,
    /// Security versions of the TDX module and the loader, at launch.
    pub tee_tcb_svn: &'a [u8],
    /// Digest of the TDX module.
    pub mrseam: &'a [u8],
    /// Digest of its signer's key; zeros stand for Intel.
    pub mrsignerseam: &'a [u8],
    /// Attributes of the TDX module.
    pub seam_attributes: u64,
    /// Attributes of the domain.
    pub attributes: u64,
    /// Processor features that the domain may use.
    pub xfam: u64,
    /// Digest over the domain as built.
    pub mrtd: &'a [u8],
    /// Set by whoever launched it: configuration.
    pub mrconfigid: &'a [u8],
    /// Set by whoever launched it: its owner.
    pub mrowner: &'a [u8],
    /// Set by whoever launched it: configuration by the owner.
    pub mrownerconfig: &'a [u8],
    /// Run-time measurement registers.
    pub rtmrs: [&'a [u8]; 4],
    /// 64 bytes of the domain's choice.
    pub report_data: &'a [u8],
    /// What TDX 1.5 adds.
    pub newer: Option<NewerReport<'a>>,
    /// What the extended report of TDX 1.5 adds.
    pub extended: Option<ExtendedReport<'a>>,
}

/// What TDX 1.5 adds.
#[derive(Clone, Copy, Debug)]
pub struct NewerReport<'a> {
    /// Security versions as they are now: the module can be updated under a running domain.
    pub tee_tcb_svn2: &'a [u8],
    /// Digest of the service domains bound to it.
    pub mrservicetd: &'a [u8],
}

/// What the extended report of TDX 1.5 adds.
#[derive(Clone, Copy, Debug)]
pub struct ExtendedReport<'a> {
    /// Which virtual machine in the domain: 0 for an undivided one.
    pub vmid: u8,
    /// Identifies the domain from its launch on.
    pub td_id: &'a [u8],
    /// Digest over the devices assigned to it.
    pub dev_info: &'a [u8],
    /// Service domains bound when it was made.
    pub init_servtd_hash: &'a [u8],
    /// Their attributes.
    pub init_servtd_attr: &'a [u8],
    /// Security version of the processor when it was made.
    pub init_cpu_svn: &'a [u8],
    /// Security versions of the module when it was made.
    pub init_tee_tcb_svn: &'a [u8],
    /// Kind of machine that it was made on.
    pub init_tee_fmspc: &'a [u8],
    /// Service domains bound now.
    pub cur_servtd_hash: &'a [u8],
    /// Their attributes.
    pub cur_servtd_attr: &'a [u8],
}

/// What vouches for the attestation key.
#[derive(Clone, Copy, Debug)]
pub struct Quoting<'a> {
    /// The quoting enclave's report, which commits to the attestation key.
    pub report: EnclaveReport<'a>,
    /// The PCK's signature over that report: r and s.
    pub signature: &'a [u8],
    /// What else the report commits to.
    pub auth_data: &'a [u8],
    /// Where the certificates begin.
    pub certificates_at: usize,
    /// The PCK's certificates, PEM, leaf first.
    pub certificates: &'a [u8],
}

/// Views a quote.
///
/// # Errors
///
/// It is of an unknown version or type, or a length in it does not fit.
pub fn parse(bytes: &[u8]) -> Result<Quote<'_>, Malformed> {
    if bytes.len() > MAX_QUOTE {
        let most = format!("at most {MAX_QUOTE} bytes");
        return Err(Malformed::new("quote", 0, most, bytes.len()));
    }
    let mut reader = Reader::new(bytes);
    let header = header(&mut reader)?;
    let body = body(&mut reader, &header)?;
    let signed = reader.read();
    let at = reader.at();
    let length = length(reader.u32_le("signature_len")?, "signature_len", at)?;
    // The inner reader keeps the places of the whole quote, and ends where the declared length does.
    let mut inner = reader.within("signature data", length)?;
    let signature = inner.take("signature", 64)?;
    let attestation_key = inner.take("attestation key", 64)?;
    let quoting = if header.version == 3 {
        quoting(&mut inner)?
    } else {
        let length = certification(&mut inner, QE_REPORT_CERTIFICATION)?;
        let mut block = inner.within("QE certification data", length)?;
        let quoting = quoting(&mut block)?;
        block.end("QE certification data")?;
        quoting
    };
    inner.end("signature data")?;
    Ok(Quote {
        header,
        body,
        signed,
        signature,
        attestation_key,
        quoting,
        rest: reader.rest(),
    })
}

fn header<'a>(reader: &mut Reader<'a>) -> Result<Header<'a>, Malformed> {
    let version = reader.u16_le("version")?;
    if !matches!(version, 3..=5) {
        return Err(Malformed::new("version", 0, "3, 4 or 5", version));
    }
    let key_type = reader.u16_le("att_key_type")?;
    if key_type != ECDSA_P256 {
        let expected = "2 (ECDSA P-256)";
        return Err(Malformed::new("att_key_type", 2, expected, key_type));
    }
    let tee = match (reader.u32_le("tee_type")?, version) {
        (0, 3 | 5) => Tee::Sgx,
        (0x81, 4 | 5) => Tee::Tdx,
        (other, _) => {
            let expected = match version {
                3 => "0 (SGX), for version 3",
                4 => "0x81 (TDX), for version 4",
                _ => "0 (SGX) or 0x81 (TDX)",
            };
            let found = format!("{other:#x}");
            return Err(Malformed::new("tee_type", 4, expected, found));
        }
    };
    Ok(Header {
        version,
        tee,
        qe_svn: reader.u16_le("qe_svn")?,
        pce_svn: reader.u16_le("pce_svn")?,
        qe_vendor: reader.take("qe_vendor_id", 16)?,
        user_data: reader.take("user_data", 20)?,
    })
}

fn body<'a>(reader: &mut Reader<'a>, header: &Header<'_>) -> Result<Body<'a>, Malformed> {
    match (header.version, header.tee) {
        (3 | 4, Tee::Sgx) => enclave(reader).map(Body::Enclave),
        (3 | 4, Tee::Tdx) => domain(reader, Additions::None).map(Body::Domain),
        (_, tee) => typed_body(reader, tee),
    }
}

/// Since version 5 a type and a size stand before the body; both are signed.
fn typed_body<'a>(reader: &mut Reader<'a>, tee: Tee) -> Result<Body<'a>, Malformed> {
    let at = reader.at();
    let kind = reader.u16_le("body_type")?;
    let size_at = reader.at();
    let size = reader.u32_le("body_size")?;
    let (expected, additions) = match (kind, tee) {
        (1, Tee::Sgx) => (384, None),
        (2, Tee::Tdx) => (584, Some(Additions::None)),
        (3, Tee::Tdx) => (648, Some(Additions::Newer)),
        (4, Tee::Tdx) => (885, Some(Additions::Extended)),
        (_, Tee::Sgx) => return Err(Malformed::new("body_type", at, "1, for SGX", kind)),
        (_, Tee::Tdx) => return Err(Malformed::new("body_type", at, "2, 3 or 4, for TDX", kind)),
    };
    if size != expected {
        let expected = format!("{expected}, for body type {kind}");
        return Err(Malformed::new("body_size", size_at, expected, size));
    }
    match additions {
        None => enclave(reader).map(Body::Enclave),
        Some(additions) => domain(reader, additions).map(Body::Domain),
    }
}

fn enclave<'a>(reader: &mut Reader<'a>) -> Result<EnclaveReport<'a>, Malformed> {
    let at = reader.at();
    let mut probe = *reader;
    let bytes = probe.take("report", 384)?;
    let cpu_svn = reader.take("cpu_svn", 16)?;
    let miscselect = reader.u32_le("miscselect")?;
    let first = reader.take("reserved", 12)?;
    let ext_prod_id = reader.take("isv_ext_prod_id", 16)?;
    let flags = reader.u64_le("attributes")?;
    let xfrm = reader.u64_le("xfrm")?;
    let mrenclave = reader.take("mrenclave", 32)?;
    let second = reader.take("reserved", 32)?;
    let mrsigner = reader.take("mrsigner", 32)?;
    let third = reader.take("reserved", 32)?;
    let config_id = reader.take("config_id", 64)?;
    let isv_prod_id = reader.u16_le("isv_prod_id")?;
    let isv_svn = reader.u16_le("isv_svn")?;
    let config_svn = reader.u16_le("config_svn")?;
    let fourth = reader.take("reserved", 42)?;
    Ok(EnclaveReport {
        at,
        bytes,
        cpu_svn,
        miscselect,
        ext_prod_id,
        flags,
        xfrm,
        mrenclave,
        mrsigner,
        config_id,
        isv_prod_id,
        isv_svn,
        config_svn,
        family_id: reader.take("isv_family_id", 16)?,
        report_data: reader.take("report_data", 64)?,
        reserved: [first, second, third, fourth],
    })
}

#[derive(Clone, Copy)]
enum Additions {
    None,
    Newer,
    Extended,
}

fn domain<'a>(
    reader: &mut Reader<'a>,
    additions: Additions,
) -> Result<DomainReport<'a>, Malformed> {
    let report = DomainReport {
        at: reader.at(),
        tee_tcb_svn: reader.take("tee_tcb_svn", 16)?,
        mrseam: reader.take("mrseam", 48)?,
        mrsignerseam: reader.take("mrsignerseam", 48)?,
        seam_attributes: reader.u64_le("seam_attributes")?,
        attributes: reader.u64_le("td_attributes")?,
        xfam: reader.u64_le("xfam")?,
        mrtd: reader.take("mrtd", 48)?,
        mrconfigid: reader.take("mrconfigid", 48)?,
        mrowner: reader.take("mrowner", 48)?,
        mrownerconfig: reader.take("mrownerconfig", 48)?,
        rtmrs: [
            reader.take("rtmr0", 48)?,
            reader.take("rtmr1", 48)?,
            reader.take("rtmr2", 48)?,
            reader.take("rtmr3", 48)?,
        ],
        report_data: reader.take("report_data", 64)?,
        newer: None,
        extended: None,
    };
    let newer = match additions {
        Additions::None => return Ok(report),
        Additions::Newer | Additions::Extended => NewerReport {
            tee_tcb_svn2: reader.take("tee_tcb_svn2", 16)?,
            mrservicetd: reader.take("mrservicetd", 48)?,
        },
    };
    let extended = match additions {
        Additions::None | Additions::Newer => None,
        Additions::Extended => Some(extended(reader)?),
    };
    Ok(DomainReport {
        newer: Some(newer),
        extended,
        ..report
    })
}

fn extended<'a>(reader: &mut Reader<'a>) -> Result<ExtendedReport<'a>, Malformed> {
    Ok(ExtendedReport {
        vmid: reader.u8("vmid")?,
        td_id: reader.take("td_id", 32)?,
        dev_info: reader.take("dev_info", 48)?,
        init_servtd_hash: reader.take("init_servtd_hash", 48)?,
        init_servtd_attr: reader.take("init_servtd_attr", 8)?,
        init_cpu_svn: reader.take("init_cpu_svn", 16)?,
        init_tee_tcb_svn: reader.take("init_tee_tcb_svn", 16)?,
        init_tee_fmspc: reader.take("init_tee_fmspc", 12)?,
        cur_servtd_hash: reader.take("cur_servtd_hash", 48)?,
        cur_servtd_attr: reader.take("cur_servtd_attr", 8)?,
    })
}

fn quoting<'a>(reader: &mut Reader<'a>) -> Result<Quoting<'a>, Malformed> {
    let report = enclave(reader)?;
    let signature = reader.take("QE report signature", 64)?;
    let auth_length = reader.u16_le("QE auth length")?;
    let auth_data = reader.take("QE auth data", usize::from(auth_length))?;
    let length = certification(reader, PCK_CHAIN)?;
    Ok(Quoting {
        report,
        signature,
        auth_data,
        certificates_at: reader.at(),
        certificates: reader.take("PCK certificates", length)?,
    })
}

/// The type of certification data, which must be the one that has its place here, and its length.
fn certification(reader: &mut Reader<'_>, expected: u16) -> Result<usize, Malformed> {
    let at = reader.at();
    let kind = reader.u16_le("cert_type")?;
    if kind != expected {
        let expected = match expected {
            PCK_CHAIN => "5 (certificates of the PCK)",
            _ => "6 (QE report)",
        };
        return Err(Malformed::new("cert_type", at, expected, kind));
    }
    let at = reader.at();
    length(reader.u32_le("cert_data_len")?, "cert_data_len", at)
}

fn length(length: u32, what: &'static str, at: usize) -> Result<usize, Malformed> {
    let most = || format!("at most {MAX_QUOTE}");
    usize::try_from(length)
        .ok()
        .filter(|length| *length <= MAX_QUOTE)
        .ok_or_else(|| Malformed::new(what, at, most(), length))
}

const ECDSA_P256: u16 = 2;
const PCK_CHAIN: u16 = 5;
const QE_REPORT_CERTIFICATION: u16 = 6;

/// Captured quotes have 4 600 to 8 000 bytes, padding included.
pub const MAX_QUOTE: usize = 64 << 10;
