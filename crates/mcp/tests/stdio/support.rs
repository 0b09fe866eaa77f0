//! Starting the fixture, and asking it things.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use cmcp_json::{Limits, Value, parse};
use cmcp_mcp::{
    Server, UpstreamError,
    child::{Launcher, Spawn},
    client::{Identity, StdioClient, Timing},
    upstream::{Ask, Event, Reply},
};
use tokio::sync::mpsc;

/// A built example of this crate.
pub(crate) fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("the test's own path");
    let target = tests.ancestors().nth(2).expect("a build folder");
    let path = target.join("examples").join(name);
    assert!(
        path.exists(),
        "examples are built when the tests are run without naming one target"
    );
    path
}

pub(crate) fn launcher() -> Launcher {
    Launcher {
        program: example("supervise"),
        args: Vec::new(),
    }
}

/// The fixture, speaking as told.
pub(crate) fn fixture(era: &str) -> Spawn {
    Spawn {
        args: vec![era.to_owned()],
        ..Spawn::new(example("fixture"))
    }
}

/// A server that says what it is told to.
pub(crate) fn talker(era: &str) -> Spawn {
    Spawn {
        args: vec![era.to_owned()],
        ..Spawn::new(example("talker"))
    }
}

/// A client of it that declares these capabilities.
pub(crate) fn talker_with(era: &str, capabilities: &str) -> StdioClient {
    let identity = Identity::with_capabilities(value(capabilities));
    StdioClient::new(talker(era), launcher(), Timing::default(), identity)
}

pub(crate) fn value(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::RESPONSE).expect("JSON")
}

/// A call that has the talker say these lines. `then` is `answer`, `park` (until a response comes)
/// or `hang`.
pub(crate) fn say(lines: &[&str], then: &str) -> Ask {
    say_slowly(lines, then, 0)
}

/// As [`say`], with a pause in milliseconds behind each line.
pub(crate) fn say_slowly(lines: &[&str], then: &str, pause: u64) -> Ask {
    let lines = Value::Array(lines.iter().map(|&line| Value::from(line)).collect());
    let arguments = format!(r#"{{"lines":{lines},"then":"{then}","pause":{pause}}}"#);
    call_with("say", &arguments)
}

/// The same, with what is said meanwhile.
pub(crate) fn listening(ask: Ask) -> (Ask, mpsc::Receiver<Event>) {
    let (events, said) = mpsc::channel(16);
    let ask = Ask {
        events: Some(events),
        ..ask
    };
    (ask, said)
}

/// The result of a request that has one.
pub(crate) async fn result(client: &StdioClient, ask: Ask) -> Value {
    match client.ask(ask).await.expect("an answer") {
        Reply::Result { value, .. } => value,
        Reply::Error { code, message, .. } => panic!("error {code}: {message}"),
    }
}

/// What comes of something while a request of `hanging` is under way. The request is entered first.
pub(crate) async fn beside<T>(
    client: &StdioClient,
    hanging: Ask,
    other: impl Future<Output = T>,
) -> T {
    tokio::select! {
        biased;
        reply = client.ask(hanging) => panic!("{reply:?}"),
        outcome = other => outcome,
    }
}

/// Every message that the talker has got so far.
pub(crate) async fn heard(client: &StdioClient) -> Vec<Value> {
    let all = ask(client, call("heard")).await.expect("an answer");
    all.as_array().expect("an array").to_vec()
}

/// Those of one method.
pub(crate) async fn heard_of(client: &StdioClient, method: &str) -> Vec<Value> {
    let mut all = heard(client).await;
    all.retain(|message| message.get("method").and_then(Value::as_str) == Some(method));
    all
}

pub(crate) fn client(spawn: Spawn) -> StdioClient {
    StdioClient::new(spawn, launcher(), Timing::default(), Identity::default())
}

pub(crate) fn call(name: &str) -> Ask {
    Ask::tool(name, None, Duration::from_secs(20), 1 << 20)
}

pub(crate) fn call_with(name: &str, arguments: &str) -> Ask {
    let arguments = Bytes::copy_from_slice(arguments.as_bytes());
    Ask::tool(name, Some(arguments), Duration::from_secs(20), 1 << 20)
}

pub(crate) async fn ask(client: &StdioClient, call: Ask) -> Result<Value, UpstreamError> {
    match client.ask(call).await? {
        Reply::Result { value, .. } => Ok(value),
        Reply::Error { code, message, .. } => panic!("error {code}: {message}"),
    }
}

/// Waits for something that another process does. Nothing tells when it has happened.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < give_up, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    // A zombie runs nothing any more.
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}
