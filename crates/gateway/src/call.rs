//! The life of a call. [`Gateway::answer`] wraps [`Gateway::run`], so that every way out of it, a
//! panic among them, passes the one append.

mod asked;
mod dispatch;
mod entry;
mod guard;
mod incoming;
mod inspected;
mod rounds;
mod scope;
mod story;
mod task;

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cmcp_json::Value;
use cmcp_mcp::upstream::{Ask, Input, Observed};
use cmcp_policy::{
    catalog::{Approved, ServerSpec},
    decide::{Action, Phase},
};
use futures_util::FutureExt;

use crate::{
    ids::CallRandom,
    ledger::{AppendRequest, Durability, Receipt},
    limits::Asker,
    refusal::{Denial, Refusal},
    sessions::{EnterError, Session, Stay},
    settings::StalenessPolicy,
    startup::Gateway,
    upstream::{Checked, Lease},
};
pub(crate) use asked::Unanswered;
pub(crate) use entry::mode;
use guard::Permitted;
pub(crate) use incoming::{BODY_DEADLINE, Call, Meta, Operation};
use rounds::Round;
pub(crate) use rounds::{Reopened, Resumed, Retry};
pub(crate) use story::Story;
pub(crate) use task::{Ended, Finished, NewTask, OpenTask, OpenTasks, is_over, text};

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
    /// What the upstream wants of the client first: a whole `result` member of ours.
    Asked {
        /// The `result` member.
        bytes: Bytes,
    },
    /// The upstream goes on with it in the background.
    Task(Box<NewTask>),
}

/// One call, its item, and what is known of it, between the decision and the answer.
struct Case<'a> {
    call: &'a Call,
    item: &'a Approved,
    session: &'a Arc<Session>,
    story: &'a mut Story,
}

impl Gateway {
    /// Answers one call. The future runs in a task of its own: a caller that hangs up cannot take
    /// the record with it.
    pub(crate) async fn answer(&self, call: &Arc<Call>) -> Answered {
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
            let _place = self.limits.enter(&call.principal.name, QUEUE).await?;
            let tool = (call.wanted.action == Action::CallTool).then_some(&*call.wanted.target);
            let asker = Asker {
                principal: &call.principal.name,
                tool,
                session: &session.made,
            };
            let _permit = self.limits.admit(&asker, started)?;
            self.begun(&session).await?;
            self.catch_up(&session, &call.rules).await?;
            self.run(call, &session, &mut story).await
        };
        let outcome = AssertUnwindSafe(run)
            .catch_unwind()
            .await
            .unwrap_or(Err(Refusal::Fault("a step of the call panicked")));
        story.latency_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        match outcome {
            Ok(Cleared::Task(task)) => self.open_task(call, &session, (story, *task)).await,
            outcome => self.close_story(outcome, call, &session, story).await,
        }
    }

    /// The steps of a call, in the order that is the security property.
    async fn run(
        &self,
        call: &Call,
        session: &Arc<Session>,
        story: &mut Story,
    ) -> Result<Cleared, Refusal> {
        if self.kill_switch.blocks(&call.principal.name) {
            return Err(self.killed(call, session));
        }
        if call.wanted.action == Action::ListResources {
            return self.list_resources(call, session, story).await;
        }
        let item = self.item(call, story)?;
        self.scoped(call)?;
        call.claims.check()?;
        self.fresh_evidence(session, story).await?;
        if matches!(call.wanted.action, Action::CallTool | Action::GetPrompt) {
            item.check_arguments(call.arguments())
                .map_err(|e| Refusal::Arguments(e.to_string()))?;
        }
        let mut case = Case {
            call,
            item,
            session,
            story,
        };
        let permitted = self.permit(&mut case, None)?;
        self.accept_retry(&mut case)?;
        if call.client.is_cancelled() {
            return Err(Refusal::Cancelled { sent: false });
        }
        let lease = self.seat(call, item.server).await?;
        let checked = self.compare(&mut case, &lease).await?;
        self.note_use(session, &call.rules, item).await?;
        if call.wanted.action == Action::Subscribe {
            return Ok(Cleared::empty());
        }
        self.intend(&mut case).await?;
        let reply = self
            .dispatch(&mut case, &lease, (permitted, checked))
            .await?;
        match self.rounds(&mut case, &lease, reply).await? {
            Round::Ended(reply) => {
                if let Some(task) = self.task_of(&mut case, &lease.seat, &reply)? {
                    return Ok(Cleared::Task(Box::new(task)));
                }
                let response = self.inspect(&mut case, reply)?;
                self.clear(&mut case, response)
            }
            Round::Client(cleared) => Ok(cleared),
        }
    }

    /// The approved item of exactly that name, unless this principal may never have it.
    fn item<'a>(&self, call: &'a Call, story: &mut Story) -> Result<&'a Approved, Refusal> {
        let rules = &call.rules;
        let item = rules.item(&call.wanted, self.clock.now());
        let item = item.ok_or(Refusal::UnknownTool)?;
        name(call, item, story, rules.upstreams.observed(item.server));
        // Advisory and silent modes let denied calls pass, so that they hide nothing either.
        if self.settings.mode.refuses() && !rules.visible(&call.principal, item) {
            return Err(Refusal::Hidden);
        }
        Ok(item)
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
    fn permit(&self, case: &mut Case<'_>, input: Option<Input>) -> Result<Permitted<Ask>, Refusal> {
        let Case {
            call,
            item,
            session,
            story,
        } = case;
        call.rules.trusted()?;
        let view = self.seen(call, session)?;
        if let Some(sinks) = &self.settings.sink_policy
            && call.wanted.action == Action::CallTool
        {
            sinks.admits(&self.settings.vocabulary, item, &view.max_sensitivity)?;
            // Known before the call: a response that could not return is not asked for.
            sinks.releases(&self.settings.vocabulary, item)?;
        }
        let facts = self.facts(
            call,
            (Some(item), server_of(call, item)?),
            &view,
            Phase::Ingress,
        );
        let (policy, mode) = (&call.rules.policy, self.settings.mode);
        let judged = guard::judge(policy, mode, &facts, self.ask(call, item, input))
            .map_err(|denial| self.denied(call, &facts, denial))?;
        story.judged(&judged);
        Ok(judged.value)
    }

    /// Whether the principal may know what resources a server has; the list itself is made of what
    /// was approved, and nothing is asked of the server.
    async fn list_resources(
        &self,
        call: &Call,
        session: &Session,
        story: &mut Story,
    ) -> Result<Cleared, Refusal> {
        let servers = call.rules.catalog.servers();
        let server = servers.iter().find(|spec| spec.name == call.wanted.target);
        let server = server.ok_or(Refusal::UnknownTool)?;
        self.fresh_evidence(session, story).await?;
        call.rules.trusted()?;
        let view = self.seen(call, session)?;
        let facts = self.facts(call, (None, server), &view, Phase::Ingress);
        let judged = guard::judge(&call.rules.policy, self.settings.mode, &facts, ())
            .map_err(Refusal::Denied)?;
        story.judged(&judged);
        Ok(Cleared::empty())
    }

    /// The principal's seat at a server, with what its client declared and policy lets be asked.
    async fn seat(&self, call: &Call, server: usize) -> Result<Lease, Refusal> {
        let link = call.rules.upstreams.link(server);
        let link = link.ok_or(Refusal::Fault("the catalog names no such server"))?;
        let capabilities = self.declared(call, server);
        link.seat(&call.principal.name, &capabilities).await
    }

    /// Compares the item with what its server offers now; a difference is told to the log, and so
    /// is, once per session, the listing that the comparison rests on.
    async fn compare(&self, case: &mut Case<'_>, lease: &Lease) -> Result<Checked, Refusal> {
        let Case {
            call,
            item,
            session,
            story,
        } = case;
        let checked = call.rules.check(item, &lease.seat).await;
        let drift = match &checked {
            Err(Refusal::Drift(drift)) => Some(drift.as_ref()),
            Err(_) => None,
            Ok(checked) => checked.tolerated.as_ref(),
        };
        if let Some(drift) = drift {
            self.note_drift(session, drift).await?;
        }
        let checked = checked?;
        if let Some(drift) = &checked.tolerated {
            tracing::warn!(item = %drift.tool, %drift, "a changed definition is let pass by configuration");
            story.note("catalog_drift");
        }
        if !session.declare(checked.listing, checked.offered.generation) {
            return Ok(checked);
        }
        if let Some(kind) = entry::declarations(story, &checked, self.clock.now()) {
            let request = AppendRequest::plain(session.log, kind, Durability::Process);
            if let Err(error) = self.ledger.append(request).await {
                session.undeclare(checked.listing);
                return Err(error.into());
            }
        }
        Ok(checked)
    }

    /// A call that may change something is durable in the log before it is dispatched; while the
    /// log takes no entries, so is any other.
    async fn intend(&self, case: &mut Case<'_>) -> Result<(), Refusal> {
        let read_only = case.item.read_only();
        if case.story.intent.is_some() || (read_only && !self.ledger.is_behind()) {
            return Ok(());
        }
        let kind = entry::intent(case.story);
        let receipt = self
            .ledger
            .append(AppendRequest::plain(
                case.session.log,
                kind,
                Durability::Disk,
            ))
            .await?;
        case.story.intent = Some(receipt.seq);
        Ok(())
    }

    /// Policy once more, over what came back.
    fn clear(&self, case: &mut Case<'_>, response: Cleared) -> Result<Cleared, Refusal> {
        let Case {
            call,
            item,
            session,
            story,
        } = case;
        let view = self.seen(call, session)?;
        let egress = Phase::Egress {
            response_size_bytes: response.size(),
            labels: &story.labels,
        };
        let facts = self.facts(call, (Some(item), server_of(call, item)?), &view, egress);
        let judged = guard::judge(&call.rules.policy, self.settings.mode, &facts, response)
            .map_err(Refusal::Egress)?;
        let more = story.judged_egress(&judged);
        match judged.value.spend() {
            // A permit that speaks of the response matches only now; what it takes out goes too.
            Cleared::Result { value, .. } if !more.is_empty() => self.redact(case, value, &more),
            cleared @ (Cleared::Error { .. }
            | Cleared::Result { .. }
            | Cleared::Asked { .. }
            | Cleared::Task(_)) => Ok(cleared),
        }
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
        if call.wanted.action == Action::CallTool
            && let Some(count) = session.count_run(&call.wanted.target)
        {
            self.note_run(session, &call.wanted.target, count).await;
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

/// Names item and server in the story, as far as they are known now.
fn name(call: &Call, item: &Approved, story: &mut Story, observed: Option<Observed>) {
    let server = call.rules.catalog.server_of(item);
    let server = server.map_or("", |spec| spec.name.as_str());
    story.names(item, server, observed);
}

fn server_of<'a>(call: &'a Call, item: &Approved) -> Result<&'a ServerSpec, Refusal> {
    let server = call.rules.catalog.server_of(item);
    server.ok_or(Refusal::Fault("the catalog names no such server"))
}

/// How long a call waits for a place among those in flight.
const QUEUE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
