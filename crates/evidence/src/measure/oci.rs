//! Container images: the digests of their manifests, configurations and layers, computed from what an
//! image layout (a folder, or packed in a tar) or a `docker save` archive holds.

mod files;

pub use files::Files;

use std::io;

use cmcp_json::{Limits, Object, Value};

use crate::Sha256Digest;
use files::Entry;

/// An image, for one platform.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Image {
    /// Names that are written beside it; whoever made the archive chose them.
    pub names: Vec<String>,
    /// `os/architecture`, where it is said.
    pub platform: Option<String>,
    /// The digest of the manifest, which registries and attestation call the image's digest. An archive
    /// of the older `docker save` has no manifest of that kind.
    pub manifest: Option<Sha256Digest>,
    /// The digest of the configuration: the image's identifier on a Docker host.
    pub config: Sha256Digest,
    /// The digests of the layers, lowest first, as they lie there.
    pub layers: Vec<Sha256Digest>,
}

/// Why images cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// A file cannot be read.
    #[error("`{path}`: {error}; check the path")]
    Read {
        /// Its path in the archive or layout.
        path: String,
        /// Why not.
        error: io::Error,
    },
    /// The tar is broken.
    #[error("the archive is no tar: {what} at byte {at}")]
    Tar {
        /// What is wrong.
        what: &'static str,
        /// Where the header begins.
        at: u64,
    },
    /// More entries or documents than any image has.
    #[error("the archive has more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are read.
        limit: usize,
    },
    /// Two files have one path, and readers would differ about which counts.
    #[error("`{path}` is there twice")]
    Twice {
        /// The path.
        path: String,
    },
    /// Neither kind of image.
    #[error("there is neither `index.json` (image layout) nor `manifest.json` (docker archive)")]
    NoImage,
    /// A file that another one names is not there. Links are not followed.
    #[error("`{path}` is named and is not there, or is a link, which is not followed")]
    Missing {
        /// Its path.
        path: String,
    },
    /// A document is not what it should be.
    #[error("`{path}`: {what}")]
    Document {
        /// Its path.
        path: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A file has another digest than its name says.
    #[error("`{path}` has the digest {actual}; it was changed or cut")]
    Digest {
        /// Its path.
        path: String,
        /// What it has.
        actual: Sha256Digest,
    },
    /// Indexes within indexes within indexes.
    #[error("indexes are nested deeper than {MAX_DEPTH} levels")]
    Depth,
}

/// The images that these files hold. Every digest is computed; one that a document states is compared.
///
/// # Errors
///
/// No image, a broken one, or a file that has another digest than is stated.
pub fn images(files: &Files) -> Result<Vec<Image>, OciError> {
    let mut images = Vec::new();
    if files.get("index.json").is_some() {
        of_index(files, "index.json", 0, &mut images)?;
    } else if files.get("manifest.json").is_some() {
        of_docker(files, &mut images)?;
    }
    match images.is_empty() {
        true => Err(OciError::NoImage),
        false => Ok(images),
    }
}

fn of_index(
    files: &Files,
    path: &str,
    depth: usize,
    images: &mut Vec<Image>,
) -> Result<(), OciError> {
    if depth > MAX_DEPTH {
        return Err(OciError::Depth);
    }
    let index = document(files, path)?;
    for descriptor in list(&index, path, "manifests")? {
        let blob = blob_of(descriptor, path)?;
        let manifest = document(files, &blob.path)?;
        compare(files, &blob)?;
        if manifest.get("manifests").is_some() {
            of_index(files, &blob.path, depth.saturating_add(1), images)?;
            continue;
        }
        let mut image = of_manifest(files, &blob, &manifest)?;
        image.names = names(descriptor);
        image.platform = descriptor.get("platform").and_then(platform);
        if images.len() >= MAX_IMAGES {
            return Err(OciError::TooMany {
                what: "images",
                limit: MAX_IMAGES,
            });
        }
        images.push(image);
    }
    Ok(())
}

fn of_manifest(files: &Files, blob: &Blob, manifest: &Value) -> Result<Image, OciError> {
    let wrong = |what| OciError::Document {
        path: blob.path.clone(),
        what,
    };
    let config = manifest.get("config").ok_or(wrong("has no `config`"))?;
    let config = blob_of(config, &blob.path)?;
    compare(files, &config)?;
    let mut layers = Vec::new();
    for layer in list(manifest, &blob.path, "layers")? {
        let layer = blob_of(layer, &blob.path)?;
        compare(files, &layer)?;
        layers.push(layer.digest);
    }
    Ok(Image {
        names: Vec::new(),
        platform: None,
        manifest: Some(blob.digest),
        config: config.digest,
        layers,
    })
}

/// `manifest.json` of `docker save`: a list of configuration, names and layers, each a path.
fn of_docker(files: &Files, images: &mut Vec<Image>) -> Result<(), OciError> {
    let path = "manifest.json";
    let wrong = |what| OciError::Document {
        path: path.to_owned(),
        what,
    };
    let document = document(files, path)?;
    let list_of = document.as_array().ok_or(wrong("is not a list"))?;
    if list_of.len() > MAX_IMAGES {
        return Err(OciError::TooMany {
            what: "images",
            limit: MAX_IMAGES,
        });
    }
    for image in list_of {
        let config = image.get("Config").and_then(Value::as_str);
        let config = digest_at(files, config.ok_or(wrong("names no `Config`"))?)?;
        let mut layers = Vec::new();
        for layer in list(image, path, "Layers")? {
            let layer = layer
                .as_str()
                .ok_or(wrong("`Layers` holds more than texts"))?;
            layers.push(digest_at(files, layer)?);
        }
        let names = image.get("RepoTags").and_then(Value::as_array);
        let names = names.unwrap_or_default().iter();
        images.push(Image {
            names: names.filter_map(Value::as_str).map(str::to_owned).collect(),
            platform: None,
            manifest: None,
            config,
            layers,
        });
    }
    Ok(())
}

/// A file that a descriptor names by its digest.
struct Blob {
    digest: Sha256Digest,
    path: String,
}

fn blob_of(descriptor: &Value, of: &str) -> Result<Blob, OciError> {
    let digest = descriptor.get("digest").and_then(Value::as_str);
    let digest: Option<Sha256Digest> = digest.and_then(|digest| digest.parse().ok());
    let digest = digest.ok_or(OciError::Document {
        path: of.to_owned(),
        what: "a descriptor has no `digest` of the form `sha256:…`",
    })?;
    Ok(Blob {
        digest,
        path: format!("blobs/sha256/{}", digest.hex()),
    })
}

fn compare(files: &Files, blob: &Blob) -> Result<(), OciError> {
    let actual = digest_at(files, &blob.path)?;
    match actual == blob.digest {
        true => Ok(()),
        false => Err(OciError::Digest {
            path: blob.path.clone(),
            actual,
        }),
    }
}

fn entry<'a>(files: &'a Files, path: &str) -> Result<&'a Entry, OciError> {
    files.get(path).ok_or_else(|| OciError::Missing {
        path: path.to_owned(),
    })
}

fn digest_at(files: &Files, path: &str) -> Result<Sha256Digest, OciError> {
    entry(files, path).map(|entry| entry.digest)
}

fn document(files: &Files, path: &str) -> Result<Value, OciError> {
    let wrong = |what| OciError::Document {
        path: path.to_owned(),
        what,
    };
    let text = entry(files, path)?.text.as_deref();
    let text = text.ok_or(wrong("is no JSON document of at most 4 MiB"))?;
    cmcp_json::parse(text, &Limits::REQUEST).map_err(|_| wrong("is not one strict JSON text"))
}

fn list<'a>(document: &'a Value, path: &str, name: &str) -> Result<&'a [Value], OciError> {
    let list = document.get(name).and_then(Value::as_array);
    list.ok_or_else(|| OciError::Document {
        path: path.to_owned(),
        what: match name {
            "manifests" => "has no list `manifests`",
            "layers" => "has no list `layers`",
            _ => "has no list `Layers`",
        },
    })
}

fn names(descriptor: &Value) -> Vec<String> {
    let annotations = descriptor.get("annotations").and_then(Value::as_object);
    let name = |key: &str| annotations.and_then(|known: &Object| known.get(key));
    let found =
        name("io.containerd.image.name").or_else(|| name("org.opencontainers.image.ref.name"));
    let found = found.and_then(Value::as_str);
    found.map(str::to_owned).into_iter().collect()
}

fn platform(platform: &Value) -> Option<String> {
    let os = platform.get("os")?.as_str()?;
    let architecture = platform.get("architecture")?.as_str()?;
    Some(format!("{os}/{architecture}"))
}

const MAX_DEPTH: usize = 3;
const MAX_IMAGES: usize = 256;
