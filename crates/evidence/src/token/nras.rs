//! Answers of NVIDIA's remote attestation service: one token over all devices, and one for each.

mod answer;
mod checks;
mod judge;
mod policy;

pub(crate) use checks::{CLAIMS_ALL, TOKEN_ALL};

pub use answer::Answer;
pub use judge::{NrasClaims, judge_claims};
pub use policy::{NrasPolicy, Signers, Warnings};

use cmcp_json::Object;

use super::common::{pinned_key, quoted};
use crate::{
    Endorsements, Input, Part, Proved, Timestamp,
    check::Checks,
    jose::{Alg, Jwk, Jws, KeySet},
    policy::fields::Roots,
    x509::{Certificate, ChainRules, verify_chain},
};

/// Judges an answer: who signed its tokens, then what they say.
pub(crate) fn appraise(
    input: &Input<'_>,
    policy: &NrasPolicy,
    checks: &mut Checks,
    proved: &mut Proved,
) {
    checks.require(TOKEN_ALL);
    checks.require(CLAIMS_ALL);
    let answer = input
        .evidence
        .part(Part::Token)
        .ok_or_else(|| "none, or several".to_owned())
        .and_then(|bytes| Answer::parse(bytes).map_err(|error| error.to_string()));
    let expected = "NRAS's answer: a token over all devices, and one for each";
    let Some(answer) = checks.take(&checks::ANSWER, answer, expected) else {
        return;
    };
    let signer = Signer {
        endorsements: input.endorsements,
        policy,
        at: input.at,
    };
    let overall = signer.read(
        "the token over all devices",
        answer.overall(),
        checks,
        proved,
    );
    let mut devices = Vec::new();
    for (name, token) in answer.devices() {
        let what = quoted(name);
        if let Some(claims) = signer.read(&what, token, checks, proved) {
            devices.push((name.to_owned(), claims));
        }
    }
    let Some(overall) = overall else { return };
    check_digests(&overall, &answer, checks);
    let case = NrasClaims {
        overall: &overall,
        devices: &devices,
        policy,
        binding: input.binding,
        at: input.at,
    };
    judge_claims(&case, checks, proved);
}

/// The overall token lists each device with the digest of its token: no other, and none left out.
fn check_digests(overall: &Object, answer: &Answer, checks: &mut Checks) {
    let listed = answer::listed(overall);
    let expected = "a SHA-256 digest for each device's token, and a token for each digest";
    let listed = match listed {
        Ok(listed) => listed,
        Err(fault) => {
            checks.fail(&checks::DIGESTS, expected, fault);
            return;
        }
    };
    let given: Vec<(&str, &str)> = answer.devices().collect();
    let mut faults: Vec<String> = Vec::new();
    for (name, token) in &given {
        match listed.iter().find(|(device, _)| device == name) {
            None => faults.push(format!("a token for {}, which is not listed", quoted(name))),
            Some((_, digest)) if *digest != crate::Sha256Digest::of(token.as_bytes()) => {
                faults.push(format!(
                    "another token for {} than was listed",
                    quoted(name)
                ));
            }
            Some(_) => {}
        }
    }
    for (name, _) in &listed {
        if !given.iter().any(|(device, _)| device == name) {
            faults.push(format!("no token for {}", quoted(name)));
        }
    }
    checks.expect(
        &checks::DIGESTS,
        faults.is_empty(),
        expected,
        faults.join("; "),
    );
}

/// Who may have signed.
struct Signer<'a> {
    endorsements: &'a Endorsements,
    policy: &'a NrasPolicy,
    at: Timestamp,
}

impl Signer<'_> {
    /// The claims of a token, and whether it is signed as policy says.
    fn read(
        &self,
        what: &str,
        token: &str,
        checks: &mut Checks,
        proved: &mut Proved,
    ) -> Option<Object> {
        let jws = match Jws::parse(token) {
            Ok(jws) => jws,
            Err(error) => {
                checks.fail(
                    &checks::ANSWER,
                    format_args!("{what} as a compact JWS"),
                    error,
                );
                return None;
            }
        };
        let known: &[&str] = match self.policy.signers {
            Signers::Keys(_) => &["alg", "kid", "typ"],
            Signers::Roots(_) => &["alg", "kid", "typ", "x5c"],
        };
        let beyond = jws.header_beyond(known);
        checks.expect(
            &checks::HEADER,
            beyond.is_empty(),
            known.join(", "),
            beyond.join(", "),
        );
        let signed = match &self.policy.signers {
            Signers::Keys(pins) => pinned_key(&jws, &self.endorsements.key_sets, pins, Alg::Es384)
                .and_then(|key| {
                    jws.verify(&key.key, Alg::Es384)
                        .map_err(|error| error.to_string())
                }),
            Signers::Roots(roots) => self.by_chain(&jws, roots, proved),
        };
        let expected = format!("{what} signed with ES384 by whom policy names");
        checks.take(&checks::SIGNATURE, signed, expected);
        match jws.claims() {
            Ok(claims) => Some(claims),
            Err(error) => {
                checks.fail(
                    &checks::ANSWER,
                    format_args!("{what} with JSON inside"),
                    error,
                );
                None
            }
        }
    }

    fn by_chain(&self, jws: &Jws<'_>, roots: &Roots, proved: &mut Proved) -> Result<(), String> {
        let Roots::These(roots) = roots else {
            return Err("no root of the service is compiled in".to_owned());
        };
        let roots: Result<Vec<Certificate>, _> =
            roots.iter().map(|der| Certificate::from_der(der)).collect();
        let roots = roots.map_err(|error| error.to_string())?;
        let rules = ChainRules::at(self.at);
        let path = if jws.header().contains_key("x5c") {
            jws.verify_by_chain(Alg::Es384, &roots, &rules)
                .map_err(|error| error.to_string())?
        } else {
            let (key, path) = self.certified(jws, &roots, &rules)?;
            jws.verify(&key.key, Alg::Es384)
                .map_err(|error| error.to_string())?;
            path
        };
        for certificate in path {
            proved.until(certificate.not_after());
        }
        Ok(())
    }

    /// The key that the token names, from a key set: with it came certificates that lead to a root.
    fn certified(
        &self,
        jws: &Jws<'_>,
        roots: &[Certificate],
        rules: &ChainRules,
    ) -> Result<(Jwk, Vec<Certificate>), String> {
        let kid = jws.header_text("kid").ok_or("a header without `kid`")?;
        let sets = self.endorsements.key_sets.iter();
        let mut fault = "no certificates, neither in the header nor with a key of that name";
        let mut found = None;
        for set in sets.filter_map(|bytes| KeySet::parse(bytes).ok()) {
            let Some(key) = set.by_kid(kid) else { continue };
            match key.certificates.split_first() {
                Some((leaf, others)) => {
                    let path = verify_chain(leaf, others, roots, rules);
                    found = Some(path.map(|path| (key.clone(), path)));
                    if matches!(found, Some(Ok(_))) {
                        break;
                    }
                }
                None => fault = "a key without certificates",
            }
        }
        match found {
            Some(path) => path.map_err(|error| error.to_string()),
            None => Err(format!("{fault} (kid {})", quoted(kid))),
        }
    }
}

#[cfg(test)]
mod tests;
