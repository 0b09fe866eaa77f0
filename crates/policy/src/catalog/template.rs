//! URI templates (RFC 6570) the way round that a gateway needs them: which URIs are of a template.
//!
//! A template becomes one regular expression, so that a match is linear in the URI whatever the
//! template says. What a variable stands for is any text that the expression's operator could have
//! written there; parts that a server may leave out (`{?a,b}`, `{/v}`) may be absent.

use regex::bytes::{Regex, RegexBuilder};

/// A template of URIs.
#[derive(Clone, Debug)]
pub struct Template {
    text: String,
    pattern: Regex,
    /// What every URI of the template begins with.
    prefix: String,
    repeats: Repeats,
}

/// Whether a query may have one name more than once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Repeats {
    /// A variable is exploded: `{?list*}`.
    Allowed,
    Refused,
}

/// Why a text is not a template that URIs can be held against.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TemplateError {
    /// It could match the URIs of every server.
    #[error("it does not begin with a scheme, as in `notes://{{id}}`: it would be every URI")]
    Scheme,
    /// A character that is never part of a URI.
    #[error("it holds a character that a URI does not have: percent-encode it")]
    Character,
    /// A brace without its other, or an expression that is none.
    #[error(
        "expression {0} is not one of RFC 6570: write `{{name}}`, `{{+name}}`, `{{#name}}`, `{{.name}}`, `{{/name}}`, `{{;name}}`, `{{?name,other}}` or `{{&name}}`"
    )]
    Expression(usize),
    /// Nothing in it varies.
    #[error("it has no variable, so it is the URI of one resource: approve it as that")]
    Literal,
    /// A path that leads elsewhere than it seems to.
    #[error("it has `.` or `..` as a part of its path")]
    Dots,
    /// Longer than the limits.
    #[error("it has more than {MAX_LENGTH} bytes or {MAX_EXPRESSIONS} expressions")]
    Long,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// A text that is none, or one that would match everything.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_LENGTH {
            return Err(TemplateError::Long);
        }
        if !has_scheme(text) {
            return Err(TemplateError::Scheme);
        }
        let parts = parts(text)?;
        if !parts.iter().any(Part::varies) {
            return Err(TemplateError::Literal);
        }
        let literal = |part: &Part<'_>| match part {
            Part::Literal(text) => (*text).to_owned(),
            Part::Expression { .. } => "{".to_owned(),
        };
        if has_dots(parts.iter().map(literal).collect::<String>().as_bytes()) {
            return Err(TemplateError::Dots);
        }
        let mut pattern = "^".to_owned();
        for part in &parts {
            part.write(&mut pattern);
        }
        pattern.push('$');
        let pattern = RegexBuilder::new(&pattern)
            .unicode(false)
            .size_limit(PATTERN_BYTES)
            .dfa_size_limit(PATTERN_BYTES)
            .build()
            .map_err(|_| TemplateError::Long)?;
        let prefix = match parts.first() {
            Some(Part::Literal(text)) => (*text).to_owned(),
            Some(Part::Expression { .. }) | None => String::new(),
        };
        Ok(Self {
            text: text.to_owned(),
            pattern,
            prefix,
            repeats: match parts.iter().any(Part::is_exploded) {
                true => Repeats::Allowed,
                false => Repeats::Refused,
            },
        })
    }

    /// The template as its server writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a URI is one of the template's, byte for byte. A URI whose path has `.` or `..` in it,
    /// percent-encoded or not, is of no template: its server could take it for one of another.
    #[must_use]
    pub fn matches(&self, uri: &str) -> bool {
        if uri.len() > MAX_URI || !uri.starts_with(&self.prefix) {
            return false;
        }
        if self.pattern.captures_len() == 1 {
            return self.pattern.is_match(uri.as_bytes()) && !has_dots(uri.as_bytes());
        }
        let Some(found) = self.pattern.captures(uri.as_bytes()) else {
            return false;
        };
        // Queries are texts of their own; everything else is a path to somebody.
        let mut path = Vec::with_capacity(uri.len());
        let mut at = 0;
        for query in found.iter().skip(1).flatten() {
            if self.repeats == Repeats::Refused && repeats(query.as_bytes()) {
                return false;
            }
            path.extend_from_slice(uri.as_bytes().get(at..query.start()).unwrap_or_default());
            at = query.end();
        }
        path.extend_from_slice(uri.as_bytes().get(at..).unwrap_or_default());
        !has_dots(&path)
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Template {}

/// Whether a text is a URI that can be shown, logged and written in policies without being misread.
pub(super) fn is_uri(text: &str) -> bool {
    text.len() <= MAX_URI
        && has_scheme(text)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !NEVER.contains(&byte))
}

fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    })
}

/// A part of a template.
enum Part<'t> {
    Literal(&'t str),
    Expression {
        operator: Operator,
        variables: Vec<Variable<'t>>,
    },
}

/// How an expression writes its variables.
#[derive(Clone, Copy, PartialEq)]
enum Operator {
    Simple,
    Reserved,
    Fragment,
    Label,
    Path,
    Parameter,
    Query,
    Continuation,
}

/// A variable of an expression.
struct Variable<'t> {
    name: &'t str,
    /// `{list*}`: one by one.
    exploded: bool,
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut count = 0_usize;
    loop {
        let (literal, opened) = match rest.split_once('{') {
            Some((literal, opened)) => (literal, Some(opened)),
            None => (rest, None),
        };
        let plain = |byte: u8| byte.is_ascii_graphic() && !NEVER.contains(&byte);
        if literal.contains('}') {
            return Err(TemplateError::Expression(count.saturating_add(1)));
        }
        if !literal.bytes().all(plain) {
            return Err(TemplateError::Character);
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        let Some(opened) = opened else {
            return Ok(parts);
        };
        count = count.saturating_add(1);
        if count > MAX_EXPRESSIONS {
            return Err(TemplateError::Long);
        }
        let fault = TemplateError::Expression(count);
        let (inside, after) = opened.split_once('}').ok_or(fault)?;
        parts.push(expression(inside).ok_or(fault)?);
        rest = after;
    }
}

fn expression(inside: &str) -> Option<Part<'_>> {
    let (operator, list) = match inside.split_at_checked(1) {
        Some(("+", list)) => (Operator::Reserved, list),
        Some(("#", list)) => (Operator::Fragment, list),
        Some((".", list)) => (Operator::Label, list),
        Some(("/", list)) => (Operator::Path, list),
        Some((";", list)) => (Operator::Parameter, list),
        Some(("?", list)) => (Operator::Query, list),
        Some(("&", list)) => (Operator::Continuation, list),
        Some(_) | None => (Operator::Simple, inside),
    };
    let variables = list.split(',').map(variable).collect::<Option<Vec<_>>>()?;
    Some(Part::Expression {
        operator,
        variables,
    })
}

fn variable(written: &str) -> Option<Variable<'_>> {
    let (name, exploded) = match written.strip_suffix('*') {
        Some(name) => (name, true),
        None => (written, false),
    };
    // `{name:3}` is the first three characters of it.
    let name = match name.split_once(':') {
        Some((name, length)) => {
            let is_length = (1..=4).contains(&length.len())
                && length.bytes().all(|byte| byte.is_ascii_digit())
                && !length.starts_with('0');
            Some(name).filter(|_| is_length && !exploded)?
        }
        None => name,
    };
    let legal =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'%');
    (!name.is_empty() && name.bytes().all(legal)).then_some(Variable { name, exploded })
}

impl Part<'_> {
    fn varies(&self) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Expression { .. } => true,
        }
    }

    fn is_exploded(&self) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Expression { variables, .. } => variables.iter().any(|one| one.exploded),
        }
    }

    fn write(&self, pattern: &mut String) {
        let (operator, variables) = match self {
            Part::Literal(text) => {
                pattern.push_str(&regex::escape(text));
                return;
            }
            Part::Expression {
                operator,
                variables,
            } => (*operator, variables),
        };
        let any = variables.iter().any(|variable| variable.exploded);
        let times = if any {
            "*".to_owned()
        } else {
            format!("{{0,{}}}", variables.len())
        };
        let names = || {
            let names = variables.iter().map(|one| regex::escape(one.name));
            format!("(?:{})", names.collect::<Vec<_>>().join("|"))
        };
        let written = match operator {
            Operator::Simple => format!("{SEGMENT}+"),
            Operator::Reserved => format!("{ANYTHING}+"),
            Operator::Fragment => format!("(?:#{ANYTHING}+)?"),
            Operator::Label => format!("(?:\\.{SEGMENT}+){times}"),
            Operator::Path => format!("(?:/{SEGMENT}+){times}"),
            Operator::Parameter if any => format!("(?:;{PARAMETER}+)*"),
            Operator::Parameter => format!("(?:;{}(?:={PARAMETER}*)?){times}", names()),
            Operator::Query if any => format!("(\\?{PAIR}(?:&{PAIR})*)?"),
            Operator::Query => {
                let pair = format!("{}={QUERY}*", names());
                format!("(\\?{pair}(?:&{pair})*)?")
            }
            Operator::Continuation if any => format!("((?:&{PAIR})*)"),
            Operator::Continuation => format!("((?:&{}={QUERY}*)*)", names()),
        };
        pattern.push_str(&written);
    }
}

/// Whether a query gives one name two values: servers differ in which of them counts.
fn repeats(query: &[u8]) -> bool {
    let pairs = query
        .get(1..)
        .unwrap_or_default()
        .split(|byte| *byte == b'&');
    let mut names: Vec<&[u8]> = pairs
        .filter_map(|pair| pair.split(|byte| *byte == b'=').next())
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    names.len() != all
}

/// Whether a path has `.` or `..` as a part, as a server might read it: decoded, more than once too,
/// with `\` for `/`, and without the parameters behind `;`.
fn has_dots(path: &[u8]) -> bool {
    let scheme = path.iter().position(|byte| *byte == b':');
    let begin = scheme.map_or(0, |at| at.saturating_add(1));
    let mut path = path.get(begin..).unwrap_or_default().to_vec();
    for _ in 0..MAX_DECODED {
        let decoded = decoded(&path);
        if decoded == path {
            break;
        }
        path = decoded;
    }
    let mut segments = path.split(|byte| matches!(byte, b'/' | b'\\'));
    segments.any(|segment| {
        let name = segment
            .split(|byte| matches!(byte, b';' | b'?' | b'#'))
            .next()
            .unwrap_or_default();
        matches!(name, b"." | b"..")
    })
}

/// The path with `%25`, `%2e`, `%2f` and `%5c` decoded; nothing else can make a part of one.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        let stands_for = match rest {
            [b'%', b'2', b'5', ..] => Some(b'%'),
            [b'%', b'2', b'e' | b'E', ..] => Some(b'.'),
            [b'%', b'2', b'f' | b'F', ..] => Some(b'/'),
            [b'%', b'5', b'c' | b'C', ..] => Some(b'\\'),
            _ => None,
        };
        match stands_for {
            Some(byte) => {
                out.push(byte);
                rest = rest.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

/// What of printable ASCII is never part of a URI.
const NEVER: &[u8] = br#""<>\^`{|}"#;
// Braces are in none of these: what is a template is never a URI of one.
/// What `{name}` can stand for, byte by byte: no part of a path, and nothing that ends one.
const SEGMENT: &str = r"[^\x00-\x1f\x7f{}/?#]";
/// What `{+name}` can stand for.
const ANYTHING: &str = r"[^\x00-\x1f\x7f{}]";
/// The value of a path's parameter.
const PARAMETER: &str = r"[^\x00-\x1f\x7f{}/?#;]";
/// The value of a query's parameter.
const QUERY: &str = r"[^\x00-\x1f\x7f{}&#]";
/// A parameter of any name.
const PAIR: &str = r"[^\x00-\x1f\x7f{}&#=]+(?:=[^\x00-\x1f\x7f{}&#]*)?";

/// Bytes of a template.
const MAX_LENGTH: usize = 2_048;
/// Expressions of a template.
const MAX_EXPRESSIONS: usize = 32;
/// A longer URI is of no template.
pub(super) const MAX_URI: usize = 8_192;
/// What one compiled pattern may take.
const PATTERN_BYTES: usize = 1 << 20;
/// How often a path is decoded before it is looked at.
const MAX_DECODED: usize = 4;
