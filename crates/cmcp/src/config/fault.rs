//! What can be wrong with a configuration, where, and what to do about it.

use std::{fmt, path::PathBuf};

use cmcp_gateway::oauth::{SetError, UrlError};
use cmcp_json::{Object, Value};
use cmcp_policy::{
    bundle::{BundleError, BundleSignatureError, KeysError, PolicyError},
    catalog::{CatalogError, CatalogErrorKind},
    sensitivity::VocabularyError,
};

pub(crate) use crate::config::code::Code;
use crate::config::{documents, yaml::Position};

/// One problem: a place and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) place: Place,
    pub(crate) fault: Fault,
}

impl Problem {
    pub(crate) fn at(file: &str, position: Position, fault: Fault) -> Self {
        Self {
            place: Place::Line {
                file: file.to_owned(),
                position,
            },
            fault,
        }
    }

    pub(crate) fn file(path: impl Into<PathBuf>, fault: Fault) -> Self {
        Self {
            place: Place::File(path.into()),
            fault,
        }
    }

    pub(crate) fn line(path: impl Into<PathBuf>, line: usize, fault: Fault) -> Self {
        Self {
            place: Place::FileLine {
                path: path.into(),
                line,
            },
            fault,
        }
    }

    /// For a reader that is a program.
    pub(crate) fn to_json(&self) -> Value {
        let mut document = Object::from([
            ("code", self.fault.code().as_str().to_owned()),
            ("place", self.place.to_string()),
            ("message", self.fault.to_string()),
        ]);
        let (line, column) = match &self.place {
            Place::File(_) | Place::Variable(_) => (None, None),
            Place::FileLine { line, .. } => (Some(*line), None),
            Place::Line { position, .. } => (Some(position.line), Some(position.column)),
        };
        for (name, number) in [("line", line), ("column", column)] {
            if let Some(number) = number.and_then(|number| u64::try_from(number).ok()) {
                document.insert(name, number);
            }
        }
        document.into()
    }

    pub(crate) fn variable(name: &'static str, fault: Fault) -> Self {
        Self {
            place: Place::Variable(name),
            fault,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, fault } = self;
        write!(f, "{place}: {fault}")
    }
}

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    File(PathBuf),
    FileLine { path: PathBuf, line: usize },
    Line { file: String, position: Position },
    Variable(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::FileLine { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Line { file, position } => {
                write!(f, "{file}:{}:{}", position.line, position.column)
            }
            Self::Variable(name) => write!(f, "environment {name}"),
        }
    }
}

/// What is wrong, and the remedy after the semicolon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("an alias (`*name`) stands here; write the value out, aliases are not accepted")]
    Alias,
    #[error("an anchor (`&name`) stands here; remove it, anchors are not accepted")]
    Anchor,
    #[error("{0}")]
    Bundle(Box<BundleError>),
    #[error("{0}")]
    Catalog(Box<CatalogError>),
    #[error("the catalog is {actual}, not {expected}; review it and pin the new digest")]
    CatalogHash { expected: String, actual: String },
    #[error(
        "`{key}` would change the catalog while the gateway runs; remove the key and restart with a newly pinned catalog"
    )]
    CatalogReload { key: String },
    #[error("the database lies on a network file system ({kind}); put it on a local disk")]
    DatabaseOnNetwork { kind: &'static str },
    #[error(
        "server `{server}` is to see `{name}`, which is not set; export it, or take it out of the server's `env`"
    )]
    ChildVariable { server: String, name: String },
    #[error(
        "`{server}` is no server of the catalog; name one as the catalog has it, or remove the credential"
    )]
    CredentialOfNobody { server: String },
    #[error(
        "server `{server}` is a process; its credentials go into its environment, by `env` in the catalog"
    )]
    CredentialOfProcess { server: String },
    #[error("values are nested deeper than {limit} levels; no key needs that")]
    Depth { limit: usize },
    #[error(
        "development mode counts on loopback only and `listen_addr` is `{addr}`; listen on `127.0.0.1`, or set `danger_software_evidence: true` in the file as well"
    )]
    DevelopmentBeyondLoopback { addr: String },
    #[error("a second document starts here; keep one document in the file")]
    Documents,
    #[error("`{key}` is set already on line {first}; keep one of the two")]
    DuplicateKey { key: String, first: usize },
    #[error("principal `{name}` is listed already on line {first}; give each its own name")]
    DuplicatePrincipal { name: String, first: usize },
    #[error(
        "principal `{name}` has the token of `{other}`; give each principal a token of its own"
    )]
    DuplicateToken { name: String, other: String },
    #[error("the file is not UTF-8; save it as UTF-8")]
    Encoding,
    #[error("issuer `{issuer}` or its prefix `{prefix}` is listed twice; give each its own")]
    IssuerTwice { issuer: String, prefix: String },
    #[error("the key is not plain text; write `name: value`")]
    KeyNotText,
    #[error("{0}; save the issuer's JSON Web Key Set here")]
    KeySet(SetError),
    #[error("`{setting}` is not available in this version; {remedy}")]
    Later {
        setting: String,
        remedy: &'static str,
    },
    #[error("{missing}; {remedy}")]
    Missing {
        code: Code,
        missing: &'static str,
        remedy: &'static str,
    },
    #[error("`{key}` has no value; write {expected}, or remove the key")]
    NoValue { key: String, expected: String },
    #[error("`{key}` is {found}, and has keys of its own; write them indented below it")]
    NotMapping { key: String, found: String },
    #[error(
        "no hardware evidence is available in this version; set `CMCP_DEV_MODE=1` while developing, or `danger_software_evidence: true`"
    )]
    NoHardware,
    #[error("`{first}` and `{second}` are both set; keep one of the two")]
    OneOfTwo { first: String, second: String },
    #[error(
        "principal `{name}` could be taken for one of the issuer's, whose names begin with `{prefix}:`; rename it"
    )]
    PrefixTaken { name: String, prefix: String },
    #[error(
        "`listen_addr` is `{addr}`: plain HTTP beyond loopback shows tokens and data to the network; listen on `127.0.0.1`, or set `danger_plain_http: true` where something in front does TLS"
    )]
    PlainHttp { addr: String },
    #[error("{0}")]
    Policy(Box<PolicyError>),
    #[error("the policy bundle is {actual}, not {expected}; review it and pin the new digest")]
    PolicyHash { expected: String, actual: String },
    #[error("`{path}` {what}")]
    ReferenceValue { path: String, what: String },
    #[error(
        "a second issuer has `introspection`; keep one, since a token that does not say whose it is can be shown to one issuer only"
    )]
    SecondIntrospection,
    #[error("`{key}` refers to `{name}`, which is not set; export it")]
    SecretVariable { key: String, name: String },
    #[error("{0}")]
    Signature(BundleSignatureError),
    #[error("{0}")]
    SigningKeys(KeysError),
    #[error("`sink_policy` has one of its two keys; set both, or neither")]
    SinkPair,
    #[error("the file is larger than {limit} bytes; check that it is the configuration")]
    Size { limit: usize },
    #[error(
        "`attestation.provider: software-only` proves nothing about this machine; set `CMCP_DEV_MODE=1` while developing, or `danger_software_evidence: true`"
    )]
    SoftwareNotAsked,
    #[error("the YAML is malformed ({info}); correct it here")]
    Syntax { info: String },
    #[error("the tag `{tag}` stands here; remove it, tags are not accepted")]
    Tag { tag: String },
    #[error("{0}; report this")]
    Tls(String),
    #[error("the tokens for calls and for operators are the same; set two different ones")]
    TokensEqual,
    #[error(
        "`listen_addr` is `{addr}` and there is no token; set `CMCP_BEARER_TOKEN`, list `principals`, or listen on `127.0.0.1`"
    )]
    TokenlessBeyondLoopback { addr: String },
    #[error(
        "the document is not a mapping; write keys and values, as in `listen_addr: \"127.0.0.1:8443\"`"
    )]
    TopLevel,
    #[error("`{key}` contains `..`; write the path without it")]
    Traversal { key: String },
    #[error("`{key}` is not a key of the configuration{hint}")]
    UnknownKey { key: String, hint: String },
    #[error("`{key}` names the sensitivity `{label}`, which is not in the vocabulary; use {known}")]
    UnknownLabel {
        key: String,
        label: String,
        known: String,
    },
    #[error("`{key}` names the tool `{tool}`, which is not in the catalog; name it as callers do")]
    UnknownTool { key: String, tool: String },
    #[error("the file cannot be read: {cause}; {remedy}")]
    Unreadable { cause: String, remedy: &'static str },
    #[error("`{key}` is `{url}`: {cause}; write an `https` URL")]
    Url {
        key: String,
        url: String,
        cause: UrlError,
    },
    #[error("`{key}` is {found}; write {expected}")]
    Value {
        key: String,
        found: String,
        expected: String,
    },
    #[error("{reason}; {remedy}")]
    Variable {
        code: Code,
        reason: &'static str,
        remedy: &'static str,
    },
    #[error("{0}")]
    Vocabulary(#[from] VocabularyError),
    #[error("everybody may write this file; take that right away (`chmod o-w`)")]
    Writable,
}

impl Fault {
    /// Whether a file could not be had at all.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, Self::Unreadable { .. })
    }

    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Catalog(error) if is_collision(&error.kind) => Code::CatalogToolNameCollision,
            Self::Signature(error) if documents::is_revoked(error) => Code::PolicySigningKeyRevoked,
            Self::Signature(_) => Code::PolicySignatureInvalid,
            Self::SigningKeys(_) => Code::PolicySigningKeyInvalid,
            Self::CatalogHash { .. } => Code::CatalogHashMismatch,
            Self::CatalogReload { .. } => Code::CatalogRestartRequired,
            Self::DatabaseOnNetwork { .. } => Code::AuditStoreUnavailable,
            Self::Later { setting, .. } if setting.starts_with("attestation.provider") => {
                Code::AttestationProviderNotImplemented
            }
            Self::Missing { code, .. } | Self::Variable { code, .. } => *code,
            Self::NoHardware | Self::SoftwareNotAsked => Code::AttestationProviderUnsupported,
            Self::PolicyHash { .. } => Code::PolicyHashMismatch,
            Self::Alias
            | Self::Anchor
            | Self::Bundle(_)
            | Self::Catalog(_)
            | Self::ChildVariable { .. }
            | Self::CredentialOfNobody { .. }
            | Self::CredentialOfProcess { .. }
            | Self::Depth { .. }
            | Self::DevelopmentBeyondLoopback { .. }
            | Self::Documents
            | Self::DuplicateKey { .. }
            | Self::DuplicatePrincipal { .. }
            | Self::DuplicateToken { .. }
            | Self::Encoding
            | Self::IssuerTwice { .. }
            | Self::KeyNotText
            | Self::KeySet(_)
            | Self::Later { .. }
            | Self::NoValue { .. }
            | Self::NotMapping { .. }
            | Self::OneOfTwo { .. }
            | Self::PlainHttp { .. }
            | Self::Policy(_)
            | Self::PrefixTaken { .. }
            | Self::ReferenceValue { .. }
            | Self::SecondIntrospection
            | Self::SecretVariable { .. }
            | Self::SinkPair
            | Self::Size { .. }
            | Self::Syntax { .. }
            | Self::Tag { .. }
            | Self::Tls(_)
            | Self::TokensEqual
            | Self::TokenlessBeyondLoopback { .. }
            | Self::TopLevel
            | Self::Traversal { .. }
            | Self::UnknownKey { .. }
            | Self::UnknownLabel { .. }
            | Self::UnknownTool { .. }
            | Self::Unreadable { .. }
            | Self::Url { .. }
            | Self::Value { .. }
            | Self::Vocabulary(_)
            | Self::Writable => Code::Config,
        }
    }
}

fn is_collision(kind: &CatalogErrorKind) -> bool {
    matches!(
        kind,
        CatalogErrorKind::ActionCollision(..) | CatalogErrorKind::ExposedTwice { .. }
    )
}
