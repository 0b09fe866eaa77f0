#![no_main]

use cmcp_evidence::gpu;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(gpu::parse(data));
    drop(gpu::Rim::parse(data));
    drop(gpu::Answer::parse(data));
});
