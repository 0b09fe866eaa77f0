use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cmcp_json::{Object, Value};

use super::{
    checks as c,
    policy::{Boot, MaaMeasurements, MaaPolicy, Uvm, Workload},
};
use crate::{
    About, Proved, Sha256Digest,
    appraise::Binding,
    b64,
    check::Checks,
    hex,
    jose::Jwk,
    policy::Pin,
    token::{
        ClaimsCase,
        common::{
            challenge_text, check_false, check_hex_pin, check_pin, check_times, check_true,
            claim_times, note_beyond, one_of, quoted, shown,
        },
    },
};

/// Judges the claims of a token, whoever signed them.
pub fn judge_claims(case: &ClaimsCase<'_, MaaPolicy>, checks: &mut Checks, proved: &mut Proved) {
    let ClaimsCase {
        claims,
        policy,
        binding: _,
        at,
    } = *case;
    checks.require(c::CLAIMS_ALL);
    check_issuer(policy, claims, checks);
    if let Some(times) = check_times(claims, policy.lifetime, at, &c::TIME, checks) {
        claim_times(times, policy.lifetime, proved);
    }
    let version = claims.get("x-ms-ver");
    let known = version.and_then(Value::as_str) == Some("1.0");
    checks.expect(&c::VERSION, known, "`1.0`", shown(version));
    let (kind, tee) = tee(claims);
    let accepted = policy
        .workloads
        .iter()
        .find(|workload| is_of(**workload, kind, tee));
    let expected: Vec<String> = policy
        .workloads
        .iter()
        .map(|workload| describe(*workload))
        .collect();
    checks.expect(
        &c::WORKLOAD,
        accepted.is_some(),
        one_of(&expected),
        format_args!(
            "{}: {} and {}",
            kind.describe(),
            shown(tee.get("x-ms-attestation-type")),
            shown(tee.get("x-ms-compliance-status"))
        ),
    );
    check_guest(policy, tee, checks);
    check_firmware(policy, tee, checks);
    check_measurement(policy, tee, checks);
    check_hex_pin(&policy.host_data, tee.get(HOST_DATA), &c::HOST_DATA, checks);
    check_hex_pin(&policy.id_key_digests, tee.get(ID_KEY), &c::ID_KEY, checks);
    match kind {
        Kind::Container => check_container(policy, tee, checks),
        Kind::Machine => check_machine(policy, claims, tee, checks),
    }
    check_runtime_keys(policy, claims, checks);
    check_binding(case, kind, checks);
    let free = [
        policy.host_data.is_any(),
        policy.runtime_keys.is_any(),
        policy.vm_ids.is_any(),
    ];
    policy.identity.decide(&free, &c::IDENTITY, checks);
    claim(kind, claims, tee, proved);
}

/// Where the claims about the hardware are, and what that says about the evidence behind them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// At the top: the report's own data is the digest of the runtime data.
    Container,
    /// Inside the virtual machine's: its vTPM stands between.
    Machine,
}

impl Kind {
    const fn describe(self) -> &'static str {
        match self {
            Self::Container => "a report of its own",
            Self::Machine => "a virtual machine (azurevm)",
        }
    }
}

fn tee(claims: &Object) -> (Kind, &Object) {
    let machine = claims.get("x-ms-attestation-type").and_then(Value::as_str) == Some("azurevm");
    let inner = claims.get("x-ms-isolation-tee").and_then(Value::as_object);
    match inner {
        Some(inner) if machine => (Kind::Machine, inner),
        Some(_) | None => (Kind::Container, claims),
    }
}

fn is_of(workload: Workload, kind: Kind, tee: &Object) -> bool {
    let (attestation_type, status) = workload.words();
    let is = |name: &str, word: &str| tee.get(name).and_then(Value::as_str) == Some(word);
    let kind_of = if workload.has_containers() {
        Kind::Container
    } else {
        Kind::Machine
    };
    kind == kind_of
        && is("x-ms-attestation-type", attestation_type)
        && is("x-ms-compliance-status", status)
}

fn describe(workload: Workload) -> String {
    let (attestation_type, status) = workload.words();
    if workload.has_containers() {
        format!("`{attestation_type}` and `{status}`")
    } else {
        format!("`azurevm` with `{attestation_type}` and `{status}` inside")
    }
}

fn check_issuer(policy: &MaaPolicy, claims: &Object, checks: &mut Checks) {
    let names: Vec<String> = policy
        .issuers
        .iter()
        .map(|issuer| issuer.name.clone())
        .collect();
    let issuer = policy.issuer_of(claims);
    checks.expect(
        &c::ISSUER,
        issuer.is_some(),
        one_of(&names),
        shown(claims.get("iss")),
    );
    let hash = claims.get("x-ms-policy-hash");
    match issuer {
        Some(issuer) => check_pin(&issuer.policy_hashes, hash, &c::POLICY_HASH, checks),
        None => checks.fail(
            &c::POLICY_HASH,
            "the policy of an issuer that is configured",
            shown(hash),
        ),
    }
}

/// What the guest's own policy allows.
fn check_guest(policy: &MaaPolicy, tee: &Object, checks: &mut Checks) {
    check_false(tee, "x-ms-sevsnpvm-is-debuggable", &c::DEBUG, checks);
    check_false(
        tee,
        "x-ms-sevsnpvm-migration-allowed",
        &c::MIGRATION,
        checks,
    );
    match policy.smt {
        Boot::Required => {
            check_false(tee, "x-ms-sevsnpvm-smt-allowed", &c::SMT, checks);
        }
        Boot::NotRequired => checks.not_applicable(&c::SMT, "the reference values take either"),
    }
    let vmpl = tee.get("x-ms-sevsnpvm-vmpl");
    let level = vmpl.and_then(Value::as_u64);
    let expected: Vec<String> = policy.vmpl.iter().map(u64::to_string).collect();
    checks.expect(
        &c::VMPL,
        level.is_some_and(|level| policy.vmpl.contains(&level)),
        one_of(&expected),
        shown(vmpl),
    );
}

/// Each version on its own: no sum of them orders firmware.
fn check_firmware(policy: &MaaPolicy, tee: &Object, checks: &mut Checks) {
    let least = policy.minimum;
    for (name, floor) in [
        ("x-ms-sevsnpvm-bootloader-svn", least.bootloader),
        ("x-ms-sevsnpvm-tee-svn", least.tee),
        ("x-ms-sevsnpvm-snpfw-svn", least.snp),
        ("x-ms-sevsnpvm-microcode-svn", least.microcode),
    ] {
        let found = tee.get(name);
        let met = found
            .and_then(Value::as_u64)
            .is_some_and(|svn| svn >= floor);
        checks.expect(
            &c::TCB,
            met,
            format_args!("`{name}` of at least {floor}"),
            shown(found),
        );
    }
    let guest = tee.get("x-ms-sevsnpvm-guestsvn");
    let met = guest
        .and_then(Value::as_u64)
        .is_some_and(|svn| svn >= least.guest_svn);
    let expected = format!("at least {}", least.guest_svn);
    checks.expect(&c::GUEST_SVN, met, expected, shown(guest));
}

fn check_measurement(policy: &MaaPolicy, tee: &Object, checks: &mut Checks) {
    let found = tee.get(MEASUREMENT);
    let text = found.and_then(Value::as_str);
    let bytes = text
        .and_then(|text| hex::decode(text).ok())
        .filter(|bytes| bytes.len() == 48);
    let Some(bytes) = bytes else {
        checks.fail(
            &c::MEASUREMENT,
            "48 bytes in hexadecimal digits",
            shown(found),
        );
        return;
    };
    match &policy.measurements {
        // The endorsement itself is the check of the workload, and of the utility VM.
        MaaMeasurements::Endorsed => checks.met(&c::MEASUREMENT),
        MaaMeasurements::Named(named) => {
            let met = named.name_of(&bytes).is_some();
            checks.expect(&c::MEASUREMENT, met, named.expected(), hex::encode(&bytes));
        }
    }
}

fn check_container(policy: &MaaPolicy, tee: &Object, checks: &mut Checks) {
    let none = "there is no virtual machine behind the token";
    checks.not_applicable(&c::GUEST_DEBUG, none);
    checks.not_applicable(&c::SECURE_BOOT, none);
    match &policy.vm_ids {
        Pin::Any => checks.not_applicable(&c::VM_ID, none),
        Pin::OneOf(list) => checks.fail(&c::VM_ID, one_of(list), none),
    }
    let Some(uvm) = &policy.uvm else {
        checks.fail(
            &c::UVM,
            "no utility VM: no containers are accepted",
            "a token of a container",
        );
        return;
    };
    check_uvm(uvm, tee, checks);
}

fn check_uvm(uvm: &Uvm, tee: &Object, checks: &mut Checks) {
    let endorsement = tee
        .get("x-ms-sevsnpvm-uvm-endorsement")
        .and_then(Value::as_object);
    let headers = tee
        .get("x-ms-sevsnpvm-uvm-endorsement-headers")
        .and_then(Value::as_object);
    let (Some(endorsement), Some(headers)) = (endorsement, headers) else {
        checks.fail(
            &c::UVM,
            "an endorsement of the utility VM and its headers",
            "none",
        );
        return;
    };
    let issuer = headers.get("iss");
    let met = issuer.and_then(Value::as_str) == Some(uvm.issuer.as_str());
    checks.expect(&c::UVM, met, &uvm.issuer, shown(issuer));
    let feed = headers.get("feed");
    let met = feed
        .and_then(Value::as_str)
        .is_some_and(|feed| uvm.feeds.iter().any(|known| known == feed));
    checks.expect(&c::UVM, met, one_of(&uvm.feeds), shown(feed));
    // The service writes this number as a text, where the report's are numbers.
    let svn = endorsement.get("x-ms-sevsnpvm-guestsvn");
    let number = svn
        .and_then(Value::as_str)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse::<u64>().ok());
    let met = number.is_some_and(|number| number >= uvm.minimum_svn);
    let expected = format!("a version of at least {}", uvm.minimum_svn);
    checks.expect(&c::UVM, met, expected, shown(svn));
    let endorsed = endorsement.get(MEASUREMENT);
    let launched = tee.get(MEASUREMENT);
    checks.expect(
        &c::UVM,
        endorsed.is_some() && endorsed == launched,
        format_args!("an endorsement of {}", shown(launched)),
        shown(endorsed),
    );
}

fn check_machine(policy: &MaaPolicy, claims: &Object, tee: &Object, checks: &mut Checks) {
    for name in MUST_BE_OFF {
        check_false(claims, name, &c::GUEST_DEBUG, checks);
    }
    let disabled = "x-ms-azurevm-debuggersdisabled";
    check_true(claims, disabled, &c::GUEST_DEBUG, checks);
    match policy.secure_boot {
        Boot::Required => {
            check_true(claims, "secureboot", &c::SECURE_BOOT, checks);
            let configuration = tee
                .get("x-ms-runtime")
                .and_then(|runtime| runtime.get("vm-configuration"));
            let found = configuration.and_then(|configuration| configuration.get("secure-boot"));
            let met = found.and_then(Value::as_bool) == Some(true);
            checks.expect(
                &c::SECURE_BOOT,
                met,
                "`secure-boot` is true in what the hardware signed",
                shown(found),
            );
        }
        Boot::NotRequired => {
            checks.not_applicable(&c::SECURE_BOOT, "the reference values take either");
        }
    }
    check_pin(&policy.vm_ids, claims.get(VM_ID), &c::VM_ID, checks);
    checks.not_applicable(&c::UVM, "a virtual machine runs in no utility VM");
}

/// Every key in the runtime data is one that is expected: one more would be one more that is released to.
fn check_runtime_keys(policy: &MaaPolicy, claims: &Object, checks: &mut Checks) {
    let Pin::OneOf(pinned) = &policy.runtime_keys else {
        checks.not_applicable(&c::RUNTIME_KEYS, "the reference values take any");
        return;
    };
    let keys = claims
        .get("x-ms-runtime")
        .and_then(|runtime| runtime.get("keys"))
        .and_then(Value::as_array)
        .unwrap_or_default();
    let found: Vec<Option<Sha256Digest>> = keys.iter().map(key_of).collect();
    let met = !found.is_empty()
        && found
            .iter()
            .all(|key| key.is_some_and(|key| pinned.contains(&key)));
    let write = |key: &Sha256Digest| b64::encode(key.as_bytes());
    let expected: Vec<String> = pinned.iter().map(write).collect();
    let found: Vec<String> = found
        .iter()
        .map(|key| {
            key.as_ref()
                .map_or_else(|| "a key that is not read".to_owned(), write)
        })
        .collect();
    checks.expect(&c::RUNTIME_KEYS, met, one_of(&expected), found.join(", "));
}

/// What a key is for does not matter here: these are mostly for encryption.
fn key_of(key: &Value) -> Option<Sha256Digest> {
    let mut key = key.as_object()?.clone();
    key.remove("use");
    Jwk::read(&Value::Object(key))
        .ok()
        .map(|key| key.thumbprint())
}

/// A container's runtime data is hashed into its report; a virtual machine's payload goes through its vTPM.
fn check_binding(case: &ClaimsCase<'_, MaaPolicy>, kind: Kind, checks: &mut Checks) {
    let runtime = case.claims.get("x-ms-runtime");
    if let (Kind::Container, Binding::ReportData(data)) = (kind, case.binding) {
        let found = case.claims.get("x-ms-sevsnpvm-reportdata");
        let expected = hex::encode(data.as_bytes());
        let met = found.and_then(Value::as_str) == Some(expected.as_str());
        checks.expect(&c::BINDING, met, expected, shown(found));
        return;
    }
    let Some(text) = challenge_text(case.binding, case.policy.nonce, &c::BINDING, checks) else {
        return;
    };
    let (found, expected) = match kind {
        Kind::Container => (runtime.and_then(|runtime| runtime.get("nonce")), text),
        Kind::Machine => {
            let payload = runtime.and_then(|runtime| runtime.get("client-payload"));
            let nonce = payload.and_then(|payload| payload.get("nonce"));
            (nonce, STANDARD.encode(text))
        }
    };
    let met = found.and_then(Value::as_str) == Some(expected.as_str());
    checks.expect(&c::BINDING, met, quoted(&expected), shown(found));
}

fn claim(kind: Kind, claims: &Object, tee: &Object, proved: &mut Proved) {
    let mut add = |about: About, name: &'static str, value: Option<&Value>| {
        if let Some(text) = value.and_then(Value::as_str) {
            proved.claim(about, name, text.escape_debug());
        }
    };
    add(About::What, "measurement", tee.get(MEASUREMENT));
    add(
        About::What,
        "compliance-status",
        tee.get("x-ms-compliance-status"),
    );
    add(About::Who, "host-data", tee.get(HOST_DATA));
    add(About::Who, "id-key-digest", tee.get(ID_KEY));
    add(About::Who, "issuer", claims.get("iss"));
    add(About::Where, "report-id", tee.get("x-ms-sevsnpvm-reportid"));
    add(About::Where, "vm-id", claims.get(VM_ID));
    proved.note("the token says what Microsoft's service concluded; the report and the chip are not in it, so nothing here reaches AMD's root");
    match kind {
        Kind::Container => note_beyond("claims", claims, CONTAINER_KNOWN, proved),
        Kind::Machine => {
            note_beyond("claims", claims, MACHINE_KNOWN, proved);
            note_beyond("claims about the hardware", tee, CONTAINER_KNOWN, proved);
        }
    }
}

const MEASUREMENT: &str = "x-ms-sevsnpvm-launchmeasurement";
const HOST_DATA: &str = "x-ms-sevsnpvm-hostdata";
const ID_KEY: &str = "x-ms-sevsnpvm-idkeydigest";
const VM_ID: &str = "x-ms-azurevm-vmid";

const MUST_BE_OFF: [&str; 5] = [
    "x-ms-azurevm-bootdebug-enabled",
    "x-ms-azurevm-flightsigning-enabled",
    "x-ms-azurevm-hypervisordebug-enabled",
    "x-ms-azurevm-kerneldebug-enabled",
    "x-ms-azurevm-testsigning-enabled",
];

/// What is looked at, or says nothing to look at: identifiers of the token, and zeros.
const CONTAINER_KNOWN: &[&str] = &[
    "exp",
    "iat",
    "iss",
    "jti",
    "nbf",
    "x-ms-attestation-type",
    "x-ms-compliance-status",
    "x-ms-policy-hash",
    "x-ms-runtime",
    "x-ms-sevsnpvm-bootloader-svn",
    "x-ms-sevsnpvm-guestsvn",
    "x-ms-sevsnpvm-hostdata",
    "x-ms-sevsnpvm-idkeydigest",
    "x-ms-sevsnpvm-is-debuggable",
    "x-ms-sevsnpvm-launchmeasurement",
    "x-ms-sevsnpvm-microcode-svn",
    "x-ms-sevsnpvm-migration-allowed",
    "x-ms-sevsnpvm-reportdata",
    "x-ms-sevsnpvm-reportid",
    "x-ms-sevsnpvm-smt-allowed",
    "x-ms-sevsnpvm-snpfw-svn",
    "x-ms-sevsnpvm-tee-svn",
    "x-ms-sevsnpvm-uvm-endorsement",
    "x-ms-sevsnpvm-uvm-endorsement-headers",
    "x-ms-sevsnpvm-vmpl",
    "x-ms-ver",
];
const MACHINE_KNOWN: &[&str] = &[
    "exp",
    "iat",
    "iss",
    "jti",
    "nbf",
    "secureboot",
    "x-ms-attestation-type",
    "x-ms-azurevm-bootdebug-enabled",
    "x-ms-azurevm-debuggersdisabled",
    "x-ms-azurevm-flightsigning-enabled",
    "x-ms-azurevm-hypervisordebug-enabled",
    "x-ms-azurevm-kerneldebug-enabled",
    "x-ms-azurevm-testsigning-enabled",
    "x-ms-azurevm-vmid",
    "x-ms-isolation-tee",
    "x-ms-policy-hash",
    "x-ms-runtime",
    "x-ms-ver",
];
