#![no_main]

use cmcp_evidence::eventlog;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(eventlog::ImaLog::parse(data));
    drop(eventlog::CelLog::parse(data));
    if let Ok(log) = eventlog::JsonLog::parse(data) {
        drop(log.replay());
    }
});
