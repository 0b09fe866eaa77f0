//! What a release policy lets happen that its author did not mean.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Condition, ReleaseError, ReleasePolicy, bare};
use crate::Sha256Digest;

/// What is known beside the policy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// The attestation service that tokens are asked from, as in `https://sharedeus.eus.attest.azure.net`.
    pub maa: Option<&'a str>,
    /// The container policies, decoded, that the key is for; empty where they are not at hand.
    pub policies: &'a [Vec<u8>],
    /// The release policy of the key that is there already.
    pub existing: Option<&'a ReleasePolicy>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    /// The wrong party gets the key, or nobody does.
    Error,
    /// To look at.
    Warning,
}

/// One thing about a release policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Its name, for scripts.
    pub code: &'static str,
    /// Where and what.
    pub says: String,
}

/// Everything there is to say about a policy.
///
/// # Errors
///
/// It cannot be evaluated at all.
pub fn lint(policy: &[u8], context: &Context<'_>) -> Result<Vec<Finding>, ReleaseError> {
    let policy = ReleasePolicy::parse(policy)?;
    let mut findings = Findings::default();
    for place in &policy.unknown {
        findings.warning(
            "unknown-member",
            format!("`{place}` is not known; the service may refuse it"),
        );
    }
    if policy.immutable {
        findings.warning(
            "immutable",
            "cannot be changed once the key exists".to_owned(),
        );
    }
    if context
        .existing
        .is_some_and(|existing| existing.authorities != policy.authorities)
    {
        let says =
            "the key exists with another policy, which stays in force until a new version is made";
        findings.error("other-policy", says.to_owned());
    }
    for authority in &policy.authorities {
        findings.authority(&authority.issuer, context);
    }
    match all_branches(&policy) {
        None => {
            let says =
                format!("more than {MOST_BRANCHES} ways to satisfy it: too many to be sure of");
            findings.error("too-many-branches", says);
        }
        Some(all) if all.is_empty() => {
            let says = "no branch can hold: the key is never released";
            findings.error("never", says.to_owned());
        }
        Some(all) => {
            for branch in &all {
                findings.branch(branch, context);
            }
            findings.weaker(&all);
        }
    }
    Ok(findings.0)
}

/// One way to satisfy the policy: every one of these claims.
struct Branch<'a> {
    place: String,
    claims: Vec<(&'a str, &'a str)>,
}

impl Branch<'_> {
    fn value(&self, claim: &str) -> Option<&str> {
        let is = |name: &str| {
            let inner = name.strip_prefix("x-ms-isolation-tee.");
            name == claim || inner == Some(claim)
        };
        let found = self.claims.iter().find(|(name, _)| is(name));
        found.map(|(_, value)| *value)
    }

    fn exactly(&self, claim: &str) -> Option<&str> {
        let found = self.claims.iter().find(|(name, _)| *name == claim);
        found.map(|(_, value)| *value)
    }

    fn names(&self) -> BTreeSet<&str> {
        self.claims.iter().map(|(name, _)| *name).collect()
    }
}

fn all_branches(policy: &ReleasePolicy) -> Option<Vec<Branch<'_>>> {
    let mut all = Vec::new();
    for authority in &policy.authorities {
        let ways = branches(&authority.condition)?.into_iter();
        all.extend(ways.map(|claims| Branch {
            place: format!("authority `{}`", authority.issuer),
            claims,
        }));
        if all.len() > MOST_BRANCHES {
            return None;
        }
    }
    Some(all)
}

// Every way in which a condition can hold; none if there are too many.
fn branches(condition: &Condition) -> Option<Vec<Vec<(&str, &str)>>> {
    match condition {
        Condition::Equals { claim, value } => Some(vec![vec![(claim, value)]]),
        Condition::Any(list) => {
            let mut all = Vec::new();
            for one in list {
                all.extend(branches(one)?);
                if all.len() > MOST_BRANCHES {
                    return None;
                }
            }
            Some(all)
        }
        Condition::All(list) if list.is_empty() => Some(Vec::new()),
        Condition::All(list) => {
            let mut all: Vec<Vec<(&str, &str)>> = vec![Vec::new()];
            for one in list {
                all = both(all, &branches(one)?)?;
            }
            Some(all)
        }
    }
}

fn both<'a>(
    mut known: Vec<Vec<(&'a str, &'a str)>>,
    new: &[Vec<(&'a str, &'a str)>],
) -> Option<Vec<Vec<(&'a str, &'a str)>>> {
    if let [only] = new {
        for branch in &mut known {
            branch.extend(only);
        }
        return Some(known);
    }
    if known.len().saturating_mul(new.len()) > MOST_BRANCHES {
        return None;
    }
    let pairs = known
        .iter()
        .flat_map(|known| new.iter().map(move |new| (known, new)));
    Some(
        pairs
            .map(|(known, new)| [known.as_slice(), new].concat())
            .collect(),
    )
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn error(&mut self, code: &'static str, says: String) {
        self.add(Severity::Error, code, says);
    }

    fn warning(&mut self, code: &'static str, says: String) {
        self.add(Severity::Warning, code, says);
    }

    fn add(&mut self, severity: Severity, code: &'static str, says: String) {
        let finding = Finding {
            severity,
            code,
            says,
        };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    fn authority(&mut self, issuer: &str, context: &Context<'_>) {
        if !issuer.starts_with("https://") {
            self.error(
                "http-authority",
                format!("authority `{issuer}` is not an https address"),
            );
        }
        if context.maa.is_some_and(|maa| bare(maa) != bare(issuer)) {
            let says = format!("authority `{issuer}` is not the attestation service in use");
            self.warning("other-authority", says);
        }
    }

    fn branch(&mut self, branch: &Branch<'_>, context: &Context<'_>) {
        let place = &branch.place;
        match branch.value("x-ms-sevsnpvm-hostdata") {
            Some(digest) => self.host_data(digest, place, context),
            None => self.error(
                "no-hostdata",
                format!("{place}: no `x-ms-sevsnpvm-hostdata`: any container policy gets the key"),
            ),
        }
        if branch.value("x-ms-sevsnpvm-is-debuggable") != Some("false") {
            let says = format!("{place}: `x-ms-sevsnpvm-is-debuggable` is not held to false");
            self.error("debuggable", says);
        }
        if branch.value("x-ms-sevsnpvm-vmpl") != Some("0") {
            self.warning(
                "no-vmpl",
                format!("{place}: `x-ms-sevsnpvm-vmpl` is not held to 0"),
            );
        }
        self.compliance(branch);
    }

    // A container group's token says `uvm` at the top; a VM's says `cvm` inside `x-ms-isolation-tee`.
    fn compliance(&mut self, branch: &Branch<'_>) {
        let place = &branch.place;
        let outer = branch.exactly("x-ms-compliance-status");
        let inner = branch.exactly("x-ms-isolation-tee.x-ms-compliance-status");
        let of_vm = branch.exactly("x-ms-attestation-type") == Some("azurevm");
        let of_container = outer.is_some_and(|status| status.ends_with("-uvm"));
        let mixed = outer.is_some_and(|status| status.ends_with("-cvm"))
            || inner.is_some_and(|status| status.ends_with("-uvm"))
            || (of_container && (of_vm || inner.is_some()));
        if mixed {
            let says = format!(
                "{place}: demands of one token what only a container group's (`azure-compliant-uvm`) and only a VM's (`azure-compliant-cvm`) says: never releases"
            );
            self.error("cvm-uvm", says);
        }
        if outer.is_none() && inner.is_none() {
            let says = format!("{place}: no `x-ms-compliance-status`");
            self.warning("no-compliance", says);
        }
    }

    fn host_data(&mut self, digest: &str, place: &str, context: &Context<'_>) {
        let Ok(found) = Sha256Digest::from_hex(digest) else {
            let says =
                format!("{place}: host data `{digest}` is not 64 hexadecimal digits in lower case");
            self.error("hash-malformed", says);
            return;
        };
        if digest
            .bytes()
            .all(|digit| digest.starts_with(char::from(digit)))
        {
            self.error(
                "hash-placeholder",
                format!("{place}: host data `{digest}` is a placeholder"),
            );
        }
        let mut is_one = context.policies.is_empty();
        for policy in context.policies {
            is_one |= found == Sha256Digest::of(policy);
            let text = STANDARD.encode(policy);
            if found == Sha256Digest::of(text.as_bytes()) {
                let says = format!(
                    "{place}: host data is the hash of the policy's base64 text; it has to be of the decoded policy, {}",
                    Sha256Digest::of(policy).hex()
                );
                self.error("hash-of-base64", says);
                is_one = true;
            }
        }
        if !is_one {
            self.error(
                "hash-other",
                format!("{place}: host data is of none of the policies given"),
            );
        }
    }

    fn weaker(&mut self, all: &[Branch<'_>]) {
        let named: Vec<BTreeSet<&str>> = all.iter().map(Branch::names).collect();
        for (branch, names) in all.iter().zip(&named) {
            let stronger =
                |others: &&BTreeSet<&str>| names.len() < others.len() && names.is_subset(others);
            if let Some(stronger) = named.iter().find(stronger) {
                let more: Vec<&str> = stronger.difference(names).copied().collect();
                let says = format!(
                    "{}: a branch does without {}, which another demands",
                    branch.place,
                    more.join(", ")
                );
                self.error("weaker-branch", says);
            }
        }
    }
}

const MOST_BRANCHES: usize = 256;
