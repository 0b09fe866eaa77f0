use super::*;
use crate::server::harness::params;

#[test]
fn a_cursor_is_a_string_and_the_empty_one_is_a_cursor() {
    assert_eq!(cursor(&params("{}")), Ok(None));
    assert_eq!(cursor(&params(r#"{"cursor":""}"#)), Ok(Some("")));
    assert_eq!(cursor(&params(r#"{"cursor":"a"}"#)), Ok(Some("a")));
    for text in [r#"{"cursor":null}"#, r#"{"cursor":1}"#] {
        assert_eq!(cursor(&params(text)), Err(InvalidParams::Cursor));
    }
}

#[test]
fn uris_and_levels_are_strings_and_nothing_is_coerced() {
    assert_eq!(uri(&params(r#"{"uri":"file:///a b"}"#)), Ok("file:///a b"));
    assert_eq!(
        level(&params(r#"{"level":"warning"}"#)),
        Ok(LogLevel::Warning)
    );
    for text in [
        "{}",
        r#"{"uri":1,"level":"loud"}"#,
        r#"{"level":"Warning"}"#,
    ] {
        assert_eq!(uri(&params(text)), Err(InvalidParams::Uri));
        assert_eq!(level(&params(text)), Err(InvalidParams::Level));
    }
}

#[test]
fn what_a_request_is_repeated_with_keeps_its_bytes() {
    let first = retry(&params("{}")).unwrap();
    assert!(first.responses.is_none() && first.state.is_none() && first.responses_bytes.is_none());
    let again = retry(&params(
        r#"{"inputResponses": {"k": {"action":"accept" }},"requestState":"s\n"}"#,
    ))
    .unwrap();
    assert_eq!(
        again.responses_bytes.unwrap(),
        r#"{"k": {"action":"accept" }}"#
    );
    assert!(again.responses.unwrap().contains_key("k"));
    assert_eq!(again.state.as_deref(), Some("s\n"));
    for (text, error) in [
        (r#"{"inputResponses":[]}"#, InvalidParams::InputResponses),
        (r#"{"inputResponses":null}"#, InvalidParams::InputResponses),
        (r#"{"requestState":{}}"#, InvalidParams::RequestState),
    ] {
        assert_eq!(retry(&params(text)).unwrap_err(), error);
    }
}
