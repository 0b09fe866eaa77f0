//! Cedar's own validator, strictly, against the generated schema.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    PolicySet, Schema, ValidationMode, ValidationWarning, Validator, ffi::DetailedError,
};

use super::{
    check::{Covers, Group},
    spots::{Actions, CALL_TOOL, Spot},
};
use crate::{
    bundle::{Cause, PolicyError, Rule, Warning},
    decide::Action,
    schema::{Declaration, SchemaText, Shape, union},
};

/// Types of principals' attributes, and whether every principal has them.
pub(super) type AgentTypes = BTreeMap<String, (&'static str, bool)>;

/// Validates policies in groups that apply to the same spots: the fewer spots, the more types are
/// known.
#[derive(Debug)]
pub(super) struct Validation<'a> {
    pub(super) spots: &'a [Spot],
    pub(super) actions: &'a Actions,
    pub(super) agent: &'a AgentTypes,
    /// Tools' own actions that some policy names; nothing is ever asked under the others.
    pub(super) named: &'a BTreeSet<String>,
}

impl Validation<'_> {
    /// What Cedar has against the policies.
    pub(super) fn run(
        &self,
        groups: BTreeMap<Group, Vec<&Rule>>,
    ) -> Result<(Vec<PolicyError>, Vec<Warning>), Vec<PolicyError>> {
        let mut errors = Vec::new();
        let mut warnings = Vec::new();
        for (group, rules) in groups {
            let text = self.schema(&group, |action| self.named.contains(action));
            let (schema, _) = Schema::from_cedarschema_str(&text)
                .map_err(|error| schema_error(DetailedError::from(&error).message))?;
            let set = PolicySet::from_policies(rules.iter().map(|rule| rule.policy.clone()))
                .map_err(|error| schema_error(error.to_string()))?;
            let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
            let rule = |id: &cedar_policy::PolicyId| {
                rules.iter().copied().find(|rule| *rule.policy.id() == *id)
            };
            for error in result.validation_errors() {
                if let Some(rule) = rule(error.policy_id()) {
                    errors.push(invalid(rule, &DetailedError::from(error)));
                }
            }
            for warning in result.validation_warnings() {
                if let Some(rule) = rule(warning.policy_id()) {
                    judge(rule, warning, &mut errors, &mut warnings);
                }
            }
        }
        Ok((errors, warnings))
    }

    /// The schema of what can happen at these spots, with those of tools' own actions that are wanted.
    pub(super) fn schema(&self, group: &Group, wanted: impl Fn(&str) -> bool) -> String {
        let Group { spots, covers } = group;
        let shape = |action: Action| -> Shape {
            let spots = spots.iter().filter_map(|index| self.spots.get(*index));
            let spots = spots.filter(|spot| spot.action == action && !spot.exception);
            union(spots.map(|spot| &spot.shape))
        };
        let mut text = SchemaText::new(self.agent);
        text.declare(&Declaration {
            action: CALL_TOOL,
            member_of: None,
            arguments: &shape(Action::CallTool),
        });
        for action in self.actions.names().filter(|action| wanted(action)) {
            let tool = self
                .actions
                .tool(action)
                .filter(|index| spots.contains(index));
            if let Some(tool) = tool.and_then(|index| self.spots.get(index)) {
                let member_of = Some(CALL_TOOL);
                text.declare(&Declaration {
                    action,
                    member_of,
                    arguments: &tool.shape,
                });
            }
        }
        match covers {
            Covers::Tools => {}
            Covers::Everything => {
                text.declare_things();
                let others = Action::ALL.into_iter();
                let others =
                    others.filter(|action| self.actions.other(action.as_str()) == Some(*action));
                for action in others.filter(|action| *action != Action::CallTool) {
                    text.declare_other(action, &shape(action));
                }
            }
        }
        text.finish()
    }
}

pub(super) fn schema_error(message: String) -> Vec<PolicyError> {
    vec![PolicyError::Schema(message)]
}

fn invalid(rule: &Rule, error: &DetailedError) -> PolicyError {
    let offset = error
        .source_locations
        .first()
        .map_or(0, |label| label.loc.start);
    let place = rule.place_at(rule.line_at(offset));
    let prefix = format!("for policy `{}`", rule.id);
    let message = error
        .message
        .strip_prefix(&prefix)
        .unwrap_or(&error.message);
    let message = message.trim_start_matches([',', ':', ' ']).to_owned();
    let help = remedy(&error.message)
        .map(ToOwned::to_owned)
        .or_else(|| error.help.clone());
    PolicyError::Policy {
        place,
        cause: Cause::Invalid { message, help },
    }
}

/// Remedies that know what policies are written for here.
fn remedy(message: &str) -> Option<&'static str> {
    if message.contains("unable to guarantee safety of access to optional attribute") {
        Some("parameters may be absent: write `context.arguments has x && context.arguments.x …`")
    } else if message.contains("expected __cedar::internal::AnyEntity")
        || message.contains("unexpected type: expected an entity")
    {
        Some("`in` is for entities: write `[\"a\", \"b\"].contains(resource.tool_name)`")
    } else {
        None
    }
}

fn judge(
    rule: &Rule,
    warning: &ValidationWarning,
    errors: &mut Vec<PolicyError>,
    warnings: &mut Vec<Warning>,
) {
    match warning {
        ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_) => {
            errors.push(PolicyError::Policy {
                place: rule.place(),
                cause: Cause::Never,
            });
        }
        ValidationWarning::BidiCharsInString(_) | ValidationWarning::BidiCharsInIdentifier(_) => {
            errors.push(invalid(rule, &DetailedError::from(warning)));
        }
        ValidationWarning::MixedScriptString(_)
        | ValidationWarning::MixedScriptIdentifier(_)
        | ValidationWarning::ConfusableIdentifier(_)
        | _ => {
            let message = DetailedError::from(warning).message;
            warnings.push(Warning::Doubtful {
                place: rule.place(),
                message,
            });
        }
    }
}
