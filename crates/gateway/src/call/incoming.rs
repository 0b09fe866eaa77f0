//! What is asked for, as it arrived, taken apart once.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use cmcp_evidence::Sha256Digest;
use cmcp_json::{Object, Value};
use cmcp_mcp::{
    method::Method,
    server::call::CallParams,
    upstream::{Ask, Input},
};
use cmcp_policy::{
    catalog::{Approved, ItemKind, ServerSpec},
    decide::{Action, Facts, Phase},
    engine::Principal,
    session::SessionView,
};

use super::Retry;
use crate::{
    client::Client, refusal::Refusal, rules::Rules, sealed::Bound, sessions::Session, splice,
    startup::Gateway,
};

/// One request under governance.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) principal: Arc<Principal>,
    /// What decides about it, from its start to its end.
    pub(crate) rules: Arc<Rules>,
    pub(crate) client: Client,
    pub(crate) wanted: Operation,
    meta: Option<Bytes>,
    pub(crate) claims: Claims,
    /// What the client answers to what an earlier attempt asked it.
    pub(crate) retry: Option<Retry>,
    /// The attempt that this one repeats.
    pub(crate) retry_of: Option<String>,
    /// The `task` member of 2025-11-25, as received.
    pub(crate) task: Option<Bytes>,
}

/// What is wanted.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) action: Action,
    pub(crate) method: Method,
    /// What the target is.
    pub(crate) kind: ItemKind,
    /// The exposed name of the tool or prompt, or the URI; of a completion what it refers to.
    pub(crate) target: String,
    /// What policy sees and the approved schema is held against, an object.
    arguments: Value,
    /// What the log commits to.
    bytes: Option<Bytes>,
    /// Further parameters for the server, as received.
    params: Vec<(&'static str, Bytes)>,
}

/// What a caller says of itself: never more than a hint, and never lowers anything.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    pub(crate) workflow_id: Option<String>,
    pub(crate) data_class: Option<String>,
    /// The caller's own name for the session.
    pub(crate) session: Option<String>,
    execution_id: Option<Value>,
}

impl Operation {
    /// A tool's call.
    pub(crate) fn tool(params: CallParams) -> (Self, Meta) {
        let CallParams {
            name,
            arguments,
            arguments_bytes,
            meta,
            meta_bytes,
            claims,
        } = params;
        let sent = arguments_bytes.clone().map(|bytes| ("arguments", bytes));
        let wanted = Self {
            action: Action::CallTool,
            method: Method::ToolsCall,
            kind: ItemKind::Tool,
            target: name,
            arguments: Value::Object(arguments),
            bytes: arguments_bytes,
            params: sent.into_iter().collect(),
        };
        let meta = Meta {
            claims,
            members: meta,
            bytes: meta_bytes,
        };
        (wanted, meta)
    }

    /// What policy sees and the approved schema is held against, an object.
    pub(crate) fn arguments(&self) -> &Value {
        &self.arguments
    }

    /// What tells it from every other request of its principal.
    pub(crate) fn digest(&self) -> Sha256Digest {
        Bound::digest(&self.target, self.bytes.as_deref().unwrap_or(b"{}"))
    }

    /// Anything else that is asked of an item or of a server.
    pub(crate) fn other(
        (action, method): (Action, Method),
        (kind, target): (ItemKind, String),
        arguments: Object,
        params: Vec<(&'static str, Bytes)>,
    ) -> Self {
        let bytes = params.last().map(|(_, bytes)| bytes.clone());
        Self {
            action,
            method,
            kind,
            target,
            arguments: Value::Object(arguments),
            bytes,
            params,
        }
    }
}

/// The `_meta` of a request, and the older dialect's place for the same.
#[derive(Debug, Default)]
pub(crate) struct Meta {
    pub(crate) claims: Object,
    pub(crate) members: Object,
    pub(crate) bytes: Option<Bytes>,
}

impl Call {
    pub(crate) fn new(
        principal: Arc<Principal>,
        rules: Arc<Rules>,
        client: Client,
        (wanted, meta): (Operation, Meta),
    ) -> Self {
        Self {
            principal,
            rules,
            client,
            wanted,
            claims: Claims::read(&meta.claims, &meta.members),
            meta: forwarded_meta(&meta.members, meta.bytes),
            retry: None,
            retry_of: None,
            task: None,
        }
    }

    /// The protocol revision spoken downstream, or the dialect's name.
    pub(crate) fn protocol(&self) -> &'static str {
        self.client.dialect.protocol(self.client.version)
    }

    /// The arguments, an object.
    pub(crate) fn arguments(&self) -> &Value {
        &self.wanted.arguments
    }

    /// What of the request reaches the upstream: the arguments (or the other parameters), and
    /// behind a zero byte each, where there is one, the `_meta` that goes with them and the answers
    /// to what the upstream asked.
    pub(crate) fn sent(&self) -> Cow<'_, [u8]> {
        let arguments = self.wanted.bytes.as_deref().unwrap_or(b"{}");
        let answers = self.input().map(|input| &input.responses);
        if self.meta.is_none() && answers.is_none() {
            return Cow::Borrowed(arguments);
        }
        let mut sent = arguments.to_vec();
        for part in self.meta.iter().chain(answers) {
            sent.push(0);
            sent.extend_from_slice(part);
        }
        Cow::Owned(sent)
    }

    fn input(&self) -> Option<&Input> {
        self.retry.as_ref().and_then(|retry| retry.input.as_ref())
    }

    /// The workflow policy sees; always one.
    pub(crate) fn workflow_id(&self) -> &str {
        self.claims.workflow_id.as_deref().unwrap_or("default")
    }

    /// The request in the words of its server.
    fn params(&self, item: &Approved) -> Vec<(&'static str, Bytes)> {
        let text = |text: &str| Bytes::from(Value::from(text).to_vec());
        let name = || ("name", text(&item.upstream_name));
        let rest = self.wanted.params.iter().cloned();
        match self.wanted.action {
            Action::CallTool | Action::GetPrompt => std::iter::once(name()).chain(rest).collect(),
            Action::Complete => rest
                .map(|(member, bytes)| match member {
                    "ref" => (member, named(&bytes, &item.upstream_name)),
                    _ => (member, bytes),
                })
                .collect(),
            Action::ReadResource
            | Action::ListResources
            | Action::Subscribe
            | Action::Sample
            | Action::Elicit
            | Action::ListRoots => rest.collect(),
        }
    }
}

/// A reference under the server's own name; one to a resource has none.
fn named(reference: &Bytes, name: &str) -> Bytes {
    match splice::object(reference) {
        Some(members) if members.contains_key("name") => {
            splice::set(reference, &members, "name", &Value::from(name).to_vec())
        }
        Some(_) | None => reference.clone(),
    }
}

impl Claims {
    fn read(old: &Object, meta: &Object) -> Self {
        // `_meta` is the newer place and wins over the older one.
        let text = |newer: &str, older: &str| {
            let value = meta.get(newer).or_else(|| old.get(older));
            value.and_then(Value::as_str).map(ToOwned::to_owned)
        };
        Self {
            workflow_id: text("cmcp.dev/workflow", "workflow_id"),
            data_class: text("cmcp.dev/data-class", "data_class"),
            session: text("cmcp.dev/session", "session_id")
                .filter(|label| !label.is_empty() && label.len() <= MAX_LABEL),
            execution_id: old.get("execution_id").cloned(),
        }
    }

    /// Refuses claims that no caller may make.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if self.execution_id.is_some() {
            Err(Refusal::ExecutionId)
        } else {
            Ok(())
        }
    }
}

impl Gateway {
    /// What goes upstream: the bytes that came, under the upstream's own name for the item.
    pub(super) fn ask(&self, call: &Call, item: &Approved, input: Option<Input>) -> Ask {
        Ask {
            meta: call.meta.clone(),
            progress: call.client.wants_progress(),
            log_level: call.client.level,
            input: input.or_else(|| call.input().cloned()),
            task: call.task.clone(),
            ..Ask::new(
                call.wanted.method,
                call.params(item),
                self.settings.upstream_timeout,
                self.settings.max_response_bytes,
            )
        }
    }

    /// What policy may see of the session: its mark, raised by what the caller declares.
    pub(super) fn seen(&self, call: &Call, session: &Session) -> Result<SessionView, Refusal> {
        let mut view = session.view();
        if let Some(name) = &call.claims.data_class {
            let declared = self.settings.vocabulary.sensitivity(name).ok_or_else(|| {
                Refusal::Arguments("`_cmcp.data_class` names no known sensitivity label".to_owned())
            })?;
            Arc::make_mut(&mut view.sensitivities).insert(declared.name().to_owned());
            view.max_sensitivity = view.max_sensitivity.join(&declared);
        }
        Ok(view)
    }

    pub(super) fn facts<'a>(
        &'a self,
        call: &'a Call,
        (item, server): (Option<&'a Approved>, &'a ServerSpec),
        session: &'a SessionView,
        phase: Phase<'a>,
    ) -> Facts<'a> {
        Facts {
            phase,
            action: call.wanted.action,
            principal: &call.principal,
            item,
            target: &call.wanted.target,
            asked_by: "",
            elicit_mode: "",
            server,
            arguments: call.arguments(),
            session,
            workflow_id: call.workflow_id(),
            attestation_platform: self.evidence.platform_name(),
        }
    }
}

/// The caller's `_meta`, less what is ours or belongs to one connection only.
fn forwarded_meta(meta: &Object, bytes: Option<Bytes>) -> Option<Bytes> {
    let own = |key: &str| {
        key == "progressToken"
            || key.starts_with("cmcp.dev/")
            || key.starts_with("io.modelcontextprotocol/")
    };
    if meta.keys().all(|key| !own(key)) {
        return bytes;
    }
    // The members' places are those in the whole message, so it is read again by itself.
    let bytes = bytes?;
    let members = splice::object(&bytes)?;
    let out: Vec<&str> = members.keys().filter(|key| own(key)).collect();
    let rest = splice::without(&bytes, &members, &out);
    (out.len() < members.len()).then_some(rest)
}

/// Longer names for a session are ignored, as absent ones are.
const MAX_LABEL: usize = 256;

/// How long a caller may take to send its body.
pub(crate) const BODY_DEADLINE: Duration = Duration::from_secs(30);
