//! The INI format: one host a line, sections for groups, their children and their variables.

use std::sync::Arc;

use super::tree::{Tree, UNGROUPED, is_known};
use crate::trust::Source;

/// What the lines of a section are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Hosts,
    Children,
    Variables,
}

/// Reads all lines into the tree.
pub(super) fn read(file: &Arc<str>, content: &str, tree: &mut Tree) {
    let (mut group, mut section) = (UNGROUPED.to_owned(), Section::Hosts);
    // Groups may be spoken of before they have a section of their own.
    let (mut children, mut sections, mut variables) = (Vec::new(), Vec::new(), Vec::new());
    for (line, number) in content.lines().zip(1u32..) {
        let at = Source { file: Arc::clone(file), line: Some(number) };
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some((name, kind)) = heading(line) {
            section = match kind {
                None | Some("hosts") => Section::Hosts,
                Some("children") => Section::Children,
                Some("vars") => Section::Variables,
                Some(kind) => {
                    tree.problem(&at, format!("a section is NAME, NAME:children or NAME:vars, not {name}:{kind}"));
                    Section::Hosts
                }
            };
            name.clone_into(&mut group);
            if section == Section::Variables {
                sections.push((group.clone(), at));
            } else {
                tree.add_group(name);
            }
            continue;
        }
        if line.starts_with('[') && !line.contains(':') {
            tree.problem(&at, format!("\"{line}\" is no section"));
            continue;
        }
        match section {
            Section::Hosts => host(&group, line, &at, tree),
            Section::Children => {
                let child = line.split('#').next().unwrap_or_default().trim_end();
                if child.is_empty() || child.contains([':', ']']) || child.contains(char::is_whitespace) {
                    tree.problem(&at, format!("\"{line}\" names no group"));
                } else {
                    children.push((group.clone(), child.to_owned(), at));
                }
            }
            // A variable without a value is as good as none.
            Section::Variables => {
                let pair = line.split_once('=').map(|(name, value)| (name.trim(), literal(value.trim())));
                variables.extend(pair.map(|(name, value)| (group.clone(), name, value, at)));
            }
        }
    }
    for (group, child, at) in &children {
        if !tree.has_group(child) {
            tree.problem(at, format!("{group} is to have a child {child}, which has no section"));
        }
    }
    for (group, at) in &sections {
        if !tree.has_group(group) {
            tree.problem(at, format!("variables for {group}, which has no section of its own"));
        }
    }
    for (group, child, _) in &children {
        tree.add_child(group, child);
    }
    for (group, name, value, at) in variables {
        tree.set_group(&group, name, value, &at);
    }
}

/// `[name]` or `[name:kind]`, a comment behind it allowed.
fn heading(line: &str) -> Option<(&str, Option<&str>)> {
    let (inside, behind) = line.strip_prefix('[')?.split_once(']')?;
    let behind = behind.trim_start();
    let (name, kind) = inside.split_once(':').map_or((inside, None), |(name, kind)| (name, Some(kind)));
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
    let named = !name.is_empty() && !name.contains(char::is_whitespace);
    ((behind.is_empty() || behind.starts_with('#')) && named && kind.is_none_or(is_word)).then_some((name, kind))
}

fn host(group: &str, line: &str, at: &Source, tree: &mut Tree) {
    let Some(words) = words(line) else { return tree.problem(at, "a quote is not closed") };
    let mut words = words.into_iter();
    let Some(name) = words.next() else { return };
    let hosts = tree.add_hosts(group, &name, at);
    for word in words {
        let Some((variable, value)) = word.split_once('=') else {
            return tree.problem(at, format!("behind a host stand variables as name=value, not \"{word}\""));
        };
        if !is_known(variable) {
            continue;
        }
        for host in &hosts {
            tree.set_host(*host, variable, literal(value), at);
        }
    }
}

/// A line in words as a shell has them: quotes, `\` before a sign, and `#` for a comment, within words, too.
fn words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut rest = line.chars().peekable();
    while let Some(next) = rest.next() {
        match (next, quote) {
            ('#', None) => break,
            (blank, None) if blank.is_whitespace() => words.extend(word.take()),
            ('"' | '\'', None) => {
                quote = Some(next);
                word.get_or_insert_default();
            }
            (_, Some(open)) if next == open => quote = None,
            ('\\', None) => word.get_or_insert_default().push(rest.next()?),
            ('\\', Some('"')) => {
                let escaped = rest.next_if(|next| matches!(next, '"' | '\\'));
                word.get_or_insert_default().push(escaped.unwrap_or('\\'));
            }
            _ => word.get_or_insert_default().push(next),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// The text of a value that is a literal of Python, as Ansible reads them: a string in quotes, a number with a comment
/// behind it. Anything else is a text as it is.
fn literal(value: &str) -> &str {
    let comment = |rest: &str| rest.trim_start().is_empty() || rest.trim_start().starts_with('#');
    for quote in ['"', '\''] {
        if let Some((inside, behind)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote))
            && comment(behind)
            && !inside.contains('\\')
        {
            return inside;
        }
    }
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    match value.split_at_checked(digits) {
        Some((number, rest)) if !number.is_empty() && comment(rest) => number,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_as_a_shell_has_them() {
        let all = |line: &str| words(line).map(|words| words.join("|"));
        assert_eq!(all("a b=c  d").as_deref(), Some("a|b=c|d"));
        assert_eq!(all(r#"a b="c d" 'e f'g h\ i"#).as_deref(), Some("a|b=c d|e fg|h i"));
        assert_eq!(all("a b#c d").as_deref(), Some("a|b"));
        assert_eq!(all(r##"a "b#c\"d" # e"##).as_deref(), Some(r#"a|b#c"d"#));
        assert_eq!(all("a 'b"), None);
        assert_eq!(all(r"a\"), None);
        assert_eq!(all("a ''").as_deref(), Some("a|"));
    }

    #[test]
    fn literals_lose_their_quotes_and_comments() {
        for (value, text) in [
            ("22", "22"),
            ("22 # ssh", "22"),
            ("'root' # me", "root"),
            ("\"root\"", "root"),
            ("root # me", "root # me"),
            ("22x", "22x"),
            ("'a' 'b'", "'a' 'b'"),
            ("", ""),
        ] {
            assert_eq!(literal(value), text);
        }
    }
}
