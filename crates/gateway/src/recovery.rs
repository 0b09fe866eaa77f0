//! Sessions that a crash left open: read back, closed, sealed. An intent without an outcome is
//! closed as unknown, because nobody knows what the upstream did.

use std::collections::BTreeMap;

use cmcp_evidence::{Sha256Digest, Timestamp};
use cmcp_policy::sensitivity::Vocabulary;
use cmcp_record::{
    audit::{
        Advice, BreakGlass, CallResult, Chain, Count, EntryFault, Exception, Findings, Intent,
        Kind, Outcome, Recovered, SessionEnd, SessionStart, Text, Texts,
    },
    claim::CatalogException,
    verdict::Verdict,
};

use crate::{
    keeper::{SealError, Sealing, Terms},
    ledger::{AppendRequest, Durability},
    rules::InForce,
    startup::{Gateway, StartError},
    store::{LogRow, Reader},
};

/// A log without an end.
#[derive(Debug)]
pub(crate) struct Orphan {
    pub(crate) log: LogRow,
    pub(crate) chain: Chain,
    /// Intents without an outcome, by sequence number.
    open: BTreeMap<u64, Intent>,
    sensitivity: Text,
    /// The end was written; only the records are missing.
    ended: bool,
    start: Option<Box<SessionStart>>,
    /// Hash and version of the policy that came into force last, where one did.
    policy: Option<(Sha256Digest, String)>,
    exceptions: Vec<CatalogException>,
}

impl Orphan {
    // Two lanes write outcomes, so that the last one need not be the highest.
    fn raise(&mut self, label: Text, vocabulary: &Vocabulary) {
        let rank = |label: &Text| {
            vocabulary
                .sensitivity(label.as_str())
                .map(|known| known.rank())
        };
        if rank(&label) > rank(&self.sensitivity) {
            self.sensitivity = label;
        }
    }
}

/// Reads back every log that was never closed.
pub(crate) fn find(reader: &Reader, vocabulary: &Vocabulary) -> Result<Vec<Orphan>, StartError> {
    reader
        .open_logs()?
        .into_iter()
        .map(|log| read(reader, log, vocabulary))
        .collect()
}

fn read(reader: &Reader, log: LogRow, vocabulary: &Vocabulary) -> Result<Orphan, StartError> {
    let mut orphan = Orphan {
        chain: Chain::new(&log.id),
        open: BTreeMap::new(),
        sensitivity: Text::new("public"),
        ended: false,
        start: None,
        policy: None,
        exceptions: Vec::new(),
        log,
    };
    let key = orphan.log.key;
    let read = reader.entries(key, &mut |bytes| {
        let entry = orphan.chain.take(bytes)?;
        orphan.ended = false;
        match entry.kind {
            Kind::Intent(intent) => {
                orphan.open.insert(entry.seq, *intent);
            }
            Kind::Outcome(outcome) => {
                if let Some(seq) = outcome.intent_seq {
                    orphan.open.remove(&seq.get());
                }
                orphan.raise(outcome.sensitivity_after, vocabulary);
            }
            Kind::SessionStart(start) => {
                orphan.sensitivity = start.sensitivity.clone();
                orphan.start = Some(start);
            }
            Kind::SessionEnd(end) => {
                orphan.sensitivity = end.sensitivity;
                orphan.ended = true;
            }
            Kind::PolicyLoad(load) => {
                orphan.policy = Some((load.policy, load.version.to_string()));
            }
            Kind::BreakGlass(exception) => orphan.exceptions.extend(listed(&exception, entry.time)),
            Kind::AttestationRefresh(_)
            | Kind::AttestationStale(_)
            | Kind::CatalogDrift(_)
            | Kind::CatalogLoad(_)
            | Kind::Declarations(_)
            | Kind::EraDowngrade(_)
            | Kind::ForeignSession(_)
            | Kind::KillSwitch(_)
            | Kind::Recovered(_)
            | Kind::SessionReset(_)
            | Kind::SuspiciousSequence(_) => {}
        }
        Ok::<(), EntryFault>(())
    })?;
    if let Err(fault) = read {
        return Err(broken(reader, orphan.log, &fault));
    }
    Ok(orphan)
}

/// Reading stopped at the first entry that did not fit; which one is to blame, its neighbours tell.
fn broken(reader: &Reader, log: LogRow, fault: &EntryFault) -> StartError {
    match reader.examine(&log, None) {
        Ok(found) => StartError::BrokenLog {
            session: log.id,
            cause: found
                .problems
                .first()
                .map_or_else(|| fault.to_string(), ToString::to_string),
        },
        Err(error) => error.into(),
    }
}

/// The tools of an exception, as an envelope lists them.
fn listed(exception: &BreakGlass, added_at: Timestamp) -> Vec<CatalogException> {
    match exception.exception {
        Exception::Added => {}
        Exception::Expired | Exception::Used => return Vec::new(),
    }
    let of = |tool: &str| CatalogException {
        tool_name: tool.to_owned(),
        reason: exception.reason.to_string(),
        authorized_by: exception.authorized_by.to_string(),
        added_at,
    };
    exception.tools.iter().map(of).collect()
}

impl Orphan {
    /// What the session ran under, which need not be what runs now.
    fn terms(&self, running: &InForce) -> Result<Terms, SealError> {
        let start = self
            .start
            .as_ref()
            .ok_or_else(|| SealError::Log("it has no first entry".to_owned()))?;
        let (hash, version) = match &self.policy {
            Some((hash, version)) => (*hash, version.as_str()),
            // Its first entry names the policy by its hash alone.
            None => (start.policy, UNKNOWN),
        };
        let policy = if hash == running.hash {
            running.clone()
        } else {
            InForce {
                hash,
                version: version.to_owned(),
                signed: None,
            }
        };
        Ok(Terms {
            policy,
            catalog: start.catalog,
            binary: start.binary,
            mode: start.mode,
            exceptions: self.exceptions.clone(),
        })
    }
}

impl Gateway {
    /// Closes and seals what a crash left open; the number of sessions.
    pub(crate) async fn seal_orphans(&self, orphans: Vec<Orphan>) -> Result<usize, StartError> {
        let count = orphans.len();
        for orphan in orphans {
            let session = orphan.log.id.clone();
            tracing::warn!(%session, "sealing a session that was left open");
            self.seal_orphan(orphan).await.map_err(|cause| {
                StartError::Store(format!("session `{session}` could not be sealed: {cause}"))
            })?;
        }
        Ok(count)
    }

    async fn seal_orphan(&self, orphan: Orphan) -> Result<(), SealError> {
        let terms = orphan.terms(&self.rules().bundle)?;
        let Orphan {
            log,
            chain,
            open,
            sensitivity,
            ended,
            ..
        } = orphan;
        let (mut root, mut calls) = (chain.root(), chain.calls());
        for kind in if ended {
            Vec::new()
        } else {
            self.last_words(&chain, open, &sensitivity)
        } {
            let request = AppendRequest::plain(log.key, kind, Durability::Disk);
            let receipt = self.ledger.append(request).await?;
            (root, calls) = (receipt.root, receipt.calls);
        }
        let LogRow {
            key,
            id,
            principal,
            label,
            ..
        } = log;
        let data_class = sensitivity.as_str().to_owned();
        self.seal(Sealing {
            log: key,
            id,
            principal,
            label,
            root,
            calls,
            data_class,
            terms,
        })
        .await?;
        Ok(())
    }

    fn last_words(
        &self,
        chain: &Chain,
        open: BTreeMap<u64, Intent>,
        sensitivity: &Text,
    ) -> Vec<Kind> {
        let recovered = Kind::Recovered(Recovered {
            binary: self.settings.binary_digest,
            entries: Count::new(chain.size()),
            open_intents: Count::new(u64::try_from(open.len()).unwrap_or(u64::MAX)),
        });
        let unknown = open
            .into_iter()
            .map(|(seq, intent)| unknown(seq, intent, sensitivity));
        let end = SessionEnd {
            reason: Text::new("recovered"),
            sensitivity: sensitivity.clone(),
            successor: None,
        };
        let ends = [recovered].into_iter().chain(unknown);
        ends.chain([Kind::SessionEnd(end)]).collect()
    }
}

fn unknown(seq: u64, intent: Intent, sensitivity: &Text) -> Kind {
    Kind::Outcome(Box::new(Outcome {
        call: intent.call,
        advice: Advice::default(),
        code: Some(Text::new("outcome_unknown")),
        compliance_domain: Text::new(UNKNOWN),
        data_class: sensitivity.clone(),
        findings: Findings::default(),
        intent_seq: Some(Count::new(seq)),
        labels: Texts::default(),
        latency_us: Count::new(0),
        redactions: Texts::default(),
        request_plain: None,
        response: None,
        response_plain: None,
        result: CallResult::OutcomeUnknown,
        sensitivity_after: sensitivity.clone(),
        session_label: None,
        verdict: Verdict::Fault,
        workflow_id: None,
        would_have_denied: false,
    }))
}

/// What nobody wrote down.
const UNKNOWN: &str = "unknown";

#[cfg(test)]
mod tests;
