//! Software: what an identification line says about its sender.

use super::pattern::Hole;
use super::rule::Rules;
use crate::diagnose::Confidence;
use crate::evidence::Identification;

/// What an identification line says about its sender. Nothing here is proof: the line is the operator's to choose.
///
/// Absent means that the line does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Software {
    /// The program, for example `OpenSSH`.
    pub product: Option<&'static str>,
    /// Who makes it.
    pub vendor: Option<&'static str>,
    /// The version as reported. Distributions fix holes without changing it, so it never proves a hole open: see
    /// [`Software::patch_level`].
    pub version: Option<String>,
    /// The operating system or distribution, with its release where the line tells, for example `Debian 12`.
    pub os: Option<String>,
    /// The family of devices that identify themselves so.
    pub device: Option<&'static str>,
    /// The revision of the distribution's package, for example `2+deb12u10`.
    pub package: Option<String>,
    /// The patch level that the distribution counts: the 10 of `deb12u10`.
    pub level: Option<u32>,
    /// How far product and version can be trusted.
    pub confidence: Option<Confidence>,
    /// How far system and device can be trusted. `low` is a guess, and `note` says so.
    pub os_confidence: Option<Confidence>,
    /// A honeypot is known to send this very line. Real servers do too: alone it counts for nothing.
    pub honeypot: Option<&'static str>,
    /// What a reader has to know to take the rest for no more than it is.
    pub note: Option<&'static str>,
}

/// What an identification tells about the fixes its sender has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchLevel<'s> {
    /// The revision of a distribution's package, which that distribution's advisories can be compared with.
    Package(&'s str),
    /// Only a version was reported: which holes are fixed cannot be known from it.
    Unknowable,
}

impl Software {
    /// What can be said about the fixes the server has.
    #[must_use]
    pub fn patch_level(&self) -> PatchLevel<'_> {
        self.package.as_deref().map_or(PatchLevel::Unknowable, PatchLevel::Package)
    }

    /// What later patch levels of the same package fixed and this one has not, oldest first, as far as the table goes.
    /// Empty where the patch level is unknowable or the distribution's levels are not in the table.
    #[must_use]
    pub fn lacks(&self) -> Vec<&'static str> {
        // The first release of a package has no level in its line and lacks everything.
        let level = match (self.level, self.patch_level()) {
            (Some(level), _) => Some(level),
            (None, PatchLevel::Package(package)) if package.bytes().all(|byte| byte.is_ascii_digit()) => Some(0),
            _ => None,
        };
        let later = Rules::all().levels.iter().filter(move |known| {
            let same = self.os.as_deref() == Some(known.os) && self.version.as_deref() == Some(known.version);
            same && level.is_some_and(|level| level < known.level)
        });
        later.flat_map(|known| known.fixes.iter().copied()).collect()
    }

    /// The server claims to be OpenSSH.
    #[must_use]
    pub fn is_openssh(&self) -> bool {
        self.product == Some("OpenSSH")
    }
}

/// How much of a line the rules look at: what RFC 4253 section 4.2 allows in all. Nothing known is longer.
const LOOKED_AT: usize = 255;

/// What the identification line says about its sender. Costs well under a microsecond; a line no rule knows yields nothing.
#[must_use]
pub fn identify(ident: &Identification) -> Software {
    let line = ident.raw.strip_prefix(b"SSH-").unwrap_or_default();
    let mut halves = line.splitn(2, |byte| *byte == b'-');
    let (proto, line) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let line = line.get(..LOOKED_AT).unwrap_or(line).trim_ascii_end();
    let Some((rule, captures)) = Rules::all().find(proto, line) else { return Software::default() };
    let (os, device) = (rule.os.as_ref().and_then(|os| os.fill(&captures)), rule.device);
    Software {
        product: rule.product,
        vendor: rule.vendor,
        version: rule.version.as_ref().and_then(|version| version.fill(&captures)),
        package: rule.package.as_ref().and_then(|package| package.fill(&captures)),
        level: rule.level.or_else(|| captures.of(Hole::Level).and_then(|level| level.parse().ok())),
        confidence: Some(rule.confidence),
        os_confidence: (os.is_some() || device.is_some()).then_some(rule.os_confidence),
        honeypot: rule.honeypot,
        note: rule.note,
        os,
        device,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::rule::{Rule, TABLE};
    use super::*;
    use crate::rules::load;
    use proptest::prelude::*;

    fn ident(line: &str) -> Identification {
        Identification { raw: line.as_bytes().to_vec() }
    }

    fn claimant(line: &str) -> Option<&'static Rule> {
        let line = ident(line);
        let after = line.raw.splitn(3, |byte| *byte == b'-').nth(2).unwrap();
        Rules::all().find(line.proto(), after.trim_ascii_end()).map(|(rule, _)| rule)
    }

    #[test]
    fn the_table_is_well_formed() {
        let rules: Rules = load(TABLE).unwrap_or_else(|error| panic!("rules/software.toml, {error}"));
        assert!(rules.software().len() > 100);
    }

    /// Every rule claims its examples with exactly the fields given: none stands in the shadow of an earlier one.
    #[test]
    fn every_rule_claims_its_examples() {
        for rule in Rules::all().software() {
            assert!(!rule.examples.is_empty(), "{rule:?}");
            for example in &rule.examples {
                let claimant = claimant(example.line).unwrap_or_else(|| panic!("no rule claims {}", example.line));
                assert!(std::ptr::eq(claimant, rule), "{} is claimed by {claimant:?}", example.line);
                let software = identify(&ident(example.line));
                let known = (software.product, software.vendor, software.device, software.note, software.honeypot);
                assert_eq!(
                    known,
                    (rule.product, rule.vendor, rule.device, rule.note, rule.honeypot),
                    "{}",
                    example.line
                );
                assert_eq!(software.version.as_deref(), example.version, "{}", example.line);
                assert_eq!(software.os.as_deref(), example.os, "{}", example.line);
                assert_eq!(software.package.as_deref(), example.package, "{}", example.line);
                assert_eq!(software.level, example.level, "{}", example.line);
                assert_eq!(software.confidence, Some(rule.confidence), "{}", example.line);
                let says_where = rule.os.is_some() || rule.device.is_some();
                assert_eq!(software.os_confidence, says_where.then_some(rule.os_confidence), "{}", example.line);
            }
        }
    }

    #[test]
    fn no_rule_claims_its_counter_examples() {
        for rule in Rules::all().software() {
            for line in &rule.not {
                assert!(!claimant(line).is_some_and(|claimant| std::ptr::eq(claimant, rule)), "{line}");
            }
        }
        let counted = Rules::all().software().iter().filter(|rule| !rule.not.is_empty()).count();
        assert!(counted * 10 > Rules::all().software().len() * 9, "nearly every rule has a counter-example");
    }

    /// A guess says that it is one.
    #[test]
    fn guesses_about_versions_that_many_send_carry_a_note() {
        for rule in Rules::all().software().iter().filter(|rule| rule.product == Some("OpenSSH")) {
            if rule.os.is_some() && rule.os_confidence == Confidence::Low && rule.package.is_none() {
                assert!(rule.note.is_some_and(|note| note.contains("guess")), "{rule:?}");
            }
        }
        let bare = identify(&ident("SSH-2.0-OpenSSH_8.7"));
        assert_eq!((bare.confidence, bare.os_confidence), (Some(Confidence::High), Some(Confidence::Low)));
        assert_eq!(bare.patch_level(), PatchLevel::Unknowable);
        assert_eq!(bare.lacks(), [""; 0], "an upstream version is a report, not a verdict");
    }

    #[test]
    fn the_patch_level_tells_what_a_distribution_has_fixed_since() {
        let at = |line| identify(&ident(line));
        assert_eq!(at("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10").lacks(), [""; 0]);
        assert_eq!(at("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u9").lacks().len(), 5);
        let third = at("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3").lacks();
        assert!(
            !third.iter().any(|fix| fix.contains("CVE-2024-6387")) && third.contains(&"CVE-2025-26465"),
            "{third:?}"
        );
        let first = at("SSH-2.0-OpenSSH_9.2p1 Debian-2").lacks();
        assert!(first.contains(&"CVE-2023-38408"), "{first:?}");
        assert_eq!(at("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3").patch_level(), PatchLevel::Package("2+deb12u3"));
        assert_eq!(at("SSH-2.0-OpenSSH_9.2p1").lacks(), [""; 0], "unknowable");
        assert_eq!(at("SSH-2.0-OpenSSH_8.4p1 Debian-5+deb11u1").lacks(), [""; 0], "not in the table");
        let levels: BTreeSet<_> = Rules::all().levels.iter().map(|level| (level.os, level.level)).collect();
        assert_eq!(levels.len(), Rules::all().levels.len());
    }

    #[test]
    fn unknown_lines_say_nothing() {
        for line in ["SSH-2.0-", "SSH-2.0", "SSH-2.0-no_such_server", "SSH-2.0- ", "", "SSH-1.5-1.2.27"] {
            assert_eq!(identify(&ident(line)), Software::default(), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn no_line_upsets_the_rules(bytes in proptest::collection::vec(any::<u8>(), 0..400), tail in "[ -~]{0,40}") {
            let _ = identify(&Identification { raw: [b"SSH-2.0-".as_slice(), &bytes].concat() });
            let _ = identify(&Identification { raw: format!("SSH-2.0-OpenSSH_{tail}").into_bytes() });
        }
    }
}
