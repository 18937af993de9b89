//! Patterns of Host and Match: `*`, `?`, lists with negation.

use crate::glob;

/// The longest pattern in a list that ssh looks at; with a longer one the whole list matches nothing.
const LONGEST: usize = 1023;

/// Whether a pattern matches all of a name.
pub(super) fn matches(name: &str, pattern: &str) -> bool {
    glob::matches(name.as_bytes(), pattern.as_bytes(), |wanted, byte| wanted == byte)
}

/// Whether a list (`a*,!ab`) matches: one of its patterns does, and none that is negated.
pub(super) fn list_matches(name: &str, list: &str) -> bool {
    let mut found = false;
    // ssh takes an empty list for no pattern, and a comma at the end for none behind it.
    let list = list.strip_suffix(',').unwrap_or(list);
    if list.is_empty() {
        return false;
    }
    for pattern in list.split(',') {
        let (negated, pattern) = pattern.strip_prefix('!').map_or((false, pattern), |pattern| (true, pattern));
        if pattern.len() >= LONGEST {
            return false;
        }
        if matches(name, pattern) {
            if negated {
                return false;
            }
            found = true;
        }
    }
    found
}

/// The same for host names, which have no case.
pub(super) fn host_list_matches(name: &str, list: &str) -> bool {
    list_matches(&name.to_ascii_lowercase(), &list.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, yes, no) in [
            ("*", &["", "a", "a.b"][..], &[][..]),
            ("a*c", &["ac", "abc", "acc"], &["a", "acb"]),
            ("?", &["a"], &["", "ab"]),
            ("*.example", &["a.example", ".example"], &["example"]),
            ("*a*b*", &["ab", "xaxbx"], &["ba"]),
            ("", &[""], &["a"]),
        ] {
            assert!(yes.iter().all(|name| matches(name, pattern)), "{pattern}");
            assert!(!no.iter().any(|name| matches(name, pattern)), "{pattern}");
        }
    }

    #[test]
    fn a_negated_pattern_outweighs_the_others_of_its_list() {
        assert!(list_matches("a", "b,a"));
        assert!(!list_matches("a", "*,!a"));
        assert!(!list_matches("a", "!a,*"));
        assert!(!list_matches("b", "!a"));
        assert!(!list_matches("A", "a"));
        assert!(host_list_matches("A.Example", "*.EXAMPLE"));
        assert!(!list_matches("a", &format!("{},a", "x".repeat(2000))));
    }
}
