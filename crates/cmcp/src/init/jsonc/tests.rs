use super::to_json;

#[test]
fn comments_and_trailing_commas_become_blanks() {
    let text = "{ // note\n  \"a\": [1, 2, /* two */ ],\n  \"b\": \"// no, [kept,]\",\n}";
    let json = to_json(text);
    assert_eq!(json.len(), text.len());
    let value = cmcp_json::parse(json.as_bytes(), &cmcp_json::Limits::REQUEST).unwrap();
    assert_eq!(value.to_string(), r#"{"a":[1,2],"b":"// no, [kept,]"}"#);
}

#[test]
fn places_stay_where_they_were() {
    let text = "{\n  /* ü */ \"a\": tru\n}";
    let json = to_json(text);
    assert_eq!(json.find("tru"), text.find("tru"));
}

#[test]
fn what_is_no_json_for_other_reasons_stays_so() {
    for text in ["{,}", "[1,,2]", "{\"a\" 1}", "[1] /* open", "[,1]"] {
        let json = to_json(text);
        let parsed = cmcp_json::parse(json.as_bytes(), &cmcp_json::Limits::REQUEST);
        let lenient = matches!(text, "{,}" | "[1] /* open");
        assert_eq!(parsed.is_ok(), lenient, "{text}");
    }
}
