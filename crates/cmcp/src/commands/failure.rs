//! Why a command could not do what it was asked.

use std::{io, path::PathBuf};

use cmcp_json::{CanonError, Object, Value};
use cmcp_policy::schema_check::ViolatedRule;

use crate::{
    commands::{Exit, evidence::EvidenceFailure},
    config::fault::Problem,
    demo::DemoError,
    init::InitError,
    output::Output,
};

/// Why a command could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Archive(cmcp_gateway::ArchiveError),
    /// `policy explain`: the call would be refused before policy is asked.
    #[error("deny: the arguments break the approved schema at `{place}`: {rule}; correct them")]
    Arguments { rule: ViolatedRule, place: String },
    #[error("{0}")]
    Bridge(cmcp_connect::bridge::BridgeError),
    #[error("a document has no canonical form: {0}")]
    Canonical(CanonError),
    #[error("{0}")]
    Demo(#[from] DemoError),
    /// Every problem, each with its own code.
    #[error("the configuration has {} problems", .0.len())]
    Config(Vec<Problem>),
    #[error(
        "{} has the form of the Python cMCP 0.7, which is converted as a whole; leave out `--tool`",
        .path.display()
    )]
    ConvertWhole { path: PathBuf },
    #[error("{0}")]
    Evidence(#[from] EvidenceFailure),
    #[error("{} exists; choose another folder, or add `--force` to replace it", .path.display())]
    Exists { path: PathBuf },
    #[error("the explanation cannot be shown: {0}")]
    Explanation(cmcp_json::ToValueError),
    #[error("`{flag}` is `{value}`; write {expected}")]
    Flag {
        flag: &'static str,
        value: String,
        expected: &'static str,
    },
    #[error(
        "`{flag}` is not available in this version; leave it out, nothing else is checked for it"
    )]
    FlagLater { flag: &'static str },
    /// `verify`: the evidence in a record cannot be judged.
    #[error("{0}")]
    InRecord(EvidenceFailure),
    #[error("{0}")]
    Init(#[from] InitError),
    #[error("standard input cannot be read: {0}; is it still open?")]
    Input(io::Error),
    #[error("{} has no session `{id}`; without `--session` its sessions are listed", .database.display())]
    NoSession { id: String, database: PathBuf },
    #[error("the running program cannot be read: {0}; start it from a readable file")]
    Program(io::Error),
    #[error("nothing was approved; type `yes`, or add `--yes` once you have seen the changes")]
    NotApproved,
    #[error("{}: {error}; check the path", .path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("the runtime does not start: {0}; check limits on threads and open files")]
    Runtime(io::Error),
    #[error("{0}")]
    Serve(cmcp_gateway::ServeError),
    #[error("{0}")]
    Start(cmcp_gateway::StartError),
    #[error(
        "environment {name}: it is not set; export the bearer token, a gateway beyond this machine asks for it"
    )]
    TokenMissing { name: String },
    #[error("`{flag}` names `{value}`, which is not known{hint}")]
    Unknown {
        flag: &'static str,
        value: String,
        hint: String,
    },
    #[error("{}: {error}; check the folder and the rights to it", .path.display())]
    Write { path: PathBuf, error: io::Error },
}

impl Failure {
    /// What the process answers.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Evidence(failure) => failure.exit(),
            Self::Flag { .. } | Self::FlagLater { .. } | Self::Unknown { .. } => Exit::Usage,
            Self::Archive(_)
            | Self::Arguments { .. }
            | Self::Bridge(_)
            | Self::Canonical(_)
            | Self::Config(_)
            | Self::Demo(_)
            | Self::ConvertWhole { .. }
            | Self::Exists { .. }
            | Self::Explanation(_)
            | Self::InRecord(_)
            | Self::Init(_)
            | Self::Input(_)
            | Self::NoSession { .. }
            | Self::NotApproved
            | Self::Program(_)
            | Self::Read { .. }
            | Self::Runtime(_)
            | Self::Serve(_)
            | Self::Start(_)
            | Self::TokenMissing { .. }
            | Self::Write { .. } => Exit::Failed,
        }
    }

    /// The code of what kept a gateway from starting.
    fn code(&self) -> Option<&'static str> {
        if let Self::Start(error) = self {
            return Some(error.code());
        }
        if let Self::Serve(error) = self {
            return Some(error.code());
        }
        None
    }

    /// One line for each problem, with its code; or one JSON document.
    pub(crate) fn report(&self, output: Output) {
        let (lines, errors): (Vec<String>, Vec<Value>) =
            if let Self::Config(problems)
            | Self::Evidence(EvidenceFailure::ReferenceValues(problems))
            | Self::InRecord(EvidenceFailure::ReferenceValues(problems)) = self
            {
                let line =
                    |problem: &Problem| format!("{}: {problem}", problem.fault.code().as_str());
                (
                    problems.iter().map(line).collect(),
                    problems.iter().map(Problem::to_json).collect(),
                )
            } else {
                let text = self.to_string();
                let mut error = Object::from([("message", text.as_str())]);
                let line = match self.code() {
                    None => text,
                    Some(code) => {
                        error.insert("code", code);
                        format!("{code}: {text}")
                    }
                };
                (vec![line], vec![error.into()])
            };
        for line in &lines {
            output.note(format!("error: {line}"));
        }
        output.json(&Object::from([("errors", Value::Array(errors))]).into());
    }
}
