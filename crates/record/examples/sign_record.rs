//! Signs a trust record with a fixed key, for the public tools to judge:
//! `sign_record <unix seconds> <policy version> [<challenge>]`.

use std::error::Error;
use std::io::{self, Write};

use cmcp_evidence::{Sha256Digest, SigningKey, Timestamp};
use cmcp_record::trust_record::{Enforcement, Policy, RecordDraft, Runtime, Transcript};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().ok_or("no time given")?.parse()?;
    let version = arguments.next().ok_or("no policy version given")?;
    let draft = RecordDraft {
        issued_at: Timestamp::from_unix_seconds(seconds),
        subject: "spiffe://example.org/gateway/sample".to_owned(),
        policy: Policy {
            bundle_hash: Sha256Digest::of(version.as_bytes()).into(),
            version,
            enforcement: Enforcement::Enforce,
        },
        data_class: "public".to_owned(),
        transcript: Transcript {
            root: Sha256Digest::of(b"log"),
            calls: 3,
        },
        binary: Sha256Digest::of(b"binary").into(),
        runtime: Runtime::Software,
        challenge: arguments.next(),
    };
    let record = draft.sign(&SigningKey::from_seed(&[42; 32]))?;
    Ok(io::stdout().lock().write_all(&record)?)
}
