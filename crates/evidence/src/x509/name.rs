//! Names of subjects and issuers.

use super::der::{self, Der};

/// The last common name, which is the most specific one; a name that is not well formed has none.
pub(super) fn common_name(name: &[u8]) -> Option<String> {
    let mut sets = Der::new(name).sequence("name").ok()?;
    let mut found = None;
    while !sets.is_done() {
        let mut attributes = sets.expect("name", der::SET).ok()?.inside();
        while !attributes.is_done() {
            let mut attribute = attributes.sequence("name").ok()?;
            let oid = attribute.oid("name").ok()?;
            let value = attribute.any("name").ok()?;
            if oid == COMMON_NAME {
                found = text(value);
            }
        }
    }
    found
}

fn text(value: der::Element<'_>) -> Option<String> {
    let text = str::from_utf8(value.value).ok()?;
    match value.tag {
        der::UTF8_STRING => Some(text.to_owned()),
        der::PRINTABLE_STRING | der::TELETEX_STRING | der::IA5_STRING if text.is_ascii() => {
            Some(text.to_owned())
        }
        _ => None,
    }
}

/// What came from outside goes into a message without control characters, and shortened.
pub(super) fn printable(name: Option<String>) -> Option<String> {
    let name = name.filter(|name| !name.is_empty())?;
    let name: String = name.chars().take(64).collect();
    Some(name.escape_debug().to_string())
}

const COMMON_NAME: &str = "2.5.4.3";
