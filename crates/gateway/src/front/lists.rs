//! Lists: what was approved, as far as this principal may ever have it. No server is asked.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use cmcp_json::{Object, Value};
use cmcp_mcp::{
    error::Code,
    method::Method,
    server::{Identity, Rejection, Request},
    version::Version,
};
use cmcp_policy::{
    catalog::{Approved, ItemKind},
    decide::Action,
    engine::Principal,
};

use crate::{
    call::{Call, Meta, Operation},
    cursor::{Listed, PageError},
    reply::Dialect,
    rules::Rules,
    startup::Gateway,
};

impl Gateway {
    /// The result of a list method.
    pub(super) async fn list(
        &self,
        principal: &Arc<Principal>,
        request: &Request,
    ) -> Result<Bytes, Rejection> {
        let rules = self.rules();
        let mut lists = LISTS.into_iter();
        let listed = lists.find(|(method, ..)| *method == request.method);
        let Some((_, kind, member)) = listed else {
            return Err(request.reject(Code::MethodNotFound, "Method not found", None));
        };
        let allowed = match kind {
            ItemKind::Resource | ItemKind::ResourceTemplate => {
                Some(self.listable(principal, (request, &rules), kind).await?)
            }
            ItemKind::Tool | ItemKind::Prompt => None,
        };
        let dialect = Dialect::from(&request.dialect);
        let (mode, now) = (self.settings.mode, self.clock.now());
        let items: Vec<&[u8]> = rules
            .listings((kind, dialect), principal, mode, now)
            .filter(|(item, _)| allowed.as_ref().is_none_or(|a| a.contains(&item.server)))
            .map(|(_, listing)| listing)
            .collect();
        let cursor = match request.params.get("cursor") {
            None => None,
            Some(Value::String(cursor)) => Some(cursor.as_str()),
            Some(_) => return Err(no_cursor(request)),
        };
        let listed = Listed {
            principal: &principal.name,
            method: request.method.as_str(),
            generation: rules.generation,
        };
        let page = self.cursors.page(&listed, (&items, PAGE), cursor);
        let (page, next) = page.map_err(|error| match error {
            PageError::Cursor(_) => no_cursor(request),
            PageError::Seal(_) => request.reject(Code::Internal, "Internal error", None),
        })?;
        Ok(written(member, page, next.as_deref(), dialect))
    }

    /// The tools, as `GET /tools/list` shows them.
    pub(crate) fn tools(&self, principal: &Principal) -> Bytes {
        let rules = self.rules();
        let (mode, now) = (self.settings.mode, self.clock.now());
        let items: Vec<&[u8]> = rules
            .listings((ItemKind::Tool, Dialect::Compat), principal, mode, now)
            .map(|(_, listing)| listing)
            .collect();
        written("tools", &items, None, Dialect::Compat)
    }

    /// The servers whose resources this principal may list; each decision is in the log.
    async fn listable(
        &self,
        principal: &Arc<Principal>,
        (request, rules): (&Request, &Arc<Rules>),
        kind: ItemKind,
    ) -> Result<BTreeSet<usize>, Rejection> {
        let servers: BTreeSet<usize> = rules.catalog.items(kind).map(|i| i.server).collect();
        let mut allowed = BTreeSet::new();
        for server in servers {
            let Some(spec) = rules.catalog.servers().get(server) else {
                continue;
            };
            let wanted = Operation::other(
                (Action::ListResources, request.method),
                (kind, spec.name.clone()),
                Object::new(),
                Vec::new(),
            );
            let meta = Meta {
                members: request
                    .params
                    .get("_meta")
                    .and_then(Value::as_object)
                    .cloned()
                    .unwrap_or_default(),
                ..Meta::default()
            };
            let call = Arc::new(Call::new(
                Arc::clone(principal),
                Arc::clone(rules),
                super::client(request, None),
                (wanted, meta),
            ));
            if self.answer(&call).await.outcome.is_ok() {
                allowed.insert(server);
            }
        }
        Ok(allowed)
    }

    /// What a client may count on here: what the catalog has, and what every gateway does.
    pub(crate) fn capabilities(&self, version: Version) -> Value {
        let rules = self.rules();
        let has = |kind| rules.catalog.items(kind).next().is_some();
        let resources = has(ItemKind::Resource) || has(ItemKind::ResourceTemplate);
        let prompts = has(ItemKind::Prompt);
        let changes = || Object::from([("listChanged", true)]);
        let mut all = Object::from([("tools", changes())]);
        if resources {
            all.insert(
                "resources",
                Object::from([("subscribe", true), ("listChanged", true)]),
            );
        }
        if prompts {
            all.insert("prompts", changes());
        }
        if prompts || has(ItemKind::ResourceTemplate) {
            all.insert("completions", Object::new());
        }
        all.insert("logging", Object::new());
        if version.is_modern() {
            all.insert("extensions", Object::from([(TASKS, Object::new())]));
        } else if version == Version::V2025_11_25 && rules.catalog.tools().iter().any(runs_as_task)
        {
            let calls = Object::from([("tools", Object::from([("call", Object::new())]))]);
            all.insert(
                "tasks",
                Object::from([
                    ("list", Object::new()),
                    ("cancel", Object::new()),
                    ("requests", calls),
                ]),
            );
        }
        all.into()
    }

    /// Who this is, in the handshakes of both eras.
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            name: "cmcp-runtime".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instructions: None,
        }
    }
}

/// Whether a tool of a legacy server may or must be called as a task.
fn runs_as_task(tool: &Approved) -> bool {
    let execution = tool.definition.get("execution");
    let support = execution
        .and_then(|e| e.get("taskSupport"))
        .and_then(Value::as_str);
    matches!(support, Some("optional" | "required"))
}

fn no_cursor(request: &Request) -> Rejection {
    let message = "Invalid params: the cursor is not one of this list; list from the start";
    request.reject(Code::InvalidParams, message, None)
}

fn written(member: &str, items: &[&[u8]], next: Option<&str>, dialect: Dialect) -> Bytes {
    let length: usize = items.iter().map(|item| item.len().saturating_add(1)).sum();
    let mut out = Vec::with_capacity(length.saturating_add(128));
    out.extend_from_slice(b"{\"");
    out.extend_from_slice(member.as_bytes());
    out.extend_from_slice(b"\":[");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(item);
    }
    out.push(b']');
    if let Some(next) = next {
        out.extend_from_slice(b",\"nextCursor\":");
        out.extend(Value::from(next).to_vec());
    }
    if dialect == Dialect::Modern {
        out.extend_from_slice(HINTS);
    }
    out.push(b'}');
    out.into()
}

/// A modern list: complete, not to be cached, and this principal's own.
const HINTS: &[u8] = br#","resultType":"complete","ttlMs":0,"cacheScope":"private""#;
/// What each method lists, and the member of its result.
const LISTS: [(Method, ItemKind, &str); 4] = [
    (Method::ToolsList, ItemKind::Tool, "tools"),
    (Method::PromptsList, ItemKind::Prompt, "prompts"),
    (Method::ResourcesList, ItemKind::Resource, "resources"),
    (
        Method::ResourcesTemplatesList,
        ItemKind::ResourceTemplate,
        "resourceTemplates",
    ),
];
/// Items of one page.
const PAGE: usize = 1_000;
const TASKS: &str = "io.modelcontextprotocol/tasks";
