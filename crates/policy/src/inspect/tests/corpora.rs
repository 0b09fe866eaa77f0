//! Figures over the development sets. They are printed, per set, with 95 % Wilson intervals; the
//! rules were chosen on these rows, so the figures say what the rules do here and no more. What is
//! asserted is what must hold everywhere: content alone denies nothing.

use std::collections::BTreeMap;

use cmcp_json::{Object, Value};

use super::{ANY, Family, catalog, inspect_text, json, look};
use crate::{
    fixture,
    scan::{Severity, scan_definition, scan_schemas},
};

struct Row {
    label: String,
    category: String,
    text: String,
    value: Value,
}

fn rows(file: &str) -> Option<Vec<Row>> {
    let text = String::from_utf8(fixture::shared(&format!("corpora/dev/{file}.jsonl"))?).unwrap();
    let row = |line: &str| {
        let value = json(line);
        let string = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let parts = value
            .get("parts")
            .and_then(Value::as_array)
            .unwrap_or_default();
        let parts: String = parts.iter().filter_map(Value::as_str).collect();
        Row {
            label: string("label"),
            category: string("category"),
            text: string("text") + &parts,
            value,
        }
    };
    Some(text.lines().map(row).collect())
}

/// A share with its interval.
fn share(hits: usize, all: usize) -> String {
    let (hits, n, z) = (
        f64::from(u32::try_from(hits).unwrap()),
        f64::from(u32::try_from(all).unwrap()),
        1.96,
    );
    let p = hits / n;
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    format!(
        "{hits:>4} of {n:<4} {p:.3} [{:.3}, {:.3}]",
        (middle - half).max(0.0),
        (middle + half).min(1.0)
    )
}

fn found(row: &Row, family: Family) -> Vec<&'static str> {
    inspect_text(&row.text, &[family])
        .findings
        .iter()
        .map(|finding| finding.rule)
        .collect()
}

/// Prints how many rows with that label have a finding of the family, and which rules.
fn report(set: &str, rows: &[Row], label: &str, family: Family, counted: &dyn Fn(&str) -> bool) {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.label == label).collect();
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    let mut hits = 0;
    for row in &rows {
        let found: Vec<_> = found(row, family)
            .into_iter()
            .filter(|rule| counted(rule))
            .collect();
        hits += usize::from(!found.is_empty());
        found
            .into_iter()
            .for_each(|rule| *rules.entry(rule).or_default() += 1);
    }
    println!(
        "{set:<30} {label:<20} {family:?}: {}  {rules:?}",
        share(hits, rows.len())
    );
}

#[test]
fn benign_answers_are_labelled_at_most() {
    for set in ["benign-tool-responses", "benign-high-entropy"] {
        let Some(rows) = rows(set) else { return };
        let label = rows[0].label.clone();
        for family in [Family::Injection, Family::Secret, Family::Personal] {
            report(set, &rows, &label, family, &|rule| rule != "personal/email");
        }
        let catalog = catalog(ANY, &[]);
        let mut denied = 0;
        for row in &rows {
            let block = Object::from([("type", "text"), ("text", row.text.as_str())]);
            let mut result = Object::from([("content", vec![Value::from(block)])]).into();
            denied += usize::from(look(&catalog, &mut result).is_err());
        }
        println!("{set:<30} denied: {}", share(denied, rows.len()));
        assert_eq!(denied, 0);
    }
}

#[test]
fn injections_in_answers() {
    let Some(rows) = rows("synthetic-wrapped-injections") else {
        return;
    };
    report(
        "synthetic-wrapped-injections",
        &rows,
        "injected",
        Family::Injection,
        &|_| true,
    );
    let mut by_category: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for row in &rows {
        let (hits, all) = by_category.entry(&row.category).or_default();
        *hits += usize::from(!found(row, Family::Injection).is_empty());
        *all += 1;
    }
    println!("  {by_category:?}");
}

#[test]
fn secrets_and_near_misses() {
    for set in ["gitleaks-cases", "detect-secrets-cases"] {
        let Some(rows) = rows(set) else { return };
        for label in ["secret", "near_miss"] {
            report(set, &rows, label, Family::Secret, &|_| true);
        }
        report(set, &rows, "near_miss", Family::Secret, &|rule| {
            rule != "secret/high-entropy"
        });
    }
}

#[test]
fn identifiers_of_people() {
    let Some(rows) = rows("pii-templates") else {
        return;
    };
    for (entity, rule) in [
        ("CREDIT_CARD", "personal/payment-card"),
        ("IBAN_CODE", "personal/iban"),
        ("US_SSN", "personal/us-ssn"),
        ("EMAIL_ADDRESS", "personal/email"),
    ] {
        let having: Vec<&Row> = rows
            .iter()
            .filter(|row| row.label == "pii" && row.category.contains(entity))
            .collect();
        let hits = having
            .iter()
            .filter(|row| found(row, Family::Personal).contains(&rule))
            .count();
        println!(
            "{:<30} {entity:<20} {}",
            "pii-templates",
            share(hits, having.len())
        );
    }
    report(
        "pii-templates",
        &rows,
        "near_miss",
        Family::Personal,
        &|_| true,
    );
}

#[test]
fn definitions() {
    for (set, label) in [
        ("docker-mcp-registry", "benign"),
        ("poc-poisoned-tools", "benign"),
        ("poc-poisoned-tools", "poisoned"),
    ] {
        let Some(rows) = rows(set) else { return };
        let rows: Vec<&Row> = rows.iter().filter(|row| row.label == label).collect();
        let mut at_least: BTreeMap<Severity, usize> = BTreeMap::new();
        let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
        for row in &rows {
            let member = |name: &str| row.value.get(name).cloned().unwrap_or(Value::Null);
            let definition = Object::from([
                ("description", member("description")),
                ("inputSchema", member("schema")),
            ]);
            let definition = definition.into();
            if member("schema").as_object().is_some() {
                assert_eq!(scan_schemas(&definition), []);
            }
            let found = scan_definition(&definition);
            for severity in [Severity::Hint, Severity::Warn, Severity::Refuse] {
                let reached = found.iter().any(|finding| finding.severity >= severity);
                *at_least.entry(severity).or_default() += usize::from(reached);
            }
            let mut names: Vec<_> = found.iter().map(|finding| finding.rule).collect();
            names.sort_unstable();
            names.dedup();
            names
                .into_iter()
                .for_each(|rule| *rules.entry(rule).or_default() += 1);
        }
        for (severity, hits) in &at_least {
            println!(
                "{set:<30} {label:<20} at least {severity:?}: {}",
                share(*hits, rows.len())
            );
        }
        println!("  {rules:?}");
        assert!(label == "poisoned" || at_least[&Severity::Refuse] == 0);
    }
}
