//! Program errors: what stops a run before the first packet, or ends it because its output can no longer be written.
//!
//! A target's outcome is never one of these; it is a record.

use std::io;
use std::path::PathBuf;

use crate::engine::Unfit;
use crate::target::InputProblems;

/// Why the program could not do what it was asked. Each is shown as one line, [`Error::Input`] and [`Error::SshConfig`] as one for
/// each problem.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A bad option, argument or target; the text names the thing, its place and the remedy.
    #[error("{0}")]
    Usage(String),
    /// What was given as targets: a line for each thing wrong with it.
    #[error(transparent)]
    Input(#[from] InputProblems),
    /// What is wrong in an ssh_config: a line for each thing, with file and line.
    #[error(transparent)]
    SshConfig(#[from] sshprobe_probes::ssh_config::Problems),
    /// The engine cannot start here as asked.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The output file cannot be created.
    #[error("cannot create {}: {reason}", .path.display())]
    Create {
        /// The file that `-o` named.
        path: PathBuf,
        /// What the system said, and what to do about it.
        reason: String,
    },
    /// Writing results failed in the middle of a run: what was written before is valid.
    #[error("cannot write to {destination}: {source}; the run was stopped, and what was written before is valid")]
    Write {
        /// `standard output` or the file's name.
        destination: String,
        /// What the system said.
        source: io::Error,
    },
    /// This machine refused something the run cannot do without.
    #[error("{what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// A usage error of the given text.
    #[must_use]
    pub fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }
}

/// What the system said, without the number that Rust appends.
pub(crate) fn said(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_one_line_and_name_the_thing() {
        let create = Error::Create { path: "/x/y".into(), reason: String::from("the folder /x does not exist") };
        assert_eq!(create.to_string(), "cannot create /x/y: the folder /x does not exist");
        let write = Error::Write { destination: String::from("out.jsonl"), source: io::Error::from_raw_os_error(28) };
        assert!(write.to_string().starts_with("cannot write to out.jsonl: No space left on device"));
        assert!(!write.to_string().contains('\n'));
    }
}
