//! What a channel holds, and for whom.

use std::{collections::VecDeque, task::Waker};

use bytes::Bytes;

use super::{super::port::Last, Tally};

/// A message as it is sent: parts, one after the other.
pub(in crate::server) type Frame = [Bytes; 3];

/// What a channel is right now.
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) reader: Reader,
    /// How often a reader has come.
    pub(super) readers: u64,
    /// Sequence number of the next event.
    pub(super) next: u64,
    /// The answer, where nothing was said before it.
    pub(super) last: Option<Last>,
    pub(super) waker: Option<Waker>,
    /// The last `unread` of these have not been read.
    events: VecDeque<Event>,
    unread: usize,
    unread_bytes: usize,
    held: usize,
    /// The last event is not kept any more.
    lost_last: bool,
}

pub(super) enum Phase {
    /// Nothing has been said: the answer may still be one JSON body.
    Quiet,
    /// A stream, by its number.
    Open(u64),
    /// Nothing more will be said.
    Ended(u64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// Nobody is there.
    Away,
    /// The nth is there.
    Here(u64),
    /// The nth fell behind.
    Behind(u64),
}

struct Event {
    seq: u64,
    frame: Frame,
}

impl State {
    pub(super) fn new(phase: Phase, reader: Reader) -> Self {
        Self {
            phase,
            reader,
            readers: 1,
            next: 1,
            last: None,
            waker: None,
            events: VecDeque::new(),
            unread: 0,
            unread_bytes: 0,
            held: 0,
            lost_last: false,
        }
    }

    /// Bytes of all that is held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn is_far_behind(&self) -> bool {
        self.unread >= UNREAD || self.unread_bytes >= UNREAD_BYTES
    }

    pub(super) fn has_nothing_unread(&self) -> bool {
        self.unread == 0
    }

    pub(super) fn add(&mut self, frame: Frame) {
        let bytes = size(&frame);
        self.events.push_back(Event {
            seq: self.next,
            frame,
        });
        self.next = self.next.saturating_add(1);
        self.unread = self.unread.saturating_add(1);
        self.unread_bytes = self.unread_bytes.saturating_add(bytes);
        self.held = self.held.saturating_add(bytes);
    }

    /// Reads the next event, and forgets it.
    pub(super) fn take(&mut self) -> Option<Frame> {
        let Event { seq: _, frame } = self.events.pop_front()?;
        let bytes = size(&frame);
        self.held = self.held.saturating_sub(bytes);
        self.unread = self.unread.saturating_sub(1);
        self.unread_bytes = self.unread_bytes.saturating_sub(bytes);
        Some(frame)
    }

    /// Reads the next event, which stays.
    pub(super) fn read(&mut self) -> Option<Frame> {
        let place = self.events.len().checked_sub(self.unread)?;
        let frame = self.events.get(place)?.frame.clone();
        self.unread = self.unread.saturating_sub(1);
        self.unread_bytes = self.unread_bytes.saturating_sub(size(&frame));
        Some(frame)
    }

    /// Lets everything that is held count as read.
    pub(super) fn skip(&mut self) {
        self.unread = 0;
        self.unread_bytes = 0;
    }

    /// Lets everything behind an event count as unread; false when there has been no such event,
    /// or the end is not kept any more.
    pub(super) fn rewind(&mut self, seq: u64) -> bool {
        if seq >= self.next || self.lost_last {
            return false;
        }
        self.skip();
        for event in self.events.iter().rev().take_while(|event| event.seq > seq) {
            self.unread = self.unread.saturating_add(1);
            self.unread_bytes = self.unread_bytes.saturating_add(size(&event.frame));
        }
        true
    }

    /// A place for a new reader.
    pub(super) fn seat(&mut self) -> u64 {
        self.readers = self.readers.saturating_add(1);
        self.reader = Reader::Here(self.readers);
        self.readers
    }

    /// Keeps no more than may be kept for reading again, and what a reader that is there has not
    /// read. The newest alone may be as large as all that a session keeps.
    pub(super) fn trim(&mut self, tally: &Tally) {
        let (most, newest) = if tally.is_spent() {
            (0, 0)
        } else {
            (KEPT_BYTES, tally.most())
        };
        while !self.events.is_empty() && !self.waits_whole() {
            let alone = self.events.len() == 1;
            let most = if alone { newest } else { most };
            if self.held <= most && self.events.len() <= KEPT {
                return;
            }
            self.drop_oldest();
        }
    }

    /// Keeps nothing but what a reader that is there has not read.
    pub(super) fn shed(&mut self) {
        while !self.events.is_empty() && !self.waits_whole() {
            self.drop_oldest();
        }
    }

    pub(super) fn forget(&mut self) {
        self.lost_last |= self.phase.is_ended() && !self.events.is_empty();
        self.events = VecDeque::new();
        self.skip();
        self.held = 0;
    }

    /// Whether all that is held waits for a reader that is there.
    fn waits_whole(&self) -> bool {
        matches!(self.reader, Reader::Here(_)) && self.events.len() <= self.unread
    }

    fn drop_oldest(&mut self) {
        let unread = self.events.len() <= self.unread;
        if let Some(event) = self.events.pop_front() {
            let bytes = size(&event.frame);
            self.held = self.held.saturating_sub(bytes);
            if unread {
                self.unread = self.unread.saturating_sub(1);
                self.unread_bytes = self.unread_bytes.saturating_sub(bytes);
            }
        }
        self.lost_last |= self.events.is_empty() && self.phase.is_ended();
    }
}

impl Phase {
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Quiet => 0,
            Self::Open(number) | Self::Ended(number) => *number,
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

fn size(frame: &Frame) -> usize {
    frame.iter().map(Bytes::len).sum()
}

/// Unread events, and bytes of them, behind which a reader is cut off.
pub(in crate::server) const UNREAD: usize = 1_000;
pub(in crate::server) const UNREAD_BYTES: usize = 1 << 20;
/// Events, and bytes of them, kept for reading again.
pub(super) const KEPT: usize = 256;
const KEPT_BYTES: usize = 1 << 20;
