//! Values with parts of their own: what they may hold is a table, from which the reader, the JSON
//! Schema and the digest are all made.

use std::collections::BTreeMap;

use cmcp_json::{Object, Value as Json};

use crate::config::{
    fault::{Fault, Problem},
    values::{self, Item},
    yaml::{Node, Position, Tree},
};

/// What a value may hold.
#[derive(Debug, PartialEq)]
pub(crate) enum Shape {
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number within these bounds.
    Integer(i64, i64),
    /// A list of texts.
    List,
    /// Name → value of this shape.
    Map(&'static Shape),
    /// Members by their names.
    Members(&'static [Part]),
    /// So many in a time.
    Rate,
    /// A list of values of this shape.
    Sequence(&'static Shape),
    Text,
}

/// One member.
#[derive(Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) need: Need,
    pub(crate) shape: Shape,
}

/// Whether a member has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Optional,
    Required,
}

/// A value of its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shaped {
    pub(crate) at: Position,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Integer(i64),
    List(Vec<Item>),
    Members(BTreeMap<String, Shaped>),
    Sequence(Vec<Shaped>),
    Text(String),
}

impl Shaped {
    /// The member of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Members(members) => members.get(name),
            Kind::Integer(_) | Kind::List(_) | Kind::Sequence(_) | Kind::Text(_) => None,
        }
    }

    /// The text of the member of that name, with its place.
    pub(crate) fn text(&self, name: &str) -> Option<Item> {
        let member = self.get(name)?;
        match &member.kind {
            Kind::Text(text) => Some(Item {
                at: member.at,
                text: text.clone(),
            }),
            Kind::Integer(_) | Kind::List(_) | Kind::Members(_) | Kind::Sequence(_) => None,
        }
    }

    /// The number of the member of that name.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        match &self.get(name)?.kind {
            Kind::Integer(number) => Some(*number),
            Kind::List(_) | Kind::Members(_) | Kind::Sequence(_) | Kind::Text(_) => None,
        }
    }

    /// Every member.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Self)> {
        let members = match &self.kind {
            Kind::Members(members) => Some(members),
            Kind::Integer(_) | Kind::List(_) | Kind::Sequence(_) | Kind::Text(_) => None,
        };
        let members = members.into_iter().flatten();
        members.map(|(name, value)| (name.as_str(), value))
    }

    /// Every value of a sequence.
    pub(crate) fn values(&self) -> &[Self] {
        match &self.kind {
            Kind::Sequence(values) => values,
            Kind::Integer(_) | Kind::List(_) | Kind::Members(_) | Kind::Text(_) => &[],
        }
    }

    /// Every text of a list.
    pub(crate) fn list(&self) -> &[Item] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Integer(_) | Kind::Members(_) | Kind::Sequence(_) | Kind::Text(_) => &[],
        }
    }

    /// The environment variables that it refers to.
    pub(crate) fn variables(&self) -> Vec<String> {
        let own = self.members().filter(|(name, _)| name.ends_with("_env"));
        let own = own.filter_map(|(name, _)| self.text(name));
        let mut all: Vec<String> = own.map(|item| item.text).collect();
        let below = self.members().map(|(_, value)| value).chain(self.values());
        all.extend(below.flat_map(Self::variables));
        all
    }

    /// For the digest of the configuration.
    pub(crate) fn to_json(&self) -> Json {
        let text = |text: &String| Json::String(text.clone());
        match &self.kind {
            Kind::Integer(number) => Json::from(*number),
            Kind::List(items) => Json::Array(items.iter().map(|item| text(&item.text)).collect()),
            Kind::Members(members) => {
                let members = members.iter();
                let members: Object = members
                    .map(|(name, value)| (name.clone(), value.to_json()))
                    .collect();
                Json::Object(members)
            }
            Kind::Sequence(values) => Json::Array(values.iter().map(Self::to_json).collect()),
            Kind::Text(written) => text(written),
        }
    }
}

impl Shape {
    /// What a value has to be, for a message.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Choice(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                format!("one of {}", words.join(", "))
            }
            Self::Integer(from, to) => format!("a whole number from {from} to {to}"),
            Self::List => "a list of texts".to_owned(),
            Self::Map(of) => format!("a mapping of names, each to {}", of.expected()),
            Self::Members(parts) => {
                let names: Vec<String> = parts
                    .iter()
                    .map(|part| format!("`{}`", part.name))
                    .collect();
                format!("a mapping with {}", names.join(", "))
            }
            Self::Rate => "a rate, as `10/s`, `600/min`, `5000/h` or `20000/day`".to_owned(),
            Self::Sequence(of) => format!("a list, each entry {}", of.expected()),
            Self::Text => "a text".to_owned(),
        }
    }

    /// The JSON Schema of such a value.
    pub(crate) fn schema(&self) -> Object {
        let typed = |name: &str| Object::from([("type", name)]);
        match self {
            Self::Choice(words) => {
                let words = words.iter().map(|word| Json::from(*word)).collect();
                Object::from([("enum", Json::Array(words))])
            }
            Self::Integer(from, to) => {
                let mut schema = typed("integer");
                schema.insert("minimum", *from);
                schema.insert("maximum", *to);
                schema
            }
            Self::List => {
                let mut schema = typed("array");
                schema.insert("items", typed("string"));
                schema
            }
            Self::Map(of) => {
                let mut schema = typed("object");
                schema.insert("additionalProperties", of.schema());
                schema
            }
            Self::Members(parts) => {
                let mut schema = typed("object");
                let properties: Object = parts
                    .iter()
                    .map(|part| (part.name, part.shape.schema()))
                    .collect();
                let required: Vec<Json> = parts
                    .iter()
                    .filter(|part| part.need == Need::Required)
                    .map(|part| Json::from(part.name))
                    .collect();
                schema.insert("properties", properties);
                schema.insert("additionalProperties", false);
                if !required.is_empty() {
                    schema.insert("required", Json::Array(required));
                }
                schema
            }
            Self::Rate => {
                let mut schema = typed("string");
                schema.insert("pattern", "^[1-9][0-9]{0,6}/(s|min|h|day)$");
                schema
            }
            Self::Sequence(of) => {
                let mut schema = typed("array");
                schema.insert("items", of.schema());
                schema
            }
            Self::Text => {
                let mut schema = typed("string");
                schema.insert("minLength", 1i64);
                schema
            }
        }
    }

    /// Reads a value; what is wrong with it is reported, and the part left out.
    pub(crate) fn read(
        &self,
        (file, path): (&str, &str),
        node: &Node,
        problems: &mut Vec<Problem>,
    ) -> Option<Shaped> {
        let mut reader = Reader { file, problems };
        reader.read(self, path, node)
    }
}

/// How many, in how many seconds.
pub(crate) fn rate(text: &str) -> Option<(u32, u64)> {
    let (calls, unit) = text.split_once('/')?;
    let canonical = !calls.starts_with(['0', '+']) && calls.len() <= 7;
    let seconds = match unit {
        "s" => 1,
        "min" => 60,
        "h" => 3_600,
        "day" => 86_400,
        _ => return None,
    };
    let calls = calls.parse().ok().filter(|_| canonical)?;
    Some((calls, seconds))
}

/// A value that is one scalar.
fn scalar(shape: &Shape, node: &Node) -> Option<Kind> {
    match shape {
        Shape::Choice(words) => {
            let word = values::word(node).filter(|word| words.contains(word));
            word.map(|word| Kind::Text(word.to_owned()))
        }
        Shape::Integer(from, to) => values::integer(node, *from, *to).map(Kind::Integer),
        Shape::Rate => {
            let text = values::text(node).filter(|text| rate(text).is_some());
            text.map(Kind::Text)
        }
        Shape::Text => values::text(node).map(Kind::Text),
        Shape::List | Shape::Map(_) | Shape::Members(_) | Shape::Sequence(_) => None,
    }
}

struct Reader<'a> {
    file: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn read(&mut self, shape: &Shape, path: &str, node: &Node) -> Option<Shaped> {
        let kind = match (shape, &node.tree) {
            (
                Shape::Choice(_) | Shape::Integer(..) | Shape::Rate | Shape::Text,
                Tree::Scalar(_),
            ) => scalar(shape, node),
            (Shape::List, Tree::Sequence(nodes)) => {
                let items = nodes.iter().map(values::item);
                items.collect::<Option<_>>().map(Kind::List)
            }
            (Shape::Sequence(of), Tree::Sequence(nodes)) => {
                let read = |node| self.read(of, path, node);
                return Some(Shaped {
                    at: node.at,
                    kind: Kind::Sequence(nodes.iter().filter_map(read).collect()),
                });
            }
            (Shape::Map(of), Tree::Mapping(members)) => {
                let mut read = BTreeMap::new();
                for member in members {
                    let path = format!("{path}.{}", member.key);
                    if let Some(value) = self.read(of, &path, &member.value) {
                        read.insert(member.key.clone(), value);
                    }
                }
                Some(Kind::Members(read))
            }
            (Shape::Members(parts), Tree::Mapping(_)) => self.members(parts, path, node),
            (
                Shape::Choice(_)
                | Shape::Integer(..)
                | Shape::List
                | Shape::Map(_)
                | Shape::Members(_)
                | Shape::Rate
                | Shape::Sequence(_)
                | Shape::Text,
                Tree::Mapping(_) | Tree::Null | Tree::Scalar(_) | Tree::Sequence(_),
            ) => None,
        };
        if kind.is_none() && !matches!((shape, &node.tree), (Shape::Members(_), Tree::Mapping(_))) {
            let (key, expected) = (path.to_owned(), shape.expected());
            let found = node.found();
            self.report(
                node.at,
                Fault::Value {
                    key,
                    found,
                    expected,
                },
            );
        }
        Some(Shaped {
            at: node.at,
            kind: kind?,
        })
    }

    fn members(&mut self, parts: &[Part], path: &str, node: &Node) -> Option<Kind> {
        let Tree::Mapping(members) = &node.tree else {
            return None;
        };
        let mut read = BTreeMap::new();
        let mut complete = true;
        for member in members {
            let key = format!("{path}.{}", member.key);
            match parts.iter().find(|part| part.name == member.key) {
                Some(part) => match self.read(&part.shape, &key, &member.value) {
                    Some(value) => {
                        read.insert(member.key.clone(), value);
                    }
                    None => complete = false,
                },
                None => {
                    let names: Vec<String> = parts
                        .iter()
                        .map(|part| format!("`{}`", part.name))
                        .collect();
                    let hint = format!("; use {}", names.join(", "));
                    self.report(member.at, Fault::UnknownKey { key, hint });
                }
            }
        }
        for part in parts.iter().filter(|part| part.need == Need::Required) {
            if !members.iter().any(|member| member.key == part.name) {
                let key = format!("{path}.{}", part.name);
                let expected = part.shape.expected();
                self.report(node.at, Fault::NoValue { key, expected });
                complete = false;
            }
        }
        complete.then_some(Kind::Members(read))
    }

    fn report(&mut self, at: Position, fault: Fault) {
        self.problems.push(Problem::at(self.file, at, fault));
    }
}

#[cfg(test)]
mod tests;
