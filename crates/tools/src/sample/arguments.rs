//! Arguments, read strictly: a tool that guesses what was meant is a tool that can be led astray.

use cmcp_json::Value;

/// What a tool was called with.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a>(pub(super) &'a Value);

impl<'a> Arguments<'a> {
    /// A string that must be there.
    pub(super) fn text(self, name: &str) -> Result<&'a str, String> {
        self.0
            .get(name)
            .and_then(Value::as_str)
            .ok_or_else(|| format!("`{name}` must be given, as a string"))
    }

    /// A string, if it is there.
    pub(super) fn text_or_absent(self, name: &str) -> Result<Option<&'a str>, String> {
        match self.0.get(name) {
            None => Ok(None),
            Some(_) => self.text(name).map(Some),
        }
    }

    /// A whole number that must be there.
    pub(super) fn whole(self, name: &str) -> Result<i64, String> {
        self.whole_or_absent(name)?
            .ok_or_else(|| format!("`{name}` must be given"))
    }

    /// A whole number, if it is there.
    pub(super) fn whole_or_absent(self, name: &str) -> Result<Option<i64>, String> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| format!("`{name}` must be a whole number, written without a point")),
        }
    }

    /// Refuses arguments that the tool does not know.
    pub(super) fn nothing_else(self, known: &[&str]) -> Result<(), String> {
        let object = self
            .0
            .as_object()
            .ok_or("the arguments must be an object")?;
        match object.keys().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(_) => Err(format!(
                "only these arguments are known: {}",
                known.join(", ")
            )),
        }
    }
}
