//! Servers that make tasks of calls, and clients of both eras that speak of them.

use std::sync::{Arc, Mutex};

use cmcp_json::Value;

use crate::{
    client::{Got, Modern, Session, at, calling},
    items::{Item, before},
    support::{Gateway, text},
    upstream::{Era, Reply, Seen, Upstream},
};

pub(crate) const DECLARED: &str = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
pub(crate) const TIMES: &str =
    r#""createdAt":"2026-11-20T10:00:00Z","lastUpdatedAt":"2026-11-20T10:00:00.5Z""#;

/// How far the one task of a server is, and what stands beside that.
pub(crate) type Progress = Arc<Mutex<(&'static str, String)>>;

/// A server that makes a task of every call of `job`, which is as far as the test says.
pub(crate) fn serving(era: Era, policy: &str) -> (Upstream, Gateway, Progress) {
    let job = Item::tool("job").with("execution", r#"{"taskSupport":"optional"}"#);
    let needed = Item::tool("needed").with("execution", r#"{"taskSupport":"required"}"#);
    let upstream = Upstream::start(era, &[Item::tool("echo"), job, needed]);
    let progress: Progress = Arc::new(Mutex::new(("working", String::new())));
    let shared = Arc::clone(&progress);
    upstream.act(move |seen| {
        let (status, beside) = shared.lock().unwrap().clone();
        match era {
            Era::Legacy => legacy(seen, status, &beside),
            Era::Modern => modern(seen, status, &beside),
        }
    });
    let gateway = before(&[("up", &upstream)]).policy(policy).start();
    (upstream, gateway, progress)
}

fn legacy(seen: &Seen, status: &str, beside: &str) -> Option<Reply> {
    let task =
        format!(r#"{{"taskId":"t-1","status":"{status}",{TIMES},"ttl":60000,"pollInterval":5e1}}"#);
    let is_task = !seen.at(&["params", "task"]).is_null();
    Some(match seen.method.as_str() {
        "tools/call" if is_task => seen.result(&format!(r#"{{"task":{task}}}"#)),
        "tools/call" if seen.target() == "needed" => {
            seen.error(r#"{"code":-32601,"message":"a task is needed"}"#)
        }
        "tasks/get" | "tasks/cancel" => seen.result(&task),
        "tasks/result" if status == "failed" => seen.error(beside),
        "tasks/result" => seen.result(&format!(
            r#"{{"_meta":{{"io.modelcontextprotocol/related-task":{{"taskId":"t-1"}}}},{}"#,
            beside.strip_prefix('{').unwrap()
        )),
        _ => return None,
    })
}

fn modern(seen: &Seen, status: &str, beside: &str) -> Option<Reply> {
    let member = match status {
        "completed" => format!(r#","result":{beside}"#),
        "failed" => format!(r#","error":{beside}"#),
        "input_required" => format!(r#","inputRequests":{beside}"#),
        _ => String::new(),
    };
    let task =
        format!(r#""taskId":"t-1","status":"{status}",{TIMES},"ttlMs":60000,"pollIntervalMs":5e1"#);
    let meta = seen.at(&["params", "_meta"]);
    let declared = meta.get("io.modelcontextprotocol/clientCapabilities");
    let declared = declared.is_some_and(|all| all.get("extensions").is_some());
    Some(match seen.method.as_str() {
        "tools/call" if declared && seen.target() != "echo" => {
            seen.result(&format!(r#"{{"resultType":"task",{task}}}"#))
        }
        "tasks/get" => seen.result(&format!(r#"{{"resultType":"complete",{task}{member}}}"#)),
        "tasks/update" | "tasks/cancel" => seen.result(r#"{"resultType":"complete"}"#),
        _ => return None,
    })
}

pub(crate) fn now(progress: &Progress, status: &'static str, beside: &str) {
    *progress.lock().unwrap() = (status, beside.to_owned());
}

/// A client of either era that speaks of tasks.
pub(crate) enum Client<'g> {
    Legacy(Session<'g>),
    Modern(Modern<'g>),
}

impl<'g> Client<'g> {
    pub(crate) fn new(era: Era, gateway: &'g Gateway, token: &'static str) -> Self {
        match era {
            Era::Legacy => Self::Legacy(Session::open(gateway, token, "{}")),
            Era::Modern => Self::Modern(Modern::new(gateway, token).declaring(DECLARED)),
        }
    }

    pub(crate) fn ask(&self, method: &str, params: &str) -> Got {
        match self {
            Self::Legacy(session) => session.ask(method, params),
            Self::Modern(modern) => modern.ask(method, params),
        }
    }

    /// Calls a tool as a task: the answer, and the id.
    pub(crate) fn begin(&self, tool: &str) -> (Got, String) {
        let got = match self {
            Self::Legacy(session) => {
                let params = calling(tool);
                let params = params.strip_suffix('}').unwrap();
                session.ask(
                    "tools/call",
                    &format!(r#"{params},"task":{{"ttl":60000}}}}"#),
                )
            }
            Self::Modern(modern) => modern.call(tool),
        };
        let result = got.result();
        let task = match self {
            Self::Legacy(_) => at(&result, "task"),
            Self::Modern(_) => {
                assert_eq!(at(&result, "resultType").as_str(), Some("task"), "{result}");
                result
            }
        };
        let id = text(&task, "taskId").to_owned();
        assert!(id.len() > 20, "not an id of ours: {task}");
        // What the server said of it is said in the client's own words, spelled as it was.
        let (ttl, poll) = match self {
            Self::Legacy(_) => ("ttl", "pollInterval"),
            Self::Modern(_) => ("ttlMs", "pollIntervalMs"),
        };
        assert_eq!(at(&task, ttl).to_string(), "60000");
        assert_eq!(at(&task, poll).to_string(), "5e1");
        (got, id)
    }

    pub(crate) fn about(&self, method: &str, id: &str) -> Got {
        self.ask(method, &format!(r#"{{"taskId":"{id}"}}"#))
    }

    pub(crate) fn status(&self, id: &str) -> String {
        let got = self.about("tasks/get", id);
        text(&got.result(), "status").to_owned()
    }

    /// The result of a finished task, as text.
    pub(crate) fn result(&self, id: &str) -> Got {
        match self {
            Self::Legacy(_) => self.about("tasks/result", id),
            Self::Modern(_) => self.about("tasks/get", id),
        }
    }
}

/// Outcomes of a call in a log.
pub(crate) fn outcomes(log: &[Value], got: &Got) -> Vec<Value> {
    let id = got.header("cmcp-call-id");
    let of = |entry: &&Value| text(entry, "kind") == "outcome" && text(entry, "call_id") == id;
    log.iter().filter(of).cloned().collect()
}
