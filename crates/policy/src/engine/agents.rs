//! The principals that policies may name.

use std::collections::{BTreeMap, BTreeSet};

use super::{AttributeValue, Principal, validate::AgentTypes};
use crate::bundle::PolicyError;

/// The types of the principals' attributes.
pub(super) fn types(principals: &[Principal]) -> Result<AgentTypes, Vec<PolicyError>> {
    let mut errors = Vec::new();
    let mut names = BTreeSet::new();
    let mut known: BTreeMap<&str, (&'static str, &str)> = BTreeMap::new();
    for principal in principals {
        if !names.insert(&principal.name) {
            errors.push(PolicyError::PrincipalTwice(principal.name.clone()));
        }
        for (attribute, value) in &principal.attributes {
            if attribute == NAME {
                errors.push(PolicyError::AttributeReserved {
                    attribute: attribute.clone(),
                    principal: principal.name.clone(),
                });
                continue;
            }
            let ty = value.cedar_type();
            let (first, owner) = known.entry(attribute).or_insert((ty, &principal.name));
            if *first != ty {
                errors.push(PolicyError::AttributeClash {
                    attribute: attribute.clone(),
                    first: (*owner).to_owned(),
                    second: principal.name.clone(),
                });
            }
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    // Never required: a principal that is not configured has none of them.
    let attributes = known
        .into_iter()
        .map(|(name, (ty, _))| (name.to_owned(), (ty, false)));
    Ok(attributes
        .chain([(NAME.to_owned(), ("String", true))])
        .collect())
}

impl AttributeValue {
    fn cedar_type(&self) -> &'static str {
        match self {
            Self::Bool(_) => "Bool",
            Self::Long(_) => "Long",
            Self::String(_) => "String",
            Self::Set(_) => "Set<String>",
        }
    }
}

const NAME: &str = "name";
