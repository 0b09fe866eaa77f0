use super::{AkPublic, Attest, QuoteSignature};
use crate::{
    Evidence,
    eventlog::{self, HashAlg},
    evidence::Part,
    hex,
    reader::Malformed,
    show::Field,
};

/// Every field of a quote and of the logs that came with it.
pub(crate) fn show(evidence: &Evidence) -> Result<Vec<Field>, Malformed> {
    let mut fields = Vec::new();
    for (part, bytes) in evidence.parts() {
        match part {
            Part::AkPublic => fields.extend(show_public(bytes)?),
            Part::Attest => fields.extend(show_attest(bytes)?),
            Part::Signature => fields.extend(show_signature(bytes)),
            Part::Pcrs => fields.push(Field::new(
                "pcrs",
                hex::encode(bytes),
                "The values of the quoted PCRs, in the order of the selection.",
            )),
            Part::EventLog => fields.extend(eventlog::show(&eventlog::parse(bytes)?)),
            Part::ImaLog => fields.extend(eventlog::show_ima(bytes)?),
            Part::Certificates
            | Part::Document
            | Part::HclReport
            | Part::Quote
            | Part::Report
            | Part::RuntimeData
            | Part::Token => fields.push(Field::new(
                part.as_str(),
                format!("{} bytes", bytes.len()),
                "Not a part of a TPM's evidence.",
            )),
        }
    }
    Ok(fields)
}

/// Every field of a `TPMS_ATTEST`, one behind the other.
fn show_attest(bytes: &[u8]) -> Result<Vec<Field>, Malformed> {
    let attest = Attest::parse(bytes)?;
    let text = |value: &dyn std::fmt::Display| value.to_string();
    let mut at = 0_usize;
    let mut fields = Vec::new();
    let mut add = |name: &str, size: usize, value: String, says: &str| {
        fields.push(Field::at(at, format!("attest.{name}"), value, says));
        at = at.saturating_add(size);
    };
    let sized = |bytes: &[u8]| bytes.len().saturating_add(2);
    add("magic", 4, text(&"ff544347"), MADE_BY_TPM);
    add("type", 2, text(&"8018"), "A quote.");
    let (size, value) = (sized(attest.signer), hex::encode(attest.signer));
    add("qualified_signer", size, value, SIGNER);
    let (size, value) = (sized(attest.extra), hex::encode(attest.extra));
    add("extra_data", size, value, EXTRA);
    add("clock", 8, text(&attest.clock), CLOCK);
    add("reset_count", 4, text(&attest.reset_count), RESETS);
    add("restart_count", 4, text(&attest.restart_count), RESTARTS);
    add("safe", 1, text(&attest.safe), SAFE);
    let firmware = format!("{:016x}", attest.firmware);
    add(
        "firmware_version",
        8,
        firmware,
        "As its vendor numbers them.",
    );
    let count = text(&attest.selections.len());
    add("pcr_select", 4, count, "In how many banks PCRs are quoted.");
    for selection in &attest.selections {
        let bank = HashAlg::from_id(selection.bank);
        let unknown = || format!("{:#06x}", selection.bank);
        let bank = bank.map_or_else(unknown, |bank| bank.to_string());
        let pcrs: Vec<String> = selection.pcrs().map(|pcr| pcr.to_string()).collect();
        let name = format!("pcr_select.{bank}");
        let size = selection.bitmap.len().saturating_add(3);
        add(&name, size, pcrs.join(","), "The quoted PCRs of this bank.");
    }
    let digest = hex::encode(attest.pcr_digest);
    add("pcr_digest", sized(attest.pcr_digest), digest, DIGEST);
    Ok(fields)
}

const MADE_BY_TPM: &str = "Made by a TPM: nothing else that a restricted key signs begins so.";
const SIGNER: &str = "The name of the key that signed, together with those above it.";
const EXTRA: &str = "The qualifying data: what the caller of the quote passed in.";
const CLOCK: &str = "Milliseconds that the TPM has been powered since its clock was cleared.";
const RESETS: &str = "How often the TPM was reset.";
const RESTARTS: &str = "How often it was restarted since.";
const SAFE: &str = "Whether the clock is sure not to have gone back.";
const DIGEST: &str = "The digest over the quoted PCRs' values, by the hash of the signing scheme.";

/// What a quote's signature is.
fn show_signature(bytes: &[u8]) -> Vec<Field> {
    let (value, says) = match QuoteSignature::parse_tpmt(bytes) {
        Ok(QuoteSignature::Raw(_)) | Err(_) => (
            hex::encode(bytes),
            "RSASSA with SHA-256, the bytes of the signature alone.".to_owned(),
        ),
        Ok(QuoteSignature::Rsassa(hash, bytes)) => {
            (hex::encode(bytes), format!("RSASSA with {hash}."))
        }
        Ok(QuoteSignature::Rsapss(hash, bytes)) => {
            (hex::encode(bytes), format!("RSAPSS with {hash}."))
        }
        Ok(QuoteSignature::Ecdsa(hash, r, s)) => {
            let value = format!("{} {}", hex::encode(r), hex::encode(s));
            (value, format!("ECDSA with {hash}: r and s."))
        }
    };
    vec![Field::new("signature", value, says)]
}

fn show_public(bytes: &[u8]) -> Result<Vec<Field>, Malformed> {
    let ak = AkPublic::parse(bytes).map_err(|error| {
        Malformed::new("attestation key", 0, "a key to verify quotes with", error)
    })?;
    let kind = ak.key.kind().to_string();
    let mut fields = vec![Field::new(
        "ak_public.key",
        kind,
        "The key that signs quotes.",
    )];
    let Some(area) = &ak.area else {
        return Ok(fields);
    };
    if let Some(name) = ak.name() {
        let says = "Its name: what is pinned once it was activated.";
        fields.push(Field::new("ak_public.name", hex::encode(&name), says));
    }
    let faults = area.faults();
    fields.push(Field::new(
        "ak_public.attributes",
        area.attribute_names().join(" "),
        if faults.is_empty() {
            "As an attestation key's must be.".to_owned()
        } else {
            format!(
                "Not as an attestation key's must be: {}.",
                faults.join(", ")
            )
        },
    ));
    let policy = hex::encode(area.policy);
    fields.push(Field::new(
        "ak_public.policy",
        policy,
        "What its use is bound to.",
    ));
    if let Some((scheme, hash)) = area.scheme {
        let value = format!("{scheme:#06x} {hash:#06x}");
        fields.push(Field::new(
            "ak_public.scheme",
            value,
            "Its signing scheme and hash.",
        ));
    }
    Ok(fields)
}
