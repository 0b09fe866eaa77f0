use cmcp_evidence::Sha256Digest;
use cmcp_json::ParseErrorKind;

use super::template::TemplateError;
use crate::{path::PathError, schema_check::SchemaError};

/// Something that is wrong with a catalog.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place}: {kind}")]
pub struct CatalogError {
    /// Where: `$` or a path such as `tools[2].alias`.
    pub place: String,
    /// The line in the document, from 1; 0 when it has none.
    pub line: usize,
    /// What, and what to do about it.
    pub kind: CatalogErrorKind,
}

/// What can be wrong with a catalog.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CatalogErrorKind {
    /// Two names that derive the same action under 0.7.1's rule.
    #[error(
        "`{0}` and this name both stand for `Action::\"{1}\"` under `compat: cmcp-0.7`: rename one"
    )]
    ActionCollision(String, String),
    /// A name in which invisible characters or look-alikes make two names one to the eye.
    #[error("`{this}` looks like `{other}`: give one of them an `alias` that cannot be mistaken")]
    Confusable {
        /// This name.
        this: String,
        /// The one it looks like.
        other: String,
    },
    /// The definition's `name` differs from the entry's.
    #[error("the definition is named `{0}`, the entry differs: approve the tool again")]
    DefinitionName(String),
    /// The digest differs from that of the definition.
    #[error(
        "the definition has digest `{actual}`, the catalog says `{stated}`: it was changed after approval; approve it again"
    )]
    Digest {
        /// What the document says.
        stated: String,
        /// What its definition comes to.
        actual: Sha256Digest,
    },
    /// A compliance domain that nobody declared.
    #[error(
        "compliance domain `{name}` is not declared: use one of {known}, or declare it under `sensitivity.compliance_domains`"
    )]
    Domain {
        /// The name.
        name: String,
        /// Those there are.
        known: String,
    },
    /// The same tool twice.
    #[error("`{0}` is here twice: remove one entry")]
    Duplicate(String),
    /// Two tools with the same exposed name.
    #[error("the name `{name}` is already that of {other}: give one of them an `alias`")]
    ExposedTwice {
        /// The exposed name.
        name: String,
        /// The place of the other.
        other: String,
    },
    /// A variable that makes a child run other code, or is the gateway's.
    #[error(
        "`{0}` may not reach a child: it can change what the child runs, or is the gateway's own"
    )]
    ForbiddenVariable(String),
    /// A member that must be there.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A name that would be changed on its way.
    #[error("`{0}` is not in lower case, as names in this form of the catalog must be")]
    NotLowerCase(String),
    /// The text is no JSON, or one that two readers could understand differently.
    #[error("{0}")]
    Parse(ParseErrorKind),
    /// A path that is relative or has `.`, `..` or empty parts.
    #[error("`{0}` is not an absolute path without `.` and `..`")]
    Path(String),
    /// A TLS fingerprint that is none.
    #[error(
        "`{0}` is not a pin: write `sha256:` and 64 hexadecimal digits (in a 0.7.1 catalog `SHA256:` and 44 characters of base64)"
    )]
    Pin(String),
    /// HTTP beyond this machine.
    #[error("`{0}` would be called in the clear: use https")]
    PlainHttp(String),
    /// A prompt's name that clients, policies or logs could misread.
    #[error("`{0}` is not a prompt name: 1 to 128 of A-Z, a-z, 0-9, `_`, `.` and `-`")]
    PromptName(String),
    /// A redaction path that is none.
    #[error("{0}")]
    RedactionPath(PathError),
    /// A member whose part is not built yet.
    #[error("`{member}` is not enforced by this version, so it is not accepted either: {remedy}")]
    Reserved {
        /// The member.
        member: &'static str,
        /// What to write.
        remedy: &'static str,
    },
    /// A resource's URI that is none.
    #[error(
        "`{0}` is not the URI of a resource: a scheme, then printable ASCII without blanks, quotes, brackets of `<>{{}}`, `\\`, `^`, `|` and backticks; its server has to percent-encode what else there is"
    )]
    ResourceUri(String),
    /// A definition that must not be approved.
    #[error(
        "the definition holds {what} at `{at}`: such text shows a person something else than it tells a model; leave this tool out"
    )]
    Scan {
        /// What it holds.
        what: &'static str,
        /// Where in the definition.
        at: String,
    },
    /// A schema that cannot be enforced.
    #[error("`{which}` cannot be enforced: {error}")]
    Schema {
        /// Which schema of the definition.
        which: &'static str,
        /// Why.
        error: SchemaError,
    },
    /// A sensitivity label that has no rank.
    #[error(
        "sensitivity `{name}` has no rank: use one of {known}, or declare it under `sensitivity.vocabulary`"
    )]
    Sensitivity {
        /// The label.
        name: String,
        /// Those there are.
        known: String,
    },
    /// A server's name that could not be part of an exposed name.
    #[error("`{0}` is not a server name: 1 to 31 of a-z, 0-9 and `-`, beginning with a letter")]
    ServerName(String),
    /// A value of another kind.
    #[error("expected {expected}, found {found}")]
    Shape {
        /// What belongs there.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A URI template that is none.
    #[error("`{template}` is not a template that URIs can be held against: {error}")]
    Template {
        /// The template.
        template: String,
        /// Why.
        error: TemplateError,
    },
    /// A time that is none.
    #[error("`{0}` is not a time with a zone, as in `2026-06-05T00:00:00Z`")]
    Time(String),
    /// A name that clients, policies or logs could misread.
    #[error("`{0}` is not a tool name: 1 to 128 of A-Z, a-z, 0-9, `_`, `.` and `-`")]
    ToolName(String),
    /// A member that nothing reads.
    #[error("`{name}` is not known here: remove it ({known} are)")]
    Unknown {
        /// The member.
        name: String,
        /// Those there are.
        known: String,
    },
    /// A tool of a server that is not in the document.
    #[error("there is no server `{name}` ({known})")]
    UnknownServer {
        /// The name.
        name: String,
        /// Those there are.
        known: String,
    },
    /// A resource that two entries approve.
    #[error("the URI `{uri}` is already that of `{other}`: it has one owner; remove one entry")]
    UriTwice {
        /// The URI, or the template.
        uri: String,
        /// The place of the other.
        other: String,
    },
    /// An endpoint that is no URL, or one with a user, a password or a fragment.
    #[error("`{0}` is not an http or https URL without user, password and fragment")]
    Url(String),
    /// A name that is not an environment variable's.
    #[error("`{0}` is not the name of an environment variable")]
    Variable(String),
    /// A version of the form that this program does not know.
    #[error("version `{0}` of the catalog is not known: this program reads version 1")]
    Version(String),
    /// A word that is not one of those there are.
    #[error("`{word}` is not one of {known}")]
    Word {
        /// The word.
        word: String,
        /// Those there are.
        known: &'static str,
    },
}
