//! Who the local user is, as ssh(1) decides whom to log in as where nothing names anybody.

use std::env;

use nix::unistd::{User, getuid};

/// The local user's entry in the password database. A container may have none for its uid.
#[must_use]
pub(crate) fn local() -> Option<User> {
    User::from_uid(getuid()).ok().flatten()
}

/// The name of the user whose entry this is; of the environment, where there is none.
#[must_use]
pub(crate) fn name(entry: Option<&User>) -> Option<String> {
    let listed = entry.map(|user| user.name.clone());
    listed.or_else(|| env::var("USER").ok()).or_else(|| env::var("LOGNAME").ok()).filter(|name| !name.is_empty())
}
