use http::{HeaderMap, HeaderValue, header};

use super::{Acceptance, EVENTS, JSON, MediaError, accepts, check_content};

fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    map
}

fn content(value: &str) -> Result<(), MediaError> {
    check_content(&headers(&[(header::CONTENT_TYPE, value)]))
}

#[test]
fn json_in_utf8_is_taken_in_every_spelling() {
    for value in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json; profile=x",
    ] {
        assert_eq!(content(value), Ok(()), "{value}");
    }
}

#[test]
fn another_type_a_missing_one_and_two_are_refused() {
    for value in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "",
    ] {
        assert_eq!(content(value), Err(MediaError::Type), "{value}");
    }
    assert_eq!(check_content(&HeaderMap::new()), Err(MediaError::Type));
    let two = [(header::CONTENT_TYPE, JSON), (header::CONTENT_TYPE, JSON)];
    assert_eq!(check_content(&headers(&two)), Err(MediaError::Type));
}

#[test]
fn another_character_set_is_refused_even_beside_the_right_one() {
    for value in [
        "application/json; charset=utf-16",
        "application/json; charset=utf-32le",
        "application/json; charset=utf-8; charset=latin1",
    ] {
        assert_eq!(content(value), Err(MediaError::Charset), "{value}");
    }
}

#[test]
fn a_compressed_body_is_refused_and_identity_is_not_compression() {
    for (encoding, expected) in [
        ("gzip", Err(MediaError::Encoding)),
        ("identity, br", Err(MediaError::Encoding)),
        ("nonsense", Err(MediaError::Encoding)),
        ("Identity", Ok(())),
    ] {
        let map = headers(&[
            (header::CONTENT_TYPE, JSON),
            (header::CONTENT_ENCODING, encoding),
        ]);
        assert_eq!(check_content(&map), expected, "{encoding}");
    }
}

#[test]
fn accept_counts_wildcards_weights_and_the_most_specific_range() {
    let said = |value: &str, kind| accepts(&headers(&[(header::ACCEPT, value)]), kind);
    assert_eq!(accepts(&HeaderMap::new(), JSON), Acceptance::Unsaid);
    for value in [
        JSON,
        "*/*",
        "application/*",
        "text/html, */*;q=0.1",
        "APPLICATION/JSON",
    ] {
        assert_eq!(said(value, JSON), Acceptance::Yes, "{value}");
    }
    for value in [
        "text/html",
        "",
        "text/*",
        "application/json;q=0",
        "*/*, application/json; q=0.0",
        "*",
    ] {
        assert_eq!(said(value, JSON), Acceptance::No, "{value}");
    }
    assert_eq!(
        said("application/json, text/event-stream", EVENTS),
        Acceptance::Yes
    );
    assert_eq!(said("application/json", EVENTS), Acceptance::No);
}

#[test]
fn accept_may_be_spread_over_several_lines() {
    let map = headers(&[(header::ACCEPT, JSON), (header::ACCEPT, EVENTS)]);
    assert_eq!(accepts(&map, JSON), Acceptance::Yes);
    assert_eq!(accepts(&map, EVENTS), Acceptance::Yes);
}
