//! Writes a session with every verdict as our export (`audit.json`) and in the older format
//! (`claim.json`, `audit_bundle.json`), for the older verifier to judge:
//! `compat_session FOLDER UNIX_SECONDS [reset]`.

use std::{env, error::Error, fs::File, io::BufWriter, path::PathBuf};

use cmcp_evidence::{Sha256Digest, SigningKey, Timestamp};
use cmcp_json::Value;
use cmcp_record::{
    audit::{
        Action, Advice, Call, CallResult, CatalogDrift, Chain, Count, Drifted, Durability,
        EvidenceClass, Findings, Intent, Kind, Mode, Outcome, RecordPer, RpcId, Server, SessionEnd,
        SessionReset, SessionStart, Text, Texts, commit,
    },
    claim::{ClaimAttestation, ClaimBuilder, ClaimInput, ClaimPolicy, ClaimRuntime},
    export::{self, CompatExport},
    verdict::Verdict,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("which folder?")?);
    let now = Timestamp::from_unix_seconds(arguments.next().ok_or("what time?")?.parse()?);
    let ending = match arguments.next().as_deref() {
        None => Ending::Calls,
        Some("reset") => Ending::Reset,
        Some(other) => return Err(format!("`{other}` is no ending; write `reset`").into()),
    };

    let key = SigningKey::from_seed(Sha256Digest::of(b"compat session").as_bytes());
    let mut chain = Chain::new(SESSION);
    let mut stored = Vec::new();
    for kind in session(ending) {
        stored.push(chain.append(&kind, now)?.bytes);
    }

    let mut builder = ClaimBuilder::new(SESSION, input(now));
    let bundle = BufWriter::new(File::create(folder.join("audit_bundle.json"))?);
    let mut older = CompatExport::new(bundle, SESSION)?;
    for entry in &stored {
        builder.entry(entry)?;
        older.entry(entry)?;
    }
    let claim = builder.finish(&key)?;
    older.finish(&claim.bundle_signature)?;
    std::fs::write(folder.join("claim.json"), &claim.bytes)?;

    let ours = BufWriter::new(File::create(folder.join("audit.json"))?);
    export::write(ours, SESSION, &stored, (&key, now))?;
    export::check(
        &mut File::open(folder.join("audit.json"))?,
        Some(&key.public()),
    )?;
    export::check(
        &mut File::open(folder.join("audit_bundle.json"))?,
        Some(&key.public()),
    )?;
    Ok(())
}

/// What comes after the calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    Calls,
    Reset,
}

fn session(ending: Ending) -> Vec<Kind> {
    let mut kinds = vec![start()];
    for ((verdict, tool), number) in Verdict::ALL.into_iter().zip(TOOLS).zip(0..) {
        let call = call(tool, number);
        let intent_seq = u64::try_from(kinds.len()).unwrap_or(u64::MAX);
        kinds.push(Kind::Intent(Box::new(Intent { call: call.clone() })));
        kinds.push(Kind::Outcome(Box::new(Outcome {
            intent_seq: Some(Count::new(intent_seq)),
            ..outcome(call, verdict)
        })));
    }
    // What the older format knows nothing of.
    let read = Call {
        action: Some(Action::ReadResource),
        ..call("file:///é", 10)
    };
    kinds.push(Kind::Outcome(Box::new(outcome(read, Verdict::Allow))));
    // Two calls ended at once, and the later one was written first.
    let last = Outcome {
        sensitivity_after: Text::new("pii"),
        ..outcome(call("echo", 7), Verdict::Allow)
    };
    kinds.push(Kind::Outcome(Box::new(last)));
    kinds.push(Kind::Outcome(Box::new(outcome(
        call("echo", 8),
        Verdict::Allow,
    ))));
    kinds.push(Kind::CatalogDrift(CatalogDrift::new(
        Text::new("démo"),
        [Drifted {
            approved: digest("a"),
            item: None,
            offered: None,
            tool: Text::new("echo"),
        }],
    )));
    if ending == Ending::Reset {
        kinds.push(Kind::SessionReset(SessionReset {
            closed: Text::new(SESSION),
            reason: Text::new("next patient"),
            reset_count: Count::new(1),
            sensitivity: Text::new("public"),
            sensitivity_before: Text::new("pii"),
            successor: Text::new("33d691a2-430b-4c95-9fc5-5b2c77eb7761"),
        }));
        kinds.push(Kind::Outcome(Box::new(outcome(
            call("echo", 9),
            Verdict::Allow,
        ))));
    }
    kinds.push(Kind::SessionEnd(SessionEnd {
        reason: Text::new("closed"),
        sensitivity: Text::new(match ending {
            Ending::Calls => "pii",
            Ending::Reset => "public",
        }),
        successor: None,
    }));
    kinds
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
        principal: Text::new("Zoë 🔒"),
        record_per: RecordPer::Session,
        sensitivity: Text::new("public"),
    }))
}

fn call(tool: &str, number: u8) -> Call {
    Call {
        action: None,
        attempt: Text::new("5f5c9f0e-2c9e-4a7e-8a39-1d7c0f4be001"),
        call_id: Text::new(&format!("9f13449c-9813-40bb-a08b-d5ac2bd6b0b{number}")),
        declaration: Some(digest("declaration")),
        parent: None,
        policies: Texts::new(["policy0", "größe"]),
        policy: digest("policy"),
        protocol: Text::new("2026-07-28"),
        request: commit(&[7; 32], b"{}"),
        retry_of: None,
        rpc_id: RpcId::new(&Value::from("é")),
        sensitivity_before: Text::new("public"),
        server: Some(Server {
            endpoint: Text::new("http://127.0.0.1:19001/mcp"),
            evidence_class: EvidenceClass::HashOnly,
            name: Text::new("démo"),
        }),
        tool: Text::new(tool),
    }
}

fn outcome(call: Call, verdict: Verdict) -> Outcome {
    let answered = matches!(
        verdict,
        Verdict::AdvisoryDeny | Verdict::Allow | Verdict::Redact
    );
    Outcome {
        call,
        advice: Advice::new([("raison", "\"é\"\n")]),
        code: (!answered).then(|| Text::new("policy_deny")),
        compliance_domain: Text::new("pii"),
        data_class: Text::new("pii"),
        findings: Findings::new([("email", 1)]),
        intent_seq: None,
        labels: Texts::new(["pii"]),
        latency_us: Count::new(843),
        redactions: Texts::default(),
        request_plain: None,
        response: answered.then(|| commit(&[8; 32], b"ok")),
        response_plain: None,
        result: if answered {
            CallResult::Response
        } else {
            CallResult::NotDispatched
        },
        sensitivity_after: Text::new("public"),
        session_label: Some(Text::new("mine")),
        verdict,
        workflow_id: Some(Text::new("démo")),
        would_have_denied: verdict == Verdict::AdvisoryDeny,
    }
}

fn input(now: Timestamp) -> ClaimInput {
    ClaimInput {
        gateway_version: "0.1.0".to_owned(),
        issued: now,
        sequence_number: 1,
        previous: None,
        runtime: ClaimRuntime::Software,
        policy: ClaimPolicy {
            bundle_hash: digest("policy"),
            mode: Mode::Enforcing,
            version: "modèle-1".to_owned(),
            signing: None,
        },
        catalog: digest("catalog"),
        attestation: ClaimAttestation {
            generated_at: now,
            validity_seconds: 86_400,
            stale: false,
            evidence: None,
        },
        regulated_domains: Vec::new(),
        catalog_exceptions: Vec::new(),
        kill_switch: None,
        agent_identity: None,
    }
}

fn digest(of: &str) -> Sha256Digest {
    Sha256Digest::of(of.as_bytes())
}

const SESSION: &str = "843efa56-4307-47f3-a5fb-684b2d7cc5e2";
/// One for each verdict, with names that spell differently in every canonical form.
const TOOLS: [&str; 7] = [
    "crm.contacts",
    "echo",
    "é🔒",
    "nope",
    "\u{e000}\u{2028}",
    "Zoë",
    "zoë\"\\/",
];
