//! Answers the public TRACE vectors: one JSON object on standard input, one on standard output.
//!
//! With `--lines`, every line is a vector and is answered by a line.

use std::io::{self, BufRead, Read, Write};

use cmcp_record::conformance;

fn main() -> io::Result<()> {
    let mut answers = io::stdout().lock();
    if std::env::args().any(|argument| argument == "--lines") {
        for vector in io::stdin().lock().split(b'\n') {
            answers.write_all(&conformance::answer(&vector?))?;
            answers.write_all(b"\n")?;
            answers.flush()?;
        }
        return Ok(());
    }
    let mut vector = Vec::new();
    io::stdin().lock().read_to_end(&mut vector)?;
    answers.write_all(&conformance::answer(&vector))?;
    answers.write_all(b"\n")
}
