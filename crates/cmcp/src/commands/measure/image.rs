//! `cmcp measure oci` and `uki`: what is booted or run as an image.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cmcp_evidence::{
    Sha384Digest,
    eventlog::HashAlg,
    hex,
    measure::{
        oci::{Files, Image, OciError, images},
        tdx::ImageParts,
        uki::{Extension, Uki, pe},
    },
};
use cmcp_json::{Object, Value};

use super::{MAX_IMAGE, Measured, artefact, name};
use crate::{
    cli::{MeasureFileArgs, MeasureUkiArgs},
    commands::{
        Failure,
        evidence::{EvidenceFailure, open, read},
    },
    render::table::shown,
};

/// Digests of an image layout's folder, or of a tar of one, or of a `docker save` archive.
pub(super) fn measure(arguments: &MeasureFileArgs) -> Result<Measured, Failure> {
    let path = &arguments.path;
    let wrong = |error| EvidenceFailure::Image {
        path: path.clone(),
        error,
    };
    let files = match path.is_dir() {
        true => folder(path)?,
        false => {
            let file = open(path).map_err(|error| EvidenceFailure::Read {
                path: path.clone(),
                error,
            })?;
            Files::from_tar(file).map_err(wrong)?
        }
    };
    let found = images(&files).map_err(wrong)?;
    let usual = name(&arguments.named, path);
    let mut digests = Object::new();
    let mut comments = Vec::new();
    let mut facts = Vec::new();
    for (number, image) in (1..).zip(&found) {
        facts.push(fact(image));
        let name = match found.len() {
            1 => usual.clone(),
            _ => format!("{usual}-{number}"),
        };
        comments.extend(about(&name, image));
        if let Some(manifest) = image.manifest {
            digests.insert(name, manifest.hex());
        }
    }
    let fragment = match digests.is_empty() {
        true => Object::new(),
        false => Object::from([("gcp", Object::from([("images", digests)]))]),
    };
    let measured = Measured::new(fragment).fact("images", Value::Array(facts));
    Ok(comments.into_iter().fold(measured, Measured::comment))
}

/// An image's digests for a program.
fn fact(image: &Image) -> Value {
    let texts = |texts: &[String]| {
        let texts = texts.iter().map(|text| Value::from(text.as_str()));
        Value::Array(texts.collect())
    };
    let layers: Vec<String> = image.layers.iter().map(ToString::to_string).collect();
    let mut fact = Object::from([("names", texts(&image.names))]);
    if let Some(platform) = &image.platform {
        fact.insert("platform", platform.as_str());
    }
    if let Some(manifest) = image.manifest {
        fact.insert("manifest", manifest.to_string());
    }
    fact.insert("config", image.config.to_string());
    fact.insert("layers", texts(&layers));
    fact.into()
}

fn about(name: &str, image: &Image) -> Vec<String> {
    let Image {
        names,
        platform,
        manifest,
        config,
        layers,
    } = image;
    let platform = platform.as_deref().unwrap_or("no platform said");
    let known: Vec<String> = names.iter().map(|name| shown(name, MAX_NAME)).collect();
    let mut lines = vec![format!(
        "{}: {}; {}",
        shown(name, MAX_NAME),
        shown(platform, MAX_NAME),
        match known.is_empty() {
            true => "no name said".to_owned(),
            false => known.join(", "),
        }
    )];
    lines.push(match manifest {
        Some(manifest) => format!("  manifest {manifest}"),
        None => {
            "  no manifest: a registry makes it, and only that has the image's digest".to_owned()
        }
    });
    lines.push(format!("  configuration {config}"));
    lines.extend(layers.iter().map(|layer| format!("  layer {layer}")));
    lines
}

/// Every file below a folder, by its path from there. Links are left out.
fn folder(root: &Path) -> Result<Files, Failure> {
    let failed = |path: &Path, error| EvidenceFailure::Read {
        path: path.to_owned(),
        error,
    };
    let mut files = Files::new();
    let mut folders: Vec<(PathBuf, String)> = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| failed(&folder, error))? {
            let entry = entry.map_err(|error| failed(&folder, error))?;
            let kind = entry.file_type().map_err(|error| failed(&folder, error))?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if kind.is_dir() {
                folders.push((entry.path(), format!("{path}/")));
            } else if kind.is_file() {
                let file = open(&entry.path()).map_err(|error| failed(&entry.path(), error))?;
                files
                    .add(&path, file)
                    .map_err(|error: OciError| EvidenceFailure::Image {
                        path: root.to_owned(),
                        error,
                    })?;
            }
        }
    }
    Ok(files)
}

/// PCRs 4, 9 and 11 of a unified kernel image, as far as the image alone decides them.
pub(super) fn uki(arguments: &MeasureUkiArgs) -> Result<Measured, Failure> {
    let path = &arguments.path;
    let bytes = read(path, MAX_IMAGE)?;
    let uki = Uki::parse(&bytes).map_err(|error| {
        artefact(
            path,
            &error,
            "give the image that firmware or boot loader starts",
        )
    })?;
    let bank = HashAlg::from(arguments.bank);
    let mut comments = vec![
        format!("systemd-stub {}", uki.stub_version()),
        "the same goes below `azure-snp.vtpm.pcrs` and `azure-tdx.vtpm.pcrs`".to_owned(),
    ];
    let mut pcrs = Object::new();
    let mut put = |pcr: &str, value: &[u8]| {
        pcrs.insert(pcr, Value::Array(vec![Value::from(hex::encode(value))]));
    };
    match uki.pcr4(bank) {
        Ok(value) => {
            put("4", &value);
            comments.push(
                "PCR 4 where firmware boots the image itself; a shim or boot loader comes before it"
                    .to_owned(),
            );
        }
        Err(error) => comments.push(format!("PCR 4 is not known: {error}")),
    }
    match uki.pcr9(bank) {
        Ok(value) => put("9", &value),
        Err(error) => comments.push(format!("PCR 9 is not known: {error}")),
    }
    match uki.pcr11(bank) {
        Ok(values) => {
            let at = values
                .iter()
                .find(|(phase, _)| phase == arguments.phase.as_str());
            if let Some((phase, value)) = at {
                put("11", value);
                comments.push(format!("PCR 11 after `{phase}`; see `--phase`"));
            }
        }
        Err(error) => comments.push(format!("PCR 11 is not known: {error}")),
    }
    if arguments.events {
        comments.extend(events(&uki, bank));
    }
    let quote = Object::from([("pcrs", pcrs)]);
    let tpm = Object::from([("quote", quote)]);
    let measured = Measured::new(Object::from([("tpm", tpm)]));
    Ok(comments.into_iter().fold(measured, Measured::comment))
}

/// The parts of an image that a TDX guest's registers are extended with.
pub(super) fn parts(path: &Path, gpt: Option<&str>) -> Result<ImageParts, Failure> {
    let gpt = gpt.unwrap_or_default();
    let gpt = Sha384Digest::from_hex(gpt).map_err(|_| Failure::Flag {
        flag: "--gpt",
        value: gpt.to_owned(),
        expected: "96 lower-case hexadecimal digits",
    })?;
    let bytes = read(path, MAX_IMAGE)?;
    let wrong = |what: &dyn ToString| artefact(path, what, "give the image that firmware starts");
    let uki = Uki::parse(&bytes).map_err(|error| wrong(&error))?;
    let sections = uki.image().sections().iter();
    let mut linux = sections.filter(|section| section.name == ".linux");
    let linux = linux.next().ok_or_else(|| wrong(&"it has no kernel"))?;
    let linux = linux.raw.get(..linux.size).unwrap_or(linux.raw);
    let linux = pe::Image::parse(linux).map_err(|error| wrong(&error))?;
    let bank = HashAlg::Sha384;
    let events = uki.pcr9_events(bank).map_err(|error| wrong(&error))?;
    let event = |name: &str| {
        let digest = events.iter().find(|(what, _)| what == name);
        let missing = format!("it has no {name}, which is measured too");
        digest
            .map(|(_, digest)| digest.clone())
            .ok_or_else(|| wrong(&missing))
    };
    let digest = |bytes: Vec<u8>| -> Result<Sha384Digest, EvidenceFailure> {
        let bytes =
            <[u8; 48]>::try_from(bytes).map_err(|_| wrong(&"a digest is of another length"))?;
        Ok(Sha384Digest::from_bytes(bytes))
    };
    Ok(ImageParts {
        gpt,
        uki: digest(uki.image().authenticode(bank))?,
        kernel: digest(linux.authenticode(bank))?,
        command_line: digest(event("command line")?)?,
        initrd: digest(event("initrd")?)?,
    })
}

/// Each extension that is known, for logs in which others stand between them.
fn events(uki: &Uki<'_>, bank: HashAlg) -> Vec<String> {
    let of = |pcr: &'static str, events: Vec<Extension>| {
        events.into_iter().map(move |(what, digest)| {
            format!(
                "event of PCR {pcr}: {} {}",
                shown(&what, MAX_NAME),
                hex::encode(&digest)
            )
        })
    };
    let mut lines = Vec::new();
    lines.extend(of("4", uki.pcr4_events(bank).unwrap_or_default()));
    lines.extend(of("9", uki.pcr9_events(bank).unwrap_or_default()));
    lines.extend(of("11", uki.pcr11_events(bank).unwrap_or_default()));
    lines
}

const MAX_NAME: usize = 200;
