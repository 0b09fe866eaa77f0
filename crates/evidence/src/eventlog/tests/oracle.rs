//! `tpm2_eventlog` as a second opinion on every captured log.

use std::process::Command;

use super::{
    super::{HashAlg, Kind, parse},
    at, in_ci, rows, shared, shared_tool,
};
use crate::hex;

/// What `tpm2_eventlog` prints for a file; none where the tool is not installed.
fn tpm2_eventlog(bytes: &[u8], name: &str) -> Option<String> {
    let folder = std::env::temp_dir().join(format!("cmcp-eventlog-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("log");
    std::fs::write(&file, bytes).expect("written");
    let output = Command::new("tpm2_eventlog").arg(&file).output();
    std::fs::remove_dir_all(&folder).expect("removed");
    match output {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) if in_ci() => panic!("tpm2_eventlog: {error}"),
        Err(_) => {
            eprintln!("skipped: tpm2_eventlog is not installed");
            None
        }
    }
}

/// The values under `pcrs:` for a bank.
fn values(printed: &str, bank: HashAlg) -> Vec<(u32, String)> {
    let lines = printed.lines().skip_while(|line| *line != "pcrs:");
    let head = format!("  {bank}:");
    lines
        .skip_while(|line| *line != head)
        .skip(1)
        .map_while(|line| line.strip_prefix("    "))
        .map(|line| {
            let (register, value) = line.split_once(':').expect("a value");
            let value = value.trim().trim_start_matches("0x").to_owned();
            (register.trim().parse().expect("a number"), value)
        })
        .collect()
}

#[test]
fn tpm2_eventlog_arrives_at_the_same_values() {
    let mut logs: Vec<(String, Vec<u8>)> = Vec::new();
    for row in rows("eventlog") {
        let id = at(&row, "id").as_str().expect("an id").to_owned();
        let name = at(&row, "files.log").as_str().expect("a name");
        logs.extend(shared(name).map(|bytes| (id, bytes)));
    }
    for name in ["uki-eventlog.bin", "fwcfg-eventlog.bin"] {
        let bytes = shared_tool(&format!("measured-boot/{name}"));
        logs.extend(bytes.map(|bytes| (name.to_owned(), bytes)));
    }
    for (id, bytes) in logs {
        let log = parse(&bytes).expect("a log");
        // The tool of Debian 12 extends events that only tell something, against the profile.
        let mut extended = bytes[..log.events()[0].at].to_vec();
        for (index, event) in log.events().iter().enumerate() {
            let end = log
                .events()
                .get(index + 1)
                .map_or(log.end(), |next| next.at);
            if event.kind != Kind::NoAction.id() {
                extended.extend(&bytes[event.at..end]);
            }
        }
        let Some(printed) = tpm2_eventlog(&extended, &id) else {
            return;
        };
        for bank in [HashAlg::Sha1, HashAlg::Sha256, HashAlg::Sha384] {
            if !log.banks().iter().any(|known| known.id == bank.id()) {
                continue;
            }
            let ours = log.replay(bank).expect("values").into_iter();
            let ours: Vec<(u32, String)> = ours
                .map(|(register, value)| (register, hex::encode(&value)))
                .collect();
            assert_eq!(ours, values(&printed, bank), "{id} {bank}");
        }
    }
}
