//! Lists of algorithms as KexAlgorithms, HostKeyAlgorithms, Ciphers and MACs have them.

use super::pattern;

/// A list that leaves nothing, or that has a `!`, which means nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" leaves no algorithm to offer")]
pub struct NoAlgorithm(String);

/// What a list as written comes to: `+` adds to the defaults, `-` takes away from them, `^` puts in front of them, anything
/// else stands in their place. Names may be patterns, which stand for those of `all` that they match.
///
/// `all` is everything that can be spoken, `defaults` what is offered where nothing is configured. A name outside of `all` is
/// left out here, where ssh refuses the whole list: its names are not all known to us.
///
/// # Errors
/// Nothing is left of it.
pub fn resolve<'n>(written: &str, defaults: &[&'n str], all: &[&'n str]) -> Result<Vec<&'n str>, NoAlgorithm> {
    let nothing = || NoAlgorithm(written.to_owned());
    let matching = |list: &str| {
        let mut found: Vec<&'n str> = Vec::new();
        for wanted in list.split(',') {
            for name in all.iter().filter(|name| pattern::matches(name, wanted)) {
                if !found.contains(name) {
                    found.push(name);
                }
            }
        }
        found
    };
    let joined = |mut first: Vec<&'n str>, second: &[&'n str]| {
        for name in second {
            if !first.contains(name) {
                first.push(name);
            }
        }
        first
    };
    if let Some(denied) = written.strip_prefix('-') {
        return Ok(defaults.iter().copied().filter(|name| !pattern::list_matches(name, denied)).collect());
    }
    if written.split(',').any(|name| name.trim_start_matches(['+', '^']).starts_with('!')) {
        return Err(nothing());
    }
    let list = match (written.strip_prefix('+'), written.strip_prefix('^')) {
        (Some(added), _) => joined(defaults.to_vec(), &matching(added)),
        (None, Some(first)) => joined(matching(first), defaults),
        (None, None) => matching(written),
    };
    if list.is_empty() { Err(nothing()) } else { Ok(list) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_stand_alone_or_change_the_defaults() {
        let (defaults, all) = (["a1", "a2", "b1"], ["a1", "a2", "b1", "c1", "c2"]);
        let list = |written: &str| resolve(written, &defaults, &all).map(|list| list.join(" ")).unwrap_or_default();
        assert_eq!(list("c1,a1"), "c1 a1");
        assert_eq!(list("+c1"), "a1 a2 b1 c1");
        assert_eq!(list("+a1,c*"), "a1 a2 b1 c1 c2");
        assert_eq!(list("-a*"), "b1");
        assert_eq!(list("-*"), "");
        assert_eq!(list("^c2,b1"), "c2 b1 a1 a2");
        assert_eq!(list("c*,x"), "c1 c2");
        assert_eq!(list("x"), "");
        assert_eq!(list("!a1,*"), "");
    }
}
