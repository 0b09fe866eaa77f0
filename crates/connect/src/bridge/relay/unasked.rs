//! The stream on which the gateway says what nobody asked for.

use http::StatusCode;

use super::{
    Relay,
    stream::{Closed, Place},
};
use crate::bridge::headers::Session;

/// Why the stream of a session is over for good.
enum Ended {
    /// The gateway offers none.
    NotOffered,
    /// It offered one, and does not know the session any more.
    SessionLost,
}

impl Relay {
    /// Hears whatever session is complete; returns when the bridge is gone.
    pub(in crate::bridge) async fn hear_unasked(&self) {
        let mut standing = self.standing.subscribe();
        loop {
            let session = standing.borrow_and_update().clone();
            if let Some(session) = session {
                tokio::select! {
                    changed = standing.changed() => match changed {
                        Ok(()) => continue,
                        Err(_) => return,
                    },
                    ended = self.hear(&session) => self.after(ended, &session).await,
                }
            }
            if standing.changed().await.is_err() {
                return;
            }
        }
    }

    async fn hear(&self, session: &Session) -> Ended {
        let mut place = Place::start();
        let mut failed = 0u32;
        let mut opened = false;
        loop {
            match self.open_stream(session, place.last.clone()).await {
                Ok(mut answer) => {
                    opened = true;
                    failed = 0;
                    if let Err(error) = self.read_events(&mut answer, None, &mut place).await {
                        tracing::debug!(%error, "the stream of unasked messages broke off");
                    }
                }
                Err(Closed::Refused(StatusCode::NOT_FOUND)) if opened => {
                    return Ended::SessionLost;
                }
                // What came in between is gone; what comes from here on is not.
                Err(Closed::Refused(_)) if place.last.is_some() => place.last = None,
                Err(Closed::Refused(status)) => {
                    tracing::debug!(%status, "the gateway says nothing unasked");
                    return Ended::NotOffered;
                }
                Err(Closed::Unreachable) => failed = failed.saturating_add(1),
            }
            tokio::time::sleep(place.pause(failed)).await;
        }
    }

    /// A host that only waits would not notice that its session is gone.
    async fn after(&self, ended: Ended, session: &Session) {
        match ended {
            Ended::NotOffered => {}
            Ended::SessionLost => {
                if let Err(failure) = self.reopen(session).await {
                    tracing::warn!(%failure, "the session is lost");
                }
            }
        }
    }
}
