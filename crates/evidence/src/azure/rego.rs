//! The part of Rego that container policies are written in: rules that are data, or name a rule of the
//! framework. Everything else is code, and a policy with code in it is not judged by reading.

use cmcp_json::Limits;

/// A value of a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Term {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it is written.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    Array(Vec<Self>),
    /// A mapping in the order it is written in, each name once.
    Object(Vec<(String, Self)>),
    /// The dotted name of something that is decided elsewhere.
    Reference(String),
}

impl Term {
    /// The member of a mapping.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => {
                let found = members.iter().find(|(known, _)| known == name);
                found.map(|(_, term)| term)
            }
            Self::Null
            | Self::Bool(_)
            | Self::Number(_)
            | Self::Text(_)
            | Self::Array(_)
            | Self::Reference(_) => None,
        }
    }

    /// The text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null
            | Self::Bool(_)
            | Self::Number(_)
            | Self::Array(_)
            | Self::Object(_)
            | Self::Reference(_) => None,
        }
    }

    /// The items of a list; `null` has none.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            Self::Null => Some(&[]),
            Self::Bool(_)
            | Self::Number(_)
            | Self::Text(_)
            | Self::Object(_)
            | Self::Reference(_) => None,
        }
    }
}

/// `name := term`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it is.
    pub term: Term,
    /// The line that its name stands in, from 1.
    pub line: usize,
}

/// What was read of a policy.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    /// Its package.
    pub package: String,
    /// Its rules, each name once.
    pub rules: Vec<Rule>,
    /// The first thing that is not data: nothing behind it was read.
    pub unread: Option<Unread>,
}

/// Something that is not read here.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Unread {
    /// The line, from 1.
    pub line: usize,
    /// What stands there.
    pub what: &'static str,
}

impl Policy {
    /// The term of a rule.
    #[must_use]
    pub fn rule(&self, name: &str) -> Option<&Term> {
        let found = self.rules.iter().find(|rule| rule.name == name);
        found.map(|rule| &rule.term)
    }
}

/// Reads a policy as far as it is data.
#[must_use]
pub fn parse(text: &str) -> Policy {
    let mut policy = Policy::default();
    let mut source = Source { text, line: 1 };
    if text.len() > MAX_BYTES {
        policy.unread = Some(source.unread("more than a policy may have"));
    } else if let Err(unread) = module(&mut source, &mut policy) {
        policy.unread = Some(unread);
    }
    policy
}

fn module(source: &mut Source<'_>, policy: &mut Policy) -> Result<(), Unread> {
    source.space();
    if source.name() != Some("package") {
        return Err(source.unread("something else than `package`"));
    }
    source.space();
    policy.package = source.reference()?;
    loop {
        source.space();
        if source.text.is_empty() {
            return Ok(());
        }
        let line = source.line;
        let name = source
            .name()
            .ok_or_else(|| source.unread("something else than a rule"))?;
        if name == "import" {
            source.space();
            source.reference()?;
            continue;
        }
        if KEYWORDS.contains(&name) {
            return Err(source.unread("a keyword where a rule's name has to be"));
        }
        if policy.rules.len() >= MAX_NAMES {
            return Err(source.unread("more rules than a policy has"));
        }
        if policy.rule(name).is_some() {
            return Err(source.unread("a rule that is already there"));
        }
        source.space();
        if !source.eat(":=") {
            return Err(source.unread("a rule that is not `name := data`"));
        }
        let term = source.term(0)?;
        policy.rules.push(Rule {
            name: name.to_owned(),
            term,
            line,
        });
    }
}

struct Source<'a> {
    text: &'a str,
    line: usize,
}

impl<'a> Source<'a> {
    const fn unread(&self, what: &'static str) -> Unread {
        Unread {
            line: self.line,
            what,
        }
    }

    fn cut(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self
            .text
            .split_at_checked(length)
            .unwrap_or((self.text, ""));
        let lines = taken.bytes().filter(|byte| *byte == b'\n').count();
        self.line = self.line.saturating_add(lines);
        self.text = rest;
        taken
    }

    fn while_true(&mut self, is: impl Fn(char) -> bool) -> &'a str {
        let end = self.text.find(|c| !is(c)).unwrap_or(self.text.len());
        self.cut(end)
    }

    fn space(&mut self) {
        loop {
            self.while_true(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
            if !self.text.starts_with('#') {
                return;
            }
            self.while_true(|c| c != '\n');
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        let there = self.text.starts_with(token);
        if there {
            self.cut(token.len());
        }
        there
    }

    fn name(&mut self) -> Option<&'a str> {
        let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
        if !self.text.starts_with(begins) {
            return None;
        }
        Some(self.while_true(|c| c.is_ascii_alphanumeric() || c == '_'))
    }

    fn reference(&mut self) -> Result<String, Unread> {
        let mut whole = String::new();
        loop {
            let name = self.name();
            whole.push_str(name.ok_or_else(|| self.unread("a name that is not one"))?);
            if !self.eat(".") {
                return Ok(whole);
            }
            whole.push('.');
        }
    }

    fn term(&mut self, depth: usize) -> Result<Term, Unread> {
        if depth > MAX_DEPTH {
            return Err(self.unread("data inside data deeper than a policy has"));
        }
        self.space();
        match self.text.bytes().next() {
            Some(b'[') => self.array(depth),
            Some(b'{') => self.object(depth),
            Some(b'"' | b'`') => self.string().map(Term::Text),
            Some(b'-' | b'0'..=b'9') => {
                let number =
                    self.while_true(|c| matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9'));
                match cmcp_json::parse(number.as_bytes(), &Limits::DOCUMENT) {
                    Ok(_) => Ok(Term::Number(number.to_owned())),
                    Err(_) => Err(self.unread("something else than a number")),
                }
            }
            Some(_) => self.word(),
            None => Err(self.unread("its end, inside a rule")),
        }
    }

    fn word(&mut self) -> Result<Term, Unread> {
        let reference = self.reference()?;
        match reference.as_str() {
            "null" => Ok(Term::Null),
            "true" => Ok(Term::Bool(true)),
            "false" => Ok(Term::Bool(false)),
            _ if reference
                .split('.')
                .skip(1)
                .any(|name| KEYWORDS.contains(&name)) =>
            {
                Err(self.unread("a keyword inside a name"))
            }
            _ => Ok(Term::Reference(reference)),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Term, Unread> {
        self.cut(1);
        let mut items = Vec::new();
        while !self.closes("]", items.len())? {
            items.push(self.term(depth.saturating_add(1))?);
        }
        Ok(Term::Array(items))
    }

    fn object(&mut self, depth: usize) -> Result<Term, Unread> {
        self.cut(1);
        let mut members: Vec<(String, Term)> = Vec::new();
        while !self.closes("}", members.len())? {
            let name = self.string()?;
            if members.len() >= MAX_NAMES {
                return Err(self.unread("more members than an object of a policy has"));
            }
            if members.iter().any(|(known, _)| *known == name) {
                return Err(self.unread("a member that is already there"));
            }
            self.space();
            if !self.eat(":") {
                return Err(self.unread("braces around something else than members"));
            }
            members.push((name, self.term(depth.saturating_add(1))?));
        }
        Ok(Term::Object(members))
    }

    // Whether the list ends here; a comma has to stand between two items, and may stand behind the last.
    fn closes(&mut self, bracket: &str, before: usize) -> Result<bool, Unread> {
        self.space();
        let comma = before > 0 && self.eat(",");
        self.space();
        if self.eat(bracket) {
            return Ok(true);
        }
        if before == 0 || comma {
            return Ok(false);
        }
        Err(self.unread("no comma and no end of the list"))
    }

    fn string(&mut self) -> Result<String, Unread> {
        self.space();
        if let Some(raw) = self.text.strip_prefix('`') {
            let end = raw.find('`');
            let end = end.ok_or_else(|| self.unread("a text without an end"))?;
            self.cut(1);
            let text = self.cut(end).to_owned();
            self.cut(1);
            return Ok(text);
        }
        let mut escaped = false;
        let end = self.text.bytes().skip(1).position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let end = end.filter(|_| self.text.starts_with('"'));
        let end = end.ok_or_else(|| self.unread("something else than a text"))?;
        let unread = self.unread("a text that is not one of JSON");
        let literal = self.cut(end.saturating_add(2));
        let value = cmcp_json::parse(literal.as_bytes(), &Limits::DOCUMENT);
        let text = value
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned));
        text.ok_or(unread)
    }
}

const KEYWORDS: &[&str] = &[
    "as", "contains", "data", "default", "else", "every", "false", "if", "import", "in", "input",
    "not", "null", "package", "some", "true", "with",
];

// Policies with dozens of containers have some hundred kilobytes; members of one object are few.
const MAX_BYTES: usize = 1 << 20;
const MAX_DEPTH: usize = 16;
// Each new name is held against those before it.
const MAX_NAMES: usize = 256;

#[cfg(test)]
mod tests;
