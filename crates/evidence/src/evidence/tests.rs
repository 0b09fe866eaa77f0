use super::*;

#[test]
fn a_part_that_is_there_twice_is_not_chosen_from() {
    let evidence = Evidence::new(Platform::Gpu)
        .with(Part::Report, *b"one")
        .with(Part::Report, *b"two");
    assert_eq!(evidence.part(Part::Report), None);
    assert_eq!(evidence.all(Part::Report).count(), 2);
    assert_eq!(evidence.part(Part::Quote), None);
}

#[test]
fn the_digest_of_one_part_is_that_of_its_bytes_and_of_more_covers_their_names() {
    let one = Evidence::new(Platform::Snp).with(Part::Report, *b"report");
    assert_eq!(one.digest(), Some(Sha256Digest::of(b"report")));
    let two = |first, second| {
        Evidence::new(Platform::Tpm)
            .with(first, *b"x")
            .with(second, *b"y")
            .digest()
    };
    assert_ne!(
        two(Part::Attest, Part::Signature),
        two(Part::Signature, Part::Attest)
    );
    assert_eq!(Evidence::new(Platform::Software).digest(), None);
}
