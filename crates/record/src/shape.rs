//! Closed shapes of JSON objects: a table per object, one small interpreter.
//!
//! A document whose profile is closed is described by what it may contain; whatever the table does
//! not name is refused. Absent means omitted, so `null` and `""` never stand for absence.

use std::fmt;

use cmcp_json::{Object, Value};

mod text;

/// One object's table: its members, and what must hold between them.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) members: &'static [Member],
    pub(crate) relation: fn(&Object, &str, &mut Violations),
}

impl Shape {
    /// A table whose members do not depend on one another.
    pub(crate) const fn of(members: &'static [Member]) -> Self {
        Self {
            members,
            relation: |_, _, _| {},
        }
    }

    /// Everything in `object` that breaks the table, in document order, at most [`MOST`] of it.
    pub(crate) fn violations(&'static self, object: &Object) -> Vec<Violation> {
        let mut found = Violations(Vec::new());
        found.object(object, self, "");
        found.0
    }
}

/// One member of a table.
#[derive(Debug)]
pub(crate) struct Member {
    name: &'static str,
    need: Need,
    rule: Rule,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Need {
    Optional,
    Required,
}

/// A member that must be there.
pub(crate) const fn required(name: &'static str, rule: Rule) -> Member {
    Member {
        name,
        need: Need::Required,
        rule,
    }
}

/// A member that may be left out.
pub(crate) const fn optional(name: &'static str, rule: Rule) -> Member {
    Member {
        name,
        need: Need::Optional,
        rule,
    }
}

/// What a member's value must be.
#[derive(Debug)]
pub(crate) enum Rule {
    /// Any object at all.
    AnyObject,
    /// Any string, the empty one too.
    AnyText,
    /// `true` or `false`.
    Bool,
    /// Exactly this string.
    Constant(&'static str),
    /// `sha256:` or `sha384:` and lower-case hexadecimal.
    Digest,
    /// An ISO 8601 duration.
    Duration,
    /// A list whose every element obeys the rule.
    Each(&'static Self),
    /// An absolute `https` URI.
    Https,
    /// An integer within bounds, spelled as one.
    Integer { least: i64, most: i64 },
    /// A public JSON Web Key.
    Jwk,
    /// Any number.
    Number,
    /// An object with a table of its own.
    Object(&'static Shape),
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// `sha256:` and lower-case hexadecimal.
    Sha256,
    /// A SPIFFE or DID workload identity.
    Subject,
    /// A string that says something.
    Text,
    /// An object of strings.
    TextMap,
    /// Characters of the base64url alphabet.
    Token,
    /// A URI by RFC 3986.
    Uri,
    /// A SPIFFE identifier's beginning.
    Spiffe,
}

/// The integers every JSON implementation reads alike.
pub(crate) const SAFE_INTEGER: i64 = 9_007_199_254_740_991;

/// A count: a safe integer that is not negative.
pub(crate) const COUNT: Rule = Rule::Integer {
    least: 0,
    most: SAFE_INTEGER,
};

/// A time in seconds since 1970 that is not older than the formats.
pub(crate) const EPOCH_SECONDS: Rule = Rule::Integer {
    least: 1_700_000_000,
    most: SAFE_INTEGER,
};

/// One departure from a table.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{path}` {problem}")]
pub struct Violation {
    /// Where, as member names and indexes joined by dots.
    pub path: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong at a place in a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Problem {
    /// The member is required and absent.
    Absent,
    /// A result that diverged names no digest to compare with.
    DivergedWithoutDigest,
    /// The string is empty: what is absent must be left out.
    Empty,
    /// The number is outside these bounds.
    Integer {
        /// The least value allowed.
        least: i64,
        /// The greatest value allowed.
        most: i64,
    },
    /// The key lacks material of its type.
    KeyMaterial,
    /// A method of appraisal is named and its result is absent.
    MethodWithoutResult,
    /// Something was not attempted and no reason is given.
    NotAttemptedWithoutReason,
    /// Evidence is neither held nor named, or both.
    EvidenceNotOne,
    /// Evidence that others assembled cannot carry a hardware platform.
    OriginOnHardware,
    /// The key carries private material.
    PrivateKey,
    /// A result is given and no method that it is a result of.
    ResultWithoutMethod,
    /// The value is not of this kind.
    Not(&'static str),
    /// The value is none of these.
    NotOneOf(&'static [&'static str]),
    /// The profile has no such member.
    Unknown,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("is required and absent"),
            Self::DivergedWithoutDigest => {
                f.write_str("diverged and names no `observed_digest` to compare with")
            }
            Self::Empty => f.write_str("is empty; what is absent is left out"),
            Self::Integer { least, most } => {
                write!(f, "is not an integer between {least} and {most}")
            }
            Self::KeyMaterial => f.write_str("lacks the key material of its type"),
            Self::MethodWithoutResult => f.write_str("names a method and no `re_execution` result"),
            Self::NotAttemptedWithoutReason => {
                f.write_str("was not attempted and gives no `reason`")
            }
            Self::EvidenceNotOne => f.write_str("must have either `quote` or `quote_digest`"),
            Self::OriginOnHardware => {
                f.write_str("was assembled elsewhere and cannot name a hardware platform")
            }
            Self::PrivateKey => f.write_str("carries private key material"),
            Self::ResultWithoutMethod => f.write_str("carries `re_execution` without its `method`"),
            Self::Not(what) => write!(f, "is not {what}"),
            Self::NotOneOf(words) => write!(f, "is not one of `{}`", words.join("`, `")),
            Self::Unknown => f.write_str("is not a member of this profile"),
        }
    }
}

/// The departures found so far.
#[derive(Debug)]
pub(crate) struct Violations(Vec<Violation>);

/// More departures than this say nothing new.
const MOST: usize = 64;

impl Violations {
    /// Notes a departure, unless there are many already.
    pub(crate) fn add(&mut self, path: &str, problem: Problem) {
        if self.0.len() < MOST {
            self.0.push(Violation {
                path: path.to_owned(),
                problem,
            });
        }
    }

    fn object(&mut self, object: &Object, shape: &'static Shape, path: &str) {
        for (name, value) in object.iter() {
            match shape.members.iter().find(|member| member.name == name) {
                Some(member) => self.value(value, &member.rule, &join(path, name)),
                None => self.add(&join(path, name), Problem::Unknown),
            }
        }
        for member in shape.members {
            if member.need == Need::Required && !object.contains_key(member.name) {
                self.add(&join(path, member.name), Problem::Absent);
            }
        }
        (shape.relation)(object, path, self);
    }

    fn value(&mut self, value: &Value, rule: &'static Rule, path: &str) {
        let (holds, what) = match rule {
            Rule::AnyObject => (value.as_object().is_some(), "an object"),
            Rule::Bool => (value.as_bool().is_some(), "`true` or `false`"),
            Rule::Number => (value.as_number().is_some(), "a number"),
            Rule::Integer { least, most } => return self.integer(value, *least, *most, path),
            Rule::Each(each) => return self.each(value, each, path),
            Rule::Jwk => return self.jwk(value, path),
            Rule::TextMap => return self.text_map(value, path),
            Rule::Object(shape) => match value.as_object() {
                Some(object) => return self.object(object, shape, path),
                None => (false, "an object"),
            },
            Rule::AnyText
            | Rule::Constant(_)
            | Rule::Digest
            | Rule::Duration
            | Rule::Https
            | Rule::OneOf(_)
            | Rule::Sha256
            | Rule::Spiffe
            | Rule::Subject
            | Rule::Text
            | Rule::Token
            | Rule::Uri => match value.as_str() {
                Some(text) => return self.text(text, rule, path),
                None => (false, "a string"),
            },
        };
        if !holds {
            self.add(path, Problem::Not(what));
        }
    }

    fn integer(&mut self, value: &Value, least: i64, most: i64, path: &str) {
        if !value.as_i64().is_some_and(|n| (least..=most).contains(&n)) {
            self.add(path, Problem::Integer { least, most });
        }
    }

    fn each(&mut self, value: &Value, each: &'static Rule, path: &str) {
        let Some(list) = value.as_array() else {
            return self.add(path, Problem::Not("a list"));
        };
        for (index, element) in list.iter().enumerate() {
            self.value(element, each, &format!("{path}.{index}"));
        }
    }

    fn text_map(&mut self, value: &Value, path: &str) {
        let Some(object) = value.as_object() else {
            return self.add(path, Problem::Not("an object"));
        };
        for (name, value) in object.iter() {
            if value.as_str().is_none() {
                self.add(&join(path, name), Problem::Not("a string"));
            }
        }
    }

    fn text(&mut self, text: &str, rule: &'static Rule, path: &str) {
        if text.is_empty() && !matches!(rule, Rule::AnyText) {
            return self.add(path, Problem::Empty);
        }
        let (holds, what) = match rule {
            Rule::Constant(exactly) => {
                if text != *exactly {
                    self.add(path, Problem::NotOneOf(std::slice::from_ref(exactly)));
                }
                return;
            }
            Rule::OneOf(words) => {
                if !words.contains(&text) {
                    self.add(path, Problem::NotOneOf(words));
                }
                return;
            }
            Rule::Digest => (text::is_digest(text), "a `sha256:` or `sha384:` digest"),
            Rule::Sha256 => (text::is_sha256(text), "a `sha256:` digest"),
            Rule::Duration => (text::is_duration(text), "an ISO 8601 duration"),
            Rule::Subject => (text::is_subject(text), "a SPIFFE or DID identity"),
            Rule::Spiffe => (text.starts_with("spiffe://"), "a SPIFFE identity"),
            Rule::Token => (text::is_token(text), "base64url"),
            Rule::Uri => (text::is_uri(text), "an absolute URI"),
            Rule::Https => (
                text.starts_with("https://") && text::is_uri(text),
                "an absolute `https` URI",
            ),
            Rule::AnyText
            | Rule::Text
            | Rule::AnyObject
            | Rule::Bool
            | Rule::Each(_)
            | Rule::Integer { .. }
            | Rule::Jwk
            | Rule::Number
            | Rule::Object(_)
            | Rule::TextMap => return,
        };
        if !holds {
            self.add(path, Problem::Not(what));
        }
    }

    fn jwk(&mut self, value: &Value, path: &str) {
        let Some(jwk) = value.as_object() else {
            return self.add(path, Problem::Not("an object"));
        };
        for (name, value) in jwk.iter() {
            let place = join(path, name);
            if PRIVATE.contains(&name) {
                self.add(&place, Problem::PrivateKey);
            } else if NAMED.contains(&name) {
                self.value(value, &Rule::Text, &place);
            } else if !is_canonicalizable(value) {
                self.add(
                    &place,
                    Problem::Not("free of numbers that have no canonical form"),
                );
            }
        }
        let material: &[&str] = match jwk.get("kty").map(Value::as_str) {
            None => &["kty"],
            Some(Some("OKP")) => &["crv", "x"],
            Some(Some("EC")) => &["crv", "x", "y"],
            Some(Some("RSA")) => &["n", "e"],
            Some(_) => &[],
        };
        for name in material {
            if !jwk.contains_key(name) {
                self.add(&join(path, name), Problem::KeyMaterial);
            }
        }
    }
}

const NAMED: &[&str] = &["kty", "crv", "x", "y", "n", "e", "kid"];
const PRIVATE: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "k"];

/// Whether every number below `value` is a safe integer spelled as one.
pub(crate) fn is_canonicalizable(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number
            .as_i64()
            .is_some_and(|n| (-SAFE_INTEGER..=SAFE_INTEGER).contains(&n)),
        Value::Array(list) => list.iter().all(is_canonicalizable),
        Value::Object(object) => object.iter().all(|(_, value)| is_canonicalizable(value)),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests;
