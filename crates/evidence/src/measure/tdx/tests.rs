use super::*;
use crate::hex;

/// A firmware volume of four pages: a volume that is measured, its variables, two runs of memory that are
/// only added, and one that the guest accepts later.
struct Firmware {
    sections: Vec<[u64; 6]>,
    metadata_at: usize,
    offset: u32,
    version: u32,
    entry: [u8; 16],
    footer: [u8; 16],
}

impl Firmware {
    fn new() -> Self {
        Self {
            sections: vec![
                [0x1000, 0x1f80, 0xffe0_0000, 0x2000, 0, 1],
                [0, 0x1000, 0xffc0_0000, 0x1000, 1, 0],
                [0, 0, 0x80_9000, 0x2000, 2, 0],
                [0, 0, 0x81_0000, 0x1000, 3, 0],
                [0, 0, 0, 0x1_0000, 4, 2],
            ],
            metadata_at: SIZE - 0x400,
            offset: 0x400,
            version: 1,
            entry: METADATA_OFFSET,
            footer: TABLE_FOOTER,
        }
    }

    fn build(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..SIZE).map(|at| (at * 7 + (at >> 8)) as u8).collect();
        let count = u32::try_from(self.sections.len()).unwrap();
        let mut metadata = b"TDVF".to_vec();
        for number in [16 + 32 * count, self.version, count] {
            metadata.extend(number.to_le_bytes());
        }
        for [offset, raw, address, memory, kind, attributes] in &self.sections {
            metadata.extend((*offset as u32).to_le_bytes());
            metadata.extend((*raw as u32).to_le_bytes());
            metadata.extend(address.to_le_bytes());
            metadata.extend(memory.to_le_bytes());
            metadata.extend((*kind as u32).to_le_bytes());
            metadata.extend((*attributes as u32).to_le_bytes());
        }
        bytes[self.metadata_at..self.metadata_at + metadata.len()].copy_from_slice(&metadata);
        let mut table = [&self.offset.to_le_bytes()[..], &[22, 0], &self.entry].concat();
        table.extend([&[1, 2, 3, 21, 0][..], &[0x44; 16]].concat());
        let length = u16::try_from(table.len() + 18).unwrap();
        table.extend(length.to_le_bytes());
        table.extend(self.footer);
        let end = SIZE - 32;
        bytes[end - table.len()..end].copy_from_slice(&table);
        bytes
    }
}

const SIZE: usize = 4 * 4096;

#[test]
fn both_orders_give_the_values_that_another_program_computed() {
    let firmware = Firmware::new().build();
    let value = |order| hex::encode(mrtd(&firmware, order).unwrap().as_bytes());
    assert_eq!(value(PageOrder::PageByPage), PAGE_BY_PAGE);
    assert_eq!(value(PageOrder::SectionBySection), SECTION_BY_SECTION);
}

#[test]
fn what_is_measured_counts_and_what_is_only_added_does_not() {
    let honest = Firmware::new().build();
    let value = |bytes: &[u8]| mrtd(bytes, PageOrder::PageByPage).unwrap();
    let mut measured = honest.clone();
    measured[0x1000] ^= 1;
    assert_ne!(value(&measured), value(&honest));
    let mut variables = honest.clone();
    variables[0] ^= 1;
    assert_eq!(value(&variables), value(&honest));
    let mut moved = Firmware::new();
    moved.sections[2][2] += 0x1000;
    assert_ne!(value(&moved.build()), value(&honest));
    let mut later = Firmware::new();
    later.sections[4][2] += 0x1000;
    let mut same = later.build();
    let at = SIZE - 0x400 + 16 + 4 * 32;
    same[at..at + 32].copy_from_slice(&honest[at..at + 32]);
    assert_eq!(value(&same), value(&honest));
}

fn fault(change: fn(&mut Firmware)) -> &'static str {
    let mut firmware = Firmware::new();
    change(&mut firmware);
    let error = mrtd(&firmware.build(), PageOrder::PageByPage).unwrap_err();
    error.what
}

#[test]
fn metadata_that_does_not_fit_is_refused() {
    assert_eq!(fault(|firmware| firmware.footer[0] ^= 1), "table of GUIDs");
    assert_eq!(fault(|firmware| firmware.entry[0] ^= 1), "table of GUIDs");
    assert_eq!(
        fault(|firmware| firmware.offset -= 1),
        "signature of the metadata"
    );
    assert_eq!(
        fault(|firmware| firmware.offset = u32::MAX),
        "signature of the metadata"
    );
    assert_eq!(
        fault(|firmware| firmware.version = 2),
        "version of the metadata"
    );
    assert_eq!(
        fault(|firmware| firmware.sections.clear()),
        "number of sections"
    );
}

#[test]
fn a_section_that_does_not_fit_is_refused() {
    assert_eq!(
        fault(|firmware| firmware.sections[0][0] = 0xffff_ffff),
        "section before its data"
    );
    assert_eq!(
        fault(|firmware| firmware.sections[0][0] = 0x3000),
        "data of a section"
    );
    assert_eq!(
        fault(|firmware| firmware.sections[0][2] = 0x10),
        "memory address of a section"
    );
    assert_eq!(
        fault(|firmware| firmware.sections[0][2] = u64::MAX - 0xfff),
        "memory address of a section"
    );
    assert_eq!(
        fault(|firmware| firmware.sections[0][3] = 0x2001),
        "memory size of a section"
    );
    assert_eq!(
        fault(|firmware| firmware.sections[0][3] = 0x3000),
        "memory size of a section"
    );
    assert_eq!(
        fault(|firmware| firmware.sections[2][3] = 0x200_0000),
        "memory size of a section"
    );
    assert_eq!(
        fault(|firmware| firmware.sections[0][3] = 0x1000),
        "raw size of a section"
    );
    assert_eq!(
        fault(|firmware| firmware.sections[0][5] = 4),
        "attributes of a section"
    );
}

#[test]
fn bytes_that_are_no_firmware_are_refused() {
    for length in [0, 16, 31, 32, 50, 66, 4096] {
        assert!(
            mrtd(&vec![0; length], PageOrder::PageByPage).is_err(),
            "{length}"
        );
        assert!(
            mrtd(&vec![0xff; length], PageOrder::PageByPage).is_err(),
            "{length}"
        );
    }
}

#[test]
fn the_order_of_extensions_counts() {
    let [a, b] = [[1], [2]].map(|bytes| Sha384Digest::of(&bytes));
    assert_ne!(register(&[a, b]), register(&[b, a]));
    assert_eq!(register(&[]), Sha384Digest::from_bytes([0; 48]));
}

/// By a program of another language, from the same description of what the TDX module hashes.
const PAGE_BY_PAGE: &str = "6ab6a0e31a0eb7fbfb870d4dbf6a9bdaba544be57d98f46e5044dde24af97bcf03f5677b24021086e6da4fdb7a8d6d2e";
const SECTION_BY_SECTION: &str = "715f28801ad2ce73c1b8db9ad8f66cf21370fc28d36f75adb0d6fc402bda6648fc6b253c769748b8b98036637cd4898d";
