use super::{Event, EventLog, HashAlg, Kind, Registers, kind_name};

/// Something about an event that firmware does not do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Oddity {
    /// The event; none where one is missing.
    pub event: Option<usize>,
    /// The register.
    pub register: u32,
    /// What is odd about it.
    pub what: String,
}

impl EventLog<'_> {
    /// Events that stand where firmware puts none: behind the separator of a register, which divides
    /// what firmware measured from what ran later, and separators that are missing, repeated, hidden
    /// under another type, or say that firmware failed.
    #[must_use]
    pub fn oddities(&self, bank: HashAlg) -> Vec<Oddity> {
        let last = match self.registers() {
            Registers::Pcr => 7,
            Registers::Cc => 2,
        };
        let first = match self.registers() {
            Registers::Pcr => 0,
            Registers::Cc => 1,
        };
        let mut found = Vec::new();
        for register in first..=last {
            self.judge_register(register, bank, &mut found);
        }
        found
    }

    fn judge_register(&self, register: u32, bank: HashAlg, found: &mut Vec<Oddity>) {
        let most = match (self.registers(), register) {
            // A TD's first RTMR stands for PCRs 1 and 7, which are closed one after the other.
            (Registers::Cc, 1) => 2,
            (Registers::Pcr | Registers::Cc, _) => 1,
        };
        let [good, all_ones, error] = separators(bank);
        let mut seen = 0_usize;
        let mut any = false;
        for event in self.extended().filter(|event| event.register == register) {
            any = true;
            let digest = event.digest(bank).unwrap_or_default();
            let separates = digest == good || digest == all_ones;
            let odd = if separates && event.kind != Kind::Separator.id() {
                Some("is a separator under another type".to_owned())
            } else if !separates && event.kind == Kind::Separator.id() {
                let failed = digest == error;
                let what = if failed {
                    "says that firmware failed"
                } else {
                    "is not a separator"
                };
                Some(what.to_owned())
            } else if separates && seen >= most {
                Some("is one separator too many".to_owned())
            } else if !separates && seen > 0 && !self.may_follow(event, seen) {
                Some("stands behind the separator".to_owned())
            } else {
                None
            };
            if separates {
                seen = seen.saturating_add(1);
            }
            if let Some(what) = odd {
                found.push(Oddity {
                    event: Some(event.number),
                    register,
                    what: format!("{} {what}", kind_name(event.kind)),
                });
            }
        }
        if any && seen == 0 {
            let what = "has events and no separator".to_owned();
            found.push(Oddity {
                event: None,
                register,
                what,
            });
        }
    }

    /// Whether an event is of those that follow the separator on a sound machine: what is loaded and
    /// why it may be, the partition table, and the hand-over itself.
    fn may_follow(&self, event: &Event<'_>, separators: usize) -> bool {
        let Some(kind) = Kind::from_id(event.kind) else {
            return false;
        };
        let loads = matches!(
            kind,
            Kind::BootServicesApplication | Kind::EfiAction | Kind::Ipl | Kind::CompactHash
        );
        let partitions = matches!(
            kind,
            Kind::GptEvent
                | Kind::GptEvent2
                | Kind::IplPartitionData
                | Kind::EfiAction
                | Kind::EventTag
        );
        let authority = kind == Kind::VariableAuthority;
        match (self.registers(), event.register) {
            (Registers::Pcr, 4) => loads,
            (Registers::Pcr, 5) => partitions,
            (Registers::Pcr, 7) => authority,
            // PCR 7 is closed first; PCR 1 goes on until the second separator.
            (Registers::Cc, 1) if separators == 1 => {
                authority || !matches!(kind, Kind::VariableDriverConfig)
            }
            (Registers::Cc, 1) => authority,
            (Registers::Cc, 2) => loads || partitions,
            (Registers::Pcr | Registers::Cc, _) => false,
        }
    }
}

/// What a separator extends: four zeros, four times 0xff (older firmware), and 1 when firmware failed.
pub(super) fn separators(bank: HashAlg) -> [Vec<u8>; 3] {
    [[0, 0, 0, 0], [0xff, 0xff, 0xff, 0xff], [1, 0, 0, 0]].map(|data| bank.digest(&data))
}
