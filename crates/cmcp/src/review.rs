//! A catalog held against what its servers offer now, or against another catalog.

use cmcp_json::Value;
use cmcp_policy::catalog::{Approved, Catalog, ItemKind};

/// What became of one tool, resource, template or prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reviewed {
    pub(crate) kind: ItemKind,
    /// Its exposed name; for one that is not approved, its server's name for it.
    pub(crate) name: String,
    pub(crate) server: String,
    pub(crate) change: Change,
}

/// How it differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Offered, and not approved.
    Added,
    /// The places where the definition differs, each `added`, `changed` or `removed`.
    Changed(Vec<String>),
    /// Approved, and not offered any more.
    Removed,
    Same,
    /// Offered more than once under one name.
    Twice,
    /// Its server did not list what it offers of this kind; the reason.
    Unlisted(String),
}

/// What a server lists now of one kind, or why it does not.
pub(crate) struct Listed {
    pub(crate) server: String,
    pub(crate) kind: ItemKind,
    pub(crate) items: Result<Vec<Value>, String>,
}

/// How exact a comparison is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    /// As the gateway compares: by digest. An entry of a 0.7.1 catalog covers description and
    /// schemas alone.
    Digests,
    /// Every member.
    Members,
}

/// Everything that is approved in the catalog's order, then what is offered besides.
pub(crate) fn against_servers(
    catalog: &Catalog,
    listed: &[Listed],
    compare: Compare,
) -> Vec<Reviewed> {
    let mut reviewed: Vec<Reviewed> = catalog
        .all()
        .map(|item| {
            let server = server_of(catalog, item);
            let listed = listed
                .iter()
                .find(|listed| listed.server == server && listed.kind == item.kind);
            let change = listed.map_or(Change::Removed, |listed| live(item, listed, compare));
            Reviewed {
                kind: item.kind,
                name: item.name.clone(),
                server: server.to_owned(),
                change,
            }
        })
        .collect();
    for Listed {
        server,
        kind,
        items,
    } in listed
    {
        for definition in items.iter().flatten() {
            let name = name_of(*kind, definition);
            let approved = catalog
                .items(*kind)
                .any(|item| item.upstream_name == name && server_of(catalog, item) == server);
            if !approved {
                reviewed.push(Reviewed {
                    kind: *kind,
                    name: name.to_owned(),
                    server: server.clone(),
                    change: Change::Added,
                });
            }
        }
    }
    reviewed
}

/// Everything in `catalog` as it differs from `older`, then what only `older` has.
pub(crate) fn against_catalog(catalog: &Catalog, older: &Catalog) -> Vec<Reviewed> {
    let reviewed = |catalog: &Catalog, item: &Approved, change| Reviewed {
        kind: item.kind,
        name: item.name.clone(),
        server: server_of(catalog, item).to_owned(),
        change,
    };
    let now = catalog.all().map(|item| {
        let change = match named(older, item.kind, &item.name) {
            None => Change::Added,
            Some(before) => approved_difference(before, item, older, catalog),
        };
        reviewed(catalog, item, change)
    });
    let gone = older
        .all()
        .filter(|item| named(catalog, item.kind, &item.name).is_none());
    now.chain(gone.map(|item| reviewed(older, item, Change::Removed)))
        .collect()
}

fn server_of<'a>(catalog: &'a Catalog, item: &Approved) -> &'a str {
    catalog
        .server_of(item)
        .map_or("", |server| server.name.as_str())
}

/// What callers know by that name or URI.
fn named<'a>(catalog: &'a Catalog, kind: ItemKind, name: &str) -> Option<&'a Approved> {
    match kind {
        ItemKind::Tool => catalog.tool(name),
        ItemKind::Resource => catalog.listed(name),
        ItemKind::ResourceTemplate => catalog.template(name),
        ItemKind::Prompt => catalog.prompt(name),
    }
}

fn live(item: &Approved, listed: &Listed, compare: Compare) -> Change {
    let items = match &listed.items {
        Ok(items) => items,
        Err(reason) => return Change::Unlisted(reason.clone()),
    };
    let mut offered = items
        .iter()
        .filter(|offered| name_of(item.kind, offered) == item.upstream_name);
    let Some(definition) = offered.next() else {
        return Change::Removed;
    };
    if offered.next().is_some() {
        return Change::Twice;
    }
    if compare == Compare::Digests && item.offered_digest(definition) == Ok(item.digest) {
        return Change::Same;
    }
    let places = item.differences(definition);
    let places: Vec<String> = places
        .iter()
        .map(|place| format!("{} {}", place.pointer, place.change))
        .collect();
    if places.is_empty() {
        Change::Same
    } else {
        Change::Changed(places)
    }
}

fn approved_difference(
    before: &Approved,
    now: &Approved,
    older: &Catalog,
    newer: &Catalog,
) -> Change {
    let mut places: Vec<String> = before
        .differences(&now.definition)
        .iter()
        .map(|place| format!("{} {}", place.pointer, place.change))
        .collect();
    for (what, differs) in [
        ("effect", before.effect != now.effect),
        ("sensitivity", before.sensitivity != now.sensitivity),
        (
            "compliance domain",
            before.compliance_domain != now.compliance_domain,
        ),
        ("agreement (BAA)", before.baa != now.baa),
        ("redaction", before.redact != now.redact),
        ("server", older.server_of(before) != newer.server_of(now)),
    ] {
        if differs {
            places.push(format!("{what} changed"));
        }
    }
    if places.is_empty() {
        Change::Same
    } else {
        Change::Changed(places)
    }
}

/// What its server knows an offered definition by: a name, a URI, a template.
pub(crate) fn name_of(kind: ItemKind, definition: &Value) -> &str {
    definition
        .get(kind.identity())
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
