//! What a claim says of the session's calls.

use std::collections::BTreeSet;

use cmcp_json::{Object, Value};

use super::reached::Reached;
use crate::{
    audit::Outcome,
    verdict::{Verdict, VerdictCounts},
};

/// The calls of tools so far, and how far all that happened has raised the session.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) reached: Reached,
    verdicts: VerdictCounts,
    lines: Vec<Line>,
    /// Sorted.
    tools: BTreeSet<String>,
    /// In the order of their first call.
    tools_called: Vec<String>,
    run: Run,
    domains: BTreeSet<String>,
    regulated: BTreeSet<String>,
    last_domain: Option<String>,
    crossings: Vec<Value>,
}

/// One call in the transcript.
#[derive(Debug)]
struct Line {
    tool: String,
    data_class: String,
    decision: &'static str,
}

/// Calls of one tool in a row.
#[derive(Debug, Default)]
struct Run {
    tool: String,
    length: u64,
    suspicious: u64,
}

impl Calls {
    pub(super) fn new(regulated: &[String]) -> Self {
        let built_in = REGULATED.into_iter().map(str::to_owned);
        Self {
            reached: Reached::default(),
            verdicts: VerdictCounts::default(),
            lines: Vec::new(),
            tools: BTreeSet::new(),
            tools_called: Vec::new(),
            run: Run::default(),
            domains: BTreeSet::new(),
            regulated: built_in.chain(regulated.iter().cloned()).collect(),
            last_domain: None,
            crossings: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, outcome: &Outcome) {
        self.reached
            .note(&outcome.call.sensitivity_before, &outcome.sensitivity_after);
        if outcome.call.action.is_some() {
            return self.touch(&outcome.compliance_domain);
        }
        let tool = outcome.call.tool.as_str();
        self.cross(outcome);
        if self.tools.insert(tool.to_owned()) {
            self.tools_called.push(tool.to_owned());
        }
        self.run.note(tool);
        self.verdicts.note(outcome.verdict);
        self.lines.push(Line {
            tool: tool.to_owned(),
            data_class: outcome.data_class.to_string(),
            decision: outcome.verdict.claim_word(),
        });
    }

    /// A call outside the regulated domain of the call before it is an event of its own.
    fn cross(&mut self, outcome: &Outcome) {
        let domain = outcome.compliance_domain.as_str();
        let from = self.last_domain.replace(domain.to_owned());
        self.domains.insert(domain.to_owned());
        if let Some(from) = from.filter(|from| from != domain && self.regulated.contains(from)) {
            self.crossings.push(Value::Object(Object::from([
                ("from_domain", Value::from(from)),
                ("to_domain", Value::from(domain)),
                ("call_id", Value::from(outcome.call.call_id.as_str())),
                ("tool_name", Value::from(outcome.call.tool.as_str())),
                ("sequence_number", Value::from(self.total())),
            ])));
        }
    }

    /// What is no call of a tool has no place among the calls, and yet its data may leave a regulated
    /// domain with the next one.
    fn touch(&mut self, domain: &str) {
        if self.regulated.contains(domain) {
            self.domains.insert(domain.to_owned());
            self.last_domain = Some(domain.to_owned());
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.verdicts.total()
    }

    pub(super) fn transcript(&self) -> Value {
        self.lines
            .iter()
            .map(|line| {
                Object::from([
                    ("tool_name", Value::from(line.tool.as_str())),
                    ("data_class", Value::from(line.data_class.as_str())),
                    ("decision", Value::from(line.decision)),
                ])
            })
            .collect::<Vec<_>>()
            .into()
    }

    pub(super) fn summary(&self) -> Object {
        Object::from([
            ("tool_calls_total", Value::from(self.total())),
            (
                "tool_calls_allowed",
                Value::from(self.verdicts.of(Verdict::Allow)),
            ),
            ("tool_calls_denied", Value::from(self.verdicts.denied())),
            (
                "tool_calls_faulted",
                Value::from(self.verdicts.of(Verdict::Fault)),
            ),
            ("tools_invoked", strings(&self.tools)),
            (
                "session_max_sensitivity",
                Value::from(self.reached.as_str()),
            ),
            (
                "call_graph_summary",
                Value::Object(Object::from([
                    ("compliance_domains_touched", strings(&self.domains)),
                    (
                        "cross_boundary_events",
                        Value::Array(self.crossings.clone()),
                    ),
                    ("edges_represent", Value::from(EDGES)),
                ])),
            ),
        ])
    }

    pub(super) fn log_summary(&self) -> Object {
        Object::from([
            ("total_calls", Value::from(self.total())),
            ("tools_called", strings(&self.tools_called)),
            (
                "suspicious_sequences_detected",
                Value::from(self.run.suspicious),
            ),
        ])
    }
}

impl Run {
    fn note(&mut self, tool: &str) {
        if self.tool == tool {
            self.length = self.length.saturating_add(1);
        } else {
            *self = Self {
                tool: tool.to_owned(),
                length: 1,
                suspicious: self.suspicious,
            };
        }
        if self.length == SUSPICIOUS_FROM {
            self.suspicious = self.suspicious.saturating_add(1);
        }
    }
}

fn strings<'a>(texts: impl IntoIterator<Item = &'a String>) -> Value {
    texts
        .into_iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .into()
}

/// Calls in a row that make a run suspicious; each run counts once.
const SUSPICIOUS_FROM: u64 = 4;
/// Domains that data must not leave unnoticed.
const REGULATED: [&str; 4] = ["hipaa_phi", "mnpi", "pci_data", "pii"];
/// Fixed text of the format.
const EDGES: &str = "Edges represent temporal adjacency (call order), not data provenance. \
                     A -> B means B was called immediately after A within this session.";
