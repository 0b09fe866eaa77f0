use std::collections::HashMap;
use std::ops::Range;

use crate::Value;

/// The members of an object, in order, each name once.
///
/// Looking a name up walks the members: an object is read far more often in order than by name, and
/// the parser's limits bound its length.
#[derive(Clone, Debug, Default)]
pub struct Object {
    members: Vec<Member>,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) value: Value,
    /// Where the value stood in the parsed text; empty when it was not parsed or may have changed.
    pub(crate) span: Range<usize>,
}

impl Object {
    /// An object without members.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            members: Vec::new(),
        }
    }

    /// INVARIANT: the parser has refused duplicate names.
    pub(crate) fn from_unique(members: Vec<Member>) -> Self {
        Self { members }
    }

    /// INVARIANT: the caller knows that `name` is new.
    pub(crate) fn push_unique(&mut self, name: String, value: Value) {
        self.members.push(Member {
            name,
            value,
            span: 0..0,
        });
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.member(name).map(|member| &member.value)
    }

    /// The member of that name, to be changed; from here on it has no span.
    #[must_use]
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.member_mut(name).map(|member| {
            member.span = 0..0;
            &mut member.value
        })
    }

    /// Whether there is a member of that name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    /// Adds a member at the end, or replaces the one of that name in its place and returns it.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (name, value) = (name.into(), value.into());
        if let Some(member) = self.member_mut(&name) {
            member.span = 0..0;
            return Some(std::mem::replace(&mut member.value, value));
        }
        self.push_unique(name, value);
        None
    }

    /// Takes a member out; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let place = self.members.iter().position(|member| member.name == name)?;
        Some(self.members.remove(place).value)
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Value)> + ExactSizeIterator {
        self.members
            .iter()
            .map(|member| (member.name.as_str(), &member.value))
    }

    /// Names and values to be changed, in order; from here on they have no span.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Value)> {
        self.members.iter_mut().map(|member| {
            member.span = 0..0;
            (member.name.as_str(), &mut member.value)
        })
    }

    /// Names, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.members.iter().map(|member| member.name.as_str())
    }

    /// Values, in order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Value> + ExactSizeIterator {
        self.members.iter().map(|member| &member.value)
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Which bytes of the parsed text are that member's value; `None` when it was built or changed in code.
    #[must_use]
    pub fn span(&self, name: &str) -> Option<Range<usize>> {
        self.member(name)
            .map(|member| member.span.clone())
            .filter(|span| !span.is_empty())
    }

    fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    fn member_mut(&mut self, name: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.name == name)
    }

    fn sorted(&self) -> Vec<&Member> {
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        members
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        // Names first: comparing values twice at every level would be exponential in depth.
        if self.keys().eq(other.keys()) {
            return self.values().eq(other.values());
        }
        let (ours, theirs) = (self.sorted(), other.sorted());
        ours.iter().zip(&theirs).all(|(a, b)| a.name == b.name)
            && ours.iter().zip(&theirs).all(|(a, b)| a.value == b.value)
    }
}

impl Eq for Object {}

impl<N: Into<String>, V: Into<Value>> FromIterator<(N, V)> for Object {
    /// A name that comes again replaces the value it had.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut members: Vec<Member> = Vec::new();
        for (name, value) in pairs {
            let (name, value) = (name.into(), value.into());
            let next = members.len();
            let place = *places.entry(name.clone()).or_insert(next);
            match members.get_mut(place) {
                Some(member) => member.value = value,
                None => members.push(Member {
                    name,
                    value,
                    span: 0..0,
                }),
            }
        }
        Self { members }
    }
}

impl<N: Into<String>, V: Into<Value>, const COUNT: usize> From<[(N, V); COUNT]> for Object {
    fn from(pairs: [(N, V); COUNT]) -> Self {
        pairs.into_iter().collect()
    }
}

impl IntoIterator for Object {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        let pairs: Vec<_> = self
            .members
            .into_iter()
            .map(|Member { name, value, .. }| (name, value))
            .collect();
        pairs.into_iter()
    }
}
