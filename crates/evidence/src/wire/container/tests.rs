use cmcp_json::{Object, Value};

use super::{ContainerError, decode, encode};
use crate::{Collected, Endorsements, Evidence, Part, Platform, b64};

fn collected() -> Collected {
    let evidence = Evidence::new(Platform::AzureSnp)
        .with(Part::HclReport, *b"HCLA")
        .with(Part::Attest, [0xff, b'T'])
        .with(Part::Signature, []);
    Collected {
        evidence,
        endorsements: Endorsements {
            certificates: vec![vec![1], vec![2]],
            crls: vec![vec![3]],
            intel: vec![b"{}".to_vec()],
            key_sets: vec![vec![5]],
            ocsp: vec![vec![6]],
            policies: vec![vec![7]],
            rims: vec![vec![8]],
            uvm: vec![vec![9]],
        },
    }
}

/// The container with one thing changed.
fn changed(change: impl FnOnce(&mut Object)) -> Result<Collected, ContainerError> {
    let mut document = cmcp_json::parse(&encode(&collected()), &super::LIMITS).expect("JSON");
    change(document.as_object_mut().expect("an object"));
    decode(&Value::Object(document.as_object().expect("an object").clone()).to_vec())
}

fn part(name: &str, bytes: &str) -> Value {
    Value::Object(Object::from([
        ("part", name.to_owned()),
        ("bytes", bytes.to_owned()),
    ]))
}

#[test]
fn what_is_written_is_read_again() {
    assert_eq!(decode(&encode(&collected())), Ok(collected()));
    let empty = Collected {
        evidence: Evidence::new(Platform::Software),
        endorsements: Endorsements::default(),
    };
    let text =
        br#"{"format":"cmcp-evidence/v1","platform":"software","evidence":[],"endorsements":{}}"#;
    assert_eq!(encode(&empty), text);
    assert_eq!(decode(text), Ok(empty));
    for platform in Platform::ALL {
        for part in Part::ALL {
            let collected = Collected {
                evidence: Evidence::new(platform).with(part, *b"x"),
                endorsements: Endorsements::default(),
            };
            assert_eq!(decode(&encode(&collected)), Ok(collected));
        }
    }
}

#[test]
fn several_devices_have_several_reports_and_nothing_else_is_there_twice() {
    let two = |platform, part| Collected {
        evidence: Evidence::new(platform).with(part, *b"1").with(part, *b"2"),
        endorsements: Endorsements::default(),
    };
    for part in [Part::Report, Part::Certificates] {
        let gpus = two(Platform::Gpu, part);
        assert_eq!(decode(&encode(&gpus)), Ok(gpus));
    }
    assert_eq!(
        decode(&encode(&two(Platform::Snp, Part::Report))),
        Err(ContainerError::Twice {
            part: "report",
            platform: Platform::Snp
        })
    );
}

#[test]
fn another_version_of_the_container_is_refused_by_name() {
    assert_eq!(
        changed(|document| drop(document.insert("format", "cmcp-evidence/v2"))),
        Err(ContainerError::Format {
            found: "cmcp-evidence/v2".to_owned()
        })
    );
}

#[test]
fn members_that_are_not_known_or_not_there_are_refused_by_name() {
    let unknown = |place: &str, known: &str| {
        Err(ContainerError::Unknown {
            place: place.to_owned(),
            known: known.to_owned(),
        })
    };
    assert_eq!(
        changed(|document| drop(document.insert("note", "x"))),
        unknown("note", "format, platform, evidence, endorsements")
    );
    assert_eq!(
        changed(|document| {
            let evidence = document
                .get_mut("evidence")
                .and_then(Value::as_array_mut)
                .expect("parts");
            evidence[1]
                .as_object_mut()
                .expect("a part")
                .insert("at", "x");
        }),
        unknown("evidence[1].at", "part, bytes")
    );
    assert!(matches!(
        changed(|document| drop(document.insert("evidence", vec![part("quotes", "AA")]))),
        Err(ContainerError::Unknown { place, .. }) if place == "evidence[0].part: quotes"
    ));
    assert!(matches!(
        changed(|document| drop(document.insert("platform", "sev"))),
        Err(ContainerError::Unknown { place, .. }) if place == "platform: sev"
    ));
    assert!(matches!(
        changed(|document| drop(document.insert("endorsements", Object::from([("vcek", "AA")])))),
        Err(ContainerError::Unknown { place, .. }) if place == "endorsements.vcek"
    ));
    for member in ["format", "platform", "evidence", "endorsements"] {
        let missing = changed(|document| drop(document.remove(member)));
        assert!(matches!(missing, Err(ContainerError::Shape { place, .. }) if place == member));
    }
}

#[test]
fn b27_base64_that_is_not_canonical_is_refused_where_it_stands() {
    let bytes = [0xfb, 0xef, 0xff, 0xfe];
    assert_eq!(b64::encode(&bytes), "--___g");
    for wrong in [
        "++///g==", "++///g", "--___g==", "--___g=", "--_/_g", "--__ _g", "--___h", "--___g\n", "-",
    ] {
        let read =
            changed(|document| drop(document.insert("evidence", vec![part("report", wrong)])));
        assert!(
            matches!(read, Err(ContainerError::Base64 { ref place, .. }) if place == "evidence[0].bytes"),
            "{wrong:?} {read:?}"
        );
        let list = Object::from([("crls", vec![wrong])]);
        let read = changed(|document| drop(document.insert("endorsements", list)));
        assert!(
            matches!(read, Err(ContainerError::Base64 { place, .. }) if place == "endorsements.crls")
        );
    }
    let read =
        changed(|document| drop(document.insert("evidence", vec![part("report", "--___g")])));
    assert_eq!(
        read.expect("a container").evidence.part(Part::Report),
        Some(&bytes[..])
    );
}

#[test]
fn b26_two_containers_in_one_file_are_refused() {
    let one = encode(&collected());
    let two: Vec<u8> = [one.clone(), one].concat();
    assert!(matches!(decode(&two), Err(ContainerError::Json(_))));
}

#[test]
fn a_member_that_is_there_twice_is_refused() {
    let text = br#"{"format":"cmcp-evidence/v1","platform":"software","platform":"snp","evidence":[],"endorsements":{}}"#;
    assert!(matches!(decode(text), Err(ContainerError::Json(_))));
}

#[test]
fn more_bytes_than_are_appraised_are_refused() {
    let large = Collected {
        evidence: Evidence::new(Platform::Snp).with(Part::Report, vec![0; 8 << 20]),
        endorsements: Endorsements {
            rims: vec![vec![0; (8 << 20) + 1]],
            ..Endorsements::default()
        },
    };
    assert_eq!(
        decode(&encode(&large)),
        Err(ContainerError::Large {
            size: (16 << 20) + 1
        })
    );
}
