use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Guarded;

/// What is read of these bytes, handed over in parts of this size.
async fn read(bytes: &[u8], size: usize) -> io::Result<Vec<u8>> {
    let (mut peer, stream) = tokio::io::duplex(size);
    let bytes = bytes.to_vec();
    let writing = tokio::spawn(async move {
        // Whoever stops reading closes the other end.
        let _closed = peer.write_all(&bytes).await;
    });
    let mut guarded = Guarded::new(stream, 65_536);
    let mut seen = Vec::new();
    guarded.read_to_end(&mut seen).await?;
    drop(guarded);
    writing.await?;
    Ok(seen)
}

#[tokio::test]
async fn what_is_right_passes_as_it_is() {
    let request = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n\n\0\nGET / HTTP/1.1\r\n\r\n";
    for size in [1, 2, 7, 1_000] {
        assert_eq!(read(request, size).await.unwrap(), request);
    }
}

#[tokio::test]
async fn f05_of_what_is_wrong_nothing_passes_from_there_on() {
    let smuggled =
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxGET / HTTP/1.1\r\n\r\n";
    let passes = b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\0";
    for size in [1, 2, 7, 1_000] {
        assert_eq!(read(smuggled, size).await.unwrap(), passes, "{size}");
    }
}

#[tokio::test]
async fn what_is_written_is_written() {
    let (mut peer, stream) = tokio::io::duplex(64);
    let mut guarded = Guarded::new(stream, 64);
    guarded.write_all(b"HTTP/1.1 200 OK\n").await.unwrap();
    guarded.shutdown().await.unwrap();
    let mut seen = Vec::new();
    peer.read_to_end(&mut seen).await.unwrap();
    assert_eq!(seen, b"HTTP/1.1 200 OK\n");
}
