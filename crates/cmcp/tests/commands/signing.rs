use std::fs;

use cmcp_evidence::{PublicKey, Sha256Digest, Signature, SigningKey, b64};

use crate::{
    captured::{Case, domain},
    evidence::verify,
    support::run,
};

#[test]
fn signed_reference_values_are_taken_under_their_key_and_no_other() {
    let Some(domain) = domain() else { return };
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let key = SigningKey::from_seed(&[4; 32]);
    let digest = Sha256Digest::of(domain.values.as_bytes());
    let signed = format!("cmcp-reference-values-v1|{digest}");
    let signature = key.sign(signed.as_bytes());
    fs::write(here.join("mine.yaml.sig"), signature.as_bytes()).unwrap();
    let bound = ["--report-data", domain.report_data.as_str()];
    let with = |key: &str| {
        let mut more = bound.to_vec();
        more.extend(["--reference-values-key", key]);
        verify(here, &domain, &more)
    };
    let ran = with(&key.public().hex());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out
            .contains("reference values: mine.yaml, signed by the key that was named, sha256:"),
        "{}",
        ran.out
    );
    let other = with(&SigningKey::from_seed(&[5; 32]).public().hex());
    assert_eq!(other.code, 8);
    assert_eq!(
        other.err,
        "error: mine.yaml.sig: it does not hold under the key that was named; sign mine.yaml again\n"
    );
    let none = with("no-key");
    assert_eq!(none.code, 2, "{}", none.err);
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA{}\n-----END PUBLIC KEY-----\n",
        standard(&key.public())
    );
    fs::write(here.join("key.pem"), pem).unwrap();
    assert_eq!(with("key.pem").code, 0);
    let checked = run(
        here,
        &[
            "evidence",
            "reference-values",
            "--reference-values",
            "mine.yaml",
            "--reference-values-key",
            "key.pem",
        ],
        &[],
    );
    assert_eq!(checked.code, 0, "{}", checked.err);
    assert_eq!(
        checked.out,
        format!("✓ Reference values valid: mine.yaml\n{digest}\n")
    );
    // Changed by one blank after it was signed.
    let changed = Case {
        values: format!("{} ", domain.values),
        ..domain
    };
    let ran = verify(here, &changed, &["--reference-values-key", "key.pem"]);
    assert_eq!(ran.code, 8);
}

/// The 32 bytes of a key as PEM has them behind its head, whose twelve bytes end a group of four letters.
fn standard(key: &PublicKey) -> String {
    let text = b64::encode(key.as_bytes())
        .replace('-', "+")
        .replace('_', "/");
    format!("{text}=")
}

#[test]
fn an_attestation_result_is_signed_when_a_key_is_given() {
    let Some(domain) = domain() else { return };
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // RFC 8410, section 10.
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    fs::write(here.join("key.pem"), pem).unwrap();
    let plain = [
        "--report-data",
        domain.report_data.as_str(),
        "--format",
        "ear",
    ];
    let ran = verify(here, &domain, &plain);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for member in [
        r#""eat_profile":"tag:ietf.org,2026:rats/ear#04""#,
        r#""ear.status":"affirming""#,
        r#""iat":1782864000"#,
        r#""executables":3"#,
    ] {
        assert!(ran.out.contains(member), "{member}\n{}", ran.out);
    }
    let mut signed = plain.to_vec();
    signed.extend(["--sign-key", "key.pem"]);
    let token = verify(here, &domain, &signed);
    assert_eq!(token.code, 0, "{}", token.err);
    let token = token.out.trim_end();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let key = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
    let key = PublicKey::from_hex(key).unwrap();
    let signature = Signature::from_b64url(signature).unwrap();
    assert_eq!(key.verify(input.as_bytes(), &signature), Ok(()));
    let payload = input.split_once('.').unwrap().1;
    assert_eq!(b64::decode(payload).unwrap(), ran.out.trim_end().as_bytes());
    // A key that would sign nothing, and a file that is no key.
    let human = [
        "--report-data",
        domain.report_data.as_str(),
        "--sign-key",
        "key.pem",
    ];
    assert_eq!(verify(here, &domain, &human).code, 2);
    fs::write(here.join("key.pem"), "no key").unwrap();
    assert_eq!(verify(here, &domain, &signed).code, 7);
}
