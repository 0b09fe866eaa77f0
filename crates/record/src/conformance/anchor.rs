//! Whether a claim is a leaf of the tree that its receipt names: check TR-ANC-002.

use cmcp_json::{Form, Object, Value, canonical};

use super::{Input, InputError};
use crate::{tree, verify::Receipt};

pub(super) fn answer(input: &Input<'_>) -> Result<Object, InputError> {
    let claim = input.value("claim")?;
    let included = input
        .optional("receipt")
        .is_some_and(|receipt| is_included(claim, receipt));
    let finding = if included { "pass" } else { "fail" };
    Ok(Object::from([
        ("inclusion", finding),
        ("tr_anc_002", finding),
    ]))
}

fn is_included(claim: &Value, receipt: &Value) -> bool {
    let (Ok(receipt), Ok(bytes)) = (
        Receipt::parse(&receipt.to_vec()),
        canonical(claim, Form::AsciiStrict),
    ) else {
        return false;
    };
    receipt.includes(&tree::leaf(&bytes)).is_ok()
}
