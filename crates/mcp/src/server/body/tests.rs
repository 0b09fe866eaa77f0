use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};

use super::{BodyError, read};

/// A chunked body of 200 MB that counts how much of itself was asked for.
struct Endless {
    given: Arc<AtomicUsize>,
}

const CHUNK: usize = 64 * 1024;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.given.load(Ordering::Relaxed) >= 200 << 20 {
            return Poll::Ready(None);
        }
        self.given.fetch_add(CHUNK, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; CHUNK])))))
    }
}

/// A body that lies about its length.
struct Claims(u64);

impl Body for Claims {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("not a byte of it may be asked for");
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}

#[tokio::test]
async fn a_chunked_body_without_length_is_stopped_at_the_cap_while_it_streams() {
    let given = Arc::new(AtomicUsize::new(0));
    let body = Endless {
        given: Arc::clone(&given),
    };
    assert_eq!(
        read(body, 1_000_000).await,
        Err(BodyError::TooLarge { limit: 1_000_000 })
    );
    assert!(given.load(Ordering::Relaxed) <= 1_000_000 + 2 * CHUNK);
}

#[tokio::test]
async fn a_declared_length_over_the_cap_is_refused_before_the_first_byte() {
    assert_eq!(
        read(Claims(1_000_001), 1_000_000).await,
        Err(BodyError::TooLarge { limit: 1_000_000 })
    );
    assert_eq!(
        read(Claims(u64::MAX), 1_000_000).await,
        Err(BodyError::TooLarge { limit: 1_000_000 })
    );
}

#[tokio::test]
async fn a_body_of_exactly_the_cap_is_read_and_one_byte_more_is_not() {
    let body = |n| Full::new(Bytes::from(vec![b'x'; n]));
    assert_eq!(read(body(100), 100).await.unwrap().len(), 100);
    assert_eq!(
        read(body(101), 100).await,
        Err(BodyError::TooLarge { limit: 100 })
    );
}
