use super::{Answers, CollateralError};
use crate::wire::vectors::shared;

fn answers() -> Answers<'static> {
    Answers {
        tcb_info: br#"{ "tcbInfo" : {"id":"TDX", "b":1, "a":[ 2 ]} ,"signature":"aabb"}"#,
        tcb_info_issuer_chain: b"chain 1",
        qe_identity: br#"{"enclaveIdentity":{"id":"TD_QE"},"signature":"ccdd"}"#,
        qe_identity_issuer_chain: b"chain 2",
        pck_crl: &[0x30, 1],
        pck_crl_issuer_chain: b"chain 3",
        root_ca_crl: &[0x30, 2],
    }
}

#[test]
fn what_is_signed_is_cut_out_as_it_is_spelled() {
    let json = answers().to_json().expect("collateral");
    let expected = concat!(
        r#"{"pck_crl_issuer_chain":"chain 3","root_ca_crl":"3002","pck_crl":"3001","#,
        r#""tcb_info_issuer_chain":"chain 1","tcb_info":"{\"id\":\"TDX\", \"b\":1, \"a\":[ 2 ]}","#,
        r#""tcb_info_signature":"aabb","qe_identity_issuer_chain":"chain 2","#,
        r#""qe_identity":"{\"id\":\"TD_QE\"}","qe_identity_signature":"ccdd"}"#,
    );
    assert_eq!(String::from_utf8(json).as_deref(), Ok(expected));
}

#[test]
fn answers_that_lack_something_are_refused_by_name() {
    let without = Answers {
        tcb_info: br#"{"tcbInfo":{}}"#,
        ..answers()
    };
    assert_eq!(
        without.to_json(),
        Err(CollateralError::Member {
            document: "TCB info",
            member: "signature"
        })
    );
    let without = Answers {
        qe_identity: br#"{"signature":"aa"}"#,
        ..answers()
    };
    assert_eq!(
        without.to_json(),
        Err(CollateralError::Member {
            document: "QE identity",
            member: "enclaveIdentity"
        })
    );
    let broken = Answers {
        tcb_info: b"{",
        ..answers()
    };
    assert!(matches!(
        broken.to_json(),
        Err(CollateralError::Json {
            document: "TCB info",
            ..
        })
    ));
    let chain = Answers {
        pck_crl_issuer_chain: &[0xff],
        ..answers()
    };
    assert!(matches!(chain.to_json(), Err(CollateralError::Text { .. })));
}

#[test]
fn captured_answers_become_the_collateral_that_others_made_of_them() {
    let name = "tdx/attestation-rs-collateral-";
    let file = |file: &str| shared(&format!("{name}{file}"));
    let Some(chain) = file("tcb_signing_chain.pem") else {
        return;
    };
    for fmspc in ["50806f000000", "90c06f000000"] {
        let made = Answers {
            tcb_info: &file(&format!("tcb_info_{fmspc}.json")).expect("TCB info"),
            tcb_info_issuer_chain: &chain,
            qe_identity: &file("td_qe_identity.json").expect("QE identity"),
            qe_identity_issuer_chain: &chain,
            pck_crl: &file("pck_crl_platform.der").expect("a list"),
            pck_crl_issuer_chain: &chain,
            root_ca_crl: &file("root_ca_crl.der").expect("a list"),
        };
        let made = made.to_json().expect("collateral");
        let theirs =
            shared(&format!("tdx/collateral-json/attestation-rs-{fmspc}.json")).expect("theirs");
        let read =
            |bytes: &[u8]| cmcp_json::parse(bytes, &cmcp_json::Limits::DOCUMENT).expect("JSON");
        let (made, theirs) = (read(&made), read(&theirs));
        for member in [
            "tcb_info",
            "tcb_info_signature",
            "qe_identity",
            "qe_identity_signature",
            "pck_crl",
            "root_ca_crl",
        ] {
            assert_eq!(made.get(member), theirs.get(member), "{member}");
        }
    }
}
