use super::CanonError;
use crate::Number;

/// ECMAScript's `Number::toString` (ECMA-262, 6.1.6.1.20) of the nearest double.
pub(super) fn write_ecmascript(out: &mut Vec<u8>, number: &Number) {
    if let Some(integer) = safe_integer(number) {
        return write_integer(out, integer);
    }
    let float = number.as_f64();
    let Decimal { digits, point } = Decimal::of(float);
    if float < 0.0 {
        out.push(b'-');
    }
    match point {
        -5..=21 => write_positional(out, &digits, point),
        _ => {
            write_scientific(out, &digits);
            let exponent = point.saturating_sub(1);
            out.push(if exponent < 0 { b'-' } else { b'+' });
            out.extend_from_slice(exponent.unsigned_abs().to_string().as_bytes());
        }
    }
}

/// Python's `repr`: integers as they are, everything else as a float.
pub(super) fn write_python(out: &mut Vec<u8>, number: &Number) {
    if number.is_integer_spelling() {
        let spelling = match number.as_str() {
            "-0" => "0",
            spelling => spelling,
        };
        return out.extend_from_slice(spelling.as_bytes());
    }
    let float = number.as_f64();
    let Decimal { digits, point } = Decimal::of(float);
    // Unlike ECMAScript, Python shows the sign of zero.
    if float.is_sign_negative() {
        out.push(b'-');
    }
    match point {
        -3..=16 => {
            write_positional(out, &digits, point);
            if usize::try_from(point).is_ok_and(|point| point >= digits.len()) {
                out.extend_from_slice(b".0");
            }
        }
        _ => {
            write_scientific(out, &digits);
            let exponent = point.saturating_sub(1);
            out.push(if exponent < 0 { b'-' } else { b'+' });
            out.extend_from_slice(format!("{:02}", exponent.unsigned_abs()).as_bytes());
        }
    }
}

/// An integer within ±(2^53−1), spelled as one; `-0` is `0`.
pub(super) fn write_safe_integer(out: &mut Vec<u8>, number: &Number) -> Result<(), CanonError> {
    if !number.is_integer_spelling() {
        return Err(CanonError::Fraction(number.clone()));
    }
    let integer = safe_integer(number).ok_or_else(|| CanonError::Integer(number.clone()))?;
    write_integer(out, integer);
    Ok(())
}

fn safe_integer(number: &Number) -> Option<i64> {
    number
        .as_i64()
        .filter(|integer| integer.unsigned_abs() <= MAX_SAFE_INTEGER)
}

fn write_integer(out: &mut Vec<u8>, integer: i64) {
    out.extend_from_slice(integer.to_string().as_bytes());
}

/// The shortest digits that read back as the same double, its sign left out: 0.`digits` × 10^`point`.
struct Decimal {
    digits: String,
    point: i32,
}

impl Decimal {
    fn of(float: f64) -> Self {
        let float = float.abs();
        let shortest = format!("{float:e}");
        let fraction_digits = mantissa_and_exponent(&shortest).0.len().saturating_sub(2);
        // Of two spellings equally short and equally near, Rust's shortest may end in the odd digit,
        // and both forms want the even one. Rounding the exact value does that; but next to a power
        // of two the rounded spelling may be another double, and then there is no tie.
        let rounded = format!("{float:.fraction_digits$e}");
        let same = rounded.parse() == Ok(float);
        let (mantissa, exponent) = mantissa_and_exponent(if same { &rounded } else { &shortest });
        Self {
            digits: mantissa.chars().filter(char::is_ascii_digit).collect(),
            point: exponent.saturating_add(1),
        }
    }
}

/// Takes `d.ddde±x` apart.
fn mantissa_and_exponent(text: &str) -> (&str, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, ""));
    (mantissa, exponent.parse().unwrap_or_default())
}

fn write_positional(out: &mut Vec<u8>, digits: &str, point: i32) {
    match usize::try_from(point) {
        Err(_) | Ok(0) => {
            let zeros = usize::try_from(point.unsigned_abs()).unwrap_or_default();
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', zeros));
            out.extend_from_slice(digits.as_bytes());
        }
        Ok(point) => match digits.split_at_checked(point) {
            Some((whole, fraction)) => {
                out.extend_from_slice(whole.as_bytes());
                if !fraction.is_empty() {
                    out.push(b'.');
                    out.extend_from_slice(fraction.as_bytes());
                }
            }
            None => {
                let zeros = point.saturating_sub(digits.len());
                out.extend_from_slice(digits.as_bytes());
                out.extend(std::iter::repeat_n(b'0', zeros));
            }
        },
    }
}

/// `d.ddde`: the exponent is the caller's.
fn write_scientific(out: &mut Vec<u8>, digits: &str) {
    let (first, fraction) = digits.split_at_checked(1).unwrap_or((digits, ""));
    out.extend_from_slice(first.as_bytes());
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction.as_bytes());
    }
    out.push(b'e');
}

const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
