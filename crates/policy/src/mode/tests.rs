use super::*;

#[test]
fn every_mode_is_read_back_from_its_word() {
    for mode in [Mode::Advisory, Mode::Enforcing, Mode::Silent] {
        assert_eq!(mode.to_string().parse(), Ok(mode));
    }
    assert_eq!(
        "Enforcing".parse::<Mode>(),
        Err(UnknownMode("Enforcing".to_owned()))
    );
    assert_eq!(Mode::default(), Mode::Enforcing);
}

#[test]
fn only_enforcing_refuses_and_only_its_trace_word_differs() {
    assert!(Mode::Enforcing.refuses());
    assert!(!Mode::Advisory.refuses() && !Mode::Silent.refuses());
    assert_eq!(Mode::Enforcing.trace_word(), "enforce");
    assert_eq!(Mode::Advisory.trace_word(), "advisory");
    assert_eq!(Mode::Silent.trace_word(), "silent");
}
