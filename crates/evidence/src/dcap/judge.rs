//! What an appraisal of a quote has at hand, and the checks that all kinds share.

use super::{
    checks,
    quote::{self, Quote},
    trust::{Bit, BitRule, CollateralRule, Identity, Trust},
};
use crate::{
    Endorsements, Proved, Timestamp,
    check::{Check, Checks},
    hex,
    policy::{Pin, fields::Roots},
    result::About,
    x509::{self, Certificate},
};

/// What an appraisal of a quote has at hand.
pub(super) struct Judge<'a> {
    pub endorsements: &'a Endorsements,
    pub at: Timestamp,
    pub trust: &'a Trust,
    pub roots: Vec<Certificate>,
    pub checks: &'a mut Checks,
    pub proved: &'a mut Proved,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        (endorsements, at): (&'a Endorsements, Timestamp),
        trust: &'a Trust,
        checks: &'a mut Checks,
        proved: &'a mut Proved,
    ) -> Self {
        Self {
            endorsements,
            at,
            trust,
            roots: roots(&trust.roots),
            checks,
            proved,
        }
    }

    /// Reads the quote and judges all of it but its body.
    pub(super) fn quote<'q>(&mut self, bytes: &'q [u8]) -> Option<Quote<'q>> {
        self.checks.require(checks::QUOTE);
        self.checks.require(checks::TCB);
        let expected = "a quote of version 3, 4 or 5";
        let quote = self
            .checks
            .take(&checks::FORMAT, quote::parse(bytes), expected)?;
        let other = quote.rest.iter().position(|byte| *byte != 0);
        self.checks.expect(
            &checks::PADDING,
            other.is_none(),
            "zeros or nothing",
            format_args!(
                "{} bytes, of which byte {} is not zero",
                quote.rest.len(),
                other.unwrap_or_default()
            ),
        );
        if !quote.rest.is_empty() {
            let sentence = format!(
                "{} bytes follow the quote and were left out",
                quote.rest.len()
            );
            self.proved.note(sentence);
        }
        self.proved
            .claim(About::What, "quote-version", quote.header.version);
        let links = self.links(&quote);
        match self.trust.collateral {
            CollateralRule::Required => {
                let length = bytes.len().saturating_sub(quote.rest.len());
                let alone = bytes.get(..length).unwrap_or_default();
                self.collateral(alone, &quote, &links);
            }
            CollateralRule::DangerChainOnly => self.chain_only(),
        }
        Some(quote)
    }

    fn chain_only(&mut self) {
        let what =
            "no collateral is judged: neither missing updates nor a revoked machine are noticed";
        self.checks.tolerate(&checks::COLLATERAL, what, None);
        let rest = checks::TCB.iter().copied();
        for check in rest.filter(|check| check.code != checks::COLLATERAL.code) {
            let why = "policy says `collateral: danger-chain-only`";
            self.checks.not_applicable(check, why);
        }
        if !self.endorsements.intel.is_empty() {
            self.proved
                .note("collateral came and was not looked at: policy says `collateral: danger-chain-only`");
        }
    }

    /// All 64 bytes of report data.
    pub(super) fn binding(
        &mut self,
        check: &'static Check,
        expected: Option<[u8; 64]>,
        found: &[u8],
    ) {
        self.proved
            .claim(About::When, "report-data", hex::encode(found));
        match expected {
            None => self.checks.not_applicable(check, "no binding was named"),
            Some(expected) => {
                let (wanted, actual) = (hex::encode(&expected), hex::encode(found));
                self.checks.expect(check, found == expected, wanted, actual);
            }
        }
    }

    /// A value that policy may pin.
    pub(super) fn pin(&mut self, check: &'static Check, pin: &Pin<Vec<u8>>, found: &[u8]) {
        match pin {
            Pin::Any => self.checks.not_applicable(check, "policy says `any`"),
            Pin::OneOf(values) => {
                let listed = values.iter().any(|value| value == found);
                let wanted = one_of(values);
                self.checks
                    .expect(check, listed, wanted, hex::encode(found));
            }
        }
    }

    /// A bit that policy decides about.
    pub(super) fn bit(&mut self, check: &'static Check, rule: BitRule, found: Bit) {
        let met = rule.allows(found);
        self.checks
            .expect(check, met, rule.expected(), found.as_str());
    }

    pub(super) fn identity(&mut self, check: &'static Check, identity: Identity) {
        match identity {
            Identity::Pinned => self.checks.met(check),
            Identity::DangerAnyMachine => {
                let what = "anybody's genuine machine: nothing says whose it is";
                self.checks.tolerate(check, what, None);
            }
            Identity::Outer => {
                let why = "decided by the platform that the quote is part of";
                self.checks.not_applicable(check, why);
            }
        }
    }
}

/// What would have been accepted, for a message.
fn one_of(values: &[Vec<u8>]) -> String {
    let shown = values.iter().take(4).map(|value| hex::encode(value));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match values.len().saturating_sub(4) {
        0 => format!("one of {shown}"),
        more => format!("one of {shown} and {more} more"),
    }
}

/// The roots that are trusted. The compiled-in one is known to be readable: a test reads it.
pub(super) fn roots(roots: &Roots) -> Vec<Certificate> {
    let read = |der: &Vec<u8>| Certificate::from_der(der).ok();
    match roots {
        Roots::Vendor => {
            let der = x509::one_from_pem(INTEL_ROOT).ok();
            der.iter().filter_map(read).collect()
        }
        Roots::These(list) => list.iter().filter_map(read).collect(),
    }
}

/// Intel SGX Root CA, as the vendor publishes it.
const INTEL_ROOT: &[u8] = include_bytes!("../../roots/intel-sgx-root.pem");
