//! The part of YAML that has one reading: mappings, sequences and scalars, each with its place.
//! Aliases, anchors, tags, second documents and repeated keys are refused.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use crate::config::fault::Fault;

/// Largest configuration, in bytes.
pub(crate) const MAX_BYTES: usize = 256 * 1024;
/// Deepest nesting of a configuration.
pub(crate) const MAX_DEPTH: usize = 16;

/// A line and a column, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Position {
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    fn of(span: Span) -> Self {
        Self {
            line: span.start.line(),
            column: span.start.col().saturating_add(1),
        }
    }
}

/// A value and where it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) tree: Tree,
}

/// The three shapes, and nothing at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tree {
    Mapping(Vec<Member>),
    Null,
    Scalar(Scalar),
    Sequence(Vec<Node>),
}

/// A scalar as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) style: Style,
}

/// Whether a scalar stood in quotes: `"5"` is text, `5` is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Quoted,
}

/// One `key: value` of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) at: Position,
    pub(crate) value: Node,
}

impl Node {
    /// What stands here, for a message.
    pub(crate) fn found(&self) -> String {
        match &self.tree {
            Tree::Mapping(_) => "a mapping".to_owned(),
            Tree::Null => "empty".to_owned(),
            Tree::Scalar(Scalar { text, style }) => {
                let short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
                let rest = if text.chars().count() > 60 { "…" } else { "" };
                match style {
                    Style::Plain => format!("`{short}{rest}`"),
                    Style::Quoted => format!("`\"{short}{rest}\"`"),
                }
            }
            Tree::Sequence(_) => "a list".to_owned(),
        }
    }
}

/// Reads one document; an empty one is `Null`. Every structural fault is reported, not the first.
pub(crate) fn parse(bytes: &[u8]) -> Result<Node, Vec<(Position, Fault)>> {
    if bytes.len() > MAX_BYTES {
        return Err(vec![(Position::START, Fault::Size { limit: MAX_BYTES })]);
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(vec![(Position::START, Fault::Encoding)]);
    };
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        faults: Vec::new(),
    };
    let root = match reader.document() {
        Ok(root) => root,
        Err(Stop) => return Err(reader.faults),
    };
    if reader.faults.is_empty() {
        Ok(root)
    } else {
        Err(reader.faults)
    }
}

/// Reading cannot go on; the reason is among the faults.
struct Stop;

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    faults: Vec<(Position, Fault)>,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Node, Stop> {
        let mut root = None;
        loop {
            let (event, at) = self.next()?;
            match event {
                Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(_) if root.is_none() => {
                    let (event, at) = self.next()?;
                    root = Some(self.node(event, at, 0)?);
                }
                Event::DocumentStart(_) => return Err(self.stop(at, Fault::Documents)),
                Event::StreamEnd => {
                    return Ok(root.unwrap_or(Node {
                        at: Position::START,
                        tree: Tree::Null,
                    }));
                }
                Event::Alias(_)
                | Event::MappingEnd
                | Event::MappingStart(..)
                | Event::Scalar(..)
                | Event::SequenceEnd
                | Event::SequenceStart(..) => {
                    let info = "a value stands outside of the document".to_owned();
                    return Err(self.stop(at, Fault::Syntax { info }));
                }
            }
        }
    }

    fn node(&mut self, event: Event<'a>, at: Position, depth: usize) -> Result<Node, Stop> {
        if depth > MAX_DEPTH {
            return Err(self.stop(at, Fault::Depth { limit: MAX_DEPTH }));
        }
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => (*anchor, tag.as_ref().map(ToString::to_string)),
            Event::Alias(_)
            | Event::DocumentEnd
            | Event::DocumentStart(_)
            | Event::MappingEnd
            | Event::Nothing
            | Event::SequenceEnd
            | Event::StreamEnd
            | Event::StreamStart => (0, None),
        };
        if anchor != 0 {
            self.faults.push((at, Fault::Anchor));
        }
        if let Some(tag) = tag {
            self.faults.push((at, Fault::Tag { tag }));
        }
        let tree = match event {
            Event::Scalar(text, style, ..) => scalar(text.into_owned(), style),
            Event::SequenceStart(..) => Tree::Sequence(self.sequence(depth)?),
            Event::MappingStart(..) => Tree::Mapping(self.mapping(depth)?),
            Event::Alias(_) => {
                self.faults.push((at, Fault::Alias));
                Tree::Null
            }
            Event::DocumentEnd
            | Event::DocumentStart(_)
            | Event::MappingEnd
            | Event::Nothing
            | Event::SequenceEnd
            | Event::StreamEnd
            | Event::StreamStart => {
                let info = "a value is missing".to_owned();
                return Err(self.stop(at, Fault::Syntax { info }));
            }
        };
        Ok(Node { at, tree })
    }

    fn sequence(&mut self, depth: usize) -> Result<Vec<Node>, Stop> {
        let mut items = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(items);
            }
            items.push(self.node(event, at, depth.saturating_add(1))?);
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Vec<Member>, Stop> {
        let mut members = Vec::new();
        let mut lines = HashMap::new();
        let deeper = depth.saturating_add(1);
        loop {
            let (event, at) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(members);
            }
            let key = match self.node(event, at, deeper)?.tree {
                Tree::Scalar(Scalar { text, .. }) => Some(text),
                Tree::Mapping(_) | Tree::Null | Tree::Sequence(_) => {
                    self.faults.push((at, Fault::KeyNotText));
                    None
                }
            };
            let (event, value_at) = self.next()?;
            let value = self.node(event, value_at, deeper)?;
            let Some(key) = key else { continue };
            if let Some(first) = lines.insert(key.clone(), at.line) {
                self.faults.push((at, Fault::DuplicateKey { key, first }));
            } else {
                members.push(Member { key, at, value });
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Position), Stop> {
        match self.events.next_event() {
            Some(Ok((event, span))) => Ok((event, Position::of(span))),
            Some(Err(error)) => {
                let at = Position {
                    line: error.marker().line(),
                    column: error.marker().col().saturating_add(1),
                };
                Err(self.stop(
                    at,
                    Fault::Syntax {
                        info: error.info().to_owned(),
                    },
                ))
            }
            None => {
                let info = "the text ends too early".to_owned();
                Err(self.stop(Position::START, Fault::Syntax { info }))
            }
        }
    }

    fn stop(&mut self, at: Position, fault: Fault) -> Stop {
        self.faults.push((at, fault));
        Stop
    }
}

fn scalar(text: String, style: ScalarStyle) -> Tree {
    let style = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::DoubleQuoted
        | ScalarStyle::Folded
        | ScalarStyle::Literal
        | ScalarStyle::SingleQuoted => Style::Quoted,
    };
    let null = matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL");
    if style == Style::Plain && null {
        Tree::Null
    } else {
        Tree::Scalar(Scalar { text, style })
    }
}

#[cfg(test)]
mod tests;
