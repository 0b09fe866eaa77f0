//! XML as NVIDIA's manifests are written: without document types, comments and processing instructions;
//! and its canonical form (Canonical XML 1.1, inclusive, without comments).

use std::collections::BTreeMap;

use roxmltree::{Document, Node, NodeType, ParsingOptions};

/// Why a text is not read as a manifest.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum XmlError {
    /// Too large.
    #[error("{found} bytes; at most {MAX_BYTES} are read")]
    Large {
        /// How many there are.
        found: usize,
    },
    /// Too much to look at.
    #[error("more than {most} {what}")]
    Many {
        /// Of what.
        what: &'static str,
        /// How many are read.
        most: usize,
    },
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// Not XML, or with a document type.
    #[error("not plain XML: {0}")]
    Syntax(String),
    /// Something that a manifest does not have, and that canonical forms differ over.
    #[error("{0} in the text; a manifest has none")]
    Foreign(&'static str),
    /// Nested too deep.
    #[error("elements are nested deeper than {MAX_DEPTH}")]
    Deep,
}

/// Reads a text whose canonical form can be written.
pub(super) fn parse(bytes: &[u8]) -> Result<Document<'_>, XmlError> {
    if bytes.len() > MAX_BYTES {
        return Err(XmlError::Large { found: bytes.len() });
    }
    let text = str::from_utf8(bytes).map_err(|_| XmlError::NotUtf8)?;
    // The reader's work grows with the square of both.
    bounded("attributes", text.matches('=').count(), MAX_ATTRIBUTES)?;
    bounded("namespaces", text.matches("xmlns").count(), MAX_NAMESPACES)?;
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| XmlError::Syntax(error.to_string()))?;
    for node in document.descendants() {
        match node.node_type() {
            NodeType::Comment => return Err(XmlError::Foreign("a comment")),
            NodeType::PI => return Err(XmlError::Foreign("a processing instruction")),
            NodeType::Root | NodeType::Element | NodeType::Text => {}
        }
        let xml = |namespace: Option<&str>| namespace == Some(XML_NAMESPACE);
        if node
            .attributes()
            .any(|attribute| xml(attribute.namespace()))
        {
            return Err(XmlError::Foreign("an `xml:` attribute"));
        }
    }
    Ok(document)
}

fn bounded(what: &'static str, found: usize, most: usize) -> Result<(), XmlError> {
    if found > most {
        return Err(XmlError::Many { what, most });
    }
    Ok(())
}

/// The canonical form of an element and what is in it, as if it were a document's: every namespace that it
/// is in the scope of is declared on it. `without` is left out.
pub(super) fn canonical(
    node: Node<'_, '_>,
    without: Option<Node<'_, '_>>,
) -> Result<String, XmlError> {
    let mut out = String::new();
    write(node, without, &Scope::new(), MAX_DEPTH, &mut out)?;
    Ok(out)
}

type Scope<'a> = BTreeMap<&'a str, &'a str>;

fn write(
    node: Node<'_, '_>,
    without: Option<Node<'_, '_>>,
    outer: &Scope<'_>,
    depth: usize,
    out: &mut String,
) -> Result<(), XmlError> {
    let depth = depth.checked_sub(1).ok_or(XmlError::Deep)?;
    let scope = scope(node);
    let name = qualified(node)?;
    out.push('<');
    out.push_str(name);
    namespaces(&scope, outer, out);
    attributes(node, out)?;
    out.push('>');
    for child in node.children() {
        if Some(child) == without {
            continue;
        }
        match child.node_type() {
            NodeType::Element => write(child, without, &scope, depth, out)?,
            NodeType::Text => escape(child.text().unwrap_or_default(), TEXT, out),
            NodeType::Root | NodeType::Comment | NodeType::PI => {
                return Err(XmlError::Foreign(
                    "something that is neither element nor text",
                ));
            }
        }
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
    Ok(())
}

fn scope<'a>(node: Node<'a, '_>) -> Scope<'a> {
    node.namespaces()
        .map(|namespace| (namespace.name().unwrap_or_default(), namespace.uri()))
        .filter(|(prefix, _)| *prefix != "xml")
        .collect()
}

// The default namespace comes first: its name is empty. To take it back is written only where there was one.
fn namespaces(scope: &Scope<'_>, outer: &Scope<'_>, out: &mut String) {
    for (prefix, uri) in scope {
        let known = outer.get(prefix).copied();
        if known == Some(uri) || (uri.is_empty() && known.is_none()) {
            continue;
        }
        out.push_str(" xmlns");
        if !prefix.is_empty() {
            out.push(':');
            out.push_str(prefix);
        }
        out.push_str("=\"");
        escape(uri, ATTRIBUTE, out);
        out.push('"');
    }
}

fn attributes(node: Node<'_, '_>, out: &mut String) -> Result<(), XmlError> {
    let mut sorted: Vec<_> = node.attributes().collect();
    sorted.sort_by_key(|attribute| (attribute.namespace().unwrap_or_default(), attribute.name()));
    for attribute in sorted {
        let text = node.document().input_text();
        let name = text
            .get(attribute.range_qname())
            .ok_or(XmlError::Foreign("an attribute without a place"))?;
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        escape(attribute.value(), ATTRIBUTE, out);
        out.push('"');
    }
    Ok(())
}

// The reader keeps an element's namespace, and not the prefix that stood for it.
fn qualified<'a>(node: Node<'a, '_>) -> Result<&'a str, XmlError> {
    let source = node.document().input_text().get(node.range());
    let inside = source.and_then(|source| source.strip_prefix('<'));
    inside
        .and_then(|inside| {
            let end =
                inside.find(|letter: char| letter.is_ascii_whitespace() || "/>".contains(letter));
            inside.get(..end?)
        })
        .ok_or(XmlError::Foreign("an element without a place"))
}

fn escape(text: &str, special: &[(char, &str)], out: &mut String) {
    for letter in text.chars() {
        match special.iter().find(|(known, _)| *known == letter) {
            Some((_, written)) => out.push_str(written),
            None => out.push(letter),
        }
    }
}

const TEXT: &[(char, &str)] = &[
    ('&', "&amp;"),
    ('<', "&lt;"),
    ('>', "&gt;"),
    ('\r', "&#xD;"),
];
const ATTRIBUTE: &[(char, &str)] = &[
    ('&', "&amp;"),
    ('<', "&lt;"),
    ('"', "&quot;"),
    ('\t', "&#x9;"),
    ('\n', "&#xA;"),
    ('\r', "&#xD;"),
];
const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
// Real manifests have 20 KiB, some 150 nodes, 600 attributes, 4 levels and 7 namespaces.
pub(super) const MAX_BYTES: usize = 256 << 10;
const MAX_NODES: u32 = 4096;
const MAX_ATTRIBUTES: usize = 4096;
const MAX_NAMESPACES: usize = 32;
const MAX_DEPTH: usize = 16;
