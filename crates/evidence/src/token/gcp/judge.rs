use cmcp_json::{Object, Value};

use super::{checks as c, policy::GcpPolicy};
use crate::{
    About, Proved,
    check::{Check, Checks},
    hex,
    policy::Pin,
    token::{
        ClaimsCase,
        common::{
            Overrides, challenge_text, check_pin, check_times, check_true, claim_times,
            note_beyond, one_of, quoted, shown,
        },
    },
};

/// Judges the claims of a token, whoever signed them.
pub fn judge_claims(case: &ClaimsCase<'_, GcpPolicy>, checks: &mut Checks, proved: &mut Proved) {
    let ClaimsCase {
        claims,
        policy,
        binding: _,
        at,
    } = *case;
    checks.require(c::CLAIMS_ALL);
    let issuer = claims.get("iss");
    let met = issuer.and_then(Value::as_str) == Some(ISSUER);
    checks.expect(&c::ISSUER, met, ISSUER, shown(issuer));
    if let Some(times) = check_times(claims, policy.lifetime, at, &c::TIME, checks) {
        claim_times(times, policy.lifetime, proved);
    }
    check_audience(policy, claims, checks);
    check_platform(policy, claims, checks);
    let container = submodule(claims, "container");
    check_image(policy, container, checks);
    check_override(
        policy.env_override,
        container,
        "env_override",
        &c::ENVIRONMENT,
        checks,
    );
    check_override(
        policy.cmd_override,
        container,
        "cmd_override",
        &c::COMMAND,
        checks,
    );
    let machine = submodule(claims, "gce");
    let of = |name: &str| machine.and_then(|machine| machine.get(name));
    check_pin(&policy.projects, of("project_id"), &c::PROJECT, checks);
    check_pin(&policy.zones, of("zone"), &c::ZONE, checks);
    check_pin(&policy.instances, of("instance_id"), &c::INSTANCE, checks);
    check_accounts(policy, claims, checks);
    check_binding(case, checks);
    let free = [
        policy.projects.is_any(),
        policy.instances.is_any(),
        policy.service_accounts.is_any(),
    ];
    policy.identity.decide(&free, &c::IDENTITY, checks);
    claim(claims, proved);
}

fn submodule<'a>(claims: &'a Object, name: &str) -> Option<&'a Object> {
    claims.get("submods")?.get(name)?.as_object()
}

/// Exactly one audience: a token that others may use as well can be one that they passed on.
fn check_audience(policy: &GcpPolicy, claims: &Object, checks: &mut Checks) {
    let found = claims.get("aud");
    let audience = match found.map(|found| (found.as_str(), found.as_array())) {
        Some((Some(one), _)) => Some(one),
        Some((None, Some([one]))) => one.as_str(),
        Some((None, _)) | None => None,
    };
    let met = audience == Some(policy.audience.as_str());
    checks.expect(&c::AUDIENCE, met, quoted(&policy.audience), shown(found));
}

fn check_platform(policy: &GcpPolicy, claims: &Object, checks: &mut Checks) {
    let is = |name: &str, word: &str| claims.get(name).and_then(Value::as_str) == Some(word);
    let model = claims.get("hwmodel");
    let known = model.and_then(Value::as_str);
    let met = known.is_some_and(|model| policy.hardware.iter().any(|accepted| accepted == model));
    checks.expect(&c::HARDWARE, met, one_of(&policy.hardware), shown(model));
    let maker = claims.get("oemid");
    let google = maker.and_then(Value::as_u64) == Some(GOOGLE);
    checks.expect(
        &c::HARDWARE,
        google,
        format_args!("`oemid` {GOOGLE}"),
        shown(maker),
    );
    let software = claims.get("swname");
    checks.expect(
        &c::SOFTWARE,
        is("swname", SOFTWARE),
        quoted(SOFTWARE),
        shown(software),
    );
    check_version(policy, claims, checks);
    let support =
        submodule(claims, "confidential_space").and_then(|space| space.get("support_attributes"));
    let words = support.and_then(Value::as_array).unwrap_or_default();
    let met = words
        .iter()
        .any(|word| word.as_str() == Some(policy.support));
    checks.expect(&c::SUPPORT, met, quoted(policy.support), shown(support));
    let debug = claims.get("dbgstat");
    checks.expect(
        &c::DEBUG,
        is("dbgstat", NO_DEBUG),
        quoted(NO_DEBUG),
        shown(debug),
    );
    check_true(claims, "secboot", &c::SECURE_BOOT, checks);
}

/// One version, as a text of digits inside a list; some issues write the text alone.
fn check_version(policy: &GcpPolicy, claims: &Object, checks: &mut Checks) {
    let found = claims.get("swversion");
    let text = match found.map(|found| (found.as_str(), found.as_array())) {
        Some((Some(text), _)) => Some(text),
        Some((None, Some([text]))) => text.as_str(),
        Some((None, _)) | None => None,
    };
    let number = text
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse::<u64>().ok());
    let met = number.is_some_and(|number| number >= policy.minimum_version);
    let expected = format!("at least {}", policy.minimum_version);
    checks.expect(&c::VERSION, met, expected, shown(found));
}

fn check_image(policy: &GcpPolicy, container: Option<&Object>, checks: &mut Checks) {
    let found = container.and_then(|container| container.get("image_digest"));
    let digest = found
        .and_then(Value::as_str)
        .and_then(|text| text.strip_prefix("sha256:"))
        .and_then(|digits| hex::decode(digits).ok());
    let met = digest.is_some_and(|digest| policy.images.name_of(&digest).is_some());
    checks.expect(&c::IMAGE, met, policy.images.expected(), shown(found));
}

/// Null, empty and absent say that nothing was changed.
fn check_override(
    rule: Overrides,
    container: Option<&Object>,
    name: &str,
    check: &'static Check,
    checks: &mut Checks,
) {
    match rule {
        Overrides::Allowed => checks.not_applicable(check, "the reference values allow it"),
        Overrides::Refused => {
            let found = container.and_then(|container| container.get(name));
            let nothing = match found {
                None => container.is_some(),
                Some(value) => {
                    value.is_null()
                        || value.as_array().is_some_and(<[Value]>::is_empty)
                        || value.as_object().is_some_and(Object::is_empty)
                }
            };
            checks.expect(check, nothing, format_args!("no `{name}`"), shown(found));
        }
    }
}

fn check_accounts(policy: &GcpPolicy, claims: &Object, checks: &mut Checks) {
    let Pin::OneOf(pinned) = &policy.service_accounts else {
        checks.not_applicable(&c::ACCOUNT, "the reference values take any");
        return;
    };
    let found = claims.get("google_service_accounts");
    let accounts = found.and_then(Value::as_array).unwrap_or_default();
    let known = |account: &Value| {
        let account = account.as_str();
        pinned.iter().any(|pinned| Some(pinned.as_str()) == account)
    };
    let met = !accounts.is_empty() && accounts.iter().all(known);
    checks.expect(&c::ACCOUNT, met, one_of(pinned), shown(found));
}

/// A workload may have several nonces put into a token: that others asked as well does not make ours old.
fn check_binding(case: &ClaimsCase<'_, GcpPolicy>, checks: &mut Checks) {
    let form = case.policy.nonce;
    let Some(expected) = challenge_text(case.binding, form, &c::BINDING, checks) else {
        return;
    };
    let found = case.claims.get("eat_nonce");
    let met = match found.map(|found| (found.as_str(), found.as_array())) {
        Some((Some(nonce), _)) => nonce == expected,
        Some((None, Some(list))) => list
            .iter()
            .any(|nonce| nonce.as_str() == Some(expected.as_str())),
        Some((None, None)) | None => false,
    };
    checks.expect(&c::BINDING, met, quoted(&expected), shown(found));
}

fn claim(claims: &Object, proved: &mut Proved) {
    let container = submodule(claims, "container");
    let machine = submodule(claims, "gce");
    let in_container = |name: &str| container.and_then(|container| container.get(name));
    let in_machine = |name: &str| machine.and_then(|machine| machine.get(name));
    let digest = in_container("image_digest")
        .and_then(Value::as_str)
        .map(|text| Value::from(text.strip_prefix("sha256:").unwrap_or(text)));
    let mut add = |about: About, name: &'static str, value: Option<&Value>| {
        if let Some(text) = value.and_then(Value::as_str) {
            proved.claim(about, name, text.escape_debug());
        }
    };
    add(About::What, "measurement", digest.as_ref());
    add(
        About::What,
        "image-reference",
        in_container("image_reference"),
    );
    add(About::Who, "project", in_machine("project_id"));
    add(About::Who, "audience", claims.get("aud"));
    add(About::Where, "hardware", claims.get("hwmodel"));
    add(About::Where, "zone", in_machine("zone"));
    add(About::Where, "instance", in_machine("instance_id"));
    proved.note("the token says what Google's service concluded; no hardware's signature is in it, and GCP_AMD_SEV is SEV without a report that a guest could show");
    note_beyond("claims", claims, KNOWN, proved);
    if let Some(container) = container {
        note_beyond(
            "claims about the container",
            container,
            CONTAINER_KNOWN,
            proved,
        );
    }
}

const ISSUER: &str = "https://confidentialcomputing.googleapis.com";
const SOFTWARE: &str = "CONFIDENTIAL_SPACE";
const NO_DEBUG: &str = "disabled-since-boot";
/// Google's private enterprise number.
const GOOGLE: u64 = 11129;

const KNOWN: &[&str] = &[
    "aud",
    "dbgstat",
    "eat_nonce",
    "exp",
    "google_service_accounts",
    "hwmodel",
    "iat",
    "iss",
    "nbf",
    "oemid",
    "secboot",
    "sub",
    "submods",
    "swname",
    "swversion",
];
const CONTAINER_KNOWN: &[&str] = &[
    "cmd_override",
    "env_override",
    "image_digest",
    "image_reference",
];
