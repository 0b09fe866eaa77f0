//! The older format, entry by entry.

use std::collections::{BTreeMap, BTreeSet};

use cmcp_evidence::{PublicKey, Sha256Digest, Signature, Timestamp};
use cmcp_json::{Form, Value};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{
    problem::{Fault, Problems},
    read::{CallSeen, ChainFacts, ExportFacts, Format, LIMITS, Tally, no_others, text},
};
use crate::{
    audit::{EntryFault, EvidenceClass, Next},
    verdict::Verdict,
};

/// The entries so far.
#[derive(Default)]
pub(super) struct Older {
    length: u64,
    /// SHA-256 of the entries as an array in the older spelling.
    hashed: Sha256,
    ends: Option<(Sha256Digest, Sha256Digest)>,
    /// The last entry was not what it should be: its successor is not blamed for not fitting.
    blamed: bool,
    times: Option<(Timestamp, Timestamp)>,
    session: Option<String>,
    /// Every session of the chain; a document may be asked for under any of them.
    sessions: BTreeSet<String>,
    ended_at: Option<String>,
    tally: Tally,
    next: Next,
}

/// An entry's 24 members; version 0.2 did not have the four with a default.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read so that every member is of its type")]
struct Members {
    call_id: Option<String>,
    detail: Option<Value>,
    #[serde(default)]
    effective_data_class: Option<String>,
    entry_hash: String,
    entry_id: String,
    entry_type: EntryType,
    #[serde(default)]
    evidence_class: Option<EvidenceClass>,
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    external_execution_evidence: Option<Value>,
    latency_us: Option<u64>,
    policy_decision: Option<Decision>,
    policy_rule_matched: Option<String>,
    prev_entry_hash: String,
    request_payload_hash: Option<String>,
    response_inspection_result: Option<String>,
    response_payload_hash: Option<String>,
    sequence_number: u64,
    server_identity: Option<String>,
    session_id: String,
    session_sensitivity_after: Option<String>,
    session_sensitivity_before: Option<String>,
    timestamp_utc: String,
    tool_name: Option<String>,
    workflow_id: Option<String>,
}

/// Everything the older format records. `fault` and `egress_denied` are calls that it did not count
/// as such; ours writes neither.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum EntryType {
    AttestationRefresh,
    AttestationStale,
    BreakGlassUsed,
    CatalogDrift,
    CatalogLoad,
    EgressDenied,
    Fault,
    PolicyLoad,
    SessionEnd,
    SessionReset,
    SessionStart,
    SuspiciousCallSequence,
    ToolCall,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Decision {
    #[serde(rename = "n/a")]
    NotApplicable,
    #[serde(untagged)]
    Verdict(Verdict),
}

impl Older {
    pub(super) fn size(&self) -> u64 {
        self.length
    }

    pub(super) fn entry(
        &mut self,
        bytes: &[u8],
        problems: &mut Problems,
        on_call: &mut dyn FnMut(CallSeen<'_>),
    ) {
        let place = self.length;
        self.length = self.length.saturating_add(1);
        let prev = self.ends.map(|(_, tip)| tip);
        let blamed_before = std::mem::take(&mut self.blamed);
        let members = match self.members(bytes) {
            Ok(members) => members,
            Err(fault) => {
                self.blamed = true;
                self.next.skip();
                return problems.entry(place, fault);
            }
        };
        let named = prev.map_or_else(|| "genesis".to_owned(), |prev| prev.hex());
        if members.prev_entry_hash != named && !blamed_before {
            problems.entry(place, EntryFault::Link);
        }
        self.place_in_order(place, &members, problems);
        self.note(place, &members, on_call);
    }

    /// The entry's members, once they hash to its `entry_hash`.
    fn members(&mut self, bytes: &[u8]) -> Result<Members, Fault> {
        let (value, hash) = self.hash(bytes).map_err(Fault::OlderEntry)?;
        self.ends = Some((self.ends.map_or(hash, |(root, _)| root), hash));
        let members: Members =
            cmcp_json::from_value(&value).map_err(|error| Fault::OlderEntry(error.to_string()))?;
        if members.entry_hash == hash.hex() {
            Ok(members)
        } else {
            Err(Fault::EntryHash)
        }
    }

    /// The entry's value, and the hash over all of it but `entry_hash`.
    fn hash(&mut self, bytes: &[u8]) -> Result<(Value, Sha256Digest), String> {
        let value = cmcp_json::parse(bytes, &LIMITS).map_err(|error| error.to_string())?;
        let whole = cmcp_json::canonical(&value, Form::Pyj).map_err(|error| error.to_string())?;
        let body = cmcp_json::canonical_without(&value, "entry_hash", Form::Pyj)
            .map_err(|error| error.to_string())?;
        self.hashed
            .update(if self.length == 1 { b"[" } else { b"," });
        self.hashed.update(whole);
        Ok((value, Sha256Digest::of(&body)))
    }

    fn place_in_order(&mut self, place: u64, members: &Members, problems: &mut Problems) {
        let found = members.sequence_number;
        if let Some(expected) = self.next.take(found) {
            problems.entry(place, EntryFault::Sequence { expected, found });
        }
        match Timestamp::parse_rfc3339(&members.timestamp_utc) {
            Ok(time) => {
                if self.times.is_some_and(|(_, last)| time < last) {
                    problems.entry(place, EntryFault::Time);
                }
                self.times = Some((self.times.map_or(time, |(first, _)| first), time));
            }
            Err(error) => {
                problems.entry(
                    place,
                    Fault::OlderEntry(format!("`timestamp_utc`: {error}")),
                );
            }
        }
        if (members.entry_type == EntryType::SessionStart) != (place == 0) {
            problems.entry(place, EntryFault::Start);
        }
        if !self.same_session(members) {
            problems.entry(place, Fault::Session);
        }
    }

    /// Only a reset changes the session, and it names the closed one and the successor.
    fn same_session(&mut self, members: &Members) -> bool {
        let current = self
            .session
            .get_or_insert_with(|| members.session_id.clone());
        if *current != members.session_id || current.is_empty() {
            return false;
        }
        if self.sessions.len() < SESSIONS_MAX {
            self.sessions.insert(members.session_id.clone());
        }
        if members.entry_type != EntryType::SessionReset {
            return true;
        }
        let named = |name| members.detail.as_ref()?.get(name)?.as_str();
        let closed = named("closed_session_id") == Some(current.as_str());
        match named("successor_session_id") {
            Some(successor) if closed && !successor.is_empty() => {
                successor.clone_into(current);
                self.sessions.insert(successor.to_owned());
                true
            }
            Some(_) | None => false,
        }
    }

    fn note(&mut self, place: u64, members: &Members, on_call: &mut dyn FnMut(CallSeen<'_>)) {
        match members.entry_type {
            EntryType::SessionEnd => self.ended_at.clone_from(&members.session_sensitivity_after),
            EntryType::EgressDenied
            | EntryType::Fault
            | EntryType::SessionReset
            | EntryType::SessionStart
            | EntryType::ToolCall => self.ended_at = None,
            EntryType::AttestationRefresh
            | EntryType::AttestationStale
            | EntryType::BreakGlassUsed
            | EntryType::CatalogDrift
            | EntryType::CatalogLoad
            | EntryType::PolicyLoad
            | EntryType::SuspiciousCallSequence => {}
        }
        if members.entry_type != EntryType::ToolCall {
            return;
        }
        let call = CallSeen {
            entry: place,
            call_id: members.call_id.as_deref(),
            tool: members.tool_name.as_deref(),
            data_class: members.effective_data_class.as_deref(),
            verdict: match members.policy_decision {
                Some(Decision::Verdict(verdict)) => Some(verdict),
                Some(Decision::NotApplicable) | None => None,
            },
        };
        self.tally.note(&call);
        on_call(call);
    }

    pub(super) fn facts(&self) -> Option<ExportFacts> {
        let (genesis, tip) = self.ends?;
        let (first_time, last_time) = self.times?;
        let session = self.session.clone()?;
        Some(ExportFacts {
            format: Format::V07,
            session_id: session.clone(),
            final_session: session,
            size: self.length,
            root: None,
            genesis,
            tip,
            chain: Some(ChainFacts {
                root: genesis,
                tip,
                length: self.length,
            }),
            calls: self.tally.calls,
            actions: BTreeMap::new(),
            verdicts: self.tally.verdicts,
            tools: self.tally.tools.clone(),
            tools_unlisted: self.tally.tools_unlisted,
            first_time,
            last_time,
            ended_at: self.ended_at.clone(),
            start: None,
            policy: None,
            catalog: None,
            checkpoint: None,
            signer: None,
        })
    }

    /// Holds the entries against the document around them.
    pub(super) fn conclude(
        &self,
        document: &Value,
        key: Option<&PublicKey>,
        facts: &mut ExportFacts,
        problems: &mut Problems,
    ) {
        no_others(document, &MEMBERS, problems);
        if let Some(session) = text(document, "session_id", problems) {
            if !self.sessions.contains(session) {
                problems.document(Fault::OtherLog {
                    stated: session.to_owned(),
                    found: facts.final_session.clone(),
                });
            }
            session.clone_into(&mut facts.session_id);
        }
        let signature = document
            .get("bundle_signature")
            .and_then(Value::as_str)
            .and_then(|text| Signature::from_b64url(text).ok());
        let Some(signature) = signature else {
            return problems.document(Fault::SignatureMissing);
        };
        let Some(key) = key else { return };
        let mut hashed = self.hashed.clone();
        hashed.update(b"]");
        match key.verify(&hashed.finalize(), &signature) {
            Ok(()) => facts.signer = Some(*key),
            Err(_) => problems.document(Fault::SignatureInvalid),
        }
    }
}

const MEMBERS: [&str; 3] = ["session_id", "entries", "bundle_signature"];
/// Sessions remembered; each but the first is an operator's reset.
const SESSIONS_MAX: usize = 4_096;
