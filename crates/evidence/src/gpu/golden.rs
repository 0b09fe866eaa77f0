//! Measurements against the golden ones of NVIDIA's manifests.

use super::{
    Case, Report, Rim,
    chain::{self, trusted},
    checks::{DEBUG, MEASUREMENTS, RIM, RIM_PINS, RIM_SIGNATURE, SECURE_BOOT},
    opaque::NVDEC0,
    policy::{Comparison, RimSignature, is_listed},
};
use crate::{
    check::Checks,
    hex,
    result::{About, Proved},
    x509::{self, Certificate, ChainRules},
};

/// What the manifests have to be for, and are compared with.
#[derive(Debug)]
pub(super) struct Measured<'a> {
    /// Which device, for messages.
    pub(super) number: usize,
    /// Its report.
    pub(super) report: &'a Report<'a>,
    /// Its chip, as it is certified.
    pub(super) chip: String,
}

/// Compares every device with the manifests for its driver and its VBIOS.
pub(super) fn judge(
    case: &Case<'_>,
    devices: &[Measured<'_>],
    checks: &mut Checks,
    proved: &mut Proved,
) {
    if case.policy.measurements == Comparison::DangerNotCompared {
        let why = "policy says `danger-not-compared`: any firmware, in any state";
        checks.tolerate(&MEASUREMENTS, why, None);
        for check in [&DEBUG, &SECURE_BOOT, &RIM, &RIM_SIGNATURE, &RIM_PINS] {
            checks.not_applicable(check, why);
        }
        return;
    }
    let Some(rims) = read(case, checks) else {
        return;
    };
    let mut used: Vec<&Rim> = Vec::new();
    for device in devices {
        let mut found = Vec::new();
        for (what, version) in [
            ("driver", device.report.driver_version()),
            ("VBIOS", device.report.vbios_version()),
        ] {
            let rim = pick(&rims, device, version.as_deref());
            let version = version.unwrap_or_else(|| "unknown".to_owned());
            let (number, chip) = (device.number, &device.chip);
            checks.expect(
                &RIM,
                rim.is_some(),
                format_args!("device {number}: one manifest for {what} {version} on {chip}"),
                "none, or several",
            );
            found.extend(rim);
        }
        if let [driver, vbios] = found.as_slice() {
            compare(device, driver, vbios, checks, proved);
        }
        for rim in found {
            if !used.contains(&rim) {
                used.push(rim);
            }
        }
    }
    for rim in &rims {
        if !used.contains(&rim) {
            let (version, product) = (rim.version.escape_debug(), rim.product.escape_debug());
            proved.note(format!(
                "The manifest for {version} on {product} is not about any device."
            ));
        }
    }
    believe(case, &used, checks, proved);
}

fn read(case: &Case<'_>, checks: &mut Checks) -> Option<Vec<Rim>> {
    if case.rims.len() > MAX_RIMS {
        let expected = format_args!("at most {MAX_RIMS} manifests");
        checks.fail(&RIM, expected, case.rims.len());
        return None;
    }
    let rims: Result<Vec<Rim>, _> = case.rims.iter().map(|rim| Rim::parse(rim)).collect();
    match rims {
        Ok(rims) => Some(rims),
        Err(fault) => {
            checks.fail(&RIM, "manifests as NVIDIA writes them", fault);
            None
        }
    }
}

fn pick<'r>(rims: &'r [Rim], device: &Measured<'_>, version: Option<&str>) -> Option<&'r Rim> {
    let mut found = rims
        .iter()
        .filter(|rim| rim.product == device.chip && Some(rim.version.as_str()) == version);
    match (found.next(), found.next()) {
        (Some(rim), None) => Some(rim),
        (None | Some(_), _) => None,
    }
}

fn compare(
    device: &Measured<'_>,
    driver: &Rim,
    vbios: &Rim,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    let number = device.number;
    let mut faults = Vec::new();
    for (what, rim) in [("driver", driver), ("VBIOS", vbios)] {
        if rim.active.is_empty() {
            faults.push(format!("the {what}'s manifest has no measurement"));
        }
    }
    for golden in &driver.active {
        if vbios.active.iter().any(|other| other.index == golden.index) {
            faults.push(format!(
                "both manifests say what measurement {} is",
                golden.index
            ));
        }
    }
    for golden in driver.active.iter().chain(&vbios.active) {
        if golden.index == DECODER && device.report.field(NVDEC0) == Some(DECODER_OFF) {
            continue;
        }
        let index = golden.index.checked_add(1);
        let found = index.and_then(|index| device.report.measurement(index));
        let found = found.map(|measurement| measurement.value);
        let good = golden
            .values
            .iter()
            .any(|known| Some(known.as_slice()) == found);
        if !good {
            let found = found.map_or_else(|| "missing".to_owned(), hex::encode);
            faults.push(format!("measurement {} is {found}", golden.index));
        }
    }
    for fault in &faults {
        let expected = format!("device {number}: the golden value of both manifests");
        checks.fail(&MEASUREMENTS, expected, fault);
    }
    if faults.is_empty() {
        checks.met(&MEASUREMENTS);
        let state = "no other state has these measurements";
        proved.claim(About::What, "debug", format_args!("disabled: {state}"));
    }
    for check in [&DEBUG, &SECURE_BOOT] {
        let expected = format!("device {number}: the measured state of the manifests");
        checks.expect(check, faults.is_empty(), expected, "another state");
    }
    unnamed(device, [driver, vbios], proved);
}

fn unnamed(device: &Measured<'_>, rims: [&Rim; 2], proved: &mut Proved) {
    let named = |index: u8| {
        let active = rims.iter().flat_map(|rim| &rim.active);
        active
            .into_iter()
            .any(|golden| golden.index.checked_add(1) == Some(index))
    };
    let measured = device.report.measurements.iter();
    let unnamed: Vec<String> = measured
        .filter(|known| known.value.iter().any(|byte| *byte != 0) && !named(known.index))
        .map(|known| known.index.saturating_sub(1).to_string())
        .collect();
    if !unnamed.is_empty() {
        let (number, list) = (device.number, unnamed.join(", "));
        proved.note(format!(
            "Device {number}: no manifest says what measurements {list} have to be."
        ));
    }
}

fn believe(case: &Case<'_>, used: &[&Rim], checks: &mut Checks, proved: &mut Proved) {
    for rim in used {
        proved.claim(About::What, "rim", rim.digest.hex());
        checks.expect(
            &RIM_PINS,
            is_listed(&case.policy.rims, rim.digest.as_bytes()),
            "a manifest that policy lists",
            rim.digest.hex(),
        );
    }
    if case.policy.rim_signature == RimSignature::NotChecked {
        let why =
            "policy says `rim_signature: not-checked`: the manifests are known by their digests";
        checks.not_applicable(&RIM_SIGNATURE, why);
        return;
    }
    let roots = match trusted(&case.policy.rim_roots, super::RIM_ROOT) {
        Ok(roots) => roots,
        Err(fault) => {
            checks.fail(&RIM_SIGNATURE, "roots for manifests", fault);
            return;
        }
    };
    for rim in used {
        let path = signed(case, rim, &roots);
        if let Some(path) = checks.take(&RIM_SIGNATURE, path, "NVIDIA's signature") {
            for certificate in &path {
                proved.until(certificate.not_after());
            }
            chain::revocation(case, &path, &rim.version, (checks, proved));
        }
    }
}

fn signed(case: &Case<'_>, rim: &Rim, roots: &[Certificate]) -> Result<Vec<Certificate>, String> {
    let read = |der: &Vec<u8>| Certificate::from_der(der).map_err(|error| error.to_string());
    let certificates: Result<Vec<Certificate>, String> =
        rim.certificates.iter().map(read).collect();
    let certificates = certificates?;
    let (leaf, others) = certificates.split_first().ok_or("no certificate")?;
    let path = x509::verify_chain(leaf, others, roots, &ChainRules::at(case.at))
        .map_err(|error| error.to_string())?;
    let key = leaf.key().map_err(|error| error.to_string())?;
    rim.verify(key).map_err(|error| error.to_string())?;
    Ok(path)
}

// The video decoder's; where it is off there is nothing to measure.
const DECODER: u8 = 35;
const DECODER_OFF: &[u8] = &[0x55];
const MAX_RIMS: usize = 32;
