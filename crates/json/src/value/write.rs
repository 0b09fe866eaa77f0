use crate::Value;

/// Which characters of a string are escaped, beside those that JSON itself demands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Escape {
    Minimal,
    NonAscii,
}

pub(crate) fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number.as_str().as_bytes()),
        Value::String(string) => write_string(out, string, Escape::Minimal),
        Value::Array(elements) => {
            out.push(b'[');
            for (place, element) in elements.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write_value(out, element);
            }
            out.push(b']');
        }
        Value::Object(object) => {
            out.push(b'{');
            for (place, (name, value)) in object.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write_string(out, name, Escape::Minimal);
                out.push(b':');
                write_value(out, value);
            }
            out.push(b'}');
        }
    }
}

/// Writes a string with RFC 8785's escapes; non-ASCII ones as UTF-16 when asked.
pub(crate) fn write_string(out: &mut Vec<u8>, string: &str, escape: Escape) {
    out.push(b'"');
    let mut rest = string.as_bytes();
    loop {
        let plain = rest
            .iter()
            .position(|&byte| needs_escape(byte, escape))
            .unwrap_or(rest.len());
        let (run, from_escape) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
        out.extend_from_slice(run);
        let Some((&byte, after)) = from_escape.split_first() else {
            break;
        };
        if byte.is_ascii() {
            write_ascii_escape(out, byte);
            rest = after;
        } else {
            rest = write_character_escape(out, from_escape);
        }
    }
    out.push(b'"');
}

fn needs_escape(byte: u8, escape: Escape) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\' || (byte >= 0x7f && escape == Escape::NonAscii)
}

fn write_ascii_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        _ => return write_unit(out, u16::from(byte)),
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Escapes the character that `bytes` begins with and returns what follows it.
fn write_character_escape<'a>(out: &mut Vec<u8>, bytes: &'a [u8]) -> &'a [u8] {
    let width = match bytes.first() {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(_) | None => 2,
    };
    let (character, rest) = bytes.split_at_checked(width).unwrap_or((bytes, &[]));
    for unit in std::str::from_utf8(character)
        .unwrap_or_default()
        .encode_utf16()
    {
        write_unit(out, unit);
    }
    rest
}

fn write_unit(out: &mut Vec<u8>, unit: u16) {
    out.extend_from_slice(b"\\u");
    for byte in unit.to_be_bytes() {
        out.push(hex_digit(byte >> 4));
        out.push(hex_digit(byte & 0x0f));
    }
}

fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0'.wrapping_add(nibble),
        _ => b'a'.wrapping_add(nibble.wrapping_sub(10)),
    }
}
