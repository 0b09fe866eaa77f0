use std::{path::Path, sync::LazyLock};

use cmcp_json::{Limits, Value};

use super::{Preimage, Presented, Release, Role, Session, SuiteHash, Unbound};
use crate::{
    Claims, ClaimsError, Commitment, NamedHash, PublicKey, ReportData, Sha256Digest, SigningKey,
    b64,
    cbor::{self, CborError, Item},
    hex,
};

const ATTESTER: &[u8] = b"the attester's key";
const PEER: &[u8] = b"the peer's key";

fn mutual() -> Session<'static> {
    Session {
        role: Role::Server,
        attester: ATTESTER,
        peer: Some(PEER),
        name: None,
        exporter: [0x11; 32],
        suite: SuiteHash::Sha256,
    }
}

static COMMITMENT: LazyLock<Commitment> = LazyLock::new(|| Commitment {
    nonce: None,
    policy: Sha256Digest::of(b"policy"),
    catalog: Sha256Digest::of(b"catalog"),
    config: Sha256Digest::of(b"config"),
    log_size: 7,
    log_root: Sha256Digest::of(b"root"),
});
static KEY: LazyLock<PublicKey> = LazyLock::new(|| SigningKey::from_seed(&[1; 32]).public());

fn check(expected: &Preimage<'_>, made: &Preimage<'_>) -> Result<(), Unbound> {
    let preimage = made.encode();
    expected.check(&Presented {
        report_data: made.report_data().as_bytes(),
        preimage: Some(&preimage),
    })
}

/// A buffer whose report data is right, whatever it says.
fn check_buffer(expected: &Preimage<'_>, buffer: &[u8]) -> Result<(), Unbound> {
    expected.check(&Presented {
        report_data: ReportData::of_preimage(buffer).as_bytes(),
        preimage: Some(buffer),
    })
}

fn kinds() -> Vec<Preimage<'static>> {
    vec![
        Preimage::Certificate { spki: ATTESTER },
        Preimage::Session(mutual()),
        Preimage::Record {
            key: &KEY,
            commitment: &COMMITMENT,
        },
        Preimage::Challenge {
            nonce: "AAAAAAAAAAAAAAAAAAAAAA",
        },
        Preimage::Release(Release {
            modulus: &[0xc5; 256],
            exponent: &[1, 0, 1],
            nonce: "AAAAAAAAAAAAAAAAAAAAAA",
            spki: ATTESTER,
        }),
    ]
}

#[test]
fn each_kind_is_taken_for_itself_and_for_no_other() {
    for (place, expected) in kinds().iter().enumerate() {
        for (other, made) in kinds().iter().enumerate() {
            let checked = check(expected, made);
            assert_eq!(checked.is_ok(), place == other, "{expected:?} {made:?}");
        }
    }
}

#[test]
fn no_two_kinds_can_begin_alike() {
    let first: Vec<u8> = kinds().iter().map(|kind| kind.encode()[0]).collect();
    assert_eq!(first, [0xa1, 0xa4, b'c', b'c', b'{']);
    let tag = |kind: &Preimage<'_>| {
        let encoded = kind.encode();
        let end = encoded.iter().position(|byte| *byte == 0).expect("a tag");
        encoded[..end].to_vec()
    };
    assert_ne!(tag(&kinds()[2]), tag(&kinds()[3]));
}

/// The known answers, when the shared folder is here.
fn known() -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors/binding/session-binding-kat.json");
    match std::fs::read(&path) {
        Ok(bytes) => {
            let document = cmcp_json::parse(&bytes, &Limits::DOCUMENT).expect("JSON");
            Some(document.as_array().expect("a list").to_vec())
        }
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            panic!("{}: {error}", path.display())
        }
        Err(_) => {
            println!("skipped: ../shared is not here");
            None
        }
    }
}

struct Known {
    name: String,
    attester: Vec<u8>,
    peer: Option<Vec<u8>>,
    role: Option<Role>,
    exporter: Option<[u8; 32]>,
    suite: SuiteHash,
    buffer: Vec<u8>,
    report_data: [u8; 64],
}

impl Known {
    fn read(case: &Value) -> Self {
        let text = |name: &str| case.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).map(|text| hex::decode(text).expect("hex"));
        Self {
            name: text("name").expect("a name").to_owned(),
            attester: bytes("spki_attester").expect("a key"),
            peer: bytes("spki_peer"),
            role: text("role").map(|role| match role {
                "server" => Role::Server,
                "client" => Role::Client,
                other => panic!("role {other}"),
            }),
            exporter: bytes("ekm").map(|bytes| bytes.try_into().expect("32 bytes")),
            suite: match text("hash") {
                Some("sha256") => SuiteHash::Sha256,
                Some("sha384") => SuiteHash::Sha384,
                other => panic!("hash {other:?}"),
            },
            buffer: bytes("claims_buffer").expect("a buffer"),
            report_data: bytes("report_data")
                .expect("report data")
                .try_into()
                .expect("64 bytes"),
        }
    }

    fn preimage(&self) -> Preimage<'_> {
        match (self.role, self.exporter) {
            (Some(role), Some(exporter)) => Preimage::Session(Session {
                role,
                attester: &self.attester,
                peer: self.peer.as_deref(),
                name: None,
                exporter,
                suite: self.suite,
            }),
            (None, None) => Preimage::Certificate {
                spki: &self.attester,
            },
            (Some(_), None) | (None, Some(_)) => panic!("{}", self.name),
        }
    }

    fn presented(&self) -> Presented<'_> {
        Presented {
            report_data: &self.report_data,
            preimage: Some(&self.buffer),
        }
    }
}

#[test]
fn the_worked_claims_buffers_are_reproduced_and_matched() {
    let Some(cases) = known() else { return };
    assert_eq!(cases.len(), 4);
    for case in cases.iter().map(Known::read) {
        assert_eq!(case.preimage().encode(), case.buffer, "{}", case.name);
        assert_eq!(case.preimage().report_data().as_bytes(), &case.report_data);
        assert_eq!(case.preimage().check(&case.presented()), Ok(()));
    }
}

/// The same connection with one thing else, each in turn.
fn others<'a>(session: &Session<'a>) -> [Preimage<'a>; 7] {
    let role = match session.role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    };
    let suite = match session.suite {
        SuiteHash::Sha256 => SuiteHash::Sha384,
        SuiteHash::Sha384 => SuiteHash::Sha256,
    };
    let mut exporter = session.exporter;
    exporter[31] ^= 1;
    let peer = match session.peer {
        Some(_) => None,
        None => Some(PEER),
    };
    let with = |change: &dyn Fn(&mut Session<'a>)| {
        let mut other = session.clone();
        change(&mut other);
        Preimage::Session(other)
    };
    [
        with(&|other| other.role = role),
        with(&|other| other.suite = suite),
        with(&|other| other.exporter = exporter),
        with(&|other| other.peer = peer),
        with(&|other| other.peer = Some(ATTESTER)),
        with(&|other| other.attester = PEER),
        with(&|other| other.name = Some("mcp.example.com")),
    ]
}

#[test]
fn the_worked_claims_buffers_are_refused_under_any_other_role_peer_exporter_or_key() {
    let Some(cases) = known() else { return };
    let mut refused = 0;
    for case in cases.iter().map(Known::read) {
        let presented = case.presented();
        let Preimage::Session(session) = case.preimage() else {
            let other = Preimage::Certificate { spki: PEER };
            assert_eq!(other.check(&presented), Err(Unbound::Key));
            let session = Preimage::Session(mutual());
            assert!(matches!(session.check(&presented), Err(Unbound::Kind(_))));
            continue;
        };
        for other in others(&session) {
            assert!(other.check(&presented).is_err(), "{} {other:?}", case.name);
            refused += 1;
        }
        let certificate = Preimage::Certificate {
            spki: &case.attester,
        };
        assert!(matches!(
            certificate.check(&presented),
            Err(Unbound::Kind(_))
        ));
    }
    assert_eq!(refused, 21);
}

#[test]
fn a11_all_64_bytes_of_the_report_data_count() {
    let Some(cases) = known() else { return };
    for case in cases.iter().map(Known::read) {
        for place in 0..64 {
            let mut report_data = case.report_data;
            report_data[place] ^= 0x80;
            let presented = Presented {
                report_data: &report_data,
                ..case.presented()
            };
            let checked = case.preimage().check(&presented);
            assert!(
                matches!(checked, Err(Unbound::ReportData { .. })),
                "{place}"
            );
        }
    }
}

#[test]
fn what_differs_between_two_connections_is_named() {
    let expected = Preimage::Session(mutual());
    let made = |session: Session<'static>| check(&expected, &Preimage::Session(session));
    assert_eq!(made(mutual()), Ok(()));
    assert_eq!(
        made(Session {
            role: Role::Client,
            ..mutual()
        }),
        Err(Unbound::Role { expected: "server" })
    );
    assert_eq!(
        made(Session {
            peer: None,
            ..mutual()
        }),
        Err(Unbound::Peer)
    );
    assert_eq!(
        made(Session {
            attester: PEER,
            ..mutual()
        }),
        Err(Unbound::Key)
    );
    assert_eq!(
        made(Session {
            exporter: [0x12; 32],
            ..mutual()
        }),
        Err(Unbound::Binder)
    );
    assert_eq!(
        made(Session {
            name: Some("a"),
            ..mutual()
        }),
        Err(Unbound::Name)
    );
    assert_eq!(
        made(Session {
            suite: SuiteHash::Sha384,
            ..mutual()
        }),
        Err(Unbound::Hash {
            expected: "sha256",
            actual: "sha384"
        })
    );
}

#[test]
fn a_name_stands_before_the_peer_in_deterministic_order() {
    let session = Session {
        name: Some("mcp.example.com"),
        ..mutual()
    };
    let buffer = Preimage::Session(session).encode();
    let names: Vec<&str> = Claims::parse(&buffer)
        .expect("claims")
        .iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "nonce",
            "cmcp-name",
            "cmcp-peer",
            "cmcp-role",
            "pubkey-hash"
        ]
    );
}

fn with_claims(claims: &[(&str, &[u8])]) -> Vec<u8> {
    let claims = claims
        .iter()
        .map(|(name, value)| (Item::Text(name), Item::Bytes(value)));
    cbor::encode(&Item::Map(claims.collect()))
}

fn key_claim(number: u64, digest: &[u8]) -> Vec<u8> {
    cbor::encode(&Item::Array(vec![Item::Uint(number), Item::Bytes(digest)]))
}

#[test]
fn a_sessions_claims_are_expected_and_no_others() {
    let session = mutual();
    let key = key_claim(1, &NamedHash::Sha256.digest(&[ATTESTER]));
    let peer = Sha256Digest::of(PEER);
    let binder = session.binder();
    let claims: Vec<(&str, &[u8])> = vec![
        ("nonce", &binder),
        ("cmcp-peer", peer.as_bytes()),
        ("cmcp-role", b"server"),
        ("pubkey-hash", &key),
    ];
    let expected = Preimage::Session(session);
    assert_eq!(check_buffer(&expected, &with_claims(&claims)), Ok(()));
    let mut more = claims.clone();
    more.push(("zone", b"eu"));
    assert_eq!(
        check_buffer(&expected, &with_claims(&more)),
        Err(Unbound::Spelling {
            claims: "zone, nonce, cmcp-peer, cmcp-role, pubkey-hash".to_owned()
        })
    );
    // The length of the role in one byte more than it needs.
    let mut wide = with_claims(&claims);
    let at = wide
        .windows(7)
        .position(|window| window == b"\x46server")
        .expect("the role");
    wide.splice(at..=at, [0x58, 6]);
    assert!(matches!(
        check_buffer(&expected, &wide),
        Err(Unbound::Spelling { .. })
    ));
}

#[test]
fn a_certificates_claims_may_be_more_and_in_any_order() {
    let key = key_claim(8, &NamedHash::Sha512.digest(&[ATTESTER]));
    let mut buffer = vec![0xa2];
    for (name, value) in [("pubkey-hash", key.as_slice()), ("key_0", b"value")] {
        buffer.extend(cbor::encode(&Item::Text(name)));
        buffer.extend(cbor::encode(&Item::Bytes(value)));
    }
    assert_eq!(
        check_buffer(&Preimage::Certificate { spki: ATTESTER }, &buffer),
        Ok(())
    );
    let names: Vec<&str> = Claims::parse(&buffer)
        .expect("claims")
        .iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["pubkey-hash", "key_0"]);
}

fn refused(buffer: &[u8], error: &ClaimsError) {
    assert_eq!(Claims::parse(buffer).as_ref(), Err(error));
    let expected = Preimage::Certificate { spki: ATTESTER };
    assert_eq!(
        check_buffer(&expected, buffer),
        Err(Unbound::Claims(error.clone()))
    );
}

#[test]
fn claims_buffers_without_a_key_that_can_be_compared_are_refused_by_name() {
    let digest = NamedHash::Sha256.digest(&[ATTESTER]);
    let stated = |claim: &[u8]| with_claims(&[("pubkey-hash", claim)]);
    refused(&with_claims(&[]), &ClaimsError::KeyMissing);
    let number = 2;
    refused(
        &stated(&key_claim(number, &digest)),
        &ClaimsError::HashUnknown { number },
    );
    let length = ClaimsError::HashLength {
        hash: NamedHash::Sha384,
        expected: 48,
        actual: 32,
    };
    refused(&stated(&key_claim(7, &digest)), &length);
    refused(&stated(&[0x01]), &ClaimsError::KeyShape);
    refused(
        &stated(&[0x82, 0x41, 0x01, 0x41, 0x01]),
        &ClaimsError::KeyShape,
    );
}

#[test]
fn claims_buffers_that_are_no_strict_map_are_refused_by_name() {
    let right = with_claims(&[(
        "pubkey-hash",
        &key_claim(1, &NamedHash::Sha256.digest(&[ATTESTER])),
    )]);
    assert_eq!(right.len(), 51);
    let trailing: Vec<u8> = right.iter().copied().chain([0]).collect();
    refused(&trailing, &CborError::Trailing { at: 51, left: 1 }.into());
    let twice: Vec<u8> = [&[0xa2], &right[1..], &right[1..]].concat();
    refused(&twice, &CborError::Duplicate { at: 51 }.into());
    let indefinite: Vec<u8> = [&[0xbf], &right[1..], &[0xff]].concat();
    refused(&indefinite, &CborError::Indefinite { at: 0 }.into());
    let found = "an array";
    refused(&[0x80], &ClaimsError::NotAMap { found });
    let found = "a number";
    refused(&[0xa1, 0x01, 0x40], &ClaimsError::Name { found });
    let text = Item::Map(vec![(Item::Text("pubkey-hash"), Item::Text("x"))]);
    let name = "pubkey-hash".to_owned();
    let found = "a text string";
    refused(&cbor::encode(&text), &ClaimsError::Value { name, found });
}

#[test]
fn evidence_without_the_preimage_it_needs_is_refused() {
    for kind in kinds() {
        let report_data = kind.report_data();
        let presented = Presented {
            report_data: report_data.as_bytes(),
            preimage: None,
        };
        let checked = kind.check(&presented);
        match kind {
            Preimage::Record { .. } | Preimage::Challenge { .. } => assert_eq!(checked, Ok(())),
            Preimage::Certificate { .. } | Preimage::Session(_) | Preimage::Release(_) => {
                assert!(matches!(checked, Err(Unbound::Missing { .. })));
            }
        }
    }
}

#[test]
fn runtime_data_names_its_key_by_thumbprint() {
    let release = Release {
        modulus: &[0xc5; 4],
        exponent: &[1, 0, 1],
        nonce: "bm9uY2U",
        spki: ATTESTER,
    };
    let thumbprint = Sha256Digest::of(br#"{"e":"AQAB","kty":"RSA","n":"xcXFxQ"}"#);
    let expected = format!(
        r#"{{"keys":[{{"e":"AQAB","key_ops":["encrypt"],"kid":"{}","kty":"RSA","n":"xcXFxQ"}}],"nonce":"bm9uY2U","tls_spki_sha256":"{}"}}"#,
        b64::encode(thumbprint.as_bytes()),
        b64::encode(Sha256Digest::of(ATTESTER).as_bytes()),
    );
    assert_eq!(Preimage::Release(release).encode(), expected.as_bytes());
}

#[test]
fn what_gpus_and_small_tpms_answer_follows_from_the_same_bytes() {
    let session = mutual();
    let mut preimage = b"cmcp-gpu\0".to_vec();
    preimage.extend(session.binder());
    assert_eq!(session.gpu_nonce(), Sha256Digest::of(&preimage));
    let data = Preimage::Session(session).report_data();
    assert_eq!(data.for_small_tpm(), Sha256Digest::of(data.as_bytes()));
}
