#![no_main]

use cmcp_evidence::snp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(snp::parse(data));
    drop(snp::parse_table(data));
});
