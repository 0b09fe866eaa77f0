//! Known answers of TRACE and of the Python cMCP 0.7.1, read from the shared folder beside the
//! repository.
#![cfg(test)]

use std::path::PathBuf;

use cmcp_evidence::{Commitment, PublicKey, ReportData, Sha256Digest, Signature, SigningKey, hex};
use cmcp_json::{Form, Limits, Object, Value, canonical, canonical_without, parse};

/// A file of the shared folder; without it, outside CI, the test is skipped.
fn shared(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/formats")
        .join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            panic!("{}: {error}", path.display())
        }
        Err(_) => {
            println!("skipped: ../shared is not here");
            None
        }
    }
}

fn shared_json(name: &str) -> Option<Value> {
    shared(name).map(|bytes| json(&bytes))
}

fn json(bytes: &[u8]) -> Value {
    parse(bytes, &Limits::DOCUMENT).expect("strict JSON")
}

fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(value, |value, name| {
        value.get(name).unwrap_or_else(|| panic!("no `{name}`"))
    })
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).as_str().expect("string")
}

fn digest_of(value: &Value, form: Form) -> String {
    Sha256Digest::of(&canonical(value, form).expect("canonical")).to_string()
}

fn digest_without(value: &Value, member: &str, form: Form) -> Sha256Digest {
    Sha256Digest::of(&canonical_without(value, member, form).expect("canonical"))
}

fn verifies(key: &str, message: &[u8], signature: &str) {
    let key = PublicKey::from_b64url(key).expect("key");
    let signature = Signature::from_b64url(signature).expect("signature");
    assert_eq!(key.verify(message, &signature), Ok(()));
}

fn trace_key(kat: &Value) -> SigningKey {
    let seed = Sha256Digest::of(b"trace-kat-1");
    assert_eq!(seed.hex(), text(kat, &["seed_hex"]));
    SigningKey::from_seed(seed.as_bytes())
}

#[test]
fn trace_key_and_thumbprint() {
    let Some(kat) = shared_json("trace-kat.json") else {
        return;
    };
    let public = trace_key(&kat).public();
    assert_eq!(public.hex(), text(&kat, &["public_raw_hex"]));
    assert_eq!(&public.jwk(), at(&kat, &["jwk"]));
    assert_eq!(
        cmcp_evidence::b64::encode(public.thumbprint().as_bytes()),
        text(&kat, &["jwk_thumbprint_b64url"])
    );
    let first = at(&kat, &["report_data_first32"]);
    assert_eq!(
        Sha256Digest::of(public.as_bytes()).hex(),
        text(first, &["trace_v0_3_draft sha256(raw pubkey)"])
    );
    assert_eq!(
        public.thumbprint().hex(),
        text(first, &["cmcp RFC7638 thumbprint"])
    );
}

#[test]
fn trace_record_is_signed_anchored_and_delegated() {
    let Some(kat) = shared_json("trace-kat.json") else {
        return;
    };
    let record = at(&kat, &["record_signed"]);
    let preimage = canonical_without(record, "signature", Form::JcsStrict).expect("canonical");
    assert_eq!(
        hex::encode(&preimage),
        text(&kat, &["jcs_preimage_utf8_hex"])
    );
    assert_eq!(
        Sha256Digest::of(&preimage).hex(),
        text(&kat, &["jcs_preimage_sha256"])
    );
    let key = trace_key(&kat);
    let signature = text(record, &["signature"]);
    assert_eq!(key.sign(&preimage).to_b64url(), signature);
    verifies(&key.public().to_b64url(), &preimage, signature);

    let anchored = canonical(record, Form::AsciiStrict).expect("canonical");
    assert_eq!(anchored, text(&kat, &["anchor_bytes_ascii"]).as_bytes());
    assert_eq!(
        Sha256Digest::of_parts(&[&[0], &anchored]).to_string(),
        text(&kat, &["anchor_leaf"])
    );
    assert_eq!(
        digest_of(record, Form::JcsStrict),
        text(&kat, &["delegation_parent_record_hash"])
    );

    let provenance = at(&kat, &["server_provenance_v2_signed"]);
    let preimage = canonical_without(provenance, "signature", Form::JcsStrict).expect("canonical");
    verifies(
        text(provenance, &["cnf", "jwk", "x"]),
        &preimage,
        text(provenance, &["signature"]),
    );
}

#[test]
fn trace_report_data_commits_to_key_and_claim() {
    let Some(kat) = shared_json("trace-kat.json") else {
        return;
    };
    let known = at(&kat, &["report_data_v1"]);
    let digest = |name| text(known, &[name]).parse().expect("digest");
    let commitment = Commitment {
        nonce: Some(text(known, &["nonce"]).to_owned()),
        policy: digest("policy"),
        catalog: digest("catalog"),
        config: digest("config"),
        log_size: at(known, &["log_size"]).as_u64().expect("integer"),
        log_root: digest("log_root"),
    };
    let preimage = hex::decode(text(known, &["preimage_hex"])).expect("hex");
    assert_eq!(preimage.len(), 195);
    assert_eq!(Sha256Digest::of(&preimage), commitment.digest());
    assert_eq!(commitment.digest().hex(), text(known, &["commitment"]));
    let without_nonce = Commitment {
        nonce: None,
        ..commitment.clone()
    };
    assert_eq!(
        without_nonce.digest().hex(),
        text(known, &["commitment_without_nonce"])
    );
    let data = ReportData::for_record(&trace_key(&kat).public(), &commitment);
    assert_eq!(data.hex(), text(known, &["report_data"]));
    assert_eq!(data.hex(), text(known, &["tpm_qualifying_data"]));
    assert_eq!(
        Sha256Digest::of(data.as_bytes()).hex(),
        text(known, &["tpm_sha256_qualifying_data"])
    );
}

#[test]
fn trace_payload_commitment_is_salted() {
    let Some(kat) = shared_json("trace-kat.json") else {
        return;
    };
    let known = at(&kat, &["transcript_tree_v1", "salted_commitment"]);
    let salt = hex::decode(text(known, &["salt_hex"])).expect("hex");
    let bytes = text(known, &["bytes"]).as_bytes();
    assert_eq!(
        Sha256Digest::of_parts(&[b"cmcp/commit/v1\0", &salt, bytes]).to_string(),
        text(known, &["value"])
    );
}

#[test]
fn compat_values_have_their_two_forms() {
    let Some(vectors) = shared_json("cmcp-vectors.json") else {
        return;
    };
    let known = at(&vectors, &["canonicalisations"]);
    for (form, name) in [(Form::Pyj, "pyj"), (Form::Jcs, "jcs")] {
        assert_eq!(
            canonical(at(known, &["value"]), form).as_deref(),
            Ok(text(known, &[name]).as_bytes())
        );
    }
}

#[test]
fn compat_preimages_are_their_own_canonical_form() {
    let Some(vectors) = shared_json("cmcp-vectors.json") else {
        return;
    };
    for (vector, preimage, form, prefix) in [
        ("bundle_hash", "preimage_jcs", Form::Jcs, "sha256:"),
        (
            "definition_hash(echo)",
            "preimage_pyj",
            Form::Pyj,
            "sha256:",
        ),
        ("audit_entry_session_start", "preimage_pyj", Form::Pyj, ""),
        ("audit_entry_allowed_call", "preimage_pyj", Form::Pyj, ""),
        ("request_payload_hash", "preimage_pyj", Form::Pyj, "sha256:"),
    ] {
        let preimage = text(&vectors, &[vector, preimage]).as_bytes();
        assert_eq!(
            canonical(&json(preimage), form).as_deref(),
            Ok(preimage),
            "{vector}"
        );
        assert_eq!(
            format!("{prefix}{}", Sha256Digest::of(preimage).hex()),
            text(&vectors, &[vector, "hash"]),
            "{vector}"
        );
    }
    assert_eq!(
        digest_of(
            &json(text(&vectors, &["bundle_hash", "preimage_jcs"]).as_bytes()),
            Form::Pyj
        ),
        text(
            &vectors,
            &["bundle_hash", "0.2.x hash (pyj of the same object)"]
        )
    );
    assert_eq!(
        Sha256Digest::of(text(&vectors, &["response_payload_hash", "preimage"]).as_bytes())
            .to_string(),
        text(&vectors, &["response_payload_hash", "hash"])
    );
}

#[test]
fn compat_policy_bundle_is_hashed_from_its_files() {
    let (Some(vectors), Some(manifest), Some(policy), Some(schema)) = (
        shared_json("cmcp-vectors.json"),
        shared_json("cmcp-sample/policies/manifest.json"),
        shared("cmcp-sample/policies/demo.cedar"),
        shared("cmcp-sample/policies/schema.cedarschema"),
    ) else {
        return;
    };
    let Value::Object(mut manifest) = manifest else {
        panic!("manifest is no object");
    };
    manifest.remove("signature");
    let bundle = Object::from([
        ("manifest", Value::Object(manifest)),
        (
            "policy_files",
            Object::from([("demo.cedar", Sha256Digest::of(&policy).hex())]).into(),
        ),
        ("schema_hash", Sha256Digest::of(&schema).hex().into()),
    ]);
    assert_eq!(
        digest_of(&bundle.into(), Form::Jcs),
        text(&vectors, &["bundle_hash", "hash"])
    );
}

#[test]
fn compat_catalog_is_hashed_sorted_by_name() {
    let (Some(vectors), Some(mut catalog)) = (
        shared_json("cmcp-vectors.json"),
        shared_json("cmcp-sample/catalog.json"),
    ) else {
        return;
    };
    let entries = catalog.as_array_mut().expect("array");
    entries.sort_by(|a, b| text(a, &["tool_name"]).cmp(text(b, &["tool_name"])));
    for entry in &*entries {
        assert_eq!(
            digest_of(at(entry, &["approved_definition"]), Form::Pyj),
            text(entry, &["definition_hash"])
        );
    }
    let preimage = canonical(&catalog, Form::Pyj).expect("canonical");
    let known = at(&vectors, &["catalog_hash"]);
    assert_eq!(
        u64::try_from(preimage.len()).ok(),
        at(known, &["preimage_pyj_len"]).as_u64()
    );
    assert!(preimage.starts_with(text(known, &["preimage_head"]).as_bytes()));
    assert_eq!(
        Sha256Digest::of(&preimage).to_string(),
        text(known, &["hash"])
    );
}

#[test]
fn compat_claims_are_signed_and_chained() {
    let (Some(vectors), Some(first), Some(second)) = (
        shared_json("cmcp-vectors.json"),
        shared_json("cmcp-sample/claim.json"),
        shared_json("cmcp-sample/claim-2.json"),
    ) else {
        return;
    };
    let known = at(&vectors, &["claim_signature"]);
    let preimage = canonical_without(&first, "signature", Form::Pyj).expect("canonical");
    assert_eq!(Sha256Digest::of(&preimage).hex(), text(known, &["sha256"]));
    assert_eq!(
        u64::try_from(preimage.len()).ok(),
        at(known, &["len"]).as_u64()
    );
    assert_eq!(text(&first, &["signature"]), text(known, &["signature"]));
    for claim in [&first, &second] {
        let preimage = canonical_without(claim, "signature", Form::Pyj).expect("canonical");
        verifies(
            text(claim, &["trace", "cnf", "jwk", "x"]),
            &preimage,
            text(claim, &["signature"]),
        );
    }
    assert_eq!(
        digest_of(&first, Form::Pyj),
        text(&second, &["gateway", "prev_claim_hash"])
    );
    assert_eq!(
        digest_without(&first, "signature", Form::Pyj).to_string(),
        text(
            &vectors,
            &["claim_digest of a refusal receipt (pyj without signature)"]
        )
    );
}

#[test]
fn compat_audit_bundle_is_chained_and_signed() {
    let (Some(vectors), Some(bundle)) = (
        shared_json("cmcp-vectors.json"),
        shared_json("cmcp-sample/audit_bundle.json"),
    ) else {
        return;
    };
    let entries = at(&bundle, &["entries"]);
    let mut previous = "genesis".to_owned();
    for entry in entries.as_array().expect("array") {
        assert_eq!(text(entry, &["prev_entry_hash"]), previous);
        previous = digest_without(entry, "entry_hash", Form::Pyj).hex();
        assert_eq!(text(entry, &["entry_hash"]), previous);
    }
    let signed = Sha256Digest::of(&canonical(entries, Form::Pyj).expect("canonical"));
    let known = at(&vectors, &["audit_bundle_signature"]);
    assert_eq!(signed.hex(), text(known, &["hex"]));
    verifies(
        text(&vectors, &["claim_signature", "x"]),
        signed.as_bytes(),
        text(known, &["signature"]),
    );
}

#[test]
fn compat_report_data_is_thumbprint_and_first_entry() {
    let (Some(vectors), Some(bundle)) = (
        shared_json("cmcp-vectors.json"),
        shared_json("cmcp-sample/audit_bundle.json"),
    ) else {
        return;
    };
    let key = PublicKey::from_b64url(text(&vectors, &["claim_signature", "x"])).expect("key");
    let thumbprint = key.thumbprint();
    assert_eq!(thumbprint.hex(), text(&vectors, &["jwk_thumbprint", "hex"]));
    let first = &at(&bundle, &["entries"]).as_array().expect("array")[0];
    let root = hex::decode(text(first, &["entry_hash"])).expect("hex");
    let bytes = [
        &thumbprint.as_bytes()[..],
        Sha256Digest::of(&root).as_bytes(),
    ]
    .concat();
    let known = at(&vectors, &["hardware runtime.nonce for this key and chain"]);
    assert_eq!(hex::encode(&bytes), text(known, &["hex"]));
    assert_eq!(
        cmcp_evidence::b64::encode(&bytes),
        text(known, &["runtime.nonce"])
    );
    assert_eq!(
        Sha256Digest::of(&bytes).hex(),
        text(known, &["azure quote extraData"])
    );
    assert_eq!(
        Sha256Digest::of(key.as_bytes()).to_string(),
        text(&vectors, &["key id of this key"])
    );
}
