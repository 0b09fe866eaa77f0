use cmcp_evidence::SigningKey;

use super::*;

fn problems(text: &str) -> Vec<String> {
    let read = Read::from_bytes(text.as_bytes(), Some(Path::new("mine.yaml")));
    let problems = read.err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_shipped_reference_values_decide_every_field() {
    if let Err(problems) = Read::shipped() {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"));
    }
}

#[test]
fn c01_reference_values_that_decide_nothing_are_refused() {
    assert_eq!(
        problems(""),
        ["mine.yaml:1:1: `` is null, and must be a mapping"]
    );
    let found = problems("format: cmcp-reference-values/v1\n");
    assert!(found.len() > 12, "{found:?}");
    let missing = "is not decided; a field that is left out is never taken for granted";
    for platform in ["snp", "tdx", "azure-tdx"] {
        let line = format!("mine.yaml:1:1: `{platform}` {missing}");
        assert!(found.contains(&line), "{found:?}");
    }
    let empty = SHIPPED.replace("    vmpl: [0]\n    abi", "    vmpl: []\n    abi");
    let found = problems(&empty);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("`snp.guest.vmpl` must be a list of privilege levels"),
        "{found:?}"
    );
}

#[test]
fn c02_a_fault_is_shown_at_its_line_and_column() {
    let lines: Vec<&str> = SHIPPED.lines().collect();
    let at = |wanted: &str| {
        let found = lines.iter().position(|line| line.starts_with(wanted));
        found.unwrap() + 1
    };
    let misspelt = SHIPPED.replace("freshness:", "freshnes:");
    let line = at("freshness:");
    let found = problems(&misspelt);
    assert_eq!(found.len(), 2, "{found:?}");
    let first = at("format:");
    assert!(
        found[0].starts_with(&format!("mine.yaml:{first}:1: `freshness` is not decided")),
        "{found:?}"
    );
    assert!(
        found[1].starts_with(&format!("mine.yaml:{line}:1: `freshnes` is not known here")),
        "{found:?}"
    );
    let inner = SHIPPED.replace(
        "alias_check: required\n    # As",
        "alias_check: yes\n    # As",
    );
    let found = problems(&inner);
    let line = lines
        .iter()
        .rposition(|line| line.contains("alias_check: required"))
        .unwrap()
        + 1;
    assert_eq!(
        found,
        [format!(
            "mine.yaml:{line}:5: `snp.machine.alias_check` must be one of: required, not-required"
        )]
    );
}

#[test]
fn c04_a_digest_of_another_length_is_refused() {
    let sha256 = SHIPPED.replace(
        "computes launch digests.\n  measurements: none",
        &format!(
            "computes launch digests.\n  measurements: {{release: \"{}\"}}",
            "ab".repeat(32)
        ),
    );
    let found = problems(&sha256);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].ends_with("`snp.measurements` `release` has 64 digits, and must have 96"),
        "{found:?}"
    );
}

#[test]
fn c05_contradictions_are_refused_when_they_are_read() {
    let any = SHIPPED.replace(
        "  # Name your machines.\n  chip_ids: [",
        "  # Name your machines.\n  chip_ids: any # [",
    );
    let found = problems(&any);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("`snp.identity` is `pinned`, and neither"),
        "{found:?}"
    );
}

#[test]
fn what_another_reader_might_read_otherwise_is_refused() {
    for (from, to) in [
        ("freshness: ", "freshness: &a "),
        ("freshness: ", "freshness: !!str "),
        ("freshness: ", "freshness: unproven\nfreshness: "),
        ("maa: refused", "maa: refused\n---\na: b"),
    ] {
        assert!(!problems(&SHIPPED.replace(from, to)).is_empty(), "{to}");
    }
    // A number where digits of a value are meant.
    let number = SHIPPED.replace(
        "ppids: [\"ffffffffffffffffffffffffffffffff\"]",
        "ppids: [11111111111111111111111111111111]",
    );
    let found = problems(&number);
    assert!(
        found[0].ends_with("must be 32 hexadecimal digits, in quotes"),
        "{found:?}"
    );
}

#[test]
fn a_signature_covers_the_bytes_and_is_of_the_key_that_was_named() {
    let key = SigningKey::from_seed(&[1; 32]);
    let document = b"format: cmcp-reference-values/v1\n";
    let signature = key.sign(&signed_bytes(document));
    let text = format!("{}\n", signature.to_b64url());
    assert_eq!(
        verify(document, signature.as_bytes(), &key.public()),
        Ok(())
    );
    assert_eq!(verify(document, text.as_bytes(), &key.public()), Ok(()));
    let other = SigningKey::from_seed(&[2; 32]).public();
    let mismatch = Err(Unsigned::Mismatch);
    assert_eq!(verify(document, text.as_bytes(), &other), mismatch);
    // White space is part of what was signed.
    assert_eq!(
        verify(
            b"format: cmcp-reference-values/v1\n\n",
            text.as_bytes(),
            &key.public()
        ),
        mismatch
    );
    // The bytes of the document themselves are not what is signed: no other signature fits.
    let plain = key.sign(document);
    assert_eq!(verify(document, plain.as_bytes(), &key.public()), mismatch);
    for form in ["", "abc", "+++"] {
        assert_eq!(
            verify(document, form.as_bytes(), &key.public()),
            Err(Unsigned::Form)
        );
    }
}

#[test]
fn the_sections_that_the_guide_shows_are_valid() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/evidence.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let mut shown = 0;
    for block in guide.split("\n```yaml\n").skip(1) {
        let block = block.split("\n```\n").next().unwrap();
        let name = block.split(':').next().unwrap();
        let mine = SHIPPED.replace(&format!("\n{name}: refused\n"), &format!("\n{block}\n"));
        assert_ne!(mine, SHIPPED, "{name}");
        assert_eq!(problems(&mine), Vec::<String>::new(), "{name}");
        shown += 1;
    }
    assert_eq!(shown, 4);
}
