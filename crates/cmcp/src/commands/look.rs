//! Looking at servers: started or called, listed, and ended again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cmcp_gateway::{
    Clock, DiscoverError, Discovered, Secret, UpstreamCredential, discover,
    oauth::{SecretSource, Source},
};
use cmcp_policy::catalog::{ServerSpec, Transport};

use crate::{
    cli::Reach,
    commands::{Failure, start},
    config::{environment::Environment, handover},
    render::table::shown,
};

/// Why a server could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookError {
    #[error("{0}")]
    Discover(#[from] DiscoverError),
    #[error("it did not list what it offers within {} seconds; start it by hand to see why", .0.as_secs())]
    Silent(Duration),
}

/// A server, and what came of looking at it.
pub(crate) struct Looked {
    pub(crate) spec: ServerSpec,
    pub(crate) found: Result<Discovered, LookError>,
}

/// What each server offers, in the order asked.
pub(crate) fn look(
    servers: Vec<(ServerSpec, BTreeMap<String, String>)>,
    reach: &Reach,
    environment: &Environment,
) -> Result<Vec<Looked>, Failure> {
    let runtime = start::runtime()?;
    let mut looks = Vec::new();
    for (spec, values) in servers {
        let values = values
            .into_iter()
            .map(|(name, value)| (name, Secret::new(value)))
            .collect();
        let mut settings =
            handover::for_looking(start::program()?, values, reach.allow_private_hosts.clone());
        settings.credentials = credential(&spec, reach, environment)?;
        looks.push((spec, settings));
    }
    Ok(runtime.block_on(async {
        let mut seen = Vec::new();
        for (spec, settings) in looks {
            let found = match tokio::time::timeout(PATIENCE, discover(&spec, &settings)).await {
                Ok(Ok(found)) => Ok(found),
                Ok(Err(error)) => Err(error.into()),
                Err(_) => Err(LookError::Silent(PATIENCE)),
            };
            seen.push(Looked { spec, found });
        }
        seen
    }))
}

/// What the server is shown, if anything.
fn credential(
    spec: &ServerSpec,
    reach: &Reach,
    environment: &Environment,
) -> Result<BTreeMap<String, UpstreamCredential>, Failure> {
    let mut named = reach.bearer_env.iter();
    let named = named.find(|(server, _)| *server == spec.name);
    let (Some((_, variable)), Transport::Http { url, .. }) = (named, &spec.transport) else {
        return Ok(BTreeMap::new());
    };
    let token = environment.value(variable).ok_or_else(|| Failure::Flag {
        flag: "--bearer-env",
        value: shown(variable, 80),
        expected: "a variable that is set",
    })?;
    let clock = Clock::system();
    let source = Source::bearer(
        SecretSource::fixed(token),
        Arc::new(move || clock.unix_seconds()),
    );
    let credential = UpstreamCredential {
        url: url.clone(),
        source: Arc::new(source),
    };
    Ok(BTreeMap::from([(spec.name.clone(), credential)]))
}

/// A server may have much to load before it answers for the first time.
const PATIENCE: Duration = Duration::from_secs(60);
