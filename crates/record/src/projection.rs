//! Entries in the older format of 24 members, projected from ours.
//!
//! A projected entry is a function of the stored bytes of the log up to its own: it is never stored,
//! and whoever has the log makes the same one. Intents, lists and recoveries have no place in the older
//! format, nor has anything that is asked for besides calls of tools; the outcome of each of those is
//! one `tool_call`.

mod ascii;

use std::collections::BTreeMap;

use cmcp_evidence::{Sha256Digest, Timestamp, hex};
use serde::Serialize;

use crate::audit::{
    AttestationRefresh, AttestationStale, BreakGlass, CatalogDrift, EvidenceClass, Findings,
    KillSwitch, Kind, Outcome, SessionReset, SessionStart,
};

/// The older chain so far.
#[derive(Clone, Debug)]
pub(crate) struct Projector {
    session: String,
    length: u64,
    ends: Option<Ends>,
}

/// Hashes of the first and the last entry of the older chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ends {
    pub(crate) root: Sha256Digest,
    pub(crate) tip: Sha256Digest,
}

impl Projector {
    pub(crate) fn new(log_id: &str) -> Self {
        Self {
            session: log_id.to_owned(),
            length: 0,
            ends: None,
        }
    }

    /// The next entry, if `kind` has one.
    pub(crate) fn project(
        &mut self,
        kind: &Kind,
        time: Timestamp,
        leaf: &Sha256Digest,
    ) -> Option<Projected> {
        let mut projected = Projected {
            entry_id: uuid_shaped(leaf),
            prev_entry_hash: self
                .ends
                .map_or_else(|| "genesis".to_owned(), |ends| ends.tip.hex()),
            sequence_number: self.length,
            session_id: self.session.clone(),
            timestamp_utc: time.python_iso(),
            ..Projected::tell(kind)?
        };
        let hash = projected.hash_without_own();
        projected.entry_hash = Some(hash.hex());
        projected.own = hash;
        self.length = self.length.saturating_add(1);
        self.ends = Some(Ends {
            root: self.ends.map_or(hash, |ends| ends.root),
            tip: hash,
        });
        if let Kind::SessionReset(reset) = kind {
            self.session = reset.successor.to_string();
        }
        Some(projected)
    }

    /// The session that the next entry belongs to.
    pub(crate) fn session(&self) -> &str {
        &self.session
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn ends(&self) -> Option<Ends> {
        self.ends
    }
}

/// An entry in the older format. Members are declared in the order they are written.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Projected {
    call_id: Option<String>,
    detail: Option<BTreeMap<&'static str, Detail>>,
    pub(crate) effective_data_class: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_hash: Option<String>,
    entry_id: String,
    entry_type: &'static str,
    evidence_class: &'static str,
    execution_id: Option<String>,
    external_execution_evidence: Option<String>,
    latency_us: Option<u64>,
    policy_decision: Option<&'static str>,
    policy_rule_matched: Option<String>,
    prev_entry_hash: String,
    request_payload_hash: Option<String>,
    response_inspection_result: Option<&'static str>,
    response_payload_hash: Option<String>,
    sequence_number: u64,
    server_identity: Option<String>,
    session_id: String,
    session_sensitivity_after: Option<String>,
    session_sensitivity_before: Option<String>,
    timestamp_utc: String,
    tool_name: Option<String>,
    workflow_id: Option<String>,
    #[serde(skip)]
    own: Sha256Digest,
}

/// A value in an entry's `detail`.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Detail {
    Number(u64),
    Text(String),
}

impl Projected {
    /// The entry's hash.
    pub(crate) fn hash(&self) -> Sha256Digest {
        self.own
    }

    /// The entry as it stands in an export, `entry_hash` included.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        ascii::write(self)
    }

    fn hash_without_own(&self) -> Sha256Digest {
        Sha256Digest::of(&ascii::write(self))
    }

    /// What the older format can say of `kind`; its place in the chain is filled in by the projector.
    fn tell(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::AttestationRefresh(refresh) => Self::of_refresh(refresh),
            Kind::AttestationStale(stale) => Self::of_stale(stale),
            Kind::BreakGlass(exception) => Self::of_break_glass(exception),
            Kind::CatalogDrift(drift) => Self::of_drift(drift),
            Kind::CatalogLoad(load) => {
                Self::new("catalog_load").detail("catalog_hash", load.catalog)
            }
            Kind::KillSwitch(switch) => Self::of_kill_switch(switch),
            Kind::Outcome(outcome) if outcome.call.action.is_none() => Self::of_outcome(outcome),
            Kind::PolicyLoad(load) => Self::new("policy_load")
                .detail("policy_bundle_hash", load.policy)
                .detail("version", &load.version),
            Kind::SessionEnd(end) => Self {
                session_sensitivity_after: Some(end.sensitivity.to_string()),
                ..Self::new("session_end").detail("reason", &end.reason)
            },
            Kind::SessionReset(reset) => Self::of_reset(reset),
            Kind::SessionStart(start) => Self::of_start(start),
            Kind::SuspiciousSequence(sequence) => Self {
                tool_name: Some(sequence.tool.to_string()),
                ..Self::new("suspicious_call_sequence").number("count", sequence.count.get())
            },
            Kind::Declarations(_)
            | Kind::EraDowngrade(_)
            | Kind::ForeignSession(_)
            | Kind::Intent(_)
            | Kind::Outcome(_)
            | Kind::Recovered(_) => return None,
        })
    }

    fn of_outcome(outcome: &Outcome) -> Self {
        let call = &outcome.call;
        let request = outcome.request_plain.unwrap_or(call.request);
        let response = outcome.response_plain.or(outcome.response);
        let told = Self {
            call_id: Some(call.call_id.to_string()),
            effective_data_class: Some(outcome.data_class.to_string()),
            evidence_class: call
                .server
                .as_ref()
                .map_or(EvidenceClass::HashOnly, |server| server.evidence_class)
                .as_str(),
            latency_us: Some(outcome.latency_us.get()),
            policy_decision: Some(outcome.verdict.as_str()),
            policy_rule_matched: rule(outcome),
            request_payload_hash: Some(request.to_string()),
            response_inspection_result: inspection(outcome),
            response_payload_hash: response.map(|digest| digest.to_string()),
            server_identity: call
                .server
                .as_ref()
                .map(|server| server.endpoint.to_string()),
            session_sensitivity_after: Some(outcome.sensitivity_after.to_string()),
            session_sensitivity_before: Some(call.sensitivity_before.to_string()),
            tool_name: Some(call.tool.to_string()),
            workflow_id: outcome.workflow_id.as_ref().map(ToString::to_string),
            ..Self::new("tool_call")
        };
        match &outcome.code {
            Some(code) => told
                .detail("code", code)
                .detail("result", outcome.result.as_str()),
            None => told,
        }
    }

    fn of_start(start: &SessionStart) -> Self {
        Self {
            policy_decision: Some("n/a"),
            response_inspection_result: Some("n/a"),
            session_sensitivity_after: Some(start.sensitivity.to_string()),
            ..Self::new("session_start")
        }
        .detail("binary", start.binary)
        .detail("catalog", start.catalog)
        .detail("config", start.config)
        .detail("policy", start.policy)
    }

    fn of_reset(reset: &SessionReset) -> Self {
        Self {
            session_sensitivity_after: Some(reset.sensitivity.to_string()),
            session_sensitivity_before: Some(reset.sensitivity_before.to_string()),
            ..Self::new("session_reset")
        }
        .detail("closed_session_id", &reset.closed)
        .detail("credential_verified", "true")
        .detail("reason", &reset.reason)
        .number("reset_count", reset.reset_count.get())
        .detail("successor_session_id", &reset.successor)
    }

    fn of_refresh(refresh: &AttestationRefresh) -> Self {
        Self::new("attestation_refresh")
            .detail("collected", refresh.collected)
            .detail("evidence", refresh.evidence)
            .detail("platform", &refresh.platform)
            .number("validity_seconds", refresh.validity_seconds.get())
    }

    fn of_stale(stale: &AttestationStale) -> Self {
        Self::new("attestation_stale")
            .detail("collected", stale.collected)
            .detail("platform", &stale.platform)
            .number("validity_seconds", stale.validity_seconds.get())
    }

    fn of_drift(drift: &CatalogDrift) -> Self {
        let tools: Vec<&str> = drift
            .tools
            .iter()
            .map(|drifted| drifted.tool.as_str())
            .collect();
        Self::new("catalog_drift")
            .detail("server", &drift.server)
            .number("tool_count", drift.tool_count.get())
            .detail("tools", tools.join(","))
    }

    fn of_break_glass(exception: &BreakGlass) -> Self {
        let tools: Vec<&str> = exception.tools.iter().collect();
        Self::new("break_glass_used")
            .detail("authorized_by", &exception.authorized_by)
            .detail("exception", exception.exception.as_str())
            .detail("reason", &exception.reason)
            .detail("tools", tools.join(","))
    }

    fn of_kill_switch(switch: &KillSwitch) -> Self {
        let told = Self::new("break_glass_used")
            .detail("agent_id", &switch.agent)
            .detail("cause", &switch.reason)
            .detail(
                "reason",
                format!("kill_switch_{}", switch.switched.as_str()),
            );
        match &switch.authorized_by {
            Some(authorized_by) => told.detail("authorized_by", authorized_by),
            None => told,
        }
    }

    fn new(entry_type: &'static str) -> Self {
        Self {
            call_id: None,
            detail: None,
            effective_data_class: None,
            entry_hash: None,
            entry_id: String::new(),
            entry_type,
            evidence_class: EvidenceClass::HashOnly.as_str(),
            execution_id: None,
            external_execution_evidence: None,
            latency_us: None,
            policy_decision: None,
            policy_rule_matched: None,
            prev_entry_hash: String::new(),
            request_payload_hash: None,
            response_inspection_result: None,
            response_payload_hash: None,
            sequence_number: 0,
            server_identity: None,
            session_id: String::new(),
            session_sensitivity_after: None,
            session_sensitivity_before: None,
            timestamp_utc: String::new(),
            tool_name: None,
            workflow_id: None,
            own: Sha256Digest::from_bytes([0; 32]),
        }
    }

    fn detail(mut self, name: &'static str, text: impl ToString) -> Self {
        let detail = Detail::Text(text.to_string());
        self.detail.get_or_insert_default().insert(name, detail);
        self
    }

    fn number(mut self, name: &'static str, number: u64) -> Self {
        self.detail
            .get_or_insert_default()
            .insert(name, Detail::Number(number));
        self
    }
}

/// The rule that decided: policy ids, or the older format's words for what no policy decides.
fn rule(outcome: &Outcome) -> Option<String> {
    let code = outcome.code.as_deref();
    match code {
        Some("catalog_miss" | "response_size_exceeded") => code.map(str::to_owned),
        Some(code) if code.starts_with("upstream") => {
            Some(format!("upstream:{}", code.to_ascii_uppercase()))
        }
        Some(_) | None if outcome.call.policies.is_empty() => code.map(str::to_owned),
        Some(_) | None => {
            let ids: Vec<&str> = outcome.call.policies.iter().collect();
            Some(ids.join(","))
        }
    }
}

/// The older format's word for what inspection did.
fn inspection(outcome: &Outcome) -> Option<&'static str> {
    let injection = |findings: &Findings| {
        findings
            .iter()
            .any(|finding| finding.rule.starts_with("injection"))
    };
    match outcome.code.as_deref() {
        Some("response_size_exceeded") => Some("size_exceeded"),
        Some("output_schema_violation") => Some("schema_violation"),
        Some(_) | None if outcome.response.is_none() => None,
        Some(_) | None if injection(&outcome.findings) => Some("injection_detected"),
        Some(_) | None if !outcome.redactions.is_empty() => Some("surplus_stripped"),
        Some(_) | None => Some("pass"),
    }
}

/// The leaf's first 16 bytes with the version and variant of a random UUID (RFC 9562, version 4).
fn uuid_shaped(leaf: &Sha256Digest) -> String {
    let mut bytes: Vec<u8> = leaf.as_bytes().iter().take(16).copied().collect();
    if let Some(version) = bytes.get_mut(6) {
        *version = *version & 0x0f | 0x40;
    }
    if let Some(variant) = bytes.get_mut(8) {
        *variant = *variant & 0x3f | 0x80;
    }
    let mut text = String::with_capacity(36);
    for (place, digit) in hex::encode(&bytes).chars().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
