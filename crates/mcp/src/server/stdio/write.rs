//! The other direction: what is said, as lines.

use std::{future::poll_fn, io, task::Poll};

use bytes::Bytes;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _},
    sync::Notify,
};

use crate::server::channel::Channel;

/// Writes what is said on `line` until that has ended. `written` hears of every write.
pub(super) async fn all<W: AsyncWrite + Unpin>(
    line: &Channel,
    mut output: W,
    written: &Notify,
) -> io::Result<()> {
    let (nth, _) = line.take_over();
    loop {
        let next = poll_fn(|context| match line.poll_next(nth, context) {
            Poll::Ready(frame) => Poll::Ready(frame),
            Poll::Pending => Poll::Pending,
        });
        let Some(Ok(frame)) = next.await else {
            return output.flush().await;
        };
        for part in frame.iter().filter(|part: &&Bytes| !part.is_empty()) {
            output.write_all(part).await?;
        }
        if line.has_nothing_unread() {
            output.flush().await?;
        }
        written.notify_one();
    }
}
