//! From the tree of a file to one checked value per key of the table.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::config::{
    fault::{Fault, Problem},
    key::{Default, Key, Kind, Status, Word},
    keys::KEYS,
    principals::{self, RawPrincipal},
    shape::Shaped,
    suggest,
    yaml::{Member, Node, Position, Scalar, Style, Tree},
};

/// Every key with the value that is in effect.
#[derive(Debug)]
pub(crate) struct Values {
    set: BTreeMap<&'static str, Located>,
    // The configuration file's folder, which relative paths count from.
    folder: PathBuf,
}

/// A value and where the file sets it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Located {
    pub(crate) at: Position,
    pub(crate) value: Value,
}

/// A value of the kind its key has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Flags(BTreeMap<String, bool>),
    /// As written, so that a digest over it has one reading.
    Fraction(String),
    Integer(i64),
    List(Vec<Item>),
    Principals(Vec<RawPrincipal>),
    Ranks(BTreeMap<String, i64>),
    Shaped(Shaped),
    Text(String),
    Texts(BTreeMap<String, Item>),
}

/// A text with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) at: Position,
    pub(crate) text: String,
}

impl Values {
    /// Reads the tree; what is wrong with it goes to `problems`, and its key keeps the default.
    pub(crate) fn read(file: &str, root: &Node, problems: &mut Vec<Problem>) -> Self {
        let mut reader = Reader {
            file,
            set: BTreeMap::new(),
            problems,
        };
        match &root.tree {
            Tree::Mapping(members) => reader.section("", members),
            Tree::Null => {}
            Tree::Scalar(_) | Tree::Sequence(_) => reader.report(root.at, Fault::TopLevel),
        }
        let folder = Path::new(file)
            .parent()
            .map(Path::to_owned)
            .unwrap_or_default();
        Self {
            set: reader.set,
            folder,
        }
    }

    /// The configuration file's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path's value; a relative one counts from the configuration file's folder, wherever the
    /// gateway is started.
    pub(crate) fn path(&self, key: &Key) -> Option<PathBuf> {
        self.text(key).map(|text| self.folder.join(text))
    }

    /// The value the file sets.
    pub(crate) fn set(&self, key: &Key) -> Option<&Located> {
        self.set.get(key.path)
    }

    /// The value in effect: the file's, or the default.
    pub(crate) fn value(&self, key: &Key) -> Option<Value> {
        match self.set(key) {
            Some(located) => Some(located.value.clone()),
            None => default(key),
        }
    }

    /// Of a key that holds true or false; those have a default.
    pub(crate) fn flag(&self, key: &Key) -> bool {
        matches!(self.value(key), Some(Value::Bool(true)))
    }

    /// Of a key that holds a whole number within bounds that are not negative; those have a default.
    pub(crate) fn number(&self, key: &Key) -> u64 {
        match self.value(key) {
            Some(Value::Integer(number)) => u64::try_from(number).unwrap_or_default(),
            _ => 0,
        }
    }

    /// Of a key that holds a text, a path, an address or a choice.
    pub(crate) fn text(&self, key: &Key) -> Option<String> {
        match self.value(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The meaning of a choice, from a table of its words.
    pub(crate) fn pick<T: Copy>(&self, key: &Key, first: T, others: &[(&str, T)]) -> T {
        let text = self.text(key).unwrap_or_default();
        others
            .iter()
            .find(|(word, _)| *word == text)
            .map_or(first, |(_, meaning)| *meaning)
    }

    /// Of a key that holds a list of texts.
    pub(crate) fn list(&self, key: &Key) -> Vec<Item> {
        match self.value(key) {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        }
    }

    /// The environment variables that the file refers to.
    pub(crate) fn variables(&self) -> Vec<String> {
        let mut variables = Vec::new();
        for located in self.set.values() {
            if let Value::Shaped(shaped) = &located.value {
                variables.extend(shaped.variables());
            }
        }
        variables
    }

    /// Where the key is set, or the start of the file.
    pub(crate) fn position(&self, key: &Key) -> Position {
        self.set(key).map_or(Position::START, |located| located.at)
    }
}

/// The value of a key that the file does not set.
pub(crate) fn default(key: &Key) -> Option<Value> {
    match (&key.default, &key.kind) {
        (Default::Absent, _) => None,
        (Default::Bool(value), _) => Some(Value::Bool(*value)),
        (Default::Empty, Kind::Flags) => Some(Value::Flags(BTreeMap::new())),
        (Default::Empty, Kind::Principals) => Some(Value::Principals(Vec::new())),
        (Default::Empty, Kind::Ranks) => Some(Value::Ranks(BTreeMap::new())),
        (Default::Empty, Kind::Texts) => Some(Value::Texts(BTreeMap::new())),
        (Default::Empty, _) => Some(Value::List(Vec::new())),
        (Default::Fraction(text), _) => Some(Value::Fraction((*text).to_owned())),
        (Default::Integer(value), _) => Some(Value::Integer(*value)),
        (Default::Text(text), _) => Some(Value::Text((*text).to_owned())),
    }
}

struct Reader<'a> {
    file: &'a str,
    set: BTreeMap<&'static str, Located>,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn section(&mut self, prefix: &str, members: &[Member]) {
        for member in members {
            let path = if prefix.is_empty() {
                member.key.clone()
            } else {
                format!("{prefix}.{}", member.key)
            };
            if let Some(key) = KEYS.iter().find(|key| key.path == path) {
                self.key(key, &member.value);
            } else if is_section(&path) {
                match &member.value.tree {
                    Tree::Mapping(members) => self.section(&path, members),
                    Tree::Null => {}
                    Tree::Scalar(_) | Tree::Sequence(_) => {
                        let found = member.value.found();
                        self.report(member.value.at, Fault::NotMapping { key: path, found });
                    }
                }
            } else if path.starts_with("catalog_reload_") {
                self.report(member.at, Fault::CatalogReload { key: path });
            } else {
                let hint = suggest::key(&path);
                self.report(member.at, Fault::UnknownKey { key: path, hint });
            }
        }
    }

    fn key(&mut self, key: &'static Key, node: &Node) {
        let Some(value) = self.value(key, node) else {
            return;
        };
        if let (Some(remedy), true) = (key.later(), Some(&value) != default(key).as_ref()) {
            let setting = format!("{}: {}", key.path, node.found().replace('`', ""));
            self.report(node.at, Fault::Later { setting, remedy });
        } else {
            self.set.insert(key.path, Located { at: node.at, value });
        }
    }

    fn value(&mut self, key: &Key, node: &Node) -> Option<Value> {
        if node.tree == Tree::Null {
            if !matches!(key.default, Default::Absent | Default::Empty) {
                let fault = Fault::NoValue {
                    key: key.path.to_owned(),
                    expected: key.expected(),
                };
                self.report(node.at, fault);
            }
            return None;
        }
        let value = match &key.kind {
            Kind::Address | Kind::Text => text(node).map(Value::Text),
            Kind::Bool => flag(node).map(Value::Bool),
            Kind::Choice(words) => return self.choice(key, words, node),
            Kind::Flags => return self.entries(key, node, flag).map(Value::Flags),
            Kind::Fraction(above, to) => fraction(node, *above, *to).map(Value::Fraction),
            Kind::Integer(from, to) => integer(node, *from, *to).map(Value::Integer),
            Kind::List => return self.list(key, node).map(Value::List),
            Kind::Path => return self.path(key, node),
            Kind::Principals => {
                return Some(Value::Principals(principals::read(
                    self.file,
                    node,
                    self.problems,
                )));
            }
            Kind::Ranks => return self.entries(key, node, rank).map(Value::Ranks),
            Kind::Shaped(shape) => {
                let place = (self.file, key.path);
                return shape.read(place, node, self.problems).map(Value::Shaped);
            }
            Kind::Texts => return self.entries(key, node, item).map(Value::Texts),
        };
        if value.is_none() {
            self.mistaken(key, node);
        }
        value
    }

    fn choice(&mut self, key: &Key, words: &[Word], node: &Node) -> Option<Value> {
        let text = word(node);
        let word = words.iter().find(|word| Some(word.text) == text);
        match word.map(|word| &word.status) {
            Some(Status::Available) => text.map(|text| Value::Text(text.to_owned())),
            Some(Status::Later(remedy)) => {
                let setting = format!("{}: {}", key.path, text.unwrap_or_default());
                self.report(node.at, Fault::Later { setting, remedy });
                None
            }
            None => {
                self.mistaken(key, node);
                None
            }
        }
    }

    fn path(&mut self, key: &Key, node: &Node) -> Option<Value> {
        let Some(text) = text(node) else {
            self.mistaken(key, node);
            return None;
        };
        if text.split(['/', '\\']).any(|part| part == "..") {
            self.report(
                node.at,
                Fault::Traversal {
                    key: key.path.to_owned(),
                },
            );
            return None;
        }
        Some(Value::Text(text))
    }

    fn list(&mut self, key: &Key, node: &Node) -> Option<Vec<Item>> {
        let Tree::Sequence(nodes) = &node.tree else {
            self.mistaken(key, node);
            return None;
        };
        let mut items = Vec::new();
        for node in nodes {
            match item(node) {
                Some(item) => items.push(item),
                None => self.mistaken(key, node),
            }
        }
        Some(items)
    }

    fn entries<T>(
        &mut self,
        key: &Key,
        node: &Node,
        read: impl Fn(&Node) -> Option<T>,
    ) -> Option<BTreeMap<String, T>> {
        let Tree::Mapping(members) = &node.tree else {
            self.mistaken(key, node);
            return None;
        };
        let mut entries = BTreeMap::new();
        for Member {
            key: name,
            at,
            value,
        } in members
        {
            match read(value) {
                Some(value) if is_name(name) => {
                    entries.insert(name.clone(), value);
                }
                Some(_) => {
                    let found = format!("`{}`", name.escape_debug());
                    let expected = "a name without blanks or control characters".to_owned();
                    let key = key.path.to_owned();
                    self.report(
                        *at,
                        Fault::Value {
                            key,
                            found,
                            expected,
                        },
                    );
                }
                None => self.mistaken(key, value),
            }
        }
        Some(entries)
    }

    fn mistaken(&mut self, key: &Key, node: &Node) {
        let fault = Fault::Value {
            key: key.path.to_owned(),
            found: node.found(),
            expected: key.expected(),
        };
        self.report(node.at, fault);
    }

    fn report(&mut self, at: Position, fault: Fault) {
        self.problems.push(Problem::at(self.file, at, fault));
    }
}

/// A text: quoted, or plain and nothing that YAML reads as something else.
pub(crate) fn text(node: &Node) -> Option<String> {
    let Tree::Scalar(Scalar { text, style }) = &node.tree else {
        return None;
    };
    let usable = !text.trim().is_empty() && !text.chars().any(char::is_control);
    (usable && (*style == Style::Quoted || !looks_typed(text))).then(|| text.clone())
}

/// A word as it stands there, quoted or not: `off` means itself where it is one of the words asked for.
pub(crate) fn word(node: &Node) -> Option<&str> {
    match &node.tree {
        Tree::Scalar(Scalar { text, .. }) => Some(text),
        Tree::Mapping(_) | Tree::Null | Tree::Sequence(_) => None,
    }
}

/// `true` or `false`, plain.
pub(crate) fn flag(node: &Node) -> Option<bool> {
    match plain(node)? {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A whole number, plain, in decimal digits.
pub(crate) fn integer(node: &Node, from: i64, to: i64) -> Option<i64> {
    let text = plain(node)?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = digits == "0" || !digits.starts_with('0');
    let decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = text.parse().ok()?;
    (canonical && decimal && (from..=to).contains(&number)).then_some(number)
}

fn fraction(node: &Node, above: f64, to: f64) -> Option<String> {
    let text = plain(node)?;
    let decimal = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = text.parse().ok()?;
    (decimal && number > above && number <= to).then(|| text.to_owned())
}

fn rank(node: &Node) -> Option<i64> {
    integer(node, 0, 1_000_000)
}

/// A text with its place.
pub(crate) fn item(node: &Node) -> Option<Item> {
    Some(Item {
        at: node.at,
        text: text(node)?,
    })
}

fn plain(node: &Node) -> Option<&str> {
    match &node.tree {
        Tree::Scalar(Scalar {
            text,
            style: Style::Plain,
        }) => Some(text),
        Tree::Mapping(_) | Tree::Null | Tree::Scalar(_) | Tree::Sequence(_) => None,
    }
}

/// Plain scalars that a YAML reader takes for a truth value or a number. `yes` and `off` are among
/// them: the Python cMCP's reader takes those for truth values.
fn looks_typed(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    let starts = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    matches!(
        word.as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off"
    ) || (starts && text.parse::<f64>().is_ok())
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn is_section(path: &str) -> bool {
    KEYS.iter().any(|key| {
        key.path
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests;
