#![no_main]

use cmcp_json::Form;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(value) = cmcp_json::parse(data, &cmcp_json::Limits::DOCUMENT) else {
        return;
    };
    for form in [Form::Jcs, Form::JcsStrict, Form::AsciiStrict, Form::Pyj] {
        let Ok(written) = cmcp_json::canonical(&value, form) else {
            continue;
        };
        let again = cmcp_json::parse(&written, &cmcp_json::Limits::DOCUMENT).expect("what was written is read");
        assert_eq!(cmcp_json::canonical(&again, form).as_ref(), Ok(&written), "a canonical form is its own");
    }
});
