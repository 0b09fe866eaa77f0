//! Files and folders that commands about evidence read.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use cmcp_evidence::{PublicKey, endorse::Offered};

use super::EvidenceFailure;
use crate::{
    cli::ReferenceValuesFile,
    commands::Failure,
    config::pins,
    reference_values::{self, Read as Values},
};

/// A file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, EvidenceFailure> {
    let failed = |error| EvidenceFailure::Read {
        path: path.to_owned(),
        error,
    };
    let mut bytes = Vec::new();
    let read = open(path).map_err(failed)?;
    let read = read.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
        return Err(EvidenceFailure::Large {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(bytes)
}

pub(crate) fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    match file.metadata()?.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => Ok(file),
    }
}

/// Files, and the files of folders in the order of their names; folders within folders are left out.
pub(crate) fn offered(paths: &[PathBuf]) -> Result<Vec<Offered>, EvidenceFailure> {
    let mut offered = Vec::new();
    let mut left = MAX_TOGETHER;
    for path in paths {
        let files = match path.is_dir() {
            true => listed(path)?,
            false => vec![path.clone()],
        };
        for file in files {
            let bytes = read(&file, left)?;
            left = left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            let name = file.display().to_string();
            offered.push(Offered { name, bytes });
        }
    }
    Ok(offered)
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, EvidenceFailure> {
    let failed = |error| EvidenceFailure::Read {
        path: folder.to_owned(),
        error,
    };
    let mut files = Vec::new();
    for entry in folder.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The reference values that were named, or those shipped; signed, where a key was named.
pub(crate) fn reference_values(arguments: &ReferenceValuesFile) -> Result<Values, Failure> {
    let ReferenceValuesFile {
        reference_values: file,
        reference_values_key: key,
    } = arguments;
    let Some(file) = file else {
        return Ok(Values::shipped().map_err(EvidenceFailure::ReferenceValues)?);
    };
    let bytes = read(file, MAX_REFERENCE_VALUES)?;
    if let Some(key) = key {
        check_signature(file, &bytes, &public_key(key)?)?;
    }
    let values = Values::from_bytes(&bytes, Some(file));
    Ok(values.map_err(EvidenceFailure::ReferenceValues)?)
}

fn check_signature(document: &Path, bytes: &[u8], key: &PublicKey) -> Result<(), EvidenceFailure> {
    let mut name = document.as_os_str().to_owned();
    name.push(".sig");
    let signature = PathBuf::from(name);
    let read = match read(&signature, MAX_SIGNATURE) {
        Err(EvidenceFailure::Read { error, .. }) => {
            return Err(EvidenceFailure::SignatureMissing { signature, error });
        }
        other => other?,
    };
    reference_values::verify(bytes, &read, key).map_err(|cause| EvidenceFailure::Signature {
        document: document.to_owned(),
        signature,
        cause,
    })
}

/// A key in hexadecimal or base64url, or the path of a PEM file.
fn public_key(text: &str) -> Result<PublicKey, Failure> {
    if let Some(key) = pins::parse_key(text) {
        return Ok(key);
    }
    let path = Path::new(text);
    if !path.is_file() {
        return Err(Failure::Flag {
            flag: "--reference-values-key",
            value: text.to_owned(),
            expected: "an Ed25519 public key: 64 hexadecimal digits, 43 characters of base64url, or the path of a PEM file",
        });
    }
    let pem = read(path, MAX_KEY)?;
    let key = PublicKey::from_pem(&pem).map_err(|error| EvidenceFailure::Key {
        path: path.to_owned(),
        error,
    });
    Ok(key?)
}

/// Longest evidence, and all endorsements together: what the appraisal reads, and room for wrapping.
pub(crate) const MAX_EVIDENCE: u64 = 32 << 20;
const MAX_TOGETHER: u64 = 64 << 20;
const MAX_REFERENCE_VALUES: u64 = 1 << 20;
const MAX_SIGNATURE: u64 = 4 << 10;
pub(crate) const MAX_KEY: u64 = 64 << 10;
