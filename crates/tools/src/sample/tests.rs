use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};
use cmcp_mcp::{
    method::Method,
    server::stdio,
    upstream::{Ask, Event, Kind, Reply, Said, Server, UpstreamError, Watch},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::unix::pipe,
    sync::mpsc,
    task::JoinHandle,
};

use super::Sample;

fn value(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::REQUEST).unwrap()
}

fn tool_call(name: &str, arguments: Option<&str>) -> Ask {
    let arguments = arguments.map(|text| Bytes::copy_from_slice(text.as_bytes()));
    Ask::tool(name, arguments, Duration::from_secs(5), 1 << 20)
}

async fn call(sample: &Sample, name: &str, arguments: &str) -> Value {
    match sample.ask(tool_call(name, Some(arguments))).await.unwrap() {
        Reply::Result { bytes, value } => {
            assert_eq!(parse(&bytes, &Limits::RESPONSE).unwrap(), value);
            value
        }
        other @ Reply::Error { .. } => panic!("{other:?}"),
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
    let listing = sample.list(Kind::Tools).await.unwrap();
    let named = |tool: &&Value| tool.get("name").unwrap().as_str() == Some(name);
    listing.items.iter().find(named).unwrap().clone()
}

#[tokio::test]
async fn every_definition_is_complete() {
    let listing = Sample::new().list(Kind::Tools).await.unwrap();
    assert!(listing.complete);
    assert_eq!(listing.pages.len(), 1);
    let names: Vec<_> = listing
        .items
        .iter()
        .map(|tool| tool.get("name").unwrap().as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "lookup_customer",
            "list_orders",
            "refund_order",
            "echo",
            "count_stock"
        ]
    );
    for tool in &listing.items {
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
    let listing = Sample::new().list(Kind::Tools).await.unwrap();
    for tool in &listing.items {
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
        match sample.ask(call).await.unwrap() {
            Reply::Error { code, .. } => assert_eq!(code, -32602),
            other @ Reply::Result { .. } => panic!("{other:?}"),
        }
    }
}

async fn asked(sample: &Sample, method: Method, params: &[(&'static str, &str)]) -> Reply {
    let params = params.iter();
    let params = params.map(|(name, text)| (*name, Bytes::copy_from_slice(text.as_bytes())));
    let ask = Ask::new(method, params.collect(), Duration::from_secs(5), 1 << 20);
    sample.ask(ask).await.unwrap()
}

async fn read(sample: &Sample, uri: &str) -> Value {
    let params = format!("{uri:?}");
    let asked = asked(sample, Method::ResourcesRead, &[("uri", &params)]).await;
    let Reply::Result { value: read, .. } = asked else {
        panic!("{asked:?}")
    };
    let contents = read.get("contents").unwrap().as_array().unwrap();
    assert_eq!(contents.len(), 1);
    assert_eq!(contents[0].get("uri").unwrap().as_str(), Some(uri));
    value(contents[0].get("text").unwrap().as_str().unwrap())
}

#[tokio::test]
async fn the_price_list_and_every_order_can_be_read() {
    let sample = Sample::new();
    structured(
        &sample,
        "refund_order",
        r#"{"order_id":"O-5004","amount":50}"#,
    )
    .await;
    let order = read(&sample, "orders://O-5004").await;
    assert_eq!(order.get("refunded_cents").unwrap().as_i64(), Some(50));
    let prices = read(&sample, "shop://prices").await;
    let prices = prices.get("prices").unwrap().as_array().unwrap();
    assert_eq!(
        prices[0].to_string(),
        r#"{"item":"Desk lamp","price_cents":4900}"#
    );
    for uri in [r#""orders://O-9""#, r#""shop://else""#, "1"] {
        match asked(&sample, Method::ResourcesRead, &[("uri", uri)]).await {
            Reply::Error { code, bytes, .. } => {
                assert_eq!(code, -32602);
                assert!(String::from_utf8_lossy(&bytes).contains(r#""data":{"uri":"#));
            }
            other @ Reply::Result { .. } => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_order_that_is_watched_says_when_it_is_refunded() {
    let sample = Sample::new();
    let mut said = sample.said();
    let wanted = ["orders://O-5001", "orders://O-9", "shop://prices"];
    let honoured = sample
        .watch(Watch {
            resources: wanted.map(str::to_owned).into(),
            ..Watch::default()
        })
        .await
        .unwrap();
    let known = ["orders://O-5001", "shop://prices"].map(str::to_owned);
    assert_eq!(honoured.resources, known.into());
    for order in ["O-5002", "O-5001"] {
        let refund = format!(r#"{{"order_id":"{order}","amount":1}}"#);
        structured(&sample, "refund_order", &refund).await;
    }
    refused(
        &sample,
        "refund_order",
        r#"{"order_id":"O-5001","amount":0}"#,
    )
    .await;
    let params = Bytes::from_static(br#"{"uri":"orders://O-5001"}"#);
    let uri = "orders://O-5001".to_owned();
    assert_eq!(said.try_recv(), Ok(Said::ResourceUpdated { uri, params }));
    assert!(said.try_recv().is_err());
}

#[tokio::test]
async fn the_prompt_takes_the_arguments_it_declares() {
    let sample = Sample::new();
    let filled = |arguments: &'static str| {
        let params = [("name", r#""refund_letter""#), ("arguments", arguments)];
        let sample = &sample;
        async move { asked(sample, Method::PromptsGet, &params).await }
    };
    let prompt = filled(r#"{"order_id":"O-5001","tone":"warm"}"#).await;
    let Reply::Result { value, .. } = prompt else {
        panic!("{prompt:?}")
    };
    let text = value.to_string();
    assert!(
        text.contains("warm in tone") && text.contains("Desk lamp"),
        "{text}"
    );
    for wrong in [
        "{}",
        "[",
        r#"{"order_id":"O-1"}"#,
        r#"{"order_id":"O-5001","x":"y"}"#,
    ] {
        assert!(matches!(
            filled(wrong).await,
            Reply::Error { code: -32602, .. }
        ));
    }
    let unknown = asked(&sample, Method::PromptsGet, &[("name", r#""other""#)]).await;
    assert!(matches!(unknown, Reply::Error { code: -32602, .. }));
    let nothing = asked(&sample, Method::TasksGet, &[]).await;
    assert!(matches!(nothing, Reply::Error { code: -32601, .. }));
}

#[tokio::test]
async fn arguments_are_completed_from_what_they_begin_with() {
    const PROMPT: &str = r#"{"type":"ref/prompt","name":"refund_letter"}"#;
    let sample = Sample::new();
    let completed = |about: &'static str, argument: &'static str| {
        let params = [("ref", about), ("argument", argument)];
        let sample = &sample;
        async move {
            match asked(sample, Method::CompletionComplete, &params).await {
                Reply::Result { value, .. } => Ok(value.get("completion").unwrap().to_string()),
                Reply::Error { code, .. } => Err(code),
            }
        }
    };
    assert_eq!(
        completed(PROMPT, r#"{"name":"order_id","value":"O-500"}"#)
            .await
            .unwrap(),
        r#"{"values":["O-5001","O-5002","O-5003","O-5004","O-5005"],"total":5,"hasMore":false}"#
    );
    assert_eq!(
        completed(PROMPT, r#"{"name":"tone","value":"f"}"#)
            .await
            .unwrap(),
        r#"{"values":["formal","friendly"],"total":2,"hasMore":false}"#
    );
    let template = r#"{"type":"ref/resource","uri":"orders://{id}"}"#;
    assert_eq!(
        completed(template, r#"{"name":"id","value":"O-5003"}"#)
            .await
            .unwrap(),
        r#"{"values":["O-5003"],"total":1,"hasMore":false}"#
    );
    for (about, argument) in [
        (PROMPT, r#"{"name":"other","value":""}"#),
        (PROMPT, r#"{"name":"tone"}"#),
        (
            r#"{"type":"ref/prompt","name":"x"}"#,
            r#"{"name":"tone","value":""}"#,
        ),
        ("[]", "{}"),
    ] {
        assert_eq!(completed(about, argument).await, Err(-32602));
    }
}

#[tokio::test]
async fn counting_says_how_far_it_has_come_to_whoever_wants_to_know() {
    let sample = Sample::new();
    let (events, mut said) = mpsc::channel(1);
    let count = Ask {
        progress: true,
        events: Some(events),
        ..tool_call("count_stock", None)
    };
    let listening = async {
        let mut heard = Vec::new();
        while let Some(Event::Progress(params)) = said.recv().await {
            heard.push(String::from_utf8(params.to_vec()).unwrap());
        }
        heard
    };
    let (counted, heard) = tokio::join!(sample.ask(count), listening);
    let Reply::Result { value, .. } = counted.unwrap() else {
        panic!()
    };
    let shelves = value.get("structuredContent").unwrap().get("shelves");
    assert_eq!(shelves.unwrap().as_array().unwrap().len(), 5);
    assert_eq!(heard.len(), 5);
    assert_eq!(
        heard[0],
        r#"{"progressToken":0,"progress":1,"total":5,"message":"counted: Desk lamp"}"#
    );
    structured(&sample, "count_stock", "{}").await;
}

#[tokio::test]
async fn what_it_lists_is_what_it_offers() {
    let sample = Sample::new();
    let mut listed = Vec::new();
    for kind in Kind::ALL {
        let listing = sample.list(kind).await.unwrap();
        assert!(listing.complete);
        listed.push(listing.items.len());
    }
    assert_eq!(listed, [5, 1, 1, 1]);
    let offers = sample.offers().await.unwrap();
    assert_eq!(
        offers.capabilities.to_string(),
        r#"{"tools":{},"resources":{"subscribe":true},"prompts":{},"completions":{}}"#
    );
}

#[tokio::test]
async fn limits_of_the_caller_hold() {
    let sample = Sample::new();
    let small = Ask {
        max_bytes: 20,
        ..tool_call("echo", Some(r#"{"message":"hello"}"#))
    };
    assert_eq!(
        sample.ask(small).await.unwrap_err(),
        UpstreamError::TooLarge { limit: 20 }
    );
    let stale = Ask {
        listed: Some(1),
        ..tool_call("echo", Some(r#"{"message":"hello"}"#))
    };
    assert_eq!(sample.ask(stale).await.unwrap_err(), UpstreamError::Stale);
    sample.close().await;
    let closed = sample.ask(tool_call("echo", None)).await.unwrap_err();
    assert_eq!(closed, UpstreamError::Closed);
    assert_eq!(
        sample.list(Kind::Tools).await.unwrap_err(),
        UpstreamError::Closed
    );
}

/// The shop at the other end of two pipes.
struct Served {
    input: pipe::Sender,
    lines: Lines<BufReader<pipe::Receiver>>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Served {
    fn start() -> Self {
        let (input, server_input) = pipe::pipe().unwrap();
        let (server_output, output) = pipe::pipe().unwrap();
        let serving = tokio::spawn(stdio::serve(
            Arc::new(Sample::new()),
            Sample::identity(),
            server_input,
            server_output,
        ));
        Self {
            input,
            lines: BufReader::new(output).lines(),
            serving,
        }
    }

    /// Sends a request, and gives the lines up to its answer, which comes last.
    async fn ask(&mut self, id: u32, method: &str, params: &str) -> Vec<String> {
        let line = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{params}}}\n"
        );
        self.input.write_all(line.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        loop {
            let line = self.lines.next_line().await.unwrap().unwrap();
            let answered = line.contains(&format!("\"id\":{id},"));
            said.push(line);
            if answered {
                return said;
            }
        }
    }

    async fn end(mut self) {
        drop(self.input);
        assert_eq!(self.lines.next_line().await.unwrap(), None);
        self.serving.await.unwrap().unwrap();
    }
}

const MODERN: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

#[tokio::test]
async fn it_serves_over_pipes_to_clients_of_both_eras() {
    let mut served = Served::start();
    let modern = |members: &str| format!("{{{members}{MODERN}}}");
    for (id, (method, params, expected)) in (0..).zip([
        (
            "initialize",
            r#"{"protocolVersion":"2025-11-25"}"#.to_owned(),
            r#""serverInfo":{"name":"cmcp-sample","#,
        ),
        (
            "tools/call",
            r#"{"name":"echo","arguments":{"message":"grüße"}}"#.to_owned(),
            r#""structuredContent":{"message":"grüße"}}}"#,
        ),
        (
            "tools/call",
            modern(r#""name":"echo","arguments":{"message":"x"},"#),
            r#""structuredContent":{"message":"x"},"resultType":"complete"}}"#,
        ),
        (
            "tools/list",
            modern(""),
            r#""resultType":"complete","ttlMs":0,"cacheScope":"private"}}"#,
        ),
        (
            "resources/templates/list",
            "{}".to_owned(),
            r#""uriTemplate": "orders://{id}""#,
        ),
        (
            "resources/read",
            modern(r#""uri":"orders://O-5003","#),
            "Office chair",
        ),
        (
            "prompts/get",
            r#"{"name":"refund_letter","arguments":{"order_id":"O-5003"}}"#.to_owned(),
            r#""role":"user""#,
        ),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/prompt","name":"refund_letter"},"argument":{"name":"tone","value":""}}"#.to_owned(),
            r#""total":3"#,
        ),
    ]) {
        let said = served.ask(id, method, &params).await;
        assert_eq!(said.len(), 1);
        assert!(said[0].contains(expected), "{said:?}");
    }
    served.end().await;
}

#[tokio::test]
async fn it_says_over_pipes_how_far_it_has_come_and_what_has_changed() {
    let mut served = Served::start();
    let hello = r#"{"protocolVersion":"2025-11-25"}"#;
    served.ask(0, "initialize", hello).await;
    let order = r#"{"uri":"orders://O-5003"}"#;
    served.ask(1, "resources/subscribe", order).await;
    let refund = r#"{"name":"refund_order","arguments":{"order_id":"O-5003","amount":1}}"#;
    let mut told = served.ask(2, "tools/call", refund).await;
    let count = r#"{"name":"count_stock","_meta":{"progressToken":"t"}}"#;
    told.extend(served.ask(3, "tools/call", count).await);
    let of = |what: &str| told.iter().filter(|line| line.contains(what)).count();
    assert_eq!(of("notifications/resources/updated"), 1, "{told:?}");
    assert_eq!(of(r#""progressToken":"t""#), 5, "{told:?}");
    served.end().await;
}
