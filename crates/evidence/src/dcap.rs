//! SGX and TDX quotes, by Intel's DCAP.
//!
//! A quote is read in place and every link from it to the root is verified here, each with a result of its
//! own. What Intel says about the machine, its TDX module and its quoting enclave comes as collateral:
//! signatures, times and identities of it are verified here too, and the comparison of security versions
//! with Intel's levels is left to a second, independent implementation (`dcap-qvl`).

mod appraisal;
pub mod checks;
pub mod collateral;
mod genuine;
mod judge;
mod links;
pub mod pck;
pub mod quote;
mod rtmr;
mod sgx;
mod show;
mod status;
mod tdx;
mod trust;

pub use collateral::{Collateral, CollateralError};
pub use genuine::{GenuineDomain, Moment, NotGenuine, genuine_domain};
pub use links::LinkError;
pub use pck::{Machine, MachineError};
pub use quote::{Body, Quote, Tee, parse};
pub use rtmr::RegisterRule;
pub use sgx::{EnclaveRules, SgxPolicy, Signer};
pub(crate) use show::show;
pub use status::TcbStatus;
pub use tdx::{AttributeRules, TdxPolicy};
pub(crate) use tdx::{Case, judge_tdx};
pub use trust::{
    Bit, BitRule, Bits, CollateralRule, FlagRule, Grace, Identity, PlatformRules,
    ToleratedAdvisory, ToleratedStatus, Trust,
};

use crate::{
    Binding, Input, Part, Proved,
    check::{Check, Checks},
};

/// Judges an enclave's quote.
pub(crate) fn appraise_sgx(
    input: &Input<'_>,
    policy: &SgxPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    checks.require(checks::SGX);
    let Some(quote) = the_quote(input, checks, proved) else {
        return;
    };
    let case = sgx::Case {
        quote,
        endorsements: input.endorsements,
        report_data: report_data(input, &checks::SGX_BINDING, checks),
        at: input.at,
    };
    sgx::judge_sgx(&case, policy, checks, proved);
}

/// Judges a trust domain's quote.
pub(crate) fn appraise_tdx(
    input: &Input<'_>,
    policy: &TdxPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    checks.require(checks::TDX);
    let Some(quote) = the_quote(input, checks, proved) else {
        return;
    };
    let case = Case {
        quote,
        event_log: input.evidence.part(Part::EventLog),
        endorsements: input.endorsements,
        report_data: report_data(input, &checks::TDX_BINDING, checks),
        at: input.at,
    };
    judge_tdx(&case, policy, checks, proved);
}

/// What the report data must be. A challenge that fits into none fails the check: else it would look like none.
fn report_data(input: &Input<'_>, check: &'static Check, checks: &mut Checks) -> Option<[u8; 64]> {
    let expected = input.binding.report_data();
    if expected.is_none() && *input.binding != Binding::Unknown {
        checks.fail(check, "a challenge of at most 64 bytes", "a longer one");
    }
    expected
}

/// The one quote. What else came and is not looked at is said.
fn the_quote<'a>(input: &Input<'a>, checks: &mut Checks, proved: &mut Proved) -> Option<&'a [u8]> {
    for (part, _) in input.evidence.parts() {
        if !matches!(part, Part::Quote | Part::EventLog) {
            let sentence = format!("`{}` came and was not looked at", part.as_str());
            proved.note(sentence);
        }
    }
    let quote = input.evidence.part(Part::Quote);
    if quote.is_none() {
        let found = input.evidence.all(Part::Quote).count();
        checks.fail(&checks::FORMAT, "one quote", found);
    }
    quote
}

#[cfg(test)]
mod tests;
