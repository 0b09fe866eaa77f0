use super::{Field, ShowError, show};
use crate::{
    Endorsements, Evidence, Part, Platform,
    wire::{Content, recognise, vectors::shared},
};

fn fields(name: &str) -> Option<Vec<Field>> {
    let bytes = shared(name)?;
    let recognised = recognise(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let Content::Evidence(collected) = recognised.content else {
        panic!("{name}")
    };
    let shown = show(&collected.evidence, &collected.endorsements);
    Some(shown.unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn value<'a>(fields: &'a [Field], name: &str) -> &'a str {
    let found = fields.iter().find(|field| field.name == name);
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    &found
        .unwrap_or_else(|| panic!("no `{name}` in {names:?}"))
        .value
}

#[test]
fn captured_evidence_of_each_kind_is_shown_field_by_field() {
    let known = [
        (
            "snp/attestation-rs-live-evidence-genoa.json",
            "report.version",
            "5",
        ),
        ("tdx/dstack-quote-report.json", "quote.version", "4"),
        ("sgx/dcap-qvl-sgx_quote", "quote.version", "3"),
        (
            "azure-vtpm/attestation-rs-az-tdx-live-evidence.json",
            "platform",
            "azure-tdx",
        ),
        ("nvidia/nvtrust-ppcie-gpu_evidence.json", "platform", "gpu"),
        ("nitro/dstack-nitro_attestation.bin", "platform", "nitro"),
        ("azure/maa/cvm-sharedeus2-2025-12.jwt", "platform", "maa"),
        (
            "azure-vtpm/trustee-az-snp-tpm-quote-v1.json",
            "platform",
            "tpm",
        ),
        ("nvidia/dstack-nvat-h100-claims.json", "platform", "nras"),
    ];
    for (name, field, expected) in known {
        let Some(fields) = fields(name) else { return };
        assert_eq!(value(&fields, field), expected, "{name}");
        assert!(fields.len() > 8, "{name}: {}", fields.len());
    }
}

#[test]
fn endorsements_are_shown_and_those_that_cannot_be_read_are_too() {
    let Some(collateral) = shared("tdx/dcap-qvl-tdx_quote_collateral.json") else {
        return;
    };
    let endorsements = Endorsements {
        certificates: vec![
            shared("snp/sev-crate-milan-vcek.der").expect("a certificate"),
            vec![0x30],
        ],
        crls: vec![shared("tdx/go-tdx-guest-pckcrl").expect("a list"), vec![]],
        intel: vec![collateral, b"{}".to_vec()],
        key_sets: vec![
            shared("azure/maa/sharedeus2-jwks-recovered.json").expect("keys"),
            vec![],
        ],
        ocsp: vec![vec![1, 2]],
        policies: vec![b"package policy".to_vec()],
        rims: vec![
            shared("nvidia/nvtrust-Driver_RIM_test_no_gpu.swidtag").expect("a manifest"),
            vec![],
        ],
        uvm: vec![
            shared("azure/aci-sidecar-2023/body.uvm_reference_info.bin").expect("an endorsement"),
            vec![],
        ],
    };
    let fields = show(&Evidence::new(Platform::Software), &endorsements).expect("fields");
    assert_eq!(value(&fields, "certificates[0]"), "SEV-VCEK");
    assert_eq!(
        value(&fields, "intel[0].tcb_info").split(' ').next(),
        Some("TDX")
    );
    assert_eq!(value(&fields, "key_sets[0]"), "1 keys");
    assert_eq!(value(&fields, "ocsp[0]"), "2 bytes");
    for name in [
        "certificates[1]",
        "crls[1]",
        "intel[1]",
        "key_sets[1]",
        "rims[1]",
        "uvm[1]",
    ] {
        assert_eq!(value(&fields, name), "unreadable", "{name}");
    }
    for list in ["crls[0]", "policies[0]", "rims[0]", "uvm[0]"] {
        assert!(
            fields
                .iter()
                .any(|field| field.name.starts_with(list) && field.value != "unreadable"),
            "{list}"
        );
    }
}

#[test]
fn a_part_that_cannot_be_read_is_named() {
    let parts = [
        (Platform::Snp, Part::Report),
        (Platform::Gpu, Part::Report),
        (Platform::Tdx, Part::Quote),
        (Platform::Nitro, Part::Document),
        (Platform::AzureSnp, Part::HclReport),
        (Platform::Maa, Part::Token),
        (Platform::Tdx, Part::EventLog),
        (Platform::Tpm, Part::EventLog),
        (Platform::Tpm, Part::Attest),
        (Platform::Tpm, Part::AkPublic),
    ];
    for (platform, part) in parts {
        let shown = show(
            &Evidence::new(platform).with(part, *b"?"),
            &Endorsements::default(),
        );
        assert!(
            matches!(shown, Err(ShowError { part: found, .. }) if found == part),
            "{platform} {part:?}"
        );
    }
}

#[test]
fn bytes_without_a_format_of_their_own_are_shown_as_they_are() {
    let show = |bytes: &[u8]| {
        let evidence = Evidence::new(Platform::Aci).with(Part::RuntimeData, bytes);
        show(&evidence, &Endorsements::default()).expect("fields")[1]
            .value
            .clone()
    };
    assert_eq!(show(br#"{"keys":[]}"#), r#"{"keys":[]}"#);
    assert_eq!(show(b"a\x1b[0m"), "611b5b306d");
    assert_eq!(show(&[0xff]), "ff");
}
