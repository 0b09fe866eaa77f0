//! What may be told beyond the code: a rule's own advice, the place in the caller's own arguments.

use cmcp_json::{Object, Value};
use cmcp_policy::decide::Action;

use super::Dialect;
use crate::{
    call::Call,
    limits::Limited,
    refusal::{Denial, Refusal},
};

/// The members of `error.data` beside code and call.
pub(super) fn details(call: &Call, refusal: &Refusal) -> Option<Object> {
    let mut more = Object::default();
    let negotiated = call.client.dialect != Dialect::Compat;
    match refusal {
        Refusal::Denied(denial) | Refusal::Egress(denial) => {
            if let Some(advice) = advice(denial) {
                more.insert("advice", advice);
            }
            if negotiated {
                more.insert("policies", policies(denial));
            }
        }
        Refusal::Arguments(what) => {
            more.insert("reason", Value::String(what.clone()));
        }
        Refusal::Ledger(error) => {
            // What the system said of the disk is the operator's business.
            more.insert("reason", Value::from(error.outside()));
        }
        Refusal::Limited(limited) => more = of_limit(limited),
        Refusal::Scope(insufficient) => {
            let scopes = insufficient.scopes.iter();
            let scopes = scopes.map(|scope| Value::from(scope.as_str())).collect();
            more.insert("required_scopes", Value::Array(scopes));
        }
        Refusal::Killed(killed) => {
            more.insert("agent_id", Value::String(killed.agent.clone()));
            more.insert("receipt", Value::Object(killed.receipt.clone()));
        }
        Refusal::UnknownTool | Refusal::Hidden => {
            if matches!(call.wanted.action, Action::ReadResource | Action::Subscribe) {
                more.insert("uri", Value::from(call.wanted.target.as_str()));
            }
        }
        Refusal::Sink(what) => {
            if negotiated {
                more.insert("reason", Value::String(what.clone()));
            }
        }
        Refusal::Input(_)
        | Refusal::TooManySessions(_)
        | Refusal::ResponseTooLarge { .. }
        | Refusal::ExecutionId
        | Refusal::PolicyRevoked => {
            if negotiated {
                more.insert("reason", Value::String(refusal.to_string()));
                if let Some(denial) = refusal.denial() {
                    more.insert("policies", policies(denial));
                }
            }
        }
        Refusal::Cancelled { .. }
        | Refusal::Drift(_)
        | Refusal::Fault(_)
        | Refusal::OutputSchema(_)
        | Refusal::Stale
        | Refusal::Unchecked(_)
        | Refusal::Upstream(_) => {}
    }
    (!more.is_empty()).then_some(more)
}

fn of_limit(limited: &Limited) -> Object {
    let mut more = Object::from([("limit", limited.what.as_str())]);
    if let Some(seconds) = limited.seconds() {
        more.insert("retry_after", Value::from(seconds));
    }
    more
}

fn policies(denial: &Denial) -> Value {
    let ids = denial.policies.iter().chain(&denial.errors);
    Value::Array(ids.map(|id| Value::String(id.clone())).collect())
}

/// The annotations of the rules that decided.
pub(super) fn advice(denial: &Denial) -> Option<Value> {
    if denial.advice.is_empty() {
        return None;
    }
    let pairs = denial
        .advice
        .iter()
        .map(|(k, v)| (k.clone(), Value::String(v.clone())));
    Some(Value::Object(pairs.collect()))
}
