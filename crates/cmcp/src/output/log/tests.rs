use std::{
    io::{self, Write},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use super::{MOST, Queue};

/// A reader that takes a line only when it is let.
struct Slow {
    taken: Arc<Mutex<Vec<u8>>>,
    begun: SyncSender<()>,
    let_go: Receiver<()>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _nobody_asks = self.begun.try_send(());
        let _over = self.let_go.recv();
        self.taken.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_reads_nothing_holds_nobody_up_and_is_told_what_it_missed() {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let (begun, beginning) = sync_channel(1);
    let (go, let_go) = sync_channel(0);
    let slow = Slow {
        taken: Arc::clone(&taken),
        begun,
        let_go,
    };
    let mut queue = Queue::to(slow);
    queue.write_all(b"first\n").unwrap();
    beginning.recv().unwrap();
    let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
    for _ in 0..MOST / 1024 + 7 {
        queue.write_all(&line).unwrap();
    }
    drop(go);
    queue.written(Duration::from_secs(30));
    let taken = String::from_utf8(taken.lock().unwrap().clone()).unwrap();
    let mut lines = taken.lines();
    assert_eq!(lines.next(), Some("first"));
    assert_eq!(
        lines.next(),
        Some("7 lines of the log were lost: nobody read them")
    );
    assert_eq!(lines.count(), MOST / 1024);
}

#[test]
fn a_reader_that_is_gone_fails_nothing() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut queue = Queue::to(Gone);
    for _ in 0..100 {
        queue.write_all(b"a line\n").unwrap();
    }
    queue.written(Duration::from_secs(30));
    assert!(queue.lock().lines.is_empty());
}
