use std::collections::HashMap;

use unicode_security::confusable_detection::skeleton;

use super::{error::CatalogErrorKind, reader::Reader};

/// A name as callers will see it, and where in the document it comes from.
pub(super) struct Exposed {
    pub(super) place: String,
    pub(super) offset: usize,
    pub(super) name: String,
}

/// Whether a tool's name can be shown, logged and written in policies without being misread.
pub(super) fn legal(name: &str) -> Result<(), CatalogErrorKind> {
    let legal = (1..=128).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    // Escaped, so that the fault shows what the eye would not.
    if legal {
        Ok(())
    } else {
        Err(CatalogErrorKind::ToolName(
            name.escape_default().to_string(),
        ))
    }
}

/// Whether a server's name can be the first part of an exposed name.
pub(super) fn legal_server(name: &str) -> Result<(), CatalogErrorKind> {
    let legal = name.len() <= 31
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if legal {
        Ok(())
    } else {
        Err(CatalogErrorKind::ServerName(
            name.escape_default().to_string(),
        ))
    }
}

/// The name callers see. Whether there is one server is a fact of the document, not of who answers.
pub(super) fn exposed(alias: Option<&str>, server: &str, name: &str, servers: usize) -> String {
    match alias {
        Some(alias) => alias.to_owned(),
        None if servers == 1 => name.to_owned(),
        None => format!("{server}__{name}"),
    }
}

/// Reports names that are equal, and names that only look equal.
pub(super) fn distinct(reader: &mut Reader<'_>, names: &[Exposed]) {
    let mut exact: HashMap<&str, &Exposed> = HashMap::new();
    let mut looks: HashMap<String, &Exposed> = HashMap::new();
    for this in names {
        if let Some(other) = exact.insert(&this.name, this) {
            let kind = CatalogErrorKind::ExposedTwice {
                name: this.name.clone(),
                other: format!("`{}`", other.place),
            };
            reader.fault(&this.place, this.offset, kind);
        } else if let Some(other) = looks.insert(skeleton(&this.name).collect(), this) {
            let kind = CatalogErrorKind::Confusable {
                this: this.name.clone(),
                other: other.name.clone(),
            };
            reader.fault(&this.place, this.offset, kind);
        }
    }
}

/// The action that the Python cMCP 0.7.1 derives from a tool's name.
///
/// Python's `capitalize` on the names this catalog allows: ASCII alone.
pub(super) fn derived_action(name: &str) -> String {
    name.split('_')
        .map(|part| {
            let mut chars = part.chars();
            let first = chars.next().map(|c| c.to_ascii_uppercase());
            first
                .into_iter()
                .chain(chars.map(|c| c.to_ascii_lowercase()))
                .collect::<String>()
        })
        .collect()
}
