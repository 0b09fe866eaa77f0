//! Intel's collateral: what is known of a kind of machine, signed by Intel.

use cmcp_json::{Limits, Nul, Object, Value};
use dcap_qvl::QuoteCollateralV3;

use crate::{Timestamp, hex};

/// Collateral, read and not yet believed.
#[derive(Clone, Debug)]
pub struct Collateral {
    /// What was signed about the kind of machine.
    pub tcb_info: TcbInfo,
    /// What was signed about the quoting enclave.
    pub qe_identity: QeIdentity,
    document: QuoteCollateralV3,
}

/// What is read of a TCB info; its levels are read by the appraisal.
#[derive(Clone, Debug)]
pub struct TcbInfo {
    /// For which technology, and in which version of the format.
    pub id: (String, u64),
    /// When it holds.
    pub life: Life,
    /// The kind of machine.
    pub fmspc: [u8; 6],
    /// The provisioning certification enclave.
    pub pce_id: [u8; 2],
    /// How levels are compared; 0 is the one way there is.
    pub tcb_type: u64,
    /// Number of the evaluation that it follows from.
    pub evaluation: u64,
    /// Members that have no name here.
    pub unknown: Vec<String>,
}

/// What is read of a QE identity; its levels are read by the appraisal.
#[derive(Clone, Debug)]
pub struct QeIdentity {
    /// Which enclave, and in which version of the format.
    pub id: (String, u64),
    /// When it holds.
    pub life: Life,
    /// Number of the evaluation that it follows from.
    pub evaluation: u64,
    /// Required state save area features, and which bits count.
    pub miscselect: ([u8; 4], [u8; 4]),
    /// Required attributes, and which bits count.
    pub attributes: ([u8; 16], [u8; 16]),
    /// Digest of the signer's key.
    pub mrsigner: [u8; 32],
    /// Product id.
    pub isv_prod_id: u64,
    /// Members that have no name here.
    pub unknown: Vec<String>,
}

/// From when to when a document holds; the end is outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Life {
    /// Its first moment.
    pub issued: Timestamp,
    /// The first moment at which there should be a newer one.
    pub next_update: Timestamp,
}

impl Life {
    /// Whether a moment lies in it.
    #[must_use]
    pub fn holds_at(self, at: Timestamp) -> bool {
        self.issued <= at && at < self.next_update
    }

    /// Whether half of it is over.
    #[must_use]
    pub fn is_half_over(self, at: Timestamp) -> bool {
        at.saturating_since(self.issued) >= self.next_update.saturating_since(at)
    }
}

/// Why collateral could not be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CollateralError {
    /// A document is not JSON, or not JSON that has one reading.
    #[error("`{document}` is not a JSON object: {cause}")]
    Json {
        /// Which document.
        document: &'static str,
        /// What the parser says.
        cause: String,
    },
    /// A member is missing or has another form.
    #[error("`{member}` of `{document}` is missing or is not {expected}")]
    Member {
        /// Which document.
        document: &'static str,
        /// Which member.
        member: &'static str,
        /// Its form.
        expected: &'static str,
    },
    /// A member that does not belong there.
    #[error("`{0}` is not a member of Intel's collateral")]
    Unknown(String),
}

impl Collateral {
    /// Reads a JSON document with the members of `QuoteCollateralV3`.
    ///
    /// # Errors
    ///
    /// It has not all of them, or others.
    pub fn parse(bytes: &[u8]) -> Result<Self, CollateralError> {
        let mut document = Document::parse("collateral", bytes)?;
        let collateral = QuoteCollateralV3 {
            pck_crl_issuer_chain: document.text("pck_crl_issuer_chain")?,
            root_ca_crl: document.bytes("root_ca_crl")?,
            pck_crl: document.bytes("pck_crl")?,
            tcb_info_issuer_chain: document.text("tcb_info_issuer_chain")?,
            tcb_info: document.text("tcb_info")?,
            tcb_info_signature: document.bytes("tcb_info_signature")?,
            qe_identity_issuer_chain: document.text("qe_identity_issuer_chain")?,
            qe_identity: document.text("qe_identity")?,
            qe_identity_signature: document.bytes("qe_identity_signature")?,
            pck_certificate_chain: document.optional_text("pck_certificate_chain")?,
        };
        if let Some(unknown) = document.unknown(&[]).into_iter().next() {
            return Err(CollateralError::Unknown(unknown));
        }
        Ok(Self {
            tcb_info: TcbInfo::parse(collateral.tcb_info.as_bytes())?,
            qe_identity: QeIdentity::parse(collateral.qe_identity.as_bytes())?,
            document: collateral,
        })
    }

    /// The document's members as they came.
    #[must_use]
    pub(super) const fn document(&self) -> &QuoteCollateralV3 {
        &self.document
    }

    /// For the appraisal: without certificates of the PCK, so that only the quote's own are looked at.
    pub(super) fn without_pck_chain(&self) -> QuoteCollateralV3 {
        QuoteCollateralV3 {
            pck_certificate_chain: None,
            ..self.document.clone()
        }
    }
}

impl TcbInfo {
    fn parse(bytes: &[u8]) -> Result<Self, CollateralError> {
        let mut document = Document::parse("tcb_info", bytes)?;
        Ok(Self {
            id: (document.text("id")?, document.number("version")?),
            life: document.life()?,
            fmspc: document.array("fmspc")?,
            pce_id: document.array("pceId")?,
            tcb_type: document.number("tcbType")?,
            evaluation: document.number("tcbEvaluationDataNumber")?,
            unknown: document.unknown(&["tdxModule", "tdxModuleIdentities", "tcbLevels"]),
        })
    }
}

impl QeIdentity {
    fn parse(bytes: &[u8]) -> Result<Self, CollateralError> {
        let mut document = Document::parse("qe_identity", bytes)?;
        Ok(Self {
            id: (document.text("id")?, document.number("version")?),
            life: document.life()?,
            evaluation: document.number("tcbEvaluationDataNumber")?,
            miscselect: (
                document.array("miscselect")?,
                document.array("miscselectMask")?,
            ),
            attributes: (
                document.array("attributes")?,
                document.array("attributesMask")?,
            ),
            mrsigner: document.array("mrsigner")?,
            isv_prod_id: document.number("isvprodid")?,
            unknown: document.unknown(&["tcbLevels"]),
        })
    }
}

struct Document {
    name: &'static str,
    members: Object,
    asked: Vec<&'static str>,
}

impl Document {
    fn parse(name: &'static str, bytes: &[u8]) -> Result<Self, CollateralError> {
        let error = |cause: String| CollateralError::Json {
            document: name,
            cause,
        };
        let value = cmcp_json::parse(bytes, &LIMITS).map_err(|cause| error(cause.to_string()))?;
        let members = value
            .as_object()
            .ok_or_else(|| error(value.kind().to_owned()))?;
        Ok(Self {
            name,
            members: members.clone(),
            asked: Vec::new(),
        })
    }

    fn read<T>(
        &mut self,
        member: &'static str,
        expected: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, CollateralError> {
        self.asked.push(member);
        let value = self.members.get(member).and_then(read);
        value.ok_or(CollateralError::Member {
            document: self.name,
            member,
            expected,
        })
    }

    fn text(&mut self, member: &'static str) -> Result<String, CollateralError> {
        self.read(member, "a text", |value| value.as_str().map(str::to_owned))
    }

    fn optional_text(&mut self, member: &'static str) -> Result<Option<String>, CollateralError> {
        match self.members.get(member) {
            None | Some(Value::Null) => {
                self.asked.push(member);
                Ok(None)
            }
            Some(_) => self.text(member).map(Some),
        }
    }

    fn number(&mut self, member: &'static str) -> Result<u64, CollateralError> {
        self.read(member, "a whole number", Value::as_u64)
    }

    fn bytes(&mut self, member: &'static str) -> Result<Vec<u8>, CollateralError> {
        self.read(member, "hexadecimal digits", digits)
    }

    fn array<const N: usize>(&mut self, member: &'static str) -> Result<[u8; N], CollateralError> {
        self.read(member, "hexadecimal digits of its length", |value| {
            digits(value)?.try_into().ok()
        })
    }

    fn time(&mut self, member: &'static str) -> Result<Timestamp, CollateralError> {
        self.read(member, "a time", |value| {
            Timestamp::parse_rfc3339(value.as_str()?).ok()
        })
    }

    fn life(&mut self) -> Result<Life, CollateralError> {
        Ok(Life {
            issued: self.time("issueDate")?,
            next_update: self.time("nextUpdate")?,
        })
    }

    /// Members that were not asked for and are not known otherwise.
    fn unknown(&self, known: &[&str]) -> Vec<String> {
        let names = self.members.keys();
        names
            .filter(|name| !self.asked.contains(name) && !known.contains(name))
            .map(str::to_owned)
            .collect()
    }
}

/// Intel writes digits in upper case, others in lower case.
fn digits(value: &Value) -> Option<Vec<u8>> {
    hex::decode(&value.as_str()?.to_ascii_lowercase()).ok()
}

/// A PCK CRL and a TCB info have tens of kilobytes each.
const LIMITS: Limits = Limits {
    bytes: 4 << 20,
    depth: 16,
    members: 100_000,
    members_per_object: 64,
    elements: 100_000,
    string_bytes: 4 << 20,
    number_bytes: 32,
    // The certificates of the PCK are sometimes copied with the NUL that ends them in a quote.
    nul: Nul::Accept,
};
