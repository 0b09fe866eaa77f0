use std::fmt;

use cmcp_json::{CanonError, ParseErrorKind};

use super::statement::{MAX_NESTING, MAX_OPERATORS, MAX_TOKENS};
use super::{MAX_BYTES, MAX_POLICIES};
use crate::{decide::Action, schema::Untyped};

/// Why a bundle was refused; every fault of a bundle is reported at once.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BundleError {
    /// A carriage return, which the Python cMCP hashes as a newline.
    #[error(
        "`{file}`, line {line}: a carriage return gives the bundle two hashes: save the file with \
         `\\n` line ends, or ask for `compat: cmcp-0.7`, which reads it as `\\n`"
    )]
    CarriageReturn {
        /// Path in the bundle.
        file: String,
        /// Line of the first one.
        line: usize,
    },
    /// The manifest has no canonical form.
    #[error("`manifest.json` cannot be hashed: {0}")]
    Hash(#[from] CanonError),
    /// No manifest.
    #[error(
        "`manifest.json` is missing: write one with `version`, `authored_at`, `author_identity` \
         and `commit_sha`"
    )]
    ManifestMissing,
    /// The manifest lacks a required member.
    #[error(
        "`manifest.json`: `{member}` is missing or not a non-empty string: every bundle states it"
    )]
    ManifestMember {
        /// Its name.
        member: &'static str,
    },
    /// The manifest is JSON, but not an object.
    #[error("`manifest.json` is not a JSON object")]
    ManifestShape,
    /// The manifest's signature is of another kind than text.
    #[error("`manifest.json`: `signature` is not a string: it is base64url text, or left out")]
    ManifestSignature,
    /// The manifest is not JSON that has one reading.
    #[error("`manifest.json`, line {line}, column {column}: {kind}")]
    ManifestSyntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong there.
        kind: ParseErrorKind,
    },
    /// No file holds policies.
    #[error("the bundle holds no `.cedar` file: put its policies into one")]
    NoPolicies,
    /// A path that could leave the bundle, or be read two ways.
    #[error(
        "`{file}` is not a path inside the bundle: use relative names separated by `/`, without `.` and `..`"
    )]
    Path {
        /// The path as given.
        file: String,
    },
    /// A policy that does not parse.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// No schema file.
    #[error(
        "`schema.cedarschema` is missing: it is part of the bundle's hash, so add the file (`{{}}` \
         will do)"
    )]
    SchemaMissing,
    /// Too much policy text.
    #[error("the bundle's files hold more than {MAX_BYTES} bytes: split the deployment")]
    TooLarge,
    /// Too many policies.
    #[error(
        "the bundle holds more than {MAX_POLICIES} policies: merge those that differ in a name only"
    )]
    TooMany,
    /// One path twice.
    #[error("`{file}` is given twice")]
    Twice {
        /// Path in the bundle.
        file: String,
    },
    /// A file that is not text.
    #[error("`{file}` is not UTF-8 text")]
    Utf8 {
        /// Path in the bundle.
        file: String,
    },
}

/// Where a policy stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// Path in the bundle.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// The policy's id, once it has one.
    pub policy: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, line {}", self.file, self.line)?;
        match &self.policy {
            Some(policy) => write!(f, ", policy `{policy}`"),
            None => Ok(()),
        }
    }
}

/// What is wrong with a policy, and where.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// Something in a policy's text.
    #[error("{place}: {cause}")]
    Policy {
        /// Where.
        place: Place,
        /// What.
        cause: Cause,
    },
    /// Two tools would be one action.
    #[error(
        "tools `{first}` and `{second}` are both `Action::\"{action}\"`: give one of them an alias"
    )]
    ActionTwice {
        /// The action.
        action: String,
        /// One tool.
        first: String,
        /// The other.
        second: String,
    },
    /// The same attribute has two types on two principals.
    #[error(
        "attribute `{attribute}` of principals `{first}` and `{second}` has two types: give it one"
    )]
    AttributeClash {
        /// Its name.
        attribute: String,
        /// One principal.
        first: String,
        /// The other.
        second: String,
    },
    /// A principal's attribute has a name that is taken.
    #[error(
        "attribute `{attribute}` of principal `{principal}` has a name of the gateway's own: rename it"
    )]
    AttributeReserved {
        /// Its name.
        attribute: String,
        /// Whose.
        principal: String,
    },
    /// Two principals of one name.
    #[error("principal `{0}` is configured twice")]
    PrincipalTwice(String),
    /// The generated schema was refused, which no catalog should achieve.
    #[error("the schema generated from the catalog is refused: {0}")]
    Schema(String),
    /// A tool's name is the general action's.
    #[error("tool `{0}` bears the name of the action that covers every tool: give it an alias")]
    ToolNamedAction(String),
}

/// What is wrong with one policy.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Cause {
    /// An attribute of something that is computed cannot be checked against the schema.
    #[error(
        "`{0}` is read from a computed value: name it from `principal`, `resource` or `context` on"
    )]
    Computed(String),
    /// The parameter has one type in one tool and another in the other.
    #[error(
        "parameter `{path}` is {first_type} in tool `{first}` and {second_type} in tool `{second}`: \
         write one policy per tool (`resource == Resource::\"{first}\"`)"
    )]
    Clash {
        /// The parameter, from `context.arguments` on.
        path: String,
        /// One tool.
        first: String,
        /// Its type there.
        first_type: String,
        /// The other tool.
        second: String,
        /// Its type there.
        second_type: String,
    },
    /// A parameter that has one type under one action and another under the other.
    #[error(
        "parameter `{path}` is {first_type} under `{first}` and {second_type} under `{second}`: keep \
         the policy to one of them (`action == Action::\"{first}\"`)"
    )]
    ClashOfActions {
        /// The parameter, from `context.arguments` on.
        path: String,
        /// One action.
        first: &'static str,
        /// The type there.
        first_type: String,
        /// The other action.
        second: &'static str,
        /// The type there.
        second_type: String,
    },
    /// Two policies of one id.
    #[error(
        "`@id(\"{id}\")` is also the policy at {other}: ids are what the log names, so each is used once"
    )]
    DuplicateId {
        /// The id.
        id: String,
        /// Where the first stands.
        other: String,
    },
    /// Cedar's validator or parser has something against it.
    #[error("{message}{}", hint(.help.as_ref()))]
    Invalid {
        /// What.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// A policy that can never apply.
    #[error("it can never apply to any call: remove it, or correct its conditions")]
    Never,
    /// Deeper than the limit.
    #[error("it nests more than {MAX_NESTING} brackets: split it")]
    Nesting,
    /// More operators than the limit.
    #[error(
        "it has more than {MAX_OPERATORS} operators: split it, or write a list as `[…].contains(…)`"
    )]
    Operators,
    /// The redaction path cannot be read.
    #[error("`@redact`: `{path}`: {reason}")]
    Redaction {
        /// As written.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Cedar templates have nobody to link them here.
    #[error("it is a template (`?principal` or `?resource`): write the name in its place")]
    Template,
    /// Longer than the limit.
    #[error("it has more than {MAX_TOKENS} tokens: split it")]
    Tokens,
    /// No such action.
    #[error("there is no `Action::\"{name}\"`{}", meant(.nearest.as_ref()))]
    UnknownAction {
        /// As written.
        name: String,
        /// What was perhaps meant.
        nearest: Option<String>,
    },
    /// No such attribute.
    #[error("there is no `{path}`{}", meant(.nearest.as_ref()))]
    UnknownAttribute {
        /// As written.
        path: String,
        /// What was perhaps meant.
        nearest: Option<String>,
    },
    /// No such entity type.
    #[error(
        "there is no entity type `{name}`: principals are `Agent`, tools `Resource`, actions `Action`"
    )]
    UnknownType {
        /// As written.
        name: String,
    },
    /// No such tool.
    #[error("there is no tool `{name}` in the catalog{}", meant(.nearest.as_ref()))]
    UnknownTool {
        /// As written.
        name: String,
        /// What was perhaps meant.
        nearest: Option<String>,
    },
    /// No such resource, prompt or server.
    #[error("there is no {what} `{name}` in the catalog{}", meant(.nearest.as_ref()))]
    UnknownThing {
        /// What there is none of.
        what: &'static str,
        /// As written.
        name: String,
        /// What was perhaps meant.
        nearest: Option<String>,
    },
    /// A value that this attribute never has.
    #[error("`{path}` is never `{value}`{}", meant(.nearest.as_ref()))]
    UnknownValue {
        /// The attribute.
        path: String,
        /// As written.
        value: String,
        /// What was perhaps meant.
        nearest: Option<String>,
    },
    /// Cedar has no type for the parameter, so policy never sees it.
    #[error(
        "parameter `{path}` of tool `{tool}` is invisible to policy: {why}; approve a definition \
         that types it, or keep this policy away from that tool (`resource == …`)"
    )]
    Untyped {
        /// The parameter, from `context.arguments` on.
        path: String,
        /// The tool.
        tool: String,
        /// Why Cedar cannot type it.
        why: Untyped,
    },
    /// A record is compared or handed on as a whole.
    #[error("`{0}` is used as a whole, though policy may not see all of it: name its members")]
    Whole(String),
}

/// Something to tell the operator that stops nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Warning {
    /// A finding that only `compat: cmcp-0.7` lets pass; where it makes evaluation fail, it denies.
    #[error("{0}")]
    Finding(PolicyError),
    /// An action's name that a tool has taken.
    #[error(
        "{place}: `Action::\"{action}\"` is the tool `{action}` here, and not what the gateway calls so: give the tool an alias, or nothing can be said of the other"
    )]
    ActionTaken {
        /// Where.
        place: Place,
        /// The action.
        action: String,
    },
    /// A permit that could only be meant for what servers ask, and does not cover it.
    #[error(
        "{place}: it permits no `{action}`, for its scope does not name that: write `action == Action::\"{action}\"` there"
    )]
    AskedUnnamed {
        /// Where.
        place: Place,
        /// The action.
        action: Action,
    },
    /// Cedar's validator is doubtful about a name.
    #[error("{place}: {message}")]
    Doubtful {
        /// Where.
        place: Place,
        /// About what.
        message: String,
    },
    /// Without a permit, everything is denied.
    #[error("no policy permits anything: every call is denied")]
    NothingPermitted,
    /// `@redact` speaks to a permitted call's response.
    #[error("{place}: `@redact` on a `forbid` does nothing: put it on a `permit`")]
    RedactOnForbid {
        /// Where.
        place: Place,
    },
    /// A principal that is not configured.
    #[error("{place}: no principal `{name}` is configured{}", meant(.nearest.as_ref()))]
    UnknownPrincipal {
        /// Where.
        place: Place,
        /// As written.
        name: String,
        /// What was perhaps meant.
        nearest: Option<String>,
    },
}

fn meant(name: Option<&String>) -> String {
    name.map_or_else(String::new, |name| format!(": did you mean `{name}`?"))
}

fn hint(help: Option<&String>) -> String {
    help.map_or_else(String::new, |help| format!(": {help}"))
}
