use super::super::{
    forge::{Bench, DRIVER, Device, Manifest, VBIOS, rim_issuer, rim_root},
    policy::Comparison,
    *,
};
use crate::{
    Sha256Digest, Status,
    forge::{Alg, Authority, Key},
    nitro::forge::{failed, found},
    policy::{Pin, fields::Roots},
};

fn bench(rims: &[Manifest]) -> Bench {
    let mut bench = Bench::new();
    bench.rims = rims.iter().map(|rim| rim.signed().into_bytes()).collect();
    bench
}

pub(super) fn texts() -> [String; 2] {
    [Manifest::driver(), Manifest::vbios()].map(|rim| rim.signed())
}

/// What fails when the driver's manifest is another text.
pub(super) fn text(driver: &str) -> Vec<&'static str> {
    let mut bench = Bench::new();
    bench.rims[0] = driver.as_bytes().to_vec();
    failed(&bench.judge())
}

pub(super) const UNREADABLE: [&str; 6] = [
    "gpu.rim",
    "gpu.rim-signature",
    "gpu.rim-pins",
    "gpu.measurements",
    "gpu.debug",
    "gpu.secure-boot",
];

pub(super) fn fault(text: &str) -> String {
    Rim::parse(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn each_golden_measurement_is_compared() {
    for index in (0..=12).chain(20..=40) {
        let mut bench = Bench::new();
        bench.devices[0].measurements[index].1[47] ^= 1;
        let result = bench.judge();
        assert_eq!(
            failed(&result),
            ["gpu.measurements", "gpu.debug", "gpu.secure-boot"],
            "{index}"
        );
        assert!(found(&result, "gpu.measurements").contains(&format!("measurement {index} is ")));
        assert_eq!(result.claim("debug"), None);
    }
    for index in [13, 19, 41, 63] {
        let mut bench = Bench::new();
        bench.devices[0].measurements[index].1[47] ^= 1;
        assert_eq!(failed(&bench.judge()), [""; 0], "{index}");
    }
}

#[test]
fn a_measurement_that_is_missing_or_shorter_is_refused() {
    let mut bench = Bench::new();
    bench.devices[0].measurements.remove(40);
    let result = bench.judge();
    assert!(found(&result, "gpu.measurements").contains("measurement 40 is missing"));
    let mut bench = Bench::new();
    bench.devices[0].measurements[40].1.pop();
    assert!(failed(&bench.judge()).contains(&"gpu.measurements"));
}

#[test]
fn each_device_is_compared() {
    for place in [0, 1] {
        let mut bench = Bench::with(vec![Device::new("one"), Device::new("two")]);
        bench.devices[place].measurements[0].1.fill(9);
        let result = bench.judge();
        assert!(failed(&result).contains(&"gpu.measurements"), "{place}");
        assert!(failed(&result).contains(&"gpu.debug"), "{place}");
        assert!(failed(&result).contains(&"gpu.secure-boot"), "{place}");
    }
}

#[test]
fn one_of_several_golden_values_is_enough() {
    let mut bench = Bench::new();
    bench.devices[0].measurements[22].1.fill(0xee);
    assert_eq!(failed(&bench.judge()), [""; 0]);
    bench.devices[0].measurements[22].1.fill(0xef);
    assert!(failed(&bench.judge()).contains(&"gpu.measurements"));
}

#[test]
fn the_video_decoder_is_measured_only_where_it_is_on() {
    let mut bench = Bench::new();
    bench.devices[0].measurements[35].1.fill(0);
    assert!(failed(&bench.judge()).contains(&"gpu.measurements"));
    bench.devices[0] = bench.devices[0].clone().field(11, Some(&[0x55]));
    assert_eq!(failed(&bench.judge()), [""; 0]);
    bench.devices[0].measurements[34].1.fill(0);
    assert!(failed(&bench.judge()).contains(&"gpu.measurements"));
}

#[test]
fn manifests_that_both_claim_a_measurement_are_refused() {
    let mut vbios = Manifest::vbios();
    vbios.resources[20].1 = "True";
    vbios.resources[20].2 = vec![vec![20; 48]];
    let result = bench(&[Manifest::driver(), vbios]).judge();
    assert!(failed(&result).contains(&"gpu.measurements"));
    assert!(
        found(&result, "gpu.measurements").contains("both manifests say what measurement 20 is")
    );
}

#[test]
fn a_manifest_without_measurements_is_refused() {
    for place in [0, 1] {
        let mut rims = [Manifest::driver(), Manifest::vbios()];
        for resource in &mut rims[place].resources {
            resource.1 = "False";
        }
        let result = bench(&rims).judge();
        assert!(failed(&result).contains(&"gpu.measurements"), "{place}");
        assert!(
            found(&result, "gpu.measurements").contains("has no measurement"),
            "{place}"
        );
    }
}

#[test]
fn a_manifest_for_another_version_or_chip_or_none_is_refused() {
    let expected = [
        "gpu.rim",
        "gpu.measurements",
        "gpu.debug",
        "gpu.secure-boot",
    ];
    let changed = |change: fn(&mut Manifest), place: usize| {
        let mut rims = [Manifest::driver(), Manifest::vbios()];
        change(&mut rims[place]);
        failed(&bench(&rims).judge())
    };
    for place in [0, 1] {
        assert_eq!(
            changed(|rim| rim.version = "545.00".to_owned(), place),
            expected
        );
        assert_eq!(
            changed(|rim| rim.product = "GB100".to_owned(), place),
            expected
        );
        let mut without = Bench::new();
        without.rims.remove(place);
        assert_eq!(failed(&without.judge()), expected);
    }
    let mut none = Bench::new();
    none.rims.clear();
    assert_eq!(failed(&none.judge()), UNREADABLE);
    let [driver, vbios] = [Manifest::driver(), Manifest::vbios()];
    let twice = bench(&[driver.clone(), driver, vbios]);
    assert!(found(&twice.judge(), "gpu.rim").contains("several"));
    let mut many = Bench::new();
    many.rims = vec![many.rims[0].clone(); 33];
    assert!(failed(&many.judge()).contains(&"gpu.rim"));
}

#[test]
fn c07_a_manifest_that_is_about_no_device_is_named_and_changes_nothing() {
    let mut other = Manifest::driver();
    other.version = "545.00".to_owned();
    other.key = Key::p384("nobody");
    let result = bench(&[Manifest::driver(), other, Manifest::vbios()]).judge();
    assert_eq!(result.status, Status::Affirming);
    assert!(
        result
            .notes
            .iter()
            .any(|note| note.contains("545.00 on GH100 is not about any device"))
    );
}

#[test]
fn a_manifest_that_was_changed_is_refused() {
    let [driver, _] = texts();
    let value = "16".repeat(48);
    assert_eq!(
        text(&driver.replacen(&value, &"17".repeat(48), 1)).first(),
        Some(&"gpu.measurements")
    );
    for (from, to) in [
        ("tagId=\"0123\"", "tagId=\"0124\""),
        ("<ns0:Payload>\n", "<ns0:Payload>"),
        ("Measurement_20", "Measurement_21"),
        (" name=\"GH100\"", " name=\"GH100\" more=\"1\""),
    ] {
        assert!(driver.contains(from), "{from}");
        assert_eq!(
            text(&driver.replacen(from, to, 1)),
            ["gpu.rim-signature"],
            "{from}"
        );
    }
    // Another spelling of the same document is the same document.
    for (from, to) in [
        ("tagId=\"0123\"", "tagId='0123'"),
        ("tagId=\"0123\"", "tagId  =\n\"&#x30;123\""),
        ("></ns0:Meta>", "/>"),
        (
            "<SoftwareIdentity ",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SoftwareIdentity ",
        ),
    ] {
        assert!(driver.contains(from), "{from}");
        assert_eq!(text(&driver.replacen(from, to, 1)), [""; 0], "{from}");
    }
}

#[test]
fn a_manifest_whose_signature_is_changed_is_refused() {
    let [driver, vbios] = texts();
    let within = |text: &str, from: &str| {
        let (_, behind) = text.split_once(from).unwrap();
        behind.split('<').next().unwrap().to_owned()
    };
    for from in ["<ds:DigestValue>", "<ds:SignatureValue>"] {
        let (own, other) = (within(&driver, from), within(&vbios, from));
        assert_eq!(
            text(&driver.replacen(&own, &other, 1)),
            ["gpu.rim-signature"]
        );
        for broken in ["", "AA==", "not base64!", "QUJD"] {
            let codes = text(&driver.replacen(&own, broken, 1));
            assert!(codes.contains(&"gpu.rim-signature"), "{broken}: {codes:?}");
        }
    }
}

#[test]
fn a_manifest_that_another_key_signed_is_refused() {
    let mut driver = Manifest::driver();
    driver.key = Key::p384("nobody");
    let result = bench(&[driver, Manifest::vbios()]).judge();
    assert_eq!(failed(&result), ["gpu.rim-signature"]);
    let mut bench = Bench::new();
    bench.policy.rim_roots = Roots::Vendor;
    assert_eq!(failed(&bench.judge()), ["gpu.rim-signature"]);
    // The root for devices is not one for manifests.
    bench.policy.rim_roots = bench.policy.roots.clone();
    assert_eq!(failed(&bench.judge()), ["gpu.rim-signature"]);
}

#[test]
fn a_manifest_whose_certificate_is_not_valid_now_is_refused() {
    for (from, until) in [
        ("2020-01-01T00:00:00Z", "2026-05-01T11:59:59Z"),
        ("2026-05-01T12:00:01Z", "2040-01-01T00:00:00Z"),
    ] {
        let mut driver = Manifest::driver();
        driver.leaf = driver.leaf.validity(from, until);
        let result = bench(&[driver, Manifest::vbios()]).judge();
        assert_eq!(failed(&result), ["gpu.rim-signature"]);
    }
    let mut driver = Manifest::driver();
    driver.leaf = driver
        .leaf
        .validity("2020-01-01T00:00:00Z", "2026-05-02T00:00:00Z");
    let result = bench(&[driver, Manifest::vbios()]).judge();
    assert_eq!(result.not_after.unwrap().rfc3339(), "2026-05-02T00:00:00Z");
}

#[test]
fn manifests_are_known_by_digest_where_policy_lists_them() {
    let digests: Vec<Vec<u8>> = texts()
        .iter()
        .map(|text| Sha256Digest::of(text.as_bytes()).as_bytes().to_vec())
        .collect();
    let mut bench = Bench::new();
    bench.policy.rims = Pin::OneOf(digests.clone());
    assert_eq!(failed(&bench.judge()), [""; 0]);
    bench.policy.rims = Pin::OneOf(digests[..1].to_vec());
    assert_eq!(failed(&bench.judge()), ["gpu.rim-pins"]);
    // Unsigned, and listed.
    let mut driver = Manifest::driver();
    driver.key = Key::p384("nobody");
    let mut bench = Bench::new();
    bench.rims[0] = driver.signed().into_bytes();
    bench.policy.rim_signature = RimSignature::NotChecked;
    let listed = |text: &[u8]| Sha256Digest::of(text).as_bytes().to_vec();
    bench.policy.rims = Pin::OneOf(bench.rims.iter().map(|text| listed(text)).collect());
    assert_eq!(failed(&bench.judge()), [""; 0]);
    bench.policy.rims = Pin::OneOf(digests);
    assert_eq!(failed(&bench.judge()), ["gpu.rim-pins"]);
    assert_eq!(bench.policy.measurements, Comparison::Rim);
}

#[test]
fn the_issuer_of_manifests_has_to_be_an_authority() {
    let key = Key::p384("gpu rim issuer");
    let issuer = rim_issuer();
    let powerless = Authority {
        der: rim_root().issue(crate::forge::Cert::new(&issuer.name, &key).key_usage(0x80)),
        key,
        ..issuer.clone()
    };
    assert_eq!(powerless.alg, Alg::EcdsaSha384);
    let mut text = Manifest::driver().signed();
    let base64 = |der: &[u8]| {
        let pem = crate::forge::pem("X", der);
        pem.lines()
            .filter(|line| !line.starts_with('-'))
            .collect::<String>()
    };
    assert!(text.contains(&base64(&issuer.der)));
    text = text.replacen(&base64(&issuer.der), &base64(&powerless.der), 1);
    assert_eq!(self::text(&text), ["gpu.rim-signature"]);
}

#[test]
fn a_manifest_is_shown() {
    let fields = show_rim(Manifest::driver().signed().as_bytes()).unwrap();
    let value = |name: &str| {
        let found = fields.iter().find(|field| field.name == name);
        found.map(|field| field.value.clone()).unwrap_or_default()
    };
    assert_eq!(value("version"), DRIVER);
    assert_eq!(value("product"), "GH100");
    assert_eq!(value("golden.20"), "14".repeat(48));
    assert_eq!(
        value("golden.22"),
        format!("{} or {}", "ee".repeat(48), "16".repeat(48))
    );
    let vbios = show_rim(Manifest::vbios().signed().as_bytes()).unwrap();
    assert!(
        vbios
            .iter()
            .any(|field| field.name == "inactive" && field.value == "8")
    );
    assert!(vbios.iter().any(|field| field.value == VBIOS));
    assert!(show_rim(b"x").is_err());
}
