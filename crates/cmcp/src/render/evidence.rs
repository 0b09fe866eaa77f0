//! An appraisal's report.

use std::collections::BTreeSet;

use cmcp_evidence::{
    About, AttestationResult, Sha256Digest, Status,
    check::{Checked, Outcome},
    endorse::{Item, Kind},
};
use cmcp_json::{Object, Value};

use crate::render::table::shown;

/// Everything that a report says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict<'a> {
    pub(crate) result: &'a AttestationResult,
    /// The format that was recognised.
    pub(crate) format: &'a str,
    pub(crate) digest: Option<Sha256Digest>,
    pub(crate) bytes: usize,
    /// What the evidence had to be bound to, as it was read.
    pub(crate) bound: &'a str,
    pub(crate) policy: Policy<'a>,
    pub(crate) items: &'a [Item],
    pub(crate) unused: &'a BTreeSet<usize>,
}

/// Which reference values were used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    /// The file's name, or words for those shipped.
    pub(crate) name: &'a str,
    pub(crate) digest: Sha256Digest,
    pub(crate) signed: &'a str,
}

/// The lines of `cmcp evidence verify`.
pub(crate) fn lines(verdict: &Verdict<'_>) -> Vec<String> {
    let result = verdict.result;
    let mut lines = head(verdict);
    let proved = is_proved(result);
    lines.push(match proved {
        true => "proved:".to_owned(),
        false => "stated by the evidence, and not proved:".to_owned(),
    });
    for about in ABOUT {
        let claims = result.claims.iter().filter(|claim| claim.about == about);
        lines.extend(claims.map(|claim| {
            let (word, name) = (about.as_str(), claim.name);
            format!("  {word:<5} {name} = {}", shown(&claim.value, MAX_VALUE))
        }));
    }
    if let Some(end) = result.not_after.filter(|_| proved) {
        lines.push(format!("  holds until {end}"));
    }
    let mut before = "";
    for checked in result.failures() {
        lines.extend(bad(checked, before));
        before = checked.check.code;
    }
    for checked in &result.checks {
        if let Outcome::Tolerated { what, until } = &checked.outcome {
            let until = until.map_or_else(String::new, |until| format!(", until {until}"));
            let (code, what) = (checked.check.code, shown(what, MAX_VALUE));
            lines.push(format!("TOLERATED  {code}: {what}{until}"));
        }
    }
    let notes = result.notes.iter();
    lines.extend(notes.map(|note| format!("note: {}", shown(note, MAX_SENTENCE))));
    for (word, outcome) in [("met", "met"), ("does not apply", "not-applicable")] {
        lines.extend(short(word, result, outcome));
    }
    lines.push(conclusion(result));
    lines
}

/// What evidence states counts for nothing where a check of it failed.
const fn is_proved(result: &AttestationResult) -> bool {
    matches!(result.status, Status::Affirming | Status::Warning)
}

fn head(verdict: &Verdict<'_>) -> Vec<String> {
    let Verdict {
        result,
        format,
        digest,
        bytes,
        bound,
        policy,
        items,
        unused,
    } = verdict;
    let digest = digest.map_or_else(String::new, |digest| format!(", {digest}"));
    let mut lines = vec![format!(
        "evidence: {} of platform {}, {bytes} bytes{digest}",
        shown(format, MAX_NAME),
        result.platform
    )];
    for (number, item) in items.iter().enumerate() {
        let word = match (item.kind, unused.contains(&number)) {
            (Kind::Unknown, _) => "NOT RECOGNISED",
            (_, true) => "not used",
            (_, false) => "used",
        };
        let (name, says) = (shown(&item.name, MAX_NAME), shown(&item.says, MAX_VALUE));
        let kind = if item.kind == Kind::Unknown {
            says
        } else if says.is_empty() {
            item.kind.as_str().to_owned()
        } else {
            format!("{} ({says})", item.kind.as_str())
        };
        lines.push(format!("endorsement: {name}: {kind}: {word}"));
    }
    let Policy {
        name,
        digest,
        signed,
    } = policy;
    lines.push(format!(
        "reference values: {}, {signed}, {digest}",
        shown(name, MAX_NAME)
    ));
    lines.push(format!("bound to: {bound}"));
    lines.push(format!("judged as of: {}", result.at));
    lines
}

/// A check that failed more than once says what it is the first time only.
fn bad(checked: &Checked, before: &str) -> Vec<String> {
    let check = checked.check;
    let (word, expected, actual) = match &checked.outcome {
        Outcome::Failed { expected, actual } => ("FAIL", expected.as_str(), actual.as_str()),
        Outcome::Met
        | Outcome::NotApplicable { .. }
        | Outcome::NotDone
        | Outcome::Tolerated { .. } => ("OPEN", check.says, "not reached: see what failed"),
    };
    let mut lines = Vec::new();
    if check.code != before {
        lines.push(format!("{word:<6} {}: {}", check.code, check.says));
        lines.push(format!("         remedy:   {}", check.remedy));
    }
    lines.push(format!(
        "         expected: {}",
        shown(expected, MAX_SENTENCE)
    ));
    lines.push(format!(
        "         actual:   {}",
        shown(actual, MAX_SENTENCE)
    ));
    lines
}

/// The codes of one outcome, in lines that fit a terminal.
fn short(word: &str, result: &AttestationResult, outcome: &str) -> Vec<String> {
    let codes: Vec<&str> = codes(result, outcome).into_iter().collect();
    if codes.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("{word} ({}):", codes.len())];
    for code in codes {
        match lines.last_mut() {
            Some(line) if line.len().saturating_add(code.len()) < WIDTH => {
                line.push(' ');
                line.push_str(code);
            }
            Some(_) | None => lines.push(format!("  {code}")),
        }
    }
    lines
}

/// A check that was decided more than once is listed under its worst outcome.
fn codes<'a>(result: &'a AttestationResult, outcome: &str) -> BTreeSet<&'a str> {
    let rank = |outcome: &Outcome| match outcome {
        Outcome::NotApplicable { .. } => 0,
        Outcome::Met => 1,
        Outcome::Tolerated { .. } => 2,
        Outcome::NotDone => 3,
        Outcome::Failed { .. } => 4,
    };
    let of_check = |code: &str| {
        let all = result
            .checks
            .iter()
            .filter(|other| other.check.code == code);
        all.map(|other| &other.outcome)
            .max_by_key(|outcome| rank(outcome))
    };
    result
        .checks
        .iter()
        .map(|checked| checked.check.code)
        .filter(|code| of_check(code).is_some_and(|worst| worst.as_str() == outcome))
        .collect()
}

fn conclusion(result: &AttestationResult) -> String {
    let count = |wanted: fn(&Outcome) -> bool| {
        let checks = result.checks.iter();
        checks.filter(|checked| wanted(&checked.outcome)).count()
    };
    let failed = count(|outcome| matches!(outcome, Outcome::Failed { .. }));
    let open = count(|outcome| matches!(outcome, Outcome::NotDone));
    let tolerated = count(|outcome| matches!(outcome, Outcome::Tolerated { .. }));
    let why = match result.status {
        Status::Affirming => "every check holds".to_owned(),
        Status::Warning => format!("every check holds but {tolerated} that policy tolerates"),
        Status::Contraindicated => format!("{failed} failed, {open} could not be made"),
        Status::None => "evidence of software shows nothing".to_owned(),
    };
    format!("RESULT: {} ({why})", result.status)
}

/// The report as a document: the same bytes for the same inputs.
pub(crate) fn document(verdict: &Verdict<'_>) -> Value {
    let Verdict {
        result,
        format,
        digest,
        bytes,
        bound,
        policy,
        items,
        unused,
    } = verdict;
    let mut evidence = Object::from([
        ("format", Value::from(*format)),
        ("platform", Value::from(result.platform.as_str())),
        ("bytes", number(*bytes)),
    ]);
    if let Some(digest) = digest {
        evidence.insert("digest", digest.to_string());
    }
    let endorsements = items.iter().enumerate().map(|(at, item)| {
        Value::from(Object::from([
            ("name", Value::from(item.name.as_str())),
            ("kind", Value::from(item.kind.as_str())),
            ("says", Value::from(item.says.as_str())),
            ("used", Value::from(!unused.contains(&at))),
        ]))
    });
    let mut document = Object::from([
        ("status", Value::from(result.status.as_str())),
        ("evidence", evidence.into()),
        ("endorsements", Value::Array(endorsements.collect())),
    ]);
    let reference_values = Object::from([
        ("name", policy.name.to_owned()),
        ("signed", policy.signed.to_owned()),
        ("digest", policy.digest.to_string()),
    ]);
    document.insert("reference_values", reference_values);
    document.insert("bound_to", *bound);
    document.insert("at", result.at.rfc3339());
    if let Some(end) = result.not_after {
        document.insert("not_after", end.rfc3339());
    }
    document.insert("proved", is_proved(result));
    for about in ABOUT {
        let claims = result.claims.iter().filter(|claim| claim.about == about);
        let claims = claims.map(|claim| {
            Value::from(Object::from([
                ("name", claim.name),
                ("value", claim.value.as_str()),
            ]))
        });
        document.insert(about.as_str(), Value::Array(claims.collect()));
    }
    document.insert(
        "checks",
        Value::Array(result.checks.iter().map(check).collect()),
    );
    let notes = result.notes.iter().map(|note| Value::from(note.as_str()));
    document.insert("notes", Value::Array(notes.collect()));
    document.into()
}

fn check(checked: &Checked) -> Value {
    let mut members = Object::from([
        ("code", checked.check.code),
        ("outcome", checked.outcome.as_str()),
        ("says", checked.check.says),
    ]);
    match &checked.outcome {
        Outcome::Met => {}
        Outcome::NotApplicable { why } => {
            members.insert("why", why.as_str());
        }
        Outcome::Tolerated { what, until } => {
            members.insert("tolerated", what.as_str());
            if let Some(until) = until {
                members.insert("until", until.rfc3339());
            }
        }
        Outcome::Failed { expected, actual } => {
            members.insert("expected", expected.as_str());
            members.insert("actual", actual.as_str());
            members.insert("remedy", checked.check.remedy);
        }
        Outcome::NotDone => {
            members.insert("remedy", checked.check.remedy);
        }
    }
    members.into()
}

fn number(count: usize) -> Value {
    Value::from(u64::try_from(count).unwrap_or(u64::MAX))
}

const ABOUT: [About; 4] = [About::What, About::Who, About::Where, About::When];
/// A measurement has 128 digits; lists of names are longer.
const MAX_VALUE: usize = 400;
const MAX_SENTENCE: usize = 1_000;
const MAX_NAME: usize = 200;
const WIDTH: usize = 100;

#[cfg(test)]
mod tests;
