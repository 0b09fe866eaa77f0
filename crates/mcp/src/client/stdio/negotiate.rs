//! Finding out which era the process speaks, at each of its starts.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::session::Session;
use crate::{
    client::handshake::{self, DISCOVER, Era, INITIALIZE, INITIALIZED, UnknownMethod},
    jsonrpc,
    upstream::{Offers, UpstreamError},
    version::Version,
};

/// How a server took the question that only a modern one knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Probe {
    /// It answered, or has not been asked yet.
    #[default]
    Answered,
    /// It said nothing, which costs all the time that a server may need to load.
    Ignored,
    /// It ended.
    Fatal,
}

/// Finds out what the server is. `last` is what it was before, `probe` how it took the question
/// then, and how it took it now; it may keep silent about it for `within`.
pub(super) async fn negotiate(
    session: &Session,
    last: Option<Version>,
    probe: &mut Probe,
    within: Duration,
) -> Result<Offers, UpstreamError> {
    // A legacy server that does not bear the question is spared it, unless it has become another.
    if *probe != Probe::Answered
        && let Ok(offers) = initialize(session).await
    {
        return Ok(offers);
    }
    let question = session.question(DISCOVER, Some(handshake::discover_params(&session.own)));
    let asked = timeout(within, session.ask(question, &Arc::default())).await;
    let answer = match asked {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            let lost = matches!(error, UpstreamError::Lost { .. });
            if lost && !last.is_some_and(Version::is_modern) {
                *probe = Probe::Fatal;
            }
            return Err(error);
        }
        Err(_) => {
            *probe = Probe::Ignored;
            return initialize(session).await;
        }
    };
    *probe = Probe::Answered;
    match Era::of(&answer, UnknownMethod::Legacy) {
        Era::Modern(version) => Ok(handshake::discovered(&answer, version)),
        Era::Legacy => initialize(session).await,
        Era::Foreign(offered) => Err(UpstreamError::NoCommonVersion { offered }),
    }
}

async fn initialize(session: &Session) -> Result<Offers, UpstreamError> {
    let params = handshake::initialize_params(&session.own);
    let question = session.question(INITIALIZE, Some(params));
    let answer = session.ask(question, &Arc::default()).await?;
    let offers = handshake::initialized(&answer)?;
    let notice = jsonrpc::notification(INITIALIZED, None);
    session.tell(&notice).await?;
    Ok(offers)
}
