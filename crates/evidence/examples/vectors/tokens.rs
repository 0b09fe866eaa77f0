//! Tokens of attestation services, and release policies.

use cmcp_evidence::{
    Binding, Endorsements, Evidence, Part, Platform,
    azure::release::{Decision, ReleasePolicy},
    b64,
    jose::KeySet,
};
use cmcp_json::{Limits, Value};

use crate::forge;

use super::{
    Result,
    case::{Asks, Case, Row},
    policy::Policy,
    vectors::{Stated, Vectors},
};

/// A token of Microsoft Azure Attestation.
pub(crate) fn maa(vectors: &Vectors, row: &Stated) -> Result<Row> {
    let set = vectors.file(row.file("jwks")?)?;
    let key = KeySet::parse(&set)?;
    let key = key.keys.first().ok_or("a key")?;
    let pin = b64::encode(key.thumbprint().as_bytes());
    let container = row.text("id")?.ends_with("-as-aci");
    let (name, workloads, uvm) = match container {
        true => (
            "token of MAA for a container group",
            r#"["container-group"]"#,
            r#"{"issuer":"did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2","feeds":["ContainerPlat-AMD-UVM"],"minimum_svn":100}"#,
        ),
        false => ("token of MAA", r#"["cvm"]"#, r#""not-required""#),
    };
    let section = format!(
        r#"{{"issuers":[{{"issuer":"https://sharedeus2.eus2.attest.azure.net","keys":["{pin}"],"policy_hashes":"any"}}],
        "lifetime":{{"skew_seconds":60,"max_age_seconds":28800}},"nonce":"text","workloads":{workloads},
        "measurements":"endorsed","host_data":"any","id_key_digests":"any","runtime_keys":"any",
        "vm_ids":["ABD9EA99-D837-4F68-AD3E-C87C88006AFA"],"vmpl":[0],"smt":"allowed",
        "minimum":{{"guest_svn":2,"bootloader":3,"tee":0,"snp":8,"microcode":115}},"uvm":{uvm},
        "secure_boot":"required","identity":"pinned"}}"#
    );
    let says = "its issuer's recovered key, its machine, and what it says of that";
    let token = vectors.file(row.file("token")?)?;
    let reasons: &[&str] = match row.maybe("reason") {
        Some(reason) if reason.starts_with("expired") => &["maa.time"],
        Some(reason) if reason.starts_with("kid") => &["maa.signature", "maa.issuer"],
        _ => &["maa.workload"],
    };
    let case = Case {
        row,
        binding: Binding::Challenge(nonce(&token)?),
        evidence: Evidence::new(Platform::Maa).with(Part::Token, token),
        endorsements: Endorsements {
            key_sets: vec![set],
            ..Endorsements::default()
        },
        policy: Policy::shipped(name)?.said("maa", &section, says)?,
        at: row.time("")?,
    };
    case.judge(Asks::All, reasons)
}

/// The nonce that a captured token was asked for with.
fn nonce(token: &[u8]) -> Result<Vec<u8>> {
    let claims = payload(token)?;
    let places = [&["nonce"][..], &["x-ms-runtime", "client-payload", "nonce"]];
    let find = |place: &&[&str]| {
        place
            .iter()
            .try_fold(&claims, |value, name| value.get(name))
    };
    let found = places.iter().find_map(find).and_then(Value::as_str);
    let found = found.ok_or("no nonce")?;
    // Guests give their nonce in base64; what was asked for is what it stands for.
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(found);
    Ok(decoded.unwrap_or_else(|_| found.as_bytes().to_vec()))
}

fn payload(token: &[u8]) -> Result<Value> {
    let token = std::str::from_utf8(token)?.trim_end();
    let payload = token.split('.').nth(1).ok_or("a payload")?;
    Ok(cmcp_json::parse(&b64::decode(payload)?, &Limits::DOCUMENT)?)
}

/// Claims of Confidential Space, which come without their signature: signed here by a key of the table's own.
pub(crate) fn gcp(vectors: &Vectors, row: &Stated) -> Result<Row> {
    let claims = vectors.file(row.file("claims")?)?;
    let key = forge::Key::rsa2048(0);
    let token = forge::jws(
        r#"{"alg":"RS256","kid":"table","typ":"JWT"}"#,
        std::str::from_utf8(&claims)?,
        forge::Alg::RsaSha256,
        &key,
    );
    let (modulus, exponent) = key.modulus_and_exponent();
    let set = format!(
        r#"{{"keys":[{{"kty":"RSA","kid":"table","alg":"RS256","use":"sig","n":"{}","e":"{}"}}]}}"#,
        b64::encode(&modulus),
        b64::encode(&exponent)
    );
    let pin = KeySet::parse(set.as_bytes())?;
    let pin = b64::encode(pin.keys.first().ok_or("a key")?.thumbprint().as_bytes());
    let section = format!(
        r#"{{"keys":["{pin}"],"lifetime":{{"skew_seconds":60,"max_age_seconds":3600}},"nonce":"base64url",
        "audience":"https://sts.googleapis.com","hardware":["GCP_AMD_SEV"],"minimum_version":230600,"support":"stable",
        "images":{{"captured":"fedbd6eaf93394d5eb98d7e52d4cce17e0ea23f7fac1a6bd68e097ca85a4fffb"}},
        "env_override":"allowed","cmd_override":"allowed","projects":["someone-secundus-bank"],"zones":"any",
        "instances":"any","service_accounts":"any","identity":"pinned"}}"#
    );
    let says = "a key of the table's own, and what the claims say of image and project";
    let case = Case {
        row,
        evidence: Evidence::new(Platform::Gcp).with(Part::Token, token),
        endorsements: Endorsements {
            key_sets: vec![set.into_bytes()],
            ..Endorsements::default()
        },
        binding: Binding::Unknown,
        policy: Policy::shipped("token of Confidential Space")?
            .with("freshness", r#""unproven""#)?
            .said("gcp", &section, says)?,
        at: row.time("2023-06-30T13:00:00Z")?,
    };
    case.judge(Asks::All, &["gcp.support"])
}

/// A release policy, and the claims that it is asked about.
pub(crate) fn release(vectors: &Vectors, row: &Stated) -> Result<Row> {
    let policy = match row.value("policy") {
        Some(inline) => inline.to_vec(),
        None => vectors.file(row.file("policy")?)?,
    };
    let claims = match row.has_file("token") {
        true => payload(&vectors.file(row.file("token")?)?)?,
        false => vectors.json(row.file("claims")?)?,
    };
    let decision = ReleasePolicy::parse(&policy)?.evaluate(claims.as_object().ok_or("claims")?);
    match decision {
        Decision::Released { .. } => Row::new(row, true, "released"),
        Decision::Refused { why } => Row::new(row, false, why.join("; ")),
    }
}
