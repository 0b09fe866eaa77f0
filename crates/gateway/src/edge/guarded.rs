//! A connection of which nothing is read that two readers could frame differently.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::Scanner;

/// The connection. Behind the first byte that is wrong it gives one that no request can hold, so
/// that the peer hears why, and then nothing more.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    stream: S,
    scanner: Scanner,
    broken: bool,
}

impl<S> Guarded<S> {
    /// Guards a connection whose heads may be so long.
    pub(super) fn new(stream: S, most: usize) -> Self {
        Self {
            stream,
            scanner: Scanner::new(most),
            broken: false,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.broken {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let new = buf.filled().get(before..).unwrap_or_default();
        if let Err((good, wrong)) = self.scanner.read(new) {
            tracing::debug!(?wrong, "a request could be framed in two ways");
            self.broken = true;
            let good = before.saturating_add(good);
            // The byte that is wrong makes room for this one.
            buf.set_filled(good);
            buf.put_slice(&[NEVER]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// A byte that stands in no head and in no line of a chunked body.
const NEVER: u8 = 0;

#[cfg(test)]
mod tests;
