//! The entry of what a server asked of a client.

use std::collections::BTreeSet;

use cmcp_mcp::method::ClientMethod;
use cmcp_record::{
    audit::{Advice, Call, CallResult, Count, Findings, Kind, Outcome, Text, Texts, commit},
    verdict::Verdict,
};

use crate::{
    call::{
        asked::{self, Exchange, Heard, Unanswered},
        story,
    },
    ids::CallRandom,
    refusal::Denial,
};

/// What a server asked of the client, and what came of it.
pub(in crate::call) struct Told<'a> {
    pub(in crate::call) method: ClientMethod,
    /// The parameters as received.
    pub(in crate::call) params: &'a [u8],
    /// The client's answer as received; nothing where the question is still with the client.
    pub(in crate::call) answer: Result<Option<&'a [u8]>, &'a Unanswered>,
    /// The denial that the mode lets pass.
    pub(in crate::call) waived: Option<Denial>,
}

impl Told<'_> {
    fn denial(&self) -> Option<&Denial> {
        let refused = self.answer.err().and_then(Unanswered::denial);
        refused.or(self.waived.as_ref())
    }

    fn result(&self) -> CallResult {
        match self.answer {
            Ok(Some(_)) | Err(Unanswered::Answer(_) | Unanswered::Error { .. }) => {
                CallResult::Response
            }
            Ok(None) | Err(Unanswered::Gone) => CallResult::OutcomeUnknown,
            Err(
                Unanswered::Denied(_)
                | Unanswered::Unable
                | Unanswered::Question(_)
                | Unanswered::Unrecorded,
            ) => CallResult::NotDispatched,
        }
    }

    fn verdict(&self) -> Verdict {
        match self.answer {
            Ok(_) if self.waived.is_some() => Verdict::AdvisoryDeny,
            Ok(_) | Err(Unanswered::Error { .. }) => Verdict::Allow,
            Err(Unanswered::Gone | Unanswered::Unrecorded) => Verdict::Fault,
            Err(
                Unanswered::Denied(_)
                | Unanswered::Unable
                | Unanswered::Question(_)
                | Unanswered::Answer(_),
            ) => Verdict::Deny,
        }
    }
}

/// The entry of an exchange.
pub(in crate::call) fn exchange(
    exchange: &Exchange<'_>,
    told: &Told<'_>,
    heard: &Heard,
    random: &CallRandom,
) -> Kind {
    let Exchange {
        call,
        session,
        item,
        parent: _,
    } = exchange;
    let denial = told.denial();
    let sensitivity = Text::new(session.view().max_sensitivity.name());
    let answer = told.answer.ok().flatten();
    let known = known(exchange, told, &sensitivity, random);
    let findings = heard.0.iter().flat_map(|inspected| &inspected.findings);
    let labels: BTreeSet<&str> = heard
        .0
        .iter()
        .flat_map(|i| i.labels.iter().copied())
        .collect();
    Kind::Outcome(Box::new(Outcome {
        call: known,
        advice: denial.map(|d| Advice::new(&d.advice)).unwrap_or_default(),
        code: told.answer.err().map(|refused| Text::new(refused.code())),
        compliance_domain: Text::new(&item.compliance_domain),
        data_class: Text::new(item.sensitivity.name()),
        findings: Findings::new(findings.map(|f| (f.rule, count(f.count)))),
        intent_seq: None,
        labels: Texts::new(labels),
        latency_us: Count::new(0),
        redactions: Texts::default(),
        request_plain: None,
        response: answer.map(|bytes| commit(&random.response_salt, bytes)),
        response_plain: None,
        result: told.result(),
        sensitivity_after: sensitivity,
        session_label: session.label.as_deref().map(Text::new),
        verdict: told.verdict(),
        workflow_id: call.claims.workflow_id.as_deref().map(Text::new),
        would_have_denied: told.answer.is_ok() && told.waived.is_some(),
    }))
}

fn known(
    exchange: &Exchange<'_>,
    told: &Told<'_>,
    sensitivity: &Text,
    random: &CallRandom,
) -> Call {
    let Exchange {
        call, item, parent, ..
    } = exchange;
    let spec = call.rules.catalog.server_of(item);
    let server = spec.map_or("", |spec| spec.name.as_str());
    let observed = call.rules.upstreams.observed(item.server);
    let policies = told
        .denial()
        .map(|d| Texts::new(d.policies.iter().chain(&d.errors)));
    Call {
        action: story::word(asked::action(told.method)),
        attempt: Text::new(&random.attempt),
        call_id: Text::new(&random.call_id),
        declaration: None,
        parent: Some(Text::new(parent)),
        policies: policies.unwrap_or_default(),
        policy: call.rules.bundle.hash,
        protocol: Text::new(call.protocol()),
        request: commit(&random.request_salt, told.params),
        retry_of: None,
        rpc_id: None,
        sensitivity_before: sensitivity.clone(),
        server: observed.map(|observed| story::server(server, &observed)),
        tool: Text::new(server),
    }
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
