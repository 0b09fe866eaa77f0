//! One run of the server, from its first line to its last.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use cmcp_json::{Object, Value};
use tokio::{
    io::AsyncWriteExt,
    process::{ChildStdin, ChildStdout},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

use super::{
    inbox::{self, Letters, Mail, Takes},
    table::{Answer, Entry, Passage, Purpose, Table},
    watch::{Order, Watcher},
};
use crate::{
    client::{
        counters::Counters,
        handshake::{INITIALIZE, MODERN, discovered},
        outgoing,
        own::Own,
        turn::{Turn, fault},
    },
    jsonrpc::{self, Id, Outcome},
    lines,
    method::Method,
    upstream::{LogLevel, Offers, UpstreamError, Watch},
};

/// A request.
pub(super) struct Question {
    pub(super) id: u64,
    pub(super) method: &'static str,
    pub(super) params: Option<Bytes>,
    pub(super) max_bytes: usize,
    pub(super) purpose: Purpose,
}

pub(super) struct Session {
    offers: OnceLock<Arc<Offers>>,
    /// The level of log messages that a legacy server was last told.
    level: Mutex<Option<LogLevel>>,
    orders: mpsc::Sender<Order>,
    pub(super) own: Arc<Own>,
    pub(super) counters: Arc<Counters>,
    pub(super) table: Table,
    outgoing: mpsc::Sender<Outgoing>,
    stopped: watch::Sender<bool>,
}

/// The tasks that read and write the server's pipes. Dropping it ends them.
pub(super) struct Pipes {
    tasks: JoinSet<()>,
    orders: Option<mpsc::Receiver<Order>>,
}

struct Outgoing {
    line: Bytes,
    passage: Arc<Passage>,
}

impl Session {
    /// Takes over the server's pipes.
    pub(super) fn open(
        stdin: ChildStdin,
        stdout: ChildStdout,
        counters: Arc<Counters>,
        own: Arc<Own>,
    ) -> (Arc<Self>, Pipes) {
        let (outgoing, queue) = mpsc::channel(QUEUE);
        let (orders, orders_taken) = mpsc::channel(1);
        let session = Arc::new(Self {
            offers: OnceLock::new(),
            level: Mutex::default(),
            orders,
            own,
            counters,
            table: Table::default(),
            outgoing,
            stopped: watch::Sender::new(false),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&session).write(stdin, queue));
        tasks.spawn(Arc::clone(&session).read(stdout));
        let pipes = Pipes {
            tasks,
            orders: Some(orders_taken),
        };
        (session, pipes)
    }

    /// What the server says of itself; set before anybody else sees the session.
    pub(super) fn offers(&self) -> &Arc<Offers> {
        self.offers.get_or_init(|| {
            let nothing = Outcome::Result {
                value: Value::Null,
                bytes: Bytes::new(),
            };
            Arc::new(discovered(&nothing, MODERN))
        })
    }

    /// Whether a handshake has been completed, and it was a legacy one.
    pub(super) fn is_legacy(&self) -> bool {
        let offers = self.offers.get();
        offers.is_some_and(|offers| !offers.version.is_modern())
    }

    pub(super) fn negotiated(&self, offers: Offers) {
        // Set once, by whoever opened the session.
        let _ = self.offers.set(Arc::new(offers));
    }

    pub(super) fn has_ended(&self) -> bool {
        self.table.has_ended()
    }

    /// Ends the session: what waits is lost, and the server's input is closed.
    pub(super) fn stop(&self) {
        if self.table.end() {
            // Whatever is started next may offer other things.
            self.counters.outdate_all();
        }
        self.stopped.send_replace(true);
    }

    pub(super) async fn stopped(&self) {
        // Fails only when the sender is gone, which is `self`.
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// A small question of our own.
    pub(super) fn question(&self, method: &'static str, params: Option<Bytes>) -> Question {
        Question {
            id: self.counters.next_id(),
            method,
            params,
            max_bytes: OWN_BYTES,
            purpose: Purpose::Other,
        }
    }

    /// Sends a request and waits for its answer. Dropped, it withdraws the request, or tells the
    /// server that nobody waits any more.
    pub(super) async fn ask(
        &self,
        question: Question,
        passage: &Arc<Passage>,
    ) -> Result<Outcome, UpstreamError> {
        let mut open = self.send(question, None, passage).await?;
        open.wait.answer().await
    }

    /// As [`Self::ask`]; what the server says meanwhile is for `turn`.
    pub(super) async fn serve(
        &self,
        question: Question,
        (turn, takes): (Turn, Takes),
        passage: &Arc<Passage>,
    ) -> Result<Outcome, UpstreamError> {
        let mut open = self.send(question, Some(takes), passage).await?;
        open.turn = Some(turn);
        open.served().await
    }

    /// Sends a request. What it takes can be heard until it is answered.
    pub(super) async fn send<'a>(
        &'a self,
        question: Question,
        takes: Option<Takes>,
        passage: &'a Arc<Passage>,
    ) -> Result<Open<'a>, UpstreamError> {
        let Question {
            id,
            method,
            params,
            max_bytes,
            purpose,
        } = question;
        let line = lines::encode(&jsonrpc::request(&id.into(), method, params.as_deref()));
        let (inbox, letters) = takes.map(inbox::open).unzip();
        let entry = Entry {
            max_bytes,
            purpose,
            inbox,
        };
        let wait = Wait {
            answer: self.table.enter(id, entry)?,
            letters,
            passage,
        };
        let open = Open {
            wait,
            session: self,
            id,
            turn: None,
            // The protocol forbids it for the one.
            cancel: method != INITIALIZE,
        };
        let outgoing = Outgoing {
            line,
            passage: Arc::clone(passage),
        };
        let queued = self.outgoing.send(outgoing).await;
        queued.map_err(|_| UpstreamError::Lost { sent: false })?;
        Ok(open)
    }

    /// Sends a notification or a reply.
    pub(super) async fn tell(&self, message: &[u8]) -> Result<(), UpstreamError> {
        let outgoing = Outgoing {
            line: lines::encode(message),
            passage: Arc::default(),
        };
        let queued = self.outgoing.send(outgoing).await;
        queued.map_err(|_| UpstreamError::Lost { sent: false })
    }

    /// Sends a message if there is room.
    pub(super) fn post(&self, message: &[u8]) {
        let outgoing = Outgoing {
            line: lines::encode(message),
            passage: Arc::default(),
        };
        if self.outgoing.try_send(outgoing).is_err() {
            self.counters.drop_one();
        }
    }

    /// Sees to it that a legacy server logs from this level on. It is said for the whole session,
    /// so that it is said only when it changes. A server that refuses logs as it likes.
    pub(super) async fn log_from(&self, level: LogLevel) {
        if !self.is_legacy() || !self.offers().has(&["logging"]) {
            return;
        }
        let before = {
            let mut told = self.level.lock().unwrap_or_else(PoisonError::into_inner);
            told.replace(level)
        };
        if before == Some(level) {
            return;
        }
        let params: Object = [("level", level.as_str())].into();
        let params = Value::from(params).to_vec();
        let question = self.question(Method::LoggingSetLevel.as_str(), Some(params.into()));
        let _ = self.ask(question, &Arc::default()).await;
    }

    /// States what the server is to tell of from now on.
    pub(super) async fn watch(&self, wanted: Watch) -> Result<Watch, UpstreamError> {
        let lost = |()| UpstreamError::Lost { sent: false };
        let (done, answer) = oneshot::channel();
        let order = Order { wanted, done };
        let ordered = self.orders.send(order).await;
        ordered.map_err(|_| lost(()))?;
        answer.await.unwrap_or_else(|_| Err(lost(())))
    }

    async fn write(self: Arc<Self>, mut stdin: ChildStdin, mut queue: mpsc::Receiver<Outgoing>) {
        let lines = async {
            while let Some(Outgoing { line, passage }) = queue.recv().await {
                if passage.begin() && stdin.write_all(&line).await.is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            () = lines => self.stop(),
            () = self.stopped() => {}
        }
    }
}

impl Pipes {
    /// Hears what the server announces, for as long as it runs.
    pub(super) fn watch(&mut self, session: Arc<Session>, first: Watch, run: Run) {
        if let Some(orders) = self.orders.take() {
            let watcher = Watcher::new(session, orders);
            self.tasks.spawn(watcher.run(first, run));
        }
    }

    /// Ends the tasks.
    pub(super) async fn close(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Which run of the server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// The first.
    First,
    /// One after another.
    Again,
}

/// A request that has been entered and not been answered.
pub(super) struct Open<'a> {
    wait: Wait<'a>,
    session: &'a Session,
    pub(super) id: u64,
    turn: Option<Turn>,
    cancel: bool,
}

struct Wait<'a> {
    answer: oneshot::Receiver<Answer>,
    letters: Option<Letters>,
    passage: &'a Arc<Passage>,
}

/// What comes of waiting for a request a little.
pub(super) enum Next {
    /// The server said something about it.
    Heard(Mail),
    /// Its answer.
    Answered(Result<Outcome, UpstreamError>),
}

impl Wait<'_> {
    async fn answer(&mut self) -> Result<Outcome, UpstreamError> {
        let answer = (&mut self.answer).await;
        judge(answer, self.passage)
    }

    /// What was said before the answer comes before it.
    async fn next(&mut self) -> Next {
        let heard = async {
            match &mut self.letters {
                Some(letters) => letters.next().await,
                None => None,
            }
        };
        tokio::select! {
            biased;
            Some(mail) = heard => Next::Heard(mail),
            answer = &mut self.answer => Next::Answered(judge(answer, self.passage)),
        }
    }
}

fn judge(
    answer: Result<Answer, oneshot::error::RecvError>,
    passage: &Passage,
) -> Result<Outcome, UpstreamError> {
    match answer {
        // The session ended while the request still stood in the queue.
        Ok(Err(UpstreamError::Lost { .. })) | Err(_) => Err(UpstreamError::Lost {
            sent: passage.withdraw(),
        }),
        Ok(answer) => answer,
    }
}

impl Open<'_> {
    /// What comes next.
    pub(super) async fn next(&mut self) -> Next {
        self.wait.next().await
    }

    async fn served(&mut self) -> Result<Outcome, UpstreamError> {
        let Self {
            wait,
            session,
            turn: Some(turn),
            ..
        } = self
        else {
            return self.wait.answer().await;
        };
        loop {
            let reply = tokio::select! {
                biased;
                reply = turn.reply() => Some(reply),
                next = wait.next() => match next {
                    Next::Answered(answer) => return answer,
                    Next::Heard(Mail::Notification(notification)) => {
                        turn.notified(&notification).await;
                        None
                    }
                    Next::Heard(Mail::Request(request)) => turn.asked(request).await,
                },
            };
            if let Some(reply) = reply {
                session.tell(&reply).await?;
            }
        }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let unanswered = self.session.table.leave(self.id);
        if !unanswered || !self.wait.passage.withdraw() || !self.cancel {
            return;
        }
        self.session.post(&outgoing::cancelled(&Id::from(self.id)));
        for id in self.turn.iter().flat_map(Turn::owes) {
            self.session.post(&fault(&id));
        }
    }
}

/// Cap on the answers to questions of our own.
const OWN_BYTES: usize = 1 << 20;
/// Messages that may wait to be written; past that, callers wait.
const QUEUE: usize = 64;
