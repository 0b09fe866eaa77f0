//! Looking at servers: started or called, listed, and ended again.

use std::{collections::BTreeMap, time::Duration};

use cmcp_gateway::{DiscoverError, Discovered, Secret, discover};
use cmcp_policy::catalog::ServerSpec;

use crate::{
    commands::{Failure, start},
    config::handover,
};

/// Why a server could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookError {
    #[error("{0}")]
    Discover(#[from] DiscoverError),
    #[error("its list of tools does not end; nothing of it can be approved")]
    Endless,
    #[error("it did not list its tools within {} seconds; start it by hand to see why", .0.as_secs())]
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
) -> Result<Vec<Looked>, Failure> {
    let runtime = start::runtime()?;
    let mut looks = Vec::new();
    for (spec, values) in servers {
        let values = values
            .into_iter()
            .map(|(name, value)| (name, Secret::new(value)))
            .collect();
        let settings = handover::for_looking(start::program()?, values);
        looks.push((spec, settings));
    }
    Ok(runtime.block_on(async {
        let mut seen = Vec::new();
        for (spec, settings) in looks {
            let found = match tokio::time::timeout(PATIENCE, discover(&spec, &settings)).await {
                Ok(Ok(found)) if found.complete => Ok(found),
                Ok(Ok(_)) => Err(LookError::Endless),
                Ok(Err(error)) => Err(error.into()),
                Err(_) => Err(LookError::Silent(PATIENCE)),
            };
            seen.push(Looked { spec, found });
        }
        seen
    }))
}

/// A server may have much to load before it answers for the first time.
const PATIENCE: Duration = Duration::from_secs(60);
