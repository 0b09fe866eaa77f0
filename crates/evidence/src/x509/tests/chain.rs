use super::*;
use crate::forge;

fn verify(leaf: &[u8], others: &[&[u8]], roots: &[&[u8]]) -> Result<Vec<Certificate>, ChainError> {
    verify_with(leaf, others, roots, &ChainRules::at(at(NOW)))
}

fn verify_with(
    leaf: &[u8],
    others: &[&[u8]],
    roots: &[&[u8]],
    rules: &ChainRules,
) -> Result<Vec<Certificate>, ChainError> {
    let read_all = |list: &[&[u8]]| list.iter().map(|der| read(der)).collect::<Vec<_>>();
    verify_chain(&read(leaf), &read_all(others), &read_all(roots), rules)
}

fn sub(above: &Authority, name: &str) -> Authority {
    above.sub(name, Key::p256(name), Alg::EcdsaSha256)
}

fn names(path: &[Certificate]) -> Vec<String> {
    path.iter().map(Certificate::name).collect()
}

#[test]
fn a_chain_is_found_whatever_the_order() {
    let root = root();
    let one = sub(&root, "one");
    let two = sub(&one, "two");
    let leaf = two.leaf("leaf", &Key::p384("leaf"));
    for others in [[&one, &two], [&two, &one]] {
        let others = others.map(|authority| authority.der.as_slice());
        let path = verify(&leaf, &others, &[&root.der]).unwrap();
        assert_eq!(names(&path), ["leaf", "two", "one", "root"]);
    }
    let unrelated = root.leaf("unrelated", &Key::p256("u"));
    let others: [&[u8]; 4] = [&unrelated, &one.der, &root.der, &two.der];
    assert_eq!(verify(&leaf, &others, &[&root.der]).unwrap().len(), 4);
}

#[test]
fn a_root_that_came_along_is_not_trusted_for_that() {
    let root = root();
    let leaf = root.leaf("leaf", &Key::p256("leaf"));
    let other = Authority::root("other", Key::p256("other"), Alg::EcdsaSha256);
    assert!(matches!(
        verify(&leaf, &[&root.der], &[&other.der]),
        Err(ChainError::Loop { .. })
    ));
    assert!(verify(&leaf, &[&root.der], &[]).is_err());
    let own = Cert::new("own", &Key::p256("own")).ca(None);
    let own = own.signed(Alg::EcdsaSha256, &Key::p256("own"));
    assert!(verify(&own, &[], &[&root.der]).is_err());
}

#[test]
fn a_root_of_the_same_name_and_another_key_is_refused() {
    let real = root();
    let forged = Authority::root("root", Key::p256("forged"), Alg::EcdsaSha256);
    let leaf = forged.leaf("leaf", &Key::p256("leaf"));
    let refused = |subject: &str| {
        Err(ChainError::Signature {
            subject: subject.to_owned(),
            issuer: "root".to_owned(),
            error: BadSignature::Mismatch {
                key: KeyKind::Ecdsa(Curve::P256),
            },
        })
    };
    assert_eq!(verify(&leaf, &[], &[&real.der]), refused("leaf"));
    let along = verify(&leaf, &[&forged.der], &[&real.der]);
    assert_eq!(along, refused("root"));
}

#[test]
fn another_certificate_of_a_trusted_key_and_name_leads_to_the_trusted_one() {
    let root = root();
    let again = Cert::new("root", &root.key)
        .serial(&[9])
        .ca(None)
        .signed(root.alg, &root.key);
    let leaf = root.leaf("leaf", &Key::p256("leaf"));
    let path = verify(&leaf, &[&again], &[&root.der]).unwrap();
    assert_eq!(path[1].der(), root.der);
}

#[test]
fn a_missing_link_is_named() {
    let root = root();
    let one = sub(&root, "one");
    let two = sub(&one, "two");
    let leaf = two.leaf("leaf", &Key::p256("leaf"));
    assert_eq!(
        verify(&leaf, &[&two.der], &[&root.der]),
        Err(ChainError::NoIssuer {
            subject: "two".to_owned(),
            issuer: "one".to_owned()
        })
    );
    assert_eq!(
        verify(&leaf, &[], &[&root.der]),
        Err(ChainError::NoIssuer {
            subject: "leaf".to_owned(),
            issuer: "two".to_owned()
        })
    );
}

#[test]
fn every_certificate_must_be_valid_then_the_root_too() {
    let key = Key::p256("root");
    let build = |which: usize, from: &str, until: &str| {
        let cert = |index: usize, name: &str, key: &Key| {
            let cert = Cert::new(name, key);
            if index == which {
                cert.validity(from, until)
            } else {
                cert
            }
        };
        let alg = Alg::EcdsaSha256;
        let root = cert(0, "root", &key).ca(None).signed(alg, &key);
        let sub_key = Key::p256("sub");
        let sub = cert(1, "sub", &sub_key).ca(None).issuer("root");
        let leaf = cert(2, "leaf", &Key::p256("leaf")).issuer("sub");
        (root, sub.signed(alg, &key), leaf.signed(alg, &sub_key))
    };
    for (which, name) in ["root", "sub", "leaf"].into_iter().enumerate() {
        let (root, sub, leaf) = build(which, "2020-01-01T00:00:00Z", "2026-06-04T23:59:59Z");
        assert_eq!(
            verify(&leaf, &[&sub], &[&root]),
            Err(ChainError::Expired {
                subject: name.to_owned(),
                until: at("2026-06-04T23:59:59Z"),
                at: at(NOW)
            })
        );
        let unchecked = ChainRules {
            validity: Validity::NotChecked { why: "a test" },
            ..ChainRules::at(at(NOW))
        };
        assert!(verify_with(&leaf, &[&sub], &[&root], &unchecked).is_ok());
        let (root, sub, leaf) = build(which, "2026-06-05T00:00:01Z", "2040-01-01T00:00:00Z");
        assert_eq!(
            verify(&leaf, &[&sub], &[&root]),
            Err(ChainError::NotYetValid {
                subject: name.to_owned(),
                from: at("2026-06-05T00:00:01Z"),
                at: at(NOW)
            })
        );
        let (root, sub, leaf) = build(which, NOW, NOW);
        assert!(verify(&leaf, &[&sub], &[&root]).is_ok());
    }
}

#[test]
fn who_is_no_authority_issues_nothing() {
    let root = root();
    let key = Key::p256("sub");
    let leaf = Cert::new("leaf", &Key::p256("leaf")).issuer("sub");
    let leaf = leaf.signed(Alg::EcdsaSha256, &key);
    let no_ca = [
        root.issue(Cert::new("sub", &key)),
        root.issue(Cert::new("sub", &key).version(None)),
        root.issue(Cert::new("sub", &key).extension("2.5.29.19", true, [0x30, 0])),
    ];
    for sub in no_ca {
        let subject = "sub".to_owned();
        assert_eq!(
            verify(&leaf, &[&sub], &[&root.der]),
            Err(ChainError::NotCa { subject })
        );
    }
    let sub = root.issue(Cert::new("sub", &key).ca(None).key_usage(0x82));
    assert_eq!(
        verify(&leaf, &[&sub], &[&root.der]),
        Err(ChainError::Usage {
            subject: "sub".to_owned(),
            usage: "certificates"
        })
    );
}

#[test]
fn a_leaf_that_signs_may_sign() {
    let root = root();
    let leaf = |usage: u8| root.issue(Cert::new("leaf", &Key::p256("leaf")).key_usage(usage));
    assert!(verify(&leaf(0x80), &[], &[&root.der]).is_ok());
    assert!(verify(&leaf(0xC0), &[], &[&root.der]).is_ok());
    let usage = ChainError::Usage {
        subject: "leaf".to_owned(),
        usage: "signatures",
    };
    assert_eq!(verify(&leaf(0x20), &[], &[&root.der]), Err(usage));
    let any = ChainRules {
        leaf: LeafUse::Any,
        ..ChainRules::at(at(NOW))
    };
    assert!(verify_with(&leaf(0x20), &[], &[&root.der], &any).is_ok());
}

#[test]
fn b14_a_path_length_is_kept() {
    let root_key = Key::p256("root");
    for (most, allowed) in [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)] {
        let der = Cert::new("root", &root_key)
            .ca(Some(most))
            .signed(Alg::EcdsaSha256, &root_key);
        let root = Authority { der, ..root() };
        let mut subs: Vec<Authority> = Vec::new();
        for number in 0..allowed {
            let above = subs.last().unwrap_or(&root).clone();
            subs.push(sub(&above, &format!("sub {number}")));
        }
        let leaf = subs
            .last()
            .unwrap_or(&root)
            .leaf("leaf", &Key::p256("leaf"));
        let others: Vec<&[u8]> = subs.iter().map(|sub| sub.der.as_slice()).collect();
        let result = verify(&leaf, &others, &[&root.der]);
        if allowed <= most {
            assert!(result.is_ok());
        } else {
            assert_eq!(
                result,
                Err(ChainError::PathLength {
                    subject: "root".to_owned(),
                    most,
                    found: allowed
                })
            );
        }
    }
}

#[test]
fn b14_a_path_length_in_the_middle_is_kept() {
    let root = root();
    let key = Key::p256("one");
    let one = root.issue(Cert::new("one", &key).ca(Some(0)));
    let one_authority = Authority {
        name: "one".to_owned(),
        key,
        alg: Alg::EcdsaSha256,
        der: one.clone(),
    };
    let two = sub(&one_authority, "two");
    let leaf = two.leaf("leaf", &Key::p256("leaf"));
    assert!(matches!(
        verify(&leaf, &[&one, &two.der], &[&root.der]),
        Err(ChainError::PathLength {
            most: 0,
            found: 1,
            ..
        })
    ));
    let direct = one_authority.leaf("leaf", &Key::p256("leaf"));
    assert!(verify(&direct, &[&one], &[&root.der]).is_ok());
}

#[test]
fn b14_a_chain_of_fifty_is_refused() {
    let root = root();
    let mut subs = vec![sub(&root, "sub 0")];
    for number in 1..50 {
        let above = subs.last().unwrap().clone();
        subs.push(sub(&above, &format!("sub {number}")));
    }
    let leaf = subs.last().unwrap().leaf("leaf", &Key::p256("leaf"));
    let others: Vec<&[u8]> = subs.iter().map(|sub| sub.der.as_slice()).collect();
    assert_eq!(
        verify(&leaf, &others, &[&root.der]),
        Err(ChainError::TooLong { most: 8 })
    );
    let endless = ChainRules {
        max_certificates: usize::MAX,
        ..ChainRules::at(at(NOW))
    };
    assert_eq!(
        verify_with(&leaf, &others, &[&root.der], &endless),
        Err(ChainError::TooMuchWork)
    );
}

#[test]
fn b14_the_longest_chain_that_is_allowed_is_read() {
    let root = root();
    let mut subs = vec![sub(&root, "sub 0")];
    for number in 1..6 {
        let above = subs.last().unwrap().clone();
        subs.push(sub(&above, &format!("sub {number}")));
    }
    let others: Vec<&[u8]> = subs.iter().map(|sub| sub.der.as_slice()).collect();
    let leaf = subs.last().unwrap().leaf("leaf", &Key::p256("leaf"));
    assert_eq!(verify(&leaf, &others, &[&root.der]).unwrap().len(), 8);
    let seven = ChainRules {
        max_certificates: 7,
        ..ChainRules::at(at(NOW))
    };
    assert_eq!(
        verify_with(&leaf, &others, &[&root.der], &seven),
        Err(ChainError::TooLong { most: 7 })
    );
}

#[test]
fn b14_cross_signed_loops_end() {
    let (a, b) = (Key::p256("a"), Key::p256("b"));
    let alg = Alg::EcdsaSha256;
    let a_by_b = Cert::new("a", &a).ca(None).issuer("b").signed(alg, &b);
    let b_by_a = Cert::new("b", &b).ca(None).issuer("a").signed(alg, &a);
    let leaf = Cert::new("leaf", &Key::p256("leaf")).issuer("a");
    let leaf = leaf.signed(alg, &a);
    let root = root();
    assert!(matches!(
        verify(&leaf, &[&a_by_b, &b_by_a], &[&root.der]),
        Err(ChainError::Loop { .. })
    ));
    let a_by_root = root.issue(Cert::new("a", &a).ca(None));
    let path = verify(&leaf, &[&a_by_b, &b_by_a, &a_by_root], &[&root.der]).unwrap();
    assert_eq!(names(&path), ["leaf", "a", "root"]);
}

#[test]
fn b14_many_certificates_that_all_sign_each_other_cost_a_bounded_time() {
    let keys: Vec<Key> = (0..8)
        .map(|number| Key::p256(&number.to_string()))
        .collect();
    let alg = Alg::EcdsaSha256;
    let sign = |above: &Key, key: &Key| Cert::new("a", key).ca(None).signed(alg, above);
    let above = |key: &Key| {
        keys.iter()
            .map(|above| sign(above, key))
            .collect::<Vec<_>>()
    };
    let tangle: Vec<Vec<u8>> = keys.iter().flat_map(above).collect();
    let leaf = Cert::new("leaf", &Key::p256("leaf")).issuer("a");
    let leaf = leaf.signed(alg, &keys[0]);
    let others: Vec<&[u8]> = tangle.iter().map(Vec::as_slice).collect();
    assert_eq!(
        verify(&leaf, &others, &[&root().der]),
        Err(ChainError::TooMuchWork)
    );
    let more: Vec<&[u8]> = others.iter().copied().chain([leaf.as_slice()]).collect();
    assert_eq!(
        verify(&leaf, &more, &[&root().der]),
        Err(ChainError::TooMany { found: 65 })
    );
}

#[test]
fn b14_as_many_signatures_are_tried_as_are_said() {
    let leaf = root().leaf("leaf", &Key::p256("leaf"));
    let namesake = |number: usize| {
        let key = Key::p256(&number.to_string());
        Authority::root("root", key, Alg::EcdsaSha256).der
    };
    let among = |others: usize| {
        let mut roots: Vec<Vec<u8>> = (0..others).map(namesake).collect();
        roots.push(root().der);
        let roots: Vec<&[u8]> = roots.iter().map(Vec::as_slice).collect();
        verify(&leaf, &[], &roots)
    };
    assert_eq!(among(31).unwrap().len(), 2);
    assert_eq!(among(32), Err(ChainError::TooMuchWork));
    assert_eq!(among(40), Err(ChainError::TooMuchWork));
}

#[test]
fn a_critical_extension_that_is_not_understood_is_refused_wherever_it_stands() {
    let root_key = Key::p256("root");
    let sub_key = Key::p256("sub");
    let alg = Alg::EcdsaSha256;
    for (which, name) in ["root", "sub", "leaf"].into_iter().enumerate() {
        let cert = |index: usize, name: &str, key: &Key| {
            let cert = Cert::new(name, key);
            if index == which {
                cert.extension("2.5.29.30", true, [0x30, 0])
            } else {
                cert
            }
        };
        let root = cert(0, "root", &root_key).ca(None).signed(alg, &root_key);
        let sub = cert(1, "sub", &sub_key).ca(None).issuer("root");
        let sub = sub.signed(alg, &root_key);
        let leaf = cert(2, "leaf", &Key::p256("leaf")).issuer("sub");
        let leaf = leaf.signed(alg, &sub_key);
        assert_eq!(
            verify(&leaf, &[&sub], &[&root]),
            Err(ChainError::Critical {
                subject: name.to_owned(),
                oid: "2.5.29.30".to_owned()
            })
        );
    }
}

#[test]
fn b17_a_weak_key_in_the_middle_is_refused() {
    let root = root();
    let weak = Key::rsa1024();
    let sub = root.issue(Cert::new("weak", &weak).ca(None));
    let leaf = Cert::new("leaf", &Key::p256("leaf")).issuer("weak");
    let leaf = leaf.signed(Alg::RsaSha256, &weak);
    assert_eq!(
        verify(&leaf, &[&sub], &[&root.der]),
        Err(ChainError::Key {
            subject: "weak".to_owned(),
            error: KeyUnsupported::Modulus { bits: 1024 }
        })
    );
    let (modulus, _) = Key::rsa2048(0).modulus_and_exponent();
    let one = root.issue(
        Cert::new("one", &Key::rsa2048(0))
            .spki(forge::rsa_spki(&modulus, &[1]))
            .ca(None),
    );
    let leaf = Cert::new("leaf", &Key::p256("leaf")).issuer("one");
    let leaf = leaf.signed(Alg::RsaSha256, &Key::rsa2048(0));
    assert_eq!(
        verify(&leaf, &[&one], &[&root.der]),
        Err(ChainError::Key {
            subject: "one".to_owned(),
            error: KeyUnsupported::Exponent
        })
    );
}

#[test]
fn a_certificate_that_is_itself_trusted_is_its_own_chain() {
    let key = Key::p256("leaf");
    let leaf = root().leaf("leaf", &key);
    assert_eq!(verify(&leaf, &[], &[&leaf]).unwrap().len(), 1);
}
