//! `rules/proxy.toml` as it is used: compiled once, at first use.

use std::borrow::Cow;
use std::sync::OnceLock;

use toml_span::de_helpers::TableHelper;
use toml_span::value::Value;
use toml_span::{DeserError, Deserialize};

use crate::diagnose::{Code, Confidence};
use crate::iap::{How, IapEnd, Phase};
use crate::rules::{Text, Texts, load, malformed, split_at_first};

/// The table, as text.
static TABLE: &str = include_str!("../../rules/proxy.toml");

/// The longest {word} that is caught.
const WORD_MAX: usize = 64;

/// What stands between the literals of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hole {
    /// One to five digits.
    Number,
    /// Letters, digits and `.`, `_`, `-`.
    Word,
    /// Anything, also nothing, up to the literal behind it.
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Literal(&'static str),
    Hole(Hole),
}

/// Text with holes, looked for within a line.
#[derive(Debug)]
struct Pattern {
    first: &'static str,
    rest: Vec<Part>,
}

/// Why a pattern does not match at one place of a line.
enum Miss {
    /// It may at a later one.
    Here,
    /// A literal behind {any} does not come any more: nor can it at a later one.
    Everywhere,
}

impl Pattern {
    fn parse(text: &'static str) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((literal, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').ok_or_else(|| format!("`{text}`: a hole is not closed"))?;
            if literal.is_empty() {
                return Err(format!("`{text}`: a hole without text before it"));
            }
            let hole = match name {
                "number" => Hole::Number,
                "word" => Hole::Word,
                "any" => Hole::Any,
                _ => return Err(format!("`{text}`: there is no hole {{{name}}}")),
            };
            parts.extend([Part::Literal(literal), Part::Hole(hole)]);
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest));
        }
        if parts.last() == Some(&Part::Hole(Hole::Any)) {
            return Err(format!("`{text}`: {{any}} does not end a pattern"));
        }
        if parts.iter().filter(|part| matches!(part, Part::Hole(Hole::Number | Hole::Word))).count() > 1 {
            return Err(format!("`{text}`: more than one number or word"));
        }
        match parts.split_first() {
            Some((Part::Literal(first), rest)) => Ok(Self { first, rest: rest.to_vec() }),
            _ => Err(String::from("an empty pattern")),
        }
    }

    fn catches(&self, hole: Hole) -> bool {
        self.rest.contains(&Part::Hole(hole))
    }

    /// What the number or word caught, empty without one, if the pattern is found. Linear in the line: a hole ends in one way.
    fn find<'l>(&self, line: &'l [u8]) -> Option<&'l str> {
        let mut from = line;
        loop {
            let (_, behind) = split_at_first(from, self.first.as_bytes())?;
            match self.match_rest(behind) {
                Ok(caught) => return Some(caught),
                Err(Miss::Here) => from = behind,
                Err(Miss::Everywhere) => return None,
            }
        }
    }

    fn match_rest<'l>(&self, mut rest: &'l [u8]) -> Result<&'l str, Miss> {
        let (mut caught, mut any) = ("", false);
        for part in &self.rest {
            match part {
                Part::Literal(literal) if any => {
                    (_, rest) = split_at_first(rest, literal.as_bytes()).ok_or(Miss::Everywhere)?;
                    any = false;
                }
                Part::Literal(literal) => rest = rest.strip_prefix(literal.as_bytes()).ok_or(Miss::Here)?,
                Part::Hole(Hole::Any) => any = true,
                Part::Hole(hole) => {
                    let (most, fits): (usize, fn(&u8) -> bool) = match hole {
                        Hole::Number => (5, u8::is_ascii_digit),
                        _ => (WORD_MAX, |byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte)),
                    };
                    let len = rest.iter().take_while(|byte| fits(byte)).take(most.saturating_add(1)).count();
                    let (text, behind) =
                        rest.split_at_checked(len).filter(|_| (1..=most).contains(&len)).ok_or(Miss::Here)?;
                    (caught, rest) = (str::from_utf8(text).map_err(|_| Miss::Here)?, behind);
                }
            }
        }
        Ok(caught)
    }
}

/// The parameter of a rule's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arg {
    None,
    Text(&'static str),
    Caught,
}

#[derive(Debug)]
enum Meaning {
    Outcome(Code, Arg),
    /// What is caught is a close code of the relay's.
    Close(Phase),
}

/// A `[[trouble]]` rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) program: &'static str,
    patterns: Vec<Pattern>,
    meaning: Meaning,
    pub(super) confidence: Confidence,
    #[cfg(test)]
    examples: Vec<Example>,
    #[cfg(test)]
    not: Vec<Cow<'static, str>>,
}

impl Rule {
    /// What the rule makes of a line, if it claims it.
    pub(super) fn read(&self, line: &[u8]) -> Option<(Code, Option<String>)> {
        let caught = self.patterns.iter().find_map(|pattern| pattern.find(line))?;
        match self.meaning {
            Meaning::Outcome(code, Arg::None) => Some((code, None)),
            Meaning::Outcome(code, Arg::Text(text)) => Some((code, Some(text.to_owned()))),
            Meaning::Outcome(code, Arg::Caught) => Some((code, Some(caught.to_owned()))),
            Meaning::Close(phase) => {
                let verdict = IapEnd::new(phase, How::Close(Some(caught.parse().ok()?)), b"").verdict()?;
                Some((verdict.code, verdict.arg))
            }
        }
    }
}

/// One text that a rule was made for, and what has to come out of it.
#[derive(Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "examples are skipped outside of tests"))]
struct Example {
    text: Cow<'static, str>,
    code: Option<Code>,
    arg: Option<&'static str>,
}

/// Texts to hold the rules against, of one line or several. Outside of tests they are only skipped.
#[cfg(test)]
struct Samples<T>(Vec<T>);

#[cfg(not(test))]
struct Samples<T>(std::marker::PhantomData<T>);

#[cfg(not(test))]
impl<T> Deserialize<'static> for Samples<T> {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        value.take();
        Ok(Self(std::marker::PhantomData))
    }
}

#[cfg(test)]
impl<T: Deserialize<'static>> Deserialize<'static> for Samples<T> {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        Vec::deserialize(value).map(Self)
    }
}

#[cfg(test)]
impl Deserialize<'static> for Example {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        let mut table = TableHelper::new(value)?;
        let text = table.required("text")?;
        let code = table.optional::<Text>("code").map(|code| code.0);
        let arg = table.optional::<Text>("arg").map(|arg| arg.0);
        table.finalize(None)?;
        let code = code.map(|code| code.parse().map_err(|_| malformed(value, format!("`{code}` is no code"))));
        Ok(Self { text, code: code.transpose()?, arg })
    }
}

/// Everything in `rules/proxy.toml`.
#[derive(Debug, Default)]
pub(super) struct Rules {
    trouble: Vec<Rule>,
    #[cfg(test)]
    harmless: Vec<Cow<'static, str>>,
}

impl Rules {
    /// The rules, compiled at first use. That they are well formed is what the tests of this module are for; a table that were
    /// not would know nothing rather than fail.
    pub(super) fn all() -> &'static Self {
        static RULES: OnceLock<Rules> = OnceLock::new();
        RULES.get_or_init(|| load(TABLE).unwrap_or_default())
    }

    /// The rules, in the order in which they are tried.
    pub(super) fn trouble(&self) -> &[Rule] {
        &self.trouble
    }
}

impl Deserialize<'static> for Rules {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        let mut table = TableHelper::new(value)?;
        let trouble = table.required("trouble")?;
        let harmless: Samples<Cow<'static, str>> = table.required("harmless")?;
        table.finalize(None)?;
        #[cfg(not(test))]
        let _ = harmless;
        Ok(Self {
            trouble,
            #[cfg(test)]
            harmless: harmless.0,
        })
    }
}

impl Deserialize<'static> for Rule {
    fn deserialize(value: &mut Value<'static>) -> Result<Self, DeserError> {
        let mut table = TableHelper::new(value)?;
        let wrong = |what: String| DeserError::from(malformed(value, what));
        let program: Text = table.required("program")?;
        let patterns: Texts = table.required("find")?;
        let patterns = patterns.0.into_iter().map(Pattern::parse).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let all_catch = |hole| patterns.iter().all(|pattern| pattern.catches(hole));
        let mut text = |key| table.optional::<Text>(key).map(|text| text.0);
        let arg = match text("arg") {
            None => Arg::None,
            Some("{number}") if all_catch(Hole::Number) => Arg::Caught,
            Some("{word}") if all_catch(Hole::Word) => Arg::Caught,
            Some(hole) if hole.contains('{') => return Err(wrong(format!("not every pattern catches `{hole}`"))),
            Some(text) => Arg::Text(text),
        };
        let meaning = match (text("code"), text("close")) {
            (Some(code), None) => {
                Meaning::Outcome(code.parse().map_err(|_| wrong(format!("`{code}` is no code")))?, arg)
            }
            (None, Some("before-sid")) if arg == Arg::None && all_catch(Hole::Number) => Meaning::Close(Phase::Sid),
            (None, Some("after-sid")) if arg == Arg::None && all_catch(Hole::Number) => Meaning::Close(Phase::Open),
            _ => return Err(wrong(String::from("wanted: a code, or a close with a number in every pattern"))),
        };
        let (basis, lowered, _note) = (text("basis"), text("confidence"), text("note"));
        let confidence = match (basis, lowered) {
            (Some("measured" | "source" | "public"), None) => Confidence::High,
            (Some("measured" | "source" | "public"), Some("low")) | (Some("general"), None) => Confidence::Low,
            _ => return Err(wrong(String::from("the basis is none, or the confidence is not lower than it allows"))),
        };
        let examples: Samples<Example> = table.required("examples")?;
        let not: Samples<Cow<'static, str>> = table.required("not")?;
        table.finalize(None)?;
        #[cfg(not(test))]
        let _ = (examples, not);
        Ok(Self {
            program: program.0,
            patterns,
            meaning,
            confidence,
            #[cfg(test)]
            examples: examples.0,
            #[cfg(test)]
            not: not.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::stderr::Stderr;
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &'static str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn patterns_are_found_anywhere_in_a_line() {
        for (text, line, caught) in [
            ("abc", "xxabcxx", Some("")),
            ("abc", "abd", None),
            ("aab", "aaab", Some("")),
            ("[{number}: ", "a [4003: x", Some("4003")),
            ("[{number}: ", "a [x: [12: x", Some("12")),
            ("[{number}: ", "[123456: x", None),
            ("[{number}: ", "[: x", None),
            ("status {number}", "status 407.", Some("407")),
            ("({word}) when", "(An) (TargetNotConnected) when", Some("TargetNotConnected")),
            ("({word}) when", "(a b) when", None),
            ("host {any} port {number}: no", "host a port b port 22: no", None),
            ("host {any} port {number}: no", "host a port 22: no", Some("22")),
            ("a{any}b", "ab", Some("")),
            ("a{any}b", "ba", None),
            ("a{any}b{number}", "axb a-b7", Some("7")),
        ] {
            assert_eq!(pattern(text).find(line.as_bytes()), caught, "{text} in {line}");
        }
        assert_eq!(pattern("({word})").find(format!("({})", "a".repeat(65)).as_bytes()), None);
        assert_eq!(pattern("({word})").find(b"(\xff)"), None);
    }

    #[test]
    fn malformed_rules_are_refused_with_their_line() {
        let rule = |body: &str| {
            let table = format!("harmless = []\n[[trouble]]\n{body}\n");
            load::<Rules>(Box::leak(table.into_boxed_str())).map(|rules| rules.trouble.len())
        };
        let rest = "program = \"x\"\nbasis = \"public\"\nexamples = []\nnot = []";
        assert_eq!(rule(&format!("find = \"a {{number}}\"\ncode = \"iap-http\"\narg = \"{{number}}\"\n{rest}")), Ok(1));
        assert_eq!(rule(&format!("find = \"a {{number}}\"\nclose = \"after-sid\"\n{rest}")), Ok(1));
        for body in [
            format!("find = \"a\"\n{rest}"),
            format!("find = \"a\"\ncode = \"nonsense\"\n{rest}"),
            format!("find = \"a\"\nclose = \"before-sid\"\n{rest}"),
            format!("find = \"a {{number}}\"\nclose = \"later\"\n{rest}"),
            format!("find = \"a {{number}}\"\nclose = \"after-sid\"\ncode = \"iap-http\"\n{rest}"),
            format!("find = [\"a {{number}}\", \"b\"]\ncode = \"iap-http\"\narg = \"{{number}}\"\n{rest}"),
            format!("find = \"a\"\ncode = \"iap-http\"\narg = \"{{nonsense}}\"\n{rest}"),
            format!("find = \"\"\ncode = \"iap-http\"\n{rest}"),
            format!("find = \"{{number}}\"\ncode = \"iap-http\"\n{rest}"),
            format!("find = \"a{{any}}\"\ncode = \"iap-http\"\n{rest}"),
            format!("find = \"a{{any}}{{number}}\"\ncode = \"iap-http\"\n{rest}"),
            format!("find = \"a{{number}}b{{word}}\"\ncode = \"iap-http\"\n{rest}"),
            format!("find = \"a{{number\"\ncode = \"iap-http\"\n{rest}"),
            format!("find = \"a\"\ncode = \"iap-http\"\ntypo = \"x\"\n{rest}"),
            format!("find = \"a\"\ncode = \"iap-http\"\nconfidence = \"high\"\n{rest}"),
            "find = \"a\"\ncode = \"iap-http\"\nprogram = \"x\"\nbasis = \"hearsay\"\nexamples = []\nnot = []"
                .to_owned(),
            "find = \"a\"\ncode = \"iap-http\"\nprogram = \"x\"\nbasis = \"public\"\nexamples = []".to_owned(),
        ] {
            let error = rule(&body).expect_err(&body);
            assert!(error.contains("line "), "{body}: {error}");
        }
    }

    #[test]
    fn the_table_is_whole() {
        let rules = load::<Rules>(TABLE).unwrap();
        assert!(rules.trouble.len() > 80);
        for rule in &rules.trouble {
            assert!(!rule.examples.is_empty() && !rule.not.is_empty(), "{rule:?}");
            // What could not get through bears the code that a direct probe would have.
            if let Meaning::Outcome(Code::JumpFailed, arg) = rule.meaning {
                assert!(matches!(arg, Arg::Text(code) if code.parse::<Code>().is_ok()), "{rule:?}");
            }
            if let Meaning::Outcome(code, _) = rule.meaning {
                assert_eq!(code.status(), crate::diagnose::Status::TunnelFailure, "{rule:?}");
            }
        }
    }

    fn claimant(text: &str) -> Option<(&'static Rule, Code, Option<String>)> {
        let lines = || text.lines();
        Rules::all().trouble().iter().find_map(|rule| {
            let (code, arg) = lines().find_map(|line| rule.read(line.as_bytes()))?;
            Some((rule, code, arg))
        })
    }

    /// Every rule claims its examples with exactly what they state: none stands in the shadow of an earlier one.
    #[test]
    fn every_rule_claims_its_examples() {
        for rule in Rules::all().trouble() {
            for example in &rule.examples {
                let (by, code, arg) =
                    claimant(&example.text).unwrap_or_else(|| panic!("no rule claims {}", example.text));
                assert!(std::ptr::eq(by, rule), "{} is claimed by {by:?}", example.text);
                assert_eq!(arg.as_deref(), example.arg, "{}", example.text);
                match (&rule.meaning, example.code) {
                    (Meaning::Outcome(known, _), None) => assert_eq!(code, *known),
                    (Meaning::Close(_), Some(stated)) => assert_eq!(code, stated, "{}", example.text),
                    other => panic!("{}: {other:?}", example.text),
                }
                // And as it comes: from a program, between other words, with CR LF.
                let mut stderr = Stderr::new();
                stderr.feed(b"WARNING: \r\n\r\n");
                stderr.feed(example.text.replace('\n', "\r\n").as_bytes());
                stderr.feed(b"\r\nlast words\r\n");
                let trouble = stderr.trouble().unwrap();
                assert_eq!((trouble.code, trouble.arg.as_deref(), trouble.program), (code, example.arg, rule.program));
                assert_eq!(trouble.confidence, rule.confidence);
                assert!(example.text.lines().any(|line| *line.trim().as_bytes() == *trouble.line), "{trouble:?}");
            }
        }
    }

    #[test]
    fn no_rule_claims_its_counter_examples_or_what_is_harmless() {
        for rule in Rules::all().trouble() {
            for text in &rule.not {
                assert!(!text.lines().any(|line| rule.read(line.as_bytes()).is_some()), "{rule:?} claims {text}");
            }
        }
        assert!(Rules::all().harmless.len() > 10);
        for text in &Rules::all().harmless {
            assert!(claimant(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in proptest::collection::vec(any::<u8>(), 0..200), cut in any::<prop::sample::Index>()) {
            for rule in Rules::all().trouble() {
                let _ = rule.read(&line);
                for example in &rule.examples {
                    let text = example.text.as_bytes();
                    let _ = rule.read(&[&text[..cut.index(text.len() + 1)], &line].concat());
                }
            }
        }
    }
}
