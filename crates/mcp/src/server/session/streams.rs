//! What belongs to no request, and streams that are taken up again.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;

use crate::{
    server::{
        channel::{Channel, Framing, Pushed, Weight, read_event_id},
        reply::{Left, StreamBody},
    },
    sse,
};

use super::{Kind, Session};

impl Session {
    /// Tells the client something that belongs to no request of its. Without a stream for such it
    /// is lost, and counted.
    pub fn announce(&self, message: Bytes) {
        let pushed = match &self.0.kind {
            Kind::Streams => {
                let standalone = self.state().standalone.clone();
                let pushed = standalone.map(|stream| stream.push(&message, Weight::Note));
                self.trim();
                pushed.unwrap_or(Pushed::Dropped)
            }
            Kind::Pair(_) | Kind::Stdio(_) => self.say(&message, Weight::Note),
        };
        if pushed == Pushed::Dropped {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many messages never had a chance to be read.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// The stream for what belongs to no request: of Streamable HTTP's GET. A newer one takes the
    /// place of the older.
    #[must_use]
    pub fn standalone(&self, keep_alive: Duration) -> StreamBody {
        let channel = {
            let mut state = self.state();
            Arc::clone(state.standalone.get_or_insert_with(|| {
                let framing = Framing::Kept(Arc::clone(&self.0.tally));
                Arc::new(Channel::open(framing, 0))
            }))
        };
        let (nth, id) = channel.take_over();
        if self.is_ended() || self.is_closing() {
            channel.end();
        }
        StreamBody::new(
            channel,
            nth,
            self.first_event(&id),
            Left::Nothing,
            keep_alive,
        )
    }

    /// Ends the streams that no request is waiting on: the server is about to stop, and what is
    /// being served is still answered. A pair's stream ends when its last request is answered.
    pub fn close_streams(&self) {
        let standalone = {
            let state = self.state();
            self.0.closing.store(true, Ordering::Release);
            state.standalone.clone()
        };
        if let Some(standalone) = standalone {
            standalone.end();
        }
        self.end_line_if_idle();
    }

    /// The stream that an event belongs to, from behind that event; `None` where it is not known
    /// any more.
    #[must_use]
    pub fn resume(&self, last_event_id: &str, keep_alive: Duration) -> Option<StreamBody> {
        let (number, seq) = read_event_id(last_event_id)?;
        let channel = {
            let state = self.state();
            match number {
                0 => state.standalone.clone()?,
                _ => Arc::clone(state.streams.get(&number)?),
            }
        };
        let nth = channel.take_over_behind(seq)?;
        let first = sse::keep_alive();
        Some(StreamBody::new(
            channel,
            nth,
            first,
            Left::Nothing,
            keep_alive,
        ))
    }

    /// The one stream of a pair. Its first event is the address that messages are to be posted to,
    /// session id included; its end is the session's.
    #[must_use]
    pub fn pair_stream(&self, endpoint: &str, keep_alive: Duration) -> Option<StreamBody> {
        let Kind::Pair(line) = &self.0.kind else {
            return None;
        };
        let first = sse::encode("endpoint", None, endpoint.as_bytes());
        let (nth, _) = line.take_over();
        let left = Left::Ends(self.clone());
        Some(StreamBody::new(
            Arc::clone(line),
            nth,
            first,
            left,
            keep_alive,
        ))
    }
}
