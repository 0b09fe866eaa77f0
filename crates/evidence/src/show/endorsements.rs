use super::Field;
use crate::{
    Endorsements, azure,
    dcap::Collateral,
    gpu,
    jose::KeySet,
    x509::{Certificate, Crl, all_from_pem},
};

/// Each endorsement: what it is, and of whom.
pub(super) fn show(endorsements: &Endorsements) -> Vec<Field> {
    let Endorsements {
        certificates,
        crls,
        intel,
        key_sets,
        ocsp,
        policies,
        rims,
        uvm,
    } = endorsements;
    let mut fields = Vec::new();
    for (place, der) in certificates.iter().enumerate() {
        fields.push(certificate(&named("certificates", place), der));
    }
    for (place, der) in crls.iter().enumerate() {
        fields.push(crl(&named("crls", place), der));
    }
    for (place, json) in intel.iter().enumerate() {
        fields.extend(collateral(&named("intel", place), json));
    }
    for (place, json) in key_sets.iter().enumerate() {
        fields.push(keys(&named("key_sets", place), json));
    }
    for (place, der) in ocsp.iter().enumerate() {
        let says = "OCSP responses: whether certificates were revoked";
        let value = format!("{} bytes", der.len());
        fields.push(Field::new(named("ocsp", place), value, says));
    }
    for (place, policy) in policies.iter().enumerate() {
        let inner = azure::show_container_policy(policy);
        fields.extend(within(&named("policies", place), inner));
    }
    for (place, rim) in rims.iter().enumerate() {
        let name = named("rims", place);
        match gpu::show_rim(rim) {
            Ok(inner) => fields.extend(within(&name, inner)),
            Err(error) => fields.push(unreadable(&name, &error)),
        }
    }
    for (place, cose) in uvm.iter().enumerate() {
        let name = named("uvm", place);
        match azure::show_uvm(cose) {
            Ok(inner) => fields.extend(within(&name, inner)),
            Err(error) => fields.push(unreadable(&name, &error)),
        }
    }
    fields
}

/// PEM certificates, one field each.
pub(super) fn certificates(name: &str, pem: &[u8]) -> Vec<Field> {
    match all_from_pem(pem) {
        Ok(all) => {
            let all = all.iter().enumerate();
            all.map(|(place, der)| certificate(&named(name, place), der))
                .collect()
        }
        Err(error) => vec![unreadable(name, &error)],
    }
}

fn certificate(name: &str, der: &[u8]) -> Field {
    match Certificate::from_der(der) {
        Ok(certificate) => Field::new(
            name,
            certificate.name(),
            format!(
                "issued by {}, valid from {} to {}",
                certificate.issuer_common_name().unwrap_or_default(),
                certificate.not_before(),
                certificate.not_after()
            ),
        ),
        Err(error) => unreadable(name, &error),
    }
}

fn crl(name: &str, der: &[u8]) -> Field {
    match Crl::from_der(der) {
        Ok(crl) => {
            let until = crl.next_update();
            let until = until.map_or_else(|| "no end".to_owned(), |until| until.to_string());
            let value = format!("{} revoked", crl.len());
            Field::new(
                name,
                value,
                format!("from {} to {until}", crl.this_update()),
            )
        }
        Err(error) => unreadable(name, &error),
    }
}

fn collateral(name: &str, json: &[u8]) -> Vec<Field> {
    let collateral = match Collateral::parse(json) {
        Ok(collateral) => collateral,
        Err(error) => return vec![unreadable(name, &error)],
    };
    let (info, identity) = (&collateral.tcb_info, &collateral.qe_identity);
    let life = |life: crate::dcap::collateral::Life| {
        format!("from {} to {}", life.issued, life.next_update)
    };
    vec![
        Field::new(
            format!("{name}.tcb_info"),
            format!("{} {}", info.id.0, crate::hex::encode(&info.fmspc)),
            format!("evaluation {}, {}", info.evaluation, life(info.life)),
        ),
        Field::new(
            format!("{name}.qe_identity"),
            &identity.id.0,
            format!(
                "evaluation {}, {}",
                identity.evaluation,
                life(identity.life)
            ),
        ),
    ]
}

fn keys(name: &str, json: &[u8]) -> Field {
    match KeySet::parse(json) {
        Ok(keys) => Field::new(
            name,
            format!("{} keys", keys.keys.len()),
            "keys of a token issuer",
        ),
        Err(error) => unreadable(name, &error),
    }
}

fn within(name: &str, inner: Vec<Field>) -> impl Iterator<Item = Field> {
    let name = name.to_owned();
    inner.into_iter().map(move |field| Field {
        name: format!("{name}.{}", field.name),
        ..field
    })
}

fn unreadable(name: &str, error: &dyn std::fmt::Display) -> Field {
    Field::new(name, "unreadable", error.to_string())
}

fn named(list: &str, place: usize) -> String {
    format!("{list}[{place}]")
}
