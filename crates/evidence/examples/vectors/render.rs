//! The table as Markdown.

use std::collections::BTreeMap;

use super::{case::Row, files::File};

pub(crate) fn table(rows: &[Row], files: &[File]) -> String {
    let mut out = String::from(HEAD);
    let accepted = rows
        .iter()
        .filter(|row| row.verdict.as_str() == "accept")
        .count();
    out.push_str(&format!(
        "{} rows, of which {accepted} are accepted, and {} files.\n\n## Rows\n\n",
        rows.len(),
        files.len()
    ));
    out.push_str("| row | asks | time | policy | verdict | whole result | failed, or found |\n");
    out.push_str("|---|---|---|---|---|---|---|\n");
    for row in rows {
        out.push_str(&line(row));
    }
    out.push_str(POLICIES);
    for (name, edits) in policies(rows) {
        out.push_str(&format!("**{name}**"));
        match edits.as_slice() {
            [] => out.push_str(": nothing else.\n\n"),
            edits => {
                let edits: Vec<String> = edits
                    .iter()
                    .map(|(place, says)| format!("`{place}`: {}", cell(says)))
                    .collect();
                out.push_str(&format!(": {}.\n\n", edits.join("; ")));
            }
        }
    }
    out.push_str(FILES);
    for File { name, is, rows } in files {
        let is = is.as_deref().unwrap_or("nothing here reads it");
        out.push_str(&format!("| `{name}` | {} | {rows} |\n", cell(is)));
    }
    out
}

fn line(row: &Row) -> String {
    let time = row.at.map(|at| at.rfc3339()).unwrap_or_default();
    let policy = row
        .policy
        .as_ref()
        .map(|policy| policy.name)
        .unwrap_or_default();
    let status = row.status.map(|status| status.as_str()).unwrap_or_default();
    format!(
        "| {} | {} | {time} | {policy} | {} | {status} | {} |\n",
        cell(&row.id),
        cell(&row.asks),
        row.verdict.as_str(),
        cell(&row.found)
    )
}

/// Each policy once, with everything in it that any of its rows decides otherwise than shipped.
fn policies(rows: &[Row]) -> BTreeMap<&'static str, Vec<(String, String)>> {
    let mut all: BTreeMap<&'static str, Vec<(String, String)>> = BTreeMap::new();
    for policy in rows.iter().filter_map(|row| row.policy.as_ref()) {
        let edits = all.entry(policy.name).or_default();
        for edit in &policy.edits {
            if !edits.contains(edit) {
                edits.push(edit.clone());
            }
        }
    }
    all
}

/// Text in a cell: no bars, no line breaks, not too long.
fn cell(text: &str) -> String {
    let mut short: String = text.chars().take(400).collect();
    if text.chars().nth(400).is_some() {
        short.push('…');
    }
    short.replace('|', "\\|").replace(['\n', '\r'], " ")
}

const HEAD: &str = "<!-- Written by `just vectors`; do not edit. -->

# Vectors

What this program says of every file of the shared vectors. Each row is judged by the code, at the time and
under the policy that it names; a test fails where the verdict is not the one that is stated for the row, where
it is refused for another reason, and where this page is not what the code would write.

A row asks about the whole appraisal, or about a part of it; `verdict` answers what it asks, `whole result` says
how the appraisal ended. A time stands also in rows that state none: then any time would do at which the
certificates hold.

";

const POLICIES: &str = "
## Policies

Each is the shipped one (`crates/evidence/defaults/reference-values.yaml`), with these places decided otherwise.
Nobody can pin somebody else's machines: what a policy pins in a capture is what that capture shows.

";

const FILES: &str = "
## Files

What each file is, as far as its bytes say, and in how many rows it stands.

| file | what it is | rows |
|---|---|---|
";
