use std::str::FromStr;

/// A version that can be ordered: dotted integers, compared one by one; the longer of two that
/// agree so far is the greater.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version(Vec<u64>);

/// Why a bundle may not replace another.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum VersionError {
    /// A version that cannot be ordered.
    #[error(
        "version `{0}` is not a dotted sequence of integers: bundles that replace one another are \
         ordered by it"
    )]
    Unordered(String),
    /// A downgrade, or the same again.
    #[error("version `{offered}` does not exceed `{running}`, which is running: raise it")]
    NotGreater {
        /// The new bundle's.
        offered: String,
        /// The running bundle's.
        running: String,
    },
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        text.split('.')
            .map(|part| {
                let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
                part.parse().ok().filter(|_| digits)
            })
            .collect::<Option<_>>()
            .map(Self)
            .ok_or_else(|| VersionError::Unordered(text.to_owned()))
    }
}
