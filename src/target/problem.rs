//! What can be wrong with a target, said in one line that names the thing, the place and the remedy.

use sshprobe_probes::iap::IapTargetError;

/// Why a target expression cannot be understood, with the expression.
///
/// Shown as one line without control characters, whatever the expression held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExprError {
    /// The expression as given.
    pub text: Box<str>,
    /// What is wrong with it.
    pub fault: Fault,
}

impl std::error::Error for ExprError {}

impl std::fmt::Display for ExprError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.text.is_empty() { self.fault.fmt(f) } else { write!(f, "{}: {}", Quoted(&self.text), self.fault) }
    }
}

/// What is wrong with an expression, and how to write it instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing, or only blanks.
    #[error("the target is empty: write a host, an address or a range, such as 10.0.0.0/24:22")]
    Empty,
    /// A control character, which no host has and no terminal should get.
    #[error("has the control character U+{:04X} in it: remove it", u32::from(*.0))]
    ControlCharacter(char),
    /// A blank inside.
    #[error("has a blank in it: write one target at a time")]
    Blank,
    /// A comma where no port list stands.
    #[error("has a comma in it: write one target at a time, and several ports as host:22,2222")]
    Comma,
    /// An `iap://` target that is none.
    #[error(transparent)]
    Iap(#[from] IapTargetError),
    /// Another `scheme://`.
    #[error("the scheme {0}:// is not known: write host or host:port without it")]
    Scheme(Box<str>),
    /// An `ssh://` URI that is none, or names more than one host.
    #[error("is no URI of one host: write ssh://[USER@]HOST[:PORT]")]
    Uri,
    /// `@host`.
    #[error("no user stands before the @: write user@host, or host alone")]
    UserMissing,
    /// `ssh://user:password@host`: it would be sent as the user's name, and stand in the server's log.
    #[error("a colon stands in the user's name: a password is given by --password-file FILE, and is not shown here")]
    Password,
    /// `user@`, `:22`.
    #[error("the host is missing: write host, host:port or user@host")]
    HostMissing,
    /// `host:`.
    #[error("no port follows the colon: write {0}:22, or {0} alone for the default port")]
    PortAfterColon(Box<str>),
    /// A hole in a list of ports.
    #[error("a port is missing: write 1 to 65535")]
    PortMissing,
    /// Port 0.
    #[error("port 0 cannot be connected to: write 1 to 65535")]
    PortZero,
    /// More than 65535.
    #[error("there is no port {0}: write 1 to 65535")]
    PortTooBig(Box<str>),
    /// Not digits.
    #[error("{} is not a port number: write 1 to 65535", Quoted(.0))]
    PortNotNumber(Box<str>),
    /// `22-20`.
    #[error("the port range {first}-{last} ends before it starts: write {last}-{first}")]
    PortRangeReversed {
        /// Its first port.
        first: u16,
        /// Its last port, which is smaller.
        last: u16,
    },
    /// `[` without `]`.
    #[error("the bracket is never closed: write [ADDRESS] or [ADDRESS]:22")]
    BracketOpen,
    /// Something else behind `]`.
    #[error("{} cannot follow the bracket: write [ADDRESS], [ADDRESS]:22 or [ADDRESS]/120:22", Quoted(.0))]
    BracketTail(Box<str>),
    /// `::1:22`.
    #[error("this could be port {port} of {shorter} or an address: write [{shorter}]:{port} or [{whole}]")]
    Ambiguous {
        /// What is left if the last group is a port.
        shorter: Box<str>,
        /// The last group as a port.
        port: u16,
        /// The address if it is none, as written.
        whole: Box<str>,
    },
    /// A port behind an IPv6 address that is not in brackets.
    #[error("a port behind an IPv6 address needs brackets: write {0}")]
    NeedsBrackets(Box<str>),
    /// More than one colon and no IPv6 address.
    #[error("has more than one colon: write host:port, and an IPv6 address with a port as [2001:db8::1]:22")]
    TooManyColons,
    /// Colons and hexadecimal digits that make no address.
    #[error("{} is not an IPv6 address: write it like 2001:db8::1, with a port [2001:db8::1]:22", Quoted(.0))]
    V6Malformed(Box<str>),
    /// Numbers and dots that make no address.
    #[error("{} is not an IPv4 address ({why}): write four numbers from 0 to 255", Quoted(.addr))]
    V4Malformed {
        /// What was taken for an address.
        addr: Box<str>,
        /// What is wrong with it.
        why: Box<str>,
    },
    /// A dash range of another shape.
    #[error("this is no address range: write 10.0.0.1-50 or 10.0.0.1-10.0.0.50")]
    RangeShape,
    /// A dash range of IPv6 addresses whose end is no address.
    #[error("this is no IPv6 address range: write both ends in full, [2001:db8::1-2001:db8::ff]:22")]
    RangeShapeV6,
    /// A range whose end is below its start.
    #[error("the range ends before it starts: write {0}")]
    RangeReversed(Box<str>),
    /// `10.0.0.1-5/24`.
    #[error("a range has no prefix length: write 10.0.0.1-50 or 10.0.0.0/24")]
    RangeWithPrefix,
    /// `/33`.
    #[error("the prefix length {0} is too long for {family}: write /0 to /{max}", family = if *.1 == 32 { "IPv4" } else { "IPv6" }, max = .1)]
    PrefixTooLong(Box<str>, u8),
    /// `/`, `/255.255.255.0`.
    #[error("{} is not a prefix length: write a number of bits, such as /24", Quoted(&format!("/{_0}")))]
    PrefixNotNumber(Box<str>),
    /// `[2001:db8::/120]/120`.
    #[error("has two prefix lengths: write [2001:db8::]/120:22")]
    PrefixTwice,
    /// `host/24`.
    #[error("a prefix length belongs to an address, and {} is a name: write 10.0.0.0/24", Quoted(.0))]
    PrefixOnName(Box<str>),
    /// `%` with nothing behind it.
    #[error("no interface follows the %: write fe80::1%eth0")]
    ScopeMissing,
    /// A scope on what needs none.
    #[error("%{0} belongs to link-local IPv6 addresses (fe80::/10) only: leave it away")]
    ScopeMisplaced(Box<str>),
    /// A link-local address that says nothing of its interface.
    #[error("a link-local address needs its interface: write it like fe80::1%eth0, or give --interface NAME")]
    ScopeNeeded,
    /// No such interface.
    #[error("there is no interface {} here: `ip link` lists them", Quoted(.0))]
    ScopeUnknown(Box<str>),
    /// A wildcard.
    #[error("there are no wildcards: write 10.0.0.0/24 or 10.0.0.1-50")]
    Wildcard,
    /// Not ASCII.
    #[error("the name is not ASCII: write it in its punycode form (xn--…)")]
    NameNotAscii,
    /// A character that no host name has.
    #[error("a host name has no {}: letters, digits, -, _ and dots only", Quoted(&.0.to_string()))]
    NameCharacter(char),
    /// `a..b`.
    #[error("the name has an empty part: write one dot between two parts")]
    NameEmptyLabel,
    /// More than 63 bytes between dots.
    #[error("a part of the name is {0} bytes long: DNS allows 63")]
    NameLabelTooLong(usize),
    /// More than 253 bytes.
    #[error("the name is {0} bytes long: DNS allows 253")]
    NameTooLong(usize),
    /// `-oProxyCommand=…`: would be an option to whatever gets the name as an argument.
    #[error("a host name does not start with a dash")]
    NameDash,
    /// An IPv6 target under `-4`, or connected to from an IPv4 address, or the other way round.
    #[error("is an {has} target, but {option} allows only {wants}: leave the target or {option} away")]
    Family {
        /// The family of the target.
        has: &'static str,
        /// The family allowed.
        wants: &'static str,
        /// The option that says so, with its value.
        option: Box<str>,
    },
}

/// A problem with what the user gave, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputProblem {
    /// `argument 2`, `--exclude`, `FILE:LINE`, `stdin line 3`, or the file or option.
    pub place: String,
    /// What is wrong there and what to do about it, on one line.
    pub message: String,
}

impl InputProblem {
    pub(crate) fn new(place: impl Into<String>, message: impl std::fmt::Display) -> Self {
        Self { place: place.into(), message: message.to_string() }
    }
}

impl std::error::Error for InputProblem {}

impl std::fmt::Display for InputProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// All that is wrong with the input: never empty, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputProblems {
    /// The first of them, in the order of the input.
    pub problems: Vec<InputProblem>,
    /// How many more there are.
    pub more: u64,
}

impl InputProblems {
    /// Enough to see what kind of mistake it is; a file of the wrong format must not scroll the first line away.
    pub const SHOWN: usize = 10;

    pub(crate) fn push(&mut self, problem: InputProblem) {
        if self.problems.len() < Self::SHOWN { self.problems.push(problem) } else { self.more += 1 }
    }

    pub(crate) const fn none() -> Self {
        Self { problems: Vec::new(), more: 0 }
    }

    pub(crate) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.problems.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<InputProblem> for InputProblems {
    fn from(problem: InputProblem) -> Self {
        Self { problems: vec![problem], more: 0 }
    }
}

impl std::error::Error for InputProblems {}

impl std::fmt::Display for InputProblems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            problem.fmt(f)?;
        }
        if self.more > 0 { write!(f, "\n… and {} more", self.more) } else { Ok(()) }
    }
}

/// Text of the user's in an error: between backquotes, shortened, nothing in it that a terminal would act upon.
pub(crate) struct Quoted<'a>(pub &'a str);

impl Quoted<'_> {
    /// Characters shown before the rest is left away.
    const SHOWN: usize = 80;
}

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use std::fmt::Write;
        f.write_char('`')?;
        for (i, c) in self.0.chars().enumerate() {
            if i == Self::SHOWN {
                f.write_char('…')?;
                break;
            }
            // Besides controls, what reorders or hides text: bidirectional controls, zero-width characters.
            let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffd}');
            if c.is_control() || hidden { write!(f, "{}", c.escape_unicode())? } else { f.write_char(c)? }
        }
        f.write_char('`')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_raw_reaches_a_terminal() {
        assert_eq!(Quoted("a\u{1b}[2J\u{9b}\u{202e}\u{7f}b").to_string(), r"`a\u{1b}[2J\u{9b}\u{202e}\u{7f}b`");
        let long = Quoted(&"x".repeat(5000)).to_string();
        assert_eq!(long.chars().count(), 83);
        assert!(long.ends_with("…`"));
    }

    #[test]
    fn many_problems_are_counted_not_listed() {
        let mut all = InputProblems::none();
        for line in 1..=1000 {
            all.push(InputProblem::new(format!("hosts:{line}"), "bad"));
        }
        let shown = all.or(()).unwrap_err().to_string();
        assert_eq!(shown.lines().count(), InputProblems::SHOWN + 1);
        assert!(shown.starts_with("hosts:1: bad\nhosts:2: bad\n") && shown.ends_with("\n… and 990 more"));
        assert_eq!(InputProblems::none().or(7), Ok(7));
    }
}
