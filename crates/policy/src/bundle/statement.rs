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
    /// Brackets inside one another.
    Nesting,
    /// Operators that make one expression part of another.
    Operators,
    /// Tokens.
    Tokens,
}

/// The statements of a file, in order. What follows the last semicolon, if it is not blank, is a
/// statement too: the parser will say what is wrong with it.
pub(super) fn split(text: &str) -> impl Iterator<Item = Statement<'_>> {
    Scanner {
        text,
        chars: text.char_indices().peekable(),
        line: 1,
        open: None,
    }
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
    operators: usize,
    excess: Option<Excess>,
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Statement<'a>;

    fn next(&mut self) -> Option<Statement<'a>> {
        while let Some((at, char)) = self.chars.next() {
            if let Some(statement) = self.take(at, char) {
                return Some(statement);
            }
        }
        self.close(self.text.len())
    }
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
            operators: 0,
            excess: None,
        });
        open.tokens = open.tokens.saturating_add(1);
        match char {
            '"' => self.string(),
            '(' | '[' | '{' => open.depth = open.depth.saturating_add(1),
            ')' | ']' | '}' => open.depth = open.depth.saturating_sub(1),
            '&' | '|' => {
                self.chars.next_if(|&(_, next)| next == char);
                open.operators = open.operators.saturating_add(1);
            }
            '.' | '+' | '-' | '*' => open.operators = open.operators.saturating_add(1),
            _ if is_word(char) && self.word(at) == "if" => {
                open.operators = open.operators.saturating_add(1);
            }
            _ => {}
        }
        open.excess = open.excess.or(open.excess());
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

impl Open {
    fn excess(&self) -> Option<Excess> {
        if self.depth > MAX_NESTING {
            Some(Excess::Nesting)
        } else if self.operators > MAX_OPERATORS {
            Some(Excess::Operators)
        } else {
            (self.tokens > MAX_TOKENS).then_some(Excess::Tokens)
        }
    }
}

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

// Parser, validator and evaluator recurse over a policy. Within these bounds an optimised build
// needs less than the 2 MiB of a worker thread's stack.
/// Brackets inside one another in one policy.
pub(super) const MAX_NESTING: usize = 32;
/// Logical and arithmetic operators, attribute accesses and conditionals in one policy.
pub(super) const MAX_OPERATORS: usize = 300;
/// Names, literals, operators and brackets in one policy.
pub(super) const MAX_TOKENS: usize = 4_000;
