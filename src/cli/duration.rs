//! Durations as the command line writes them: `500ms`, `8s`, `2m`, or plain seconds.

use std::time::Duration;

/// The longest duration taken: beyond a day no sweep is meant, and a typo is.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Parses a duration: digits with an optional fraction, then `us`, `ms`, `s`, `m`, `h` or nothing (seconds).
///
/// # Errors
/// Says what is wrong with the text and how a duration is written; one line, without the text itself.
pub fn parse(text: &str) -> Result<Duration, String> {
    const HOW: &str = "write a duration like 500ms, 8s, 2m or plain seconds";
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("is empty; {HOW}"));
    }
    if text.starts_with('-') {
        return Err(format!("is not a duration, as time cannot be negative; {HOW}"));
    }
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let micros: u64 = match unit.trim_start() {
        "us" => 1,
        "ms" => 1_000,
        "" | "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        _ => return Err(format!("is not a duration; {HOW}")),
    };
    let span = scale(number, micros).ok_or_else(|| format!("is not a duration; {HOW}"))?;
    if span > LONGEST {
        return Err(String::from("is longer than 24h"));
    }
    Ok(span)
}

/// `number` times `micros` microseconds, exactly: a fraction finer than a microsecond is cut off.
fn scale(number: &str, micros: u64) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut total = whole.checked_mul(micros)?;
    let mut place = micros;
    for digit in fraction.chars() {
        place /= 10;
        total = total.checked_add(u64::from(digit.to_digit(10)?) * place)?;
    }
    Some(Duration::from_micros(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (text, micros) in [
            ("500ms", 500_000),
            ("8s", 8_000_000),
            ("2m", 120_000_000),
            ("1h", 3_600_000_000),
            ("7", 7_000_000),
            ("1.2s", 1_200_000),
            (".5", 500_000),
            ("1.", 1_000_000),
            ("0", 0),
            ("250us", 250),
            ("1.0000009s", 1_000_000),
            ("24h", 86_400_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_remedy() {
        for text in ["s", "", "5x", "1.2.3", ".", "5 5", "soon", "1e3", "99999999999999999999", "18446744073709551615m"]
        {
            let error = parse(text).expect_err(text);
            assert!(error.contains("write a duration like 500ms, 8s, 2m or plain seconds"), "{text}: {error}");
        }
        assert!(parse("-1s").expect_err("negative").starts_with("is not a duration, as time cannot be negative"));
        assert_eq!(parse("25h"), Err(String::from("is longer than 24h")));
    }
}
