use unicode_security::confusable_detection::skeleton;

use cmcp_json::Value;

use super::{ScanFinding, Severity};

/// A tool that the catalog already has, or is to have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OtherTool<'a> {
    /// The name of its server.
    pub server: &'a str,
    /// Its name there.
    pub name: &'a str,
}

/// Holds a definition against the tools of other servers: whether it speaks of them, or is named
/// like one. Tools of the same server may speak of each other.
#[must_use]
pub fn scan_against(
    server: &str,
    definition: &Value,
    others: &[OtherTool<'_>],
) -> Vec<ScanFinding> {
    let name = definition
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let others: Vec<&str> = others
        .iter()
        .filter(|other| other.server != server)
        .map(|other| other.name)
        .collect();
    let mut findings = Vec::new();
    for other in &others {
        if name == *other {
            continue;
        }
        let (rule, what) = if skeleton(name).eq(skeleton(other)) {
            (
                "name/look-alike",
                "a name that looks like that of another server's tool",
            )
        } else if imitates(name, other) {
            (
                "name/imitation",
                "another server's tool name with a boast or a version added",
            )
        } else {
            continue;
        };
        let severity = if rule == "name/look-alike" {
            Severity::Warn
        } else {
            Severity::Hint
        };
        findings.push(ScanFinding {
            severity,
            rule,
            what,
            place: "/name".to_owned(),
        });
    }
    mentions(definition, "", &others, &mut findings);
    findings.sort();
    findings.dedup();
    findings
}

fn mentions(value: &Value, place: &str, others: &[&str], findings: &mut Vec<ScanFinding>) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => {
            if others
                .iter()
                .any(|other| is_distinct(other) && names(text, other))
            {
                findings.push(ScanFinding {
                    severity: Severity::Warn,
                    rule: "shadowing/other-tool",
                    what: "the name of another server's tool",
                    place: place.to_owned(),
                });
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                mentions(element, &format!("{place}/{index}"), others, findings);
            }
        }
        Value::Object(object) => {
            for (name, value) in object
                .iter()
                .filter(|(name, _)| !(place.is_empty() && *name == "name"))
            {
                let step = name
                    .replace('~', "~0")
                    .replace('/', "~1")
                    .escape_default()
                    .to_string();
                mentions(value, &format!("{place}/{step}"), others, findings);
            }
        }
    }
}

/// Whether a name cannot be a word of ordinary prose.
fn is_distinct(name: &str) -> bool {
    let camel = name
        .chars()
        .zip(name.chars().skip(1))
        .any(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase());
    name.len() >= 5
        && (camel
            || name.contains(['_', '.', '-'])
            || name.bytes().any(|byte| byte.is_ascii_digit()))
}

/// Whether a text names a tool, as a word of its own.
fn names(text: &str, name: &str) -> bool {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    text.match_indices(name).any(|(start, found)| {
        let before = text
            .get(..start)
            .and_then(|before| before.chars().next_back());
        let after = text
            .get(start.saturating_add(found.len())..)
            .and_then(|after| after.chars().next());
        !joins(before) && !joins(after)
    })
}

/// Whether a name is another with a boast or a version added.
fn imitates(name: &str, other: &str) -> bool {
    let trimmed = |name: &str| {
        let mut rest = name.to_ascii_lowercase();
        for added in ADDED {
            rest = rest
                .replace(&format!("{added}_"), "")
                .replace(&format!("_{added}"), "");
        }
        rest
    };
    other.len() >= 4 && name.len() > other.len() && trimmed(name) == other.to_ascii_lowercase()
}

const ADDED: [&str; 14] = [
    "best", "better", "enhanced", "fast", "improved", "new", "official", "pro", "safe", "secure",
    "super", "v2", "v3", "advanced",
];
