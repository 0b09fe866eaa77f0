use super::*;

fn env(pairs: &[(&str, &str)]) -> Vec<(String, EnvValue)> {
    pairs
        .iter()
        .map(|(n, v)| ((*n).to_owned(), EnvValue::new((*v).to_owned())))
        .collect()
}

#[test]
fn j04_what_makes_a_process_load_other_code_is_forbidden_in_any_case() {
    for name in [
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "Ld_Audit",
        "PYTHONPATH",
        "NODE_OPTIONS",
        "RUBYOPT",
    ] {
        assert!(is_forbidden_variable(name), "{name}");
        let refused = SpawnError::ForbiddenVariable {
            name: name.to_owned(),
        };
        assert_eq!(check(&env(&[(name, "x")])), Err(refused));
    }
    for name in [
        "PATH",
        "HOME",
        "PYTHONUNBUFFERED",
        "GITHUB_TOKEN",
        "NODE_ENV",
        "OLD_LD",
    ] {
        assert!(!is_forbidden_variable(name), "{name}");
    }
}

#[test]
fn what_no_environment_can_hold_is_malformed() {
    for pairs in [
        &[("", "x")][..],
        &[("A=B", "x")],
        &[("A", "x\0y")],
        &[("A", "1"), ("A", "2")],
    ] {
        assert!(
            matches!(
                check(&env(pairs)),
                Err(SpawnError::MalformedVariable { .. })
            ),
            "{:?}",
            pairs[0].0
        );
    }
}

#[test]
fn the_list_is_sorted_so_that_a_reader_can_find_things() {
    assert!(FORBIDDEN.is_sorted());
}
