//! A call's entries in the log: the declarations it rests on, its intent, its outcome.

mod exchange;

use cmcp_evidence::Timestamp;
use cmcp_policy::mode::Mode;
use cmcp_record::{
    audit::{
        Advice, CallResult, ChangeNotice, Completeness, Count, Declarations, Findings, Intent,
        Kind, Outcome, Text, Texts,
    },
    verdict::Verdict,
};

pub(super) use exchange::{Told, exchange};

use super::{Call, Cleared, Story, story::Reached};
use crate::{
    keeper::audited,
    refusal::Refusal,
    sessions::Session,
    upstream::{Checked, item_kind},
};

/// The listing that a comparison rests on; none when the server was never observed.
pub(super) fn declarations(story: &Story, checked: &Checked, now: Timestamp) -> Option<Kind> {
    let offered = &checked.offered;
    let pages = offered.pages.iter().cloned();
    let completeness = if offered.complete {
        Completeness::Complete
    } else {
        Completeness::Incomplete
    };
    let server = story.known.server.clone()?;
    let read = (completeness, ChangeNotice::None);
    let (_, kind) = checked.listing;
    Some(Kind::Declarations(Declarations {
        item: audited(item_kind(kind)),
        ..Declarations::new(server, pages, read, now)
    }))
}

pub(super) fn intent(story: &Story) -> Kind {
    Kind::Intent(Box::new(Intent {
        call: story.known.clone(),
    }))
}

pub(super) fn outcome(
    call: &Call,
    session: &Session,
    outcome: &Result<Cleared, Refusal>,
    story: &Story,
) -> Kind {
    let mut known = story.known.clone();
    let denial = match outcome {
        Ok(_) => story.waived.as_ref(),
        Err(refusal) => refusal.denial(),
    };
    if let Some(denial) = denial {
        known.policies = Texts::new(denial.policies.iter().chain(&denial.errors));
    }
    Kind::Outcome(Box::new(Outcome {
        call: known,
        advice: denial.map(|d| Advice::new(&d.advice)).unwrap_or_default(),
        code: code(outcome, story).map(Text::new),
        compliance_domain: story.compliance_domain.clone(),
        data_class: story.data_class.clone(),
        findings: Findings::new(story.findings.iter().map(|(rule, count)| (rule, *count))),
        intent_seq: story.intent.map(Count::new),
        labels: Texts::new(&story.labels),
        latency_us: Count::new(story.latency_us),
        redactions: Texts::new(&story.redactions),
        request_plain: story.request_plain,
        response: story.response,
        response_plain: story.response_plain,
        result: result(outcome, story),
        sensitivity_after: Text::new(session.view().max_sensitivity.name()),
        session_label: session.label.as_deref().map(Text::new),
        verdict: verdict(outcome, story),
        workflow_id: call.claims.workflow_id.as_deref().map(Text::new),
        would_have_denied: outcome.is_ok() && story.waived.is_some(),
    }))
}

fn code(outcome: &Result<Cleared, Refusal>, story: &Story) -> Option<&'static str> {
    match outcome {
        Ok(Cleared::Error { .. }) => Some("upstream_tool_error"),
        Ok(Cleared::Result { .. } | Cleared::Asked { .. }) if story.waived.is_some() => {
            Some("policy_deny")
        }
        Ok(Cleared::Asked { .. }) => Some("input_required"),
        Ok(Cleared::Task(_)) => Some("task"),
        Ok(Cleared::Result { .. }) => None,
        Err(refusal) => Some(refusal.code().as_str()),
    }
}

/// What happened upstream is what was seen of it, whatever refused the call afterwards.
fn result(outcome: &Result<Cleared, Refusal>, story: &Story) -> CallResult {
    match outcome {
        _ if story.response.is_some() => CallResult::Response,
        Ok(_) => CallResult::Response,
        Err(Refusal::Fault(_)) if story.reached == Reached::Server => CallResult::OutcomeUnknown,
        Err(refusal) => refusal.result(),
    }
}

fn verdict(outcome: &Result<Cleared, Refusal>, story: &Story) -> Verdict {
    match outcome {
        Ok(_) if story.waived.is_some() => Verdict::AdvisoryDeny,
        Ok(_) if !story.redactions.is_empty() => Verdict::Redact,
        Ok(_) => Verdict::Allow,
        Err(refusal) => refusal.verdict(),
    }
}

/// The log's word for the mode.
pub(crate) fn mode(mode: Mode) -> cmcp_record::audit::Mode {
    match mode {
        Mode::Advisory => cmcp_record::audit::Mode::Advisory,
        Mode::Enforcing => cmcp_record::audit::Mode::Enforcing,
        Mode::Silent => cmcp_record::audit::Mode::Silent,
    }
}
