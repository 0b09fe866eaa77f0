//! Listeners and what they want, without waiting and without telling.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use cmcp_mcp::upstream::{Kind, Watch};
use tokio::time::Instant;

use super::DEBOUNCE;

/// A list that can change, as clients are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum List {
    Prompts,
    /// Of resources and of their templates.
    Resources,
    Tools,
}

impl List {
    /// Every list.
    pub(crate) const ALL: [Self; 3] = [Self::Prompts, Self::Resources, Self::Tools];

    /// The list that holds items of this kind.
    pub(crate) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Prompts => Self::Prompts,
            Kind::Resources | Kind::ResourceTemplates => Self::Resources,
            Kind::Tools => Self::Tools,
        }
    }

    /// The notification that tells of it.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Prompts => "notifications/prompts/list_changed",
            Self::Resources => "notifications/resources/list_changed",
            Self::Tools => "notifications/tools/list_changed",
        }
    }
}

/// One principal's client of one server, whatever the number of connections behind it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Seat {
    /// The link.
    pub(crate) upstream: u64,
    pub(crate) principal: Arc<str>,
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.principal, self.upstream)
    }
}

/// What a listener wants to hear of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    /// Lists that change.
    pub(crate) lists: BTreeSet<List>,
    /// Resources that change, each with its link.
    pub(crate) resources: BTreeSet<(u64, String)>,
    /// Tasks that go on, each with its link and by the server's own id.
    pub(crate) tasks: BTreeSet<(u64, String)>,
    /// What only sessions of the legacy era may be told unasked: log messages, and elicitations
    /// that were completed elsewhere.
    pub(crate) as_session: bool,
}

/// How many listeners there may be, and how much each may want.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) listeners: usize,
    pub(crate) per_principal: usize,
    /// Resources and tasks of one listener.
    pub(crate) wants: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            listeners: 20_000,
            per_principal: 10_000,
            wants: 1_000,
        }
    }
}

/// Why somebody cannot listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JoinError {
    /// Too many do.
    #[error("too many streams are open; close some of them")]
    Full,
    /// It wants too much at once.
    #[error("more than {limit} resources and tasks are to be watched; use several streams")]
    TooMuch {
        /// The most there may be.
        limit: usize,
    },
}

/// A listener to be told of a changed list.
#[derive(Debug)]
pub(super) struct Due<S> {
    pub(super) sink: S,
    pub(super) list: List,
}

/// All listeners; `S` is how each is told.
#[derive(Debug)]
pub(super) struct State<S> {
    bounds: Bounds,
    next: u64,
    listeners: BTreeMap<u64, Listener<S>>,
    of: HashMap<Arc<str>, BTreeSet<u64>>,
    wanted: HashMap<Seat, Wanted>,
    unsettled: BTreeSet<Seat>,
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Listener<S> {
    principal: Arc<str>,
    wants: Wants,
    sink: S,
}

/// What a seat's listeners want together: each thing with the number of those that want it.
#[derive(Debug, Default)]
struct Wanted {
    resources: BTreeMap<String, usize>,
    tasks: BTreeMap<String, usize>,
}

/// Changes of lists that nobody was told of yet.
#[derive(Debug)]
struct Pending {
    due: Instant,
    lists: BTreeMap<List, BTreeSet<u64>>,
}

impl<S: Clone> State<S> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            next: 0,
            listeners: BTreeMap::new(),
            of: HashMap::new(),
            wanted: HashMap::new(),
            unsettled: BTreeSet::new(),
            pending: None,
        }
    }

    pub(super) fn join(
        &mut self,
        principal: &str,
        wants: Wants,
        sink: S,
    ) -> Result<u64, JoinError> {
        self.fits(&wants)?;
        let own = self.of.get(principal).map_or(0, BTreeSet::len);
        if self.listeners.len() >= self.bounds.listeners || own >= self.bounds.per_principal {
            return Err(JoinError::Full);
        }
        let name = match self.of.get_key_value(principal) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(principal),
        };
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.of.entry(Arc::clone(&name)).or_default().insert(id);
        self.count(&name, &Wants::default(), &wants);
        let listener = Listener {
            principal: name,
            wants,
            sink,
        };
        self.listeners.insert(id, listener);
        Ok(id)
    }

    pub(super) fn change(
        &mut self,
        id: u64,
        change: impl FnOnce(&mut Wants),
    ) -> Result<(), JoinError> {
        let Some(listener) = self.listeners.get(&id) else {
            return Ok(());
        };
        let (principal, before) = (Arc::clone(&listener.principal), listener.wants.clone());
        let mut after = before.clone();
        change(&mut after);
        self.fits(&after)?;
        self.count(&principal, &before, &after);
        if let Some(listener) = self.listeners.get_mut(&id) {
            listener.wants = after;
        }
        Ok(())
    }

    /// Takes a listener out; its sink is the caller's to drop.
    pub(super) fn leave(&mut self, id: u64) -> Option<S> {
        let Listener {
            principal,
            wants,
            sink,
        } = self.listeners.remove(&id)?;
        self.count(&principal, &wants, &Wants::default());
        if let Some(own) = self.of.get_mut(&principal) {
            own.remove(&id);
            if own.is_empty() {
                self.of.remove(&principal);
            }
        }
        Some(sink)
    }

    /// Those who are to hear that a resource changed: who watches it, and where nobody does, who
    /// watches one that it is a part of.
    pub(super) fn watchers(&self, seat: &Seat, uri: &str) -> Vec<S> {
        let exact = |wants: &Wants| wants.resources.contains(&(seat.upstream, uri.to_owned()));
        let found = self.told(seat, exact);
        if !found.is_empty() {
            return found;
        }
        let part = |wants: &Wants| {
            let mut watched = wants.resources.iter();
            watched.any(|(upstream, whole)| *upstream == seat.upstream && is_part(uri, whole))
        };
        self.told(seat, part)
    }

    /// Those who are to hear of a task.
    pub(super) fn owners(&self, seat: &Seat, task: &str) -> Vec<S> {
        let wanted = (seat.upstream, task.to_owned());
        self.told(seat, |wants| wants.tasks.contains(&wanted))
    }

    /// The principal's sessions of the legacy era.
    pub(super) fn sessions(&self, seat: &Seat) -> Vec<S> {
        self.told(seat, |wants| wants.as_session)
    }

    fn told(&self, seat: &Seat, wants: impl Fn(&Wants) -> bool) -> Vec<S> {
        let own = self.of.get(&seat.principal).into_iter().flatten();
        own.filter_map(|id| self.listeners.get(id))
            .filter(|listener| wants(&listener.wants))
            .map(|listener| listener.sink.clone())
            .collect()
    }

    /// Notes that a list changed; whether it is the first of those that are told together.
    pub(super) fn changed(&mut self, upstream: u64, list: List, now: Instant) -> bool {
        let is_first = self.pending.is_none();
        let pending = self.pending.get_or_insert_with(|| Pending {
            due: now + DEBOUNCE,
            lists: BTreeMap::new(),
        });
        pending.lists.entry(list).or_default().insert(upstream);
        is_first
    }

    /// When changes of lists are to be told.
    pub(super) fn due(&self) -> Option<Instant> {
        self.pending.as_ref().map(|pending| pending.due)
    }

    /// Who is to be told of which list: each list once, however many servers changed theirs.
    pub(super) fn take_due(&mut self, sees: &impl Fn(&str, u64, List) -> bool) -> Vec<Due<S>> {
        let Some(Pending { due: _, lists }) = self.pending.take() else {
            return Vec::new();
        };
        let mut due = Vec::new();
        for (principal, own) in &self.of {
            let seen: Vec<List> = lists
                .iter()
                .filter(|(list, upstreams)| upstreams.iter().any(|u| sees(principal, *u, **list)))
                .map(|(list, _)| *list)
                .collect();
            for listener in own.iter().filter_map(|id| self.listeners.get(id)) {
                let wanted = seen
                    .iter()
                    .filter(|list| listener.wants.lists.contains(list));
                due.extend(wanted.map(|list| Due {
                    sink: listener.sink.clone(),
                    list: *list,
                }));
            }
        }
        due
    }

    pub(super) fn wanted(&self, seat: &Seat) -> Watch {
        let Some(wanted) = self.wanted.get(seat) else {
            return Watch::default();
        };
        Watch {
            resources: wanted.resources.keys().cloned().collect(),
            lists: true,
            tasks: wanted.tasks.keys().cloned().collect(),
        }
    }

    pub(super) fn is_unsettled(&self) -> bool {
        !self.unsettled.is_empty()
    }

    pub(super) fn take_unsettled(&mut self) -> Vec<Seat> {
        std::mem::take(&mut self.unsettled).into_iter().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.listeners.len()
    }

    fn fits(&self, wants: &Wants) -> Result<(), JoinError> {
        let limit = self.bounds.wants;
        if wants.resources.len().saturating_add(wants.tasks.len()) > limit {
            return Err(JoinError::TooMuch { limit });
        }
        Ok(())
    }

    /// Counts what is wanted now and was not, and the other way round. Only what the first wants or
    /// the last wanted changes what a server is to tell of.
    fn count(&mut self, principal: &Arc<str>, before: &Wants, after: &Wants) {
        let seat = |upstream: u64| Seat {
            upstream,
            principal: Arc::clone(principal),
        };
        for (upstream, uri) in after.resources.difference(&before.resources) {
            let wanted = self.wanted.entry(seat(*upstream)).or_default();
            if more(&mut wanted.resources, uri) {
                self.unsettled.insert(seat(*upstream));
            }
        }
        for (upstream, task) in after.tasks.difference(&before.tasks) {
            let wanted = self.wanted.entry(seat(*upstream)).or_default();
            if more(&mut wanted.tasks, task) {
                self.unsettled.insert(seat(*upstream));
            }
        }
        for (upstream, uri) in before.resources.difference(&after.resources) {
            let seat = seat(*upstream);
            let wanted = self.wanted.get_mut(&seat);
            if wanted.is_some_and(|wanted| less(&mut wanted.resources, uri)) {
                self.let_go(seat);
            }
        }
        for (upstream, task) in before.tasks.difference(&after.tasks) {
            let seat = seat(*upstream);
            let wanted = self.wanted.get_mut(&seat);
            if wanted.is_some_and(|wanted| less(&mut wanted.tasks, task)) {
                self.let_go(seat);
            }
        }
    }

    fn let_go(&mut self, seat: Seat) {
        let is_empty = |w: &Wanted| w.resources.is_empty() && w.tasks.is_empty();
        if self.wanted.get(&seat).is_some_and(is_empty) {
            self.wanted.remove(&seat);
        }
        self.unsettled.insert(seat);
    }
}

/// One more wants it; whether it is the first.
fn more(counts: &mut BTreeMap<String, usize>, what: &str) -> bool {
    match counts.get_mut(what) {
        Some(count) => {
            *count = count.saturating_add(1);
            false
        }
        None => {
            counts.insert(what.to_owned(), 1);
            true
        }
    }
}

/// One less wants it; whether it was the last.
fn less(counts: &mut BTreeMap<String, usize>, what: &str) -> bool {
    let Some(count) = counts.get_mut(what) else {
        return false;
    };
    *count = count.saturating_sub(1);
    let was_last = *count == 0;
    if was_last {
        counts.remove(what);
    }
    was_last
}

/// Whether a URI lies below another: a server may tell of a part of what is watched.
fn is_part(uri: &str, whole: &str) -> bool {
    match uri.strip_prefix(whole) {
        Some(rest) => whole.ends_with('/') || rest.starts_with(['/', '?', '#']),
        None => false,
    }
}
