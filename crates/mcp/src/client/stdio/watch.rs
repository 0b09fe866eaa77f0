//! What the server is to tell of: subscriptions of the legacy era, streams of the modern one. One
//! task per run of the server sees to it, so that orders follow one another.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use cmcp_json::{Object, Value};
use futures_util::future::BoxFuture;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};

use super::{
    inbox::{Mail, Takes},
    session::{Next, Open, Question, Run, Session},
    table::{Passage, Purpose},
};
use crate::{
    client::{
        handshake::{self, LISTEN},
        heard::Heard,
    },
    jsonrpc::Outcome,
    method::Method,
    upstream::{Offers, Said, UpstreamError, Watch},
};

/// All that is to be watched from now on, and who waits for what comes of it.
pub(super) struct Order {
    pub(super) wanted: Watch,
    pub(super) done: oneshot::Sender<Result<Watch, UpstreamError>>,
}

pub(super) struct Watcher {
    session: Arc<Session>,
    orders: mpsc::Receiver<Order>,
}

/// What a legacy server has been asked of what is wanted, and said.
#[derive(Default)]
struct Held {
    granted: BTreeSet<String>,
    /// Asked for again only when it is wanted anew.
    refused: BTreeSet<String>,
}

impl Watcher {
    pub(super) fn new(session: Arc<Session>, orders: mpsc::Receiver<Order>) -> Self {
        Self { session, orders }
    }

    /// Watches what was wanted before the server ran, and then what is ordered.
    pub(super) async fn run(self, first: Watch, run: Run) {
        let asked_for = !first.resources.is_empty() || !first.tasks.is_empty();
        // What changed between the runs nobody was told of.
        let missed = (asked_for && run == Run::Again).then_some(Said::Reconnected);
        if self.session.is_legacy() {
            self.run_legacy(first, missed).await;
        } else {
            self.run_modern(first, missed).await;
        }
    }

    async fn run_legacy(mut self, first: Watch, missed: Option<Said>) {
        let mut held = Held::default();
        let restored = self.subscribe(&mut held, &first).await;
        if let (Ok(_), Some(missed)) = (restored, missed) {
            self.session.counters.say(missed);
        }
        while let Some(Order { wanted, done }) = self.orders.recv().await {
            // Whoever asked may have given up.
            let _ = done.send(self.subscribe(&mut held, &wanted).await);
        }
    }

    /// Subscribes to what is wanted and not held, and lets go of the rest.
    async fn subscribe(&self, held: &mut Held, wanted: &Watch) -> Result<Watch, UpstreamError> {
        let possible = handshake::honoured(self.session.offers(), wanted);
        held.refused.retain(|uri| possible.resources.contains(uri));
        let superfluous: Vec<_> = held
            .granted
            .difference(&possible.resources)
            .cloned()
            .collect();
        for uri in superfluous {
            held.granted.remove(&uri);
            self.about(Method::ResourcesUnsubscribe, &uri).await?;
        }
        for uri in &possible.resources {
            if held.granted.contains(uri) || held.refused.contains(uri) {
                continue;
            }
            let set = match self.about(Method::ResourcesSubscribe, uri).await? {
                Outcome::Result { .. } => &mut held.granted,
                Outcome::Error { .. } => &mut held.refused,
            };
            set.insert(uri.clone());
        }
        Ok(Watch {
            resources: held.granted.clone(),
            ..possible
        })
    }

    async fn about(&self, method: Method, uri: &str) -> Result<Outcome, UpstreamError> {
        let params: Object = [("uri", uri)].into();
        let params = Bytes::from(Value::from(params).to_vec());
        let question = self.session.question(method.as_str(), Some(params));
        let passage = Arc::new(Passage::default());
        let answer = timeout(ANSWERED_WITHIN, self.session.ask(question, &passage)).await;
        answer.unwrap_or_else(|_| Err(late(&passage)))
    }

    async fn run_modern(mut self, first: Watch, missed: Option<Said>) {
        let mut stream = Stream::new(first);
        stream.open(&self.session).await;
        if let (Some(_), Some(missed)) = (&stream.current, missed) {
            self.session.counters.say(missed);
        }
        loop {
            tokio::select! {
                order = self.orders.recv() => {
                    let Some(Order { wanted, done }) = order else { return };
                    let _ = done.send(stream.change(&self.session, wanted).await);
                }
                () = stream.ended() => stream.open(&self.session).await,
            }
        }
    }
}

/// The one stream on which a modern server announces changes.
struct Stream {
    wanted: Watch,
    current: Option<Current>,
    /// How long to wait before it is opened again; `None` when the server will not have it.
    pause: Option<Duration>,
}

struct Current {
    honoured: Watch,
    since: Instant,
    end: BoxFuture<'static, ()>,
}

impl Stream {
    fn new(wanted: Watch) -> Self {
        Self {
            wanted,
            current: None,
            pause: Some(FIRST_PAUSE),
        }
    }

    /// Waits until the stream has ended and the pause behind it is over.
    async fn ended(&mut self) {
        if let Some(current) = &mut self.current {
            (&mut current.end).await;
            if current.since.elapsed() > LONGEST_PAUSE {
                self.pause = Some(FIRST_PAUSE);
            }
            self.current = None;
        }
        match self.pause {
            Some(pause) => sleep(pause).await,
            None => std::future::pending().await,
        }
    }

    /// Opens it. Whether it could be opened shows in what it is then.
    async fn open(&mut self, session: &Arc<Session>) {
        // What goes wrong here is tried again, or shows when the next order comes.
        let _ = self.reopen(session).await;
        let longer = |pause: Duration| pause.saturating_mul(2).min(LONGEST_PAUSE);
        self.pause = self.pause.map(longer);
    }

    async fn change(
        &mut self,
        session: &Arc<Session>,
        wanted: Watch,
    ) -> Result<Watch, UpstreamError> {
        let same = self.wanted == wanted;
        self.wanted = wanted;
        match &self.current {
            Some(current) if same => Ok(current.honoured.clone()),
            Some(_) | None => self.reopen(session).await,
        }
    }

    /// Opens a stream for what is wanted now; only when the server has acknowledged it, the one
    /// before is let go, so that nothing is missed between the two.
    async fn reopen(&mut self, session: &Arc<Session>) -> Result<Watch, UpstreamError> {
        let offers = session.offers();
        if !is_possible(offers, &self.wanted) {
            self.current = None;
            self.pause = None;
            return Ok(Watch::default());
        }
        let (heard, acknowledged) = oneshot::channel();
        let params = handshake::listen_params(&session.own, offers, &self.wanted);
        let mut end: BoxFuture<'static, ()> = Box::pin(listen(Arc::clone(session), params, heard));
        let opening = async {
            tokio::select! {
                biased;
                said = acknowledged => said.unwrap_or_else(|_| Err(gone())),
                // Having ended, it has said why.
                () = &mut end => Err(gone()),
            }
        };
        let said = match timeout(ANSWERED_WITHIN, opening).await {
            Ok(Ok(said)) => said,
            Ok(Err(error)) => {
                // It has no such method, or not for this; then it is listed by the clock.
                if matches!(error, UpstreamError::Rpc { .. }) {
                    self.pause = None;
                }
                return Err(error);
            }
            // It may tell even so, and nobody can rely on it.
            Err(_) => Watch::default(),
        };
        let honoured = both(&said, &self.wanted);
        self.pause = self.pause.or(Some(FIRST_PAUSE));
        self.current = Some(Current {
            honoured: honoured.clone(),
            since: Instant::now(),
            end,
        });
        Ok(honoured)
    }
}

/// One stream, from its request to its end; what the server honours goes to `heard`.
async fn listen(
    session: Arc<Session>,
    params: Bytes,
    heard: oneshot::Sender<Result<Watch, UpstreamError>>,
) {
    let question = Question {
        params: Some(params),
        purpose: Purpose::Listen,
        ..session.question(LISTEN, None)
    };
    let passage = Arc::new(Passage::default());
    let mut open = match session.send(question, Some(Takes::Stream), &passage).await {
        Ok(open) => open,
        Err(error) => {
            let _ = heard.send(Err(error));
            return;
        }
    };
    let acknowledged = acknowledged(&mut open).await;
    let is_open = acknowledged.is_ok();
    let _ = heard.send(acknowledged);
    if is_open {
        ended(&mut open).await;
    }
}

/// Waits until the server ends a stream.
async fn ended(open: &mut Open<'_>) {
    loop {
        match open.next().await {
            Next::Heard(Mail::Notification(notification))
                if matches!(Heard::of(&notification), Heard::Cancelled(_)) =>
            {
                return;
            }
            Next::Heard(_) => {}
            Next::Answered(_) => return,
        }
    }
}

/// Waits for the first thing that is said on a stream.
async fn acknowledged(open: &mut Open<'_>) -> Result<Watch, UpstreamError> {
    match open.next().await {
        Next::Heard(Mail::Notification(notification))
            if Heard::of(&notification) == Heard::Acknowledged =>
        {
            Ok(handshake::acknowledged(&notification.params))
        }
        Next::Heard(_) | Next::Answered(Ok(Outcome::Result { .. })) => Err(gone()),
        Next::Answered(Ok(Outcome::Error { code, message, .. })) => Err(UpstreamError::Rpc {
            method: LISTEN,
            code,
            message: handshake::shorten(&message),
        }),
        Next::Answered(Err(error)) => Err(error),
    }
}

/// Whether there is anything that the server can be asked to tell of.
fn is_possible(offers: &Offers, wanted: &Watch) -> bool {
    let Watch {
        resources,
        lists,
        tasks,
    } = handshake::honoured(offers, wanted);
    lists || !resources.is_empty() || !tasks.is_empty()
}

fn both(said: &Watch, wanted: &Watch) -> Watch {
    let common = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.intersection(b).cloned().collect();
    Watch {
        resources: common(&said.resources, &wanted.resources),
        lists: said.lists,
        tasks: common(&said.tasks, &wanted.tasks),
    }
}

fn late(passage: &Passage) -> UpstreamError {
    UpstreamError::Timeout {
        sent: passage.withdraw(),
        after: ANSWERED_WITHIN,
    }
}

fn gone() -> UpstreamError {
    UpstreamError::Lost { sent: true }
}

const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
