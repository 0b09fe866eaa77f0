//! L02: power that fails at any moment. Every image of the files between two transactions is kept;
//! from each, sectors that were written after the last sync are lost, in every way we could think of.

use std::{collections::BTreeSet, fs, sync::Mutex};

use super::*;
use workload::{Ack, STEPS, folder, hold_against, take};

/// The database's two files.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Image {
    data: Vec<u8>,
    wal: Vec<u8>,
}

/// The files when a transaction began, and how much callers had been told by then.
struct Moment {
    image: Image,
    told: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Data,
    Wal,
}

/// A sector that was written, and may or may not have reached the disk.
#[derive(Clone, Debug)]
struct Sector {
    of: Of,
    at: usize,
    bytes: Vec<u8>,
}

impl Image {
    fn read(path: &Path) -> Self {
        Self {
            data: fs::read(path).unwrap(),
            wal: fs::read(path.with_extension("db-wal")).unwrap(),
        }
    }

    fn write(&self, path: &Path) {
        fs::write(path, &self.data).unwrap();
        fs::write(path.with_extension("db-wal"), &self.wal).unwrap();
        // An index in memory, which no power cut survives.
        let _ = fs::remove_file(path.with_extension("db-shm"));
    }

    fn file(&self, of: Of) -> &[u8] {
        match of {
            Of::Data => &self.data,
            Of::Wal => &self.wal,
        }
    }

    /// With these sectors; what lies between the old end and the last of them is zeros.
    fn with<'a>(&self, sectors: impl IntoIterator<Item = &'a Sector>) -> Self {
        let mut image = self.clone();
        for Sector { of, at, bytes } in sectors {
            let file = match of {
                Of::Data => &mut image.data,
                Of::Wal => &mut image.wal,
            };
            file.resize(file.len().max(at + bytes.len()), 0);
            file[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        image
    }
}

/// Sectors of one file that differ, in the order of the file.
fn changes(before: &Image, after: &Image, of: Of, size: usize) -> Vec<Sector> {
    let (old, new) = (before.file(of), after.file(of));
    assert!(new.len() >= old.len(), "neither file is ever cut");
    let sectors = new.chunks(size).enumerate();
    let changed =
        sectors.filter(|(n, bytes)| old.get(n * size..n * size + bytes.len()) != Some(bytes));
    changed
        .map(|(n, bytes)| Sector {
            of,
            at: n * size,
            bytes: bytes.to_vec(),
        })
        .collect()
}

/// What may be on the disk when some of `written` was not synced: torn at any sector but the first
/// `before`, whose turn has been; one of them lost, one of them alone there, and some of all.
fn outcomes(base: &Image, written: &[Sector], before: usize, seed: u64) -> Vec<Image> {
    let mut images = Vec::new();
    for n in before..=written.len() {
        images.push(base.with(&written[..n]));
    }
    for n in before..written.len() {
        images.push(base.with(written[..n].iter().chain(&written[n + 1..])));
        images.push(base.with(&written[n..=n]));
    }
    let mut state = seed | 1;
    for _ in 0..12 {
        let some: Vec<&Sector> = written
            .iter()
            .filter(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.is_multiple_of(2)
            })
            .collect();
        images.push(base.with(some));
    }
    images
}

/// A crash: what is on the disk, what callers had been told, and how much of that was to the disk.
struct Crash {
    image: Image,
    told: usize,
}

/// Every crash between these moments.
fn crashes(moments: &[Moment], told: &[Ack], sector: usize) -> Vec<Crash> {
    let mut crashes = Vec::new();
    let mut base = moments[0].image.clone();
    let mut written = Vec::new();
    for (n, pair) in moments.windows(2).enumerate() {
        let (before, after) = (&pair[0], &pair[1]);
        let mut add = |base: &Image, written: &[Sector], known: usize| {
            for image in outcomes(base, written, known, n as u64 + 7) {
                crashes.push(Crash {
                    image,
                    told: before.told,
                });
            }
        };
        let header = &after.image.wal[..WAL_HEADER];
        if before.image.wal[..WAL_HEADER] != *header {
            // The log begins anew over the old one. SQLite syncs the new header before any frame:
            // old frames under an old header would bring old pages back.
            let header = Sector {
                of: Of::Wal,
                at: 0,
                bytes: header.to_vec(),
            };
            base = base.with([&header]);
            add(&base, &[], 0);
        }
        let known = written.len();
        written.extend(changes(&before.image, &after.image, Of::Wal, sector));
        add(&base, &written, known);
        let moved = changes(&before.image, &after.image, Of::Data, sector);
        if !moved.is_empty() {
            // SQLite syncs its write-ahead log before it moves pages, and them before it goes on.
            base.wal.clone_from(&after.image.wal);
            add(&base, &moved, 0);
            base.clone_from(&after.image);
            written.clear();
        }
        if told[before.told..after.told].iter().any(Ack::is_on_disk) {
            base.clone_from(&after.image);
            written.clear();
        }
    }
    crashes
}

/// Lives the workload and keeps the files as every transaction finds them.
async fn moments(pages: u32) -> (Vec<Moment>, Vec<Ack>) {
    let folder = folder();
    let path = folder.path().join("audit.db");
    let store = Store::open(&path).unwrap();
    store.checkpoint_after(pages);
    let told = Arc::new(Mutex::new(Vec::new()));
    let moments = Arc::new(Mutex::new(Vec::new()));
    let look = {
        let (told, moments, path) = (Arc::clone(&told), Arc::clone(&moments), path.clone());
        move || {
            let told: &Mutex<Vec<Ack>> = &told;
            let told = told.lock().unwrap().len();
            let image = Image::read(&path);
            moments.lock().unwrap().push(Moment { image, told });
        }
    };
    let clock = {
        let look = look.clone();
        // Asked for the time once for each transaction, by the thread that writes.
        Clock::new(move || {
            look();
            Timestamp::from_unix_seconds(1_800_000_000)
        })
    };
    let wal = WalSync::new(|| Ok(()));
    let (ledger, _threads) = Ledger::start_with(store, vec![wal], Vec::new(), clock).unwrap();
    for step in STEPS {
        take(&ledger, step, &|ack| told.lock().unwrap().push(ack)).await;
    }
    look();
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    let told = told.lock().unwrap().clone();
    (moments, told)
}

fn survive(crashes: &[Crash], told: &[Ack]) {
    let folder = folder();
    let path = folder.path().join("audit.db");
    for crash in crashes {
        crash.image.write(&path);
        hold_against(&path, &told[..crash.told], &Ack::is_on_disk);
    }
}

async fn power_fails_everywhere(pages: u32) -> BTreeSet<usize> {
    let (moments, told) = moments(pages).await;
    assert!(moments.len() >= STEPS.len(), "{}", moments.len());
    let checkpoints = moments
        .windows(2)
        .filter(|pair| pair[0].image.data != pair[1].image.data);
    let checkpoints = checkpoints.count();
    let mut counts = BTreeSet::from([checkpoints]);
    for sector in [512, 4_096] {
        let crashes = crashes(&moments, &told, sector);
        counts.insert(crashes.len());
        let half = crashes.len().div_ceil(2);
        std::thread::scope(|scope| {
            for part in crashes.chunks(half) {
                let told = &told;
                scope.spawn(move || survive(part, told));
            }
        });
    }
    counts
}

/// Bytes at the beginning of a write-ahead log.
const WAL_HEADER: usize = 32;

#[tokio::test]
async fn l02_power_lost_at_any_sector_after_the_last_sync_loses_nothing_promised_to_the_disk() {
    let counts = power_fails_everywhere(4_000).await;
    assert_eq!(counts.first(), Some(&0), "no checkpoint among them");
    assert!(counts.last() > Some(&600), "{counts:?}");
}

#[tokio::test]
async fn l02_power_lost_during_a_checkpoint_or_after_it_loses_nothing_promised_to_the_disk() {
    let counts = power_fails_everywhere(4).await;
    assert!(counts.first() > Some(&3), "{counts:?}");
    assert!(counts.last() > Some(&600), "{counts:?}");
}
