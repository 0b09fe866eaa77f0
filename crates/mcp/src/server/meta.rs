//! The `_meta` members that every modern request carries.

use cmcp_json::{Object, Value};

use crate::{
    error::Code,
    headers::{META_CAPABILITIES, META_LOG_LEVEL, META_VERSION},
    jsonrpc::Params,
    upstream::LogLevel,
    version::Version,
};

/// What is wrong with them.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum MetaError {
    /// A header claims the modern era, the body does not.
    #[error("Invalid params: `_meta` lacks `{META_VERSION}`")]
    VersionMissing,
    /// The version is no string.
    #[error("Invalid params: `{META_VERSION}` must be a string")]
    VersionType,
    /// The version is not served.
    #[error("Unsupported protocol version")]
    Unsupported {
        /// What was asked for.
        requested: String,
    },
    /// No capabilities are declared.
    #[error("Invalid params: `_meta` lacks the object `{META_CAPABILITIES}`")]
    Capabilities,
    /// A log level that does not exist.
    #[error("Invalid params: `{META_LOG_LEVEL}` is not a log level")]
    LogLevel,
}

impl MetaError {
    pub(super) fn code(&self) -> Code {
        match self {
            Self::VersionMissing | Self::VersionType | Self::Capabilities | Self::LogLevel => {
                Code::InvalidParams
            }
            Self::Unsupported { requested: _ } => Code::UnsupportedVersion,
        }
    }

    pub(super) fn data(&self) -> Option<Value> {
        match self {
            Self::VersionMissing | Self::VersionType | Self::Capabilities | Self::LogLevel => None,
            Self::Unsupported { requested } => {
                let supported: Vec<_> = Version::MODERN.into_iter().map(Version::as_str).collect();
                let data = Object::from([
                    ("supported", Value::from(supported)),
                    ("requested", Value::from(requested.as_str())),
                ]);
                Some(data.into())
            }
        }
    }
}

/// The revision that a body names; `None` when it does not claim to be modern.
pub(super) fn named_version(params: &Params) -> Result<Option<&str>, MetaError> {
    match params.meta(META_VERSION) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(MetaError::VersionType),
    }
}

/// The modern revision of that name.
pub(super) fn served_version(name: &str) -> Result<Version, MetaError> {
    Version::parse(name)
        .filter(|version| version.is_modern())
        .ok_or_else(|| MetaError::Unsupported {
            requested: name.to_owned(),
        })
}

/// Checks what a modern request must say beside its version.
pub(super) fn check(params: &Params) -> Result<(), MetaError> {
    if params
        .meta(META_CAPABILITIES)
        .and_then(Value::as_object)
        .is_none()
    {
        return Err(MetaError::Capabilities);
    }
    match params.meta(META_LOG_LEVEL) {
        Some(level) if level.as_str().and_then(LogLevel::parse).is_none() => {
            Err(MetaError::LogLevel)
        }
        Some(_) | None => Ok(()),
    }
}
