//! Judges every file of the shared vectors and writes the table of them: `vectors FOLDER [FILE]`. With
//! `vectors FOLDER --questions FILE` it writes the cases for another build of the verifier to answer.

use std::{env, error::Error, fs, io::Write as _, path::Path, process::ExitCode};

#[path = "../../src/forge.rs"]
#[expect(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the tests' forge, of which one signature is needed here"
)]
mod forge;
#[path = "table.rs"]
mod table;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let folder = arguments.next().ok_or("which folder of vectors?")?;
    let table = table::Table::judge(Path::new(&folder))?;
    match arguments.next() {
        Some(flag) if flag == "--questions" => {
            let file = arguments.next().ok_or("into which file?")?;
            fs::write(file, table.questions())?;
        }
        Some(file) => fs::write(file, table.render())?,
        None => std::io::stdout().write_all(table.render().as_bytes())?,
    }
    let wrong = table.wrong();
    for line in &wrong {
        writeln!(std::io::stderr(), "{line}")?;
    }
    Ok(if wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
