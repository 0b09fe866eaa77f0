//! One run of the server, from its first line to its last.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use cmcp_json::Limits;
use tokio::{
    io::AsyncWriteExt,
    process::{ChildStdin, ChildStdout},
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::table::{Broken, Progress, Purpose, Table};
use crate::{
    client::{
        counters::Counters,
        handshake::{LISTEN, MODERN, listen_params},
        outgoing,
    },
    jsonrpc::{self, Id, Message, Outcome, RpcParseError},
    lines::{self, Decoder, Line, MAX_LINE},
    upstream::UpstreamError,
    version::Version,
};

/// A request.
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) params: Option<Bytes>,
    pub(super) max_bytes: usize,
    pub(super) purpose: Purpose,
}

pub(super) struct Session {
    version: OnceLock<Version>,
    counters: Arc<Counters>,
    table: Table,
    outgoing: mpsc::Sender<Outgoing>,
    stopped: watch::Sender<bool>,
}

/// The tasks that read and write the server's pipes. Dropping it ends them.
pub(super) struct Pipes(JoinSet<()>);

struct Outgoing {
    line: Bytes,
    progress: Arc<Progress>,
}

impl Session {
    /// Takes over the server's pipes.
    pub(super) fn open(
        stdin: ChildStdin,
        stdout: ChildStdout,
        counters: Arc<Counters>,
    ) -> (Arc<Self>, Pipes) {
        let (outgoing, queue) = mpsc::channel(QUEUE);
        let session = Arc::new(Self {
            version: OnceLock::new(),
            counters,
            table: Table::default(),
            outgoing,
            stopped: watch::Sender::new(false),
        });
        let mut pipes = JoinSet::new();
        pipes.spawn(Arc::clone(&session).write(stdin, queue));
        pipes.spawn(Arc::clone(&session).read(stdout));
        (session, Pipes(pipes))
    }

    pub(super) fn version(&self) -> Version {
        self.version.get().copied().unwrap_or(MODERN)
    }

    pub(super) fn negotiated(&self, version: Version) {
        // Set once, by whoever opened the session.
        let _ = self.version.set(version);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.table.has_ended()
    }

    /// Ends the session: what waits is lost, and the server's input is closed.
    pub(super) fn stop(&self) {
        if self.table.end() {
            // Whatever is started next may offer other tools.
            self.counters.outdate();
        }
        self.stopped.send_replace(true);
    }

    pub(super) async fn stopped(&self) {
        // Fails only when the sender is gone, which is `self`.
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// Sends a request and waits for its answer. Dropped, it withdraws the request, or tells the
    /// server that nobody waits any more.
    pub(super) async fn ask(
        &self,
        ask: Ask,
        progress: &Arc<Progress>,
    ) -> Result<Outcome, UpstreamError> {
        let Ask {
            method,
            params,
            max_bytes,
            purpose,
        } = ask;
        let id = self.counters.next_id();
        let line = lines::encode(&jsonrpc::request(&id.into(), method, params.as_deref()));
        let answer = self.table.enter(id, max_bytes, purpose)?;
        let _open = Open {
            session: self,
            id,
            progress,
        };
        let outgoing = Outgoing {
            line,
            progress: Arc::clone(progress),
        };
        let queued = self.outgoing.send(outgoing).await;
        queued.map_err(|_| UpstreamError::Lost { sent: false })?;
        match answer.await {
            // The session ended while the request still stood in the queue.
            Ok(Err(UpstreamError::Lost { .. })) | Err(_) => Err(UpstreamError::Lost {
                sent: progress.withdraw(),
            }),
            Ok(answer) => answer,
        }
    }

    /// Sends a notification.
    pub(super) async fn tell(&self, method: &str) -> Result<(), UpstreamError> {
        let line = lines::encode(&jsonrpc::notification(method, None));
        let queued = self
            .outgoing
            .send(Outgoing {
                line,
                progress: Arc::default(),
            })
            .await;
        queued.map_err(|_| UpstreamError::Lost { sent: false })
    }

    async fn write(self: Arc<Self>, mut stdin: ChildStdin, mut queue: mpsc::Receiver<Outgoing>) {
        let lines = async {
            while let Some(Outgoing { line, progress }) = queue.recv().await {
                if progress.begin() && stdin.write_all(&line).await.is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            () = lines => self.stop(),
            () = self.stopped() => {}
        }
    }

    async fn read(self: Arc<Self>, mut stdout: ChildStdout) {
        let mut decoder = Decoder::new(MAX_LINE);
        while let Ok(Some(line)) = decoder.read_from(&mut stdout).await {
            match line {
                Line::Whole(text) => self.receive(&text),
                Line::TooLong { head, tail } => {
                    self.spoil(Broken::TooLong {
                        head: &head,
                        tail: &tail,
                    });
                }
            }
        }
        self.stop();
    }

    fn receive(&self, text: &Bytes) {
        match jsonrpc::parse(text, &LIMITS) {
            Ok(Message::Response(response)) => {
                if !self.table.answer(response) {
                    self.counters.drop_one();
                }
            }
            Ok(Message::Notification(notification)) => self.counters.notified(&notification),
            // A server that does not read its input must not keep us from reading its output.
            Ok(Message::Request(request)) => self.post(&self.counters.asked(&request)),
            Err(RpcParseError::Json(_)) => self.spoil(Broken::NotJson(text)),
            Err(error) => self.spoil(Broken::NotJsonRpc(error.id())),
        }
    }

    fn spoil(&self, line: Broken<'_>) {
        if !self.table.spoil(line) {
            self.counters.drop_one();
        }
    }

    /// Sends a message if there is room.
    fn post(&self, message: &[u8]) {
        let line = lines::encode(message);
        if self
            .outgoing
            .try_send(Outgoing {
                line,
                progress: Arc::default(),
            })
            .is_err()
        {
            self.counters.drop_one();
        }
    }
}

impl Pipes {
    /// Asks the server to tell when its tools change, and waits for as long as it runs.
    pub(super) fn listen(&mut self, session: Arc<Session>) {
        self.0.spawn(async move {
            let ask = Ask {
                method: LISTEN,
                params: Some(listen_params(session.version())),
                max_bytes: LONGEST_FAREWELL,
                purpose: Purpose::Listen,
            };
            // Whether it never could or does not any more: it is listed by the clock then.
            let _ = session.ask(ask, &Arc::default()).await;
        });
    }

    /// Ends the tasks.
    pub(super) async fn close(mut self) {
        self.0.shutdown().await;
    }
}

/// A request that has been entered and not been answered.
struct Open<'a> {
    session: &'a Session,
    id: u64,
    progress: &'a Arc<Progress>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let unanswered = self.session.table.leave(self.id);
        if unanswered && self.progress.withdraw() {
            self.session.post(&outgoing::cancelled(&Id::from(self.id)));
        }
    }
}

const LIMITS: Limits = Limits {
    bytes: MAX_LINE,
    ..Limits::RESPONSE
};
const LONGEST_FAREWELL: usize = 64 << 10;
/// Messages that may wait to be written; past that, callers wait.
const QUEUE: usize = 64;
