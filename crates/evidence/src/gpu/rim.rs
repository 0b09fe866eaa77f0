//! NVIDIA's reference integrity manifests: software identification tags (ISO 19770-2) with golden
//! measurements, signed as a whole (XML-DSig).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::Node;

use super::xml::{self, XmlError};
use crate::{
    Sha256Digest, Sha384Digest, hex,
    x509::{BadSignature, Scheme, SignatureBytes, VerifyingKey},
};

/// Why a manifest is not read, or not believed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RimError {
    /// Not the XML that is read here.
    #[error("manifest: {0}")]
    Xml(#[from] XmlError),
    /// Something is missing, there twice, or another than it has to be.
    #[error("manifest: `{what}` must be {expected}, and is {found}")]
    Form {
        /// What.
        what: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// The digest in the signature is another than the manifest's.
    #[error("manifest: its digest is not the one that is signed: it was changed")]
    Digest,
    /// The signature does not hold.
    #[error("manifest: {0}")]
    Signature(#[from] BadSignature),
}

/// One golden measurement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Golden {
    /// Its number, from 0; a report counts from 1.
    pub index: u8,
    /// The values that are good; never empty.
    pub values: Vec<Vec<u8>>,
}

/// A manifest as it came: nothing of it is believed before [`Rim::verify`] and the chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rim {
    /// The chip it is for.
    pub product: String,
    /// The version of the driver or VBIOS it is for.
    pub version: String,
    /// Its identifier.
    pub tag: String,
    /// The measurements that a device has to have.
    pub active: Vec<Golden>,
    /// How many it lists that a device need not have.
    pub inactive: usize,
    /// The certificates in it, DER, signer first.
    pub certificates: Vec<Vec<u8>>,
    /// SHA-256 of its bytes.
    pub digest: Sha256Digest,
    body: Sha384Digest,
    signed_digest: Vec<u8>,
    signed: String,
    signature: Vec<u8>,
}

impl Rim {
    /// Reads a manifest that is the whole of `bytes`.
    ///
    /// # Errors
    ///
    /// The first thing in it that is not as NVIDIA writes it.
    pub fn parse(bytes: &[u8]) -> Result<Self, RimError> {
        let document = xml::parse(bytes)?;
        let root = document.root_element();
        named(root, SWID, "SoftwareIdentity")?;
        let signature = only(root, DSIG, "Signature")?;
        let info = only(signature, DSIG, "SignedInfo")?;
        let signed_digest = signed_digest(info)?;
        let (active, inactive) = golden(root)?;
        let meta = only(root, SWID, "Meta")?;
        Ok(Self {
            product: attribute(meta, "product")?.to_owned(),
            version: attribute(meta, "colloquialVersion")?.to_owned(),
            tag: attribute(root, "tagId")?.to_owned(),
            active,
            inactive,
            certificates: certificates(signature)?,
            digest: Sha256Digest::of(bytes),
            body: Sha384Digest::of(xml::canonical(root, Some(signature))?.as_bytes()),
            signed_digest,
            signed: xml::canonical(info, None)?,
            signature: base64(only(signature, DSIG, "SignatureValue")?)?,
        })
    }

    /// Verifies the signature over the whole manifest. The key is one that the caller trusts.
    ///
    /// # Errors
    ///
    /// The manifest was changed, or the key did not sign it.
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), RimError> {
        if self.signed_digest != self.body.as_bytes() {
            return Err(RimError::Digest);
        }
        let signature = SignatureBytes::Fixed(&self.signature);
        Ok(key.verify(Scheme::EcdsaSha384, self.signed.as_bytes(), signature)?)
    }
}

// One reference, to the whole document, with the two transforms that make its signed form: nothing else can
// be covered by the signature and read as something different.
fn signed_digest(info: Node<'_, '_>) -> Result<Vec<u8>, RimError> {
    let [canonical, method, reference] = children(
        info,
        ["CanonicalizationMethod", "SignatureMethod", "Reference"],
    )?;
    algorithm(canonical, "CanonicalizationMethod", C14N)?;
    algorithm(method, "SignatureMethod", ECDSA_SHA384)?;
    let uri = attribute(reference, "URI")?;
    if !uri.is_empty() {
        return Err(form("URI", "empty: the whole manifest", uri.to_owned()));
    }
    let [transforms, method, value] =
        children(reference, ["Transforms", "DigestMethod", "DigestValue"])?;
    let [enveloped, canonical] = children(transforms, ["Transform", "Transform"])?;
    algorithm(enveloped, "Transform", ENVELOPED)?;
    algorithm(canonical, "Transform", C14N)?;
    algorithm(method, "DigestMethod", SHA384)?;
    base64(value)
}

fn golden(root: Node<'_, '_>) -> Result<(Vec<Golden>, usize), RimError> {
    let payload = only(root, SWID, "Payload")?;
    let mut active: Vec<Golden> = Vec::new();
    let mut seen: Vec<u8> = Vec::new();
    for resource in payload.children().filter(Node::is_element) {
        named(resource, SWID, "Resource")?;
        let kind = attribute(resource, "type")?;
        if kind != "Measurement" {
            return Err(form("type", "`Measurement`", kind.to_owned()));
        }
        let text = attribute(resource, "index")?;
        let index = text
            .parse::<u8>()
            .ok()
            .filter(|index| index.to_string() == text);
        let index = index.ok_or_else(|| form("index", "0 to 254", text.to_owned()))?;
        if seen.contains(&index) {
            return Err(form("index", "each number once", text.to_owned()));
        }
        seen.push(index);
        match attribute(resource, "active")? {
            "True" => active.push(Golden {
                index,
                values: values(resource)?,
            }),
            "False" => {}
            other => return Err(form("active", "`True` or `False`", other.to_owned())),
        }
    }
    let inactive = seen.len().saturating_sub(active.len());
    Ok((active, inactive))
}

fn values(resource: Node<'_, '_>) -> Result<Vec<Vec<u8>>, RimError> {
    let text = attribute(resource, "size")?;
    let size: usize = text
        .parse()
        .map_err(|_| form("size", "a number of bytes", text.to_owned()))?;
    let text = attribute(resource, "alternatives")?;
    let count = text
        .parse()
        .ok()
        .filter(|count| (1..=MAX_ALTERNATIVES).contains(count));
    let count: usize = count.ok_or_else(|| form("alternatives", "1 to 64", text.to_owned()))?;
    let mut values = Vec::new();
    for number in 0..count {
        let name = format!("Hash{number}");
        let found = resource
            .attributes()
            .find(|attribute| attribute.name() == name && attribute.namespace() == Some(HASH));
        let text = found.map(|attribute| attribute.value()).unwrap_or_default();
        let value = hex::decode(&text.to_ascii_lowercase()).unwrap_or_default();
        if value.len() != size || value.is_empty() {
            return Err(form(
                "Hash",
                "as many bytes as `size` says",
                text.to_owned(),
            ));
        }
        values.push(value);
    }
    let hashes = resource
        .attributes()
        .filter(|attribute| attribute.namespace() == Some(HASH))
        .count();
    if hashes != count {
        return Err(form(
            "Hash",
            "as many as `alternatives` says",
            hashes.to_string(),
        ));
    }
    Ok(values)
}

fn certificates(signature: Node<'_, '_>) -> Result<Vec<Vec<u8>>, RimError> {
    let info = only(signature, DSIG, "KeyInfo")?;
    let data = only(info, DSIG, "X509Data")?;
    let mut certificates = Vec::new();
    for node in data.children().filter(Node::is_element) {
        named(node, DSIG, "X509Certificate")?;
        certificates.push(base64(node)?);
    }
    if certificates.is_empty() || certificates.len() > MAX_CERTIFICATES {
        let found = certificates.len().to_string();
        return Err(form("X509Certificate", "1 to 8 of them", found));
    }
    Ok(certificates)
}

fn algorithm(
    node: Node<'_, '_>,
    what: &'static str,
    expected: &'static str,
) -> Result<(), RimError> {
    let found = attribute(node, "Algorithm")?;
    if found != expected {
        return Err(form(what, expected, found.to_owned()));
    }
    if node.children().any(|child| child.is_element()) {
        return Err(form(what, expected, "it with parameters".to_owned()));
    }
    Ok(())
}

fn children<'a, 'i, const N: usize>(
    node: Node<'a, 'i>,
    names: [&'static str; N],
) -> Result<[Node<'a, 'i>; N], RimError> {
    let elements: Vec<Node<'a, 'i>> = node.children().filter(Node::is_element).collect();
    let what = names.first().copied().unwrap_or_default();
    let found = elements.len().to_string();
    let elements = <[Node<'a, 'i>; N]>::try_from(elements).map_err(|_| {
        form(
            what,
            "there, with those that belong to it and no other",
            found,
        )
    })?;
    for (element, name) in elements.iter().zip(names) {
        named(*element, DSIG, name)?;
    }
    Ok(elements)
}

fn only<'a, 'i>(
    node: Node<'a, 'i>,
    namespace: &'static str,
    name: &'static str,
) -> Result<Node<'a, 'i>, RimError> {
    let mut found = node
        .descendants()
        .filter(|child| child.has_tag_name((namespace, name)));
    match (found.next(), found.next()) {
        (Some(one), None) if one.parent() == Some(node) => Ok(one),
        (one, another) => {
            let count = [one, another].iter().flatten().count();
            let found = format!("there {count} times, or elsewhere");
            Err(form(name, "there once, in its place", found))
        }
    }
}

fn named(node: Node<'_, '_>, namespace: &str, name: &'static str) -> Result<(), RimError> {
    if node.has_tag_name((namespace, name)) {
        return Ok(());
    }
    let found = node.tag_name().name().to_owned();
    Err(form(name, "there", found))
}

// Without a namespace: an attribute of that name in another one says something else.
fn attribute<'a>(node: Node<'a, '_>, name: &'static str) -> Result<&'a str, RimError> {
    let found = node
        .attributes()
        .find(|attribute| attribute.name() == name && attribute.namespace().is_none());
    found
        .map(|attribute| attribute.value())
        .ok_or_else(|| form(name, "an attribute", "missing".to_owned()))
}

fn base64(node: Node<'_, '_>) -> Result<Vec<u8>, RimError> {
    let mut texts = node.children();
    let (text, more) = (texts.next().and_then(|text| text.text()), texts.next());
    let text: String = text
        .filter(|_| more.is_none())
        .unwrap_or_default()
        .chars()
        .filter(|letter| !letter.is_ascii_whitespace())
        .collect();
    STANDARD
        .decode(&text)
        .ok()
        .filter(|bytes| !bytes.is_empty())
        .ok_or_else(|| form("base64", "base64", "not".to_owned()))
}

fn form(what: &'static str, expected: &'static str, found: String) -> RimError {
    let found = found
        .chars()
        .take(MAX_FOUND)
        .flat_map(char::escape_debug)
        .collect();
    RimError::Form {
        what,
        expected,
        found,
    }
}

const SWID: &str = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd";
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const HASH: &str = "http://www.w3.org/2001/04/xmlenc#sha384";
const C14N: &str = "http://www.w3.org/2006/12/xml-c14n11";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const ECDSA_SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384";
const SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#sha384";
const MAX_ALTERNATIVES: usize = 64;
const MAX_CERTIFICATES: usize = 8;
const MAX_FOUND: usize = 96;
