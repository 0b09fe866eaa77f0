//! The same answers as the modules', on standard input and output: `answer evidence|record`. It is how
//! verdicts of other machines are compared.

use std::io::{self, Read, Write};

fn main() -> io::Result<()> {
    let mut question = Vec::new();
    io::stdin().lock().read_to_end(&mut question)?;
    let answer = match std::env::args().nth(1).as_deref() {
        Some("evidence") => cmcp_web::evidence(&question),
        Some("record") => cmcp_web::record(&question),
        Some(_) | None => return Err(io::Error::other("say `evidence` or `record`")),
    };
    io::stdout().lock().write_all(&answer)
}
