//! The list of named callers.

use std::collections::{BTreeMap, HashMap};

use crate::config::{
    fault::{Fault, Problem},
    values,
    yaml::{Member, Node, Position, Tree},
};

/// One caller as the file names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawPrincipal {
    pub(crate) at: Position,
    pub(crate) name: String,
    /// Hexadecimal digits, without a prefix.
    pub(crate) token_sha256: String,
    pub(crate) attributes: BTreeMap<String, Attribute>,
}

/// The types an attribute can have in policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    Bool(bool),
    Long(i64),
    Set(Vec<String>),
    Text(String),
}

/// Reads the list. A principal with a fault is left out, and the fault reported.
pub(crate) fn read(file: &str, node: &Node, problems: &mut Vec<Problem>) -> Vec<RawPrincipal> {
    let Tree::Sequence(nodes) = &node.tree else {
        let expected = "a list of principals, each with `name` and `token_sha256`";
        problems.push(Problem::at(
            file,
            node.at,
            mistaken("principals", node, expected),
        ));
        return Vec::new();
    };
    let mut reader = Reader { file, problems };
    let read: Vec<RawPrincipal> = nodes
        .iter()
        .filter_map(|node| reader.principal(node))
        .collect();
    reader.distinct(&read);
    read
}

struct Reader<'a> {
    file: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn principal(&mut self, node: &Node) -> Option<RawPrincipal> {
        let Tree::Mapping(members) = &node.tree else {
            let expected = "a mapping with `name` and `token_sha256`";
            self.report(node.at, mistaken("principals", node, expected));
            return None;
        };
        let (mut name, mut token, mut attributes) = (None, None, BTreeMap::new());
        for Member { key, at, value } in members {
            match key.as_str() {
                "attributes" => attributes = self.attributes(value),
                "name" => name = Some(self.checked(value, "principals.name", NAME, is_name)),
                "token_sha256" => {
                    let key = "principals.token_sha256";
                    token = Some(self.checked(value, key, TOKEN, is_token));
                }
                _ => {
                    let key = format!("principals.{key}");
                    let hint = "; use `name`, `token_sha256` and `attributes`".to_owned();
                    self.report(*at, Fault::UnknownKey { key, hint });
                }
            }
        }
        for (present, key, expected) in [
            (name.is_some(), "principals.name", NAME),
            (token.is_some(), "principals.token_sha256", TOKEN),
        ] {
            if !present {
                let (key, expected) = (key.to_owned(), expected.to_owned());
                self.report(node.at, Fault::NoValue { key, expected });
            }
        }
        let token_sha256 = token??;
        let token_sha256 = token_sha256
            .strip_prefix("sha256:")
            .unwrap_or(&token_sha256)
            .to_owned();
        Some(RawPrincipal {
            at: node.at,
            name: name??,
            token_sha256,
            attributes,
        })
    }

    fn checked(
        &mut self,
        node: &Node,
        key: &str,
        expected: &str,
        holds: fn(&str) -> bool,
    ) -> Option<String> {
        let text = values::text(node).filter(|text| holds(text));
        if text.is_none() {
            self.report(node.at, mistaken(key, node, expected));
        }
        text
    }

    fn attributes(&mut self, node: &Node) -> BTreeMap<String, Attribute> {
        let mut attributes = BTreeMap::new();
        let members = match &node.tree {
            Tree::Mapping(members) => members.as_slice(),
            Tree::Null => &[],
            Tree::Scalar(_) | Tree::Sequence(_) => {
                let expected = "a mapping of names to values";
                self.report(node.at, mistaken("principals.attributes", node, expected));
                &[]
            }
        };
        for Member { key, at, value } in members {
            let path = format!("principals.attributes.{key}");
            if !is_identifier(key) {
                let found = "not a name that policy can write".to_owned();
                let expected = "letters, digits and `_`, not starting with a digit".to_owned();
                self.report(
                    *at,
                    Fault::Value {
                        key: path,
                        found,
                        expected,
                    },
                );
            } else if let Some(read) = attribute(value) {
                attributes.insert(key.clone(), read);
            } else {
                let expected = "`true`, `false`, a whole number, a text or a list of texts";
                self.report(value.at, mistaken(&path, value, expected));
            }
        }
        attributes
    }

    fn distinct(&mut self, principals: &[RawPrincipal]) {
        let mut names: HashMap<&str, usize> = HashMap::new();
        let mut tokens: HashMap<&str, &str> = HashMap::new();
        for RawPrincipal {
            at,
            name,
            token_sha256,
            ..
        } in principals
        {
            if let Some(first) = names.insert(name, at.line) {
                let name = name.clone();
                self.report(*at, Fault::DuplicatePrincipal { name, first });
            } else if let Some(other) = tokens.insert(token_sha256, name) {
                let (name, other) = (name.clone(), other.to_owned());
                self.report(*at, Fault::DuplicateToken { name, other });
            }
        }
    }

    fn report(&mut self, at: Position, fault: Fault) {
        self.problems.push(Problem::at(self.file, at, fault));
    }
}

fn attribute(node: &Node) -> Option<Attribute> {
    if let Tree::Sequence(nodes) = &node.tree {
        let texts: Option<Vec<String>> = nodes.iter().map(values::text).collect();
        return texts.map(Attribute::Set);
    }
    if let Some(flag) = values::flag(node) {
        return Some(Attribute::Bool(flag));
    }
    if let Some(number) = values::integer(node, i64::MIN, i64::MAX) {
        return Some(Attribute::Long(number));
    }
    values::text(node).map(Attribute::Text)
}

fn mistaken(key: &str, node: &Node, expected: &str) -> Fault {
    Fault::Value {
        key: key.to_owned(),
        found: node.found(),
        expected: expected.to_owned(),
    }
}

fn is_name(name: &str) -> bool {
    name != "anonymous" && name.len() <= 128 && name.trim() == name
}

fn is_token(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    hex.len() == 64
        && hex
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_identifier(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

const NAME: &str = "a name of at most 128 bytes, other than `anonymous`";
const TOKEN: &str = "the SHA-256 of the token, 64 lower-case hexadecimal digits (`printf %s \"$TOKEN\" | sha256sum`)";
