use std::collections::BTreeSet;

use cmcp_json::{Object, Value};

use super::{
    Bare,
    draft::Dialect,
    keyword::{Edge, each_mut, references, resolve, subschemas},
};

/// A schema that refuses what it does not declare.
pub(super) struct Closed {
    pub(super) schema: Value,
    /// Whether the closed schema could accept something that the approved one refuses, because a
    /// failing subschema can be the reason to accept: both are to be asked then.
    pub(super) may_admit_more: bool,
}

/// Closes every object that the rule of [`super`] closes.
pub(super) fn close(schema: &Value, dialect: Dialect, bare: Bare) -> Closed {
    let closer = Closer {
        root: schema,
        dialect,
    };
    let mut closed = schema.clone();
    closer.descend(&mut closed, schema);
    if let (Some(object), Some(original)) = (closed.as_object_mut(), schema.as_object())
        && (bare == Bare::Closed || closer.surface(schema).declares())
    {
        closer.shut(object, original);
    }
    let may_admit_more = closed != *schema && turns_failure_into_success(schema);
    Closed {
        schema: closed,
        may_admit_more,
    }
}

struct Closer<'v> {
    root: &'v Value,
    dialect: Dialect,
}

impl<'v> Closer<'v> {
    /// Closes what lies below a schema: `schema` is the copy that is changed, `original` the
    /// approved one that references are looked up in.
    fn descend(&self, schema: &mut Value, original: &'v Value) {
        let (Some(object), Some(original)) = (schema.as_object_mut(), original.as_object()) else {
            return;
        };
        let mut originals = subschemas(original).into_iter();
        each_mut(object, &mut |edge, sub| {
            let Some(original) = originals.next() else {
                return;
            };
            match edge {
                Edge::Aside => {}
                Edge::Store | Edge::Within => self.descend(sub, original.schema),
                Edge::Below => {
                    self.descend(sub, original.schema);
                    if let (Some(object), Some(original_object)) =
                        (sub.as_object_mut(), original.schema.as_object())
                        && self.surface(original.schema).declares()
                    {
                        self.shut(object, original_object);
                    }
                }
            }
        });
    }

    /// Makes one object refuse what its surface does not declare, unless it says otherwise.
    fn shut(&self, object: &mut Object, original: &'v Object) {
        let speaks = ["additionalProperties", "unevaluatedProperties"]
            .iter()
            .any(|name| original.contains_key(name));
        if speaks && !self.is_only_reference(original) {
            return;
        }
        let composed = references(original).next().is_some()
            || subschemas(original)
                .iter()
                .any(|sub| sub.edge == Edge::Within);
        if !composed {
            object.insert("additionalProperties", false);
        } else if self.dialect.tracks_evaluation() {
            object.insert("unevaluatedProperties", false);
        } else {
            self.enumerate(object, original);
        }
    }

    /// Before 2019-09: every name that any branch declares, and no other.
    fn enumerate(&self, object: &mut Object, original: &'v Object) {
        let mut surface = Surface::default();
        self.collect(original, &mut surface, &mut BTreeSet::new());
        if surface.open {
            return;
        }
        if let Some(reference) = object.remove("$ref") {
            // What stands beside `$ref` was ignored; now it would count. Only what may be referred to
            // stays.
            let kept = ["$schema", "$id", "id", "$defs", "definitions"];
            let ignored: Vec<String> = object
                .keys()
                .filter(|name| !kept.contains(name))
                .map(str::to_owned)
                .collect();
            for name in &ignored {
                object.remove(name);
            }
            object.insert(
                "allOf",
                vec![Value::from(Object::from([("$ref", reference)]))],
            );
        }
        for (keyword, names) in [
            ("properties", surface.names),
            ("patternProperties", surface.patterns),
        ] {
            if !object.contains_key(keyword) {
                object.insert(keyword, Object::new());
            }
            if let Some(declared) = object.get_mut(keyword).and_then(Value::as_object_mut) {
                for name in names
                    .iter()
                    .filter(|name| !name.is_empty() || keyword == "properties")
                {
                    if !declared.contains_key(name) {
                        declared.insert(*name, Object::new());
                    }
                }
            }
        }
        object.insert("additionalProperties", false);
    }

    /// Whether a schema is nothing but its `$ref`: before 2019-09 what stands beside one is ignored.
    fn is_only_reference(&self, object: &Object) -> bool {
        !self.dialect.tracks_evaluation() && object.contains_key("$ref")
    }

    fn surface(&self, schema: &'v Value) -> Surface<'v> {
        let mut surface = Surface::default();
        if let Some(object) = schema.as_object() {
            self.collect(object, &mut surface, &mut BTreeSet::new());
        }
        surface
    }

    fn collect(&self, object: &'v Object, surface: &mut Surface<'v>, seen: &mut BTreeSet<usize>) {
        if !seen.insert(std::ptr::from_ref(object).addr()) {
            return;
        }
        if !self.is_only_reference(object) {
            for (name, value) in object.iter() {
                let names = value.as_object().into_iter().flat_map(Object::keys);
                match name {
                    "properties" => surface.names.extend(names),
                    "patternProperties" => surface.patterns.extend(names),
                    "additionalProperties" | "unevaluatedProperties"
                        if value.as_bool() != Some(false) =>
                    {
                        surface.open = true;
                    }
                    _ => {}
                }
            }
            for sub in subschemas(object)
                .into_iter()
                .filter(|sub| sub.edge == Edge::Within)
            {
                if let Some(object) = sub.schema.as_object() {
                    self.collect(object, surface, seen);
                }
            }
        }
        for (_, reference) in references(object) {
            let target = reference
                .as_str()
                .and_then(|reference| resolve(self.root, reference));
            if let Some(target) = target.and_then(Value::as_object) {
                self.collect(target, surface, seen);
            }
        }
    }
}

/// The members that a schema, and what applies with it, declares.
#[derive(Default)]
struct Surface<'v> {
    names: BTreeSet<&'v str>,
    patterns: BTreeSet<&'v str>,
    /// Some part of it allows undeclared members in so many words.
    open: bool,
}

impl Surface<'_> {
    fn declares(&self) -> bool {
        !self.names.is_empty() || !self.patterns.is_empty()
    }
}

/// Whether a subschema that fails can make the whole succeed.
fn turns_failure_into_success(schema: &Value) -> bool {
    let Some(object) = schema.as_object() else {
        return false;
    };
    ["contains", "if", "not", "oneOf"]
        .iter()
        .any(|name| object.contains_key(name))
        || subschemas(object)
            .iter()
            .any(|sub| turns_failure_into_success(sub.schema))
}
