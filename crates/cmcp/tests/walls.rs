//! The crates depend on each other as ARCHITECTURE.md says, and on nothing they must not contain.
#![cfg(test)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Node, Package, PackageId};

/// What no crate below `crates/mcp` may reach, by any path.
const EFFECTS: [&str; 6] = ["hyper", "mio", "rusqlite", "rustls", "socket2", "tokio"];
const PURE: [&str; 5] = [
    "cmcp-json",
    "cmcp-evidence",
    "cmcp-record",
    "cmcp-policy",
    "cmcp-web",
];
/// Second implementations of what the workspace has one of.
const NOWHERE: [&str; 5] = [
    "aws-lc-fips-sys",
    "native-tls",
    "openssl",
    "openssl-sys",
    "ring",
];

type Edges = BTreeMap<String, BTreeSet<String>>;

#[test]
fn crates_depend_on_each_other_as_architecture_md_says() {
    let (actual, written) = (actual(&metadata()), written());
    assert!(
        actual.keys().eq(written.keys()),
        "{actual:?}\nwritten: {written:?}"
    );
    for (name, depended) in actual {
        assert_eq!(depended, written[&name], "what `{name}` depends on");
    }
}

#[test]
fn pure_crates_reach_no_effects() {
    let metadata = metadata();
    for crate_name in PURE {
        let reached = reached_from(&metadata, crate_name);
        let effects: Vec<_> = EFFECTS
            .iter()
            .filter(|name| reached.contains(**name))
            .collect();
        assert!(effects.is_empty(), "`{crate_name}` reaches {effects:?}");
    }
}

#[test]
fn record_reaches_no_cedar() {
    let reached = reached_from(&metadata(), "cmcp-record");
    assert!(!reached.iter().any(|name| name.starts_with("cedar-policy")));
}

#[test]
fn there_is_one_tls_and_one_provider() {
    let metadata = metadata();
    let reached = reached_from(&metadata, "cmcp");
    let found: Vec<_> = NOWHERE
        .iter()
        .filter(|name| reached.contains(**name))
        .collect();
    assert!(found.is_empty(), "`cmcp` reaches {found:?}");
}

/// The Rust SDK rewrites what passes through its types: the wire is ours, and `rmcp` plays the other side.
#[test]
fn only_the_peers_of_the_suites_reach_rmcp() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        let reached = reached_from(&metadata, &package.name);
        let expected = *package.name == "cmcp-peers";
        assert_eq!(reached.contains("rmcp"), expected, "{}", package.name);
    }
}

/// Who depends on whom, tests left out, without the prefix that names have on disk.
fn actual(metadata: &Metadata) -> Edges {
    let members = metadata.workspace_packages();
    let ours: BTreeSet<&str> = members
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    members
        .iter()
        .filter(|package| package.manifest_path.as_str().contains("/crates/"))
        .map(|package| {
            let depended = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind != DependencyKind::Development)
                .filter(|dependency| ours.contains(dependency.name.as_str()))
                .map(|dependency| short(&dependency.name))
                .collect();
            (short(&package.name), depended)
        })
        .collect()
}

/// The table `| crate | … | may depend on | …`, whose columns are found by their headings.
fn written() -> Edges {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ARCHITECTURE.md");
    let text = fs::read_to_string(file).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim()
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let mut lines = text
        .lines()
        .skip_while(|line| !line.starts_with("| crate |"));
    let heading = cells(lines.next().expect("a table that begins with `| crate |`"));
    let column = heading
        .iter()
        .position(|cell| cell == "may depend on")
        .unwrap();
    lines
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = cells(line);
            let depended = cells[column].split(',').map(|name| short(name.trim()));
            (
                short(&cells[0]),
                depended.filter(|name| name != "–").collect(),
            )
        })
        .collect()
}

fn short(name: &str) -> String {
    let name = name.trim_matches('`');
    name.strip_prefix("cmcp-").unwrap_or(name).to_owned()
}

/// Names of all packages that building `from` for Linux takes, itself left out.
fn reached_from(metadata: &Metadata, from: &str) -> BTreeSet<String> {
    let packages: BTreeMap<&PackageId, &Package> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package))
        .collect();
    let nodes: BTreeMap<_, _> = metadata
        .resolve
        .iter()
        .flat_map(|resolve| &resolve.nodes)
        .map(|node| (&node.id, node))
        .collect();
    let start = packages
        .values()
        .find(|package| package.name == from)
        .unwrap();
    let mut reached = BTreeSet::new();
    let mut waiting = vec![&start.id];
    while let Some(id) = waiting.pop() {
        for dependency in &nodes[id].deps {
            let built = dependency
                .dep_kinds
                .iter()
                .any(|info| info.kind != DependencyKind::Development);
            let built = built && is_enabled(packages[id], nodes[id], packages[&dependency.pkg]);
            if built && reached.insert(packages[&dependency.pkg].name.to_string()) {
                waiting.push(&dependency.pkg);
            }
        }
    }
    reached
}

/// Whether a dependency is more than named: one that is optional also stands in the graph where a
/// feature would only add to it (`ring?/alloc`).
fn is_enabled(package: &Package, node: &Node, dependency: &Package) -> bool {
    let known = package.dependencies.iter();
    known
        .filter(|known| *known.name == *dependency.name)
        .any(|known| {
            let name = known.rename.as_ref().unwrap_or(&known.name);
            let enables = |word: &String| {
                *word == format!("dep:{name}")
                    || word == name
                    || word.starts_with(&format!("{name}/"))
            };
            let enabled = node.features.iter();
            let mut meant = enabled.filter_map(|feature| package.features.get(feature.as_str()));
            !known.optional || meant.any(|words| words.iter().any(enables))
        })
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .other_options(vec![
            "--offline".to_owned(),
            "--locked".to_owned(),
            "--filter-platform".to_owned(),
            "x86_64-unknown-linux-gnu".to_owned(),
        ])
        .exec()
        .unwrap()
}
