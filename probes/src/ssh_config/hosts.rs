//! The hosts that a configuration names.

use std::collections::HashSet;
use std::sync::Arc;

use super::files::Files;
use super::include;
use super::reading::keyword_and_arguments;
use super::settings::Located;
use super::world::{Fault, Local, World};
use crate::trust::{Effect, Problem, Source};

/// The hosts of a configuration, and what could not be read of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConcreteHosts {
    /// Each once, in the order of the files, with the line that names it first.
    pub hosts: Vec<Located<String>>,
    /// Files and lines that were passed over.
    pub problems: Vec<Problem>,
}

/// Every name of a Host line that is one host: without wildcards and not negated, in the files and what they include,
/// whether the Include holds or not. Match lines name no hosts.
#[must_use]
pub fn concrete_hosts(files: &Files, local: &Local, world: &dyn World) -> ConcreteHosts {
    let mut walk =
        Walk { local, world, found: ConcreteHosts::default(), seen: HashSet::new(), visited: HashSet::new() };
    for (path, standing) in files.in_order(local) {
        walk.file(&path, standing.users, standing.check);
    }
    walk.found
}

struct Walk<'a> {
    local: &'a Local,
    world: &'a dyn World,
    found: ConcreteHosts,
    seen: HashSet<String>,
    /// Files by their paths, and whether they were read as the user's.
    visited: HashSet<(String, bool)>,
}

impl Walk<'_> {
    fn file(&mut self, path: &str, users: bool, check: bool) {
        let file: Arc<str> = path.into();
        let whole = Source { file: Arc::clone(&file), line: None };
        // Once is enough, also for files that include each other, of which ssh tells when a host is looked up.
        if !self.visited.insert((path.to_owned(), users)) {
            return;
        }
        let content = match self.world.read(path, check) {
            Ok(content) => content,
            // Those of ssh's own places may be missing.
            Err(Fault::Absent) if check || !users => return,
            Err(Fault::Absent) => return self.problem(whole, String::from("there is no such file")),
            Err(Fault::Permissions) => {
                return self
                    .problem(whole, String::from("it belongs to another user, or group or others may write it"));
            }
            Err(Fault::Other(why)) => return self.problem(whole, format!("cannot be read: {why}")),
        };
        for (line, number) in content.split(|byte| *byte == b'\n').zip(1u32..) {
            let at = Source { file: Arc::clone(&file), line: Some(number) };
            let Some((keyword, words)) = keyword_and_arguments(line) else { continue };
            if !matches!(&*keyword, "host" | "include") {
                continue;
            }
            let Some(words) = words else {
                self.problem(at, String::from("a quote is not closed"));
                continue;
            };
            if keyword == "host" {
                self.host(&words, &at);
                continue;
            }
            for word in words {
                match include::paths(&word, users, self.local, self.world) {
                    Ok(paths) => {
                        for path in paths {
                            self.file(&path, users, true);
                        }
                    }
                    Err(what) => self.problem(at.clone(), what),
                }
            }
        }
    }

    fn host(&mut self, words: &[String], at: &Source) {
        let negated = |name: &str| words.iter().any(|word| word.strip_prefix('!') == Some(name));
        for word in words {
            let concrete = !word.is_empty() && !word.starts_with('!') && !word.contains(['*', '?']);
            if concrete && !negated(word) && self.seen.insert(word.clone()) {
                self.found.hosts.push(Located { value: word.clone(), at: Some(at.clone()) });
            }
        }
    }

    fn problem(&mut self, at: Source, what: String) {
        self.found.problems.push(Problem { effect: Effect::LeftOut, at, what });
    }
}
