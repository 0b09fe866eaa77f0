//! What a session's log is told of the world around it: the policy that came into force, exceptions,
//! evidence that grew old, tools that drifted. Each is told once, and before the first call that it
//! is true for.

use std::{collections::BTreeMap, sync::Arc};

use cmcp_evidence::{Sha256Digest, Timestamp};
use cmcp_policy::{
    catalog::{Approved, ItemKind},
    engine::Principal,
};
use cmcp_record::{
    audit::{
        AttestationRefresh, AttestationStale, BreakGlass, CatalogDrift, Count, Drifted,
        Exception as Happened, ForeignSession, Kind, PolicyLoad, SuspiciousSequence, Text, Texts,
    },
    claim::CatalogException,
};
use futures_util::StreamExt;

use crate::{
    ledger::{AppendRequest, Durability, LedgerError},
    rules::{Exception, InForce, Rules},
    sessions::{First, Session},
    startup::Gateway,
    upstream::Drift,
};

/// What a session's log has been told.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    // Of which rules. Older ones are never told of any more.
    generation: u64,
    policy: InForce,
    exceptions: Vec<Told>,
    // When the evidence was collected that was said to be stale.
    stale: Option<Timestamp>,
    // What each drifted tool was said to be.
    drifts: BTreeMap<String, Drift>,
    // The last entry is queued.
    ended: bool,
}

#[derive(Clone, Debug)]
struct Told {
    exception: Arc<Exception>,
    ended: bool,
}

impl Noted {
    /// What the first entry of a log tells of the rules it begins under.
    pub(crate) fn first(rules: &Rules) -> Self {
        Self {
            generation: 0,
            policy: rules.bundle.clone(),
            exceptions: Vec::new(),
            stale: None,
            drifts: BTreeMap::new(),
            ended: false,
        }
    }

    /// The log's last entry is queued: it is told nothing any more.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// The last entry was not written after all.
    pub(crate) fn go_on(&mut self) {
        self.ended = false;
    }

    /// The policy in force, as far as the log knows.
    pub(crate) fn policy(&self) -> &InForce {
        &self.policy
    }

    /// Every exception that the log has been told of, as the envelope lists them.
    pub(crate) fn exceptions(&self) -> Vec<CatalogException> {
        let listed = |told: &Told| {
            let exception = Arc::clone(&told.exception);
            let of = move |tool_name: &String| CatalogException {
                tool_name: tool_name.clone(),
                reason: exception.reason.clone(),
                authorized_by: exception.authorized_by.clone(),
                added_at: exception.added,
            };
            told.exception.tools.iter().map(of).collect::<Vec<_>>()
        };
        self.exceptions.iter().flat_map(listed).collect()
    }

    /// Takes these rules over; what the log has to be told of them.
    fn follow(&mut self, rules: &Rules) -> Vec<Kind> {
        if self.generation >= rules.generation {
            return Vec::new();
        }
        self.generation = rules.generation;
        let mut kinds = Vec::new();
        if self.policy.hash != rules.bundle.hash {
            kinds.push(Kind::PolicyLoad(PolicyLoad {
                policy: rules.bundle.hash,
                previous: Some(self.policy.hash),
                version: Text::new(&rules.bundle.version),
            }));
        }
        self.policy = rules.bundle.clone();
        for told in &mut self.exceptions {
            let in_force = rules
                .exceptions
                .iter()
                .any(|exception| Arc::ptr_eq(exception, &told.exception));
            if !in_force && !told.ended {
                told.ended = true;
                kinds.push(break_glass(&told.exception, Happened::Expired));
            }
        }
        for exception in &rules.exceptions {
            let known = |told: &Told| Arc::ptr_eq(&told.exception, exception);
            if !self.exceptions.iter().any(known) {
                kinds.push(break_glass(exception, Happened::Added));
                self.exceptions.push(Told {
                    exception: Arc::clone(exception),
                    ended: false,
                });
            }
        }
        kinds
    }
}

impl Gateway {
    /// Waits until the log has its first entry. A session that could not begin is forgotten, so that
    /// the next call begins another.
    pub(crate) async fn begun(&self, session: &Arc<Session>) -> Result<(), LedgerError> {
        let mut first = session.first().lock().await;
        let known = match std::mem::replace(&mut *first, First::Nobody) {
            First::Known(known) => known,
            First::Queued(pending) => self.ledger.receive(pending).await.map(|_| ()),
            First::Nobody => Err(LedgerError::Entry("the log was never opened".to_owned())),
        };
        *first = First::Known(known.clone());
        if known.is_err() {
            self.sessions.remove(session);
        }
        known
    }

    /// Tells the log what has changed in the rules since it was last told.
    pub(crate) async fn catch_up(
        &self,
        session: &Session,
        rules: &Rules,
    ) -> Result<(), LedgerError> {
        // Nearly every call's case.
        if session.noted().generation >= rules.generation {
            return Ok(());
        }
        self.tell(session, |noted| noted.follow(rules)).await
    }

    /// Tells every open session's log what has changed. Those that cannot be told now are told
    /// before their next call.
    pub(crate) async fn tell_all(&self) {
        let rules = self.rules();
        let rules = &rules;
        self.for_all(|session| async move { self.catch_up(&session, rules).await })
            .await;
    }

    /// The evidence is past its validity, and calls arrive.
    pub(crate) async fn note_stale(&self, session: &Session) -> Result<(), LedgerError> {
        let collected = self.evidence.collected();
        let entry = || {
            Kind::AttestationStale(AttestationStale {
                collected,
                platform: Text::new(self.evidence.platform_name()),
                validity_seconds: Count::new(self.evidence.validity().as_secs()),
            })
        };
        self.tell(session, |noted| {
            let told = noted.stale.replace(collected) == Some(collected);
            if told { Vec::new() } else { vec![entry()] }
        })
        .await
    }

    /// The evidence was renewed.
    pub(crate) async fn note_refresh(&self) {
        let entry = Kind::AttestationRefresh(AttestationRefresh {
            collected: self.evidence.collected(),
            evidence: self
                .evidence
                .digest()
                .unwrap_or_else(|| Sha256Digest::of(&[])),
            platform: Text::new(self.evidence.platform_name()),
            validity_seconds: Count::new(self.evidence.validity().as_secs()),
        });
        let entry = &entry;
        self.for_all(|session| async move { self.note(&session, entry.clone()).await })
            .await;
    }

    /// A server offers another tool than was approved.
    pub(crate) async fn note_drift(
        &self,
        session: &Session,
        drift: &Drift,
    ) -> Result<(), LedgerError> {
        let entry = || {
            let tool = Drifted {
                approved: drift.approved,
                item: audited(drift.kind),
                offered: drift.offered,
                tool: Text::new(&drift.tool),
            };
            let entry = CatalogDrift::new(Text::new(&drift.server), [tool]);
            Kind::CatalogDrift(entry.at(Texts::new(&drift.places)))
        };
        self.tell(session, |noted| {
            let before = noted.drifts.insert(drift.tool.clone(), drift.clone());
            let told = before.as_ref() == Some(drift);
            if told { Vec::new() } else { vec![entry()] }
        })
        .await
    }

    /// A call is about to be dispatched that only an exception lets through; on disk before it is.
    pub(crate) async fn note_use(
        &self,
        session: &Session,
        rules: &Rules,
        tool: &Approved,
    ) -> Result<(), LedgerError> {
        if !tool.is_exception() {
            return Ok(());
        }
        let marked = || BreakGlass {
            authorized_by: Text::new(tool.approval.by.as_deref().unwrap_or("nobody")),
            exception: Happened::Used,
            expires: None,
            reason: Text::new("the catalog marks the tool as an exception"),
            tools: Texts::default(),
        };
        let entry = rules
            .exception(tool)
            .map_or_else(marked, |exception| used(exception, Happened::Used));
        let entry = BreakGlass {
            tools: Texts::new([&tool.name]),
            ..entry
        };
        let request = AppendRequest::plain(session.log, Kind::BreakGlass(entry), Durability::Disk);
        self.ledger.append(request).await.map(|_| ())
    }

    /// Notes a run of calls to one tool.
    pub(crate) async fn note_run(&self, session: &Session, tool: &str, count: u64) {
        let entry = SuspiciousSequence {
            count: Count::new(count),
            tool: Text::new(tool),
        };
        if let Err(error) = self.note(session, Kind::SuspiciousSequence(entry)).await {
            tracing::warn!(session = %session.id, %error, "a suspicious sequence was not noted");
        }
    }

    /// The principal named another one's transport session: an entry in a session of its own.
    pub(crate) fn note_foreign(self: &Arc<Self>, principal: &Arc<Principal>, id: &str) {
        let named = Sha256Digest::of(id.as_bytes());
        let Ok(stay) = self.stay(principal, None, None) else {
            return;
        };
        let gateway = Arc::clone(self);
        tokio::spawn(async move {
            let entry = Kind::ForeignSession(ForeignSession { named });
            let noted = match gateway.begun(&stay.0).await {
                Ok(()) => gateway.note(&stay.0, entry).await,
                Err(error) => Err(error),
            };
            if let Err(error) = noted {
                tracing::warn!(session = %stay.0.id, %error, "the naming of a foreign session was not noted");
            }
        });
    }

    /// Appends an entry that no call waits for; nothing once the log has ended.
    pub(crate) async fn note(&self, session: &Session, kind: Kind) -> Result<(), LedgerError> {
        self.tell(session, |_| vec![kind]).await
    }

    /// Changes what the log has been told. The entries are queued under the session's lock, so that
    /// whatever a call appends afterwards stands behind them; if they are not written, the log has
    /// not been told.
    async fn tell(
        &self,
        session: &Session,
        change: impl FnOnce(&mut Noted) -> Vec<Kind>,
    ) -> Result<(), LedgerError> {
        let (before, receipts) = {
            let mut noted = session.noted();
            if noted.ended {
                return Ok(());
            }
            let before = noted.clone();
            let kinds = change(&mut noted);
            let queued = kinds.into_iter().map(|kind| {
                let request = AppendRequest::plain(session.log, kind, Durability::Process);
                self.ledger.queue(request)
            });
            match queued.collect::<Result<Vec<_>, _>>() {
                Ok(receipts) => (before, receipts),
                Err(error) => {
                    *noted = before;
                    return Err(error);
                }
            }
        };
        for receipt in receipts {
            if let Err(error) = self.ledger.receive(receipt).await {
                let mut noted = session.noted();
                let ended = noted.ended;
                *noted = Noted { ended, ..before };
                return Err(error);
            }
        }
        Ok(())
    }

    async fn for_all<F>(&self, each: impl Fn(Arc<Session>) -> F)
    where
        F: Future<Output = Result<(), LedgerError>>,
    {
        let one = |session: Arc<Session>| {
            let id = session.id.clone();
            let told = each(session);
            async move {
                if let Err(error) = told.await {
                    tracing::warn!(session = %id, %error, "a session's log was not told");
                }
            }
        };
        futures_util::stream::iter(self.sessions.all())
            .for_each_concurrent(AT_ONCE, one)
            .await;
    }
}

fn break_glass(exception: &Exception, happened: Happened) -> Kind {
    Kind::BreakGlass(used(exception, happened))
}

fn used(exception: &Exception, happened: Happened) -> BreakGlass {
    BreakGlass {
        authorized_by: Text::new(&exception.authorized_by),
        exception: happened,
        expires: Some(exception.expires),
        reason: Text::new(&exception.reason),
        tools: Texts::new(&exception.tools),
    }
}

/// Logs that are told at once; the queue to the log is for calls.
const AT_ONCE: usize = 64;

/// The log's word for what an item is; a tool has none.
pub(crate) fn audited(kind: ItemKind) -> Option<cmcp_record::audit::Item> {
    use cmcp_record::audit::Item;
    match kind {
        ItemKind::Tool => None,
        ItemKind::Prompt => Some(Item::Prompt),
        ItemKind::Resource => Some(Item::Resource),
        ItemKind::ResourceTemplate => Some(Item::ResourceTemplate),
    }
}
