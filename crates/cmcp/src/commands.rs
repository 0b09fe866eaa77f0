//! The commands: each reads its arguments, calls what knows how, and prints.

mod audit;
mod bridge;
mod catalog;
mod completions;
mod conformance;
mod demo;
pub(crate) mod evidence;
mod failure;
mod generate;
mod init;
mod look;
mod measure;
mod policy;
mod start;
mod validate;
mod verify;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;

pub(crate) use crate::commands::failure::Failure;
use crate::{
    cli::{AuditCommand, CatalogCommand, Cli, Command, EvidenceCommand, Format, PolicyCommand},
    commands::evidence::Ended,
    config::{environment::Environment, handover::SUPERVISE},
    output::Output,
};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// `evidence` and `measure`: one of their own ways to end.
    Evidence(Ended),
    Failed,
    Ok,
    /// `verify`: nothing failed, something is not established.
    PartiallyVerified,
    /// `verify`: not a record.
    Unverified,
    /// An argument that cannot be what it should be.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Evidence(ended) => Self::from(ended.code()),
            Exit::Ok => Self::SUCCESS,
            Exit::Failed => Self::from(1),
            Exit::Usage => Self::from(2),
            Exit::PartiallyVerified => Self::from(3),
            Exit::Unverified => Self::from(4),
        }
    }
}

/// What commands have in common.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) output: Output,
}

/// Runs the command that the arguments name.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.peekable();
    let program = arguments.next();
    // Before anything else: what the supervisor becomes inherits threads and open files.
    if arguments
        .next_if(|argument| argument == SUPERVISE)
        .is_some()
    {
        return cmcp_gateway::child_supervise(arguments);
    }
    let cli = match Cli::try_parse_from(program.into_iter().chain(arguments)) {
        Ok(cli) => cli,
        Err(error) => {
            let _gone = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1));
        }
    };
    let environment = Environment::of_process();
    let output = Output { format: cli.format };
    let context = Context {
        environment: &environment,
        output,
    };
    match can_be_written(&cli).and_then(|()| dispatch(cli.command, context)) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.report(output);
            failure.exit().into()
        }
    }
}

/// Attestation results are what one command has: another would print nothing at all.
fn can_be_written(cli: &Cli) -> Result<(), Failure> {
    let judges = matches!(cli.command, Command::Evidence(EvidenceCommand::Verify(_)));
    match cli.format {
        Format::Ear if !judges => Err(Failure::Flag {
            flag: "--format",
            value: "ear".to_owned(),
            expected: "`human` or `json`: only `evidence verify` has an attestation result",
        }),
        Format::Ear | Format::Human | Format::Json => Ok(()),
    }
}

fn dispatch(command: Command, context: Context<'_>) -> Result<Exit, Failure> {
    match command {
        Command::Audit(AuditCommand::Export(arguments)) => audit::export(&arguments, context),
        Command::Catalog(CatalogCommand::Diff(arguments)) => catalog::diff(&arguments, context),
        Command::Catalog(CatalogCommand::Pin(arguments)) => catalog::pin(&arguments, context),
        Command::Catalog(CatalogCommand::Show(arguments)) => catalog::show(&arguments, context),
        // Answered before the command line is parsed.
        Command::ChildSupervise { arguments: _ } => Ok(Exit::Failed),
        Command::ClientBridge(arguments) => bridge::run(&arguments, context),
        Command::Completions { shell } => completions::run(shell, context),
        Command::Conformance => conformance::run(context),
        Command::Demo(arguments) => demo::run(&arguments, context),
        Command::DemoServer => demo::server(),
        Command::Evidence(EvidenceCommand::ReferenceValues(arguments)) => {
            evidence::reference_values(&arguments, context)
        }
        Command::Evidence(EvidenceCommand::Refresh(arguments)) => {
            evidence::refresh(&arguments, context)
        }
        Command::Evidence(EvidenceCommand::Show(arguments)) => evidence::show(&arguments, context),
        Command::Evidence(EvidenceCommand::Verify(arguments)) => {
            evidence::verify(&arguments, context)
        }
        Command::Generate(arguments) => generate::run(&arguments, context),
        Command::Init(arguments) => init::run(&arguments, context),
        Command::Measure(command) => measure::run(&command, context),
        Command::Policy(PolicyCommand::Check(arguments)) => policy::check(&arguments, context),
        Command::Policy(PolicyCommand::Explain(arguments)) => policy::explain(&arguments, context),
        Command::Start(arguments) => start::run(&arguments, context),
        Command::ValidateBundle(arguments) => validate::bundle(&arguments, context),
        Command::ValidateConfig(arguments) => validate::config(&arguments, context),
        Command::Verify(arguments) => verify::run(&arguments, context),
    }
}
