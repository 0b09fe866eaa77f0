use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use cmcp_json::{Limits, Value, parse};

use crate::{
    captured::{Case, digits, genoa, vector},
    support::{Ran, run},
};

/// What a service answers to a path: headers and body. Anything else is not found.
type Answers = BTreeMap<String, (String, Vec<u8>)>;

/// A service on this machine that has what was captured.
struct Service {
    addr: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Service {
    fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 8192];
                let length = stream.read(&mut request).unwrap();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = request.split(' ').nth(1).unwrap().to_owned();
                let (status, headers, body) = match answers.get(&path) {
                    Some((headers, body)) => ("200 OK", headers.as_str(), body.as_slice()),
                    None => ("404 Not Found", "", &b"nothing"[..]),
                };
                log.lock().unwrap().push(path);
                let head = format!(
                    "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(body).unwrap();
            }
        });
        Self { addr, seen }
    }

    fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

fn refresh(folder: &Path, service: &Service, evidence: &str) -> Ran {
    let url = service.url();
    let root = format!("{url}/root.crl");
    let all = [
        "evidence",
        "refresh",
        evidence,
        "--into",
        "collateral",
        "--kds",
        &url,
        "--pcs",
        &url,
        "--intel-root-crl",
        &root,
        "--maa",
        &url,
        "--nras",
        &url,
    ];
    run(folder, &all, &[])
}

fn escaped(text: &str) -> String {
    let letter = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(letter).collect()
}

/// Intel's answers, made out of captured collateral as the service words them.
fn intel() -> Option<(String, Answers)> {
    let quote = vector("tdx/dcap-qvl-tdx_quote")?;
    let file = fs::read(vector("tdx/dcap-qvl-tdx_quote_collateral.json").unwrap()).unwrap();
    let collateral = parse(&file, &Limits::DOCUMENT).unwrap();
    let text = |name: &str| {
        let text = collateral.get(name).and_then(Value::as_str).unwrap();
        text.to_owned()
    };
    let bytes = |name: &str| cmcp_evidence::hex::decode(&text(name)).unwrap();
    let signed = |member: &str, name: &str| {
        let (inner, signature) = (text(name), text(&format!("{name}_signature")));
        format!(r#"{{"{member}":{inner},"signature":"{signature}"}}"#).into_bytes()
    };
    let chain = |header: &str, name: &str| format!("{header}: {}\r\n", escaped(&text(name)));
    let answers = [
        (
            "/tdx/certification/v4/tcb?fmspc=b0c06f000000&update=standard",
            chain("TCB-Info-Issuer-Chain", "tcb_info_issuer_chain"),
            signed("tcbInfo", "tcb_info"),
        ),
        (
            "/tdx/certification/v4/qe/identity?update=standard",
            chain(
                "SGX-Enclave-Identity-Issuer-Chain",
                "qe_identity_issuer_chain",
            ),
            signed("enclaveIdentity", "qe_identity"),
        ),
        (
            "/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
            chain("SGX-PCK-CRL-Issuer-Chain", "pck_crl_issuer_chain"),
            bytes("pck_crl"),
        ),
        ("/root.crl", String::new(), bytes("root_ca_crl")),
    ];
    let answers = answers.into_iter();
    let answers = answers.map(|(path, headers, body)| (path.to_owned(), (headers, body)));
    Some((quote, answers.collect()))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .map(|entries| {
            let names = entries.map(|entry| entry.unwrap().file_name());
            names
                .map(|name| name.to_str().unwrap().to_owned())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

#[test]
fn intels_answers_are_kept_and_a_quote_is_judged_by_them() {
    let Some((quote, answers)) = intel() else {
        return;
    };
    let service = Service::start(answers);
    let folder = tempfile::tempdir().unwrap();
    let ran = refresh(folder.path(), &service, &quote);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(service.seen().len(), 4);
    let collateral = folder.path().join("collateral");
    assert_eq!(
        names(&collateral),
        [
            "intel-pck-platform.crl",
            "intel-pck-platform.crl.chain.pem",
            "intel-root.crl",
            "intel-tdx-qe-identity.json",
            "intel-tdx-qe-identity.json.chain.pem",
            "intel-tdx-tcb-b0c06f000000.json",
            "intel-tdx-tcb-b0c06f000000.json.chain.pem",
        ]
    );
    let judged = |at: &str| {
        let all = [
            "evidence",
            "verify",
            &quote,
            "--endorsements",
            "collateral",
            "--at",
            at,
        ];
        run(folder.path(), &all, &[]).out
    };
    let out = judged("2025-06-20T00:00:00Z");
    for code in [
        "dcap.tcb-status",
        "dcap.revocation",
        "dcap.appraisal",
        "dcap.collateral",
    ] {
        assert!(!out.contains(&format!("FAIL   {code}: ")), "{code}\n{out}");
    }
    assert!(out.contains("  where tcb-status = UpToDate\n"), "{out}");
    // A service that has nothing newer takes away nothing.
    let before = fs::read(collateral.join("intel-root.crl")).unwrap();
    let broken = Service::start(Answers::new());
    let ran = refresh(folder.path(), &broken, &quote);
    assert_eq!(ran.code, 10, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("FAILED   intel-root.crl: "), "{}", ran.out);
    assert_eq!(fs::read(collateral.join("intel-root.crl")).unwrap(), before);
    assert_eq!(names(&collateral).len(), 7);
}

#[test]
fn what_was_not_asked_for_is_not_kept() {
    let Some((quote, mut answers)) = intel() else {
        return;
    };
    let paths: Vec<String> = answers.keys().cloned().collect();
    for path in &paths {
        let (headers, _) = answers[path].clone();
        answers.insert(
            path.clone(),
            (headers, b"<html>captive portal</html>".to_vec()),
        );
    }
    let service = Service::start(answers);
    let folder = tempfile::tempdir().unwrap();
    let ran = refresh(folder.path(), &service, &quote);
    assert_eq!(ran.code, 11, "{}{}", ran.out, ran.err);
    assert_eq!(
        ran.out
            .lines()
            .filter(|line| line.starts_with("FAILED"))
            .count(),
        4
    );
    assert_eq!(
        names(&folder.path().join("collateral")),
        Vec::<String>::new()
    );
    // An answer without its issuer's certificates is of no use either.
    let (quote, mut answers) = intel().unwrap();
    for (headers, _) in answers.values_mut() {
        headers.clear();
    }
    let service = Service::start(answers);
    let ran = refresh(folder.path(), &service, &quote);
    assert_eq!(ran.code, 11, "{}{}", ran.out, ran.err);
    assert_eq!(names(&folder.path().join("collateral")), ["intel-root.crl"]);
}

/// AMD's service, as far as it was captured: there is no revocation list.
fn amd(genoa: &Case) -> (String, Service) {
    let report = fs::read(&genoa.evidence).unwrap();
    let tcb = &report[0x180..0x188];
    let vcek = format!(
        "/vcek/v1/Genoa/{}?blSPL={:02}&teeSPL={:02}&snpSPL={:02}&ucodeSPL={:02}",
        digits(&genoa.evidence, 0x1a0, 0x1e0),
        tcb[0],
        tcb[1],
        tcb[6],
        tcb[7]
    );
    let body = |path: &str| (String::new(), fs::read(path).unwrap());
    let answers = Answers::from([
        (vcek.clone(), body(&genoa.endorsements[0])),
        (
            "/vcek/v1/Genoa/cert_chain".to_owned(),
            body(&genoa.endorsements[1]),
        ),
    ]);
    (vcek, Service::start(answers))
}

#[test]
fn a_chips_certificate_is_fetched_once_and_kept_for_ever() {
    let Some(genoa) = genoa() else { return };
    let (vcek, service) = amd(&genoa);
    let folder = tempfile::tempdir().unwrap();
    let ran = refresh(folder.path(), &service, &genoa.evidence);
    // What is not there keeps nothing else away.
    assert_eq!(ran.code, 10, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("FAILED   amd-genoa-vcek.crl: ")
            && ran
                .out
                .contains("the service knows nothing of it (HTTP status 404)"),
        "{}",
        ran.out
    );
    assert!(service.seen().contains(&vcek));
    let again = refresh(folder.path(), &service, &genoa.evidence);
    assert!(
        again.out.contains("kept     amd-genoa-vcek-"),
        "{}",
        again.out
    );
    assert!(!service.seen().contains(&vcek), "it never changes");
    fs::write(folder.path().join("mine.yaml"), &genoa.values).unwrap();
    let words = [
        "evidence",
        "verify",
        &genoa.evidence,
        "--endorsements",
        "collateral",
        "--reference-values",
        "mine.yaml",
        "--report-data",
        &genoa.report_data,
        "--at",
        genoa.at,
    ];
    let judged = run(folder.path(), &words, &[]);
    assert_eq!(judged.code, 3, "{}{}", judged.out, judged.err);
}

#[test]
fn a_kept_certificate_that_is_another_chips_is_replaced() {
    let Some(genoa) = genoa() else { return };
    let (_, service) = amd(&genoa);
    let folder = tempfile::tempdir().unwrap();
    refresh(folder.path(), &service, &genoa.evidence);
    let collateral = folder.path().join("collateral");
    let names = names(&collateral);
    let name = names
        .iter()
        .find(|name| name.starts_with("amd-genoa-vcek-") && name.ends_with(".der"));
    let kept = collateral.join(name.unwrap());
    fs::copy(vector("snp/sev-crate-milan-vcek.der").unwrap(), &kept).unwrap();
    refresh(folder.path(), &service, &genoa.evidence);
    assert_eq!(
        fs::read(&kept).unwrap(),
        fs::read(&genoa.endorsements[0]).unwrap()
    );
}

#[test]
fn keys_of_a_token_come_from_microsoft_or_from_where_somebody_says() {
    let Some(token) = vector("azure/maa/cvm-sharedeus2-2025-12.jwt") else {
        return;
    };
    let keys = fs::read(vector("azure/maa/sharedeus2-jwks-recovered.json").unwrap()).unwrap();
    let service = Service::start(Answers::from([(
        "/certs".to_owned(),
        (String::new(), keys),
    )]));
    let folder = tempfile::tempdir().unwrap();
    let ran = refresh(folder.path(), &service, &token);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(
        names(&folder.path().join("collateral")),
        ["maa-keys-sharedeus2.eus2.attest.azure.net.json"]
    );
    // The token of a stranger does not make this program ask a stranger's address.
    let text = fs::read_to_string(&token).unwrap();
    let payload = text.split('.').nth(1).unwrap();
    let claims = cmcp_evidence::b64::decode(payload).unwrap();
    let claims = String::from_utf8(claims).unwrap();
    for host in [
        "https://attest.azure.net.evil.example",
        "http://169.254.169.254",
        "https://x.attest.azure.net:8443/a?b=",
        "https://evil.example/.attest.azure.net",
    ] {
        let claims = claims.replace("https://sharedeus2.eus2.attest.azure.net", host);
        let forged = text.replace(payload, &cmcp_evidence::b64::encode(claims.as_bytes()));
        fs::write(folder.path().join("forged.jwt"), forged).unwrap();
        let all = ["evidence", "refresh", "forged.jwt", "--into", "other"];
        let ran = run(folder.path(), &all, &[]);
        assert_eq!(ran.code, 2, "{host}: {}{}", ran.out, ran.err);
        assert!(
            ran.err
                .contains("the token's issuer is not below `attest.azure.net`"),
            "{}",
            ran.err
        );
    }
    assert!(!folder.path().join("other").exists());
}

#[test]
fn what_no_service_endorses_is_said() {
    let Some(document) = vector("nitro/dstack-nitro_attestation.bin") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let ran = run(
        folder.path(),
        &["evidence", "refresh", &document, "--into", "x"],
        &[],
    );
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(
        ran.err.ends_with(
            "nothing is fetched for platform nitro: a document carries its own certificates\n"
        ),
        "{}",
        ran.err
    );
    let report = vector("snp/trustee-test-report.bin").unwrap();
    let ran = run(
        folder.path(),
        &["evidence", "refresh", &report, "--into", "x"],
        &[],
    );
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.err.contains("does not name its product"), "{}", ran.err);
    let plain = [
        "evidence",
        "refresh",
        &report,
        "--into",
        "x",
        "--product",
        "milan",
        "--kds",
        "http://kds.example",
    ];
    let ran = run(folder.path(), &plain, &[]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let private = [
        "evidence",
        "refresh",
        &report,
        "--into",
        "x",
        "--product",
        "milan",
        "--kds",
        "https://localhost:1",
    ];
    assert_eq!(run(folder.path(), &private, &[]).code, 10);
}
