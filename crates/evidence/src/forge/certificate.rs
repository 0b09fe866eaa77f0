//! Certificates and revocation lists with any content.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{
    der,
    key::{Alg, Key},
};

/// A certificate before it is signed: version 3, serial number 1, from 2020 to 2040, issued by its own
/// subject, without extensions.
#[derive(Clone, Debug)]
pub(crate) struct Cert {
    version: Option<u8>,
    serial: Vec<u8>,
    issuer: Vec<u8>,
    from: String,
    until: String,
    subject: Vec<u8>,
    spki: Vec<u8>,
    extensions: Vec<Vec<u8>>,
}

impl Cert {
    /// For a common name and a key.
    pub(crate) fn new(subject: &str, key: &Key) -> Self {
        Self {
            version: Some(2),
            serial: vec![1],
            issuer: name(subject),
            from: "2020-01-01T00:00:00Z".to_owned(),
            until: "2040-01-01T00:00:00Z".to_owned(),
            subject: name(subject),
            spki: key.spki(),
            extensions: Vec::new(),
        }
    }

    /// With this version number; none leaves the field out.
    pub(crate) fn version(mut self, version: Option<u8>) -> Self {
        self.version = version;
        self
    }

    /// Issued by that common name.
    pub(crate) fn issuer(mut self, common_name: &str) -> Self {
        self.issuer = name(common_name);
        self
    }

    /// With this DER name as its subject.
    pub(crate) fn subject_name(mut self, name: Vec<u8>) -> Self {
        self.subject = name;
        self
    }

    /// With these bytes inside the INTEGER of the serial number.
    pub(crate) fn serial(mut self, serial: &[u8]) -> Self {
        self.serial = serial.to_vec();
        self
    }

    /// Valid between these times, written like `2026-06-05T00:00:00Z`.
    pub(crate) fn validity(mut self, from: &str, until: &str) -> Self {
        self.from = from.to_owned();
        self.until = until.to_owned();
        self
    }

    /// With this DER `SubjectPublicKeyInfo` in place of its key's.
    pub(crate) fn spki(mut self, spki: Vec<u8>) -> Self {
        self.spki = spki;
        self
    }

    /// With one more extension, whose contents are `value`.
    #[expect(
        clippy::fn_params_excessive_bools,
        reason = "X.509 has this flag, and a test says which way"
    )]
    pub(crate) fn extension(mut self, oid: &str, critical: bool, value: impl AsRef<[u8]>) -> Self {
        let flag = critical.then(der::yes);
        self.extensions.push(extension(oid, flag, value));
        self
    }

    /// With critical basic constraints of an authority.
    pub(crate) fn ca(self, path_len: Option<u64>) -> Self {
        let constraints = [Some(der::yes()), path_len.map(der::number)];
        let constraints: Vec<Vec<u8>> = constraints.into_iter().flatten().collect();
        self.extension("2.5.29.19", true, der::sequence(&constraints))
    }

    /// With a critical key usage: 0x80 digital signature, 0x04 certificates, 0x02 revocation lists.
    pub(crate) fn key_usage(self, bits: u8) -> Self {
        let unused = bits.trailing_zeros().min(7) as u8;
        self.extension("2.5.29.15", true, der::element(0x03, [unused, bits]))
    }

    /// With an extended key usage of these purposes.
    pub(crate) fn purposes(self, oids: &[&str]) -> Self {
        let oids: Vec<Vec<u8>> = oids.iter().map(|oid| der::oid(oid)).collect();
        self.extension("2.5.29.37", false, der::sequence(&oids))
    }

    /// The signed part.
    pub(crate) fn tbs(&self, alg: Alg) -> Vec<u8> {
        let mut fields = vec![
            der::element(0x02, &self.serial),
            alg.identifier(),
            self.issuer.clone(),
            der::sequence(&[der::time(&self.from), der::time(&self.until)]),
            self.subject.clone(),
            self.spki.clone(),
        ];
        if let Some(version) = self.version {
            fields.insert(0, der::explicit(0, der::element(0x02, [version])));
        }
        if !self.extensions.is_empty() {
            fields.push(der::explicit(3, der::sequence(&self.extensions)));
        }
        der::sequence(&fields)
    }

    /// Signed, DER.
    pub(crate) fn signed(&self, alg: Alg, key: &Key) -> Vec<u8> {
        sealed(self.tbs(alg), alg, key)
    }
}

/// A revocation list before it is signed: made on 2026-01-01, the next one due on 2027-01-01, empty.
#[derive(Clone, Debug)]
pub(crate) struct Crl {
    issuer: Vec<u8>,
    this_update: String,
    next_update: Option<String>,
    entries: Vec<Vec<u8>>,
    extensions: Vec<Vec<u8>>,
}

impl Crl {
    /// Of the issuer with that common name.
    pub(crate) fn new(issuer: &str) -> Self {
        Self {
            issuer: name(issuer),
            this_update: "2026-01-01T00:00:00Z".to_owned(),
            next_update: Some("2027-01-01T00:00:00Z".to_owned()),
            entries: Vec::new(),
            extensions: Vec::new(),
        }
    }

    /// Made at one time, to be replaced at another or never.
    pub(crate) fn updates(mut self, this: &str, next: Option<&str>) -> Self {
        self.this_update = this.to_owned();
        self.next_update = next.map(str::to_owned);
        self
    }

    /// With one more serial number: the bytes inside its INTEGER.
    pub(crate) fn revoke(self, serial: &[u8]) -> Self {
        self.revoke_with(serial, &[])
    }

    /// With one more serial number and extensions to it, DER.
    pub(crate) fn revoke_with(mut self, serial: &[u8], extensions: &[Vec<u8>]) -> Self {
        let mut entry = vec![
            der::element(0x02, serial),
            der::time("2026-01-01T00:00:00Z"),
        ];
        if !extensions.is_empty() {
            entry.push(der::sequence(extensions));
        }
        self.entries.push(der::sequence(&entry));
        self
    }

    /// With one more extension, whose contents are `value`.
    #[expect(
        clippy::fn_params_excessive_bools,
        reason = "X.509 has this flag, and a test says which way"
    )]
    pub(crate) fn extension(mut self, oid: &str, critical: bool, value: impl AsRef<[u8]>) -> Self {
        let flag = critical.then(der::yes);
        self.extensions.push(extension(oid, flag, value));
        self
    }

    /// Signed, DER.
    pub(crate) fn signed(&self, alg: Alg, key: &Key) -> Vec<u8> {
        let mut fields = vec![
            der::number(1),
            alg.identifier(),
            self.issuer.clone(),
            der::time(&self.this_update),
        ];
        fields.extend(self.next_update.as_deref().map(der::time));
        if !self.entries.is_empty() {
            fields.push(der::sequence(&self.entries));
        }
        if !self.extensions.is_empty() {
            fields.push(der::explicit(0, der::sequence(&self.extensions)));
        }
        sealed(der::sequence(&fields), alg, key)
    }
}

/// Somebody who issues certificates: a root or an intermediate.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    pub(crate) name: String,
    pub(crate) key: Key,
    pub(crate) alg: Alg,
    /// Its certificate, DER.
    pub(crate) der: Vec<u8>,
}

impl Authority {
    /// A root that signs in that way.
    pub(crate) fn root(name: &str, key: Key, alg: Alg) -> Self {
        let der = Cert::new(name, &key)
            .ca(None)
            .key_usage(0x06)
            .signed(alg, &key);
        Self {
            name: name.to_owned(),
            key,
            alg,
            der,
        }
    }

    /// An intermediate below this one, that signs in that way.
    pub(crate) fn sub(&self, name: &str, key: Key, alg: Alg) -> Self {
        let der = self.issue(Cert::new(name, &key).ca(None).key_usage(0x06));
        Self {
            name: name.to_owned(),
            key,
            alg,
            der,
        }
    }

    /// Signs a certificate under its own name.
    pub(crate) fn issue(&self, certificate: Cert) -> Vec<u8> {
        certificate.issuer(&self.name).signed(self.alg, &self.key)
    }

    /// Signs a leaf for digital signatures.
    pub(crate) fn leaf(&self, name: &str, key: &Key) -> Vec<u8> {
        self.issue(Cert::new(name, key).key_usage(0x80))
    }

    /// Signs a list that revokes these serial numbers.
    pub(crate) fn crl(&self, serials: &[&[u8]]) -> Vec<u8> {
        let list = serials
            .iter()
            .fold(Crl::new(&self.name), |list, serial| list.revoke(serial));
        list.signed(self.alg, &self.key)
    }
}

/// A DER name of one common name.
pub(crate) fn name(common_name: &str) -> Vec<u8> {
    let value = der::element(0x0C, common_name);
    let attribute = der::sequence(&[der::oid("2.5.4.3"), value]);
    der::sequence(&[der::set(&[attribute])])
}

/// A PEM block of that label.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let digits = STANDARD.encode(der);
    let lines: Vec<&str> = digits
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    let body = lines.join("\n");
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

/// One extension, DER.
fn extension(oid: &str, flag: Option<Vec<u8>>, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut fields = vec![der::oid(oid)];
    fields.extend(flag);
    fields.push(der::octets(value));
    der::sequence(&fields)
}

fn sealed(tbs: Vec<u8>, alg: Alg, key: &Key) -> Vec<u8> {
    let signature = key.sign(alg, &tbs);
    der::sequence(&[tbs, alg.identifier(), der::bits(signature)])
}
