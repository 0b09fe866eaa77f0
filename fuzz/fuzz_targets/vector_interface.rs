#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let answer = cmcp_record::conformance::answer(data);
    cmcp_json::parse(&answer, &cmcp_json::Limits::DOCUMENT).expect("an answer is JSON");
});
