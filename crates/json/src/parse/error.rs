/// Why a text was refused, and where.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct ParseError {
    /// The fault.
    pub kind: ParseErrorKind,
    /// Bytes before it.
    pub offset: usize,
}

impl ParseError {
    /// Line and column of the fault in the text that was refused, both from one; columns count characters.
    #[must_use]
    pub fn position(&self, bytes: &[u8]) -> (usize, usize) {
        let before = bytes.get(..self.offset).unwrap_or(bytes);
        let lines = before.iter().filter(|byte| **byte == b'\n').count();
        let columns = before
            .rsplit(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default()
            .iter()
            .filter(|byte| !matches!(byte, 0x80..=0xbf))
            .count();
        (lines.saturating_add(1), columns.saturating_add(1))
    }

    /// The same fault in a text of which `offset` bytes come before the part that was read.
    pub(crate) fn after(self, offset: usize) -> Self {
        self.kind.at(self.offset.saturating_add(offset))
    }
}

/// What can be wrong with a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseErrorKind {
    /// More bytes than allowed.
    #[error("text is longer than {0} bytes")]
    Size(usize),
    /// Bytes that are no UTF-8.
    #[error("invalid UTF-8")]
    Utf8,
    /// A byte order mark.
    #[error("byte order mark: write the text without it")]
    ByteOrderMark,
    /// The text ends too early.
    #[error("unexpected end of text")]
    End,
    /// No value where one belongs; `NaN` and `Infinity` are none.
    #[error("expected a value")]
    Value,
    /// No name where a member begins.
    #[error("expected a member name in double quotes")]
    MemberName,
    /// No colon behind a member name.
    #[error("expected `:` after the member name")]
    Colon,
    /// Neither comma nor bracket behind an element.
    #[error("expected `,` or `]`")]
    ArrayEnd,
    /// Neither comma nor brace behind a member.
    #[error("expected `,` or `}}`")]
    ObjectEnd,
    /// Something behind the value.
    #[error("data after the value")]
    TrailingData,
    /// A name that this object already has, once escapes are resolved.
    #[error("member name repeated in one object")]
    DuplicateMember,
    /// Too many arrays and objects inside one another.
    #[error("more than {0} levels of arrays and objects")]
    Depth(usize),
    /// Too many members in the text.
    #[error("more than {0} members in all")]
    Members(usize),
    /// Too many members in one object.
    #[error("more than {0} members in one object")]
    MembersOfObject(usize),
    /// Too many array elements in the text.
    #[error("more than {0} array elements in all")]
    Elements(usize),
    /// A string that is too long.
    #[error("string longer than {0} bytes")]
    StringSize(usize),
    /// A control character that should be escaped.
    #[error("control character in a string: escape it")]
    ControlCharacter,
    /// A backslash before something that is no escape.
    #[error("unknown escape in a string")]
    Escape,
    /// Half of a surrogate pair: no character.
    #[error("lone surrogate in a string")]
    LoneSurrogate,
    /// U+0000 where it is not taken.
    #[error("character U+0000 in a string")]
    Nul,
    /// A number that JSON does not allow: leading zero, plus sign, no digit.
    #[error("malformed number")]
    Number,
    /// A number with too many characters.
    #[error("number longer than {0} characters")]
    NumberSize(usize),
    /// A number beyond every double.
    #[error("number out of range")]
    NumberRange,
    /// A document read for one array is no object, or has no such array.
    #[error("expected an object with the array that is to be read")]
    StreamedArray,
}

impl ParseErrorKind {
    pub(crate) fn at(self, offset: usize) -> ParseError {
        ParseError { kind: self, offset }
    }
}
