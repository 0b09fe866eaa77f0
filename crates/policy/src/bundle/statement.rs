//! Cutting a policy file into statements, before Cedar's parser sees it.
//!
//! One statement at a time keeps a mistake from hiding the next, and bounds what the parser, the
//! validator and the evaluator recurse over.

use std::{iter::Peekable, str::CharIndices};

/// One policy's text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Statement<'a> {
    /// From its first token to its semicolon.
    pub(super) text: &'a str,
    /// The line of its first token, from 1.
    pub(super) line: usize,
    /// What it exceeds, if anything.
    pub(super) excess: Option<Excess>,
}

/// A limit that a statement exceeds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Excess {
    /// Brackets and conditionals inside one another.
    Nesting,
    /// Tokens.
    Tokens,
}

/// The statements of a file, in order. What follows the last semicolon, if it is not blank, is a
/// statement too: the parser will say what is wrong with it.
pub(super) fn split(text: &str) -> Vec<Statement<'_>> {
    let mut scanner = Scanner {
        text,
        chars: text.char_indices().peekable(),
        line: 1,
        open: None,
    };
    let mut statements = Vec::new();
    while let Some((at, char)) = scanner.chars.next() {
        if let Some(statement) = scanner.take(at, char) {
            statements.push(statement);
        }
    }
    statements.extend(scanner.close(text.len()));
    statements
}

struct Scanner<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    line: usize,
    open: Option<Open>,
}

/// The statement being read.
struct Open {
    from: usize,
    line: usize,
    tokens: usize,
    depth: usize,
    conditionals: usize,
    excess: Option<Excess>,
}

impl<'a> Scanner<'a> {
    fn take(&mut self, at: usize, char: char) -> Option<Statement<'a>> {
        match char {
            '\n' => self.line = self.line.saturating_add(1),
            _ if char.is_whitespace() => {}
            '/' if self.chars.next_if(|&(_, next)| next == '/').is_some() => {
                while self.chars.next_if(|&(_, next)| next != '\n').is_some() {}
            }
            _ => {
                self.token(at, char);
                if char == ';' {
                    return self.close(at.saturating_add(1));
                }
            }
        }
        None
    }

    fn token(&mut self, at: usize, char: char) {
        let line = self.line;
        let mut open = self.open.take().unwrap_or(Open {
            from: at,
            line,
            tokens: 0,
            depth: 0,
            conditionals: 0,
            excess: None,
        });
        open.tokens = open.tokens.saturating_add(1);
        match char {
            '"' => self.string(),
            '(' | '[' | '{' => open.depth = open.depth.saturating_add(1),
            ')' | ']' | '}' => open.depth = open.depth.saturating_sub(1),
            _ if is_word(char) && self.word(at) == "if" => {
                open.conditionals = open.conditionals.saturating_add(1);
            }
            _ => {}
        }
        if open.depth.saturating_add(open.conditionals) > MAX_NESTING {
            open.excess = Some(Excess::Nesting);
        } else if open.tokens > MAX_TOKENS && open.excess.is_none() {
            open.excess = Some(Excess::Tokens);
        }
        self.open = Some(open);
    }

    fn string(&mut self) {
        while let Some((_, char)) = self.chars.next() {
            match char {
                '"' => return,
                '\\' => {
                    self.chars.next();
                }
                '\n' => self.line = self.line.saturating_add(1),
                _ => {}
            }
        }
    }

    fn word(&mut self, from: usize) -> &'a str {
        let mut end = from.saturating_add(1);
        while let Some((at, char)) = self.chars.next_if(|&(_, next)| is_word(next)) {
            end = at.saturating_add(char.len_utf8());
        }
        self.text.get(from..end).unwrap_or_default()
    }

    fn close(&mut self, end: usize) -> Option<Statement<'a>> {
        let open = self.open.take()?;
        let text = self.text.get(open.from..end)?;
        Some(Statement {
            text,
            line: open.line,
            excess: open.excess,
        })
    }
}

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

/// Brackets and conditionals inside one another in one policy.
pub(super) const MAX_NESTING: usize = 4800;
/// Names, literals, operators and brackets in one policy.
pub(super) const MAX_TOKENS: usize = 400_000;
