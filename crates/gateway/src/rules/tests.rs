//! A policy that is replaced while calls arrive.

use cmcp_evidence::{Commitment, ReportData, Sha256Digest, SigningKey};
use cmcp_json::Value;
use cmcp_policy::bundle::{SigningKeys, key_id};

use super::bundle::Looked;
use crate::testing::{ALL, World, bundle};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

async fn world() -> (World, SigningKey, SigningKey) {
    let (current, successor) = (key(1), key(2));
    let keys = SigningKeys::new(current.public(), Some(successor.public())).unwrap();
    let world = World::signed(ALL, Some((keys, &current)), |_| {}).await;
    (world, current, successor)
}

fn revocation(of: &SigningKey, by: &SigningKey) -> (String, Vec<u8>) {
    let id = key_id(&of.public());
    let signature = by
        .sign(format!("cmcp-policy-key-revocation-v1|{id}").as_bytes())
        .to_b64url();
    let file = format!(r#"[{{"revoked_key_id":"{id}","signature":"{signature}"}}]"#);
    ("signing-key-revocations.json".to_owned(), file.into_bytes())
}

fn policy_of(entry: &Value) -> &str {
    entry.get("policy").and_then(Value::as_str).unwrap()
}

const NOBODY: &str =
    "forbid(principal, action, resource);\n@id(\"all\") permit(principal, action, resource);";

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_signed_bundle_decides_the_next_call_and_the_log_is_told_before_it() {
    let (world, key, _) = world().await;
    assert_eq!(world.gateway.look_for_bundle().await, Looked::Unchanged);
    assert_eq!(world.call("echo").await, "ok");
    let before = world.gateway.rules().bundle.hash;
    *world.files.lock().unwrap() = Ok(bundle("1.1", NOBODY, Some(&key)));
    let Looked::Loaded(now) = world.gateway.look_for_bundle().await else {
        panic!("not loaded");
    };
    assert_eq!(world.gateway.look_for_bundle().await, Looked::Unchanged);
    assert_eq!(world.call("echo").await, "TOOL_NOT_IN_CATALOG");
    assert_eq!(world.shown().await, Vec::<String>::new());
    let log = world.log();
    let kinds = world.kinds();
    let at = kinds.iter().position(|kind| kind == "policy_load").unwrap();
    assert_eq!(policy_of(&log[at]), now.to_string());
    let previous = log[at].get("previous").and_then(Value::as_str);
    assert_eq!(previous, Some(before.to_string().as_str()));
    assert_eq!(kinds[at + 1..], ["outcome tool_hidden"]);
    assert_eq!(policy_of(&log[at + 1]), now.to_string());
    let claim = world.close().await;
    let trace = claim.get("trace").unwrap().get("policy").unwrap();
    let stated = |name: &str| trace.get(name).and_then(Value::as_str).unwrap();
    assert_eq!(
        (stated("bundle_hash"), stated("version")),
        (now.to_string().as_str(), "1.1")
    );
    let signing = claim.get("gateway").unwrap().get("policy_signing").unwrap();
    let id = key_id(&key.public());
    assert_eq!(
        signing.to_string(),
        format!(r#"{{"key_id":"{id}","revoked_key_ids":[]}}"#)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_commits_to_the_policy_that_came_into_force() {
    let (world, key, _) = world().await;
    *world.files.lock().unwrap() = Ok(bundle("2", NOBODY, Some(&key)));
    let Looked::Loaded(policy) = world.gateway.look_for_bundle().await else {
        panic!("not loaded");
    };
    let commitment = Commitment {
        nonce: None,
        policy,
        catalog: world.gateway.rules().catalog.hash(),
        config: world.gateway.settings.config_digest,
        log_size: 0,
        log_root: Sha256Digest::of(&[]),
    };
    let expected = ReportData::for_record(&world.gateway.key.public(), &commitment);
    assert_eq!(world.attester.asked.lock().unwrap().last(), Some(&expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_may_not_follow_leaves_the_running_one_in_force() {
    let (world, current, successor) = world().await;
    let mut broken = bundle("9", NOBODY, Some(&current));
    broken[0].1 = b"permit(".to_vec();
    let unknown = "permit(principal, action, resource == Resource::\"nothing\");";
    for (name, files) in [
        ("unsigned", Ok(bundle("9", NOBODY, None))),
        ("another key's", Ok(bundle("9", NOBODY, Some(&key(3))))),
        (
            "not yet the key's",
            Ok(bundle("9", NOBODY, Some(&successor))),
        ),
        ("older", Ok(bundle("0.9", NOBODY, Some(&current)))),
        ("as old", Ok(bundle("1.0", NOBODY, Some(&current)))),
        ("without order", Ok(bundle("new", NOBODY, Some(&current)))),
        ("broken", Ok(broken)),
        (
            "beside the catalog",
            Ok(bundle("9", unknown, Some(&current))),
        ),
        ("no files", Ok(Vec::new())),
        ("unreadable", Err("the disk is gone".to_owned())),
    ] {
        *world.files.lock().unwrap() = files;
        assert_eq!(
            world.gateway.look_for_bundle().await,
            Looked::Refused,
            "{name}"
        );
        // Said once, however often it is found again.
        assert_eq!(
            world.gateway.look_for_bundle().await,
            Looked::Unchanged,
            "{name}"
        );
        assert_eq!(world.call("echo").await, "ok", "{name}");
        assert_eq!(world.request("GET /readyz", "", "").await.0.as_u16(), 200);
    }
    assert!(!world.kinds().contains(&"policy_load".to_owned()));
    world
        .attester
        .fails
        .store(true, std::sync::atomic::Ordering::SeqCst);
    *world.files.lock().unwrap() = Ok(bundle("9", NOBODY, Some(&current)));
    assert_eq!(world.gateway.look_for_bundle().await, Looked::Refused);
    assert_eq!(world.call("echo").await, "ok");
    world
        .attester
        .fails
        .store(false, std::sync::atomic::Ordering::SeqCst);
    assert!(matches!(
        world.gateway.look_for_bundle().await,
        Looked::Loaded(_)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_s_bundle_decides_nothing_until_the_successor_has_signed() {
    let (world, current, successor) = world().await;
    assert_eq!(world.call("echo").await, "ok");
    let mut files = bundle("1.0", ALL, Some(&current));
    files.push(revocation(&current, &successor));
    *world.files.lock().unwrap() = Ok(files);
    assert_eq!(world.gateway.look_for_bundle().await, Looked::Refused);
    assert_eq!(world.call("echo").await, "POLICY_DENY");
    assert_eq!(world.kinds().last().unwrap(), "outcome policy_key_revoked");
    let (status, ready) = world.request("GET /readyz", "", "").await;
    assert_eq!(status.as_u16(), 503, "{ready}");
    // Even a broken bundle beside it does not bring the key back.
    *world.files.lock().unwrap() = Ok(vec![revocation(&current, &successor)]);
    assert_eq!(world.gateway.look_for_bundle().await, Looked::Refused);
    assert_eq!(world.call("echo").await, "POLICY_DENY");
    let mut again = bundle("1.0", ALL, Some(&successor));
    again.push(revocation(&current, &successor));
    *world.files.lock().unwrap() = Ok(again);
    assert!(matches!(
        world.gateway.look_for_bundle().await,
        Looked::Loaded(_)
    ));
    assert_eq!(world.call("echo").await, "ok");
    let claim = world.close().await;
    let signing = claim.get("gateway").unwrap().get("policy_signing").unwrap();
    let (id, revoked) = (key_id(&successor.public()), key_id(&current.public()));
    assert_eq!(
        signing.to_string(),
        format!(r#"{{"key_id":"{id}","revoked_key_ids":["{revoked}"]}}"#)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_revocation_is_ignored() {
    let (world, current, _) = world().await;
    let mut files = bundle("1.0", ALL, Some(&current));
    files.push(revocation(&current, &key(3)));
    *world.files.lock().unwrap() = Ok(files);
    assert_eq!(world.gateway.look_for_bundle().await, Looked::Unchanged);
    assert_eq!(world.call("echo").await, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_outlives_a_reload_and_what_a_server_offered_is_not_forgotten() {
    let (world, key, _) = world().await;
    assert_eq!(world.call("echo").await, "ok");
    let before = world.gateway.rules();
    *world.files.lock().unwrap() = Ok(bundle(
        "2",
        "@id(\"x\") permit(principal, action, resource);",
        Some(&key),
    ));
    assert!(matches!(
        world.gateway.look_for_bundle().await,
        Looked::Loaded(_)
    ));
    let after = world.gateway.rules();
    assert_eq!(after.generation, before.generation + 1);
    assert_eq!(world.call("echo").await, "ok");
    let declared = world
        .kinds()
        .into_iter()
        .filter(|kind| kind == "declarations");
    assert_eq!(declared.count(), 1);
}
