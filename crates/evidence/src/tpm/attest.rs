use crate::{
    eventlog::length,
    reader::{Malformed, Reader},
};

/// A `TPMS_ATTEST` of a quote, read in place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attest<'a> {
    /// The qualified name of the key that signed it.
    pub signer: &'a [u8],
    /// The qualifying data: whatever the caller of the quote passed in.
    pub extra: &'a [u8],
    /// Milliseconds that the TPM has been powered since its clock was last cleared.
    pub clock: u64,
    /// How often it was reset.
    pub reset_count: u32,
    /// How often it was restarted or resumed since the last reset.
    pub restart_count: u32,
    /// Whether the clock is sure not to have gone back.
    pub safe: bool,
    /// The TPM's firmware version, as its vendor numbers them.
    pub firmware: u64,
    /// Which PCRs are quoted, for each bank.
    pub selections: Vec<Selection<'a>>,
    /// The digest over their values.
    pub pcr_digest: &'a [u8],
}

/// The PCRs of one bank.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Selection<'a> {
    /// The number that TCG gave the bank's algorithm.
    pub bank: u16,
    /// One bit for each PCR, the lowest of the first byte being PCR 0.
    pub bitmap: &'a [u8],
}

impl<'a> Attest<'a> {
    /// Reads one, to the last byte.
    ///
    /// # Errors
    ///
    /// It is not a quote made by a TPM.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let magic = reader.u32_be("magic")?;
        if magic != GENERATED {
            // A restricted key signs nothing else that begins like this: without it, anybody could
            // have chosen the bytes.
            let expected = format!("{GENERATED:#x}, made by a TPM");
            return Err(Malformed::new("magic", 0, expected, format!("{magic:#x}")));
        }
        let kind = reader.u16_be("type")?;
        if kind != QUOTE {
            let expected = format!("{QUOTE:#x}, a quote");
            return Err(Malformed::new("type", 4, expected, format!("{kind:#x}")));
        }
        let signer = sized(&mut reader, "qualified signer")?;
        let extra = sized(&mut reader, "qualifying data")?;
        let clock = reader.u64_be("clock")?;
        let reset_count = reader.u32_be("reset count")?;
        let restart_count = reader.u32_be("restart count")?;
        let at = reader.at();
        let safe = match reader.u8("safe")? {
            0 => false,
            1 => true,
            other => return Err(Malformed::new("safe", at, "0 or 1", other)),
        };
        let firmware = reader.u64_be("firmware version")?;
        let selections = selections(&mut reader)?;
        let pcr_digest = sized(&mut reader, "PCR digest")?;
        reader.end("attestation")?;
        Ok(Self {
            signer,
            extra,
            clock,
            reset_count,
            restart_count,
            safe,
            firmware,
            selections,
            pcr_digest,
        })
    }
}

impl Selection<'_> {
    /// The PCRs, in order.
    pub fn pcrs(&self) -> impl Iterator<Item = u32> {
        (0..)
            .zip(self.bitmap)
            .flat_map(|(index, byte): (u32, &u8)| {
                let first = index.saturating_mul(8);
                (0..8_u32)
                    .filter(move |bit| byte.wrapping_shr(*bit) & 1 == 1)
                    .map(move |bit| first.saturating_add(bit))
            })
    }
}

fn selections<'a>(reader: &mut Reader<'a>) -> Result<Vec<Selection<'a>>, Malformed> {
    let at = reader.at();
    let count = reader.u32_be("number of PCR selections")?;
    if count > MOST_SELECTIONS {
        let expected = format!("at most {MOST_SELECTIONS}");
        return Err(Malformed::new(
            "number of PCR selections",
            at,
            expected,
            count,
        ));
    }
    let mut selections = Vec::new();
    for _ in 0..count {
        let bank = reader.u16_be("bank of a PCR selection")?;
        let at = reader.at();
        let size = reader.u8("size of a PCR selection")?;
        if size > MOST_BITMAP {
            let expected = format!("at most {MOST_BITMAP}");
            return Err(Malformed::new(
                "size of a PCR selection",
                at,
                expected,
                size,
            ));
        }
        let bitmap = reader.take("PCR selection", usize::from(size))?;
        selections.push(Selection { bank, bitmap });
    }
    Ok(selections)
}

/// The bytes of a `TPM2B`.
pub(super) fn sized<'a>(
    reader: &mut Reader<'a>,
    what: &'static str,
) -> Result<&'a [u8], Malformed> {
    let size = reader.u16_be(what)?;
    reader.take(what, length(size.into()))
}

/// TPM_GENERATED_VALUE.
const GENERATED: u32 = 0xff54_4347;
/// TPM_ST_ATTEST_QUOTE.
const QUOTE: u16 = 0x8018;
/// One for each algorithm of a TPM.
const MOST_SELECTIONS: u32 = 16;
/// 32 PCRs: more than any TPM has.
const MOST_BITMAP: u8 = 4;
