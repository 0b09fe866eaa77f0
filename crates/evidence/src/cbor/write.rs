use super::Item;

/// Writes an item as deterministic encoding (RFC 8949, section 4.2.1) has it: shortest numbers, definite
/// lengths, a map's keys in the order of their bytes whatever order they are given in.
#[must_use]
pub fn encode(item: &Item<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write(item, &mut out);
    out
}

fn write(item: &Item<'_>, out: &mut Vec<u8>) {
    match item {
        Item::Uint(number) => head(0, *number, out),
        Item::Nint(number) => head(1, *number, out),
        Item::Bytes(bytes) => {
            head(2, length(bytes.len()), out);
            out.extend_from_slice(bytes);
        }
        Item::Text(text) => {
            head(3, length(text.len()), out);
            out.extend_from_slice(text.as_bytes());
        }
        Item::Array(items) => {
            head(4, length(items.len()), out);
            for item in items {
                write(item, out);
            }
        }
        Item::Map(pairs) => {
            head(5, length(pairs.len()), out);
            // Inserted in order: maps are small, and a sort of its own is kilobytes of code.
            let mut sorted: Vec<(Vec<u8>, &Item<'_>)> = Vec::new();
            for (key, value) in pairs {
                let key = encode(key);
                let place = sorted.partition_point(|(known, _)| *known < key);
                sorted.insert(place, (key, value));
            }
            for (key, value) in sorted {
                out.extend(key);
                write(value, out);
            }
        }
        Item::Tag(tag, item) => {
            head(6, *tag, out);
            write(item, out);
        }
        Item::Bool(false) => out.push(0xf4),
        Item::Bool(true) => out.push(0xf5),
        Item::Null => out.push(0xf6),
    }
}

// No machine has more than 64 bits of length.
fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn head(major: u8, number: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    if let Ok(byte) = u8::try_from(number) {
        if byte < 24 {
            out.push(major | byte);
        } else {
            out.extend([major | 24, byte]);
        }
    } else if let Ok(number) = u16::try_from(number) {
        out.push(major | 25);
        out.extend(number.to_be_bytes());
    } else if let Ok(number) = u32::try_from(number) {
        out.push(major | 26);
        out.extend(number.to_be_bytes());
    } else {
        out.push(major | 27);
        out.extend(number.to_be_bytes());
    }
}
