//! Which files are read, and in which order.

use super::reading::Standing;
use super::world::Local;

/// The system's configuration.
const SYSTEM: &str = "/etc/ssh/ssh_config";

/// Which files a configuration is read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Files {
    /// The user's `~/.ssh/config`, then the system's; each may be missing.
    #[default]
    Default,
    /// This one alone (`-F FILE`), which is to be there.
    Named(String),
    /// None (`-F none`).
    None,
}

impl Files {
    /// As `-F` has it: `none` in any case is none.
    #[must_use]
    pub fn named(argument: &str) -> Self {
        if argument.eq_ignore_ascii_case("none") { Self::None } else { Self::Named(argument.to_owned()) }
    }

    /// The files themselves, in the order in which they are read.
    #[must_use]
    pub fn paths(&self, local: &Local) -> Vec<String> {
        self.in_order(local).into_iter().map(|(path, _)| path).collect()
    }

    pub(super) fn in_order(&self, local: &Local) -> Vec<(String, Standing)> {
        let standing = |users, check| Standing { users, check, never: false, depth: 0 };
        match self {
            Self::None => Vec::new(),
            // ssh trusts whoever names a file to know whose it is.
            Self::Named(path) => vec![(path.clone(), standing(true, false))],
            Self::Default => vec![
                (format!("{}/.ssh/config", local.home), standing(true, true)),
                (SYSTEM.to_owned(), standing(false, false)),
            ],
        }
    }
}
