//! Which files an Include names.

use super::world::{Local, World};

/// The folder of the system's configuration.
const SYSTEM: &str = "/etc/ssh";

/// The files that a word of an Include stands for. Relative paths mean `~/.ssh` in the user's file and `/etc/ssh` in the
/// system's, and `~` is `$HOME` here, unlike everywhere else.
///
/// # Errors
/// Why ssh refuses the word.
pub(super) fn paths(word: &str, users: bool, local: &Local, world: &dyn World) -> Result<Vec<String>, String> {
    if word.is_empty() {
        return Err(String::from("Include with an empty name"));
    }
    if word.starts_with('~') && !users {
        return Err(format!("{word}: ~ has no meaning in the system's configuration"));
    }
    let pattern = match word {
        _ if word.starts_with('/') => word.to_owned(),
        _ if word.starts_with('~') => word.to_owned(),
        _ if users => format!("~/.ssh/{word}"),
        _ => format!("{SYSTEM}/{word}"),
    };
    let Some(rest) = pattern.strip_prefix('~') else { return Ok(world.glob(&pattern)) };
    let (user, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    let home = match user {
        "" => Some(world.variable("HOME").unwrap_or_else(|| local.home.clone())),
        user => world.home_of(user),
    };
    // No such user: for ssh a pattern like any other, and nothing is called so.
    Ok(home.map(|home| world.glob(&format!("{home}{path}"))).unwrap_or_default())
}
