use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};
use cmcp_mcp::{
    server::stdio,
    upstream::{Server, ToolCall, ToolReply, UpstreamError},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::unix::pipe,
};

use super::Sample;

fn value(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::REQUEST).unwrap()
}

fn tool_call(name: &str, arguments: Option<&str>) -> ToolCall {
    ToolCall {
        name: name.to_owned(),
        arguments: arguments.map(|text| Bytes::copy_from_slice(text.as_bytes())),
        meta: None,
        deadline: Duration::from_secs(5),
        max_bytes: 1 << 20,
        listed: None,
    }
}

async fn call(sample: &Sample, name: &str, arguments: &str) -> Value {
    match sample.call(tool_call(name, Some(arguments))).await.unwrap() {
        ToolReply::Result { bytes, value } => {
            assert_eq!(parse(&bytes, &Limits::RESPONSE).unwrap(), value);
            value
        }
        other @ ToolReply::Error { .. } => panic!("{other:?}"),
    }
}

/// The structured result, having made sure that it fits the tool's own output schema and that the
/// text says the same.
async fn structured(sample: &Sample, name: &str, arguments: &str) -> Value {
    let result = call(sample, name, arguments).await;
    assert_eq!(result.get("isError"), None, "{result}");
    let structured = result.get("structuredContent").unwrap().clone();
    let schema = definition(sample, name)
        .await
        .get("outputSchema")
        .unwrap()
        .to_serde();
    assert!(
        jsonschema::is_valid(&schema, &structured.to_serde()),
        "{structured}"
    );
    let content = result.get("content").unwrap().as_array().unwrap();
    let text = content[0].get("text").unwrap().as_str().unwrap();
    assert_eq!(value(text), structured);
    structured
}

async fn refused(sample: &Sample, name: &str, arguments: &str) -> String {
    let result = call(sample, name, arguments).await;
    assert_eq!(result.get("isError"), Some(&Value::Bool(true)), "{result}");
    assert_eq!(result.get("structuredContent"), None);
    let content = result.get("content").unwrap().as_array().unwrap();
    content[0].get("text").unwrap().as_str().unwrap().to_owned()
}

async fn definition(sample: &Sample, name: &str) -> Value {
    let listing = sample.list().await.unwrap();
    let named = |tool: &&Value| tool.get("name").unwrap().as_str() == Some(name);
    listing.tools.iter().find(named).unwrap().clone()
}

#[tokio::test]
async fn every_definition_is_complete() {
    let listing = Sample::new().list().await.unwrap();
    assert!(listing.complete);
    assert_eq!(listing.pages.len(), 1);
    let names: Vec<_> = listing
        .tools
        .iter()
        .map(|tool| tool.get("name").unwrap().as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["lookup_customer", "list_orders", "refund_order", "echo"]
    );
    for tool in &listing.tools {
        let keys: Vec<_> = tool.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "name",
                "title",
                "description",
                "inputSchema",
                "outputSchema",
                "annotations"
            ]
        );
        for schema in ["inputSchema", "outputSchema"] {
            jsonschema::meta::validate(&tool.get(schema).unwrap().to_serde()).unwrap();
        }
    }
}

#[tokio::test]
async fn only_the_refund_says_that_it_writes() {
    let listing = Sample::new().list().await.unwrap();
    for tool in &listing.tools {
        let hint = tool
            .get("annotations")
            .unwrap()
            .get("readOnlyHint")
            .unwrap()
            .as_bool();
        let name = tool.get("name").unwrap().as_str().unwrap();
        assert_eq!(hint, Some(name != "refund_order"), "{name}");
    }
}

#[tokio::test]
async fn a_customers_record_has_an_address_a_card_and_a_tax_id_of_nobody() {
    let record = structured(
        &Sample::new(),
        "lookup_customer",
        r#"{"customer_id":"C-1001"}"#,
    )
    .await;
    assert_eq!(
        record.to_string(),
        r#"{"customer_id":"C-1001","name":"Nora Lindqvist","email":"nora.lindqvist@example.com","card_number":"4242 4242 4242 4242","tax_id":"987-65-4320","customer_since":"2019-03-14"}"#
    );
}

#[tokio::test]
async fn orders_are_listed_oldest_first_up_to_the_limit() {
    let sample = Sample::new();
    let all = structured(&sample, "list_orders", r#"{"customer_id":"C-1001"}"#).await;
    assert_eq!(all.get("orders").unwrap().as_array().unwrap().len(), 2);
    let one = structured(
        &sample,
        "list_orders",
        r#"{"customer_id":"C-1001","limit":1}"#,
    )
    .await;
    let orders = one.get("orders").unwrap().as_array().unwrap();
    assert_eq!(orders.len(), 1);
    assert_eq!(
        orders[0].to_string(),
        r#"{"order_id":"O-5001","placed_on":"2025-01-09","item":"Desk lamp","total_cents":4900,"refunded_cents":0}"#
    );
}

#[tokio::test]
async fn refunds_add_up_are_seen_in_the_listing_and_never_pass_what_was_paid() {
    let sample = Sample::new();
    let first = structured(
        &sample,
        "refund_order",
        r#"{"order_id":"O-5001","amount":4000}"#,
    )
    .await;
    assert_eq!(
        first.to_string(),
        r#"{"refund_id":"R-1","amount_cents":4000,"order":{"order_id":"O-5001","placed_on":"2025-01-09","item":"Desk lamp","total_cents":4900,"refunded_cents":4000}}"#
    );
    let too_much = r#"{"order_id":"O-5001","amount":901}"#;
    assert_eq!(
        refused(&sample, "refund_order", too_much).await,
        "`amount` must be between 1 and 900 cents for `O-5001`"
    );
    structured(
        &sample,
        "refund_order",
        r#"{"order_id":"O-5001","amount":900}"#,
    )
    .await;
    let orders = structured(&sample, "list_orders", r#"{"customer_id":"C-1001"}"#).await;
    let order = &orders.get("orders").unwrap().as_array().unwrap()[0];
    assert_eq!(order.get("refunded_cents").unwrap().as_i64(), Some(4900));
}

#[tokio::test]
async fn another_shop_has_other_refunds() {
    let (one, other) = (Sample::new(), Sample::new());
    structured(
        &one,
        "refund_order",
        r#"{"order_id":"O-5004","amount":850}"#,
    )
    .await;
    let again = structured(
        &other,
        "refund_order",
        r#"{"order_id":"O-5004","amount":850}"#,
    )
    .await;
    assert_eq!(again.get("refund_id").unwrap().as_str(), Some("R-1"));
}

#[tokio::test]
async fn arguments_are_not_guessed_at() {
    let sample = Sample::new();
    for amount in ["\"100\"", "100.0", "1e2", "[100]", "null", "true"] {
        let arguments = format!(r#"{{"order_id":"O-5001","amount":{amount}}}"#);
        assert_eq!(
            refused(&sample, "refund_order", &arguments).await,
            "`amount` must be a whole number, written without a point",
            "{amount}"
        );
    }
    for amount in ["0", "-5", "4901", "9223372036854775807"] {
        let arguments = format!(r#"{{"order_id":"O-5001","amount":{amount}}}"#);
        assert!(
            refused(&sample, "refund_order", &arguments)
                .await
                .contains("between 1 and 4900")
        );
    }
    for (name, arguments, sentence) in [
        (
            "refund_order",
            r#"{"order_id":"O-5001"}"#,
            "`amount` must be given",
        ),
        (
            "lookup_customer",
            r#"{"customer_id":1}"#,
            "`customer_id` must be given, as a string",
        ),
        (
            "lookup_customer",
            r#"{"customer_id":"c-1001"}"#,
            "there is no customer `c-1001`; try C-1001",
        ),
        (
            "list_orders",
            r#"{"customer_id":"C-1001","limit":51}"#,
            "`limit` must be between 1 and 50",
        ),
        (
            "echo",
            r#"{"message":"x","to":"y"}"#,
            "only these arguments are known: message",
        ),
        ("echo", "[]", "`message` must be given, as a string"),
    ] {
        assert_eq!(refused(&sample, name, arguments).await, sentence);
    }
    let long = format!(r#"{{"customer_id":"{}"}}"#, "x".repeat(10_000));
    assert!(refused(&sample, "lookup_customer", &long).await.len() < 100);
}

#[tokio::test]
async fn an_unknown_tool_and_arguments_that_are_not_json_are_invalid_params() {
    let sample = Sample::new();
    for call in [tool_call("Echo", None), tool_call("echo", Some("{bad"))] {
        match sample.call(call).await.unwrap() {
            ToolReply::Error { code, .. } => assert_eq!(code, -32602),
            other @ ToolReply::Result { .. } => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn limits_of_the_caller_hold() {
    let sample = Sample::new();
    let small = ToolCall {
        max_bytes: 20,
        ..tool_call("echo", Some(r#"{"message":"hello"}"#))
    };
    assert_eq!(
        sample.call(small).await.unwrap_err(),
        UpstreamError::TooLarge { limit: 20 }
    );
    let stale = ToolCall {
        listed: Some(1),
        ..tool_call("echo", Some(r#"{"message":"hello"}"#))
    };
    assert_eq!(sample.call(stale).await.unwrap_err(), UpstreamError::Stale);
    sample.close().await;
    let closed = sample.call(tool_call("echo", None)).await.unwrap_err();
    assert_eq!(closed, UpstreamError::Closed);
    assert_eq!(sample.list().await.unwrap_err(), UpstreamError::Closed);
}

#[tokio::test]
async fn it_serves_over_pipes_to_clients_of_both_eras() {
    let (mut input, server_input) = pipe::pipe().unwrap();
    let (server_output, output) = pipe::pipe().unwrap();
    let serving = tokio::spawn(stdio::serve(
        Arc::new(Sample::new()),
        Sample::identity(),
        server_input,
        server_output,
    ));
    let mut lines = BufReader::new(output).lines();
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let exchange = [
        (
            r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#.to_owned(),
            r#""serverInfo":{"name":"cmcp-sample","#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"grüße"}}}"#.to_owned(),
            r#""structuredContent":{"message":"grüße"}}}"#,
        ),
        (
            format!(r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"echo","arguments":{{"message":"x"}},{meta}}}}}"#),
            r#""structuredContent":{"message":"x"},"resultType":"complete"}}"#,
        ),
        (
            format!(r#"{{"jsonrpc":"2.0","id":3,"method":"tools/list","params":{{{meta}}}}}"#),
            r#""resultType":"complete","ttlMs":0,"cacheScope":"private"}}"#,
        ),
    ];
    for (asked, expected) in exchange {
        input
            .write_all(format!("{asked}\n").as_bytes())
            .await
            .unwrap();
        let answer = lines.next_line().await.unwrap().unwrap();
        assert!(answer.contains(expected), "{answer}");
    }
    drop(input);
    assert_eq!(lines.next_line().await.unwrap(), None);
    serving.await.unwrap().unwrap();
}
