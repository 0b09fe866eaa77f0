use super::{Content, Format, Recognised, Unrecognised, broken, dstack, of, single};
use crate::{
    Evidence, Part, Platform, azure,
    cbor::{self, Limits},
    dcap, gpu, nitro,
    reader::Reader,
    snp,
    wire::{
        certificate::{Carrier, CarrierError, Claimed, Legacy},
        cmw::Cmw,
    },
    x509::Certificate,
};

type Result<T> = std::result::Result<T, Unrecognised>;

/// What bytes announce that are not text. `None`: nothing that is known here; they may still be text.
pub(super) fn recognise(bytes: &[u8]) -> Option<Result<Recognised>> {
    let readers = [
        quote,
        snp_report,
        hcl,
        attest,
        spdm,
        nitro_document,
        claimed,
        der,
        dstack::recognise,
        wrapper,
    ];
    readers.into_iter().find_map(|read| read(bytes))
}

/// Intel's: a version, the one kind of key, and who made the quoting enclave.
fn quote(bytes: &[u8]) -> Option<Result<Recognised>> {
    let mut reader = Reader::new(bytes);
    let version = reader.u16_le("version").ok()?;
    let key = reader.u16_le("key").ok()?;
    let tee = reader.u32_le("tee").ok()?;
    reader.u32_le("svn").ok()?;
    if key != 2 || version > 16 || reader.take("vendor", 16).ok()? != INTEL {
        return None;
    }
    let (format, platform) = match tee {
        0 => (Format::SgxQuote, Platform::Sgx),
        _ => (Format::TdxQuote, Platform::Tdx),
    };
    Some(match dcap::parse(bytes) {
        Ok(quote) => padded(format, quote.rest).map(|notes| Recognised {
            notes,
            ..single(format, platform, Part::Quote, bytes)
        }),
        Err(error) => Err(broken(format, error)),
    })
}

/// A version below 16, the one signature algorithm, and nothing else that is fixed: so by its length, too.
fn snp_report(bytes: &[u8]) -> Option<Result<Recognised>> {
    let version: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    let algorithm = bytes.get(0x34..0x38)?;
    let report = bytes.get(..snp::LENGTH)?;
    if u32::from_le_bytes(version) >= 16 || algorithm != [1, 0, 0, 0] {
        return None;
    }
    let format = Format::SnpReport;
    let rest = bytes.get(snp::LENGTH..).unwrap_or_default();
    Some(
        padded(format, rest).and_then(|notes| match snp::parse(report) {
            Ok(_) => Ok(Recognised {
                notes,
                ..single(format, Platform::Snp, Part::Report, report)
            }),
            Err(error) => Err(broken(format, error)),
        }),
    )
}

fn hcl(bytes: &[u8]) -> Option<Result<Recognised>> {
    bytes.starts_with(b"HCLA").then(|| {
        let format = Format::HclReport;
        let hcl = azure::hcl::parse(bytes).map_err(|error| broken(format, error))?;
        let platform = match hcl.hardware {
            azure::hcl::Hardware::Snp(_) => Platform::AzureSnp,
            azure::hcl::Hardware::Tdx(_) => Platform::AzureTdx,
        };
        let mut recognised = single(format, platform, Part::HclReport, bytes);
        let note = "an HCL report alone: the quote of its TPM is not here";
        recognised.notes.push(note.to_owned());
        Ok(recognised)
    })
}

fn attest(bytes: &[u8]) -> Option<Result<Recognised>> {
    bytes.starts_with(&[0xff, b'T', b'C', b'G', 0x80]).then(|| {
        let mut recognised = single(Format::TpmsAttest, Platform::Tpm, Part::Attest, bytes);
        let note =
            "a TPM's attestation alone: its signature, its key and the PCR values are not here";
        recognised.notes.push(note.to_owned());
        Ok(recognised)
    })
}

fn spdm(bytes: &[u8]) -> Option<Result<Recognised>> {
    bytes.starts_with(&[0x11, 0xe0]).then(|| {
        let format = Format::SpdmMeasurements;
        gpu::Report::parse(bytes).map_err(|error| broken(format, error))?;
        Ok(single(format, Platform::Gpu, Part::Report, bytes))
    })
}

/// A COSE signature with ES384 or by a tag is one of AWS's where its payload has their members.
fn nitro_document(bytes: &[u8]) -> Option<Result<Recognised>> {
    let starts = [
        &[0x84, 0x44, 0xa1, 0x01, 0x38, 0x22][..],
        &[0xd2, 0x84, 0x44, 0xa1, 0x01, 0x38, 0x22],
    ];
    let framed = bytes.get(4..).is_some_and(|rest| {
        let length = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let head = bytes.get(..4).unwrap_or_default();
        let fits = head == length.to_be_bytes() || head == length.to_le_bytes();
        fits && starts.iter().any(|start| rest.starts_with(start))
    });
    if !framed && !starts.iter().any(|start| bytes.starts_with(start)) {
        return None;
    }
    let format = Format::NitroDocument;
    Some(match nitro::parse(bytes) {
        Ok(_) => Ok(single(format, Platform::Nitro, Part::Document, bytes)),
        Err(error) => Err(broken(format, error)),
    })
}

fn claimed(bytes: &[u8]) -> Option<Result<Recognised>> {
    bytes.starts_with(&[0xd9, 0xea]).then(|| {
        let format = Format::Claimed;
        let claimed = Claimed::read(bytes).map_err(|error| broken(format, error))?;
        Ok(Recognised {
            content: Content::Claimed(claimed),
            ..of(format, Evidence::new(Platform::Software))
        })
    })
}

fn der(bytes: &[u8]) -> Option<Result<Recognised>> {
    let long = bytes.get(1).is_some_and(|length| *length >= 0x80);
    if bytes.first() != Some(&0x30) || !long {
        return None;
    }
    Some(match Certificate::from_der(bytes) {
        Ok(_) => certificate(bytes),
        Err(error) => Err(Unrecognised::NotEvidence {
            what: format!("DER that is no certificate ({error})"),
            instead: "offer revocation lists and other endorsements as endorsements",
        }),
    })
}

/// A certificate, if it carries evidence in whatever extension.
pub(super) fn certificate(der: &[u8]) -> Result<Recognised> {
    match Carrier::read(der, &Legacy::ALL) {
        Ok(carrier) => Ok(Recognised {
            content: Content::Certificate(der.to_vec()),
            ..of(
                Format::Certificate,
                Evidence::new(carrier.evidence.platform()),
            )
        }),
        Err(CarrierError::Absent) => Err(Unrecognised::NotEvidence {
            what: "a certificate without evidence".to_owned(),
            instead: "offer it as an endorsement",
        }),
        Err(error) => Err(broken(Format::Certificate, error)),
    }
}

/// A wrapper in CBOR begins with an array of two or three, or with a map.
fn wrapper(bytes: &[u8]) -> Option<Result<Recognised>> {
    match bytes.first()? {
        0x82 | 0x83 | 0xa1..=0xb8 => {}
        _ => return None,
    }
    cbor::parse(bytes, &Limits::FOREIGN).ok()?;
    Some(match Cmw::from_cbor(bytes) {
        Ok(cmw) => unwrap(&cmw),
        Err(error) => Err(broken(Format::Cmw, error)),
    })
}

/// The evidence in a wrapper: the one record with our type.
pub(super) fn unwrap(cmw: &Cmw) -> Result<Recognised> {
    use crate::wire::{cmw::Kind, own};
    let format = Format::Cmw;
    let records = cmw.records();
    let is_ours = |kind: &Kind| matches!(kind, Kind::Media(name) if name == own::MEDIA_TYPE);
    let mut ours = records.iter().filter(|(_, record)| is_ours(&record.kind));
    let (Some((_, only)), None) = (ours.next(), ours.next()) else {
        let kinds: Vec<String> = records
            .iter()
            .map(|(_, record)| record.kind.to_string())
            .collect();
        let found = kinds.join(", ");
        return Err(broken(format, super::Fault::Wrapped { found }));
    };
    let own = own::Own::decode(&only.value).map_err(|error| broken(format, error))?;
    let others = records.iter().filter(|(_, record)| !is_ours(&record.kind));
    let notes =
        others.map(|(place, record)| format!("`{place}` (`{}`) was passed over", record.kind));
    Ok(Recognised {
        notes: notes.collect(),
        content: Content::Claimed(Claimed {
            endorsements: own.endorsements(),
            evidence: own.evidence,
            claims: own.claims,
        }),
        ..of(format, Evidence::new(Platform::Software))
    })
}

/// Captures are often padded with zeros. Anything else behind the end is a second piece of evidence, or
/// something that nobody has looked at.
pub(super) fn padded(format: Format, rest: &[u8]) -> Result<Vec<String>> {
    let left = rest.len();
    match (left, rest.iter().all(|byte| *byte == 0)) {
        (0, _) => Ok(Vec::new()),
        (_, true) => Ok(vec![format!(
            "{left} zeros behind its end were passed over"
        )]),
        (_, false) => Err(Unrecognised::Trailing { format, left }),
    }
}

/// Intel's quoting enclaves.
const INTEL: [u8; 16] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];
