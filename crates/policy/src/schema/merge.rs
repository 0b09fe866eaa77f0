//! One record for several tools.

use super::{ArgumentType, Nullable, Others, Parameter, Shape, Untyped};

/// The parameters of all of them; one whose type differs is there, but untyped.
pub(crate) fn union<'a>(shapes: impl IntoIterator<Item = &'a Shape>) -> Shape {
    let mut all = Shape::default();
    for shape in shapes {
        merge(&mut all, shape);
    }
    all
}

fn merge(all: &mut Shape, shape: &Shape) {
    if shape.others == Others::Allowed {
        all.others = Others::Allowed;
    }
    for (name, parameter) in &shape.members {
        match all.members.get_mut(name) {
            None => {
                all.members.insert(name.clone(), parameter.clone());
            }
            Some(known) => *known = both(known, parameter),
        }
    }
}

fn both(one: &Parameter, other: &Parameter) -> Parameter {
    match (one, other) {
        (Parameter::Untyped(why), _) | (_, Parameter::Untyped(why)) => Parameter::Untyped(*why),
        (
            Parameter::Typed { ty: one, null },
            Parameter::Typed {
                ty: other,
                null: also,
            },
        ) => match common(one, other) {
            Some(ty) => {
                let null = if *also == Nullable::Yes {
                    Nullable::Yes
                } else {
                    *null
                };
                Parameter::Typed { ty, null }
            }
            None => Parameter::Untyped(Untyped::Clash),
        },
    }
}

/// The type that serves both; objects are merged member by member.
pub(super) fn common(one: &ArgumentType, other: &ArgumentType) -> Option<ArgumentType> {
    match (one, other) {
        (ArgumentType::Record(one), ArgumentType::Record(other)) => {
            let mut all = one.clone();
            merge(&mut all, other);
            Some(ArgumentType::Record(all))
        }
        (ArgumentType::Set(one), ArgumentType::Set(other)) => {
            common(one, other).map(|ty| ArgumentType::Set(Box::new(ty)))
        }
        _ => (one == other).then(|| one.clone()),
    }
}

impl ArgumentType {
    /// Whether a policy that is right for one is right for the other.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        common(self, other).is_some()
    }
}
