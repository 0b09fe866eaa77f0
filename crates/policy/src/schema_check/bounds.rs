use std::collections::HashMap;

use cmcp_json::{Object, Value};
use jsonschema::{ValidationError, error::ValidationErrorKind};

use super::keyword::{Edge, references, resolve, subschemas};

/// Why a schema is not one that can be enforced.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SchemaError {
    /// Too many subschemas apply to one value.
    #[error("more than {MAX_BREADTH} subschemas apply to one value at `{0}`")]
    Breadth(String),
    /// References or applicators follow one another on the same value too far, or in a circle.
    #[error(
        "more than {MAX_CHAIN} subschemas apply to one value through each other at `{0}`, or they refer to themselves without going into the value"
    )]
    Chain(String),
    /// Another dialect than those of json-schema.org.
    #[error(
        "`$schema` {0} is not a dialect this program knows: drafts 4, 6, 7, 2019-09 and 2020-12 are"
    )]
    Dialect(String),
    /// A reference that leaves the document.
    #[error("`{0}` refers outside the document; nothing is ever fetched")]
    External(String),
    /// A second document inside the first.
    #[error("`{0}` starts another schema document inside this one")]
    Nested(String),
    /// A pattern that needs backtracking, or is too large.
    #[error(
        "the pattern at `{0}` cannot be matched in linear time (no look-around, no back-references), or is too large"
    )]
    Pattern(String),
    /// A reference to nothing.
    #[error("`{0}` refers to nothing in the document")]
    Reference(String),
    /// The schema breaks its dialect's rules.
    #[error("`{0}` is not valid JSON Schema")]
    Rejected(String),
    /// A root that is neither an object nor a boolean.
    #[error("a schema is an object, this is {0}")]
    Shape(&'static str),
    /// Too long.
    #[error("it is longer than {MAX_BYTES} bytes")]
    Size,
}

/// Bytes of a schema in compact form.
pub(super) const MAX_BYTES: usize = 256 << 10;

/// Subschemas that apply to one and the same value through each other. Together with the depth of
/// values this bounds the stack that a check takes.
pub(super) const MAX_CHAIN: usize = 16;

/// Subschemas that apply to one and the same value in all. [`super::view::Budget`] bounds what a
/// check costs as a whole; this bounds it for one value.
pub(super) const MAX_BREADTH: usize = 2048;

/// Checks what must hold before a schema is compiled.
pub(super) fn check(schema: &Value) -> Result<(), SchemaError> {
    let Some(_) = schema.as_object() else {
        return Err(SchemaError::Shape(schema.kind()));
    };
    if schema.to_vec().len() > MAX_BYTES {
        return Err(SchemaError::Size);
    }
    let mut walk = Walk {
        root: schema,
        chains: HashMap::new(),
    };
    walk.visit(schema, "")
}

/// Why the validator did not take a schema: where, and none of its text.
pub(super) fn rejection(error: &ValidationError<'_>) -> SchemaError {
    let at = error.instance_path().to_string();
    if matches!(error.kind(), ValidationErrorKind::Format { .. }) {
        SchemaError::Pattern(at)
    } else if matches!(error.kind(), ValidationErrorKind::Referencing(_)) {
        SchemaError::Reference(at)
    } else {
        SchemaError::Rejected(at)
    }
}

struct Walk<'v> {
    root: &'v Value,
    /// By address: what applies to the same value from there on; `None` while it is being counted.
    chains: HashMap<usize, Option<Chain>>,
}

/// The subschemas that apply to one value.
#[derive(Clone, Copy, Default)]
struct Chain {
    /// How many through each other.
    length: usize,
    /// How many in all.
    breadth: usize,
}

impl<'v> Walk<'v> {
    fn visit(&mut self, schema: &'v Value, pointer: &str) -> Result<(), SchemaError> {
        let Some(object) = schema.as_object() else {
            return Ok(());
        };
        if !std::ptr::eq(schema, self.root) {
            let id = object.get("$id").and_then(Value::as_str);
            if id.is_some_and(|id| !id.starts_with('#')) {
                return Err(SchemaError::Nested(format!("{pointer}/$id")));
            }
            // Some generators repeat the dialect at every level.
            let dialect = object.get("$schema");
            if dialect.is_some() && dialect != self.root.get("$schema") {
                return Err(SchemaError::Nested(format!("{pointer}/$schema")));
            }
        }
        self.references(object, pointer)?;
        self.chain(schema, pointer, 0)?;
        for sub in subschemas(object) {
            let (keyword, step) = sub.steps;
            let step = step.map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")));
            self.visit(
                sub.schema,
                &format!("{pointer}/{keyword}{}", step.unwrap_or_default()),
            )?;
        }
        Ok(())
    }

    fn references(&self, object: &Object, pointer: &str) -> Result<(), SchemaError> {
        for (name, value) in references(object) {
            let at = format!("{pointer}/{name}");
            match value.as_str() {
                Some(reference) if reference.starts_with('#') => {
                    if resolve(self.root, reference).is_none() {
                        return Err(SchemaError::Reference(at));
                    }
                }
                Some(_) => return Err(SchemaError::External(at)),
                None => return Err(SchemaError::Reference(at)),
            }
        }
        Ok(())
    }

    fn chain(
        &mut self,
        schema: &'v Value,
        pointer: &str,
        above: usize,
    ) -> Result<Chain, SchemaError> {
        let Some(object) = schema.as_object() else {
            return Ok(Chain::default());
        };
        let too_long = || SchemaError::Chain(pointer.to_owned());
        let address = std::ptr::from_ref(schema).addr();
        match self.chains.get(&address) {
            Some(Some(chain)) if above.saturating_add(chain.length) <= MAX_CHAIN => {
                return Ok(*chain);
            }
            Some(Some(_) | None) => return Err(too_long()),
            None if above >= MAX_CHAIN => return Err(too_long()),
            None => {}
        }
        self.chains.insert(address, None);
        let subs = subschemas(object)
            .into_iter()
            .filter(|sub| matches!(sub.edge, Edge::Within | Edge::Aside));
        let targets =
            references(object).filter_map(|(_, reference)| resolve(self.root, reference.as_str()?));
        let mut all = Chain {
            length: 0,
            breadth: 1,
        };
        for next in subs.map(|sub| sub.schema).chain(targets) {
            let chain = self.chain(next, pointer, above.saturating_add(1))?;
            all.length = all.length.max(chain.length);
            all.breadth = all.breadth.saturating_add(chain.breadth);
        }
        if all.breadth > MAX_BREADTH {
            return Err(SchemaError::Breadth(pointer.to_owned()));
        }
        all.length = all.length.saturating_add(1);
        self.chains.insert(address, Some(all));
        Ok(all)
    }
}
