//! Attestation keys: their attributes, their names, their certificates.

use super::machine::{ECDSA, Machine, SOUND, failures, public_area};
use crate::{
    Endorsements, Status,
    check::Outcome,
    eventlog::HashAlg,
    forge::{Alg, Authority, Cert, Crl, Key, der, pem},
    hex,
    x509::Certificate,
};

const AIK: &str = "2.23.133.8.3";
const EK: &str = "2.23.133.8.1";

fn spki_digest(key: &Key) -> String {
    hex::encode(crate::Sha256Digest::of(&key.spki()).as_bytes())
}

struct Vendor {
    root: Authority,
    sub: Authority,
}

impl Vendor {
    fn new() -> Self {
        let root = Authority::root("root", Key::p384("root"), Alg::EcdsaSha384);
        let sub = root.sub("sub", Key::p384("sub"), Alg::EcdsaSha384);
        Self { root, sub }
    }

    fn leaf(&self, key: &Key) -> Cert {
        Cert::new("attestation key", key)
            .serial(&[7])
            .key_usage(0x80)
            .purposes(&[AIK])
            .validity("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
            .issuer(&self.sub.name)
    }

    fn crls(&self) -> Vec<Vec<u8>> {
        vec![self.crl(&self.root, &[]), self.crl(&self.sub, &[])]
    }

    fn crl(&self, authority: &Authority, revoked: &[&[u8]]) -> Vec<u8> {
        let crl =
            Crl::new(&authority.name).updates("2026-06-01T00:00:00Z", Some("2026-07-01T00:00:00Z"));
        let crl = revoked.iter().fold(crl, |crl, serial| crl.revoke(serial));
        crl.signed(authority.alg, &authority.key)
    }

    /// A machine whose key this vendor certified.
    fn machine(&self) -> Machine {
        let machine = Machine::sound();
        let leaf = self.leaf(&machine.key).signed(self.sub.alg, &self.sub.key);
        self.certified(machine, leaf)
    }

    fn certified(&self, machine: Machine, leaf: Vec<u8>) -> Machine {
        let key = spki_digest(&machine.key);
        let name = format!(
            "[\"{}\"]",
            hex::encode(&super::machine::name(&machine.area))
        );
        let root = pem("CERTIFICATE", &self.root.der).replace('\n', "\\n");
        let section = format!(
            "{{\"roots\": [\"{root}\"], \"keys\": [\"{key}\"], \"gce_projects\": \"any\", \
             \"revocation\": \"crl-required\"}}"
        );
        machine
            .policy(&name, "\"none\"")
            .policy(
                "\"certificates\": \"refused\"",
                &format!("\"certificates\": {section}"),
            )
            .with(|machine| {
                machine.endorsements = Endorsements {
                    certificates: vec![leaf, self.sub.der.clone()],
                    crls: self.crls(),
                    ..Endorsements::default()
                };
            })
    }

    fn with_leaf(&self, change: impl FnOnce(Cert) -> Cert) -> Vec<&'static str> {
        let machine = Machine::sound();
        let leaf = change(self.leaf(&machine.key)).signed(self.sub.alg, &self.sub.key);
        self.certified(machine, leaf).failures()
    }
}

#[test]
fn a_certified_key_is_trusted_and_its_certificates_bound_the_result() {
    let vendor = Vendor::new();
    let result = vendor.machine().result();
    assert_eq!(failures(&result), [""; 0]);
    assert_eq!(result.status, Status::Affirming);
    let end = result.not_after.map(|end| end.to_string());
    assert_eq!(end.as_deref(), Some("2026-07-01T00:00:00Z"));
    // Without its public area, by certificate alone.
    let bare = vendor
        .machine()
        .with(|machine| machine.area = machine.key.spki());
    assert_eq!(bare.failures(), [""; 0]);
    // Any order, padded with zeros, with something that is no certificate beside it.
    let padded = vendor.machine().with(|machine| {
        machine.endorsements.certificates.reverse();
        machine.endorsements.certificates[1].extend([0; 100]);
        machine.endorsements.certificates.push(vec![1]);
    });
    let result = padded.result();
    assert_eq!(failures(&result), [""; 0]);
    assert!(
        result
            .notes
            .iter()
            .any(|note| note.starts_with("certificate 2 cannot be read"))
    );
}

#[test]
fn a_key_that_the_certificate_is_not_of_is_refused() {
    let vendor = Vendor::new();
    let other = Machine::sound();
    let leaf = vendor
        .leaf(&Key::p256("other"))
        .signed(vendor.sub.alg, &vendor.sub.key);
    assert_eq!(vendor.certified(other, leaf).failures(), ["tpm.ak-chain"]);
    let none = vendor
        .machine()
        .with(|machine| machine.endorsements.certificates.clear());
    assert_eq!(none.failures(), ["tpm.ak-chain"]);
}

#[test]
fn a_chain_that_ends_elsewhere_is_refused() {
    let vendor = Vendor::new();
    let root = Authority::root("root", Key::p384("another root"), Alg::EcdsaSha384);
    let other = Vendor {
        sub: root.sub("sub", Key::p384("sub"), Alg::EcdsaSha384),
        root,
    };
    let machine = vendor.machine().with(|machine| {
        let leaf = other
            .leaf(&machine.key)
            .signed(other.sub.alg, &other.sub.key);
        machine.endorsements.certificates =
            vec![leaf, other.sub.der.clone(), other.root.der.clone()];
    });
    assert_eq!(machine.failures(), ["tpm.ak-chain"]);
    let short = vendor
        .machine()
        .with(|machine| machine.endorsements.certificates.truncate(1));
    assert_eq!(short.failures(), ["tpm.ak-chain"]);
}

#[test]
fn a_certificate_of_another_time_is_refused() {
    let vendor = Vendor::new();
    let at = |at: &'static str| {
        let machine = vendor.machine().with(|machine| machine.at = at);
        machine.policy("crl-required", "not-checked").failures()
    };
    assert_eq!(at("2026-06-09T00:00:00Z"), [""; 0]);
    assert_eq!(at("2025-12-31T00:00:00Z"), ["tpm.ak-chain"]);
    assert_eq!(at("2027-01-02T00:00:00Z"), ["tpm.ak-chain"]);
}

#[test]
fn a_certificate_for_something_else_is_refused() {
    let vendor = Vendor::new();
    assert_eq!(vendor.with_leaf(|leaf| leaf), [""; 0]);
    let key = Machine::sound().key;
    let plain = |purposes: &[&str]| {
        let leaf = Cert::new("attestation key", &key)
            .serial(&[7])
            .key_usage(0x80);
        let leaf = leaf.validity("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
        let leaf = leaf.issuer(&vendor.sub.name);
        if purposes.is_empty() {
            leaf
        } else {
            leaf.purposes(purposes)
        }
    };
    assert_eq!(vendor.with_leaf(|_| plain(&[EK])), [""; 0]);
    assert_eq!(
        vendor.with_leaf(|_| plain(&["1.3.6.1.5.5.7.3.1"])),
        ["tpm.ak-usage"]
    );
    assert_eq!(vendor.with_leaf(|_| plain(&[])), ["tpm.ak-usage"]);
}

#[test]
fn b13_a_revoked_key_or_a_missing_list_is_refused() {
    let vendor = Vendor::new();
    let revoked = vendor.machine().with(|machine| {
        machine.endorsements.crls[1] = vendor.crl(&vendor.sub, &[&[7]]);
    });
    assert_eq!(revoked.failures(), ["tpm.ak-revocation"]);
    let missing = vendor
        .machine()
        .with(|machine| machine.endorsements.crls.truncate(1));
    assert_eq!(missing.failures(), ["tpm.ak-revocation"]);
    let late = vendor
        .machine()
        .with(|machine| machine.at = "2026-08-01T00:00:00Z");
    assert_eq!(late.failures(), ["tpm.ak-revocation"]);
    assert_eq!(
        late.policy("crl-required", "not-checked").failures(),
        [""; 0]
    );
}

#[test]
fn a_certified_key_of_another_machine_is_refused() {
    let vendor = Vendor::new();
    let machine = vendor.machine();
    let key = spki_digest(&machine.key);
    let other = machine.clone().policy(&key, &hex::encode(&[7; 32]));
    assert_eq!(other.failures(), ["tpm.identity"]);
    let any = machine.policy(&format!("[\"{key}\"]"), "\"any\"").policy(
        "\"pinned\",\n        \"quote\"",
        "\"danger-any-machine\",\n        \"quote\"",
    );
    assert_eq!(any.failures(), [""; 0]);
}

#[test]
fn a_machine_of_another_project_is_refused() {
    let vendor = Vendor::new();
    let text = |text: &str| der::element(0x0C, text);
    let instance = der::sequence(&[
        text("us-central1-a"),
        der::number(7),
        text("ours"),
        der::number(1234),
        text("name"),
    ]);
    let machine = || {
        let machine = Machine::sound();
        let leaf = vendor.leaf(&machine.key);
        let leaf = leaf.extension("1.3.6.1.4.1.11129.2.1.21", false, &instance);
        vendor.certified(machine, leaf.signed(vendor.sub.alg, &vendor.sub.key))
    };
    let named = |project: &str| {
        let list = format!("\"gce_projects\": [\"{project}\"]");
        machine().policy("\"gce_projects\": \"any\"", &list)
    };
    let result = named("ours").result();
    assert_eq!(failures(&result), [""; 0]);
    assert_eq!(result.claim("gce-project"), Some("ours"));
    assert_eq!(result.claim("gce-zone"), Some("us-central1-a"));
    assert_eq!(result.claim("gce-instance"), Some("1234"));
    assert_eq!(named("theirs").failures(), ["tpm.identity"]);
    // A certificate that names no project.
    let plain = vendor
        .machine()
        .policy("\"gce_projects\": \"any\"", "\"gce_projects\": [\"ours\"]");
    assert_eq!(plain.failures(), ["tpm.identity"]);
}

#[test]
fn b17_weak_keys_are_refused_wherever_they_stand() {
    let small = Machine::sound().keyed(Key::rsa1024(), Alg::RsaSha256, (0x0014, 0x000b));
    assert_eq!(small.failures(), ["tpm.ak"]);
    for exponent in [1_u32, 3, 65536] {
        let machine = Machine::sound().keyed(Key::rsa2048(0), Alg::RsaSha256, (0x0014, 0x000b));
        let machine = machine.with(|machine| {
            // Behind type, name algorithm, attributes, policy, symmetric algorithm, scheme, bits.
            machine.area[18..22].copy_from_slice(&exponent.to_be_bytes());
        });
        assert_eq!(machine.failures(), ["tpm.ak"], "{exponent}");
    }
    // An intermediate with a small key.
    let root = Authority::root("root", Key::p384("root"), Alg::EcdsaSha384);
    let vendor = Vendor {
        sub: root.sub("sub", Key::rsa1024(), Alg::RsaSha256),
        root,
    };
    assert_eq!(vendor.machine().failures(), ["tpm.ak-chain"]);
    // A leaf whose key has the exponent 1.
    let vendor = Vendor::new();
    let (modulus, _) = Key::rsa2048(0).modulus_and_exponent();
    let machine = Machine::sound().with(|machine| {
        machine.area = crate::forge::rsa_spki(&modulus, &[1]);
    });
    assert_eq!(machine.failures(), ["tpm.ak"]);
    let weak = vendor.with_leaf(|leaf| leaf.spki(crate::forge::rsa_spki(&modulus, &[1])));
    assert_eq!(weak, ["tpm.ak-chain"]);
}

#[test]
fn roots_compiled_in_are_their_vendors() {
    for (pem, sha256) in super::super::ak::VENDOR_ROOTS.iter().zip([
        "594759594b9b61524f6c8ef668f7177f7b9066bc0674f2f49fe9e052be78beb2",
        "9bd5285f8fb18502a7947e621ffd470266f49fcd3b73e19a190f690ad32a7caf",
        "e6c596b17f8ffefba5c300f714cfb1260c6028704ecf7becc4ab5018efb00e95",
        "8c2bb9144d4970c94fb8105cc5d860a58e2e675eb360fdd8c14b30833aaaec1d",
    ]) {
        let der = crate::x509::one_from_pem(pem).expect("one certificate");
        let root = Certificate::from_der(&der).expect("a certificate");
        assert_eq!(hex::encode(root.sha256().as_bytes()), sha256);
        assert!(root.is_ca());
        assert!(root.verify_signed_by(&root).is_ok());
    }
}

#[test]
fn attributes_of_a_key_that_could_sign_anything_are_refused() {
    for (attributes, named) in [
        (SOUND & !(1 << 1), "fixedTPM is not set"),
        (SOUND & !(1 << 4), "fixedParent is not set"),
        (SOUND & !(1 << 5), "sensitiveDataOrigin is not set"),
        (SOUND & !(1 << 16), "restricted is not set"),
        (SOUND & !(1 << 18), "sign is not set"),
        (SOUND | 1 << 17, "decrypt is set"),
        (SOUND | 1 << 31, "bits 0x80000000 have no name"),
    ] {
        let machine = Machine::sound().with(|machine| {
            let before = hex::encode(&super::machine::name(&machine.area));
            machine.area = public_area(&machine.key, attributes, ECDSA);
            let after = hex::encode(&super::machine::name(&machine.area));
            machine.policy = machine.policy.replace(&before, &after);
        });
        let result = machine.result();
        assert_eq!(failures(&result), ["tpm.ak-attributes"]);
        let failed = result.failures().next().unwrap();
        let Outcome::Failed { actual, .. } = &failed.outcome else {
            panic!("failed");
        };
        assert_eq!(actual, named);
    }
}

#[test]
fn a_scheme_that_is_not_the_keys_is_refused() {
    let pss = Machine::sound().keyed(Key::rsa2048(0), Alg::RsaSha256, (0x0016, 0x000b));
    assert_eq!(pss.failures(), ["tpm.ak-scheme"]);
    let hash = Machine::sound().keyed(Key::rsa2048(0), Alg::RsaSha384, (0x0014, 0x000b));
    let hash = hash.with(|machine| machine.quote.digest = HashAlg::Sha384.digest(&machine.pcrs));
    assert_eq!(hash.failures(), ["tpm.ak-scheme"]);
    let free = Machine::sound().keyed(Key::rsa2048(0), Alg::RsaSha256, (0x0010, 0));
    assert_eq!(free.failures(), [""; 0]);
}

#[test]
fn a_key_that_is_not_named_is_refused() {
    let stranger = Machine::sound();
    let name = hex::encode(&super::machine::name(&stranger.area));
    let other = format!("000b{}", hex::encode(&[7; 32]));
    assert_eq!(stranger.policy(&name, &other).failures(), ["tpm.ak-trust"]);
    // Without the public area there is no name, whatever the key.
    let bare = Machine::sound().with(|machine| machine.area = machine.key.spki());
    assert_eq!(bare.failures(), ["tpm.ak-trust"]);
}

#[test]
fn a_list_of_names_does_not_ask_for_certificates() {
    let authority = Authority::root("root", Key::p384("root"), Alg::EcdsaSha384);
    let named = Machine::sound().with(|machine| {
        machine.endorsements = Endorsements {
            certificates: vec![authority.der],
            ..Endorsements::default()
        };
    });
    assert_eq!(named.failures(), [""; 0]);
}
