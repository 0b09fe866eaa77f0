//! No bytes make a parser panic, and none take long.

use proptest::prelude::*;

use super::{
    forged::{Endorsement, cce_policy},
    vm::{Vm, ak, runtime},
};
use crate::{
    azure::{HostCertificates, cce, did::Did, hcl, release, runtime::Runtime, uvm},
    measure::cce::host_data,
};

fn all(bytes: &[u8]) {
    let _ = hcl::parse(bytes);
    let _ = Runtime::parse(bytes);
    let _ = uvm::Uvm::parse(bytes);
    let _ = HostCertificates::parse(bytes);
    let _ = release::lint(bytes, &release::Context::default());
    let _ = host_data(bytes);
    let _ = cce::lint(bytes);
    let _ = Did::parse(&String::from_utf8_lossy(bytes));
}

/// What each parser takes.
fn whole() -> Vec<Vec<u8>> {
    vec![
        Vm::new().report(),
        runtime(&ak()).into_bytes(),
        Endorsement::new(uvm::Form::Cwt, &[5; 48]).signed(),
        Endorsement::new(uvm::Form::Json, &[5; 48]).signed(),
        cce_policy().into_bytes(),
        br#"{"version":"1.0.0","anyOf":[{"authority":"https://a","allOf":[{"claim":"a","equals":1}]}]}"#
            .to_vec(),
        b"did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.2".to_vec(),
    ]
}

proptest! {
    #[test]
    fn b28_bytes_of_any_kind_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        all(&bytes);
    }

    #[test]
    fn b28_texts_of_any_kind_are_read_or_refused(text in "(package policy\n)?[ -~\n]{0,200}") {
        all(text.as_bytes());
    }
}

#[test]
fn b28_good_input_cut_or_changed_anywhere_is_read_or_refused() {
    for whole in whole() {
        for index in (0..whole.len()).step_by(whole.len() / 61 + 1) {
            all(&whole[..index]);
            for byte in [0, 0x22, 0x7b, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[index] = byte;
                all(&changed);
            }
        }
    }
}

#[test]
fn b28_no_text_of_64_kib_takes_long() {
    let texts = [
        "a := [".repeat(10_922),
        format!("package policy\n{}", "a := 1\n".repeat(9_000)),
        format!("package policy\na := {}", "[".repeat(65_000)),
        format!("package policy\na := {{{}", "\"a\":{},".repeat(9_000)),
        format!("package policy\ncontainers := [{}]", "{},".repeat(20_000)),
        format!("package policy\n#{}", "\\\"".repeat(32_000)),
        format!("package policy\na := \"{}", "\\\\".repeat(32_000)),
    ];
    for text in texts {
        let start = std::time::Instant::now();
        all(text.as_bytes());
        // A hundred times what it takes, on a busy machine and without optimization.
        let took = start.elapsed();
        assert!(took.as_secs() < 2, "{took:?}");
    }
}
