//! N05: texts that are small and make much of themselves, read by a process that may have 64 MiB
//! more than it has. It is this test binary once more: an allocation that fails ends a process.

use std::{fmt::Write as _, fs, process::Command, sync::Arc, time::Instant};

use bytes::Bytes;
use cmcp_json::Limits;
use cmcp_mcp::{jsonrpc, sse};
use cmcp_policy::{Compat, bundle::PolicyBundle, catalog::Catalog, sensitivity::Vocabulary};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::{
    cursor::{Cursors, Listed},
    sealed::{Bound, RequestStates, Sealer},
    splice, tasks,
};

const ROOM: u64 = 64 << 20;
const CHILD: &str = "CMCP_TEST_BOMBS";
/// What a request may have, what a response may have unless more is configured, and more than what
/// operators write.
const REQUEST: usize = 4 << 20;
const RESPONSE: usize = 2 << 20;
const DOCUMENT: usize = 256 << 10;

/// Bytes that this process may write to now.
fn data() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() * 1_024
}

/// What a text of little else makes much of.
const PARTS: [(&str, &str); 12] = [
    ("numbers", "0"),
    ("empty lists", "[]"),
    ("lists of one", "[0]"),
    ("lists of two", "[0,0]"),
    ("lists of three", "[0,0,0]"),
    ("objects of one", r#"{"a":0}"#),
    ("objects of three", r#"{"a":0,"b":0,"c":0}"#),
    ("objects in objects", r#"{"a":{"a":{"a":{"a":{}}}}}"#),
    ("lists in lists", "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"),
    ("short texts", "\"a\""),
    ("exponents", "1e307"),
    ("nothing", "null"),
];

type Make = fn(usize) -> String;

/// Texts of about so many bytes, made one at a time.
fn texts(size: usize) -> impl Iterator<Item = (&'static str, String)> {
    let lists = PARTS.into_iter().map(move |(name, part)| {
        let more = format!("{part},").repeat(size / (part.len() + 1) - 1);
        (name, format!("[{more}{part}]"))
    });
    let others: [(&str, Make); 5] = [
        ("members", |size| {
            let mut text = "{\"\":0".to_owned();
            for n in 0..size / 14 {
                write!(text, ",\"{n:08}\":0").unwrap();
            }
            text + "}"
        }),
        ("escapes", |size| {
            format!("\"{}\"", "\\u0041".repeat(size / 6))
        }),
        ("digits", |size| "1".repeat(size)),
        ("brackets", |size| "[".repeat(size)),
        ("braces", |size| r#"{"a":"#.repeat(size / 5)),
    ];
    lists.chain(
        others
            .into_iter()
            .map(move |(name, make)| (name, make(size))),
    )
}

/// Everything that is read of what others sent.
fn read(raw: &Bytes) {
    let _ = jsonrpc::parse(raw, &Limits::REQUEST);
    let call = [
        br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"a":"#,
        raw.as_ref(),
        b"}}}",
    ];
    let _ = jsonrpc::parse(&Bytes::from(call.concat()), &Limits::REQUEST);
}

fn read_answer(raw: &Bytes) {
    let answer = Bytes::from(
        [
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":",
            raw.as_ref(),
            b"}",
        ]
        .concat(),
    );
    let _ = jsonrpc::parse(&answer, &Limits::RESPONSE);
    drop(answer);
    let _ = splice::object(raw);
    let forms = (tasks::Form::Flat, tasks::Form::Nested);
    let _ = tasks::created(raw, forms, "id");
}

fn read_document(raw: &Bytes) {
    let _ = Catalog::parse(raw, &Vocabulary::builtin(), Compat::Off);
    let files = ["manifest.json", "a.cedar", "schema.cedarschema"];
    let files = files.map(|name| (name.to_owned(), raw.to_vec()));
    let _ = PolicyBundle::parse(&files, Compat::Off);
}

fn read_stream(raw: &[u8]) {
    let mut decoder = sse::Decoder::new(RESPONSE);
    let mut events = Vec::new();
    for part in raw.chunks(16 * 1_024) {
        if decoder.push(part, &mut events).is_err() {
            return;
        }
        events.clear();
    }
}

fn read_sealed(text: &str) {
    let sealer = Arc::new(Sealer::new().unwrap());
    let states = RequestStates::new(Arc::clone(&sealer), Instant::now());
    let bound = Bound {
        principal: "a",
        method: "tools/call",
        call: Bound::digest("a", b"{}"),
        upstream: 0,
    };
    assert!(states.open(&bound, text, Instant::now()).is_err());
    let listed = Listed {
        principal: "a",
        method: "tools/list",
        generation: 0,
    };
    assert!(Cursors::new(sealer).open(&listed, text).is_err());
}

/// Run by the next test in a process of its own.
#[test]
#[ignore = "the other half of n05"]
fn process() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let room = Some(data() + ROOM);
    let limit = Rlimit {
        current: room,
        maximum: room,
    };
    setrlimit(Resource::Data, limit).unwrap();
    for (name, text) in texts(REQUEST - 200) {
        println!("request of {name}");
        read(&Bytes::from(text));
    }
    for (name, text) in texts(RESPONSE) {
        println!("answer of {name}");
        read_answer(&Bytes::from(text));
    }
    for (name, text) in texts(DOCUMENT) {
        println!("document of {name}");
        read_document(&Bytes::from(text));
    }
    for line in [
        "data: a\n",
        "data\n",
        "id: a\n",
        ": a\n",
        "event: a\n\n",
        "a",
    ] {
        println!("stream of {line:?}");
        read_stream(line.repeat((12 << 20) / line.len()).as_bytes());
    }
    for text in ["A", "_", "=", "\u{e4}"] {
        println!("seal of {text}");
        read_sealed(&text.repeat(8 << 20));
    }
    // That there is a limit at all.
    println!("survived");
    let too_much: Vec<u8> = Vec::with_capacity(usize::try_from(2 * ROOM).unwrap());
    println!("{} and unlimited", too_much.capacity());
}

#[test]
fn n05_what_makes_much_of_itself_is_an_error_and_no_end_within_64_mib() {
    let ended = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "limits::tests::bombs::process",
        ])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&ended.stdout);
    let last = out.lines().rfind(|line| !line.is_empty());
    assert_eq!(
        last,
        Some("survived"),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    assert!(!ended.status.success(), "nothing was limited");
}
