//! The generated part of `docs/`: made from the tables that the program itself runs on.

pub(crate) mod cedar;
pub(crate) mod checks;
pub(crate) mod commands;
pub(crate) mod configuration;
pub(crate) mod errors;
pub(crate) mod schema;

use std::{fs, io, path::Path};

/// One generated file.
pub(crate) struct Page {
    pub(crate) name: &'static str,
    pub(crate) text: String,
}

/// Every generated file.
pub(crate) fn pages() -> Vec<Page> {
    vec![
        Page {
            name: "cedar.md",
            text: cedar::page(),
        },
        Page {
            name: "checks.md",
            text: checks::page(),
        },
        Page {
            name: "commands.md",
            text: commands::page(),
        },
        Page {
            name: "config.schema.json",
            text: schema::page(),
        },
        Page {
            name: "configuration.md",
            text: configuration::page(),
        },
        Page {
            name: "errors.md",
            text: errors::page(),
        },
    ]
}

/// Names of the files below `dir` that differ from what would be generated.
pub(crate) fn differing(dir: &Path) -> Vec<&'static str> {
    let same = |page: &Page| fs::read_to_string(dir.join(page.name)).is_ok_and(|t| t == page.text);
    pages()
        .iter()
        .filter(|page| !same(page))
        .map(|page| page.name)
        .collect()
}

/// Writes every file.
pub(crate) fn write(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    pages()
        .iter()
        .try_for_each(|page| fs::write(dir.join(page.name), &page.text))
}

#[cfg(test)]
mod tests;
