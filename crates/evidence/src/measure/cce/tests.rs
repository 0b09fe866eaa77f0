use super::*;

const TEXT: &[u8] = b"package policy\n\nx := 1\n";

#[test]
fn the_text_is_hashed_as_it_is() {
    let found = host_data(TEXT).expect("a policy");
    assert_eq!(found.form, Form::Text);
    assert_eq!(found.policy, TEXT);
    assert_eq!(found.digest, Sha256Digest::of(TEXT));
    let commented = [b"# made by a tool\n", TEXT].concat();
    assert_eq!(
        host_data(&commented).expect("a policy").digest,
        Sha256Digest::of(&commented)
    );
}

#[test]
fn base64_is_decoded_before_it_is_hashed() {
    for text in [STANDARD.encode(TEXT), STANDARD.encode(TEXT) + "\r\n"] {
        let found = host_data(text.as_bytes()).expect("a policy");
        assert_eq!(found.form, Form::Base64);
        assert_eq!(found.digest, Sha256Digest::of(TEXT));
        assert!(found.form.as_str().contains("decoded before"));
    }
}

#[test]
fn what_no_report_carries_is_not_hashed() {
    let twice = STANDARD.encode(STANDARD.encode(TEXT));
    assert_eq!(host_data(twice.as_bytes()), Err(CceError::Twice));
    for other in [
        &b""[..],
        b"package other\n",
        b"{}",
        b"cGFja2FnZSBwb2xpY3k",
        STANDARD.encode(b"hello").as_bytes(),
        &[0xff, 0xfe],
    ] {
        assert_eq!(host_data(other), Err(CceError::NotPolicy));
    }
}

#[test]
fn real_policies_have_the_host_data_of_their_reports() {
    use crate::azure::tests::vectors::shared;
    let (Some(sidecar), Some(report)) = (
        shared("azure/aci-sidecar-2023/uvm_security_policy.base64"),
        shared("azure/aci-sidecar-2023/snp_report.bin"),
    ) else {
        return;
    };
    let found = host_data(&sidecar).expect("a policy");
    assert_eq!(found.digest.as_bytes().as_slice(), &report[0xc0..0xe0]);
}
