//! The patterns of `rules/software.toml`: literal text with holes, and the templates that put together what was caught.
//!
//! A language of its own and not regular expressions, for three reasons. A rule reads like the line it claims. Matching takes
//! time linear in the line whatever a hostile server sends, with no state to allocate. And what can be wrong with a rule is so
//! little that [`Pattern::parse`] can refuse all of it in a test, long before a user has the table in hand.

use crate::rules::split_at_first;

/// A hole of a pattern: what it takes and, but for the last two, what it is called in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hole {
    /// Begins with a digit; then letters, digits and `.`, `_`, `+`, `~`, `-`.
    Version,
    /// A word: printable ASCII without blanks.
    Revision,
    /// Another word.
    Package,
    /// A number.
    Release,
    /// Another number: the patch level a distribution counts.
    Level,
    /// Eight digits.
    Date,
    /// Seven or more hexadecimal digits.
    Hex,
    /// A word that is not kept.
    Word,
    /// Whatever is left, also nothing. Not kept.
    Rest,
}

impl Hole {
    const ALL: [(Hole, &'static str); 9] = [
        (Hole::Version, "version"),
        (Hole::Revision, "revision"),
        (Hole::Package, "package"),
        (Hole::Release, "release"),
        (Hole::Level, "level"),
        (Hole::Date, "date"),
        (Hole::Hex, "hex"),
        (Hole::Word, "word"),
        (Hole::Rest, "rest"),
    ];

    fn named(name: &str) -> Option<Hole> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(hole, _)| *hole)
    }

    /// Whether a template can use what was caught.
    const fn kept(self) -> bool {
        !matches!(self, Hole::Word | Hole::Rest)
    }

    fn accepts(self, text: &[u8]) -> bool {
        match self {
            Hole::Version => {
                text.first().is_some_and(u8::is_ascii_digit)
                    && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._+~-".contains(byte))
            }
            Hole::Revision | Hole::Package | Hole::Word => !text.is_empty() && text.iter().all(u8::is_ascii_graphic),
            Hole::Release | Hole::Level => !text.is_empty() && text.iter().all(u8::is_ascii_digit),
            Hole::Date => text.len() == 8 && text.iter().all(u8::is_ascii_digit),
            Hole::Hex => text.len() >= 7 && text.iter().all(u8::is_ascii_hexdigit),
            Hole::Rest => true,
        }
    }
}

/// What the holes caught of one line.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Captures<'l> {
    caught: [Option<&'l str>; Hole::ALL.len()],
}

impl<'l> Captures<'l> {
    /// What `hole` caught.
    pub(super) fn of(&self, hole: Hole) -> Option<&'l str> {
        self.caught.get(hole as usize).copied().flatten()
    }

    /// `text` satisfies the hole; remembered if it is one that is kept.
    fn catch(&mut self, hole: Hole, text: &'l [u8]) -> Option<()> {
        if !hole.accepts(text) {
            return None;
        }
        if hole.kept() {
            // Every hole that is kept takes ASCII only.
            *self.caught.get_mut(hole as usize)? = Some(str::from_utf8(text).ok()?);
        }
        Some(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Literal(&'static str),
    Hole(Hole),
}

/// Splits `text` into literals and holes.
fn parts(text: &'static str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((literal, behind)) = rest.split_once('{') {
        let (name, behind) = behind.split_once('}').ok_or_else(|| format!("`{text}`: a hole is not closed"))?;
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        parts.push(Part::Hole(Hole::named(name).ok_or_else(|| format!("`{text}`: there is no hole {{{name}}}"))?));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest));
    }
    if parts.iter().any(|part| matches!(part, Part::Literal(literal) if literal.contains('}'))) {
        return Err(format!("`{text}`: a hole is closed that was not opened"));
    }
    Ok(parts)
}

/// The comment of the lines that a pattern can match: what stands behind their first blank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comment {
    /// There is none.
    None,
    /// It begins with this byte.
    Begins(u8),
    /// There may be one and it may be anything.
    Any,
}

/// The two bytes of a line that tell most patterns apart: what it begins with, and what its comment begins with.
///
/// A fleet's lines nearly all begin with `OpenSSH_`, for which most rules were made: only the comment tells those apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    first: Option<u8>,
    comment: Option<u8>,
}

impl Key {
    /// The key of a line.
    pub(super) fn of(line: &[u8]) -> Self {
        let blank = line.iter().position(|byte| *byte == b' ');
        let comment = blank.and_then(|blank| line.get(blank.saturating_add(1)));
        Self { first: line.first().copied(), comment: comment.copied() }
    }

    /// What the line begins with.
    pub(super) fn first(self) -> Option<u8> {
        self.first
    }

    /// A pattern for such comments can match the line.
    pub(super) fn suits(self, comment: Comment) -> bool {
        match comment {
            Comment::None => self.comment.is_none(),
            Comment::Begins(byte) => self.comment == Some(byte),
            Comment::Any => true,
        }
    }
}

/// A pattern of a rule, ready to be matched.
#[derive(Debug)]
pub(super) struct Pattern {
    parts: Vec<Part>,
}

impl Pattern {
    /// Reads a pattern. Every hole at most once, a literal between any two, `{rest}` only at the end.
    pub(super) fn parse(text: &'static str) -> Result<Self, String> {
        let parts = parts(text)?;
        let mut seen = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let Part::Hole(hole) = part else { continue };
            let last = index.saturating_add(1) == parts.len();
            if seen.contains(hole) {
                return Err(format!("`{text}`: {hole:?} stands there twice"));
            }
            if *hole == Hole::Rest && !last {
                return Err(format!("`{text}`: {{rest}} does not stand at the end"));
            }
            if matches!(parts.get(index.saturating_add(1)), Some(Part::Hole(_))) {
                return Err(format!("`{text}`: two holes without text between them"));
            }
            seen.push(*hole);
        }
        match parts.first() {
            None => Err(String::from("an empty pattern")),
            Some(Part::Hole(Hole::Rest)) => Err(format!("`{text}`: would match any line")),
            Some(_) => Ok(Self { parts }),
        }
    }

    /// Which lines can match at all, judged by two bytes: see [`Key`].
    pub(super) fn key(&self) -> (Option<u8>, Comment) {
        let first = match self.parts.first() {
            Some(Part::Literal(literal)) => literal.bytes().next(),
            _ => None,
        };
        // No hole but {rest} takes a blank, so a line's first blank is the first one in the literals.
        let comment = self.parts.iter().find_map(|part| match part {
            Part::Literal(literal) => {
                let (_, behind) = literal.split_once(' ')?;
                Some(behind.bytes().next().map_or(Comment::Any, Comment::Begins))
            }
            Part::Hole(hole) => (*hole == Hole::Rest).then_some(Comment::Any),
        });
        (first, comment.unwrap_or(Comment::None))
    }

    /// The pattern has this hole.
    pub(super) fn has(&self, hole: Hole) -> bool {
        self.parts.contains(&Part::Hole(hole))
    }

    /// Matches the whole of `line`. A hole ends at the first place where the literal behind it stands: nothing is ever tried
    /// twice.
    pub(super) fn captures<'l>(&self, line: &'l [u8]) -> Option<Captures<'l>> {
        let mut captures = Captures::default();
        let mut rest = line;
        let mut open: Option<Hole> = None;
        for part in &self.parts {
            match (part, open.take()) {
                (Part::Hole(hole), _) => open = Some(*hole),
                (Part::Literal(literal), None) => rest = rest.strip_prefix(literal.as_bytes())?,
                (Part::Literal(literal), Some(hole)) => {
                    let (text, behind) = split_at_first(rest, literal.as_bytes())?;
                    captures.catch(hole, text)?;
                    rest = behind;
                }
            }
        }
        match open {
            Some(hole) => captures.catch(hole, rest)?,
            None if rest.is_empty() => (),
            None => return None,
        }
        Some(captures)
    }
}

/// A value of a rule: text with holes that a match fills.
#[derive(Debug)]
pub(super) struct Template {
    parts: Vec<Part>,
}

impl Template {
    /// Reads a template for a rule with these patterns: each of them must fill every hole.
    pub(super) fn parse(text: &'static str, patterns: &[Pattern]) -> Result<Self, String> {
        let parts = parts(text)?;
        for part in &parts {
            if let Part::Hole(hole) = part
                && !(hole.kept() && patterns.iter().all(|pattern| pattern.has(*hole)))
            {
                return Err(format!("`{text}`: not every pattern of the rule catches {hole:?}"));
            }
        }
        Ok(Self { parts })
    }

    /// What `hole` caught, and nothing else. Patterns without it give nothing.
    pub(super) fn whole(hole: Hole) -> Self {
        Self { parts: vec![Part::Hole(hole)] }
    }

    /// The text with its holes filled; `None` if it is empty.
    pub(super) fn fill(&self, captures: &Captures<'_>) -> Option<String> {
        let mut filled = String::new();
        for part in &self.parts {
            filled.push_str(match part {
                Part::Literal(literal) => literal,
                Part::Hole(hole) => captures.of(*hole).unwrap_or_default(),
            });
        }
        (!filled.is_empty()).then_some(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn caught<'l>(pattern: &'static str, line: &'l str, hole: Hole) -> Option<&'l str> {
        Pattern::parse(pattern).unwrap().captures(line.as_bytes()).and_then(|captures| captures.of(hole))
    }

    #[test]
    fn holes_end_where_the_next_literal_stands() {
        let pattern = "OpenSSH_{version} Debian-{revision}+deb{release}u{level}";
        let line = "OpenSSH_9.2p1 Debian-2+deb12u10";
        assert_eq!(caught(pattern, line, Hole::Version), Some("9.2p1"));
        assert_eq!(caught(pattern, line, Hole::Revision), Some("2"));
        assert_eq!(caught(pattern, line, Hole::Release), Some("12"));
        assert_eq!(caught(pattern, line, Hole::Level), Some("10"));
        assert_eq!(caught(pattern, "OpenSSH_9.2p1 Debian-2+deb12u10x", Hole::Level), None, "no number");
        assert_eq!(caught(pattern, "OpenSSH_9.2p1 Debian-2+deb12u", Hole::Version), None, "nothing to catch");
        assert_eq!(caught("a{word}b", "axb", Hole::Word), None, "not kept");
        assert!(Pattern::parse("a{word}b").unwrap().captures(b"axb").is_some());
        assert!(Pattern::parse("a{word}b").unwrap().captures(b"axbb").is_none(), "no second try at a later b");
        assert!(Pattern::parse("a{rest}").unwrap().captures(b"a\xff \0").is_some());
        assert!(Pattern::parse("a").unwrap().captures(b"ab").is_none());
    }

    #[test]
    fn keys_never_turn_a_match_away() {
        for (pattern, line, comment) in [
            ("OpenSSH_{version}", "OpenSSH_9.9", Comment::None),
            ("OpenSSH_{version} Debian-{package}", "OpenSSH_9.9 Debian-1", Comment::Begins(b'D')),
            ("OpenSSH_{version} {rest}", "OpenSSH_9.9 x", Comment::Any),
            ("OpenSSH_{rest}", "OpenSSH_9.9 x y", Comment::Any),
            ("Data ONTAP SSH {version}", "Data ONTAP SSH 1.0", Comment::Begins(b'O')),
            ("{version} SSH Secure Shell", "4.0 SSH Secure Shell", Comment::Begins(b'S')),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            let (first, known) = pattern.key();
            let key = Key::of(line.as_bytes());
            assert!(pattern.captures(line.as_bytes()).is_some() && key.suits(known), "{line}");
            assert!(first.is_none() || first == key.first(), "{line}");
            assert_eq!(known, comment, "{line}");
        }
        assert!(!Key::of(b"OpenSSH_9.9 Ubuntu-1").suits(Comment::Begins(b'D')));
        assert!(!Key::of(b"OpenSSH_9.9 Ubuntu-1").suits(Comment::None));
    }

    #[test]
    fn malformed_patterns_and_templates_are_refused() {
        for pattern in
            ["", "{rest}", "a{rest}b", "a{word}{hex}", "a{word}-{word}", "a{wird}", "a{word", "a}b", "{version}x}"]
        {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
        let patterns = [Pattern::parse("a{version}").unwrap(), Pattern::parse("b{word}").unwrap()];
        for template in ["{version}", "{word}", "x{", "{level}"] {
            assert!(Template::parse(template, &patterns).is_err(), "{template}");
        }
        let filled = Template::parse("V {version}", &patterns[..1]).unwrap();
        assert_eq!(filled.fill(&patterns[0].captures(b"a1.2").unwrap()).as_deref(), Some("V 1.2"));
    }

    proptest! {
        #[test]
        fn no_line_upsets_a_pattern(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            for pattern in ["{version} x{word}y{rest}", "{hex}", "{word} {package}", "a{date}"] {
                let _ = Pattern::parse(pattern).unwrap().captures(&line);
            }
        }
    }
}
