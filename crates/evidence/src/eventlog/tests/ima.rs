use super::{
    super::{HashAlg, ImaLog},
    build::{ima, ima_entry},
};

const BANK: HashAlg = HashAlg::Sha256;

#[test]
fn a_measurement_list_is_read_to_its_end() {
    let bytes = ima(&[("boot_aggregate", &[1; 32]), ("/usr/bin/true", &[2; 32])]);
    let log = ImaLog::parse(&bytes).expect("a list");
    let [first, second] = log.entries() else {
        panic!("two entries")
    };
    assert_eq!(
        (first.name, first.pcr, first.digest),
        ("boot_aggregate", 10, &[1; 32][..])
    );
    assert_eq!((second.name, second.algorithm), ("/usr/bin/true", "sha256"));
    assert_eq!(second.template, "ima-ng");
    assert!(first.is_consistent() && !first.is_violation());
    for end in 0..bytes.len() {
        let cut = ImaLog::parse(bytes.get(..end).unwrap());
        let boundary = end == 0 || end == second.at;
        assert_eq!(cut.is_ok(), boundary, "{end}");
    }
}

#[test]
fn a_quote_explains_the_first_entries_only() {
    let bytes = ima(&[
        ("boot_aggregate", &[1; 32]),
        ("/a", &[2; 32]),
        ("/b", &[3; 32]),
    ]);
    let log = ImaLog::parse(&bytes).expect("a list");
    let mut value = vec![0; 32];
    for (index, entry) in log.entries().iter().enumerate() {
        value = BANK.extend(&value, &BANK.digest(entry.data));
        assert_eq!(log.explains(BANK, &[0; 32], &value), Some(index + 1));
    }
    assert_eq!(log.explains(BANK, &[0; 32], &[0; 32]), Some(0));
    assert_eq!(log.explains(BANK, &[0; 32], &[9; 32]), None);
}

#[test]
fn a_violation_extends_ones_and_a_changed_entry_is_seen() {
    let mut bytes = ima_entry("/a", &[2; 32]);
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    let log = ImaLog::parse(&bytes).expect("a list");
    assert!(!log.entries()[0].is_consistent());
    bytes[4..24].fill(0);
    let log = ImaLog::parse(&bytes).expect("a list");
    let entry = &log.entries()[0];
    assert!(entry.is_violation() && entry.is_consistent());
    assert_eq!(entry.extends(BANK), vec![0xff; 32]);
}

#[test]
fn templates_and_digests_of_other_shapes_are_refused() {
    let good = ima_entry("/a", &[2; 32]);
    let refused = |bytes: &[u8]| ImaLog::parse(bytes).expect_err("refused").what;
    let mut template = good.clone();
    template[28] = b'x';
    assert_eq!(refused(&template), "name of a template");
    let colon = good.iter().position(|byte| *byte == b':').unwrap();
    let mut digest = good.clone();
    digest[colon] = b'-';
    assert_eq!(refused(&digest), "digest of a measurement");
    let mut open = good.clone();
    open[colon + 1] = 1;
    // The NUL behind the colon is gone; the next one in the field is none.
    assert_eq!(refused(&open), "digest of a measurement");
    let mut field = good.clone();
    field[38] = 0xff;
    assert_eq!(refused(&field), "field of a measurement");
    let mut name = good;
    let last = name.len() - 2;
    name[last] = 0xff;
    assert_eq!(refused(&name), "name of a measurement");
}
