//! The client and the upstream with each other, in both eras.
#![cfg(test)]

use std::net::Ipv4Addr;

use cmcp_peers::{
    client::{self, Era, Job},
    server::{self, Fixture},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::test]
async fn both_eras_give_the_same_results() {
    let (legacy, modern) = (received(Era::Legacy).await, received(Era::Auto).await);
    assert_eq!(legacy["version"], "2025-11-25");
    assert_eq!(modern["version"], "2026-07-28");
    assert_eq!(legacy["results"], modern["results"]);
}

#[tokio::test]
async fn every_kind_of_answer_arrives() {
    let results = received(Era::Auto).await["results"].take();
    let text = |at: usize| results[at]["result"]["content"][0]["text"].clone();
    assert_eq!(
        text(0),
        "User response: action=accept, content={\"email\":\"z@example.com\",\"username\":\"zoë\"}"
    );
    assert_eq!(text(1), "Zoë likes blue.");
    assert_eq!(results[1]["asked"].as_array().unwrap().len(), 2);
    assert_eq!(results[2]["result"]["isError"], true);
    assert_eq!(results[3]["progress"].as_array().unwrap().len(), 3);
    assert_eq!(text(5), "cancelled");
    assert_eq!(
        results[6]["result"]["messages"][0]["content"]["text"],
        "Prompt with arguments: arg1='1', arg2='nothing'"
    );
    assert_eq!(results[7]["error"]["data"]["uri"], "test://absent");
}

/// What one client receives from an upstream of its own, without what tells the eras apart.
async fn received(era: Era) -> Value {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let serving = tokio::spawn(server::serve(listener, Fixture::new().unwrap()));
    let call =
        |name: &str, arguments: Value| json!({"do": "call", "name": name, "arguments": arguments});
    let mut counted = call("test_tool_with_progress", json!({}));
    counted["progress"] = json!(true);
    let mut cancelled = call("was_cancelled", json!({"key": "k"}));
    cancelled["until"] = json!("cancelled");
    let job = json!({
        "target": {"url": url},
        "steps": [
            call("test_elicitation", json!({"message": "Who?"})),
            call("test_input_required_result_multi_round", json!({})),
            call("test_error_handling", json!({})),
            counted,
            {"do": "cancel", "name": "wait", "arguments": {"key": "k", "seconds": 30}},
            cancelled,
            {"do": "get", "name": "test_prompt_with_arguments", "arguments": {"arg1": "1"}},
            {"do": "read", "uri": "test://absent"},
        ],
        "answer": {
            "action": "accept",
            "content": {"username": "zoë", "email": "z@example.com", "name": "Zoë", "color": "blue"},
        },
    });
    let job = Job::read(&job.to_string()).unwrap();
    let mut seen = client::run(job, era).await.unwrap();
    serving.abort();
    for result in seen["results"].as_array_mut().unwrap() {
        if let Some(result) = result.get_mut("result").and_then(Value::as_object_mut) {
            result.remove("resultType");
            result.remove("_meta");
            result.remove("ttlMs");
            result.remove("cacheScope");
        }
        // Each era has its own code for it.
        if let Some(error) = result.get_mut("error").and_then(Value::as_object_mut) {
            error.remove("code");
        }
    }
    seen
}
