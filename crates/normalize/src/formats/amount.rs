//! Amounts as vendors write them: decimal text to minor units, prices as facts.

use throughline_model::touchpoint::{Money, Text};

use crate::blank::{is_blank, trim};

/// Minor units of a decimal amount (`"409.94"`, `-10`, `1e2` is not one) in its currency; digits beyond the smallest unit
/// are rounded half away from zero. `None` if it is not a decimal number or does not fit.
#[must_use]
pub fn minor_units(amount: &str, currency: &str) -> Option<i64> {
    let text = trim(amount);
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || !(whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let places = exponent(currency);
    let mut units: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    for at in 0..places {
        let digit = fraction.as_bytes().get(at).map_or(0, |byte| i64::from(byte - b'0'));
        units = units.checked_mul(10)?.checked_add(digit)?;
    }
    if fraction.as_bytes().get(places).is_some_and(|byte| *byte >= b'5') {
        units = units.checked_add(1)?;
    }
    Some(if negative { -units } else { units })
}

/// Money of an amount and a currency, if both are there. The sign is dropped: refunds are written with either one.
#[must_use]
pub fn money<'a>(amount: &str, currency: impl Into<Text<'a>>) -> Option<Money<'a>> {
    let currency = currency.into();
    if is_blank(&currency) {
        return None;
    }
    let amount_minor = minor_units(amount, &currency)?.checked_abs()?;
    Some(Money { amount_minor, currency })
}

/// A price as facts carry it: `12.00 EUR`, with the decimals of the currency, so that equal prices are equal text.
#[must_use]
pub fn price(amount: &str, currency: &str) -> Option<String> {
    let units = minor_units(amount, currency)?;
    if is_blank(currency) {
        return None;
    }
    let places = exponent(currency);
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(units.unsigned_abs());
    let mut text = String::with_capacity(digits.len() + places + currency.len() + 3);
    if units < 0 {
        text.push('-');
    }
    if digits.len() <= places {
        text.push_str("0.");
        text.extend(std::iter::repeat_n('0', places - digits.len()));
        text.push_str(digits);
    } else {
        let (whole, fraction) = digits.split_at(digits.len() - places);
        text.push_str(whole);
        if places > 0 {
            text.push('.');
            text.push_str(fraction);
        }
    }
    text.push(' ');
    text.push_str(currency);
    Some(text)
}

/// Decimal places of a currency (ISO 4217); two unless listed.
fn exponent(currency: &str) -> usize {
    let Ok(code) = <[u8; 3]>::try_from(trim(currency).as_bytes()) else { return 2 };
    match &code.to_ascii_uppercase()[..] {
        b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX" | b"VND"
        | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
        b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_become_minor_units_of_their_currency() {
        for (amount, currency, units) in [
            ("409.94", "USD", Some(40_994)),
            ("10", "EUR", Some(1_000)),
            ("-21.99", "EUR", Some(-2_199)),
            (".5", "USD", Some(50)),
            ("1200.00", "JPY", Some(1_200)),
            ("1.2345", "KWD", Some(1_235)),
            ("0.005", "USD", Some(1)),
            ("", "USD", None),
            ("-", "USD", None),
            ("ten", "USD", None),
            ("99999999999999999999", "USD", None),
        ] {
            assert_eq!(minor_units(amount, currency), units, "{amount} {currency}");
        }
    }

    #[test]
    fn prices_are_written_alike() {
        assert_eq!(price("12", "EUR").as_deref(), Some("12.00 EUR"));
        assert_eq!(price("12.5", "EUR").as_deref(), Some("12.50 EUR"));
        assert_eq!(price("-0.05", "EUR").as_deref(), Some("-0.05 EUR"));
        assert_eq!(price("1234567.891", "kwd").as_deref(), Some("1234567.891 kwd"));
        assert_eq!(price("0", "EUR").as_deref(), Some("0.00 EUR"));
        assert_eq!(price("0.5", " eur").as_deref(), Some("0.50  eur"));
        assert_eq!(price("0", "JPY").as_deref(), Some("0 JPY"));
        assert_eq!(price("300", "JPY").as_deref(), Some("300 JPY"));
        assert_eq!(price("12", ""), None);
        assert_eq!(money("-10.00", "USD").map(|money| money.amount_minor), Some(1_000));
    }
}
