//! Forges an Intel-like world: root, PCK authority, machine, quoting enclave, collateral, quotes.

use sha2::{Digest as _, Sha256};

use crate::forge::{Alg, Authority, Cert, Crl, Key, der, pem};

/// Everything that a quote and its collateral are made of; a test changes what it wants broken.
pub(super) struct Mint {
    pub root: Authority,
    pub ca: Authority,
    pub pck: Key,
    pub attestation: Key,
    pub signer: Key,
    /// Who is said to have signed the collateral; issued by the root.
    pub signer_name: &'static str,
    pub machine: Machine,
    pub leaf: fn(Cert) -> Cert,
    pub signer_leaf: fn(Cert) -> Cert,
    /// 48 bytes.
    pub header: Vec<u8>,
    /// Since version 5 with type and size.
    pub body: Vec<u8>,
    /// The quoting enclave's report; its report data is filled in unless `qe_data` is there.
    pub qe: Vec<u8>,
    pub qe_data: Option<Vec<u8>>,
    pub auth: Vec<u8>,
    pub info: String,
    pub identity: String,
    pub root_crl: Vec<u8>,
    pub pck_crl: Vec<u8>,
    /// What follows the quote.
    pub rest: Vec<u8>,
}

/// What the PCK certificate says.
#[derive(Clone)]
pub(super) struct Machine {
    pub ppid: Vec<u8>,
    pub components: [u8; 16],
    pub pce_svn: u64,
    pub pce_id: Vec<u8>,
    pub fmspc: Vec<u8>,
    pub sgx_type: u8,
    pub flags: Option<[bool; 3]>,
    /// More members, DER.
    pub more: Vec<Vec<u8>>,
}

/// The parts of a forgery.
pub(super) struct Forged {
    pub quote: Vec<u8>,
    /// Members of the collateral document, as JSON values.
    pub collateral: Vec<(&'static str, String)>,
    pub root: String,
}

impl Mint {
    pub(super) fn tdx() -> Self {
        Self::new(&header(4, 0x81), domain(584), TDX)
    }

    /// A quote of version 5 with a body of that type.
    pub(super) fn tdx5(kind: u16) -> Self {
        let length = match kind {
            2 => 584,
            3 => 648,
            _ => 885,
        };
        let body = typed(kind, &domain(length));
        Self::new(&header(5, 0x81), body, TDX)
    }

    pub(super) fn sgx() -> Self {
        Self::new(&header(3, 0), enclave(0x05, 0xe7), SGX)
    }

    fn new(header: &[u8], body: Vec<u8>, kind: Kind) -> Self {
        let root = Authority::root("Intel SGX Root CA", Key::p256("root"), Alg::EcdsaSha256);
        let ca = root.sub(
            "Intel SGX PCK Platform CA",
            Key::p256("platform"),
            Alg::EcdsaSha256,
        );
        let mut qe = enclave(0x15, 0xe7);
        qe[128..160].fill(0x51);
        qe[256..258].copy_from_slice(&kind.product.to_le_bytes());
        qe[258..260].copy_from_slice(&8_u16.to_le_bytes());
        Self {
            pck: Key::p256("pck"),
            attestation: Key::p256("attestation"),
            signer: Key::p256("signer"),
            signer_name: "Intel SGX TCB Signing",
            machine: Machine::new(),
            leaf: |certificate| certificate,
            signer_leaf: |certificate| certificate,
            header: header.to_vec(),
            body,
            qe,
            qe_data: None,
            auth: (0..32).collect(),
            info: info(kind, "UpToDate", ""),
            identity: identity(kind, "UpToDate", ""),
            root_crl: revoking(&root, &[]),
            pck_crl: revoking(&ca, &[]),
            rest: Vec::new(),
            root,
            ca,
        }
    }

    /// With another status of the machine's level, and advisories.
    pub(super) fn status(mut self, status: &str, advisories: &str) -> Self {
        let kind = if self.header[4] == 0 { SGX } else { TDX };
        self.info = info(kind, status, advisories);
        self
    }

    /// Under a PCK authority of that name, which signs its CRL too.
    pub(super) fn authority(mut self, name: &str) -> Self {
        self.ca = self.root.sub(name, Key::p256(name), Alg::EcdsaSha256);
        self.pck_crl = revoking(&self.ca, &[]);
        self
    }

    pub(super) fn leaf_der(&self) -> Vec<u8> {
        let leaf = Cert::new("Intel SGX PCK Certificate", &self.pck)
            .serial(&[0x22])
            .key_usage(0xc0)
            .extension("1.2.840.113741.1.13.1", false, self.machine.extension());
        self.ca.issue((self.leaf)(leaf))
    }

    pub(super) fn chain(&self) -> String {
        chain(&[&self.leaf_der(), &self.ca.der, &self.root.der])
    }

    pub(super) fn signer_chain(&self) -> String {
        let leaf = Cert::new(self.signer_name, &self.signer)
            .serial(&[0x33])
            .key_usage(0xc0);
        let leaf = self.root.issue((self.signer_leaf)(leaf));
        chain(&[&leaf, &self.root.der])
    }

    /// What the PCK vouches for: the quoting enclave's report and the certificates.
    pub(super) fn quoting(&self) -> Vec<u8> {
        let key = self.attestation_key();
        let mut data = Sha256::digest([key.as_slice(), &self.auth].concat()).to_vec();
        data.resize(64, 0);
        let mut report = self.qe.clone();
        report[320..].copy_from_slice(self.qe_data.as_ref().unwrap_or(&data));
        let signature = self.pck.sign_fixed(Alg::EcdsaSha256, &report);
        let mut chain = self.chain().into_bytes();
        chain.push(0);
        let auth = u16::try_from(self.auth.len()).unwrap().to_le_bytes();
        [
            report,
            signature,
            auth.to_vec(),
            self.auth.clone(),
            certification(5, &chain),
        ]
        .concat()
    }

    pub(super) fn attestation_key(&self) -> Vec<u8> {
        self.attestation.point()[1..].to_vec()
    }

    pub(super) fn signed(&self) -> Vec<u8> {
        [self.header.as_slice(), &self.body].concat()
    }

    pub(super) fn quote(&self) -> Vec<u8> {
        let signed = self.signed();
        let signature = self.attestation.sign_fixed(Alg::EcdsaSha256, &signed);
        let quoting = if self.header[0] == 3 {
            self.quoting()
        } else {
            certification(6, &self.quoting())
        };
        let data = [signature, self.attestation_key(), quoting].concat();
        let length = u32::try_from(data.len()).unwrap().to_le_bytes();
        [signed, length.to_vec(), data, self.rest.clone()].concat()
    }

    pub(super) fn build(&self) -> Forged {
        let sign = |text: &str| {
            let signature = self.signer.sign_fixed(Alg::EcdsaSha256, text.as_bytes());
            text_of(&crate::hex::encode(&signature))
        };
        let hex = |bytes: &[u8]| text_of(&crate::hex::encode(bytes));
        let signer = text_of(&self.signer_chain());
        Forged {
            quote: self.quote(),
            collateral: vec![
                (
                    "pck_crl_issuer_chain",
                    text_of(&chain(&[&self.ca.der, &self.root.der])),
                ),
                ("root_ca_crl", hex(&self.root_crl)),
                ("pck_crl", hex(&self.pck_crl)),
                ("tcb_info_issuer_chain", signer.clone()),
                ("tcb_info", text_of(&self.info)),
                ("tcb_info_signature", sign(&self.info)),
                ("qe_identity_issuer_chain", signer),
                ("qe_identity", text_of(&self.identity)),
                ("qe_identity_signature", sign(&self.identity)),
            ],
            root: pem("CERTIFICATE", &self.root.der),
        }
    }
}

impl Machine {
    fn new() -> Self {
        Self {
            ppid: vec![0xab; 16],
            components: [2; 16],
            pce_svn: 11,
            pce_id: vec![0, 0],
            fmspc: vec![0, 0xa0, 0x6d, 8, 0, 0],
            sgx_type: 0,
            flags: Some([true, true, false]),
            more: Vec::new(),
        }
    }

    pub(super) fn extension(&self) -> Vec<u8> {
        let mut tcb: Vec<Vec<u8>> = (1..)
            .zip(self.components)
            .map(|(number, svn)| member(&format!("2.{number}"), der::number(svn.into())))
            .collect();
        tcb.push(member("2.17", der::number(self.pce_svn)));
        tcb.push(member("2.18", der::octets(self.components)));
        let mut members = vec![
            member("1", der::octets(&self.ppid)),
            member("2", der::sequence(&tcb)),
            member("3", der::octets(&self.pce_id)),
            member("4", der::octets(&self.fmspc)),
            member("5", der::element(0x0a, [self.sgx_type])),
        ];
        if let Some(flags) = self.flags {
            let flag = |set: bool| der::element(0x01, [if set { 0xff } else { 0 }]);
            let flags = (1..)
                .zip(flags)
                .map(|(number, set)| member(&format!("7.{number}"), flag(set)));
            members.push(member("6", der::octets([0x1d; 16])));
            members.push(member("7", der::sequence(&flags.collect::<Vec<_>>())));
        }
        members.extend(self.more.iter().cloned());
        der::sequence(&members)
    }
}

/// One member of the PCK extension.
pub(super) fn member(arc: &str, value: Vec<u8>) -> Vec<u8> {
    let oid = der::oid(&format!("1.2.840.113741.1.13.1.{arc}"));
    der::sequence(&[oid, value])
}

impl Forged {
    /// With another value of a member of the collateral, as JSON; none leaves it out.
    pub(super) fn with(mut self, member: &'static str, value: Option<String>) -> Self {
        self.collateral.retain(|(name, _)| *name != member);
        self.collateral.extend(value.map(|value| (member, value)));
        self
    }

    pub(super) fn document(&self) -> Vec<u8> {
        let members = self.collateral.iter();
        let members = members.map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(",")).into_bytes()
    }
}

pub(super) fn header(version: u16, tee: u32) -> Vec<u8> {
    let vendor = crate::hex::decode("939a7233f79c4ca9940a0db3957f0607").unwrap();
    [
        version.to_le_bytes().as_slice(),
        &2_u16.to_le_bytes(),
        &tee.to_le_bytes(),
        &[0; 4],
        &vendor,
        &[0x0d; 20],
    ]
    .concat()
}

/// A report of TDX 1.0, 1.5 or 1.5 extended, by its length.
pub(super) fn domain(length: usize) -> Vec<u8> {
    let mut body = vec![0; length];
    body[..3].copy_from_slice(&[4, 1, 2]);
    body[16..64].fill(0x5e);
    body[120..128].copy_from_slice(&0x1000_0000_u64.to_le_bytes());
    body[128..136].copy_from_slice(&0x618e7_u64.to_le_bytes());
    body[136..184].fill(0x11);
    body[184..232].fill(0x22);
    for (number, register) in (0_u8..).zip(body[328..520].chunks_exact_mut(48)) {
        register.fill(0xa0 + number);
    }
    body[520..584].fill(0x77);
    if length > 584 {
        body[584..587].copy_from_slice(&[4, 1, 2]);
    }
    if length > 648 {
        body[649..681].fill(0x1d);
    }
    body
}

pub(super) fn typed(kind: u16, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).unwrap();
    [kind.to_le_bytes().as_slice(), &size.to_le_bytes(), body].concat()
}

/// An enclave's report with these attributes.
pub(super) fn enclave(flags: u64, xfrm: u64) -> Vec<u8> {
    let mut report = vec![0; 384];
    report[..16].fill(2);
    report[48..56].copy_from_slice(&flags.to_le_bytes());
    report[56..64].copy_from_slice(&xfrm.to_le_bytes());
    report[64..96].fill(0xe1);
    report[128..160].fill(0x51);
    report[256..258].copy_from_slice(&7_u16.to_le_bytes());
    report[258..260].copy_from_slice(&3_u16.to_le_bytes());
    report[260..262].copy_from_slice(&5_u16.to_le_bytes());
    report[320..].fill(0x77);
    report
}

pub(super) fn certification(kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap();
    [kind.to_le_bytes().as_slice(), &length.to_le_bytes(), data].concat()
}

pub(super) fn chain(certificates: &[&Vec<u8>]) -> String {
    let blocks = certificates.iter().map(|der| pem("CERTIFICATE", der));
    blocks.collect()
}

/// A text as JSON.
pub(super) fn text_of(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\"").replace('\n', "\\n"))
}

/// A revocation list with these serial numbers.
pub(super) fn revoking(authority: &Authority, serials: &[&[u8]]) -> Vec<u8> {
    let list = serials
        .iter()
        .fold(crl(&authority.name), |list, serial| list.revoke(serial));
    list.signed(authority.alg, &authority.key)
}

/// A revocation list of other times.
pub(super) fn crl_of(authority: &Authority, this: &str, next: Option<&str>) -> Vec<u8> {
    let list = crl(&authority.name).updates(this, next);
    list.signed(authority.alg, &authority.key)
}

/// A revocation list before it is signed, with a number: the independent verifier reads none without extensions.
pub(super) fn crl(issuer: &str) -> Crl {
    Crl::new(issuer).extension("2.5.29.20", false, der::number(1))
}

#[derive(Clone, Copy)]
pub(super) struct Kind {
    info: &'static str,
    identity: &'static str,
    product: u16,
}

pub(super) const TDX: Kind = Kind {
    info: "TDX",
    identity: "TD_QE",
    product: 2,
};
pub(super) const SGX: Kind = Kind {
    info: "SGX",
    identity: "QE",
    product: 1,
};

/// A TCB info with one level that the machine has, and one below it.
fn info(kind: Kind, status: &str, advisories: &str) -> String {
    let Kind { info, .. } = kind;
    let zeros = "0".repeat(96);
    let module = format!(
        r#""mrsigner":"{zeros}","attributes":"0000000000000000","attributesMask":"FFFFFFFFFFFFFFFF""#
    );
    let level = |svn: u8, status: &str, advisories: &str| {
        let components = vec![format!(r#"{{"svn":{svn}}}"#); 16].join(",");
        let module = [2; 3].iter().map(|svn| format!(r#"{{"svn":{svn}}}"#));
        let rest = vec![r#"{"svn":0}"#.to_owned(); 13];
        let tdx = module.chain(rest).collect::<Vec<_>>().join(",");
        format!(
            r#"{{"tcb":{{"sgxtcbcomponents":[{components}],"pcesvn":11,"tdxtcbcomponents":[{tdx}]}},"tcbDate":"2026-03-01T00:00:00Z","tcbStatus":"{status}","advisoryIDs":[{advisories}]}}"#
        )
    };
    let modules = if info == "TDX" {
        format!(
            r#""tdxModule":{{{module}}},"tdxModuleIdentities":[{{"id":"TDX_01",{module},"tcbLevels":[{{"tcb":{{"isvsvn":4}},"tcbDate":"2026-03-01T00:00:00Z","tcbStatus":"UpToDate"}},{{"tcb":{{"isvsvn":2}},"tcbDate":"2025-03-01T00:00:00Z","tcbStatus":"OutOfDate"}}]}}],"#
        )
    } else {
        String::new()
    };
    format!(
        r#"{{"id":"{info}","version":3,"issueDate":"2026-05-20T00:00:00Z","nextUpdate":"2026-06-19T00:00:00Z","fmspc":"00A06D080000","pceId":"0000","tcbType":0,"tcbEvaluationDataNumber":20,{modules}"tcbLevels":[{},{}]}}"#,
        level(2, status, advisories),
        level(1, "OutOfDate", r#""INTEL-SA-00001""#),
    )
}

/// A QE identity with one level that the quoting enclave has.
pub(super) fn identity(kind: Kind, status: &str, advisories: &str) -> String {
    let Kind {
        identity, product, ..
    } = kind;
    let signer = "51".repeat(32);
    format!(
        r#"{{"id":"{identity}","version":2,"issueDate":"2026-05-20T00:00:00Z","nextUpdate":"2026-06-19T00:00:00Z","tcbEvaluationDataNumber":20,"miscselect":"00000000","miscselectMask":"FFFFFFFF","attributes":"11000000000000000000000000000000","attributesMask":"FBFFFFFFFFFFFFFF0000000000000000","mrsigner":"{signer}","isvprodid":{product},"tcbLevels":[{{"tcb":{{"isvsvn":8}},"tcbDate":"2026-03-01T00:00:00Z","tcbStatus":"{status}","advisoryIDs":[{advisories}]}}]}}"#
    )
}
