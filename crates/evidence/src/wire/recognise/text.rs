use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use cmcp_json::{Limits, Value};

use super::{Format, Recognised, Unrecognised, binary, broken, json, single};
use crate::{Part, Platform, b64, endorse, hex, x509};

type Result<T> = std::result::Result<T, Unrecognised>;

/// What a text is: JSON, PEM, a token, digits.
pub(super) fn recognise(bytes: &[u8]) -> Result<Recognised> {
    let Ok(text) = str::from_utf8(bytes) else {
        return Err(other(bytes, "bytes that begin like none of them"));
    };
    let text = text.trim_ascii();
    if text.starts_with(['{', '[']) {
        return json::recognise(bytes);
    }
    if text.contains("-----BEGIN ") {
        return pem(bytes);
    }
    if let Some(token) = token(text) {
        return token;
    }
    let digits = hex::decode(&text.to_ascii_lowercase()).ok();
    let digits = digits.map(|inner| ("hexadecimal digits", inner));
    let decoded = digits.or_else(|| foreign(text).map(|inner| ("base64", inner)));
    let Some((encoding, inner)) = decoded.filter(|(_, inner)| !inner.is_empty()) else {
        return Err(other(
            bytes,
            "a text that is no JSON, PEM, token, hexadecimal or base64",
        ));
    };
    match binary::recognise(&inner) {
        Some(recognised) => recognised.map(|recognised| Recognised {
            encoding: Some(encoding),
            ..recognised
        }),
        None => Err(other(bytes, "a text whose bytes begin like none of them")),
    }
}

/// Something that is not evidence: perhaps it endorses some.
pub(super) fn other(bytes: &[u8], why: &str) -> Unrecognised {
    match endorse::kind_of(bytes) {
        endorse::Kind::Unknown => Unrecognised::Unknown {
            why: why.to_owned(),
        },
        kind @ (endorse::Kind::Certificates
        | endorse::Kind::HostCertificates
        | endorse::Kind::IntelCollateral
        | endorse::Kind::IntelQeIdentity
        | endorse::Kind::IntelTcbInfo
        | endorse::Kind::KeySet
        | endorse::Kind::Ocsp
        | endorse::Kind::Policy
        | endorse::Kind::RevocationLists
        | endorse::Kind::Rim
        | endorse::Kind::Uvm) => Unrecognised::NotEvidence {
            what: format!("an endorsement ({})", kind.as_str()),
            instead: "offer it as an endorsement",
        },
    }
}

/// One certificate with evidence; others beside it are its chain.
fn pem(bytes: &[u8]) -> Result<Recognised> {
    let Ok(certificates) = x509::all_from_pem(bytes) else {
        return Err(other(bytes, "PEM without a certificate"));
    };
    let mut carriers = certificates
        .iter()
        .map(|der| binary::certificate(der))
        .filter(|read| !matches!(read, Err(Unrecognised::NotEvidence { .. })));
    match (carriers.next(), carriers.next()) {
        (Some(only), None) => only,
        (Some(_), Some(_)) => Err(Unrecognised::Unknown {
            why: "PEM with two certificates that carry evidence".to_owned(),
        }),
        (None, _) => Err(other(bytes, "PEM without evidence")),
    }
}

/// A compact JWS: whose it is stands in its claims.
fn token(text: &str) -> Option<Result<Recognised>> {
    let mut parts = text.split('.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || ![header, payload, signature].iter().all(|part| is_b64(part)) {
        return None;
    }
    let format = Format::Jws;
    let unknown = |why: &str| Unrecognised::Unknown {
        why: why.to_owned(),
    };
    let claims = b64::decode(payload)
        .ok()
        .and_then(|bytes| cmcp_json::parse(&bytes, &LIMITS).ok());
    Some(match claims {
        None => Err(unknown(
            "a token whose claims are not strict JSON in base64url",
        )),
        Some(claims) => match issuer(&claims) {
            None => Err(unknown("a token of an issuer that is not known here")),
            Some(platform) => Ok(single(format, platform, Part::Token, text.as_bytes())),
        },
    })
}

/// Whose claims these are.
pub(super) fn issuer(claims: &Value) -> Option<Platform> {
    let has = |name: &str| claims.get(name).is_some();
    let begins = |name: &str, prefix: &str| {
        let text = claims.get(name).and_then(Value::as_str);
        text.is_some_and(|text| text.starts_with(prefix))
    };
    if has("x-ms-attestation-type") || has("x-ms-isolation-tee") || has("x-ms-ver") {
        Some(Platform::Maa)
    } else if begins("iss", "https://confidentialcomputing.googleapis.com") {
        Some(Platform::Gcp)
    } else if has("x-nvidia-overall-att-result") || has("x-nvidia-gpu-arch-check") {
        Some(Platform::Nras)
    } else {
        None
    }
}

fn is_b64(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !part.is_empty() && part.bytes().all(plain)
}

/// base64 of others: either alphabet, padded or not, but one of these and nothing between.
pub(super) fn foreign(text: &str) -> Option<Vec<u8>> {
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|engine| engine.decode(text).ok())
}

/// A PEM text, or base64 of DER: how others hold a certificate.
pub(super) fn certificates(format: Format, member: &str, text: &str) -> Result<Vec<Vec<u8>>> {
    if text.contains("-----BEGIN ") {
        return x509::all_from_pem(text.as_bytes()).map_err(|error| broken(format, error));
    }
    let der = foreign(text).ok_or_else(|| json::member(format, member, "a certificate"))?;
    Ok(vec![der])
}

const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    ..Limits::DOCUMENT
};
