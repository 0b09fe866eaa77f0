//! What the guest was launched with, one field at a time.

use super::*;

/// The guest policy with these bits besides the one that is always set.
fn guest_policy(bits: u64) -> [u8; 8] {
    (bits | 1 << 17 | 1 << 16).to_le_bytes()
}

fn genoa() -> Forge {
    Forge::new(Product::Genoa)
}

#[test]
fn b04_a_debug_guest_is_refused() {
    let forge = genoa().put(8, &guest_policy(1 << 19));
    assert_eq!(failed(&forge.judge(&forge.policy())), ["snp.debug"]);
}

#[test]
fn b04_a_guest_that_an_agent_may_take_along_is_refused_unless_the_agent_is_listed() {
    let forge = genoa()
        .put(8, &guest_policy(1 << 18))
        .put(0x160, &[0xa6; 32]);
    let mut policy = forge.policy();
    assert_eq!(failed(&forge.judge(&policy)), ["snp.migration"]);
    policy.guest.migration = Migration::By(vec![vec![0xa7; 32]]);
    assert_eq!(failed(&forge.judge(&policy)), ["snp.migration"]);
    policy.guest.migration = Migration::By(vec![vec![0xa7; 32], vec![0xa6; 32]]);
    assert_eq!(forge.judge(&policy).status, Status::Affirming);
}

#[test]
fn b04_another_privilege_level_is_refused() {
    let mut policy = genoa().policy();
    for level in [1_u32, 2, 3, 4, u32::MAX] {
        let forge = genoa().put(0x30, &level.to_le_bytes());
        assert_eq!(failed(&forge.judge(&policy)), ["snp.vmpl"], "{level}");
    }
    policy.guest.vmpl = vec![1, 2];
    assert_eq!(failed(&genoa().judge(&policy)), ["snp.vmpl"]);
    assert_eq!(
        genoa().put(0x30, &[2]).judge(&policy).status,
        Status::Affirming
    );
}

#[test]
fn a_policy_without_the_bit_that_is_always_set_is_refused() {
    let forge = genoa().put(8, &[0, 0, 1]);
    assert_eq!(failed(&forge.judge(&forge.policy())), ["snp.policy-bit-17"]);
}

#[test]
fn what_the_policy_forbids_a_guest_is_refused() {
    let mut policy = genoa().policy();
    policy.guest.smt = Allowance::Forbidden;
    assert_eq!(failed(&genoa().judge(&policy)), ["snp.guest-smt"]);
    let without = genoa().put(8, &[0, 0, 2]);
    assert_eq!(without.judge(&policy).status, Status::Affirming);
    let cxl = genoa().put(8, &guest_policy(1 << 21));
    let mut policy = cxl.policy();
    assert_eq!(failed(&cxl.judge(&policy)), ["snp.cxl"]);
    policy.guest.cxl = Allowance::Allowed;
    assert_eq!(cxl.judge(&policy).status, Status::Affirming);
}

#[test]
fn what_the_policy_demands_of_a_guest_is_demanded() {
    type Demanded = (u32, &'static str, fn(&mut GuestRules) -> &mut Demand);
    let demanded: [Demanded; 5] = [
        (20, "snp.single-socket", |rules| &mut rules.single_socket),
        (22, "snp.aes-256-xts", |rules| &mut rules.aes_256_xts),
        (23, "snp.rapl", |rules| &mut rules.rapl_disabled),
        (24, "snp.ciphertext-hiding", |rules| {
            &mut rules.ciphertext_hiding
        }),
        (25, "snp.page-swap", |rules| &mut rules.page_swap_disabled),
    ];
    for (bit, code, field) in demanded {
        let mut policy = genoa().policy();
        *field(&mut policy.guest) = Demand::Required;
        assert_eq!(failed(&genoa().judge(&policy)), [code]);
        let with = genoa().put(8, &guest_policy(1 << bit));
        assert_eq!(with.judge(&policy).status, Status::Affirming, "{code}");
        *field(&mut policy.guest) = Demand::NotRequired;
        assert_eq!(with.judge(&policy).status, Status::Affirming, "{code}");
    }
}

#[test]
fn the_interface_version_is_compared_as_major_and_minor() {
    let mut policy = genoa().policy();
    policy.guest.abi = (1, 55);
    for (minor, major, met) in [(54, 1, false), (55, 1, true), (0, 2, true), (99, 0, false)] {
        let forge = genoa().put(8, &[minor, major]);
        let expected: &[&str] = if met { &[] } else { &["snp.abi"] };
        assert_eq!(failed(&forge.judge(&policy)), expected, "{major}.{minor}");
    }
}

#[test]
fn a_measurement_without_a_name_is_refused() {
    let policy = genoa().policy();
    for at in [0x90, 0xbf] {
        let forge = genoa().put(at, &[0]);
        assert_eq!(failed(&forge.judge(&policy)), ["snp.measurement"]);
    }
    let mut none = policy;
    none.measurements = crate::policy::Measurements::None;
    assert_eq!(failed(&genoa().judge(&none)), ["snp.measurement"]);
}

#[test]
fn what_is_pinned_is_compared_whole() {
    type Pinned = (
        usize,
        usize,
        &'static str,
        fn(&mut SnpPolicy) -> &mut crate::policy::Pin<Vec<u8>>,
    );
    let pinned: [Pinned; 5] = [
        (0x0c0, 32, "snp.host-data", |policy| &mut policy.host_data),
        (0x0e0, 48, "snp.id-key", |policy| {
            &mut policy.id_block.id_key_digests
        }),
        (0x110, 48, "snp.author-key", |policy| {
            &mut policy.id_block.author_key_digests
        }),
        (0x010, 16, "snp.family-id", |policy| {
            &mut policy.id_block.family_ids
        }),
        (0x020, 16, "snp.image-id", |policy| {
            &mut policy.id_block.image_ids
        }),
    ];
    for (at, length, code, field) in pinned {
        // The author's digest counts only where the flags say that there is an author.
        let value = vec![0x5a; length];
        let forge = genoa().put(at, &value).put(0x48, &[1]);
        let mut policy = forge.policy();
        *field(&mut policy) = crate::policy::Pin::OneOf(vec![vec![0x5b; length], value]);
        assert_eq!(forge.judge(&policy).status, Status::Affirming, "{code}");
        for end in [at, at + length - 1] {
            let other = forge.clone().put(end, &[0x5b]);
            assert_eq!(failed(&other.judge(&policy)), [code]);
        }
    }
}

#[test]
fn an_author_digest_without_an_author_is_refused() {
    let forge = genoa().put(0x110, &[1]);
    assert_eq!(failed(&forge.judge(&forge.policy())), ["snp.author-key"]);
}

#[test]
fn an_older_guest_than_the_floor_is_refused() {
    let mut policy = genoa().policy();
    policy.id_block.guest_svn = 0x0102;
    for (svn, met) in [
        (0x0101_u32, false),
        (0x0102, true),
        (u32::MAX, true),
        (2, false),
    ] {
        let forge = genoa().put(4, &svn.to_le_bytes());
        let expected: &[&str] = if met { &[] } else { &["snp.guest-svn"] };
        assert_eq!(failed(&forge.judge(&policy)), expected, "{svn}");
    }
}
