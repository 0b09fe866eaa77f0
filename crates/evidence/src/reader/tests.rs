use super::*;

#[test]
fn reads_in_both_orders_and_says_where_it_stopped() {
    let mut reader = Reader::new(&[1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(reader.u16_le("a"), Ok(0x0201));
    assert_eq!(reader.u32_be("b"), Ok(0x0304_0506));
    assert_eq!(reader.read().len(), 6);
    let error = reader.u16_be("c").unwrap_err();
    assert_eq!(
        error.to_string(),
        "`c` at byte 6: expected 2 bytes, found 1 left"
    );
    assert!(reader.end("all").is_err());
    assert_eq!(reader.u8("d"), Ok(7));
    assert_eq!(reader.end("all"), Ok(()));
}

#[test]
fn a_length_beyond_all_memory_takes_nothing() {
    let mut reader = Reader::new(b"ab");
    assert!(reader.take("a", usize::MAX).is_err());
    assert_eq!(reader.left(), 2);
}
