//! The Cedar schema that the catalog implies.
//!
//! Parameters become attributes of `context.arguments`, all of them optional. What Cedar cannot
//! type (a union of types, a free-form object, an array of anything) is left out of the schema and
//! of every request, so a policy that names it is refused when it is loaded, never dodged.
//!
//! Under `Action::"call_tool"` one record has to serve every tool. It is the union of their
//! parameters, without those that have one type in one tool and another in the next. A policy that
//! names such a parameter is refused with both tools' names, unless its scope keeps it to one tool
//! (`resource == Resource::"…"`, or the tool's own action): then that tool's types are used. Tools
//! whose parameters clash can so be governed side by side, and a rule can never silently pass over
//! one of them.

mod infer;
mod merge;
mod write;

use std::{collections::BTreeMap, fmt};

pub(crate) use self::merge::union;
pub(crate) use self::write::{Declaration, SchemaText};
use crate::catalog::Approved;

/// Something that every policy may read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// Its Cedar type; that of `context.arguments` depends on the tool.
    pub cedar_type: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

/// Every member of the context, by name. All are always present.
pub const CONTEXT: [Member; 19] = [
    member(
        "after",
        "Set<String>",
        "tools that have already answered in this session",
    ),
    member(
        "arguments",
        "record",
        "the call's arguments, by the approved definition; each optional",
    ),
    member(
        "asked_by",
        "String",
        "when a server asks the client: what was called, by name or URI; else empty",
    ),
    member(
        "attestation_platform",
        "String",
        "what attests this gateway",
    ),
    member(
        "baa_covered",
        "Bool",
        "whether a business associate agreement covers the server",
    ),
    member(
        "compliance_domain",
        "String",
        "the tool's domain, from the catalog",
    ),
    member(
        "destination_class",
        "String",
        "where the call goes: `external`",
    ),
    member(
        "egress",
        "Bool",
        "false before the call, true when its response is judged",
    ),
    member(
        "elicit_mode",
        "String",
        "when a server asks a person: `form` or `url`; else empty",
    ),
    member(
        "injection_events",
        "Long",
        "responses of this session that carried marks of an injection",
    ),
    member(
        "labels",
        "Set<String>",
        "what inspection found in the response; empty before the call",
    ),
    member(
        "null_arguments",
        "Set<String>",
        "paths of arguments given as `null` where the schema allows it",
    ),
    member(
        "reset_count",
        "Long",
        "how often an operator has reset the principal's mark",
    ),
    member(
        "response_size_bytes",
        "Long",
        "size of the response; 0 before the call",
    ),
    member(
        "sensitivity_level",
        "Long",
        "the rank of `session_max_sensitivity`",
    ),
    member(
        "server_identity",
        "String",
        "the server's URL, or its command",
    ),
    member(
        "session_max_sensitivity",
        "String",
        "the highest label of session and tool",
    ),
    member(
        "session_sensitivities",
        "Set<String>",
        "every label of session and tool: of two with equal rank, both",
    ),
    member(
        "workflow_id",
        "String",
        "what the caller says it works on; `default` when it says nothing",
    ),
];

/// Every attribute of a `Resource`, `McpResource`, `Prompt` or `Server`, by name. All are always
/// present.
pub const RESOURCE: [Member; 10] = [
    member(
        "baa_covered",
        "Bool",
        "whether a business associate agreement covers the server",
    ),
    member(
        "compliance_domain",
        "String",
        "the tool's domain, from the catalog",
    ),
    member(
        "destination_class",
        "String",
        "where the call goes: `external`",
    ),
    member(
        "kind",
        "String",
        "`tool`, `resource`, `resource_template`, `prompt` or `server`",
    ),
    member(
        "read_only",
        "Bool",
        "whether a person confirmed that it only reads; of a server: that all of its approved items do",
    ),
    member(
        "sensitivity",
        "String",
        "the tool's own label, from the catalog",
    ),
    member(
        "sensitivity_level",
        "String",
        "the same, by the name it has in older policies",
    ),
    member("server", "String", "the server's name in the catalog"),
    member(
        "server_identity",
        "String",
        "the server's URL, or its command",
    ),
    member(
        "tool_name",
        "String",
        "the name callers use; of a resource its URI",
    ),
];

/// The parameters of an object.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Shape {
    pub(crate) members: BTreeMap<String, Parameter>,
    pub(crate) others: Others,
}

/// Whether an object may have members besides those it declares.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Others {
    /// It may, for the approved schema says so; policy does not see them.
    Allowed,
    /// It may not: such a call is denied.
    #[default]
    Refused,
}

/// One parameter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Parameter {
    /// Policy sees it.
    Typed { ty: ArgumentType, null: Nullable },
    /// Policy does not.
    Untyped(Untyped),
}

/// Whether `null` is a value of a parameter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Nullable {
    /// It is.
    Yes,
    /// A call that gives it is denied.
    No,
}

/// A type that Cedar has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ArgumentType {
    Bool,
    Decimal,
    Long,
    Record(Shape),
    Set(Box<Self>),
    String,
}

/// Why Cedar has no type for a parameter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Untyped {
    /// The schema allows any value.
    Anything,
    /// Its type differs between the tools it is a parameter of.
    Clash,
    /// Deeper than we look.
    Deep,
    /// An object whose members are not declared.
    FreeForm,
    /// An array of elements that policy does not see.
    Elements,
    /// An object that may have members besides those it declares.
    Open,
    /// The schema refers to itself, or to what is not there.
    Reference,
    /// Several types.
    Union,
}

impl Untyped {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Anything,
        Self::Clash,
        Self::Deep,
        Self::FreeForm,
        Self::Elements,
        Self::Open,
        Self::Reference,
        Self::Union,
    ];
}

impl fmt::Display for Untyped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anything => "its schema allows any value",
            Self::Clash => "its type differs between tools",
            Self::Deep => "its schema is nested too deeply",
            Self::FreeForm => "its schema does not declare the object's members",
            Self::Elements => "its schema does not give the elements one type",
            Self::Open => "its object may have members that the schema does not declare",
            Self::Reference => "its schema refers to itself or to nothing",
            Self::Union => "its schema allows several types",
        })
    }
}

impl fmt::Display for ArgumentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("a boolean"),
            Self::Decimal => f.write_str("a number"),
            Self::Long => f.write_str("an integer"),
            Self::Record(_) => f.write_str("an object"),
            Self::Set(_) => f.write_str("an array"),
            Self::String => f.write_str("a string"),
        }
    }
}

/// What is known of a path below `context.arguments`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lookup<'a> {
    /// No call of this tool has it.
    Absent,
    /// Policy sees it, with this type.
    Typed(&'a ArgumentType),
    /// A call may have it, but policy does not see it.
    Untyped(Untyped),
}

impl Shape {
    /// The parameters of an approved tool.
    pub(crate) fn of(tool: &Approved) -> Self {
        tool.argument_schema()
            .map_or_else(Self::default, infer::shape)
    }

    /// What is known of a path below this object.
    pub(crate) fn lookup(&self, path: &[&str]) -> Option<Lookup<'_>> {
        let (first, rest) = path.split_first()?;
        Some(match (self.members.get(*first), self.others) {
            (None, Others::Refused) => Lookup::Absent,
            (None, Others::Allowed) => Lookup::Untyped(Untyped::Open),
            (Some(Parameter::Untyped(why)), _) => Lookup::Untyped(*why),
            (Some(Parameter::Typed { ty, .. }), _) if rest.is_empty() => Lookup::Typed(ty),
            (
                Some(Parameter::Typed {
                    ty: ArgumentType::Record(shape),
                    ..
                }),
                _,
            ) => {
                return shape.lookup(rest);
            }
            (Some(Parameter::Typed { .. }), _) => Lookup::Absent,
        })
    }
}

const fn member(name: &'static str, cedar_type: &'static str, meaning: &'static str) -> Member {
    Member {
        name,
        cedar_type,
        meaning,
    }
}

#[cfg(test)]
mod tests;
