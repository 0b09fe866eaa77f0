//! Reading a report.

use super::*;

#[test]
fn fields_are_read_in_place() {
    let forge = Forge::new(Product::Turin);
    let bytes = forge.report();
    let report = parse(&bytes).unwrap();
    assert_eq!(report.signed, &bytes[..0x2a0]);
    assert_eq!(report.version, 5);
    assert_eq!(report.policy, 0x30000);
    assert_eq!(report.signature_algo, 1);
    assert_eq!(report.platform_info, 0x24);
    assert_eq!(report.report_data, forge::CHALLENGE);
    assert_eq!(report.measurement, forge::MEASUREMENT);
    assert_eq!(report.host_data, forge::HOST_DATA);
    assert_eq!(report.chip_id, forge::CHIP);
    let cpuid = report.cpuid.unwrap();
    assert_eq!((cpuid.family, cpuid.model, cpuid.stepping), (0x1a, 2, 1));
    assert_eq!(report.committed.to_string(), "1.55.40");
    assert_eq!(
        report.mitigations,
        Some(Mitigations {
            launch: 11,
            current: 11
        })
    );
    assert_eq!(report.used_reserved().count(), 0);
}

#[test]
fn b26_bytes_before_or_behind_a_report_are_refused() {
    let forge = Forge::new(Product::Genoa);
    let report = forge.report();
    let longer = [report.as_slice(), &[0]].concat();
    let twice = [report.as_slice(), &report].concat();
    for bytes in [&report[..1183], &longer, &twice, &report[1..], &[]] {
        let result = forge::judge(bytes.to_vec(), &forge.endorsements(), &forge.policy());
        assert_eq!(failed(&result), ["snp.format"], "{} bytes", bytes.len());
        assert_eq!(result.status, Status::Contraindicated);
    }
}

#[test]
fn no_prefix_of_a_report_is_read() {
    let report = Forge::new(Product::Genoa).report();
    for length in 0..report.len() {
        assert!(parse(&report[..length]).is_err(), "{length}");
    }
}

#[test]
fn b03_an_unknown_version_is_refused() {
    for version in [0_u32, 1, 6, 7, 0x0500_0000, u32::MAX] {
        let forge = Forge::new(Product::Genoa).put(0, &version.to_le_bytes());
        let result = forge.judge(&forge.policy());
        assert_eq!(failed(&result), ["snp.format"], "{version}");
        let told = result
            .failures()
            .find(|checked| checked.check.code == "snp.format");
        assert!(
            format!("{told:?}").contains(&version.to_string()),
            "{told:?}"
        );
    }
}

#[test]
fn b03_an_unknown_signature_algorithm_is_refused() {
    for algorithm in [0_u32, 2, 0x0100_0000] {
        let forge = Forge::new(Product::Genoa).put(0x34, &algorithm.to_le_bytes());
        let result = forge.judge(&forge.policy());
        assert_eq!(failed(&result), ["snp.signature-algorithm"], "{algorithm}");
    }
}

#[test]
fn versions_3_and_4_have_a_processor_and_no_mitigations() {
    for version in [3, 4] {
        let forge = Forge::new(Product::Genoa)
            .put(0, &[version])
            .put(0x1f8, &[0; 16]);
        let mut policy = forge.policy();
        policy.machine.mitigations = MitigationRules::default();
        assert_eq!(forge.judge(&policy).status, Status::Affirming);
        assert_eq!(parse(&forge.report()).unwrap().mitigations, None);
        let used = forge.put(0x1f8, &[1]);
        assert_eq!(failed(&used.judge(&policy)), ["snp.reserved"]);
    }
}

#[test]
fn version_2_is_refused_unless_the_policy_names_its_product() {
    let forge = Forge::new(Product::Genoa)
        .put(0, &[2])
        .put(0x188, &[0; 3])
        .put(0x1f8, &[0; 16]);
    let mut policy = forge.policy();
    policy.machine.mitigations = MitigationRules::default();
    assert_eq!(
        failed(&forge.judge(&policy)),
        ["snp.version", "snp.product"]
    );
    policy.unnamed_product = Some(Product::Genoa);
    assert_eq!(forge.judge(&policy).status, Status::Affirming);
    policy.unnamed_product = Some(Product::Turin);
    let wrong = forge.judge(&policy);
    for code in ["snp.vek-product", "snp.vek-tcb", "snp.chain"] {
        assert!(failed(&wrong).contains(&code), "{:?}", failed(&wrong));
    }
}

#[test]
fn a_product_that_is_pinned_for_version_2_says_nothing_about_later_ones() {
    let forge = Forge::new(Product::Milan);
    let mut policy = forge.policy();
    policy.unnamed_product = Some(Product::Genoa);
    assert_eq!(failed(&forge.judge(&policy)), ["snp.product"]);
}

#[test]
fn every_reserved_byte_is_looked_at() {
    let free = (0x4c..0x50)
        .chain(0x18b..0x1a0)
        .chain([0x1eb, 0x1ef])
        .chain(0x208..0x2a0);
    let signed = Forge::new(Product::Genoa);
    let mut report = signed.report();
    let policy = signed.policy();
    let endorsements = signed.endorsements();
    for at in free.chain(0x330..0x4a0) {
        report[at] = 0x80;
        let used: Vec<_> = parse(&report).unwrap().used_reserved().collect();
        assert_eq!(used.len(), 1, "{at:#x}");
        assert!(
            used[0].0 <= at && at < used[0].0 + used[0].1.len(),
            "{at:#x}"
        );
        report[at] = 0;
    }
    for at in [0x4c, 0x19f, 0x1eb, 0x1ef, 0x208, 0x29f] {
        let forge = signed.clone().put(at, &[1]);
        assert_eq!(failed(&forge.judge(&policy)), ["snp.reserved"], "{at:#x}");
    }
    // Not signed: the check alone keeps it from being a second spelling of the same report.
    report[0x4a0 - 1] = 1;
    let result = forge::judge(report, &endorsements, &policy);
    assert_eq!(failed(&result), ["snp.reserved"]);
}

#[test]
fn bits_without_a_meaning_are_refused_in_policy_and_flags_and_noted_in_platform_info() {
    for (at, bytes) in [
        (0x08, &[0, 0, 3, 0x04][..]),
        (0x0f, &[0x80]),
        (0x48, &[0x20]),
    ] {
        let forge = Forge::new(Product::Genoa).put(at, bytes);
        assert_eq!(
            failed(&forge.judge(&forge.policy())),
            ["snp.reserved"],
            "{at:#x}"
        );
    }
    let forge = Forge::new(Product::Genoa).put(0x40, &[0x64]);
    let result = forge.judge(&forge.policy());
    assert_eq!(result.status, Status::Affirming);
    assert!(result.notes.iter().any(|note| note.contains("bit 6")));
    assert_eq!(
        result.claim("platform-info"),
        Some("ecc alias-check-complete bit 6")
    );
}

#[test]
fn a_firmware_byte_that_the_product_keeps_free_is_refused() {
    for (product, at) in [
        (Product::Genoa, 0x182),
        (Product::Turin, 0x1e6),
        (Product::Genoa, 0x3d),
    ] {
        let forge = Forge::new(product).put(at, &[1]);
        assert_eq!(
            failed(&forge.judge(&forge.policy())),
            ["snp.reserved"],
            "{at:#x}"
        );
    }
}

#[test]
fn show_explains_every_field_and_survives_every_byte() {
    let forge = Forge::new(Product::Genoa);
    let fields = show(&forge.report()).unwrap();
    let places: Vec<usize> = fields.iter().filter_map(|field| field.at).collect();
    let first = [
        0x00, 0x04, 0x08, 0x10, 0x20, 0x30, 0x34, 0x38, 0x40, 0x48, 0x50, 0x90, 0xc0, 0xe0, 0x110,
        0x140, 0x160, 0x180, 0x188, 0x1a0, 0x1e0, 0x1e8, 0x1ec, 0x1f0, 0x1f8, 0x200, 0x2a0,
    ];
    assert_eq!(places, first);
    let says = |name: &str| {
        let field = fields.iter().find(|field| field.name == name).unwrap();
        format!("{} {}", field.value, field.says)
    };
    assert!(says("report.cpuid").contains("Genoa"));
    assert!(says("report.reported_tcb").contains("snp 23"));
    assert!(says("report.platform_info").contains("no two addresses"));
    assert!(says("report.flags").contains("VCEK"));
    let mut report = forge.report();
    for at in 4..report.len() {
        report[at] ^= 0xff;
        show(&report).unwrap();
        report[at] ^= 0xff;
    }
    assert!(show(&report[1..]).is_err());
}

#[test]
fn processors_belong_to_products() {
    let of = |family, model| {
        Product::from_cpuid(Cpuid {
            family,
            model,
            stepping: 0,
        })
    };
    for (family, models, product) in [
        (0x19, 0x00..=0x0f, Product::Milan),
        (0x19, 0x10..=0x1f, Product::Genoa),
        (0x19, 0xa0..=0xaf, Product::Genoa),
        (0x1a, 0x00..=0x11, Product::Turin),
    ] {
        for model in models {
            assert_eq!(of(family, model), Ok(product));
        }
    }
    for (family, model) in [
        (0x19, 0x20),
        (0x19, 0x9f),
        (0x19, 0xb0),
        (0x1a, 0x12),
        (0x17, 0x31),
        (0, 0),
    ] {
        assert!(
            of(family, model).unwrap_err().contains("family"),
            "{family} {model}"
        );
    }
    for model in [0x50, 0x57, 0x90, 0xaf, 0xc0, 0xc7] {
        assert!(of(0x1a, model).unwrap_err().contains("Venice"));
    }
}

#[test]
fn a_processor_without_a_known_root_is_refused() {
    for cpuid in [[0x1a, 0x50, 0], [0x19, 0x20, 0], [0, 0, 0]] {
        let forge = Forge::new(Product::Genoa).put(0x188, &cpuid);
        assert_eq!(
            failed(&forge.judge(&forge.policy())),
            ["snp.product"],
            "{cpuid:?}"
        );
    }
}

#[test]
fn firmware_is_laid_out_by_product() {
    let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
    let (early, used) = Tcb::read(Product::Genoa, bytes).unwrap_err();
    assert_eq!(
        early.to_string(),
        "fmc 0, bootloader 1, tee 2, snp 7, microcode 8"
    );
    assert_eq!(used, 2);
    let (turin, used) = Tcb::read(Product::Turin, bytes).unwrap_err();
    assert_eq!(
        turin.to_string(),
        "fmc 1, bootloader 2, tee 3, snp 4, microcode 8"
    );
    assert_eq!(used, 4);
}

#[test]
fn the_certificate_table_is_read_within_its_bounds() {
    let entry = |guid: [u8; 16], offset: u32, length: u32| {
        [&guid[..], &offset.to_le_bytes(), &length.to_le_bytes()].concat()
    };
    let vcek = *b"\x63\xda\x75\x8d\xe6\x64\x45\x64\xad\xc5\xf4\xb9\x3b\xe8\xac\xcd";
    let crl = *b"\x92\xf8\x1b\xc3\x58\x11\x4d\x3d\x97\xff\xd1\x9f\x88\xdc\x67\xea";
    let build = |entries: &[Vec<u8>]| {
        let mut table = entries.concat();
        table.extend([0; 24]);
        table.extend(b"leaf crl!");
        table
    };
    let other = [7; 16];
    let table = build(&[entry(vcek, 96, 4), entry(other, 96, 0), entry(crl, 101, 4)]);
    let read = parse_table(&table).unwrap();
    assert_eq!(read[0].kind, EntryKind::Vcek);
    assert_eq!(read[0].data, b"leaf");
    assert_eq!(read[1].kind, EntryKind::Other(other));
    let found = endorsements(&table).unwrap();
    assert_eq!(found.certificates, [b"leaf"]);
    assert_eq!(found.crls, [b"crl!"]);
    for (offset, length) in [(106, 0), (0, 106), (u32::MAX, 1), (1, u32::MAX), (100, 100)] {
        assert!(
            parse_table(&build(&[entry(vcek, offset, length)])).is_err(),
            "{offset} {length}"
        );
    }
    assert!(parse_table(&entry(vcek, 0, 1)).is_err(), "no closing entry");
    assert!(parse_table(&build(&vec![entry(vcek, 0, 1); 17])).is_err());
    assert!(parse_table(&build(&vec![entry(vcek, 0, 1); 16])).is_ok());
    assert!(parse_table(&[]).is_err());
}
