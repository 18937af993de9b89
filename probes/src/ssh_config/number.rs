//! Numbers as ssh reads them: ports and times.

/// A whole number within limits, blanks and a sign before it allowed, as strtonum(3) reads one.
pub(super) fn whole(text: &str, most: u32) -> Option<u32> {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
    let (negative, digits) = digits.strip_prefix('-').map_or((false, digits), |digits| (true, digits));
    let digits = if negative { digits } else { digits.strip_prefix('+').unwrap_or(digits) };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u32 = digits.trim_start_matches('0').parse().or_else(|error| zero(digits, error)).ok()?;
    (number <= most && (!negative || number == 0)).then_some(number)
}

fn zero<E>(digits: &str, error: E) -> Result<u32, E> {
    if digits.bytes().all(|byte| byte == b'0') { Ok(0) } else { Err(error) }
}

/// A port by number. ssh looks names up in services(5); of these only its own is known here.
pub(super) fn port(text: &str) -> Option<u16> {
    let number = whole(text, u16::MAX.into()).and_then(|number| u16::try_from(number).ok());
    number.or((text == "ssh").then_some(22)).filter(|port| *port != 0)
}

/// A time in seconds: `90`, `1m30s`, units `s`, `m`, `h`, `d`, `w` in either case.
pub(super) fn seconds(text: &str) -> Option<u32> {
    const MOST: u32 = i32::MAX.unsigned_abs();
    let (mut rest, mut total) = (text, 0u32);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let start = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
        let digits = start.trim_start_matches(['+', '-']);
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let length = start.len().checked_sub(digits.len())?.checked_add(end)?;
        let (number, behind) = start.split_at_checked(length)?;
        let number = whole(number, MOST)?;
        let mut units = behind.chars();
        let unit = match units.next().map(|unit| unit.to_ascii_lowercase()) {
            None | Some('s') => 1,
            Some('m') => 60,
            Some('h') => 60 * 60,
            Some('d') => 24 * 60 * 60,
            Some('w') => 7 * 24 * 60 * 60,
            Some(_) => return None,
        };
        total = number.checked_mul(unit).and_then(|more| total.checked_add(more)).filter(|sum| *sum <= MOST)?;
        rest = units.as_str();
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        assert_eq!(
            ["22", " 22", "+22", "0022", "ssh", "65535"].map(port).map(Option::unwrap_or_default),
            [22, 22, 22, 22, 22, 65535]
        );
        assert_eq!(["0", "-1", "65536", "22 ", "0x16", "", "-0", "99999999999"].map(port), [None; 8]);
    }

    #[test]
    fn times() {
        for (text, value) in [
            ("0", Some(0)),
            ("90", Some(90)),
            ("1m30s", Some(90)),
            ("1M30", Some(90)),
            ("1h", Some(3600)),
            ("1d1w", Some(691_200)),
            ("2147483647", Some(2_147_483_647)),
            ("2147483648", None),
            ("40000w", None),
            ("5x", None),
            ("m", None),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("1 ", None),
        ] {
            assert_eq!(seconds(text), value, "{text}");
        }
    }
}
