//! Counting what is on the shelves, which takes a moment.

use std::time::Duration;

use cmcp_json::{Object, Value};
use cmcp_mcp::upstream::{Ask, Event};
use tokio::time::sleep;

use super::{Outcome, arguments::Arguments, shop};

/// Counts shelf by shelf, and says after each how far it has come.
pub(super) async fn count(ask: &Ask, arguments: Arguments<'_>) -> Outcome {
    arguments.nothing_else(&[])?;
    let shelves: Vec<(&str, i64)> = shop::stock().collect();
    let mut counted = Vec::new();
    for (item, in_stock) in &shelves {
        sleep(ONE_SHELF).await;
        counted.push(Object::from([
            ("item", Value::from(*item)),
            ("in_stock", (*in_stock).into()),
        ]));
        if let Some(events) = ask.events.as_ref().filter(|_| ask.progress) {
            let progress = progress(counted.len(), shelves.len(), item);
            // Whoever listened may have gone; the count goes on.
            let _ = events.send(Event::Progress(progress)).await;
        }
    }
    Ok(Object::from([("shelves", Value::from(counted))]))
}

fn progress(done: usize, total: usize, item: &str) -> bytes::Bytes {
    let number = |count: usize| Value::from(u64::try_from(count).unwrap_or(u64::MAX));
    let params = Object::from([
        ("progressToken", Value::from(0_u64)),
        ("progress", number(done)),
        ("total", number(total)),
        ("message", Value::from(format!("counted: {item}"))),
    ]);
    Value::from(params).to_vec().into()
}

const ONE_SHELF: Duration = Duration::from_millis(150);
