/// How much of a text the parser is willing to read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of the whole text.
    pub bytes: usize,
    /// Arrays and objects inside one another; never more than [`Limits::MAX_DEPTH`] whatever is said here.
    pub depth: usize,
    /// Object members in the whole text.
    pub members: usize,
    /// Members of one object.
    pub members_per_object: usize,
    /// Array elements in the whole text.
    pub elements: usize,
    /// Bytes of one string, after unescaping, in UTF-8.
    pub string_bytes: usize,
    /// Characters of one number.
    pub number_bytes: usize,
    /// What to do with U+0000 in a string.
    pub nul: Nul,
}

/// What to do with U+0000 in a string: many a reader written in C ends the string there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Nul {
    /// Take it like any other character.
    Accept,
    /// Refuse the text.
    Refuse,
}

impl Limits {
    /// The parser recurses: this bound holds for every caller, so that no text exhausts the stack.
    pub const MAX_DEPTH: usize = 128;

    /// What a client sends.
    pub const REQUEST: Self = Self {
        bytes: 4 << 20,
        depth: 64,
        members: 10_000,
        members_per_object: 10_000,
        elements: 100_000,
        string_bytes: 4 << 20,
        number_bytes: 1024,
        nul: Nul::Refuse,
    };

    /// What a server answers; U+0000 is taken, for it is content.
    pub const RESPONSE: Self = Self {
        bytes: 64 << 20,
        depth: 64,
        members: 2_000_000,
        members_per_object: 2_000_000,
        elements: 2_000_000,
        string_bytes: 64 << 20,
        number_bytes: 1024,
        nul: Nul::Accept,
    };

    /// Catalogs, bundles, records and exports.
    pub const DOCUMENT: Self = Self {
        nul: Nul::Refuse,
        ..Self::RESPONSE
    };

    /// What a client may send to the Python cMCP 0.7.1.
    pub const COMPAT: Self = Self {
        bytes: 1_000_000,
        depth: 20,
        members: 1_000_000,
        members_per_object: 256,
        elements: 1_000_000,
        string_bytes: 500_000,
        number_bytes: 1024,
        nul: Nul::Refuse,
    };
}
