//! Microsoft's endorsement of a utility VM: COSE with a launch measurement in it.

use cmcp_json::{Limits, Value};

use super::{aci, did::Did};
use crate::{
    Proved, Timestamp,
    cbor::Item,
    check::Checks,
    cose::{Alg, CoseError, Sign1, TagRule},
    hex,
    policy::{Fields, fields},
    x509::{CertError, Certificate, ChainRules, LeafUse, Validity, verify_chain},
};

/// How an endorsement is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// Claims in the protected header (CWT), the measurement's 48 bytes as payload.
    Cwt,
    /// Claims as headers of their own and in a JSON payload, the measurement in hexadecimal digits.
    Json,
}

impl Form {
    /// What it is called.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cwt => "CWT claims",
            Self::Json => "JSON payload",
        }
    }
}

/// Why an endorsement was not read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UvmError {
    /// Not a message of the form that is signed.
    #[error("{0}")]
    Cose(#[from] CoseError),
    /// A header or claim is missing, or is not what it has to be.
    #[error("`{0}` {1}")]
    Member(&'static str, &'static str),
    /// The payload is not JSON that has one reading.
    #[error("the payload is not strict JSON: {0}")]
    Json(#[from] cmcp_json::ParseError),
    /// One of the certificates cannot be read.
    #[error("certificate {0} of the chain: {1}")]
    Certificate(usize, CertError),
}

/// An endorsement as it came: nothing of it is believed before the appraisal.
#[derive(Clone, Debug)]
pub struct Uvm<'a> {
    /// The signed message.
    pub message: Sign1<'a>,
    /// How it is written.
    pub form: Form,
    /// Who issued it: a `did:x509` name.
    pub issuer: &'a str,
    /// What it is about.
    pub feed: &'a str,
    /// The security version of the utility VM.
    pub svn: u64,
    /// The launch measurement, 48 bytes.
    pub measurement: Vec<u8>,
    /// When it says that it was signed.
    pub signed_at: Option<Timestamp>,
    /// The signer's certificate first, the root last.
    pub certificates: Vec<Certificate>,
    /// Protected headers, claims and members that are not known here.
    pub unknown: Vec<String>,
}

impl<'a> Uvm<'a> {
    /// Reads an endorsement. A message with CWT claims is of the newer form and of no other.
    ///
    /// # Errors
    ///
    /// See [`UvmError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, UvmError> {
        let message = Sign1::parse(bytes, TagRule::Required)?;
        if message.header(X5CHAIN).is_none() {
            return Err(UvmError::Member(
                "x5chain",
                "is not in the protected header",
            ));
        }
        let mut certificates = Vec::new();
        for (index, der) in message.x5chain()?.into_iter().enumerate() {
            let read = Certificate::from_der(der);
            certificates.push(read.map_err(|error| UvmError::Certificate(index, error))?);
        }
        match message.header(CWT_CLAIMS).cloned() {
            Some(claims) => Self::cwt(message, certificates, &claims),
            None => Self::json(message, certificates),
        }
    }

    fn cwt(
        message: Sign1<'a>,
        certificates: Vec<Certificate>,
        claims: &Item<'a>,
    ) -> Result<Self, UvmError> {
        content_type(&message, "application/octet-stream")?;
        let text = |label, name| {
            let found = claims.get_int(label).and_then(Item::as_text);
            found.ok_or(UvmError::Member(name, "is not a text among the claims"))
        };
        if message.payload.len() != MEASUREMENT {
            return Err(UvmError::Member(
                "payload",
                "is not a measurement of 48 bytes",
            ));
        }
        let svn = claims.get("svn").and_then(Item::as_uint);
        let signed_at = claims.get_int(CWT_IAT).map(|iat| time("iat", iat));
        let others = claims.as_map().unwrap_or_default().iter();
        let others = others.filter(|(label, _)| {
            let known = [CWT_ISS, CWT_SUB, CWT_IAT].map(Some);
            !known.contains(&label.as_int()) && label.as_text() != Some("svn")
        });
        let mut unknown = headers(&message, &[CWT_CLAIMS, PREIMAGE_TYPE], &[]);
        unknown.extend(others.map(|(label, _)| format!("claim {}", label_of(label))));
        Ok(Self {
            form: Form::Cwt,
            issuer: text(CWT_ISS, "iss")?,
            feed: text(CWT_SUB, "sub")?,
            svn: svn.ok_or(UvmError::Member("svn", "is not a number among the claims"))?,
            measurement: message.payload.to_vec(),
            signed_at: signed_at.transpose()?,
            certificates,
            unknown,
            message,
        })
    }

    fn json(message: Sign1<'a>, certificates: Vec<Certificate>) -> Result<Self, UvmError> {
        content_type(&message, "application/json")?;
        let text = |name| {
            let found = message.named_header(name).and_then(Item::as_text);
            found.ok_or(UvmError::Member(
                name,
                "is not a text in the protected header",
            ))
        };
        let (issuer, feed) = (text("iss")?, text("feed")?);
        let signed_at = message.named_header("signingtime");
        let signed_at = signed_at.map(|at| time("signingtime", at)).transpose()?;
        let payload = cmcp_json::parse(message.payload, &LIMITS)?;
        let member = |name| {
            let found = payload.get(name).and_then(Value::as_str);
            found.ok_or(UvmError::Member(name, "is not a text in the payload"))
        };
        let svn = member(GUEST_SVN)?;
        let digits = svn.bytes().all(|byte| byte.is_ascii_digit());
        let svn = svn.parse().ok().filter(|_| digits);
        let svn = svn.ok_or(UvmError::Member(GUEST_SVN, "is not a number in digits"))?;
        let measurement = hex::decode(member(LAUNCH_MEASUREMENT)?).ok();
        let measurement = measurement.filter(|bytes| bytes.len() == MEASUREMENT);
        let measurement = measurement.ok_or(UvmError::Member(
            LAUNCH_MEASUREMENT,
            "is not 48 bytes in hexadecimal digits",
        ))?;
        let mut unknown = headers(&message, &[], &["iss", "feed", "signingtime"]);
        let known = [GUEST_SVN, LAUNCH_MEASUREMENT];
        let members = payload
            .as_object()
            .into_iter()
            .flat_map(|object| object.keys());
        let others = members.filter(|name| !known.contains(name));
        unknown.extend(others.map(|name| format!("member `{name}`")));
        Ok(Self {
            form: Form::Json,
            issuer,
            feed,
            svn,
            measurement,
            signed_at,
            certificates,
            unknown,
            message,
        })
    }
}

/// Which endorsements are accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UvmRules {
    /// Issuers, `did:x509` names; never empty. They name their root by its digest.
    pub issuers: Vec<String>,
    /// Feeds; never empty.
    pub feeds: Vec<String>,
    /// The least security version.
    pub svn: u64,
}

impl UvmRules {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let issuers = fields.list("issuers", |value| {
            let name = fields::text(value)?;
            match Did::parse(&name) {
                Ok(_) => Ok(name),
                Err(error) => Err(format!("`{name}` {error}")),
            }
        });
        let feeds = fields.list("feeds", fields::text);
        let svn = fields.number("svn_at_least", u64::from(u32::MAX));
        for (name, list) in [("issuers", &issuers), ("feeds", &feeds)] {
            if list.as_ref().is_some_and(Vec::is_empty) {
                fields.fault(name, "is an empty list: write what is accepted");
                return None;
            }
        }
        Some(Self {
            issuers: issuers?,
            feeds: feeds?,
            svn: svn?,
        })
    }
}

/// Decides every check about an endorsement but the one that compares its measurement; says whether
/// all of them are met.
pub(crate) fn judge(
    uvm: &Uvm<'_>,
    rules: &UvmRules,
    at: Timestamp,
    (checks, proved): (&mut Checks, &mut Proved),
) -> bool {
    let pinned = rules.issuers.iter().any(|issuer| issuer == uvm.issuer);
    let issuer = checks.expect(
        &aci::UVM_ISSUER,
        pinned,
        rules.issuers.join(", "),
        uvm.issuer,
    );
    let feed = rules.feeds.iter().any(|feed| feed == uvm.feed);
    let feed = checks.expect(&aci::UVM_FEED, feed, rules.feeds.join(", "), uvm.feed);
    let floor = format_args!("at least {}", rules.svn);
    let svn = checks.expect(&aci::UVM_SVN, uvm.svn >= rules.svn, floor, uvm.svn);
    for name in &uvm.unknown {
        proved.note(format!(
            "the utility VM's endorsement has a {name} that is not known here"
        ));
    }
    [issuer, feed, svn, signed(uvm, at, checks, proved)]
        .into_iter()
        .all(|met| met)
}

fn signed(uvm: &Uvm<'_>, at: Timestamp, checks: &mut Checks, proved: &mut Proved) -> bool {
    let did = match (Did::parse(uvm.issuer), uvm.certificates.as_slice()) {
        (Ok(did), [leaf, .., root]) => Some((did, leaf, root)),
        (Ok(_) | Err(_), _) => None,
    };
    let Some((did, leaf, root)) = did else {
        let expected = "a `did:x509` name, and a signer's certificate with its root";
        let actual = format_args!("{}, {} certificates", uvm.issuer, uvm.certificates.len());
        checks.fail(&aci::UVM_CHAIN, expected, actual);
        return false;
    };
    let root_is_named = checks.expect(
        &aci::UVM_ROOT,
        root.sha256() == did.root,
        did.root.hex(),
        root.sha256().hex(),
    );
    let usages = leaf.extended_key_usages();
    let usage = checks.expect(
        &aci::UVM_EKU,
        usages.contains(&did.eku),
        &did.eku,
        usages.join(", "),
    );
    let signature = match leaf.key() {
        Ok(key) => uvm
            .message
            .verify(key, Alg::Ps384)
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let signature = checks.take(&aci::UVM_SIGNATURE, signature, "PS384 by the signer's key");
    let chain = chain(uvm, checks) && times(uvm, at, checks, proved);
    root_is_named && usage && signature.is_some() && chain
}

fn chain(uvm: &Uvm<'_>, checks: &mut Checks) -> bool {
    let [leaf, others @ .., root] = uvm.certificates.as_slice() else {
        return false;
    };
    let rules = ChainRules {
        max_certificates: 4,
        validity: Validity::NotChecked {
            why: "signers' certificates last a year and what they signed is in use for longer",
        },
        leaf: LeafUse::Signs,
    };
    let found = verify_chain(leaf, others, std::slice::from_ref(root), &rules);
    let expected = "each certificate signed by the one behind it, up to the last";
    let Some(path) = checks.take(&aci::UVM_CHAIN, found, expected) else {
        return false;
    };
    let whole = path == uvm.certificates;
    if !whole {
        let actual = "certificates that are no part of the chain, or out of order";
        checks.fail(&aci::UVM_CHAIN, expected, actual);
    }
    whole
}

// The authorities hold now, and the signer's certificate held when it says that it signed: the claim is
// its own, and so it shows only that an endorsement was not made with a certificate long gone.
fn times(uvm: &Uvm<'_>, at: Timestamp, checks: &mut Checks, proved: &mut Proved) -> bool {
    let signer = uvm.signed_at.into_iter().zip(uvm.certificates.first());
    let authorities = uvm.certificates.iter().skip(1);
    let mut all = true;
    for (at, certificate) in signer.chain(authorities.map(|authority| (at, authority))) {
        let (from, until) = (certificate.not_before(), certificate.not_after());
        all &= checks.expect(
            &aci::UVM_TIME,
            from <= at && at <= until,
            format_args!("`{}` from {from} to {until}", certificate.name()),
            at,
        );
    }
    for authority in uvm.certificates.iter().skip(1) {
        proved.until(authority.not_after());
    }
    all
}

fn content_type(message: &Sign1<'_>, expected: &'static str) -> Result<(), UvmError> {
    let found = message
        .header(CONTENT_TYPE)
        .or_else(|| message.header(PREIMAGE_TYPE));
    if found.and_then(Item::as_text) == Some(expected) {
        Ok(())
    } else {
        Err(UvmError::Member(
            "content type",
            "is not the one of its form",
        ))
    }
}

// Seconds since 1970, with tag 1 before them or without.
fn time(name: &'static str, item: &Item<'_>) -> Result<Timestamp, UvmError> {
    let seconds = match item.as_tag() {
        Some((1, inner)) => inner.as_int(),
        Some(_) => None,
        None => item.as_int(),
    };
    let wrong = UvmError::Member(name, "is not a time in seconds");
    seconds.map(Timestamp::from_unix_seconds).ok_or(wrong)
}

fn headers(message: &Sign1<'_>, numbers: &[i64], names: &[&str]) -> Vec<String> {
    let known = |label: &Item<'_>| match (label.as_int(), label.as_text()) {
        (Some(number), _) => COMMON.contains(&number) || numbers.contains(&number),
        (None, Some(name)) => names.contains(&name),
        (None, None) => false,
    };
    let unknown = message.headers.iter().filter(|(label, _)| !known(label));
    unknown
        .map(|(label, _)| format!("header {}", label_of(label)))
        .collect()
}

fn label_of(label: &Item<'_>) -> String {
    match (label.as_int(), label.as_text()) {
        (Some(number), _) => number.to_string(),
        (None, Some(name)) => format!("`{name}`"),
        (None, None) => label.kind().to_owned(),
    }
}

const CONTENT_TYPE: i64 = 3;
const CWT_CLAIMS: i64 = 15;
const X5CHAIN: i64 = 33;
// Content type of what a payload is the digest of (draft-ietf-cose-hash-envelope).
const PREIMAGE_TYPE: i64 = 259;
/// Algorithm, content type, certificates, digest of the first (RFC 9360): adds nothing to a chain that
/// is verified.
const COMMON: &[i64] = &[1, CONTENT_TYPE, X5CHAIN, 34];
const CWT_ISS: i64 = 1;
const CWT_SUB: i64 = 2;
const CWT_IAT: i64 = 6;
const GUEST_SVN: &str = "x-ms-sevsnpvm-guestsvn";
const LAUNCH_MEASUREMENT: &str = "x-ms-sevsnpvm-launchmeasurement";
const MEASUREMENT: usize = 48;
const LIMITS: Limits = Limits {
    bytes: 4 << 10,
    depth: 4,
    ..Limits::DOCUMENT
};

#[cfg(test)]
mod tests;
