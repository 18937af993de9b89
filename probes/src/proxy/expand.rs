//! A ProxyCommand with its tokens filled in, for the shell.
//!
//! What is filled in may come from a list of targets that nobody vouches for, and the shell would take a metacharacter in it
//! for its own. ssh refuses such names on its command line (`valid_hostname`, `valid_ruser`); this refuses them wherever they
//! come from, and more of them: besides ssh's set also what globs, comments, and `$` and `\` in user names, with which
//! `$IFS` can still split a word.

use thiserror::Error;

use crate::escape;

/// The longest command that comes out. Linux passes no single argument of 128 KiB or more.
const COMMAND_MAX: usize = 65_536;
/// The longest host name (RFC 1035 section 2.3.4) is 253; an address with its zone has less.
const NAME_MAX: usize = 255;
const SHOWN: usize = 60;

/// Why a command was not prepared.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExpandError {
    /// Nothing to run.
    #[error("the proxy command is empty")]
    Empty,
    /// A NUL byte, with which no program can be started.
    #[error("the proxy command has a NUL byte in it")]
    Nul,
    /// A token that a ProxyCommand does not have, at which ssh gives up too.
    #[error("%{} is no token of a proxy command: write %h, %p, %r, %n or %%", escape::escape(.0.to_string()))]
    Token(char),
    /// A `%` at the end.
    #[error("the proxy command ends with %: write %% for the character itself")]
    TokenMissing,
    /// A name that is not safe in a shell.
    #[error("{shown} is refused as the {what} of a proxy command: {why}")]
    Unsafe {
        /// `host`, `user` or `original host`.
        what: &'static str,
        /// The name, safe to show.
        shown: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// More than can be passed to a shell.
    #[error("the proxy command is longer than {COMMAND_MAX} bytes when expanded")]
    TooLong,
}

/// `command` with `%h` (the host), `%p` (the port), `%r` (the user), `%n` (the host as the user wrote it) and `%%` filled in.
///
/// ssh runs the result as `$SHELL -c "exec COMMAND"`. Only names that the command uses are judged.
///
/// # Errors
/// An unknown token, a name that is not safe in a shell, a command that no shell can be given.
pub fn expand(command: &str, host: &str, port: u16, user: &str, original: &str) -> Result<String, ExpandError> {
    if command.trim().is_empty() {
        return Err(ExpandError::Empty);
    }
    let mut expanded = String::with_capacity(command.len());
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match c {
            '\0' => return Err(ExpandError::Nul),
            '%' => match chars.next() {
                Some('%') => expanded.push('%'),
                Some('h') => expanded.push_str(harmless("host", host)?),
                Some('n') => expanded.push_str(harmless("original host", original)?),
                Some('r') => expanded.push_str(harmless("user", user)?),
                Some('p') => expanded.push_str(&port.to_string()),
                Some(token) => return Err(ExpandError::Token(token)),
                None => return Err(ExpandError::TokenMissing),
            },
            c => expanded.push(c),
        }
        if expanded.len() > COMMAND_MAX {
            return Err(ExpandError::TooLong);
        }
    }
    Ok(expanded)
}

/// `name` if a shell takes it for nothing but a word.
fn harmless<'n>(what: &'static str, name: &'n str) -> Result<&'n str, ExpandError> {
    let why = if name.is_empty() {
        "it is empty"
    } else if name.len() > NAME_MAX {
        "it is longer than 255 bytes"
    } else if name.starts_with('-') {
        "it begins with a hyphen, as an option does"
    } else if name.chars().any(|c| c.is_control() || c.is_whitespace() || escape::is_unsafe(c)) {
        "it has a blank or a control character in it"
    } else if name.contains(is_special) {
        "it has a character in it that means something to a shell"
    } else {
        return Ok(name);
    };
    Err(ExpandError::Unsafe { what, shown: escape::quote(name, SHOWN), why })
}

/// ssh's set for hosts (`` '`"$\;&<>|(){}, ``), and what globs, comments, negates or stands for a home directory.
const fn is_special(c: char) -> bool {
    matches!(
        c,
        '\'' | '`'
            | '"'
            | '$'
            | '\\'
            | ';'
            | '&'
            | '<'
            | '>'
            | '|'
            | '('
            | ')'
            | '{'
            | '}'
            | ','
            | '*'
            | '?'
            | '['
            | ']'
            | '#'
            | '~'
            | '!'
            | '^'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn simple(command: &str) -> Result<String, ExpandError> {
        expand(command, "db.example", 2222, "root", "db")
    }

    #[test]
    fn tokens_are_filled_in_as_ssh_does() {
        for (command, expanded) in [
            ("nc %h %p", "nc db.example 2222"),
            ("ssh -W %h:%p -l %r bastion # %n", "ssh -W db.example:2222 -l root bastion # db"),
            ("printf '%%s%%%%' %%h", "printf '%s%%' %h"),
            ("%h%h", "db.exampledb.example"),
            ("sh -c 'exec nc \"$1\" 22' x y | tee /tmp/x; true", "sh -c 'exec nc \"$1\" 22' x y | tee /tmp/x; true"),
            ("nc \u{e4}", "nc \u{e4}"),
        ] {
            assert_eq!(simple(command).as_deref(), Ok(expanded));
        }
        assert_eq!(expand("nc %h %p", "fe80::1%eth0", 22, "", ""), Ok("nc fe80::1%eth0 22".to_owned()));
        assert_eq!(expand("x %r", "", 22, "name@REALM", ""), Ok("x name@REALM".to_owned()));
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for (command, error) in [
            ("", ExpandError::Empty),
            (" \t\n", ExpandError::Empty),
            ("nc %", ExpandError::TokenMissing),
            ("nc %%%", ExpandError::TokenMissing),
            ("nc %u", ExpandError::Token('u')),
            ("nc %C", ExpandError::Token('C')),
            ("nc % h", ExpandError::Token(' ')),
            ("nc %\u{202e}", ExpandError::Token('\u{202e}')),
            ("nc \0", ExpandError::Nul),
        ] {
            assert_eq!(simple(command), Err(error.clone()), "{command:?}");
            assert!(!error.to_string().chars().any(escape::is_unsafe));
        }
        assert_eq!(simple(&"%h".repeat(40_000)), Err(ExpandError::TooLong));
        assert_eq!(simple(&"x".repeat(COMMAND_MAX + 1)), Err(ExpandError::TooLong));
    }

    /// What ssh refuses as a host or a user, and what a shell would take for more than a word.
    #[test]
    fn hostile_names_are_refused() {
        let long = "a".repeat(256);
        for name in [
            "",
            "-oProxyCommand=id",
            "-",
            "a;id",
            "a&id",
            "a|id",
            "a>b",
            "a<b",
            "$(id)",
            "`id`",
            "${x}",
            "$IFS-x",
            "a\nid",
            "a\rid",
            "a b",
            "a\tb",
            "a'b",
            "a\"b",
            "a\\",
            "a\\b",
            "(a)",
            "{a,b}",
            "a,b",
            "a*",
            "a?",
            "[a]",
            "#a",
            "~root",
            "!a",
            "a\0b",
            "\u{1b}[31m",
            "a\u{7f}",
            "a\u{9b}b",
            "a\u{85}b",
            "a\u{a0}b",
            "a\u{2003}b",
            "a\u{202e}b",
            &long,
        ] {
            for (command, host, user, original) in
                [("x %h", name, "u", "o"), ("x %r", "h", name, "o"), ("x %n", "h", "u", name)]
            {
                let error = expand(command, host, 22, user, original).expect_err(name);
                assert!(matches!(error, ExpandError::Unsafe { .. }), "{name:?}");
                let shown = error.to_string();
                assert!(!shown.chars().any(escape::is_unsafe) && shown.len() < 300, "{shown:?}");
            }
            assert_eq!(
                expand("x %p", name, 22, name, name),
                Ok("x 22".to_owned()),
                "a name that is not used does no harm"
            );
        }
        for name in [
            "a",
            "a-b",
            "a.b.",
            "10.0.0.1",
            "2001:db8::1",
            "fe80::1%eth0",
            "a_b",
            "name@realm",
            "a+b",
            "a=b",
            "\u{4e2d}",
        ] {
            assert!(expand("x %h %r %n", name, 22, name, name).is_ok(), "{name}");
        }
    }

    proptest! {
        /// Whatever a name is, the shell sees the words of the command and no others.
        #[test]
        fn names_never_change_the_words_of_a_command(host in ".{0,12}", user in "[ -~]{0,8}", original in "\\PC{0,8}") {
            if let Ok(command) = expand("nc %h %p %r %n", &host, 22, &user, &original) {
                let words: Vec<&str> = command.split_whitespace().collect();
                prop_assert_eq!(words, ["nc", &host, "22", &user, &original]);
                prop_assert!(!command.contains(['\'', '"', '`', '$', '\\', ';', '&', '|', '<', '>', '(', ')', '*', '\n']));
                prop_assert!(![&host, &user, &original].iter().any(|name| name.starts_with('-')));
            }
        }
    }
}
