#![no_main]

use cmcp_evidence::Timestamp;
use cmcp_record::verify::{Expectations, Freshness, verify_record};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut export = data;
    let expected = Expectations::unpinned(Freshness::NotChecked);
    let record = include_bytes!("../seeds/record.json");
    drop(verify_record(record, Some(&mut export), &expected, Timestamp::MIN));
});
