//! The page that holds a virtual processor's first state (AMD publication 24593, table B-4).

/// What a virtual processor says it is: EAX of CPUID function 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Vcpu(pub u32);

impl Vcpu {
    /// From family, model and stepping (AMD publication 25481).
    #[must_use]
    pub fn from_parts(family: u8, model: u8, stepping: u8) -> Self {
        let (base, extended) = match family.checked_sub(0x0f) {
            Some(extended) => (0x0f, extended),
            None => (family, 0),
        };
        let [base, extended, model, stepping] = [base, extended, model, stepping].map(u32::from);
        Self(
            extended << 20
                | (model & 0xf0) << 12
                | base << 8
                | (model & 0x0f) << 4
                | (stepping & 0x0f),
        )
    }

    /// The processor of a QEMU model, with or without its version.
    #[must_use]
    pub fn from_model(name: &str) -> Option<Self> {
        let (family, model, stepping) = match name {
            "EPYC" | "EPYC-v1" | "EPYC-v2" | "EPYC-v3" | "EPYC-v4" | "EPYC-IBPB" => (23, 1, 2),
            "EPYC-Rome" | "EPYC-Rome-v1" | "EPYC-Rome-v2" | "EPYC-Rome-v3" | "EPYC-Rome-v4" => {
                (23, 49, 0)
            }
            "EPYC-Milan" | "EPYC-Milan-v1" | "EPYC-Milan-v2" => (25, 1, 1),
            "EPYC-Genoa" | "EPYC-Genoa-v1" => (25, 17, 0),
            "EPYC-Turin" | "EPYC-Turin-v1" => (26, 0, 0),
            _ => return None,
        };
        Some(Self::from_parts(family, model, stepping))
    }
}

/// Who starts the guest: hypervisors differ in the registers they set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Vmm {
    /// QEMU with KVM.
    Qemu,
    /// AWS, as measured in April 2026.
    Ec2,
    /// AWS, as it was when it began with SNP in 2023: RDX was zero.
    Ec2Of2023,
    /// Google.
    Gce,
}

impl Vmm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Qemu, Self::Ec2, Self::Ec2Of2023, Self::Gce];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Ec2 => "ec2",
            Self::Ec2Of2023 => "ec2-2023",
            Self::Gce => "gce",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|vmm| vmm.as_str() == name)
    }
}

/// Where the first processor starts.
pub(super) const FIRST_ENTRY: u32 = 0xffff_fff0;

/// What a hypervisor sets besides what all of them do.
struct Registers {
    code: u16,
    stack: u16,
    task: u16,
    page_attributes: u64,
    rdx: u64,
    mxcsr: u32,
    x87_control: u16,
}

impl Registers {
    fn of(vmm: Vmm, entry: u32, vcpu: Vcpu) -> Self {
        let common = Self {
            code: 0x9b,
            stack: 0x93,
            task: 0x8b,
            page_attributes: 0x0007_0406_0007_0406,
            rdx: 0x600,
            mxcsr: 0,
            x87_control: 0,
        };
        match vmm {
            Vmm::Qemu => Self {
                rdx: vcpu.0.into(),
                mxcsr: 0x1f80,
                x87_control: 0x37f,
                ..common
            },
            Vmm::Ec2 | Vmm::Ec2Of2023 => Self {
                rdx: if vmm == Vmm::Ec2 { 0x600 } else { 0 },
                code: if entry == FIRST_ENTRY { 0x9a } else { 0x9b },
                stack: 0x92,
                task: 0x83,
                ..common
            },
            Vmm::Gce => Self {
                page_attributes: 0x0007_0106,
                ..common
            },
        }
    }
}

/// The save area of a processor that starts there, padded to a page.
pub(super) fn page(entry: u32, vcpu: Vcpu, features: u64, vmm: Vmm) -> Vec<u8> {
    let registers = Registers::of(vmm, entry, vcpu);
    let mut page = vec![0; super::PAGE];
    let mut put = |at: usize, bytes: &[u8]| {
        for (place, byte) in page.iter_mut().skip(at).zip(bytes) {
            *place = *byte;
        }
    };
    let base = entry & 0xffff_0000;
    // ES, CS, SS, DS, FS, GS, GDTR, LDTR, IDTR, TR: selector, attributes, limit, base.
    let segments: [(u16, u16, u32); 10] = [
        (0, 0x93, 0),
        (0xf000, registers.code, base),
        (0, registers.stack, 0),
        (0, 0x93, 0),
        (0, 0x93, 0),
        (0, 0x93, 0),
        (0, 0, 0),
        (0, 0x82, 0),
        (0, 0, 0),
        (0, registers.task, 0),
    ];
    for ((selector, attributes, base), at) in segments.into_iter().zip((0..).step_by(16)) {
        put(at, &selector.to_le_bytes());
        put(at.saturating_add(2), &attributes.to_le_bytes());
        put(at.saturating_add(4), &0xffff_u32.to_le_bytes());
        put(at.saturating_add(8), &u64::from(base).to_le_bytes());
    }
    for (at, value) in [
        (0x0d0, 0x1000),                    // EFER: SVME, which KVM sets
        (0x148, 0x40),                      // CR4: MCE, which KVM sets
        (0x158, 0x10),                      // CR0
        (0x160, 0x400),                     // DR7
        (0x168, 0xffff_0ff0),               // DR6
        (0x170, 0x2),                       // RFLAGS
        (0x178, u64::from(entry & 0xffff)), // RIP
        (0x268, registers.page_attributes), // PAT
        (0x310, registers.rdx),             // RDX
        (0x3b0, features),                  // SEV_FEATURES
        (0x3e8, 0x1),                       // XCR0
    ] {
        put(at, &value.to_le_bytes());
    }
    put(0x408, &registers.mxcsr.to_le_bytes());
    put(0x410, &registers.x87_control.to_le_bytes());
    page
}
