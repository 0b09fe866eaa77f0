//! The digest that a record states of the configuration: over what is in effect, without secrets.

use cmcp_evidence::Sha256Digest;
use cmcp_json::{Form, Object, Value as Json, canonical};

use crate::config::{
    Config,
    evidence::EvidenceSource,
    keys::{self, KEYS},
    principals::{Attribute, RawPrincipal},
    values::{Item, Value},
};

/// The effective configuration as a document.
pub(crate) struct Effective<'a> {
    pub(crate) config: &'a Config,
}

impl Effective<'_> {
    /// Every key with the value in effect, defaults included. Numbers with a fraction are texts;
    /// tokens and their hashes are absent.
    pub(crate) fn document(&self) -> Json {
        let mut root = Object::default();
        for key in KEYS {
            let value = match self.config.values.value(key) {
                None => continue,
                Some(value) => json(&value),
            };
            match key.path.split_once('.') {
                None => {
                    root.insert(key.path, value);
                }
                Some((section, name)) => {
                    if !root.contains_key(section) {
                        root.insert(section, Json::Object(Object::default()));
                    }
                    if let Some(section) = root.get_mut(section).and_then(Json::as_object_mut) {
                        section.insert(name, value);
                    }
                }
            }
        }
        root.insert(
            keys::LISTEN_ADDR.path,
            text(&self.config.listen.addr().to_string()),
        );
        if let Some(mode) = root.get_mut("attestation").and_then(Json::as_object_mut) {
            mode.insert(
                keys::ENFORCEMENT_MODE.name(),
                text(self.config.mode.as_str()),
            );
        }
        let development = self.config.evidence == EvidenceSource::Development;
        root.insert("development", Json::Bool(development));
        Json::Object(root)
    }

    /// SHA-256 over the document in canonical form (RFC 8785).
    pub(crate) fn digest(&self) -> Result<Sha256Digest, cmcp_json::CanonError> {
        Ok(Sha256Digest::of(&canonical(
            &self.document(),
            Form::JcsStrict,
        )?))
    }
}

fn json(value: &Value) -> Json {
    match value {
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Flags(flags) => object(flags, |flag| Json::Bool(*flag)),
        Value::Fraction(written) => text(written),
        Value::Integer(number) => Json::Number((*number).into()),
        Value::List(items) => Json::Array(items.iter().map(|item| text(&item.text)).collect()),
        Value::Principals(principals) => Json::Array(principals.iter().map(principal).collect()),
        Value::Ranks(ranks) => object(ranks, |rank| Json::Number((*rank).into())),
        Value::Shaped(shaped) => shaped.to_json(),
        Value::Text(written) => text(written),
        Value::Texts(texts) => object(texts, |Item { text: written, .. }| text(written)),
    }
}

fn principal(principal: &RawPrincipal) -> Json {
    let RawPrincipal {
        name,
        attributes,
        at: _,
        token_sha256: _,
    } = principal;
    let attributes = object(attributes, |attribute| match attribute {
        Attribute::Bool(flag) => Json::Bool(*flag),
        Attribute::Long(number) => Json::String(number.to_string()),
        Attribute::Set(texts) => Json::Array(texts.iter().map(|member| text(member)).collect()),
        Attribute::Text(written) => text(written),
    });
    Json::Object(Object::from_iter([
        ("name".to_owned(), text(name)),
        ("attributes".to_owned(), attributes),
    ]))
}

fn object<T>(entries: &std::collections::BTreeMap<String, T>, value: impl Fn(&T) -> Json) -> Json {
    Json::Object(
        entries
            .iter()
            .map(|(name, entry)| (name.clone(), value(entry)))
            .collect(),
    )
}

fn text(written: &str) -> Json {
    Json::String(written.to_owned())
}
