use super::*;

fn fault(changes: &[(&str, Option<&str>)]) -> Vec<String> {
    read(&changed(&policy(), changes), MaaPolicy::read).unwrap_err()
}

#[test]
fn c01_every_field_is_decided() {
    let names: Vec<String> = crate::token::fixture::object(&policy())
        .keys()
        .map(str::to_owned)
        .collect();
    assert_eq!(names.len(), 15);
    for name in names {
        let faults = fault(&[(&name, None)]);
        assert!(
            faults
                .iter()
                .any(|fault| fault.starts_with(&format!("`{name}`: is not decided"))),
            "{name}: {faults:?}"
        );
    }
}

#[test]
fn c01_empty_lists_are_errors() {
    for name in [
        "issuers",
        "workloads",
        "host_data",
        "id_key_digests",
        "runtime_keys",
        "vm_ids",
        "vmpl",
    ] {
        assert!(!fault(&[(name, Some("[]"))]).is_empty(), "{name}");
    }
    assert!(!fault(&[("uvm/feeds", Some("[]"))]).is_empty());
    assert!(!fault(&[("measurements", Some("{}"))]).is_empty());
}

#[test]
fn c02_unknown_fields_are_errors() {
    for name in ["debug", "lifetime/skew", "minimum/fmc", "uvm/did"] {
        assert!(!fault(&[(name, Some("1"))]).is_empty(), "{name}");
    }
}

#[test]
fn c05_contradictions_are_errors() {
    for changes in [
        &[("uvm", Some("\"not-required\""))][..],
        &[("workloads", Some("[\"cvm\"]"))],
        &[("identity", Some("\"danger-any-machine\""))],
        &[("host_data", Some("\"any\""))],
    ] {
        assert_eq!(fault(changes).len(), 1, "{changes:?}");
    }
    let open = [
        ("host_data", Some("\"any\"")),
        ("identity", Some("\"danger-any-machine\"")),
    ];
    assert!(read(&changed(&policy(), &open), MaaPolicy::read).is_ok());
}

#[test]
fn c04_a_digest_of_another_length_is_an_error() {
    let short = format!("[\"{}\"]", digits("0d", 48));
    assert!(fault(&[("host_data", Some(&short))])[0].starts_with("`host_data`"));
}

#[test]
fn a_private_instance_has_its_policy_pinned() {
    let issuer = |name: &str| {
        let list = format!(
            r#"[{{"issuer":"{name}","keys":["{}"],"policy_hashes":"any"}}]"#,
            pin(&key())
        );
        read(
            &changed(&policy(), &[("issuers", Some(&list))]),
            MaaPolicy::read,
        )
    };
    for shared in [
        "https://sharedeus.eus.attest.azure.net",
        "https://sharedeus2.eus2.attest.azure.net",
    ] {
        assert!(issuer(shared).is_ok());
    }
    for private in [
        "https://mine.eus.attest.azure.net",
        "https://shared.attest.azure.net",
        "https://sharedmine.eus.attest.azure.net.example.org",
        "https://sharedmine.evil.org/x.attest.azure.net",
        "https://sharedeus.eus.test.attest.azure.net",
    ] {
        let faults = issuer(private).unwrap_err();
        assert!(
            faults[0].contains("pin the policy"),
            "{private}: {faults:?}"
        );
    }
    for bad in [
        "http://sharedeus.eus.attest.azure.net",
        "https://sharedeus.eus.attest.azure.net/",
    ] {
        assert!(issuer(bad).is_err());
    }
}

#[test]
fn thumbprints_and_words_are_exact() {
    for (path, value) in [
        (
            "issuers",
            r#"[{"issuer":"https://sharedeus.eus.attest.azure.net","keys":["AA"],"policy_hashes":"any"}]"#,
        ),
        ("issuers", "[1]"),
        ("runtime_keys", "[\"AA\"]"),
        ("workloads", "[\"CVM\"]"),
        ("vmpl", "[4]"),
        ("smt", "true"),
        ("nonce", "\"any\""),
        ("lifetime/skew_seconds", "61"),
    ] {
        assert!(!fault(&[(path, Some(value))]).is_empty(), "{path}");
    }
}
