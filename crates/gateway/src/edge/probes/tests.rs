use super::*;

fn address(n: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(n))
}

#[test]
fn a_budget_is_used_up_by_its_own_address_only_and_is_there_again_after_a_minute() {
    let budget = Budget::default();
    let start = Instant::now();
    for _ in 0..PER_MINUTE {
        assert!(budget.admits(address(1), start));
    }
    assert!(!budget.admits(address(1), start));
    assert!(budget.admits(address(2), start));
    let later = start + MINUTE - Duration::from_millis(1);
    assert!(!budget.admits(address(1), later));
    assert!(budget.admits(address(1), start + MINUTE));
}

#[test]
fn however_many_addresses_ask_the_table_stays_bounded_and_an_honest_one_is_let_in() {
    let budget = Budget::default();
    let start = Instant::now();
    for n in 0..3 * u32::try_from(ADDRESSES).unwrap() {
        assert!(budget.admits(address(n), start));
        assert!(budget.0.lock().unwrap().len() <= ADDRESSES);
    }
    assert!(budget.admits(address(7), start));
}
