use super::{JsonPath, PathError, PathErrorKind, Step};

pub(super) fn parse(text: &str) -> Result<Vec<Step>, PathError> {
    let mut parser = Parser { text, rest: text };
    parser.steps().map_err(|kind| PathError {
        path: text.to_owned(),
        at: parser.consumed().chars().count().saturating_add(1),
        kind,
    })
}

/// Whether a name needs no quotes.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(is_word)
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn steps(&mut self) -> Result<Vec<Step>, PathErrorKind> {
        if !self.skip("$") {
            return Err(PathErrorKind::Root);
        }
        let mut steps = Vec::new();
        while !self.rest.is_empty() {
            if steps.len() == JsonPath::MAX_STEPS {
                return Err(PathErrorKind::Long);
            }
            steps.push(self.step()?);
        }
        if steps.is_empty() {
            Err(PathErrorKind::Everything)
        } else {
            Ok(steps)
        }
    }

    fn step(&mut self) -> Result<Step, PathErrorKind> {
        if self.skip(".") {
            return self.plain();
        }
        if !self.skip("[") {
            return Err(PathErrorKind::Step);
        }
        let step = match self.rest.chars().next() {
            Some('*') => {
                self.skip("*");
                Step::Every
            }
            Some(quote @ ('"' | '\'')) => Step::Name(self.quoted(quote)?),
            Some(c) if c.is_ascii_digit() => self.index()?,
            Some(_) | None => return Err(PathErrorKind::Step),
        };
        if self.skip("]") {
            Ok(step)
        } else {
            Err(PathErrorKind::Step)
        }
    }

    fn plain(&mut self) -> Result<Step, PathErrorKind> {
        if self.skip("*") {
            return Ok(Step::Every);
        }
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(end).ok_or(PathErrorKind::Step)?;
        if !is_plain(name) {
            return Err(PathErrorKind::Step);
        }
        self.rest = rest;
        Ok(Step::Name(name.to_owned()))
    }

    fn quoted(&mut self, quote: char) -> Result<String, PathErrorKind> {
        let mut name = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\'' | '\\'))) => name.push(escaped),
                    Some(_) | None => return Err(PathErrorKind::Quote),
                },
                c if c == quote => {
                    let end = at.saturating_add(quote.len_utf8());
                    self.rest = self.rest.get(end..).unwrap_or_default();
                    return Ok(name);
                }
                c => name.push(c),
            }
        }
        Err(PathErrorKind::Quote)
    }

    fn index(&mut self) -> Result<Step, PathErrorKind> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(self.rest.len());
        let (digits, rest) = self
            .rest
            .split_at_checked(end)
            .ok_or(PathErrorKind::Index)?;
        if digits.len() > 1 && digits.starts_with('0') {
            return Err(PathErrorKind::Index);
        }
        let index = digits.parse::<u32>().ok().filter(|index| *index < 1 << 31);
        let index = index
            .and_then(|index| usize::try_from(index).ok())
            .ok_or(PathErrorKind::Index)?;
        self.rest = rest;
        Ok(Step::Index(index))
    }

    fn skip(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn consumed(&self) -> &'a str {
        self.text.strip_suffix(self.rest).unwrap_or(self.text)
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
