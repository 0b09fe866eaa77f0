//! The one place that writes to standard output and standard error.

mod log;

use std::io::{self, IsTerminal, Write};

use cmcp_json::Value;

use crate::cli::Format;
pub(crate) use log::Log;

/// Standard output and error of one command. A reader that went away is no failure of the command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) format: Format,
}

impl Output {
    /// A line of the result, for a person.
    pub(crate) fn line(self, text: impl AsRef<str>) {
        if self.format == Format::Human {
            write_line(&mut io::stdout().lock(), text.as_ref());
        }
    }

    /// The result as one JSON document.
    pub(crate) fn json(self, document: &Value) {
        if self.format == Format::Json {
            write_line(&mut io::stdout().lock(), &document.to_string());
        }
    }

    /// Bytes of the result as they are, whatever the format.
    pub(crate) fn raw(self, bytes: &[u8]) {
        let mut out = io::stdout().lock();
        let _gone = out.write_all(bytes).and_then(|()| out.flush());
    }

    /// A line beside the result.
    pub(crate) fn note(self, text: impl AsRef<str>) {
        write_line(&mut io::stderr().lock(), text.as_ref());
    }

    /// Asks on the terminal; `None` where nobody is there to answer.
    pub(crate) fn ask(self, question: &str) -> Option<String> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        let mut err = io::stderr().lock();
        write!(err, "{question} ").and_then(|()| err.flush()).ok()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).ok()?;
        Some(answer.trim().to_owned())
    }
}

fn write_line(out: &mut impl Write, text: &str) {
    let _gone = writeln!(out, "{text}").and_then(|()| out.flush());
}
