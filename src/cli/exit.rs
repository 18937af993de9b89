//! The exit code, as documented for scripts, and what counts towards it.

use std::str::FromStr;

use sshprobe_probes::diagnose::{Code, Status};
use sshprobe_probes::record::Record;

use crate::cli::values;
use crate::report::is_silence;

/// How a run ended. Of several that hold, the largest wins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Nothing counts as failure.
    #[default]
    Clean = 0,
    /// The outcome of some target counts as failure (see [`FailOn`]).
    Failure = 1,
    /// A bad option or target, unreadable input or unwritable output.
    Program = 2,
    /// A bug of ours spoiled the record of some target (code `internal`).
    Internal = 3,
    /// SIGINT or SIGTERM ended the run early; what was written is valid.
    Interrupted = 130,
}

impl Exit {
    /// The number the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What one record adds. A place that the user has excluded is no failure unless somebody says that it is to be one.
    #[must_use]
    pub fn of(record: &Record, fail_on: &FailOn) -> Self {
        if record.is_excluded() && *fail_on == FailOn::Expected {
            return Exit::Clean;
        }
        Self::of_record(record.code, record.from_range, fail_on)
    }

    /// What an outcome adds: its status, code and whether its address came out of a range.
    #[must_use]
    pub fn of_record(code: Code, from_range: bool, fail_on: &FailOn) -> Self {
        if code == Code::Internal {
            Exit::Internal
        } else if fail_on.counts(code.status(), from_range) {
            Exit::Failure
        } else {
            Exit::Clean
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// `--fail-on`: which outcomes count as failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum FailOn {
    /// Every status but `ok`; silence, refusal and unreachability only of targets that were named one by one.
    #[default]
    Expected,
    /// No outcome.
    Nothing,
    /// Every status but `ok`, of every target.
    Anything,
    /// These statuses, of every target.
    Only(Vec<Status>),
}

impl FailOn {
    /// Whether a target's status counts as failure.
    #[must_use]
    pub fn counts(&self, status: Status, from_range: bool) -> bool {
        match self {
            FailOn::Expected => status != Status::Ok && !(from_range && is_silence(status)),
            FailOn::Nothing => false,
            FailOn::Anything => status != Status::Ok,
            FailOn::Only(statuses) => statuses.contains(&status),
        }
    }
}

impl FromStr for FailOn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => return Ok(FailOn::Nothing),
            "any" => return Ok(FailOn::Anything),
            _ => {}
        }
        let mut statuses = Vec::new();
        for word in text.split(',').map(str::trim) {
            match word.parse::<Status>() {
                Ok(status) if !statuses.contains(&status) => statuses.push(status),
                Ok(_) => {}
                Err(_) => {
                    let names: Vec<&str> =
                        Status::ALL.iter().map(|status| status.name()).chain(["none", "any"]).collect();
                    return Err(match word {
                        "none" | "any" => format!("has {word} beside others; it stands alone"),
                        _ => values::stranger(text, word, &names),
                    });
                }
            }
        }
        Ok(FailOn::Only(statuses))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts() {
        use Code::{AuthTimeout, Internal, LocalNoRoute, NotSsh, Ok as Fine, Refused, TimeoutConnect, UnreachableHost};
        let only = || FailOn::Only(vec![Status::Refused, Status::Ok]);
        for (code, from_range, fail_on, exit) in [
            (Fine, false, FailOn::Expected, Exit::Clean),
            (Fine, true, FailOn::Expected, Exit::Clean),
            (TimeoutConnect, false, FailOn::Expected, Exit::Failure),
            (TimeoutConnect, true, FailOn::Expected, Exit::Clean),
            (AuthTimeout, true, FailOn::Expected, Exit::Clean),
            (Refused, false, FailOn::Expected, Exit::Failure),
            (Refused, true, FailOn::Expected, Exit::Clean),
            (UnreachableHost, true, FailOn::Expected, Exit::Clean),
            (NotSsh, true, FailOn::Expected, Exit::Failure),
            (LocalNoRoute, true, FailOn::Expected, Exit::Failure),
            (NotSsh, false, FailOn::Nothing, Exit::Clean),
            (Refused, true, FailOn::Anything, Exit::Failure),
            (Fine, true, FailOn::Anything, Exit::Clean),
            (Refused, true, only(), Exit::Failure),
            (Fine, false, only(), Exit::Failure),
            (NotSsh, false, only(), Exit::Clean),
            (Internal, true, FailOn::Nothing, Exit::Internal),
            (Internal, false, FailOn::Expected, Exit::Internal),
        ] {
            assert_eq!(Exit::of_record(code, from_range, &fail_on), exit, "{code} {from_range} {fail_on:?}");
        }
    }

    #[test]
    fn the_largest_wins() {
        let all = [Exit::Clean, Exit::Failure, Exit::Program, Exit::Internal, Exit::Interrupted];
        assert!(all.is_sorted());
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 130]);
        assert_eq!(Exit::Failure.max(Exit::Interrupted), Exit::Interrupted);
    }

    #[test]
    fn fail_on_is_read() {
        assert_eq!("none".parse(), Ok(FailOn::Nothing));
        assert_eq!("any".parse(), Ok(FailOn::Anything));
        assert_eq!("timeout, refused,timeout".parse(), Ok(FailOn::Only(vec![Status::Timeout, Status::Refused])));
        let unknown = "timeout,refusd".parse::<FailOn>().expect_err("unknown");
        assert!(unknown.starts_with("has `refusd`, which is none of ok, timeout, refused, unreachable,"), "{unknown}");
        assert!(unknown.ends_with("local-error, none, any; did you mean refused?"), "{unknown}");
        assert!("any,timeout".parse::<FailOn>().expect_err("beside").contains("stands alone"));
        assert!("".parse::<FailOn>().is_err());
    }
}
