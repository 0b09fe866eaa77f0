//! The life of a call. [`Gateway::answer`] wraps [`Gateway::run`], so that every way out of it, a
//! panic among them, passes the one append.

mod cancel;
mod entry;
mod guard;
mod incoming;
mod story;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use bytes::Bytes;
use cmcp_json::{Limits, Value};
use cmcp_mcp::upstream::{ToolCall, ToolReply, UpstreamError};
use cmcp_policy::{
    catalog::Approved,
    decide::Phase,
    inspect::{self, Inspected},
    path::JsonPath,
    session::SessionState,
};
use futures_util::FutureExt;

use crate::{
    ids::CallRandom,
    ledger::{AppendRequest, Durability, Receipt},
    refusal::{Denial, Refusal},
    sessions::{EnterError, Session, Stay},
    settings::StalenessPolicy,
    startup::Gateway,
    upstream::Checked,
};
pub(crate) use cancel::{Cancel, pair};
pub(crate) use entry::mode;
use guard::Permitted;
pub(crate) use incoming::{BODY_DEADLINE, Call};
use story::Reached;
pub(crate) use story::Story;

/// What a call came to, with everything its reply may need.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) outcome: Result<Cleared, Refusal>,
    pub(crate) call_id: String,
    pub(crate) session_id: Option<String>,
    pub(crate) receipt: Option<Receipt>,
    /// The denial that the mode let pass.
    pub(crate) waived: Option<Denial>,
    pub(crate) latency_us: u64,
}

impl Answered {
    // Nothing of the call could be written: the log itself, or the system, refuses.
    fn unlogged(refusal: Refusal) -> Self {
        Self {
            outcome: Err(refusal),
            call_id: String::new(),
            session_id: None,
            receipt: None,
            waived: None,
            latency_us: 0,
        }
    }
}

/// A response that may return to the caller.
#[derive(Debug)]
pub(crate) enum Cleared {
    /// The upstream's error, as it came.
    Error {
        /// The `error` member exactly as received.
        bytes: Bytes,
    },
    /// The upstream's result, as it came or redacted.
    Result {
        /// The `result` member.
        bytes: Bytes,
        /// The same, parsed.
        value: Value,
    },
}

impl Gateway {
    /// Answers one call. The future runs in a task of its own: a caller that hangs up cannot take
    /// the record with it.
    pub(crate) async fn answer(&self, call: &Call, mut cancel: Cancel) -> Answered {
        let started = Instant::now();
        let entered = CallRandom::draw().and_then(|random| Ok((random, self.enter(call)?)));
        let (random, (stay, admitted)) = match entered {
            Ok(entered) => entered,
            Err(refusal) => return Answered::unlogged(refusal),
        };
        let session = Arc::clone(&stay.0);
        let mut story = Story::new(self, call, &session, random);
        let run = async {
            admitted?;
            self.begun(&session).await?;
            self.catch_up(&session, &call.rules).await?;
            self.run(call, &session, &mut story, &mut cancel).await
        };
        let outcome = AssertUnwindSafe(run)
            .catch_unwind()
            .await
            .unwrap_or(Err(Refusal::Fault("a step of the call panicked")));
        story.latency_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.close_story(outcome, call, &session, story).await
    }

    /// The steps of a call, in the order that is the security property.
    async fn run(
        &self,
        call: &Call,
        session: &Arc<Session>,
        story: &mut Story,
        cancel: &mut Cancel,
    ) -> Result<Cleared, Refusal> {
        let tool = self.tool(call, session, story)?;
        call.claims.check()?;
        self.fresh_evidence(session, story).await?;
        tool.check_arguments(call.arguments())
            .map_err(|e| Refusal::Arguments(e.to_string()))?;
        let permitted = self.permit(call, tool, session, story)?;
        if cancel.is_gone() {
            return Err(Refusal::Cancelled { sent: false });
        }
        let checked = self.compare(call, tool, session).await?;
        self.declare(session, &checked, story).await?;
        self.note_use(session, &call.rules, tool).await?;
        self.intend(tool, session, story).await?;
        let reply = self
            .dispatch((call, tool), (permitted, checked), (session, story), cancel)
            .await?;
        let response = self.inspect(tool, reply, session, story)?;
        self.clear((call, tool), (session, story), response)
    }

    /// The approved tool of that exact name, unless this principal may never call it.
    fn tool<'a>(
        &self,
        call: &'a Call,
        session: &Session,
        story: &mut Story,
    ) -> Result<&'a Approved, Refusal> {
        let rules = &call.rules;
        if self.kill_switch.blocks(&call.principal.name) {
            return Err(self.killed(call, session));
        }
        let tool = rules.tool(&call.tool, self.clock.now());
        let tool = tool.ok_or(Refusal::UnknownTool)?;
        name(call, tool, story);
        // Advisory and silent modes let denied calls pass, so that they hide nothing either.
        if self.settings.mode.refuses() && !rules.policy.visible(&call.principal, tool) {
            return Err(Refusal::Hidden);
        }
        Ok(tool)
    }

    async fn fresh_evidence(&self, session: &Session, story: &mut Story) -> Result<(), Refusal> {
        if self.evidence.is_fresh(self.clock.now()) {
            return Ok(());
        }
        self.note_stale(session).await?;
        match self.settings.staleness_policy {
            StalenessPolicy::FailClosed => Err(Refusal::Stale),
            StalenessPolicy::WarnOnly => {
                story.note("attestation_stale");
                Ok(())
            }
        }
    }

    /// Policy, before dispatch.
    fn permit(
        &self,
        call: &Call,
        tool: &Approved,
        session: &Session,
        story: &mut Story,
    ) -> Result<Permitted<ToolCall>, Refusal> {
        call.rules.trusted()?;
        let view = self.seen(call, session)?;
        if let Some(sinks) = &self.settings.sink_policy {
            sinks.admits(&self.settings.vocabulary, tool, &view.max_sensitivity)?;
            // Known before the call: a response that could not return is not asked for.
            sinks.releases(&self.settings.vocabulary, tool)?;
        }
        let facts = self.facts(call, tool, &view, Phase::Ingress)?;
        let judged = guard::judge(
            &call.rules.policy,
            self.settings.mode,
            &facts,
            self.tool_call(call, tool),
        )
        .map_err(Refusal::Denied)?;
        story.judged(&judged);
        Ok(judged.value)
    }

    /// Compares the tool with what its server offers now; a difference is told to the log.
    async fn compare(
        &self,
        call: &Call,
        tool: &Approved,
        session: &Session,
    ) -> Result<Checked, Refusal> {
        let checked = call.rules.check(tool).await;
        let drift = match &checked {
            Err(Refusal::Drift(drift)) => Some(drift.as_ref()),
            Err(_) => None,
            Ok(checked) => checked.tolerated.as_ref(),
        };
        if let Some(drift) = drift {
            self.note_drift(session, drift).await?;
        }
        checked
    }

    /// Writes down which listing the comparison rests on, once per session and listing.
    async fn declare(
        &self,
        session: &Session,
        checked: &Checked,
        story: &mut Story,
    ) -> Result<(), Refusal> {
        if let Some(drift) = &checked.tolerated {
            tracing::warn!(tool = %drift.tool, %drift, "a changed definition is let pass by configuration");
            story.note("catalog_drift");
        }
        if !session.declare(checked.link, checked.offered.generation) {
            return Ok(());
        }
        if let Some(kind) = entry::declarations(story, &checked.offered, self.clock.now()) {
            let request = AppendRequest::plain(session.log, kind, Durability::Process);
            if let Err(error) = self.ledger.append(request).await {
                session.undeclare(checked.link);
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// A call that may change something is durable in the log before it is dispatched; while the
    /// log takes no entries, so is any other.
    async fn intend(
        &self,
        tool: &Approved,
        session: &Session,
        story: &mut Story,
    ) -> Result<(), Refusal> {
        if tool.read_only() && !self.ledger.is_behind() {
            return Ok(());
        }
        let kind = entry::intent(story);
        let receipt = self
            .ledger
            .append(AppendRequest::plain(session.log, kind, Durability::Disk))
            .await?;
        story.intent = Some(receipt.seq);
        Ok(())
    }

    async fn dispatch(
        &self,
        (call, tool): (&Call, &Approved),
        (permitted, checked): (Permitted<ToolCall>, Checked),
        (session, story): (&Session, &mut Story),
        cancel: &mut Cancel,
    ) -> Result<ToolReply, Refusal> {
        let permitted = permitted.spend();
        let mut offered = checked.offered;
        // An operator may have stopped the agent while its call waited.
        if self.kill_switch.blocks(&call.principal.name) {
            return Err(self.killed(call, session));
        }
        for _ in 0..RELISTED {
            let sent = ToolCall {
                listed: Some(offered.generation),
                ..permitted.clone()
            };
            story.reached = Reached::Server;
            let reply = tokio::select! {
                biased;
                () = cancel.gone() => Err(Refusal::Cancelled { sent: true }),
                () = session.aborted() => Err(Refusal::Cancelled { sent: true }),
                reply = call.rules.upstreams.dispatch(tool, sent) => reply,
            };
            // A process that was started for this call has been measured only now.
            name(call, tool, story);
            match reply {
                // Nothing was sent: the server may offer something else since it was compared.
                Err(Refusal::Upstream(UpstreamError::Stale)) => {
                    story.reached = Reached::Nothing;
                    let checked = self.compare(call, tool, session).await?;
                    self.declare(session, &checked, story).await?;
                    offered = checked.offered;
                }
                reply => return reply,
            }
        }
        Err(Refusal::Upstream(UpstreamError::Stale))
    }

    /// Structure denies, content labels; what was seen raises the session even when it is blocked.
    fn inspect(
        &self,
        tool: &Approved,
        reply: ToolReply,
        session: &Session,
        story: &mut Story,
    ) -> Result<Cleared, Refusal> {
        story.respond(&reply);
        session.update(|state| {
            state.raise(&tool.sensitivity);
            state.note_call(tool);
        });
        match reply {
            ToolReply::Error { message, bytes, .. } => {
                let error = cmcp_json::parse(&bytes, &Limits::RESPONSE).unwrap_or(Value::Null);
                let inspected = inspect::inspect_error(&message, error.get("data"));
                self.note_inspected(inspected, session, story);
                Ok(Cleared::Error { bytes })
            }
            ToolReply::Result { bytes, mut value } => {
                if value.get("resultType").and_then(Value::as_str) == Some("input_required") {
                    return Err(Refusal::InputRequired);
                }
                let extra = [story.redact.as_slice(), self.settings.redact.as_slice()].concat();
                let inspected =
                    off_loop_if_long(bytes.len(), || inspect::inspect(&mut value, tool, &extra))
                        .map_err(|e| Refusal::OutputSchema(e.to_string()))?;
                let untouched = inspected.redactions.is_empty();
                self.note_inspected(inspected, session, story);
                let bytes = if untouched {
                    bytes
                } else {
                    Bytes::from(value.to_vec())
                };
                Ok(Cleared::Result { bytes, value })
            }
        }
    }

    /// What the content shows may raise the session, never lower it.
    fn note_inspected(&self, inspected: Inspected, session: &Session, story: &mut Story) {
        let content = inspected
            .sensitivity
            .and_then(|name| self.settings.vocabulary.sensitivity(name));
        if let Some(label) = content {
            session.update(|state| {
                state.raise(&label);
            });
        }
        if inspected.labels.contains(INJECTION) {
            session.update(SessionState::note_injection);
        }
        story.inspected(inspected);
    }

    /// Policy once more, over what came back.
    fn clear(
        &self,
        (call, tool): (&Call, &Approved),
        (session, story): (&Session, &mut Story),
        response: Cleared,
    ) -> Result<Cleared, Refusal> {
        let view = self.seen(call, session)?;
        let egress = Phase::Egress {
            response_size_bytes: response.size(),
            labels: &story.labels,
        };
        let facts = self.facts(call, tool, &view, egress)?;
        let judged = guard::judge(&call.rules.policy, self.settings.mode, &facts, response)
            .map_err(Refusal::Egress)?;
        let more = story.judged_egress(&judged);
        match judged.value.spend() {
            // A permit that speaks of the response matches only now; what it takes out goes too.
            Cleared::Result { value, .. } if !more.is_empty() => {
                self.redact(tool, value, &more, story)
            }
            cleared @ (Cleared::Error { .. } | Cleared::Result { .. }) => Ok(cleared),
        }
    }

    fn redact(
        &self,
        tool: &Approved,
        mut value: Value,
        paths: &[JsonPath],
        story: &mut Story,
    ) -> Result<Cleared, Refusal> {
        let inspected = inspect::inspect(&mut value, tool, paths)
            .map_err(|e| Refusal::OutputSchema(e.to_string()))?;
        story.redactions.extend(inspected.redactions);
        Ok(Cleared::Result {
            bytes: Bytes::from(value.to_vec()),
            value,
        })
    }

    /// The one append of an outcome. Without its receipt the caller learns nothing of the result.
    async fn close_story(
        &self,
        outcome: Result<Cleared, Refusal>,
        call: &Call,
        session: &Arc<Session>,
        story: Story,
    ) -> Answered {
        let kind = entry::outcome(call, session, &outcome, &story);
        let durability = if story.changes_nothing() {
            Durability::Process
        } else {
            Durability::Disk
        };
        let request = AppendRequest {
            log: session.log,
            kind,
            durability,
            salts: Some(Box::new(story.salts())),
            mark: Some(session.seen().mark()),
        };
        let appended = self.ledger.append(request).await;
        self.telemetry.call(&outcome, story.latency_us);
        self.log_line(&outcome, session, call, story.call_id());
        if let Some(count) = session.count_run(&call.tool) {
            self.note_run(session, &call.tool, count).await;
        }
        let (outcome, receipt) = match appended {
            Ok(receipt) => (outcome, Some(receipt)),
            Err(error) => (Err(Refusal::from(error)), None),
        };
        let recorded = match &receipt {
            Some(receipt) => {
                self.per_call_record(session, story.call_id(), receipt)
                    .await
            }
            None => Ok(()),
        };
        let outcome = outcome.and_then(|cleared| recorded.map(|()| cleared));
        Answered {
            outcome,
            call_id: story.call_id().to_owned(),
            session_id: Some(session.id.clone()),
            receipt,
            waived: story.waived,
            latency_us: story.latency_us,
        }
    }

    fn enter(&self, call: &Call) -> Result<(Stay, Result<(), Refusal>), Refusal> {
        let label = call.claims.session.as_deref();
        match self.stay(&call.principal, label, None) {
            Ok(stay) => Ok((stay, Ok(()))),
            // Refused, yet not unseen: the principal's own session records it.
            Err(EnterError::Full(full)) => match self.stay(&call.principal, None, None) {
                Ok(stay) => Ok((stay, Err(Refusal::TooManySessions(full)))),
                Err(EnterError::Full(full)) => Err(Refusal::TooManySessions(full)),
                Err(EnterError::Open(refusal)) => Err(refusal),
            },
            Err(EnterError::Open(refusal)) => Err(refusal),
        }
    }
}

/// Names tool and server in the story, as far as they are known now.
fn name(call: &Call, tool: &Approved, story: &mut Story) {
    let server = call.rules.catalog.server_of(tool);
    let server = server.map_or("", |spec| spec.name.as_str());
    story.names(tool, server, call.rules.upstreams.observed(tool));
}

/// Does work over that many bytes; a lot of it without holding up other calls of this thread.
fn off_loop_if_long<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes < LONG {
        work()
    } else {
        tokio::task::block_in_place(work)
    }
}

/// Responses from this size on are looked through away from the event loop.
const LONG: usize = 128 * 1024;
/// How often a call looks again at a server that keeps changing.
const RELISTED: usize = 3;
/// The label of a response that carries the marks of an injection.
const INJECTION: &str = "suspicious";

#[cfg(test)]
mod tests;
