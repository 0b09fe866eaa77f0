//! A document, field by field.

use super::{Document, Framing};
use crate::{hex, reader::Malformed, show::Field, x509::Certificate};

/// Every field of a document, explained.
pub(crate) fn show(bytes: &[u8]) -> Result<Vec<Field>, Malformed> {
    let document = Document::parse(bytes)?;
    let at = |part: &[u8]| offset(bytes, part);
    let cose = &document.cose;
    let mut fields = vec![
        Field::at(
            0,
            "framing",
            document.framing.as_str(),
            match document.framing {
                Framing::Bare => "what the hypervisor gives",
                Framing::Tagged => "the tag is not signed",
                Framing::LengthBigEndian | Framing::LengthLittleEndian => {
                    "somebody put the length before the message; it is not signed"
                }
            },
        ),
        Field::at(
            at(cose.protected),
            "protected",
            hex::encode(cose.protected),
            "the signed header; a1013822 says ES384",
        ),
        Field::at(
            at(cose.payload),
            "payload",
            format!("{} bytes", cose.payload.len()),
            "what is signed, with the protected header",
        ),
    ];
    fields.extend(payload(&document, at));
    fields.push(Field::at(
        at(cose.signature),
        "signature",
        hex::encode(cose.signature),
        "ECDSA over P-384 with SHA-384, by `certificate`",
    ));
    Ok(fields)
}

fn payload(document: &Document<'_>, at: impl Fn(&[u8]) -> usize) -> Vec<Field> {
    let mut fields = vec![
        Field::at(
            at(document.module_id.as_bytes()),
            "module_id",
            document.module_id.escape_debug(),
            format!(
                "the instance and its module: an {}'s document",
                document.kind.as_str()
            ),
        ),
        Field::at(
            at(document.digest.as_bytes()),
            "digest",
            document.digest.escape_debug(),
            "of the registers",
        ),
        Field::new(
            "timestamp",
            document.timestamp,
            format!("{}, by the hypervisor's clock", document.made_at()),
        ),
    ];
    for (index, value) in &document.pcrs {
        let says = super::registers_say(document.kind, *index);
        fields.push(Field::at(
            at(value),
            format!("pcr{index}"),
            hex::encode(value),
            says,
        ));
    }
    let certificates = [document.certificate]
        .into_iter()
        .chain(document.cabundle.iter().copied());
    for (number, der) in certificates.enumerate() {
        let name = match number.checked_sub(1) {
            None => "certificate".to_owned(),
            Some(number) => format!("cabundle.{number}"),
        };
        let value = format!("{} bytes", der.len());
        fields.push(Field::at(at(der), name, value, certificate(der)));
    }
    let carried = [
        (
            "public_key",
            document.public_key,
            "a key to encrypt for whoever made the document",
        ),
        ("user_data", document.user_data, "whatever was to be signed"),
        ("nonce", document.nonce, "the challenge of whoever asked"),
    ];
    for (name, value, says) in carried {
        fields.push(match value {
            Some(value) => Field::at(at(value), name, hex::encode(value), says),
            None => Field::new(name, "absent", says),
        });
    }
    let unknown = document.unknown.iter();
    fields.extend(unknown.map(|name| Field::new(name.escape_debug().to_string(), "", "unknown")));
    fields
}

fn certificate(der: &[u8]) -> String {
    match Certificate::from_der(der) {
        Ok(certificate) => format!(
            "`{}`, {} to {}",
            certificate.common_name().unwrap_or_default().escape_debug(),
            certificate.not_before(),
            certificate.not_after()
        ),
        Err(error) => error.to_string(),
    }
}

/// Where a part of `whole` begins in it.
pub(crate) fn offset(whole: &[u8], part: &[u8]) -> usize {
    let (whole, part) = (whole.as_ptr().addr(), part.as_ptr().addr());
    part.saturating_sub(whole)
}
