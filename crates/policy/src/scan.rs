//! Definitions of tools, resources and prompts before a person approves them: what must be refused, and
//! what a reviewer should look at.
//!
//! A definition is read by a model as instructions, whole: descriptions, but also property names,
//! enum values, defaults, comments. So every string in it is looked at.

mod other;

use std::{cmp::Reverse, sync::LazyLock};

use cmcp_json::{Object, Value};
use regex::Regex;
use unicode_normalization::is_nfkc;
use unicode_security::MixedScript;

pub use self::other::{OtherTool, scan_against};
use crate::{
    inspect::{Family, Rule, Tally, detect, hidden},
    schema_check::{Bare, Schema},
};

/// How much a finding matters. Only facts refuse; wording is for a person to judge.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// Worth a second look.
    Hint,
    /// Unusual in a definition that means well.
    Warn,
    /// Not to be approved.
    Refuse,
}

/// Something about a definition.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ScanFinding {
    /// How much it matters.
    pub severity: Severity,
    /// The rule's name.
    pub rule: &'static str,
    /// What it found, in words.
    pub what: &'static str,
    /// Where: a JSON Pointer into the definition, with what is not plain ASCII escaped.
    pub place: String,
}

/// Looks at every string of a definition, member names included, and at its name.
#[must_use]
pub fn scan_definition(definition: &Value) -> Vec<ScanFinding> {
    let mut scan = Scan {
        findings: Vec::new(),
    };
    if let Some(name) = definition.get("name").and_then(Value::as_str) {
        // A resource is known by its URI, which is ASCII; its name is a text for people, of any script.
        let is_text = ["uri", "uriTemplate"]
            .iter()
            .any(|identity| definition.get(identity).is_some());
        scan.name(
            name,
            if is_text {
                Severity::Warn
            } else {
                Severity::Refuse
            },
        );
    }
    scan.value(definition, "");
    scan.findings.sort();
    scan.findings.dedup();
    scan.findings
        .sort_by_key(|finding| Reverse(finding.severity));
    scan.findings
}

/// Whether the schemas of a definition can be enforced as they are.
#[must_use]
pub fn scan_schemas(definition: &Value) -> Vec<ScanFinding> {
    let schemas = [("inputSchema", Bare::Closed), ("outputSchema", Bare::Open)];
    let found = schemas.into_iter().filter_map(|(which, bare)| {
        let schema = definition.get(which).filter(|schema| !schema.is_null())?;
        Schema::compile(schema, bare).err().map(|_| ScanFinding {
            severity: Severity::Refuse,
            rule: "schema/unenforceable",
            what: "a schema that cannot be enforced",
            place: format!("/{which}"),
        })
    });
    found.collect()
}

struct Scan {
    findings: Vec<ScanFinding>,
}

impl Scan {
    fn add(&mut self, severity: Severity, (rule, what): (&'static str, &'static str), place: &str) {
        self.findings.push(ScanFinding {
            severity,
            rule,
            what,
            place: place.to_owned(),
        });
    }

    fn name(&mut self, name: &str, severity: Severity) {
        if !is_nfkc(name) {
            self.add(severity, NOT_NFKC, "/name");
        }
        if !name.is_ascii() && !name.is_single_script() {
            self.add(severity, MIXED_SCRIPT, "/name");
        }
    }

    fn value(&mut self, value: &Value, place: &str) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => self.text(text, place),
            Value::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    self.value(element, &format!("{place}/{index}"));
                }
            }
            Value::Object(object) => self.members(object, place),
        }
    }

    fn members(&mut self, object: &Object, place: &str) {
        for (name, value) in object.iter() {
            let step = name
                .replace('~', "~0")
                .replace('/', "~1")
                .escape_default()
                .to_string();
            let below = format!("{place}/{step}");
            self.text(name, &below);
            if !name.is_ascii() && (!is_nfkc(name) || !name.is_single_script()) {
                self.add(Severity::Warn, LOOKALIKE_MEMBER, &below);
            }
            self.value(value, &below);
        }
    }

    fn text(&mut self, text: &str, place: &str) {
        if text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
        {
            self.add(Severity::Refuse, CONTROL, place);
        }
        if !text.is_ascii() {
            hidden(text, &mut |rule| {
                let (severity, said) = judge(rule);
                self.add(severity, said, place);
            });
        }
        let mut tally = Tally::default();
        detect(text, &[Family::Injection], &mut tally);
        for rule in tally
            .rules()
            .filter(|rule| !rule.name().starts_with("smuggling/"))
        {
            let (severity, said) = judge(rule);
            self.add(severity, said, place);
        }
        for (rule, pattern) in [(ORDER, &ORDERS), (REACH, &REACHES)] {
            if pattern
                .as_ref()
                .is_some_and(|pattern| pattern.is_match(text))
            {
                self.add(Severity::Hint, rule, place);
            }
        }
    }
}

fn judge(rule: Rule) -> (Severity, (&'static str, &'static str)) {
    let (severity, what) = match rule {
        Rule::Bidi => (
            Severity::Refuse,
            "characters that change the direction of text",
        ),
        Rule::Tag => (Severity::Refuse, "tag characters, which are not shown"),
        Rule::Variation => (
            Severity::Refuse,
            "rows of variation selectors, which are not shown",
        ),
        Rule::ZeroWidth => (Severity::Refuse, "characters without width"),
        Rule::MixedScript => (Severity::Warn, "a word in letters of two scripts"),
        Rule::Conceal => (Severity::Warn, "a request to keep something from the user"),
        Rule::DecodeAndObey => (Severity::Warn, "a payload to be decoded and obeyed"),
        Rule::Emphasis => (Severity::Warn, "mark-up that raises its voice"),
        Rule::HiddenHtml => (
            Severity::Warn,
            "words for a model in HTML that is not shown",
        ),
        Rule::Override => (Severity::Warn, "a request to ignore instructions or checks"),
        Rule::Turn => (Severity::Warn, "a forged marker of a conversation's turn"),
        Rule::Addressed => (Severity::Hint, "a duty laid on the assistant"),
        Rule::Frame => (Severity::Hint, "something that looks like a protocol frame"),
        Rule::AiProviderKey
        | Rule::AwsAccessKey
        | Rule::Credentials
        | Rule::Email
        | Rule::GithubToken
        | Rule::GitlabToken
        | Rule::GoogleApiKey
        | Rule::HighEntropy
        | Rule::Iban
        | Rule::Jwt
        | Rule::OutputMissing
        | Rule::PackageToken
        | Rule::PaymentCard
        | Rule::PrivateKey
        | Rule::ServiceToken
        | Rule::SlackToken
        | Rule::StripeKey
        | Rule::TextDiffers
        | Rule::UsSsn => (Severity::Hint, "a secret or a personal identifier"),
    };
    (severity, (rule.name(), what))
}

/// Definitions that give orders beyond what the tool does: when to call it, what to do before others.
static ORDERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?xi)
          \b (?:before|prior\ to|after) \W+ (?: \w+ \W+ ){0,3}? (?:us(?:e|ing)|call(?:ing)?|execut(?:e|ing)|invok(?:e|ing)|run(?:ning)?|provid(?:e|ing)) \b [^.]{0,60}? \b (?:tool|operation|function|information|this)s? \b [^.]{0,60}? \b (?:must|always|first|execute|run|call) \b
        | \b before \s+ execut\w+ \s+ \w+ \s+ operation
        | \b always \W+ (?: \w+ \W+ ){0,2}? (?:call|use|run|invoke|send|include|read|forward|copy) \b [^.]{0,40}? \b (?:this\ tool|first|copy|e-?mail|the\ (?:full|entire|complete|current)|conversation)
        | \b (?:must|should) \W+ (?: \w+ \W+ ){0,2}? (?:first|also) \W+ (?:access|read|call|send|open|fetch|include|copy|forward)
        | \b (?:rather\ than|instead\ of) \W+ (?:any\ |the\ |all\ )?others? \b
        | \b (?:just|only) \s+ use \s+ this \s+ tool \b
        | \b no \s+ matter \s+ (?:how|what|which)
        | \b (?:every|whenever \W+ you) \W+ (?: \S+ \W+ ){0,3}? calls? \b [^.]{0,80}? \b (?:must|include|set|also) \b
        | \b for \s+ any \s+ (?:request|task|query|question) \b
        | \b regardless \s+ of \s+ (?:the\ )?(?:user|what\ the|instructions)
        ",
    )
    .ok()
});

/// Definitions that reach for what no argument gives them.
static REACHES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?xi)
          (?:~|\$HOME|/home/\w+|/root)/\.(?:ssh|aws|cursor|config|gnupg|kube|env) | \bid_rsa\b | /etc/(?:passwd|shadow)
        | \b (?:system\ prompt|conversation\ history|(?:complete|entire|full|whole|previous)\ (?:conversation|chat|context|history)|all\ (?:user\ )?messages) \b
        | \b exfiltrat | \b internal://
        | \b (?:send|forward|copy|bcc|loop|mirror|e-?mail|let) \b [^.]{0,80}? [\w.+-]+@[\w-]+\.[\w.]+
        ",
    )
    .ok()
});

const CONTROL: (&str, &str) = ("smuggling/control", "control characters");
const LOOKALIKE_MEMBER: (&str, &str) = (
    "name/look-alike-member",
    "a member name of several scripts, or one that another spelling equals",
);
const MIXED_SCRIPT: (&str, &str) = ("name/mixed-script", "a name in letters of several scripts");
const NOT_NFKC: (&str, &str) = (
    "name/not-nfkc",
    "a name that another spelling equals (NFKC)",
);
const ORDER: (&str, &str) = (
    "wording/order",
    "orders about when to call it or what else to do",
);
const REACH: (&str, &str) = ("wording/reach", "places or people that no argument names");

#[cfg(test)]
mod tests;
