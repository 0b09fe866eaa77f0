//! The cmcp binary: configuration, commands, rendering.
fn main() {}
