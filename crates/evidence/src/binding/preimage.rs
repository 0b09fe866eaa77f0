use super::{Claims, ClaimsError, Commitment, NamedHash, ReportData, claims::PUBKEY_HASH};
use crate::{
    PublicKey, Sha256Digest, b64,
    cbor::{self, Item},
    hex,
};

/// What the 64 bytes that a platform signs can be a digest of. The set is closed: the attester computes
/// one of these and takes no bytes from anybody, so it signs nothing for others; the verifier says which
/// one it expects and tries no other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Preimage<'a> {
    /// A certificate's key.
    Certificate {
        /// The key, DER `SubjectPublicKeyInfo`.
        spki: &'a [u8],
    },
    /// One side of one TLS connection.
    Session(Session<'a>),
    /// A trust record's key and what it commits to.
    Record {
        /// The key that signs the record.
        key: &'a PublicKey,
        /// What the record commits to.
        commitment: &'a Commitment,
    },
    /// A challenge that is answered on its own, outside a connection and a record.
    Challenge {
        /// The challenge as it came; [`super::check_nonce`] says which are taken.
        nonce: &'a str,
    },
    /// A key that secrets are released to.
    Release(Release<'a>),
}

/// Who made evidence on a TLS connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The side that accepted the connection.
    Server,
    /// The side that opened it.
    Client,
}

impl Role {
    /// Its claim's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// The hash of the cipher suite that a TLS 1.3 connection negotiated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SuiteHash {
    /// `TLS_AES_128_GCM_SHA256`, `TLS_CHACHA20_POLY1305_SHA256`.
    Sha256,
    /// `TLS_AES_256_GCM_SHA384`.
    Sha384,
}

impl SuiteHash {
    const fn named(self) -> NamedHash {
        match self {
            Self::Sha256 => NamedHash::Sha256,
            Self::Sha384 => NamedHash::Sha384,
        }
    }
}

/// One side of one TLS connection: both keys, who is who, and a value that only the two ends can compute.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Session<'a> {
    /// Who makes the evidence.
    pub role: Role,
    /// The key of whoever makes it, DER `SubjectPublicKeyInfo`.
    pub attester: &'a [u8],
    /// The key that the other end proved, where it proved one.
    pub peer: Option<&'a [u8]>,
    /// The name that the outer certificate carries for a public authority, where identity is pinned by it.
    pub name: Option<&'a str>,
    /// `TLS-Exporter("EXPORTER-cmw-attestation", nonce, 32)`, the nonce being that of whoever asked.
    pub exporter: [u8; 32],
    /// The hash of the negotiated suite.
    pub suite: SuiteHash,
}

impl Session<'_> {
    /// What stands for the connection: the hash over key and exporter value.
    #[must_use]
    pub fn binder(&self) -> Vec<u8> {
        let parts: [&[u8]; 2] = [self.attester, &self.exporter];
        self.suite.named().digest(&parts)
    }

    /// The challenge that this side's GPUs answer.
    #[must_use]
    pub fn gpu_nonce(&self) -> Sha256Digest {
        Sha256Digest::of_parts(&[GPU_TAG, &self.binder()])
    }
}

/// A key made to be given secrets: Azure calls what states it runtime data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Release<'a> {
    /// The RSA key's modulus, big-endian without leading zeros.
    pub modulus: &'a [u8],
    /// Its public exponent, likewise.
    pub exponent: &'a [u8],
    /// The challenge of whoever releases.
    pub nonce: &'a str,
    /// The key of this program's certificate, DER `SubjectPublicKeyInfo`.
    pub spki: &'a [u8],
}

impl Release<'_> {
    // Written out: members in the order of their names, no white space, nothing that needs an escape
    // but the nonce, which is base64url.
    fn encode(&self) -> Vec<u8> {
        let (e, n) = (b64::encode(self.exponent), b64::encode(self.modulus));
        let thumbprint = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
        let kid = b64::encode(Sha256Digest::of(thumbprint.as_bytes()).as_bytes());
        let spki = b64::encode(Sha256Digest::of(self.spki).as_bytes());
        let nonce = cmcp_json::Value::from(self.nonce);
        format!(
            r#"{{"keys":[{{"e":"{e}","key_ops":["encrypt"],"kid":"{kid}","kty":"RSA","n":"{n}"}}],"nonce":{nonce},"tls_spki_sha256":"{spki}"}}"#
        )
        .into_bytes()
    }
}

/// What came: the 64 bytes in the evidence, and beside it the bytes they are said to be a digest of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Presented<'a> {
    /// The report data, or a quote's qualifying data.
    pub report_data: &'a [u8; 64],
    /// A claims-buffer or runtime data; a record and a challenge have none.
    pub preimage: Option<&'a [u8]>,
}

/// Why evidence is not bound to what is expected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unbound {
    /// No preimage came with the evidence, and one is needed.
    #[error("no {what} came with the evidence")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
    /// The claims-buffer cannot be read.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// The 64 bytes are not the digest of what came, or of what is expected.
    #[error("report data is `{actual}`, expected `{expected}`")]
    ReportData {
        /// What it should be.
        expected: String,
        /// What it is.
        actual: String,
    },
    /// Another key than the one that was proved.
    #[error("claim `pubkey-hash` states another key than the one that was proved")]
    Key,
    /// The key is stated by another hash than the connection's.
    #[error("claim `pubkey-hash` uses {actual}, and the connection {expected}")]
    Hash {
        /// The connection's.
        expected: &'static str,
        /// The claim's.
        actual: &'static str,
    },
    /// Evidence of a connection where a certificate's is expected, or the reverse.
    #[error("claim `nonce` {0}")]
    Kind(&'static str),
    /// The claim that stands for the connection is another connection's.
    #[error("claim `nonce` was made for another connection or key")]
    Binder,
    /// Made by the other side: one's own evidence, sent back.
    #[error("claim `cmcp-role` is not `{expected}`")]
    Role {
        /// Who was to make it.
        expected: &'static str,
    },
    /// Made for another peer, or for none.
    #[error("claim `cmcp-peer` is not the digest of this peer's key")]
    Peer,
    /// Made under another name.
    #[error("claim `cmcp-name` is not the name that the certificate carries")]
    Name,
    /// A session's claims-buffer is ours alone, and has what is expected and nothing else.
    #[error("the claims-buffer is not the one that this connection has: claims {claims}")]
    Spelling {
        /// The claims it has.
        claims: String,
    },
    /// Other runtime data than expected.
    #[error("runtime data states another key, challenge or certificate")]
    Release,
}

impl Preimage<'_> {
    /// The bytes that are hashed. A record's is that of the second half: its first is its key's digest.
    ///
    /// No two kinds can share a preimage: claims-buffers are CBOR maps, with `nonce` for a session and
    /// without for a certificate; runtime data is a JSON object; the others begin with a tag that ends in zero.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Certificate { spki } => certificate(NamedHash::Sha256, spki),
            Self::Session(session) => session_claims(session),
            Self::Record { commitment, .. } => commitment.preimage(),
            Self::Challenge { nonce } => [CHALLENGE_TAG, nonce.as_bytes()].concat(),
            Self::Release(release) => release.encode(),
        }
    }

    /// The 64 bytes.
    #[must_use]
    pub fn report_data(&self) -> ReportData {
        match self {
            Self::Record { key, commitment } => ReportData::for_record(key, commitment),
            Self::Certificate { .. }
            | Self::Session(_)
            | Self::Challenge { .. }
            | Self::Release(_) => ReportData::of_preimage(&self.encode()),
        }
    }

    /// What evidence has to carry for this, when this preimage came with it: a certificate's claims-buffer
    /// may say more than is expected, and no other preimage may.
    ///
    /// # Errors
    ///
    /// The preimage is missing, or says something else.
    pub fn accepts(&self, preimage: Option<&[u8]>) -> Result<ReportData, Unbound> {
        let came = |what| preimage.ok_or(Unbound::Missing { what });
        match self {
            Self::Certificate { spki } => {
                let buffer = came("claims-buffer")?;
                let claims = Claims::parse(buffer)?;
                if claims.get(NONCE).is_some() {
                    return Err(Unbound::Kind("is there: this is evidence of a connection"));
                }
                if !claims.states_key(spki) {
                    return Err(Unbound::Key);
                }
                Ok(ReportData::of_preimage(buffer))
            }
            Self::Session(session) => {
                let buffer = came("claims-buffer")?;
                let claims = Claims::parse(buffer)?;
                is_session(session, &claims)?;
                if buffer != self.encode() {
                    let names: Vec<&str> = claims.iter().map(|(name, _)| name).collect();
                    let claims = names.join(", ");
                    return Err(Unbound::Spelling { claims });
                }
                Ok(self.report_data())
            }
            Self::Release(_) => {
                if came("runtime data")? != self.encode() {
                    return Err(Unbound::Release);
                }
                Ok(self.report_data())
            }
            Self::Record { .. } | Self::Challenge { .. } => Ok(self.report_data()),
        }
    }

    /// Whether evidence is bound to this and nothing else. All 64 bytes are compared.
    ///
    /// # Errors
    ///
    /// What it is bound to instead, as far as it says.
    pub fn check(&self, presented: &Presented<'_>) -> Result<(), Unbound> {
        let expected = self.accepts(presented.preimage)?;
        if presented.report_data == expected.as_bytes() {
            return Ok(());
        }
        Err(Unbound::ReportData {
            expected: expected.hex(),
            actual: hex::encode(presented.report_data),
        })
    }
}

fn is_session(session: &Session<'_>, claims: &Claims<'_>) -> Result<(), Unbound> {
    let Some(nonce) = claims.get(NONCE) else {
        return Err(Unbound::Kind(
            "is absent: this is evidence of a certificate",
        ));
    };
    let (expected, (actual, _)) = (session.suite.named(), claims.key());
    if expected != actual {
        return Err(Unbound::Hash {
            expected: expected.as_str(),
            actual: actual.as_str(),
        });
    }
    if !claims.states_key(session.attester) {
        return Err(Unbound::Key);
    }
    let role = session.role.as_str();
    if claims.get(ROLE) != Some(role.as_bytes()) {
        return Err(Unbound::Role { expected: role });
    }
    let peer = session.peer.map(Sha256Digest::of);
    if claims.get(PEER) != peer.as_ref().map(|peer| peer.as_bytes().as_slice()) {
        return Err(Unbound::Peer);
    }
    if claims.get(NAME) != session.name.map(str::as_bytes) {
        return Err(Unbound::Name);
    }
    if nonce != session.binder() {
        return Err(Unbound::Binder);
    }
    Ok(())
}

fn certificate(hash: NamedHash, spki: &[u8]) -> Vec<u8> {
    let key = key_claim(hash, spki);
    cbor::encode(&Item::Map(vec![(
        Item::Text(PUBKEY_HASH),
        Item::Bytes(&key),
    )]))
}

fn session_claims(session: &Session<'_>) -> Vec<u8> {
    let binder = session.binder();
    let key = key_claim(session.suite.named(), session.attester);
    let peer = session.peer.map(Sha256Digest::of);
    let mut claims = vec![
        (Item::Text(NONCE), Item::Bytes(&binder)),
        (
            Item::Text(ROLE),
            Item::Bytes(session.role.as_str().as_bytes()),
        ),
        (Item::Text(PUBKEY_HASH), Item::Bytes(&key)),
    ];
    if let Some(peer) = &peer {
        claims.push((Item::Text(PEER), Item::Bytes(peer.as_bytes())));
    }
    if let Some(name) = session.name {
        claims.push((Item::Text(NAME), Item::Bytes(name.as_bytes())));
    }
    cbor::encode(&Item::Map(claims))
}

fn key_claim(hash: NamedHash, spki: &[u8]) -> Vec<u8> {
    let digest = hash.digest(&[spki]);
    cbor::encode(&Item::Array(vec![
        Item::Uint(hash.number()),
        Item::Bytes(&digest),
    ]))
}

const NONCE: &str = "nonce";
const NAME: &str = "cmcp-name";
const PEER: &str = "cmcp-peer";
const ROLE: &str = "cmcp-role";
const CHALLENGE_TAG: &[u8] = b"cmcp/report-data/challenge/v1\0";
const GPU_TAG: &[u8] = b"cmcp-gpu\0";

#[cfg(test)]
mod tests;
