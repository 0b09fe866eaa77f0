mod array;
mod document;
mod drift;

use cmcp_json::{Limits, Value, parse};

use super::{Catalog, CatalogError};
use crate::{Compat, sensitivity::Vocabulary};

fn json(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::DOCUMENT).unwrap()
}

fn load(text: &str) -> Result<Catalog, Vec<CatalogError>> {
    Catalog::parse(text.as_bytes(), &Vocabulary::builtin(), Compat::Off)
}

/// The faults, as people read them.
fn faults(text: &str) -> Vec<String> {
    load(text).unwrap_err().iter().map(ToString::to_string).collect()
}
