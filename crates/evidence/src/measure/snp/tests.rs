//! Launch digests that hardware signed, and those that independent tools computed.
//!
//! The tools are the digests in the tests of crate `sev` 8.0.0 (not a dependency: it brings a second
//! generation of every cryptographic crate), and Python's `sev-snp-measure` 0.0.13 run over the same bytes.
//! They differ about AWS: the crate sets up registers as it did in 2023, the other as it did in 2026.

mod known;
mod read;

use std::path::Path;

use cmcp_json::{Limits, Value};

use super::*;
use crate::hex;

fn shared(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            panic!("{}: {error}", path.display())
        }
        Err(_) => {
            eprintln!("skipped: ../shared is not here");
            None
        }
    }
}

fn json(bytes: &[u8]) -> Value {
    cmcp_json::parse(bytes, &Limits::DOCUMENT).unwrap()
}

fn inputs() -> Option<Value> {
    shared("measurement/dstack-milan-launch-inputs.json").map(|bytes| json(&bytes))
}

fn launch(firmware: Firmware, vcpus: u32, model: &str) -> Launch {
    Launch {
        firmware,
        kernel: None,
        vcpus,
        vcpu: Vcpu::from_model(model).unwrap(),
        guest_features: 1,
        vmm: Vmm::Qemu,
    }
}

fn digest(launch: &Launch) -> String {
    launch.digest().unwrap().hex()
}

fn entry(guid: [u8; 16], data: &[u8]) -> Vec<u8> {
    let size = u16::try_from(data.len() + 18).unwrap();
    [data, &size.to_le_bytes(), &guid].concat()
}

const METADATA: [u8; 16] = *b"\x66\x65\x88\xdc\x4a\x98\x98\x47\xa7\x5e\x55\x85\xa7\xbf\x67\xcc";
const RESET: [u8; 16] = *b"\xde\x71\xf7\x00\x7e\x1a\xcb\x4f\x89\x0e\x68\xc7\x7e\x2f\xb4\x4e";
const HASHES: [u8; 16] = *b"\x1f\x37\x55\x72\x3b\x3a\x04\x4b\x92\x7b\x1d\xa6\xef\xa8\xd4\x54";
const FOOTER: [u8; 16] = *b"\xde\x82\xb5\x96\xb2\x1f\xf7\x45\xba\xea\xa3\x66\xc5\x5a\x08\x2d";
/// Where the metadata of the forged firmware begins.
const AT: usize = 8192 - 1024;

/// Two pages with a table and metadata like OVMF's.
fn image(entries: &[Vec<u8>], sections: &[(u32, u32, u32)]) -> Vec<u8> {
    let mut image: Vec<u8> = (0..8192_usize)
        .map(|at| u8::try_from((at * 7 + at / 256) % 251).unwrap())
        .collect();
    let count = u32::try_from(sections.len()).unwrap();
    let mut metadata = b"ASEV".to_vec();
    for number in [16 + 12 * count, 1, count] {
        metadata.extend(number.to_le_bytes());
    }
    for (gpa, size, kind) in sections {
        for number in [gpa, size, kind] {
            metadata.extend(number.to_le_bytes());
        }
    }
    image[AT..AT + metadata.len()].copy_from_slice(&metadata);
    let inside = entries.concat();
    let table = [inside.as_slice(), &entry(FOOTER, &[])].concat();
    let mut table = table;
    let size = u16::try_from(table.len()).unwrap().to_le_bytes();
    let at = table.len() - 18;
    table[at..at + 2].copy_from_slice(&size);
    let end = image.len() - 32;
    image[end - table.len()..end].copy_from_slice(&table);
    image
}

fn entries() -> Vec<Vec<u8>> {
    vec![
        entry(RESET, &0x0080_b004_u32.to_le_bytes()),
        entry(HASHES, &[0x00, 0x0c, 0x81, 0, 0, 4, 0, 0]),
        entry(METADATA, &1024_u32.to_le_bytes()),
    ]
}

const SECTIONS: [(u32, u32, u32); 6] = [
    (0x80_0000, 0x9000, 1),
    (0x80_d000, 0x1000, 2),
    (0x80_e000, 0x1000, 3),
    (0x80_f000, 0x1000, 4),
    (0x81_1000, 0x2000, 1),
    (0x81_0000, 0x1000, 16),
];

fn forged() -> Firmware {
    Firmware::from_ovmf(&image(&entries(), &SECTIONS)).unwrap()
}
