//! From settings to a gateway that may bind its port. Each step needs the one before; whatever
//! fails, fails here, before a caller is let in.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Instant,
};

use cmcp_evidence::{Attester, CollectError, PublicKey, Sha256Digest, SigningKey};
use cmcp_policy::{
    bundle::{BundleSignatureError, PolicyBundle, SigningKeys, Version, VersionError},
    catalog::Catalog,
    engine::{Engine, Principal},
};
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use crate::{
    call::{OpenTasks, Resumed},
    clock::Clock,
    cursor::Cursors,
    edge::Probes,
    evidence_state::{EvidenceState, commitment},
    front::Listeners,
    hub::{self, Hub},
    killswitch::KillSwitch,
    ledger::{Ledger, LedgerThreads},
    limits::Limits,
    oauth::Authorization,
    parking::{self, Parking},
    rules::{Parts, Reload, Rulebook, Rules, RulesError},
    said::Said,
    sealed::{KeptStates, RequestStates, Sealer},
    seen::Seen,
    sessions::Sessions,
    settings::Settings,
    store::{Reader, Store, StoreError},
    tasks,
    telemetry::Telemetry,
    transport::Transport,
    upstream::{Heard, Link, NO_CAPABILITIES},
};

/// Policy and catalog, loaded and checked against their pins and each other.
#[derive(Debug)]
pub struct Loaded {
    /// The approved tools.
    pub catalog: Catalog,
    /// The compiled policies.
    pub policy: Engine,
    /// The bundle they come from.
    pub bundle: PolicyBundle,
    /// The keys that may sign bundles, less those revoked already; where given, the bundle has to be
    /// signed by the current one.
    pub signing: Option<SigningKeys>,
    /// Where newer bundles are looked for, if they are.
    pub reload: Option<Reload>,
}

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No evidence could be had.
    #[error("attestation evidence could not be collected: {0}")]
    Evidence(#[from] CollectError),
    /// The system gave no randomness for the key.
    #[error("the system gives no randomness")]
    Randomness,
    /// The audit database.
    #[error("{0}")]
    Store(String),
    /// A stored log does not hold together.
    #[error(
        "the stored log of session `{session}` does not hold together ({cause}); keep the database as evidence and start with another `audit_db_path`"
    )]
    BrokenLog {
        /// The session.
        session: String,
        /// The first fault found.
        cause: String,
    },
    /// A mark names a label that configuration does not know any more.
    #[error(
        "principal `{principal}` has reached sensitivity `{label}`, which `sensitivity.vocabulary` does not name any more; put it back"
    )]
    UnknownLabel {
        /// The principal.
        principal: String,
        /// The label.
        label: String,
    },
    /// An upstream cannot be used as the catalog describes it.
    #[error("server `{name}`: {cause}")]
    Upstream {
        /// Its name in the catalog.
        name: String,
        /// What is wrong.
        cause: String,
    },
    /// Catalog and policy cannot come into force together.
    #[error("{0}; take the tool out of the catalog, or have its server corrected")]
    Rules(String),
    /// A signing key is pinned, and the bundle is not signed by it.
    #[error("{0}")]
    Signature(BundleSignatureError),
    /// The key that signed the bundle is revoked.
    #[error("{0}")]
    Revoked(BundleSignatureError),
    /// No bundle could ever replace this one.
    #[error("{0}")]
    Version(#[from] VersionError),
    /// Newer bundles are looked for, and nobody is known who could sign one.
    #[error(
        "newer policy bundles are looked for, and no key is pinned that may sign them; pin one"
    )]
    ReloadUnsigned,
    /// Tokens of issuers cannot be judged.
    #[error("{0}")]
    Authorization(String),
    /// Allowed hosts or origins cannot be read.
    #[error("{0}")]
    Hosts(String),
}

impl StartError {
    /// The code under which scripts know it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Evidence(_) => "ATTESTATION_REPORT_UNAVAILABLE",
            Self::Randomness => "TEE_FAULT",
            Self::Store(_) | Self::BrokenLog { .. } => "AUDIT_STORE_UNAVAILABLE",
            Self::Signature(_) => "POLICY_SIGNATURE_INVALID",
            Self::Revoked(_) => "POLICY_SIGNING_KEY_REVOKED",
            Self::Authorization(_)
            | Self::UnknownLabel { .. }
            | Self::Upstream { .. }
            | Self::Rules(_)
            | Self::Version(_)
            | Self::ReloadUnsigned
            | Self::Hosts(_) => "CONFIG_ERROR",
        }
    }
}

/// A gateway that may serve.
#[derive(Debug)]
pub struct Ready {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) threads: LedgerThreads,
    /// What servers say unasked.
    pub(crate) hearing: mpsc::Receiver<Heard>,
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

/// Whether the gateway is to end, for streams that wait for nothing else.
#[derive(Debug, Default)]
pub(crate) struct Stopping(watch::Sender<bool>);

impl Stopping {
    /// Ends them.
    pub(crate) fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Resolves when they are to end.
    pub(crate) async fn cancelled(&self) {
        // The sender lives as long as whoever waits here can reach it.
        let _ = self.0.subscribe().wait_for(|stopping| *stopping).await;
    }
}

/// The running gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) settings: Arc<Settings>,
    pub(crate) rulebook: Rulebook,
    pub(crate) reload: Option<Reload>,
    pub(crate) anonymous: Arc<Principal>,
    pub(crate) principals: Vec<Arc<Principal>>,
    pub(crate) key: SigningKey,
    pub(crate) clock: Clock,
    pub(crate) evidence: EvidenceState,
    pub(crate) ledger: Ledger,
    pub(crate) reader: Arc<Reader>,
    pub(crate) sessions: Sessions,
    pub(crate) transport: Transport,
    pub(crate) kill_switch: KillSwitch,
    pub(crate) telemetry: Telemetry,
    pub(crate) probes: Probes,
    /// Calls that wait for their client to come back with answers.
    pub(crate) parking: Parking<Resumed>,
    pub(crate) states: RequestStates,
    pub(crate) kept_states: KeptStates,
    pub(crate) cursors: Cursors,
    /// Calls that servers go on with in the background.
    pub(crate) tasks: OpenTasks,
    pub(crate) limits: Limits,
    /// The judge of tokens of issuers, where there are any.
    pub(crate) authorization: Option<Authorization>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) listeners: Listeners,
    /// Streams that wait for nothing else end with the gateway.
    pub(crate) stopping: Stopping,
    /// What servers are told of clients that declare nothing.
    pub(crate) bare: Arc<str>,
    pub(crate) evidence_failed: Said,
    pub(crate) reload_refused: Said,
    pub(crate) revocation_refused: Said,
    // The last envelope of each principal and label, which the next one names.
    pub(crate) previous_claims: Mutex<BTreeMap<(String, Option<String>), PreviousClaim>>,
    recovered: usize,
}

/// What a session's envelope says of the one before.
#[derive(Clone, Debug)]
pub(crate) struct PreviousClaim {
    pub(crate) hash: Sha256Digest,
    /// The same without its signature.
    pub(crate) unsigned: Sha256Digest,
    pub(crate) sequence_number: u64,
}

/// Makes key and evidence, opens the log, seals what a crash left open, and prepares the upstreams.
pub async fn prepare(
    settings: Settings,
    loaded: Loaded,
    attester: Arc<dyn Attester>,
    clock: Clock,
) -> Result<Ready, StartError> {
    let key = new_key()?;
    let settings = Arc::new(settings);
    let (heard, hearing) = mpsc::channel(HEARD);
    let (rulebook, reload) = rulebook(loaded, &settings, heard)?;
    let sealer = Arc::new(Sealer::new().map_err(|_| StartError::Randomness)?);
    let rules = rulebook.current();
    let commitment = commitment(rules.bundle.hash, rules.catalog.hash(), &settings);
    let now = clock.now();
    let evidence =
        EvidenceState::collect(attester, &key.public(), &commitment, settings.validity, now)?;
    let transport = Transport::new(&settings).map_err(|e| StartError::Hosts(e.to_string()))?;
    let database = Database::open(&settings, &clock)?;
    let principals = settings
        .principals
        .iter()
        .map(|p| Arc::new(p.principal.clone()))
        .collect();
    let mut gateway = Gateway {
        rulebook,
        reload,
        anonymous: Arc::new(Principal::anonymous()),
        principals,
        key,
        clock,
        evidence,
        ledger: database.ledger,
        reader: database.reader,
        sessions: database.sessions,
        transport,
        kill_switch: KillSwitch::new(database.blocked),
        telemetry: Telemetry::default(),
        probes: Probes::default(),
        parking: Parking::new(parking::Bounds::default()),
        states: RequestStates::new(Arc::clone(&sealer), Instant::now()),
        kept_states: KeptStates::default(),
        cursors: Cursors::new(sealer),
        tasks: OpenTasks::new(tasks::Bounds::default()),
        limits: Limits::new(settings.limits.clone(), Instant::now()),
        authorization: authorization(&settings)?,
        hub: Hub::new(hub::Bounds::default()),
        listeners: Listeners::default(),
        stopping: Stopping::default(),
        bare: Arc::from(NO_CAPABILITIES),
        evidence_failed: Said::default(),
        reload_refused: Said::default(),
        revocation_refused: Said::default(),
        previous_claims: Mutex::default(),
        recovered: 0,
        settings,
    };
    gateway.recovered = gateway.seal_orphans(database.orphans).await?;
    Ok(Ready {
        gateway: Arc::new(gateway),
        threads: database.threads,
        hearing,
    })
}

/// The rules that the gateway starts with.
fn rulebook(
    loaded: Loaded,
    settings: &Arc<Settings>,
    heard: mpsc::Sender<Heard>,
) -> Result<(Rulebook, Option<Reload>), StartError> {
    let Loaded {
        catalog,
        policy,
        bundle,
        signing,
        reload,
    } = loaded;
    if reload.is_some() {
        bundle.version().parse::<Version>()?;
        if signing.is_none() {
            return Err(StartError::ReloadUnsigned);
        }
    }
    let links = links(settings, &catalog, &heard)?;
    let parts = Parts::new(catalog, bundle, signing, links, heard)?;
    let rules = Rules::first(&parts, policy, settings)?;
    Ok((Rulebook::new(rules, parts), reload))
}

/// The judge of tokens, where callers may come by them.
fn authorization(settings: &Settings) -> Result<Option<Authorization>, StartError> {
    let oauth = settings.oauth.as_ref();
    let judge = oauth.map(|oauth| Authorization::new(Arc::clone(oauth)));
    judge
        .transpose()
        .map_err(|cause| StartError::Authorization(cause.to_string()))
}

fn new_key() -> Result<SigningKey, StartError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| StartError::Randomness)?;
    Ok(SigningKey::from_seed(&seed))
}

fn links(
    settings: &Arc<Settings>,
    catalog: &Catalog,
    heard: &mpsc::Sender<Heard>,
) -> Result<Vec<Arc<Link>>, StartError> {
    (0..)
        .zip(catalog.servers())
        .map(|(id, spec)| {
            let link = Link::dial(id, spec.clone(), settings, heard.clone());
            link.map(Arc::new).map_err(|cause| StartError::Upstream {
                name: spec.name.clone(),
                cause: cause.to_string(),
            })
        })
        .collect()
}

/// What servers have said and nobody has heard yet.
const HEARD: usize = 1_024;

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
        let mut seen = HashMap::new();
        for row in reader.marks()? {
            let one = Seen::restore(&row, &settings.vocabulary).ok_or_else(|| {
                let (principal, label) = (row.principal.clone(), row.sensitivity.clone());
                StartError::UnknownLabel { principal, label }
            })?;
            seen.insert(row.principal, Arc::new(one));
        }
        let next_log = store.next_log_key()?;
        let orphans = crate::recovery::find(&reader, &settings.vocabulary)?;
        let chains = orphans
            .iter()
            .map(|orphan| (orphan.log.key, orphan.chain.clone()))
            .collect();
        let (ledger, threads) = Ledger::start(store, chains, clock.clone())?;
        let blocked = reader.blocks()?;
        let sessions = Sessions::new(next_log, seen);
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

impl From<RulesError> for StartError {
    fn from(error: RulesError) -> Self {
        Self::Rules(error.to_string())
    }
}

impl From<BundleSignatureError> for StartError {
    fn from(error: BundleSignatureError) -> Self {
        match error {
            BundleSignatureError::AllRevoked | BundleSignatureError::Revoked { .. } => {
                Self::Revoked(error)
            }
            BundleSignatureError::Encoding
            | BundleSignatureError::Mismatch { .. }
            | BundleSignatureError::Missing => Self::Signature(error),
        }
    }
}
