use cmcp_json::{Object, Value};

use super::{
    answer, checks as c,
    policy::{NrasPolicy, Warnings},
};
use crate::{
    About, Proved, Timestamp,
    appraise::Binding,
    check::Checks,
    token::common::{
        NonceForm, challenge_text, check_pin, check_times, check_true, claim_times, note_beyond,
        one_of, quoted, shown,
    },
};

/// What the claims of an answer are judged by, once it is known who signed them.
#[derive(Clone, Copy, Debug)]
pub struct NrasClaims<'a> {
    /// The claims over all devices.
    pub overall: &'a Object,
    /// Each device's, by its name.
    pub devices: &'a [(String, Object)],
    /// What is accepted.
    pub policy: &'a NrasPolicy,
    /// What they must have been made for.
    pub binding: &'a Binding,
    /// The time they are judged at.
    pub at: Timestamp,
}

/// Judges the claims of an answer, whoever signed them.
pub fn judge_claims(case: &NrasClaims<'_>, checks: &mut Checks, proved: &mut Proved) {
    let NrasClaims {
        overall,
        devices,
        policy,
        binding: _,
        at: _,
    } = *case;
    checks.require(c::CLAIMS_ALL);
    check_token(case, overall, checks, proved);
    let version = overall.get("x-nvidia-ver");
    let known = version.and_then(Value::as_str);
    let met = known.is_some_and(|version| VERSIONS.contains(&version));
    checks.expect(&c::VERSION, met, VERSIONS.join(" or "), shown(version));
    check_true(overall, "x-nvidia-overall-att-result", &c::OVERALL, checks);
    check_count(case, checks);
    for (name, claims) in devices {
        check_token(case, claims, checks, proved);
        check_device(name, claims, case, checks, proved);
    }
    check_binding(case, checks);
    let free = [policy.device_ids.is_any()];
    policy.identity.decide(&free, &c::IDENTITY, checks);
    note_beyond("claims", overall, OVERALL_KNOWN, proved);
    proved.note("nothing ties a GPU to the CPU that speaks for it: a relay to a GPU elsewhere cannot be excluded");
    proved.note(
        "the token says what NVIDIA's service concluded; the device's own report is not in it",
    );
}

/// What holds for every token of the answer.
fn check_token(case: &NrasClaims<'_>, claims: &Object, checks: &mut Checks, proved: &mut Proved) {
    let policy = case.policy;
    let issuer = claims.get("iss");
    let known = issuer.and_then(Value::as_str);
    let met = known.is_some_and(|issuer| policy.issuers.iter().any(|name| name == issuer));
    checks.expect(&c::ISSUER, met, one_of(&policy.issuers), shown(issuer));
    if let Some(times) = check_times(claims, policy.lifetime, case.at, &c::TIME, checks) {
        claim_times(times, policy.lifetime, proved);
    }
}

/// As many as policy says, and those that the overall token lists.
fn check_count(case: &NrasClaims<'_>, checks: &mut Checks) {
    let listed = answer::listed(case.overall).unwrap_or_default();
    let names: Vec<&str> = case.devices.iter().map(|(name, _)| name.as_str()).collect();
    let count = u64::try_from(names.len()).unwrap_or(u64::MAX);
    let ids: Vec<&Value> = case
        .devices
        .iter()
        .filter_map(|(_, claims)| claims.get("ueid"))
        .collect();
    let twice = ids
        .iter()
        .zip(1..)
        .find(|(id, next)| ids.iter().skip(*next).any(|other| other == *id));
    if let Some((id, _)) = twice {
        let expected = "every device once";
        checks.fail(
            &c::DEVICES,
            expected,
            format_args!("{} twice", shown(Some(id))),
        );
    }
    let same = listed.len() == names.len()
        && listed
            .iter()
            .all(|(name, _)| names.contains(&name.as_str()));
    checks.expect(
        &c::DEVICES,
        same && count == case.policy.devices,
        format_args!("{} GPUs, each listed and each given", case.policy.devices),
        format_args!("{} listed, {count} given", listed.len()),
    );
}

fn check_device(
    name: &str,
    claims: &Object,
    case: &NrasClaims<'_>,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    let policy = case.policy;
    let about = |value: Option<&Value>| format!("{}: {}", quoted(name), shown(value));
    let is = |claim: &str, word: &str| claims.get(claim).and_then(Value::as_str) == Some(word);
    let kind = claims.get("x-nvidia-device-type");
    let gpu = kind.is_none_or(|kind| kind.as_str() == Some("gpu"));
    checks.expect(&c::DEVICES, gpu, "`gpu`", about(kind));
    let version = claims.get("x-nvidia-gpu-claims-version");
    let known = version.is_none_or(|version| {
        let version = version.as_str();
        VERSIONS.iter().any(|known| Some(*known) == version)
    });
    checks.expect(&c::VERSION, known, VERSIONS.join(" or "), about(version));
    let result = claims.get("measres");
    checks.expect(
        &c::MEASUREMENTS,
        is("measres", "success"),
        "`success`",
        about(result),
    );
    let mismatch = claims.get("x-nvidia-mismatch-measurement-records");
    let none = mismatch.is_none_or(Value::is_null);
    checks.expect(&c::MEASUREMENTS, none, "no mismatch", about(mismatch));
    let debug = claims.get("dbgstat");
    checks.expect(
        &c::DEBUG,
        is("dbgstat", "disabled"),
        "`disabled`",
        about(debug),
    );
    check_true(claims, "secboot", &c::SECURE_BOOT, checks);
    check_verdicts(name, claims, checks);
    check_certificates(name, claims, case.at, checks);
    check_warning(policy, claims, checks);
    for (pin, claim, check) in [
        (&policy.models, "hwmodel", &c::MODEL),
        (
            &policy.driver_versions,
            "x-nvidia-gpu-driver-version",
            &c::DRIVER,
        ),
        (
            &policy.vbios_versions,
            "x-nvidia-gpu-vbios-version",
            &c::VBIOS,
        ),
        (&policy.device_ids, "ueid", &c::DEVICE_ID),
    ] {
        check_pin(pin, claims.get(claim), check, checks);
    }
    claim(claims, proved);
}

/// What the service must have looked at is true, and nothing else that it says is false.
fn check_verdicts(name: &str, claims: &Object, checks: &mut Checks) {
    let missing = REQUIRED
        .iter()
        .filter(|claim| claims.get(claim).and_then(Value::as_bool) != Some(true));
    let untrue = claims
        .iter()
        .filter(|(claim, value)| claim.starts_with("x-nvidia-") && value.as_bool() == Some(false));
    let mut faults: Vec<&str> = missing.copied().collect();
    for (claim, _) in untrue {
        if !faults.contains(&claim) {
            faults.push(claim);
        }
    }
    let found: Vec<String> = faults
        .iter()
        .map(|claim| format!("{} {}", quoted(claim), shown(claims.get(claim))))
        .collect();
    checks.expect(
        &c::VERDICTS,
        faults.is_empty(),
        "every verdict there and true",
        format_args!("{}: {}", quoted(name), found.join(", ")),
    );
}

/// Each chain either as one verdict, as claims before version 3 have it, or in parts.
fn check_certificates(name: &str, claims: &Object, at: Timestamp, checks: &mut Checks) {
    for (chain, validated) in CHAINS {
        let fault = match (claims.get(chain), claims.get(validated)) {
            (Some(chain), _) => chain_fault(chain, at),
            (None, Some(validated)) if validated.as_bool() == Some(true) => None,
            (None, validated) => Some(shown(validated)),
        };
        checks.expect(
            &c::CERTIFICATES,
            fault.is_none(),
            "valid and good",
            format_args!(
                "{}, {}: {}",
                quoted(name),
                quoted(chain),
                fault.unwrap_or_default()
            ),
        );
    }
}

fn chain_fault(chain: &Value, at: Timestamp) -> Option<String> {
    let is = |claim: &str, word: &str| chain.get(claim).and_then(Value::as_str) == Some(word);
    let of = |claim: &str| shown(chain.get(claim));
    let untrue = |claim: &str| {
        let value = chain.get(claim);
        value.is_some_and(|value| value.as_bool() != Some(true))
    };
    if !is("x-nvidia-cert-status", "valid") {
        return Some(format!("status {}", of("x-nvidia-cert-status")));
    }
    if !is("x-nvidia-cert-ocsp-status", "good") {
        return Some(format!("OCSP status {}", of("x-nvidia-cert-ocsp-status")));
    }
    for claim in [
        "x-nvidia-cert-ocsp-nonce-matches",
        "x-nvidia-cert-ocsp-response-valid",
    ] {
        if untrue(claim) {
            return Some(format!("{} {}", quoted(claim), of(claim)));
        }
    }
    if chain
        .get("x-nvidia-cert-revocation-reason")
        .is_some_and(|reason| !reason.is_null())
    {
        return Some(format!(
            "revoked: {}",
            of("x-nvidia-cert-revocation-reason")
        ));
    }
    let end = chain
        .get("x-nvidia-cert-expiration-date")
        .and_then(Value::as_str);
    match end.and_then(expiration) {
        Some(end) if at <= end => None,
        Some(_) | None => Some(format!(
            "valid until {}",
            of("x-nvidia-cert-expiration-date")
        )),
    }
}

/// Some releases leave out the zone, which is UTC.
fn expiration(text: &str) -> Option<Timestamp> {
    let zoned = Timestamp::parse_rfc3339(text).ok();
    zoned.or_else(|| Timestamp::parse_rfc3339(&format!("{text}Z")).ok())
}

fn check_warning(policy: &NrasPolicy, claims: &Object, checks: &mut Checks) {
    match (claims.get(WARNING), policy.warnings) {
        (None, _) => checks.met(&c::WARNINGS),
        (found @ Some(_), Warnings::Refused) => {
            checks.fail(&c::WARNINGS, "no warning", shown(found))
        }
        (found @ Some(_), Warnings::Tolerated) => checks.tolerate(&c::WARNINGS, shown(found), None),
    }
}

/// One nonce in all tokens, and ours where one is named.
fn check_binding(case: &NrasClaims<'_>, checks: &mut Checks) {
    let overall = case.overall.get("eat_nonce");
    let others = case
        .devices
        .iter()
        .map(|(_, claims)| claims.get("eat_nonce"));
    for found in others {
        if overall.and_then(Value::as_str).is_none() || found != overall {
            let expected = format!("the nonce of the overall token, {}", shown(overall));
            checks.fail(&c::BINDING, expected, shown(found));
        }
    }
    let Some(expected) = challenge_text(case.binding, NonceForm::Hex, &c::BINDING, checks) else {
        return;
    };
    let met = overall.and_then(Value::as_str) == Some(expected.as_str());
    checks.expect(&c::BINDING, met, quoted(&expected), shown(overall));
}

fn claim(claims: &Object, proved: &mut Proved) {
    let mut add = |about: About, name: &'static str, value: Option<&Value>| {
        if let Some(text) = value.and_then(Value::as_str) {
            proved.claim(about, name, text.escape_debug());
        }
    };
    add(
        About::What,
        "gpu-driver",
        claims.get("x-nvidia-gpu-driver-version"),
    );
    add(
        About::What,
        "gpu-vbios",
        claims.get("x-nvidia-gpu-vbios-version"),
    );
    add(About::Where, "gpu-model", claims.get("hwmodel"));
    add(About::Where, "gpu-id", claims.get("ueid"));
}

/// Of the overall token, and of a device's from the third on.
const VERSIONS: [&str; 2] = ["2.0", "3.0"];
const WARNING: &str = "x-nvidia-attestation-warning";
const OVERALL_KNOWN: &[&str] = &[
    "eat_nonce",
    "exp",
    "iat",
    "iss",
    "jti",
    "nbf",
    "sub",
    "submods",
    "x-nvidia-overall-att-result",
    "x-nvidia-ver",
];
const REQUIRED: [&str; 11] = [
    "x-nvidia-gpu-arch-check",
    "x-nvidia-gpu-attestation-report-nonce-match",
    "x-nvidia-gpu-attestation-report-parsed",
    "x-nvidia-gpu-attestation-report-signature-verified",
    "x-nvidia-gpu-driver-rim-fetched",
    "x-nvidia-gpu-driver-rim-measurements-available",
    "x-nvidia-gpu-driver-rim-signature-verified",
    "x-nvidia-gpu-vbios-index-no-conflict",
    "x-nvidia-gpu-vbios-rim-fetched",
    "x-nvidia-gpu-vbios-rim-measurements-available",
    "x-nvidia-gpu-vbios-rim-signature-verified",
];
/// The chains of report, driver manifest and VBIOS manifest: in parts, and as one verdict.
const CHAINS: [(&str, &str); 3] = [
    (
        "x-nvidia-gpu-attestation-report-cert-chain",
        "x-nvidia-gpu-attestation-report-cert-chain-validated",
    ),
    (
        "x-nvidia-gpu-driver-rim-cert-chain",
        "x-nvidia-gpu-driver-rim-cert-validated",
    ),
    (
        "x-nvidia-gpu-vbios-rim-cert-chain",
        "x-nvidia-gpu-vbios-rim-cert-validated",
    ),
];
