//! How commands about evidence end: one exit code for each class of failure.

/// Every way to end but success (0) and wrong usage (2). The numbers are frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// An artefact that was to be measured is not what it has to be.
    Artefact,
    /// A check failed.
    Contraindicated,
    /// A file cannot be read or written.
    File,
    /// A service sent something else than it was asked for.
    Foreign,
    /// No check failed, and some could not be made.
    Incomplete,
    /// The evidence is of software, and shows nothing.
    Nothing,
    /// Not evidence, or none of a kind that the command is for.
    NotEvidence,
    /// The reference values, or a key, cannot be used.
    ReferenceValues,
    /// A service did not answer as it should.
    Service,
    /// The reference values are not signed by the key that was named.
    Unsigned,
    /// Every check holds, but for what is tolerated by name.
    Warning,
}

impl Ended {
    /// All of them, by code.
    pub(crate) const ALL: [Self; 11] = [
        Self::Contraindicated,
        Self::Warning,
        Self::NotEvidence,
        Self::Nothing,
        Self::File,
        Self::ReferenceValues,
        Self::Unsigned,
        Self::Incomplete,
        Self::Service,
        Self::Foreign,
        Self::Artefact,
    ];

    /// The exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Contraindicated => 1,
            Self::Warning => 3,
            Self::NotEvidence => 4,
            Self::Nothing => 5,
            Self::File => 6,
            Self::ReferenceValues => 7,
            Self::Unsigned => 8,
            Self::Incomplete => 9,
            Self::Service => 10,
            Self::Foreign => 11,
            Self::Artefact => 12,
        }
    }

    /// What it means, for the reference.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Artefact => "`measure`: an artefact is not what it has to be",
            Self::Contraindicated => "`contraindicated`: at least one check failed",
            Self::File => "a file cannot be read or written",
            Self::Foreign => "`refresh`: a service sent something else than it was asked for",
            Self::Incomplete => {
                "`contraindicated`: no check failed, and at least one could not be made"
            }
            Self::Nothing => "`none`: evidence of software, which shows nothing",
            Self::NotEvidence => {
                "the file is no evidence, or none of a kind that the command is for"
            }
            Self::ReferenceValues => "the reference values, or a key, cannot be used",
            Self::Service => "`refresh`: a service did not answer as it should",
            Self::Unsigned => "the reference values are not signed by the key that was named",
            Self::Warning => {
                "`warning`: every check holds, but for what the reference values tolerate by name"
            }
        }
    }
}
