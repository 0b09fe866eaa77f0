//! What a server says about one request, on its way from the one reader of the server's output to
//! whoever waits for the request. The reader never waits: what there is no room for is given back.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::mpsc;

use crate::{
    jsonrpc::{Notification, Request},
    upstream::Ask,
    version::Version,
};

/// A message of the server's about a request.
#[derive(Debug)]
pub(super) enum Mail {
    Notification(Notification),
    Request(Request),
}

/// What a request wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// What is said of a stream of announcements itself.
    Stream,
    /// How far it has come. Nobody would read the rest.
    Progress,
    /// All but log messages, which it did not ask for.
    Requests,
    /// All there is.
    Everything,
}

impl Takes {
    /// What a request wants to hear; `None` where that is nothing.
    pub(super) fn of(ask: &Ask, version: Version) -> Option<Self> {
        // A modern server that was named no level has nothing to log.
        let logs = !version.is_modern() || ask.log_level.is_some();
        match (&ask.events, logs) {
            (Some(_), true) => Some(Self::Everything),
            (Some(_), false) => Some(Self::Requests),
            (None, _) => ask.progress.then_some(Self::Progress),
        }
    }

    /// Whether a request of the server's can be put to it.
    pub(super) fn requests(self) -> bool {
        match self {
            Self::Requests | Self::Everything => true,
            Self::Stream | Self::Progress => false,
        }
    }

    /// Whether log messages are wanted.
    pub(super) fn messages(self) -> bool {
        self == Self::Everything
    }
}

/// Where the reader puts what it has heard.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) takes: Takes,
    mail: mpsc::Sender<(Mail, usize)>,
    held: Arc<AtomicUsize>,
}

/// Where it is taken from.
#[derive(Debug)]
pub(super) struct Letters {
    mail: mpsc::Receiver<(Mail, usize)>,
    held: Arc<AtomicUsize>,
}

/// The two ends.
pub(super) fn open(takes: Takes) -> (Inbox, Letters) {
    let (sender, receiver) = mpsc::channel(MOST);
    let held = Arc::<AtomicUsize>::default();
    let inbox = Inbox {
        takes,
        mail: sender,
        held: Arc::clone(&held),
    };
    let letters = Letters {
        mail: receiver,
        held,
    };
    (inbox, letters)
}

impl Inbox {
    /// Puts a message in that came as a line of `bytes`.
    ///
    /// # Errors
    /// The message, when there is no room for it.
    pub(super) fn put(&self, mail: Mail, bytes: usize) -> Result<(), Mail> {
        // Only the reader adds, so that what is seen here can only have become less. One message
        // fits whatever its size.
        let held = self.held.load(Ordering::Acquire);
        if held != 0 && held.saturating_add(bytes) > MOST_BYTES {
            return Err(mail);
        }
        self.held.fetch_add(bytes, Ordering::AcqRel);
        self.mail.try_send((mail, bytes)).map_err(|error| {
            self.held.fetch_sub(bytes, Ordering::AcqRel);
            let (mail, _) = error.into_inner();
            mail
        })
    }
}

impl Letters {
    /// The next message; `None` once the request has been answered and all is taken.
    pub(super) async fn next(&mut self) -> Option<Mail> {
        let (mail, bytes) = self.mail.recv().await?;
        self.held.fetch_sub(bytes, Ordering::AcqRel);
        Some(mail)
    }
}

const MOST: usize = 256;
const MOST_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests;
