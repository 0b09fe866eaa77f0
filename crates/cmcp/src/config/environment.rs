//! The environment, read once, and the names in it that mean something.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use crate::config::{
    fault::{Code, Fault, Problem},
    suggest,
};

/// A copy of the process environment. Nothing else in the product reads it.
#[derive(Default)]
pub(crate) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    pub(crate) fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// The value of a variable; an empty one counts as not set.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// A variable of the table as text.
    pub(crate) fn text(&self, variable: &Variable, problems: &mut Vec<Problem>) -> Option<String> {
        let value = self.get(variable.name)?;
        let text = value.to_str();
        if text.is_none() {
            let fault = Fault::Variable {
                code: Code::Config,
                reason: "it is not UTF-8",
                remedy: "set it to plain text",
            };
            problems.push(Problem::variable(variable.name, fault));
        }
        text.map(str::to_owned)
    }

    /// A variable for a child process or for a command: any name, text only.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.get(name)?.to_str().map(str::to_owned)
    }

    /// Refuses what a later version will read, and says what has no effect.
    pub(crate) fn review(&self, problems: &mut Vec<Problem>) -> Vec<String> {
        let mut notices = Vec::new();
        for variable in VARIABLES {
            let Some(value) = self.get(variable.name) else {
                continue;
            };
            match &variable.role {
                Role::Later { remedy, harmless } => {
                    let lower = value.to_string_lossy().trim().to_ascii_lowercase();
                    if !harmless.contains(&lower.as_str()) {
                        let setting = variable.name.to_owned();
                        problems.push(Problem::variable(
                            variable.name,
                            Fault::Later { setting, remedy },
                        ));
                    }
                }
                Role::Never(reason) => {
                    notices.push(format!("`{}` has no effect: {reason}", variable.name));
                }
                Role::Read => {}
            }
        }
        notices
    }

    /// Names that look like ours and mean nothing. `referred` are those that the file refers to.
    pub(crate) fn unread(&self, referred: &[String]) -> Vec<String> {
        let mut notices = Vec::new();
        for name in self.0.keys().filter_map(|name| name.to_str()) {
            let known = VARIABLES.iter().any(|variable| variable.name == name);
            let referred = referred.iter().any(|referred| referred == name);
            if name.starts_with("CMCP_") && !known && !referred {
                let similar = suggest::closest(name, VARIABLES.iter().map(|known| known.name));
                let hint = similar.map(|similar| format!("; did you mean `{similar}`?"));
                notices.push(format!("`{name}` is not read{}", hint.unwrap_or_default()));
            }
        }
        notices
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

/// One name of the environment.
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) doc: &'static str,
}

/// What becomes of a variable that is set.
pub(crate) enum Role {
    /// Refused by name, unless its value switches the part off.
    Later {
        remedy: &'static str,
        harmless: &'static [&'static str],
    },
    /// Never read, and start says so.
    Never(&'static str),
    Read,
}

pub(crate) const DEV_MODE: Variable = Variable {
    name: "CMCP_DEV_MODE",
    role: Role::Read,
    doc: "`1` is development mode: software evidence, whatever the machine has, and tokens and pins are optional. It counts on loopback only.",
};

pub(crate) const BEARER_TOKEN: Variable = Variable {
    name: "CMCP_BEARER_TOKEN",
    role: Role::Read,
    doc: "The token every caller shares; its holder is `Agent::\"anonymous\"`. Required outside development mode unless `principals` lists callers.",
};

pub(crate) const OPERATOR_TOKEN: Variable = Variable {
    name: "CMCP_OPERATOR_TOKEN",
    role: Role::Read,
    doc: "The token of the operator routes, different from every caller's. Required outside development mode.",
};

pub(crate) const POLICY_HASH: Variable = Variable {
    name: "CMCP_POLICY_HASH",
    role: Role::Read,
    doc: "The pinned digest of the policy bundle, as `cmcp validate-bundle` prints it. Required outside development mode.",
};

pub(crate) const CATALOG_HASH: Variable = Variable {
    name: "CMCP_CATALOG_HASH",
    role: Role::Read,
    doc: "The pinned digest of the catalog, as `cmcp catalog show` prints it. Required outside development mode.",
};

pub(crate) const SIGNING_KEY: Variable = Variable {
    name: "CMCP_POLICY_SIGNING_KEY",
    role: Role::Read,
    doc: "The Ed25519 public key that must have signed the policy bundle: 32 bytes, base64url or hexadecimal.",
};

pub(crate) const SUCCESSOR_KEY: Variable = Variable {
    name: "CMCP_POLICY_SUCCESSOR_SIGNING_KEY",
    role: Role::Read,
    doc: "The key that follows, and that may revoke the current one.",
};

pub(crate) const SESSION_DRAIN: Variable = Variable {
    name: "CMCP_SESSION_CLOSE_DRAIN_SECONDS",
    role: Role::Read,
    doc: "Seconds that closing a session waits for its calls in flight; as `session_close_drain_seconds` in the file.",
};

/// Every name, in the order of the reference.
pub(crate) const VARIABLES: &[Variable] = &[
    DEV_MODE,
    BEARER_TOKEN,
    OPERATOR_TOKEN,
    POLICY_HASH,
    CATALOG_HASH,
    SIGNING_KEY,
    SUCCESSOR_KEY,
    SESSION_DRAIN,
    Variable {
        name: "CMCP_OTEL_ENABLED",
        role: Role::Later {
            remedy: "unset it, and read `/metrics`",
            harmless: &["0", "false", "no", "off"],
        },
        doc: "Export of traces; `OTEL_*` names mean nothing without it.",
    },
    Variable {
        name: "CMCP_SPIRE_SOCKET",
        role: Role::Later {
            remedy: "unset it, and tell callers apart by `principals`",
            harmless: &[],
        },
        doc: "Workload identities from SPIRE.",
    },
    Variable {
        name: "CMCP_NRAS_API_KEY",
        role: Role::Later {
            remedy: "unset it: no evidence of GPUs is taken",
            harmless: &[],
        },
        doc: "Appraisal of GPU evidence.",
    },
    Variable {
        name: "OPAQUE_ATTESTATION_URL",
        role: Role::Never("it counts with `attestation.provider: opaque` only"),
        doc: "Address of the `opaque` provider.",
    },
    Variable {
        name: "CMCP_SESSION_CLEANUP_INTERVAL_SECONDS",
        role: Role::Never("idle sessions close by `session_idle_timeout_seconds`"),
        doc: "Known from the Python cMCP.",
    },
    Variable {
        name: "CMCP_TEE_PROVIDER",
        role: Role::Never("set `attestation.provider` in the file"),
        doc: "Known from the Python cMCP's documents.",
    },
];

#[cfg(test)]
mod tests;
