//! GET and DELETE: what sessions of the legacy era have beside POST.

use http::{HeaderMap, header};

use crate::headers::LAST_EVENT_ID;

use super::{
    super::{
        media::{Acceptance, EVENTS, accepts},
        session::Session,
    },
    Finder, Rejection,
    marks::Marks,
};

/// A GET that asks for a stream of events.
#[derive(Clone, Debug)]
pub struct Get {
    /// The session.
    pub session: Session,
    /// Behind which event a stream is to be taken up again.
    pub last_event_id: Option<String>,
}

/// Says what a GET means.
///
/// # Errors
/// 405 for clients that have no session, 404 for an unknown one, 406 for who takes no events.
pub fn receive_get(headers: &HeaderMap, sessions: Finder<'_>) -> Result<Get, Rejection> {
    check_upgrade(headers)?;
    let session = Marks::read(headers)?.session(sessions)?;
    if accepts(headers, EVENTS) != Acceptance::Yes {
        let message = "`Accept` must allow `text/event-stream`";
        return Err(Rejection::not_acceptable(message, None));
    }
    let last_event_id = headers
        .get(LAST_EVENT_ID)
        .map(|id| id.to_str().unwrap_or_default().to_owned());
    Ok(Get {
        session,
        last_event_id,
    })
}

/// Says which session a DELETE is to end.
///
/// # Errors
/// 405 for clients that have no session, 404 for an unknown one.
pub fn receive_delete(headers: &HeaderMap, sessions: Finder<'_>) -> Result<Session, Rejection> {
    Marks::read(headers)?.session(sessions)
}

/// No connection becomes anything but HTTP/1.1.
fn check_upgrade(headers: &HeaderMap) -> Result<(), Rejection> {
    if headers.contains_key(header::UPGRADE) {
        return Err(Rejection::not_allowed("no other protocol is spoken here"));
    }
    Ok(())
}
