//! Issuers whose tokens let callers in.

use std::{collections::BTreeMap, sync::Arc};

use cmcp_gateway::oauth::{
    Algorithm, ClaimAttribute, ClaimKind, Dpop, Introspection, IssuerKeys, KeySet, Oauth,
    OauthIssuer, Url,
};

use super::{Builder, host_name};
use crate::config::{
    fault::{Fault, Problem},
    files,
    key::Key,
    keys,
    principals::RawPrincipal,
    secret::{Secrets, Wanted},
    shape::Shaped,
    values::{Item, Value},
};

impl Builder<'_> {
    /// `None` where callers come with tokens of our own alone.
    pub(super) fn oauth(&mut self, principals: &[RawPrincipal]) -> Option<Arc<Oauth>> {
        let set = keys::OAUTH.iter().find_map(|key| self.values.set(key));
        let set = set.map(|located| located.at)?;
        let issuers = self.issuers();
        let resource = self.resource();
        if issuers.is_empty() && self.values.set(&keys::OAUTH_ISSUERS).is_none() {
            let (key, expected) = (&keys::OAUTH_ISSUERS, "a list of issuers");
            self.lacking(set, key, expected);
        }
        self.distinct(&issuers, principals);
        let modes = [("optional", Dpop::Optional), ("required", Dpop::Required)];
        let private = self.parsed(
            &keys::OAUTH_PRIVATE_HOSTS,
            "a host name without a port",
            host_name,
        );
        let scope = |text: &str| is_scope(text).then(|| text.to_owned());
        Some(Arc::new(Oauth {
            resource: resource?,
            issuers,
            algorithms: self.algorithms(),
            scopes_supported: self.parsed(&keys::OAUTH_SCOPES, SCOPE, scope),
            required_scopes: self.parsed(&keys::OAUTH_REQUIRED_SCOPES, SCOPE, scope),
            tool_scopes: self.scopes_of(&keys::OAUTH_TOOL_SCOPES),
            implied_scopes: self.scopes_of(&keys::OAUTH_IMPLIED_SCOPES),
            principal_claim: self
                .values
                .text(&keys::OAUTH_PRINCIPAL_CLAIM)
                .unwrap_or_default(),
            attributes: self.claims(),
            dpop: self.values.pick(&keys::OAUTH_DPOP, Dpop::Off, &modes),
            private_hosts: private,
        }))
    }

    /// The secrets that the file refers to.
    pub(super) fn secrets(&self) -> Secrets<'_> {
        Secrets {
            environment: self.request.environment,
            folder: self.values.folder().to_owned(),
            wanted: if self.starts() {
                Wanted::Now
            } else {
                Wanted::Later
            },
        }
    }

    fn resource(&mut self) -> Option<Url> {
        let key = &keys::OAUTH_RESOURCE;
        let Some(text) = self.values.text(key) else {
            let at = keys::OAUTH.iter().find_map(|key| self.values.set(key))?.at;
            self.lacking(at, key, "the URL that clients reach this gateway by");
            return None;
        };
        let at = self.values.position(key);
        let url = self.url(key.path, &Item { at, text })?;
        let canonical = url.place();
        if canonical != url.as_str() {
            let expected = format!("`{canonical}`, its one spelling");
            self.mistaken(key, url.as_str(), &expected);
            return None;
        }
        Some(url)
    }

    fn issuers(&mut self) -> Vec<OauthIssuer> {
        let Some(Value::Shaped(issuers)) = self.values.value(&keys::OAUTH_ISSUERS) else {
            return Vec::new();
        };
        let read: Vec<OauthIssuer> = issuers
            .values()
            .iter()
            .filter_map(|issuer| self.issuer(issuer))
            .collect();
        // A token is shown to nobody but the issuer that may have made it.
        let asking = issuers.values().iter();
        let asking = asking.filter_map(|issuer| issuer.get("introspection"));
        if let Some(second) = asking.clone().nth(1) {
            let fault = Fault::SecondIntrospection;
            self.problems.push(Problem::at(self.file, second.at, fault));
        }
        read
    }

    fn issuer(&mut self, issuer: &Shaped) -> Option<OauthIssuer> {
        let path = keys::OAUTH_ISSUERS.path;
        let url = self.url(&format!("{path}.issuer"), &issuer.text("issuer")?);
        let prefix = issuer.text("principal_prefix")?;
        if !is_prefix(&prefix.text) {
            let key = format!("{path}.principal_prefix");
            self.wrong(&key, &prefix, PREFIX);
        }
        let keys = self.issuer_keys(issuer);
        let introspection = match issuer.get("introspection") {
            Some(introspection) => Some(self.introspection(introspection)?),
            None => None,
        };
        Some(OauthIssuer {
            issuer: url?,
            prefix: prefix.text,
            keys: keys?,
            introspection,
        })
    }

    fn issuer_keys(&mut self, issuer: &Shaped) -> Option<IssuerKeys> {
        let path = keys::OAUTH_ISSUERS.path;
        match (issuer.text("jwks_uri"), issuer.text("jwks")) {
            (None, None) => Some(IssuerKeys::Discovered),
            (Some(item), None) => {
                let url = self.url(&format!("{path}.jwks_uri"), &item)?;
                Some(IssuerKeys::At(url))
            }
            (Some(item), Some(_)) => {
                let fault = Fault::OneOfTwo {
                    first: format!("{path}.jwks_uri"),
                    second: format!("{path}.jwks"),
                };
                self.problems.push(Problem::at(self.file, item.at, fault));
                None
            }
            (None, Some(item)) => {
                let key = format!("{path}.jwks");
                if item.text.split(['/', '\\']).any(|part| part == "..") {
                    let fault = Fault::Traversal { key };
                    self.problems.push(Problem::at(self.file, item.at, fault));
                    return None;
                }
                let place = self.values.folder().join(&item.text);
                let read = match files::read(&place, MAX_KEYS) {
                    Ok(read) => read,
                    Err(problem) => {
                        self.problems.push(problem);
                        return None;
                    }
                };
                self.problems.extend(read.problems);
                match KeySet::parse(&read.bytes) {
                    Ok(keys) => Some(IssuerKeys::Pinned(keys)),
                    Err(cause) => {
                        let fault = Fault::KeySet(cause);
                        self.problems.push(Problem::file(place, fault));
                        None
                    }
                }
            }
        }
    }

    fn introspection(&mut self, introspection: &Shaped) -> Option<Introspection> {
        let path = format!("{}.introspection", keys::OAUTH_ISSUERS.path);
        let endpoint = introspection.text("endpoint")?;
        let endpoint = self.url(&format!("{path}.endpoint"), &endpoint);
        let mut problems = Vec::new();
        let name = (introspection, "client_secret");
        let secret = self.secrets().read((self.file, &path), name, &mut problems);
        if secret.is_none() && problems.is_empty() {
            let key = format!("{path}.client_secret_env");
            let expected = "the name of the variable with the secret, or `client_secret_file`";
            let (at, expected) = (introspection.at, expected.to_owned());
            problems.push(Problem::at(self.file, at, Fault::NoValue { key, expected }));
        }
        self.problems.extend(problems);
        Some(Introspection {
            endpoint: endpoint?,
            client_id: introspection.text("client_id")?.text,
            client_secret: secret?,
        })
    }

    /// No two issuers are one, no two have one prefix, and nobody else's name begins with it.
    fn distinct(&mut self, issuers: &[OauthIssuer], principals: &[RawPrincipal]) {
        let at = self.values.position(&keys::OAUTH_ISSUERS);
        let mut faults = Vec::new();
        for (place, issuer) in issuers.iter().enumerate() {
            let others = issuers.iter().take(place);
            for other in others {
                if other.issuer == issuer.issuer || other.prefix == issuer.prefix {
                    let (issuer, prefix) = (issuer.issuer.as_str(), &issuer.prefix);
                    let (issuer, prefix) = (issuer.to_owned(), prefix.clone());
                    faults.push((at, Fault::IssuerTwice { issuer, prefix }));
                }
            }
            for principal in principals {
                if principal.name.starts_with(&issuer.family()) {
                    let (name, prefix) = (principal.name.clone(), issuer.prefix.clone());
                    faults.push((principal.at, Fault::PrefixTaken { name, prefix }));
                }
            }
        }
        let faults = faults.into_iter();
        self.problems
            .extend(faults.map(|(at, fault)| Problem::at(self.file, at, fault)));
    }

    fn algorithms(&mut self) -> Vec<Algorithm> {
        let names: Vec<String> = Algorithm::ALL
            .iter()
            .map(|known| format!("`{}`", known.as_str()))
            .collect();
        let expected = format!("a signature algorithm: {}", names.join(", "));
        let named = self.parsed(&keys::OAUTH_ALGORITHMS, &expected, Algorithm::parse);
        if named.is_empty() {
            USUAL.to_vec()
        } else {
            named
        }
    }

    fn scopes_of(&mut self, key: &Key) -> BTreeMap<String, Vec<String>> {
        let Some(Value::Shaped(named)) = self.values.value(key) else {
            return BTreeMap::new();
        };
        let mut all = BTreeMap::new();
        for (name, scopes) in named.members() {
            let path = format!("{}.{name}", key.path);
            for item in scopes.list().iter().filter(|item| !is_scope(&item.text)) {
                self.wrong(&path, item, SCOPE);
            }
            let scopes = scopes.list().iter().map(|item| item.text.clone());
            all.insert(name.to_owned(), scopes.collect());
        }
        all
    }

    fn claims(&mut self) -> BTreeMap<String, ClaimAttribute> {
        let key = &keys::OAUTH_ATTRIBUTES;
        let Some(Value::Shaped(named)) = self.values.value(key) else {
            return BTreeMap::new();
        };
        let mut all = BTreeMap::new();
        for (name, attribute) in named.members() {
            if !is_attribute(name) {
                let (at, text) = (attribute.at, name.to_owned());
                self.wrong(key.path, &Item { at, text }, ATTRIBUTE);
            }
            let kind = match attribute.text("type").map(|item| item.text).as_deref() {
                Some("flag") => ClaimKind::Flag,
                Some("number") => ClaimKind::Number,
                Some("texts") => ClaimKind::Texts,
                Some(_) | None => ClaimKind::Text,
            };
            let Some(claim) = attribute.text("claim").map(|item| item.text) else {
                continue;
            };
            all.insert(name.to_owned(), ClaimAttribute { claim, kind });
        }
        all
    }

    /// A URL that documents may be fetched from.
    pub(super) fn url(&mut self, key: &str, item: &Item) -> Option<Url> {
        match item.text.parse() {
            Ok(url) => Some(url),
            Err(cause) => {
                let (key, url) = (key.to_owned(), item.text.clone());
                let fault = Fault::Url { key, url, cause };
                self.problems.push(Problem::at(self.file, item.at, fault));
                None
            }
        }
    }

    fn wrong(&mut self, key: &str, item: &Item, expected: &str) {
        let fault = Fault::Value {
            key: key.to_owned(),
            found: format!("`{}`", item.text),
            expected: expected.to_owned(),
        };
        self.problems.push(Problem::at(self.file, item.at, fault));
    }

    fn lacking(&mut self, at: crate::config::yaml::Position, key: &Key, expected: &str) {
        let fault = Fault::NoValue {
            key: key.path.to_owned(),
            expected: expected.to_owned(),
        };
        self.problems.push(Problem::at(self.file, at, fault));
    }
}

/// A scope as RFC 6749 spells it.
fn is_scope(text: &str) -> bool {
    let allowed = |byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !text.is_empty() && text.len() <= 256 && text.bytes().all(allowed)
}

fn is_prefix(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn is_attribute(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let taken = ["name", "scopes", "issuer", "client_id"].contains(&name);
    !taken
        && name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(word)
}

const ATTRIBUTE: &str =
    "letters, digits and `_`, other than `name`, `scopes`, `issuer` and `client_id`";
const PREFIX: &str = "a lower-case letter, and up to 31 of `a` to `z`, `0` to `9` and `-`";
const SCOPE: &str = "a scope without blanks";
const USUAL: [Algorithm; 4] = [
    Algorithm::Es256,
    Algorithm::EdDsa,
    Algorithm::Rs256,
    Algorithm::Ps256,
];
const MAX_KEYS: usize = 512 * 1024;
