//! `cmcp conformance`: one vector in, one answer out.

use std::io::{self, Read};

use crate::commands::{Context, Exit, Failure};

pub(crate) fn run(context: Context<'_>) -> Result<Exit, Failure> {
    let mut input = Vec::new();
    io::stdin()
        .lock()
        .take(MAX_BYTES)
        .read_to_end(&mut input)
        .map_err(Failure::Input)?;
    let mut answer = cmcp_record::conformance::answer(&input);
    answer.push(b'\n');
    context.output.raw(&answer);
    Ok(Exit::Ok)
}

const MAX_BYTES: u64 = 64 << 20;
