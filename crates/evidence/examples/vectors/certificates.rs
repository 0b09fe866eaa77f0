//! Certificates with evidence in them, and the worked claims-buffers.

use cmcp_evidence::{
    Claims, Endorsements, Part, Preimage, Presented, Role, Session, SuiteHash, Timestamp,
    dcap::{self, Body},
    hex,
    wire::certificate::{Carrier, Issuer, Question},
};
use cmcp_json::Value;

use super::{
    Result,
    case::{Asks, Row, Verdict, conclude},
    policy::Policy,
    vectors::{Stated, Vectors},
};

pub(crate) fn judge(vectors: &Vectors, row: &Stated) -> Result<Row> {
    let id = row.text("id")?.to_owned();
    let read = |purpose: &str| -> Result<Carrier> {
        Ok(Carrier::read(&vectors.file(row.file(purpose)?)?, &[])?)
    };
    let (carrier, asks, reasons): (Carrier, _, &[&str]) = if id == "ratls-swapped-evidence" {
        let carrier = Carrier {
            certificate: read("spki_from")?.certificate,
            ..read("evidence_from")?
        };
        (carrier, Asks::Only(BINDING), &["certificate.key"])
    } else if id.ends_with("-binding") {
        (read("cert")?, Asks::Only(BINDING), &[])
    } else if id.ends_with("-expired") {
        (read("cert")?, Asks::All, &["certificate.validity"])
    } else {
        (read("cert")?, Asks::All, &["sgx.debug"])
    };
    let policy = match asks {
        Asks::Only(_) => Policy::shipped("certificate")?.with("freshness", r#""unproven""#)?,
        Asks::All | Asks::Beside(_) => Policy::shipped("shipped")?,
    };
    let values = policy.values()?;
    let certificate = &carrier.certificate;
    let any = Timestamp::parse_rfc3339(AT)?;
    let within = certificate.not_before() <= any && any <= certificate.not_after();
    let within = if within {
        any
    } else {
        certificate.not_before()
    };
    let result = carrier.appraise(&Question {
        endorsements: &Endorsements::default(),
        issuer: Issuer::Itself,
        policy: &values,
        at: row.time(&within.rfc3339())?,
    });
    if row.value("pubkey_hash").is_some() {
        values_hold(row, &carrier)?;
    }
    conclude(row, policy, &result, (asks, reasons))
}

const BINDING: &[&str] = &[
    "certificate.key",
    "certificate.signature",
    "certificate.validity",
    "certificate.critical",
    "sgx.binding",
];

/// What the row states of the certificate beside its verdict.
fn values_hold(row: &Stated, carrier: &Carrier) -> Result<()> {
    let claims = match &carrier.form {
        cmcp_evidence::wire::certificate::Form::Claims(claims) => claims,
        cmcp_evidence::wire::certificate::Form::Legacy(_) => return Err("no claims-buffer".into()),
    };
    let (hash, key) = Claims::parse(claims)?.key();
    let quote = carrier.evidence.part(Part::Quote).unwrap_or_default();
    let Body::Enclave(report) = dcap::parse(quote)?.body else {
        return Err("no enclave".into());
    };
    let stated = |name: &str| row.value(name).and_then(Value::as_str).map(str::to_owned);
    let number = row.value("pubkey_hash_alg").and_then(Value::as_u64);
    let length = row.value("quote_length").and_then(Value::as_u64);
    let holds = number == Some(hash.number())
        && stated("pubkey_hash") == Some(hex::encode(key))
        && stated("mrenclave") == Some(hex::encode(report.mrenclave))
        && stated("mrsigner") == Some(hex::encode(report.mrsigner))
        && length == u64::try_from(quote.len()).ok();
    match holds {
        true => Ok(()),
        false => Err("a stated value is another".into()),
    }
}

/// The worked claims-buffers: each reproduced, and taken for what it is.
pub(crate) fn bindings(vectors: &Vectors) -> Result<Vec<Row>> {
    let document = vectors.json(KNOWN)?;
    let cases = document.as_array().ok_or("a list of claims-buffers")?;
    cases.iter().map(binding).collect()
}

fn binding(case: &Value) -> Result<Row> {
    let text = |name: &str| case.get(name).and_then(Value::as_str);
    let bytes = |name: &str| text(name).map(hex::decode).transpose();
    let spki = bytes("spki_attester")?.ok_or("a key")?;
    let peer = bytes("spki_peer")?;
    let buffer = bytes("claims_buffer")?.ok_or("a buffer")?;
    let data = bytes("report_data")?.ok_or("report data")?;
    let data = <[u8; 64]>::try_from(data).map_err(|_| "64 bytes")?;
    let preimage = match (text("role"), bytes("ekm")?) {
        (Some(role), Some(exporter)) => Preimage::Session(Session {
            role: match role {
                "server" => Role::Server,
                _ => Role::Client,
            },
            attester: &spki,
            peer: peer.as_deref(),
            name: None,
            exporter: exporter.try_into().map_err(|_| "32 bytes")?,
            suite: match text("hash") {
                Some("sha256") => SuiteHash::Sha256,
                _ => SuiteHash::Sha384,
            },
        }),
        _ => Preimage::Certificate { spki: &spki },
    };
    let presented = Presented {
        report_data: &data,
        preimage: Some(&buffer),
    };
    let matched = preimage.check(&presented);
    let reproduced = preimage.encode() == buffer;
    Ok(Row {
        id: text("name").unwrap_or_default().to_owned(),
        files: vec![KNOWN.to_owned()],
        asks: "the claims-buffer is reproduced, and its report data is taken".to_owned(),
        verdict: Verdict::from(reproduced && matched.is_ok()),
        found: matched
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default(),
        ..Row::stated(Verdict::Accept)
    })
}

/// Any time, where the certificate holds then.
const AT: &str = "2026-06-09T00:00:00Z";
const KNOWN: &str = "binding/session-binding-kat.json";
