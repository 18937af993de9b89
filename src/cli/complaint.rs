//! clap's errors in one line: the thing, what is wrong with it, and the remedy.

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::Cli;

/// The error of a command line as one line without `sshprobe: error:`; `command` is the one that it is of, if not of a sweep.
#[must_use]
pub fn one_line(error: &clap::Error, command: Option<&clap::Command>) -> String {
    let option = text(error, ContextKind::InvalidArg).map(|arg| bare(&arg)).unwrap_or_default();
    let value = text(error, ContextKind::InvalidValue);
    match (error.kind(), value) {
        (ErrorKind::InvalidValue, None) => format!("{option}: a value is missing"),
        (ErrorKind::InvalidValue, Some(value)) if value.is_empty() && !has_names(error) => {
            format!("{option}: a value is missing")
        }
        (ErrorKind::InvalidValue, Some(value)) => {
            let names = names(error, ContextKind::ValidValue);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            format!("{option}: {} {}", quote(&value), super::values::none_of(&value, &names))
        }
        (ErrorKind::ValueValidation, value) => {
            let what =
                std::error::Error::source(error).map_or_else(|| String::from("is not valid"), ToString::to_string);
            // A parser that quotes the value itself has already begun the sentence.
            if what.starts_with('`') {
                format!("{option}: {what}")
            } else {
                format!("{option}: {} {what}", quote(&value.unwrap_or_default()))
            }
        }
        (ErrorKind::UnknownArgument, _) => {
            let near = text(error, ContextKind::SuggestedArg).map(|near| bare(&near));
            match (command, near) {
                (Some(command), near) => not_of(command, &option, near),
                (None, Some(near)) => format!("{option}: no such option; did you mean {near}?"),
                (None, None) => {
                    format!("{option}: no such option; `sshprobe --help` lists them, and {BEHIND_DASHES}")
                }
            }
        }
        (ErrorKind::ArgumentConflict, _) => {
            let others: Vec<String> = names(error, ContextKind::PriorArg).iter().map(|arg| bare(arg)).collect();
            format!("{option} cannot be used with {}", others.join(", "))
        }
        (ErrorKind::TooManyValues, value) => {
            format!("{option}: {} is not expected: it takes no value", quote(&value.unwrap_or_default()))
        }
        (ErrorKind::InvalidUtf8, _) => String::from("an argument is not valid UTF-8"),
        _ => first_paragraph(&error.to_string()),
    }
}

const BEHIND_DASHES: &str = "a target that begins with - goes after --";

/// Says that a command takes no such word, where its own help is the one that tells what it takes.
fn not_of(command: &clap::Command, word: &str, near: Option<String>) -> String {
    let name = command.get_name();
    let help = format!("`sshprobe {name} --help`");
    let words = command.get_positionals().next();
    if !word.starts_with('-') {
        return match words {
            None => format!("{word}: `{name}` takes no targets; {help} lists what it takes"),
            Some(_) => format!("{word}: `{name}` takes one word only; {help} says which"),
        };
    }
    // Of an option of the sweep it is known what was meant.
    match near.filter(|_| !is_of_a_sweep(word)) {
        Some(near) => format!("{word}: `{name}` has no such option; did you mean {near}?"),
        None => {
            let targets = words.is_some_and(|words| words.get_num_args().is_some_and(|most| most.max_values() > 1));
            let targets = if targets { format!(", and {BEHIND_DASHES}") } else { String::new() };
            format!("{word}: `{name}` has no such option; {help} lists those it has{targets}")
        }
    }
}

fn is_of_a_sweep(option: &str) -> bool {
    let is = |arg: &clap::Arg| {
        let long = arg.get_long().is_some_and(|long| option.strip_prefix("--") == Some(long));
        long || arg.get_short().is_some_and(|short| option.strip_prefix('-').is_some_and(|o| o.chars().eq([short])))
    };
    Cli::command().get_arguments().any(is)
}

/// What a user gave, quoted and with nothing in it that a terminal would obey.
pub(super) fn quote(value: &str) -> String {
    let mut out = String::from('`');
    for c in value.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out.push('`');
    out
}

/// `--timeout <DURATION>` without the placeholder.
fn bare(arg: &str) -> String {
    let end = arg.find(" <").or_else(|| arg.find(" [")).unwrap_or(arg.len());
    quote_if_strange(arg[..end].trim_end_matches("..."))
}

/// An unknown option is whatever the user typed.
fn quote_if_strange(arg: &str) -> String {
    if arg.chars().any(char::is_control) { quote(arg) } else { arg.to_owned() }
}

fn has_names(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::ValidValue), Some(ContextValue::Strings(names)) if !names.is_empty())
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    }
}

fn names(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::Strings(names)) => names.clone(),
        Some(ContextValue::String(name)) => vec![name.clone()],
        _ => Vec::new(),
    }
}

/// Whatever kind clap adds later: its first paragraph on one line, without its own `error:`.
fn first_paragraph(shown: &str) -> String {
    let text = shown.strip_prefix("error: ").unwrap_or(shown);
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complain(args: &[&str]) -> String {
        let words: Vec<std::ffi::OsString> = ["sshprobe"].iter().chain(args).map(Into::into).collect();
        one_line(&parse(args).expect_err("refused"), Cli::command_of(&words).as_ref())
    }

    fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::of_words(["sshprobe"].iter().chain(args).map(|word| (*word).into()))
    }

    #[test]
    fn each_says_the_thing_the_fault_and_the_remedy_in_one_line() {
        for (args, line) in [
            (&["--depth", "foo"][..], "--depth: `foo` is none of connect, ident, kexinit, kex, auth, login"),
            (&["--depth", ""], "--depth: `` is none of connect, ident, kexinit, kex, auth, login"),
            (&["--depth"], "--depth: a value is missing"),
            (&["-c", "0"], "--concurrency: `0` must be at least 1"),
            (&["-c", "-1"], "--concurrency: `-1` is not a whole number from 0"),
            (
                &["--timeout", "-1s"],
                "--timeout: `-1s` is not a duration, as time cannot be negative; write a duration like 500ms, 8s, 2m or plain seconds",
            ),
            (
                &["--timeout=-1s", "h"],
                "--timeout: `-1s` is not a duration, as time cannot be negative; write a duration like 500ms, 8s, 2m or plain seconds",
            ),
            (&["--timeout", "0"], "--timeout: `0` leaves no time at all; give more than 0"),
            (&["--rate", "fast"], "--rate: `fast` is not a whole number from 0"),
            (&["--concurency", "5"], "--concurency: no such option; did you mean --concurrency?"),
            (
                &["--zzzzzz"],
                "--zzzzzz: no such option; `sshprobe --help` lists them, and a target that begins with - goes after --",
            ),
            (
                &["-Z"],
                "-Z: no such option; `sshprobe --help` lists them, and a target that begins with - goes after --",
            ),
            (&["-4", "-6", "h"], "-4 cannot be used with -6"),
            (&["--show", "problem"], "--show: `problem` is none of problems, answered, all; did you mean problems?"),
            (&["--quiet=yes", "h"], "--quiet: `yes` is not expected: it takes no value"),
            (&["--format", "\u{1b}[31m"], "--format: `\\u{1b}[31m` is none of table, jsonl, csv"),
        ] {
            assert_eq!(complain(args), line, "{args:?}");
        }
    }

    /// What the sweep's help lists is no help to whoever gave it to a command that has it not.
    #[test]
    fn what_a_command_does_not_take_is_told_with_its_own_help() {
        let keys = "`sshprobe keys --help` lists those it has, and a target that begins with - goes after --";
        for (args, line) in [
            (&["keys", "--syn", "127.0.0.1:9"][..], format!("--syn: `keys` has no such option; {keys}")),
            (&["keys", "--format", "csv", "h"], format!("--format: `keys` has no such option; {keys}")),
            (&["keys", "-l", "me", "h"], format!("-l: `keys` has no such option; {keys}")),
            (&["keys", "--hassh", "h"], String::from("--hassh: `keys` has no such option; did you mean --hash?")),
            (
                &["demo", "--depth", "auth"],
                String::from("--depth: `demo` has no such option; `sshprobe demo --help` lists those it has"),
            ),
            (&["demo", "x"], String::from("x: `demo` takes no targets; `sshprobe demo --help` lists what it takes")),
            (&["man", "x"], String::from("x: `man` takes no targets; `sshprobe man --help` lists what it takes")),
            (
                &["explain", "ok", "refused"],
                String::from("refused: `explain` takes one word only; `sshprobe explain --help` says which"),
            ),
            (
                &["completions", "bash", "--zzz"],
                String::from(
                    "--zzz: `completions` has no such option; `sshprobe completions --help` lists those it has",
                ),
            ),
            (&["-q", "--type", "h"], complain(&["--type", "h"])),
        ] {
            assert_eq!(complain(args), line, "{args:?}");
        }
    }

    #[test]
    fn a_command_is_one_only_in_first_place() {
        for args in [&["demo"][..], &["keys", "demo"], &["keys", "-c", "5", "keys"], &["explain", "refused"]] {
            assert!(parse(args).expect("parses").command.is_some(), "{args:?}");
        }
        for args in [
            &["--", "demo"][..],
            &["host", "demo"],
            &["-c", "5", "--", "demo"],
            &["-c", "5", "host", "--", "demo"],
            &["-l", "keys", "host"],
            &["--", "--", "demo"],
            &["help"],
        ] {
            let cli = parse(args).expect("parses");
            assert!(cli.command.is_none(), "{args:?}");
            assert_eq!(cli.sweep.targets.targets.last().map(String::as_str), args.last().copied());
        }
    }

    /// Nobody who gives options first means a host that is called like a command.
    #[test]
    fn a_command_behind_options_is_told_where_it_belongs() {
        for (args, line) in [
            (
                &["-c", "5", "demo"][..],
                "demo: a command comes before all options: `sshprobe demo ...`; `sshprobe [OPTIONS] -- demo` probes a host called demo",
            ),
            (
                &["--plan", "keys", "host"],
                "keys: a command comes before all options: `sshprobe keys ...`; `sshprobe [OPTIONS] -- keys` probes a host called keys",
            ),
            (
                &["-q", "man", "--", "host"],
                "man: a command comes before all options: `sshprobe man ...`; `sshprobe [OPTIONS] -- man` probes a host called man",
            ),
        ] {
            assert_eq!(complain(args), line, "{args:?}");
        }
        for command in ["explain", "completions"] {
            assert!(complain(&["-q", command, "x"]).starts_with(&format!("{command}: a command comes before")));
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
