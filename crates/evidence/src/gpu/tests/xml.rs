use super::super::xml::{canonical, parse};

fn canon(text: &str) -> String {
    let document = parse(text.as_bytes()).unwrap();
    canonical(document.root_element(), None).unwrap()
}

// Sections 3.2 to 3.4 of Canonical XML, as far as such texts are read here.
#[test]
fn the_canonical_form_is_that_of_the_recommendation() {
    for (text, form) in [
        ("<a/>", "<a></a>"),
        ("<a  b = 'x'\n c=\"y\" />", "<a b=\"x\" c=\"y\"></a>"),
        ("<a c='1' b='2'/>", "<a b=\"2\" c=\"1\"></a>"),
        ("<a>\r\n <b/>\r</a>", "<a>\n <b></b>\n</a>"),
        (
            "<a b='&lt;&amp;&quot;&gt;&#9;&#10;&#13;'/>",
            "<a b=\"&lt;&amp;&quot;>&#x9;&#xA;&#xD;\"></a>",
        ),
        ("<a b='x\ty\nz'/>", "<a b=\"x y z\"></a>"),
        ("<a>&lt;&amp;\"&gt;&#13;</a>", "<a>&lt;&amp;\"&gt;&#xD;</a>"),
        ("<a><![CDATA[<b>&]]></a>", "<a>&lt;b&gt;&amp;</a>"),
        (
            "<a xmlns:y='2' xmlns:x='1' xmlns='0'/>",
            "<a xmlns=\"0\" xmlns:x=\"1\" xmlns:y=\"2\"></a>",
        ),
        (
            "<x:a xmlns:x='1'><x:b xmlns:x='1'/></x:a>",
            "<x:a xmlns:x=\"1\"><x:b></x:b></x:a>",
        ),
        (
            "<x:a xmlns:x='1'><x:b xmlns:x='2'/></x:a>",
            "<x:a xmlns:x=\"1\"><x:b xmlns:x=\"2\"></x:b></x:a>",
        ),
        (
            "<a xmlns='0'><b xmlns=''><c/></b></a>",
            "<a xmlns=\"0\"><b xmlns=\"\"><c></c></b></a>",
        ),
        ("<a xmlns=''><b/></a>", "<a><b></b></a>"),
        (
            "<a xmlns:z='1' xmlns:y='2' y:b='1' z:c='2' d='3' z:a='4'/>",
            "<a xmlns:y=\"2\" xmlns:z=\"1\" d=\"3\" z:a=\"4\" z:c=\"2\" y:b=\"1\"></a>",
        ),
        ("<a>\u{e9}\u{1f600}</a>", "<a>\u{e9}\u{1f600}</a>"),
        ("<?xml version='1.0'?>\n<a/>\n", "<a></a>"),
    ] {
        assert_eq!(canon(text), form, "{text}");
    }
}

#[test]
fn a_part_declares_what_it_is_in_the_scope_of() {
    let document = parse(b"<a xmlns='0' xmlns:x='1'><b><c x:d='2'/></b><e/></a>").unwrap();
    let b = document.root_element().first_element_child().unwrap();
    assert_eq!(
        canonical(b, None).unwrap(),
        "<b xmlns=\"0\" xmlns:x=\"1\"><c x:d=\"2\"></c></b>"
    );
    assert_eq!(
        canonical(document.root_element(), Some(b)).unwrap(),
        "<a xmlns=\"0\" xmlns:x=\"1\"><e></e></a>"
    );
}

#[test]
fn a_canonical_form_is_its_own() {
    let text = "<a xmlns='0' c='1' b='&#10;'>\n<x:b xmlns:x='&quot;'/>&gt;</a>";
    assert_eq!(canon(&canon(text)), canon(text));
}
