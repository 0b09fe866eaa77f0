use super::*;

fn document(keys: &str, configuration: &str, rest: &str) -> String {
    format!(r#"{{"keys":[{keys}],"vm-configuration":{{{configuration}}}{rest}}}"#)
}

const AK: &str = r#"{"kid":"HCLAkPub","key_ops":["sign"],"kty":"RSA","e":"AQAB","n":"0f8"}"#;
const EK: &str = r#"{"kid":"HCLEkPub","key_ops":["encrypt"],"kty":"RSA","e":"AQAB","n":"0fw"}"#;

fn read(text: &str) -> Result<Runtime, RuntimeError> {
    Runtime::parse(text.as_bytes())
}

#[test]
fn what_it_states_is_read() {
    let user_data = "0F".repeat(64);
    let rest = format!(r#","user-data":"{user_data}""#);
    let configuration = r#""console-enabled":true,"secure-boot":false,"vmUniqueId":"390C""#;
    let keys = format!("{AK},{EK}");
    let runtime = read(&document(&keys, configuration, &rest)).expect("runtime data");
    assert_eq!(runtime.attestation_key.n, [0xd1, 0xff]);
    assert_eq!(runtime.attestation_key.e, [1, 0, 1]);
    assert_eq!(runtime.endorsement_key.expect("a key").n, [0xd1, 0xfc]);
    assert_eq!(
        (runtime.console, runtime.secure_boot),
        (Switch::On, Switch::Off)
    );
    assert_eq!(runtime.user_data, Some(vec![15; 64]));
    assert_eq!(runtime.vm_id.as_deref(), Some("390C"));
    assert!(runtime.unknown.is_empty());
}

#[test]
fn what_is_not_stated_is_not_made_up() {
    let runtime = read(&document(AK, "", "")).expect("runtime data");
    assert_eq!(runtime.secure_boot, Switch::Unstated);
    assert_eq!(runtime.console, Switch::Unstated);
    assert_eq!(runtime.user_data, None);
    assert_eq!(runtime.endorsement_key, None);
}

#[test]
fn what_is_not_known_is_named() {
    let more = r#"{"kid":"x","kty":"RSA","use":"sig"}"#;
    let text = document(&format!("{AK},{more}"), r#""new":1"#, r#","other":[]"#);
    let runtime = read(&text).expect("runtime data");
    assert_eq!(
        runtime.unknown,
        ["other", "keys.use", "key `x`", "vm-configuration.new"]
    );
}

#[test]
fn b24_one_key_under_two_names_cannot_be_slipped_in() {
    let other = AK.replace("0f8", "AAA");
    let twice = read(&document(&format!("{AK},{other}"), "", ""));
    assert_eq!(twice, Err(RuntimeError::Twice("HCLAkPub".to_owned())));
    let escaped = other.replace("HCLAkPub", r"HCL\u0041kPub");
    let twice = read(&document(&format!("{AK},{escaped}"), "", ""));
    assert_eq!(twice, Err(RuntimeError::Twice("HCLAkPub".to_owned())));
    let members = AK.replace(r#""n":"#, r#""n":"AAA","n":"#);
    assert!(matches!(
        read(&document(&members, "", "")),
        Err(RuntimeError::Json(_))
    ));
}

#[test]
fn members_of_another_form_are_refused() {
    let member = |result: Result<Runtime, RuntimeError>| match result {
        Err(RuntimeError::Member(name, _)) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(member(read("[]")), "");
    assert_eq!(member(read("{}")), "keys");
    assert_eq!(member(read(&document("1", "", ""))), "keys");
    assert_eq!(member(read(&document("{}", "", ""))), "keys");
    assert_eq!(member(read(&document(EK, "", ""))), "HCLAkPub");
    assert_eq!(
        member(read(&format!(r#"{{"keys":[{AK}]}}"#))),
        "vm-configuration"
    );
    for (from, to) in [
        ("RSA", "EC"),
        ("AQAB", "AQ=="),
        ("\"0f8\"", "1"),
        ("0f8", "0f+"),
    ] {
        let key = AK.replace(from, to);
        assert_eq!(member(read(&document(&key, "", ""))), "HCLAkPub");
    }
    let text = document(AK, r#""secure-boot":"true""#, "");
    assert_eq!(member(read(&text)), "secure-boot");
    for data in ["\"00\"", "1", "\"zz\""] {
        let text = document(AK, "", &format!(r#","user-data":{data}"#));
        assert_eq!(member(read(&text)), "user-data");
    }
    let long = format!("{}{}", document(AK, "", ""), " ".repeat(64 << 10));
    assert!(matches!(read(&long), Err(RuntimeError::Json(_))));
}
