use super::{
    super::{
        Uki, UkiFault,
        pe::{Image, Section},
    },
    image, magic,
};
use crate::eventlog::HashAlg;

const BANK: HashAlg = HashAlg::Sha256;

fn uki(version: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
    let kernel = image(&[(".text", b"kernel")]);
    let magic = magic(version);
    let mut sections: Vec<(&str, &[u8])> = vec![
        (".text", b"stub"),
        (".sbat", b"sbat,1"),
        (".sdmagic", &magic),
        (".initrd", b"an initrd"),
        (".cmdline", b"console=ttyS0\n"),
    ];
    sections.extend(more);
    sections.push((".linux", &kernel));
    image(&sections)
}

fn names(bytes: &[u8]) -> Vec<String> {
    let uki = Uki::parse(bytes).expect("an image");
    let events = uki.pcr11_events(BANK).expect("events");
    events.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn pcr_11_is_extended_by_name_and_content_in_the_stubs_order() {
    let bytes = uki(
        "257.1",
        &[
            (".osrel", b"ID=x"),
            (".uname", b"6.1"),
            (".pcrpkey", b"key"),
        ],
    );
    let uki = Uki::parse(&bytes).expect("an image");
    assert_eq!(uki.stub_version(), 257);
    let kernel = image(&[(".text", b"kernel")]);
    let contents: [(&str, &[u8]); 7] = [
        (".linux", &kernel),
        (".osrel", b"ID=x"),
        (".cmdline", b"console=ttyS0\n"),
        (".initrd", b"an initrd"),
        (".uname", b"6.1"),
        (".sbat", b"sbat,1"),
        (".pcrpkey", b"key"),
    ];
    let value = contents.iter().fold(vec![0; 32], |value, (name, content)| {
        let named = BANK.extend(&value, &BANK.digest(format!("{name}\0").as_bytes()));
        BANK.extend(&named, &BANK.digest(content))
    });
    let values = uki.pcr11(BANK).expect("values");
    assert_eq!(values[0], ("stub".to_owned(), value.clone()));
    let entered = BANK.extend(&value, &BANK.digest(b"enter-initrd"));
    assert_eq!(values[1], ("enter-initrd".to_owned(), entered));
    assert_eq!(values.len(), 5);
}

#[test]
fn a_stub_measures_the_sections_that_its_version_knows() {
    let more: [(&str, &[u8]); 3] = [(".uname", b"6.1"), (".ucode", b"x"), (".pcrsig", b"{}")];
    let known = |version: &str| {
        let names = names(&uki(version, &more));
        names
            .into_iter()
            .filter(|name| !name.starts_with("name"))
            .collect::<Vec<_>>()
    };
    assert_eq!(known("252.39-1~deb12u2"), [".linux", ".cmdline", ".initrd"]);
    assert_eq!(
        known("254"),
        [".linux", ".cmdline", ".initrd", ".uname", ".sbat"]
    );
    assert_eq!(
        known("256~rc1"),
        [".linux", ".cmdline", ".initrd", ".ucode", ".uname", ".sbat"]
    );
}

#[test]
fn pcr_4_gets_image_and_kernel_until_stubs_load_it_themselves() {
    for (version, count) in [("252.1", 2), ("257.9", 2), ("258.1", 1)] {
        let bytes = uki(version, &[]);
        let uki = Uki::parse(&bytes).expect("an image");
        let events = uki.pcr4_events(BANK).expect("events");
        assert_eq!(events.len(), count, "{version}");
        assert_eq!(events[0].1, uki.image().authenticode(BANK));
        let mut digests = vec![
            BANK.digest(b"Calling EFI Application from Boot Option"),
            BANK.digest(&[0; 4]),
            events[0].1.clone(),
        ];
        if count == 2 {
            let kernel = image(&[(".text", b"kernel")]);
            let kernel = Image::parse(&kernel).expect("an image").authenticode(BANK);
            digests.push(kernel);
        }
        let value = digests
            .iter()
            .fold(vec![0; 32], |value, digest| BANK.extend(&value, digest));
        assert_eq!(uki.pcr4(BANK), Ok(value), "{version}");
    }
}

#[test]
fn pcr_9_gets_the_command_line_and_the_initrd() {
    let bytes = uki("252.1", &[(".osrel", b"ID=x")]);
    let uki = Uki::parse(&bytes).expect("an image");
    let line: Vec<u8> = "console=ttyS0\0"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let value = [BANK.digest(&line), BANK.digest(b"an initrd")];
    let value = value
        .iter()
        .fold(vec![0; 32], |value, digest| BANK.extend(&value, digest));
    assert_eq!(uki.pcr9(BANK), Ok(value));
}

#[test]
fn what_the_stub_adds_to_the_initrd_is_named() {
    let refused = |version: &str, name: &'static str| {
        let bytes = uki(version, &[(name, b"x")]);
        Uki::parse(&bytes).expect("an image").pcr9(BANK)
    };
    for (version, name) in [
        ("256", ".ucode"),
        ("252", ".pcrsig"),
        ("252", ".pcrpkey"),
        ("257", ".osrel"),
        ("257", ".profile"),
    ] {
        assert_eq!(refused(version, name), Err(UkiFault::Added(name)));
    }
    assert!(refused("256", ".osrel").is_ok());
}

#[test]
fn what_the_machine_decides_is_refused() {
    for (version, section) in [("257", ".dtbauto"), ("257", ".hwids"), ("258", ".efifw")] {
        let bytes = uki(version, &[(section, b"x")]);
        let uki = Uki::parse(&bytes).expect("an image");
        let pcr = "PCR 11";
        assert_eq!(
            uki.pcr11_events(BANK),
            Err(UkiFault::Machine { section, pcr })
        );
    }
    let twice = uki("257", &[(".profile", b"x"), (".profile", b"y")]);
    assert_eq!(
        Uki::parse(&twice),
        Err(UkiFault::Repeated(".profile".to_owned()))
    );
    // A stub that does not know the section does not look at it.
    let older = uki("256", &[(".profile", b"x"), (".profile", b"y")]);
    assert!(Uki::parse(&older).is_ok());
}

#[test]
fn images_that_are_no_unified_kernel_are_refused() {
    let fault = |bytes: &[u8]| Uki::parse(bytes).expect_err("refused");
    assert_eq!(fault(&image(&[(".text", b"x")])), UkiFault::NoStub);
    assert_eq!(
        fault(&image(&[(".sdmagic", b"#### LoaderInfo: grub 2 ####")])),
        UkiFault::NoStub
    );
    let old = magic("251.1");
    assert_eq!(fault(&image(&[(".sdmagic", &old)])), UkiFault::Version(251));
    let new = magic("255.1");
    assert_eq!(
        fault(&image(&[(".sdmagic", &new)])),
        UkiFault::Missing(".linux")
    );
    let no_kernel = image(&[(".sdmagic", &new), (".linux", b"no image")]);
    let no_kernel = Uki::parse(&no_kernel).expect("an image");
    assert!(matches!(no_kernel.pcr4(BANK), Err(UkiFault::Malformed(_))));
    let latin = image(&[(".sdmagic", &new), (".cmdline", b"\xff"), (".linux", b"x")]);
    let latin = Uki::parse(&latin).expect("an image");
    assert_eq!(latin.pcr9(BANK), Err(UkiFault::CommandLine));
}

#[test]
fn authenticode_leaves_out_checksum_and_certificates() {
    let plain = image(&[(".text", b"one"), (".data", b"two")]);
    let digest = |bytes: &[u8]| Image::parse(bytes).expect("an image").authenticode(BANK);
    // By hand: the checksum is at 64 + 24 + 64, the certificate table's entry at 64 + 24 + 112 + 32.
    let parts = [&plain[..152], &plain[156..232], &plain[240..]].concat();
    assert_eq!(digest(&plain), BANK.digest(&parts));
    let mut signed = plain.clone();
    let table = u32::try_from(plain.len()).unwrap();
    signed[232..236].copy_from_slice(&table.to_le_bytes());
    signed[236..240].copy_from_slice(&16_u32.to_le_bytes());
    signed.extend([7; 16]);
    signed[152] ^= 1;
    assert_eq!(digest(&signed), digest(&plain));
    // Bytes behind the last section count.
    let mut longer = plain.clone();
    longer.extend([7; 16]);
    assert_ne!(digest(&longer), digest(&plain));
    // So does every other byte.
    for at in (0..plain.len()).filter(|at| !(152..156).contains(at) && !(232..240).contains(at)) {
        let mut changed = plain.clone();
        changed[at] ^= 1;
        if let Ok(image) = Image::parse(&changed) {
            assert_ne!(image.authenticode(BANK), digest(&plain), "{at}");
        }
    }
}

#[test]
fn images_whose_parts_overlap_or_lie_outside_are_refused() {
    let good = image(&[(".text", b"one"), (".data", b"two")]);
    let changed = |at: usize, bytes: &[u8]| {
        let mut image = good.clone();
        image[at..at + bytes.len()].copy_from_slice(bytes);
        Image::parse(&image).map(|_| ()).map_err(|error| error.what)
    };
    let table = 64 + 24 + 240;
    assert_eq!(changed(0, b"ZM"), Err("DOS header"));
    assert_eq!(
        changed(60, &[0xff; 4]),
        Err("everything before the PE header")
    );
    assert_eq!(changed(64, b"NE"), Err("PE header"));
    assert_eq!(changed(70, &[0xff; 2]), Err("bytes of a section"));
    assert_eq!(changed(88, &[7, 1]), Err("magic of the optional header"));
    assert_eq!(changed(88 + 60, &[0, 0, 0, 0]), Err("size of the headers"));
    assert_eq!(changed(88 + 60, &[0xff; 4]), Err("size of the headers"));
    assert_eq!(
        changed(table + 20, &1536_u32.to_le_bytes()),
        Err("bytes of a section")
    );
    assert_eq!(
        changed(table + 20, &512_u32.to_le_bytes()),
        Err("bytes of a section")
    );
    assert_eq!(changed(table + 16, &[0xff; 4]), Err("bytes of a section"));
    assert_eq!(changed(236, &[1, 0, 0, 0]), Err("certificate table"));
    for end in 0..good.len() {
        assert!(Image::parse(&good[..end]).is_err(), "{end}");
    }
}

#[test]
fn a_section_is_measured_as_it_is_loaded() {
    let section = |size: usize, raw: &'static [u8]| Section {
        name: ".x".to_owned(),
        size,
        at: 0,
        raw,
    };
    assert_eq!(section(2, b"abcd").digest(BANK), Ok(BANK.digest(b"ab")));
    assert_eq!(
        section(6, b"abcd").digest(BANK),
        Ok(BANK.digest(b"abcd\0\0"))
    );
    let long = [b"abcd".as_slice(), &[0; 9000]].concat();
    assert_eq!(section(9004, b"abcd").digest(BANK), Ok(BANK.digest(&long)));
    assert!(section(usize::MAX, b"abcd").digest(BANK).is_err());
}
