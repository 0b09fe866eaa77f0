//! Whether genuine hardware made a quote at all: what an archived record can still be asked when nobody
//! kept reference values or collateral. It says nothing of how current the machine is.

use super::{
    Body, CollateralRule, FlagRule, PlatformRules, Trust, checks, judge::Judge, pck::Memory, quote,
    trust::Bit,
};
use crate::{
    Endorsements, Proved, ReportData, Sha384Digest, Timestamp,
    check::{Checks, Outcome},
    policy::{Pin, fields::Roots},
    reader::Malformed,
};

/// The time that certificates must be valid at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// This one.
    At(Timestamp),
    /// Some moment at which all of them were.
    Ever,
}

/// What a genuine quote says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GenuineDomain {
    /// The trust domain's MRTD.
    pub measurement: Sha384Digest,
    /// What it had signed.
    pub report_data: ReportData,
}

/// Why a quote is not that of a genuine trust domain.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotGenuine {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is another quote than a TDX quote of version 4.
    #[error("not a TDX quote of version 4")]
    Kind,
    /// The trust domain can be debugged: whatever it says may be its operator's word.
    #[error("a trust domain that can be debugged")]
    Debug,
    /// A link to the vendor's root does not hold.
    #[error("{code}: {actual}")]
    Link {
        /// The check that failed.
        code: &'static str,
        /// What was found.
        actual: String,
    },
}

/// Verifies every link from a TDX quote of version 4 to Intel's root, and no policy.
///
/// # Errors
///
/// The first link that does not hold.
pub fn genuine_domain(bytes: &[u8], moment: Moment) -> Result<GenuineDomain, NotGenuine> {
    let quote = quote::parse(bytes)?;
    let Body::Domain(report) = quote.body else {
        return Err(NotGenuine::Kind);
    };
    if quote.header.version != 4 {
        return Err(NotGenuine::Kind);
    }
    if Bit::of(report.attributes, 0) == Bit::Set {
        return Err(NotGenuine::Debug);
    }
    let at = match moment {
        Moment::At(at) => at,
        Moment::Ever => latest_beginning(&quote),
    };
    let (mut checks, mut proved) = (Checks::new(), Proved::default());
    let (nothing, trust) = (Endorsements::default(), chain_only());
    Judge::new((&nothing, at), &trust, &mut checks, &mut proved).links(&quote);
    for link in [
        &checks::QE_VENDOR,
        &checks::QUOTE_SIGNATURE,
        &checks::QE_BINDING,
        &checks::QE_STATE,
        &checks::QE_SIGNATURE,
        &checks::PCK_CHAIN,
    ] {
        if !checks.is_met(link) {
            let actual = reason(checks, link.code);
            let code = link.code;
            return Err(NotGenuine::Link { code, actual });
        }
    }
    let measurement = report.mrtd.try_into().map(Sha384Digest::from_bytes);
    let report_data = report.report_data.try_into().map(ReportData::from_bytes);
    match (measurement, report_data) {
        (Ok(measurement), Ok(report_data)) => Ok(GenuineDomain {
            measurement,
            report_data,
        }),
        (_, _) => Err(NotGenuine::Kind),
    }
}

fn reason(checks: Checks, code: &str) -> String {
    let failed = checks.finish().into_iter().find_map(|checked| {
        match (checked.check.code == code, checked.outcome) {
            (true, Outcome::Failed { actual, .. }) => Some(actual),
            (_, _) => None,
        }
    });
    failed.unwrap_or_else(|| "could not be checked".to_owned())
}

/// When the youngest of the quote's certificates begins: if they ever were valid together, they were then.
fn latest_beginning(quote: &super::Quote<'_>) -> Timestamp {
    let certificates = super::links::certificates(quote.quoting.certificates);
    let beginnings = certificates.unwrap_or_default();
    let latest = beginnings.iter().map(crate::x509::Certificate::not_before);
    latest.max().unwrap_or(Timestamp::MIN)
}

/// Nothing but the chain is judged: the names of what is left out say so.
fn chain_only() -> Trust {
    Trust {
        roots: Roots::Vendor,
        collateral: CollateralRule::DangerChainOnly,
        evaluation_at_least: 0,
        statuses: Vec::new(),
        advisories: Vec::new(),
        platform: PlatformRules {
            dynamic_platform: FlagRule::Allowed,
            cached_keys: FlagRule::Allowed,
            smt: FlagRule::Allowed,
            memory: vec![
                Memory::Standard,
                Memory::Scalable,
                Memory::ScalableWithIntegrity,
            ],
        },
        ppids: Pin::Any,
    }
}
