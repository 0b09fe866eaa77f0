//! The audit export beside a record or a claim: whole in itself, and about the same session.

use std::fmt;
use std::io::Read;

use cmcp_evidence::{PublicKey, Sha256Digest};
use cmcp_json::Value;

use super::claim::{Claim, bare};
use super::report::{Check, Field};
use crate::audit::{Mode, Text};
use crate::code::Code;
use crate::export::{self, CallSeen, ChainFacts, ExportFacts, ExportFailure, Fault, Format};
use crate::trust_record::TrustRecord;
use crate::verdict::Verdict;

/// Holds a plain record against its log; what comes back is the catalog the log names, in force at
/// the end.
pub(super) fn for_record(
    export: &mut dyn Read,
    record: &TrustRecord,
    key: &PublicKey,
    checks: &mut Vec<Check>,
) -> Option<Sha256Digest> {
    let mut comparison = Comparison::new(checks);
    let facts = comparison.read(export::check(export, Some(key)));
    match facts {
        Some(facts) if facts.format == Format::Ours => {
            comparison.record(record, &facts);
            comparison.conclude(&facts);
            facts.catalog
        }
        Some(_) => {
            comparison.kind("a record's log is proved by an export in this gateway's own format");
            None
        }
        None => {
            let faulty = "not compared: the audit export is faulty in itself";
            checks.push(Check::skip(Field::AuditChain, faulty));
            None
        }
    }
}

/// Holds a claim against its log, in either format.
pub(super) fn for_claim(
    export: &mut dyn Read,
    claim: &Claim,
    key: &PublicKey,
    checks: &mut Vec<Check>,
) {
    let mut calls = CallsCompared::new(claim);
    let read = export::check_calls(export, Some(key), &mut |call| calls.compare(call));
    let mut comparison = Comparison::new(checks);
    let Some(facts) = comparison.read(read) else {
        return;
    };
    comparison.claim(claim, &facts);
    if let Some((expected, found)) = calls.finish() {
        comparison.differs(
            Field::AuditBundle,
            Code::TranscriptMismatch,
            expected,
            found,
        );
    }
    comparison.conclude(&facts);
}

/// Collects what differs between a document and its log.
struct Comparison<'a> {
    checks: &'a mut Vec<Check>,
    before: usize,
}

impl<'a> Comparison<'a> {
    fn new(checks: &'a mut Vec<Check>) -> Self {
        let before = checks.len();
        Self { checks, before }
    }

    /// Reports what is wrong with the export in itself. Whole entries under a faulty document are
    /// compared all the same, so that every failure is listed; with a faulty entry among them they
    /// would only be blamed for the same fault twice.
    fn read(&mut self, read: Result<ExportFacts, Box<ExportFailure>>) -> Option<ExportFacts> {
        let failure = match read {
            Ok(facts) => return Some(facts),
            Err(failure) => failure,
        };
        let ExportFailure {
            problems,
            unlisted,
            facts,
        } = *failure;
        let whole = problems
            .iter()
            .all(|problem| problem.entry.is_none() && !matches!(problem.fault, Fault::Document(_)));
        for problem in problems {
            let code = problem.fault.code();
            self.differs(
                Field::AuditBundle,
                Code::ExportInvalid,
                "a whole export, signed by the record's key",
                format_args!("{problem} ({code})"),
            );
        }
        if unlisted > 0 {
            self.differs(
                Field::AuditBundle,
                Code::ExportInvalid,
                "a whole export, signed by the record's key",
                format_args!("{unlisted} more faults, not listed"),
            );
        }
        facts.filter(|_| whole)
    }

    fn differs(
        &mut self,
        field: Field,
        code: Code,
        expected: impl fmt::Display,
        actual: impl fmt::Display,
    ) {
        let check = Check::fail(field, code).expected(expected).actual(actual);
        self.checks.push(check);
    }

    /// One value that must be the same in both; the log has the word.
    fn same(
        &mut self,
        (field, code): (Field, Code),
        what: &str,
        logged: impl fmt::Display,
        stated: impl fmt::Display,
    ) {
        let (logged, stated) = (logged.to_string(), stated.to_string());
        if logged != stated {
            self.differs(
                field,
                code,
                format_args!("`{what}` {logged}, as in the log"),
                stated,
            );
        }
    }

    fn kind(&mut self, remedy: &'static str) {
        self.checks.push(
            Check::fail(Field::AuditBundle, Code::ExportKindMismatch)
                .expected("an export of type `cmcp.audit-export/v1`")
                .actual("an audit bundle of the Python cMCP's form")
                .remedy(remedy),
        );
    }

    fn record(&mut self, record: &TrustRecord, facts: &ExportFacts) {
        let chain = (Field::AuditChain, Code::TranscriptMismatch);
        let before = self.checks.len();
        let text = |path: &[&str]| record.text(path).unwrap_or("absent");
        let root = facts.root.unwrap_or(facts.genesis);
        let transcript = ["tool_transcript", "hash"];
        self.same(chain, "tool_transcript.hash", root, text(&transcript));
        let calls = record.integer(&["tool_transcript", "call_count"]);
        let calls = calls.map_or_else(|| "absent".to_owned(), |calls| calls.to_string());
        let logged = facts.outcomes();
        self.same(chain, "tool_transcript.call_count", logged, calls);
        if self.checks.len() == before {
            let size = facts.size;
            let passed = Check::pass(Field::AuditChain);
            self.checks
                .push(passed.actual(format_args!("{size} entries under {root}")));
        }
        self.sensitivity("data_class", text(&["data_class"]), facts);
        let policy = (Field::PolicyBundleHash, Code::PolicyMismatch);
        if let Some(logged) = facts.policy {
            let stated = text(&["policy", "bundle_hash"]);
            self.same(policy, "policy.bundle_hash", logged, stated);
        }
        if let Some(start) = &facts.start {
            let stated = text(&["build_provenance", "digest"]);
            let binary = (Field::AuditBundle, Code::BinaryMismatch);
            self.same(binary, "build_provenance.digest", start.binary, stated);
            // Where a denied call may pass, the record says so whatever the mode is called.
            let logged = match start.mode {
                Mode::Enforcing => "enforce",
                Mode::Advisory | Mode::Silent => "advisory",
            };
            let stated = text(&["policy", "enforcement_mode"]);
            self.same(policy, "policy.enforcement_mode", logged, stated);
        }
    }

    fn claim(&mut self, claim: &Claim, facts: &ExportFacts) {
        self.chain(claim, facts);
        let verdicts = &facts.verdicts;
        for (name, logged) in [
            ("tool_calls_total", facts.calls),
            ("tool_calls_allowed", verdicts.of(Verdict::Allow)),
            ("tool_calls_denied", verdicts.denied()),
            ("tool_calls_faulted", verdicts.of(Verdict::Fault)),
        ] {
            let stated = stated(claim, &["gateway", "call_summary", name]);
            self.same(LOG, name, logged, stated);
        }
        self.tools(claim, facts);
        for path in [
            &["trace", "data_class"][..],
            &["gateway", "call_summary", "session_max_sensitivity"],
        ] {
            self.sensitivity(&path.join("."), &stated(claim, path), facts);
        }
        for (field, code, path, logged) in [
            (
                Field::PolicyBundleHash,
                Code::PolicyMismatch,
                ["trace", "policy", "bundle_hash"],
                facts.policy,
            ),
            (
                Field::ToolCatalogHash,
                Code::CatalogMismatch,
                ["gateway", "catalog", "hash"],
                facts.catalog,
            ),
        ] {
            if let Some(logged) = logged {
                let stated = stated(claim, &path);
                self.same((field, code), &path.join("."), logged, stated);
            }
        }
    }

    /// What the session ended at, taken when no call could raise it any more.
    fn sensitivity(&mut self, what: &str, stated: &str, facts: &ExportFacts) {
        if let Some(logged) = &facts.ended_at {
            let ended = (Field::AuditBundle, Code::SensitivityMismatch);
            // The log cuts what is too long for an entry.
            self.same(ended, what, logged, Text::new(stated));
        }
    }

    fn chain(&mut self, claim: &Claim, facts: &ExportFacts) {
        match facts.chain {
            Some(ChainFacts { root, tip, length }) => {
                let stated = |name| stated(claim, &["gateway", "audit_chain", name]);
                self.same(LOG, "root", root.hex(), bare(&stated("root")));
                self.same(LOG, "tip", tip.hex(), bare(&stated("tip")));
                self.same(LOG, "length", length, stated("length"));
                let transcript = claim.text(&["trace", "tool_transcript", "hash"]);
                self.same(LOG, "tool_transcript.hash", tip.hex(), bare(transcript));
            }
            None => self.differs(LOG.0, LOG.1, "a chain", "a log without one"),
        }
        let calls = stated(claim, &["trace", "tool_transcript", "call_count"]);
        self.same(LOG, "tool_transcript.call_count", facts.calls, calls);
        let session = stated(claim, &["gateway", "session_id"]);
        self.same(LOG, "session_id", &facts.final_session, session);
    }

    fn tools(&mut self, claim: &Claim, facts: &ExportFacts) {
        let path = ["gateway", "call_summary", "tools_invoked"];
        let stated = claim
            .at(&path)
            .and_then(Value::as_array)
            .unwrap_or_default();
        let same = stated
            .iter()
            .map(Value::as_str)
            .eq(facts.tools.iter().map(|tool| Some(tool.as_str())));
        if facts.tools_unlisted == 0 && !same {
            self.differs(
                LOG.0,
                LOG.1,
                format_args!("the {} tools of the log in order", facts.tools.len()),
                format_args!("{} others", stated.len()),
            );
        }
    }

    /// The line for an export in which nothing is wrong.
    fn conclude(self, facts: &ExportFacts) {
        let failed = |check: &Check| check.field == Field::AuditBundle;
        if !self.checks.iter().skip(self.before).any(failed) {
            let ExportFacts { size, calls, .. } = facts;
            let mut seen = format!("{size} entries, {calls} calls");
            for (action, count) in &facts.actions {
                seen.push_str(&format!(", {count} {action}"));
            }
            self.checks
                .push(Check::pass(Field::AuditBundle).actual(seen));
        }
    }
}

const LOG: (Field, Code) = (Field::AuditBundle, Code::TranscriptMismatch);

/// What a claim says at this place, as text.
fn stated(claim: &Claim, path: &[&str]) -> String {
    claim.at(path).map_or_else(
        || "absent".to_owned(),
        |value| {
            let text = value.as_str().map(str::to_owned);
            text.unwrap_or_else(|| value.to_string())
        },
    )
}

/// The claim's list of calls, held against the log's as that streams by.
struct CallsCompared<'a> {
    stated: Option<std::slice::Iter<'a, Value>>,
    place: u64,
    differs: Option<(String, String)>,
}

impl<'a> CallsCompared<'a> {
    fn new(claim: &'a Claim) -> Self {
        let stated = claim.at(&["trace", "tool_transcript", "entries"]);
        Self {
            stated: stated.and_then(Value::as_array).map(<[Value]>::iter),
            place: 0,
            differs: None,
        }
    }

    fn compare(&mut self, call: CallSeen<'_>) {
        let place = self.place;
        self.place = place.saturating_add(1);
        let Some(stated) = &mut self.stated else {
            return;
        };
        let stated = stated.next();
        let text = |name: &str| {
            let member = stated.and_then(|stated| stated.get(name));
            member.and_then(Value::as_str).unwrap_or("absent")
        };
        let decision = call.verdict.map_or("n/a", Verdict::claim_word);
        let (tool, word) = (text("tool_name"), text("decision"));
        if (call.tool.is_some_and(|logged| logged != tool) || decision != word)
            && self.differs.is_none()
        {
            let logged = call.tool.unwrap_or_default();
            self.differs = Some((
                format!("call {place}: `{logged}` {decision}, as in the log"),
                format!("`{tool}` {word}"),
            ));
        }
    }

    /// The first difference, if there is one.
    fn finish(self) -> Option<(String, String)> {
        let more = self.stated.map_or(0, |rest| rest.count());
        self.differs.or_else(|| {
            (more > 0).then(|| {
                let logged = self.place;
                (
                    format!("{logged} calls, as in the log"),
                    format!("{more} more in the claim's transcript"),
                )
            })
        })
    }
}
