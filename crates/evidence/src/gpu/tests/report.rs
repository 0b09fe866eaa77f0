use super::super::{
    forge::{Device, block},
    *,
};

fn fault(bytes: &[u8]) -> String {
    parse(bytes).unwrap_err().to_string()
}

/// A report with other blocks, their count and length as they are.
fn with_blocks(blocks: &[u8], count: u8) -> Vec<u8> {
    let mut device = Device::new("one");
    device.measurements.clear();
    let signed = device.signed();
    let length = u32::try_from(blocks.len()).unwrap().to_le_bytes();
    [
        &signed[..41],
        &[count],
        &length[..3],
        blocks,
        &signed[45..],
        &[1; 96],
    ]
    .concat()
}

#[test]
fn a_report_is_read_in_place() {
    let device = Device::new("one");
    let bytes = device.report();
    let report = parse(&bytes).unwrap();
    assert_eq!(report.signed, device.signed());
    assert_eq!(report.nonce, [0x4e; 32]);
    assert_eq!(report.device_nonce, [0xd0; 32]);
    assert_eq!(report.measurements.len(), 64);
    assert_eq!(report.measurement(36).unwrap().value, [35; 48]);
    assert_eq!(report.measurement(65), None);
    assert_eq!(report.driver_version().as_deref(), Some("550.90.07"));
    assert_eq!(report.vbios_version().as_deref(), Some("96.00.9F.00.01"));
    assert_eq!(report.mode(), Mode::Flag2);
    assert_eq!(report.signature, &bytes[bytes.len() - 96..]);
}

#[test]
fn another_protocol_version_request_or_answer_is_refused() {
    let bytes = Device::new("one").report();
    // Version 1.2; another message; no signature asked for; one measurement; and so on in the answer.
    for (at, value) in [
        (0, 0x12),
        (1, 0xe1),
        (2, 0),
        (3, 1),
        (37, 0x10),
        (38, 0x7f),
        (39, 1),
    ] {
        let mut other = bytes.clone();
        other[at] = value;
        let place = if at < 4 {
            "`request` at byte 0"
        } else {
            "`response` at byte 37"
        };
        assert!(fault(&other).contains(place), "{at}: {}", fault(&other));
    }
    let mut other = bytes;
    other[40] = 1;
    assert!(fault(&other).contains("slot 0, as asked for"));
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let bytes = Device::new("one").report();
    let opaque = bytes.len()
        - 96
        - Device::new("one")
            .opaque
            .iter()
            .map(|(_, value)| value.len() + 4)
            .sum::<usize>()
        - 2;
    // Blocks: their number, and the three bytes of their length; opaque data: two bytes.
    for at in [41, 42, 43, 44, opaque, opaque + 1] {
        for value in [
            0,
            bytes[at].wrapping_sub(1),
            bytes[at].wrapping_add(1),
            0xff,
        ] {
            if value == bytes[at] {
                continue;
            }
            let mut other = bytes.clone();
            other[at] = value;
            assert!(parse(&other).is_err(), "{at} {value}");
        }
    }
    for end in 0..bytes.len() {
        assert!(parse(&bytes[..end]).is_err(), "{end}");
    }
}

#[test]
fn b26_bytes_behind_the_signature_are_refused() {
    let bytes = Device::new("one").report();
    assert!(fault(&[bytes.as_slice(), &[0]].concat()).contains("`report`"));
    assert!(parse(&[bytes.as_slice(), &bytes].concat()).is_err());
    assert!(fault(&vec![0x11; 1 << 20]).contains("at most 131072 bytes"));
}

#[test]
fn blocks_that_are_not_as_the_specification_says_are_refused() {
    let good = block(1, &[7; 48]);
    assert_eq!(parse(&with_blocks(&good, 1)).unwrap().measurements.len(), 1);
    assert_eq!(parse(&with_blocks(&[], 0)).unwrap().measurements, []);
    assert!(fault(&with_blocks(&good, 2)).contains("expected 2, found 1"));
    let twice = [good.clone(), good.clone()].concat();
    assert!(fault(&with_blocks(&twice, 2)).contains("each number once"));
    for (at, value, said) in [
        (1, 2, "specification 1"),
        (2, 50, "fills its block"),
        (2, 52, "fills its block"),
        (5, 47, "fills its block"),
        (5, 49, "fills its block"),
    ] {
        let mut other = good.clone();
        other[at] = value;
        assert!(
            fault(&with_blocks(&other, 1)).contains(said),
            "{at} {value}"
        );
    }
    // A block that is longer than what there is, and one that only begins.
    let long = [&block(1, &[7; 48])[..], &[2, 1, 0xff, 0xff, 1, 0xfc, 0xff]].concat();
    assert!(
        fault(&with_blocks(&long, 2)).contains("at byte 107"),
        "{}",
        fault(&with_blocks(&long, 2))
    );
    assert!(parse(&with_blocks(&[1], 1)).is_err());
    let backwards = [block(9, &[9; 48]), block(3, &[3; 32])].concat();
    let bytes = with_blocks(&backwards, 2);
    let report = parse(&bytes).unwrap();
    let numbers: Vec<u8> = report
        .measurements
        .iter()
        .map(|known| known.index)
        .collect();
    assert_eq!(numbers, [3, 9]);
}

#[test]
fn fields_that_are_there_twice_or_too_many_are_refused() {
    let mut device = Device::new("one");
    device.opaque.push((3, b"551\0".to_vec()));
    assert!(fault(&device.report()).contains("type 3 again"));
    let mut device = Device::new("one");
    device.opaque = (1000..1065).map(|kind| (kind, Vec::new())).collect();
    assert!(fault(&device.report()).contains("at most 64 fields"));
    device.opaque.pop();
    assert!(parse(&device.report()).is_ok());
    let mut device = Device::new("one");
    device.opaque = vec![(3, vec![0; 8])];
    let mut bytes = device.report();
    let at = bytes.len() - 96 - 10;
    bytes[at] = 9;
    assert!(fault(&bytes).contains("`opaque field`"));
}
