//! Evidence as Azure makes it, under keys of our own, with any field broken.

use crate::{
    Sha256Digest,
    azure::uvm::Form,
    b64,
    cbor::{self, Item},
    forge::{Alg, Authority, Cert, Key},
    hex,
};

/// A paravisor's report of that version and type over `slot` and `runtime`.
pub(crate) fn hcl(version: u32, report_type: u32, slot: &[u8], runtime: &[u8]) -> Vec<u8> {
    let length = u32::try_from(runtime.len()).unwrap();
    let mut bytes = b"HCLA".to_vec();
    for word in [version, length + 0x4d4, 2, 0, 0, 0, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(slot);
    bytes.resize(0x4c0, 0);
    for word in [length + 20, 1, report_type, 1, length] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(runtime);
    bytes
}

/// A container policy that leaves nothing open.
pub(crate) fn cce_policy() -> String {
    let container = r#"{"allow_elevated":false,"allow_stdio_access":false,"capabilities":{"ambient":[],"bounding":[]},"command":["/cmcp"],"env_rules":[{"pattern":"^ENC_GITHUB_TOKEN=.*$","required":true,"strategy":"re2"},{"pattern":"AKV_ENDPOINT=vault.example","required":true,"strategy":"string"}],"exec_processes":[],"id":"registry.example/cmcp@sha256:00","layers":["16b514057a06ad665f92c02863aca074fd5976c755d26bff16365299169e8415"],"mounts":[],"name":"app","no_new_privileges":true,"seccomp_profile_sha256":"","signals":[],"user":{"umask":"0022"},"working_dir":"/"}"#;
    let mut policy = format!(
        "package policy\n\nimport future.keywords.every\nimport future.keywords.in\n\napi_version := \"0.10.0\"\nframework_version := \"0.2.3\"\n\ncontainers := [{container}]\n\n"
    );
    for flag in [
        "allow_properties_access",
        "allow_dump_stacks",
        "allow_runtime_logging",
        "allow_environment_variable_dropping",
        "allow_unencrypted_scratch",
        "allow_capability_dropping",
    ] {
        policy.push_str(&format!("{flag} := false\n"));
    }
    for point in [
        "mount_device",
        "unmount_device",
        "mount_overlay",
        "unmount_overlay",
        "create_container",
        "exec_in_container",
        "exec_external",
        "shutdown_container",
        "signal_container_process",
        "plan9_mount",
        "plan9_unmount",
        "get_properties",
        "dump_stacks",
        "runtime_logging",
        "load_fragment",
        "scratch_mount",
        "scratch_unmount",
    ] {
        policy.push_str(&format!("{point} := data.framework.{point}\n"));
    }
    policy.push_str("\nreason := {\"errors\": data.framework.errors}\n");
    policy
}

/// The purpose that a signer's certificate is for.
pub(crate) const EKU: &str = "1.3.6.1.4.1.311.76.59.1.2";

/// An endorsement of a utility VM before it is signed.
#[derive(Clone)]
pub(crate) struct Endorsement {
    pub(crate) form: Form,
    pub(crate) tag: bool,
    pub(crate) alg: i64,
    pub(crate) content_type: &'static str,
    pub(crate) issuer: String,
    pub(crate) feed: &'static str,
    pub(crate) svn: u64,
    pub(crate) measurement: Vec<u8>,
    pub(crate) signed_at: Option<i64>,
    /// The header that names the content type.
    pub(crate) type_header: i64,
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) key: Key,
    pub(crate) signs: Alg,
    /// One more protected header.
    pub(crate) header: Option<(&'static str, u64)>,
}

impl Endorsement {
    pub(crate) fn new(form: Form, measurement: &[u8]) -> Self {
        let Signers { chain, key } = Signers::new(|leaf| leaf);
        Self {
            form,
            tag: true,
            alg: -38,
            content_type: match form {
                Form::Cwt => "application/octet-stream",
                Form::Json => "application/json",
            },
            issuer: issuer(&chain),
            feed: "ContainerPlat-AMD-UVM",
            svn: 104,
            measurement: measurement.to_vec(),
            // 2026-02-01
            signed_at: Some(1_769_904_000),
            type_header: 3,
            chain,
            key,
            signs: Alg::PssSha384,
            header: None,
        }
    }

    /// With another signer's certificate.
    pub(crate) fn signer(mut self, change: impl Fn(Cert) -> Cert) -> Self {
        self.chain = Signers::new(change).chain;
        self
    }

    pub(crate) fn signed(&self) -> Vec<u8> {
        let protected = self.protected();
        let payload = match self.form {
            Form::Cwt => self.measurement.clone(),
            Form::Json => format!(
                r#"{{"x-ms-sevsnpvm-guestsvn":"{}","x-ms-sevsnpvm-launchmeasurement":"{}"}}"#,
                self.svn,
                hex::encode(&self.measurement)
            )
            .into_bytes(),
        };
        self.sealed(&protected, &payload)
    }

    /// With other bytes as header or payload, signed all the same.
    pub(crate) fn sealed(&self, protected: &[u8], payload: &[u8]) -> Vec<u8> {
        let signed = Item::Array(vec![
            Item::Text("Signature1"),
            Item::Bytes(protected),
            Item::Bytes(&[]),
            Item::Bytes(payload),
        ]);
        let signature = self.key.sign_fixed(self.signs, &cbor::encode(&signed));
        let message = Item::Array(vec![
            Item::Bytes(protected),
            Item::Map(Vec::new()),
            Item::Bytes(payload),
            Item::Bytes(&signature),
        ]);
        if self.tag {
            cbor::encode(&Item::Tag(18, Box::new(message)))
        } else {
            cbor::encode(&message)
        }
    }

    pub(crate) fn protected(&self) -> Vec<u8> {
        let number = |number: i64| match u64::try_from(number) {
            Ok(number) => Item::Uint(number),
            Err(_) => Item::Nint(u64::try_from(-1 - number).unwrap()),
        };
        let chain = self.chain.iter().map(|der| Item::Bytes(der)).collect();
        let time = |label| {
            let at = self.signed_at?;
            Some((label, Item::Tag(1, Box::new(number(at)))))
        };
        let mut headers = vec![
            (number(1), number(self.alg)),
            (number(self.type_header), Item::Text(self.content_type)),
            (number(33), Item::Array(chain)),
        ];
        match self.form {
            Form::Cwt => {
                let mut claims = vec![
                    (number(1), Item::Text(&self.issuer)),
                    (number(2), Item::Text(self.feed)),
                    (Item::Text("svn"), Item::Uint(self.svn)),
                ];
                claims.extend(time(number(6)));
                headers.push((number(15), Item::Map(claims)));
            }
            Form::Json => {
                headers.push((Item::Text("iss"), Item::Text(&self.issuer)));
                headers.push((Item::Text("feed"), Item::Text(self.feed)));
                headers.extend(time(Item::Text("signingtime")));
            }
        }
        if let Some((name, value)) = self.header {
            headers.push((Item::Text(name), Item::Uint(value)));
        }
        cbor::encode(&Item::Map(headers))
    }
}

/// The name of an issuer with that chain.
pub(crate) fn issuer(chain: &[Vec<u8>]) -> String {
    let root = Sha256Digest::of(chain.last().unwrap());
    format!(
        "did:x509:0:sha256:{}::eku:{EKU}",
        b64::encode(root.as_bytes())
    )
}

struct Signers {
    chain: Vec<Vec<u8>>,
    key: Key,
}

impl Signers {
    // The signer's certificate has expired long before anybody asks, as Microsoft's had.
    fn new(change: impl Fn(Cert) -> Cert) -> Self {
        let key = Key::rsa2048(0);
        let root = Authority::root(
            "Test Supply Chain Root",
            Key::p384("uvm root"),
            Alg::EcdsaSha384,
        );
        let products = root.sub(
            "Test Products CA",
            Key::p384("uvm products"),
            Alg::EcdsaSha384,
        );
        let leaf = Cert::new("ContainerPlat", &key)
            .validity("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z")
            .key_usage(0x80)
            .purposes(&["1.3.6.1.4.1.311.76.59.1.1", EKU]);
        let leaf = products.issue(change(leaf));
        Self {
            chain: vec![leaf, products.der, root.der],
            key,
        }
    }
}
