use cmcp_json::Number;

use super::ArgumentError;

/// A JSON number as Cedar's `decimal` spells it: the same value exactly, or an error.
pub(super) fn spell(number: &Number) -> Result<String, ArgumentError> {
    let spelling = number.as_str();
    let (sign, unsigned) = match spelling.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", spelling),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent),
        None => (unsigned, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    if significant.trim_start_matches('0').is_empty() {
        return Ok("0.0".to_owned());
    }
    // The value is `significant` times ten to the power of `power`.
    let too_fine = exponent.starts_with('-');
    let count = |length: usize| i64::try_from(length).map_err(|_| ArgumentError::Range);
    let power = exponent
        .parse::<i64>()
        .map_err(|_| {
            if too_fine {
                ArgumentError::Digits
            } else {
                ArgumentError::Range
            }
        })?
        .saturating_sub(count(fraction.len())?)
        .saturating_add(count(digits.len().saturating_sub(significant.len()))?);
    if power < -SCALE {
        return Err(ArgumentError::Digits);
    }
    // Now a whole number of ten-thousandths, which Cedar holds in 64 bits.
    let zeros = u32::try_from(power.saturating_add(SCALE)).map_err(|_| ArgumentError::Range)?;
    let factor = 10_i128.checked_pow(zeros).ok_or(ArgumentError::Range)?;
    let magnitude = significant
        .parse::<i128>()
        .ok()
        .and_then(|value| value.checked_mul(factor))
        .filter(|value| *value <= i128::from(i64::MAX))
        .ok_or(ArgumentError::Range)?;
    let (whole, fraction) = (magnitude / UNIT, magnitude % UNIT);
    Ok(format!("{sign}{whole}.{fraction:04}"))
}

/// Digits behind the point of a `decimal`.
const SCALE: i64 = 4;
/// Ten to that power.
const UNIT: i128 = 10_000;
