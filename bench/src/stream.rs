//! How long an event of a server is on its way.

use std::{io::Write as _, time::Duration};

use clap::Args;
use cmcp_json::{Object, Value};
use http_body_util::BodyExt as _;

use crate::{
    client::{Call, Target},
    load::latency,
    wire::Fault,
};

/// How many calls are made whose server tells of its progress.
#[derive(Args, Clone, Debug)]
pub(crate) struct Plan {
    #[command(flatten)]
    target: Target,
    #[arg(long, default_value_t = 20)]
    calls: u64,
}

/// Makes the calls one after the other, and prints one line: the time between the moment when the
/// server made an event and the moment when its last byte was here.
pub(crate) async fn run(plan: Plan) -> Result<(), Fault> {
    let mut client = plan.target.client().await?;
    let mut nanos = Vec::new();
    for id in 1..=plan.calls {
        let call = Call {
            id,
            tool: "steps",
            message: "go",
            progress: true,
        };
        let mut answer = client.call(&call).await?;
        let (mut text, mut events) = (Vec::new(), 0);
        while let Some(frame) = answer.body_mut().frame().await {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            let now = now();
            text.extend_from_slice(&data);
            while let Some((made, end)) = made(&text) {
                events += 1;
                nanos.push(u64::try_from(now.saturating_sub(made).as_nanos())?);
                text.drain(..end);
            }
        }
        if events != STEPS || !answer.status().is_success() {
            let said = String::from_utf8_lossy(&text);
            return Err(format!("{events} events: {} {said}", answer.status()).into());
        }
    }
    let line = Object::from([
        ("events", Value::from(u64::try_from(nanos.len())?)),
        ("latency_us", Value::from(latency(&nanos))),
    ]);
    writeln!(std::io::stdout(), "{}", Value::from(line))?;
    Ok(())
}

/// The time since 1970.
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "two processes compare it, and nothing is decided by it"
)]
pub(crate) fn now() -> Duration {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default()
}

/// When the first whole event was made, and where what follows begins.
fn made(text: &[u8]) -> Option<(Duration, usize)> {
    let text = std::str::from_utf8(text).ok()?;
    let from = text.find(MADE)? + MADE.len();
    let rest = text.get(from..)?;
    let digits = rest.find('"')?;
    // The event has ended: somebody could act on it.
    let end = from + rest.find("\n\n")?;
    let made = rest.get(..digits)?.parse().ok()?;
    Some((Duration::from_nanos(made), end))
}

/// What stands before the time in an event's message.
pub(crate) const MADE: &str = "made at ";
/// Events of one call.
pub(crate) const STEPS: u32 = 20;
/// Pause before each.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);
