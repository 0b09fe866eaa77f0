//! `cmcp measure`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use cmcp_evidence::{
    eventlog::HashAlg,
    measure::{snp::Vmm, tdx::PageOrder},
};

#[derive(Debug, Subcommand)]
pub(crate) enum MeasureCommand {
    /// The launch digest of an SEV-SNP guest.
    #[command(after_help = SNP)]
    Snp(Box<MeasureSnpArgs>),
    /// MRTD of a TDX guest from its firmware, RTMR1 and RTMR2 from the parts of its image.
    #[command(after_help = TDX)]
    Tdx(Box<MeasureTdxArgs>),
    /// MRENCLAVE and its signer, from the SIGSTRUCT of an SGX enclave.
    #[command(after_help = SIGSTRUCT)]
    SgxSigstruct(MeasureFileArgs),
    /// PCRs 4, 9 and 11 of a unified kernel image.
    #[command(after_help = UKI)]
    Uki(MeasureUkiArgs),
    /// The digests of a container image.
    #[command(after_help = OCI)]
    Oci(MeasureFileArgs),
    /// The digest of a container policy, as Azure's confidential containers carry it.
    #[command(after_help = CCE)]
    Cce(MeasureFileArgs),
}

/// What the result is called.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// The name of the measurement in the reference values. Default: the file's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct MeasureFileArgs {
    /// The file; for `oci` also the folder of an image layout.
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) named: Named,
}

#[derive(Args, Debug)]
pub(crate) struct MeasureSnpArgs {
    /// The firmware (OVMF).
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "inputs",
        requires = "vcpus"
    )]
    pub(crate) firmware: Option<PathBuf>,
    /// The inputs as a JSON document instead, for a guest whose firmware is not at hand.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["firmware", "kernel", "initrd", "append", "vcpus"])]
    pub(crate) inputs: Option<PathBuf>,
    /// How many virtual processors it has.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) vcpus: Option<u32>,
    /// What they say they are, by QEMU's name: `EPYC-Genoa`.
    #[arg(long, value_name = "MODEL", default_value = "EPYC-v4")]
    pub(crate) vcpu_type: String,
    /// `SEV_FEATURES` of each: 1 is SNP alone, newer KVM adds 0x20.
    #[arg(long, value_name = "NUMBER", default_value = "0x1", value_parser = number)]
    pub(crate) guest_features: u64,
    /// Who starts it.
    #[arg(long, value_enum, value_name = "WHO", default_value_t = VmmWord::Qemu)]
    pub(crate) vmm: VmmWord,
    /// The kernel, where the firmware is given one (`-kernel`).
    #[arg(long, value_name = "FILE")]
    pub(crate) kernel: Option<PathBuf>,
    /// The initial ramdisk that is given with it.
    #[arg(long, value_name = "FILE", requires = "kernel")]
    pub(crate) initrd: Option<PathBuf>,
    /// The command line that is given with it.
    #[arg(long, value_name = "TEXT", requires = "kernel")]
    pub(crate) append: Option<String>,
    #[command(flatten)]
    pub(crate) named: Named,
}

/// The words of `--vmm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VmmWord {
    Qemu,
    Ec2,
    Gce,
}

impl From<VmmWord> for Vmm {
    fn from(word: VmmWord) -> Self {
        match word {
            VmmWord::Qemu => Self::Qemu,
            VmmWord::Ec2 => Self::Ec2,
            VmmWord::Gce => Self::Gce,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct MeasureTdxArgs {
    /// The firmware volume (TDVF, an OVMF for TDX).
    #[arg(long, value_name = "FILE", required_unless_present_any = ["image", "uki"])]
    pub(crate) firmware: Option<PathBuf>,
    /// In which order the host adds and measures its pages.
    #[arg(long, value_enum, value_name = "ORDER", default_value_t = PageOrderWord::PageByPage)]
    pub(crate) page_order: PageOrderWord,
    /// SHA-384 digests of the image's parts, a JSON document: `uki_authenticode`, `kernel_authenticode`,
    /// `cmdline_hash`, `initrd_hash`, `gpt_disk_guid_hash`.
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Option<PathBuf>,
    /// The unified kernel image that the firmware boots, instead of digests of its parts.
    #[arg(long, value_name = "FILE", conflicts_with = "image", requires = "gpt")]
    pub(crate) uki: Option<PathBuf>,
    /// SHA-384 of the partition table, as the firmware's event log has it: 96 hexadecimal digits.
    #[arg(long, value_name = "HEX", requires = "uki")]
    pub(crate) gpt: Option<String>,
    #[command(flatten)]
    pub(crate) named: Named,
}

/// The words of `--page-order`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PageOrderWord {
    /// Each page is added and measured before the next.
    PageByPage,
    /// All pages of a section are added, and then measured.
    SectionBySection,
}

impl From<PageOrderWord> for PageOrder {
    fn from(word: PageOrderWord) -> Self {
        match word {
            PageOrderWord::PageByPage => Self::PageByPage,
            PageOrderWord::SectionBySection => Self::SectionBySection,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct MeasureUkiArgs {
    /// The unified kernel image.
    #[arg(value_name = "FILE")]
    pub(crate) path: PathBuf,
    /// Which bank of PCRs.
    #[arg(long, value_enum, value_name = "HASH", default_value_t = BankWord::Sha256)]
    pub(crate) bank: BankWord,
    /// Up to which phase of the start PCR 11 is extended.
    #[arg(long, value_enum, value_name = "PHASE", default_value_t = PhaseWord::Ready)]
    pub(crate) phase: PhaseWord,
    /// Print each event as well.
    #[arg(long)]
    pub(crate) events: bool,
}

/// The words of `--bank`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BankWord {
    Sha256,
    Sha384,
}

impl From<BankWord> for HashAlg {
    fn from(word: BankWord) -> Self {
        match word {
            BankWord::Sha256 => Self::Sha256,
            BankWord::Sha384 => Self::Sha384,
        }
    }
}

/// The words of `--phase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PhaseWord {
    /// The image is started, and nothing of the system yet.
    Stub,
    EnterInitrd,
    LeaveInitrd,
    Sysinit,
    Ready,
}

impl PhaseWord {
    /// As the stub and systemd call it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::EnterInitrd => "enter-initrd",
            Self::LeaveInitrd => "leave-initrd",
            Self::Ready => "ready",
            Self::Stub => "stub",
            Self::Sysinit => "sysinit",
        }
    }
}

/// A number, decimal or behind `0x` hexadecimal.
fn number(text: &str) -> Result<u64, &'static str> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .map_err(|_| "write a whole number, or `0x` and hexadecimal digits")
}

const SNP: &str = "Examples:\n  \
    cmcp measure snp --firmware OVMF.fd --vcpus 4 --vcpu-type EPYC-Genoa\n  \
    cmcp measure snp --firmware OVMF.fd --vcpus 4 --kernel vmlinuz --initrd initrd.img --append 'console=ttyS0'\n\n\
    Exit codes: 0 printed; 2 usage; 6 a file cannot be read; 12 a file is not what it has to be.";
const TDX: &str = "Examples:\n  cmcp measure tdx --firmware OVMF.fd --name ovmf-2026.08\n  \
    cmcp measure tdx --uki linux.efi --gpt 488fa3f0…\n\n\
    Exit codes: 0 printed; 2 usage; 6 a file cannot be read; 12 a file is not what it has to be.";
const SIGSTRUCT: &str = "Example: cmcp measure sgx-sigstruct app.sig\n\n\
    Exit codes: 0 printed; 2 usage; 6 the file cannot be read; 12 it is no SIGSTRUCT, or its signature\n\
    does not hold.";
const UKI: &str = "Example: cmcp measure uki linux.efi\n\n\
    Exit codes: 0 printed; 2 usage; 6 the file cannot be read; 12 it is no unified kernel image.";
const OCI: &str = "Examples:\n  cmcp measure oci image.tar\n  cmcp measure oci layout/\n\n\
    Exit codes: 0 printed; 2 usage; 6 a file cannot be read; 12 it is no image, or a digest is wrong.";
const CCE: &str = "Example: cmcp measure cce security-policy-base64\n\n\
    Exit codes: 0 printed; 2 usage; 6 the file cannot be read; 12 it is no container policy.";
