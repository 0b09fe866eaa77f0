use serde_json::json;

use super::*;

#[test]
fn paths_are_replaced_by_what_stands_there() {
    let scope = json!({"user": {"content": {"name": "Zoë", "age": 7}}});
    assert_eq!(
        filled_text("{user.content.name}: {user.content} {user.action}", &scope),
        "Zoë: {\"age\":7,\"name\":\"Zoë\"} nothing"
    );
    assert_eq!(
        filled(&json!([{"text": "{user.content.age}", "n": 1}]), &scope),
        json!([{"text": "7", "n": 1}])
    );
}

#[test]
fn what_is_put_in_is_not_read_again() {
    let scope = json!({"a": "{b}", "b": "secret"});
    assert_eq!(filled_text("{a}{", &scope), "{b}{");
}
