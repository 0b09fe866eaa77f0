use cmcp_evidence::{Sha256Digest, Sha384Digest, SigningKey, Timestamp};
use cmcp_json::{Form, Limits, Object, Value};

use super::{
    AcceptedProfiles, Digest, Enforcement, KeyError, Policy, ProfilesError, RecordDraft,
    RecordError, Runtime, Transcript, TrustRecord, TrustedKey,
};
use crate::code::Code;
use crate::shape::{Problem, Violation};

/// The key every test signs with.
pub(crate) fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

/// A draft that states something everywhere it can.
pub(crate) fn draft() -> RecordDraft {
    RecordDraft {
        issued_at: Timestamp::from_unix_seconds(1_785_000_000),
        subject: "spiffe://trust.example.org/gateway/g1".to_owned(),
        policy: Policy {
            bundle_hash: Sha256Digest::of(b"policy").into(),
            version: "modèle-🔒-1".to_owned(),
            enforcement: Enforcement::Enforce,
        },
        data_class: "public".to_owned(),
        transcript: Transcript {
            root: Sha256Digest::of(b"root"),
            calls: 2,
        },
        binary: Sha256Digest::of(b"binary").into(),
        runtime: Runtime::Software,
        challenge: None,
    }
}

/// The draft's record with something changed, signed again: only the change is wrong with it.
pub(crate) fn changed(change: impl FnOnce(&mut Object)) -> Vec<u8> {
    let record = draft().sign(&key()).unwrap();
    let mut record = cmcp_json::parse(&record, &Limits::DOCUMENT).unwrap();
    change(record.as_object_mut().unwrap());
    sign(record)
}

/// Signs a record whatever it says, if it has a canonical form.
pub(crate) fn sign(mut record: Value) -> Vec<u8> {
    if let Ok(preimage) = cmcp_json::canonical_without(&record, "signature", Form::JcsStrict)
        && let Some(object) = record.as_object_mut()
    {
        object.insert("signature", key().sign(&preimage).to_b64url());
    }
    record.to_vec()
}

/// The value at a path of member names.
pub(crate) fn member<'a>(object: &'a mut Object, path: &[&str]) -> &'a mut Value {
    let (first, rest) = path.split_first().unwrap();
    rest.iter()
        .fold(object.get_mut(first).unwrap(), |value, name| {
            value.as_object_mut().unwrap().get_mut(name).unwrap()
        })
}

pub(super) fn parse(record: &[u8]) -> Result<TrustRecord, RecordError> {
    TrustRecord::parse(record, &AcceptedProfiles::v0_2())
}

fn code(record: &[u8]) -> Code {
    parse(record).unwrap_err().code()
}

fn violation(change: impl FnOnce(&mut Object)) -> Vec<Violation> {
    match parse(&changed(change)) {
        Err(RecordError::Schema(violations)) => violations,
        other => panic!("{other:?}"),
    }
}

pub(super) fn at(path: &str, problem: Problem) -> Vec<Violation> {
    vec![Violation {
        path: path.to_owned(),
        problem,
    }]
}

#[test]
fn bytes_that_are_not_one_strict_object_are_malformed() {
    let record = String::from_utf8(draft().sign(&key()).unwrap()).unwrap();
    for wrong in [
        String::new(),
        "[]".to_owned(),
        format!("\u{feff}{record}"),
        format!("{record}{record}"),
        record.replace("public", "\\ud800"),
        record.replace("public", "\\u0000"),
        record.replace("\"public\"", "NaN"),
        record.replace("\"public\"", "01"),
    ] {
        assert_eq!(code(wrong.as_bytes()), Code::JsonMalformed, "{wrong}");
    }
    let mut bytes = record.into_bytes();
    let place = bytes.windows(6).position(|run| run == b"public").unwrap();
    bytes[place] = 0xff;
    assert_eq!(code(&bytes), Code::JsonMalformed);
}

#[test]
fn a_member_named_twice_is_refused_at_every_depth_and_through_escapes() {
    let record = String::from_utf8(draft().sign(&key()).unwrap()).unwrap();
    for (from, to) in [
        ("{\"appraisal\"", "{\"iat\":1785000000,\"appraisal\""),
        (
            "\"status\":\"none\"",
            "\"status\":\"none\",\"stat\\u0075s\":\"none\"",
        ),
        ("\"kty\":\"OKP\"", "\"kty\":\"OKP\",\"kty\":\"OKP\""),
    ] {
        assert_eq!(
            code(record.replace(from, to).as_bytes()),
            Code::DuplicateMember,
            "{to}"
        );
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = format!("{}1{}", "[".repeat(62), "]".repeat(62));
    let record = changed(|record| {
        let value = cmcp_json::parse(nested.as_bytes(), &Limits::DOCUMENT).unwrap();
        let jwk = member(record, &["cnf", "jwk"]);
        jwk.as_object_mut().unwrap().insert("deep", value);
    });
    assert_eq!(code(&record), Code::NestingTooDeep);
    let hundred_thousand = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(code(hundred_thousand.as_bytes()), Code::NestingTooDeep);
}

#[test]
fn numbers_are_safe_integers_spelled_as_such() {
    let record = String::from_utf8(draft().sign(&key()).unwrap()).unwrap();
    for number in [
        "1785000000.0",
        "1.785e9",
        "9007199254740992",
        "-9007199254740992",
        "1e400",
        "123456789012345678901234567890",
    ] {
        let wrong = record.replace("1785000000", number);
        assert_eq!(code(wrong.as_bytes()), Code::NumberOutOfDomain, "{number}");
    }
}

#[test]
fn a_record_without_profile_means_nothing() {
    let absent = |record: &mut Object| drop(record.remove("eat_profile"));
    assert_eq!(code(&changed(absent)), Code::ProfileAbsent);
    for wrong in [Value::Null, Value::from(""), Value::from(2_i64)] {
        let record = changed(|record| drop(record.insert("eat_profile", wrong.clone())));
        assert_eq!(code(&record), Code::ProfileAbsent, "{wrong}");
    }
}

#[test]
fn another_profile_is_never_taken_for_this_one() {
    for profile in [
        "tag:agentrust.io,2026:trace-v0.1",
        "tag:agentrust-io.com,2026:trace-v0.3",
        "tag:agentrust-io.com,2026:trace-v0.2 ",
    ] {
        let record = changed(|record| drop(record.insert("eat_profile", profile)));
        assert_eq!(code(&record), Code::ProfileNotAccepted, "{profile}");
    }
}

#[test]
fn a_record_without_signature_is_no_record() {
    let mut record = cmcp_json::parse(&draft().sign(&key()).unwrap(), &Limits::DOCUMENT).unwrap();
    record.as_object_mut().unwrap().remove("signature");
    assert_eq!(code(&record.to_vec()), Code::SignatureAbsent);
}

#[test]
fn a_signature_has_one_spelling() {
    let record = cmcp_json::parse(&draft().sign(&key()).unwrap(), &Limits::DOCUMENT).unwrap();
    let right = record
        .get("signature")
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned();
    let second = {
        let last = right.chars().last().unwrap();
        let next = char::from_u32(u32::from(last) + 1).unwrap();
        format!("{}{next}", right.get(..85).unwrap())
    };
    let standard = right.replace('-', "+").replace('_', "/");
    assert_ne!(standard, right);
    for wrong in [
        format!("{right}=="),
        standard,
        second,
        right.get(..84).unwrap().to_owned(),
        format!("{right}\n"),
        String::new(),
    ] {
        let mut record = record.clone();
        record
            .as_object_mut()
            .unwrap()
            .insert("signature", wrong.as_str());
        assert_eq!(code(&record.to_vec()), Code::SignatureEncoding, "{wrong}");
    }
}

#[test]
fn the_schema_is_closed_at_every_level() {
    for path in [
        &[][..],
        &["model"],
        &["runtime"],
        &["policy"],
        &["tool_transcript"],
        &["build_provenance"],
        &["appraisal"],
        &["cnf"],
    ] {
        let found = violation(|record| {
            let object = match path {
                [] => record,
                path => member(record, path).as_object_mut().unwrap(),
            };
            object.insert("extra", "x");
        });
        let place = [path, &["extra"]].concat().join(".");
        assert_eq!(found, at(&place, Problem::Unknown));
    }
}

#[test]
fn what_is_required_cannot_be_left_out() {
    for path in [
        &["iat"][..],
        &["subject"],
        &["model"],
        &["model", "provider"],
        &["model", "model_id"],
        &["runtime"],
        &["runtime", "platform"],
        &["runtime", "measurement"],
        &["policy"],
        &["policy", "bundle_hash"],
        &["policy", "enforcement_mode"],
        &["data_class"],
        &["tool_transcript", "hash"],
        &["build_provenance"],
        &["build_provenance", "slsa_level"],
        &["build_provenance", "digest"],
        &["appraisal"],
        &["appraisal", "status"],
        &["appraisal", "verifier"],
        &["cnf"],
        &["cnf", "jwk"],
    ] {
        let found = violation(|record| {
            let (last, object) = path.split_last().unwrap();
            let object = match object {
                [] => record,
                object => member(record, object).as_object_mut().unwrap(),
            };
            object.remove(last);
        });
        assert_eq!(found, at(&path.join("."), Problem::Absent));
    }
}

#[test]
fn absence_is_never_spelled_null_or_empty() {
    for path in [
        &["subject"][..],
        &["data_class"],
        &["model", "provider"],
        &["policy", "version"],
        &["runtime", "platform"],
    ] {
        let null = violation(|record| *member(record, path) = Value::Null);
        assert_eq!(null, at(&path.join("."), Problem::Not("a string")));
        let empty = violation(|record| *member(record, path) = Value::from(""));
        assert_eq!(empty, at(&path.join("."), Problem::Empty));
    }
}

#[test]
fn values_keep_to_their_sets() {
    let cases: &[(&[&str], Value, Problem)] = &[
        (
            &["iat"],
            Value::from(1_699_999_999_i64),
            Problem::Integer {
                least: 1_700_000_000,
                most: 9_007_199_254_740_991,
            },
        ),
        (
            &["build_provenance", "slsa_level"],
            Value::from(4_i64),
            Problem::Integer { least: 0, most: 3 },
        ),
        (
            &["build_provenance", "slsa_level"],
            Value::from(true),
            Problem::Integer { least: 0, most: 3 },
        ),
        (
            &["tool_transcript", "call_count"],
            Value::from(-1_i64),
            Problem::Integer {
                least: 0,
                most: 9_007_199_254_740_991,
            },
        ),
        (
            &["appraisal", "verifier"],
            Value::from("self"),
            Problem::Not("an absolute URI"),
        ),
        (
            &["appraisal", "status"],
            Value::from("Affirming"),
            Problem::NotOneOf(&["affirming", "warning", "contraindicated", "none"]),
        ),
        (
            &["policy", "bundle_hash"],
            Value::from(format!("sha256:{}\n", "0".repeat(64))),
            Problem::Not("a `sha256:` or `sha384:` digest"),
        ),
    ];
    for (path, value, problem) in cases {
        let found = violation(|record| *member(record, path) = value.clone());
        assert_eq!(found, at(&path.join("."), problem.clone()));
    }
}

#[test]
fn a_key_in_a_record_is_public_and_complete() {
    let jwk = |change: fn(&mut Object)| {
        violation(|record| change(member(record, &["cnf", "jwk"]).as_object_mut().unwrap()))
    };
    for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
        let found = violation(|record| {
            let jwk = member(record, &["cnf", "jwk"]).as_object_mut().unwrap();
            jwk.insert(private, "AA");
        });
        assert_eq!(
            found,
            at(&format!("cnf.jwk.{private}"), Problem::PrivateKey)
        );
    }
    let found = jwk(|jwk| drop(jwk.remove("x")));
    assert_eq!(found, at("cnf.jwk.x", Problem::KeyMaterial));
    let found = jwk(|jwk| drop(jwk.insert("kty", "EC")));
    assert_eq!(found, at("cnf.jwk.y", Problem::KeyMaterial));
    let found = jwk(|jwk| drop(jwk.remove("kty")));
    assert_eq!(found, at("cnf.jwk.kty", Problem::KeyMaterial));
}

#[test]
fn evidence_from_elsewhere_cannot_name_hardware() {
    let imported = |platform: &'static str| {
        changed(move |record| {
            let origin = Object::from([("kind", "log-import"), ("producer", "siem")]);
            record.insert("origin", origin);
            *member(record, &["runtime", "platform"]) = Value::from(platform);
        })
    };
    assert!(parse(&imported("software-only")).is_ok());
    match parse(&imported("intel-tdx")) {
        Err(RecordError::Schema(found)) => {
            assert_eq!(found, at("runtime.platform", Problem::OriginOnHardware));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_log_entry_is_named_by_an_https_uri() {
    for wrong in ["http://log.example/1", "urn:log:1"] {
        let found = violation(|record| drop(record.insert("transparency", wrong)));
        assert_eq!(
            found,
            at("transparency", Problem::Not("an absolute `https` URI"))
        );
    }
}

#[test]
fn a_verifier_accepts_only_profiles_it_has_a_schema_for() {
    assert_eq!(
        AcceptedProfiles::new([]).map_err(|error| error.code()),
        Err(Code::NoAcceptedProfiles)
    );
    let v0_1 = "tag:agentrust.io,2026:trace-v0.1";
    for set in [&[super::PROFILE, v0_1][..], &[v0_1, super::PROFILE]] {
        let error = AcceptedProfiles::new(set.iter().copied()).unwrap_err();
        assert_eq!(error, ProfilesError::Unschemaed(v0_1.to_owned()));
        assert_eq!(error.code(), Code::UnschemaedProfile);
    }
}

#[test]
fn only_ed25519_keys_in_their_one_spelling_are_trusted() {
    let jwk = |kty: &str, crv: &str, x: &str| {
        let jwk = Object::from([("kty", kty), ("crv", crv), ("x", x)]);
        TrustedKey::from_jwk(&Value::Object(jwk)).map(drop)
    };
    let x = key().public().to_b64url();
    assert_eq!(jwk("OKP", "Ed25519", &x), Ok(()));
    assert_eq!(
        jwk("OKP", "Ed25519", &format!("{x}=")),
        Err(KeyError::Point)
    );
    // A point of small order: anybody can sign for it.
    let small = cmcp_evidence::b64::encode(&{
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    });
    assert_eq!(jwk("OKP", "Ed25519", &small), Err(KeyError::Point));
    let unsupported = KeyError::Unsupported {
        kty: "EC".to_owned(),
        curve: "P-256".to_owned(),
    };
    assert_eq!(jwk("EC", "P-256", &x), Err(unsupported));
}

#[test]
fn a_digest_reads_what_it_writes() {
    for digest in [
        Digest::from(Sha256Digest::of(b"a")),
        Digest::from(Sha384Digest::of(b"a")),
    ] {
        assert_eq!(digest.to_string().parse(), Ok(digest));
    }
    assert!("sha256:00".parse::<Digest>().is_err());
}
