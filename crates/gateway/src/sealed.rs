//! Texts that clients are given to bring back: sealed with a key that this process alone has, and
//! that ends with it.

pub(crate) mod codec;
mod kept;
mod spent;
mod state;

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

pub(crate) use kept::KeptStates;
pub(crate) use state::{Asked, Bound, Handle, MAX_LIFETIME, RequestState, RequestStates};

/// What a text is for. One that was sealed for one purpose is never opened for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The place in a list.
    Cursor,
    /// What a request is repeated with.
    RequestState,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Cursor => b"cmcp/cursor/v1",
            Self::RequestState => b"cmcp/request-state/v1",
        }
    }
}

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    /// The system or the library failed.
    #[error("nothing can be sealed: the system gives no randomness")]
    Randomness,
    /// What is to be sealed is too much for a client to carry.
    #[error("{bytes} bytes are to be sealed; {limit} are the most")]
    TooLarge {
        /// What it would take.
        bytes: usize,
        /// The most there may be.
        limit: usize,
    },
}

/// A text that was not sealed here for this use, or not any more: forged, changed, another caller's,
/// another call's, expired, used before. Which of these it was is told to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not given out for this request, or used up; start again without it")]
pub(crate) struct NotOurs;

/// The key. It is drawn at random, printed nowhere, and wiped when it is dropped.
pub(crate) struct Sealer {
    // AES-256-GCM-SIV: a nonce that comes twice shows that two texts are equal, and nothing more.
    // The library wipes what it keeps of the key when it frees it.
    key: RandomizedNonceKey,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
    }
}

/// An opened text.
#[derive(Debug)]
pub(crate) struct Opened {
    /// What tells it from every other text sealed with this key.
    pub(crate) nonce: [u8; NONCE_LEN],
    pub(crate) plain: Vec<u8>,
}

impl Sealer {
    /// With a new key.
    pub(crate) fn new() -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| SealError::Randomness)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM_SIV, bytes.as_slice());
        let key = key.map_err(|_| SealError::Randomness)?;
        Ok(Self { key })
    }

    /// Seals `plain` so that it opens only for the same purpose and next to the same `bound`.
    pub(crate) fn seal(
        &self,
        purpose: Purpose,
        bound: &[&[u8]],
        plain: Vec<u8>,
    ) -> Result<String, SealError> {
        if plain.len() > MAX_PLAIN {
            let (bytes, limit) = (plain.len(), MAX_PLAIN);
            return Err(SealError::TooLarge { bytes, limit });
        }
        let mut sealed = plain;
        let context = Aad::from(context(purpose, bound));
        let nonce = self.key.seal_in_place_append_tag(context, &mut sealed);
        let nonce = nonce.map_err(|_| SealError::Randomness)?;
        let text = [nonce.as_ref().as_slice(), &sealed].concat();
        Ok(URL_SAFE_NO_PAD.encode(text))
    }

    /// Opens a text of [`Self::seal`].
    pub(crate) fn open(
        &self,
        purpose: Purpose,
        bound: &[&[u8]],
        text: &str,
    ) -> Result<Opened, NotOurs> {
        if text.len() > MAX_TEXT {
            return Err(NotOurs);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotOurs)?;
        let (nonce, sealed) = bytes.split_first_chunk().ok_or(NotOurs)?;
        let mut sealed = sealed.to_vec();
        let context = Aad::from(context(purpose, bound));
        let unique = Nonce::assume_unique_for_key(*nonce);
        let plain = self.key.open_in_place(unique, context, &mut sealed);
        let length = plain.map_err(|_| NotOurs)?.len();
        sealed.truncate(length);
        Ok(Opened {
            nonce: *nonce,
            plain: sealed,
        })
    }
}

/// What is authenticated beside the text: each part with its length, so that no two differ only in
/// where one ends.
fn context(purpose: Purpose, bound: &[&[u8]]) -> Vec<u8> {
    let mut writer = codec::Writer::default();
    writer.bytes(purpose.label());
    for part in bound {
        writer.bytes(part);
    }
    writer.into_bytes()
}

/// The most that is sealed. A request may be 4 MiB, and has to hold more than this.
const MAX_PLAIN: usize = 256 * 1024;
/// The longest text that sealing makes: nonce and tag beside it, in base64url.
const MAX_TEXT: usize = (MAX_PLAIN + NONCE_LEN + 16) * 4 / 3 + 4;

#[cfg(test)]
mod tests;
