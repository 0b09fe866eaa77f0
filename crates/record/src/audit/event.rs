//! Everything an entry can say.

use std::fmt;

use cmcp_evidence::{Sha256Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    action::Item,
    call::{Intent, Outcome, Server},
    declarations::Declarations,
    entry::time,
    text::{Count, Text, Texts},
};

/// What happened.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// Evidence was renewed.
    AttestationRefresh(AttestationRefresh),
    /// Evidence is past its validity.
    AttestationStale(AttestationStale),
    /// The operator let something through, or took it back.
    BreakGlass(BreakGlass),
    /// A server offers something else than what was approved.
    CatalogDrift(CatalogDrift),
    /// A catalog came into force.
    CatalogLoad(CatalogLoad),
    /// A server's complete list of tools, or of something else it offers, was read.
    Declarations(Declarations),
    /// A server that spoke a newer era of the protocol speaks an older one.
    EraDowngrade(EraDowngrade),
    /// The principal named another one's transport session.
    ForeignSession(ForeignSession),
    /// A call is about to be dispatched.
    Intent(Box<Intent>),
    /// The kill switch was thrown or lifted.
    KillSwitch(KillSwitch),
    /// A call ended, however it ended.
    Outcome(Box<Outcome>),
    /// A policy bundle came into force.
    PolicyLoad(PolicyLoad),
    /// The log was opened again after the gateway stopped without closing it.
    Recovered(Recovered),
    /// The session ended.
    SessionEnd(SessionEnd),
    /// The operator lowered the session's sensitivity; the log goes on for the successor.
    SessionReset(SessionReset),
    /// The session began. The first entry of every log, and nowhere else.
    SessionStart(Box<SessionStart>),
    /// One tool was called many times in a row; once per run.
    SuspiciousSequence(SuspiciousSequence),
}

impl Kind {
    /// The word in the log.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::AttestationRefresh(_) => "attestation_refresh",
            Self::AttestationStale(_) => "attestation_stale",
            Self::BreakGlass(_) => "break_glass",
            Self::CatalogDrift(_) => "catalog_drift",
            Self::CatalogLoad(_) => "catalog_load",
            Self::Declarations(_) => "declarations",
            Self::EraDowngrade(_) => "era_downgrade",
            Self::ForeignSession(_) => "foreign_session",
            Self::Intent(_) => "intent",
            Self::KillSwitch(_) => "kill_switch",
            Self::Outcome(_) => "outcome",
            Self::PolicyLoad(_) => "policy_load",
            Self::Recovered(_) => "recovered",
            Self::SessionEnd(_) => "session_end",
            Self::SessionReset(_) => "session_reset",
            Self::SessionStart(_) => "session_start",
            Self::SuspiciousSequence(_) => "suspicious_sequence",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The session began.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SessionStart {
    /// Digest of the running executable.
    pub binary: Sha256Digest,
    /// Hash of the catalog.
    pub catalog: Sha256Digest,
    /// Digest of the effective configuration.
    pub config: Sha256Digest,
    /// What is durable before the reply to a read-only call.
    pub durability_read: Durability,
    /// What is durable before any other call is dispatched.
    pub durability_write: Durability,
    /// Digest of the attestation evidence in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Sha256Digest>,
    /// The sensitivity is the predecessor's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inherited: bool,
    /// The caller's own name for the session; without meaning to us.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Text>,
    /// What happens to a call that policy denies.
    pub mode: Mode,
    /// Where the gateway runs.
    pub platform: Text,
    /// Hash of the policy bundle.
    pub policy: Sha256Digest,
    /// The session before this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<Text>,
    /// Who may use the session.
    pub principal: Text,
    /// How often a trust record is made.
    pub record_per: RecordPer,
    /// Sensitivity at the start.
    pub sensitivity: Text,
}

/// What a write survives.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Loss of power.
    Disk,
    /// The end of the process.
    Process,
}

/// What happens to a call that policy denies.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It passes; caller and log are told.
    Advisory,
    /// It is refused.
    Enforcing,
    /// It passes; the log is told.
    Silent,
}

impl Mode {
    /// The configuration's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Advisory => "advisory",
            Self::Enforcing => "enforcing",
            Self::Silent => "silent",
        }
    }
}

/// How often a trust record is made.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordPer {
    /// For every call, and when the session ends.
    Call,
    /// When the session ends.
    Session,
}

/// A server that spoke a newer era of the protocol speaks an older one: its operator went back, or
/// somebody on the way made it look so.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EraDowngrade {
    /// Protocol revision it spoke before.
    pub from: Text,
    /// The server.
    pub server: Server,
    /// Protocol revision it speaks now.
    pub to: Text,
}

/// The principal named another one's transport session, and was answered as if there were none.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ForeignSession {
    /// SHA-256 of the id that it named.
    pub named: Sha256Digest,
}

/// The session ended.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SessionEnd {
    /// Why.
    pub reason: Text,
    /// Sensitivity at the end.
    pub sensitivity: Text,
    /// The session after this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor: Option<Text>,
}

/// The operator lowered the session's sensitivity.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SessionReset {
    /// The session that was closed.
    pub closed: Text,
    /// Why.
    pub reason: Text,
    /// Resets so far.
    pub reset_count: Count,
    /// Sensitivity from here on.
    pub sensitivity: Text,
    /// Sensitivity the closed session had reached.
    pub sensitivity_before: Text,
    /// The session that goes on.
    pub successor: Text,
}

/// A server offers something else than what was approved.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CatalogDrift {
    /// Where the first of them differs: `added`, `changed` or `removed`, and a JSON Pointer.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub places: Texts,
    /// The server's name in the catalog.
    pub server: Text,
    /// Number of tools that differ, or of whatever else.
    pub tool_count: Count,
    /// The first of them.
    pub tools: Vec<Drifted>,
}

impl CatalogDrift {
    /// The tools of `server` that differ, and whatever else it offers.
    pub fn new(server: Text, tools: impl IntoIterator<Item = Drifted>) -> Self {
        let mut count = 0u64;
        let mut kept = Vec::new();
        for tool in tools {
            count = count.saturating_add(1);
            if kept.len() < ELEMENTS_MAX {
                kept.push(tool);
            }
        }
        Self {
            places: Texts::default(),
            server,
            tool_count: Count::new(count),
            tools: kept,
        }
    }

    /// The same, with the places where the first tool differs.
    #[must_use]
    pub fn at(self, places: Texts) -> Self {
        Self { places, ..self }
    }
}

/// A tool, or something else, that is not what was approved.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Drifted {
    /// Digest of the approved definition.
    pub approved: Sha256Digest,
    /// What it is; absent when it is a tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Item>,
    /// Digest of the definition offered; absent when it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offered: Option<Sha256Digest>,
    /// Its name or URI.
    pub tool: Text,
}

/// Evidence is past its validity.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct AttestationStale {
    /// When it was collected.
    #[serde(with = "time")]
    pub collected: Timestamp,
    /// Where the gateway runs.
    pub platform: Text,
    /// How long it counts.
    pub validity_seconds: Count,
}

/// Evidence was renewed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct AttestationRefresh {
    /// When it was collected.
    #[serde(with = "time")]
    pub collected: Timestamp,
    /// Its digest.
    pub evidence: Sha256Digest,
    /// Where the gateway runs.
    pub platform: Text,
    /// How long it counts.
    pub validity_seconds: Count,
}

/// A policy bundle came into force.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct PolicyLoad {
    /// Its hash.
    pub policy: Sha256Digest,
    /// The one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Sha256Digest>,
    /// Its version.
    pub version: Text,
}

/// A catalog came into force.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CatalogLoad {
    /// Its hash.
    pub catalog: Sha256Digest,
    /// The one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Sha256Digest>,
}

/// The log was opened again after the gateway stopped without closing it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Recovered {
    /// Digest of the executable that opened it.
    pub binary: Sha256Digest,
    /// Entries found.
    pub entries: Count,
    /// Intents found without an outcome; each is closed as `outcome-unknown`.
    pub open_intents: Count,
}

/// The operator let something through, or took it back.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BreakGlass {
    /// Who allowed it.
    pub authorized_by: Text,
    /// What happened to the exception.
    pub exception: Exception,
    /// When it ends by itself.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::optional"
    )]
    pub expires: Option<Timestamp>,
    /// Why.
    pub reason: Text,
    /// The tools.
    pub tools: Texts,
}

/// What happened to an exception.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exception {
    /// It came into force.
    Added,
    /// Its time ran out.
    Expired,
    /// A call made use of it.
    Used,
}

impl Exception {
    /// The word in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Expired => "expired",
            Self::Used => "used",
        }
    }
}

/// The kill switch was thrown or lifted.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct KillSwitch {
    /// The agent it concerns.
    pub agent: Text,
    /// Who did it; absent when the deny rate did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorized_by: Option<Text>,
    /// Why.
    pub reason: Text,
    /// Which way.
    pub switched: Switched,
}

/// Which way the kill switch went.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Switched {
    /// Calls are refused.
    Tripped,
    /// Calls are let through again.
    Unblocked,
}

impl Switched {
    /// The word in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tripped => "tripped",
            Self::Unblocked => "unblocked",
        }
    }
}

/// One tool was called many times in a row.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SuspiciousSequence {
    /// Calls in a row so far.
    pub count: Count,
    /// The tool.
    pub tool: Text,
}

/// Elements listed one by one; the count tells how many there are.
pub(super) const ELEMENTS_MAX: usize = 64;
