//! From a permitted request to its answer, and what is said in between.

use bytes::Bytes;
use cmcp_json::{Limits, Object, Value, parse};
use cmcp_mcp::{
    upstream::{Ask, Event, LogLevel, Reply, UpstreamError},
    version::Version,
};
use cmcp_policy::inspect;
use cmcp_record::audit::{EraDowngrade, Kind, Text};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;

use super::{Case, asked::Exchange, guard::Permitted, name, story::Reached};
use crate::{
    refusal::Refusal,
    startup::Gateway,
    upstream::{Checked, Lease},
};

impl Gateway {
    /// Sends a permitted request. A server that may offer something else by now is compared first.
    pub(super) async fn dispatch(
        &self,
        case: &mut Case<'_>,
        lease: &Lease,
        (permitted, checked): (Permitted<Ask>, Checked),
    ) -> Result<Reply, Refusal> {
        let permitted = permitted.spend();
        let mut offered = checked.offered;
        // An operator may have stopped the agent while its call waited.
        if self.kill_switch.blocks(&case.call.principal.name) {
            return Err(self.killed(case.call, case.session));
        }
        for _ in 0..RELISTED {
            let ask = Ask {
                listed: Some(offered.generation),
                ..permitted.clone()
            };
            case.story.reached = Reached::Server;
            let reply = self.converse(case, lease, ask).await;
            // A process that was started for this call has been measured only now.
            self.observe(case, lease).await?;
            match reply {
                // Nothing was sent: the server may offer something else since it was compared.
                Err(Refusal::Upstream(UpstreamError::Stale)) => {
                    case.story.reached = Reached::Nothing;
                    offered = self.compare(case, lease).await?.offered;
                }
                reply => return reply,
            }
        }
        Err(Refusal::Upstream(UpstreamError::Stale))
    }

    /// What is known of the server now; that it went back to an older era is told to the log.
    async fn observe(&self, case: &mut Case<'_>, lease: &Lease) -> Result<(), Refusal> {
        let observed = lease.seat.server.observed();
        let went_back = lease.seat.went_back(&observed);
        let version = observed.version;
        name(case.call, case.item, case.story, Some(observed));
        if let (true, Some(version), Some(server)) =
            (went_back, version, case.story.known.server.clone())
        {
            let entry = EraDowngrade {
                from: Text::new(Version::V2026_07_28.as_str()),
                server,
                to: Text::new(version.as_str()),
            };
            self.note(case.session, Kind::EraDowngrade(entry)).await?;
        }
        Ok(())
    }

    /// One request, and everything that its server says until it has answered.
    async fn converse(
        &self,
        case: &mut Case<'_>,
        lease: &Lease,
        mut ask: Ask,
    ) -> Result<Reply, Refusal> {
        let (call, session, item) = (case.call, case.session, case.item);
        let (said, mut events) = mpsc::channel(EVENTS);
        ask.events = Some(said);
        let cancelled = call.client.cancelled();
        let aborted = session.aborted();
        let mut asking = lease.seat.server.ask(ask);
        tokio::pin!(cancelled, aborted);
        let mut answering = FuturesUnordered::new();
        let reply = loop {
            tokio::select! {
                biased;
                () = &mut cancelled => break Err(Refusal::Cancelled { sent: true }),
                () = &mut aborted => break Err(Refusal::Cancelled { sent: true }),
                Some(event) = events.recv() => match event {
                    Event::Request(request) => {
                        let exchange = Exchange { call, session, item, parent: case.story.call_id().to_owned() };
                        answering.push(self.answer_server(exchange, request));
                    }
                    event @ (Event::Progress(_)
                    | Event::Message(_)
                    | Event::ElicitationComplete(_)
                    | Event::TaskStatus(_)) => self.relay(case, &event),
                },
                Some(heard) = answering.next(), if !answering.is_empty() => {
                    for inspected in heard.0 {
                        case.story.inspected(inspected);
                    }
                }
                reply = &mut asking => break reply.map_err(Refusal::of_upstream),
            }
        };
        // Questions that nobody needs an answer to any more end now, each with its entry.
        drop(asking);
        while let Some(heard) = answering.next().await {
            for inspected in heard.0 {
                case.story.inspected(inspected);
            }
        }
        // What was said before the answer is heard before it.
        while let Ok(event) = events.try_recv() {
            self.relay(case, &event);
        }
        reply
    }

    /// Passes on what a server says about a request, looked through as its answer is.
    fn relay(&self, case: &mut Case<'_>, event: &Event) {
        let client = &case.call.client;
        match event {
            Event::Progress(params) => {
                if let Some(members) = self.overhear(case, params) {
                    client.progress(params, &members);
                }
            }
            Event::Message(params) => {
                let Some(members) = self.overhear(case, params) else {
                    return;
                };
                let level = members.get("level").and_then(Value::as_str);
                let level = level.and_then(LogLevel::parse);
                if level.is_some_and(|level| client.hears(level)) {
                    client.notify("notifications/message", params);
                }
            }
            Event::ElicitationComplete(params) => {
                if client.version == Version::V2025_11_25 && self.overhear(case, params).is_some() {
                    client.notify("notifications/elicitation/complete", params);
                }
            }
            // A task has an id of ours for the client, and tells of itself when it is asked.
            Event::TaskStatus(_) | Event::Request(_) => {}
        }
    }

    /// Reads what a server said; its marks become the call's. What cannot be read is passed over.
    fn overhear(&self, case: &mut Case<'_>, params: &Bytes) -> Option<Object> {
        let Ok(value @ Value::Object(_)) = parse(params, &Limits::RESPONSE) else {
            return None;
        };
        let inspected = inspect::inspect_notice(&value).ok()?;
        self.note_inspected(inspected, case.session, case.story);
        match value {
            Value::Object(members) => Some(members),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => None,
        }
    }
}

/// How often a call looks again at a server that keeps changing.
const RELISTED: usize = 3;
/// What a server may say before the call has looked at it; then the server waits.
const EVENTS: usize = 32;
