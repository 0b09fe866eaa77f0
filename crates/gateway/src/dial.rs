//! From a server of the catalog to the client that reaches it.

use std::{path::PathBuf, sync::Arc};

use cmcp_json::Value;
use cmcp_mcp::{
    child::{EnvValue, FilePin, Spawn},
    client::{Health, HttpClient, HttpTarget, Identity, Reach, StdioClient, TargetError, Timing},
    tls,
    upstream::Server,
};
use cmcp_policy::catalog::{ServerSpec, TlsPin, Transport};

use crate::settings::{Settings, Spawning};

/// Why a server of the catalog cannot be reached as it is described.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    /// Nothing of the process is pinned.
    #[error(
        "no file of it is measured; run `cmcp catalog pin`, or allow it with `attestation.allow_unmeasured_spawn`"
    )]
    Unmeasured,
    /// The catalog carries the example's fingerprint for a TLS server.
    #[error("its TLS fingerprint is a placeholder; pin the certificate or key, or say `webpki`")]
    Placeholder,
    /// The URL.
    #[error("{0}")]
    Target(#[from] TargetError),
}

/// A client for `spec` that declares `capabilities`, an object. Nothing is contacted or started yet.
/// Clients of one server share its health; but each has a process of its own, where it has one, and
/// how that one fares says nothing about the others.
pub(crate) fn client(
    spec: &ServerSpec,
    settings: &Settings,
    capabilities: &Value,
    health: &Arc<Health>,
) -> Result<Arc<dyn Server>, DialError> {
    let identity = Identity {
        capabilities: capabilities.clone(),
        ..Identity::default()
    };
    match &spec.transport {
        Transport::Http { url, pin } => {
            let mut target = target(url, tls_pin(url, *pin)?, settings)?;
            let credential = settings.credentials.get(&spec.name);
            if let Some(credential) = credential.filter(|credential| credential.url == *url) {
                target = target.with_credential(Arc::clone(&credential.source));
            }
            let client = HttpClient::new(target, Timing::default(), identity)?;
            Ok(Arc::new(client.with_health(Arc::clone(health))))
        }
        Transport::Stdio { measured, .. } => {
            if measured.is_empty() && settings.spawning == Spawning::MeasuredOnly {
                return Err(DialError::Unmeasured);
            }
            let spawn = spawn(spec, settings)?;
            Ok(Arc::new(StdioClient::new(
                spawn,
                settings.launcher.clone(),
                Timing::default(),
                identity,
            )))
        }
    }
}

/// The target, with the reach that configuration gives its name. What names an address itself, or
/// `localhost`, has the reach that follows from that.
fn target(url: &str, pin: tls::TlsPin, settings: &Settings) -> Result<HttpTarget, TargetError> {
    let target = HttpTarget::parse(url, pin)?;
    let allowed = |name: &String| name.eq_ignore_ascii_case(target.host());
    Ok(if settings.private_hosts.iter().any(allowed) {
        target.with_reach(Reach::Private)
    } else {
        target
    })
}

fn tls_pin(url: &str, pin: TlsPin) -> Result<tls::TlsPin, DialError> {
    match pin {
        TlsPin::Certificate(digest) => Ok(tls::TlsPin::Certificate(*digest.as_bytes())),
        TlsPin::Key(digest) => Ok(tls::TlsPin::Key(*digest.as_bytes())),
        TlsPin::Placeholder if url.starts_with("https://") => Err(DialError::Placeholder),
        TlsPin::Placeholder | TlsPin::WebPki => Ok(tls::TlsPin::WebPki),
    }
}

fn spawn(spec: &ServerSpec, settings: &Settings) -> Result<Spawn, DialError> {
    let Transport::Stdio {
        command,
        args,
        env,
        cwd,
        measured,
    } = &spec.transport
    else {
        return Err(DialError::Unmeasured);
    };
    let mut spawn = Spawn::new(command);
    spawn.args.clone_from(args);
    spawn.cwd = cwd.as_ref().map(PathBuf::from);
    // A variable that is let through and not set is simply not there for the child either.
    for (name, value) in env
        .iter()
        .filter_map(|n| settings.child_environment.get_key_value(n))
    {
        spawn
            .env
            .push((name.clone(), EnvValue::new(value.expose().to_owned())));
    }
    spawn.pins = measured
        .iter()
        .map(|(path, digest)| FilePin {
            path: path.into(),
            digest: *digest.as_bytes(),
        })
        .collect();
    Ok(spawn)
}

#[cfg(test)]
mod tests;
