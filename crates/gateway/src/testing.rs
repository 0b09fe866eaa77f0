//! A whole gateway in a test: its clock, its evidence and its bundle's files do as they are told, and
//! a server over HTTP stands behind it.

mod plain;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::State, response::Response, routing::post};
use bytes::Bytes;
use cmcp_evidence::{
    Attester, CollectError, Collected, Platform, ReportData, Sha256Digest, SigningKey,
    SoftwareAttester, Timestamp,
};
use cmcp_json::{Limits, Object, Value};
use cmcp_mcp::upstream::Server;
use cmcp_policy::{
    Compat,
    bundle::{PolicyBundle, SigningKeys},
    catalog::{Approval, Baa, Catalog, Document, Effect, ServerSpec, TlsPin, Tool, Transport},
    engine::{Engine, EngineInput, Principal},
    mode::Mode,
    sensitivity::Vocabulary,
};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use crate::{
    BundleFiles, BundleSource, Clock, DriftPolicy, Hosts, Launcher, Listen, Loaded, PrincipalEntry,
    RecordPer, Reload, Settings, Spawning, StalenessPolicy, TokenHash, edge,
    ledger::LedgerThreads,
    prepare,
    rules::{Parts, Rulebook, Rules},
    startup::Gateway,
    upstream::Link,
};

pub(crate) use plain::{Plain, PlainServer};

/// A gateway and everything around it.
pub(crate) struct World {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) attester: Arc<Fickle>,
    pub(crate) upstream: Upstream,
    pub(crate) files: Arc<Mutex<Result<BundleFiles, String>>>,
    time: Arc<AtomicI64>,
    _threads: LedgerThreads,
    _folder: tempfile::TempDir,
}

/// Evidence that can be had or not.
#[derive(Debug)]
pub(crate) struct Fickle {
    pub(crate) fails: AtomicBool,
    pub(crate) asked: Mutex<Vec<ReportData>>,
}

impl Attester for Fickle {
    fn platform(&self) -> Platform {
        Platform::Software
    }

    fn collect(&self, report_data: &ReportData) -> Result<Collected, CollectError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(CollectError::DeviceFailed(Platform::Software));
        }
        self.asked.lock().unwrap().push(*report_data);
        SoftwareAttester.collect(report_data)
    }
}

impl World {
    /// A gateway that permits `echo`, as `change` wants it.
    pub(crate) async fn new(change: impl FnOnce(&mut Settings)) -> Self {
        Self::signed(ALL, None, change).await
    }

    /// A gateway with this policy, and with signing keys that bundles must be signed by.
    pub(crate) async fn signed(
        policy: &str,
        keys: Option<(SigningKeys, &SigningKey)>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let upstream = Upstream::start().await;
        let mut settings = settings(folder.path().join("audit.db"));
        change(&mut settings);
        let catalog = catalog(&upstream.url);
        let (keys, files) = match keys {
            Some((keys, signer)) => (Some(keys), bundle("1.0", policy, Some(signer))),
            None => (None, bundle("1.0", policy, None)),
        };
        let parsed = PolicyBundle::parse(&files, Compat::Off).unwrap();
        let engine = engine(&parsed, &catalog, &settings);
        let files = Arc::new(Mutex::new(Ok(files)));
        let read = Arc::clone(&files);
        let reload = keys.is_some().then(|| Reload {
            every: Duration::from_secs(3_600),
            source: BundleSource::new(move || read.lock().unwrap().clone()),
        });
        let loaded = Loaded {
            catalog,
            policy: engine,
            bundle: parsed,
            signing: keys,
            reload,
        };
        let time = Arc::new(AtomicI64::new(NOON));
        let clock = Arc::clone(&time);
        let attester = Arc::new(Fickle {
            fails: AtomicBool::new(false),
            asked: Mutex::default(),
        });
        let ready = prepare(
            settings,
            loaded,
            Arc::clone(&attester) as Arc<dyn Attester>,
            Clock::new(move || Timestamp::from_unix_seconds(clock.load(Ordering::SeqCst))),
        )
        .await
        .unwrap();
        Self {
            gateway: ready.gateway,
            attester,
            upstream,
            files,
            time,
            _threads: ready.threads,
            _folder: folder,
        }
    }

    /// A gateway that permits everything, before a server that is no more than what it is asked.
    pub(crate) async fn before(server: Arc<dyn Server>) -> Self {
        let mut world = Self::new(|_| {}).await;
        let gateway = Arc::get_mut(&mut world.gateway).unwrap();
        let catalog = catalog(&world.upstream.url);
        let bundle = PolicyBundle::parse(&bundle("1.0", ALL, None), Compat::Off).unwrap();
        let engine = engine(&bundle, &catalog, &gateway.settings);
        let link = Link::given(0, catalog.servers()[0].clone(), server);
        let parts = Parts::new(
            catalog,
            bundle,
            None,
            vec![Arc::new(link)],
            tokio::sync::mpsc::channel(1).0,
        )
        .unwrap();
        let rules = Rules::first(&parts, engine, &gateway.settings).unwrap();
        gateway.rulebook = Rulebook::new(rules, parts);
        world
    }

    /// Time goes on by so many seconds.
    pub(crate) fn pass(&self, seconds: i64) {
        self.time.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) async fn request(
        &self,
        line: &str,
        token: &str,
        body: impl Into<Bytes>,
    ) -> (StatusCode, Value) {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1:8443")
            .header("content-type", "application/json");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::from(body.into())).unwrap();
        let router = TowerToHyperService::new(edge::router(Arc::clone(&self.gateway)));
        let response = router.call(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = cmcp_json::parse(&body, &Limits::RESPONSE).unwrap_or(Value::Null);
        (status, body)
    }

    pub(crate) async fn operator(&self, line: &str, body: &str) -> (StatusCode, Value) {
        self.request(line, OPERATOR, body.to_owned()).await
    }

    /// One call by Alice, who never negotiated; `ok`, or the error code.
    pub(crate) async fn call(&self, tool: &str) -> String {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{{}}}}}}"#
        );
        let (_, answer) = self.request("POST /mcp", ALICE, body).await;
        let code = answer
            .get("error")
            .and_then(|e| e.get("data")?.get("error_code"));
        match (answer.get("result"), code.and_then(Value::as_str)) {
            (Some(_), _) => "ok".to_owned(),
            (None, Some(code)) => code.to_owned(),
            (None, None) => panic!("{answer}"),
        }
    }

    /// The names that Alice is shown.
    pub(crate) async fn shown(&self) -> Vec<String> {
        let (_, answer) = self.request("GET /tools/list", ALICE, "").await;
        let tools = answer.get("result").unwrap().get("tools").unwrap();
        let name = |tool: &Value| tool.get("name").unwrap().as_str().unwrap().to_owned();
        tools.as_array().unwrap().iter().map(name).collect()
    }

    /// Id of Alice's open session.
    pub(crate) fn session(&self) -> String {
        self.gateway.sessions.all()[0].id.clone()
    }

    /// Closes Alice's session; its envelope.
    pub(crate) async fn close(&self) -> Value {
        let line = format!("POST /sessions/{}/close", self.session());
        let (status, claim) = self.request(&line, ALICE, "").await;
        assert_eq!(status, StatusCode::OK, "{claim}");
        claim
    }

    /// What the newest log holds: its entries in order.
    pub(crate) fn log(&self) -> Vec<Value> {
        let log = self.gateway.reader.logs().unwrap().last().unwrap().key;
        let mut entries = Vec::new();
        let mut take = |bytes: &[u8]| {
            entries.push(cmcp_json::parse(bytes, &Limits::DOCUMENT).unwrap());
            Ok::<(), ()>(())
        };
        self.gateway
            .reader
            .entries(log, &mut take)
            .unwrap()
            .unwrap();
        entries
    }

    /// Kinds of the newest log's entries, with the word that tells them apart.
    pub(crate) fn kinds(&self) -> Vec<String> {
        let told = |entry: &Value| {
            let text = |name: &str| entry.get(name).and_then(Value::as_str);
            let kind = text("kind").unwrap().to_owned();
            match text("exception").or_else(|| text("code")) {
                Some(word) => format!("{kind} {word}"),
                None => kind,
            }
        };
        self.log().iter().map(told).collect()
    }
}

/// A server with one tool, and whatever a test adds to it.
pub(crate) struct Upstream {
    pub(crate) url: String,
    pub(crate) calls: Arc<AtomicUsize>,
    pub(crate) tools: Arc<Mutex<Vec<Value>>>,
    /// The headers of every request, in order.
    pub(crate) headers: Arc<Mutex<Vec<HeaderMap>>>,
}

#[derive(Clone)]
struct Behind {
    calls: Arc<AtomicUsize>,
    tools: Arc<Mutex<Vec<Value>>>,
    headers: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let behind = Behind {
            calls: Arc::default(),
            tools: Arc::new(Mutex::new(vec![definition("echo")])),
            headers: Arc::default(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let Behind {
            calls,
            tools,
            headers,
        } = behind.clone();
        let router = Router::new().route("/mcp", post(answer)).with_state(behind);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            calls,
            tools,
            headers,
        }
    }
}

async fn answer(State(behind): State<Behind>, headers: HeaderMap, body: Bytes) -> Response {
    behind.headers.lock().unwrap().push(headers);
    let message = cmcp_json::parse(&body, &Limits::REQUEST).unwrap();
    let Some(id) = message.get("id") else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::ACCEPTED;
        return response;
    };
    let member = match message.get("method").and_then(Value::as_str).unwrap() {
        "initialize" => r#""result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"t","version":"1"}}"#.to_owned(),
        "tools/list" => {
            let tools = Value::Array(behind.tools.lock().unwrap().clone());
            format!(r#""result":{{"tools":{tools}}}"#)
        }
        "tools/call" => {
            behind.calls.fetch_add(1, Ordering::SeqCst);
            r#""result":{"content":[{"type":"text","text":"done"}]}"#.to_owned()
        }
        _ => r#""error":{"code":-32601,"message":"Method not found"}"#.to_owned(),
    };
    let mut response = Response::new(Body::from(format!(
        r#"{{"jsonrpc":"2.0","id":{id},{member}}}"#
    )));
    let kind = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", kind);
    response
}

/// The definition of a tool that takes nothing in particular.
pub(crate) fn definition(name: &str) -> Value {
    Object::from([
        ("name", Value::from(name)),
        ("description", Value::from("Does something.")),
        ("inputSchema", Object::from([("type", "object")]).into()),
    ])
    .into()
}

fn engine(bundle: &PolicyBundle, catalog: &Catalog, settings: &Settings) -> Engine {
    let principals = settings.known_principals();
    let (engine, _) = Engine::load(EngineInput {
        bundle,
        catalog,
        principals: &principals,
        vocabulary: &settings.vocabulary,
        compat: settings.compat,
    })
    .unwrap();
    engine
}

fn catalog(url: &str) -> Catalog {
    let document = Document {
        servers: vec![ServerSpec {
            name: "up".to_owned(),
            display_name: None,
            transport: Transport::Http {
                url: url.to_owned(),
                pin: TlsPin::WebPki,
            },
        }],
        tools: vec![Tool {
            server: "up".to_owned(),
            alias: None,
            definition: definition("echo"),
            effect: Effect::Reads,
            sensitivity: "public".to_owned(),
            compliance_domain: "external".to_owned(),
            baa: Baa::NotCovered,
            redact: Vec::new(),
            approval: Approval::default(),
        }],
        ..Document::default()
    };
    let text = document.to_text().unwrap();
    Catalog::parse(text.as_bytes(), &Vocabulary::builtin(), Compat::Off).unwrap()
}

/// The files of a bundle, signed if there is a key.
pub(crate) fn bundle(version: &str, policy: &str, key: Option<&SigningKey>) -> BundleFiles {
    let files = |signature: &str| {
        let manifest = format!(
            r#"{{"version":"{version}","authored_at":"2026-11-01T00:00:00Z","author_identity":"t","commit_sha":"0"{signature}}}"#
        );
        vec![
            ("main.cedar".to_owned(), policy.as_bytes().to_vec()),
            ("manifest.json".to_owned(), manifest.into_bytes()),
            ("schema.cedarschema".to_owned(), Vec::new()),
        ]
    };
    let Some(key) = key else {
        return files("");
    };
    let unsigned = PolicyBundle::parse(&files(""), Compat::Off).unwrap();
    let signature = key.sign(&unsigned.signed_bytes()).to_b64url();
    files(&format!(r#","signature":"{signature}""#))
}

pub(crate) fn settings(database: PathBuf) -> Settings {
    let digest = Sha256Digest::of(b"test");
    let principal = Principal {
        name: "alice".to_owned(),
        attributes: BTreeMap::new(),
    };
    Settings {
        listen: Listen::Authenticated {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 8443)),
            shared: None,
        },
        hosts: Hosts::default(),
        principals: vec![PrincipalEntry {
            principal,
            token: TokenHash::of(ALICE.as_bytes()),
        }],
        operator: Some(TokenHash::of(OPERATOR.as_bytes())),
        mode: Mode::Enforcing,
        compat: Compat::Off,
        vocabulary: Vocabulary::builtin(),
        regulated_domains: Vec::new(),
        record_per: RecordPer::Session,
        database,
        max_response_bytes: 1 << 20,
        upstream_timeout: Duration::from_secs(30),
        session_idle_timeout: Duration::from_secs(3_600),
        session_drain: Duration::from_secs(30),
        drift_policy: DriftPolicy::FailClosed,
        staleness_policy: StalenessPolicy::FailClosed,
        validity: Duration::from_secs(600),
        limits: crate::LimitSettings::default(),
        sink_policy: None,
        redact: Vec::new(),
        trust_domain: "test".to_owned(),
        launcher: Launcher {
            program: PathBuf::from("/bin/false"),
            args: Vec::new(),
        },
        spawning: Spawning::MeasuredOnly,
        private_hosts: Vec::new(),
        oauth: None,
        credentials: BTreeMap::new(),
        child_environment: BTreeMap::new(),
        config_digest: digest,
        binary_digest: digest,
    }
}

pub(crate) const ALICE: &str = "token-of-alice";
pub(crate) const OPERATOR: &str = "token-of-the-operator";
/// Everything is permitted.
pub(crate) const ALL: &str = "@id(\"all\")\npermit(principal, action, resource);";
const NOON: i64 = 1_800_000_000;
