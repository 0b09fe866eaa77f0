//! What the demo tells, so that a newcomer understands what was proved and what was not.

use std::net::SocketAddr;

use cmcp_json::{Object, Value};

/// Before anything runs.
pub(crate) const INTRODUCTION: &str = "\
cMCP stands between an agent and its tools. This demo starts a gateway on this machine, with a small
real MCP server behind it (a made-up shop), sends three calls through it and reads a resource.

  Evidence is made by software here: it is marked as such everywhere, and proves nothing about this
  machine. Everything else is what a gateway in production does.
";

pub(crate) const ALLOWED: &str = "\
1  An allowed call: list the orders of customer C-1001
   Policy `read-only-tools` permits it. The call was sent on, its answer came back unchanged.";

pub(crate) const DENIED: &str = "\
2  A denied call: refund 500.00 of order O-5002
   Policy `large-refunds-need-a-person` forbids it. Not a byte of it reached the shop, and the
   caller was told whom to ask.";

pub(crate) const REDACTED: &str = "\
3  A redacted call: look up customer C-1001
   Policy `customers-without-card-numbers` permits it, and takes two members out of the answer
   before the agent sees it.";

pub(crate) const READ: &str = "\
4  A resource: read the prices of the shop
   Policy `approved-documents` permits it. Resources and prompts are pinned, decided, inspected and
   logged as tools are.";

pub(crate) const CLOSED: &str = "\
5  The session is closed, and its trust record signed
   The record says which policy and which catalog were in force, how denied calls were treated, and
   commits to the whole log of the session. The log has one outcome for every call and every
   reading: allowed, denied and redacted alike; payloads appear in it only as salted digests.";

pub(crate) const VERIFIED: &str = "\
6  Record and log are verified, as `cmcp verify` does it anywhere, without a network
   (PASS holds · FAIL does not · OPEN nobody can say from what was given · SKIP was not asked)";

pub(crate) const MEANING: &str = "
   Proved: the key of this run signed the record; policy and catalog are the ones pinned above; the
   log is complete, in order and unchanged since.
   Not proved: that the gateway ran on hardware nobody can look into. That takes a TEE; it is the
   line left open, and why the result is `partially_verified` and not `verified`. Nor does any
   record prove that a tool told the truth: see LIMITATIONS.md.";

/// Ready-to-paste configuration for clients, and a call by hand.
pub(crate) fn clients(addr: SocketAddr, program: &str) -> Vec<String> {
    let url = format!("http://{addr}/mcp");
    let args = ["client-bridge", "--gateway-url", url.as_str()];
    let bridge = Object::from([
        ("command", Value::from(program)),
        (
            "args",
            Value::Array(args.into_iter().map(Value::from).collect()),
        ),
    ]);
    let typed = Object::from([("type", "http"), ("url", url.as_str())]);
    let named = |member: &str, server: Object| {
        let servers = Object::from([("cmcp", Value::from(server))]);
        Value::from(Object::from([(member, Value::from(servers))])).to_string()
    };
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_orders","arguments":{"customer_id":"C-1001"}}}"#;
    vec![
        "The gateway goes on serving. Point a client at it:".to_owned(),
        String::new(),
        "  Claude Desktop, claude_desktop_config.json:".to_owned(),
        format!("    {}", named("mcpServers", bridge)),
        "  VS Code, .vscode/mcp.json:".to_owned(),
        format!("    {}", named("servers", typed)),
        "  Cursor, .cursor/mcp.json:".to_owned(),
        format!(
            "    {}",
            named("mcpServers", Object::from([("url", url.as_str())]))
        ),
        "  curl:".to_owned(),
        format!("    curl -s {url} -H 'Content-Type: application/json' -d '{call}'"),
        String::new(),
        "For your own servers: cmcp init. Stop with Ctrl-C.".to_owned(),
    ]
}
