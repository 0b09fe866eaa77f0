//! What a `WWW-Authenticate` header asks for (RFC 9110, 11.6.1; RFC 6750, 3; RFC 9728, 5.1).

use std::collections::BTreeMap;

/// One challenge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// Its scheme, as written.
    pub scheme: String,
    parameters: BTreeMap<String, String>,
}

impl Challenge {
    /// The parameter of that name, which is in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// The challenges of one header value. What cannot be read ends the reading; what stood before counts.
#[must_use]
pub fn parse(value: &str) -> Vec<Challenge> {
    let mut rest = Rest(value);
    let mut challenges: Vec<Challenge> = Vec::new();
    while challenges.len() < MAX_CHALLENGES {
        rest.separators();
        let Some(word) = rest.word() else {
            break;
        };
        rest.blanks();
        if let (Some(challenge), true) = (challenges.last_mut(), rest.eat('=')) {
            rest.blanks();
            let Some(text) = rest.value() else {
                break;
            };
            // A repeated parameter has no meaning: the first counts.
            challenge
                .parameters
                .entry(word.to_ascii_lowercase())
                .or_insert(text);
        } else {
            challenges.push(Challenge {
                scheme: word.to_owned(),
                parameters: BTreeMap::new(),
            });
        }
    }
    challenges
}

/// What of the text is still to be read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn separators(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', ',']);
    }

    fn blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn eat(&mut self, char: char) -> bool {
        match self.0.strip_prefix(char) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> Option<&'a str> {
        let end = self
            .0
            .find(|char: char| !is_token(char))
            .unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }

    fn value(&mut self) -> Option<String> {
        if !self.eat('"') {
            return self.word().map(ToOwned::to_owned);
        }
        let mut text = String::new();
        let mut chars = self.0.char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    self.0 = self.0.get(at.saturating_add(1)..)?;
                    return Some(text);
                }
                '\\' => text.push(chars.next()?.1),
                _ => text.push(char),
            }
        }
        None
    }
}

fn is_token(char: char) -> bool {
    char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char)
}

const MAX_CHALLENGES: usize = 16;
