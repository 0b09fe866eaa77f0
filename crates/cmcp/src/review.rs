//! A catalog held against what its servers offer now, or against another catalog.

use cmcp_json::Value;
use cmcp_policy::catalog::{Approved, Catalog};

/// What became of one tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reviewed {
    /// Its exposed name; for one that is not approved, its server's name for it.
    pub(crate) tool: String,
    pub(crate) server: String,
    pub(crate) change: Change,
}

/// How a tool differs.
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
    /// Its server did not list its tools; the reason.
    Unlisted(String),
}

/// What a server lists now, or why it does not.
pub(crate) struct Listed {
    pub(crate) server: String,
    pub(crate) tools: Result<Vec<Value>, String>,
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

/// Every approved tool in the catalog's order, then what is offered besides.
pub(crate) fn against_servers(
    catalog: &Catalog,
    listed: &[Listed],
    compare: Compare,
) -> Vec<Reviewed> {
    let mut reviewed: Vec<Reviewed> = catalog
        .tools()
        .iter()
        .map(|tool| {
            let server = catalog
                .server_of(tool)
                .map_or("", |server| server.name.as_str());
            let listed = listed.iter().find(|listed| listed.server == server);
            let change = listed.map_or(Change::Removed, |listed| live(tool, listed, compare));
            Reviewed {
                tool: tool.name.clone(),
                server: server.to_owned(),
                change,
            }
        })
        .collect();
    for Listed { server, tools } in listed {
        for definition in tools.iter().flatten() {
            let name = name_of(definition);
            let approved = catalog.tools().iter().any(|tool| {
                let owner = catalog.server_of(tool).map(|owner| owner.name.as_str());
                tool.upstream_name == name && owner == Some(server)
            });
            if !approved {
                let (tool, server) = (name.to_owned(), server.clone());
                reviewed.push(Reviewed {
                    tool,
                    server,
                    change: Change::Added,
                });
            }
        }
    }
    reviewed
}

/// Every tool of `catalog` as it differs from `older`, then what only `older` has.
pub(crate) fn against_catalog(catalog: &Catalog, older: &Catalog) -> Vec<Reviewed> {
    let server = |catalog: &Catalog, tool: &Approved| {
        catalog
            .server_of(tool)
            .map_or_else(String::new, |server| server.name.clone())
    };
    let mut reviewed: Vec<Reviewed> = catalog
        .tools()
        .iter()
        .map(|tool| {
            let change = match older.tool(&tool.name) {
                None => Change::Added,
                Some(before) => approved_difference(before, tool, older, catalog),
            };
            Reviewed {
                tool: tool.name.clone(),
                server: server(catalog, tool),
                change,
            }
        })
        .collect();
    for tool in older
        .tools()
        .iter()
        .filter(|tool| catalog.tool(&tool.name).is_none())
    {
        let (tool, server) = (tool.name.clone(), server(older, tool));
        reviewed.push(Reviewed {
            tool,
            server,
            change: Change::Removed,
        });
    }
    reviewed
}

fn live(tool: &Approved, listed: &Listed, compare: Compare) -> Change {
    let tools = match &listed.tools {
        Ok(tools) => tools,
        Err(reason) => return Change::Unlisted(reason.clone()),
    };
    let mut offered = tools
        .iter()
        .filter(|offered| name_of(offered) == tool.upstream_name);
    let Some(definition) = offered.next() else {
        return Change::Removed;
    };
    if offered.next().is_some() {
        return Change::Twice;
    }
    if compare == Compare::Digests && tool.offered_digest(definition) == Ok(tool.digest) {
        return Change::Same;
    }
    let places = tool.differences(definition);
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

/// The name of an offered definition.
pub(crate) fn name_of(definition: &Value) -> &str {
    definition
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
