//! Every captured piece of Azure's evidence gets the verdict that is stated for it.

mod groups;
mod machines;

use super::vectors::{json, rows, shared};
use crate::{
    AttestationResult, Binding, Endorsements, Evidence, Input, ReferenceValues, Timestamp,
    appraise,
    azure::release::{Decision, ReleasePolicy},
    b64, hex,
    policy::{Fields, Freshness},
    x509,
};

/// What is accepted of a captured SNP report. Milan is named, as it has to be; what these machines lack is decided.
fn snp_section(identity: &str, measurements: &str) -> String {
    let zeros = r#"{"bootloader":0,"tee":0,"snp":0,"microcode":0}"#;
    let floors = format!(r#"{{"tcb":{zeros},"launch_tcb":{zeros}}}"#);
    format!(
        r#"{{{identity}"roots":"vendor","products":{{"milan":{floors},"genoa":{floors},"turin":"refused"}},
        "unnamed_product":"milan","signing_keys":{{"vcek":"accepted","vlek":"refused"}},"revocation":"not-checked",
        "guest":{{"vmpl":[0],"abi":"0.31","smt":"allowed","single_socket":"not-required","migration":"refused",
        "ciphertext_hiding":"not-required","cxl":"forbidden","aes_256_xts":"not-required","rapl_disabled":"not-required",
        "page_swap_disabled":"not-required"}},
        "machine":{{"firmware":"1.40","alias_check":"not-required","smt":"allowed","tsme":"not-required",
        "mitigations":{{"launch":"none","current":"none"}}}},
        "id_block":{{"id_key_digests":"any","author_key_digests":"any","family_ids":"any","image_ids":"any","guest_svn":0}},
        "measurements":{measurements},"host_data":"any","chip_ids":"any"}}"#
    )
}

/// What is accepted of a captured quote of TDX.
fn tdx_section(collateral: &str, mrtd: &str) -> String {
    format!(
        r#"{{"roots":"vendor","collateral":"{collateral}","tcb_evaluation_at_least":0,"tolerated_statuses":[],
        "tolerated_advisories":[],"platform":{{"dynamic_platform":"allowed","cached_keys":"allowed","smt":"allowed",
        "memory":["standard","scalable","scalable-with-integrity"]}},"ppids":"any",
        "attributes":{{"icssd":"refused","servtd_ext":"refused","lass":"refused","pks":"refused","key_locker":"refused",
        "tpa":"refused","perfmon":"refused"}},"xfam":{{"required":"0x3","allowed":"0xffffffffffffffff"}},
        "mrseam":"any","mrsignerseam":"any","service_tds":[],"devices":[],"measurements":{{"captured":"{mrtd}"}},
        "rtmr0":"ignored","rtmr1":"ignored","rtmr2":"ignored","rtmr3":"ignored",
        "mrconfigid":"any","mrowner":"any","mrownerconfig":"any"}}"#
    )
}

/// What is accepted of the machine: secure boot on, and the one PCR that is named.
fn machine_section(pcr0: &str, key: &str, ak_certificate: &str) -> String {
    format!(
        r#""vtpm":{{"bank":"sha256","quoted":"0-23","pcrs":{{"0":["{pcr0}"],"1-23":"ignored"}},"software":"pinned",
        "secure_boot":"not-judged","event_order":"refused","payloads":"refused","ima":"ignored",
        "qualifying_data":"whole","counters":"any","clock":"safe","firmware":"any"}},
        "ak_certificate":{ak_certificate},"secure_boot":"required","console":"allowed","user_data":"any",
        "attestation_keys":["{key}"],"endorsement_keys":"any","identity":"pinned""#
    )
}

const NO_CERTIFICATE: &str = r#""not-required""#;
const MICROSOFTS: &str =
    r#"{"roots":"vendor","keys":"any","gce_projects":"any","revocation":"not-checked"}"#;

fn read<T>(text: &str, read: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> T {
    let value = json(text.as_bytes());
    let mut faults = Vec::new();
    let mut fields = Fields::open(&value, "", &mut faults).expect("a mapping");
    let policy = read(&mut fields);
    fields.close();
    assert_eq!(faults, []);
    policy.expect("a policy")
}

/// A section for the forge's machine.
pub(crate) fn azure_snp_section() -> String {
    let key = hex::encode(&super::vm::digest(&super::vm::ak()));
    let machine = machine_section(&"00".repeat(32), &key, NO_CERTIFICATE);
    format!(r#"{{"snp":{},{machine}}}"#, snp_section("", "\"none\""))
}

/// A section for container groups.
pub(crate) fn aci_section() -> String {
    let issuer = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2";
    format!(
        r#"{{"snp":{},"uvm":{{"issuers":["{issuer}"],"feeds":["ContainerPlat-AMD-UVM"],"svn_at_least":100}},
        "container_policies":"none","tolerated_findings":[],"runtime_data":"required","identity":"container-policy"}}"#,
        snp_section("", "\"none\"")
    )
}

/// Judges TDX evidence for the forge's challenge by a policy of this file.
pub(crate) fn judge_tdx(evidence: &Evidence, endorsements: &Endorsements) -> AttestationResult {
    let key = hex::encode(&super::vm::digest(&super::vm::ak()));
    let machine = machine_section(&"00".repeat(32), &key, NO_CERTIFICATE);
    let tdx = tdx_section("required", &"00".repeat(48));
    let section = format!(r#"{{"tdx":{tdx},{machine}}}"#);
    appraise(&Input {
        evidence,
        endorsements,
        binding: &Binding::Challenge(b"a challenge".to_vec()),
        policy: &ReferenceValues {
            azure_tdx: Some(read(&section, crate::azure::AzureTdxPolicy::read)),
            ..ReferenceValues::refusing_all(Freshness::Required)
        },
        at: Timestamp::parse_rfc3339("2026-06-01T00:00:00Z").expect("a time"),
    })
}

/// AMD's intermediates, which these captures leave out.
fn amd() -> Endorsements {
    let pem = ["milan", "genoa"]
        .map(|name| shared(&format!("snp/amd-{name}-ask.pem")).expect("the file"));
    Endorsements {
        certificates: pem
            .iter()
            .map(|pem| x509::one_from_pem(pem).expect("PEM"))
            .collect(),
        ..Endorsements::default()
    }
}

#[test]
fn release_policies_get_the_verdict_that_is_stated() {
    for row in rows("skr-policy") {
        let policy = match row.value("policy") {
            Some(inline) => inline.to_vec(),
            None => row.file("policy"),
        };
        let policy = ReleasePolicy::parse(&policy).expect("a policy");
        let claims = if row.has("token") {
            let token = row.file("token");
            let token = std::str::from_utf8(&token).expect("a token").trim_end();
            let payload = token.split('.').nth(1).expect("a payload");
            b64::decode(payload).expect("base64url")
        } else {
            row.file("claims")
        };
        let claims = json(&claims);
        let decision = policy.evaluate(claims.as_object().expect("claims"));
        println!("{}: {decision:?}", row.id());
        assert_eq!(
            matches!(decision, Decision::Released { .. }),
            row.accepts(),
            "{}",
            row.id()
        );
        if row.id() == "skr-aci-cvm" {
            let why = "`x-ms-compliance-status` is azure-compliant-uvm, and has to be azure-compliant-cvm";
            assert_eq!(
                decision,
                Decision::Refused {
                    why: vec![why.to_owned()]
                }
            );
        }
    }
}
