//! Turns the view options into open outputs: what standard output shows, and the file of `-o`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::cli::args::{Records, Show, ViewArgs, When};
use crate::error::Error;
use crate::report::{Format, Look, Place, Progress, Selection, View};

/// How results are shown, checked as far as it can be without creating anything.
#[derive(Debug)]
pub struct Output {
    /// What standard output gets.
    pub format: &'static Format,
    /// The file of `-o` and its format.
    pub file: Option<(PathBuf, &'static Format)>,
    /// What programs get to read.
    pub records: Selection,
    /// What people get to see.
    pub show: Selection,
    /// Progress is drawn.
    pub progress: bool,
    /// Standard output may be coloured.
    pub color: bool,
    /// No progress, summary or warnings.
    pub quiet: bool,
}

impl Output {
    /// Checks the view options. `inputs` are the files that targets are read from: none of them may be overwritten.
    ///
    /// # Errors
    /// The file of `-o` cannot be what results are written to.
    pub fn new(args: &ViewArgs, inputs: &[&Path]) -> Result<Self, Error> {
        if let Some(path) = &args.output {
            check(path, inputs)?;
        }
        let show = match args.show {
            Show::All => Selection::All,
            Show::Answered => Selection::Answered,
            Show::Problems => Selection::Problems,
        };
        let records = match args.records {
            Records::All => Selection::All,
            Records::Answered => Selection::Answered,
        };
        let progress = match args.progress {
            When::Auto => io::stderr().is_terminal(),
            When::Always => true,
            When::Never => false,
        };
        let color = color(args.color);
        let file = args.output.as_ref().map(|path| (path.clone(), Format::of_file(path)));
        Ok(Self {
            format: args.format,
            file,
            records,
            show,
            progress: progress && !args.quiet,
            color,
            quiet: args.quiet,
        })
    }

    /// The progress display asked for.
    #[must_use]
    pub fn progress(&self) -> Progress {
        if self.progress { Progress::shown() } else { Progress::none() }
    }

    /// The option that makes standard output list every target.
    #[must_use]
    pub fn list_all(&self) -> &'static str {
        if self.format.for_people { "--show all" } else { "--records all" }
    }

    /// Opens the outputs, the file first: it is created, or emptied, now.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn open(&self) -> Result<Vec<View>, Error> {
        let mut views = Vec::new();
        let stdout = io::stdout();
        let width = width();
        let place = Place::Stdout { shares_terminal: stdout.is_terminal() };
        let look = Look { width, color: self.color };
        let name = String::from("standard output");
        views.push(View::new(self.format, look, self.selection(self.format), place, name, Box::new(stdout)));
        if let Some((path, format)) = &self.file {
            let file = create(path)?;
            let name = path.display().to_string();
            views.push(View::new(format, Look::default(), self.selection(format), Place::File, name, Box::new(file)));
        }
        Ok(views)
    }

    fn selection(&self, format: &Format) -> Selection {
        if format.for_people { self.show } else { self.records }
    }
}

/// How wide standard output is, if it is a terminal or somebody says so.
pub(super) fn width() -> Option<usize> {
    let terminal = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
    // Where there is no terminal a width can still be asked for, as POSIX has it for utilities that fold lines.
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
    terminal.or_else(columns).filter(|width| *width > 0)
}

/// Whether standard output is coloured.
pub(super) fn color(when: When) -> bool {
    match when {
        When::Auto => io::stdout().is_terminal() && color_is_welcome(|name| std::env::var_os(name)),
        When::Always => true,
        When::Never => false,
    }
}

/// <https://no-color.org>: set to anything but nothing it forbids colour; a dumb terminal cannot show it.
fn color_is_welcome(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> bool {
    variable("NO_COLOR").is_none_or(|value| value.is_empty()) && variable("TERM").is_none_or(|term| term != "dumb")
}

fn check(path: &Path, inputs: &[&Path]) -> Result<(), Error> {
    let refuse = |reason: String| Err(Error::Create { path: path.to_owned(), reason });
    if path.as_os_str().is_empty() {
        return Err(Error::usage("--output: the file's name is empty; name a file, or leave the option out"));
    }
    if path == Path::new("-") {
        return Err(Error::usage("--output: - is no file; standard output gets results anyway, as --format says"));
    }
    match fs::metadata(path) {
        Ok(at) if at.is_dir() => return refuse(String::from("it is a folder; name a file in it")),
        Ok(at) => {
            let same = |input: &&&Path| {
                fs::metadata(input).is_ok_and(|input| (input.dev(), input.ino()) == (at.dev(), at.ino()))
            };
            if at.is_file() && inputs.iter().any(|input| same(&input)) {
                return refuse(String::from("targets are read from it; name another file"));
            }
        }
        Err(_) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            match fs::metadata(folder) {
                Ok(at) if !at.is_dir() => return refuse(format!("{} is not a folder", folder.display())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return refuse(format!("the folder {} does not exist; create it first", folder.display()));
                }
                Err(error) => return refuse(said(&error)),
            }
        }
    }
    Ok(())
}

fn create(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .map_err(|error| Error::Create { path: path.to_owned(), reason: said(&error) })
}

/// What the system said, without the number that Rust appends.
fn said(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &Path, inputs: &[&Path]) -> String {
        check(path, inputs).expect_err("refused").to_string()
    }

    #[test]
    fn what_cannot_be_written_is_refused_before_anything_is_created() {
        let home = tempfile::tempdir().expect("a folder");
        let hosts = home.path().join("hosts");
        fs::write(&hosts, "a\n").expect("a file");
        let link = home.path().join("link");
        std::os::unix::fs::symlink(&hosts, &link).expect("a link");
        let missing = home.path().join("no/such/out.jsonl");
        assert_eq!(
            refusal(&missing, &[]),
            format!(
                "cannot create {}: the folder {} does not exist; create it first",
                missing.display(),
                home.path().join("no/such").display()
            )
        );
        assert!(refusal(home.path(), &[]).ends_with(": it is a folder; name a file in it"));
        assert!(refusal(&hosts.join("out"), &[]).contains(": "));
        assert!(refusal(&link, &[&hosts]).ends_with("targets are read from it; name another file"));
        assert!(refusal(Path::new("-"), &[]).contains("standard output"));
        assert!(refusal(Path::new(""), &[]).contains("empty"));
        assert!(check(&hosts, &[]).is_ok());
        assert!(check(&home.path().join("new.jsonl"), &[&hosts]).is_ok());
        assert_eq!(fs::read_dir(home.path()).expect("listed").count(), 2);
        assert_eq!(fs::read_to_string(&hosts).expect("still there"), "a\n");
    }

    #[test]
    fn colour_is_off_where_it_is_unwelcome() {
        let with = |no_color: Option<&str>, term: Option<&str>| {
            color_is_welcome(|name| if name == "NO_COLOR" { no_color } else { term }.map(Into::into))
        };
        assert!(with(None, Some("xterm")) && with(Some(""), None));
        assert!(!with(Some("1"), Some("xterm")) && !with(None, Some("dumb")));
    }
}
