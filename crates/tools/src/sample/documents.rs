//! What can be read in the shop, and what can be asked of a model about it.

use cmcp_json::{Object, Value};

use super::{
    Outcome,
    arguments::Arguments,
    shop::{self, Shop},
};

/// The result of `resources/read`; `None` for a URI that the shop does not have.
pub(super) fn read(shop: &Shop, uri: &str) -> Option<Object> {
    let document = match uri.strip_prefix(ORDERS) {
        Some(id) => shop.find_order(id)?,
        None if uri == PRICES => shop::prices(),
        None => return None,
    };
    let text = Value::from(document).to_string();
    let contents = Object::from([
        ("uri", uri),
        ("mimeType", "application/json"),
        ("text", &text),
    ]);
    Some(Object::from([("contents", Value::from(vec![contents]))]))
}

/// Whether there is such a document.
pub(super) fn exists(uri: &str) -> bool {
    uri == PRICES
        || uri
            .strip_prefix(ORDERS)
            .is_some_and(|id| shop::order_ids().any(|known| known == id))
}

/// The URI under which an order can be read.
pub(super) fn uri_of(order: &str) -> String {
    format!("{ORDERS}{order}")
}

/// The result of `prompts/get`; a sentence for whoever filled it in wrongly.
pub(super) fn letter(shop: &Shop, arguments: Arguments<'_>) -> Outcome {
    let id = arguments.text("order_id")?;
    let tone = arguments.text_or_absent("tone")?.unwrap_or("plain");
    arguments.nothing_else(&["order_id", "tone"])?;
    let order = shop
        .find_order(id)
        .ok_or("`order_id` names no order; try O-5001")?;
    let text = format!(
        "Write a short letter, {tone} in tone, that tells the customer of this order how much of it has been refunded: {}",
        Value::from(order)
    );
    let content = Object::from([("type", "text".to_owned()), ("text", text)]);
    let message = Object::from([("role", Value::from("user")), ("content", content.into())]);
    Ok(Object::from([("messages", Value::from(vec![message]))]))
}

/// What an argument may be, of what begins as it does; `None` for one that is not known.
pub(super) fn complete(about: &Value, argument: &Value) -> Option<Vec<&'static str>> {
    let text = |value: &Value, name| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let (kind, begun) = (text(about, "type")?, text(argument, "value")?);
    let about = match kind.as_str() {
        "ref/prompt" => text(about, "name")?,
        "ref/resource" => text(about, "uri")?,
        _ => return None,
    };
    let all: Vec<&'static str> = match (about.as_str(), text(argument, "name")?.as_str()) {
        (LETTER, "order_id") | (ORDER_TEMPLATE, "id") => shop::order_ids().collect(),
        (LETTER, "tone") => TONES.to_vec(),
        _ => return None,
    };
    let fits = |value: &&str| value.starts_with(&begun);
    Some(all.into_iter().filter(fits).collect())
}

/// The prompt.
pub(super) const LETTER: &str = "refund_letter";
const PRICES: &str = "shop://prices";
const ORDERS: &str = "orders://";
const ORDER_TEMPLATE: &str = "orders://{id}";
const TONES: [&str; 3] = ["apologetic", "formal", "friendly"];
