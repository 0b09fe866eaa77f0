#![no_main]

use cmcp_evidence::{Claims, wire};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(wire::container::decode(data));
    drop(wire::cmw::Cmw::from_json(data));
    drop(wire::cmw::Cmw::from_cbor(data));
    drop(wire::own::Own::decode(data));
    drop(Claims::parse(data));
});
