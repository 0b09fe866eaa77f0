use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha384};

use crate::hex;

/// Why a text is not a digest.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a digest: expected `{prefix}` and {digits} lower-case hexadecimal digits")]
pub struct DigestError {
    prefix: &'static str,
    digits: usize,
}

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident, $hash:ident, $bytes:literal, $digits:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// The digest of these bytes.
            #[must_use]
            pub fn of(bytes: &[u8]) -> Self {
                Self($hash::digest(bytes).into())
            }

            /// The digest of these runs of bytes, one behind the other, without anything between.
            #[must_use]
            pub fn of_parts(parts: &[&[u8]]) -> Self {
                let mut hash = $hash::new();
                for part in parts {
                    hash.update(part);
                }
                Self(hash.finalize().into())
            }

            /// A digest made elsewhere.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// Reads the digits without the prefix.
            ///
            /// # Errors
            ///
            /// Anything but the exact number of lower-case digits.
            pub fn from_hex(digits: &str) -> Result<Self, DigestError> {
                hex::decode_array(digits).map(Self).map_err(|_| DigestError {
                    prefix: "",
                    digits: $digits,
                })
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// The digits, without the prefix.
            #[must_use]
            pub fn hex(&self) -> String {
                hex::encode(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                text.strip_prefix($prefix)
                    .and_then(|digits| Self::from_hex(digits).ok())
                    .ok_or(DigestError {
                        prefix: $prefix,
                        digits: $digits,
                    })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(D::Error::custom)
            }
        }

        impl From<$name> for cmcp_json::Value {
            fn from(digest: $name) -> Self {
                Self::String(digest.to_string())
            }
        }
    };
}

digest!(
    /// A SHA-256 digest, shown as `sha256:` and 64 lower-case digits.
    Sha256Digest,
    Sha256,
    32,
    64,
    "sha256:"
);
digest!(
    /// A SHA-384 digest, shown as `sha384:` and 96 lower-case digits.
    Sha384Digest,
    Sha384,
    48,
    96,
    "sha384:"
);
