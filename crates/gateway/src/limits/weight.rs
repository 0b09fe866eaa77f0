//! How much of requests is held at once: bodies are counted while they arrive, and for as long as
//! what is made of them is in use.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// The bytes that are held.
#[derive(Clone, Debug)]
pub(super) struct Scale(Arc<Mutex<Held>>);

#[derive(Debug)]
struct Held {
    most: usize,
    bytes: usize,
    of: HashMap<Arc<str>, usize>,
}

impl Scale {
    /// For at most so many bytes; one principal may have half of them.
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Mutex::new(Held {
            most,
            bytes: 0,
            of: HashMap::new(),
        })))
    }

    /// Weighs a body as it is read.
    pub(super) fn weigh<B>(&self, principal: &str, body: B) -> (Weighed<B>, Weight) {
        let name = self
            .lock()
            .of
            .get_key_value(principal)
            .map(|(n, _)| Arc::clone(n));
        let weight = Weight(Arc::new(Load {
            scale: self.clone(),
            principal: name.unwrap_or_else(|| Arc::from(principal)),
            bytes: AtomicUsize::new(0),
            refused: AtomicBool::new(false),
        }));
        let weighed = Weighed {
            body,
            weight: weight.clone(),
        };
        (weighed, weight)
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn add(&mut self, principal: &Arc<str>, bytes: usize) -> bool {
        let own = self.of.get(principal).copied().unwrap_or_default();
        let own = own.saturating_add(bytes);
        let all = self.bytes.saturating_add(bytes);
        if all > self.most || own > self.most.div_ceil(2) {
            return false;
        }
        self.bytes = all;
        self.of.insert(Arc::clone(principal), own);
        true
    }

    fn take(&mut self, principal: &Arc<str>, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(own) = self.of.get_mut(principal) {
            *own = own.saturating_sub(bytes);
            if *own == 0 {
                self.of.remove(principal);
            }
        }
    }
}

/// What one request weighs. Dropped with everything made of its body, it weighs nothing more.
#[derive(Clone, Debug)]
#[must_use]
pub(crate) struct Weight(Arc<Load>);

#[derive(Debug)]
struct Load {
    scale: Scale,
    principal: Arc<str>,
    bytes: AtomicUsize,
    refused: AtomicBool,
}

impl Weight {
    /// Whether the body was broken off because too much is held.
    pub(crate) fn is_refused(&self) -> bool {
        self.0.refused.load(Ordering::Acquire)
    }

    /// The body, which weighs for as long as any part of it is in use.
    pub(crate) fn over(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Loaded {
            bytes,
            _weight: self,
        })
    }

    fn add(&self, bytes: usize) -> Result<(), TooMuch> {
        if bytes == 0 {
            return Ok(());
        }
        if !self.0.scale.lock().add(&self.0.principal, bytes) {
            self.0.refused.store(true, Ordering::Release);
            return Err(TooMuch);
        }
        self.0.bytes.fetch_add(bytes, Ordering::AcqRel);
        Ok(())
    }
}

struct Loaded {
    bytes: Bytes,
    _weight: Weight,
}

impl AsRef<[u8]> for Loaded {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let bytes = self.bytes.load(Ordering::Acquire);
        if bytes > 0 {
            self.scale.lock().take(&self.principal, bytes);
        }
    }
}

/// Too much of requests is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much of other requests is held")]
pub(crate) struct TooMuch;

/// A body that is weighed.
#[derive(Debug)]
pub(crate) struct Weighed<B> {
    body: B,
    weight: Weight,
}

impl<B> Body for Weighed<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            Some(Ok(frame)) => frame,
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        if let Err(too_much) = self.weight.add(bytes) {
            return Poll::Ready(Some(Err(too_much.into())));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
