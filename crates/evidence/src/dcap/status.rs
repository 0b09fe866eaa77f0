//! Intel's words for how far behind a machine is.

/// How a machine compares with what Intel has published.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TcbStatus {
    /// Nothing is missing.
    UpToDate,
    /// Software has to defend itself.
    SwHardeningNeeded,
    /// A setting of the machine has to be changed.
    ConfigurationNeeded,
    /// Both.
    ConfigurationAndSwHardeningNeeded,
    /// Updates are missing.
    OutOfDate,
    /// Updates are missing, and a setting has to be changed.
    OutOfDateConfigurationNeeded,
    /// The machine was updated under a domain that was launched before.
    TdRelaunchAdvised,
    /// The same, and a setting has to be changed.
    TdRelaunchAdvisedConfigurationNeeded,
    /// Its keys are not to be trusted any more.
    Revoked,
}

impl TcbStatus {
    /// All of them, from best to worst.
    pub const ALL: [Self; 9] = [
        Self::UpToDate,
        Self::SwHardeningNeeded,
        Self::ConfigurationNeeded,
        Self::ConfigurationAndSwHardeningNeeded,
        Self::OutOfDate,
        Self::OutOfDateConfigurationNeeded,
        Self::TdRelaunchAdvised,
        Self::TdRelaunchAdvisedConfigurationNeeded,
        Self::Revoked,
    ];

    /// Intel's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UpToDate => "UpToDate",
            Self::SwHardeningNeeded => "SWHardeningNeeded",
            Self::ConfigurationNeeded => "ConfigurationNeeded",
            Self::ConfigurationAndSwHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            Self::OutOfDate => "OutOfDate",
            Self::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            Self::TdRelaunchAdvised => "TDRelaunchAdvised",
            Self::TdRelaunchAdvisedConfigurationNeeded => "TDRelaunchAdvisedConfigurationNeeded",
            Self::Revoked => "Revoked",
        }
    }

    /// The status of that word; there is none for a word that is not known.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

impl From<dcap_qvl::TcbStatus> for TcbStatus {
    fn from(status: dcap_qvl::TcbStatus) -> Self {
        use dcap_qvl::TcbStatus as Theirs;
        match status {
            Theirs::UpToDate => Self::UpToDate,
            Theirs::OutOfDateConfigurationNeeded => Self::OutOfDateConfigurationNeeded,
            Theirs::OutOfDate => Self::OutOfDate,
            Theirs::ConfigurationAndSWHardeningNeeded => Self::ConfigurationAndSwHardeningNeeded,
            Theirs::ConfigurationNeeded => Self::ConfigurationNeeded,
            Theirs::SWHardeningNeeded => Self::SwHardeningNeeded,
            Theirs::Revoked => Self::Revoked,
            Theirs::TDRelaunchAdvised => Self::TdRelaunchAdvised,
            Theirs::TDRelaunchAdvisedConfigurationNeeded => {
                Self::TdRelaunchAdvisedConfigurationNeeded
            }
        }
    }
}
