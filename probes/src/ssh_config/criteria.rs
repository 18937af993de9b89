//! The conditions of a Match line.

use super::expand::{Tokens, expand};
use super::pattern::{host_list_matches, list_matches};
use super::word::delimited;
use super::world::{Exec, World};

/// What the conditions are held against.
#[derive(Debug, Clone)]
pub(super) struct Subject<'a> {
    pub(super) tokens: Tokens<'a>,
    /// The value of Tag.
    pub(super) tag: &'a str,
    pub(super) final_pass: bool,
    /// Whether the line stands where it cannot hold anyway: nothing is run for it.
    pub(super) never: bool,
}

/// What a Match line comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) holds: bool,
    /// The line speaks of `final`: a second pass is wanted.
    pub(super) wants_final: bool,
    /// Something stands behind the conditions.
    pub(super) more: bool,
    /// Conditions that were not looked at, for which the block is passed over.
    pub(super) warnings: Vec<String>,
}

/// Judges the line's conditions, all of them as ssh does, also when one has failed.
///
/// # Errors
/// What makes ssh refuse the line.
pub(super) fn judge(line: &str, subject: &Subject<'_>, world: &dyn World) -> Result<Outcome, String> {
    let mut outcome = Outcome { holds: true, ..Outcome::default() };
    let (mut rest, mut count) = (Some(line), 0u32);
    while let Some(written) = delimited(&mut rest).filter(|word| !word.is_empty()) {
        if written.starts_with('#') {
            rest = None;
            break;
        }
        let (negated, name) = written.strip_prefix('!').map_or((false, &*written), |name| (true, name));
        let name = name.to_ascii_lowercase();
        if name == "all" {
            let behind = delimited(&mut rest).filter(|word| !word.is_empty());
            if count > 1 || behind.as_deref().is_some_and(|word| !word.starts_with('#')) {
                return Err(String::from("\"all\" goes with no other condition"));
            }
            outcome.holds &= !negated;
            outcome.more = behind.is_none() && rest.is_some_and(|rest| !rest.is_empty());
            return Ok(outcome);
        }
        count = count.saturating_add(1);
        if matches!(&*name, "final" | "canonical") {
            outcome.wants_final |= name == "final";
            outcome.holds &= subject.final_pass != negated;
            continue;
        }
        let value = delimited(&mut rest).filter(|word| !word.is_empty() && !word.starts_with('#'));
        let value = value.ok_or_else(|| format!("the condition \"{name}\" lacks its value"))?;
        let tokens = &subject.tokens;
        let met = match &*name {
            "host" => Some(host_list_matches(tokens.host, &value)),
            "originalhost" => Some(host_list_matches(tokens.original, &value)),
            "user" => Some(list_matches(tokens.user, &value)),
            "localuser" => Some(list_matches(&tokens.local.user, &value)),
            "tagged" => Some(list_matches(subject.tag, &value)),
            "exec" => {
                let command = expand(&value, |letter| tokens.client(letter), None)?;
                // What cannot hold is not run; ssh runs it behind an Include that does not hold, for nothing.
                if outcome.holds && !subject.never { exec(&command, world, &mut outcome.warnings)? } else { None }
            }
            "localnetwork" | "version" | "sessiontype" | "command" => {
                outcome.warnings.push(format!("Match {name} is not supported: the block is passed over"));
                None
            }
            _ => return Err(format!("\"{name}\" is no condition of Match")),
        };
        // A condition that was not looked at does not hold, negated or not.
        outcome.holds &= met.is_some_and(|met| met != negated);
    }
    if count == 0 {
        return Err(String::from("Match lacks its conditions"));
    }
    outcome.more = rest.is_some_and(|rest| !rest.is_empty());
    Ok(outcome)
}

fn exec(command: &str, world: &dyn World, warnings: &mut Vec<String>) -> Result<Option<bool>, String> {
    match world.exec(command) {
        Exec::Ran(met) => Ok(Some(met)),
        Exec::NotAllowed => {
            warnings
                .push(String::from("Match exec runs a command, which is not allowed here: the block is passed over"));
            Ok(None)
        }
        Exec::Failed => {
            Err(format!("the command \"{command}\" of Match exec could not be run, or did not end in time"))
        }
    }
}
