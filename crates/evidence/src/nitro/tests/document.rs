use super::super::{
    forge::{
        Forge, MADE, array, bytes, failed, head, int, judge, map, open_map, policy, text, uint,
    },
    *,
};
use crate::Status;

fn fault(document: &[u8]) -> String {
    parse(document).unwrap_err().to_string()
}

fn notes(document: &[u8]) -> Vec<String> {
    judge(document, &policy(), &Forge::enclave().crls, MADE).notes
}

fn accepted(document: &[u8]) -> bool {
    judge(document, &policy(), &Forge::enclave().crls, MADE).status == Status::Affirming
}

#[test]
fn a_document_may_be_untagged_tagged_or_counted() {
    let bare = Forge::enclave().document();
    let length = u32::try_from(bare.len()).unwrap();
    for (document, framing) in [
        (bare.clone(), Framing::Bare),
        ([&[0xd2], bare.as_slice()].concat(), Framing::Tagged),
        ([&[0xd8, 18], bare.as_slice()].concat(), Framing::Tagged),
        (
            [&length.to_be_bytes(), bare.as_slice()].concat(),
            Framing::LengthBigEndian,
        ),
        (
            [&length.to_le_bytes(), bare.as_slice()].concat(),
            Framing::LengthLittleEndian,
        ),
    ] {
        assert_eq!(parse(&document).unwrap().framing, framing);
        assert!(accepted(&document), "{framing:?}");
        let shown = show(&document).unwrap();
        assert_eq!(shown[0].value, framing.as_str());
        let said = notes(&document)
            .iter()
            .any(|note| note.contains(framing.as_str()));
        assert_eq!(said, framing != Framing::Bare, "{framing:?}");
    }
}

#[test]
fn a_prefix_that_is_not_the_length_is_refused() {
    let bare = Forge::enclave().document();
    let length = u32::try_from(bare.len()).unwrap();
    for prefix in [0, 1, length - 1, length + 1, length + 4, u32::MAX] {
        for prefix in [prefix.to_be_bytes(), prefix.to_le_bytes()] {
            let document = [&prefix, bare.as_slice()].concat();
            assert!(parse(&document).is_err(), "{prefix:?}");
        }
    }
    assert!(fault(&[&[0, 0, 0, 1], bare.as_slice()].concat()).contains("00000001"));
}

#[test]
fn b21_another_tag_is_refused() {
    let bare = Forge::enclave().document();
    for tag in [16, 17, 61, 98, 999] {
        let document = [head(6, tag), bare.clone()].concat();
        assert!(parse(&document).is_err(), "{tag}");
    }
    assert!(fault(&[head(6, 98), bare.clone()].concat()).contains("tag 98"));
    let twice = [&[0xd2, 0xd2], bare.as_slice()].concat();
    assert!(fault(&twice).contains("a tag, and must be an array of four"));
}

#[test]
fn b21_a_detached_payload_is_refused() {
    let forge = Forge::enclave();
    let document = array(&[
        bytes(&forge.protected),
        map(&[]),
        vec![0xf6],
        bytes([1; 96]),
    ]);
    assert!(fault(&document).contains("detached"));
}

#[test]
fn b21_a_key_twice_is_refused() {
    let mut forge = Forge::enclave();
    forge.more.push((text("nonce"), bytes(b"another")));
    assert!(fault(&forge.document()).contains("this key twice"));
    let mut forge = Forge::enclave();
    forge.pcrs.push((0, vec![0xa0; 48]));
    assert!(fault(&forge.document()).contains("this key twice"));
    let mut forge = Forge::enclave();
    forge.protected = map(&[(int(1), int(-35)), (int(1), int(-35))]);
    assert!(fault(&forge.document()).contains("this key twice"));
    // One key in two widths is one key.
    let mut forge = Forge::enclave();
    forge.protected = map(&[(int(1), int(-35)), (vec![0x18, 1], int(-35))]);
    assert!(fault(&forge.document()).contains("this key twice"));
}

#[test]
fn b21_indefinite_lengths_are_refused_where_the_hypervisor_writes_none() {
    let forge = Forge::enclave();
    let bare = forge.document();
    let array = [&[0x9f], &bare[1..], &[0xff]].concat();
    assert!(parse(&array).is_err());
    let strings = |place: usize| {
        let mut parts = [
            bytes(&forge.protected),
            map(&[]),
            bytes(forge.payload()),
            bytes([1; 96]),
        ];
        parts[place] = [vec![0x5f], parts[place].clone(), vec![0xff]].concat();
        forge::array(&parts)
    };
    for place in [0, 2, 3] {
        assert!(fault(&strings(place)).contains("indefinite"), "{place}");
    }
    let mut open = forge.clone();
    open.protected = open_map(&[(int(1), int(-35))]);
    assert!(fault(&open.document()).contains("indefinite"));
    let mut inside = forge.clone();
    inside.more.push((text("x"), open_map(&[])));
    assert!(fault(&inside.document()).contains("indefinite"));
}

#[test]
fn the_map_itself_may_be_definite_too() {
    let forge = Forge::enclave();
    let open = forge.payload();
    let definite = [head(5, 9), open[1..open.len() - 1].to_vec()].concat();
    assert!(accepted(&forge.sealed(&definite)));
    // Not closed, closed twice, or followed by something.
    for payload in [
        open[..open.len() - 1].to_vec(),
        [open.clone(), vec![0xff]].concat(),
        [open.clone(), vec![0]].concat(),
        [definite.clone(), vec![0xff]].concat(),
        vec![0xbf],
        Vec::new(),
    ] {
        assert!(parse(&forge.sealed(&payload)).is_err());
    }
}

#[test]
fn b23_nesting_lengths_and_counts_are_bounded() {
    let forge = Forge::enclave();
    let deep = [vec![0x81; 100_000], vec![0]].concat();
    let long = [vec![0x5b], (1_u64 << 63).to_be_bytes().to_vec()].concat();
    let wide = [
        vec![0xbb],
        10_000_000_u64.to_be_bytes().to_vec(),
        vec![0; 64],
    ]
    .concat();
    for hostile in [&deep, &long, &wide] {
        assert!(parse(hostile).is_err());
        assert!(parse(&forge.sealed(hostile)).is_err());
        let mut inside = forge.clone();
        inside.more.push((text("x"), hostile.clone()));
        assert!(parse(&inside.document()).is_err());
        let mut header = forge.clone();
        header.protected = hostile.clone();
        assert!(parse(&header.document()).is_err());
    }
    let many: Vec<(Vec<u8>, Vec<u8>)> = (0..20_000).map(|n| (uint(n), uint(n))).collect();
    assert!(fault(&forge.sealed(&open_map(&many))).contains("items"));
    assert!(fault(&vec![0x84; 2 << 20]).contains("bytes of CBOR"));
}

#[test]
fn b26_bytes_behind_the_document_are_refused() {
    let bare = Forge::enclave().document();
    assert!(fault(&[bare.clone(), vec![0]].concat()).contains("behind the end"));
    assert!(parse(&[bare.clone(), bare.clone()].concat()).is_err());
    for end in 0..bare.len() {
        assert!(parse(&bare[..end]).is_err(), "{end}");
    }
}

#[test]
fn a_document_without_one_of_its_fields_is_refused_by_name() {
    let forge = Forge::enclave();
    for name in [
        "module_id",
        "digest",
        "timestamp",
        "certificate",
        "cabundle",
    ] {
        let renamed = text(name);
        let mut other = renamed.clone();
        *other.last_mut().unwrap() = b'!';
        let payload = forge.payload();
        let at = payload
            .windows(renamed.len())
            .position(|window| window == renamed)
            .unwrap();
        let payload = [&payload[..at], &other, &payload[at + renamed.len()..]].concat();
        assert!(
            fault(&forge.sealed(&payload)).contains(&format!("`{name}`")),
            "{name}"
        );
    }
    let mut neither = forge.clone();
    neither.pcrs_name = "registers";
    assert!(fault(&neither.document()).contains("neither"));
    let mut both = forge;
    both.more
        .push((text("nitrotpm_pcrs"), map(&[(uint(0), bytes([0; 48]))])));
    assert!(fault(&both.document()).contains("both"));
}

/// What is wrong with a document one of whose members is another.
fn with(name: &'static str, value: Vec<u8>) -> Result<(), &'static str> {
    let mut members = vec![
        ("module_id", text("i-0-enc0")),
        ("digest", text("SHA384")),
        ("timestamp", uint(1)),
        ("pcrs", map(&[(uint(0), bytes([1; 48]))])),
        ("certificate", bytes([0x30])),
        ("cabundle", array(&[bytes([0x30])])),
    ];
    members.retain(|(known, _)| *known != name);
    members.push((name, value));
    let pairs: Vec<_> = members
        .into_iter()
        .map(|(name, value)| (text(name), value))
        .collect();
    let document = Forge::enclave().sealed(&open_map(&pairs));
    parse(&document).map(|_| ()).map_err(|error| error.what)
}

#[test]
fn fields_of_another_kind_are_refused() {
    assert_eq!(with("digest", text("SHA384")), Ok(()));
    let long = "a".repeat(257);
    for (name, value, what) in [
        ("module_id", uint(1), "module_id"),
        ("module_id", text(""), "module_id"),
        ("module_id", text(&long), "module_id"),
        ("digest", bytes("SHA384"), "digest"),
        ("timestamp", int(-1), "timestamp"),
        ("timestamp", text("2026"), "timestamp"),
        ("pcrs", array(&[]), "pcrs"),
        ("pcrs", map(&[]), "pcrs"),
        ("pcrs", map(&[(text("0"), bytes([1; 48]))]), "pcrs"),
        ("pcrs", map(&[(int(-1), bytes([1; 48]))]), "pcrs"),
        ("pcrs", map(&[(uint(32), bytes([1; 48]))]), "pcrs"),
        ("pcrs", map(&[(uint(256), bytes([1; 48]))]), "pcrs"),
        ("pcrs", map(&[(uint(0), bytes([1; 47]))]), "pcrs"),
        ("pcrs", map(&[(uint(0), bytes([1; 64]))]), "pcrs"),
        ("pcrs", map(&[(uint(0), text(&"1".repeat(48)))]), "pcrs"),
        ("certificate", text("x"), "certificate"),
        ("certificate", bytes([]), "certificate"),
        ("certificate", bytes([0; 1025]), "certificate"),
        ("cabundle", bytes([0x30]), "cabundle"),
        ("cabundle", array(&[]), "cabundle"),
        ("cabundle", array(&vec![bytes([0x30]); 9]), "cabundle"),
        ("cabundle", array(&[text("x")]), "cabundle"),
        ("cabundle", array(&[bytes([0; 1025])]), "cabundle"),
        ("nonce", text("x"), "nonce"),
        ("user_data", uint(0), "user_data"),
        ("public_key", array(&[]), "public_key"),
    ] {
        assert_eq!(with(name, value), Err(what), "{name}");
    }
    assert_eq!(with("pcrs", map(&[(uint(31), bytes([1; 48]))])), Ok(()));
    assert_eq!(with("certificate", bytes([0; 1024])), Ok(()));
    assert_eq!(with("cabundle", array(&vec![bytes([0x30]); 8])), Ok(()));
    assert_eq!(with("nonce", vec![0xf6]), Ok(()));
    let list = Forge::enclave().sealed(&array(&[]));
    assert!(fault(&list).contains("`payload`"));
}

#[test]
fn a_certificate_that_is_none_is_refused() {
    let payload = open_map(&[
        (text("module_id"), text("i-0-enc0")),
        (text("digest"), text("SHA384")),
        (text("timestamp"), uint(1)),
        (text("pcrs"), map(&[(uint(0), bytes([1; 48]))])),
        (text("certificate"), bytes([0x30])),
        (text("cabundle"), array(&[bytes([0x30])])),
    ]);
    let document = Forge::enclave().sealed(&payload);
    let result = judge(&document, &policy(), &[], MADE);
    let codes = failed(&result);
    for code in [
        "nitro.chain",
        "nitro.signature",
        "nitro.certificate",
        "nitro.revocation",
    ] {
        assert!(codes.contains(&code), "{code}");
    }
    let shown = show(&document).unwrap();
    assert!(shown.iter().any(|field| field.name == "cabundle.0"));
}

#[test]
fn an_instance_is_shown_with_what_its_registers_are_for() {
    let document = Forge::instance().document();
    let shown = show(&document).unwrap();
    let says = |name: &str| {
        let found = shown.iter().find(|field| field.name == name);
        found.map(|field| field.says.clone()).unwrap_or_default()
    };
    assert!(says("module_id").contains("instance's document"));
    assert!(says("pcr4").contains("UEFI started"));
    assert!(says("pcr12").contains("command line"));
    assert!(says("certificate").contains("region.test"));
}
