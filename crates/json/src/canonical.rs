mod number;
mod order;

use crate::value::{Escape, Member, write_string};
use crate::{Limits, Number, Value};

/// A canonical form: which bytes stand for a value when it is hashed or signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// RFC 8785: members in UTF-16 order, raw UTF-8, numbers as ECMAScript prints them.
    Jcs,
    /// RFC 8785 over integers within ±(2^53−1) alone, up to 64 levels: what TRACE signs.
    JcsStrict,
    /// Members in code point order, non-ASCII escaped, the same integers and levels: TRACE's second form.
    AsciiStrict,
    /// What Python's `json.dumps(sort_keys=True, separators=(",", ":"))` writes.
    Pyj,
    /// Order and escapes of RFC 8785, numbers as received.
    Verbatim,
}

/// Why a value has no canonical form.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CanonError {
    /// A number with fraction or exponent where only integers are signed.
    #[error("`{0}` is not spelled as an integer; write it as one, or as a string")]
    Fraction(Number),
    /// An integer that a double cannot hold exactly.
    #[error("`{0}` is outside ±(2^53-1); write it as a string")]
    Integer(Number),
    /// Too many arrays and objects inside one another.
    #[error("more than {0} levels of arrays and objects")]
    Depth(usize),
}

/// The canonical bytes of a value.
///
/// # Errors
///
/// A number or a depth that the form does not allow.
pub fn canonical(value: &Value, form: Form) -> Result<Vec<u8>, CanonError> {
    let mut writer = Writer::new(form);
    writer.value(value)?;
    Ok(writer.out)
}

/// The canonical bytes of an object without the member of that name; nested ones stay.
///
/// # Errors
///
/// A number or a depth that the form does not allow.
pub fn canonical_without(value: &Value, member: &str, form: Form) -> Result<Vec<u8>, CanonError> {
    let mut writer = Writer::new(form);
    match value.as_object() {
        Some(object) => {
            let others = object.members().iter().filter(|other| other.name != member);
            writer.object(others.collect())?;
        }
        None => writer.value(value)?,
    }
    Ok(writer.out)
}

struct Writer {
    out: Vec<u8>,
    form: Form,
    depth_left: usize,
}

impl Writer {
    fn new(form: Form) -> Self {
        Self {
            out: Vec::new(),
            form,
            depth_left: form.depth(),
        }
    }

    fn value(&mut self, value: &Value) -> Result<(), CanonError> {
        match value {
            Value::Null => self.out.extend_from_slice(b"null"),
            Value::Bool(true) => self.out.extend_from_slice(b"true"),
            Value::Bool(false) => self.out.extend_from_slice(b"false"),
            Value::Number(number) => self.number(number)?,
            Value::String(string) => write_string(&mut self.out, string, self.form.escape()),
            Value::Array(elements) => self.array(elements)?,
            Value::Object(object) => self.object(object.members().iter().collect())?,
        }
        Ok(())
    }

    fn number(&mut self, number: &Number) -> Result<(), CanonError> {
        match self.form {
            Form::Jcs => number::write_ecmascript(&mut self.out, number),
            Form::JcsStrict | Form::AsciiStrict => {
                number::write_safe_integer(&mut self.out, number)?
            }
            Form::Pyj => number::write_python(&mut self.out, number),
            Form::Verbatim => self.out.extend_from_slice(number.as_str().as_bytes()),
        }
        Ok(())
    }

    fn array(&mut self, elements: &[Value]) -> Result<(), CanonError> {
        self.descend()?;
        self.out.push(b'[');
        for (place, element) in elements.iter().enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            self.value(element)?;
        }
        self.out.push(b']');
        self.ascend();
        Ok(())
    }

    fn object(&mut self, mut members: Vec<&Member>) -> Result<(), CanonError> {
        self.descend()?;
        match self.form {
            Form::Jcs | Form::JcsStrict | Form::Verbatim => {
                members.sort_unstable_by(|a, b| order::utf16(&a.name, &b.name));
            }
            // The order of UTF-8 bytes is that of code points.
            Form::AsciiStrict | Form::Pyj => members.sort_unstable_by(|a, b| a.name.cmp(&b.name)),
        }
        self.out.push(b'{');
        for (place, member) in members.into_iter().enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            write_string(&mut self.out, &member.name, self.form.escape());
            self.out.push(b':');
            self.value(&member.value)?;
        }
        self.out.push(b'}');
        self.ascend();
        Ok(())
    }

    fn descend(&mut self) -> Result<(), CanonError> {
        self.depth_left = self
            .depth_left
            .checked_sub(1)
            .ok_or(CanonError::Depth(self.form.depth()))?;
        Ok(())
    }

    fn ascend(&mut self) {
        self.depth_left = self.depth_left.saturating_add(1);
    }
}

impl Form {
    fn escape(self) -> Escape {
        match self {
            Self::Jcs | Self::JcsStrict | Self::Verbatim => Escape::Minimal,
            Self::AsciiStrict | Self::Pyj => Escape::NonAscii,
        }
    }

    fn depth(self) -> usize {
        match self {
            Self::JcsStrict | Self::AsciiStrict => 64,
            Self::Jcs | Self::Pyj | Self::Verbatim => Limits::MAX_DEPTH,
        }
    }
}

#[cfg(test)]
mod tests;
