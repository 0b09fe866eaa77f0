//! What a token says, once it is known who says it.

use std::{collections::BTreeMap, sync::Arc};

use cmcp_json::{Object, Value};
use cmcp_mcp::fetch::Url;
use cmcp_policy::engine::{AttributeValue, Principal};

use super::{
    Denied, LEEWAY_SECONDS,
    settings::{CLIENT, ClaimKind, ISSUER, Oauth, OauthIssuer, SCOPES},
};

/// A token that was believed.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) principal: Arc<Principal>,
    /// Thumbprint of the key that it is bound to.
    pub(super) key: Option<String>,
    /// When it ends, the leeway included.
    pub(super) until: i64,
    /// Whether a scope is missing without which nothing may be asked.
    pub(super) lacks_required: bool,
}

impl Verified {
    /// Reads claims whose signature, issuer and audience were checked.
    pub(super) fn read(
        claims: &Object,
        (settings, issuer): (&Oauth, &OauthIssuer),
        now: i64,
    ) -> Result<Self, Denied> {
        let until = check_times(claims, now)?;
        let scopes = scopes(claims, settings)?;
        let has = |scope: &String| scopes.contains(scope);
        let lacks_required = !settings.required_scopes.iter().all(has);
        let mut principal = Principal {
            name: name(claims, settings, issuer)?,
            attributes: attributes(claims, settings)?,
        };
        let own = [
            (SCOPES, AttributeValue::Set(scopes)),
            (
                ISSUER,
                AttributeValue::String(issuer.issuer.as_str().to_owned()),
            ),
        ];
        let client = claims.get(CLIENT).or_else(|| claims.get("azp"));
        let client = client.and_then(Value::as_str).filter(|id| is_plain(id));
        let client = client.map(|id| (CLIENT, AttributeValue::String(id.to_owned())));
        for (attribute, value) in own.into_iter().chain(client) {
            principal.attributes.insert(attribute.to_owned(), value);
        }
        Ok(Self {
            principal: Arc::new(principal),
            key: binding(claims)?,
            until,
            lacks_required,
        })
    }
}

/// The issuer, where an answer names one.
pub(super) fn check_issuer(claims: &Object, issuer: &OauthIssuer) -> Result<(), Denied> {
    match claims.get("iss") {
        None => Ok(()),
        Some(named) if named.as_str() == Some(issuer.issuer.as_str()) => Ok(()),
        Some(_) => Err(Denied::Issuer),
    }
}

/// Whether the token is for us, among others at most.
pub(super) fn check_audience(claims: &Object, resource: &Url) -> Result<(), Denied> {
    let us = resource.as_str();
    let named = match claims.get("aud") {
        Some(Value::String(one)) => one == us,
        Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(us)),
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            return Err(Denied::Claim("aud"));
        }
    };
    if named { Ok(()) } else { Err(Denied::Audience) }
}

/// Whether the token is good now, and until when.
pub(super) fn check_times(claims: &Object, now: i64) -> Result<i64, Denied> {
    let time = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(value) => numeric_date(value).map(Some).ok_or(Denied::Claim(name)),
    };
    let end = time("exp")?.ok_or(Denied::Claim("exp"))?;
    let until = end.saturating_add(LEEWAY_SECONDS);
    if now >= until {
        return Err(Denied::Expired);
    }
    let latest = now.saturating_add(LEEWAY_SECONDS);
    let early = |begin: Option<i64>| begin.is_some_and(|begin| begin > latest);
    if early(time("nbf")?) || early(time("iat")?) {
        return Err(Denied::Early);
    }
    Ok(until)
}

/// Seconds since 1970; a fraction is dropped.
pub(super) fn numeric_date(value: &Value) -> Option<i64> {
    if let Some(whole) = value.as_i64() {
        return Some(whole);
    }
    let written = value.as_number()?.to_string();
    let (whole, fraction) = written.split_once('.')?;
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    whole.parse().ok().filter(|_| digits)
}

/// The issuer's part and the claim's part with a colon between them. The former holds none, and no
/// configured name begins with it, so that no two principals are ever called the same.
fn name(claims: &Object, settings: &Oauth, issuer: &OauthIssuer) -> Result<String, Denied> {
    let claim = claims.get(&settings.principal_claim);
    let claim = claim.and_then(Value::as_str).filter(|name| is_plain(name));
    let claim = claim.ok_or(Denied::Claim("subject"))?;
    Ok(format!("{}{claim}", issuer.family()))
}

/// A name as a person could read it in a log.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| !c.is_control() && !is_invisible(c);
    !name.is_empty() && name.len() <= MAX_NAME && name.trim() == name && name.chars().all(plain)
}

/// Characters that reorder or hide others.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The scopes of `scope`, else of `scp`, and all that they imply.
fn scopes(claims: &Object, settings: &Oauth) -> Result<Vec<String>, Denied> {
    let (name, value) = match (claims.get("scope"), claims.get("scp")) {
        (Some(value), _) => ("scope", value),
        (None, Some(value)) => ("scp", value),
        (None, None) => return Ok(Vec::new()),
    };
    let words: Vec<&str> = match value {
        Value::String(text) => text.split(' ').filter(|word| !word.is_empty()).collect(),
        Value::Array(list) => {
            let texts = list.iter().map(Value::as_str).collect::<Option<_>>();
            texts.ok_or(Denied::Claim(name))?
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            return Err(Denied::Claim(name));
        }
    };
    if words.len() > MAX_SCOPES || !words.iter().all(|word| is_scope(word)) {
        return Err(Denied::Claim(name));
    }
    let words: Vec<String> = words.into_iter().map(ToOwned::to_owned).collect();
    Ok(settings.implied(&words))
}

/// A scope as RFC 6749 spells it.
fn is_scope(word: &str) -> bool {
    let allowed = |byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !word.is_empty() && word.len() <= MAX_NAME && word.bytes().all(allowed)
}

/// The attributes that configuration takes from claims. A claim of another type refuses the token: a
/// policy that forbids by it would pass everybody otherwise.
fn attributes(
    claims: &Object,
    settings: &Oauth,
) -> Result<BTreeMap<String, AttributeValue>, Denied> {
    let mut attributes = BTreeMap::new();
    for (name, attribute) in &settings.attributes {
        let Some(claim) = claims.get(&attribute.claim) else {
            continue;
        };
        let value = match (attribute.kind, claim) {
            (ClaimKind::Flag, Value::Bool(flag)) => Some(AttributeValue::Bool(*flag)),
            (ClaimKind::Number, Value::Number(number)) => number.as_i64().map(AttributeValue::Long),
            (ClaimKind::Text, Value::String(text)) => Some(AttributeValue::String(text.clone())),
            (ClaimKind::Texts, Value::String(text)) => {
                Some(AttributeValue::Set(vec![text.clone()]))
            }
            (ClaimKind::Texts, Value::Array(list)) if list.len() <= MAX_SCOPES => {
                let texts = list.iter().map(|one| one.as_str().map(ToOwned::to_owned));
                texts.collect::<Option<_>>().map(AttributeValue::Set)
            }
            (
                ClaimKind::Flag | ClaimKind::Number | ClaimKind::Text | ClaimKind::Texts,
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_)
                | Value::Object(_),
            ) => None,
        };
        let value = value.ok_or(Denied::Claim("attribute"))?;
        attributes.insert(name.clone(), value);
    }
    Ok(attributes)
}

/// The key that a token is bound to. A binding that cannot be checked here, as to a certificate,
/// refuses the token.
fn binding(claims: &Object) -> Result<Option<String>, Denied> {
    let Some(confirmation) = claims.get("cnf") else {
        return Ok(None);
    };
    let members = confirmation.as_object().ok_or(Denied::Claim("cnf"))?;
    match (members.len(), members.get("jkt").and_then(Value::as_str)) {
        (1, Some(thumbprint)) => Ok(Some(thumbprint.to_owned())),
        _ => Err(Denied::Binding),
    }
}

const MAX_NAME: usize = 256;
const MAX_SCOPES: usize = 256;
