use std::collections::BTreeSet;

use super::Code;

#[test]
fn our_own_codes_lie_outside_the_range_that_json_rpc_reserves() {
    let reserved = -32768..=-32000;
    let ours: Vec<_> = Code::ALL
        .into_iter()
        .filter(|code| !reserved.contains(&code.value()))
        .collect();
    assert_eq!(ours.len(), 10);
    assert!(ours.contains(&Code::PolicyDenied) && ours.contains(&Code::SessionNotFound));
}

#[test]
fn no_two_codes_share_a_number() {
    let numbers: BTreeSet<_> = Code::ALL.into_iter().map(Code::value).collect();
    assert_eq!(numbers.len(), Code::ALL.len());
}

#[test]
fn between_minus_32019_and_minus_32000_speak_the_old_dialect_and_the_legacy_era_alone() {
    let old: Vec<_> = Code::ALL
        .into_iter()
        .filter(|code| (-32019..=-32000).contains(&code.value()))
        .collect();
    assert_eq!(old, [Code::ResourceNotFound, Code::Compat]);
}
