//! `cmcp generate`.

use crate::{
    cli::GenerateArgs,
    commands::{Context, Exit, Failure},
    generate,
};

pub(crate) fn run(arguments: &GenerateArgs, context: Context<'_>) -> Result<Exit, Failure> {
    if !arguments.check {
        generate::write(&arguments.dir).map_err(|error| Failure::Write {
            path: arguments.dir.clone(),
            error,
        })?;
        return Ok(Exit::Ok);
    }
    let differing = generate::differing(&arguments.dir);
    for name in &differing {
        let path = arguments.dir.join(name);
        context.output.note(format!(
            "{}: out of date; run `cmcp generate`",
            path.display()
        ));
    }
    Ok(if differing.is_empty() {
        Exit::Ok
    } else {
        Exit::Failed
    })
}
