//! Release policies of Key Vault: which attested party gets a key. Read and evaluated as the service
//! does it, and [linted](lint()) for what lets the wrong party have it.

mod lint;

pub use lint::{Context, Finding, Severity, lint};

use cmcp_json::{Limits, Object, Value};

use crate::b64;

/// Why a release policy cannot be evaluated.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReleaseError {
    /// It is not JSON that has one reading.
    #[error("release policy is not strict JSON: {0}")]
    Json(#[from] cmcp_json::ParseError),
    /// A member is missing, or is not what it has to be.
    #[error("`{place}` {what}")]
    Form {
        /// Where.
        place: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A comparison that is not `equals`: what the service makes of it is not known.
    #[error("`{place}` compares by `{operator}`; only `equals` is evaluated here")]
    Operator {
        /// Where.
        place: String,
        /// Its name.
        operator: String,
    },
}

/// A release policy that can be evaluated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReleasePolicy {
    authorities: Vec<Authority>,
    /// Members that are not known here; the service does not say what it does with them.
    unknown: Vec<String>,
    immutable: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Authority {
    issuer: String,
    condition: Condition,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Equals { claim: String, value: String },
}

/// What evaluation came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// The key is released, on the word of this authority.
    Released {
        /// Its issuer.
        authority: String,
    },
    /// No authority's conditions hold.
    Refused {
        /// For each authority whose issuer it is, the conditions that do not hold; or that none's is.
        why: Vec<String>,
    },
}

impl ReleasePolicy {
    /// Reads the policy, or the document that Key Vault keeps it in.
    ///
    /// # Errors
    ///
    /// See [`ReleaseError`].
    pub fn parse(json: &[u8]) -> Result<Self, ReleaseError> {
        let document = cmcp_json::parse(json, &LIMITS)?;
        let object = object(&document, "policy")?;
        let Some(data) = object.get("data") else {
            return Self::read(object);
        };
        let data = data.as_str().and_then(|data| b64::decode(data).ok());
        let data = data.ok_or_else(|| form("data", "is not base64url"))?;
        let inner = cmcp_json::parse(&data, &LIMITS)?;
        let immutable = object
            .get("immutable")
            .is_some_and(|value| *value != Value::Bool(false));
        let policy = Self::read(self::object(&inner, "policy")?)?;
        Ok(Self {
            immutable,
            ..policy
        })
    }

    fn read(policy: &Object) -> Result<Self, ReleaseError> {
        if policy.get("version").and_then(Value::as_str) != Some("1.0.0") {
            return Err(form("version", "is not `1.0.0`"));
        }
        let mut reading = Reading {
            unknown: Vec::new(),
        };
        reading.members(policy, "policy", &["version", "anyOf"]);
        let list = policy.get("anyOf").and_then(Value::as_array);
        let list = list.ok_or_else(|| form("anyOf", "is not a list of authorities"))?;
        let mut authorities = Vec::new();
        for (index, value) in list.iter().enumerate() {
            authorities.push(reading.authority(value, &format!("anyOf[{index}]"))?);
        }
        Ok(Self {
            authorities,
            unknown: reading.unknown,
            immutable: false,
        })
    }

    /// Whether a party with these claims gets the key. The claims have to be those of a token that
    /// was verified before.
    #[must_use]
    pub fn evaluate(&self, claims: &Object) -> Decision {
        let issuer = claims
            .get("iss")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut why = Vec::new();
        for authority in &self.authorities {
            if bare(&authority.issuer) != bare(issuer) {
                continue;
            }
            let mut missed = Vec::new();
            if authority.condition.holds(claims, &mut missed) {
                let authority = authority.issuer.clone();
                return Decision::Released { authority };
            }
            why.extend(missed);
        }
        if why.is_empty() {
            why.push(format!(
                "issuer `{issuer}` is not one of the authorities, or nothing is asked of it"
            ));
        }
        Decision::Refused { why }
    }
}

impl Condition {
    // An empty list is false, under either name.
    fn holds(&self, claims: &Object, missed: &mut Vec<String>) -> bool {
        match self {
            Self::All(list) => {
                let failed = list.iter().filter(|one| !one.holds(claims, missed)).count();
                !list.is_empty() && failed == 0
            }
            Self::Any(list) => {
                let mut of_any = Vec::new();
                let holds = list.iter().any(|one| one.holds(claims, &mut of_any));
                if !holds {
                    missed.append(&mut of_any);
                }
                holds
            }
            Self::Equals { claim, value } => {
                let found = claim_of(claims, claim).and_then(string_form);
                let holds = found.as_deref() == Some(value);
                if !holds {
                    let found = found.unwrap_or_else(|| "absent".to_owned());
                    missed.push(format!("`{claim}` is {found}, and has to be {value}"));
                }
                holds
            }
        }
    }
}

/// The key that a released one is wrapped for: the first in the token's runtime data that is for encryption.
#[must_use]
pub fn target_key(claims: &Object) -> Option<&Object> {
    let keys = claims.get("x-ms-runtime")?.get("keys")?.as_array()?;
    keys.iter().filter_map(Value::as_object).find(|key| {
        let operations = key.get("key_ops").and_then(Value::as_array);
        let encrypts = |operation: &Value| operation.as_str() == Some("encrypt");
        key.get("use").and_then(Value::as_str) == Some("enc")
            || operations.is_some_and(|operations| operations.iter().any(encrypts))
    })
}

struct Reading {
    unknown: Vec<String>,
}

impl Reading {
    fn members(&mut self, object: &Object, place: &str, known: &[&str]) {
        let others = object.keys().filter(|name| !known.contains(name));
        self.unknown
            .extend(others.map(|name| format!("{place}.{name}")));
    }

    fn authority(&mut self, value: &Value, place: &str) -> Result<Authority, ReleaseError> {
        let authority = object(value, place)?;
        self.members(authority, place, &["authority", "anyOf", "allOf"]);
        let issuer = authority.get("authority").and_then(Value::as_str);
        let issuer = issuer.ok_or_else(|| form(place, "has no `authority`"))?;
        let lists = (authority.get("allOf"), authority.get("anyOf"));
        let condition = self.lists(lists, place, 0)?;
        let condition = condition.ok_or_else(|| form(place, "has neither `allOf` nor `anyOf`"))?;
        let issuer = issuer.to_owned();
        Ok(Authority { issuer, condition })
    }

    fn lists(
        &mut self,
        lists: (Option<&Value>, Option<&Value>),
        place: &str,
        depth: usize,
    ) -> Result<Option<Condition>, ReleaseError> {
        match lists {
            (Some(all), None) => self
                .list(all, &format!("{place}.allOf"), depth)
                .map(Condition::All),
            (None, Some(any)) => self
                .list(any, &format!("{place}.anyOf"), depth)
                .map(Condition::Any),
            (Some(_), Some(_)) => Err(form(place, "has both `allOf` and `anyOf`")),
            (None, None) => return Ok(None),
        }
        .map(Some)
    }

    fn list(
        &mut self,
        list: &Value,
        place: &str,
        depth: usize,
    ) -> Result<Vec<Condition>, ReleaseError> {
        let list = list
            .as_array()
            .ok_or_else(|| form(place, "is not a list"))?;
        if depth > MAX_DEPTH {
            return Err(form(place, "is nested too deep"));
        }
        let read = |(index, value)| {
            self.condition(value, &format!("{place}[{index}]"), depth.saturating_add(1))
        };
        list.iter().enumerate().map(read).collect()
    }

    fn condition(
        &mut self,
        value: &Value,
        place: &str,
        depth: usize,
    ) -> Result<Condition, ReleaseError> {
        let condition = object(value, place)?;
        let lists = (condition.get("allOf"), condition.get("anyOf"));
        if let Some(lists) = self.lists(lists, place, depth)? {
            self.members(condition, place, &["allOf", "anyOf"]);
            return Ok(lists);
        }
        if let Some(operator) = condition.keys().find(|name| OPERATORS.contains(name)) {
            return Err(ReleaseError::Operator {
                place: place.to_owned(),
                operator: operator.to_owned(),
            });
        }
        self.members(condition, place, &["claim", "equals"]);
        let claim = condition.get("claim").and_then(Value::as_str);
        let claim = claim.ok_or_else(|| form(place, "has no `claim`"))?;
        let value = condition.get("equals").and_then(string_form);
        let value = value.ok_or_else(|| {
            form(
                place,
                "has no `equals` with a text, a number, true or false",
            )
        })?;
        let claim = claim.to_owned();
        Ok(Condition::Equals { claim, value })
    }
}

// A name with dots walks from object to object; a claim of exactly that name comes first.
fn claim_of<'a>(claims: &'a Object, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let mut names = name.split('.');
    let first = claims.get(names.next()?)?;
    names.try_fold(first, |value, name| value.as_object()?.get(name))
}

fn string_form(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.as_str().to_owned()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn bare(issuer: &str) -> &str {
    issuer.strip_suffix('/').unwrap_or(issuer)
}

fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Object, ReleaseError> {
    value
        .as_object()
        .ok_or_else(|| form(place, "is not an object"))
}

fn form(place: impl Into<String>, what: &'static str) -> ReleaseError {
    ReleaseError::Form {
        place: place.into(),
        what,
    }
}

const OPERATORS: &[&str] = &[
    "exists",
    "greater",
    "greaterOrEquals",
    "less",
    "lessOrEquals",
    "notEquals",
];

const MAX_DEPTH: usize = 8;

// The service takes policies of at most 100 KB.
const LIMITS: Limits = Limits {
    bytes: 256 << 10,
    depth: 32,
    ..Limits::DOCUMENT
};

#[cfg(test)]
mod tests;
