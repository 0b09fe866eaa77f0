use super::{
    super::{EventLog, HashAlg, Kind, LogError, Payload, Preimage, parse, parse_ccel},
    build::{Log, sound, variable},
};
use crate::reader::Malformed;

const BANK: HashAlg = HashAlg::Sha256;

fn refused(bytes: &[u8]) -> Malformed {
    parse(bytes).expect_err("refused")
}

fn odd(log: &Log) -> Vec<(Option<usize>, u32, String)> {
    let bytes = log.bytes();
    let log = parse(&bytes).expect("a log");
    let odd = log.oddities(BANK).into_iter();
    odd.map(|odd| (odd.event, odd.register, odd.what)).collect()
}

#[test]
fn a_sound_log_has_nothing_odd_and_every_payload_is_explained() {
    let bytes = sound(&[HashAlg::Sha1, BANK]).bytes();
    let log = parse(&bytes).expect("a log");
    assert_eq!(log.oddities(BANK), []);
    assert_eq!(log.oddities(HashAlg::Sha1), []);
    assert_eq!(log.secure_boot(BANK), Some(true));
    for event in log.events() {
        assert_ne!(
            event.payload(BANK),
            Some(Payload::Differs),
            "{}",
            event.number
        );
    }
    assert_eq!(log.end(), bytes.len());
}

#[test]
fn a_replay_extends_every_event_in_order() {
    let bytes = Log::new(&[BANK])
        .event(4, Kind::EfiAction, b"one")
        .event(4, Kind::NoAction, b"told, not extended")
        .event(4, Kind::EfiAction, b"two")
        .bytes();
    let log = parse(&bytes).expect("a log");
    let one = BANK.extend(&[0; 32], &BANK.digest(b"one"));
    let two = BANK.extend(&one, &BANK.digest(b"two"));
    let values = log.replay(BANK).expect("values");
    assert_eq!(values.into_iter().collect::<Vec<_>>(), [(4, two)]);
    assert_eq!(
        log.replay(HashAlg::Sha384),
        Err(LogError::NoBank(HashAlg::Sha384))
    );
}

#[test]
fn b19_a_missing_digest_of_a_listed_algorithm_is_refused() {
    let other = Log::new(&[BANK]).event(4, Kind::EfiAction, b"one").bytes();
    let header = Log::new(&[BANK]).bytes().len();
    let log = Log::new(&[HashAlg::Sha1, BANK]);
    let at = log.bytes().len();
    let bytes = log.raw(other.get(header..).unwrap()).bytes();
    let log = parse(&bytes).expect("a log");
    let missing = |bank| LogError::DigestMissing {
        number: 1,
        at,
        bank,
    };
    assert_eq!(log.replay(HashAlg::Sha1), Err(missing(HashAlg::Sha1)));
    assert!(log.replay(BANK).is_ok());
}

#[test]
fn startup_locality_is_what_pcr_0_begins_with() {
    let told = |locality: u8| [b"StartupLocality\0".as_slice(), &[locality]].concat();
    let log = Log::new(&[BANK]).event(0, Kind::NoAction, &told(3));
    let bytes = log.clone().event(0, Kind::CrtmVersion, b"1").bytes();
    let log_read = parse(&bytes).expect("a log");
    let mut first = vec![0; 32];
    first[31] = 3;
    let value = BANK.extend(&first, &BANK.digest(b"1"));
    assert_eq!(log_read.replay(BANK).expect("values").get(&0), Some(&value));
    assert_eq!(log_read.first_value(1, BANK), vec![0; 32]);

    let twice = log.clone().event(0, Kind::NoAction, &told(3)).bytes();
    assert_eq!(refused(&twice).what, "StartupLocality");
    let late =
        Log::new(&[BANK])
            .event(0, Kind::CrtmVersion, b"1")
            .event(0, Kind::NoAction, &told(3));
    assert_eq!(refused(&late.bytes()).what, "StartupLocality");
    let unknown = Log::new(&[BANK]).event(0, Kind::NoAction, &told(5));
    assert_eq!(refused(&unknown.bytes()).what, "StartupLocality");
    // In a TD it says nothing: there is no PCR 0.
    assert_eq!(parse_ccel(&bytes).expect("a log").locality(), None);
}

#[test]
fn b19_an_event_behind_the_separator_is_reported() {
    let log = sound(&[BANK]).event(0, Kind::EfiAction, b"late");
    let found = odd(&log);
    let what = "EV_EFI_ACTION stands behind the separator".to_owned();
    assert_eq!(found, [(Some(17), 0, what)]);
    for (register, kind) in [
        (1, Kind::VariableBoot),
        (2, Kind::BootServicesDriver),
        (3, Kind::PlatformConfigFlags),
        (4, Kind::BootServicesDriver),
        (5, Kind::VariableDriverConfig),
        (6, Kind::CompactHash),
        (7, Kind::VariableDriverConfig),
    ] {
        let log = sound(&[BANK]).event(register, kind, b"late");
        assert_eq!(odd(&log).len(), 1, "{register} {kind:?}");
    }
    for (register, kind) in [
        (4, Kind::BootServicesApplication),
        (5, Kind::GptEvent),
        (7, Kind::VariableAuthority),
        (8, Kind::Ipl),
    ] {
        let log = sound(&[BANK]).event(register, kind, b"late");
        assert_eq!(odd(&log), [], "{register} {kind:?}");
    }
}

#[test]
fn b19_separators_that_are_missing_repeated_hidden_or_bad_are_reported() {
    let missing = Log::new(&[BANK]).event(3, Kind::PlatformConfigFlags, b"x");
    let what = "has events and no separator".to_owned();
    assert_eq!(odd(&missing), [(None, 3, what)]);

    let twice = Log::new(&[BANK]).separators(3..=3).separators(3..=3);
    let what = "EV_SEPARATOR is one separator too many".to_owned();
    assert_eq!(odd(&twice), [(Some(2), 3, what)]);

    let hidden = Log::new(&[BANK]).event(3, Kind::EfiAction, &[0; 4]);
    let what = "EV_EFI_ACTION is a separator under another type".to_owned();
    assert_eq!(odd(&hidden), [(Some(1), 3, what)]);

    let failed = Log::new(&[BANK]).event(3, Kind::Separator, &[1, 0, 0, 0]);
    let what = "EV_SEPARATOR says that firmware failed".to_owned();
    assert_eq!(odd(&failed).first(), Some(&(Some(1), 3, what)));

    let not_one = Log::new(&[BANK]).event(3, Kind::Separator, b"none");
    let what = "EV_SEPARATOR is not a separator".to_owned();
    assert_eq!(odd(&not_one).first(), Some(&(Some(1), 3, what)));
}

#[test]
fn b19_payloads_that_their_digest_is_not_over_are_told_apart() {
    let log = Log::new(&[BANK])
        .event(4, Kind::EfiAction, b"said")
        .measured(4, Kind::EfiAction, b"done", b"said")
        .measured(4, Kind::BootServicesApplication, b"image", b"path")
        .measured(1, Kind::VariableBoot, b"xy", &variable("BootOrder", b"xy"))
        .measured(1, Kind::VariableBoot, b"xy", &variable("BootOrder", b"zz"))
        .measured(
            8,
            Kind::Ipl,
            b"linux /vmlinuz",
            b"grub_cmd: linux /vmlinuz\0",
        )
        .measured(8, Kind::Ipl, b"linux /other", b"grub_cmd: linux /vmlinuz\0")
        .measured(
            8,
            Kind::Ipl,
            b"linux /vmlinuz\0",
            b"grub_cmd linux /vmlinuz\0junk",
        )
        .measured(11, Kind::Ipl, b".osrel\0", b".\0o\0s\0r\0e\0l\0\0\0")
        .measured(14, Kind::Ipl, b"content", b"MokList\0")
        .bytes();
    let log = parse(&log).expect("a log");
    let payloads: Vec<Payload> = log
        .events()
        .iter()
        .filter_map(|event| event.payload(BANK))
        .collect();
    assert_eq!(
        payloads,
        [
            Payload::Recomputed(Preimage::Data),
            Payload::Differs,
            Payload::Elsewhere("the image that was loaded (its Authenticode digest)"),
            Payload::Recomputed(Preimage::VariableData),
            Payload::Differs,
            Payload::Recomputed(Preimage::Text),
            Payload::Differs,
            Payload::Recomputed(Preimage::Text),
            Payload::Recomputed(Preimage::SectionName),
            Payload::Elsewhere("the file or variable that it names"),
        ]
    );
}

#[test]
fn secure_boot_is_what_firmware_measured_before_the_separator() {
    let on = variable("SecureBoot", &[1]);
    let off = variable("SecureBoot", &[0]);
    let config = Kind::VariableDriverConfig;
    let read = |log: Log| parse(&log.bytes()).expect("a log").secure_boot(BANK);
    let log = || Log::new(&[BANK]);
    assert_eq!(read(log().event(7, config, &on)), Some(true));
    assert_eq!(read(log().event(7, config, &off)), Some(false));
    let empty = variable("SecureBoot", &[]);
    assert_eq!(read(log().event(7, config, &empty)), Some(false));
    // Told by data that the digest is not over.
    assert_eq!(read(log().measured(7, config, &off, &on)), None);
    // Told twice.
    let twice = log().event(7, config, &off).event(7, config, &on);
    assert_eq!(read(twice), None);
    // Told later, by somebody who hides what firmware said under other types.
    let later = log()
        .event(7, Kind::EventTag, &off)
        .event(7, Kind::EventTag, &[0; 4])
        .event(7, config, &on)
        .event(7, Kind::Separator, &[0; 4]);
    assert_eq!(read(later), Some(false));
    // Another register, name space, name, or value.
    assert_eq!(read(log().event(5, config, &on)), None);
    let mut other = on.clone();
    other[0] ^= 1;
    assert_eq!(read(log().event(7, config, &other)), None);
    assert_eq!(
        read(log().event(7, config, &variable("SetupMode", &[1]))),
        None
    );
    assert_eq!(
        read(log().event(7, config, &variable("SecureBoot", &[2]))),
        None
    );
}

#[test]
fn what_is_not_a_log_is_refused_by_place() {
    let good = sound(&[BANK]).bytes();
    for end in 0..good.len() {
        let cut = good.get(..end).unwrap();
        // A cut between two events leaves a shorter log, which the replay then tells from the quote.
        let shorter = parse(cut).is_ok();
        assert!(!shorter || boundaries(&good).contains(&end), "{end}");
    }
    let mut legacy = good.clone();
    legacy[32] = b'X';
    assert_eq!(refused(&legacy).what, "header");
    assert_eq!(refused(&Log::new(&[]).bytes()).what, "number of algorithms");
    assert_eq!(refused(&Log::new(&[BANK, BANK]).bytes()).what, "algorithm");
    let mut size = Log::new(&[BANK]).bytes();
    let at = size.len() - 3;
    size[at] = 31;
    assert_eq!(refused(&size).what, "algorithm");
    let mut many = Log::new(&[BANK]).bytes();
    let at = many.len() - 9;
    many[at..at + 4].copy_from_slice(&[0xff; 4]);
    assert_eq!(refused(&many).what, "number of algorithms");
}

fn boundaries(bytes: &[u8]) -> Vec<usize> {
    let log = parse(bytes).expect("a log");
    let places = log.events().iter().map(|event| event.at);
    places.chain([bytes.len()]).collect()
}

#[test]
fn lengths_that_lie_are_refused_without_reading_over() {
    let log = || Log::new(&[BANK]);
    let event = |register: u32, count: u32, rest: &[u8]| {
        let mut bytes = register.to_le_bytes().to_vec();
        bytes.extend(Kind::EfiAction.id().to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(rest);
        bytes
    };
    let refused = |bytes: &[u8]| refused(&log().raw(bytes).bytes()).what;
    let digest = [vec![0x0b, 0], vec![7; 32]].concat();
    let sized = |size: u32| [digest.clone(), size.to_le_bytes().to_vec()].concat();
    assert_eq!(refused(&event(24, 1, &sized(0))), "register of an event");
    assert_eq!(
        refused(&event(4, 2, &sized(0))),
        "number of an event's digests"
    );
    assert_eq!(
        refused(&event(4, u32::MAX, &[])),
        "number of an event's digests"
    );
    assert_eq!(refused(&event(4, 1, &sized(1))), "data of an event");
    assert_eq!(refused(&event(4, 1, &sized(u32::MAX))), "data of an event");
    let unknown = [vec![0x0c, 0], vec![7; 48], vec![0; 4]].concat();
    assert_eq!(refused(&event(4, 1, &unknown)), "algorithm of a digest");
    let bytes = Log::new(&[HashAlg::Sha1, BANK]);
    let twice = event(4, 2, &[digest.clone(), digest].concat());
    let twice = bytes.raw(&twice).bytes();
    let error = parse(&twice).expect_err("refused");
    assert_eq!(error.what, "algorithm of a digest");
}

#[test]
fn b26_only_filler_of_one_kind_may_follow_a_log() {
    let log = || sound(&[BANK]);
    let end = log().bytes().len();
    for filler in [&[0xff; 100][..], &[0; 100], &[0xff; 4], &[0; 8]] {
        let bytes = log().raw(filler).bytes();
        assert_eq!(parse(&bytes).map(|log| log.end()), Ok(end));
    }
    for tail in [
        &[0xff, 0xff, 0xff, 0xff, 1][..],
        &[0, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0xff, 0xff, 0xff],
        &[0],
        &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
    ] {
        assert!(parse(&log().raw(tail).bytes()).is_err(), "{tail:?}");
    }
    // An event that only tells something may name no register, and does not end the log.
    let mut told = 0xffff_ffff_u32.to_le_bytes().to_vec();
    told.extend([3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let bytes = log().raw(&told).event(4, Kind::EfiAction, b"x").bytes();
    let count = |bytes: &[u8]| parse(bytes).map(|log| log.events().len());
    assert_eq!(count(&bytes), Ok(18));
}

#[test]
fn registers_of_a_td_end_at_four() {
    let log = Log::new(&[HashAlg::Sha384]).event(4, Kind::EventTag, b"x");
    assert!(parse_ccel(&log.bytes()).is_ok());
    let log = Log::new(&[HashAlg::Sha384]).event(5, Kind::EventTag, b"x");
    assert_eq!(
        parse_ccel(&log.bytes()).expect_err("refused").what,
        "register of an event"
    );
}

#[test]
fn a_td_closes_secure_boot_before_its_boot_variables() {
    let bank = HashAlg::Sha384;
    let odd = |log: Log| {
        let bytes = log.bytes();
        let log: EventLog<'_> = parse_ccel(&bytes).expect("a log");
        log.oddities(bank).len()
    };
    let log = || {
        Log::new(&[bank])
            .event(1, Kind::VariableDriverConfig, &variable("SecureBoot", &[1]))
            .separators(1..=1)
            .event(1, Kind::PlatformConfigFlags, b"ACPI DATA")
            .separators(1..=2)
            .event(1, Kind::VariableAuthority, b"x")
            .event(2, Kind::BootServicesApplication, b"x")
    };
    assert_eq!(odd(log()), 0);
    assert_eq!(odd(log().separators(1..=1)), 1);
    assert_eq!(odd(log().separators(2..=2)), 1);
    assert_eq!(odd(log().event(1, Kind::PlatformConfigFlags, b"x")), 1);
    assert_eq!(odd(log().event(2, Kind::VariableBoot, b"x")), 1);
    let early = Log::new(&[bank])
        .separators(1..=1)
        .event(1, Kind::VariableDriverConfig, &variable("SecureBoot", &[1]))
        .separators(2..=2);
    assert_eq!(odd(early), 1);
    let bytes = log().bytes();
    let read = parse_ccel(&bytes).expect("a log");
    assert_eq!(read.secure_boot(bank), Some(true));
}
