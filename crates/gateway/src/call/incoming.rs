//! A `tools/call` as it arrived, taken apart once.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use cmcp_json::{Object, Value};
use cmcp_mcp::{
    jsonrpc::Id,
    server::{
        call::CallParams,
        http::{Dialect, Request},
    },
    upstream::ToolCall,
};
use cmcp_policy::{
    catalog::Approved,
    decide::{Facts, Phase},
    engine::Principal,
    session::SessionView,
};

use crate::{refusal::Refusal, rules::Rules, sessions::Session, startup::Gateway};

/// One call under governance.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) principal: Arc<Principal>,
    /// What decides about it, from its start to its end.
    pub(crate) rules: Arc<Rules>,
    pub(crate) rpc_id: Id,
    /// The protocol revision spoken downstream, or the dialect's name.
    pub(crate) protocol: &'static str,
    pub(crate) tool: String,
    arguments: Value,
    arguments_bytes: Option<Bytes>,
    meta: Option<Bytes>,
    pub(crate) claims: Claims,
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

impl Call {
    pub(crate) fn new(
        principal: Arc<Principal>,
        rules: Arc<Rules>,
        request: &Request,
        params: CallParams,
    ) -> Self {
        let CallParams {
            name,
            arguments,
            arguments_bytes,
            meta,
            meta_bytes,
            claims,
        } = params;
        Self {
            principal,
            rules,
            rpc_id: request.id.clone(),
            protocol: protocol(&request.dialect),
            tool: name,
            arguments: Value::Object(arguments),
            arguments_bytes,
            claims: Claims::read(&claims, &meta),
            meta: forwarded_meta(&meta, meta_bytes),
        }
    }

    /// The arguments, an object.
    pub(crate) fn arguments(&self) -> &Value {
        &self.arguments
    }

    /// The arguments' bytes as received, which are the bytes that are sent.
    pub(crate) fn arguments_bytes(&self) -> &[u8] {
        self.arguments_bytes.as_deref().unwrap_or(b"{}")
    }

    /// What of the call reaches the upstream: the arguments, and behind a zero byte the `_meta`
    /// that goes with them, where there is one.
    pub(crate) fn sent(&self) -> Cow<'_, [u8]> {
        let arguments = self.arguments_bytes();
        match &self.meta {
            None => Cow::Borrowed(arguments),
            Some(meta) => Cow::Owned([arguments, b"\0", meta].concat()),
        }
    }

    /// The workflow policy sees; always one.
    pub(crate) fn workflow_id(&self) -> &str {
        self.claims.workflow_id.as_deref().unwrap_or("default")
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
    /// What goes upstream: the bytes that came, under the upstream's own name for the tool.
    pub(super) fn tool_call(&self, call: &Call, tool: &Approved) -> ToolCall {
        ToolCall {
            name: tool.upstream_name.clone(),
            arguments: call.arguments_bytes.clone(),
            meta: call.meta.clone(),
            deadline: self.settings.upstream_timeout,
            max_bytes: self.settings.max_response_bytes,
            listed: None,
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
        tool: &'a Approved,
        session: &'a SessionView,
        phase: Phase<'a>,
    ) -> Result<Facts<'a>, Refusal> {
        let server = call
            .rules
            .catalog
            .server_of(tool)
            .ok_or(Refusal::Fault("the catalog names no such server"))?;
        Ok(Facts {
            phase,
            principal: &call.principal,
            tool,
            server,
            arguments: call.arguments(),
            session,
            workflow_id: call.workflow_id(),
            attestation_platform: self.evidence.platform_name(),
        })
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
    let rest: Object = meta
        .iter()
        .filter(|(key, _)| !own(key))
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .collect();
    (!rest.is_empty()).then(|| Bytes::from(Value::Object(rest).to_vec()))
}

fn protocol(dialect: &Dialect) -> &'static str {
    match dialect {
        Dialect::Compat => "0.7.1",
        Dialect::Legacy { version, .. } | Dialect::Modern { version } => version.as_str(),
    }
}

/// Longer names for a session are ignored, as absent ones are.
const MAX_LABEL: usize = 256;

/// How long a caller may take to send its body.
pub(crate) const BODY_DEADLINE: Duration = Duration::from_secs(30);
