//! Lists that are read whole: of commas, and files of lines.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use crate::sys::unread::unread;
use crate::target::lines::{LineFault, Lines};
use crate::target::problem::{ExprError, InputProblem, InputProblems, Quoted};

/// The expressions of a comma-separated list. A number behind an expression with a port is a port of it: no host is
/// called so.
pub(super) fn split_list(list: &str) -> Vec<&str> {
    let mut expressions = Vec::new();
    let (mut start, mut at) = (0, 0);
    for part in list.split(',') {
        let continues = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        if at > 0 && !(continues && list[start..at - 1].contains(':')) {
            expressions.push(&list[start..at - 1]);
            start = at;
        }
        at += part.len() + 1;
    }
    expressions.push(&list[start..]);
    expressions.into_iter().map(str::trim).collect()
}

/// Gives each line of a file to `add`: how many there were, `None` if the file could not be read to its end.
pub(super) fn read_list(
    path: &Path,
    problems: &mut InputProblems,
    mut add: impl FnMut(&str) -> Result<(), ExprError>,
) -> Option<u64> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => {
            problems.push(InputProblem::new(shown(path), format!("cannot be opened: {}", unread(&error))));
            return None;
        }
    };
    let mut lines = Lines::new(BufReader::new(file));
    let mut count = 0;
    loop {
        let place = |number: u64| format!("{}:{number}", shown(path));
        let (result, binary) = match lines.next() {
            Ok(None) => return Some(count),
            Ok(Some(Ok(text))) => (add(text).map_err(|error| error.to_string()), false),
            Ok(Some(Err(fault))) => (Err(fault.to_string()), fault == LineFault::Binary),
            Err(error) => {
                problems.push(InputProblem::new(shown(path), format!("cannot be read: {}", unread(&error))));
                return None;
            }
        };
        count += 1;
        if let Err(message) = result {
            problems.push(InputProblem::new(place(lines.number()), message));
        }
        // Its other lines are no better.
        if binary {
            return None;
        }
    }
}

/// A path for an error's place: as it is, unless it holds what no terminal should get.
pub(super) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.is_empty() || text.chars().any(char::is_control) { Quoted(&text).to_string() } else { text.into_owned() }
}
