//! The supervising command of child processes, for the binary's `main`.

pub use cmcp_mcp::child::supervise as child_supervise;
