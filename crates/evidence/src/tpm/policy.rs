use std::collections::{BTreeMap, BTreeSet};

use cmcp_json::Value;

use crate::{
    eventlog::HashAlg,
    policy::{
        Fields, Pin,
        fields::{Roots, hex_of, number, text},
    },
};

/// What is accepted of a TPM that stands alone.
#[derive(Clone, Debug)]
pub struct TpmPolicy {
    /// Names of keys that were activated once: trusted without a certificate.
    pub names: Vec<Vec<u8>>,
    /// What certificates are accepted for other keys; none where they are refused.
    pub certificates: Option<CertificatePolicy>,
    /// What its quotes must say.
    pub quote: QuotePolicy,
}

/// Which certificates vouch for an attestation key.
#[derive(Clone, Debug)]
pub struct CertificatePolicy {
    /// Who may have issued them, at the top.
    pub roots: Roots,
    /// SHA-256 over the `SubjectPublicKeyInfo` of each accepted key.
    pub keys: Pin<Vec<u8>>,
    /// Google Cloud projects whose machines are accepted.
    pub gce_projects: Pin<String>,
    /// Whether their revocation is looked up.
    pub revocation: Revocation,
}

/// Whether revocation is looked up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Revocation {
    /// A list of every issuer must come along.
    CrlRequired,
    /// Not looked up.
    NotChecked,
}

/// What a quote must say.
#[derive(Clone, Debug)]
pub struct QuotePolicy {
    /// The bank that is quoted.
    pub bank: HashAlg,
    /// The PCRs that are quoted: these and no others.
    pub quoted: BTreeSet<u32>,
    /// What each PCR from 0 to 23 must hold.
    pub pcrs: BTreeMap<u32, PcrRule>,
    /// Whether firmware must have enforced secure boot.
    pub secure_boot: SecureBoot,
    /// What happens to events in an order that firmware does not produce.
    pub event_order: Findings,
    /// What happens to events whose data is not what was measured.
    pub payloads: Findings,
    /// Which files the kernel may have measured.
    pub ima: ImaRule,
    /// How the qualifying data carries what the quote is bound to.
    pub qualifying_data: Carried,
    /// The counters that were last seen.
    pub counters: Option<Counters>,
    /// Whether the clock must be sure.
    pub clock: Clock,
    /// Firmware versions of the TPM.
    pub firmware: Pin<u64>,
}

/// What a PCR must hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PcrRule {
    /// One of these values.
    Values(Vec<Vec<u8>>),
    /// What the log leads to, whatever that is.
    Replayed,
    /// What the log leads to, by events that are named.
    Events(EventRule),
    /// It is not looked at.
    Ignored,
}

/// Which events a PCR may hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventRule {
    /// Digests by name. Separators need no name.
    pub allowed: Vec<(String, Vec<u8>)>,
    /// Names of which at least one event must be.
    pub required: Vec<String>,
}

/// Whether secure boot must have been on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SecureBoot {
    /// The log must show it.
    Required,
    /// It is not looked at.
    NotJudged,
}

/// What a finding does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Findings {
    /// It refuses the evidence.
    Refused,
    /// It is told, and the result warns.
    Reported,
}

/// Which files the kernel's list may name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ImaRule {
    /// The list is not looked at.
    Ignored,
    /// Any file, if the list explains PCR 10.
    AnyFile,
    /// Files of these digests, by name.
    Files(Vec<(String, Vec<u8>)>),
}

/// How the qualifying data carries the expected bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carried {
    /// As they are.
    Whole,
    /// By their SHA-256: for TPMs whose qualifying data is too short.
    Sha256,
}

/// Reset and restart counts that were last seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counters {
    /// Resets.
    pub reset: u32,
    /// Restarts since.
    pub restart: u32,
}

/// Whether the clock must be sure not to have gone back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Clock {
    /// It must.
    Safe,
    /// It is not looked at.
    Any,
}

/// Whether the reference values say whose machines are accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Identity {
    Pinned,
    AnyMachine,
}

/// Whether some PCR must say which software runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Software {
    Pinned,
    Any,
}

impl TpmPolicy {
    /// Reads its section.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let names = fields.read("names", names);
        let certificates = fields.section_or("certificates", "refused", CertificatePolicy::read);
        let identity = fields.word(
            "identity",
            &[
                ("pinned", Identity::Pinned),
                ("danger-any-machine", Identity::AnyMachine),
            ],
        );
        let quote = fields.section("quote", QuotePolicy::read);
        let (names, certificates) = (names?, certificates?);
        if names.is_empty() && certificates.is_none() {
            let what = "are refused and `names` is `none`: no key can be trusted";
            fields.fault("certificates", what);
        }
        let open = certificates
            .as_ref()
            .is_some_and(CertificatePolicy::is_open);
        if identity? == Identity::Pinned && open {
            let what = "is `pinned`, and any key with a certificate is accepted: name \
                        `certificates.keys` or `certificates.gce_projects`, refuse certificates, \
                        or write `danger-any-machine`";
            fields.fault("identity", what);
        }
        Some(Self {
            names,
            certificates,
            quote: quote?,
        })
    }
}

impl CertificatePolicy {
    /// Reads its section.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let roots = fields.roots("roots");
        let keys = fields.hex_pin("keys", 32);
        let gce_projects = fields.pin("gce_projects", text);
        let revocation = fields.word(
            "revocation",
            &[
                ("crl-required", Revocation::CrlRequired),
                ("not-checked", Revocation::NotChecked),
            ],
        );
        Some(Self {
            roots: roots?,
            keys: keys?,
            gce_projects: gce_projects?,
            revocation: revocation?,
        })
    }

    /// Whether it accepts every machine that has a certificate.
    pub(crate) const fn is_open(&self) -> bool {
        self.keys.is_any() && self.gce_projects.is_any()
    }
}

impl QuotePolicy {
    /// Reads its section.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let bank = fields.word(
            "bank",
            &[("sha256", HashAlg::Sha256), ("sha384", HashAlg::Sha384)],
        );
        let quoted = fields.read("quoted", |value| ranges(&text(value)?));
        // Without a bank the sizes of values are unknown; the fault about it is there already.
        let pcrs = fields.read("pcrs", |value| pcrs(value, bank.unwrap_or(HashAlg::Sha256)));
        let software = fields.word(
            "software",
            &[
                ("pinned", Software::Pinned),
                ("danger-any-software", Software::Any),
            ],
        );
        let secure_boot = fields.word(
            "secure_boot",
            &[
                ("required", SecureBoot::Required),
                ("not-judged", SecureBoot::NotJudged),
            ],
        );
        let findings = [
            ("refused", Findings::Refused),
            ("reported", Findings::Reported),
        ];
        let event_order = fields.word("event_order", &findings);
        let payloads = fields.word("payloads", &findings);
        let ima = fields.read("ima", ima);
        let qualifying_data = fields.word(
            "qualifying_data",
            &[("whole", Carried::Whole), ("sha256", Carried::Sha256)],
        );
        let counters = fields.section_or("counters", "any", Counters::read);
        let clock = fields.word("clock", &[("safe", Clock::Safe), ("any", Clock::Any)]);
        let firmware = fields.pin("firmware", |value| {
            let bytes = hex_of(value, 8)?;
            let bytes = bytes.try_into().map_err(|_| "has not 8 bytes".to_owned())?;
            Ok(u64::from_be_bytes(bytes))
        });
        let policy = Self {
            bank: bank?,
            quoted: quoted?,
            pcrs: pcrs?,
            secure_boot: secure_boot?,
            event_order: event_order?,
            payloads: payloads?,
            ima: ima?,
            qualifying_data: qualifying_data?,
            counters: counters?,
            clock: clock?,
            firmware: firmware?,
        };
        policy.contradictions(software?, fields);
        Some(policy)
    }

    /// The PCRs that the event log has to explain.
    pub(crate) fn explained(&self) -> BTreeSet<u32> {
        let by_rule = self.pcrs.iter().filter(|(_, rule)| match rule {
            PcrRule::Replayed | PcrRule::Events(_) => true,
            PcrRule::Values(_) | PcrRule::Ignored => false,
        });
        let mut explained = BTreeSet::new();
        for (pcr, _) in by_rule {
            explained.insert(*pcr);
        }
        if self.secure_boot == SecureBoot::Required {
            explained.insert(SECURE_BOOT_PCR);
        }
        explained
    }

    fn contradictions(&self, software: Software, fields: &mut Fields<'_>) {
        for (pcr, rule) in &self.pcrs {
            let missing = !self.quoted.contains(pcr);
            if missing && *rule != PcrRule::Ignored {
                fields.fault(
                    "pcrs",
                    format!("judges PCR {pcr}, which `quoted` leaves out"),
                );
            }
        }
        if self.secure_boot == SecureBoot::Required && !self.quoted.contains(&SECURE_BOOT_PCR) {
            let what = "is `required`, and `quoted` leaves out PCR 7, which proves it";
            fields.fault("secure_boot", what);
        }
        let replayed = self.pcrs.get(&IMA_PCR) == Some(&PcrRule::Replayed);
        let listed = self.ima != ImaRule::Ignored;
        if replayed != listed {
            let what = "and PCR 10 belong together: a list is judged where PCR 10 is `replayed`, \
                        and `ignored` where it is not";
            fields.fault("ima", what);
        }
        if listed && !(0..IMA_PCR).all(|pcr| self.quoted.contains(&pcr)) {
            fields.fault(
                "ima",
                "needs PCRs 0 to 9 in `quoted`: the list begins with their digest",
            );
        }
        let judged = self.pcrs.values().any(|rule| match rule {
            PcrRule::Values(_) | PcrRule::Events(_) => true,
            PcrRule::Replayed | PcrRule::Ignored => false,
        });
        if !judged && software == Software::Pinned {
            let what = "is `pinned`, and no PCR has values or events: name some, or write \
                        `danger-any-software`";
            fields.fault("software", what);
        }
    }
}

impl Counters {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let count = |value: &Value| {
            let count = number(value, u32::MAX.into())?;
            u32::try_from(count).map_err(|error| error.to_string())
        };
        let reset = fields.read("reset", count);
        let restart = fields.read("restart", count);
        Some(Self {
            reset: reset?,
            restart: restart?,
        })
    }
}

/// `none`, or names of keys: an algorithm's number and a digest.
fn names(value: &Value) -> Result<Vec<Vec<u8>>, String> {
    if value.as_str() == Some("none") {
        return Ok(Vec::new());
    }
    let list = value.as_array().filter(|list| !list.is_empty());
    let list = list.ok_or("must be `none` or a list of names of attestation keys")?;
    list.iter()
        .map(|value| {
            let alg = [HashAlg::Sha256, HashAlg::Sha384, HashAlg::Sha512]
                .into_iter()
                .find_map(|alg| {
                    let name = hex_of(value, alg.size().saturating_add(2)).ok()?;
                    name.starts_with(&alg.id().to_be_bytes()).then_some(name)
                });
            alg.ok_or_else(|| {
                "must be names of keys in hexadecimal digits: `000b` and a SHA-256 digest, `000c` \
                 and a SHA-384 digest, `000d` and a SHA-512 digest"
                    .to_owned()
            })
        })
        .collect()
}

/// What is said of each PCR; every one of them is decided, and once.
fn pcrs(value: &Value, bank: HashAlg) -> Result<BTreeMap<u32, PcrRule>, String> {
    let object = value
        .as_object()
        .ok_or("must be a mapping of PCRs to what they must hold")?;
    let mut rules = BTreeMap::new();
    for (key, value) in object.iter() {
        let rule = pcr_rule(value, bank).map_err(|what| format!("`{key}` {what}"))?;
        for pcr in ranges(key)? {
            if rules.insert(pcr, rule.clone()).is_some() {
                return Err(format!("decides PCR {pcr} twice"));
            }
        }
    }
    match (0..=LAST_PCR).find(|pcr| !rules.contains_key(pcr)) {
        Some(pcr) => Err(format!(
            "does not decide PCR {pcr}: write `ignored` if it may hold anything"
        )),
        None => Ok(rules),
    }
}

fn pcr_rule(value: &Value, bank: HashAlg) -> Result<PcrRule, String> {
    match (value.as_str(), value.as_array(), value.as_object()) {
        (Some("replayed"), _, _) => Ok(PcrRule::Replayed),
        (Some("ignored"), _, _) => Ok(PcrRule::Ignored),
        (_, Some([]), _) => Err("is an empty list: name a value, or write `ignored`".to_owned()),
        (_, Some(list), _) => {
            let values: Result<_, String> = list
                .iter()
                .map(|value| hex_of(value, bank.size()))
                .collect();
            values.map(PcrRule::Values)
        }
        (_, _, Some(object)) => {
            let known = ["allowed", "required"].map(|name| object.contains_key(name));
            if object.len() != known.len() || known != [true, true] {
                return Err("must have `allowed` and `required`, and nothing else".to_owned());
            }
            let allowed = value.get("allowed").ok_or("has no `allowed`")?;
            let required = value.get("required").ok_or("has no `required`")?;
            event_rule(allowed, required, bank).map(PcrRule::Events)
        }
        (_, _, None) => Err(
            "must be a list of values, `replayed`, `ignored`, or a mapping with `allowed` and \
             `required`"
                .to_owned(),
        ),
    }
}

fn event_rule(allowed: &Value, required: &Value, bank: HashAlg) -> Result<EventRule, String> {
    let allowed = named(allowed, &[bank.size()])?;
    let list = required
        .as_array()
        .ok_or("must have a list as `required`")?;
    let required: Vec<String> = list.iter().map(text).collect::<Result<_, String>>()?;
    let unknown = required
        .iter()
        .find(|name| !allowed.iter().any(|(known, _)| known == *name));
    match unknown {
        Some(name) => Err(format!("requires `{name}`, which `allowed` does not name")),
        None => Ok(EventRule { allowed, required }),
    }
}

fn ima(value: &Value) -> Result<ImaRule, String> {
    match value.as_str() {
        Some("ignored") => Ok(ImaRule::Ignored),
        Some("any-file") => Ok(ImaRule::AnyFile),
        Some(_) => {
            Err("must be `ignored`, `any-file`, or a mapping of names to digests".to_owned())
        }
        None => named(value, &[32, 48, 64]).map(ImaRule::Files),
    }
}

/// A mapping of names to digests of one of these sizes; never empty.
fn named(value: &Value, sizes: &[usize]) -> Result<Vec<(String, Vec<u8>)>, String> {
    let object = value.as_object().filter(|object| object.iter().len() > 0);
    let object = object.ok_or("must be a mapping of names to digests that is not empty")?;
    let read = |(name, value): (&str, &Value)| {
        let read = sizes.iter().find_map(|size| hex_of(value, *size).ok());
        let digest = read.ok_or_else(|| {
            let sizes: Vec<String> = sizes
                .iter()
                .map(|size| size.saturating_mul(2).to_string())
                .collect();
            format!(
                "`{name}` must have {} hexadecimal digits",
                sizes.join(" or ")
            )
        })?;
        Ok((name.to_owned(), digest))
    };
    object.iter().map(read).collect()
}

/// `0-7,9`: numbers and ranges of PCRs, rising.
fn ranges(text: &str) -> Result<BTreeSet<u32>, String> {
    let wrong = || format!("`{text}` must be PCRs like `0-7,9`, rising, none above {LAST_PCR}");
    let mut pcrs = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: u32 = first.parse().map_err(|_| wrong())?;
        let last: u32 = last.parse().map_err(|_| wrong())?;
        let rising = pcrs.last().is_none_or(|highest| *highest < first);
        if first > last || last > LAST_PCR || !rising {
            return Err(wrong());
        }
        pcrs.extend(first..=last);
    }
    Ok(pcrs)
}

const LAST_PCR: u32 = 23;
/// The PCR that secure boot's variables are measured into.
const SECURE_BOOT_PCR: u32 = 7;
/// The PCR that the kernel measures files into.
const IMA_PCR: u32 = 10;
