//! What a child process finds in its environment: what was named, four fixed values, nothing else.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::SpawnError;

/// The value of an environment variable. It may be a secret: it is never shown, and wiped when
/// dropped.
#[expect(missing_debug_implementations, reason = "it may be a secret")]
pub struct EnvValue(Zeroizing<String>);

impl EnvValue {
    /// Takes the value over.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// Whether a variable of that name makes a loader, an interpreter or a shell run code, or read
/// code from elsewhere, that was not measured. No child is given one.
#[must_use]
pub fn is_forbidden_variable(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    FORBIDDEN_PREFIXES
        .iter()
        .any(|prefix| upper.starts_with(prefix))
        || FORBIDDEN.contains(&upper.as_str())
}

/// Refuses environments that no child may have.
pub(super) fn check(env: &[(String, EnvValue)]) -> Result<(), SpawnError> {
    let mut seen = BTreeSet::new();
    for (name, value) in env {
        let malformed =
            name.is_empty() || name.contains(['=', '\0']) || value.expose().contains('\0');
        if malformed || !seen.insert(name) {
            return Err(SpawnError::MalformedVariable {
                name: name.replace('\0', ""),
            });
        }
        if is_forbidden_variable(name) {
            return Err(SpawnError::ForbiddenVariable { name: name.clone() });
        }
    }
    Ok(())
}

/// The variables that have a value even if nobody names one.
pub(super) const FIXED: [(&str, &str); 4] = [
    ("PATH", PATH),
    ("HOME", "/nonexistent"),
    ("LANG", "C.UTF-8"),
    ("TZ", "UTC"),
];
/// Where programs are looked for.
pub(super) const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Whole families: the dynamic loaders, and interpreters that read everything from them.
const FORBIDDEN_PREFIXES: [&str; 9] = [
    "LD_",
    "DYLD_",
    "RUBY",
    "PERL5",
    "LUA_",
    "BASH_FUNC_",
    "COR_",
    "CORECLR_",
    "NPM_CONFIG_",
];

const FORBIDDEN: [&str; 38] = [
    "BASHOPTS",
    "BASH_ENV",
    "BUNDLE_GEMFILE",
    "CLASSPATH",
    "DENO_DIR",
    "DOTNET_STARTUP_HOOKS",
    "ENV",
    "GCONV_PATH",
    "GEM_HOME",
    "GEM_PATH",
    "GETCONF_DIR",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LOCPATH",
    "MALLOC_TRACE",
    "NIS_PATH",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_REPL_EXTERNAL_MODULE",
    "PERLLIB",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "PYTHONBREAKPOINT",
    "PYTHONCASEOK",
    "PYTHONEXECUTABLE",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONPATH",
    "PYTHONPLATLIBDIR",
    "PYTHONPYCACHEPREFIX",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "PYTHONWARNINGS",
    "SHELLOPTS",
    "_JAVA_OPTIONS",
];

#[cfg(test)]
mod tests;
