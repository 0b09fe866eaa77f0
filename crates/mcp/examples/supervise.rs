//! The supervising command alone: what the `cmcp` binary does for its hidden command.

fn main() -> std::process::ExitCode {
    cmcp_mcp::child::supervise(std::env::args_os().skip(1))
}
