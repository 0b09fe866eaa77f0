//! What AMD's service has for a report.

use super::{AmdKey, Need, NeedsError};
use crate::{
    hex,
    snp::{self, Product, Tcb},
    x509::Certificate,
};

pub(super) fn needs(report: &[u8], product: Option<Product>) -> Result<Vec<Need>, NeedsError> {
    let report = snp::parse(report)?;
    let product = match (report.cpuid, product) {
        (Some(cpuid), _) => Product::from_cpuid(cpuid).map_err(NeedsError::Product)?,
        (None, Some(product)) => product,
        (None, None) => return Err(NeedsError::ProductUnnamed),
    };
    let key = match (report.flags >> 2) & 7 {
        1 => AmdKey::Vlek,
        _ => AmdKey::Vcek,
    };
    let mut needs = vec![Need::AmdChain(product, key), Need::AmdCrl(product, key)];
    // A VLEK is given to its provider alone, who hands it on with the report.
    if key == AmdKey::Vcek {
        if report.chip_id.iter().all(|byte| *byte == 0) {
            return Err(NeedsError::ChipMasked);
        }
        let length = match product {
            Product::Turin => 8,
            Product::Milan | Product::Genoa => 64,
        };
        let chip = report.chip_id.get(..length).unwrap_or_default().to_vec();
        let (Ok(tcb) | Err((tcb, _))) = Tcb::read(product, report.reported_tcb);
        needs.push(Need::AmdVcek { product, chip, tcb });
    }
    Ok(needs)
}

pub(super) fn vcek_path(product: Product, chip: &[u8], tcb: &Tcb) -> String {
    let Tcb {
        fmc,
        bootloader,
        tee,
        snp,
        microcode,
    } = tcb;
    let fmc = match product {
        Product::Turin => format!("fmcSPL={fmc:02}&"),
        Product::Milan | Product::Genoa => String::new(),
    };
    let chip = hex::encode(chip);
    format!(
        "/vcek/v1/{product}/{chip}?{fmc}blSPL={bootloader:02}&teeSPL={tee:02}&snpSPL={snp:02}&ucodeSPL={microcode:02}"
    )
}

/// Chip and firmware are its name, so that what lies there under it is what is meant.
pub(super) fn vcek_file(product: Product, chip: &[u8], tcb: &Tcb) -> String {
    let versions: Vec<String> = tcb
        .components()
        .iter()
        .map(|(_, version)| version.to_string())
        .collect();
    let (chip, versions) = (hex::encode(chip), versions.join("-"));
    format!("amd-{product}-vcek-{chip}-{versions}.der").to_ascii_lowercase()
}

pub(super) fn check_vcek(bytes: &[u8], chip: &[u8]) -> Result<(), String> {
    let certificate = Certificate::from_der(bytes).map_err(|error| error.to_string())?;
    let hwid = certificate.extension(HWID);
    let hwid = hwid.ok_or("the certificate names no chip")?;
    // The identifier stands there as it is, or in an OCTET STRING.
    match hwid == chip
        || hwid
            .strip_prefix(&[0x04])
            .is_some_and(|rest| rest.ends_with(chip))
    {
        true => Ok(()),
        false => Err("the certificate is another chip's".to_owned()),
    }
}

const HWID: &str = "1.3.6.1.4.1.3704.1.4";
