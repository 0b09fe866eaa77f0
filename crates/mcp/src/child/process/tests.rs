use super::*;

#[test]
fn the_tail_keeps_what_came_last() {
    let mut tail = Tail::default();
    tail.push(&[b'a'; KEPT]);
    tail.push(b"bc");
    assert_eq!(tail.bytes.len(), KEPT);
    assert!(tail.bytes.ends_with(b"aabc"));
    tail.push(&[b'd'; 3 * KEPT]);
    assert_eq!(tail.bytes, [b'd'; KEPT]);
    assert_eq!(tail.total, 4 * 4096 + 2);
}
