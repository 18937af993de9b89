//! Finds and reads the files that host keys are held against.
//!
//! What is wrong in them is told line by line and spoils no other line. Only a file that the user named and that cannot be
//! read at all stops the run: without it nobody would know what is trusted, or what is revoked.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::{User, getuid};
use sshprobe_probes::escape::escape;
use sshprobe_probes::trust::known_hosts::KnownHostsBuilder;
use sshprobe_probes::trust::revoked::RevokedKeysBuilder;
use sshprobe_probes::trust::{BadKeys, Effect, KnownHosts, Policy, Problem, RevokedKeys};

use crate::error::Error;
use crate::sys::unread::unread;

/// The most lines of one file about which a warning is shown; of more only their number is told.
const TOLD: usize = 20;

/// The files of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustFiles {
    /// Where known keys stand.
    pub known_hosts: KnownHostsFiles,
    /// Lists of revoked keys and KRLs.
    pub revoked: Vec<PathBuf>,
    /// Lists of keys that the world has.
    pub bad_keys: Vec<PathBuf>,
}

/// Where known keys stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KnownHostsFiles {
    /// ssh's files: the user's and the system's. One that is not there is empty, as for ssh.
    #[default]
    Default,
    /// These, in this order.
    Named(Vec<PathBuf>),
    /// These in place of ssh's own, as ssh_config names them: one that is not there is empty, as for ssh.
    Configured(Vec<PathBuf>),
    /// Nowhere: keys are not judged.
    None,
}

/// What the files came to.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The policy with what was in them, everything else as by default.
    pub policy: Policy,
    /// What cannot be used of them, one line each.
    pub warnings: Vec<String>,
}

impl TrustFiles {
    /// Reads them all.
    ///
    /// # Errors
    /// A file that was named cannot be read, or is a revocation list of which nothing can be used.
    pub fn load(&self) -> Result<Loaded, Error> {
        let mut warnings = Vec::new();
        let known_hosts = self.load_known_hosts(&mut warnings)?;
        let revoked = self.load_revoked(&mut warnings)?;
        let mut bad_keys = BadKeys::default();
        for path in &self.bad_keys {
            let content = read_named("--bad-keys", path)?;
            let before = bad_keys.len();
            let problems = bad_keys.file(&path.to_string_lossy(), &content);
            if bad_keys.len() == before && !problems.is_empty() {
                return Err(Error::usage(format!(
                    "--bad-keys {}: no line of it is a fingerprint or a public key; name another file",
                    shown(path)
                )));
            }
            tell(problems, path, &mut warnings);
        }
        let (revoked, bad_keys) = (Arc::new(revoked), Arc::new(bad_keys));
        let policy = Policy { known_hosts: known_hosts.map(Arc::new), revoked, bad_keys, ..Policy::default() };
        Ok(Loaded { policy, warnings })
    }

    /// Every file that is read, be it there or not.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let known = match &self.known_hosts {
            KnownHostsFiles::None => Vec::new(),
            KnownHostsFiles::Default => default_files(),
            KnownHostsFiles::Named(paths) | KnownHostsFiles::Configured(paths) => paths.clone(),
        };
        [known.as_slice(), &self.revoked, &self.bad_keys].concat()
    }

    fn load_known_hosts(&self, warnings: &mut Vec<String>) -> Result<Option<KnownHosts>, Error> {
        let mut files = KnownHosts::builder();
        match &self.known_hosts {
            KnownHostsFiles::None => return Ok(None),
            KnownHostsFiles::Named(paths) => {
                for path in paths {
                    let content = read_named("--known-hosts", path)?;
                    tell(files.file(&path.to_string_lossy(), &content), path, warnings);
                }
            }
            KnownHostsFiles::Default => read_those_there(&default_files(), &mut files, warnings),
            KnownHostsFiles::Configured(paths) => read_those_there(paths, &mut files, warnings),
        }
        Ok(Some(files.build()))
    }

    fn load_revoked(&self, warnings: &mut Vec<String>) -> Result<RevokedKeys, Error> {
        let mut revoked = RevokedKeysBuilder::default();
        for path in &self.revoked {
            let content = read_named("--revoked-host-keys", path)?;
            let problems = revoked.file(&path.to_string_lossy(), &content);
            let problems = problems.map_err(|problem| {
                let problem = escape(problem.to_string());
                Error::usage(format!("--revoked-host-keys: {problem}; without the list nobody knows what is revoked"))
            })?;
            tell(problems, path, warnings);
        }
        Ok(revoked.build())
    }
}

/// Reads files of which one that is not there is empty.
fn read_those_there(paths: &[PathBuf], files: &mut KnownHostsBuilder, warnings: &mut Vec<String>) {
    for path in paths {
        match fs::read(path) {
            Ok(content) => tell(files.file(&path.to_string_lossy(), &content), path, warnings),
            Err(error) if absent(&error) => {}
            Err(error) => warnings.push(format!(
                "{} cannot be read ({}): the keys in it count as unknown; name other files with --known-hosts",
                shown(path),
                unread(&error)
            )),
        }
    }
}

/// The files that ssh reads unasked (ssh_config(5), UserKnownHostsFile and GlobalKnownHostsFile), in its order. The home is
/// that of the password database, not of the environment: so ssh has it.
#[must_use]
pub fn default_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    if let Ok(Some(user)) = User::from_uid(getuid()) {
        let ssh = user.dir.join(".ssh");
        files.extend(["known_hosts", "known_hosts2"].map(|name| ssh.join(name)));
    }
    files.extend(["ssh_known_hosts", "ssh_known_hosts2"].map(|name| Path::new("/etc/ssh").join(name)));
    files
}

/// There is no such file: for one of ssh's own that is no fault. (A home that is no folder has none either.)
fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A file's name as a terminal may be shown it.
fn shown(path: &Path) -> String {
    escape(path.to_string_lossy().as_ref())
}

fn read_named(option: &str, path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| {
        Error::usage(format!("{option} {}: cannot be read: {}; name another file", shown(path), unread(&error)))
    })
}

fn tell(problems: Vec<Problem>, path: &Path, warnings: &mut Vec<String>) {
    let mut more = 0;
    for (at, problem) in problems.into_iter().enumerate() {
        match problem.effect {
            Effect::More(lines) => more += lines,
            _ if at >= TOLD => more += 1,
            Effect::LeftOut => warnings.push(format!("{}; the line is left out", escape(problem.to_string()))),
            Effect::Counts => warnings.push(escape(problem.to_string())),
        }
    }
    if more > 0 {
        warnings
            .push(format!("{}: {more} more lines have problems; those that cannot be used are left out", shown(path)));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use sshprobe_probes::trust::LookupName;

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAJj1xd1gfGJ+bMHaKEXG05Y2E1SMXlo8P1B3fGR0t48";

    fn file(content: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn named(paths: &[&Path]) -> TrustFiles {
        let paths = paths.iter().map(|path| path.to_path_buf()).collect();
        TrustFiles { known_hosts: KnownHostsFiles::Named(paths), ..TrustFiles::default() }
    }

    #[test]
    fn lines_that_cannot_be_used_are_told_and_the_others_count() {
        let file = file(format!("web1 {KEY}\nweb2 ssh-ed25519 AAAA\nweb3 {KEY}\n").as_bytes());
        let loaded = named(&[file.path()]).load().unwrap();
        assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
        let line = format!("{}:2: ", file.path().display());
        assert!(loaded.warnings[0].starts_with(&line), "{:?}", loaded.warnings);
        assert!(loaded.warnings[0].ends_with("; the line is left out"), "{:?}", loaded.warnings);
        let known = loaded.policy.known_hosts.unwrap();
        assert!(["web1", "web3"].iter().all(|host| !known.lookup(&LookupName::new(host, 22)).is_empty()));
    }

    #[test]
    fn of_many_bad_lines_the_first_are_told_and_the_rest_counted() {
        // Of the last so many lines even the reader keeps nothing but their number.
        for lines in [TOLD + 7, 3_000] {
            let file = file("garbage\n".repeat(lines).as_bytes());
            let loaded = named(&[file.path()]).load().unwrap();
            assert_eq!(loaded.warnings.len(), TOLD + 1);
            let rest = format!(": {} more lines have problems; those that cannot be used are left out", lines - TOLD);
            assert!(loaded.warnings[TOLD].ends_with(&rest), "{:?}", loaded.warnings);
        }
    }

    #[test]
    fn a_line_that_counts_is_not_said_to_be_left_out() {
        for content in [format!("web1 {KEY} comment\0more\n"), format!("\u{feff}web0,web1 {KEY}\n")] {
            let file = file(content.as_bytes());
            let loaded = named(&[file.path()]).load().unwrap();
            assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
            assert!(!loaded.warnings[0].contains("left out"), "{:?}", loaded.warnings);
            assert!(!loaded.policy.known_hosts.unwrap().lookup(&LookupName::new("web1", 22)).is_empty());
        }
    }

    #[test]
    fn a_named_file_that_cannot_be_read_stops_the_run() {
        let missing = named(&[Path::new("/nonexistent/known_hosts")]).load().unwrap_err().to_string();
        assert_eq!(
            missing,
            "--known-hosts /nonexistent/known_hosts: cannot be read: there is no such file; name another file"
        );
        let folder = named(&[Path::new("/")]).load().unwrap_err().to_string();
        assert_eq!(folder, "--known-hosts /: cannot be read: it is a directory; name another file");
        let files = TrustFiles { revoked: vec!["/nonexistent".into()], ..named(&[]) };
        assert!(files.load().unwrap_err().to_string().starts_with("--revoked-host-keys /nonexistent: cannot be read"));
        let files = TrustFiles { bad_keys: vec!["/nonexistent".into()], ..named(&[]) };
        assert!(files.load().unwrap_err().to_string().starts_with("--bad-keys /nonexistent: cannot be read"));
    }

    #[test]
    fn a_revocation_list_of_which_nothing_can_be_used_stops_the_run() {
        let broken = file(b"SSHKRL\n\0broken");
        let files = TrustFiles { revoked: vec![broken.path().into()], ..named(&[]) };
        let line = files.load().unwrap_err().to_string();
        assert!(line.starts_with(&format!("--revoked-host-keys: {}", broken.path().display())), "{line}");
        assert!(line.ends_with("; without the list nobody knows what is revoked"), "{line}");
    }

    #[test]
    fn what_steers_a_terminal_does_not_get_through_in_a_files_name() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("x\u{1b}[31m\nevil");
        let missing = named(&[&path]).load().unwrap_err().to_string();
        assert!(!missing.chars().any(char::is_control), "{missing:?}");
        fs::write(&path, "garbage\n".repeat(TOLD + 2)).unwrap();
        for line in named(&[&path]).load().unwrap().warnings {
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }

    #[test]
    fn a_list_of_bad_keys_without_one_good_line_stops_the_run() {
        let log = file(b"this is a log\nand no list\n");
        let files = TrustFiles { bad_keys: vec![log.path().into()], ..named(&[]) };
        assert!(files.load().unwrap_err().to_string().contains("no line of it is a fingerprint"));
    }

    #[test]
    fn none_is_not_the_same_as_an_empty_file() {
        let none = TrustFiles { known_hosts: KnownHostsFiles::None, ..TrustFiles::default() };
        assert!(none.load().unwrap().policy.known_hosts.is_none());
        let empty = named(&[]).load().unwrap();
        assert!(empty.policy.known_hosts.is_some_and(|files| files.is_empty()));
    }
}
