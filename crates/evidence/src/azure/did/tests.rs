use super::*;

#[test]
fn a_name_is_read_whole() {
    let name = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2";
    let did = Did::parse(name).expect("a name");
    assert_eq!(did.eku, "1.3.6.1.4.1.311.76.59.1.2");
    assert!(did.root.hex().starts_with("23ffe2b8"));
}

#[test]
fn what_is_not_checked_is_not_taken() {
    let digest = "I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s";
    let read = |rest: &str| Did::parse(&format!("did:x509:0:sha256:{rest}"));
    for demand in [
        "eku:",
        "eku:1",
        "eku:1..2",
        "eku:1.2::subject:CN:x",
        "subject:CN:x",
        "eku:1.2:3",
    ] {
        let refused = read(&format!("{digest}::{demand}"));
        assert_eq!(refused, Err(DidError::Demand(demand.to_owned())));
    }
    assert_eq!(read(digest), Err(DidError::Form));
    assert_eq!(read("AAAA::eku:1.2"), Err(DidError::Digest));
    assert_eq!(Did::parse("did:web:x"), Err(DidError::Form));
    let other = format!("did:x509:1:sha256:{digest}::eku:1.2");
    assert_eq!(Did::parse(&other), Err(DidError::Form));
}
