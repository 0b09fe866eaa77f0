//! Servers as the configurations of well-known clients name them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use cmcp_json::{Limits, Object, ParseError, Value, parse};

use crate::init::jsonc;

/// A server that somebody already uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// As its owner calls it.
    pub(crate) name: String,
    pub(crate) launch: Launch,
}

/// How it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Launch {
    /// A program that speaks on its standard input and output.
    Command {
        command: String,
        args: Vec<String>,
        /// Values stay in memory; only names are written.
        env: BTreeMap<String, String>,
        cwd: Option<PathBuf>,
    },
    /// An address; the names of the headers that the client sends there.
    Url { url: String, headers: Vec<String> },
}

/// Why a client's configuration cannot be taken over.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("{path}:{line}:{column}: {error}; correct the file")]
    Json {
        path: PathBuf,
        line: usize,
        column: usize,
        error: ParseError,
    },
    #[error(
        "{path}: there is no `mcpServers` (Claude Desktop, Cursor) and no `servers` (VS Code); name the file that lists your servers"
    )]
    Shape { path: PathBuf },
    #[error(
        "{path}: server `{server}` has neither `command` nor `url`; complete it, or leave it out"
    )]
    Launch { path: PathBuf, server: String },
    #[error("{path}: `{member}` of server `{server}` is not {expected}; correct it")]
    Member {
        path: PathBuf,
        server: String,
        member: &'static str,
        expected: &'static str,
    },
    #[error(
        "{path}: server `{server}` uses `{variable}`, which only its client can fill in; write the value instead"
    )]
    Variable {
        path: PathBuf,
        server: String,
        variable: String,
    },
    #[error(
        "{path}: server `{server}` speaks the old `sse` transport; use its streamable HTTP address"
    )]
    Transport { path: PathBuf, server: String },
    #[error("`{text}` is not a server; write `name=https://…` or `name=command arguments`")]
    Argument { text: String },
}

/// The servers of a client's configuration, in its order. Those that are switched off are left out.
pub(crate) fn read(path: &Path, text: &str) -> Result<Vec<Found>, ClientError> {
    let json = jsonc::to_json(text);
    let root = parse(json.as_bytes(), &Limits::REQUEST).map_err(|error| {
        let (line, column) = error.position(json.as_bytes());
        ClientError::Json {
            path: path.to_owned(),
            line,
            column,
            error,
        }
    })?;
    let servers = ["mcpServers", "servers"]
        .iter()
        .find_map(|name| root.get(name))
        .or_else(|| root.get("mcp").and_then(|mcp| mcp.get("servers")))
        .and_then(Value::as_object)
        .ok_or_else(|| ClientError::Shape {
            path: path.to_owned(),
        })?;
    servers
        .iter()
        .filter(|(_, server)| server.get("disabled").and_then(Value::as_bool) != Some(true))
        .map(|(name, server)| Entry { path, name, server }.read())
        .collect()
}

/// A server of the command line: `name=https://host/mcp` or `name=command 'quoted argument'`.
pub(crate) fn from_argument(text: &str) -> Result<Found, ClientError> {
    let wrong = || ClientError::Argument {
        text: text.to_owned(),
    };
    let (name, place) = text.split_once('=').ok_or_else(wrong)?;
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(wrong());
    }
    let name = name.to_owned();
    if place.starts_with("http://") || place.starts_with("https://") {
        let launch = Launch::Url {
            url: place.to_owned(),
            headers: Vec::new(),
        };
        return Ok(Found { name, launch });
    }
    let mut words = split(place).ok_or_else(wrong)?.into_iter();
    let command = words.next().ok_or_else(wrong)?;
    let launch = Launch::Command {
        command,
        args: words.collect(),
        env: BTreeMap::new(),
        cwd: None,
    };
    Ok(Found { name, launch })
}

struct Entry<'a> {
    path: &'a Path,
    name: &'a str,
    server: &'a Value,
}

impl Entry<'_> {
    fn read(&self) -> Result<Found, ClientError> {
        let Some(server) = self.server.as_object() else {
            return Err(self.wrong("server", "an object"));
        };
        let kind = self.text(server, "type")?;
        if kind.as_deref() == Some("sse") {
            return Err(ClientError::Transport {
                path: self.path(),
                server: self.name(),
            });
        }
        let launch = match (self.text(server, "command")?, self.url(server)?) {
            (Some(command), _) => Launch::Command {
                command,
                args: self.args(server)?,
                env: self.pairs(server, "env")?,
                cwd: self.text(server, "cwd")?.map(PathBuf::from),
            },
            (None, Some(url)) => {
                let headers = self.pairs(server, "headers")?.into_keys().collect();
                Launch::Url { url, headers }
            }
            (None, None) => {
                return Err(ClientError::Launch {
                    path: self.path(),
                    server: self.name(),
                });
            }
        };
        Ok(Found {
            name: self.name(),
            launch,
        })
    }

    fn url(&self, server: &Object) -> Result<Option<String>, ClientError> {
        match self.text(server, "url")? {
            Some(url) => Ok(Some(url)),
            None => self.text(server, "serverUrl"),
        }
    }

    fn text(&self, server: &Object, member: &'static str) -> Result<Option<String>, ClientError> {
        match server.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => self.filled(text).map(Some),
            Some(Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
                Err(self.wrong(member, "a string"))
            }
        }
    }

    fn args(&self, server: &Object) -> Result<Vec<String>, ClientError> {
        let wrong = || self.wrong("args", "an array of strings");
        match server.get("args") {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(args) => args
                .as_array()
                .ok_or_else(wrong)?
                .iter()
                .map(|arg| self.filled(arg.as_str().ok_or_else(wrong)?))
                .collect(),
        }
    }

    /// Names and values; a value that the client would ask for is left empty.
    fn pairs(
        &self,
        server: &Object,
        member: &'static str,
    ) -> Result<BTreeMap<String, String>, ClientError> {
        let wrong = || self.wrong(member, "an object of strings");
        let Some(pairs) = server.get(member) else {
            return Ok(BTreeMap::new());
        };
        let mut read = BTreeMap::new();
        for (name, value) in pairs.as_object().ok_or_else(wrong)?.iter() {
            let value = match value {
                Value::String(text) if text.contains("${") => String::new(),
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Array(_) | Value::Null | Value::Object(_) => return Err(wrong()),
            };
            read.insert(name.to_owned(), value);
        }
        Ok(read)
    }

    /// `${…}` is filled in by the client that owns the file; its values are unknown here.
    fn filled(&self, text: &str) -> Result<String, ClientError> {
        let Some((_, after)) = text.split_once("${") else {
            return Ok(text.to_owned());
        };
        let inner = after.split_once('}').map_or(after, |(inner, _)| inner);
        let variable = format!("${{{inner}}}");
        Err(ClientError::Variable {
            path: self.path(),
            server: self.name(),
            variable,
        })
    }

    fn wrong(&self, member: &'static str, expected: &'static str) -> ClientError {
        ClientError::Member {
            path: self.path(),
            server: self.name(),
            member,
            expected,
        }
    }

    fn path(&self) -> PathBuf {
        self.path.to_owned()
    }

    fn name(&self) -> String {
        self.name.to_owned()
    }
}

/// Words as a shell splits them, with `'…'`, `"…"` and `\`; nothing is expanded.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().push(rest.next()?),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests;
