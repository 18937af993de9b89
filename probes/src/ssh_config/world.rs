//! What reading a configuration needs of the machine, passed in by whoever reads it.

/// The machine, as a configuration sees it. Files are asked for again for every host: whoever asks for many keeps them.
pub trait World {
    /// The content of a file.
    ///
    /// # Errors
    /// Why there is none. Where `check` is set, a file that belongs to another user than this one or root, or that group or
    /// others may write, is a [`Fault::Permissions`].
    fn read(&self, path: &str, check: bool) -> Result<Vec<u8>, Fault>;

    /// The paths that an absolute pattern of Include matches, sorted by bytes: `*`, `?` and `[…]` match no `/` and no dot at
    /// the start of a name.
    fn glob(&self, pattern: &str) -> Vec<String>;

    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;

    /// Another user's home, for `~name/`.
    fn home_of(&self, user: &str) -> Option<String>;

    /// Runs the command of a `Match exec` in the user's shell. Called only where it decides whether a block holds.
    fn exec(&self, command: &str) -> Exec;
}

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is not there.
    Absent,
    /// Owner or mode are such that others could have written it.
    Permissions,
    /// The system's words for another reason.
    Other(String),
}

/// What came of a `Match exec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exec {
    /// It ran; whether it exited with 0.
    Ran(bool),
    /// It was not run, as nobody allowed it. The block does not hold, negated or not, and a warning says so.
    NotAllowed,
    /// It could not be run, was killed, or took too long: for ssh, which waits for ever, the end.
    Failed,
}

/// The user and the machine: what tokens and criteria are filled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// The local user's name (`%u`), also the default of the remote one.
    pub user: String,
    /// The home in the password database (`%d`, `~`). Include alone takes `~` from `$HOME` first.
    pub home: String,
    /// The user's number (`%i`).
    pub uid: u32,
    /// The machine's name as gethostname(2) has it (`%l`).
    pub host_name: String,
}

impl Local {
    /// The machine's name up to its first dot (`%L`).
    #[must_use]
    pub fn short_host_name(&self) -> &str {
        self.host_name.split('.').next().unwrap_or_default()
    }
}
