//! From what a client starts or calls to a server of the catalog.

use std::{collections::BTreeMap, ffi::OsStr};

use cmcp_policy::catalog::{ServerSpec, TlsPin, Transport};

use crate::init::{
    InitError,
    clients::{Found, Launch},
    command::{self, CommandError},
};

/// A server that can be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) spec: ServerSpec,
    /// Values for looking at it now; they are not written.
    pub(crate) values: BTreeMap<String, String>,
    /// What its owner should know.
    pub(crate) warnings: Vec<String>,
}

/// A server that cannot be taken over as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// Plans every server; two with one name are refused, for a tool's name says whose it is.
pub(crate) fn plan(
    found: Vec<Found>,
    search: Option<&OsStr>,
    value: &dyn Fn(&str) -> Option<String>,
) -> Result<(Vec<Planned>, Vec<LeftOut>), InitError> {
    let (mut planned, mut left_out): (Vec<Planned>, Vec<LeftOut>) = (Vec::new(), Vec::new());
    for Found {
        name: display,
        launch,
    } in found
    {
        let name = slug(&display);
        if planned.iter().any(|other| other.spec.name == name) {
            return Err(InitError::Twice { name });
        }
        let display_name = (display != name).then(|| display.clone());
        match self::launch(&name, launch, search, value) {
            Ok((transport, values, warnings)) => {
                let spec = ServerSpec {
                    name,
                    display_name,
                    transport,
                };
                planned.push(Planned {
                    spec,
                    values,
                    warnings,
                });
            }
            Err(reason) => left_out.push(LeftOut {
                name: display,
                reason: reason.to_string(),
            }),
        }
    }
    Ok((planned, left_out))
}

type Launchable = (Transport, BTreeMap<String, String>, Vec<String>);

fn launch(
    name: &str,
    launch: Launch,
    search: Option<&OsStr>,
    value: &dyn Fn(&str) -> Option<String>,
) -> Result<Launchable, CommandError> {
    let mut warnings = Vec::new();
    match launch {
        Launch::Url { url, headers } => {
            if !headers.is_empty() {
                warnings.push(format!(
                    "`{name}`: the client sends {} there; this version sends no credentials to servers over HTTP",
                    quoted(&headers)
                ));
            }
            Ok((
                Transport::Http {
                    url,
                    pin: TlsPin::WebPki,
                },
                BTreeMap::new(),
                warnings,
            ))
        }
        Launch::Command {
            command,
            args,
            env,
            cwd,
        } => {
            if let Some(fetcher) = command::fetcher(&command, &args) {
                warnings.push(format!(
                    "`{name}`: `{fetcher}` fetches and runs what a registry offers at that moment; what is measured is `{fetcher}`, not the server. Install the server and name its own program"
                ));
            }
            let path = command::resolve(&command, &args, search)?;
            let names: Vec<String> = env.keys().cloned().collect();
            let values = env
                .into_iter()
                .filter_map(|(name, known)| {
                    let known = Some(known).filter(|known| !known.is_empty());
                    let known = known.or_else(|| value(&name))?;
                    Some((name, known))
                })
                .collect();
            let transport = Transport::Stdio {
                command: path.to_string_lossy().into_owned(),
                args,
                env: names,
                cwd: cwd.map(|cwd| cwd.to_string_lossy().into_owned()),
                measured: BTreeMap::new(),
            };
            Ok((transport, values, warnings))
        }
    }
}

/// A server's name in the catalog and in exposed names: 1 to 31 of a-z, 0-9 and `-`, beginning with
/// a letter.
fn slug(display: &str) -> String {
    let mut slug = String::new();
    for c in display.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let mut name = slug.trim_matches('-').to_owned();
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name.insert(0, 's');
    }
    name.truncate(31);
    name.trim_end_matches('-').to_owned()
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests;
