//! What a call costs the log: one intent, one outcome; and how fast a log is read back.
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark stops where its input is wrong"
)]

use cmcp_evidence::{Sha256Digest, Timestamp};
use cmcp_json::Value;
use cmcp_record::{
    audit::{
        Advice, Call, CallResult, Chain, Count, Durability, Entry, EvidenceClass, Findings, Intent,
        Kind, Mode, Outcome, RecordPer, RpcId, Server, SessionStart, Text, Texts,
    },
    verdict::Verdict,
};
use divan::{Bencher, counter::ItemsCount};

fn main() {
    divan::main();
}

#[divan::bench]
fn outcome(bencher: Bencher<'_, '_>) {
    append(bencher, &Kind::Outcome(Box::new(an_outcome())));
}

#[divan::bench]
fn intent(bencher: Bencher<'_, '_>) {
    append(bencher, &Kind::Intent(Box::new(Intent { call: call() })));
}

#[divan::bench(args = [0, 20])]
fn outcome_after_2_to_the(bencher: Bencher<'_, '_>, exponent: u32) {
    let kind = Kind::Outcome(Box::new(an_outcome()));
    let mut chain = begun();
    for _ in 1..1_u64 << exponent {
        chain.append(&kind, now()).unwrap();
    }
    bencher
        .counter(ItemsCount::new(1_u32))
        .bench_local(|| chain.append(&kind, now()).unwrap());
}

#[divan::bench]
fn parse(bencher: Bencher<'_, '_>) {
    let stored = begun()
        .append(&Kind::Outcome(Box::new(an_outcome())), now())
        .unwrap()
        .bytes;
    bencher
        .counter(ItemsCount::new(1_u32))
        .bench_local(|| Entry::parse(&stored).unwrap());
}

#[divan::bench]
fn replay_1000(bencher: Bencher<'_, '_>) {
    let mut chain = Chain::new("bench");
    let mut log = vec![chain.append(&start(), now()).unwrap().bytes];
    let kind = Kind::Outcome(Box::new(an_outcome()));
    log.extend((0..999).map(|_| chain.append(&kind, now()).unwrap().bytes));
    bencher
        .counter(ItemsCount::new(log.len()))
        .bench_local(|| Chain::replay("bench", &log).unwrap().root());
}

fn append(bencher: Bencher<'_, '_>, kind: &Kind) {
    let mut chain = begun();
    bencher
        .counter(ItemsCount::new(1_u32))
        .bench_local(|| chain.append(kind, now()).unwrap());
}

fn begun() -> Chain {
    let mut chain = Chain::new("843efa56-4307-47f3-a5fb-684b2d7cc5e2");
    chain.append(&start(), now()).unwrap();
    chain
}

fn now() -> Timestamp {
    Timestamp::from_micros(1_795_165_961_438_842)
}

fn digest(of: &str) -> Sha256Digest {
    Sha256Digest::of(of.as_bytes())
}

fn start() -> Kind {
    Kind::SessionStart(Box::new(SessionStart {
        binary: digest("binary"),
        catalog: digest("catalog"),
        config: digest("config"),
        durability_read: Durability::Process,
        durability_write: Durability::Disk,
        evidence: None,
        inherited: false,
        label: None,
        mode: Mode::Enforcing,
        platform: Text::new("software-only"),
        policy: digest("policy"),
        predecessor: None,
        principal: Text::new("anonymous"),
        record_per: RecordPer::Session,
        sensitivity: Text::new("public"),
    }))
}

fn call() -> Call {
    Call {
        action: None,
        attempt: Text::new("5f5c9f0e-2c9e-4a7e-8a39-1d7c0f4be001"),
        call_id: Text::new("9f13449c-9813-40bb-a08b-d5ac2bd6b0b6"),
        declaration: Some(digest("declaration")),
        parent: None,
        policies: Texts::new(["allow-read"]),
        policy: digest("policy"),
        protocol: Text::new("2026-07-28"),
        request: digest("request"),
        retry_of: None,
        rpc_id: RpcId::new(&Value::from(7_i64)),
        sensitivity_before: Text::new("public"),
        server: Some(Server {
            endpoint: Text::new("https://mcp.example.org/mcp"),
            evidence_class: EvidenceClass::TlsPinned,
            name: Text::new("example"),
        }),
        tool: Text::new("read_file"),
    }
}

fn an_outcome() -> Outcome {
    Outcome {
        call: call(),
        advice: Advice::default(),
        code: None,
        compliance_domain: Text::new("internal"),
        data_class: Text::new("public"),
        findings: Findings::default(),
        intent_seq: None,
        labels: Texts::default(),
        latency_us: Count::new(843),
        redactions: Texts::default(),
        request_plain: None,
        response: Some(digest("response")),
        response_plain: None,
        result: CallResult::Response,
        sensitivity_after: Text::new("public"),
        session_label: None,
        verdict: Verdict::Allow,
        workflow_id: Some(Text::new("demo")),
        would_have_denied: false,
    }
}
