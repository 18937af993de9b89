//! Turns the view options into open outputs: what standard output shows, and the file of `-o`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sshprobe_probes::escape::escape;

use crate::cli::args::{Records, Show, ViewArgs, When};
use crate::cli::resume;
use crate::error::{Error, said};
use crate::journal::{Frames, State, folder_of};
use crate::report::{Columns, Format, Look, Place, Progress, Selection, View, is_packed, packed_otherwise};

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
    /// Standard error may be coloured.
    pub color_stderr: bool,
    /// The locale is not UTF-8.
    pub ascii: bool,
    /// The columns asked for.
    pub columns: Option<Columns>,
    /// How often `-v` was given.
    pub verbose: u8,
    /// No progress, summary or warnings.
    pub quiet: bool,
}

impl Output {
    /// Checks the view options. `inputs` are the files that targets are read from: none of them may be overwritten.
    ///
    /// # Errors
    /// The file of `-o` cannot be what results are written to.
    pub fn new(args: &ViewArgs, inputs: &[&Path]) -> Result<Self, Error> {
        let file = once("-o", &args.output)?;
        if let Some(path) = file {
            check(path, inputs)?;
            if let Some(packer) = packed_otherwise(path) {
                let bare = path.with_extension("").display().to_string();
                let reason = format!(
                    "nothing here packs as .{packer} does; name {bare}.zst, which is packed with zstd, or {bare}"
                );
                return Err(Error::Create { path: path.to_owned(), reason });
            }
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
        let progress = match args.talk.progress {
            When::Auto => io::stderr().is_terminal(),
            When::Always => true,
            When::Never => false,
        };
        let color = |terminal: bool| colored(args.color, terminal);
        let file = file.map(|path| (path.to_owned(), Format::of_file(path)));
        let formats = || std::iter::once(args.format).chain(file.as_ref().map(|(_, format)| *format));
        if args.columns.is_some() && !formats().any(|format| format.has_columns) {
            return Err(Error::usage(
                "--columns: nothing with columns is written; ask for --format table or csv, or leave the option out",
            ));
        }
        Ok(Self {
            format: args.format,
            file,
            records,
            show,
            progress: progress && !args.talk.quiet,
            color: color(io::stdout().is_terminal()),
            color_stderr: color(io::stderr().is_terminal()),
            ascii: !is_utf8(|name| std::env::var_os(name)),
            columns: args.columns.clone(),
            verbose: args.talk.verbose,
            quiet: args.talk.quiet,
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

    /// Opens the outputs: the file is created, or emptied, now.
    ///
    /// # Errors
    /// The file cannot be created, or belongs to a run that is to go on.
    pub fn open(&self) -> Result<Vec<View>, Error> {
        self.open_onto(|path| {
            resume::refuse_unfinished(path)?;
            Ok(Box::new(create(path)?))
        })
    }

    /// The same with the file that `open` gives.
    ///
    /// # Errors
    /// Those of `open`.
    pub(super) fn open_onto(
        &self,
        open: impl FnOnce(&Path) -> Result<Box<dyn Write + Send>, Error>,
    ) -> Result<Vec<View>, Error> {
        let mut views = Vec::new();
        let stdout = io::stdout();
        let width = width_of(&stdout);
        let place = Place::Stdout { shares_terminal: stdout.is_terminal() };
        let look = Look { width, color: self.color, ascii: self.ascii, columns: self.columns.clone() };
        let name = String::from("standard output");
        views.push(View::new(self.format, look, self.selection(self.format), place, name, Box::new(stdout)));
        if let Some((path, format)) = &self.file {
            let mut file = open(path)?;
            if is_packed(path) {
                file = Box::new(Frames::new(file));
            }
            let name = path.display().to_string();
            let look = Look { columns: self.columns.clone(), ..Look::default() };
            views.push(View::new(format, look, self.selection(format), Place::File, name, file));
        }
        Ok(views)
    }

    /// What standard error looks like.
    #[must_use]
    pub fn stderr(&self) -> Look {
        Look { width: width_of(&io::stderr()), color: self.color_stderr, ascii: self.ascii, columns: None }
    }

    /// Which records the file of `-o` gets, and which standard output.
    pub(super) fn selections(&self) -> (Option<Selection>, Selection) {
        (self.file.as_ref().map(|(_, format)| self.selection(format)), self.selection(self.format))
    }

    /// No record of an empty address of a range is written, shown or told anywhere.
    pub(super) fn leaves_empty_out(&self) -> bool {
        let (in_file, on_stdout) = self.selections();
        let all = [in_file, Some(on_stdout)].contains(&Some(Selection::All));
        !all && self.verbose == 0
    }

    fn selection(&self, format: &Format) -> Selection {
        if format.for_people { self.show } else { self.records }
    }
}

/// How wide standard output is, if it is a terminal or somebody says so.
pub(super) fn width() -> Option<usize> {
    width_of(&io::stdout())
}

/// The columns of a terminal. Where there is none a width can still be asked for, as POSIX has it for utilities that fold
/// lines.
fn width_of(place: &impl std::os::fd::AsFd) -> Option<usize> {
    let terminal = terminal_size::terminal_size_of(place).map(|(width, _)| usize::from(width.0));
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
    terminal.or_else(columns).filter(|width| *width > 0)
}

/// Whether standard output is coloured.
pub(super) fn color(when: When) -> bool {
    colored(when, io::stdout().is_terminal())
}

fn colored(when: When, terminal: bool) -> bool {
    match when {
        When::Auto => terminal && color_is_welcome(|name| std::env::var_os(name)),
        When::Always => true,
        When::Never => false,
    }
}

/// The character set of the locale: the first of three variables that is set to anything decides (POSIX, section 8.2).
fn is_utf8(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    let name = set.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    name.contains("utf-8") || name.contains("utf8")
}

/// <https://no-color.org>: set to anything but nothing it forbids colour; a dumb terminal cannot show it.
fn color_is_welcome(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> bool {
    variable("NO_COLOR").is_none_or(|value| value.is_empty()) && variable("TERM").is_none_or(|term| term != "dumb")
}

/// The one file that an option names which is written to.
///
/// # Errors
/// It was given again: the last one alone would be written, and nobody would miss the others before they are wanted.
pub(super) fn once<'a>(option: &str, paths: &'a [PathBuf]) -> Result<Option<&'a Path>, Error> {
    let times = match paths {
        [] | [_] => return Ok(paths.first().map(PathBuf::as_path)),
        [_, _] => String::from("twice"),
        more => format!("{} times", more.len()),
    };
    let names: Vec<_> = paths.iter().map(|path| escape(path.to_string_lossy().as_ref())).collect();
    Err(Error::usage(format!("{option}: given {times} ({}), and one file is written; name one", names.join(", "))))
}

/// Checks the file of `--stats-file` against that of `-o`, and what is kept beside it.
///
/// # Errors
/// One would take the place of the other.
pub(super) fn check_stats_file(path: &Path, output: Option<&Path>) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::usage(format!("--stats-file: {why}name a file of its own")));
    if path.as_os_str().is_empty() {
        return refuse("");
    }
    let Some(output) = output else { return Ok(()) };
    let shown = |path: &Path| escape(path.to_string_lossy().as_ref());
    if is_same_place(path, output) {
        return refuse(&format!("{} is the file of -o; ", shown(path)));
    }
    // Whatever the format: where it stands, no other run begins into the file.
    if is_same_place(path, &State::path(output)) {
        return refuse(&format!("{} is where the state of the run into {} is kept; ", shown(path), shown(output)));
    }
    Ok(())
}

/// Whether two names are of one file, or would be if it were there: a folder can be called by many.
fn is_same_place(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|at| (at.dev(), at.ino()));
    let place = |path: &Path| Some((fs::canonicalize(folder_of(path)).ok()?, path.file_name()?.to_owned()));
    let same_file = file(one).is_some_and(|one| Some(one) == file(other));
    one == other || same_file || place(one).is_some_and(|one| Some(one) == place(other))
}

pub(super) fn check(path: &Path, inputs: &[&Path]) -> Result<(), Error> {
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
                return refuse(String::from("this run reads from it; name another file"));
            }
        }
        Err(_) => {
            let folder = folder_of(path);
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

pub(super) fn create(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .map_err(|error| Error::Create { path: path.to_owned(), reason: said(&error) })
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
        assert!(refusal(&link, &[&hosts]).ends_with("this run reads from it; name another file"));
        assert!(refusal(Path::new("-"), &[]).contains("standard output"));
        assert!(refusal(Path::new(""), &[]).contains("empty"));
        assert!(check(&hosts, &[]).is_ok());
        assert!(check(&home.path().join("new.jsonl"), &[&hosts]).is_ok());
        assert_eq!(fs::read_dir(home.path()).expect("listed").count(), 2);
        assert_eq!(fs::read_to_string(&hosts).expect("still there"), "a\n");
    }

    #[test]
    fn one_file_is_written_to() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(once("-o", &[]).expect("none"), None);
        assert_eq!(once("-o", &paths(&["a"])).expect("one"), Some(Path::new("a")));
        for (names, line) in [
            (
                &["a.jsonl", "b\u{1b}.csv"][..],
                "-o: given twice (a.jsonl, b\\x1b.csv), and one file is written; name one",
            ),
            (&["a", "a", "b"], "-o: given 3 times (a, a, b), and one file is written; name one"),
        ] {
            assert_eq!(once("-o", &paths(names)).expect_err("refused").to_string(), line);
        }
    }

    /// By whatever name: it would be replaced while the run goes on, and the next run be kept from its file.
    #[test]
    fn a_stats_file_is_neither_the_output_nor_its_state() {
        let home = tempfile::tempdir().expect("a folder");
        let at = |name: &str| home.path().join(name);
        fs::create_dir(at("sub")).expect("made");
        std::os::unix::fs::symlink(home.path(), at("link")).expect("a link");
        let output = at("x.jsonl");
        let refused = |path: &Path| check_stats_file(path, Some(&output)).err().map(|error| error.to_string());
        for name in ["x.jsonl", "./x.jsonl", "sub/../x.jsonl", "link/x.jsonl"] {
            let line = format!("--stats-file: {} is the file of -o; name a file of its own", at(name).display());
            assert_eq!(refused(&at(name)), Some(line), "{name}");
        }
        for name in ["x.jsonl.state", "sub/../x.jsonl.state", "link/x.jsonl.state"] {
            let line = refused(&at(name)).expect("refused");
            let kept =
                format!(" is where the state of the run into {} is kept; name a file of its own", output.display());
            assert!(line.starts_with("--stats-file: ") && line.ends_with(&kept), "{line}");
        }
        fs::write(&output, "").expect("a file");
        fs::hard_link(&output, at("other")).expect("a link");
        assert!(refused(&at("other")).is_some());
        assert_eq!([at("x.prom"), at("sub/x.jsonl"), at("x.state")].map(|path| refused(&path)), [None, None, None]);
        assert!(check_stats_file(Path::new(""), None).is_err() && check_stats_file(&output, None).is_ok());
    }

    #[test]
    fn colour_is_off_where_it_is_unwelcome() {
        let with = |no_color: Option<&str>, term: Option<&str>| {
            color_is_welcome(|name| if name == "NO_COLOR" { no_color } else { term }.map(Into::into))
        };
        assert!(with(None, Some("xterm")) && with(Some(""), None));
        assert!(!with(Some("1"), Some("xterm")) && !with(None, Some("dumb")));
    }

    #[test]
    fn the_locale_tells_whether_utf8_is_understood() {
        let with = |all: &str, ctype: &str, lang: &str| {
            let set =
                [("LC_ALL", all), ("LC_CTYPE", ctype), ("LANG", lang)].map(|(name, value)| (name, value.to_owned()));
            is_utf8(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
        };
        assert!(with("", "", "en_US.UTF-8") && with("C.utf8", "", "") && with("", "de_DE.UTF-8", "C"));
        assert!(!with("", "", "") && !with("C", "", "en_US.UTF-8") && !with("", "", "de_DE.ISO-8859-1"));
    }
}
