use cmcp_evidence::{
    Binding, Endorsements, Evidence, Input, Part, Platform, Timestamp, appraise,
    endorse::{Offered, Sorted},
};

use super::*;
use crate::reference_values::Read;

fn rendered(evidence: &Evidence, items: &Sorted) -> (Vec<String>, Value) {
    let values = Read::shipped().unwrap();
    let result = appraise(&Input {
        evidence,
        endorsements: &Endorsements::default(),
        binding: &Binding::Challenge(vec![1; 16]),
        policy: &values.values,
        at: Timestamp::from_unix_seconds(1_780_000_000),
    });
    let unused = (0..items.items.len()).collect();
    let verdict = Verdict {
        result: &result,
        format: "a \u{1b}[31mformat",
        digest: evidence.digest(),
        bytes: evidence.size(),
        bound: "a challenge",
        policy: Policy {
            name: "mine\u{202e}.yaml",
            digest: values.digest,
            signed: "no signature asked for",
        },
        items: &items.items,
        unused: &unused,
    };
    (lines(&verdict), document(&verdict))
}

#[test]
fn what_was_not_reached_is_open_and_says_what_to_do() {
    let evidence = Evidence::new(Platform::Snp).with(Part::Report, [0; 3]);
    let (lines, document) = rendered(&evidence, &Sorted::default());
    let open = lines
        .iter()
        .position(|line| line.starts_with("OPEN   snp.debug: "));
    let open = open.unwrap_or_else(|| panic!("{lines:#?}"));
    assert!(
        lines[open + 1].starts_with("         remedy:   "),
        "{}",
        lines[open + 1]
    );
    assert_eq!(
        lines[open + 3],
        "         actual:   not reached: see what failed"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("FAIL   snp.format: "))
    );
    let last = lines.last().unwrap();
    assert!(
        last.starts_with("RESULT: contraindicated (1 failed, "),
        "{last}"
    );
    let checks = document.get("checks").and_then(Value::as_array).unwrap();
    let open = checks
        .iter()
        .find(|check| check.get("code").and_then(Value::as_str) == Some("snp.debug"));
    let open = open.unwrap();
    assert_eq!(
        open.get("outcome").and_then(Value::as_str),
        Some("not-done")
    );
    assert_eq!(document.get("proved").and_then(Value::as_bool), Some(false));
}

#[test]
fn names_from_elsewhere_cannot_change_what_a_terminal_shows() {
    let mut items = Sorted::default();
    items.offer(
        &[Offered {
            name: "a\nendorsement: b: used\u{1b}[2J".to_owned(),
            bytes: b"junk".to_vec(),
        }],
        &[],
    );
    let evidence = Evidence::new(Platform::Software);
    let (lines, _) = rendered(&evidence, &items);
    for line in &lines {
        let hidden = |c: char| c.is_control() || c == '\u{202e}';
        assert!(!line.contains(hidden), "{line:?}");
    }
    let offered = lines
        .iter()
        .filter(|line| line.starts_with("endorsement: "));
    assert_eq!(offered.count(), 1, "{lines:#?}");
}

#[test]
fn codes_fill_lines_and_no_line_is_too_long() {
    let evidence = Evidence::new(Platform::Snp).with(Part::Report, [0; 3]);
    let (lines, _) = rendered(&evidence, &Sorted::default());
    let met = lines.iter().position(|line| line.starts_with("met ("));
    assert!(met.is_some(), "{lines:#?}");
    for line in &lines[met.unwrap()..] {
        assert!(line.len() <= WIDTH, "{line}");
    }
}
