use std::collections::HashMap;

use unicode_security::confusable_detection::skeleton;

use super::{
    ItemKind,
    error::CatalogErrorKind,
    reader::Reader,
    template::{self, Template},
};

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

/// Whether a prompt's name can be shown, logged and written in policies without being misread.
pub(super) fn legal_prompt(name: &str) -> Result<(), CatalogErrorKind> {
    legal(name).map_err(|_| CatalogErrorKind::PromptName(name.escape_default().to_string()))
}

/// Whether a resource's URI can be shown, logged and written in policies without being misread.
pub(super) fn uri(uri: &str) -> Result<(), CatalogErrorKind> {
    if template::is_uri(uri) {
        Ok(())
    } else {
        Err(CatalogErrorKind::ResourceUri(shortened(uri)))
    }
}

/// A template, ready to hold URIs against.
pub(super) fn template(text: &str) -> Result<Template, CatalogErrorKind> {
    Template::parse(text).map_err(|error| CatalogErrorKind::Template {
        template: shortened(text),
        error,
    })
}

/// Whether a name of that kind can be shown, logged and written in policies.
pub(super) fn legal_of(kind: ItemKind, name: &str) -> Result<(), CatalogErrorKind> {
    match kind {
        ItemKind::Tool => legal(name),
        ItemKind::Prompt => legal_prompt(name),
        ItemKind::Resource => uri(name),
        ItemKind::ResourceTemplate => template(name).map(|_| ()),
    }
}

fn shortened(name: &str) -> String {
    name.chars()
        .take(MAX_SHOWN)
        .flat_map(char::escape_default)
        .collect()
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

/// Reports URIs that have two owners. A URI is a name that programs make: only equal ones are one.
pub(super) fn owned_once(reader: &mut Reader<'_>, names: &[Exposed]) {
    let mut exact: HashMap<&str, &Exposed> = HashMap::new();
    for this in names {
        if let Some(other) = exact.insert(&this.name, this) {
            let kind = CatalogErrorKind::UriTwice {
                uri: shortened(&this.name),
                other: other.place.clone(),
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

/// Characters told of a URI that is none.
const MAX_SHOWN: usize = 200;
