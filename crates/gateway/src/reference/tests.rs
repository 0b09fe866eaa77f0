use std::collections::BTreeSet;

use super::{call_ends, route_faults, rpc_errors};

#[test]
fn no_word_and_no_number_is_given_twice() {
    let ends: BTreeSet<_> = call_ends().map(|end| end.code).collect();
    assert_eq!(ends.len(), call_ends().count());
    let faults: BTreeSet<_> = route_faults().map(|fault| fault.code).collect();
    assert_eq!(faults.len(), route_faults().count());
    let numbers: BTreeSet<_> = rpc_errors().map(|error| error.code).collect();
    assert_eq!(numbers.len(), rpc_errors().count());
}

#[test]
fn the_0_7_1_dialect_has_one_code_but_for_bad_arguments() {
    for end in call_ends() {
        let expected = if end.code == "arguments_invalid" {
            -32602
        } else {
            -32000
        };
        assert_eq!(end.compat.1, expected, "{}", end.code);
        assert!((400..=599).contains(&end.compat.0), "{}", end.code);
    }
}

#[test]
fn codes_of_our_own_lie_outside_the_reserved_range() {
    for end in call_ends() {
        let reserved = (-32768..=-32000).contains(&end.negotiated);
        let known = [-32602, -32603].contains(&end.negotiated);
        assert!(!reserved || known, "{}", end.code);
    }
}
