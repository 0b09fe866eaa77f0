use cmcp_json::{Object, Value};

use super::{About, AttestationResult};
use crate::check::{Checked, Outcome};

impl AttestationResult {
    /// The result as a JSON document: the same bytes for the same inputs, on every machine.
    #[must_use]
    pub fn document(&self) -> Object {
        let Self {
            status,
            platform,
            checks,
            claims,
            notes,
            not_after,
            at,
        } = self;
        let mut document =
            Object::from([("status", status.as_str()), ("platform", platform.as_str())]);
        document.insert("at", at.rfc3339());
        if let Some(end) = not_after {
            document.insert("not_after", end.rfc3339());
        }
        for about in About::ALL {
            let of_question = claims.iter().filter(|claim| claim.about == about);
            let values: Vec<Value> = of_question
                .map(|claim| {
                    let members = [("name", claim.name), ("value", claim.value.as_str())];
                    Value::Object(Object::from(members))
                })
                .collect();
            document.insert(about.as_str(), Value::Array(values));
        }
        document.insert("checks", Value::Array(checks.iter().map(check).collect()));
        document.insert("notes", notes.clone());
        document
    }
}

fn check(checked: &Checked) -> Value {
    let Checked { check, outcome } = checked;
    let mut members = Object::from([
        ("code", check.code),
        ("outcome", outcome.as_str()),
        ("says", check.says),
    ]);
    match outcome {
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
            members.insert("remedy", check.remedy);
        }
        Outcome::NotDone => {
            members.insert("remedy", check.remedy);
        }
    }
    members.into()
}
