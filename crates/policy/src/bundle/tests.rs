use cmcp_evidence::SigningKey;

use super::*;
use crate::fixture::{bundle, files, json, shared, told};

mod limits;
mod signing;

fn refused(files: &[(String, Vec<u8>)]) -> String {
    told(&PolicyBundle::parse(files, Compat::Off).unwrap_err())
}

fn with(path: &str, text: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut files = files("permit(principal, action, resource);");
    files.retain(|(known, _)| known != path);
    files.push((path.to_owned(), text.to_vec()));
    files
}

fn without(path: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = files("permit(principal, action, resource);");
    files.retain(|(known, _)| known != path);
    files
}

fn sample() -> Option<Vec<(String, Vec<u8>)>> {
    ["demo.cedar", "manifest.json", "schema.cedarschema"]
        .into_iter()
        .map(|name| {
            let bytes = shared(&format!("formats/cmcp-sample/policies/{name}"))?;
            Some((name.to_owned(), bytes))
        })
        .collect()
}

#[test]
fn the_sample_bundle_has_the_hashes_of_the_python_cmcp() {
    let Some(files) = sample() else { return };
    for compat in [Compat::Off, Compat::V07] {
        let bundle = PolicyBundle::parse(&files, compat).unwrap();
        assert_eq!(
            bundle.hash().to_string(),
            "sha256:f514dade035f4bc89ce0cfef8e071b67313355e8ad47859272d7df87e96e077b"
        );
        assert_eq!(
            bundle.hash_v02().to_string(),
            "sha256:c1a760cc301575bbde089a46cd43c4eba6fe8f1413ed9b313d76be5ecc187933"
        );
        assert_eq!(
            bundle.signed_bytes(),
            b"cmcp-policy-bundle-v1|sha256:f514dade035f4bc89ce0cfef8e071b67313355e8ad47859272d7df87e96e077b"
        );
    }
}

#[test]
fn every_hashed_file_counts_and_no_other() {
    let hash =
        |files: &[(String, Vec<u8>)]| PolicyBundle::parse(files, Compat::Off).unwrap().hash();
    let plain = hash(&files("permit(principal, action, resource);"));
    assert_eq!(plain, hash(&with("README.md", b"x")));
    assert_eq!(plain, hash(&with("signing-key-revocations.json", b"[]")));
    assert_ne!(plain, hash(&files("permit(principal, action, resource) ;")));
    assert_ne!(plain, hash(&with("schema.cedarschema", b"{ }")));
    assert_ne!(plain, hash(&with("sub/more.cedar", b"")));
    let manifest = |more: &str| {
        let text = format!(
            r#"{{"version": "1", "authored_at": "t", "author_identity": "a", "commit_sha": "0"{more}}}"#
        );
        hash(&with("manifest.json", text.as_bytes()))
    };
    assert_eq!(manifest(""), manifest(r#", "signature": "AA""#));
    assert_ne!(manifest(""), manifest(r#", "approval_chain": []"#));
}

#[test]
fn a_carriage_return_is_refused_and_under_compat_read_as_a_line_end() {
    let crlf = files("permit(principal,\r\n action, resource);\r");
    assert_eq!(
        refused(&crlf),
        "`p.cedar`, line 1: a carriage return gives the bundle two hashes: save the file with `\\n` \
         line ends, or ask for `compat: cmcp-0.7`, which reads it as `\\n`"
    );
    let translated = PolicyBundle::parse(&crlf, Compat::V07).unwrap();
    let unix = bundle("permit(principal,\n action, resource);\n", Compat::V07).unwrap();
    assert_eq!(translated.hash(), unix.hash());
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let files = [
        (
            "manifest.json",
            br#"{"version": "", "authored_at": 5, "commit_sha": "0"}"#.as_slice(),
        ),
        ("a.cedar", b"permit(principal, action);"),
        (
            "b.cedar",
            b"permit(principal, action, resource) when { 1 + };\n\nforbid(;",
        ),
        ("c.cedar", b"\xff"),
        ("../d.cedar", b""),
        ("e.cedar", b""),
        ("e.cedar", b""),
    ];
    let told = refused(&files.map(|(path, bytes)| (path.to_owned(), bytes.to_vec())));
    for part in [
        "`manifest.json`: `version` is missing or not a non-empty string",
        "`manifest.json`: `authored_at` is missing or not a non-empty string",
        "`manifest.json`: `author_identity` is missing",
        "`schema.cedarschema` is missing",
        "`a.cedar`, line 1: ",
        "`b.cedar`, line 1: ",
        "`b.cedar`, line 3: ",
        "`c.cedar` is not UTF-8 text",
        "`../d.cedar` is not a path inside the bundle",
        "`e.cedar` is given twice",
    ] {
        assert!(told.contains(part), "`{part}` is not in\n{told}");
    }
    assert!(!told.contains("commit_sha` is missing"), "{told}");
}

#[test]
fn a_missing_file_is_named() {
    assert!(refused(&without("manifest.json")).contains("`manifest.json` is missing"));
    assert!(refused(&without("schema.cedarschema")).contains("`schema.cedarschema` is missing"));
    assert!(refused(&without("p.cedar")).contains("no `.cedar` file"));
}

#[test]
fn a_manifest_with_two_readings_is_refused_with_its_place() {
    let twice = b"{\"version\": \"1\",\n \"version\": \"2\"}";
    assert_eq!(
        refused(&with("manifest.json", twice)),
        "`manifest.json`, line 2, column 2: member name repeated in one object"
    );
    assert_eq!(
        refused(&with("manifest.json", b"[]")),
        "`manifest.json` is not a JSON object"
    );
}

#[test]
fn ids_are_annotated_or_told_by_file_and_place_and_under_compat_counted() {
    let files = [
        ("manifest.json", files("")[0].1.clone()),
        ("schema.cedarschema", b"{}".to_vec()),
        ("b.cedar", b"permit(principal, action, resource);".to_vec()),
        ("a/z.cedar", b"@id(\"named\") permit(principal, action, resource);forbid(principal,action,resource);".to_vec()),
    ]
    .map(|(path, bytes)| (path.to_owned(), bytes));
    let ids = |compat| -> Vec<String> {
        let bundle = PolicyBundle::parse(&files, compat).unwrap();
        bundle.rules().iter().map(|rule| rule.id.clone()).collect()
    };
    assert_eq!(ids(Compat::Off), ["named", "a/z.cedar:1", "b.cedar:0"]);
    assert_eq!(ids(Compat::V07), ["named", "policy1", "policy2"]);
}

#[test]
fn an_id_is_used_once() {
    let twice = "@id(\"x\") permit(principal, action, resource);\n@id(\"x\")\nforbid(principal, action, resource);";
    assert_eq!(
        told(&bundle(twice, Compat::Off).unwrap_err()),
        "`p.cedar`, line 2, policy `x`: `@id(\"x\")` is also the policy at `p.cedar`, line 1, policy \
         `x`: ids are what the log names, so each is used once"
    );
}

#[test]
fn under_compat_an_id_used_twice_is_only_an_annotation() {
    let twice = "@id(\"x\") permit(principal, action, resource);\n@id(\"x\") forbid(principal, action, resource);";
    let bundle = bundle(twice, Compat::V07).unwrap();
    let ids: Vec<&str> = bundle.rules().iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["x", "policy1"]);
}

#[test]
fn what_is_no_cedar_is_told_with_a_remedy() {
    let advice =
        "permit(principal, action, resource)\nwhen { true }\nadvice { redact_fields: [\"ssn\"] };";
    let said = told(&bundle(advice, Compat::Off).unwrap_err());
    assert!(said.starts_with("`p.cedar`, line 3: "), "{said}");
    assert!(
        said.contains("annotate the policy, such as `@redact"),
        "{said}"
    );
    let template = "permit(principal == ?principal, action, resource);";
    assert_eq!(
        told(&bundle(template, Compat::Off).unwrap_err()),
        "`p.cedar`, line 1: it is a template (`?principal` or `?resource`): write the name in its place"
    );
}

#[test]
fn redaction_paths_are_read_when_the_bundle_is() {
    let good = r#"@redact("$.structuredContent.ssn, $.content[0].text $[\"_meta\"][\"a, b\"]")
        permit(principal, action, resource);"#;
    let paths: Vec<String> = bundle(good, Compat::Off).unwrap().rules()[0]
        .redact
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        paths,
        [
            "$.structuredContent.ssn",
            "$.content[0].text",
            "$._meta[\"a, b\"]"
        ]
    );
    for bad in ["", "ssn", "$.ssn", "$.structuredContent[", "$"] {
        let policy = format!("@redact(\"{bad}\")\npermit(principal, action, resource);");
        let said = told(&bundle(&policy, Compat::Off).unwrap_err());
        assert!(
            said.starts_with("`p.cedar`, line 1, policy `p.cedar:0`: `@redact`: "),
            "{said}"
        );
    }
}

#[test]
fn names_of_older_bundles_are_aliases_wherever_they_stand() {
    let older = r#"
        // cMCP::Resource::"in a comment"
        permit(principal is cMCP::Principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"x")
        when { resource in [cMCP::Resource::"cMCP::Resource"] && context.workflow_id != "cMCP::x" }
        unless { principal is cMCP::Agent in cMCP::Agent::"y" || other::Agent::"z" == principal };"#;
    let newer = older.replace("cMCP::Principal,", "Agent,");
    let newer = newer
        .replace("cMCP::Action", "Action")
        .replace("[cMCP::Resource::\"cMCP", "[Resource::\"cMCP");
    let newer = newer
        .replace("== cMCP::Resource", "== Resource")
        .replace("is cMCP::Agent in cMCP::", "is Agent in ");
    let body = |text: &str| bundle(text, Compat::Off).unwrap().rules()[0].body.clone();
    assert_eq!(body(older), body(&newer));
    assert!(
        newer.contains("\"cMCP::x\"") && newer.contains("\"cMCP::Resource\""),
        "{newer}"
    );
}

#[test]
fn a_bundle_replaces_one_of_a_lower_version_only() {
    let of = |version: &str| {
        let manifest = json(&format!(
            r#"{{"version": "{version}", "authored_at": "t", "author_identity": "a", "commit_sha": "0"}}"#
        ));
        PolicyBundle::parse(&with("manifest.json", &manifest.to_vec()), Compat::Off).unwrap()
    };
    for (new, old) in [
        ("1.2.10", "1.2.9"),
        ("2", "1.9"),
        ("1.0.0", "1.0"),
        ("1.0.0.1", "1.0.0"),
    ] {
        assert_eq!(of(new).supersedes(&of(old)), Ok(()), "{new} {old}");
        assert!(of(old).supersedes(&of(new)).is_err(), "{old} {new}");
    }
    assert_eq!(
        of("1.0").supersedes(&of("1.0")),
        Err(VersionError::NotGreater {
            offered: "1.0".to_owned(),
            running: "1.0".to_owned()
        })
    );
    for odd in [
        "1.x",
        "v1",
        "1..2",
        "1.-1",
        "1.+1",
        " 1",
        "1.99999999999999999999",
    ] {
        assert_eq!(
            of(odd).supersedes(&of("0")),
            Err(VersionError::Unordered(odd.to_owned()))
        );
    }
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_seed(&[byte; 32])
}
