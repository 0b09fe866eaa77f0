//! Intel's answers put together: TCB info, QE identity, revocation lists and their issuers' certificates
//! make one document of collateral.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Kind, List, Place, Sorted};
use crate::{
    wire::collateral::Answers,
    x509::{Certificate, Crl},
};

/// An answer of Intel's service: a signed document.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    /// `SGX`, `TDX`, `QE`, `TD_QE`.
    pub(super) id: String,
    /// The answer as it came.
    pub(super) answer: Vec<u8>,
}

/// Something with the item that it came from; none where it came with the evidence.
struct Sourced<T> {
    item: Option<usize>,
    it: T,
}

struct Pool {
    certificates: Vec<Sourced<Certificate>>,
    crls: Vec<Sourced<Crl>>,
}

/// Makes a document of collateral of every TCB info, with every QE identity of its technology and every
/// revocation list of a PCK authority. What is missing is said of the TCB info.
pub(super) fn assemble(sorted: &mut Sorted, pieces: &[(usize, Piece)], known: &[Certificate]) {
    if pieces.is_empty() {
        return;
    }
    let pool = Pool::of(sorted, known);
    let (pieces, beyond) = pieces.split_at_checked(MAX_PIECES).unwrap_or((pieces, &[]));
    for (item, _) in beyond {
        say(
            sorted,
            *item,
            "not looked at: there are too many answers of Intel's service",
        );
    }
    for (item, tcb_info) in pieces {
        if tcb_info.kind != Kind::IntelTcbInfo {
            if !pieces.iter().any(|(_, other)| belongs(other, tcb_info)) {
                say(
                    sorted,
                    *item,
                    "of no use without the TCB info of its technology",
                );
            }
            continue;
        }
        let identities = pieces.iter().filter(|(_, other)| belongs(tcb_info, other));
        let identities: Vec<&(usize, Piece)> = identities.collect();
        if identities.is_empty() {
            say(
                sorted,
                *item,
                "of no use without the QE identity of its technology",
            );
        }
        for (identity_item, identity) in identities {
            match pool.documents(tcb_info, identity) {
                Err(missing) => say(sorted, *item, &format!("of no use without {missing}")),
                Ok(documents) => {
                    for (document, mut used) in documents {
                        let place = sorted.put(List::Intel, document);
                        used.extend([*item, *identity_item]);
                        mark(sorted, used, place);
                    }
                }
            }
        }
    }
}

fn belongs(tcb_info: &Piece, identity: &Piece) -> bool {
    let of_one = [("SGX", "QE"), ("TDX", "TD_QE")];
    tcb_info.kind == Kind::IntelTcbInfo
        && identity.kind == Kind::IntelQeIdentity
        && of_one.contains(&(tcb_info.id.as_str(), identity.id.as_str()))
}

fn say(sorted: &mut Sorted, item: usize, what: &str) {
    if let Some(item) = sorted.items.get_mut(item) {
        item.says = format!("{}; {what}", item.says);
    }
}

fn mark(sorted: &mut Sorted, mut used: Vec<usize>, place: Place) {
    used.sort_unstable();
    used.dedup();
    for item in used {
        if let Some(item) = sorted.items.get_mut(item) {
            item.places.push(place);
        }
    }
}

type Document = (Vec<u8>, Vec<usize>);

impl Pool {
    fn of(sorted: &Sorted, known: &[Certificate]) -> Self {
        let mut pool = Self {
            certificates: Vec::new(),
            crls: Vec::new(),
        };
        for (number, item) in sorted.items.iter().enumerate() {
            for place in &item.places {
                let bytes = place.list.of(&sorted.endorsements).get(place.index);
                let bytes = bytes.map(Vec::as_slice).unwrap_or_default();
                let item = Some(number);
                match place.list {
                    List::Certificates => {
                        let it = Certificate::from_der(bytes).ok();
                        pool.certificates.extend(it.map(|it| Sourced { item, it }));
                    }
                    List::Crls => {
                        let it = Crl::from_der(bytes).ok();
                        pool.crls.extend(it.map(|it| Sourced { item, it }));
                    }
                    List::Intel
                    | List::KeySets
                    | List::Ocsp
                    | List::Policies
                    | List::Rims
                    | List::Uvm => {}
                }
            }
        }
        let known = known.iter().cloned();
        pool.certificates
            .extend(known.map(|it| Sourced { item: None, it }));
        pool
    }

    /// A document for each signer that is here, and each list of a PCK authority below the same root.
    fn documents(&self, tcb_info: &Piece, identity: &Piece) -> Result<Vec<Document>, String> {
        let mut documents = Vec::new();
        let mut missing = MISSING_SIGNER;
        for signer in self.named(TCB_SIGNER) {
            let Some(root) = self.issuer_of(&signer.it) else {
                missing = MISSING_ROOT;
                continue;
            };
            let mut lists = self.crls.iter();
            let Some(root_crl) = lists.find(|crl| crl.it.issuer() == root.it.subject()) else {
                missing = MISSING_ROOT_CRL;
                continue;
            };
            missing = MISSING_PCK_CRL;
            for crl in &self.crls {
                let Some(authority) = self.authority(&crl.it, &root.it) else {
                    continue;
                };
                if documents.len() >= MAX_DOCUMENTS {
                    return Ok(documents);
                }
                let chain = pem(&[&signer.it, &root.it]);
                let pck_chain = pem(&[&authority.it, &root.it]);
                let answers = Answers {
                    tcb_info: &tcb_info.answer,
                    tcb_info_issuer_chain: chain.as_bytes(),
                    qe_identity: &identity.answer,
                    qe_identity_issuer_chain: chain.as_bytes(),
                    pck_crl: crl.it.der(),
                    pck_crl_issuer_chain: pck_chain.as_bytes(),
                    root_ca_crl: root_crl.it.der(),
                };
                let document = answers.to_json().map_err(|error| error.to_string())?;
                let used = [
                    signer.item,
                    root.item,
                    root_crl.item,
                    authority.item,
                    crl.item,
                ];
                documents.push((document, used.into_iter().flatten().collect()));
            }
        }
        match documents.is_empty() {
            true => Err(missing.to_owned()),
            false => Ok(documents),
        }
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Sourced<Certificate>> {
        let of_name = move |certificate: &&Sourced<Certificate>| {
            certificate.it.common_name().as_deref() == Some(name)
        };
        self.certificates.iter().filter(of_name)
    }

    /// Whoever signed it: names alone are easily borrowed.
    fn issuer_of(&self, certificate: &Certificate) -> Option<&Sourced<Certificate>> {
        self.certificates.iter().find(|issuer| {
            issuer.it.subject() == certificate.issuer()
                && certificate.verify_signed_by(&issuer.it).is_ok()
        })
    }

    /// The authority below the root that a revocation list is of.
    fn authority(&self, crl: &Crl, root: &Certificate) -> Option<&Sourced<Certificate>> {
        self.certificates.iter().find(|authority| {
            authority.it.subject() == crl.issuer()
                && authority.it.subject() != root.subject()
                && authority.it.issuer() == root.subject()
                && authority.it.verify_signed_by(root).is_ok()
        })
    }
}

/// PEM, as the services write it.
fn pem(certificates: &[&Certificate]) -> String {
    let mut text = String::new();
    for certificate in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut digits = STANDARD.encode(certificate.der());
        while !digits.is_empty() {
            let rest = digits.split_off(digits.len().min(64));
            text.push_str(&digits);
            text.push('\n');
            digits = rest;
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

const TCB_SIGNER: &str = "Intel SGX TCB Signing";
const MISSING_SIGNER: &str = "the certificate `Intel SGX TCB Signing`";
const MISSING_ROOT: &str = "Intel's root certificate";
const MISSING_ROOT_CRL: &str = "the revocation list of Intel's root";
const MISSING_PCK_CRL: &str =
    "the revocation list of a PCK authority and that authority's certificate";
/// Of one TCB info with one identity.
const MAX_DOCUMENTS: usize = 16;
/// Answers beyond these are not put together.
const MAX_PIECES: usize = 64;
