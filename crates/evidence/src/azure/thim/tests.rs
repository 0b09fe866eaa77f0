use super::*;
use crate::azure::tests::vectors::shared;

#[test]
fn the_files_of_a_security_context_are_read() {
    let read = |name: &str| shared(&format!("azure/aci-security-context/{name}"));
    let (Some(certificates), Some(uvm), Some(policy)) = (
        read("host-amd-cert-base64"),
        read("reference-info-base64"),
        read("security-policy-base64"),
    ) else {
        return;
    };
    let context = SecurityContext {
        host_amd_cert: &certificates,
        reference_info: &uvm,
        security_policy: &policy,
    };
    let endorsements = context.endorsements().expect("endorsements");
    assert_eq!(endorsements.certificates.len(), 3);
    assert_eq!(endorsements.uvm.len(), 1);
    assert_eq!(
        crate::Sha256Digest::of(&endorsements.policies[0]).hex(),
        "4f4448c67f3c8dfc8de8a5e37125d807dadcc41f06cf23f615dbd52eec777d10"
    );
    let host = HostCertificates::parse(&decode("", &certificates).expect("base64"));
    // The service writes 7308000000000003; a report has it the other way round.
    assert_eq!(host.expect("certificates").tcb, [3, 0, 0, 0, 0, 0, 8, 0x73]);
    let broken = SecurityContext {
        reference_info: b"***",
        ..context
    };
    assert_eq!(
        broken.endorsements(),
        Err(ThimError::Base64("reference-info-base64"))
    );
}

#[test]
fn the_json_of_the_metadata_service_is_the_same_without_base64() {
    let Some(json) = shared("azure/aci-sidecar-2023/uvm_host_amd_certificate.json") else {
        return;
    };
    let host = HostCertificates::parse(&json).expect("certificates");
    assert_eq!(host.tcb, [3, 0, 0, 0, 0, 0, 8, 0x73]);
    assert_eq!(host.certificates.len(), 3);
}

#[test]
fn members_of_another_form_are_refused() {
    let pem = crate::forge::pem("CERTIFICATE", &[0x30, 0]).replace('\n', "\\n");
    let good = format!(
        r#"{{"vcekCert":"{pem}","tcbm":"DB18000000000004","certificateChain":"{pem}{pem}"}}"#
    );
    let host = HostCertificates::parse(good.as_bytes()).expect("certificates");
    assert_eq!(host.tcb, [4, 0, 0, 0, 0, 0, 0x18, 0xdb]);
    for (from, to, name) in [
        ("vcekCert", "x", "vcekCert"),
        ("certificateChain", "x", "certificateChain"),
        ("tcbm", "x", "tcbm"),
        ("DB18000000000004", "DB180000000004", "tcbm"),
        ("DB18000000000004", "zz18000000000004", "tcbm"),
        (
            "\"vcekCert\":\"-----BEGIN",
            "\"vcekCert\":\"-----BEGINN",
            "vcekCert",
        ),
    ] {
        let text = good.replace(from, to);
        assert_ne!(text, good);
        match HostCertificates::parse(text.as_bytes()) {
            Err(ThimError::Member(found, _)) => assert_eq!(found, name),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        HostCertificates::parse(b"{"),
        Err(ThimError::Json(_))
    ));
    let member = Err(ThimError::Member("vcekCert", "is not there or not a text"));
    assert_eq!(HostCertificates::parse(b"[]"), member);
}

#[test]
fn b27_base64_has_one_spelling() {
    for text in [
        "AA",
        "AA=",
        "AAA==",
        "AB==",
        "A-A=",
        "AA==\nAA==",
        " AAA=",
        "AAAA=",
    ] {
        assert_eq!(
            decode("x", text.as_bytes()),
            Err(ThimError::Base64("x")),
            "{text}"
        );
    }
    assert_eq!(decode("x", b"AAE=\n"), Ok(vec![0, 1]));
}
