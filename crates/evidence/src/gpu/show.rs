//! A report and a manifest, field by field.

use super::{Report, Rim, RimError, opaque};
use crate::{hex, nitro::offset, reader::Malformed, show::Field};

/// Every field of a report, explained.
pub(crate) fn show(bytes: &[u8]) -> Result<Vec<Field>, Malformed> {
    let report = Report::parse(bytes)?;
    let at = |part: &[u8]| offset(bytes, part);
    let mut fields = vec![
        Field::at(
            at(report.nonce),
            "request.nonce",
            hex::encode(report.nonce),
            "what the device was asked with",
        ),
        Field::at(
            36,
            "request.slot",
            report.slot,
            "of the device's certificates",
        ),
    ];
    for measurement in &report.measurements {
        let kind = match measurement.kind {
            0 => "immutable ROM",
            1 => "mutable firmware",
            2 => "hardware configuration",
            3 => "firmware configuration",
            _ => "of a kind that SPDM 1.1 does not name",
        };
        let golden = measurement.index.saturating_sub(1);
        fields.push(Field::at(
            at(measurement.value),
            format!("measurement.{}", measurement.index),
            hex::encode(measurement.value),
            format!("{kind}; {golden} in a manifest"),
        ));
    }
    fields.push(Field::at(
        at(report.device_nonce),
        "response.nonce",
        hex::encode(report.device_nonce),
        "drawn by the device",
    ));
    for field in &report.opaque {
        let (name, says) =
            opaque::name(field.kind).unwrap_or(("unknown", "no name is known for it"));
        let readable = match field.kind {
            opaque::VBIOS_VERSION => report.vbios_version(),
            _ => super::report::text(field.value),
        };
        let value = readable.unwrap_or_else(|| hex::encode(field.value));
        fields.push(Field::at(
            at(field.value),
            format!("opaque.{}.{name}", field.kind),
            value,
            says,
        ));
    }
    fields.push(Field::at(
        at(report.signature),
        "signature",
        hex::encode(report.signature),
        "ECDSA over P-384 with SHA-384, over all before it",
    ));
    Ok(fields)
}

/// What a manifest says, explained.
pub(crate) fn show_rim(bytes: &[u8]) -> Result<Vec<Field>, RimError> {
    let rim = Rim::parse(bytes)?;
    let plain = |text: &str| text.escape_debug().to_string();
    let mut fields = vec![
        Field::new("product", plain(&rim.product), "the chip it is for"),
        Field::new(
            "version",
            plain(&rim.version),
            "the driver or VBIOS it is for",
        ),
        Field::new("tag", plain(&rim.tag), "its identifier"),
        Field::new(
            "digest",
            rim.digest.hex(),
            "SHA-256 of all of it, for `rims`",
        ),
        Field::new(
            "inactive",
            rim.inactive,
            "measurements that a device need not have",
        ),
        Field::new("certificates", rim.certificates.len(), "signer first"),
    ];
    for golden in &rim.active {
        let values: Vec<String> = golden
            .values
            .iter()
            .map(|value| hex::encode(value))
            .collect();
        fields.push(Field::new(
            format!("golden.{}", golden.index),
            values.join(" or "),
            format!("measurement {} of a report", golden.index.saturating_add(1)),
        ));
    }
    Ok(fields)
}
