//! From settings to a gateway that may bind its port. Each step needs the one before; whatever
//! fails, fails here, before a caller is let in.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use cmcp_evidence::{Attester, CollectError, Commitment, PublicKey, Sha256Digest, SigningKey};
use cmcp_mcp::{
    headers::{self, Mirrored},
    upstream::Server,
};
use cmcp_policy::{
    catalog::Catalog,
    engine::{Engine, Principal},
};
use zeroize::Zeroizing;

use crate::{
    clock::Clock,
    evidence_state::EvidenceState,
    killswitch::KillSwitch,
    ledger::{Ledger, LedgerThreads},
    sessions::Sessions,
    settings::Settings,
    store::{Reader, Store, StoreError},
    telemetry::Telemetry,
    transport::Transport,
    upstream::Upstreams,
};

/// Policy and catalog, loaded and checked against their pins and each other.
#[derive(Debug)]
pub struct Loaded {
    /// The approved tools.
    pub catalog: Catalog,
    /// The compiled policies.
    pub policy: Engine,
    /// What records say of the bundle.
    pub bundle: Bundle,
}

/// What records say of the policy bundle.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Its hash.
    pub hash: Sha256Digest,
    /// Its version.
    pub version: String,
}

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No evidence could be had.
    #[error("REPORT_UNAVAILABLE: attestation evidence could not be collected: {0}")]
    Evidence(#[from] CollectError),
    /// The system gave no randomness for the key.
    #[error("TEE_FAULT: the system gives no randomness")]
    Randomness,
    /// The audit database.
    #[error("AUDIT_STORE_UNAVAILABLE: {0}")]
    Store(String),
    /// A stored log does not hold together.
    #[error(
        "AUDIT_STORE_UNAVAILABLE: the stored log of session `{session}` does not hold together ({cause}); keep the database as evidence and start with another `audit_db_path`"
    )]
    BrokenLog {
        /// The session.
        session: String,
        /// The first fault found.
        cause: String,
    },
    /// A mark names a label that configuration does not know any more.
    #[error(
        "CONFIG_ERROR: principal `{principal}` has reached sensitivity `{label}`, which `sensitivity.vocabulary` does not name any more; put it back"
    )]
    UnknownLabel {
        /// The principal.
        principal: String,
        /// The label.
        label: String,
    },
    /// An upstream cannot be used as the catalog describes it.
    #[error("CONFIG_ERROR: server `{name}`: {cause}")]
    Upstream {
        /// Its name in the catalog.
        name: String,
        /// What is wrong.
        cause: String,
    },
    /// A tool's schema asks for headers that cannot be.
    #[error(
        "CONFIG_ERROR: tool `{tool}`: {cause}; take it out of the catalog, or have its server corrected"
    )]
    Mirrored {
        /// The tool.
        tool: String,
        /// What is wrong.
        cause: String,
    },
    /// Allowed hosts or origins cannot be read.
    #[error("CONFIG_ERROR: {0}")]
    Hosts(String),
}

/// A gateway that may serve.
#[derive(Debug)]
pub struct Ready {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) threads: LedgerThreads,
}

impl Ready {
    /// The key that signs this gateway's records.
    #[must_use]
    pub fn key(&self) -> PublicKey {
        self.gateway.key.public()
    }

    /// Sessions that a crash had left open and that were sealed now.
    #[must_use]
    pub fn recovered(&self) -> usize {
        self.gateway.recovered
    }
}

/// The running gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) settings: Settings,
    pub(crate) catalog: Catalog,
    pub(crate) policy: Engine,
    pub(crate) bundle: Bundle,
    /// What `tools/list` shows of each tool, in the catalog's order.
    pub(crate) listings: Vec<Vec<u8>>,
    mirrored: BTreeMap<String, Vec<Mirrored>>,
    pub(crate) anonymous: Arc<Principal>,
    pub(crate) principals: Vec<Arc<Principal>>,
    pub(crate) key: SigningKey,
    pub(crate) clock: Clock,
    pub(crate) evidence: EvidenceState,
    pub(crate) ledger: Ledger,
    pub(crate) reader: Arc<Reader>,
    pub(crate) sessions: Sessions,
    pub(crate) upstreams: Upstreams,
    pub(crate) transport: Transport,
    pub(crate) kill_switch: KillSwitch,
    pub(crate) telemetry: Telemetry,
    // The last envelope of each principal and label, which the next one names.
    pub(crate) previous_claims: Mutex<BTreeMap<(String, Option<String>), PreviousClaim>>,
    recovered: usize,
}

/// What a session's envelope says of the one before.
#[derive(Clone, Debug)]
pub(crate) struct PreviousClaim {
    pub(crate) hash: Sha256Digest,
    pub(crate) sequence_number: u64,
}

/// Makes key and evidence, opens the log, seals what a crash left open, and prepares the upstreams.
pub async fn prepare(
    settings: Settings,
    loaded: Loaded,
    attester: Arc<dyn Attester>,
    clock: Clock,
) -> Result<Ready, StartError> {
    let Loaded {
        catalog,
        policy,
        bundle,
    } = loaded;
    let key = new_key()?;
    let commitment = Commitment {
        nonce: None,
        policy: bundle.hash,
        catalog: catalog.hash(),
        config: settings.config_digest,
        log_size: 0,
        log_root: Sha256Digest::of(&[]),
    };
    let now = clock.now();
    let evidence =
        EvidenceState::collect(attester, &key.public(), &commitment, settings.validity, now)?;
    let servers = upstreams(&settings, &catalog)?;
    let upstreams = Upstreams::new(servers, settings.drift_policy);
    let transport = Transport::new(&settings).map_err(|e| StartError::Hosts(e.to_string()))?;
    let database = Database::open(&settings, &clock)?;
    let principals = settings
        .principals
        .iter()
        .map(|p| Arc::new(p.principal.clone()))
        .collect();
    let mut gateway = Gateway {
        listings: catalog
            .tools()
            .iter()
            .map(|tool| tool.listing().to_vec())
            .collect(),
        mirrored: mirrored(&catalog)?,
        anonymous: Arc::new(Principal::anonymous()),
        principals,
        key,
        clock,
        evidence,
        ledger: database.ledger,
        reader: database.reader,
        sessions: database.sessions,
        upstreams,
        transport,
        kill_switch: KillSwitch::new(database.blocked),
        telemetry: Telemetry::default(),
        previous_claims: Mutex::default(),
        recovered: 0,
        settings,
        catalog,
        policy,
        bundle,
    };
    gateway.recovered = gateway.seal_orphans(database.orphans).await?;
    Ok(Ready {
        gateway: Arc::new(gateway),
        threads: database.threads,
    })
}

impl Gateway {
    /// The arguments of a tool that a modern client repeats in headers; none for a tool this
    /// principal may not see.
    pub(crate) fn mirrored(&self, principal: &Principal, tool: &str) -> Option<&[Mirrored]> {
        let approved = self.catalog.tool(tool)?;
        let seen = !self.settings.mode.refuses() || self.policy.visible(principal, approved);
        self.mirrored.get(tool).filter(|_| seen).map(Vec::as_slice)
    }
}

fn mirrored(catalog: &Catalog) -> Result<BTreeMap<String, Vec<Mirrored>>, StartError> {
    let mut table = BTreeMap::new();
    for tool in catalog.tools() {
        let Some(schema) = tool.input_schema() else {
            continue;
        };
        let found = headers::mirrored(schema).map_err(|e| StartError::Mirrored {
            tool: tool.name.clone(),
            cause: e.to_string(),
        })?;
        if !found.is_empty() {
            table.insert(tool.name.clone(), found);
        }
    }
    Ok(table)
}

fn new_key() -> Result<SigningKey, StartError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| StartError::Randomness)?;
    Ok(SigningKey::from_seed(&seed))
}

fn upstreams(
    settings: &Settings,
    catalog: &Catalog,
) -> Result<Vec<(String, Arc<dyn Server>)>, StartError> {
    catalog
        .servers()
        .iter()
        .map(|spec| {
            let client =
                crate::dial::client(spec, settings).map_err(|cause| StartError::Upstream {
                    name: spec.name.clone(),
                    cause: cause.to_string(),
                })?;
            Ok((spec.name.clone(), client))
        })
        .collect()
}

/// The log, opened, with the sessions that a crash left open.
struct Database {
    ledger: Ledger,
    threads: LedgerThreads,
    reader: Arc<Reader>,
    sessions: Sessions,
    blocked: Vec<String>,
    orphans: Vec<crate::recovery::Orphan>,
}

impl Database {
    fn open(settings: &Settings, clock: &Clock) -> Result<Self, StartError> {
        let store = Store::open(&settings.database)?;
        let reader = Arc::new(Reader::open(&settings.database)?);
        let mut marks = Vec::new();
        for row in reader.marks()? {
            let sensitivity = settings.vocabulary.sensitivity(&row.sensitivity);
            let Some(sensitivity) = sensitivity else {
                let (principal, label) = (row.principal, row.sensitivity);
                return Err(StartError::UnknownLabel { principal, label });
            };
            marks.push((row, sensitivity));
        }
        let next_log = store.next_log_key()?;
        let orphans = crate::recovery::find(&reader)?;
        let chains = orphans
            .iter()
            .map(|orphan| (orphan.log.key, orphan.chain.clone()))
            .collect();
        let (ledger, threads) = Ledger::start(store, chains, clock.clone())?;
        let blocked = reader.blocks()?;
        let sessions = Sessions::new(next_log, marks);
        Ok(Self {
            ledger,
            threads,
            reader,
            sessions,
            blocked,
            orphans,
        })
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}
