use std::{collections::BTreeMap, net::IpAddr};

use cmcp_evidence::Sha256Digest;
use cmcp_json::Value;

use super::{
    array,
    error::{CatalogError, CatalogErrorKind},
    reader::Reader,
};
use crate::Compat;

/// A server that offers approved tools, and how it is reached and recognised.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerSpec {
    /// Its name in the catalog, and in exposed names.
    pub name: String,
    /// What people call it.
    pub display_name: Option<String>,
    /// How it is reached.
    pub transport: Transport,
}

impl ServerSpec {
    /// Reads a server as the entries of a 0.7.1 array and requests for an exception describe one:
    /// `display_name`, `transport`, `url`, `tls_fingerprint`, and so on.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn parse_identity(value: &Value, compat: Compat) -> Result<Self, Vec<CatalogError>> {
        let mut reader = Reader::new(&[]);
        let server = array::identity(&mut reader, value, compat);
        server
            .filter(|_| reader.faults.is_empty())
            .ok_or(reader.faults)
    }

    /// What policy and the log call the endpoint: the URL, or the command.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        match &self.transport {
            Transport::Http { url, pin: _ } => url,
            Transport::Stdio {
                command,
                args: _,
                env: _,
                cwd: _,
                measured: _,
            } => command,
        }
    }
}

/// How a server is reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Transport {
    /// Streamable HTTP.
    Http {
        /// The endpoint: no user, password or fragment in it.
        url: String,
        /// How the server's TLS certificate is recognised; without meaning for an `http:` endpoint.
        pin: TlsPin,
    },
    /// A child process that speaks over its standard input and output.
    Stdio {
        /// The executable's absolute path.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Names of the gateway's environment variables that the child may see.
        env: Vec<String>,
        /// The absolute path of the directory it runs in.
        cwd: Option<String>,
        /// Files (absolute paths) with the digests they must have before anything is executed:
        /// the executable, the script. Empty means that nothing is measured.
        measured: BTreeMap<String, Sha256Digest>,
    },
}

/// How a server's TLS certificate is recognised.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsPin {
    /// The SHA-256 of the certificate's DER bytes.
    Certificate(Sha256Digest),
    /// The SHA-256 of the certificate's SubjectPublicKeyInfo.
    Key(Sha256Digest),
    /// The fingerprint `SHA256:AAA…A=` of a 0.7.1 catalog: nobody pinned anything. A TLS server
    /// behind it is to be refused.
    Placeholder,
    /// A chain to a public authority.
    WebPki,
}

/// Whether an endpoint may be called: HTTPS, or HTTP that does not leave this machine.
pub(super) fn url(url: &str) -> Result<(), CatalogErrorKind> {
    let host = any_url(url)?;
    if url.starts_with("https://") || is_loopback(host) {
        Ok(())
    } else {
        Err(CatalogErrorKind::PlainHttp(url.to_owned()))
    }
}

/// As [`url`], without demanding HTTPS; the host it names.
pub(super) fn any_url(url: &str) -> Result<&str, CatalogErrorKind> {
    let fault = || CatalogErrorKind::Url(url.to_owned());
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let rest = rest.ok_or_else(fault)?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let plain = url
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\'));
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6
            .split_once(']')
            .filter(|(_, port)| is_port(port))
            .map(|(host, _)| host),
        None => {
            let (host, port) = authority
                .find(':')
                .map_or((authority, ""), |at| authority.split_at(at));
            Some(host).filter(|_| is_port(port))
        }
    };
    match host {
        Some(host) if plain && !host.is_empty() && !authority.contains('@') => Ok(host),
        Some(_) | None => Err(fault()),
    }
}

fn is_port(port: &str) -> bool {
    port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|digits| digits.parse::<u16>().is_ok())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a path is absolute and names one file: no `.` or `..` parts, no NUL.
pub(super) fn absolute(path: &str) -> Result<(), CatalogErrorKind> {
    let plain = path.strip_prefix('/').is_some_and(|rest| {
        !rest.is_empty()
            && !rest.contains('\0')
            && rest.split('/').all(|part| !matches!(part, "" | "." | ".."))
    });
    if plain {
        Ok(())
    } else {
        Err(CatalogErrorKind::Path(path.escape_debug().to_string()))
    }
}

/// Whether a variable may be let through to a child: its name is one, and it neither makes the
/// child run other code nor belongs to the gateway.
pub(super) fn variable(name: &str) -> Result<(), CatalogErrorKind> {
    let word = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !word || name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(CatalogErrorKind::Variable(name.escape_debug().to_string()));
    }
    let upper = name.to_ascii_uppercase();
    if FORBIDDEN.contains(&upper.as_str())
        || FORBIDDEN_PREFIXES
            .iter()
            .any(|prefix| upper.starts_with(prefix))
    {
        return Err(CatalogErrorKind::ForbiddenVariable(name.to_owned()));
    }
    Ok(())
}

/// Variables that load code into a process, change which code it loads, or record its secrets.
const FORBIDDEN: [&str; 40] = [
    "BASHOPTS",
    "BASH_ENV",
    "BROWSER",
    "CDPATH",
    "CLASSPATH",
    "EDITOR",
    "ENV",
    "GCONV_PATH",
    "GEM_HOME",
    "GEM_PATH",
    "GIO_EXTRA_MODULES",
    "GIO_MODULE_DIR",
    "GLIBC_TUNABLES",
    "GTK_MODULES",
    "GTK_PATH",
    "HOSTALIASES",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LOCPATH",
    "LUA_CPATH",
    "LUA_INIT",
    "LUA_PATH",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "NLSPATH",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
    "PAGER",
    "PATH_LOCALE",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "PROMPT_COMMAND",
    "PS4",
    "SHELLOPTS",
    "SSLKEYLOGFILE",
    "VISUAL",
    "_JAVA_OPTIONS",
];

const FORBIDDEN_PREFIXES: [&str; 20] = [
    "BASH_FUNC_",
    "BUN_",
    "CMCP_",
    "COMPLUS_",
    "CORECLR_",
    "COR_",
    "DENO_",
    "DOTNET_",
    "DYLD_",
    "GIT_",
    "LD_",
    "LUA_INIT_",
    "MALLOC_",
    "NIX_",
    "NPM_",
    "PERL",
    "PIP_",
    "PYTHON",
    "RUBY",
    "UV_",
];
