//! What a server may ask, servers that ask it, and what is left of that in the log.

use cmcp_json::Value;

use crate::{
    client::{Got, Session, calling, method_of},
    support::text,
    upstream::{Reply, Upstream},
};

/// One thing that a server may ask.
pub(crate) struct Asking {
    pub(crate) method: &'static str,
    /// What a client declares that answers it.
    pub(crate) declared: &'static str,
    pub(crate) params: &'static str,
    pub(crate) answer: &'static str,
    pub(crate) action: &'static str,
}

pub(crate) const SAMPLE: Asking = Asking {
    method: "sampling/createMessage",
    declared: r#"{"sampling":{}}"#,
    params: r#"{"messages":[{"role":"user","content":{"type":"text","text":"how many?"}}],"maxTokens":1e2}"#,
    answer: r#"{"role":"assistant","content":{"type":"text","text":"seven"},"model":"m","n":12345678901234567890123}"#,
    action: "sample",
};
pub(crate) const ELICIT: Asking = Asking {
    method: "elicitation/create",
    declared: r#"{"elicitation":{}}"#,
    params: r#"{"message":"Which one?","requestedSchema":{"type":"object","properties":{"which":{"type":"string"}},"required":["which"]}}"#,
    answer: r#"{"action":"accept","content":{"which":"the \u0066irst"}}"#,
    action: "elicit",
};
pub(crate) const ROOTS: Asking = Asking {
    method: "roots/list",
    declared: r#"{"roots":{"listChanged":true}}"#,
    params: "{}",
    answer: r#"{"roots":[{"uri":"file:///srv","name":"srv"}]}"#,
    action: "list_roots",
};
pub(crate) const ALL_ASKINGS: [Asking; 3] = [SAMPLE, ELICIT, ROOTS];

impl Asking {
    /// A legacy server that asks this in the middle of each call, and tells what it heard.
    pub(crate) fn asked_by(&self, upstream: &Upstream) {
        let (method, params) = (self.method, self.params);
        upstream.on("tools/call", move |_| {
            Reply::talk(move |talk| {
                let answer = talk.ask(method, params);
                talk.result(&said(&answer.to_string()));
            })
        });
    }

    /// A modern server that needs this before it answers a call, and then tells what it was given.
    pub(crate) fn needed_by(&self, upstream: &Upstream) {
        let needed = format!(
            r#"{{"resultType":"input_required","inputRequests":{{"k 1":{{"method":"{}","params":{}}}}},"requestState":"its \u0022own"}}"#,
            self.method, self.params
        );
        upstream.on("tools/call", move |seen| {
            if seen.at(&["params", "inputResponses", "k 1"]).is_null() {
                return seen.result(&needed);
            }
            let heard = said(&seen.raw("inputResponses"));
            let heard = heard.strip_prefix('{').unwrap();
            seen.result(&format!(r#"{{"resultType":"complete",{heard}"#))
        });
    }
}

/// A result of one text.
pub(crate) fn said(words: &str) -> String {
    let words = Value::from(words);
    format!(r#"{{"content":[{{"type":"text","text":{words}}}]}}"#)
}

/// Answers one question of the gateway's on the stream of a call, and reads the call's answer.
pub(crate) fn answered(session: &Session<'_>, asking: &Asking) -> (Value, Got) {
    let mut call = session.send("tools/call", &calling("work"));
    let question = call.message();
    assert_eq!(method_of(&question), asking.method, "{question}");
    assert_eq!(session.respond(&question, asking.answer), 202);
    (question, call.answer())
}

/// The one exchange of a log, and the outcome of the call it belongs to.
pub(crate) fn exchange(log: &[Value]) -> (&Value, &Value) {
    let mut asked = log.iter().filter(|entry| entry.get("parent").is_some());
    let exchange = asked.next().unwrap_or_else(|| panic!("none in {log:?}"));
    assert!(asked.next().is_none(), "several exchanges: {log:?}");
    let is_parent = |entry: &&Value| {
        text(entry, "kind") == "outcome" && text(entry, "call_id") == text(exchange, "parent")
    };
    let parent = log.iter().find(is_parent);
    (
        exchange,
        parent.unwrap_or_else(|| panic!("no parent: {exchange}")),
    )
}
