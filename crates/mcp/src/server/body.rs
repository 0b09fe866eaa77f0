//! Reading a request's body without ever holding more than the cap.

use std::{error::Error, pin::pin};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body, Frame};

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BodyError {
    /// It is larger than the cap, whatever its length header said.
    #[error("request body larger than {limit} bytes")]
    TooLarge {
        /// The cap.
        limit: usize,
    },
    /// The peer broke off, or its framing is wrong.
    #[error("request body broke off")]
    Broken,
}

/// Reads a body up to `limit` bytes; a larger one is refused as soon as that shows, by its
/// declared length before the first byte, else while it streams in.
///
/// # Errors
/// [`BodyError`].
pub async fn read<B>(body: B, limit: usize) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let declared = body.size_hint().lower();
    if usize::try_from(declared).map_or(true, |declared| declared > limit) {
        return Err(BodyError::TooLarge { limit });
    }
    let mut body = pin!(Limited::new(body, limit));
    let mut text = Bytes::new();
    let mut parts = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let data = match frame.map(Frame::into_data) {
            Ok(Ok(data)) => data,
            Ok(Err(_trailers)) => continue,
            Err(error) if error.is::<LengthLimitError>() => {
                return Err(BodyError::TooLarge { limit });
            }
            Err(_) => return Err(BodyError::Broken),
        };
        // Most bodies come in one part, which is then not copied. Many small ones are: each would
        // keep more than itself.
        if text.is_empty() && parts.is_empty() {
            text = data;
        } else {
            parts.extend_from_slice(&std::mem::take(&mut text));
            parts.extend_from_slice(&data);
        }
    }
    Ok(if parts.is_empty() {
        text
    } else {
        parts.freeze()
    })
}

#[cfg(test)]
mod tests;
