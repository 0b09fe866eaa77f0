//! The commands: each reads its arguments, calls what knows how, and prints.

mod audit;
mod bridge;
mod catalog;
mod completions;
mod conformance;
mod demo;
mod failure;
mod generate;
mod init;
mod look;
mod policy;
mod start;
mod validate;
mod verify;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;

pub(crate) use crate::commands::failure::Failure;
use crate::{
    cli::{AuditCommand, CatalogCommand, Cli, Command, PolicyCommand},
    config::{environment::Environment, handover::SUPERVISE},
    output::Output,
};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
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
    match dispatch(
        cli.command,
        Context {
            environment: &environment,
            output,
        },
    ) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.report(output);
            failure.exit().into()
        }
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
        Command::Generate(arguments) => generate::run(&arguments, context),
        Command::Init(arguments) => init::run(&arguments, context),
        Command::Policy(PolicyCommand::Check(arguments)) => policy::check(&arguments, context),
        Command::Policy(PolicyCommand::Explain(arguments)) => policy::explain(&arguments, context),
        Command::Start(arguments) => start::run(&arguments, context),
        Command::ValidateBundle(arguments) => validate::bundle(&arguments, context),
        Command::ValidateConfig(arguments) => validate::config(&arguments, context),
        Command::Verify(arguments) => verify::run(&arguments, context),
    }
}
