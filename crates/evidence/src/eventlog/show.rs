use super::{EventLog, HashAlg, ImaLog, Kind, Payload, Preimage, kind_name};
use crate::{hex, reader::Malformed, show::Field};

/// Every event of a TPM's log, or of a CCEL, and what the log leads to.
pub(crate) fn show(log: &EventLog<'_>) -> Vec<Field> {
    let mut fields: Vec<Field> = log
        .banks()
        .iter()
        .map(|bank| {
            let known = HashAlg::from_id(bank.id);
            let name = known.map_or_else(|| format!("{:#06x}", bank.id), |alg| alg.to_string());
            Field::new(
                "event_log.bank",
                name,
                "An algorithm that events are measured by.",
            )
        })
        .collect();
    if let Some(locality) = log.locality() {
        fields.push(Field::new(
            "event_log.startup_locality",
            locality,
            "The value that PCR 0 began with.",
        ));
    }
    let bank = strongest(log);
    for event in log.events() {
        let told = Kind::from_id(event.kind).map_or("A type without a name.", Kind::says);
        let payload = bank.and_then(|bank| event.payload(bank));
        let digest = bank.and_then(|bank| event.digest(bank)).unwrap_or_default();
        fields.push(Field::at(
            event.at,
            format!("event_log.{}", event.number),
            format!(
                "{} {} {}",
                event.register,
                kind_name(event.kind),
                hex::encode(digest)
            ),
            format!("{told} {}", explain(event.kind, payload)),
        ));
    }
    let replayed = bank.and_then(|bank| log.replay(bank).ok());
    for (register, value) in replayed.into_iter().flatten() {
        fields.push(Field::new(
            format!("event_log.replay.{register}"),
            hex::encode(&value),
            "What the events of this register lead to.",
        ));
    }
    fields
}

/// Every entry of the kernel's list.
pub(crate) fn show_ima(bytes: &[u8]) -> Result<Vec<Field>, Malformed> {
    let log = ImaLog::parse(bytes)?;
    let fields = log.entries().iter().enumerate().map(|(number, entry)| {
        let says = match (entry.is_violation(), entry.is_consistent()) {
            (true, _) => "The file could be changed while it was measured.",
            (false, true) => "A file or buffer that the kernel measured.",
            (false, false) => "Its template hash is not over its data.",
        };
        Field::at(
            entry.at,
            format!("ima_log.{}", number.saturating_add(1)),
            format!(
                "{} {}:{}",
                entry.name,
                entry.algorithm,
                hex::encode(entry.digest)
            ),
            says,
        )
    });
    Ok(fields.collect())
}

fn strongest(log: &EventLog<'_>) -> Option<HashAlg> {
    let known = HashAlg::ALL.into_iter().rev();
    known
        .into_iter()
        .find(|alg| log.banks().iter().any(|bank| bank.id == alg.id()))
}

fn explain(kind: u32, payload: Option<Payload>) -> String {
    if kind == Kind::NoAction.id() {
        return String::new();
    }
    match payload {
        Some(Payload::Recomputed(Preimage::Data)) => "Its digest is over its data.".to_owned(),
        Some(Payload::Recomputed(Preimage::VariableData)) => {
            "Its digest is over the variable's content.".to_owned()
        }
        Some(Payload::Recomputed(Preimage::Text)) => "Its digest is over its text.".to_owned(),
        Some(Payload::Recomputed(Preimage::SectionName)) => {
            "Its digest is over the section's name.".to_owned()
        }
        Some(Payload::Elsewhere(what)) => format!("Its digest is over {what}."),
        Some(Payload::Differs) => "Its digest is not over its data, as it should be.".to_owned(),
        None => "It has no digest.".to_owned(),
    }
}
