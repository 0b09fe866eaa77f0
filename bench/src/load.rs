//! The closed-loop client: so many connections, one call in flight on each.

use std::{
    cell::RefCell,
    io::Write as _,
    rc::Rc,
    time::{Duration, Instant},
};

use clap::Args;
use cmcp_json::{Object, Value};
use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::task::JoinSet;

use crate::{
    client::{Call, Client, Target},
    process::Process,
    wire::Fault,
};

/// What to call, how often, and whom to watch meanwhile.
#[derive(Args, Clone, Debug)]
pub(crate) struct Plan {
    #[command(flatten)]
    target: Target,
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// How long to measure, after a warm-up.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[arg(long, default_value_t = 0.5)]
    warmup: f64,
    /// Make this many calls instead, and report them in ten windows.
    #[arg(long)]
    calls: Option<usize>,
    #[arg(long, default_value = "echo")]
    tool: String,
    /// Report CPU and memory of this process, as `name=pid`.
    #[arg(long)]
    process: Vec<Process>,
}

/// What all connections have seen, in the order of completion.
#[derive(Debug, Default)]
struct Seen {
    nanos: Vec<u64>,
    errors: usize,
    first_error: Option<String>,
    /// CPU time of each process whenever another tenth of `calls` was complete.
    marks: Vec<Vec<u64>>,
}

/// Runs the plan and prints one line.
pub(crate) async fn run(plan: Plan) -> Result<(), Fault> {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let plan = Rc::new(plan);
    let warm = Instant::now() + Duration::from_secs_f64(plan.warmup);
    let mut connections = JoinSet::new();
    for number in 0..plan.connections {
        let client = plan.target.client().await?;
        let caller = Caller {
            number,
            warm,
            plan: Rc::clone(&plan),
            seen: Rc::clone(&seen),
        };
        connections.spawn_local(caller.call_until_done(client));
    }
    tokio::time::sleep_until(warm.into()).await;
    let (begin, cpu) = (Instant::now(), plan.cpu());
    seen.borrow_mut().marks.push(cpu.clone());
    while let Some(ended) = connections.join_next().await {
        ended?;
    }
    let elapsed = begin.elapsed();
    let line = report(&plan, &seen.borrow(), &cpu, elapsed);
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

impl Plan {
    fn cpu(&self) -> Vec<u64> {
        self.process.iter().map(Process::cpu_micros).collect()
    }
}

/// One connection's user.
struct Caller {
    number: usize,
    warm: Instant,
    plan: Rc<Plan>,
    seen: Rc<RefCell<Seen>>,
}

impl Caller {
    async fn call_until_done(self, mut client: Client) {
        let end = self.warm + Duration::from_secs_f64(self.plan.seconds);
        for id in 1.. {
            let begin = Instant::now();
            let enough = match self.plan.calls {
                Some(calls) => self.seen.borrow().nanos.len() >= calls,
                None => begin >= end,
            };
            if enough || self.seen.borrow().errors >= MAX_ERRORS {
                return;
            }
            let call = tokio::time::timeout(DEADLINE, self.call(&mut client, id)).await;
            let broken = call.is_err() || client.is_closed();
            let outcome = call.unwrap_or_else(|late| Err(late.into()));
            if begin >= self.warm {
                self.note(begin.elapsed(), outcome);
            }
            if broken {
                match self.plan.target.client().await {
                    Ok(again) => client = again,
                    Err(_) => return,
                }
            }
        }
    }

    /// One call, whose answer has to hold what was sent.
    async fn call(&self, client: &mut Client, id: u64) -> Result<(), Fault> {
        let message = format!("message {id} of connection {}", self.number);
        let call = Call {
            id,
            tool: &self.plan.tool,
            message: &message,
            progress: false,
        };
        let answer = client.call(&call).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let found = body
            .windows(message.len())
            .any(|part| part == message.as_bytes());
        if status == StatusCode::OK && found {
            return Ok(());
        }
        Err(format!("{status} {}", String::from_utf8_lossy(&body)).into())
    }

    fn note(&self, took: Duration, outcome: Result<(), Fault>) {
        let mut seen = self.seen.borrow_mut();
        match outcome {
            Ok(()) => seen
                .nanos
                .push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)),
            Err(fault) => {
                seen.errors += 1;
                seen.first_error.get_or_insert_with(|| fault.to_string());
                return;
            }
        }
        if let Some(calls) = self.plan.calls {
            let mark = (calls / WINDOWS).max(1);
            if seen.nanos.len().is_multiple_of(mark) {
                let cpu = self.plan.cpu();
                seen.marks.push(cpu);
            }
        }
    }
}

fn report(plan: &Plan, seen: &Seen, cpu: &[u64], elapsed: Duration) -> Value {
    let count = u64::try_from(seen.nanos.len()).unwrap_or(u64::MAX);
    let millis = u64::try_from(elapsed.as_millis())
        .unwrap_or(u64::MAX)
        .max(1);
    let processes: Object = plan
        .process
        .iter()
        .zip(cpu)
        .map(|(process, before)| {
            let used = process.cpu_micros().saturating_sub(*before);
            let figures = Object::from([
                ("cpu_us_per_call", Value::from(used / count.max(1))),
                ("resident_kib", Value::from(process.resident_kib())),
            ]);
            (process.name.clone(), Value::from(figures))
        })
        .collect();
    Object::from([
        ("calls", Value::from(count)),
        (
            "errors",
            Value::from(u64::try_from(seen.errors).unwrap_or(u64::MAX)),
        ),
        (
            "first_error",
            seen.first_error.as_deref().map_or(Value::Null, Value::from),
        ),
        (
            "calls_per_second",
            Value::from(count.saturating_mul(1000) / millis),
        ),
        ("latency_us", Value::from(latency(&seen.nanos))),
        ("processes", Value::from(processes)),
        ("windows", Value::from(windows(seen))),
    ])
    .into()
}

/// Median and tail, in microseconds.
pub(crate) fn latency(nanos: &[u64]) -> Object {
    let mut sorted = nanos.to_vec();
    sorted.sort_unstable();
    let at = |percent: usize| {
        let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        Value::from(sorted.get(place).copied().unwrap_or(0) / 1000)
    };
    Object::from([("p50", at(50)), ("p95", at(95)), ("p99", at(99))])
}

/// Median latency and CPU per call of each tenth.
fn windows(seen: &Seen) -> Vec<Object> {
    let spans = seen.marks.windows(2);
    let size = seen.nanos.len() / seen.marks.len().saturating_sub(1).max(1);
    spans
        .zip(seen.nanos.chunks(size.max(1)))
        .map(|(span, nanos)| {
            let [before, after] = span else {
                return Object::new();
            };
            let count = u64::try_from(nanos.len()).unwrap_or(u64::MAX).max(1);
            let used = after
                .iter()
                .zip(before)
                .map(|(after, before)| after.saturating_sub(*before));
            let cpu: Vec<Value> = used.map(|used| Value::from(used / count)).collect();
            Object::from([
                ("latency_us", Value::from(latency(nanos))),
                ("cpu_us_per_call", cpu.into()),
            ])
        })
        .collect()
}

/// Windows that a counted run is reported in.
const WINDOWS: usize = 10;
/// A call that takes longer is an error.
const DEADLINE: Duration = Duration::from_secs(30);
/// Errors after which a connection gives up.
const MAX_ERRORS: usize = 100;
