//! L01: a process that is ended at every write and every sync of its log. The process is real: this
//! test binary once more, which dies at the point it is told.

use std::{
    collections::VecDeque, fs, os::unix::process::ExitStatusExt, process::Command as Process,
    sync::Mutex,
};

use rustix::process::{Resource, Rlimit, Signal, getpid, kill_process, setrlimit};

use super::*;
use workload::{Ack, STEPS, folder, hold_against, take};

/// Where a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// When the n-th transaction begins.
    Write,
    /// When the n-th sync begins.
    Sync,
    /// When the n-th sync has ended, and nobody has been told.
    Synced,
    /// When a file is written beyond this many bytes: within any write, and of each exactly the
    /// bytes before that are written.
    Bytes,
    Nowhere,
}

const POINTS: [(&str, Point); 5] = [
    ("write", Point::Write),
    ("sync", Point::Sync),
    ("synced", Point::Synced),
    ("bytes", Point::Bytes),
    ("nowhere", Point::Nowhere),
];

#[derive(Clone, Copy, Debug)]
struct Order {
    point: Point,
    n: u64,
    /// Pages in the write-ahead log after which it is checkpointed.
    pages: u32,
}

const PATH: &str = "CMCP_TEST_LOG";
const ORDER: &str = "CMCP_TEST_ORDER";

impl Order {
    fn from_environment() -> Option<Self> {
        let order = std::env::var_os(ORDER)?.into_string().unwrap();
        let words: Vec<&str> = order.split(' ').collect();
        let (_, point) = POINTS.into_iter().find(|(name, _)| *name == words[0])?;
        let (n, pages) = (words[1].parse().unwrap(), words[2].parse().unwrap());
        Some(Self { point, n, pages })
    }

    fn text(self) -> String {
        let (name, _) = POINTS
            .into_iter()
            .find(|(_, point)| *point == self.point)
            .unwrap();
        format!("{name} {} {}", self.n, self.pages)
    }

    /// Counts `point`, and ends this process when it is its turn.
    fn pass(self, point: Point, count: &AtomicU64) {
        let n = count.fetch_add(1, Ordering::SeqCst);
        if self.point == point && self.n == n {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
    }
}

/// Run by the next tests in a process of its own.
#[tokio::test]
#[ignore = "the other half of l01"]
async fn process() {
    let Some(order) = Order::from_environment() else {
        return;
    };
    let path = PathBuf::from(std::env::var_os(PATH).unwrap());
    let limit = |most| Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(Resource::Core, limit(0)).unwrap();
    if order.point == Point::Bytes {
        setrlimit(Resource::Fsize, limit(order.n)).unwrap();
    }
    let store = Store::open(&path).unwrap();
    store.checkpoint_after(order.pages);
    let wal = store.wal_sync().unwrap();
    let [writes, syncs, synced] = [(); 3].map(|()| AtomicU64::new(0));
    let wal = WalSync::new(move || {
        order.pass(Point::Sync, &syncs);
        wal.sync().map_err(io::Error::other)?;
        order.pass(Point::Synced, &synced);
        Ok(())
    });
    let clock = Clock::new(move || {
        order.pass(Point::Write, &writes);
        Timestamp::from_unix_seconds(1_800_000_000)
    });
    let (ledger, _threads) = Ledger::start_with(store, vec![wal], Vec::new(), clock).unwrap();
    for step in STEPS {
        take(&ledger, step, &|ack| println!("told {ack}")).await;
    }
    println!(
        "lived {}",
        fs::metadata(path.with_extension("db-wal")).unwrap().len()
    );
    // Whatever closing a database writes is not part of this life.
    kill_process(getpid(), Signal::KILL).unwrap();
}

struct Life {
    told: Vec<Ack>,
    /// Bytes of the write-ahead log, when it was lived to the end.
    lived: Option<u64>,
}

/// Lets a process live until `order`, and holds what it leaves against what it was told.
fn live(order: Order) -> Life {
    let folder = folder();
    let path = folder.path().join("audit.db");
    let ended = Process::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "ledger::tests::killed::process",
        ])
        .env(PATH, &path)
        .env(ORDER, order.text())
        .output()
        .unwrap();
    let out = String::from_utf8(ended.stdout).unwrap();
    let err = String::from_utf8_lossy(&ended.stderr);
    let after = |word: &'static str| {
        let lines = out.lines();
        lines.filter_map(move |line| line.split_once(word).map(|(_, rest)| rest))
    };
    let told = after("told ").map(|ack| ack.parse().unwrap()).collect();
    let lived = after("lived ").next().map(|bytes| bytes.parse().unwrap());
    let cut = order.point == Point::Bytes && lived.is_none();
    let signal = if cut { Signal::XFSZ } else { Signal::KILL };
    assert_eq!(
        ended.status.signal(),
        Some(signal.as_raw()),
        "{order:?}: {out}{err}"
    );
    let life = Life { told, lived };
    hold_against(&path, &life.told, &|_| true);
    life
}

/// Does it to each, on as many threads as there are cores.
fn for_each<T: Send, R: Send>(all: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let (all, done) = (Mutex::new(VecDeque::from(all)), Mutex::new(Vec::new()));
    let next = || all.lock().unwrap().pop_front();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, Into::into) {
            scope.spawn(|| {
                while let Some(one) = next() {
                    let result = work(one);
                    done.lock().unwrap().push(result);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

const WHOLE_LIFE: Order = Order {
    point: Point::Nowhere,
    n: 0,
    pages: 4000,
};
/// A checkpoint after nearly every transaction.
const FEW_PAGES: u32 = 4;

#[test]
fn l01_a_kill_before_a_write_around_a_sync_or_before_an_answer_loses_nothing_acknowledged() {
    assert_eq!(live(WHOLE_LIFE).told.len(), 19);
    // The least that there are: entries that nobody waits for are synced when their time is up,
    // which adds a few, and a few other moments, to some lives.
    let points = [(Point::Write, 16), (Point::Sync, 9), (Point::Synced, 9)];
    let ways = [WHOLE_LIFE.pages, FEW_PAGES]
        .map(|pages| points.map(|(point, least)| (point, least, pages)));
    for_each(ways.concat(), |(point, least, pages)| {
        let early = |n: &u64| {
            live(Order {
                point,
                n: *n,
                pages,
            })
            .lived
            .is_none()
        };
        let killed = (0..).take_while(early).count();
        assert!(killed >= least, "{point:?}: {killed}");
    });
}

#[test]
fn l01_a_kill_within_any_write_of_a_frame_leaves_a_log_that_goes_on() {
    let bytes = live(WHOLE_LIFE).lived.unwrap();
    // Before there is a database, within its first page, within the header of its log.
    let mut limits = vec![0, 1, 31];
    for frame in (WAL_HEADER..bytes).step_by(FRAME_HEADER + PAGE) {
        // Before a frame, within its header, before its page, within it, before its last byte.
        let within = [0, 12, FRAME_HEADER, PAGE / 2, FRAME_HEADER + PAGE - 1];
        limits.extend(within.map(|within| frame + within as u64));
    }
    assert!(limits.len() > 100, "{bytes}");
    for_each(limits, |n| {
        let cut = live(Order {
            point: Point::Bytes,
            n,
            ..WHOLE_LIFE
        });
        // Not every life writes its last few frames.
        assert!(
            cut.lived.is_none() || n + 5 * 4_120 > bytes,
            "{n} of {bytes}"
        );
    });
}

/// Bytes at the beginning of a write-ahead log, before each frame, and in it.
const WAL_HEADER: u64 = 32;
const FRAME_HEADER: usize = 24;
const PAGE: usize = 4_096;
