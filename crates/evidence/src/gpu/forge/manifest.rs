//! Manifests with any content, signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{DRIVER, VBIOS, rim_issuer};
use crate::{
    Sha384Digest,
    forge::{Alg, Cert, Key},
    hex,
};

/// A manifest before it is signed. What is written is its canonical form.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) product: String,
    pub(crate) version: String,
    /// Number, `active`, and values.
    pub(crate) resources: Vec<(u8, &'static str, Vec<Vec<u8>>)>,
    /// What the signature's elements say, in place of what they have to.
    pub(crate) replace: Option<(&'static str, &'static str)>,
    pub(crate) key: Key,
    pub(crate) leaf: Cert,
}

impl Manifest {
    fn new(version: &str, resources: Vec<(u8, &'static str, Vec<Vec<u8>>)>) -> Self {
        let key = Key::p384("rim leaf");
        Self {
            product: "GH100".to_owned(),
            version: version.to_owned(),
            resources,
            replace: None,
            leaf: Cert::new("test manifest signer", &key)
                .serial(b"rim leaf")
                .key_usage(0x80),
            key,
        }
    }

    /// For the driver: measurements 20 to 40, one of them with two good values.
    pub(crate) fn driver() -> Self {
        let resource = |index: u8| {
            let other = vec![vec![0xee; 48], vec![index; 48]];
            let values = if index == 22 {
                other
            } else {
                vec![vec![index; 48]]
            };
            (index, "True", values)
        };
        Self::new(DRIVER, (20..=40).map(resource).collect())
    }

    /// For the VBIOS: measurements 0 to 12, and some that a device need not have.
    pub(crate) fn vbios() -> Self {
        let resource = |index: u8| match index {
            0..=12 => (index, "True", vec![vec![index; 48]]),
            _ => (index, "False", vec![vec![0; 48]]),
        };
        Self::new(VBIOS, (0..=20).map(resource).collect())
    }

    fn body(&self, signature: &str) -> String {
        let resources: String = self
            .resources
            .iter()
            .map(|(index, active, values)| {
                let hashes: String = values
                    .iter()
                    .enumerate()
                    .map(|(number, value)| format!(" ns2:Hash{number}=\"{}\"", hex::encode(value)))
                    .collect();
                let (count, size) = (values.len(), values[0].len());
                format!(
                    "<ns0:Resource active=\"{active}\" alternatives=\"{count}\" index=\"{index}\" name=\"Measurement_{index}\" size=\"{size}\" type=\"Measurement\"{hashes}></ns0:Resource>\n"
                )
            })
            .collect();
        let (product, version) = (&self.product, &self.version);
        format!(
            "<SoftwareIdentity {SPACES} name=\"{product}\" tagId=\"0123\">\n<ns0:Meta colloquialVersion=\"{version}\" product=\"{product}\"></ns0:Meta>\n<ns0:Payload>\n{resources}</ns0:Payload>\n{signature}</SoftwareIdentity>"
        )
    }

    /// The manifest, signed.
    pub(crate) fn signed(&self) -> String {
        let digest = Sha384Digest::of(self.body("").as_bytes());
        let inside = format!(
            "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384\"></ds:SignatureMethod><ds:Reference URI=\"\"><ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></ds:Transform><ds:Transform Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\"></ds:Transform></ds:Transforms><ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#sha384\"></ds:DigestMethod><ds:DigestValue>{}</ds:DigestValue></ds:Reference></ds:SignedInfo>",
            STANDARD.encode(digest.as_bytes())
        );
        let inside = match self.replace {
            Some((from, to)) => {
                assert!(inside.contains(from), "{from}");
                inside.replacen(from, to, 1)
            }
            None => inside,
        };
        let spaces = SPACES.replacen(" xmlns:ns0", &format!(" xmlns:ds=\"{DSIG}\" xmlns:ns0"), 1);
        let signed = format!("<ds:SignedInfo {spaces}>{inside}");
        let value = self.key.sign_fixed(Alg::EcdsaSha384, signed.as_bytes());
        let certificates: String = [rim_issuer().issue(self.leaf.clone()), rim_issuer().der]
            .iter()
            .map(|der| {
                format!(
                    "<ds:X509Certificate>{}</ds:X509Certificate>",
                    STANDARD.encode(der)
                )
            })
            .collect();
        self.body(&format!(
            "<ds:Signature xmlns:ds=\"{DSIG}\"><ds:SignedInfo>{inside}<ds:SignatureValue>{}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>{certificates}</ds:X509Data></ds:KeyInfo></ds:Signature>",
            STANDARD.encode(value)
        ))
    }
}

const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const SPACES: &str = "xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\" xmlns:ns0=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\" xmlns:ns2=\"http://www.w3.org/2001/04/xmlenc#sha384\"";
