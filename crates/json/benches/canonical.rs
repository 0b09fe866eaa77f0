//! Parsing and canonical writing of what a gateway sees: a call, a long text, many members, numbers.
#![expect(
    clippy::expect_used,
    reason = "a benchmark stops when its input is wrong"
)]

use cmcp_json::{Form, Limits, Object, Value, canonical, parse};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

const CASES: [&str; 4] = ["call", "text", "members", "numbers"];

#[divan::bench(args = CASES)]
fn read(bencher: Bencher<'_, '_>, case: &str) {
    let text = case_text(case);
    bencher
        .counter(BytesCount::new(text.len()))
        .bench(|| parse(black_box(&text), &Limits::DOCUMENT));
}

#[divan::bench(args = CASES)]
fn read_and_write_jcs(bencher: Bencher<'_, '_>, case: &str) {
    let text = case_text(case);
    bencher.counter(BytesCount::new(text.len())).bench(|| {
        let value = parse(black_box(&text), &Limits::DOCUMENT).expect("value");
        canonical(&value, Form::Jcs)
    });
}

#[divan::bench(args = CASES)]
fn write_jcs(bencher: Bencher<'_, '_>, case: &str) {
    let text = case_text(case);
    let value = parse(&text, &Limits::DOCUMENT).expect("value");
    bencher
        .counter(BytesCount::new(text.len()))
        .bench(|| canonical(black_box(&value), Form::Jcs));
}

fn case_text(case: &str) -> Vec<u8> {
    let value: Value = match case {
        "call" => return CALL.to_vec(),
        "text" => {
            Object::from([("text", "Ein längerer Text,\nmit \"Zeichen\". ".repeat(8192))]).into()
        }
        "members" => (0..10_000_i64)
            .rev()
            .map(|number| (format!("member-{number}"), number))
            .collect::<Object>()
            .into(),
        _ => (0..10_000_u32)
            .map(|number| {
                let fraction = f64::from(number) / 7.0;
                fraction
                    .to_string()
                    .parse::<cmcp_json::Number>()
                    .expect("number")
            })
            .collect::<Vec<_>>()
            .into(),
    };
    value.to_vec()
}

const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"crm.contacts","arguments":{"query":"name:\"M\u00fcller\" and city:Z\u00fcrich","max":25,"fields":["name","mail","phone"],"include_archived":false,"after":null},"_meta":{"progressToken":17,"cmcp.dev/session":"0b0b0c52-5d5a-4b7c-9a33-0f5f6d1f3c11"}}}"#;
