mod bodies;
mod captured;
mod collateral;
mod enclaves;
mod flips;
mod forge;
mod formats;
mod levels;
mod links;
mod machine;
mod messages;
mod policies;
mod registers;
mod showing;
mod times;
mod whole;

use std::path::{Path, PathBuf};

use self::forge::{Forged, Mint};
use super::{SgxPolicy, TdxPolicy};
use crate::{
    AttestationResult, Binding, Endorsements, Evidence, Input, Part, Platform, ReferenceValues,
    Status, Timestamp,
    policy::{Fields, Freshness, PolicyFault},
};

/// A time at which everything that is forged holds, and less than half of its life is over.
const AT: &str = "2026-06-01T00:00:00Z";

/// A section of the reference values, as JSON members.
#[derive(Clone)]
struct Section {
    platform: Platform,
    members: Vec<(&'static str, String)>,
}

impl Section {
    /// Accepts what [`Mint::tdx`] forges and nothing else.
    fn tdx(root: &str) -> Self {
        let either = ["icssd", "lass"].map(|name| format!(r#""{name}":"either""#));
        let refused = ["servtd_ext", "pks", "key_locker", "tpa", "perfmon"];
        let refused = refused.map(|name| format!(r#""{name}":"refused""#));
        let attributes = either.into_iter().chain(refused).collect::<Vec<_>>();
        let register = |byte: &str| format!(r#"["{}"]"#, byte.repeat(48));
        let zeros = "00".repeat(48);
        let mut members = trust(root);
        members.extend([
            ("attributes", format!("{{{}}}", attributes.join(","))),
            (
                "xfam",
                r#"{"required":"0x3","allowed":"0x61ae7"}"#.to_owned(),
            ),
            ("mrseam", register("5e")),
            ("mrsignerseam", format!(r#"["{zeros}"]"#)),
            ("service_tds", "[]".to_owned()),
            ("devices", "[]".to_owned()),
            (
                "measurements",
                format!(r#"{{"firmware":"{}"}}"#, "11".repeat(48)),
            ),
            ("rtmr0", register("a0")),
            ("rtmr1", register("a1")),
            ("rtmr2", register("a2")),
            ("rtmr3", register("a3")),
            ("mrconfigid", register("22")),
            ("mrowner", format!(r#"["{zeros}"]"#)),
            ("mrownerconfig", format!(r#"["{zeros}"]"#)),
        ]);
        let platform = Platform::Tdx;
        Self { platform, members }
    }

    /// Accepts what [`Mint::sgx`] forges and nothing else.
    fn sgx(root: &str) -> Self {
        let mut members = trust(root);
        let named = |bytes: usize| format!(r#"["{}"]"#, "00".repeat(bytes));
        members.extend([
            (
                "attributes",
                r#"{"mode64":"required","cet":"either","kss":"refused","aex_notify":"refused"}"#
                    .to_owned(),
            ),
            ("xfrm", r#"{"required":"0x3","allowed":"0xe7"}"#.to_owned()),
            (
                "miscselect",
                r#"{"required":"0x0","allowed":"0x1"}"#.to_owned(),
            ),
            (
                "measurements",
                format!(r#"{{"enclave":"{}"}}"#, "e1".repeat(32)),
            ),
            ("signers", r#""none""#.to_owned()),
            ("config_ids", named(64)),
            ("config_svn_at_least", "5".to_owned()),
            ("family_ids", named(16)),
            ("ext_prod_ids", named(16)),
        ]);
        let platform = Platform::Sgx;
        Self { platform, members }
    }

    /// With another value of a member.
    fn with(mut self, member: &'static str, value: impl Into<String>) -> Self {
        self.members.retain(|(name, _)| *name != member);
        self.members.push((member, value.into()));
        self
    }

    fn without(mut self, member: &'static str) -> Self {
        self.members.retain(|(name, _)| *name != member);
        self
    }

    /// Without collateral: signatures and certificates alone.
    fn chain_only(self) -> Self {
        self.with("collateral", r#""danger-chain-only""#)
            .with("tcb_evaluation_at_least", "0")
    }

    /// Reads it as the one section of a document that refuses all else.
    fn read(&self) -> Result<ReferenceValues, Vec<PolicyFault>> {
        let members = self.members.iter();
        let members = members.map(|(name, value)| format!(r#""{name}":{value}"#));
        let section = members.collect::<Vec<_>>().join(",");
        let text = format!(r#"{{"{}":{{{section}}}}}"#, self.platform);
        let document = cmcp_json::parse(text.as_bytes(), &cmcp_json::Limits::DOCUMENT).unwrap();
        let mut faults = Vec::new();
        let mut values = ReferenceValues::refusing_all(Freshness::Unproven);
        let mut fields = Fields::open(&document, "", &mut faults).unwrap();
        if self.platform == Platform::Sgx {
            values.sgx = fields.platform(Platform::Sgx, SgxPolicy::read).flatten();
        } else {
            values.tdx = fields.platform(Platform::Tdx, TdxPolicy::read).flatten();
        }
        fields.close();
        if faults.is_empty() {
            Ok(values)
        } else {
            Err(faults)
        }
    }
}

fn trust(root: &str) -> Vec<(&'static str, String)> {
    let roots = if root.is_empty() {
        r#""vendor""#.to_owned()
    } else {
        format!("[{}]", forge::text_of(root))
    };
    vec![
        ("identity", r#""pinned""#.to_owned()),
        ("roots", roots),
        ("collateral", r#""required""#.to_owned()),
        ("tcb_evaluation_at_least", "20".to_owned()),
        ("tolerated_statuses", "[]".to_owned()),
        ("tolerated_advisories", "[]".to_owned()),
        (
            "platform",
            r#"{"dynamic_platform":"allowed","cached_keys":"allowed","smt":"refused","memory":["standard"]}"#.to_owned(),
        ),
        ("ppids", format!(r#"["{}"]"#, "ab".repeat(16))),
    ]
}

/// What is judged, and by what.
struct Trial {
    section: Section,
    evidence: Evidence,
    endorsements: Endorsements,
    binding: Binding,
    at: Timestamp,
}

impl Trial {
    fn of(forged: &Forged, section: Section) -> Self {
        let evidence = Evidence::new(section.platform).with(Part::Quote, forged.quote.clone());
        Self {
            section,
            evidence,
            endorsements: Endorsements {
                intel: vec![forged.document()],
                ..Endorsements::default()
            },
            binding: Binding::Challenge(vec![0x77; 64]),
            at: AT.parse().unwrap(),
        }
    }

    fn judge(&self) -> AttestationResult {
        let policy = self.section.read().unwrap();
        crate::appraise(&Input {
            evidence: &self.evidence,
            endorsements: &self.endorsements,
            binding: &self.binding,
            policy: &policy,
            at: self.at,
        })
    }
}

/// Judges a forgery by the policy that accepts what is forged unbroken.
fn judge(mint: &Mint) -> AttestationResult {
    let forged = mint.build();
    Trial::of(&forged, section(mint, &forged)).judge()
}

fn section(mint: &Mint, forged: &Forged) -> Section {
    if mint.header[4] == 0 {
        Section::sgx(&forged.root)
    } else {
        Section::tdx(&forged.root)
    }
}

/// The names of the checks that failed or were not done.
fn failures(result: &AttestationResult) -> Vec<&'static str> {
    let mut codes: Vec<_> = result
        .failures()
        .map(|checked| checked.check.code)
        .collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The result is a refusal for these reasons and no other.
#[track_caller]
fn assert_refused(result: &AttestationResult, expected: &[&str]) {
    assert_eq!(
        result.status,
        Status::Contraindicated,
        "{:#?}",
        result.checks
    );
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    let told: Vec<_> = result.failures().collect();
    assert_eq!(failures(result), expected, "{told:#?}");
}

#[track_caller]
fn assert_status(result: &AttestationResult, expected: Status) {
    let told: Vec<_> = result.failures().collect();
    assert_eq!(result.status, expected, "{told:#?}");
}

/// The folder of captured evidence; none where it is not there, which only continuous integration refuses.
fn vectors() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none_or(|value| value != "true"),
        "../shared is not here"
    );
    eprintln!("skipped: ../shared is not here");
    None
}
