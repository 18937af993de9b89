//! Durations and counts as a person reads them.

use std::time::Duration;

/// Writes a duration for a person: the unit that keeps it short, at most one decimal.
#[must_use]
pub fn show(span: Duration) -> String {
    let micros = span.as_micros();
    let round = |unit: u128| (micros + unit / 2) / unit;
    match micros {
        0 => String::from("0s"),
        1..1_000 => format!("{micros}us"),
        1_000..9_950 => tenths(round(100), "ms"),
        9_950..999_500 => format!("{}ms", round(1_000)),
        999_500..59_950_000 => tenths(round(100_000), "s"),
        59_950_000..3_599_500_000 => pair(round(1_000_000), "m", "s"),
        _ => pair(round(60_000_000), "h", "m"),
    }
}

fn tenths(tenths: u128, unit: &str) -> String {
    if tenths.is_multiple_of(10) {
        format!("{}{unit}", tenths / 10)
    } else {
        format!("{}.{}{unit}", tenths / 10, tenths % 10)
    }
}

fn pair(small: u128, large_unit: &str, small_unit: &str) -> String {
    match (small / 60, small % 60) {
        (large, 0) => format!("{large}{large_unit}"),
        (large, rest) => format!("{large}{large_unit}{rest:02}{small_unit}"),
    }
}

/// A count with its thousands set apart: `16,777,216`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count and its noun: `1 target`, `2,000 targets`.
#[must_use]
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// How many connections were made, of which so many to hosts on the way.
#[must_use]
pub fn connections(to_targets: u64, to_jump_hosts: u64) -> String {
    let all = counted(to_targets.saturating_add(to_jump_hosts), "connection");
    match to_jump_hosts {
        0 => all,
        n => format!("{all}, {} of them to jump hosts", count(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_and_carry_their_unit() {
        for (micros, text) in [
            (0, "0s"),
            (999, "999us"),
            (1_234, "1.2ms"),
            (2_000, "2ms"),
            (9_980, "10ms"),
            (500_000, "500ms"),
            (999_999, "1s"),
            (3_500_000, "3.5s"),
            (59_990_000, "1m"),
            (61_000_000, "1m01s"),
            (120_000_000, "2m"),
            (3_660_000_000, "1h01m"),
        ] {
            assert_eq!(show(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1_000, 16_777_216].map(count), ["0", "999", "1,000", "16,777,216"]);
        assert_eq!(counted(1, "target"), "1 target");
        assert_eq!(counted(2_000, "target"), "2,000 targets");
        assert_eq!(connections(1, 0), "1 connection");
        assert_eq!(connections(1, 2_000), "2,001 connections, 2,000 of them to jump hosts");
    }
}
