//! JSON in the older format's spelling: what is not printable ASCII is escaped, as UTF-16.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::Projected;

/// The entry's bytes, members in the order declared.
pub(super) fn write(projected: &Projected) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1_024);
    // Strings, integers and text keys into memory: nothing here can fail.
    let _infallible = projected.serialize(&mut Serializer::with_formatter(&mut bytes, Ascii));
    bytes
}

struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.bytes().all(printable) {
            return writer.write_all(fragment.as_bytes());
        }
        for c in fragment.chars() {
            match u8::try_from(c) {
                Ok(byte) if printable(byte) => writer.write_all(&[byte])?,
                Ok(_) | Err(_) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn printable(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}
