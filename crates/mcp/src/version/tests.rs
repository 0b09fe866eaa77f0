use super::Version;

#[test]
fn every_revision_reads_back_from_its_own_date() {
    for version in Version::ALL {
        assert_eq!(Version::parse(version.as_str()), Some(version));
    }
    assert_eq!(Version::parse("2025-11-26"), None);
    assert_eq!(Version::parse(" 2025-11-25"), None);
    assert_eq!(Version::parse(""), None);
}

#[test]
fn initialize_echoes_a_known_legacy_revision_and_answers_anything_else_with_the_newest() {
    for text in ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] {
        assert_eq!(Version::negotiate(text).as_str(), text);
    }
    for text in ["2026-07-28", "1.0", "", "2099-01-01"] {
        assert_eq!(Version::negotiate(text), Version::V2025_11_25);
    }
}

#[test]
fn only_the_stateless_revision_is_modern() {
    let modern: Vec<_> = Version::ALL.into_iter().filter(|v| v.is_modern()).collect();
    assert_eq!(modern, Version::MODERN);
}
