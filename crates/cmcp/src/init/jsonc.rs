//! JSON as editors write it: comments and trailing commas become blanks, so that places stay.

/// The same text as strict JSON. What is not JSON for other reasons stays so.
pub(crate) fn to_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    // Where a comma waits for the next token: before `]` or `}` it was one too many.
    let mut comma: Option<usize> = None;
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('"', _) => {
                comma = None;
                out.push(c);
                string(&mut rest, &mut out);
            }
            ('/', Some('/')) => {
                out.push(' ');
                while let Some(c) = rest.next_if(|c| *c != '\n') {
                    blank(c, &mut out);
                }
            }
            ('/', Some('*')) => {
                out.push(' ');
                let mut star = false;
                rest.next();
                out.push(' ');
                for c in rest.by_ref() {
                    blank(c, &mut out);
                    if star && c == '/' {
                        break;
                    }
                    star = c == '*';
                }
            }
            (']' | '}', _) => {
                if let Some(at) = comma.take() {
                    out.replace_range(at..at.saturating_add(1), " ");
                }
                out.push(c);
            }
            (',', _) => {
                comma = Some(out.len());
                out.push(c);
            }
            _ => {
                if !c.is_whitespace() {
                    comma = None;
                }
                out.push(c);
            }
        }
    }
    out
}

fn string(rest: &mut impl Iterator<Item = char>, out: &mut String) {
    let mut escaped = false;
    for c in rest {
        out.push(c);
        if !escaped && c == '"' {
            return;
        }
        escaped = !escaped && c == '\\';
    }
}

/// As many bytes of white space as the character has, and the same line breaks.
fn blank(c: char, out: &mut String) {
    if c == '\n' || c == '\r' {
        out.push(c);
    } else {
        out.extend(std::iter::repeat_n(' ', c.len_utf8()));
    }
}

#[cfg(test)]
mod tests;
