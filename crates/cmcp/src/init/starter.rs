//! The files that `cmcp init` writes beside the catalog.

use cmcp_evidence::Timestamp;
use cmcp_json::{Object, Value};

use crate::render::pretty;

/// The configuration.
const CONFIG: &str = "\
# Written by `cmcp init`. Every key: docs/configuration.md.
attestation:
  # Evidence of hardware where there is some. Software evidence has to be asked for: CMCP_DEV_MODE=1
  # while developing on this machine, or `danger_software_evidence: true`.
  provider: auto
  # `advisory` lets denied calls pass and records them: a way to try a policy on real traffic.
  enforcement_mode: enforcing
policy_bundle_path: ./policies/
catalog_path: ./catalog.json
audit_db_path: ./audit.db
listen_addr: \"127.0.0.1:8443\"

# Callers with names and attributes that policies can use. The token itself stays with the caller:
#   printf %s \"$TOKEN\" | sha256sum
# principals:
#   - name: support
#     token_sha256: \"…\"
#     attributes: {role: support, teams: [care]}
";

/// The configuration, with the host names that were let resolve to private addresses.
pub(crate) fn config(private_hosts: &[String]) -> String {
    if private_hosts.is_empty() {
        return CONFIG.to_owned();
    }
    // Letters, digits, `.`, `-` and `_`: nothing that would have to be escaped.
    let quoted: Vec<String> = private_hosts
        .iter()
        .map(|host| format!("\"{host}\""))
        .collect();
    format!(
        "{CONFIG}\nupstreams:\n  # These names may resolve to addresses of private networks.\n  allow_private_hosts: [{}]\n",
        quoted.join(", ")
    )
}

/// A policy file of a bundle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PolicyFile {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// The starter policy.
pub(crate) const STARTER: PolicyFile = PolicyFile {
    name: "starter.cedar",
    text: include_str!("starter.cedar"),
};

/// The bundle's manifest.
pub(crate) fn manifest(author: &str, now: Timestamp) -> String {
    let members = [
        ("version", "1".to_owned()),
        ("authored_at", now.rfc3339()),
        ("author_identity", author.to_owned()),
        ("commit_sha", "0000000".to_owned()),
    ];
    pretty(&Value::from(Object::from(members)))
}

/// The files of the bundle, as paths inside of it.
pub(crate) fn bundle(manifest: &str, schema: &str, policy: PolicyFile) -> Vec<(String, Vec<u8>)> {
    let PolicyFile { name, text } = policy;
    [
        ("manifest.json", manifest),
        ("schema.cedarschema", schema),
        (name, text),
    ]
    .into_iter()
    .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
    .collect()
}
