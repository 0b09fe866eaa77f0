//! What comes out of the server, line by line, and where each of it belongs. Whoever reads never
//! waits for anybody: one slow caller must not keep the others from their answers.

use std::sync::Arc;

use bytes::Bytes;
use cmcp_json::Limits;
use tokio::process::ChildStdout;

use super::{
    inbox::{Mail, Takes},
    session::Session,
    table::{Broken, LONGEST_LINE},
};
use crate::{
    client::{
        heard::{Heard, Wanted},
        turn::fault,
    },
    error::Code,
    headers::META_SUBSCRIPTION,
    jsonrpc::{self, Id, Message, Notification, Request, RpcParseError},
    lines::{Decoder, Line, MAX_LINE},
};

impl Session {
    pub(super) async fn read(self: Arc<Self>, mut stdout: ChildStdout) {
        let mut decoder = Decoder::new(MAX_LINE);
        loop {
            while let Some(line) = decoder.next_line() {
                self.receive(line);
            }
            // A request may have come meanwhile whose answer may be longer.
            decoder.allow(self.table.longest_line());
            if !decoder.fill(&mut stdout).await.unwrap_or(false) {
                break;
            }
        }
        self.stop();
    }

    fn receive(&self, line: Line) {
        let text = match line {
            Line::Whole(text) => text,
            Line::TooLong { head, tail } => {
                let (head, tail) = (&head, &tail);
                return self.spoil(Broken::TooLong { head, tail });
            }
        };
        match jsonrpc::parse(&text, &LIMITS) {
            Ok(Message::Response(response)) => {
                if !self.table.answer(response) {
                    self.counters.drop_one();
                }
            }
            Ok(Message::Notification(notification)) => self.notified(notification, &text),
            Ok(Message::Request(request)) => self.asked(request, &text),
            Err(RpcParseError::Json(_)) => self.spoil(Broken::NotJson(&text)),
            Err(error) => self.spoil(Broken::NotJsonRpc(error.id())),
        }
    }

    fn spoil(&self, line: Broken<'_>) {
        if !self.table.spoil(line) {
            self.counters.drop_one();
        }
    }

    fn notified(&self, notification: Notification, text: &Bytes) {
        let to = match Heard::of(&notification) {
            Heard::Progress { token, .. } => Some(token),
            Heard::Message(_) => self.table.sole(Takes::messages),
            Heard::ElicitationComplete(_) => self.table.sole(Takes::requests),
            // Whose it is to withdraw: requests of its own in the one era, streams in the other.
            Heard::Cancelled(id) if self.is_legacy() => self.table.asked(&id),
            Heard::Cancelled(id) => self.stream(&id),
            Heard::Acknowledged => match subscription(&notification) {
                Some(id) => self.stream(&id),
                None => self.table.sole(|takes| takes == Takes::Stream),
            },
            Heard::Changed(_) | Heard::Updated { .. } | Heard::TaskStatus(_) | Heard::Unknown => {
                None
            }
        };
        let of_closed = subscription(&notification).is_some_and(|id| self.stream(&id).is_none());
        match to {
            Some(to) => {
                let mail = Mail::Notification(notification);
                if !self.table.hand(to, mail, text.len()) {
                    self.counters.drop_one();
                }
            }
            None if of_closed || text.len() > LONGEST_UNASKED => self.counters.drop_one(),
            None => self.counters.notified(&notification),
        }
    }

    /// The stream of announcements that this id names.
    fn stream(&self, id: &Id) -> Option<u64> {
        let Id::Number(number) = id else { return None };
        number.as_u64().filter(|id| self.table.is_stream(*id))
    }

    fn asked(&self, request: Request, text: &Bytes) {
        let reply = match Wanted::of(&request, &self.own) {
            Wanted::Reply(reply) => reply,
            Wanted::Refuse(reply) => {
                self.counters.refuse_one();
                reply
            }
            // What a modern server wants stands in its results.
            Wanted::Of(_) if !self.is_legacy() => {
                self.counters.refuse_one();
                let code = Code::MethodNotFound.value();
                jsonrpc::error(&request.id, code, "Method not found", None)
            }
            Wanted::Of(_) => match self.table.put(request, text.len()) {
                Ok(()) => return,
                Err(request) => {
                    self.counters.refuse_one();
                    fault(&request.id)
                }
            },
        };
        // A server that does not read its input must not keep us from reading its output.
        self.post(&reply);
    }
}

fn subscription(notification: &Notification) -> Option<Id> {
    let id = notification.params.meta(META_SUBSCRIPTION)?;
    Id::from_value(id)
}

const LIMITS: Limits = Limits {
    bytes: LONGEST_LINE,
    ..Limits::RESPONSE
};
/// The longest notification that is kept for those who listen to what nobody asked for.
const LONGEST_UNASKED: usize = 256 << 10;
