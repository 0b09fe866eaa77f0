use cmcp_json::{Form, Limits};

use super::*;

fn written_length(text: &str) -> usize {
    let value = cmcp_json::Value::from(text);
    cmcp_json::canonical(&value, Form::Jcs).unwrap().len() - 2
}

#[test]
fn a_text_that_fits_is_kept() {
    for text in [
        "",
        "echo",
        "Zoë 🔒",
        &"x".repeat(Text::MAX),
        &"\u{1}".repeat(Text::MAX / 6),
    ] {
        assert_eq!(Text::new(text), text);
        assert_eq!(Text::from(text.to_owned()), text);
    }
}

#[test]
fn a_longer_text_keeps_its_beginning_and_the_digest_of_all_of_it() {
    for unit in ["x", "ß", "🔒", "\"", "\u{1}", "\n"] {
        let long = unit.repeat(Text::MAX + 1);
        let text = Text::new(&long);
        assert!(written_length(&text) <= Text::MAX, "{unit:?}");
        assert!(written_length(&text) > Text::MAX - 20, "{unit:?}");
        assert!(text.ends_with(&format!("…{}", Sha256Digest::of(long.as_bytes()))));
        assert_eq!(Text::new(&text), text, "cutting twice is cutting once");
        assert_ne!(Text::new(&format!("{long}{unit}")), text);
    }
}

#[test]
fn the_cost_of_a_character_is_what_canonical_json_writes() {
    for c in ('\0'..='\u{ff}').chain(['\u{2028}', '\u{e000}', '🔒']) {
        assert_eq!(written(c), written_length(&c.to_string()), "{c:?}");
    }
}

#[test]
fn a_long_list_ends_with_number_and_digest_of_the_rest() {
    let all: Vec<String> = (0..10_000)
        .map(|n| format!("policy{n:06}-{}", "🔒".repeat(40)))
        .collect();
    let list = Texts::new(&all);
    let kept: Vec<&str> = list.iter().collect();
    assert!(serde_json::to_vec(&list).unwrap().len() <= LIST_MAX);
    assert_eq!(kept[..kept.len() - 1], all[..kept.len() - 1]);
    let more = format!("… {} more, sha256:", all.len() - (kept.len() - 1));
    assert!(
        kept.last().unwrap().starts_with(&more),
        "{}",
        kept.last().unwrap()
    );

    let mut other = all.clone();
    *other.last_mut().unwrap() = "another".to_owned();
    assert_ne!(Texts::new(&other), list);
}

#[test]
fn worst_lists_stay_within_their_bound_and_read_back() {
    let worst: Vec<String> = (0..100)
        .map(|n| format!("{n}{}", "\u{1}".repeat(600)))
        .collect();
    let texts = Texts::new(&worst);
    let advice = Advice::new(worst.iter().map(|text| (text, text)));
    let findings = Findings::new(worst.iter().map(|text| (text, u64::MAX)));
    let tiny = Texts::new(std::iter::repeat_n("", 100_000));
    for bytes in [
        serde_json::to_vec(&texts).unwrap(),
        serde_json::to_vec(&advice).unwrap(),
        serde_json::to_vec(&findings).unwrap(),
        serde_json::to_vec(&tiny).unwrap(),
    ] {
        assert!(bytes.len() <= LIST_MAX + 2, "{}", bytes.len());
    }
    let read = |bytes: &[u8]| cmcp_json::parse(bytes, &Limits::DOCUMENT).unwrap();
    let value = read(&serde_json::to_vec(&texts).unwrap());
    assert_eq!(cmcp_json::from_value::<Texts>(&value).unwrap(), texts);
    let value = read(&serde_json::to_vec(&advice).unwrap());
    assert_eq!(cmcp_json::from_value::<Advice>(&value).unwrap(), advice);
    let value = read(&serde_json::to_vec(&findings).unwrap());
    assert_eq!(cmcp_json::from_value::<Findings>(&value).unwrap(), findings);
    assert_eq!(findings.iter().last().unwrap().count.get(), Count::MAX);
}

#[test]
fn what_is_longer_than_an_entry_may_carry_does_not_read() {
    let long = cmcp_json::Value::from("x".repeat(Text::MAX + 1));
    assert!(cmcp_json::from_value::<Text>(&long).is_err());
    let list = cmcp_json::Value::from(vec!["x".repeat(Text::MAX); 17]);
    assert!(cmcp_json::from_value::<Texts>(&list).is_err());
}

#[test]
fn advice_is_in_the_order_of_utf16_and_has_each_key_once() {
    let advice = Advice::new([("\u{e000}", "1"), ("🔒", "2"), ("a", "3"), ("a", "4")]);
    let keys: Vec<&str> = advice.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["a", "🔒", "\u{e000}"]);
}
