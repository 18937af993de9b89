//! ssh_config on this machine: its files, its environment, its user. What the lines mean is decided in
//! [`sshprobe_probes::ssh_config`].

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use glob::{MatchOptions, Pattern, glob_with};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, User, gethostname, getuid};
use sshprobe_probes::ssh_config::{
    BadQuery, ConcreteHosts, Exec, Fault, Files, HostConfig, Local, Query, World, concrete_hosts, resolve,
};

use crate::error::{Error, said};
use crate::sys::user;

/// Group and others may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// How long a command of `Match exec` may take. ssh waits for ever; here a fleet waits with it.
const EXEC_TIMEOUT: Duration = Duration::from_secs(10);

/// What files held, by path and whether owner and mode were looked at.
type Contents = HashMap<(String, bool), Result<Vec<u8>, Fault>>;

/// Reads configurations on this machine. Files are read once and kept, so that a fleet of hosts costs one reading and sees
/// one state of them.
///
/// Everything here blocks, on files and on the commands of `Match exec`, which have ten seconds each.
#[derive(Debug)]
pub struct SshConfig {
    files: Files,
    local: Local,
    allow_exec: bool,
    content: Mutex<Contents>,
    paths: Mutex<HashMap<String, Vec<String>>>,
}

impl SshConfig {
    /// The configuration in these files, for the user who runs this. `allow_exec` lets `Match exec` run its commands.
    #[must_use]
    pub fn new(files: Files, allow_exec: bool) -> Self {
        Self::of(files, allow_exec, local())
    }

    fn of(files: Files, allow_exec: bool, local: Local) -> Self {
        Self { files, local, allow_exec, content: Mutex::default(), paths: Mutex::default() }
    }

    /// How a host is reached.
    ///
    /// # Errors
    /// A name that could do harm in a command line, or what is wrong in the files, with file and line.
    pub fn lookup(&self, query: &Query) -> Result<HostConfig, Error> {
        query.check().map_err(|fault: BadQuery| {
            Error::usage(format!("{}: {fault}", sshprobe_probes::escape::escape(&query.host)))
        })?;
        Ok(resolve(query, &self.files, &self.local, self)?)
    }

    /// Reads all of it for a host that is nobody's, so that what is wrong in it is known. No command is run for that.
    ///
    /// # Errors
    /// What is wrong in the files.
    pub fn check(&self) -> Result<(), Error> {
        let nobody = Query { host: String::from("localhost"), ..Query::default() };
        resolve(&nobody, &self.files, &self.local, &Idle(self))?;
        Ok(())
    }

    /// The hosts that the files name one by one.
    #[must_use]
    pub fn concrete_hosts(&self) -> ConcreteHosts {
        concrete_hosts(&self.files, &self.local, self)
    }

    /// Whether any of the files can be read, or stands where it cannot: where none is there, no host is configured.
    #[must_use]
    pub fn is_there(&self) -> bool {
        let there = |path: String| !matches!(Path::new(&path).metadata().map_err(fault), Err(Fault::Absent));
        self.files.paths(&self.local).into_iter().any(there)
    }

    /// The user and the machine, as tokens are filled in.
    #[must_use]
    pub const fn local(&self) -> &Local {
        &self.local
    }
}

impl World for SshConfig {
    fn read(&self, path: &str, check: bool) -> Result<Vec<u8>, Fault> {
        let mut kept = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entry((path.to_owned(), check)).or_insert_with(|| read(Path::new(path), check)).clone()
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        let mut kept = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entry(pattern.to_owned()).or_insert_with(|| matching(pattern)).clone()
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn home_of(&self, user: &str) -> Option<String> {
        home(&User::from_name(user).ok().flatten()?)
    }

    fn exec(&self, command: &str) -> Exec {
        if !self.allow_exec {
            return Exec::NotAllowed;
        }
        let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
        let mut run = Command::new(shell);
        run.arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::null());
        match within(run, EXEC_TIMEOUT).map(|status| status.code()) {
            Some(Some(code)) => Exec::Ran(code == 0),
            Some(None) | None => Exec::Failed,
        }
    }
}

/// The same world, but that nothing is run.
struct Idle<'a>(&'a SshConfig);

impl World for Idle<'_> {
    fn read(&self, path: &str, check: bool) -> Result<Vec<u8>, Fault> {
        self.0.read(path, check)
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        self.0.glob(pattern)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.0.variable(name)
    }

    fn home_of(&self, user: &str) -> Option<String> {
        self.0.home_of(user)
    }

    fn exec(&self, _: &str) -> Exec {
        Exec::NotAllowed
    }
}

/// Runs a command, but not for longer than that: then it is ended, with what it has started.
fn within(mut command: Command, limit: Duration) -> Option<ExitStatus> {
    let mut child = command.process_group(0).spawn().ok()?;
    let group = i32::try_from(child.id()).ok().map(Pid::from_raw);
    let (tell, ended) = mpsc::channel();
    let waiting = thread::Builder::new().name(String::from("match exec")).spawn(move || {
        // Nobody listens any more where it took too long.
        let _ = tell.send(child.wait());
    });
    let status = waiting.ok().and_then(|_| ended.recv_timeout(limit).ok());
    if status.is_none() {
        // It has not been waited for: the number is still its own.
        let _ = group.map(|group| killpg(group, Signal::SIGKILL));
    }
    status?.ok()
}

fn fault(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Fault::Absent,
        _ => Fault::Other(said(&error)),
    }
}

/// Opened first and looked at then, so that both are of the same file.
fn read(path: &Path, check: bool) -> Result<Vec<u8>, Fault> {
    let mut file = File::open(path).map_err(fault)?;
    let status = file.metadata().map_err(fault)?;
    let owned = status.uid() == 0 || status.uid() == getuid().as_raw();
    if check && (!owned || status.mode() & WRITABLE_BY_OTHERS != 0) {
        return Err(Fault::Permissions);
    }
    // A folder is for ssh a file without lines.
    let mut content = Vec::new();
    if !status.is_dir() {
        file.read_to_end(&mut content).map_err(fault)?;
    }
    Ok(content)
}

/// As glob(3): no star takes a dot at the start of a name, and what is written out needs not be readable to be found.
fn matching(pattern: &str) -> Vec<String> {
    if !pattern.contains(['*', '?', '[']) {
        let there = Path::new(pattern).symlink_metadata().is_ok();
        return if there { vec![pattern.to_owned()] } else { Vec::new() };
    }
    let options =
        MatchOptions { require_literal_leading_dot: true, require_literal_separator: true, case_sensitive: true };
    // A bracket that is not closed is one; so glob(3) has it, and this crate calls it a fault.
    let found = glob_with(pattern, options).or_else(|_| glob_with(&Pattern::escape(pattern), options));
    let found = found.into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<String> = found.filter_map(|path| path.into_os_string().into_string().ok()).collect();
    paths.sort();
    paths
}

/// The user is the one of the password database, as for ssh; the environment stands in where a container has no entry.
fn local() -> Local {
    let user = user::local();
    Local {
        user: user::name(user.as_ref()).unwrap_or_default(),
        home: user.as_ref().and_then(home).or_else(|| std::env::var("HOME").ok()).unwrap_or_default(),
        uid: getuid().as_raw(),
        host_name: gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default(),
    }
}

fn home(user: &User) -> Option<String> {
    user.dir.clone().into_os_string().into_string().ok()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    fn place(dir: &TempDir, name: &str, mode: u32, content: &str) -> String {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("own file");
        path.into_os_string().into_string().expect("printable")
    }

    fn at_home(dir: &TempDir, files: Files, allow_exec: bool) -> SshConfig {
        let home = dir.path().to_str().expect("printable").to_owned();
        SshConfig::of(files, allow_exec, Local { home, ..local() })
    }

    fn query(text: &str) -> Query {
        Query::destination(text).expect("a destination")
    }

    #[test]
    fn the_users_file_is_read_and_kept() {
        let dir = TempDir::new().expect("a folder");
        let path = place(&dir, ".ssh/config", 0o600, "Host h\n  Port 2222\n");
        let config = at_home(&dir, Files::Default, false);
        let found = config.lookup(&query("h")).expect("a configuration");
        assert_eq!(found.port.value, 2222);
        assert_eq!(found.port.at.expect("a place").to_string(), format!("{path}:2"));
        fs::write(path, "Port 1\n").expect("written");
        assert_eq!(config.lookup(&query("h")).expect("a configuration").port.value, 2222);
    }

    #[test]
    fn a_users_file_that_others_may_write_is_refused_and_a_named_one_is_not() {
        let dir = TempDir::new().expect("a folder");
        let path = place(&dir, ".ssh/config", 0o622, "Port 2222\n");
        let told = at_home(&dir, Files::Default, false).lookup(&query("h")).expect_err("refused").to_string();
        assert!(told.contains(&path) && told.contains("may write it"), "{told}");
        let named = at_home(&dir, Files::Named(path), false);
        assert_eq!(named.lookup(&query("h")).expect("read").port.value, 2222);
    }

    #[test]
    fn a_named_file_is_to_be_there_and_the_users_need_not() {
        let dir = TempDir::new().expect("a folder");
        let missing = dir.path().join("missing").to_str().expect("printable").to_owned();
        let told = at_home(&dir, Files::Named(missing.clone()), false).lookup(&query("h")).expect_err("refused");
        assert!(told.to_string().starts_with(&format!("{missing}: cannot be read")), "{told}");
        assert_eq!(at_home(&dir, Files::None, false).lookup(&query("h")).expect("defaults").port.value, 22);
        let default = at_home(&dir, Files::Default, false);
        assert_eq!(default.lookup(&query("h")).expect("defaults").hostname.value, "h");
    }

    #[test]
    fn include_takes_patterns_in_order_and_passes_over_hidden_files() {
        let dir = TempDir::new().expect("a folder");
        place(&dir, "d/b", 0o600, "Port 2\n");
        place(&dir, "d/a", 0o600, "User a\nHost one two *.x !three\n");
        place(&dir, "d/.c", 0o600, "HostName hidden\n");
        place(&dir, "d/[e", 0o600, "ConnectTimeout 3\n");
        let inside = dir.path().display();
        let main =
            place(&dir, "main", 0o600, &format!("Include {inside}/d/* {inside}/d/[e {inside}/d\nHost four one\n"));
        let config = at_home(&dir, Files::Named(main), false);
        let found = config.lookup(&query("h")).expect("a configuration");
        assert_eq!((found.port.value, &*found.user.value, &*found.hostname.value), (2, "a", "h"));
        assert_eq!(found.connect_timeout.expect("a timeout").value.as_secs(), 3);
        let hosts = config.concrete_hosts();
        assert_eq!(hosts.hosts.iter().map(|host| &*host.value).collect::<Vec<_>>(), ["one", "two", "four"]);
        assert_eq!(hosts.problems, []);
    }

    #[test]
    fn exec_runs_only_where_it_is_allowed() {
        let dir = TempDir::new().expect("a folder");
        let mark = dir.path().join("mark");
        let text = format!("Match !exec \"touch {}; false\"\n  Port 2222\n", mark.display());
        let main = place(&dir, "main", 0o600, &text);
        let found = at_home(&dir, Files::Named(main.clone()), false).lookup(&query("h")).expect("a configuration");
        assert_eq!((found.port.value, found.warnings.len()), (22, 1));
        assert!(found.warnings[0].to_string().starts_with(&format!("{main}:1: Match exec")) && !mark.exists());
        let found = at_home(&dir, Files::Named(main), true).lookup(&query("h")).expect("a configuration");
        assert_eq!((found.port.value, found.warnings.len(), mark.exists()), (2222, 0, true));
    }

    #[test]
    fn a_check_reads_what_is_read_later_and_runs_nothing() {
        let dir = TempDir::new().expect("a folder");
        let mark = dir.path().join("mark");
        let main = place(&dir, "main", 0o600, &format!("Match exec \"touch {}\"\n  Port 2222\n", mark.display()));
        let config = at_home(&dir, Files::Named(main.clone()), true);
        config.check().expect("no fault");
        assert!(!mark.exists());
        // It was read then, and once.
        fs::write(&main, "Frobnicate yes\n").expect("written");
        assert_eq!(config.lookup(&query("h")).expect("as it was").port.value, 2222);
        assert!(at_home(&dir, Files::Named(main), true).check().is_err());
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_its_children() {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg("sleep 300 & echo $!; wait").stdout(Stdio::piped());
        // Ended from the start: no test waits for a deadline.
        let begun = std::time::Instant::now();
        assert!(within(command, Duration::ZERO).is_none());
        assert!(begun.elapsed() < Duration::from_secs(100));
        let mut fine = Command::new("/bin/sh");
        fine.arg("-c").arg("exit 3");
        assert_eq!(within(fine, Duration::from_secs(60)).and_then(|status| status.code()), Some(3));
    }

    #[test]
    fn a_hostile_name_is_refused() {
        let dir = TempDir::new().expect("a folder");
        let config = at_home(&dir, Files::None, false);
        let query = Query { host: "a;b".into(), ..Query::default() };
        assert!(config.lookup(&query).is_err());
    }
}
