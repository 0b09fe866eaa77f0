//! What `show` tells of a quote.

use super::forge::Mint;
use crate::dcap::show;

#[test]
fn every_byte_of_the_body_belongs_to_a_field() {
    for (mint, length) in [(Mint::tdx(), 584), (Mint::tdx5(4), 885)] {
        let begin = mint.signed().len() - length;
        let bytes = mint.quote();
        let fields = show(&bytes).unwrap();
        let mut places: Vec<usize> = fields.iter().filter_map(|field| field.at).collect();
        places.sort_unstable();
        places.dedup();
        for (place, next) in places.iter().zip(places.iter().skip(1)) {
            let field = fields
                .iter()
                .find(|field| field.at == Some(*place))
                .unwrap();
            if (begin..begin + length).contains(place)
                && !field.value.starts_with("0x")
                && field.value.len() > 3
            {
                assert_eq!(
                    field.value.len() / 2,
                    next.min(&(begin + length)) - place,
                    "{}",
                    field.name
                );
            }
        }
    }
}

#[test]
fn fields_stand_where_they_are_and_say_what_they_hold() {
    let bytes = Mint::tdx5(4).quote();
    let fields = show(&bytes).unwrap();
    let value = |name: &str| {
        let field = fields.iter().find(|field| field.name == name).unwrap();
        (field.at, field.value.clone())
    };
    assert_eq!(value("quote.version"), (Some(0), "5".to_owned()));
    assert_eq!(value("quote.mrtd"), (Some(54 + 136), "11".repeat(48)));
    assert_eq!(value("quote.rtmr3"), (Some(54 + 472), "a3".repeat(48)));
    assert_eq!(value("quote.td_id"), (Some(54 + 649), "1d".repeat(32)));
    assert_eq!(value("pck.fmspc"), (None, "00a06d080000".to_owned()));
    assert_eq!(value("pck.smt"), (None, "no".to_owned()));
    let attributes = fields
        .iter()
        .find(|field| field.name == "quote.td_attributes")
        .unwrap();
    assert_eq!(attributes.says, "SEPT_VE_DISABLE");
    let certificates = fields
        .iter()
        .filter(|field| field.name.starts_with("quote.certificates."));
    assert_eq!(certificates.count(), 3);
}

#[test]
fn bits_without_a_name_and_reserved_bytes_are_shown() {
    let mut mint = Mint::sgx();
    mint.body[49] = 0x80;
    mint.body[20] = 1;
    let fields = show(&mint.quote()).unwrap();
    let attributes = fields
        .iter()
        .find(|field| field.name == "quote.report.attributes")
        .unwrap();
    assert_eq!(
        attributes.says,
        "INIT, MODE64BIT, bit 15, which has no name here"
    );
    assert!(
        fields
            .iter()
            .any(|field| field.name == "quote.report.reserved" && field.at == Some(48 + 20))
    );
}
