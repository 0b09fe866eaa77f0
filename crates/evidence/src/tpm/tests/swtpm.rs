//! A real TPM in a process of its own, driven by tpm2-tools.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    Evidence, Platform,
    eventlog::{
        self, HashAlg,
        tests::{build, in_ci},
    },
    evidence::Part,
    forge::pem,
    hex, x509,
};

const BANK: HashAlg = HashAlg::Sha256;
const PCRS: &str = "sha256:0,1,2,3,4,5,6,7,8,9,10,11";

/// A TPM of its own in a folder of its own; both are gone when it is dropped.
pub(super) struct Tpm {
    folder: PathBuf,
    process: Option<Child>,
}

impl Tpm {
    /// Makes one; none where the tools are not installed.
    pub(super) fn manufacture(name: &str) -> Option<Self> {
        let missing = ["swtpm", "swtpm_setup", "swtpm_localca", "tpm2_quote"]
            .into_iter()
            .find(|tool| Command::new(tool).arg("--version").output().is_err());
        if let Some(tool) = missing {
            assert!(!in_ci(), "{tool} is not installed");
            eprintln!("skipped: {tool} is not installed");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("cmcp-tpm-{}-{name}", std::process::id()));
        let tpm = Self {
            folder,
            process: None,
        };
        std::fs::create_dir_all(tpm.path("ca")).expect("a folder");
        std::fs::create_dir_all(tpm.path("state")).expect("a folder");
        tpm.write(
            "ca.conf",
            format!(
                "statedir = {ca}\nsigningkey = {ca}/key.pem\nissuercert = {ca}/issuer.pem\n\
                 certserial = {ca}/serial\n",
                ca = tpm.path("ca").display()
            ),
        );
        tpm.write(
            "options",
            "--platform-manufacturer CMCP\n--platform-version 1\n--platform-model test\n",
        );
        let tool = Command::new("sh")
            .args(["-c", "command -v swtpm_localca"])
            .output();
        let tool = String::from_utf8(tool.expect("sh").stdout).expect("a path");
        tpm.write(
            "setup.conf",
            format!(
                "create_certs_tool = {}\ncreate_certs_tool_config = {}\n\
                 create_certs_tool_options = {}\n",
                tool.trim(),
                tpm.path("ca.conf").display(),
                tpm.path("options").display()
            ),
        );
        let output = Command::new("swtpm_setup")
            .args([
                "--tpm2",
                "--create-ek-cert",
                "--pcr-banks",
                "sha256,sha384",
                "--vmid",
                "test",
            ])
            .args(["--write-ek-cert-files".as_ref(), tpm.path("ca").as_os_str()])
            .args(["--tpmstate".as_ref(), tpm.path("state").as_os_str()])
            .args(["--config".as_ref(), tpm.path("setup.conf").as_os_str()])
            .output()
            .expect("swtpm_setup");
        assert!(output.status.success(), "{output:?}");
        Some(tpm)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).expect("written");
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(super) fn start(&mut self) {
        let socket = self.path("socket");
        let _ = std::fs::remove_file(&socket);
        let process = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .arg(format!("--tpmstate=dir={}", self.path("state").display()))
            .arg(format!("--server=type=unixio,path={}", socket.display()))
            .arg(format!("--ctrl=type=unixio,path={}.ctrl", socket.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("swtpm");
        self.process = Some(process);
        let begin = Instant::now();
        while !socket.exists() {
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "swtpm did not start"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(super) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("killed");
            process.wait().expect("ended");
        }
    }

    /// Runs one of tpm2-tools in the TPM's folder.
    fn run(&self, command: &str) -> bool {
        let mut words = command.split_whitespace();
        let output = Command::new(words.next().expect("a tool"))
            .args(words)
            .current_dir(&self.folder)
            .env(
                "TPM2TOOLS_TCTI",
                format!("swtpm:path={}", self.path("socket").display()),
            )
            .output()
            .unwrap_or_else(|error| panic!("{command}: {error}"));
        output.status.success()
    }

    /// Runs one that must succeed, with room for its keys.
    fn must(&self, command: &str) {
        assert!(self.run("tpm2_flushcontext -t"));
        assert!(self.run(command), "{command}");
    }

    /// Extends PCRs by every event of a log.
    pub(super) fn boot(&self, log: &[u8]) {
        let log = eventlog::parse(log).expect("a log");
        let extended: Vec<String> = log
            .extended()
            .map(|event| {
                let digest = hex::encode(event.digest(BANK).expect("a digest"));
                format!("{}:sha256={digest}", event.register)
            })
            .collect();
        self.must(&format!("tpm2_pcrextend {}", extended.join(" ")));
    }

    /// Extends PCR 10 as a kernel does that runs `/usr/bin/true`, and returns its list.
    pub(super) fn measure(&self) -> Vec<u8> {
        self.must("tpm2_pcrread sha256:0,1,2,3,4,5,6,7,8,9 -o firmware");
        let aggregate = BANK.digest(&self.read("firmware"));
        let list = build::ima(&[("boot_aggregate", &aggregate), ("/usr/bin/true", &[2; 32])]);
        let log = eventlog::ImaLog::parse(&list).expect("a list");
        for entry in log.entries() {
            let digest = hex::encode(&entry.extends(BANK));
            self.must(&format!("tpm2_pcrextend 10:sha256={digest}"));
        }
        list
    }

    /// Makes a key and activates it: what was encrypted to the endorsement key of the certificate, for
    /// that name, comes back only from the TPM that has both.
    pub(super) fn activated(&self, key: &Kind) -> Vec<u8> {
        self.must("tpm2_createek -c ek -G rsa -u ek.pub");
        self.must(&format!(
            "tpm2_createak -C ek -c ak -G {} -g {} -s {} -u ak.pub -f tss -n ak.name",
            key.algorithm, key.hash, key.scheme
        ));
        self.must("tpm2_readpublic -c ak -f pem -o ak.pem");
        let certificate = self.endorsement();
        self.write("ek.pem", pem("PUBLIC KEY", certificate.spki()));
        self.write("secret", [7; 32]);
        let name = self.read("ak.name");
        let digits = hex::encode(&name);
        self.must(&format!(
            "tpm2_makecredential -T none -u ek.pem -s secret -n {digits} -o credential -G rsa"
        ));
        self.must("tpm2_startauthsession --policy-session -S session");
        assert!(self.run("tpm2_policysecret -S session -c e"));
        assert!(
            self.run(
                "tpm2_activatecredential -c ak -C ek -i credential -o back -P session:session"
            )
        );
        assert!(self.run("tpm2_flushcontext session"));
        assert_eq!(self.read("back"), [7; 32]);
        name
    }

    /// The endorsement certificate, chained to the maker's root.
    fn endorsement(&self) -> x509::Certificate {
        let read = |pem: &[u8]| {
            let der = x509::one_from_pem(pem).expect("PEM");
            x509::Certificate::from_der(&der).expect("a certificate")
        };
        let leaf = self.read("ca/ek-rsa2048.crt");
        let leaf = x509::Certificate::from_der(&leaf).expect("a certificate");
        let root = read(&self.read("ca/swtpm-localca-rootca-cert.pem"));
        let rules = x509::ChainRules {
            max_certificates: 8,
            validity: x509::Validity::At(leaf.not_before()),
            leaf: x509::LeafUse::Any,
        };
        let issuer = read(&self.read("ca/issuer.pem"));
        let chain = x509::verify_chain(&leaf, &[issuer], &[root], &rules).expect("a chain");
        assert_eq!(chain.len(), 3);
        leaf
    }

    /// A quote of the PCRs for a challenge.
    pub(super) fn quote(&self, key: &Kind, challenge: &[u8], logs: (&[u8], &[u8])) -> Evidence {
        let scheme = if key.scheme == "rsapss" {
            "--scheme rsapss"
        } else {
            ""
        };
        self.must(&format!(
            "tpm2_quote -c ak {scheme} -l {PCRS} -q {} -m attest -s signature -o pcrs -g {}",
            hex::encode(challenge),
            key.hash
        ));
        self.must(&format!("tpm2_pcrread {PCRS} -o values"));
        Evidence::new(Platform::Tpm)
            .with(Part::AkPublic, self.read("ak.pub"))
            .with(Part::Attest, self.read("attest"))
            .with(Part::Signature, self.read("signature"))
            .with(Part::Pcrs, self.read("values"))
            .with(Part::EventLog, logs.0)
            .with(Part::ImaLog, logs.1)
    }

    /// What `tpm2_checkquote` says of these bytes.
    pub(super) fn check(
        &self,
        key: &Kind,
        challenge: &[u8],
        attest: &[u8],
        signature: &[u8],
    ) -> bool {
        self.write("attest.checked", attest);
        self.write("signature.checked", signature);
        self.run(&format!(
            "tpm2_checkquote -u ak.pem -m attest.checked -s signature.checked -f pcrs -g {} -q {}",
            key.hash,
            hex::encode(challenge)
        ))
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// How tpm2-tools call a kind of key.
pub(super) struct Kind {
    pub(super) algorithm: &'static str,
    pub(super) hash: &'static str,
    pub(super) scheme: &'static str,
}

pub(super) const ECC: Kind = Kind {
    algorithm: "ecc",
    hash: "sha256",
    scheme: "ecdsa",
};

/// The file that a TPM keeps its state in.
pub(super) fn find_state(folder: &Path) -> PathBuf {
    let mut files = std::fs::read_dir(folder).expect("a folder");
    let found = files.find_map(|file| {
        let path = file.expect("a file").path();
        let permanent = path.extension().is_some_and(|end| end == "permall");
        permanent.then_some(path)
    });
    found.expect("a state")
}
