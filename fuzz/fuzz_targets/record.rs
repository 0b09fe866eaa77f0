#![no_main]

use cmcp_evidence::Timestamp;
use cmcp_record::{
    trust_record::{AcceptedProfiles, TrustRecord},
    verify::{Expectations, Freshness, Grade, verify_record},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(TrustRecord::parse(data, &AcceptedProfiles::with_draft()));
    let mut expected = Expectations::unpinned(Freshness::NotChecked);
    expected.profiles = AcceptedProfiles::with_draft();
    let report = verify_record(data, None, &expected, Timestamp::MIN);
    assert_ne!(report.grade, Grade::Attested, "nobody can sign that");
});
