use regex::Regex;

/// A keyword in a text, and what is around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'t> {
    text: &'t str,
    start: usize,
    end: usize,
}

impl<'t> Window<'t> {
    pub(super) fn new(text: &'t str, start: usize, end: usize) -> Self {
        Self { text, start, end }
    }

    /// The text from the keyword on, at most that many bytes of it.
    pub(super) fn from(&self, bytes: usize) -> &'t str {
        let end = self
            .text
            .floor_char_boundary(self.start.saturating_add(bytes));
        self.text.get(self.start..end).unwrap_or_default()
    }

    /// The text before the keyword, at most that many bytes of it.
    pub(super) fn before(&self, bytes: usize) -> &'t str {
        let start = self
            .text
            .ceil_char_boundary(self.start.saturating_sub(bytes));
        self.text.get(start..self.start).unwrap_or_default()
    }

    /// Whether the keyword begins a word.
    pub(super) fn begins_word(&self) -> bool {
        !self
            .before(4)
            .chars()
            .next_back()
            .is_some_and(|c| c.is_alphanumeric() || c == '_')
    }

    /// Whether the keyword ends a word.
    pub(super) fn ends_word(&self) -> bool {
        let rest = self.text.get(self.end..).unwrap_or_default();
        !rest
            .chars()
            .next()
            .is_some_and(|c| c.is_alphanumeric() || c == '_')
    }

    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// The end, in the text, of a pattern anchored at the keyword.
    pub(super) fn matches(&self, pattern: Option<&Regex>, bytes: usize) -> Option<usize> {
        let found = pattern?.find(self.from(bytes))?;
        self.start.checked_add(found.end())
    }

    /// The first group of a pattern anchored at the keyword, and the end of the whole in the text.
    pub(super) fn captures(
        &self,
        pattern: Option<&Regex>,
        bytes: usize,
    ) -> Option<(&'t str, usize)> {
        let captures = pattern?.captures(self.from(bytes))?;
        let whole = captures.get(0)?;
        Some((
            captures.get(1)?.as_str(),
            self.start.checked_add(whole.end())?,
        ))
    }
}
