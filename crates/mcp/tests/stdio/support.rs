//! Starting the fixture, and asking it things.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use cmcp_json::Value;
use cmcp_mcp::{
    Server, ToolCall, ToolReply, UpstreamError,
    child::{Launcher, Spawn},
    client::{StdioClient, Timing},
};

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

pub(crate) fn client(spawn: Spawn) -> StdioClient {
    StdioClient::new(spawn, launcher(), Timing::default())
}

pub(crate) fn call(name: &str) -> ToolCall {
    ToolCall {
        name: name.to_owned(),
        arguments: None,
        meta: None,
        deadline: Duration::from_secs(20),
        max_bytes: 1 << 20,
        listed: None,
    }
}

pub(crate) fn call_with(name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        arguments: Some(Bytes::copy_from_slice(arguments.as_bytes())),
        ..call(name)
    }
}

pub(crate) async fn ask(client: &StdioClient, call: ToolCall) -> Result<Value, UpstreamError> {
    match client.call(call).await? {
        ToolReply::Result { value, .. } => Ok(value),
        ToolReply::Error { code, message, .. } => panic!("error {code}: {message}"),
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
