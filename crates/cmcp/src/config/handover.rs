//! What the gateway is told: plain data, with nothing left to read.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use cmcp_evidence::Sha256Digest;
use cmcp_gateway::{
    DriftPolicy, Hosts, Launcher, Listen, RecordPer, Secret, Settings, Spawning, StalenessPolicy,
};
use cmcp_policy::{
    Compat,
    catalog::{Catalog, Transport},
    mode::Mode,
    sensitivity::Vocabulary,
};

use crate::config::{Config, environment::Environment, keys};

/// The running program, as the gateway has to know it.
pub(crate) struct Program {
    /// Its absolute path.
    pub(crate) path: PathBuf,
    /// SHA-256 of its bytes.
    pub(crate) digest: Sha256Digest,
}

impl Config {
    /// The settings of the gateway.
    pub(crate) fn settings(
        self,
        catalog: &Catalog,
        environment: &Environment,
        program: Program,
        config_digest: Sha256Digest,
    ) -> Settings {
        let values = &self.values;
        let seconds = |key| Duration::from_secs(values.number(key));
        let drift = [("warn_only", DriftPolicy::WarnOnly)];
        let stale = [("warn_only", StalenessPolicy::WarnOnly)];
        let record_per = [("call", RecordPer::Call)];
        let spawning = if values.flag(&keys::ALLOW_UNMEASURED_SPAWN) {
            Spawning::UnmeasuredToo
        } else {
            Spawning::MeasuredOnly
        };
        Settings {
            mode: self.mode,
            record_per: values.pick(&keys::RECORD_PER, RecordPer::Session, &record_per),
            max_response_bytes: usize::try_from(values.number(&keys::MAX_RESPONSE_SIZE))
                .unwrap_or(usize::MAX),
            upstream_timeout: seconds(&keys::UPSTREAM_TIMEOUT),
            session_idle_timeout: seconds(&keys::SESSION_IDLE_TIMEOUT),
            session_drain: self.session_drain,
            drift_policy: values.pick(&keys::DRIFT_POLICY, DriftPolicy::FailClosed, &drift),
            staleness_policy: values.pick(
                &keys::STALENESS_POLICY,
                StalenessPolicy::FailClosed,
                &stale,
            ),
            validity: seconds(&keys::VALIDITY_SECONDS),
            launcher: Launcher {
                program: program.path,
                args: vec![SUPERVISE.to_owned()],
            },
            binary_digest: program.digest,
            config_digest,
            child_environment: child_environment(catalog, environment),
            spawning,
            private_hosts: self.private_hosts,
            limits: self.limits,
            oauth: self.oauth,
            credentials: self.credentials,
            listen: self.listen,
            hosts: self.hosts,
            principals: self.principals,
            operator: self.operator,
            compat: self.compat,
            regulated_domains: regulated_domains(&self.vocabulary),
            vocabulary: self.vocabulary,
            database: self.database,
            sink_policy: self.sink_policy,
            redact: self.redact,
            trust_domain: self.trust_domain,
        }
    }
}

/// Settings with which servers can be looked at, and nothing served.
pub(crate) fn for_looking(
    program: Program,
    child_environment: BTreeMap<String, Secret>,
    private_hosts: Vec<String>,
) -> Settings {
    Settings {
        listen: Listen::Local {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        },
        hosts: Hosts::default(),
        principals: Vec::new(),
        operator: None,
        mode: Mode::Enforcing,
        compat: Compat::Off,
        vocabulary: Vocabulary::builtin(),
        regulated_domains: Vec::new(),
        record_per: RecordPer::Session,
        database: PathBuf::new(),
        max_response_bytes: 0,
        upstream_timeout: Duration::from_secs(30),
        session_idle_timeout: Duration::ZERO,
        session_drain: Duration::ZERO,
        drift_policy: DriftPolicy::FailClosed,
        staleness_policy: StalenessPolicy::FailClosed,
        validity: Duration::ZERO,
        sink_policy: None,
        redact: Vec::new(),
        trust_domain: String::new(),
        launcher: Launcher {
            program: program.path,
            args: vec![SUPERVISE.to_owned()],
        },
        spawning: Spawning::UnmeasuredToo,
        private_hosts,
        limits: cmcp_gateway::LimitSettings::default(),
        oauth: None,
        credentials: BTreeMap::new(),
        child_environment,
        config_digest: Sha256Digest::of(&[]),
        binary_digest: program.digest,
    }
}

/// Names of variables that the catalog lets through to a server, and that server's name.
pub(crate) fn child_variables(catalog: &Catalog) -> impl Iterator<Item = (&str, &str)> {
    catalog.servers().iter().flat_map(|server| {
        let names = match &server.transport {
            Transport::Stdio { env, .. } => env.as_slice(),
            Transport::Http { .. } => &[],
        };
        names
            .iter()
            .map(|name| (server.name.as_str(), name.as_str()))
    })
}

/// Regulated domains that this configuration adds to the built-in ones.
fn regulated_domains(vocabulary: &Vocabulary) -> Vec<String> {
    let builtin = Vocabulary::builtin();
    let added = vocabulary
        .domains()
        .filter(|(name, _)| builtin.regulated(name).is_none());
    added
        .filter(|(_, regulated)| *regulated)
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn child_environment(catalog: &Catalog, environment: &Environment) -> BTreeMap<String, Secret> {
    child_variables(catalog)
        .filter_map(|(_, name)| Some((name.to_owned(), Secret::new(environment.value(name)?))))
        .collect()
}

/// The hidden command under which this program supervises one child.
pub(crate) const SUPERVISE: &str = "child-supervise";
