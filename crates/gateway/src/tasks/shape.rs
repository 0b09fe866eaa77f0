//! Tasks as the two revisions describe them, one made of the other. Values of members stay as they
//! were received; only what the revisions name differently is named anew.
//!
//! 2025-11-25 has the task in a member of its own when it is made, `ttl` and `pollInterval`; its
//! result is fetched apart. 2026-07-28 has it flat, `ttlMs` and `pollIntervalMs`, and what it ended
//! with beside it.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use cmcp_json::{Object, Value};
use cmcp_mcp::jsonrpc;

use crate::splice;

/// How a revision speaks of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// 2026-07-28.
    Flat,
    /// 2025-11-25.
    Nested,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Cancelled,
    Completed,
    Failed,
    InputRequired,
    Working,
}

impl Status {
    /// Every status.
    pub(crate) const ALL: [Self; 5] = [
        Self::Cancelled,
        Self::Completed,
        Self::Failed,
        Self::InputRequired,
        Self::Working,
    ];

    /// The word on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::InputRequired => "input_required",
            Self::Working => "working",
        }
    }

    /// Reads the word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// Whether nothing follows it.
    pub(crate) fn is_final(self) -> bool {
        match self {
            Self::Cancelled | Self::Completed | Self::Failed => true,
            Self::InputRequired | Self::Working => false,
        }
    }
}

/// What stands beside a task of the flat form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attached<'a> {
    /// It failed: a JSON-RPC error.
    Error(&'a [u8]),
    /// It waits: `inputRequests`.
    InputRequests(&'a [u8]),
    /// It is completed: its result.
    Result(&'a [u8]),
}

impl<'a> Attached<'a> {
    fn member(self) -> (&'static str, &'a [u8]) {
        match self {
            Self::Error(raw) => ("error", raw),
            Self::InputRequests(raw) => ("inputRequests", raw),
            Self::Result(raw) => ("result", raw),
        }
    }
}

/// The server's own id of a task that was made, or that is described.
pub(crate) fn server_id(value: &Value, form: Form) -> Option<&str> {
    task_of(value, form).get("taskId").and_then(Value::as_str)
}

/// How long a server keeps a task: `None` where it says nothing that can be read, `Some(None)`
/// where it sets no end.
pub(crate) fn ttl(value: &Value, form: Form) -> Option<Option<Duration>> {
    match task_of(value, form).get(form.ttl())? {
        Value::Null => Some(None),
        Value::Number(millis) => millis.as_u64().map(|ms| Some(Duration::from_millis(ms))),
        Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// How far a task is that was made, or that is described.
pub(crate) fn status(value: &Value, form: Form) -> Option<Status> {
    let word = task_of(value, form).get("status").and_then(Value::as_str);
    Status::parse(word?)
}

/// What stands beside a described task of the flat form, as received.
pub(crate) fn beside(raw: &Bytes, status: Status) -> Option<Bytes> {
    let name = match status {
        Status::Completed => "result",
        Status::Failed => "error",
        Status::InputRequired => "inputRequests",
        Status::Cancelled | Status::Working => return None,
    };
    splice::member(raw, &splice::object(raw)?, name)
}

/// The result that tells of a task that was made, from one form into the other, under our id.
/// `None` where `raw` tells of none.
pub(crate) fn created(raw: &Bytes, (from, to): (Form, Form), id: &str) -> Option<Bytes> {
    let root = splice::object(raw)?;
    let id = Value::from(id).to_vec();
    let task = match from {
        Form::Flat => &root,
        Form::Nested => root.get("task")?.as_object()?,
    };
    let place = task.span("taskId")?;
    if from == to {
        let made = splice::replace(raw, &[(place, &id)]);
        return Some(splice::without(&made, &splice::object(&made)?, &RESULT));
    }
    let (task, mut around) = split(raw, task);
    if from == Form::Nested {
        // What else the task holds stays with it.
        around.extend(members(raw, &root).filter(|member| member.name != "task"));
    }
    around.retain(|member| member.name != "resultType" && !RESULT.contains(&member.name));
    let task = renamed(task, (from, to), &id);
    Some(match to {
        Form::Flat => {
            let kind = Member::new("resultType", br#""task""#);
            write([kind].into_iter().chain(task).chain(around))
        }
        Form::Nested => {
            let task = write(task.into_iter());
            let task = Member::new("task", &task);
            write([task].into_iter().chain(around))
        }
    })
}

/// A described task, from one form into the other, under our id: the result of `tasks/get` and of
/// the legacy `tasks/cancel`, an element of `tasks/list`, the parameters of a notification. In the
/// flat form `beside` stands beside it; in the nested one nothing does.
pub(crate) fn described(
    raw: &Bytes,
    (from, to): (Form, Form),
    id: &str,
    beside: Option<Attached<'_>>,
) -> Option<Bytes> {
    let root = splice::object(raw)?;
    let id = Value::from(id).to_vec();
    let beside = beside.filter(|_| to == Form::Flat).map(Attached::member);
    // What tells of a nested task that was made describes it too.
    let task = match (from, root.get("task")) {
        (Form::Nested, Some(Value::Object(task))) => task,
        (Form::Flat | Form::Nested, _) => &root,
    };
    task.span("taskId")?;
    if from == to && std::ptr::eq(task, &root) {
        let mut raw = splice::set(raw, &root, "taskId", &id);
        if to == Form::Flat {
            // What the server put there was not looked through.
            let given = beside.map(|(name, _)| name);
            let others: Vec<&str> = BESIDE.into_iter().filter(|n| given != Some(*n)).collect();
            raw = splice::without(&raw, &splice::object(&raw)?, &others);
        }
        if let Some((name, value)) = beside {
            raw = splice::set(&raw, &splice::object(&raw)?, name, value);
        }
        return Some(raw);
    }
    let (task, mut around) = split(raw, task);
    around.retain(|member| !ERA.contains(&member.name));
    let task = renamed(task, (from, to), &id).into_iter().chain(around);
    let beside = beside.map(|(name, raw)| Member::new(name, raw));
    Some(write(task.chain(beside)))
}

/// A result that names the task it belongs to, for `tasks/result`.
pub(crate) fn related(raw: &Bytes, id: &str) -> Option<Bytes> {
    let root = splice::object(raw)?;
    let id = Value::from(id).to_vec();
    let task = jsonrpc::with_members(b"{}", &[("taskId", &id)]);
    let meta = match splice::member(raw, &root, "_meta") {
        None => jsonrpc::with_members(b"{}", &[(RELATED, &task)]),
        Some(meta) => splice::set(&meta, &splice::object(&meta)?, RELATED, &task),
    };
    Some(splice::set(raw, &root, "_meta", &meta))
}

/// A result of `tasks/result` as it stands beside a flat task, which needs not name it.
pub(crate) fn unrelated(raw: &Bytes) -> Option<Bytes> {
    let root = splice::object(raw)?;
    let Some(meta) = splice::member(raw, &root, "_meta") else {
        return Some(raw.clone());
    };
    let own = splice::object(&meta)?;
    if own.len() == 1 && own.contains_key(RELATED) {
        return Some(splice::without(raw, &root, &["_meta"]));
    }
    let meta = splice::without(&meta, &own, &[RELATED]);
    Some(splice::set(raw, &root, "_meta", &meta))
}

/// The task of a result: what makes one has it in a member in the nested form, and nothing else.
fn task_of(value: &Value, form: Form) -> &Value {
    match form {
        Form::Flat => value,
        Form::Nested => value.get("task").unwrap_or(value),
    }
}

impl Form {
    fn ttl(self) -> &'static str {
        match self {
            Self::Flat => "ttlMs",
            Self::Nested => "ttl",
        }
    }

    fn poll(self) -> &'static str {
        match self {
            Self::Flat => "pollIntervalMs",
            Self::Nested => "pollInterval",
        }
    }
}

/// A member with its value as received.
#[derive(Clone, Copy, Debug)]
struct Member<'a> {
    name: &'a str,
    raw: &'a [u8],
}

impl<'a> Member<'a> {
    fn new(name: &'a str, raw: &'a [u8]) -> Self {
        Self { name, raw }
    }
}

/// The members of an object that was read from `text`.
fn members<'a>(text: &'a [u8], object: &'a Object) -> impl Iterator<Item = Member<'a>> {
    object.keys().filter_map(move |name| {
        let span: Range<usize> = object.span(name)?;
        Some(Member::new(name, text.get(span)?))
    })
}

/// The members that describe a task in either form, and the others.
fn split<'a>(text: &'a [u8], object: &'a Object) -> (Vec<Member<'a>>, Vec<Member<'a>>) {
    members(text, object).partition(|member| TASK.contains(&member.name))
}

/// The members of a task, named as the other form names them, under our id.
fn renamed<'a>(task: Vec<Member<'a>>, (from, to): (Form, Form), id: &'a [u8]) -> Vec<Member<'a>> {
    let named = task.into_iter().filter_map(|Member { name, raw }| {
        let (name, raw) = match name {
            "taskId" => (name, id),
            _ if from == to => (name, raw),
            _ if name == from.ttl() => (to.ttl(), raw),
            _ if name == from.poll() => (to.poll(), raw),
            // It means nothing in the one form, and must not come to mean something in the other.
            _ if name == to.ttl() || name == to.poll() => return None,
            _ => (name, raw),
        };
        Some(Member { name, raw })
    });
    named.collect()
}

fn write<'a>(members: impl Iterator<Item = Member<'a>>) -> Bytes {
    let members: Vec<(&str, &[u8])> = members.map(|m| (m.name, m.raw)).collect();
    jsonrpc::with_members(b"{}", &members)
}

/// What describes a task, in both forms.
const TASK: [&str; 9] = [
    "taskId",
    "status",
    "statusMessage",
    "createdAt",
    "lastUpdatedAt",
    "ttl",
    "ttlMs",
    "pollInterval",
    "pollIntervalMs",
];
/// What no task has: a result of its own, which nobody would have looked through.
const RESULT: [&str; 6] = [
    "content",
    "structuredContent",
    "isError",
    "result",
    "error",
    "inputRequests",
];
/// What stands beside a task in the flat form.
const BESIDE: [&str; 3] = ["result", "error", "inputRequests"];
/// What only the flat form has.
const ERA: [&str; 4] = ["resultType", "result", "error", "inputRequests"];
/// The member of `_meta` that names the task of a result.
const RELATED: &str = "io.modelcontextprotocol/related-task";
