//! Intel's collateral as its services and certificates hold it, put into the one form that is appraised:
//! the JSON members of `QuoteCollateralV3`.

use cmcp_json::{Limits, Object, ParseError, Value};

use crate::hex;

/// The answers of Intel's service, as they came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answers<'a> {
    /// `/tcb`: `{"tcbInfo": {...}, "signature": "..."}`.
    pub tcb_info: &'a [u8],
    /// Header `TCB-Info-Issuer-Chain`, decoded: PEM.
    pub tcb_info_issuer_chain: &'a [u8],
    /// `/qe/identity`: `{"enclaveIdentity": {...}, "signature": "..."}`.
    pub qe_identity: &'a [u8],
    /// Header `SGX-Enclave-Identity-Issuer-Chain`, decoded: PEM.
    pub qe_identity_issuer_chain: &'a [u8],
    /// `/pckcrl`: DER.
    pub pck_crl: &'a [u8],
    /// Header `SGX-PCK-CRL-Issuer-Chain`, decoded: PEM.
    pub pck_crl_issuer_chain: &'a [u8],
    /// The root's revocation list: DER.
    pub root_ca_crl: &'a [u8],
}

/// Why answers are no collateral.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CollateralError {
    /// A document is not the JSON that is read here.
    #[error("{document}: {error}")]
    Json {
        /// Which.
        document: &'static str,
        /// What is wrong.
        error: ParseError,
    },
    /// A document lacks a member.
    #[error("{document} has no member `{member}`")]
    Member {
        /// Which.
        document: &'static str,
        /// What it lacks.
        member: &'static str,
    },
    /// A chain is not a text.
    #[error("{document} is not UTF-8")]
    Text {
        /// Which.
        document: &'static str,
    },
}

impl Answers<'_> {
    /// The one form. What is signed is cut out of the answers byte by byte and never written again.
    ///
    /// # Errors
    ///
    /// Which answer is not what it has to be.
    pub fn to_json(&self) -> Result<Vec<u8>, CollateralError> {
        let (tcb_info, tcb_info_signature) = signed("TCB info", "tcbInfo", self.tcb_info)?;
        let (qe_identity, qe_identity_signature) =
            signed("QE identity", "enclaveIdentity", self.qe_identity)?;
        let chain =
            |document, bytes| str::from_utf8(bytes).map_err(|_| CollateralError::Text { document });
        let mut out = Object::new();
        out.insert(
            "pck_crl_issuer_chain",
            chain("the PCK revocation list's chain", self.pck_crl_issuer_chain)?,
        );
        out.insert("root_ca_crl", hex::encode(self.root_ca_crl));
        out.insert("pck_crl", hex::encode(self.pck_crl));
        out.insert(
            "tcb_info_issuer_chain",
            chain("TCB info's chain", self.tcb_info_issuer_chain)?,
        );
        out.insert("tcb_info", tcb_info);
        out.insert("tcb_info_signature", tcb_info_signature);
        out.insert(
            "qe_identity_issuer_chain",
            chain("QE identity's chain", self.qe_identity_issuer_chain)?,
        );
        out.insert("qe_identity", qe_identity);
        out.insert("qe_identity_signature", qe_identity_signature);
        Ok(Value::Object(out).to_vec())
    }
}

/// What is signed in an answer, as it is spelled there, and the signature.
fn signed(
    document: &'static str,
    member: &'static str,
    answer: &[u8],
) -> Result<(String, String), CollateralError> {
    let parsed = cmcp_json::parse(answer, &LIMITS)
        .map_err(|error| CollateralError::Json { document, error })?;
    let missing = |member| CollateralError::Member { document, member };
    let span = parsed.as_object().and_then(|object| object.span(member));
    let body = span
        .and_then(|span| answer.get(span))
        .ok_or_else(|| missing(member))?;
    let body = str::from_utf8(body).map_err(|_| CollateralError::Text { document })?;
    let signature = parsed.get("signature").and_then(Value::as_str);
    let signature = signature.ok_or_else(|| missing("signature"))?;
    Ok((body.to_owned(), signature.to_owned()))
}

const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    ..Limits::DOCUMENT
};

#[cfg(test)]
mod tests;
