//! The closed-loop client: so many connections, one call in flight on each.

use std::{
    cell::RefCell,
    io::Write as _,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use clap::{Args, ValueEnum};
use cmcp_json::{Object, Value};
use http::{StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use tokio::task::JoinSet;

use crate::{
    process::Process,
    wire::{self, Fault, Sender},
};

/// What to call, how often, and whom to watch meanwhile.
#[derive(Args, Clone, Debug)]
pub(crate) struct Plan {
    /// Where MCP is served; the path is `/mcp`.
    #[arg(long)]
    to: SocketAddr,
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
    #[arg(long)]
    bearer: Option<String>,
    #[arg(long, value_enum, default_value_t = Dialect::Modern)]
    dialect: Dialect,
    /// Report CPU and memory of this process, as `name=pid`.
    #[arg(long)]
    process: Vec<Process>,
}

/// What the requests look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Dialect {
    /// Revision 2026-07-28.
    Modern,
    /// A bare POST that never negotiated, as the Python cMCP expects it.
    Plain,
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
        let sender = wire::connect(plan.to).await?;
        let caller = Caller {
            number,
            warm,
            plan: Rc::clone(&plan),
            seen: Rc::clone(&seen),
        };
        connections.spawn_local(caller.call_until_done(sender));
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

    fn body(&self, id: u64, message: &str) -> String {
        let tool = &self.tool;
        let meta = match self.dialect {
            Dialect::Modern => {
                r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#
            }
            Dialect::Plain => "",
        };
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"message":"{message}"}}{meta}}}}}"#
        )
    }

    fn request(&self, body: String) -> Result<Request<Full<Bytes>>, Fault> {
        let request = Request::post("/mcp")
            .header(header::HOST, self.to.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream");
        let request = match &self.bearer {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        };
        let request = match self.dialect {
            Dialect::Modern => request
                .header("mcp-protocol-version", "2026-07-28")
                .header("mcp-method", "tools/call")
                .header("mcp-name", &self.tool),
            Dialect::Plain => request,
        };
        Ok(request.body(Full::new(Bytes::from(body)))?)
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
    async fn call_until_done(self, mut sender: Sender) {
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
            let call = tokio::time::timeout(DEADLINE, self.call(&mut sender, id)).await;
            let broken = call.is_err() || sender.is_closed();
            let outcome = call.unwrap_or_else(|late| Err(late.into()));
            if begin >= self.warm {
                self.note(begin.elapsed(), outcome);
            }
            if broken {
                match wire::connect(self.plan.to).await {
                    Ok(again) => sender = again,
                    Err(_) => return,
                }
            }
        }
    }

    /// One call, whose answer has to hold what was sent.
    async fn call(&self, sender: &mut Sender, id: u64) -> Result<(), Fault> {
        let message = format!("message {id} of connection {}", self.number);
        let request = self.plan.request(self.plan.body(id, &message))?;
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
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

fn latency(nanos: &[u64]) -> Object {
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
