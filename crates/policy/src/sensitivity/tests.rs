use super::{Sensitivity, Vocabulary, VocabularyError};

#[test]
fn the_higher_rank_wins_and_a_tie_keeps_the_label_held() {
    let words = Vocabulary::builtin();
    let pii = words.sensitivity("pii").unwrap();
    let mnpi = words.sensitivity("mnpi").unwrap();
    let phi = words.sensitivity("hipaa_phi").unwrap();
    assert_eq!(Sensitivity::public().join(&pii).name(), "pii");
    assert_eq!(pii.clone().join(&Sensitivity::public()).name(), "pii");
    assert_eq!(phi.clone().join(&mnpi).name(), "hipaa_phi");
    assert_eq!(mnpi.join(&phi).name(), "mnpi");
}

#[test]
fn the_builtin_ranks_are_those_of_the_format() {
    let words = Vocabulary::builtin();
    let ranks: Vec<_> = words.labels().collect();
    assert_eq!(
        ranks,
        [
            ("confidential", 2),
            ("hipaa_phi", 3),
            ("mnpi", 3),
            ("pii", 1),
            ("public", 0),
            ("trade_secret", 3)
        ]
    );
    let regulated: Vec<_> = words
        .domains()
        .filter(|(_, regulated)| *regulated)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(regulated, ["hipaa_phi", "mnpi", "pci_data", "pii"]);
}

#[test]
fn a_deployment_adds_labels_and_domains_but_redefines_none() {
    let words = Vocabulary::extended([("top".to_owned(), 9)], [("gdpr".to_owned(), true)]).unwrap();
    assert_eq!(words.sensitivity("top").map(|label| label.rank()), Some(9));
    assert_eq!(words.regulated("gdpr"), Some(true));
    assert_eq!(words.regulated("unheard"), None);

    let errors = Vocabulary::extended(
        [("pii".to_owned(), 0), ("Ort ".to_owned(), 1)],
        [("pii".to_owned(), false)],
    );
    assert_eq!(
        errors,
        Err(vec![
            VocabularyError::Label("pii".to_owned()),
            VocabularyError::Name("Ort ".to_owned()),
            VocabularyError::Domain("pii".to_owned()),
        ])
    );
}
