//! Places for what is in flight. Who finds none waits in the lane of its principal; a place that
//! becomes free goes to the next lane in turn, so that however many one principal lets wait,
//! another waits for one turn of the others.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// How much there is room for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) places: usize,
    pub(super) waiting: usize,
}

impl Size {
    // One principal can never take what others need to get anything done at all.
    fn places_of_one(self) -> usize {
        self.places.div_ceil(2)
    }

    fn waiting_of_one(self) -> usize {
        self.waiting.div_ceil(2)
    }
}

/// All lanes.
#[derive(Clone, Debug)]
pub(super) struct Lanes(Arc<Mutex<Table>>);

#[derive(Debug)]
struct Table {
    size: Size,
    taken: usize,
    waiting: usize,
    next: u64,
    lanes: HashMap<Arc<str>, Lane>,
    // Lanes that somebody waits in and that may have a place more, in turn.
    turns: VecDeque<Arc<str>>,
}

#[derive(Debug, Default)]
struct Lane {
    taken: usize,
    // By arrival, so that whoever stops waiting is taken out wherever it stands.
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
    in_turn: bool,
}

impl Lanes {
    pub(super) fn new(size: Size) -> Self {
        Self(Arc::new(Mutex::new(Table {
            size,
            taken: 0,
            waiting: 0,
            next: 0,
            lanes: HashMap::new(),
            turns: VecDeque::new(),
        })))
    }

    /// A place, now or when it is this principal's turn; `None` when too many wait already.
    pub(super) async fn enter(&self, principal: &str) -> Option<Place> {
        let (principal, waits) = self.lock().arrive(principal)?;
        let place = || Place {
            lanes: self.clone(),
            principal: Arc::clone(&principal),
        };
        let Some((number, called)) = waits else {
            return Some(place());
        };
        let mut waiter = Waiter {
            lanes: self,
            principal: &principal,
            number: Some(number),
        };
        // The sender is kept until it is used: the table outlives whoever waits in it.
        called.await.ok()?;
        waiter.number = None;
        Some(place())
    }

    /// Places taken, and how many wait for one.
    pub(super) fn load(&self) -> (usize, usize) {
        let table = self.lock();
        (table.taken, table.waiting)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Arrived = (Arc<str>, Option<(u64, oneshot::Receiver<()>)>);

impl Table {
    fn arrive(&mut self, principal: &str) -> Option<Arrived> {
        let name = match self.lanes.get_key_value(principal) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(principal),
        };
        let lane = self.lanes.entry(Arc::clone(&name)).or_default();
        let has_room = lane.taken < self.size.places_of_one();
        // With a place free nobody waits but those whose principal may have no more.
        if has_room && lane.waiting.is_empty() && self.taken < self.size.places {
            lane.taken = lane.taken.saturating_add(1);
            self.taken = self.taken.saturating_add(1);
            return Some((name, None));
        }
        if self.waiting >= self.size.waiting || lane.waiting.len() >= self.size.waiting_of_one() {
            self.forget(&name);
            return None;
        }
        let (call, called) = oneshot::channel();
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        lane.waiting.insert(number, call);
        self.waiting = self.waiting.saturating_add(1);
        if has_room && !lane.in_turn {
            lane.in_turn = true;
            self.turns.push_back(Arc::clone(&name));
        }
        Some((name, Some((number, called))))
    }

    /// Gives the free places to those in turn.
    fn call(&mut self) {
        while self.taken < self.size.places {
            let Some(name) = self.turns.pop_front() else {
                return;
            };
            let Some(lane) = self.lanes.get_mut(&name) else {
                continue;
            };
            lane.in_turn = false;
            if lane.taken >= self.size.places_of_one() {
                continue;
            }
            let Some((_, call)) = lane.waiting.pop_first() else {
                self.forget(&name);
                continue;
            };
            lane.taken = lane.taken.saturating_add(1);
            self.taken = self.taken.saturating_add(1);
            self.waiting = self.waiting.saturating_sub(1);
            // Whoever stopped waiting at this moment gives the place back itself.
            let _stopped = call.send(());
            if !lane.waiting.is_empty() {
                lane.in_turn = true;
                self.turns.push_back(name);
            }
        }
    }

    fn leave(&mut self, principal: &Arc<str>) {
        self.taken = self.taken.saturating_sub(1);
        if let Some(lane) = self.lanes.get_mut(principal) {
            lane.taken = lane.taken.saturating_sub(1);
            if !lane.waiting.is_empty() && !lane.in_turn {
                lane.in_turn = true;
                self.turns.push_back(Arc::clone(principal));
            }
        }
        self.forget(principal);
        self.call();
    }

    /// Whether this one still waited, and was not called.
    fn stop_waiting(&mut self, principal: &Arc<str>, number: u64) -> bool {
        let lane = self.lanes.get_mut(principal);
        let waited = lane.is_some_and(|lane| lane.waiting.remove(&number).is_some());
        if waited {
            self.waiting = self.waiting.saturating_sub(1);
            self.forget(principal);
        }
        waited
    }

    fn forget(&mut self, principal: &Arc<str>) {
        let is_empty = |lane: &Lane| lane.taken == 0 && lane.waiting.is_empty() && !lane.in_turn;
        if self.lanes.get(principal).is_some_and(is_empty) {
            self.lanes.remove(principal);
        }
    }
}

/// Somebody who waits, and may stop doing so at any moment.
struct Waiter<'a> {
    lanes: &'a Lanes,
    principal: &'a Arc<str>,
    /// `None` once it has its place.
    number: Option<u64>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else {
            return;
        };
        let mut table = self.lanes.lock();
        // It was called at this very moment: the place goes to the next.
        if !table.stop_waiting(self.principal, number) {
            table.leave(self.principal);
        }
    }
}

/// A place among what is in flight. Dropped, it is free again.
#[must_use]
pub(crate) struct Place {
    lanes: Lanes,
    principal: Arc<str>,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Place(..)")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lanes.lock().leave(&self.principal);
    }
}
