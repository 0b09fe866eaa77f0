//! `cmcp completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{
    cli::Cli,
    commands::{Context, Exit, Failure},
};

pub(crate) fn run(shell: Shell, context: Context<'_>) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cmcp", &mut script);
    context.output.raw(&script);
    Ok(Exit::Ok)
}
