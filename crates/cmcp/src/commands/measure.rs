//! `cmcp measure`.

mod image;

use std::path::{Path, PathBuf};

use cmcp_evidence::{
    Sha384Digest, hex,
    measure::{
        cce::host_data,
        sgx::Enclave,
        snp::{Firmware, KernelDigests, Launch, Vcpu},
        tdx::{ImageParts, mrtd},
    },
};
use cmcp_json::{Limits, Object, Value};

use crate::{
    cli::{MeasureCommand, MeasureFileArgs, MeasureSnpArgs, MeasureTdxArgs, Named},
    commands::{
        Context, Exit, Failure,
        evidence::{EvidenceFailure, read},
    },
    output::Output,
    render::fragment,
};

pub(crate) fn run(command: &MeasureCommand, context: Context<'_>) -> Result<Exit, Failure> {
    let measured = match command {
        MeasureCommand::Cce(arguments) => cce(arguments),
        MeasureCommand::Oci(arguments) => image::measure(arguments),
        MeasureCommand::SgxSigstruct(arguments) => sigstruct(arguments),
        MeasureCommand::Snp(arguments) => snp(arguments),
        MeasureCommand::Tdx(arguments) => tdx(arguments),
        MeasureCommand::Uki(arguments) => image::uki(arguments),
    }?;
    measured.print(context.output);
    Ok(Exit::Ok)
}

/// What was measured: reference values, and what to know of them.
pub(crate) struct Measured {
    comments: Vec<String>,
    fragment: Value,
    /// What no reference value is, by name: for programs, where people read comments.
    facts: Object,
}

impl Measured {
    fn new(fragment: impl Into<Value>) -> Self {
        Self {
            comments: Vec::new(),
            fragment: fragment.into(),
            facts: Object::new(),
        }
    }

    fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name, value);
        self
    }

    fn comment(mut self, sentence: impl Into<String>) -> Self {
        self.comments.push(sentence.into());
        self
    }

    fn print(&self, output: Output) {
        for comment in &self.comments {
            output.line(format!("# {comment}"));
        }
        for line in fragment::lines(&self.fragment) {
            output.line(line);
        }
        let mut document = Object::from([("reference_values", self.fragment.clone())]);
        for (name, value) in self.facts.iter() {
            document.insert(name, value.clone());
        }
        let comments = self.comments.iter().map(|text| Value::from(text.as_str()));
        document.insert("notes", Value::Array(comments.collect()));
        output.json(&document.into());
    }
}

fn cce(arguments: &MeasureFileArgs) -> Result<Measured, Failure> {
    let path = &arguments.path;
    let measured = host_data(&read(path, MAX_DOCUMENT)?)
        .map_err(|error| artefact(path, &error, "give it as text or in base64"))?;
    let name = name(&arguments.named, path);
    let policies = Object::from([(name.as_str(), measured.digest.hex())]);
    let aci = Object::from([("container_policies", policies)]);
    let fragment = Measured::new(Object::from([("aci", aci)]));
    Ok(fragment.comment(format!("HOST_DATA; {}", measured.form.as_str())))
}

fn sigstruct(arguments: &MeasureFileArgs) -> Result<Measured, Failure> {
    let path = &arguments.path;
    let enclave = Enclave::from_sigstruct(&read(path, MAX_DOCUMENT)?)
        .map_err(|error| artefact(path, &error, "take the SIGSTRUCT that the signer wrote"))?;
    let name = name(&arguments.named, path);
    let measurements = Object::from([(name.as_str(), hex::encode(&enclave.mrenclave))]);
    let signer = Object::from([
        ("name", Value::from(name.as_str())),
        ("mrsigner", Value::from(enclave.mrsigner.hex())),
        ("isv_prod_id", Value::from(u64::from(enclave.isv_prod_id))),
        ("isv_svn_at_least", Value::from(u64::from(enclave.isv_svn))),
    ]);
    let sgx = Object::from([
        ("measurements", Value::from(measurements)),
        ("signers", Value::Array(vec![signer.into()])),
    ]);
    let fragment = Measured::new(Object::from([("sgx", sgx)]));
    Ok(fragment
        .comment(format!(
            "signed on {:08x}, as its signer says; the signature holds",
            enclave.date
        ))
        .comment(
            "keep `measurements` for this enclave alone, `signers` for its later versions too",
        ))
}

fn snp(arguments: &MeasureSnpArgs) -> Result<Measured, Failure> {
    let launch = match (&arguments.inputs, &arguments.firmware) {
        (Some(path), _) => from_inputs(path)?,
        (None, Some(firmware)) => from_firmware(arguments, firmware)?,
        (None, None) => {
            return Err(Failure::Flag {
                flag: "--firmware",
                value: String::new(),
                expected: "a file",
            });
        }
    };
    let path = arguments.inputs.as_ref().or(arguments.firmware.as_ref());
    let path = path.map_or(Path::new("snp"), PathBuf::as_path);
    let digest = launch
        .digest()
        .map_err(|error| artefact(path, &error, CHECK))?;
    let name = name(&arguments.named, path);
    let measured = Measured::new(section("snp", &name, digest));
    Ok(measured.comment(format!("launch digest, {} processors", launch.vcpus)))
}

fn from_inputs(path: &Path) -> Result<Launch, Failure> {
    let document = cmcp_json::parse(&read(path, MAX_DOCUMENT)?, &Limits::REQUEST)
        .map_err(|error| artefact(path, &error, "give one JSON document"))?;
    Ok(Launch::from_inputs(&document).map_err(|error| artefact(path, &error, CHECK))?)
}

fn from_firmware(arguments: &MeasureSnpArgs, path: &Path) -> Result<Launch, Failure> {
    let firmware = Firmware::from_ovmf(&read(path, MAX_FIRMWARE)?)
        .map_err(|error| artefact(path, &error, "take an OVMF that was built for SNP"))?;
    let vcpu = Vcpu::from_model(&arguments.vcpu_type).ok_or_else(|| Failure::Flag {
        flag: "--vcpu-type",
        value: arguments.vcpu_type.clone(),
        expected: "a model of QEMU's, as `EPYC-Genoa`",
    })?;
    let kernel = match &arguments.kernel {
        None => None,
        Some(kernel) => {
            let initrd = match &arguments.initrd {
                Some(initrd) => read(initrd, MAX_IMAGE)?,
                None => Vec::new(),
            };
            let kernel = read(kernel, MAX_IMAGE)?;
            let append = arguments.append.as_deref().unwrap_or_default();
            Some(KernelDigests::of(&kernel, &initrd, append))
        }
    };
    Ok(Launch {
        firmware,
        kernel,
        vcpus: arguments.vcpus.unwrap_or_default(),
        vcpu,
        guest_features: arguments.guest_features,
        vmm: arguments.vmm.into(),
    })
}

fn tdx(arguments: &MeasureTdxArgs) -> Result<Measured, Failure> {
    let mut tdx = Object::new();
    let mut comments = Vec::new();
    if let Some(path) = &arguments.firmware {
        let firmware = read(path, MAX_FIRMWARE)?;
        let mrtd = mrtd(&firmware, arguments.page_order.into())
            .map_err(|error| artefact(path, &error, "take an OVMF that was built for TDX"))?;
        let name = name(&arguments.named, path);
        tdx.insert("measurements", Object::from([(name, mrtd.hex())]));
        comments.push("MRTD; hosts differ in the order of pages, see `--page-order`".to_owned());
    }
    let parts = match (&arguments.image, &arguments.uki) {
        (Some(path), _) => Some(parts(path)?),
        (None, Some(path)) => Some(image::parts(path, arguments.gpt.as_deref())?),
        (None, None) => None,
    };
    if let Some(parts) = parts {
        for (name, value) in [("rtmr1", parts.rtmr1()), ("rtmr2", parts.rtmr2())] {
            tdx.insert(name, Value::Array(vec![Value::from(value.hex())]));
        }
        comments
            .push("RTMR1 and RTMR2 of an image with one kernel that the firmware boots".to_owned());
    }
    let measured = Measured::new(Object::from([("tdx", tdx)]));
    Ok(comments.into_iter().fold(measured, Measured::comment))
}

/// The digests of an image's parts; a document that has them in a member `image` may say more.
fn parts(path: &Path) -> Result<ImageParts, Failure> {
    let document = cmcp_json::parse(&read(path, MAX_DOCUMENT)?, &Limits::REQUEST)
        .map_err(|error| artefact(path, &error, "give one JSON document"))?;
    let image = document.get("image").unwrap_or(&document);
    let digest = |name: &str| -> Result<Sha384Digest, Failure> {
        let digits = image.get(name).and_then(Value::as_str);
        let digest = digits.and_then(|digits| Sha384Digest::from_hex(digits).ok());
        digest.ok_or_else(|| {
            let what = format!("`{name}` is not there, or not 96 hexadecimal digits");
            artefact(path, &what, "give the SHA-384 digest of that part").into()
        })
    };
    Ok(ImageParts {
        gpt: digest("gpt_disk_guid_hash")?,
        uki: digest("uki_authenticode")?,
        kernel: digest("kernel_authenticode")?,
        command_line: digest("cmdline_hash")?,
        initrd: digest("initrd_hash")?,
    })
}

/// A platform's section with one measurement.
fn section(platform: &str, name: &str, digest: Sha384Digest) -> Object {
    let measurements = Object::from([(name, digest.hex())]);
    Object::from([(platform, Object::from([("measurements", measurements)]))])
}

/// The name that was given, or the file's.
fn name(named: &Named, path: &Path) -> String {
    let stem = || path.file_stem().unwrap_or_default().to_string_lossy();
    named.name.clone().unwrap_or_else(|| stem().into_owned())
}

fn artefact(path: &Path, what: &dyn ToString, remedy: &'static str) -> EvidenceFailure {
    EvidenceFailure::Artefact {
        path: path.to_owned(),
        what: what.to_string(),
        remedy,
    }
}

const CHECK: &str = "check what the guest is started with";
const MAX_DOCUMENT: u64 = 4 << 20;
const MAX_FIRMWARE: u64 = 64 << 20;
const MAX_IMAGE: u64 = 2 << 30;
