use super::super::{
    checks::ALL,
    forge::{Bench, Device, NONCE, NOW, device_root, leaf, lists, policy},
    *,
};
use crate::{
    About, AttestationResult, Endorsements, Evidence, Platform, ReferenceValues, ReportData,
    Status, Timestamp, appraise,
    check::Outcome,
    forge::{Alg, Authority, Key},
    hex,
    nitro::forge::{failed, found},
    policy::{Freshness, Pin, fields::Roots},
};

fn with(change: impl FnOnce(&mut Device)) -> AttestationResult {
    let mut bench = Bench::new();
    change(&mut bench.devices[0]);
    bench.judge()
}

fn by(change: impl FnOnce(&mut GpuPolicy)) -> AttestationResult {
    let mut bench = Bench::new();
    change(&mut bench.policy);
    bench.judge()
}

// Without a chain nothing is known of chip and manifests.
const WITHOUT_CHAIN: [&str; 10] = [
    "gpu.chain",
    "gpu.revocation",
    "gpu.architecture",
    "gpu.rim",
    "gpu.rim-signature",
    "gpu.rim-pins",
    "gpu.measurements",
    "gpu.debug",
    "gpu.secure-boot",
    "gpu.device",
];

#[test]
fn devices_are_accepted_with_every_check_decided() {
    let several = ["one", "two", "three"].map(Device::new).to_vec();
    for bench in [Bench::new(), Bench::with(several)] {
        let result = bench.judge();
        assert_eq!(
            failed(&result),
            [""; 0],
            "{}",
            found(&result, "gpu.rim-signature")
        );
        assert_eq!(result.status, Status::Affirming);
        for check in ALL {
            let decided = result
                .checks
                .iter()
                .any(|checked| checked.check.code == check.code);
            assert!(decided, "{} is not decided", check.code);
        }
    }
}

#[test]
fn what_is_proved_answers_what_where_and_when_and_what_is_not_is_said() {
    let result = Bench::new().judge();
    let key = hex::encode(&Device::new("one").pin());
    for (name, value) in [
        ("driver", forge::DRIVER),
        ("vbios", forge::VBIOS),
        ("mode", "flag-2"),
        ("chip", "GH100"),
        ("device-key", key.as_str()),
        ("device", "NVIDIA:GH100:0123456789ABCDEF"),
        ("nonce", "4e".repeat(32).as_str()),
    ] {
        assert_eq!(result.claim(name), Some(value), "{name}");
    }
    let about = |about| result.claims.iter().any(|claim| claim.about == about);
    assert!([About::What, About::Where, About::When].map(about) == [true; 3]);
    assert!(
        result
            .notes
            .iter()
            .any(|note| note.contains("relayed from devices elsewhere"))
    );
    let unmeasured = "Device 0: no manifest says what measurements 13, 14, 15, 16, 17, 18, 19, 41";
    assert!(
        result.notes.iter().any(|note| note.starts_with(unmeasured)),
        "{:?}",
        result.notes
    );
    // The answers end first.
    let end = Timestamp::parse_rfc3339("2026-06-01T00:00:00Z").unwrap();
    assert_eq!(result.not_after, Some(end));
}

#[test]
fn the_entrance_binds_devices_to_a_challenge_or_to_a_digest_of_report_data() {
    let judged = |nonce: &[u8], binding: &Binding| {
        let mut bench = Bench::new();
        bench.devices[0].nonce = nonce.to_vec();
        let device = &bench.devices[0];
        let mut values = ReferenceValues::refusing_all(Freshness::Unproven);
        values.gpu = Some(bench.policy.clone());
        let result = appraise(&Input {
            evidence: &Evidence::new(Platform::Gpu)
                .with(Part::Report, device.report())
                .with(Part::Certificates, device.pem()),
            endorsements: &Endorsements {
                rims: bench.rims.clone(),
                ocsp: bench.ocsp.clone(),
                ..Endorsements::default()
            },
            binding,
            policy: &values,
            at: Timestamp::parse_rfc3339(NOW).unwrap(),
        });
        failed(&result)
    };
    let data = Binding::ReportData(ReportData::from_bytes([7; 64]));
    let digest = nonce(&[7; 64]);
    assert_eq!(judged(digest.as_bytes(), &data), [""; 0]);
    assert_eq!(judged(&[7; 32], &data), ["gpu.binding"]);
    let challenge = |bytes: &[u8]| Binding::Challenge(bytes.to_vec());
    assert_eq!(judged(&NONCE, &challenge(&NONCE)), [""; 0]);
    assert_eq!(judged(&NONCE, &challenge(&NONCE[..31])), ["gpu.binding"]);
    assert_eq!(judged(&NONCE, &challenge(&[0x4e; 33])), ["gpu.binding"]);
    assert_eq!(
        judged(&NONCE, &challenge(&[])),
        ["evidence.fresh", "gpu.binding"]
    );
    assert_eq!(judged(&NONCE, &Binding::Unknown), [""; 0]);
    // SHA-256 of `cmcp-gpu`, a zero, and what follows.
    assert_eq!(nonce(b"").hex(), Sha256Digest::of(b"cmcp-gpu\0").hex());
}

#[test]
fn every_device_was_asked_with_the_nonce() {
    let mut bench = Bench::with(vec![Device::new("one"), Device::new("two")]);
    bench.devices[1].nonce = vec![0; 32];
    let result = bench.judge();
    assert_eq!(failed(&result), ["gpu.binding"]);
    bench.nonce = None;
    let result = bench.judge();
    assert_eq!(failed(&result), [""; 0]);
    let of = result
        .checks
        .iter()
        .find(|checked| checked.check.code == "gpu.binding");
    assert!(matches!(of.unwrap().outcome, Outcome::NotApplicable { .. }));
}

#[test]
fn another_number_of_devices_is_refused() {
    for count in [2, 16] {
        let result = by(|policy| policy.device_count = count);
        assert_eq!(failed(&result).first(), Some(&"gpu.devices"));
        assert_eq!(result.failures().count(), ALL.len() - 1);
    }
    let bench = Bench::new();
    let device = &bench.devices[0];
    for (reports, chains) in [(0, 0), (1, 0), (0, 1), (2, 1), (1, 2), (2, 2)] {
        let result =
            bench.judge_bytes(&vec![device.report(); reports], &vec![device.pem(); chains]);
        assert!(
            failed(&result).contains(&"gpu.devices"),
            "{reports} {chains}"
        );
    }
}

#[test]
fn one_device_that_answers_twice_is_refused() {
    let mut bench = Bench::with(vec![Device::new("one"), Device::new("two")]);
    bench.devices[1] = Device::new("one");
    let result = bench.judge();
    assert_eq!(failed(&result), ["gpu.devices"]);
    assert_eq!(found(&result, "gpu.devices"), "one of them twice");
}

#[test]
fn bytes_that_are_no_report_are_refused() {
    let bench = Bench::new();
    let result = bench.judge_bytes(&[vec![0; 64]], &[bench.devices[0].pem()]);
    assert!(failed(&result).contains(&"gpu.report"));
    assert_eq!(result.status, Status::Contraindicated);
}

#[test]
fn a_report_that_another_key_signed_is_refused() {
    let result = with(|device| device.key = Key::p384("somebody else"));
    assert_eq!(failed(&result), ["gpu.signature"]);
    // The report of one device with the certificates of another.
    let bench = Bench::with(vec![Device::new("one"), Device::new("two")]);
    let [one, two] = [&bench.devices[0], &bench.devices[1]];
    let result = bench.judge_bytes(&[one.report(), two.report()], &[two.pem(), one.pem()]);
    assert_eq!(failed(&result), ["gpu.signature"]);
}

#[test]
fn b16_a_signature_of_zeros_or_of_another_curve_is_refused() {
    let bench = Bench::new();
    let mut report = bench.devices[0].report();
    let at = report.len() - 96;
    report[at..].fill(0);
    let result = bench.judge_bytes(&[report], &[bench.devices[0].pem()]);
    assert_eq!(failed(&result), ["gpu.signature"]);
    let key = Key::p256("gpu");
    let result = with(|device| {
        device.leaf = leaf(&key, "GH100 A01 GSP FMC LF", &[0xf0; 48]);
        let sixty_four = key.sign_fixed(Alg::EcdsaSha256, &device.signed());
        assert_eq!(sixty_four.len(), 64);
    });
    assert_eq!(failed(&result), ["gpu.signature"]);
}

#[test]
fn a_chain_that_is_not_five_certificates_to_the_root_is_refused() {
    let whole = Device::new("one").certificates();
    let other = Authority::root("test device root", Key::p384("another"), Alg::EcdsaSha384);
    let mut cut: Vec<(Vec<Vec<u8>>, bool)> = Vec::new();
    for place in 0..5 {
        let mut chain = whole.clone();
        chain.remove(place);
        cut.push((chain, place == 0));
    }
    cut.push(([whole.clone(), vec![device_root().der]].concat(), false));
    cut.push((vec![whole[4].clone()], true));
    cut.push((vec![whole[4].clone(); 5], true));
    cut.push((Vec::new(), true));
    cut.push(([&whole[..4], &[other.der]].concat(), false));
    for (number, (chain, without_leaf)) in cut.into_iter().enumerate() {
        let result = with(|device| device.chain = Some(chain));
        let codes = failed(&result);
        // The root that came is never trusted; that it came is of no importance.
        if number == 9 {
            assert_eq!(codes, [""; 0]);
            continue;
        }
        for code in WITHOUT_CHAIN {
            assert!(codes.contains(&code), "{number}: {code} of {codes:?}");
        }
        assert_eq!(codes.contains(&"gpu.signature"), without_leaf, "{number}");
    }
    let text = b"no certificate".to_vec();
    let bench = Bench::new();
    let result = bench.judge_bytes(&[bench.devices[0].report()], &[text]);
    assert!(failed(&result).contains(&"gpu.chain"));
}

#[test]
fn a_chain_that_leaves_the_device_out_is_refused() {
    let device = Device::new("one");
    let [_, provisioner, generation, root] = device.authorities();
    let leaf = provisioner.issue(device.leaf.clone());
    let chain = vec![
        leaf,
        provisioner.der,
        generation.der,
        root.der.clone(),
        root.der,
    ];
    let result = with(|device| device.chain = Some(chain));
    assert_eq!(failed(&result), WITHOUT_CHAIN);
    assert_eq!(found(&result, "gpu.chain"), "a chain of 4");
}

#[test]
fn the_firmware_is_certified_under_either_name() {
    let key = Device::new("one").key;
    let named = |oid: &str, value: &[u8]| {
        let value = [&[0x04, 48], value].concat();
        let leaf = crate::forge::Cert::new("GH100 A01 GSP FMC LF", &key)
            .key_usage(0x80)
            .extension(oid, false, value);
        failed(&with(|device| device.leaf = leaf))
    };
    assert_eq!(named("2.23.133.5.4.1", &[0xf0; 48]), [""; 0]);
    assert_eq!(named("2.23.133.5.4.1.1", &[0xf0; 48]), [""; 0]);
    assert_eq!(named("2.23.133.5.4.1.1", &[0xf1; 48]), ["gpu.firmware-id"]);
    assert_eq!(named("2.23.133.5.4.2", &[0xf0; 48]), ["gpu.firmware-id"]);
}

#[test]
fn a_chain_to_another_root_is_refused() {
    let result = by(|policy| policy.roots = Roots::Vendor);
    assert_eq!(failed(&result), WITHOUT_CHAIN);
}

#[test]
fn a_chain_that_is_not_valid_now_is_refused() {
    let now = "2026-05-01T12:00:00Z";
    for (from, until) in [
        ("2026-05-01T12:00:01Z", "2027-01-01T00:00:00Z"),
        ("2020-01-01T00:00:00Z", "2026-05-01T11:59:59Z"),
    ] {
        assert_eq!(now, NOW);
        let result = with(|device| device.leaf = device.leaf.clone().validity(from, until));
        assert_eq!(failed(&result), WITHOUT_CHAIN);
    }
}

#[test]
fn another_firmware_than_the_certified_one_is_refused() {
    for firmware in [None, Some([0xf1; 48].as_slice()), Some(&[0xf0; 47])] {
        let result = with(|device| *device = device.clone().field(20, firmware));
        assert_eq!(failed(&result), ["gpu.firmware-id"]);
    }
    let key = Device::new("one").key;
    let result = with(|device| device.leaf = leaf(&key, "GH100 A01 GSP FMC LF", &[0xf1; 48]));
    assert_eq!(failed(&result), ["gpu.firmware-id"]);
    let result = with(|device| device.leaf = leaf(&key, "GH100 A01 GSP FMC LF", &[0xf0; 47]));
    assert_eq!(failed(&result), ["gpu.firmware-id"]);
    // A certificate without the extension, and a report that says nothing: nothing agrees with nothing.
    let result = with(|device| {
        device.leaf = crate::forge::Cert::new("GH100 A01 GSP FMC LF", &key).key_usage(0x80);
        *device = device.clone().field(20, None);
    });
    assert_eq!(failed(&result), ["gpu.firmware-id"]);
}

#[test]
fn an_architecture_that_policy_does_not_name_is_refused() {
    let result = by(|policy| policy.architectures = vec![Architecture::Blackwell]);
    assert_eq!(failed(&result), ["gpu.architecture"]);
    let blackwell = |chip: &str| {
        let mut device = Device::new("one");
        let key = device.key.clone();
        device.chip = chip.to_owned();
        device.leaf = leaf(&key, &format!("{chip} A01 GSP FMC LF"), &[0xf0; 48]);
        let mut bench = Bench::with(vec![device]);
        bench.rims = [forge::Manifest::driver(), forge::Manifest::vbios()]
            .map(|rim| forge::Manifest {
                product: chip.to_owned(),
                ..rim
            })
            .map(|rim| rim.signed().into_bytes())
            .to_vec();
        bench
    };
    let mut bench = blackwell("GB100");
    assert_eq!(failed(&bench.judge()), ["gpu.architecture"]);
    bench.policy.architectures = vec![Architecture::Blackwell];
    assert_eq!(failed(&bench.judge()), [""; 0]);
    for chip in ["GA100", "GB10", "GB1000", "GBx00", "XX100"] {
        let mut bench = blackwell(chip);
        bench.policy.architectures = vec![Architecture::Hopper, Architecture::Blackwell];
        assert_eq!(failed(&bench.judge()), ["gpu.architecture"], "{chip}");
    }
}

#[test]
fn certificates_that_do_not_agree_on_the_chip_are_refused() {
    let key = Device::new("one").key;
    let result = with(|device| device.leaf = leaf(&key, "GB100 A01 GSP FMC LF", &[0xf0; 48]));
    let codes = failed(&result);
    assert!(
        codes.contains(&"gpu.architecture") && codes.contains(&"gpu.rim"),
        "{codes:?}"
    );
    // What the device itself calls its chip has to be that one too.
    let told =
        |name: &str| with(|device| *device = device.clone().field(35, Some(name.as_bytes())));
    assert_eq!(failed(&told("GH100\0")), [""; 0]);
    assert_eq!(failed(&told("GB100\0")), ["gpu.architecture"]);
}

#[test]
fn fields_that_are_not_known_are_refused_by_name() {
    for (kind, value, said) in [
        (99, Some([1].as_slice()), "also 99"),
        (255, Some(&[]), "also 255"),
        (34, Some(&[2, 0]), "0200"),
        (34, Some(&[]), ""),
        (11, Some(&[0]), "00"),
        (11, None, "not told"),
        (36, Some(&[3, 0]), "another"),
        (36, Some(&[2, 0, 0]), "another"),
    ] {
        let result = with(|device| *device = device.clone().field(kind, value));
        assert!(failed(&result).contains(&"gpu.fields"), "{kind}");
        assert_eq!(found(&result, "gpu.fields"), said, "{kind}");
    }
    let result = with(|device| *device = device.clone().field(34, None));
    assert_eq!(failed(&result), [""; 0]);
}

#[test]
fn a_driver_that_policy_does_not_name_is_refused() {
    let result = by(|policy| policy.drivers = Pin::OneOf(vec!["550.90.08".to_owned()]));
    assert_eq!(failed(&result), ["gpu.driver"]);
    for version in [
        None,
        Some(b"".as_slice()),
        Some(b"550 90\0"),
        Some(b"550\x0090.07"),
    ] {
        let result = with(|device| *device = device.clone().field(3, version));
        let codes = failed(&result);
        assert!(
            codes.contains(&"gpu.driver") && codes.contains(&"gpu.rim"),
            "{codes:?}"
        );
    }
}

#[test]
fn a_vbios_that_policy_does_not_name_is_refused() {
    let result = by(|policy| policy.vbios = Pin::OneOf(vec!["96.00.9F.00.02".to_owned()]));
    assert_eq!(failed(&result), ["gpu.vbios"]);
    for version in [
        None,
        Some([0; 5].as_slice()),
        Some(&[0, 0x9f, 0, 0x96, 1, 0, 0, 1]),
    ] {
        let result = with(|device| *device = device.clone().field(6, version));
        let codes = failed(&result);
        assert!(
            codes.contains(&"gpu.vbios") && codes.contains(&"gpu.rim"),
            "{codes:?}"
        );
    }
    assert_eq!(failed(&by(|policy| policy.vbios = Pin::Any)), [""; 0]);
}

#[test]
fn a_mode_that_policy_does_not_name_is_refused() {
    for (value, mode) in [
        (None, Mode::Unstated),
        (Some([0, 0].as_slice()), Mode::Flag0),
        (Some(&[1]), Mode::Flag1),
    ] {
        let mut bench = Bench::new();
        bench.devices[0] = bench.devices[0].clone().field(36, value);
        assert_eq!(failed(&bench.judge()), ["gpu.mode"], "{mode:?}");
        bench.policy.modes = Pin::OneOf(vec![mode]);
        assert_eq!(failed(&bench.judge()), [""; 0], "{mode:?}");
    }
}

#[test]
fn a_device_that_policy_does_not_list_is_refused() {
    let result = by(|policy| policy.devices = Pin::OneOf(vec![Device::new("two").pin()]));
    assert_eq!(failed(&result), ["gpu.device"]);
}

#[test]
fn a03_anybodys_devices_are_taken_only_where_the_policy_says_danger() {
    let any = |policy: &mut GpuPolicy| policy.devices = Pin::Any;
    assert_eq!(failed(&by(any)), ["gpu.identity"]);
    let result = by(|policy| {
        any(policy);
        policy.identity = Identity::DangerAnyMachine;
    });
    assert_eq!(result.status, Status::Warning);
}

#[test]
fn measurements_are_left_uncompared_only_where_the_policy_says_danger() {
    let mut bench = Bench::new();
    bench.policy.measurements = Comparison::DangerNotCompared;
    bench.rims.clear();
    bench.devices[0].measurements[30].1.fill(0);
    let result = bench.judge();
    assert_eq!(failed(&result), [""; 0]);
    assert_eq!(result.status, Status::Warning);
    assert_eq!(result.claim("debug"), None);
}

#[test]
fn what_is_required_is_decided_also_without_status_answers() {
    let mut bench = Bench::new();
    bench.ocsp.clear();
    assert_eq!(failed(&bench.judge()), ["gpu.revocation"]);
    bench.policy.revocation = Revocation::NotChecked;
    assert_eq!(bench.judge().status, Status::Affirming);
    // Lists do as well; those of the manifests' issuers are still missing.
    let mut bench = Bench::new();
    bench.ocsp = forge::rim_answers();
    bench.crls = lists(&bench.devices[0]);
    assert_eq!(failed(&bench.judge()), [""; 0]);
    bench.ocsp.clear();
    assert_eq!(failed(&bench.judge()), ["gpu.revocation"]);
    assert_eq!(policy(&bench.devices), bench.policy);
}
