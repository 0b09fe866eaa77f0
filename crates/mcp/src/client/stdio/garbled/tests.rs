use super::*;

#[test]
fn an_id_is_found_where_servers_put_it() {
    let find = |text: &str| find_id(text.as_bytes(), text.as_bytes());
    assert_eq!(find(r#"{"jsonrpc":"2.0","id":12,"result":{"#), Some(12));
    assert_eq!(
        find(r#"{"jsonrpc": "2.0", "id": 12, "result": {"#),
        Some(12)
    );
    assert_eq!(find(r#"{"id":7,"jsonrpc":"2.0","result":"x"#), Some(7));
    assert_eq!(
        find_id(br#"{"result":{"id":99"#, br#"99}},"jsonrpc":"2.0","id":5}"#),
        Some(5)
    );
    assert_eq!(
        find_id(br#"{"result":{"#, br#"},"id":5,"jsonrpc":"2.0"}"#),
        Some(5)
    );
}

#[test]
fn what_stands_inside_is_not_the_id() {
    for text in [
        "",
        "debug",
        r#"{"result":{"id":5"#,
        r#"{"jsonrpc":"2.0","id":"5","result"#,
        r#"{"id":-1,"#,
    ] {
        assert_eq!(find_id(text.as_bytes(), text.as_bytes()), None, "{text}");
    }
}
