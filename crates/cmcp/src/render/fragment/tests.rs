use cmcp_json::{Limits, parse};

use super::*;
use crate::config::yaml::{self, Tree};

#[test]
fn a_fragment_is_read_back_as_it_was_meant() {
    let json = r#"{"tpm":{"quote":{"pcrs":{"11":["00ff"],"4":["a"]}}},"snp":{"measurements":{"a b: #c":"12"},"n":3}}"#;
    let fragment = parse(json.as_bytes(), &Limits::REQUEST).unwrap();
    let text = lines(&fragment).join("\n");
    assert_eq!(
        text,
        "tpm:\n  quote:\n    pcrs:\n      \"11\": [\"00ff\"]\n      \"4\": [\"a\"]\n\
         snp:\n  measurements:\n    \"a b: #c\": \"12\"\n  n: 3"
    );
    let node = yaml::parse(text.as_bytes()).unwrap();
    let Tree::Mapping(members) = &node.tree else {
        panic!("{node:?}");
    };
    assert_eq!(members.len(), 2);
    assert_eq!(crate::reference_values::value(&node), fragment);
}
