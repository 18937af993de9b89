//! Who the local user is, as ssh(1) decides whom to log in as where nothing names anybody.

use std::env;

use nix::unistd::{User, getuid};

/// The local user's name: of the password database, else of the environment, where a container has no entry for its uid.
#[must_use]
pub(super) fn name() -> Option<String> {
    let listed = User::from_uid(getuid()).ok().flatten().map(|user| user.name);
    listed.or_else(|| env::var("USER").ok()).or_else(|| env::var("LOGNAME").ok()).filter(|name| !name.is_empty())
}
