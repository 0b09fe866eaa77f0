//! Event logs, replayed.

use std::collections::BTreeMap;

use cmcp_evidence::{
    Part,
    dcap::{self, Body},
    eventlog::{self, HashAlg, JsonLog},
    hex,
    wire::{Content, recognise},
};
use cmcp_json::Value;

use super::{
    Result,
    case::Row,
    vectors::{Stated, Vectors},
};

pub(crate) fn judge(vectors: &Vectors, row: &Stated) -> Result<Row> {
    if row.has_file("evidence") {
        return json(vectors, row);
    }
    let bytes = vectors.file(row.file("log")?)?;
    let tcg = row.text("kind")? == "eventlog";
    let log = match tcg {
        true => eventlog::parse(&bytes)?,
        false => eventlog::parse_ccel(&bytes)?,
    };
    let bank = match tcg {
        true => HashAlg::Sha256,
        false => HashAlg::Sha384,
    };
    let values = log.replay(bank)?;
    let events = log.events().len();
    if row.value("events").and_then(Value::as_u64) != u64::try_from(events).ok() {
        return Err(format!("{events} events").into());
    }
    let stated = row.value("sha256").or_else(|| row.value("sha384"));
    if let Some(stated) = stated.and_then(Value::as_object) {
        // RTMR n has index n + 1 in a log.
        let index = |name: &str| -> Result<u32> {
            match name.strip_prefix("rtmr") {
                Some(number) => Ok(number.parse::<u32>()?.saturating_add(1)),
                None => Ok(name.parse()?),
            }
        };
        let mut wrong = Vec::new();
        for (name, value) in stated.iter() {
            let found = values.get(&index(name)?).map(|value| hex::encode(value));
            if found.as_deref() != value.as_str() {
                wrong.push(name.to_owned());
            }
        }
        let found = match wrong.is_empty() {
            true => format!("{events} events, {} registers replayed", stated.len()),
            false => format!("other values: {}", wrong.join(", ")),
        };
        return Row::new(row, wrong.is_empty(), found);
    }
    let quote = vectors.file(row.file("quote")?)?;
    compare(row, &quote, |register| {
        values.get(&register.saturating_add(1)).cloned()
    })
}

/// A producer's list in JSON, against the quote beside it.
fn json(vectors: &Vectors, row: &Stated) -> Result<Row> {
    let Content::Evidence(collected) = recognise(&vectors.file(row.file("evidence")?)?)?.content
    else {
        return Err("evidence".into());
    };
    let part = |part| collected.evidence.part(part).ok_or("a part");
    let log = JsonLog::parse(part(Part::EventLog)?)?;
    let values: BTreeMap<u32, Option<Vec<u8>>> = log.replay();
    compare(row, part(Part::Quote)?, |register| {
        values.get(&register).cloned().flatten()
    })
}

fn compare(row: &Stated, quote: &[u8], replayed: impl Fn(u32) -> Option<Vec<u8>>) -> Result<Row> {
    let Body::Domain(domain) = dcap::parse(quote)?.body else {
        return Err("no trust domain".into());
    };
    let stated = row
        .value("match")
        .and_then(Value::as_object)
        .ok_or("matches")?;
    let mut differ = Vec::new();
    for (name, expected) in stated.iter() {
        let register: u32 = name.trim_start_matches("rtmr").parse()?;
        let place = usize::try_from(register)?;
        let quoted = domain.rtmrs.get(place).ok_or("four registers")?;
        let same = replayed(register).unwrap_or_else(|| vec![0; 48]) == *quoted;
        if Some(same) != expected.as_bool() {
            return Err(format!("{name}: stated otherwise").into());
        }
        if !same {
            differ.push(name.to_owned());
        }
    }
    let found = match differ.is_empty() {
        true => format!("{} registers as quoted", stated.len()),
        false => format!("differ: {}", differ.join(", ")),
    };
    Row::new(row, differ.is_empty(), found)
}
