//! Which URIs are of which template.

use proptest::prelude::*;

use crate::catalog::{Template, TemplateError};

fn matches(template: &str, uri: &str) -> bool {
    Template::parse(template).unwrap().matches(uri)
}

/// A template, URIs of it, and URIs that are not.
const MATCHED: [(&str, &[&str], &[&str]); 13] = [
    (
        "test://template/{id}/data",
        &["test://template/123/data", "test://template/a%2Fb/data"],
        &[
            "test://template//data",
            "test://template/1/2/data",
            "test://template/1/data/",
            "test://template/1/dat",
            "Test://template/1/data",
            "test://template/1?x/data",
            "test://template/{id}/data",
        ],
    ),
    (
        "file:///{+path}",
        &["file:///a", "file:///a/b/c.txt", "file:///a?b#c"],
        &["file:///", "file://a"],
    ),
    (
        "x://{a}-{b}",
        &["x://1-2", "x://1-2-3", "x://---"],
        &["x://1", "x://-1", "x://1-", "x://1/2-3", "x://-"],
    ),
    (
        "x://h{/a,b}",
        &["x://h", "x://h/1", "x://h/1/2"],
        &["x://h/", "x://h/1/2/3", "x://h1"],
    ),
    ("x://h{/list*}", &["x://h", "x://h/1/2/3/4"], &["x://h//1"]),
    (
        "x://s{?q,lang}",
        &[
            "x://s",
            "x://s?q=a",
            "x://s?q=a&lang=en",
            "x://s?lang=en&q=",
            "x://s?q=../..",
        ],
        &[
            "x://s?",
            "x://s?other=1",
            "x://s?q",
            "x://s?q=a&q=b",
            "x://s?q=a#f",
        ],
    ),
    (
        "x://s?f=1{&q}",
        &["x://s?f=1", "x://s?f=1&q=2"],
        &["x://s?f=1&other=2", "x://s"],
    ),
    ("x://s{?list*}", &["x://s?a=1&a=2"], &["x://s?"]),
    ("x://f{#part}", &["x://f", "x://f#a/b"], &["x://f#"]),
    (
        "x://f{.ext}",
        &["x://f", "x://f.txt"],
        &["x://f.", "x://ftxt"],
    ),
    (
        "x://p{;a,b}",
        &["x://p", "x://p;a=1;b=2", "x://p;a"],
        &["x://p;c=1", "x://p;a=1;b=2;a=3"],
    ),
    ("x://{name:3}", &["x://abc"], &["x://"]),
    (
        "x://a.b+c/{id}",
        &["x://a.b+c/1"],
        &["x://aab+c/1", "x://a.bbc/1"],
    ),
];

#[test]
fn each_expression_stands_for_what_it_could_have_written() {
    for (template, of, not_of) in MATCHED {
        for uri in of {
            assert!(matches(template, uri), "{uri} is of {template}");
        }
        for uri in not_of {
            assert!(!matches(template, uri), "{uri} is not of {template}");
        }
    }
}

#[test]
fn a_uri_that_could_lead_elsewhere_is_of_no_template() {
    let template = Template::parse("file:///srv/{+path}").unwrap();
    assert!(template.matches("file:///srv/a/...b/..c/d..."));
    for path in [
        "..",
        "../etc/passwd",
        "a/../../etc/passwd",
        "a/..",
        "./a",
        "a/./b",
        "%2e%2e/etc",
        ".%2E/etc",
        "a%2f..%2f..",
        "a\\..\\..",
        "a%5C..%5cb",
        "%252e%252e%252fetc",
        "%25252e%25252e/etc",
        "a/..;x=1/b",
        "a/..?b",
        "a/..#b",
        "a\u{0}b",
        "a\nb",
    ] {
        assert!(!template.matches(&format!("file:///srv/{path}")), "{path}");
    }
    let one = Template::parse("x:{+path}").unwrap();
    assert!(!one.matches("x:../a") && one.matches("x:a"));
    // Put together by two variables, or by a variable and the text before it.
    let two = Template::parse("x://h/{a}{b}/c").unwrap();
    assert!(!two.matches("x://h/../c") && two.matches("x://h/.../c"));
    let dotted = Template::parse("x://h/.{ext}").unwrap();
    assert!(!dotted.matches("x://h/..") && dotted.matches("x://h/.git"));
}

#[test]
fn n05_long_uris_and_templates_end_at_once() {
    let template = Template::parse("x://{a}{b}{c}{d}{e}{f}{g}{h}!").unwrap();
    assert!(!template.matches(&format!("x://{}", "a".repeat(8_000))));
    assert!(template.matches(&format!("x://{}!", "a".repeat(8_000))));
    assert!(!template.matches(&format!("x://{}!", "a".repeat(1 << 20))));
    assert_eq!(
        Template::parse(&format!("x://{}{{a}}", "a".repeat(4_000))),
        Err(TemplateError::Long)
    );
    assert_eq!(
        Template::parse(&format!("x://{}", "{a}".repeat(33))),
        Err(TemplateError::Long)
    );
    let many = (0..200).map(|n| format!("v{n}")).collect::<Vec<_>>();
    let wide = Template::parse(&format!("x://{{?{}}}", many.join(",")));
    assert!(wide.is_ok() || wide == Err(TemplateError::Long));
}

/// A template of literals and variables, and a way to fill it in.
fn filled() -> impl Strategy<Value = (String, String)> {
    let literal = "[a-z]{1,4}";
    let value = "[A-Za-z0-9_~%,=@ é-]{1,6}";
    let part = (literal, value, 0..3_u8);
    prop::collection::vec(part, 1..6).prop_map(|parts| {
        let (mut template, mut uri) = ("x://h".to_owned(), "x://h".to_owned());
        for (index, (literal, value, kind)) in parts.into_iter().enumerate() {
            let (expression, text) = match kind {
                0 => (
                    format!("/{literal}/{{v{index}}}"),
                    format!("/{literal}/{value}"),
                ),
                1 => (
                    format!("/{literal}{{/v{index}}}"),
                    format!("/{literal}/{value}"),
                ),
                _ => (
                    format!("/{literal}/{{+v{index}}}"),
                    format!("/{literal}/{value}/{value}"),
                ),
            };
            template.push_str(&expression);
            uri.push_str(&text);
        }
        (template, uri)
    })
}

proptest! {
    #[test]
    fn what_a_template_writes_is_of_it((template, uri) in filled()) {
        prop_assert!(matches(&template, &uri), "{} is of {}", uri, template);
    }

    #[test]
    fn no_dots_get_through((template, uri) in filled(), at in any::<prop::sample::Index>(), dots in "(\\.|%2e|%2E){1,2}") {
        let slashes: Vec<usize> = uri.match_indices('/').map(|(at, _)| at).skip(2).collect();
        let at = slashes[at.index(slashes.len())];
        let (before, after) = uri.split_at(at);
        let sly = format!("{before}/{dots}{after}");
        prop_assert!(!matches(&template, &sly), "{} is not of {}", sly, template);
    }

    #[test]
    fn nothing_makes_it_panic(template in "\\PC{0,60}", uri in "\\PC{0,60}") {
        if let Ok(template) = Template::parse(&template) {
            let _ = template.matches(&uri);
        }
        let _ = Template::parse(&format!("x://{template}")).map(|known| known.matches(&uri));
    }

    #[test]
    fn another_template_is_not_confused_with_it(id in "[a-z0-9]{1,8}") {
        let template = "a://{id}";
        let is_of = matches(template, &format!("a://{id}"));
        prop_assert!(is_of);
        let others = [format!("b://{id}"), format!("a://{id}/"), format!("a:/{id}"), format!(" a://{id}")];
        for other in others {
            prop_assert!(!matches(template, &other), "{}", other);
        }
    }
}
