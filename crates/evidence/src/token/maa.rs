//! Tokens of Microsoft Azure Attestation, of confidential containers and of confidential VMs.

mod checks;
mod judge;
mod policy;

pub(crate) use checks::{CLAIMS_ALL, TOKEN_ALL};

pub use judge::judge_claims;
pub use policy::{Boot, Issuer, Least, MaaMeasurements, MaaPolicy, Uvm, Workload};

use super::{
    ClaimsCase,
    common::{pinned_key, shown, token_text},
};
use crate::{
    Input, Part, Proved,
    check::Checks,
    jose::{Alg, Jws},
};

/// Judges a token: who signed it, then what it says.
pub(crate) fn appraise(
    input: &Input<'_>,
    policy: &MaaPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    checks.require(TOKEN_ALL);
    checks.require(CLAIMS_ALL);
    let token = token_text(input.evidence.part(Part::Token));
    let Some(token) = checks.take(&checks::TOKEN, token, "one token") else {
        return;
    };
    let jws = Jws::parse(token).map_err(|error| error.to_string());
    let claims = jws.and_then(|jws| match jws.claims() {
        Ok(claims) => Ok((jws, claims)),
        Err(error) => Err(error.to_string()),
    });
    let expected = "a JWS in compact form with JSON inside";
    let Some((jws, claims)) = checks.take(&checks::TOKEN, claims, expected) else {
        return;
    };
    let beyond = jws.header_beyond(&["alg", "jku", "kid", "typ"]);
    checks.expect(
        &checks::HEADER,
        beyond.is_empty(),
        "alg, jku (never fetched), kid and typ alone",
        beyond.join(", "),
    );
    let issuer = policy.issuer_of(&claims);
    let signed = match issuer {
        None => Err(format!(
            "issuer {} is not configured",
            shown(claims.get("iss"))
        )),
        Some(issuer) => pinned_key(&jws, &input.endorsements.key_sets, &issuer.keys, Alg::Rs256)
            .and_then(|key| {
                jws.verify(&key.key, Alg::Rs256)
                    .map_err(|error| error.to_string())
            }),
    };
    checks.take(
        &checks::SIGNATURE,
        signed,
        "RS256 by a key that is pinned for the issuer",
    );
    let case = ClaimsCase {
        claims: &claims,
        policy,
        binding: input.binding,
        at: input.at,
    };
    judge_claims(&case, checks, proved);
}

#[cfg(test)]
mod tests;
