//! Container policies (CCE): what they leave open, found by reading them.

use std::fmt;

use super::rego::{self, Policy, Term};

/// What is wrong with a policy.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FindingKind {
    /// A flag lets the host read or change something.
    AllowedFlag,
    /// A rule allows whatever is asked.
    AllowEverything,
    /// A container runs with the rights of the utility VM.
    Elevated,
    /// Programs may be started in a running container, or beside them.
    Exec,
    /// A rule is not known, or is not the framework's rule of its name.
    ForeignRule,
    /// Policy from elsewhere, signed by somebody, is added at run time.
    Fragment,
    /// A rule of the framework is not decided.
    MissingRule,
    /// The host is connected to a program's input and output.
    Stdio,
    /// A pattern for environment variables holds wherever it stands in a variable, so that it takes
    /// variables of every name.
    UnanchoredEnv,
    /// A member is not known here.
    UnknownMember,
    /// The policy holds something that is not data.
    Unreadable,
    /// An environment variable that is not a sealed secret takes more than one value.
    WildcardEnv,
}

impl FindingKind {
    /// All of them, by name.
    pub const ALL: [Self; 12] = [
        Self::AllowedFlag,
        Self::AllowEverything,
        Self::Elevated,
        Self::Exec,
        Self::ForeignRule,
        Self::Fragment,
        Self::MissingRule,
        Self::Stdio,
        Self::UnanchoredEnv,
        Self::UnknownMember,
        Self::Unreadable,
        Self::WildcardEnv,
    ];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllowedFlag => "allowed-flag",
            Self::AllowEverything => "allow-everything",
            Self::Elevated => "elevated",
            Self::Exec => "exec",
            Self::ForeignRule => "foreign-rule",
            Self::Fragment => "fragment",
            Self::MissingRule => "missing-rule",
            Self::Stdio => "stdio",
            Self::UnanchoredEnv => "unanchored-env",
            Self::UnknownMember => "unknown-member",
            Self::Unreadable => "unreadable",
            Self::WildcardEnv => "wildcard-env",
        }
    }
}

/// One thing that a policy leaves open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// Where: a rule, a container's member, a pattern.
    pub place: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.place)
    }
}

/// Everything that a policy leaves open. An empty list says that the policy allows what it lists and no more.
#[must_use]
pub fn lint(policy: &[u8]) -> Vec<Finding> {
    let mut findings = Findings::default();
    match std::str::from_utf8(policy) {
        Ok(text) => findings.policy(&rego::parse(text)),
        Err(_) => findings.add(FindingKind::Unreadable, "not a text in UTF-8"),
    }
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, kind: FindingKind, place: impl Into<String>) {
        let place = place.into();
        self.0.push(Finding { kind, place });
    }

    fn policy(&mut self, policy: &Policy) {
        if policy.package != "policy" {
            let place = format!("package `{}`", policy.package);
            self.add(FindingKind::ForeignRule, place);
        }
        for rule in &policy.rules {
            match rule.name.as_str() {
                "containers" => self.each("containers", &rule.term, Self::container),
                "external_processes" => {
                    self.each("external_processes", &rule.term, Self::external_process);
                }
                "fragments" => self.each("fragments", &rule.term, Self::fragment),
                "api_svn" | "api_version" | "framework_svn" | "framework_version" | "reason" => {}
                flag if FLAGS.contains(&flag) => {
                    if rule.term != Term::Bool(false) {
                        self.add(FindingKind::AllowedFlag, flag);
                    }
                }
                point => self.point(point, &rule.term),
            }
        }
        match &policy.unread {
            Some(unread) => self.add(FindingKind::Unreadable, unread.to_string()),
            None => {
                let missing = POINTS.iter().filter(|point| policy.rule(point).is_none());
                for point in missing {
                    self.add(FindingKind::MissingRule, *point);
                }
            }
        }
    }

    fn point(&mut self, name: &str, term: &Term) {
        let own = format!("data.framework.{name}");
        let denied = Term::Object(vec![("allowed".to_owned(), Term::Bool(false))]);
        if *term == Term::Reference(own) || (POINTS.contains(&name) && *term == denied) {
            return;
        }
        if term.get("allowed").is_none() {
            self.add(FindingKind::ForeignRule, name);
            return;
        }
        self.add(FindingKind::AllowEverything, name);
        if name.starts_with("exec_") {
            self.add(FindingKind::Exec, name);
        }
        if term
            .get("allow_stdio_access")
            .is_some_and(|term| *term != Term::Bool(false))
        {
            self.add(FindingKind::Stdio, name);
        }
        if name == "load_fragment" {
            self.add(FindingKind::Fragment, name);
        }
    }

    fn each(&mut self, what: &str, list: &Term, read: fn(&mut Self, &str, &Term)) {
        let Some(items) = list.as_list() else {
            self.add(FindingKind::ForeignRule, what);
            return;
        };
        for (index, item) in items.iter().enumerate() {
            let name = item.get("name").or_else(|| item.get("id"));
            match name.and_then(Term::as_text) {
                Some(name) if !name.is_empty() => read(self, &format!("{what}[{name}]"), item),
                Some(_) | None => read(self, &format!("{what}[{index}]"), item),
            }
        }
    }

    fn container(&mut self, place: &str, container: &Term) {
        self.members(place, container, CONTAINER);
        if !is_false(container.get("allow_elevated")) {
            self.add(FindingKind::Elevated, place);
        }
        self.stdio(place, container);
        self.environment(place, container);
        match container.get("exec_processes").map(Term::as_list) {
            Some(Some([])) => {}
            Some(Some(_) | None) | None => {
                self.add(FindingKind::Exec, format!("{place}.exec_processes"));
            }
        }
    }

    fn external_process(&mut self, place: &str, process: &Term) {
        self.members(place, process, PROCESS);
        self.add(FindingKind::Exec, place);
        self.stdio(place, process);
        self.environment(place, process);
    }

    fn fragment(&mut self, place: &str, fragment: &Term) {
        self.members(place, fragment, FRAGMENT);
        let text = |member| fragment.get(member).and_then(Term::as_text).unwrap_or("-");
        let place = format!("{} {}", text("issuer"), text("feed"));
        self.add(FindingKind::Fragment, place);
    }

    fn stdio(&mut self, place: &str, item: &Term) {
        if !is_false(item.get("allow_stdio_access")) {
            self.add(FindingKind::Stdio, place);
        }
    }

    fn environment(&mut self, place: &str, item: &Term) {
        let place = format!("{place}.env_rules");
        let Some(rules) = item.get("env_rules").and_then(Term::as_list) else {
            self.add(FindingKind::WildcardEnv, place);
            return;
        };
        for rule in rules {
            self.members(&place, rule, ENVIRONMENT);
            let text = |member| rule.get(member).and_then(Term::as_text);
            match (text("strategy"), text("pattern")) {
                (Some("string"), Some(_)) => {}
                (Some("re2"), Some(pattern)) => {
                    if let Some(kind) = pattern_finding(pattern) {
                        self.add(kind, format!("{place} {pattern}"));
                    }
                }
                (strategy, _) => {
                    let strategy = strategy.unwrap_or("none");
                    let place = format!("{place} strategy {strategy}");
                    self.add(FindingKind::WildcardEnv, place);
                }
            }
        }
    }

    fn members(&mut self, place: &str, item: &Term, known: &[&str]) {
        let Term::Object(members) = item else {
            self.add(FindingKind::UnknownMember, place);
            return;
        };
        for (name, _) in members {
            if !known.contains(&name.as_str()) {
                self.add(FindingKind::UnknownMember, format!("{place}.{name}"));
            }
        }
    }
}

fn is_false(term: Option<&Term>) -> bool {
    term == Some(&Term::Bool(false))
}

// The framework asks for a match anywhere in `NAME=VALUE`. Only a pattern that begins with `^` and a
// literal name says which variable it is for; an alternative would begin anew.
fn pattern_finding(pattern: &str) -> Option<FindingKind> {
    let named = pattern
        .strip_prefix('^')
        .filter(|rest| !rest.contains('|'))
        .and_then(|rest| rest.split_once('='))
        .filter(|(name, _)| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        });
    match named {
        None => Some(FindingKind::UnanchoredEnv),
        Some((name, _)) if name.starts_with("ENC_") => None,
        Some((_, _)) => Some(FindingKind::WildcardEnv),
    }
}

/// What the framework asks a policy about, since its first published version.
const POINTS: &[&str] = &[
    "create_container",
    "dump_stacks",
    "exec_external",
    "exec_in_container",
    "get_properties",
    "load_fragment",
    "mount_device",
    "mount_overlay",
    "plan9_mount",
    "plan9_unmount",
    "runtime_logging",
    "scratch_mount",
    "scratch_unmount",
    "shutdown_container",
    "signal_container_process",
    "unmount_device",
    "unmount_overlay",
];

const FLAGS: &[&str] = &[
    "allow_capabilities_dropping",
    "allow_capability_dropping",
    "allow_dump_stacks",
    "allow_environment_variable_dropping",
    "allow_properties_access",
    "allow_runtime_logging",
    "allow_unencrypted_scratch",
];

const CONTAINER: &[&str] = &[
    "allow_elevated",
    "allow_stdio_access",
    "capabilities",
    "command",
    "env_rules",
    "exec_processes",
    "id",
    "layers",
    "mounts",
    "name",
    "no_new_privileges",
    "seccomp_profile_sha256",
    "signals",
    "user",
    "working_dir",
];

const PROCESS: &[&str] = &["allow_stdio_access", "command", "env_rules", "working_dir"];

const FRAGMENT: &[&str] = &["feed", "includes", "issuer", "minimum_svn"];

const ENVIRONMENT: &[&str] = &["pattern", "required", "strategy"];

#[cfg(test)]
mod tests;
