//! Our format, entry by entry.

use std::collections::BTreeMap;

use cmcp_evidence::{PublicKey, Sha256Digest, Signature, Timestamp};
use cmcp_json::Value;

use super::{
    checkpoint::{Checkpoint, SignedCheckpoint},
    intents::Intents,
    problem::{Fault, Problems},
    read::{CallSeen, ChainFacts, ExportFacts, Format, Tally, no_others, text},
};
use crate::{
    audit::{Action, Chain, Entry, EntryFault, Kind, Outcome, SessionStart, Text},
    tree::{self, Frontier},
};

/// The entries so far.
#[derive(Debug)]
pub(super) struct Ours {
    chain: Chain,
    tally: Tally,
    actions: BTreeMap<Action, u64>,
    doubt: Doubt,
    intents: Intents,
    ended_at: Option<Text>,
    times: Option<(Timestamp, Timestamp)>,
    ends: Option<(Sha256Digest, Sha256Digest)>,
    start: Option<Box<SessionStart>>,
    policy: Option<Sha256Digest>,
    catalog: Option<Sha256Digest>,
}

/// Which entry a broken link speaks against. An entry that was altered breaks the link behind it, and
/// the one before it too if its `prev` was altered: only the next entry tells which it was.
#[derive(Debug, Default)]
struct Doubt {
    /// The link into the last entry is broken, and no entry has been blamed for it.
    open: Option<Suspect>,
    /// The last entry has been blamed for something.
    blamed: bool,
}

/// The last entry, as it would be if only its `prev` had been altered.
#[derive(Debug)]
struct Suspect {
    before: Frontier,
    leaf: Option<Sha256Digest>,
}

impl Default for Ours {
    fn default() -> Self {
        Self {
            chain: Chain::unnamed(),
            tally: Tally::default(),
            actions: BTreeMap::new(),
            doubt: Doubt::default(),
            intents: Intents::default(),
            ended_at: None,
            times: None,
            ends: None,
            start: None,
            policy: None,
            catalog: None,
        }
    }
}

impl Ours {
    pub(super) fn size(&self) -> u64 {
        self.chain.size()
    }

    pub(super) fn entry(
        &mut self,
        bytes: &[u8],
        problems: &mut Problems,
        on_call: &mut dyn FnMut(CallSeen<'_>),
    ) {
        let place = self.chain.size();
        let prev = self.chain.prev();
        let before = self.chain.tree().clone();
        let digest = Sha256Digest::of(bytes);
        let followed = self.chain.follow(bytes);
        self.ends = Some((self.ends.map_or(digest, |(first, _)| first), digest));
        let suspect = || {
            let repaired = followed.entry.clone().map(|entry| Entry { prev, ..entry });
            let leaf = repaired
                .and_then(|entry| entry.to_bytes().ok())
                .map(|b| tree::leaf(&b));
            Suspect { before, leaf }
        };
        self.doubt.judge(place, &followed.faults, suspect, problems);
        if let Some(entry) = &followed.entry {
            self.note(place, entry, on_call);
        }
    }

    fn note(&mut self, place: u64, entry: &Entry, on_call: &mut dyn FnMut(CallSeen<'_>)) {
        self.times = Some((
            self.times.map_or(entry.time, |(first, _)| first),
            entry.time,
        ));
        match &entry.kind {
            Kind::Intent(intent) => self.intents.begin((place, entry.seq), &intent.call),
            Kind::Outcome(outcome) => self.note_call(place, outcome, on_call),
            Kind::SessionEnd(end) => {
                self.intents.end();
                self.ended_at = Some(end.sensitivity.clone());
            }
            Kind::SessionReset(_) => self.ended_at = None,
            Kind::SessionStart(start) => {
                self.policy = Some(start.policy);
                self.catalog = Some(start.catalog);
                self.start.get_or_insert_with(|| start.clone());
            }
            Kind::PolicyLoad(load) => self.policy = Some(load.policy),
            Kind::CatalogLoad(load) => self.catalog = Some(load.catalog),
            Kind::AttestationRefresh(_)
            | Kind::AttestationStale(_)
            | Kind::BreakGlass(_)
            | Kind::CatalogDrift(_)
            | Kind::Declarations(_)
            | Kind::EraDowngrade(_)
            | Kind::ForeignSession(_)
            | Kind::KillSwitch(_)
            | Kind::Recovered(_)
            | Kind::SuspiciousSequence(_) => {}
        }
    }

    fn note_call(&mut self, place: u64, outcome: &Outcome, on_call: &mut dyn FnMut(CallSeen<'_>)) {
        self.ended_at = None;
        self.intents.finish(place, outcome);
        if let Some(action) = outcome.call.action {
            let count = self.actions.entry(action).or_default();
            *count = count.saturating_add(1);
            return;
        }
        let call = CallSeen {
            entry: place,
            call_id: Some(&outcome.call.call_id),
            tool: Some(&outcome.call.tool),
            data_class: Some(&outcome.data_class),
            verdict: Some(outcome.verdict),
        };
        self.tally.note(&call);
        on_call(call);
    }

    pub(super) fn facts(&self) -> Option<ExportFacts> {
        let (genesis, tip) = self.ends?;
        let (first_time, last_time) = self.times?;
        let projector = self.chain.projector();
        Some(ExportFacts {
            format: Format::Ours,
            session_id: self.chain.log().to_owned(),
            final_session: projector.session().to_owned(),
            size: self.chain.size(),
            root: Some(self.chain.root()),
            genesis,
            tip,
            chain: projector.ends().map(|ends| ChainFacts {
                root: ends.root,
                tip: ends.tip,
                length: projector.length(),
            }),
            calls: self.tally.calls,
            actions: self.actions.clone(),
            verdicts: self.tally.verdicts,
            tools: self.tally.tools.clone(),
            tools_unlisted: self.tally.tools_unlisted,
            first_time,
            last_time,
            ended_at: self.ended_at.as_ref().map(ToString::to_string),
            start: self.start.clone(),
            policy: self.policy,
            catalog: self.catalog,
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
        if document.get("type").and_then(Value::as_str) != Some(TYPE) {
            problems.document(Fault::Member("type".to_owned()));
        }
        if let Some(session) = text(document, "session_id", problems) {
            self.same_log(session, problems);
            session.clone_into(&mut facts.session_id);
        }
        self.conclude_signed(document, key, facts, problems);
        self.intents.report(problems);
    }

    fn conclude_signed(
        &self,
        document: &Value,
        key: Option<&PublicKey>,
        facts: &mut ExportFacts,
        problems: &mut Problems,
    ) {
        let Some(signed) = signed(document, problems) else {
            self.doubt.close(self.size(), None, problems);
            return;
        };
        let expected = key.unwrap_or(&signed.key);
        if *expected != signed.key {
            problems.document(Fault::KeyMismatch);
        }
        match signed.verify(expected) {
            Ok(()) => facts.signer = Some(*expected),
            Err(_) => problems.document(Fault::SignatureInvalid),
        }
        self.hold_against(&signed.checkpoint, facts.signer, problems);
        facts.checkpoint = Some(signed);
    }

    /// Holds the entries against the log they should be.
    pub(super) fn examined(
        &self,
        log: &str,
        signed: Option<&SignedCheckpoint>,
        problems: &mut Problems,
    ) {
        if self.size() == 0 {
            problems.document(Fault::Empty);
            return;
        }
        self.same_log(log, problems);
        match signed {
            None => self.doubt.close(self.size(), None, problems),
            Some(signed) => {
                let signer = signed.verify(&signed.key).ok().map(|()| signed.key);
                if signer.is_none() {
                    problems.document(Fault::SignatureInvalid);
                }
                self.hold_against(&signed.checkpoint, signer, problems);
            }
        }
        self.intents.report(problems);
    }

    /// Only a checkpoint that somebody signed tells which entry was altered.
    fn hold_against(
        &self,
        checkpoint: &Checkpoint,
        signer: Option<PublicKey>,
        problems: &mut Problems,
    ) {
        self.same_log(&checkpoint.log, problems);
        let size = self.size();
        let root = signer.map(|_| checkpoint.root);
        self.doubt.close(size, root, problems);
        if checkpoint.size != size {
            problems.document(Fault::Size {
                stated: checkpoint.size,
                found: size,
            });
        } else if checkpoint.root != self.chain.root() {
            // Links vouch for all entries but the last.
            match size.checked_sub(1) {
                Some(last) if signer.is_some() && problems.is_empty() => {
                    problems.entry(last, Fault::Altered);
                }
                Some(_) | None => problems.document(Fault::Root),
            }
        }
    }

    fn same_log(&self, stated: &str, problems: &mut Problems) {
        if stated != self.chain.log() {
            problems.document(Fault::OtherLog {
                stated: stated.to_owned(),
                found: self.chain.log().to_owned(),
            });
        }
    }
}

impl Doubt {
    fn judge(
        &mut self,
        place: u64,
        faults: &[EntryFault],
        suspect: impl FnOnce() -> Suspect,
        problems: &mut Problems,
    ) {
        let link = faults.contains(&EntryFault::Link);
        let mut explained = self.blamed;
        if self.open.take().is_some() {
            // Both its links are broken, or only the one that the entry before it broke.
            let back = if link { 1 } else { 2 };
            problems.entry(place.saturating_sub(back), Fault::Altered);
            explained = true;
        }
        self.blamed = false;
        for fault in faults.iter().filter(|fault| **fault != EntryFault::Link) {
            problems.entry(place, fault.clone());
            self.blamed = true;
        }
        if !link || explained || self.blamed {
            return;
        }
        if place == 0 {
            problems.entry(place, EntryFault::Link);
            self.blamed = true;
        } else {
            self.open = Some(suspect());
        }
    }

    /// After the last entry: the signed root tells whether only its `prev` was altered.
    fn close(&self, size: u64, root: Option<Sha256Digest>, problems: &mut Problems) {
        let Some(Suspect { before, leaf }) = &self.open else {
            return;
        };
        let repaired = leaf.map(|leaf| {
            let mut tree = before.clone();
            tree.push(leaf);
            tree.root()
        });
        let back = if root.is_some() && repaired == root {
            1
        } else {
            2
        };
        problems.entry(size.saturating_sub(back), Fault::Altered);
    }
}

fn signed(document: &Value, problems: &mut Problems) -> Option<SignedCheckpoint> {
    let checkpoint = document.get("checkpoint").and_then(Checkpoint::from_value);
    if checkpoint.is_none() {
        problems.document(Fault::CheckpointMalformed);
    }
    let key = document.get("key").and_then(|jwk| {
        let key = PublicKey::from_b64url(jwk.get("x")?.as_str()?).ok()?;
        (key.jwk() == *jwk).then_some(key)
    });
    if key.is_none() {
        problems.document(Fault::Member("key".to_owned()));
    }
    let signature = document
        .get("signature")
        .and_then(Value::as_str)
        .and_then(|text| Signature::from_b64url(text).ok());
    if signature.is_none() {
        problems.document(Fault::SignatureMissing);
    }
    Some(SignedCheckpoint {
        checkpoint: checkpoint?,
        key: key?,
        signature: signature?,
    })
}

pub(super) const TYPE: &str = "cmcp.audit-export/v1";
const MEMBERS: [&str; 6] = [
    "type",
    "session_id",
    "entries",
    "checkpoint",
    "key",
    "signature",
];
