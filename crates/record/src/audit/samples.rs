//! One entry of every kind, with text that canonical forms disagree about, and a short session.

use cmcp_evidence::{Sha256Digest, Timestamp};
use cmcp_json::{Limits, Value};

use super::*;
use crate::verdict::Verdict;

/// A file that belongs to the formats; without the shared folder, outside CI, the test is skipped.
pub(crate) fn shared(name: &str) -> Option<Vec<u8>> {
    outside("formats", name)
}

/// A captured piece of evidence, likewise.
pub(crate) fn vector(name: &str) -> Option<Vec<u8>> {
    outside("vectors", name)
}

fn outside(folder: &str, name: &str) -> Option<Vec<u8>> {
    let path = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(folder)
        .join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            panic!("{}: {error}", path.display())
        }
        Err(_) => {
            println!("skipped: ../shared is not here");
            None
        }
    }
}

pub(crate) fn json(bytes: &[u8]) -> Value {
    cmcp_json::parse(bytes, &Limits::DOCUMENT).expect("strict JSON")
}

pub(crate) fn digest(of: &str) -> Sha256Digest {
    Sha256Digest::of(of.as_bytes())
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_795_165_961 + seconds) * 1_000_000 + 438_842)
}

pub(crate) const LOG: &str = "843efa56-4307-47f3-a5fb-684b2d7cc5e2";

pub(crate) fn start() -> Kind {
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
        principal: Text::new("Zoë 🔒"),
        record_per: RecordPer::Session,
        sensitivity: Text::new("public"),
    }))
}

pub(crate) fn server() -> Server {
    Server {
        endpoint: Text::new("http://127.0.0.1:19001/mcp"),
        evidence_class: EvidenceClass::HashOnly,
        name: Text::new("démo"),
    }
}

pub(crate) fn call(tool: &str) -> Call {
    Call {
        action: None,
        attempt: Text::new("5f5c9f0e-2c9e-4a7e-8a39-1d7c0f4be001"),
        call_id: Text::new("9f13449c-9813-40bb-a08b-d5ac2bd6b0b6"),
        declaration: Some(digest("declaration")),
        parent: None,
        policies: Texts::new(["policy0"]),
        policy: digest("policy"),
        protocol: Text::new("2026-07-28"),
        request: commit(&[7; 32], b"{\"message\":\"hello\"}"),
        retry_of: None,
        rpc_id: RpcId::new(&Value::from(7_i64)),
        sensitivity_before: Text::new("public"),
        server: Some(server()),
        tool: Text::new(tool),
    }
}

pub(crate) fn outcome(tool: &str, verdict: Verdict) -> Outcome {
    let answered = matches!(
        verdict,
        Verdict::Allow | Verdict::AdvisoryDeny | Verdict::Redact
    );
    Outcome {
        call: call(tool),
        advice: Advice::default(),
        code: (!answered).then(|| Text::new("policy_deny")),
        compliance_domain: Text::new("internal"),
        data_class: Text::new("public"),
        findings: Findings::default(),
        intent_seq: None,
        labels: Texts::default(),
        latency_us: Count::new(43_653),
        redactions: Texts::default(),
        request_plain: None,
        response: answered.then(|| commit(&[8; 32], b"ok echo")),
        response_plain: None,
        result: if answered {
            CallResult::Response
        } else {
            CallResult::NotDispatched
        },
        sensitivity_after: Text::new("public"),
        session_label: None,
        verdict,
        workflow_id: Some(Text::new("demo")),
        would_have_denied: verdict == Verdict::AdvisoryDeny,
    }
}

pub(crate) fn called(tool: &str, verdict: Verdict) -> Kind {
    Kind::Outcome(Box::new(outcome(tool, verdict)))
}

/// The outcome of something else than a call of a tool.
pub(crate) fn acted(action: Action, target: &str, verdict: Verdict) -> Kind {
    Kind::Outcome(Box::new(Outcome {
        call: Call {
            action: Some(action),
            ..call(target)
        },
        ..outcome(target, verdict)
    }))
}

/// What a server asks of a client, and the list of what it offers besides tools.
pub(crate) fn later_kinds() -> Vec<Kind> {
    let asked = Call {
        action: Some(Action::Elicit),
        call_id: Text::new("0b8d0a6f-6a56-4d0e-9a2b-9bb1f5a4a001"),
        parent: Some(Text::new("9f13449c-9813-40bb-a08b-d5ac2bd6b0b6")),
        ..call("démo")
    };
    let list = Declarations::new(
        server(),
        [],
        (Completeness::Incomplete, ChangeNotice::None),
        at(0),
    );
    vec![
        Kind::Declarations(list.of(Item::ResourceTemplate)),
        Kind::CatalogDrift(CatalogDrift::new(
            Text::new("démo"),
            [Drifted {
                approved: digest("a"),
                item: Some(Item::Resource),
                offered: None,
                tool: Text::new("file:///étc"),
            }],
        )),
        Kind::EraDowngrade(EraDowngrade {
            from: Text::new("2026-07-28"),
            server: server(),
            to: Text::new("2025-11-25"),
        }),
        acted(Action::ReadResource, "file:///étc", Verdict::Allow),
        Kind::Intent(Box::new(Intent {
            call: asked.clone(),
        })),
        Kind::Outcome(Box::new(Outcome {
            call: asked,
            intent_seq: Some(Count::new(5)),
            ..outcome("démo", Verdict::Deny)
        })),
        acted(Action::Subscribe, "file:///étc", Verdict::Fault),
        Kind::ForeignSession(ForeignSession {
            named: digest("session"),
        }),
    ]
}

/// The call of the one intent, which is the third entry.
const INTENDED: &str = "ed21e162-b56f-4124-a9e8-c3a1f9137c2b";

/// An outcome with every member, and awkward text in each.
pub(crate) fn full_outcome() -> Outcome {
    let awkward = "🔒 \u{e000}\u{1}\"\\/\n\u{2028}é";
    Outcome {
        advice: Advice::new([("🔒", "a"), ("\u{e000}", "b"), ("", "c"), ("zoë", awkward)]),
        code: Some(Text::new("egress_denied")),
        findings: Findings::new([("email", 2), (awkward, u64::MAX)]),
        intent_seq: Some(Count::new(2)),
        labels: Texts::new(["pii", awkward]),
        redactions: Texts::new(["$.content[0].text"]),
        request_plain: Some(digest("request")),
        response_plain: Some(digest("response")),
        session_label: Some(Text::new(awkward)),
        workflow_id: Some(Text::new(awkward)),
        call: Call {
            call_id: Text::new(INTENDED),
            retry_of: Some(Text::new("5f5c9f0e-2c9e-4a7e-8a39-1d7c0f4be000")),
            rpc_id: RpcId::new(&json(b"1.50")),
            ..call(awkward)
        },
        ..outcome("echo", Verdict::AdvisoryDeny)
    }
}

/// Everything that may follow the session's start.
pub(crate) fn every_kind() -> Vec<Kind> {
    let mut kinds = vec![
        Kind::Declarations(Declarations::new(
            server(),
            [
                Page {
                    cursor: None,
                    digest: digest("page 1"),
                },
                Page {
                    cursor: Some(Text::new("seite-ß")),
                    digest: digest("page 2"),
                },
            ],
            (Completeness::Complete, ChangeNotice::Seen),
            at(0),
        )),
        Kind::Intent(Box::new(Intent {
            call: Call {
                call_id: Text::new(INTENDED),
                ..call("crm.contacts")
            },
        })),
        called("echo", Verdict::Allow),
        Kind::Outcome(Box::new(full_outcome())),
    ];
    kinds.extend(attestation_kinds());
    kinds.extend(operator_kinds());
    kinds
}

fn attestation_kinds() -> [Kind; 5] {
    [
        Kind::AttestationStale(AttestationStale {
            collected: at(-90_000),
            platform: Text::new("tdx"),
            validity_seconds: Count::new(86_400),
        }),
        Kind::AttestationRefresh(AttestationRefresh {
            collected: at(0),
            evidence: digest("evidence"),
            platform: Text::new("tdx"),
            validity_seconds: Count::new(86_400),
        }),
        Kind::PolicyLoad(PolicyLoad {
            policy: digest("policy 2"),
            previous: Some(digest("policy")),
            version: Text::new("modèle-2"),
        }),
        Kind::CatalogLoad(CatalogLoad {
            catalog: digest("catalog 2"),
            previous: None,
        }),
        Kind::CatalogDrift(CatalogDrift::new(
            Text::new("démo"),
            [
                Drifted {
                    approved: digest("a"),
                    item: None,
                    offered: Some(digest("b")),
                    tool: Text::new("echo"),
                },
                Drifted {
                    approved: digest("c"),
                    item: None,
                    offered: None,
                    tool: Text::new("🔒"),
                },
            ],
        )),
    ]
}

fn operator_kinds() -> [Kind; 7] {
    [
        Kind::BreakGlass(BreakGlass {
            authorized_by: Text::new("Zoë"),
            exception: Exception::Added,
            expires: Some(at(3_600)),
            reason: Text::new("outage"),
            tools: Texts::new(["fix"]),
        }),
        Kind::BreakGlass(BreakGlass {
            authorized_by: Text::new("Zoë"),
            exception: Exception::Used,
            expires: None,
            reason: Text::new("outage"),
            tools: Texts::default(),
        }),
        Kind::KillSwitch(KillSwitch {
            agent: Text::new("spiffe://example.org/agent"),
            authorized_by: None,
            reason: Text::new("deny rate"),
            switched: Switched::Tripped,
        }),
        Kind::SuspiciousSequence(SuspiciousSequence {
            count: Count::new(4),
            tool: Text::new("echo"),
        }),
        Kind::Recovered(Recovered {
            binary: digest("binary"),
            entries: Count::new(12),
            open_intents: Count::new(1),
        }),
        Kind::SessionReset(SessionReset {
            closed: Text::new(LOG),
            reason: Text::new("patient left"),
            reset_count: Count::new(1),
            sensitivity: Text::new("public"),
            sensitivity_before: Text::new("hipaa_phi"),
            successor: Text::new("33d691a2-430b-4c95-9fc5-5b2c77eb7761"),
        }),
        Kind::SessionEnd(SessionEnd {
            reason: Text::new("closed"),
            sensitivity: Text::new("public"),
            successor: Some(Text::new("33d691a2-430b-4c95-9fc5-5b2c77eb7761")),
        }),
    ]
}

/// The stored bytes of a log that holds these, one second apart.
pub(crate) fn log_of(kinds: impl IntoIterator<Item = Kind>) -> Vec<Vec<u8>> {
    let mut chain = Chain::new(LOG);
    std::iter::once(start())
        .chain(kinds)
        .zip(0..)
        .map(|(kind, seconds)| chain.append(&kind, at(seconds)).expect("appended").bytes)
        .collect()
}
