//! What a token has to give for one call, beyond being a token: by configuration, and by policies that
//! say so with `@required_scopes`. A caller that lacks it hears what to ask its issuer for, all of it at
//! once, and only where having it would let the call through.

use std::{collections::BTreeSet, sync::Arc};

use cmcp_policy::{
    catalog::Approved,
    decide::{Decision, Facts},
    engine::{AttributeValue, Engine, Principal},
};
use http::HeaderMap;

use super::{
    Authorization,
    settings::{Oauth, SCOPES},
};
use crate::refusal::Denial;

/// A call for which the token gives too little.
#[derive(Clone, Debug)]
pub(crate) struct Insufficient {
    /// All scopes that the call needs, those that the token gives among them.
    pub(crate) scopes: Vec<String>,
    /// What tells the client so.
    pub(crate) headers: HeaderMap,
    /// What policy said, where it was policy.
    pub(crate) denial: Option<Denial>,
}

impl Authorization {
    /// What a call of this tool lacks by configuration. Principals without a token of an issuer have no
    /// scopes, and are judged by policy alone.
    pub(crate) fn lacking(&self, principal: &Principal, tool: &str) -> Option<Insufficient> {
        let needed = self.settings.tool_scopes.get(tool)?;
        let held = held(principal);
        let missing = needed.iter().any(|scope| !held.contains(scope.as_str()));
        (missing && self.settings.names(&principal.name))
            .then(|| self.insufficient(tool, needed.clone(), None))
    }

    /// What would turn this denial into a permission, if scopes that its policies name would.
    pub(crate) fn turning(
        &self,
        reachable: &Reachable,
        engine: &Engine,
        facts: &Facts<'_>,
        denial: &Denial,
    ) -> Option<Insufficient> {
        let raised = reachable.raised(facts.principal)?;
        let as_if = |principal: &Principal| {
            engine.decide(&Facts {
                principal,
                ..*facts
            })
        };
        let permitted = Some(as_if(&raised)).filter(Decision::is_permit)?;
        let concerned = denial.policies.iter().chain(&permitted.policies);
        let concerned: BTreeSet<&str> = concerned.map(String::as_str).collect();
        let named = engine.annotated(ANNOTATION);
        let needed: Vec<String> = named
            .filter(|(policy, _)| concerned.contains(policy))
            .flat_map(|(_, scopes)| words(scopes))
            .collect();
        // With these alone, and not only with all that any policy names.
        let enough = as_if(&with(facts.principal, &needed)).is_permit();
        enough.then(|| self.insufficient(facts.target, needed, Some(denial.clone())))
    }

    fn insufficient(
        &self,
        tool: &str,
        needed: Vec<String>,
        denial: Option<Denial>,
    ) -> Insufficient {
        let configured = self.settings.tool_scopes.get(tool);
        let all: BTreeSet<String> = self
            .settings
            .required_scopes
            .iter()
            .chain(configured.into_iter().flatten())
            .cloned()
            .chain(needed)
            .collect();
        let scopes: Vec<String> = all.into_iter().collect();
        let mut headers = HeaderMap::new();
        self.step_up(&mut headers, &scopes);
        Insufficient {
            scopes,
            headers,
            denial,
        }
    }
}

/// Which scopes the policies in force name, and who could come by them.
#[derive(Debug)]
pub(crate) struct Reachable {
    scopes: Vec<String>,
    oauth: Option<Arc<Oauth>>,
}

impl Reachable {
    pub(crate) fn of(engine: &Engine, oauth: Option<&Arc<Oauth>>) -> Self {
        let named = engine.annotated(ANNOTATION);
        let named: BTreeSet<String> = named.flat_map(|(_, scopes)| words(scopes)).collect();
        Self {
            scopes: named.into_iter().collect(),
            oauth: oauth.cloned(),
        }
    }

    /// Whether any use of this item could be permitted, with this token or with one that gives more.
    pub(crate) fn visible(&self, engine: &Engine, principal: &Principal, item: &Approved) -> bool {
        let raised = || self.raised(principal);
        engine.visible(principal, item)
            || raised().is_some_and(|raised| engine.visible(&raised, item))
    }

    /// The principal with every scope that policies name; `None` for whoever has them, or comes by none.
    fn raised(&self, principal: &Principal) -> Option<Principal> {
        let oauth = self.oauth.as_ref()?;
        let held = held(principal);
        let more = self
            .scopes
            .iter()
            .any(|scope| !held.contains(scope.as_str()));
        (more && oauth.names(&principal.name)).then(|| with(principal, &self.scopes))
    }
}

/// The principal with these scopes besides its own.
fn with(principal: &Principal, more: &[String]) -> Principal {
    let mut all = held(principal);
    all.extend(more.iter().map(String::as_str));
    let all = all.into_iter().map(ToOwned::to_owned).collect();
    let mut raised = principal.clone();
    raised
        .attributes
        .insert(SCOPES.to_owned(), AttributeValue::Set(all));
    raised
}

fn held(principal: &Principal) -> BTreeSet<&str> {
    match principal.attributes.get(SCOPES) {
        Some(AttributeValue::Set(scopes)) => scopes.iter().map(String::as_str).collect(),
        Some(AttributeValue::Bool(_) | AttributeValue::Long(_) | AttributeValue::String(_))
        | None => BTreeSet::new(),
    }
}

fn words(scopes: &str) -> impl Iterator<Item = String> {
    scopes.split_whitespace().map(ToOwned::to_owned)
}

/// The annotation by which a policy names scopes that would change what it says.
const ANNOTATION: &str = "required_scopes";
