use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const SHORT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn f09_a_peer_that_takes_nothing_is_given_up() {
    let (near, _far) = tokio::io::duplex(1_000);
    let mut near = Stall::new(near, SHORT);
    near.write_all(&[0; 1_000]).await.unwrap();
    let error = near.write_all(&[0; 1]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn f09_a_peer_that_takes_something_now_and_then_is_not() {
    let (near, mut far) = tokio::io::duplex(10);
    let mut near = Stall::new(near, 10 * SHORT);
    let reading = tokio::spawn(async move {
        let mut taken = Vec::new();
        let mut part = [0; 7];
        while taken.len() < 70 {
            tokio::time::sleep(SHORT).await;
            let count = far.read(&mut part).await.unwrap();
            taken.extend_from_slice(&part[..count]);
        }
        taken
    });
    let sent: Vec<u8> = (0..70).collect();
    near.write_all(&sent).await.unwrap();
    assert_eq!(reading.await.unwrap(), sent);
}

#[tokio::test]
async fn reading_waits_as_long_as_it_takes() {
    let (near, _far) = tokio::io::duplex(10);
    let mut near = Stall::new(near, SHORT);
    let read = tokio::time::timeout(5 * SHORT, near.read_u8()).await;
    assert!(read.is_err());
}
