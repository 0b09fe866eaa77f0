//! What policies say of themselves.

use super::Engine;

impl Engine {
    /// The policies that have an annotation of that name, each with its value.
    pub fn annotated<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.rules().iter().flat_map(move |rule| {
            let values = rule.annotations().filter(move |(known, _)| *known == name);
            values.map(|(_, value)| (rule.id.as_str(), value))
        })
    }
}
