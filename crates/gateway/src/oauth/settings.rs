//! What the gateway is told of issuers.

use std::collections::{BTreeMap, BTreeSet};

use cmcp_mcp::{
    client::oauth::SecretSource,
    fetch::Url,
    jose::{Algorithm, KeySet},
};
use cmcp_policy::engine::{AttributeValue, Principal};

/// How callers are let in by tokens of issuers.
#[derive(Debug)]
pub struct Oauth {
    /// Our own name: the URL that clients reach us by, without a slash at its end.
    pub resource: Url,
    /// Whose tokens are taken.
    pub issuers: Vec<OauthIssuer>,
    /// Algorithms of signatures.
    pub algorithms: Vec<Algorithm>,
    /// Scopes that our metadata name.
    pub scopes_supported: Vec<String>,
    /// Scopes without which nothing may be asked.
    pub required_scopes: Vec<String>,
    /// Tool → scopes without which it may not be called.
    pub tool_scopes: BTreeMap<String, Vec<String>>,
    /// Scope → narrower scopes that it gives as well.
    pub implied_scopes: BTreeMap<String, Vec<String>>,
    /// The claim that names a principal within its issuer.
    pub principal_claim: String,
    /// Principals' attribute → the claim it is taken from.
    pub attributes: BTreeMap<String, ClaimAttribute>,
    /// Whether tokens are bound to keys.
    pub dpop: Dpop,
    /// Host names that may lead to private addresses, in lower case.
    pub private_hosts: Vec<String>,
}

/// One issuer.
#[derive(Debug)]
pub struct OauthIssuer {
    /// Its name, as `iss` has it.
    pub issuer: Url,
    /// Its principals are called `<prefix>:<claim>`.
    pub prefix: String,
    /// Where its keys are from.
    pub keys: IssuerKeys,
    /// Who tells what an opaque token is worth. One issuer at most has it: a token is shown to nobody
    /// but its own issuer.
    pub introspection: Option<Introspection>,
}

/// Where an issuer's keys are from.
#[derive(Clone, Debug)]
pub enum IssuerKeys {
    /// From where its metadata say.
    Discovered,
    /// From here.
    At(Url),
    /// These and no others.
    Pinned(KeySet),
}

/// An endpoint of RFC 7662.
#[derive(Clone, Debug)]
pub struct Introspection {
    /// Where it is.
    pub endpoint: Url,
    /// Our name there.
    pub client_id: String,
    /// What proves it.
    pub client_secret: SecretSource,
}

/// The claim behind an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimAttribute {
    /// The claim's name.
    pub claim: String,
    /// What it has to be; a token that has something else in its place is refused.
    pub kind: ClaimKind,
}

/// What a claim has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimKind {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
    /// A text.
    Text,
    /// A list of texts; one text is a list of one.
    Texts,
}

/// Whether tokens are bound to keys (RFC 9449).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dpop {
    /// Proofs are not checked, so that bound tokens are refused.
    Off,
    /// Bound tokens need their proof; others are taken as they are.
    Optional,
    /// Only bound tokens are taken.
    Required,
}

impl Oauth {
    /// Every URL that the settings name themselves.
    pub(super) fn urls(&self) -> impl Iterator<Item = &Url> {
        self.issuers.iter().flat_map(|issuer| {
            let keys = match &issuer.keys {
                IssuerKeys::At(url) => Some(url),
                IssuerKeys::Discovered | IssuerKeys::Pinned(_) => None,
            };
            let introspection = issuer.introspection.as_ref().map(|one| &one.endpoint);
            std::iter::once(&issuer.issuer)
                .chain(keys)
                .chain(introspection)
        })
    }

    /// One principal for each issuer that stands for all of them: its name is what theirs begin with,
    /// and its attributes have the types of theirs. Nobody is ever called by such a name itself.
    #[must_use]
    pub fn families(&self) -> Vec<Principal> {
        let own = [
            (SCOPES, AttributeValue::Set(Vec::new())),
            (ISSUER, AttributeValue::String(String::new())),
            (CLIENT, AttributeValue::String(String::new())),
        ];
        let claimed = self.attributes.iter().map(|(name, attribute)| {
            let value = match attribute.kind {
                ClaimKind::Flag => AttributeValue::Bool(false),
                ClaimKind::Number => AttributeValue::Long(0),
                ClaimKind::Text => AttributeValue::String(String::new()),
                ClaimKind::Texts => AttributeValue::Set(Vec::new()),
            };
            (name.clone(), value)
        });
        let attributes: BTreeMap<String, AttributeValue> = own
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .chain(claimed)
            .collect();
        let names: BTreeSet<String> = self.issuers.iter().map(OauthIssuer::family).collect();
        names
            .into_iter()
            .map(|name| Principal {
                name,
                attributes: attributes.clone(),
            })
            .collect()
    }

    /// The principal of that name with a token that gives these scopes and says nothing else; `None` for
    /// a name that no token can give.
    #[must_use]
    pub fn principal(&self, name: &str, scopes: &[String]) -> Option<Principal> {
        let mut issuers = self.issuers.iter();
        let issuer = issuers.find(|issuer| name.starts_with(&issuer.family()))?;
        let text = issuer.issuer.as_str().to_owned();
        let attributes = [
            (SCOPES, AttributeValue::Set(self.implied(scopes))),
            (ISSUER, AttributeValue::String(text)),
        ];
        self.names(name).then(|| Principal {
            name: name.to_owned(),
            attributes: attributes
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
        })
    }

    /// These scopes, and all that they imply.
    pub(super) fn implied(&self, scopes: &[String]) -> Vec<String> {
        let mut all = BTreeSet::new();
        let mut next: Vec<&str> = scopes.iter().map(String::as_str).collect();
        while let Some(scope) = next.pop() {
            if all.insert(scope.to_owned()) {
                let narrower = self.implied_scopes.get(scope);
                next.extend(narrower.into_iter().flatten().map(String::as_str));
            }
        }
        all.into_iter().collect()
    }

    /// Whether a principal of that name can come by a token.
    pub(crate) fn names(&self, principal: &str) -> bool {
        self.issuers.iter().any(|issuer| {
            principal
                .strip_prefix(&issuer.family())
                .is_some_and(|rest| !rest.is_empty())
        })
    }
}

impl OauthIssuer {
    /// What the names of its principals begin with.
    #[must_use]
    pub fn family(&self) -> String {
        format!("{}:", self.prefix)
    }
}

/// Attributes that every principal with a token has, but for the last, which its token may lack.
pub(super) const SCOPES: &str = "scopes";
pub(super) const ISSUER: &str = "issuer";
pub(super) const CLIENT: &str = "client_id";
