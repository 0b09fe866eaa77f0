//! The shop behind the tools.

use std::collections::BTreeMap;

use cmcp_json::{Object, Value};

use super::{Outcome, arguments::Arguments};

/// Customers and orders are fixed; what has been refunded is not.
#[derive(Debug, Default)]
pub(super) struct Shop {
    /// Cents refunded so far, by order.
    refunded: BTreeMap<&'static str, i64>,
    refunds: u64,
}

struct Customer {
    id: &'static str,
    name: &'static str,
    email: &'static str,
    card_number: &'static str,
    tax_id: &'static str,
    since: &'static str,
}

struct Order {
    id: &'static str,
    customer: &'static str,
    placed_on: &'static str,
    item: &'static str,
    total_cents: i64,
}

struct Article {
    item: &'static str,
    price_cents: i64,
    in_stock: i64,
}

impl Shop {
    pub(super) fn lookup_customer(&self, arguments: Arguments<'_>) -> Outcome {
        let customer = find_customer(arguments)?;
        arguments.nothing_else(&["customer_id"])?;
        let Customer {
            id,
            name,
            email,
            card_number,
            tax_id,
            since,
        } = customer;
        Ok(Object::from([
            ("customer_id", *id),
            ("name", name),
            ("email", email),
            ("card_number", card_number),
            ("tax_id", tax_id),
            ("customer_since", since),
        ]))
    }

    pub(super) fn list_orders(&self, arguments: Arguments<'_>) -> Outcome {
        let customer = find_customer(arguments)?;
        let limit = arguments.whole_or_absent("limit")?.unwrap_or(MOST_ORDERS);
        arguments.nothing_else(&["customer_id", "limit"])?;
        let limit = usize::try_from(limit)
            .ok()
            .filter(|limit| (1..=50).contains(limit));
        let limit = limit.ok_or("`limit` must be between 1 and 50")?;
        let orders = ORDERS.iter().filter(|order| order.customer == customer.id);
        let orders: Vec<Object> = orders.take(limit).map(|order| self.order(order)).collect();
        Ok(Object::from([
            ("customer_id", Value::from(customer.id)),
            ("orders", orders.into()),
        ]))
    }

    pub(super) fn refund_order(&mut self, arguments: Arguments<'_>) -> Outcome {
        let id = arguments.text("order_id")?;
        let amount = arguments.whole("amount")?;
        arguments.nothing_else(&["order_id", "amount"])?;
        let order = ORDERS.iter().find(|order| order.id == id);
        let order = order.ok_or_else(|| format!("there is no order `{}`", shown(id)))?;
        let left = order.total_cents.saturating_sub(self.refunded(order));
        if !(1..=left).contains(&amount) {
            return Err(format!(
                "`amount` must be between 1 and {left} cents for `{}`",
                order.id
            ));
        }
        let refunded = self.refunded.entry(order.id).or_default();
        *refunded = refunded.saturating_add(amount);
        self.refunds = self.refunds.saturating_add(1);
        let refund = format!("R-{}", self.refunds);
        let mut receipt = Object::from([("refund_id", Value::from(refund))]);
        receipt.insert("amount_cents", amount);
        receipt.insert("order", self.order(order));
        Ok(receipt)
    }

    pub(super) fn find_order(&self, id: &str) -> Option<Object> {
        let order = ORDERS.iter().find(|order| order.id == id)?;
        Some(self.order(order))
    }

    fn order(&self, order: &Order) -> Object {
        let Order {
            id,
            customer: _,
            placed_on,
            item,
            total_cents,
        } = order;
        Object::from([
            ("order_id", Value::from(*id)),
            ("placed_on", Value::from(*placed_on)),
            ("item", Value::from(*item)),
            ("total_cents", Value::from(*total_cents)),
            ("refunded_cents", Value::from(self.refunded(order))),
        ])
    }

    fn refunded(&self, order: &Order) -> i64 {
        self.refunded.get(order.id).copied().unwrap_or(0)
    }
}

/// The ids of all orders.
pub(super) fn order_ids() -> impl Iterator<Item = &'static str> {
    ORDERS.iter().map(|order| order.id)
}

/// What is sold, and for how much.
pub(super) fn prices() -> Object {
    let price = |article: &Article| {
        Object::from([
            ("item", Value::from(article.item)),
            ("price_cents", article.price_cents.into()),
        ])
    };
    let prices: Vec<Object> = ARTICLES.iter().map(price).collect();
    Object::from([("prices", Value::from(prices))])
}

/// Each article, and how many of it there are.
pub(super) fn stock() -> impl Iterator<Item = (&'static str, i64)> {
    ARTICLES
        .iter()
        .map(|article| (article.item, article.in_stock))
}

fn find_customer(arguments: Arguments<'_>) -> Result<&'static Customer, String> {
    let id = arguments.text("customer_id")?;
    let customer = CUSTOMERS.iter().find(|customer| customer.id == id);
    customer.ok_or_else(|| format!("there is no customer `{}`; try C-1001", shown(id)))
}

/// Text of a caller, short enough to say back.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

const MOST_ORDERS: i64 = 20;

// Card numbers and tax ids are those reserved for examples: they belong to nobody.
const CUSTOMERS: [Customer; 3] = [
    Customer {
        id: "C-1001",
        name: "Nora Lindqvist",
        email: "nora.lindqvist@example.com",
        card_number: "4242 4242 4242 4242",
        tax_id: "987-65-4320",
        since: "2019-03-14",
    },
    Customer {
        id: "C-1002",
        name: "Théo Marchand",
        email: "theo.marchand@example.org",
        card_number: "5555 5555 5555 4444",
        tax_id: "987-65-4321",
        since: "2022-11-02",
    },
    Customer {
        id: "C-1003",
        name: "Amara Okafor",
        email: "amara.okafor@example.net",
        card_number: "3782 822463 10005",
        tax_id: "987-65-4322",
        since: "2024-06-30",
    },
];

const ORDERS: [Order; 5] = [
    Order {
        id: "O-5001",
        customer: "C-1001",
        placed_on: "2025-01-09",
        item: "Desk lamp",
        total_cents: 4_900,
    },
    Order {
        id: "O-5002",
        customer: "C-1001",
        placed_on: "2025-02-20",
        item: "Standing desk",
        total_cents: 61_900,
    },
    Order {
        id: "O-5003",
        customer: "C-1002",
        placed_on: "2025-02-27",
        item: "Office chair",
        total_cents: 32_500,
    },
    Order {
        id: "O-5004",
        customer: "C-1003",
        placed_on: "2025-03-03",
        item: "Notebook, ruled",
        total_cents: 850,
    },
    Order {
        id: "O-5005",
        customer: "C-1003",
        placed_on: "2025-03-18",
        item: "Fountain pen",
        total_cents: 12_000,
    },
];

const ARTICLES: [Article; 5] = [
    Article {
        item: "Desk lamp",
        price_cents: 4_900,
        in_stock: 31,
    },
    Article {
        item: "Standing desk",
        price_cents: 61_900,
        in_stock: 4,
    },
    Article {
        item: "Office chair",
        price_cents: 32_500,
        in_stock: 12,
    },
    Article {
        item: "Notebook, ruled",
        price_cents: 850,
        in_stock: 480,
    },
    Article {
        item: "Fountain pen",
        price_cents: 12_000,
        in_stock: 27,
    },
];
