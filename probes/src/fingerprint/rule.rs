//! `rules/software.toml` as it is used: compiled once, at first use, and sorted by the byte a line begins with.

use std::sync::OnceLock;

use toml_span::de_helpers::TableHelper;
use toml_span::value::Value;
use toml_span::{DeserError, Deserialize};

use super::pattern::{Captures, Comment, Hole, Key, Pattern, Template};
use crate::diagnose::Confidence;
use crate::rules::{Text, Texts, load, malformed};

/// The table, as text.
pub(super) static TABLE: &str = include_str!("../../rules/software.toml");

/// Where a rule's knowledge comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Basis {
    /// Seen live.
    Measured,
    /// Read in the program's source.
    Source,
    /// A public record of identifications.
    Public,
    /// General knowledge, not checked: never more than a guess.
    General,
}

impl Basis {
    const fn confidence(self) -> Confidence {
        match self {
            Basis::Measured | Basis::Source | Basis::Public => Confidence::High,
            Basis::General => Confidence::Low,
        }
    }
}

/// One line of the field that a rule was made for, and what has to come out of it.
#[cfg(test)]
#[derive(Debug)]
pub(super) struct Example {
    pub(super) line: &'static str,
    pub(super) version: Option<&'static str>,
    pub(super) os: Option<&'static str>,
    pub(super) package: Option<&'static str>,
    pub(super) level: Option<u32>,
}

/// A `[[software]]` rule.
#[derive(Debug)]
pub(super) struct Rule {
    patterns: Vec<Pattern>,
    proto: Option<&'static str>,
    from: Option<(u16, u16)>,
    pub(super) product: Option<&'static str>,
    pub(super) vendor: Option<&'static str>,
    pub(super) version: Option<Template>,
    pub(super) os: Option<Template>,
    pub(super) device: Option<&'static str>,
    pub(super) package: Option<Template>,
    pub(super) level: Option<u32>,
    pub(super) confidence: Confidence,
    pub(super) os_confidence: Confidence,
    pub(super) honeypot: Option<&'static str>,
    pub(super) note: Option<&'static str>,
    #[cfg(test)]
    pub(super) examples: Vec<Example>,
    #[cfg(test)]
    pub(super) not: Vec<&'static str>,
}

impl Rule {
    /// What the holes of one of its patterns catch if the rule claims a line by it.
    fn claims<'l>(&self, pattern: usize, proto: &[u8], line: &'l [u8]) -> Option<Captures<'l>> {
        if self.proto.is_some_and(|wanted| wanted.as_bytes() != proto) {
            return None;
        }
        let captures = self.patterns.get(pattern)?.captures(line)?;
        match self.from {
            Some(from) if captures.of(Hole::Version).and_then(release).is_none_or(|version| version < from) => None,
            _ => Some(captures),
        }
    }
}

/// What a patch level of a distribution's package fixed.
#[derive(Debug)]
pub(super) struct Level {
    pub(super) os: &'static str,
    pub(super) version: &'static str,
    pub(super) level: u32,
    pub(super) fixes: Vec<&'static str>,
}

/// An EXT_INFO name and the OpenSSH releases that send it and none of those listed before it.
#[derive(Debug)]
pub(super) struct ExtInfo {
    pub(super) name: &'static str,
    pub(super) from: (u16, u16),
    pub(super) to: Option<(u16, u16)>,
}

/// A server measured with its default lists.
#[derive(Debug)]
pub(super) struct Hassh {
    pub(super) md5: &'static str,
    pub(super) product: &'static str,
    pub(super) says: &'static str,
}

/// A pattern of a rule, as an index holds it.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    rule: usize,
    pattern: usize,
    comment: Comment,
}

/// Everything in `rules/software.toml`.
#[derive(Debug, Default)]
pub(super) struct Rules {
    software: Vec<Rule>,
    /// For every byte a line can begin with, the patterns that can match it, in the order of the file.
    by_first_byte: Vec<Vec<Candidate>>,
    pub(super) levels: Vec<Level>,
    pub(super) ext_info: Vec<ExtInfo>,
    pub(super) hassh: Vec<Hassh>,
}

impl Rules {
    /// The rules, compiled at first use. That they are well formed is what the tests of this module are for; a table that were
    /// not would know nothing rather than fail.
    pub(super) fn all() -> &'static Self {
        static RULES: OnceLock<Rules> = OnceLock::new();
        RULES.get_or_init(|| load(TABLE).unwrap_or_default())
    }

    /// The first rule that claims what follows `SSH-proto-`.
    pub(super) fn find<'l>(&self, proto: &[u8], line: &'l [u8]) -> Option<(&Rule, Captures<'l>)> {
        let key = Key::of(line);
        let candidates = self.by_first_byte.get(usize::from(key.first()?))?;
        candidates.iter().filter(|candidate| key.suits(candidate.comment)).find_map(|candidate| {
            let rule = self.software.get(candidate.rule)?;
            Some((rule, rule.claims(candidate.pattern, proto, line)?))
        })
    }

    #[cfg(test)]
    pub(super) fn software(&self) -> &[Rule] {
        &self.software
    }
}

/// Major and minor number of a version such as `9.2p1`.
pub(super) fn release(version: &str) -> Option<(u16, u16)> {
    let (major, behind) = version.split_once('.')?;
    let minor = behind.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

impl Deserialize<'static> for Rules {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        let mut table = TableHelper::new(value)?;
        let software: Vec<Rule> = table.required("software")?;
        let (levels, ext_info, hassh) =
            (table.required("level")?, table.required("ext_info")?, table.required("hassh")?);
        table.finalize(None)?;
        let mut by_first_byte = vec![Vec::new(); 256];
        for (index, rule) in software.iter().enumerate() {
            for (pattern, (first, comment)) in rule.patterns.iter().map(Pattern::key).enumerate() {
                for (byte, candidates) in (0..=u8::MAX).zip(&mut by_first_byte) {
                    if first.is_none_or(|first| first == byte) {
                        candidates.push(Candidate { rule: index, pattern, comment });
                    }
                }
            }
        }
        Ok(Self { software, by_first_byte, levels, ext_info, hassh })
    }
}

impl Deserialize<'static> for Rule {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        let mut table = TableHelper::new(value)?;
        let wrong = |what: String| DeserError::from(malformed(value, what));
        let patterns: Texts = table.required("match")?;
        let patterns = patterns.0.into_iter().map(Pattern::parse).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let mut template = |key| {
            let text = table.optional::<Text>(key);
            text.map(|text| Template::parse(text.0, &patterns)).transpose().map_err(wrong)
        };
        let version = match template("version")? {
            None if patterns.iter().any(|pattern| pattern.has(Hole::Version)) => Some(Template::whole(Hole::Version)),
            version => version,
        };
        let (os, package) = (template("os")?, template("package")?);
        let mut text = |key| table.optional::<Text>(key).map(|text| text.0);
        let (product, vendor, device) = (text("product"), text("vendor"), text("device"));
        let (proto, honeypot, note) = (text("proto"), text("honeypot"), text("note"));
        let from = match text("from") {
            Some(text) => Some(release(text).ok_or_else(|| wrong(format!("`{text}` is no version")))?),
            None => None,
        };
        if product.is_none() && vendor.is_none() && device.is_none() {
            return Err(wrong(String::from("the rule says nothing")));
        }
        let level = table.optional("level");
        let basis: Basis = table.required("basis")?;
        let os_basis: Basis = table.optional("os_basis").unwrap_or(basis);
        let confidence = lowered(basis, table.optional("confidence")).map_err(wrong)?;
        let os_confidence = lowered(os_basis, table.optional("os_confidence")).map_err(wrong)?;
        let examples: Examples = table.required("examples")?;
        let not: Texts = table.optional("not").unwrap_or_default();
        table.finalize(None)?;
        #[cfg(not(test))]
        let _ = (examples, not);
        Ok(Self {
            patterns,
            proto,
            from,
            product,
            vendor,
            version,
            os,
            device,
            package,
            level,
            confidence,
            os_confidence,
            honeypot,
            note,
            #[cfg(test)]
            examples: examples.0,
            #[cfg(test)]
            not: not.0,
        })
    }
}

/// The confidence a rule claims, which its basis must allow.
fn lowered(basis: Basis, claimed: Option<Confidence>) -> Result<Confidence, String> {
    match claimed {
        Some(claimed) if claimed >= basis.confidence() => {
            Err(format!("{claimed:?} confidence is what the basis gives, or more than it can"))
        }
        Some(claimed) => Ok(claimed),
        None => Ok(basis.confidence()),
    }
}

impl Deserialize<'static> for Basis {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        match Text::deserialize(value)?.0 {
            "measured" => Ok(Basis::Measured),
            "source" => Ok(Basis::Source),
            "public" => Ok(Basis::Public),
            "general" => Ok(Basis::General),
            other => Err(malformed(value, format!("`{other}` is no basis")).into()),
        }
    }
}

impl Deserialize<'static> for Confidence {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        match Text::deserialize(value)?.0 {
            "low" => Ok(Confidence::Low),
            "medium" => Ok(Confidence::Medium),
            "high" => Ok(Confidence::High),
            other => Err(malformed(value, format!("`{other}` is no confidence")).into()),
        }
    }
}

impl Deserialize<'static> for Level {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        let mut table = TableHelper::new(value)?;
        let (os, version): (Text, Text) = (table.required("os")?, table.required("version")?);
        let (level, fixes): (u32, Texts) = (table.required("level")?, table.required("fixes")?);
        table.finalize(None)?;
        Ok(Self { os: os.0, version: version.0, level, fixes: fixes.0 })
    }
}

impl Deserialize<'static> for ExtInfo {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        let mut table = TableHelper::new(value)?;
        let (name, from): (Text, Text) = (table.required("name")?, table.required("from")?);
        let to: Option<Text> = table.optional("to");
        table.finalize(None)?;
        let number = |text: Text| {
            release(text.0).ok_or_else(|| DeserError::from(malformed(value, format!("`{}` is no version", text.0))))
        };
        Ok(Self { name: name.0, from: number(from)?, to: to.map(number).transpose()? })
    }
}

impl Deserialize<'static> for Hassh {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        let mut table = TableHelper::new(value)?;
        let (md5, product, says): (Text, Text, Text) =
            (table.required("md5")?, table.required("product")?, table.required("says")?);
        table.finalize(None)?;
        Ok(Self { md5: md5.0, product: product.0, says: says.0 })
    }
}

/// The examples of a rule. Outside of tests they are only skipped.
struct Examples(#[cfg(test)] Vec<Example>);

#[cfg(not(test))]
impl Deserialize<'static> for Examples {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        value.take();
        Ok(Self())
    }
}

#[cfg(test)]
impl Deserialize<'static> for Examples {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        Vec::deserialize(value).map(Self)
    }
}

#[cfg(test)]
impl Deserialize<'static> for Example {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        let mut table = TableHelper::new(value)?;
        let line: Text = table.required("line")?;
        let mut text = |key| table.optional::<Text>(key).map(|text| text.0);
        let (version, os, package) = (text("version"), text("os"), text("package"));
        let level = table.optional("level");
        table.finalize(None)?;
        Ok(Self { line: line.0, version, os, package, level })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = "level = []\next_info = []\nhassh = []\n";

    fn rule(body: &str) -> Result<usize, String> {
        let table = format!("{REST}[[software]]\n{body}\n");
        load::<Rules>(Box::leak(table.into_boxed_str())).map(|rules| rules.software.len())
    }

    #[test]
    fn malformed_rules_are_refused_with_their_line() {
        let rest = "product = \"A\"\nbasis = \"public\"\nexamples = []";
        assert_eq!(rule(&format!("match = \"a{{version}}\"\n{rest}")), Ok(1));
        assert_eq!(rule(&format!("match = [\"a\", \"b{{rest}}\"]\n{rest}")), Ok(1));
        for body in [
            rest.to_owned(),
            format!("match = \"{{rest}}\"\n{rest}"),
            format!("match = \"a{{wrong}}\"\n{rest}"),
            format!("match = 7\n{rest}"),
            format!("match = \"a\"\ntypo = \"b\"\n{rest}"),
            format!("match = \"a\"\nos = \"{{release}}\"\n{rest}"),
            format!("match = \"a\"\nfrom = \"six\"\n{rest}"),
            format!("match = \"a\"\nlevel = \"three\"\n{rest}"),
            format!("match = \"a\"\nconfidence = \"high\"\n{rest}"),
            format!("match = \"a\"\nos_basis = \"general\"\nos_confidence = \"medium\"\n{rest}"),
            "match = \"a\"\nproduct = \"A\"\nbasis = \"hearsay\"\nexamples = []".to_owned(),
            "match = \"a\"\nproduct = \"A\"\nbasis = \"public\"".to_owned(),
            "match = \"a\"\nbasis = \"public\"\nexamples = []".to_owned(),
            "match = \"a\"\nproduct = \"tab\\t\"\nbasis = \"public\"\nexamples = []".to_owned(),
        ] {
            let error = rule(&body).expect_err(&body);
            assert!(error.contains("line "), "{body}: {error}");
        }
    }

    /// The first EXT_INFO name that was sent decides, so later releases stand first and the ranges do not overlap.
    #[test]
    fn ext_info_names_go_back_in_time_without_a_gap() {
        let known = &Rules::all().ext_info;
        assert!(known.len() >= 4);
        for pair in known.windows(2) {
            let [later, earlier] = pair else { unreachable!() };
            assert!(earlier.to.is_some_and(|to| to < later.from), "{later:?} {earlier:?}");
        }
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(release("9.2p1"), Some((9, 2)));
        assert_eq!(release("10.0p2"), Some((10, 0)));
        assert_eq!(release("6.6.1_hpn13v11"), Some((6, 6)));
        assert!(release("10.0") > release("9.9p1"));
        for no in ["", "9", "x.1", "9.", "99999.1"] {
            assert_eq!(release(no), None, "{no}");
        }
    }
}
