//! `cmcp demo`, and the sample server behind it.

use std::{
    fs::{self, DirBuilder},
    net::{SocketAddr, TcpListener},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};

use cmcp_evidence::hex;
use cmcp_gateway::{Clock, Ready};
use cmcp_json::{Object, Value};
use cmcp_policy::catalog::{ServerSpec, Transport};
use cmcp_record::{
    trust_record::{Digest, TrustedKey},
    verify::{Expectations, Freshness, Pin, Report, Status, verify_record},
};
use tokio::sync::oneshot;

use crate::{
    cli::{DemoArgs, Reach},
    commands::{Context, Exit, Failure, look, start},
    config::{self, Purpose, Request, environment::Environment, listen},
    demo::{self, Called, Demo, DemoError, say},
    init::{
        self,
        assemble::{self, Assembled},
    },
    output::{Log, Output},
    render::{
        report::{self, Wording},
        table::shown,
    },
    write,
};

/// The sample server on standard input and output.
pub(crate) fn server() -> Result<Exit, Failure> {
    let runtime = start::runtime()?;
    let ended = runtime.block_on(cmcp_tools::sample::serve_stdio());
    runtime.shutdown_background();
    ended.map_err(Failure::Input)?;
    Ok(Exit::Ok)
}

pub(crate) fn run(arguments: &DemoArgs, context: Context<'_>) -> Result<Exit, Failure> {
    let output = context.output;
    let _log = Log::start(output.format, context.environment, "warn");
    output.line(say::INTRODUCTION);
    let addr = address(arguments.listen.as_deref())?;
    let folder = folder(arguments.dir.as_deref())?;
    let assembled = set_up(&folder, addr)?;
    output.line(format!("   policy   {}", assembled.bundle.hash()));
    output.line(format!("   catalog  {}", assembled.catalog.hash()));
    output.line(format!("   files    {}", folder.display()));
    start::runtime()?.block_on(async {
        let ready = prepare(&folder, &assembled).await?;
        show(ready, folder, &assembled, (arguments, output)).await
    })
}

/// A gateway on loopback is one that nobody else can reach.
fn address(wanted: Option<&str>) -> Result<SocketAddr, Failure> {
    let Some(text) = wanted else {
        let usual = SocketAddr::from(([127, 0, 0, 1], 8443));
        let free = TcpListener::bind(usual).is_ok();
        return Ok(if free {
            usual
        } else {
            SocketAddr::from(([127, 0, 0, 1], 0))
        });
    };
    listen::parse(text)
        .filter(|addr| addr.ip().is_loopback())
        .ok_or_else(|| DemoError::Listen(text.to_owned()).into())
}

/// A folder of its own: what lies in another is not overwritten.
fn folder(wanted: Option<&Path>) -> Result<PathBuf, Failure> {
    let folder = match wanted {
        Some(folder) => folder.to_owned(),
        None => {
            let mut name = [0u8; 8];
            getrandom::fill(&mut name).map_err(|_| DemoError::Randomness)?;
            std::env::temp_dir().join(format!("cmcp-demo-{}", hex::encode(&name)))
        }
    };
    let failed = |error| Failure::Write {
        path: folder.clone(),
        error,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(failed)?;
    let folder = folder.canonicalize().map_err(failed)?;
    match fs::read_dir(&folder).map_err(failed)?.next() {
        None => Ok(folder),
        Some(_) => Err(DemoError::Folder(folder).into()),
    }
}

/// Looks at the sample server as `cmcp init` does, and writes the same kind of files.
fn set_up(folder: &Path, addr: SocketAddr) -> Result<Assembled, Failure> {
    let program = start::program()?.path;
    let transport = Transport::Stdio {
        command: program.to_string_lossy().into_owned(),
        args: vec!["demo-server".to_owned()],
        env: Vec::new(),
        cwd: None,
        measured: std::collections::BTreeMap::new(),
    };
    let spec = ServerSpec {
        name: "shop".to_owned(),
        display_name: None,
        transport,
    };
    let mut offers = Vec::new();
    let asked = vec![(spec, std::collections::BTreeMap::new())];
    for look::Looked { spec, found } in
        look::look(asked, &Reach::default(), &Environment::default())?
    {
        let found = found.map_err(|error| DemoError::Unexpected {
            what: "looking at the sample server",
            found: error.to_string(),
        })?;
        offers.push(super::init::offer(spec, found));
    }
    let now = Clock::system().now();
    let draft = assemble::draft(offers, AUTHOR, now)?;
    // The sample server is ours: its hints are true.
    let reading = draft
        .candidates
        .iter()
        .filter(|candidate| candidate.hint_is_acceptable() && candidate.name != "lookup_customer")
        .map(|candidate| candidate.name.clone())
        .collect();
    let assembled = draft.approve(&reading, (AUTHOR, now), demo::POLICY)?;
    init::write_all(&init::files(
        folder,
        &demo::config(folder, addr),
        &assembled,
    ))?;
    Ok(assembled)
}

/// Loads the files as `cmcp start` does, in development mode and with both pins.
async fn prepare(folder: &Path, assembled: &Assembled) -> Result<Ready, Failure> {
    let environment: Environment = [
        ("CMCP_DEV_MODE", "1".to_owned()),
        ("CMCP_POLICY_HASH", assembled.bundle.hash().to_string()),
        ("CMCP_CATALOG_HASH", assembled.catalog.hash().to_string()),
    ]
    .into_iter()
    .collect();
    let request = Request {
        file: &folder.join("cmcp-config.yaml"),
        environment: &environment,
        purpose: Purpose::Start,
        enforcement: None,
    };
    let (config, documents) = config::load(&request).map_err(Failure::Config)?;
    let digest = config.effective().digest().map_err(Failure::Canonical)?;
    let loaded = start::loaded(&config, documents);
    let settings = config.settings(&loaded.catalog, &environment, start::program()?, digest);
    start::prepare(settings, loaded).await
}

async fn show(
    ready: Ready,
    folder: PathBuf,
    assembled: &Assembled,
    (arguments, output): (&DemoArgs, Output),
) -> Result<Exit, Failure> {
    let key = ready.key();
    let (bound, listening) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let interrupt = start::stop_signal()?;
    let gateway = tokio::spawn(cmcp_gateway::serve(
        ready,
        |addr| {
            // Nobody waits for the address any more only when the demo has failed already.
            let _failed = bound.send(addr);
        },
        async {
            // Dropped as well as sent: either way the demo is over.
            let _over = stopped.await;
        },
    ));
    let addr = listening.await.map_err(|_| DemoError::Ended)?;
    let demo = Demo { addr, key, folder };
    let shown = steps(&demo, assembled, output).await;
    if shown.is_ok() && !arguments.once {
        let program = start::program()?.path;
        for line in say::clients(addr, &program.to_string_lossy()) {
            output.line(line);
        }
        interrupt.await;
    }
    drop(stop);
    // The gateway seals what is open; it has a deadline of its own for that.
    let _ended = tokio::time::timeout(SEALING, gateway).await;
    shown
}

async fn steps(demo: &Demo, assembled: &Assembled, output: Output) -> Result<Exit, Failure> {
    let called = demo
        .call("the allowed call", "list_orders", customer())
        .await?;
    let session = match (called.status, called.session(), called.structured()) {
        (200, Some(session), Some(orders)) => {
            tell(
                output,
                say::ALLOWED,
                &[format!("answer: {}", brief(orders))],
            );
            session.to_owned()
        }
        _ => return Err(unexpected("the allowed call", &called)),
    };
    let large = Object::from([
        ("order_id", Value::from("O-5002")),
        ("amount", 50_000i64.into()),
    ]);
    let called = demo.call("the denied call", "refund_order", large).await?;
    match (called.status, called.refusal()) {
        (403, Some(("POLICY_DENY", advice))) => {
            let advice = advice.map(|advice| format!(", advice {}", brief(advice)));
            let line = format!(
                "answer: HTTP 403, POLICY_DENY{}",
                advice.unwrap_or_default()
            );
            tell(output, say::DENIED, &[line]);
        }
        _ => return Err(unexpected("the denied call", &called)),
    }
    let called = demo
        .call("the redacted call", "lookup_customer", customer())
        .await?;
    match (called.status, called.structured()) {
        (200, Some(record)) if !called.body.to_string().contains(CARD) => {
            tell(
                output,
                say::REDACTED,
                &[format!("answer: {}", brief(record))],
            );
        }
        _ => return Err(unexpected("the redacted call", &called)),
    }
    let read = demo.read("the resource", PRICES).await?;
    match (read.status, read.text()) {
        (200, Some(text)) => tell(
            output,
            say::READ,
            &[format!("answer: {}", shown(text, 240))],
        ),
        _ => return Err(unexpected("the resource", &read)),
    }
    let report = prove(demo, &session, assembled, output).await?;
    output.json(&report::document(&report, Wording::Ours));
    Ok(Exit::Ok)
}

/// Closes the session, writes record and log, and verifies both.
async fn prove(
    demo: &Demo,
    session: &str,
    assembled: &Assembled,
    output: Output,
) -> Result<Report, Failure> {
    demo.fetch(
        "closing the session",
        "POST",
        &format!("/sessions/{session}/close"),
    )
    .await?;
    let record = format!("/sessions/{session}/trust-record");
    let record = demo.fetch("the trust record", "GET", &record).await?;
    let audit = format!("/audit/export?session_id={session}&format=cmcp");
    let audit = demo.fetch("the audit export", "GET", &audit).await?;
    let mut lines = Vec::new();
    for (name, bytes) in [("record.json", &record), ("audit.json", &audit)] {
        let path = demo.folder.join(name);
        write::replace(&path, bytes).map_err(|error| Failure::Write {
            path: path.clone(),
            error,
        })?;
        lines.push(format!("wrote: {}", path.display()));
    }
    tell(output, say::CLOSED, &lines);
    let mut expected = Expectations::unpinned(Freshness::DEFAULT);
    expected.trusted_key = Pin::Pinned(TrustedKey::new(demo.key));
    let pin = |digest: String| digest.parse::<Digest>().map_or(Pin::NotPinned, Pin::Pinned);
    expected.policy = pin(assembled.bundle.hash().to_string());
    expected.catalog = pin(assembled.catalog.hash().to_string());
    let mut export = audit.as_slice();
    let now = Clock::system().now();
    let report = verify_record(&record, Some(&mut export), &expected, now);
    tell(
        output,
        say::VERIFIED,
        &report::lines(&report, Wording::Ours),
    );
    if report.status != Status::PartiallyVerified {
        let found = report.status.to_string();
        return Err(DemoError::Unexpected {
            what: "the verification",
            found,
        }
        .into());
    }
    output.line(say::MEANING);
    output.line(format!(
        "\n   Again, by hand: cmcp verify {} --audit-bundle {} --trusted-key {}\n",
        demo.folder.join("record.json").display(),
        demo.folder.join("audit.json").display(),
        demo.key.hex(),
    ));
    Ok(report)
}

fn tell(output: Output, text: &str, lines: &[String]) {
    output.line(format!("\n{text}"));
    for line in lines {
        output.line(format!("   {line}"));
    }
}

fn unexpected(what: &'static str, called: &Called) -> Failure {
    DemoError::Unexpected {
        what,
        found: called.found(),
    }
    .into()
}

fn customer() -> Object {
    Object::from([("customer_id", "C-1001")])
}

fn brief(value: &Value) -> String {
    shown(&value.to_string(), 240)
}

/// The card number of the sample customer, which must not come through.
const CARD: &str = "card_number\":\"4";
/// What the shop publishes.
const PRICES: &str = "shop://prices";
const AUTHOR: &str = "cmcp demo";
const SEALING: Duration = Duration::from_secs(60);
