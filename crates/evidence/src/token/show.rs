//! Every member of a token, explained.

use cmcp_json::{Object, Value};

use super::nras::Answer;
use crate::{
    Platform, Timestamp,
    jose::{Jws, JwsError},
    reader::Malformed,
    show::Field,
};

/// Every member of the tokens in `bytes`, which are of that platform. Nothing is verified.
///
/// # Errors
///
/// It is no token.
pub(crate) fn show(platform: Platform, bytes: &[u8]) -> Result<Vec<Field>, Malformed> {
    let mut fields = Vec::new();
    if platform == Platform::Nras {
        let answer = Answer::parse(bytes)?;
        show_token("overall", answer.overall(), &mut fields)?;
        for (name, token) in answer.devices() {
            show_token(&name.escape_debug().to_string(), token, &mut fields)?;
        }
    } else {
        let text = super::common::token_text(Some(bytes))
            .map_err(|found| Malformed::new("token", 0, "a compact JWS", found))?;
        show_token("token", text, &mut fields)?;
    }
    Ok(fields)
}

fn show_token(name: &str, token: &str, fields: &mut Vec<Field>) -> Result<(), Malformed> {
    let fault = |error: JwsError| Malformed::new("token", 0, "a compact JWS", error);
    let jws = Jws::parse(token).map_err(fault)?;
    let claims = jws.claims().map_err(fault)?;
    members(&format!("{name}.header"), jws.header(), fields);
    members(&format!("{name}.claims"), &claims, fields);
    let says = "not verified here";
    fields.push(Field::new(
        format!("{name}.signature"),
        crate::hex::encode(jws.signature()),
        says,
    ));
    Ok(())
}

/// Objects are walked into; lists are written out.
fn members(path: &str, object: &Object, fields: &mut Vec<Field>) {
    for (name, value) in object.iter() {
        let path = format!("{path}.{}", name.escape_debug());
        match value {
            Value::Object(inner) if !inner.is_empty() => members(&path, inner, fields),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => {
                let says = explain(name, value);
                fields.push(Field::new(path, written(value), says));
            }
        }
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.escape_debug().to_string(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

fn explain(name: &str, value: &Value) -> String {
    if matches!(name, "iat" | "nbf" | "exp")
        && let Some(seconds) = value.as_i64()
    {
        let time = Timestamp::from_unix_seconds(seconds);
        let what = match name {
            "iat" => "made at",
            "nbf" => "counts from",
            _ => "counts until",
        };
        return format!("{what} {time}");
    }
    let found = MEANINGS.iter().find(|(known, _)| *known == name);
    found.map_or_else(String::new, |(_, says)| (*says).to_owned())
}

const MEANINGS: &[(&str, &str)] = &[
    ("alg", "how it is signed; policy says how it must be"),
    ("aud", "for whom it was made"),
    ("cmd_override", "the command, if it was changed at start"),
    ("dbgstat", "whether debugging is possible"),
    ("eat_nonce", "the challenge that it answers"),
    ("env_override", "environment that was changed at start"),
    ("hwmodel", "the kind of hardware"),
    ("image_digest", "the container image"),
    ("instance_id", "the machine"),
    ("iss", "who says it"),
    ("jku", "where the issuer says its keys are; never fetched"),
    ("jti", "the token's own number"),
    ("kid", "what the issuer calls the key"),
    (
        "measres",
        "whether the measurements are those of driver and VBIOS",
    ),
    (
        "nonce",
        "the challenge that it answers, as far as the hardware does not bind it itself",
    ),
    ("oemid", "the maker's number"),
    ("project_id", "the project that pays for the machine"),
    ("secboot", "whether it booted securely"),
    ("secureboot", "whether it booted securely"),
    (
        "support_attributes",
        "how Google supports the image; null for debugging images",
    ),
    ("swname", "the system that runs the container"),
    ("swversion", "the system's version"),
    ("typ", "what kind of token it is"),
    ("ueid", "the device's identifier"),
    ("x-ms-attestation-type", "what was attested"),
    ("x-ms-azurevm-vmid", "the virtual machine"),
    ("x-ms-compliance-status", "what Microsoft holds it for"),
    ("x-ms-policy-hash", "the policy that the instance applied"),
    (
        "x-ms-sevsnpvm-bootloader-svn",
        "version of the secure processor's boot loader",
    ),
    ("x-ms-sevsnpvm-guestsvn", "the guest's security version"),
    (
        "x-ms-sevsnpvm-hostdata",
        "what the host said at launch: the container policy's digest",
    ),
    (
        "x-ms-sevsnpvm-idkeydigest",
        "who signed the guest's identity",
    ),
    (
        "x-ms-sevsnpvm-is-debuggable",
        "whether the host can read the guest's memory",
    ),
    (
        "x-ms-sevsnpvm-launchmeasurement",
        "what was in the guest's memory at launch",
    ),
    (
        "x-ms-sevsnpvm-microcode-svn",
        "version of the processor's microcode",
    ),
    (
        "x-ms-sevsnpvm-migration-allowed",
        "whether an agent can move the guest",
    ),
    (
        "x-ms-sevsnpvm-reportdata",
        "what the guest had signed: the runtime data's digest",
    ),
    ("x-ms-sevsnpvm-reportid", "this run of the guest"),
    (
        "x-ms-sevsnpvm-smt-allowed",
        "whether the guest may run where threads share a core",
    ),
    ("x-ms-sevsnpvm-snpfw-svn", "version of the SNP firmware"),
    (
        "x-ms-sevsnpvm-tee-svn",
        "version of the secure processor's system",
    ),
    (
        "x-ms-sevsnpvm-vmpl",
        "the privilege level that asked; 0 is the highest",
    ),
    ("x-ms-ver", "version of the claims"),
    (
        "x-nvidia-overall-att-result",
        "the service's verdict over all devices",
    ),
    ("x-nvidia-ver", "version of the claims"),
    ("zone", "where the machine is"),
];
