//! Every way to damage an export that we could think of, and what is reported.

use cmcp_evidence::Sha256Digest;

use super::*;
use crate::{
    audit::{Chain, Kind, SessionEnd, Text},
    verdict::Verdict,
};

/// An export of these lines under a checkpoint of the original entries.
fn export_of(lines: &[Vec<u8>], original: &[Vec<u8>]) -> Vec<u8> {
    let text = String::from_utf8(ours(original)).unwrap();
    let (head, rest) = text.split_once("[\n").unwrap();
    let (_, tail) = rest.split_once("\n]").unwrap();
    let lines: Vec<&str> = lines
        .iter()
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!("{head}[{}]{tail}", lines.join(",")).into_bytes()
}

#[test]
fn entries_reordered_repeated_or_missing_are_named() {
    let stored = samples::log_of(vec![samples::called("echo", Verdict::Allow); 5]);
    let lines = |places: &[usize]| {
        let lines: Vec<_> = places.iter().map(|place| stored[*place].clone()).collect();
        faults(&export_of(&lines, &stored))
    };
    assert!(read(&export_of(&stored, &stored), None).is_ok());
    assert_eq!(
        lines(&[0, 1, 3, 4, 5]),
        [
            (Some(2), "sequence_gap"),
            (None, "checkpoint_size_mismatch")
        ]
    );
    assert_eq!(lines(&[0, 1, 3, 2, 4, 5])[0], (Some(2), "sequence_gap"));
    assert_eq!(
        lines(&[0, 1, 2, 2, 3, 4, 5]),
        [
            (Some(3), "sequence_gap"),
            (None, "checkpoint_size_mismatch")
        ]
    );
    for cut in 1..5 {
        let left: Vec<usize> = (0..6 - cut).collect();
        assert_eq!(
            lines(&left),
            [(None, "checkpoint_size_mismatch")],
            "tail cut by {cut}"
        );
    }
    assert_eq!(
        lines(&[1, 2, 3, 4, 5])[..2],
        [
            (Some(0), "sequence_gap"),
            (Some(0), "session_start_misplaced")
        ]
    );
}

#[test]
fn an_entry_replaced_by_another_valid_one_is_named() {
    let stored = samples::log_of(vec![samples::called("echo", Verdict::Deny); 5]);
    for place in 1..stored.len() {
        let mut changed = stored.clone();
        let text = String::from_utf8(changed[place].clone()).unwrap();
        changed[place] = text
            .replace("\"verdict\":\"deny\"", "\"verdict\":\"allow\"")
            .into_bytes();
        assert_ne!(changed[place], stored[place]);
        assert_eq!(
            faults(&export_of(&changed, &stored))[0],
            (Some(place as u64), "entry_altered"),
        );
    }
}

#[test]
fn a_log_rebuilt_from_some_entry_on_does_not_reach_the_signed_root() {
    let calls = vec![samples::called("echo", Verdict::Deny); 5];
    let stored = samples::log_of(calls.clone());
    let mut forged = Chain::replay(samples::LOG, &stored[..3]).unwrap();
    let mut lines = stored[..3].to_vec();
    for seconds in 3..6 {
        let kind = samples::called("echo", Verdict::Allow);
        lines.push(forged.append(&kind, samples::at(seconds)).unwrap().bytes);
    }
    // Every link holds, so only the root can tell, and it cannot tell where.
    let failure = read(&export_of(&lines, &stored), Some(&key().public())).unwrap_err();
    assert_eq!(failure.problems.len(), 1);
    assert_eq!(failure.problems[0].fault, Fault::Altered);
}

#[test]
fn a_checkpoint_that_was_changed_is_not_held_against_the_entries() {
    let stored = stored();
    let text = String::from_utf8(ours(&stored)).unwrap();
    let root = read(text.as_bytes(), None)
        .unwrap()
        .root
        .unwrap()
        .to_string();
    let other = Sha256Digest::of(b"other").to_string();
    assert_eq!(
        faults(text.replace(&root, &other).as_bytes()),
        [
            (None, "export_signature_invalid"),
            (None, "checkpoint_root_mismatch")
        ]
    );
    let time = text.replace(&samples::at(100).rfc3339(), &samples::at(101).rfc3339());
    assert_eq!(
        faults(time.as_bytes()),
        [(None, "export_signature_invalid")]
    );
}

/// A log small enough to damage every byte of it.
fn small_log() -> Vec<Vec<u8>> {
    let end = SessionEnd {
        reason: Text::new("closed"),
        sensitivity: Text::new("public"),
        successor: None,
    };
    samples::log_of([
        samples::called("zoë🔒", Verdict::Allow),
        Kind::SessionEnd(end),
    ])
}

#[test]
fn every_damaged_byte_of_our_export_is_reported_with_its_entry() {
    damage_everywhere(&ours(&small_log()), b"{");
}

#[test]
fn every_damaged_byte_of_the_older_export_is_reported_with_its_entry() {
    damage_everywhere(&compat(&small_log()), b"{\"call_id\"");
}

/// Entries stand on lines of their own, between the first and the last line.
fn damage_everywhere(export: &[u8], entry_start: &[u8]) {
    assert!(read(export, Some(&key().public())).is_ok());
    let mut owners: Vec<Option<u64>> = Vec::new();
    for (line, bytes) in export.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let entry = bytes
            .strip_suffix(b",\n")
            .or(bytes.strip_suffix(b"\n"))
            .unwrap();
        let inside = line > 0 && entry.starts_with(entry_start);
        let owner = inside.then(|| line as u64 - 1);
        let length = owners.len() + entry.len();
        owners.resize(length, owner);
        owners.resize(length + bytes.len() - entry.len(), None);
    }
    assert_eq!(owners.iter().flatten().max(), Some(&2));
    let places: Vec<usize> = (0..export.len()).collect();
    std::thread::scope(|scope| {
        for half in places.chunks(export.len().div_ceil(2)) {
            scope.spawn(|| {
                half.iter()
                    .for_each(|&place| damage(export, place, owners[place]))
            });
        }
    });
}

/// The bits that turn a digit into another and a letter into its other case, and one more.
fn damage(export: &[u8], place: usize, owner: Option<u64>) {
    for bit in [0, 5, place % 8] {
        let mut damaged = export.to_vec();
        damaged[place] ^= 1 << bit;
        let around = place.saturating_sub(30)..export.len().min(place + 30);
        let around = String::from_utf8_lossy(&damaged[around]);
        match read(&damaged, Some(&key().public())) {
            Ok(_) => {
                // White space between members, or another spelling that is hashed alike.
                let same = cmcp_json::parse(&damaged, &cmcp_json::Limits::DOCUMENT);
                assert_eq!(
                    same.as_ref(),
                    Ok(&samples::json(export)),
                    "passes: {around}"
                );
            }
            Err(failure) if owner.is_some() => {
                assert_eq!(failure.problems[0].entry, owner, "{around}: {failure}");
            }
            Err(_) => {}
        }
    }
}

/// What a look at a stored log shows, with the checkpoint of its sealing or without.
fn examined(stored: &[Vec<u8>], signed: Option<&SignedCheckpoint>) -> Vec<Problem> {
    let mut examination = Examination::default();
    stored.iter().for_each(|entry| examination.entry(entry));
    examination.conclude(samples::LOG, signed).problems
}

fn sealed(stored: &[Vec<u8>]) -> SignedCheckpoint {
    let end = (&key(), samples::at(100));
    write(std::io::sink(), samples::LOG, stored, end).unwrap()
}

#[test]
fn l05_every_damaged_byte_of_a_stored_entry_is_found_at_its_entry() {
    let stored = small_log();
    let signed = sealed(&stored);
    assert_eq!(examined(&stored, Some(&signed)), []);
    assert_eq!(examined(&stored, None), []);
    let last = stored.len() - 1;
    for (entry, bytes) in stored.iter().enumerate() {
        for place in 0..bytes.len() {
            let mut damaged = stored.clone();
            damaged[entry][place] ^= 1 << (place % 8);
            let around = String::from_utf8_lossy(&damaged[entry]).into_owned();
            let found = examined(&damaged, Some(&signed));
            assert_eq!(found[0].entry, Some(entry as u64), "{around}: {found:?}");
            // Nothing vouches for the last entry of a log that was never sealed, and for the one
            // before it only that entry.
            let found = examined(&damaged, None);
            if entry + 1 < last {
                assert_eq!(found[0].entry, Some(entry as u64), "{around}: {found:?}");
            } else if entry < last {
                assert!(!found.is_empty(), "{around}");
            }
        }
    }
}

#[test]
fn l10_entries_of_a_stored_log_that_were_moved_repeated_or_lost_are_found() {
    let stored = samples::log_of(vec![samples::called("echo", Verdict::Allow); 5]);
    let signed = sealed(&stored);
    let of = |places: &[usize]| {
        let entries: Vec<_> = places.iter().map(|place| stored[*place].clone()).collect();
        let found = examined(&entries, Some(&signed));
        (found[0].entry, found[0].fault.code())
    };
    assert_eq!(of(&[0, 1, 3, 2, 4, 5]), (Some(2), "sequence_gap"));
    assert_eq!(of(&[0, 1, 2, 2, 3, 4, 5]), (Some(3), "sequence_gap"));
    assert_eq!(of(&[0, 1, 3, 4, 5]), (Some(2), "sequence_gap"));
    assert_eq!(of(&[1, 2, 3, 4, 5]), (Some(0), "sequence_gap"));
    assert_eq!(of(&[0, 1, 2, 3, 4]), (None, "checkpoint_size_mismatch"));
    let nothing = examined(&[], Some(&signed));
    assert_eq!(nothing[0].fault, Fault::Empty);
    let other = Examination::default().conclude("another", None);
    assert_eq!(other.problems[0].fault, Fault::Empty);
    let mut examination = Examination::default();
    stored.iter().for_each(|entry| examination.entry(entry));
    let other = examination.conclude("another", None);
    assert_eq!(other.problems[0].fault.code(), "export_of_other_log");
}
