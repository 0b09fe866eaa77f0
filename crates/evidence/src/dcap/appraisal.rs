//! Collateral: who signed it, whether it holds now and is about this machine, and what it says.

use dcap_qvl::{QuoteClaims, QuotePolicy, verify::QuoteVerifier};

use super::{
    checks,
    collateral::{Collateral, CollateralError, Life},
    judge::Judge,
    links::{LinkError, Links, certificates},
    pck::Machine,
    quote::{EnclaveReport, Quote, Tee},
    status::TcbStatus,
    trust::{Grace, ToleratedStatus},
};
use crate::{
    Timestamp,
    check::Check,
    hex,
    result::About,
    x509::{
        self, Certificate, Crl, CrlError, Curve, KeyKind, RevocationError, Scheme, SignatureBytes,
    },
};

impl Judge<'_> {
    /// Everything that rests on collateral. `quote` has nothing behind it.
    pub(super) fn collateral(&mut self, bytes: &[u8], quote: &Quote<'_>, links: &Links) {
        let chosen = self.choose(quote.header.tee, links.machine.as_ref());
        let expected = "collateral of Intel, JSON";
        let Some(collateral) = self.checks.take(&checks::COLLATERAL, chosen, expected) else {
            return;
        };
        self.own_chain(&collateral, &links.certificates);
        let signers = self.signers(&collateral);
        self.revocation(&collateral, links, &signers);
        self.kinds(&collateral, quote.header.tee);
        if let Some(machine) = &links.machine {
            self.same_machine(&collateral, machine);
        }
        self.times(&collateral);
        self.quoting_enclave(&collateral, &quote.quoting.report);
        self.evaluation(&collateral);
        let Some(root) = links.path.as_ref().and_then(|path| path.last()) else {
            return;
        };
        // What Intel did not sign does not reach another program's parser.
        let signed = [
            &checks::TCB_INFO_SIGNATURE,
            &checks::QE_IDENTITY_SIGNATURE,
            &checks::REVOCATION,
        ];
        if !signed.iter().all(|check| self.checks.is_met(check)) {
            return;
        }
        let claims = appraise(bytes, &collateral, root, self.at);
        let expected = "a TCB level for machine, module and quoting enclave";
        if let Some(claims) = self.checks.take(&checks::APPRAISAL, claims, expected) {
            self.status(&claims);
            self.advisories(&claims);
        }
    }

    /// The collateral that is about this kind of machine; else the first that can be read.
    fn choose(&mut self, tee: Tee, machine: Option<&Machine>) -> Result<Collateral, Unfit> {
        let documents = &self.endorsements.intel;
        let mut first = None;
        let mut fault = None;
        for document in documents {
            match Collateral::parse(document) {
                Ok(collateral) if machine.is_some_and(|m| is_about(&collateral, tee, m)) => {
                    first = Some(collateral);
                    break;
                }
                Ok(collateral) => first = first.or(Some(collateral)),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        if documents.len() > 1 {
            let sentence = format!(
                "{} collateral documents came, and one of them was looked at",
                documents.len()
            );
            self.proved.note(sentence);
        }
        match (first, fault) {
            (Some(collateral), _) => Ok(collateral),
            (None, Some(error)) => Err(Unfit::Unreadable(error)),
            (None, None) => Err(Unfit::Absent),
        }
    }

    /// Collateral may repeat the certificates of the PCK. They must be the quote's: a verifier that
    /// prefers them would judge another machine.
    fn own_chain(&mut self, collateral: &Collateral, own: &[Certificate]) {
        let Some(pem) = &collateral.document().pck_certificate_chain else {
            let why = "the collateral repeats no certificates of the PCK";
            return self.checks.not_applicable(&checks::COLLATERAL_PCK, why);
        };
        let expected = "the certificates that are in the quote";
        match certificates(pem.as_bytes()) {
            Ok(theirs) => {
                let names = theirs.iter().map(Certificate::sha256);
                let names = names.map(|digest| digest.to_string()).collect::<Vec<_>>();
                let same = theirs == own;
                self.checks
                    .expect(&checks::COLLATERAL_PCK, same, expected, names.join(", "));
            }
            Err(error) => self.checks.fail(&checks::COLLATERAL_PCK, expected, error),
        }
    }

    /// The signers of TCB info and QE identity, each with the root that it leads to.
    fn signers(&mut self, collateral: &Collateral) -> Vec<Vec<Certificate>> {
        let document = collateral.document();
        let info = self.signer(&document.tcb_info_issuer_chain);
        let identity = if document.qe_identity_issuer_chain == document.tcb_info_issuer_chain {
            info.clone()
        } else {
            self.signer(&document.qe_identity_issuer_chain)
        };
        self.signed(
            &checks::TCB_INFO_SIGNATURE,
            info.as_deref(),
            (&document.tcb_info, &document.tcb_info_signature),
        );
        self.signed(
            &checks::QE_IDENTITY_SIGNATURE,
            identity.as_deref(),
            (&document.qe_identity, &document.qe_identity_signature),
        );
        info.into_iter().chain(identity).collect()
    }

    fn signer(&mut self, pem: &str) -> Option<Vec<Certificate>> {
        let path = certificates(pem.as_bytes()).and_then(|chain| self.path(&chain, 2));
        let path = path.and_then(|path| {
            let found = path.first().map(Certificate::name).unwrap_or_default();
            if found == TCB_SIGNER {
                Ok(path)
            } else {
                Err(LinkError::Role {
                    expected: TCB_SIGNER,
                    found,
                })
            }
        });
        let expected = "a signer directly below a trusted root";
        let path = self.checks.take(&checks::SIGNER, path, expected)?;
        self.rests_on(&path);
        Some(path)
    }

    /// The signature is over the document as it came, r and s.
    fn signed(
        &mut self,
        check: &'static Check,
        signer: Option<&[Certificate]>,
        (text, signature): (&str, &[u8]),
    ) {
        let expected = "a signature by Intel's signer, P-256";
        let Some(Ok(key)) = signer.and_then(<[_]>::first).map(Certificate::key) else {
            return self
                .checks
                .fail(check, expected, "no signer that is trusted");
        };
        if key.kind() != KeyKind::Ecdsa(Curve::P256) {
            return self.checks.fail(check, expected, key.kind());
        }
        let signature = SignatureBytes::Fixed(signature);
        let result = key.verify(Scheme::EcdsaSha256, text.as_bytes(), signature);
        self.checks.take(check, result, expected);
    }

    /// Every certificate of the PCK and of the signers, each by the list of its issuer.
    fn revocation(&mut self, collateral: &Collateral, links: &Links, signers: &[Vec<Certificate>]) {
        let document = collateral.document();
        let expected = "current lists of all authorities, and no certificate in them";
        let lists = [&document.root_ca_crl, &document.pck_crl].map(|der| Crl::from_der(der));
        let lists: Result<Vec<Crl>, CrlError> = lists.into_iter().collect();
        let lists = match lists {
            Ok(lists) => lists,
            Err(error) => return self.checks.fail(&checks::REVOCATION, expected, error),
        };
        let paths = links.path.iter().chain(signers);
        let checked = paths.map(|path| x509::check_revocation(path, &lists, self.at));
        let ends: Result<Vec<Timestamp>, RevocationError> = checked.collect();
        if links.path.is_none() {
            let found = "the certificates of the PCK lead to no root";
            return self.checks.fail(&checks::REVOCATION, expected, found);
        }
        if let Some(ends) = self.checks.take(&checks::REVOCATION, ends, expected) {
            for end in ends {
                self.proved.until(end);
            }
        }
        for (list, name) in lists.iter().zip(["root CA's CRL", "PCK CRL"]) {
            if let Some(next_update) = list.next_update() {
                let issued = list.this_update();
                self.half_life(
                    name,
                    Life {
                        issued,
                        next_update,
                    },
                );
            }
        }
    }

    fn kinds(&mut self, collateral: &Collateral, tee: Tee) {
        let (info, identity) = (&collateral.tcb_info, &collateral.qe_identity);
        let (info_id, identity_id, identity_versions) = match tee {
            Tee::Sgx => ("SGX", "QE", 2..=2),
            Tee::Tdx => ("TDX", "TD_QE", 2..=3),
        };
        let (id, version) = &info.id;
        self.checks.expect(
            &checks::TCB_INFO_KIND,
            id == info_id && *version == 3 && info.tcb_type == 0,
            format_args!("{info_id}, version 3, TCB type 0"),
            format_args!("{id}, version {version}, TCB type {}", info.tcb_type),
        );
        let (id, version) = &identity.id;
        let (least, most) = (identity_versions.start(), identity_versions.end());
        self.checks.expect(
            &checks::QE_IDENTITY_KIND,
            id == identity_id && identity_versions.contains(version),
            format_args!("{identity_id}, version {least} to {most}"),
            format_args!("{id}, version {version}"),
        );
        let unknown = info.unknown.iter().chain(&identity.unknown);
        for member in unknown {
            let sentence = format!("collateral has member `{member}`, which has no name here");
            self.proved.note(sentence);
        }
    }

    fn same_machine(&mut self, collateral: &Collateral, machine: &Machine) {
        let info = &collateral.tcb_info;
        self.checks.expect(
            &checks::FMSPC,
            info.fmspc == machine.fmspc,
            hex::encode(&machine.fmspc),
            hex::encode(&info.fmspc),
        );
        self.checks.expect(
            &checks::PCE_ID,
            info.pce_id == machine.pce_id,
            hex::encode(&machine.pce_id),
            hex::encode(&info.pce_id),
        );
    }

    fn times(&mut self, collateral: &Collateral) {
        let documents = [
            (&checks::TCB_INFO_TIME, "TCB info", collateral.tcb_info.life),
            (
                &checks::QE_IDENTITY_TIME,
                "QE identity",
                collateral.qe_identity.life,
            ),
        ];
        for (check, name, life) in documents {
            let Life {
                issued,
                next_update,
            } = life;
            let met = self.checks.expect(
                check,
                life.holds_at(self.at),
                format_args!("from {issued} until before {next_update}"),
                self.at,
            );
            if met {
                self.proved.until(next_update);
                self.half_life(name, life);
            }
        }
    }

    fn half_life(&mut self, name: &str, life: Life) {
        if life.holds_at(self.at) && life.is_half_over(self.at) {
            let end = life.next_update;
            let sentence =
                format!("the {name} is past half of its life: fetch a newer one before {end}");
            self.proved.note(sentence);
        }
    }

    /// Signer, product, attributes and features; the security version is a matter of levels.
    fn quoting_enclave(&mut self, collateral: &Collateral, report: &EnclaveReport<'_>) {
        let identity = &collateral.qe_identity;
        let mut wrong = Vec::new();
        if report.mrsigner != identity.mrsigner {
            wrong.push(format!("MRSIGNER {}", hex::encode(report.mrsigner)));
        }
        if u64::from(report.isv_prod_id) != identity.isv_prod_id {
            wrong.push(format!("ISVPRODID {}", report.isv_prod_id));
        }
        let (wanted, counted) = identity.miscselect;
        if differs(&report.miscselect.to_le_bytes(), &wanted, &counted) {
            wrong.push(format!("MISCSELECT {:#x}", report.miscselect));
        }
        let (wanted, counted) = identity.attributes;
        let [flags, xfrm] = [report.flags, report.xfrm].map(u64::to_le_bytes);
        let attributes = [flags, xfrm].concat();
        if differs(&attributes, &wanted, &counted) {
            wrong.push(format!("ATTRIBUTES {}", hex::encode(&attributes)));
        }
        self.checks.expect(
            &checks::QE_IDENTITY,
            wrong.is_empty(),
            format_args!(
                "MRSIGNER {}, ISVPRODID {}, MISCSELECT and ATTRIBUTES of the identity",
                hex::encode(&identity.mrsigner),
                identity.isv_prod_id
            ),
            wrong.join(", "),
        );
    }

    fn evaluation(&mut self, collateral: &Collateral) {
        let floor = self.trust.evaluation_at_least;
        let info = collateral.tcb_info.evaluation;
        let identity = collateral.qe_identity.evaluation;
        self.proved
            .claim(About::Where, "tcb-evaluation", info.min(identity));
        self.checks.expect(
            &checks::EVALUATION,
            info.min(identity) >= floor,
            format_args!("{floor} or more"),
            format_args!("TCB info {info}, QE identity {identity}"),
        );
    }

    /// The verdict over machine, module and quoting enclave, and those of its parts that it leaves out.
    fn status(&mut self, claims: &QuoteClaims) {
        let status = TcbStatus::from(claims.tcb.status);
        self.proved
            .claim(About::Where, "tcb-status", status.as_str());
        self.proved.claim(
            About::Where,
            "tcb-date",
            &claims.platform.tcb_level.tcb_date,
        );
        let enclave = TcbStatus::from(claims.qe.tcb_level.tcb_status);
        let current = claims.platform.current_tcb_level.as_ref();
        let current = current.map(|level| TcbStatus::from(level.tcb_status));
        let mut open = vec![status, enclave];
        open.extend(current);
        open.retain(|status| *status != TcbStatus::UpToDate);
        open.dedup();
        if open.is_empty() {
            return self.checks.met(&checks::TCB_STATUS);
        }
        let oldest = oldest(claims);
        for status in open {
            self.open_status(status, oldest);
        }
    }

    fn open_status(&mut self, status: TcbStatus, level: Option<Timestamp>) {
        let Some(entry) = self.trust.tolerated(status) else {
            let expected = "UpToDate, or a status that `tolerated_statuses` names";
            return self
                .checks
                .fail(&checks::TCB_STATUS, expected, status.as_str());
        };
        match end_of(entry, level) {
            Some(until) if self.at < until => {
                self.proved.until(until);
                self.checks
                    .tolerate(&checks::TCB_STATUS, status.as_str(), Some(until));
            }
            Some(until) => {
                let expected = format!("{} tolerated until {until}", status.as_str());
                self.checks.fail(&checks::TCB_STATUS, expected, self.at);
            }
            None => {
                let expected = "a date of the TCB level";
                self.checks.fail(&checks::TCB_STATUS, expected, "none");
            }
        }
    }

    fn advisories(&mut self, claims: &QuoteClaims) {
        let current = claims.platform.current_tcb_level.iter();
        let current = current.flat_map(|level| &level.advisory_ids);
        let mut open: Vec<&String> = Vec::new();
        for id in claims.tcb.advisory_ids.iter().chain(current) {
            if let Err(place) = open.binary_search(&id) {
                open.insert(place, id);
            }
        }
        if open.is_empty() {
            return self.checks.met(&checks::ADVISORIES);
        }
        for id in open {
            self.proved.claim(About::Where, "advisory", id);
            match self.trust.advisory(id) {
                Some(entry) if self.at < entry.until => {
                    self.proved.until(entry.until);
                    self.checks
                        .tolerate(&checks::ADVISORIES, id, Some(entry.until));
                }
                Some(entry) => {
                    let expected = format!("{id} tolerated until {}", entry.until);
                    self.checks.fail(&checks::ADVISORIES, expected, self.at);
                }
                None => {
                    let expected = "an advisory that `tolerated_advisories` names";
                    self.checks.fail(&checks::ADVISORIES, expected, id);
                }
            }
        }
    }
}

/// Why there is no collateral to judge by.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
enum Unfit {
    #[error("none came with the evidence")]
    Absent,
    #[error(transparent)]
    Unreadable(CollateralError),
}

/// What the independent verifier could not do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
enum Refused {
    #[error("the time is before 1970")]
    Time,
    #[error("{0}")]
    Verifier(String),
}

/// Has the quote judged by the other implementation. It applies no policy of its own here: what it
/// reports is judged by this one's, and what it leaves out is checked around it.
fn appraise(
    quote: &[u8],
    collateral: &Collateral,
    root: &Certificate,
    at: Timestamp,
) -> Result<QuoteClaims, Refused> {
    let now = u64::try_from(at.unix_seconds()).map_err(|_| Refused::Time)?;
    QuoteVerifier::new(root.der().to_vec())
        // Service domains are judged by name here, against a list.
        .allow_service_td(true)
        .verify_with_policy(
            quote,
            collateral.without_pck_chain(),
            now,
            &QuotePolicy::claims_only(now),
        )
        .map_err(|error| Refused::Verifier(format!("{error:#}")))
}

fn is_about(collateral: &Collateral, tee: Tee, machine: &Machine) -> bool {
    let id = match tee {
        Tee::Sgx => "SGX",
        Tee::Tdx => "TDX",
    };
    collateral.tcb_info.id.0 == id && collateral.tcb_info.fmspc == machine.fmspc
}

/// Whether the bits that count differ from those that are wanted.
fn differs(found: &[u8], wanted: &[u8], counted: &[u8]) -> bool {
    let bits = found.iter().zip(wanted).zip(counted);
    bits.into_iter()
        .any(|((found, wanted), counted)| found & counted != wanted & counted)
}

/// The oldest date of the levels that are not up to date.
fn oldest(claims: &QuoteClaims) -> Option<Timestamp> {
    let platform = &claims.platform;
    let machine = [
        Some(&platform.tcb_level),
        platform.current_tcb_level.as_ref(),
    ];
    let machine = machine.into_iter().flatten();
    let machine = machine.map(|level| (level.tcb_status, &level.tcb_date));
    let enclave = &claims.qe.tcb_level;
    let levels = machine.chain([(enclave.tcb_status, &enclave.tcb_date)]);
    let open = levels.filter(|(status, _)| TcbStatus::from(*status) != TcbStatus::UpToDate);
    let dates = open.map(|(_, date)| Timestamp::parse_rfc3339(date).ok());
    dates.collect::<Option<Vec<_>>>()?.into_iter().min()
}

/// Until when a status is tolerated: the entry's own end, and its days after the level's date.
fn end_of(entry: &ToleratedStatus, level: Option<Timestamp>) -> Option<Timestamp> {
    match entry.grace {
        Grace::Unlimited => Some(entry.until),
        Grace::Days(days) => {
            let seconds = days.saturating_mul(86_400);
            let end = level?.checked_add(std::time::Duration::from_secs(seconds));
            Some(entry.until.min(end.unwrap_or(Timestamp::MAX)))
        }
    }
}

const TCB_SIGNER: &str = "Intel SGX TCB Signing";
