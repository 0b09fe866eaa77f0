use cmcp_json::{Object, Value};

use super::error::{CatalogError, CatalogErrorKind};

/// Collects every fault of a document, each with its place and line.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    pub(super) faults: Vec<CatalogError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            faults: Vec::new(),
        }
    }

    pub(super) fn fault(&mut self, place: &str, offset: usize, kind: CatalogErrorKind) {
        // More than anybody reads: a catalog of nothing but faults would make more of them than of
        // itself.
        if self.faults.len() >= MOST_FAULTS {
            return;
        }
        let line = match self.bytes.get(..offset) {
            Some(before) if !self.bytes.is_empty() => before
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
                .saturating_add(1),
            Some(_) | None => 0,
        };
        self.faults.push(CatalogError {
            place: place.to_owned(),
            line,
            kind,
        });
    }
}

/// One object of the document, whose members are all known.
pub(super) struct Fields<'v> {
    object: &'v Object,
    pub(super) place: String,
    /// Where in the text the object is, about.
    pub(super) offset: usize,
}

impl<'v> Fields<'v> {
    /// An object with no members but the known ones; what else it has is a fault each. `at` is its
    /// place, and an offset near it.
    pub(super) fn closed(
        reader: &mut Reader<'_>,
        value: &'v Value,
        at: (String, usize),
        known: &[&'static str],
    ) -> Option<Self> {
        let fields = Self::open(reader, value, at)?;
        fields.only(reader, known);
        Some(fields)
    }

    /// Reports every member but the known ones.
    pub(super) fn only(&self, reader: &mut Reader<'_>, known: &[&'static str]) {
        for name in self.object.keys().filter(|name| !known.contains(name)) {
            let kind = CatalogErrorKind::Unknown {
                name: name.escape_default().to_string(),
                known: list(known),
            };
            reader.fault(&self.place, self.offset_of(name), kind);
        }
    }

    /// An object with any members.
    pub(super) fn open(
        reader: &mut Reader<'_>,
        value: &'v Value,
        (place, near): (String, usize),
    ) -> Option<Self> {
        let Some(object) = value.as_object() else {
            let kind = CatalogErrorKind::Shape {
                expected: "an object",
                found: value.kind(),
            };
            reader.fault(&place, near, kind);
            return None;
        };
        let offset = object
            .keys()
            .next()
            .and_then(|first| object.span(first))
            .map_or(near, |span| span.start);
        Some(Self {
            object,
            place,
            offset,
        })
    }

    pub(super) fn at(&self, name: &str) -> String {
        let name = name.escape_default();
        if self.place == "$" {
            name.to_string()
        } else {
            format!("{}.{name}", self.place)
        }
    }

    /// The place and the offset of a member.
    pub(super) fn child(&self, name: &str) -> (String, usize) {
        (self.at(name), self.offset_of(name))
    }

    pub(super) fn offset_of(&self, name: &str) -> usize {
        self.object
            .span(name)
            .map_or(self.offset, |span| span.start)
    }

    pub(super) fn fault(&self, reader: &mut Reader<'_>, name: &str, kind: CatalogErrorKind) {
        reader.fault(&self.at(name), self.offset_of(name), kind);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'v str, &'v Value)> + use<'v> {
        self.object.iter()
    }

    pub(super) fn optional(&self, name: &str) -> Option<&'v Value> {
        self.object.get(name)
    }

    pub(super) fn required(
        &self,
        reader: &mut Reader<'_>,
        name: &'static str,
    ) -> Option<&'v Value> {
        let value = self.object.get(name);
        if value.is_none() {
            reader.fault(&self.place, self.offset, CatalogErrorKind::Missing(name));
        }
        value
    }

    pub(super) fn string(&self, reader: &mut Reader<'_>, name: &'static str) -> Option<&'v str> {
        self.required(reader, name)?;
        self.optional_string(reader, name)
    }

    pub(super) fn optional_string(&self, reader: &mut Reader<'_>, name: &str) -> Option<&'v str> {
        let value = self.optional(name)?;
        let string = value.as_str();
        if string.is_none() {
            self.shape(reader, name, "a string");
        }
        string
    }

    /// A string of which `null` means that there is none.
    pub(super) fn nullable_string(&self, reader: &mut Reader<'_>, name: &str) -> Option<&'v str> {
        self.optional(name).filter(|value| !value.is_null())?;
        self.optional_string(reader, name)
    }

    pub(super) fn flag(&self, reader: &mut Reader<'_>, name: &str) -> Option<bool> {
        let value = self.optional(name)?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.shape(reader, name, "true or false");
        }
        flag
    }

    pub(super) fn array(&self, reader: &mut Reader<'_>, name: &str) -> Option<&'v [Value]> {
        let value = self.optional(name)?;
        let array = value.as_array();
        if array.is_none() {
            self.shape(reader, name, "an array");
        }
        array
    }

    /// An array of strings; absent is empty.
    pub(super) fn strings(&self, reader: &mut Reader<'_>, name: &str) -> Vec<&'v str> {
        let mut strings = Vec::new();
        for (index, value) in self
            .array(reader, name)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            match value.as_str() {
                Some(string) => strings.push(string),
                None => {
                    let kind = CatalogErrorKind::Shape {
                        expected: "a string",
                        found: value.kind(),
                    };
                    reader.fault(
                        &format!("{}[{index}]", self.at(name)),
                        self.offset_of(name),
                        kind,
                    );
                }
            }
        }
        strings
    }

    fn shape(&self, reader: &mut Reader<'_>, name: &str, expected: &'static str) {
        let found = self.optional(name).map_or("nothing", Value::kind);
        self.fault(reader, name, CatalogErrorKind::Shape { expected, found });
    }
}

/// `a`, `b`, `c`.
pub(super) fn list<'a>(names: impl IntoIterator<Item = impl AsRef<str> + 'a>) -> String {
    names
        .into_iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Faults of one catalog that are told.
const MOST_FAULTS: usize = 1_000;
