//! What becomes known of a call on its way, for the one entry at its end.

use std::collections::BTreeSet;

use cmcp_evidence::Sha256Digest;
use cmcp_json::Form;
use cmcp_mcp::upstream::{EvidenceClass, Observed, Reply};
use cmcp_policy::{Compat, catalog::Approved, decide::Action, inspect::Inspected, path::JsonPath};
use cmcp_record::audit::{self, RpcId, Server, Text, Texts, commit};

use super::{Call, Cleared, guard::Judged};
use crate::{ids::CallRandom, ledger::Salts, refusal::Denial, sessions::Session, startup::Gateway};

/// How far a call has come upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// Nothing was sent.
    Nothing,
    /// Bytes of the call may have reached the server.
    Server,
}

/// The facts of one call so far.
#[derive(Debug)]
pub(crate) struct Story {
    /// What intent and outcome have in common.
    pub(super) known: audit::Call,
    random: CallRandom,
    compat: Compat,
    pub(super) read_only: bool,
    pub(super) compliance_domain: Text,
    pub(super) data_class: Text,
    pub(super) request_plain: Option<Sha256Digest>,
    pub(super) response: Option<Sha256Digest>,
    pub(super) response_plain: Option<Sha256Digest>,
    pub(super) waived: Option<Denial>,
    pub(super) redact: Vec<JsonPath>,
    pub(super) labels: BTreeSet<String>,
    pub(super) findings: Vec<(String, u64)>,
    pub(super) redactions: Vec<String>,
    pub(super) intent: Option<u64>,
    pub(super) reached: Reached,
    pub(super) latency_us: u64,
}

impl Story {
    pub(super) fn new(
        gateway: &Gateway,
        call: &Call,
        session: &Session,
        random: CallRandom,
    ) -> Self {
        let compat = gateway.settings.compat;
        let request_plain = match compat {
            Compat::Off => None,
            Compat::V07 => cmcp_json::canonical(call.arguments(), Form::Pyj)
                .ok()
                .map(|b| Sha256Digest::of(&b)),
        };
        let known = audit::Call {
            action: word(call.wanted.action),
            attempt: Text::new(&random.attempt),
            call_id: Text::new(&random.call_id),
            declaration: None,
            parent: None,
            policies: Texts::default(),
            policy: call.rules.bundle.hash,
            protocol: Text::new(call.protocol()),
            request: commit(&random.request_salt, &call.sent()),
            retry_of: call.retry_of.as_deref().map(Text::new),
            rpc_id: RpcId::new(&call.client.rpc_id().to_value()),
            sensitivity_before: Text::new(session.view().max_sensitivity.name()),
            server: None,
            tool: Text::new(&call.wanted.target),
        };
        Self {
            known,
            random,
            compat,
            read_only: true,
            compliance_domain: Text::new(UNKNOWN),
            data_class: Text::new(UNKNOWN),
            request_plain,
            response: None,
            response_plain: None,
            waived: None,
            redact: Vec::new(),
            labels: BTreeSet::new(),
            findings: Vec::new(),
            redactions: Vec::new(),
            intent: None,
            reached: Reached::Nothing,
            latency_us: 0,
        }
    }

    /// The call's id, as its caller is told.
    pub(super) fn call_id(&self) -> &str {
        &self.random.call_id
    }

    pub(super) fn salts(&self) -> Salts {
        self.random.salts()
    }

    /// The item is in the catalog.
    pub(super) fn names(&mut self, tool: &Approved, server: &str, observed: Option<Observed>) {
        self.read_only = tool.read_only();
        self.known.declaration = Some(tool.digest);
        self.compliance_domain = Text::new(&tool.compliance_domain);
        self.data_class = Text::new(tool.sensitivity.name());
        self.known.server = observed.map(|observed| self::server(server, &observed));
    }

    /// Policy permitted the call, or the mode lets its denial pass.
    pub(super) fn judged<T>(&mut self, judged: &Judged<T>) {
        self.known.policies = Texts::new(&judged.decision.policies);
        self.redact.clone_from(&judged.decision.redact);
        self.waived.clone_from(&judged.waived);
    }

    /// Policy permitted the response, or the mode lets its denial pass; the paths that it takes out
    /// beyond those known before the call.
    pub(super) fn judged_egress<T>(&mut self, judged: &Judged<T>) -> Vec<JsonPath> {
        if let Some(waived) = &judged.waived {
            self.waived.get_or_insert_with(|| waived.clone());
        }
        let known = |path: &&JsonPath| !self.redact.contains(path);
        judged
            .decision
            .redact
            .iter()
            .filter(known)
            .cloned()
            .collect()
    }

    /// The upstream answered; the log commits to what came, before anything is taken out of it.
    pub(super) fn respond(&mut self, reply: &Reply) {
        let (Reply::Result { bytes, .. } | Reply::Error { bytes, .. }) = reply;
        self.response = Some(commit(&self.random.response_salt, bytes));
        self.response_plain = match self.compat {
            Compat::Off => None,
            Compat::V07 => Some(match reply {
                Reply::Result { value, .. } => Sha256Digest::of(response_text(value).as_bytes()),
                Reply::Error { message, .. } => Sha256Digest::of(message.as_bytes()),
            }),
        };
    }

    pub(super) fn inspected(&mut self, inspected: Inspected) {
        let Inspected {
            labels,
            findings,
            redactions,
            ..
        } = inspected;
        self.labels
            .extend(labels.into_iter().map(ToOwned::to_owned));
        self.findings.extend(findings.into_iter().map(|f| {
            (
                f.rule.to_owned(),
                u64::try_from(f.count).unwrap_or(u64::MAX),
            )
        }));
        self.redactions.extend(redactions);
    }

    /// Notes a condition that configuration lets pass.
    pub(super) fn note(&mut self, rule: &str) {
        self.findings.push((rule.to_owned(), 1));
    }

    /// The outcome is as durable as the call was dangerous.
    pub(super) fn changes_nothing(&self) -> bool {
        self.read_only
    }
}

impl Cleared {
    /// Bytes of the response, as policy sees them.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Task(_) => 0,
            Self::Error { bytes } | Self::Result { bytes, .. } | Self::Asked { bytes } => {
                u64::try_from(bytes.len()).unwrap_or(u64::MAX)
            }
        }
    }
}

/// 0.7.1's response text: the text parts joined by line ends.
fn response_text(value: &cmcp_json::Value) -> String {
    crate::reply::joined_text(value)
}

/// A server, as the log tells of it.
pub(super) fn server(name: &str, observed: &Observed) -> Server {
    Server {
        endpoint: Text::new(&observed.endpoint),
        evidence_class: class(observed.evidence),
        name: Text::new(name),
    }
}

/// The log's word for what is done; a call of a tool has none.
pub(super) fn word(action: Action) -> Option<audit::Action> {
    match action {
        Action::CallTool => None,
        Action::Complete => Some(audit::Action::Complete),
        Action::Elicit => Some(audit::Action::Elicit),
        Action::GetPrompt => Some(audit::Action::GetPrompt),
        Action::ListResources => Some(audit::Action::ListResources),
        Action::ListRoots => Some(audit::Action::ListRoots),
        Action::ReadResource => Some(audit::Action::ReadResource),
        Action::Sample => Some(audit::Action::Sample),
        Action::Subscribe => Some(audit::Action::Subscribe),
    }
}

fn class(observed: EvidenceClass) -> audit::EvidenceClass {
    match observed {
        EvidenceClass::HashOnly => audit::EvidenceClass::HashOnly,
        EvidenceClass::TlsPinned => audit::EvidenceClass::TlsPinned,
        EvidenceClass::SpawnMeasured => audit::EvidenceClass::SpawnMeasured,
        EvidenceClass::SpawnUnmeasured => audit::EvidenceClass::SpawnUnmeasured,
    }
}

const UNKNOWN: &str = "unknown";
