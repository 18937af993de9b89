use super::*;
use std::collections::BTreeSet;
use std::io::{Cursor, Write};

use proptest::prelude::*;
use sshprobe_probes::target::Target;

use crate::target::{Order, Sources};

/// Expressions of every kind in a world so small that they overlap.
fn expressions() -> impl Strategy<Value = Vec<String>> {
    let hosts = prop_oneof![
        (0u8..30).prop_map(|d| format!("10.0.0.{d}")),
        (0u8..30, 0u8..20).prop_map(|(d, n)| format!("10.0.0.{d}-{}", d + n)),
        (0u8..=255, 26u8..=31).prop_map(|(d, length)| format!("10.0.0.{d}/{length}")),
        (0u16..12, 122u8..=127).prop_map(|(d, length)| format!("[2001:db8::{d:x}]/{length}")),
        (0u8..5).prop_map(|n| format!("host{n}")),
    ];
    let one = (hosts, proptest::collection::btree_set(20u16..25, 0..3)).prop_map(|(host, ports)| {
        let ports = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
        if ports.is_empty() { host } else { format!("{host}:{ports}") }
    });
    proptest::collection::vec(one, 0..6)
}

/// What a machine gets of targets from the command line, a file and stdin.
fn targets(
    from: &[Vec<String>; 3],
    excluded: &[String],
    share: Share,
    seed: u64,
) -> Option<(Vec<Target>, Option<u64>)> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{}\nhost9", from[1].join("\n")).unwrap();
    let sources = Sources {
        targets: from[0].clone(),
        files: vec![file.path().into(), "-".into()],
        exclude: excluded.to_vec(),
        order: Order::Random { seed },
        share,
        ..Sources::default()
    };
    let mut targets = sources.open_with(Box::new(Cursor::new(from[2].join("\n").into_bytes()))).ok()?;
    let given = targets.by_ref().filter_map(Result::ok).collect();
    Some((given, targets.total()))
}

#[test]
fn shares_are_written_as_they_are_read() {
    for text in ["1/1", "2/7", "7/7", "18446744073709551615/18446744073709551615"] {
        assert_eq!(text.parse::<Share>().unwrap().to_string(), text);
    }
    assert!(!Share::WHOLE.is_part() && Share::new(1, 2).unwrap().is_part());
    for (text, error) in [
        ("0/7", "begins at 0; the first share is 1/7"),
        ("8/7", "is not one of 7 shares: the last is 7/7"),
        ("1/0", "has no share at all; the number behind the slash is how many there are"),
        ("3", "is not two numbers with a slash between them, like 2/7"),
        ("1/2/3", "is not two numbers with a slash between them, like 2/7"),
        ("+1/2", "is not two numbers with a slash between them, like 2/7"),
        ("/", "is not two numbers with a slash between them, like 2/7"),
    ] {
        assert_eq!(text.parse::<Share>().unwrap_err(), error, "{text}");
    }
}

/// Of a /8 the seventh part comes shuffled and at once: nothing is walked over to find it.
#[test]
fn a_share_of_a_slash_8_is_shuffled() {
    let sources =
        Sources { targets: vec!["10.0.0.0/8".into()], share: Share::new(7, 7).unwrap(), ..Sources::default() };
    let mut targets = sources.open().unwrap();
    assert_eq!(targets.total(), Some((1 << 24) / 7));
    let first: Vec<u64> = targets.by_ref().take(1000).map(|target| target.unwrap().index).collect();
    assert!(first.iter().all(|index| index % 7 == 6));
    assert!(
        !first.is_sorted() && first.iter().any(|index| *index > 1 << 23) && first.iter().any(|index| *index < 1 << 22)
    );
    assert_eq!(targets.count(), (1 << 24) / 7 - 1000);
}

/// A share may be empty, where there are more machines than targets; that is no error.
#[test]
fn an_empty_share_is_no_error() {
    let sources =
        Sources { targets: vec!["a".into(), "b".into()], share: Share::new(3, 3).unwrap(), ..Sources::default() };
    let mut targets = sources.open().unwrap();
    assert_eq!((targets.total(), targets.next()), (Some(0), None));
}

#[test]
fn the_ends_hold() {
    let last = Share::new(u64::MAX, u64::MAX).unwrap();
    assert_eq!((last.count(0, u64::MAX), last.offset(0, 0), last.offset(1, 3)), (1, u64::MAX - 1, u64::MAX));
    assert_eq!((Share::WHOLE.count(7, u64::MAX), Share::WHOLE.offset(7, u64::MAX)), (u64::MAX, u64::MAX));
    assert_eq!(Share::WHOLE.count(0, 0), 0);
}

proptest! {
    /// The union of all shares is the whole and no target is in two of them, though every machine shuffles by a seed of its own.
    /// Each target keeps the index, the input and all else that it has in the whole.
    #[test]
    fn shares_are_a_partition(
        from in [expressions(), expressions(), expressions()],
        excluded in expressions(),
        of in 1u64..10,
        seed: u64,
    ) {
        let (whole, total) = targets(&from, &excluded, Share::WHOLE, seed).unwrap();
        prop_assert_eq!(total, Some(whole.len() as u64));
        let mut whole: Vec<Target> = whole;
        whole.sort_by_key(|target| target.index);
        let mut union = Vec::new();
        for nth in 1..=of {
            let share = Share::new(nth, of).unwrap();
            let (part, total) = targets(&from, &excluded, share, seed.wrapping_add(nth)).unwrap();
            prop_assert_eq!(total, Some(part.len() as u64));
            prop_assert!(part.iter().all(|target| share.has(target.index)));
            prop_assert!(part.len().abs_diff(whole.len() / usize::try_from(of).unwrap()) <= 1, "shares are of one size");
            union.extend(part);
        }
        let indices: BTreeSet<u64> = union.iter().map(|target| target.index).collect();
        prop_assert_eq!(indices.len(), union.len(), "a target is in two shares");
        union.sort_by_key(|target| target.index);
        prop_assert_eq!(union, whole);
    }

    #[test]
    fn counting_is_what_walking_gives(start in 0u64..500, len in 0u64..200, of in 1u64..40, nth in 0u64..40) {
        let share = Share::new(nth % of + 1, of).unwrap();
        let walked: Vec<u64> = (start..start + len).filter(|index| share.has(*index)).collect();
        prop_assert_eq!(share.count(start, len), walked.len() as u64);
        for (n, index) in walked.into_iter().enumerate() {
            prop_assert_eq!(start + share.offset(start, n as u64), index);
        }
    }
}
