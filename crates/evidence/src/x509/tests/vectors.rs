//! Captured certificates and lists.

use std::path::Path;

use super::*;

/// The bytes of a captured file, when the shared folder is here.
fn vector(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors")
        .join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            panic!("{}: {error}", path.display())
        }
        Err(_) => {
            eprintln!("skipped: ../shared is not here");
            None
        }
    }
}

fn pem(name: &str) -> Option<Vec<Certificate>> {
    let ders = all_from_pem(&vector(name)?).unwrap();
    Some(ders.iter().map(|der| read(der)).collect())
}

fn names(path: &[Certificate]) -> Vec<String> {
    path.iter().map(Certificate::name).collect()
}

#[test]
fn a_milan_vcek_leads_to_its_root_and_to_no_other() {
    let Some(chain) = pem("snp/sev-crate-milan-cert_chain.pem") else {
        return;
    };
    let vcek = read(&vector("snp/sev-crate-milan-vcek.der").unwrap());
    let roots = pem("snp/amd-milan-ark.pem").unwrap();
    let rules = ChainRules::at(at("2026-01-01T00:00:00Z"));
    let path = verify_chain(&vcek, &chain, &roots, &rules).unwrap();
    assert_eq!(names(&path), ["SEV-VCEK", "SEV-Milan", "ARK-Milan"]);
    assert_eq!(vcek.serial(), [0]);
    assert!(vcek.extension("1.3.6.1.4.1.3704.1.4").is_some());
    let genoa = pem("snp/amd-genoa-ark.pem").unwrap();
    assert!(matches!(
        verify_chain(&vcek, &chain, &genoa, &rules),
        Err(ChainError::Loop { .. })
    ));
    let late = ChainRules::at(at("2031-01-01T00:00:00Z"));
    assert!(matches!(
        verify_chain(&vcek, &chain, &roots, &late),
        Err(ChainError::Expired { subject, .. }) if subject == "SEV-VCEK"
    ));
}

#[test]
fn turin_and_genoa_leaves_lead_to_their_roots() {
    let Some(turin) = vector("snp/sev-crate-turin-vcek.der") else {
        return;
    };
    let genoa = vector("snp/attestation-rs-live-vcek-genoa.der").unwrap();
    let rules = ChainRules::at(at("2026-06-01T00:00:00Z"));
    for (leaf, product) in [(turin, "turin"), (genoa, "genoa")] {
        let ask = pem(&format!("snp/amd-{product}-ask.pem")).unwrap();
        let ark = pem(&format!("snp/amd-{product}-ark.pem")).unwrap();
        let path = verify_chain(&read(&leaf), &ask, &ark, &rules).unwrap();
        assert_eq!(path.len(), 3);
    }
}

#[test]
fn self_made_vceks_are_refused() {
    let Some(chain) = pem("snp/trustee-milan_ask_ark_asvk.pem") else {
        return;
    };
    let roots = pem("snp/amd-milan-ark.pem").unwrap();
    for name in ["legacy", "new"] {
        let der = vector(&format!("snp/trustee-test-vcek-invalid-{name}.der")).unwrap();
        let unchecked = ChainRules {
            validity: Validity::NotChecked { why: "a test" },
            ..ChainRules::at(at(NOW))
        };
        let refused = match Certificate::from_der(&der) {
            Ok(leaf) => verify_chain(&leaf, &chain, &roots, &unchecked).is_err(),
            Err(_) => true,
        };
        assert!(refused);
    }
}

#[test]
fn an_azure_attestation_key_leads_to_the_root_of_2023() {
    let folder = "azure-vtpm/azure-tdx-with-ak-intermediates-1780922561";
    let Some(leaf) = pem(&format!("{folder}/ak_cert.pem")) else {
        return;
    };
    let mut others = pem(&format!("{folder}/ak_intermediate_0.pem")).unwrap();
    others.extend(pem(&format!("{folder}/ak_intermediate_1.pem")).unwrap());
    let roots = pem("azure-vtpm/flashbots-azure-virtual-tpm-root-2023.pem").unwrap();
    let rules = ChainRules::at(at("2026-06-09T00:00:00Z"));
    let path = verify_chain(&leaf[0], &others, &roots, &rules).unwrap();
    assert_eq!(path.len(), 4);
    assert!(
        leaf[0]
            .extended_key_usages()
            .contains(&"2.23.133.8.3".to_owned())
    );
    let early = ChainRules::at(at("2026-06-07T23:59:59Z"));
    assert!(matches!(
        verify_chain(&leaf[0], &others, &roots, &early),
        Err(ChainError::NotYetValid { .. })
    ));
}

#[test]
fn google_authorities_lead_to_their_root() {
    let Some(root) = vector("tpm/go-tpm-tools-gcp_ek_ak_ca_root.crt") else {
        return;
    };
    let intermediate = vector("tpm/go-tpm-tools-gcp_ek_ak_ca_intermediate_v3.crt").unwrap();
    let (root, intermediate) = ([read(&root)], read(&intermediate));
    let rules = ChainRules {
        leaf: LeafUse::Any,
        ..ChainRules::at(at("2026-01-01T00:00:00Z"))
    };
    assert_eq!(
        verify_chain(&intermediate, &[], &root, &rules)
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_gpu_leads_over_five_certificates_to_its_root_and_broken_chains_do_not() {
    let Some(chain) = pem("nvidia/nvtrust-hopperCertChain.txt") else {
        return;
    };
    let roots = pem("nvidia/nvidia_device_root.pem").unwrap();
    let rules = ChainRules::at(at("2026-01-01T00:00:00Z"));
    let path = verify_chain(&chain[0], &chain[1..], &roots, &rules).unwrap();
    assert_eq!(path.len(), 5);
    let broken = pem("nvidia/trustee-hopper_cert_chain_case3.txt").unwrap();
    assert!(verify_chain(&broken[0], &broken[1..], &roots, &rules).is_err());
}

#[test]
fn real_tls_certificates_sign_themselves() {
    let Some(gramine) = vector("ratls-certs/gramine-cert.der") else {
        return;
    };
    let rats_tls = vector("ratls-certs/rats-tls-cert.der").unwrap();
    let rats_rs = vector("ratls-certs/rats-rs-demo-sgx-cert.der").unwrap();
    for der in [&gramine, &rats_tls, &rats_rs] {
        let certificate = read(der);
        assert_eq!(certificate.verify_signed_by(&certificate), Ok(()));
        assert!(certificate.extension("2.23.133.5.4.9").is_some());
    }
    let legacy = read(&gramine);
    let legacy = legacy.extension("0.6.9.42.840.113741.1337.6").unwrap();
    assert_eq!(legacy.len(), 4734);
}

#[test]
fn the_lists_of_intel_are_read_and_verified() {
    let Some(collateral) = vector("tdx/dcap-qvl-tdx_quote_collateral.json") else {
        return;
    };
    let collateral = cmcp_json::parse(&collateral, &cmcp_json::Limits::DOCUMENT).unwrap();
    let text = |name: &str| collateral.get(name).unwrap().as_str().unwrap();
    let list = crate::hex::decode(text("pck_crl")).unwrap();
    let root = crate::hex::decode(text("root_ca_crl")).unwrap();
    let chain = all_from_pem(text("pck_crl_issuer_chain").as_bytes()).unwrap();
    let list = Crl::from_der(&list).unwrap();
    assert_eq!(list.verify(&read(&chain[0])), Ok(()));
    assert!(list.verify(&read(&chain[1])).is_err());
    assert!(list.len() > 1);
    let mut outer = Der::new(list.der()).sequence("list").unwrap();
    let mut fields = outer.sequence("tbs").unwrap();
    fields.number("version").unwrap();
    fields.sequence("algorithm").unwrap();
    fields.sequence("issuer").unwrap();
    fields.time("this").unwrap();
    fields.time("next").unwrap();
    let mut revoked = fields.sequence("revoked").unwrap();
    let first = revoked
        .sequence("entry")
        .unwrap()
        .integer("serial")
        .unwrap();
    assert!(list.lists(first));
    let root = Crl::from_der(&root).unwrap();
    assert_eq!(root.verify(&read(&chain[1])), Ok(()));
}

#[test]
fn every_root_that_is_shipped_is_one_certificate() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("roots");
    let Ok(files) = std::fs::read_dir(folder) else {
        return;
    };
    for file in files {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            let der = one_from_pem(&std::fs::read(&path).unwrap()).unwrap();
            let root = read(&der);
            assert!(root.is_ca() && root.verify_signed_by(&root).is_ok());
        }
    }
}
