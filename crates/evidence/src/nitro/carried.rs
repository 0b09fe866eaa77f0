//! What the enclave or instance had signed with its registers.

use super::{
    Case, Document, FieldRule, Kind,
    checks::{BINDING, FIELDS, NONCE, PUBLIC_KEY, USER_DATA, shown},
    document::{MAX_DATA, MAX_KEY},
};
use crate::{
    check::{Check, Checks},
    hex,
    result::{About, Proved},
};

struct Carried<'a> {
    name: &'static str,
    claim: &'static str,
    value: Option<&'a [u8]>,
    rule: &'a FieldRule,
    check: &'static Check,
    most: usize,
}

/// Judges them.
pub(super) fn judge(
    case: &Case<'_>,
    document: &Document<'_>,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    specified(document, checks);
    for field in fields(case, document) {
        if let Some(value) = field.value {
            proved.claim(About::When, field.claim, hex::encode(value));
            checks.expect(
                &FIELDS,
                value.len() <= field.most,
                format_args!("at most {} bytes of `{}`", field.most, field.name),
                value.len(),
            );
        }
        rule(case, &field, checks);
    }
}

fn specified(document: &Document<'_>, checks: &mut Checks) {
    checks.expect(
        &FIELDS,
        document.digest == "SHA384",
        "the digest `SHA384`",
        format_args!("`{}`", document.digest.escape_debug()),
    );
    checks.expect(
        &FIELDS,
        document.timestamp != 0,
        "a time after 1970",
        document.timestamp,
    );
    checks.expect(
        &FIELDS,
        document.unknown.is_empty(),
        "the fields that AWS specifies",
        format_args!("also `{}`", document.unknown.join("`, `").escape_debug()),
    );
}

fn fields<'a>(case: &'a Case<'_>, document: &'a Document<'_>) -> [Carried<'a>; 3] {
    let policy = case.policy;
    let most = match document.kind {
        Kind::Enclave => MAX_DATA,
        Kind::Instance => MAX_KEY,
    };
    [
        Carried {
            name: "nonce",
            claim: "nonce",
            value: document.nonce,
            rule: &policy.nonce,
            check: &NONCE,
            most,
        },
        Carried {
            name: "user_data",
            claim: "user-data",
            value: document.user_data,
            rule: &policy.user_data,
            check: &USER_DATA,
            most,
        },
        Carried {
            name: "public_key",
            claim: "public-key",
            value: document.public_key,
            rule: &policy.public_key,
            check: &PUBLIC_KEY,
            most: MAX_KEY,
        },
    ]
}

fn rule(case: &Case<'_>, field: &Carried<'_>, checks: &mut Checks) {
    let found = field.value.map_or_else(|| "absent".to_owned(), shown);
    match field.rule {
        FieldRule::Binding => {
            bound(case, field, checks);
            checks.not_applicable(field.check, "it carries the binding, see `nitro.binding`");
        }
        FieldRule::Any => checks.not_applicable(field.check, "policy takes any value"),
        FieldRule::Absent => {
            checks.expect(field.check, field.value.is_none(), "absent", found);
        }
        FieldRule::OneOf(list) => {
            let listed = list
                .iter()
                .any(|known| Some(known.as_slice()) == field.value);
            checks.expect(field.check, listed, "a value that policy lists", found);
        }
    }
}

fn bound(case: &Case<'_>, field: &Carried<'_>, checks: &mut Checks) {
    let Some(expected) = case.binding else {
        checks.not_applicable(&BINDING, "no binding was named");
        return;
    };
    checks.expect(
        &BINDING,
        field.value == Some(expected),
        format_args!("`{}` {}", field.name, shown(expected)),
        field.value.map_or_else(|| "absent".to_owned(), shown),
    );
}
