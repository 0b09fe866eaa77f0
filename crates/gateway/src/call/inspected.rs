//! What came back, looked through before anybody sees it. Structure denies, content labels.

use bytes::Bytes;
use cmcp_json::{Limits, Value};
use cmcp_mcp::upstream::Reply;
use cmcp_policy::{
    catalog::ItemKind,
    decide::Action,
    inspect::{self, InspectError, Inspected, StructureError},
    path::JsonPath,
    session::SessionState,
};

use super::{Case, Cleared, Story};
use crate::{refusal::Refusal, sessions::Session, startup::Gateway};

impl Gateway {
    /// Inspects the answer; what was seen raises the session even when it is blocked.
    pub(super) fn inspect(&self, case: &mut Case<'_>, reply: Reply) -> Result<Cleared, Refusal> {
        case.story.respond(&reply);
        let item = case.item;
        case.session.update(|state| {
            state.raise(&item.sensitivity);
            if item.kind == ItemKind::Tool {
                state.note_call(item);
            }
        });
        match reply {
            Reply::Error { message, bytes, .. } => {
                let error = cmcp_json::parse(&bytes, &Limits::RESPONSE).unwrap_or(Value::Null);
                let inspected = inspect::inspect_error(&message, error.get("data"));
                self.note_inspected(inspected, case.session, case.story);
                Ok(Cleared::Error { bytes })
            }
            Reply::Result { bytes, mut value } => {
                let extra = [
                    case.story.redact.as_slice(),
                    self.settings.redact.as_slice(),
                ]
                .concat();
                let inspected =
                    off_loop_if_long(bytes.len(), || looked_through(case, &mut value, &extra))?;
                let untouched = inspected.redactions.is_empty();
                self.note_inspected(inspected, case.session, case.story);
                let bytes = if untouched {
                    bytes
                } else {
                    Bytes::from(value.to_vec())
                };
                Ok(Cleared::Result { bytes, value })
            }
        }
    }

    pub(super) fn redact(
        &self,
        case: &mut Case<'_>,
        mut value: Value,
        paths: &[JsonPath],
    ) -> Result<Cleared, Refusal> {
        let inspected = looked_through(case, &mut value, paths)?;
        case.story.redactions.extend(inspected.redactions);
        Ok(Cleared::Result {
            bytes: Bytes::from(value.to_vec()),
            value,
        })
    }

    /// What the content shows may raise the session, never lower it.
    pub(super) fn note_inspected(
        &self,
        inspected: Inspected,
        session: &Session,
        story: &mut Story,
    ) {
        self.raise(&inspected, session);
        story.inspected(inspected);
    }

    /// The same for what belongs to no story of its own.
    pub(super) fn raise(&self, inspected: &Inspected, session: &Session) {
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
    }

    /// The same for what belongs to no call: all sessions of the principal have seen it.
    pub(crate) fn raise_principal(&self, inspected: &Inspected, principal: &str) {
        let seen = self.sessions.seen(principal);
        let content = inspected
            .sensitivity
            .and_then(|name| self.settings.vocabulary.sensitivity(name));
        if let Some(label) = content {
            seen.update(|state| {
                state.raise(&label);
            });
        }
        if inspected.labels.contains(INJECTION) {
            seen.update(SessionState::note_injection);
        }
    }
}

fn looked_through(
    case: &Case<'_>,
    value: &mut Value,
    extra: &[JsonPath],
) -> Result<Inspected, Refusal> {
    let shape = |error: StructureError| Refusal::OutputSchema(error.to_string());
    match case.call.wanted.action {
        Action::ReadResource => inspect::inspect_resource(value, case.item, extra).map_err(shape),
        Action::GetPrompt => inspect::inspect_prompt(value, case.item, extra).map_err(shape),
        Action::Complete => inspect::inspect_completion(value).map_err(shape),
        Action::CallTool
        | Action::ListResources
        | Action::Subscribe
        | Action::Sample
        | Action::Elicit
        | Action::ListRoots => inspect::inspect(value, case.item, extra)
            .map_err(|error: InspectError| Refusal::OutputSchema(error.to_string())),
    }
}

impl Cleared {
    /// The result that says no more than that all is well.
    pub(super) fn empty() -> Self {
        Self::Result {
            bytes: Bytes::from_static(b"{}"),
            value: Value::Object(cmcp_json::Object::new()),
        }
    }
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
/// The label of a response that carries the marks of an injection.
const INJECTION: &str = "suspicious";
