//! Comma lists of host patterns: `*`, `?` and `!`.

use crate::glob;

/// From this many bytes on a pattern makes OpenSSH give up its whole list, as if nothing had matched.
pub(super) const PATTERN_MAX: usize = 1023;

/// One pattern of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pattern<'a> {
    /// A host that matches it is not meant by the line, whatever else matches.
    pub(super) negated: bool,
    pub(super) text: &'a [u8],
}

impl Pattern<'_> {
    /// It means exactly one name.
    pub(super) fn is_literal(self) -> bool {
        !self.negated && !self.text.iter().any(|byte| matches!(byte, b'*' | b'?'))
    }
}

/// The patterns of a list, in order. Only one `!` negates; a comma at the end adds nothing, others may part empty patterns,
/// which match the empty name.
pub(super) fn patterns(list: &[u8]) -> impl Iterator<Item = Pattern<'_>> {
    let list = list.strip_suffix(b",").unwrap_or(list);
    list.split(|byte| *byte == b',').map(|text| match text.strip_prefix(b"!") {
        Some(text) => Pattern { negated: true, text },
        None => Pattern { negated: false, text },
    })
}

/// Whether a line with this list speaks of `name`, which is in lower case. A negated match outweighs all others.
pub(super) fn list_matches(name: &[u8], list: &[u8]) -> bool {
    let mut matched = false;
    for pattern in patterns(list) {
        if pattern.text.len() >= PATTERN_MAX {
            return false;
        }
        if matches(name, pattern.text) {
            if pattern.negated {
                return false;
            }
            matched = true;
        }
    }
    matched
}

/// Whether one pattern matches all of `name`. The pattern's letters may be of either case.
pub(super) fn matches(name: &[u8], pattern: &[u8]) -> bool {
    glob::matches(name, pattern, |wanted, byte| wanted.to_ascii_lowercase() == byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the words of the manual say, without a thought for time.
    fn slow(name: &[u8], pattern: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|taken| slow(&name[taken..], rest)),
            Some((b'?', rest)) => !name.is_empty() && slow(&name[1..], rest),
            Some((byte, rest)) => name.first() == Some(&byte.to_ascii_lowercase()) && slow(&name[1..], rest),
        }
    }

    #[test]
    fn wildcards_match_within_brackets_and_over_dots() {
        for (name, pattern) in [
            ("host.example", "*.example"),
            ("host.example", "HOST.*"),
            ("host.example", "h?st.example"),
            ("[host]:2222", "[h*]:2222"),
            ("[host]:2222", "[host]:*"),
            ("[host]:2222", "*"),
            ("", "*"),
            ("", ""),
        ] {
            assert!(matches(name.as_bytes(), pattern.as_bytes()), "{name} {pattern}");
        }
        for (name, pattern) in
            [("host", "hos"), ("hos", "host"), ("host", "?"), ("", "?"), ("[host]:2222", "host:2222")]
        {
            assert!(!matches(name.as_bytes(), pattern.as_bytes()), "{name} {pattern}");
        }
    }

    #[test]
    fn a_negated_match_outweighs_all_others() {
        assert!(list_matches(b"a", b"*,!b"));
        assert!(!list_matches(b"b", b"*,!b"));
        assert!(!list_matches(b"b", b"!b,*"));
        assert!(!list_matches(b"c", b"!b"));
        assert!(list_matches(b"!b", b"c,*"));
        assert!(!list_matches(b"!b", b"!!b,*"));
        assert!(list_matches(b"", b"a,,b") && !list_matches(b"", b"a,"));
    }

    #[test]
    fn a_pattern_too_long_for_openssh_ends_its_list() {
        let long = |length: usize| [&b"a,"[..], &vec![b'x'; length]].concat();
        assert!(list_matches(b"a", &long(PATTERN_MAX - 1)));
        assert!(!list_matches(b"a", &long(PATTERN_MAX)));
    }

    #[test]
    fn a_pattern_made_to_keep_a_matcher_busy_does_not() {
        assert!(!matches(&[b'a'; 4000], &[&b"*a".repeat(400)[..], b"b"].concat()));
    }

    proptest! {
        #[test]
        fn the_quick_way_is_the_slow_way(name in "[ab!.]{0,8}", pattern in "[abAB*?!.]{0,8}") {
            prop_assert_eq!(matches(name.as_bytes(), pattern.as_bytes()), slow(name.as_bytes(), pattern.as_bytes()));
        }
    }
}
