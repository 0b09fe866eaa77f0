//! Sessions that a crash left open: read back, closed, sealed. An intent without an outcome is
//! closed as unknown, because nobody knows what the upstream did.

use std::collections::BTreeMap;

use cmcp_record::{
    audit::{
        Advice, CallResult, Chain, Count, Findings, Intent, Kind, Outcome, Recovered, SessionEnd,
        Text, Texts,
    },
    verdict::Verdict,
};

use crate::{
    keeper::{SealError, Sealing},
    ledger::{AppendRequest, Durability},
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
}

/// Reads back every log that was never closed.
pub(crate) fn find(reader: &Reader) -> Result<Vec<Orphan>, StartError> {
    reader
        .open_logs()?
        .into_iter()
        .map(|log| read(reader, log))
        .collect()
}

fn read(reader: &Reader, log: LogRow) -> Result<Orphan, StartError> {
    let mut orphan = Orphan {
        chain: Chain::new(&log.id),
        open: BTreeMap::new(),
        sensitivity: Text::new("public"),
        ended: false,
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
                orphan.sensitivity = outcome.sensitivity_after;
            }
            Kind::SessionStart(start) => orphan.sensitivity = start.sensitivity,
            Kind::SessionEnd(_) => orphan.ended = true,
            Kind::AttestationRefresh(_)
            | Kind::AttestationStale(_)
            | Kind::BreakGlass(_)
            | Kind::CatalogDrift(_)
            | Kind::CatalogLoad(_)
            | Kind::Declarations(_)
            | Kind::KillSwitch(_)
            | Kind::PolicyLoad(_)
            | Kind::Recovered(_)
            | Kind::SessionReset(_)
            | Kind::SuspiciousSequence(_) => {}
        }
        Ok::<(), cmcp_record::audit::EntryFault>(())
    })?;
    read.map_err(|fault| StartError::BrokenLog {
        session: orphan.log.id.clone(),
        cause: format!("entry {}: {fault}", orphan.chain.size().saturating_sub(1)),
    })?;
    Ok(orphan)
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
        let Orphan {
            log,
            chain,
            open,
            sensitivity,
            ended,
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
        compliance_domain: Text::new("unknown"),
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
