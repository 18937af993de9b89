//! `--depth login` from outside: what is refused before anything is sent, and servers that no lab is needed for.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use russh::keys::{Algorithm, Certificate};
use russh::server::{Auth, Config, Handler, VerifiedPublicKey, run_stream};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::guard::tools;
use crate::support::openssh::{have, keygen, run};
use crate::support::proxies::http_proxy;
use crate::support::relay::{Act, GOOD, Relay};
use crate::support::run::{here, unprivileged};
use crate::ways::{Proxy, free};

/// A folder of the program's user, with keys in it.
fn home() -> TempDir {
    let home = TempDir::new().expect("a folder");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("our own folder");
    home
}

fn give(path: &Path, mode: u32) {
    if nix::unistd::geteuid().is_root() {
        chown(path, Some(65534), Some(65534)).expect("root may");
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own file");
}

fn sshprobe(home: &Path, args: &[&str]) -> Output {
    let mut command = unprivileged();
    command.current_dir(home).args(["--format", "jsonl", "-l", "alice", "--known-hosts", "none"]).args(args);
    command.env("SSH_ASKPASS", "/bin/false").env("SSH_ASKPASS_REQUIRE", "force").env_remove("SSH_AUTH_SOCK");
    command.stdin(Stdio::null()).output().expect("runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[test]
fn login_with_what_cannot_be_used_is_one_line_and_sends_nothing() {
    if !have(&["ssh-keygen"]) {
        return;
    }
    let home = home();
    let bystander = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = bystander.local_addr().expect("an address").to_string();
    keygen(home.path(), &["-q", "-t", "ed25519", "-N", "", "-f", "key"]);
    keygen(home.path(), &["-q", "-t", "ed25519", "-N", "secret-phrase", "-f", "sealed"]);
    fs::copy(home.path().join("key"), home.path().join("unreadable")).expect("copied");
    fs::write(home.path().join("text"), "hunter2 is not a key\n").expect("written");
    fs::write(home.path().join("empty"), "").expect("written");
    fs::write(home.path().join("bad-answers"), "a = b\nhunter2\n").expect("written");
    fs::create_dir(home.path().join("folder")).expect("made");
    for name in ["key", "sealed", "text", "empty", "bad-answers"] {
        give(&home.path().join(name), 0o600);
    }
    fs::set_permissions(home.path().join("unreadable"), fs::Permissions::from_mode(0o000)).expect("our own file");
    let cases: &[(&[&str], &str)] = &[
        (&[], "there is nothing to log in with; give -i FILE, --agent, --password-file FILE or --answers-file FILE"),
        (&["-i", "nowhere"], "-i: nowhere: there is no such file"),
        (&["-i", "unreadable"], "-i: unreadable: permission denied"),
        (&["-i", "text"], "-i: text: it is not a private key"),
        (&["-i", "key.pub"], "-i: key.pub: it is a public key"),
        (&["-i", "folder"], "-i: folder: it is a directory"),
        (&["-i", "sealed"], "-i: sealed: it is encrypted, and no passphrase was given"),
        (&["-i", "key", "--certificate", "text"], "--certificate: text: it is not a certificate"),
        (&["--agent"], "--agent: SSH_AUTH_SOCK is not set"),
        (&["--password-file", "nowhere"], "--password-file: nowhere: there is no such file"),
        (&["--password-file", "empty"], "--password-file: empty: its first line, which is the password, is empty"),
        (&["--answers-file", "bad-answers"], "--answers-file: bad-answers: line 2 is not PROMPT = ANSWER"),
        (&["--password-file", "text", "--query-keys"], "--query-keys"),
    ];
    for (args, words) in cases {
        let output = sshprobe(home.path(), &[&["--depth", "login"], *args, &[&target]].concat());
        let said = stderr(&output);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{args:?}: {said}");
        assert!(said.starts_with("sshprobe: error: ") && said.contains(words), "{args:?}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let shallow = sshprobe(home.path(), &["-i", "key", &target]);
    assert_eq!(shallow.status.code(), Some(2));
    assert!(
        stderr(&shallow)
            .contains("-i: it is for logging in; give --depth login, or a jump host with -J, or leave it away"),
        "{}",
        stderr(&shallow)
    );
    let planned =
        sshprobe(home.path(), &["--depth", "login", "-i", "sealed", "--password-file", "text", "--plan", &target]);
    let plan = String::from_utf8_lossy(&planned.stdout).into_owned() + &stderr(&planned);
    let plan = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plan.contains("by 1 key, to every host whose key is not a wrong one"), "{plan}");
    assert!(plan.contains("the password to hosts whose key is the one known"), "{plan}");
    bystander.set_nonblocking(true).expect("set");
    assert!(bystander.accept().is_err(), "nothing was sent");
}

#[test]
fn login_does_not_use_a_key_that_others_may_read_as_ssh_does_not() {
    if !have(&["ssh-keygen"]) {
        return;
    }
    let home = home();
    keygen(home.path(), &["-q", "-t", "ed25519", "-N", "", "-f", "key"]);
    // What ssh says of it, by the function that it reads keys with.
    fs::set_permissions(home.path().join("key"), fs::Permissions::from_mode(0o644)).expect("our own file");
    let theirs = run(home.path(), "ssh-keygen", &["-y", "-f", "key"]);
    let said = String::from_utf8_lossy(&theirs.stderr).into_owned();
    assert!(!theirs.status.success() && said.contains("bad permissions"), "{said}");
    give(&home.path().join("key"), 0o644);
    let output = sshprobe(home.path(), &["--depth", "login", "-i", "key", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("key: not used, as others may read it (mode 0644)"), "{}", stderr(&output));
}

#[test]
fn login_asks_for_a_passphrase_on_the_terminal_and_does_not_show_it() {
    if !have(&["ssh-keygen", "script"]) {
        return;
    }
    let home = home();
    keygen(home.path(), &["-q", "-t", "ed25519", "-N", "secret-phrase", "-f", "sealed"]);
    for (typed, told) in [
        ("secret-phrase\n", "\"code\":\"refused\""),
        ("wrong\x15secret-phrasf\x7fe\n", "\"code\":\"refused\""),
        ("secret-other\n", "-i: sealed: the passphrase is wrong"),
        ("\x04", "-i: sealed: it is encrypted, and no passphrase was given"),
    ] {
        let ours = format!(
            "{} --format jsonl -l a --known-hosts none --depth login -i sealed 127.0.0.1:1",
            env!("CARGO_BIN_EXE_sshprobe")
        );
        // A terminal of its own.
        let mut child = Command::new("script")
            .current_dir(home.path())
            .args(["-qec", &ours, "/dev/null"])
            .env_remove("SSH_ASKPASS_REQUIRE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script");
        let (mut to, mut from) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let mut shown = Vec::new();
        let mut byte = [0];
        while !shown.ends_with(b"Enter passphrase for key 'sealed': ") {
            assert_eq!(from.read(&mut byte).expect("read"), 1, "{}", String::from_utf8_lossy(&shown));
            shown.push(byte[0]);
        }
        to.write_all(typed.as_bytes()).expect("typed");
        from.read_to_end(&mut shown).expect("read");
        let shown = String::from_utf8_lossy(&shown).into_owned();
        child.wait().expect("ends");
        assert!(shown.contains(told), "{typed:?}: {shown}");
        assert!(!shown.contains("secret-"), "{typed:?}: {shown}");
    }
}

/// What a terminal shows of a shell's line that is met by Ctrl-C where it asks for a passphrase.
fn interrupted(home: &Path, line: &str) -> String {
    at_prompt(home, line, |keys| keys.write_all(b"half of it\x03").expect("typed"))
}

/// What a terminal shows of a shell's line, if this is done where it asks for a passphrase.
fn at_prompt(home: &Path, line: &str, done: impl FnOnce(&mut dyn Write)) -> String {
    let mut child = Command::new("script")
        .current_dir(home)
        .args(["-qec", line, "/dev/null"])
        .env_remove("SSH_ASKPASS_REQUIRE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script");
    let (mut to, mut from) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let (mut shown, mut byte) = (Vec::new(), [0]);
    while !shown.ends_with(b"': ") {
        assert_eq!(from.read(&mut byte).expect("read"), 1, "{}", String::from_utf8_lossy(&shown));
        shown.push(byte[0]);
    }
    done(&mut to);
    from.read_to_end(&mut shown).expect("read");
    child.wait().expect("ends");
    String::from_utf8_lossy(&shown).into_owned()
}

/// An ssh_config whose host `end` is reached through one that these keys are named for.
fn behind_a_hop(home: &Path, keys: &[&str]) {
    let keys: String = keys.iter().map(|key| format!(" IdentityFile {}\n", home.join(key).display())).collect();
    let config = format!("Host hop\n HostName 127.0.0.1\n Port 1\n{keys}Host end\n ProxyJump hop\n");
    fs::write(home.join("config"), config).expect("written");
}

#[test]
fn login_is_ended_by_ctrl_c_at_the_prompt_for_a_passphrase_as_ssh_is_and_the_terminal_is_as_before() {
    if !have(&["ssh-keygen", "script", "stty"]) {
        return;
    }
    let home = home();
    keygen(home.path(), &["-q", "-t", "ed25519", "-N", "secret-phrase", "-f", "sealed"]);
    keygen(home.path(), &["-q", "-t", "ed25519", "-N", "", "-f", "open"]);
    // A key in hand besides: the run has to end, not that key alone.
    let ours = format!(
        "{} -l a --known-hosts none --depth login -i open -i sealed 127.0.0.1:1",
        env!("CARGO_BIN_EXE_sshprobe")
    );
    let shell = format!("stty -a > before; trap : INT; {ours}; echo \"ended by $?\"; stty -a > after");
    let shown = interrupted(home.path(), &shell);
    assert!(shown.contains("ended by 130") && !shown.contains("half") && !shown.contains("refused"), "{shown}");
    let stty = |name: &str| fs::read_to_string(home.path().join(name)).expect("written");
    assert_eq!(stty("before"), stty("after"));
}

#[test]
fn login_is_ended_by_ctrl_c_at_the_prompt_for_a_key_that_ssh_config_names_and_asks_for_no_other() {
    if !have(&["ssh-keygen", "script"]) {
        return;
    }
    let home = home();
    for name in ["one", "two"] {
        keygen(home.path(), &["-q", "-t", "ed25519", "-N", "secret-phrase", "-f", name]);
    }
    behind_a_hop(home.path(), &["one", "two"]);
    let ours = format!("{} -F config --known-hosts none -f -; echo \"ended by $?\"", env!("CARGO_BIN_EXE_sshprobe"));
    // The run is under way by then, with a target that needs no key.
    let shown = interrupted(home.path(), &format!("trap : INT; (echo 127.0.0.1:1; echo end; sleep 1) | {ours}"));
    assert!(shown.contains("ended by 130") && shown.matches("Enter passphrase").count() == 1, "{shown}");
}

#[test]
fn login_that_a_signal_ends_at_the_prompt_for_a_passphrase_leaves_the_terminal_as_before() {
    if !have(&["ssh-keygen", "script", "stty"]) {
        return;
    }
    let home = home();
    keygen(home.path(), &["-q", "-t", "ed25519", "-N", "secret-phrase", "-f", "sealed"]);
    behind_a_hop(home.path(), &["sealed"]);
    let before_a_run = "-l a --known-hosts none --depth login -i sealed 127.0.0.1:1";
    let in_a_run = "-F config --known-hosts none end";
    for (args, signal, code) in [
        (before_a_run, Signal::SIGTERM, 143),
        (before_a_run, Signal::SIGHUP, 129),
        (before_a_run, Signal::SIGQUIT, 131),
        (in_a_run, Signal::SIGTERM, 130),
    ] {
        let ours = env!("CARGO_BIN_EXE_sshprobe");
        let line = format!(
            "ulimit -c 0; stty -a > before; sh -c 'echo $$ > pid; exec {ours} {args}'; echo \"ended by $?\"; stty -a > after"
        );
        let shown = at_prompt(home.path(), &line, |keys| {
            keys.write_all(b"half").expect("typed");
            let pid = fs::read_to_string(home.path().join("pid")).expect("written");
            kill(Pid::from_raw(pid.trim().parse().expect("a number")), signal).expect("it runs");
        });
        assert!(shown.contains(&format!("ended by {code}")), "{args} {signal}: {shown}");
        let stty = |name: &str| fs::read_to_string(home.path().join(name)).expect("written");
        assert_eq!(stty("before"), stty("after"), "{args} {signal}");
    }
}

#[test]
fn login_reads_a_key_and_a_password_out_of_a_pipe() {
    if !have(&["ssh-keygen", "bash"]) {
        return;
    }
    let home = home();
    keygen(home.path(), &["-q", "-t", "ed25519", "-N", "", "-f", "key"]);
    let ours = env!("CARGO_BIN_EXE_sshprobe");
    let line = format!(
        "{ours} --format jsonl -l a --known-hosts none --depth login -i <(sleep 0.2; cat key) --password-file <(echo x) 127.0.0.1:1"
    );
    let output = Command::new("bash").current_dir(home.path()).args(["-c", &line]).output().expect("bash");
    assert_eq!(record(&output)["code"], "refused", "{}", stderr(&output));
}

/// A server that wants a new password; `None` where AsyncSSH is not there.
fn wanting_a_new_password(home: &Path, banner: Option<&str>) -> Option<(Ended, SocketAddr)> {
    answering_passwords(home, "expired_password.py", banner)
}

/// A server for the password in a file of that name; `None` where AsyncSSH is not there.
fn answering_passwords(home: &Path, script: &str, arg: Option<&str>) -> Option<(Ended, SocketAddr)> {
    if !have(&["ssh-keygen"]) || !tools(&[("/usr/lib/python3/dist-packages/asyncssh", "python3-asyncssh")]) {
        return None;
    }
    keygen(home, &["-q", "-t", "ed25519", "-N", "", "-f", "host"]);
    fs::write(home.join("password"), "Old-and-Stale-17\n").expect("written");
    give(&home.join("password"), 0o600);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(script);
    let mut command = Command::new("/usr/bin/python3");
    command.arg("-u").arg(script).arg(home.join("host")).args(arg).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().expect("python3");
    let mut port = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut port).expect("read");
    Some((Ended(child), SocketAddr::from(([127, 0, 0, 1], port.trim().parse().expect("a port")))))
}

/// A program that is ended when it is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const BY_PASSWORD: [&str; 7] =
    ["--depth", "login", "--password-file", "password", "--accept-new", "--per-host", "10ms"];

#[test]
fn login_whose_password_has_expired_is_a_timeout_that_says_so_as_likely() {
    let home = home();
    let Some((_server, addr)) = wanting_a_new_password(home.path(), None) else { return };
    let record = record(&sshprobe(home.path(), &[&BY_PASSWORD[..], &["--timeout", "5s", &addr.to_string()]].concat()));
    assert_eq!((&record["code"], &record["confidence"]), (&"auth-timeout".into(), &"medium".into()), "{record}");
    let detail = record["detail"].as_str().unwrap();
    assert!(detail.contains("neither success nor failure: likely it wants a new password"), "{record}");
    assert_eq!(record["auth"]["attempts"][0]["answer"], "undecided", "{record}");
    assert!(record["diagnoses"][0]["causes"].to_string().contains("a password that has expired"), "{record}");
    assert!(!record.to_string().contains("Old-and-Stale"), "{record}");
}

#[test]
fn login_waits_for_the_answer_to_a_password_whatever_the_server_says_while_it_thinks() {
    for (answer, code) in [("accept", "ok"), ("refuse", "auth-failed")] {
        let home = home();
        let Some((_server, addr)) = answering_passwords(home.path(), "slow_password.py", Some(answer)) else { return };
        let record = record(&sshprobe(home.path(), &[&BY_PASSWORD[..], &[&addr.to_string()]].concat()));
        assert_eq!(record["code"], code, "{record}");
        let words = format!("{}{}", record["detail"], record["auth"]);
        assert!(!words.contains("expired") && !words.contains("new password"), "{record}");
    }
}

#[test]
fn login_whose_password_has_expired_behind_a_banner_is_a_timeout_that_names_the_cause() {
    let home = home();
    let Some((_server, addr)) = wanting_a_new_password(home.path(), Some("A word first")) else { return };
    let record = record(&sshprobe(home.path(), &[&BY_PASSWORD[..], &["--timeout", "5s", &addr.to_string()]].concat()));
    assert_eq!(record["code"], "auth-timeout", "{record}");
    assert!(record["diagnoses"][0]["causes"].to_string().contains("a password that has expired"), "{record}");
}

/// Lets everybody in who has a key, or a certificate for one.
#[derive(Clone)]
struct Welcome;

impl Handler for Welcome {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn auth_openssh_certificate(&mut self, _: &str, _: &Certificate) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }
}

/// A folder in which somebody has an agent.
struct Agent {
    home: TempDir,
    _agent: Ended,
}

impl Agent {
    /// With the host's key in a file, and an agent without one.
    fn new() -> Self {
        let home = home();
        keygen(home.path(), &["-q", "-t", "ed25519", "-N", "", "-f", "host"]);
        let socket = home.path().join("agent");
        let mut agent = Command::new("ssh-agent");
        agent.args(["-D", "-a"]).arg(&socket).stdout(Stdio::null()).stderr(Stdio::null());
        let agent = Ended(agent.spawn().expect("ssh-agent"));
        while UnixStream::connect(&socket).is_err() {
            std::thread::yield_now();
        }
        fs::write(home.path().join("ask"), "#!/bin/sh\necho asked >> \"$ASKED\"\nexit 1\n").expect("written");
        fs::set_permissions(home.path().join("ask"), fs::Permissions::from_mode(0o755)).expect("our own file");
        Self { home, _agent: agent }
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    /// Makes a key by these options, which the agent is given if `known`, and then encrypts its file.
    fn sealed(&self, name: &str, options: &[&str], known: bool) {
        keygen(self.home.path(), &[&["-q", "-N", "", "-f", name], options].concat());
        if known {
            let mut add = Command::new("ssh-add");
            let added = add.arg("-q").arg(self.path(name)).env("SSH_AUTH_SOCK", self.path("agent")).status();
            assert!(added.expect("ssh-add").success());
        }
        let form = options.iter().position(|option| *option == "-m").map_or(&[][..], |at| &options[at..at + 2]);
        keygen(self.home.path(), &[&["-q", "-p", "-P", "", "-N", "secret-phrase", "-f", name], form].concat());
    }

    /// What the program comes to with these options, where its user has this agent, and whether it asked for a passphrase.
    fn run(&self, socket: &str, args: &[&str]) -> (Output, bool) {
        let mut command = here(&["--format", "jsonl", "-l", "alice", "--known-hosts", "none", "--depth", "login"]);
        command.args(["--per-host", "10ms"]).args(args).current_dir(self.home.path());
        let asked = self.home.path().join("asked");
        command.env("SSH_AUTH_SOCK", self.path(socket)).env("ASKED", &asked);
        command.env("SSH_ASKPASS", self.path("ask")).env("SSH_ASKPASS_REQUIRE", "force");
        let output = command.output().expect("runs");
        (output, fs::remove_file(asked).is_ok())
    }
}

/// What was tried, by name.
fn tried(record: &Value) -> Vec<&str> {
    let attempts = record["auth"]["attempts"].as_array().expect("tried");
    attempts.iter().map(|attempt| attempt["credential"].as_str().expect("a name")).collect()
}

#[test]
fn login_by_an_encrypted_key_that_the_agent_has_asks_for_no_passphrase_as_ssh_does_not() {
    if !have(&["ssh", "ssh-keygen", "ssh-agent", "ssh-add"]) {
        return;
    }
    let agent = Agent::new();
    let runtime = Runtime::new().expect("a runtime");
    let addr = serve(&runtime, vec![holding(&agent.home.path().join("host"))], || Welcome);
    let target = addr.to_string();
    let forms: [(&str, &[&str]); 4] = [
        ("own", &["-t", "ed25519"]),
        ("own-rsa", &["-t", "rsa", "-b", "2048"]),
        ("pkcs8", &["-t", "rsa", "-b", "2048", "-m", "PKCS8"]),
        // In a way of old that is not read at all.
        ("pem", &["-t", "ecdsa", "-m", "PEM"]),
    ];
    for (name, options) in forms {
        agent.sealed(name, options, true);
        if name == "own" {
            // It stands in the file itself.
            fs::remove_file(agent.path("own.pub")).expect("made");
        }
        let (output, asked) = agent.run("agent", &["-i", name, &target]);
        let ours = record(&output);
        assert_eq!((&ours["code"], asked), (&"ok".into(), false), "{name}: {ours} {}", stderr(&output));
        assert_eq!(tried(&ours), [name], "and none of the agent's other keys: {ours}");
        let mut ssh = Command::new("ssh");
        ssh.args(["-v", "-F", "none", "-p", &addr.port().to_string(), "-l", "alice", "-i", &agent.path(name)]);
        ssh.args(["-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
        ssh.args(["127.0.0.1", "true"]).env("SSH_AUTH_SOCK", agent.path("agent")).env("ASKED", agent.path("asked"));
        ssh.env("SSH_ASKPASS", agent.path("ask")).env("SSH_ASKPASS_REQUIRE", "force").stdin(Stdio::null());
        let theirs = String::from_utf8_lossy(&ssh.output().expect("ssh").stderr).into_owned();
        let asked = fs::exists(agent.path("asked")).expect("our own folder");
        assert!(theirs.contains("Authenticated to 127.0.0.1") && !asked, "{name}: {theirs}");
    }
    // With --agent it is tried first, and the others behind it.
    let (output, asked) = agent.run("agent", &["--agent", "-i", "pem", &target]);
    assert_eq!((tried(&record(&output)), asked), (vec!["pem"], false), "{}", stderr(&output));
    // A certificate beside it is shown too, though the agent was given none: it signs by the key.
    keygen(agent.home.path(), &["-q", "-t", "ed25519", "-N", "", "-f", "ca"]);
    keygen(agent.home.path(), &["-q", "-s", "ca", "-I", "x", "-n", "alice", "own-rsa.pub"]);
    let (output, asked) = agent.run("agent", &["-i", "own-rsa", &target]);
    let certified = record(&output);
    assert_eq!((&certified["code"], asked), (&"ok".into(), false), "{certified} {}", stderr(&output));
    assert_eq!(tried(&certified), ["own-rsa-cert.pub"], "{certified}");
    fs::rename(agent.path("own-rsa-cert.pub"), agent.path("elsewhere.pub")).expect("made");
    let (output, _) = agent.run("agent", &["-i", "own-rsa", "--certificate", "elsewhere.pub", &target]);
    assert_eq!(tried(&record(&output)), ["elsewhere.pub"], "{}", stderr(&output));
    // Of a key that it does not have, or where nobody is there, the passphrase is asked for as before.
    agent.sealed("unknown", &["-t", "ed25519"], false);
    for (socket, name) in [("agent", "unknown"), ("nobody", "own")] {
        let (output, asked) = agent.run(socket, &["-i", name, &target]);
        let said = format!("-i: {name}: it is encrypted, and no passphrase was given");
        assert!(asked && output.status.code() == Some(2) && stderr(&output).contains(&said), "{}", stderr(&output));
    }
}

#[test]
fn login_shows_a_certificate_once_that_lies_beside_the_key_and_is_the_agents_too() {
    if !have(&["ssh-keygen", "ssh-agent", "ssh-add"]) {
        return;
    }
    let agent = Agent::new();
    let folder = agent.home.path();
    let runtime = Runtime::new().expect("a runtime");
    let serving = || vec![holding(&folder.join("host"))];
    keygen(folder, &["-q", "-t", "ed25519", "-N", "", "-f", "ca"]);
    keygen(folder, &["-q", "-t", "ed25519", "-N", "", "-C", "a comment", "-f", "key"]);
    keygen(folder, &["-q", "-s", "ca", "-I", "x", "-n", "alice", "key.pub"]);
    let add = |options: &[&str]| {
        let mut add = Command::new("ssh-add");
        add.arg("-q").args(options).arg("key").env("SSH_AUTH_SOCK", agent.path("agent")).current_dir(folder);
        assert!(add.status().expect("ssh-add").success());
    };
    add(&[]);
    keygen(folder, &["-q", "-p", "-P", "", "-N", "secret-phrase", "-f", "key"]);
    let refusing = server(&runtime, serving()).to_string();
    for given in [&["-i", "key"][..], &["-i", "key.pub"], &["-i", "key", "--certificate", "key-cert.pub"]] {
        let (output, asked) = agent.run("agent", &[given, &[&refusing]].concat());
        let ours = record(&output);
        assert_eq!(
            (tried(&ours).len(), tried(&ours)[0], asked),
            (2, "key-cert.pub", false),
            "{ours} {}",
            stderr(&output)
        );
    }
    // An agent that was given the certificate alone signs by nothing else.
    add(&["-k", "-d"]);
    let welcoming = serve(&runtime, serving(), || Welcome).to_string();
    let (output, asked) = agent.run("agent", &["-i", "key", &welcoming]);
    let ours = record(&output);
    assert_eq!(
        (&ours["code"], tried(&ours), asked),
        (&"ok".into(), vec!["key-cert.pub"], false),
        "{ours} {}",
        stderr(&output)
    );
}

#[test]
fn login_finds_a_key_that_was_named_in_whichever_agent_is_the_hosts() {
    if !have(&["ssh-keygen", "ssh-agent", "ssh-add"]) {
        return;
    }
    let (agent, other) = (Agent::new(), Agent::new());
    let runtime = Runtime::new().expect("a runtime");
    let addr = serve(&runtime, vec![holding(&agent.home.path().join("host"))], || Welcome);
    for held in [&agent, &other] {
        for name in ["bystander", "sealed"] {
            held.sealed(name, &["-t", "ed25519", "-C", name], true);
        }
    }
    let named = |identity: String, rest: &str| {
        let port = addr.port();
        let lines = format!("Host web\n HostName 127.0.0.1\n Port {port}\n IdentityFile {identity}\n{rest}");
        fs::write(agent.path("config"), lines).expect("written");
    };
    let ask_other = format!(" IdentityAgent {}\n", other.path("agent"));
    let (ours, theirs) = (|name| agent.path(name), |name| other.path(name));
    // The key, what else is said, the options, and whether there is a way in. An agent's other keys are no way in but where it was
    // given whole.
    let cases: [(String, &str, &[&str], bool); 9] = [
        (ours("sealed"), "", &[], true),
        (ours("sealed.pub"), "", &[], true),
        (ours("sealed.pub"), "", &["--agent"], true),
        (ours("sealed.pub"), " IdentityAgent none\n", &["--agent"], true),
        (ours("sealed.pub"), " IdentityAgent none\n", &[], false),
        (theirs("sealed.pub"), "", &[], false),
        (theirs("sealed.pub"), &ask_other, &[], true),
        (ours("sealed.pub"), &format!("{ask_other} IdentitiesOnly yes\n"), &["--agent"], true),
        (ours("sealed.pub"), &format!("{ask_other} IdentitiesOnly yes\n"), &[], false),
    ];
    for (identity, rest, args, way_in) in cases {
        named(identity.clone(), rest);
        let (output, asked) = agent.run("agent", &[&["-F", "config"], args, &["web"]].concat());
        let (ours, said) = (record(&output), stderr(&output));
        assert!(!asked, "{identity} {rest} {args:?}: {said}");
        let expected = if way_in { "ok" } else { "auth-no-common-method" };
        assert_eq!(ours["code"], expected, "{identity} {rest} {args:?}: {ours} {said}");
        if way_in {
            let name = if identity.ends_with(".pub") { "sealed" } else { &identity };
            assert_eq!(tried(&ours), [name], "{rest} {args:?}: {ours}");
        } else {
            assert!(said.contains("it is a public key"), "{said}");
        }
    }
    // What is left of the key is its public half.
    fs::rename(agent.path("sealed"), agent.path("moved")).expect("made");
    named(agent.path("sealed"), "");
    let (output, _) = agent.run("agent", &["-F", "config", "web"]);
    assert_eq!(tried(&record(&output)), ["sealed"], "{}", stderr(&output));
    // On the command line too.
    let (output, _) = agent.run("agent", &["-F", "none", "-i", "sealed.pub", &addr.to_string()]);
    assert_eq!(tried(&record(&output)), ["sealed"], "{}", stderr(&output));
    let (output, _) = agent.run("agent", &["-F", "none", "-i", &other.path("sealed.pub"), &addr.to_string()]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("it is a public key, and the agent has no private one for it"), "{said}");
}

#[test]
fn login_goes_every_way_that_the_probe_goes() {
    if !have(&["ssh-keygen"]) || !tools(&[("nc", "netcat-openbsd"), ("microsocks", "microsocks")]) {
        return;
    }
    let home = home();
    for name in ["user", "host"] {
        keygen(home.path(), &["-q", "-t", "ed25519", "-N", "", "-f", name]);
    }
    give(&home.path().join("user"), 0o600);
    fs::write(home.path().join("token"), "ya29.a-token\n").expect("written");
    give(&home.path().join("token"), 0o600);
    let runtime = Runtime::new().expect("a runtime");
    let server = serve(&runtime, vec![holding(&home.path().join("host"))], || Welcome);
    let (addr, socks) = (server.to_string(), free());
    let mut microsocks = Command::new("microsocks");
    microsocks.args(["-i", "127.0.0.1", "-p", &socks.port().to_string()]);
    let _socks = Proxy::start(microsocks, socks);
    let (http, _) = http_proxy(&runtime, "HTTP/1.1 200 Connected\r\n\r\n");
    let relay = Relay::start(None, move |_| vec![Act::Upgrade(GOOD), Act::Backend(server, 1000)]);
    let (socks, http, url) = (format!("socks5://{socks}"), format!("http://{http}"), format!("ws://{}", relay.addr));
    let iap = ["--iap-url", &url, "--access-token-file", "token", "iap://my-proj/us-central1-a/vm1"];
    let ways: [(&str, &[&str]); 5] = [
        ("tcp", &[&addr]),
        ("proxy-command", &["--proxy-command", "nc %h %p", &addr]),
        ("socks5", &["--proxy", &socks, &addr]),
        ("http-connect", &["--proxy", &http, &addr]),
        ("iap", &iap),
    ];
    for (via, way) in ways {
        let args = [&["--depth", "login", "-i", "user", "--per-host", "10ms"], way].concat();
        let record = record(&sshprobe(home.path(), &args));
        assert_eq!((&record["code"], &record["target"]["via"]), (&"ok".into(), &via.into()), "{record}");
        assert_eq!(record["auth"]["result"], "accepted", "{via}: {record}");
        assert_eq!(record["connections"], 2, "{via}: {record}");
    }
}

#[test]
fn login_keeps_what_the_probe_learned_where_a_refusal_lists_only_what_russh_has_no_word_for() {
    if !have(&["ssh-keygen"]) || !tools(&[("/usr/lib/python3/dist-packages/paramiko", "python3-paramiko")]) {
        return;
    }
    let home = home();
    for name in ["user", "host"] {
        keygen(home.path(), &["-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f", name]);
    }
    give(&home.path().join("user"), 0o600);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/odd_methods.py");
    for (then, partial, code, words) in [
        ("publickey,odd@example.com", "no", "auth-key-refused", "RSA"),
        ("odd@example.com", "no", "auth-key-refused", "not tried, as the server lists odd@example.com"),
        ("odd@example.com", "yes", "auth-partial", "the server now wants something that sshprobe cannot do"),
    ] {
        let mut command = Command::new("/usr/bin/python3");
        command.arg("-u").arg(&script).arg(home.path().join("host")).args(["publickey,odd@example.com", then, partial]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("python3");
        let mut port = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut port).expect("read");
        let (_child, target) = (Ended(child), format!("127.0.0.1:{}", port.trim()));
        fs::copy(home.path().join("user"), home.path().join("other")).expect("copied");
        give(&home.path().join("other"), 0o600);
        let args = ["--depth", "login", "-i", "user", "-i", "other", "--per-host", "10ms", &target];
        let record = record(&sshprobe(home.path(), &args));
        assert_eq!(record["code"], code, "{record}");
        assert!(record["arg"].is_null() || code != "auth-partial", "{record}");
        assert!(record["detail"].as_str().unwrap().to_uppercase().contains(&words.to_uppercase()), "{record}");
        assert_eq!(record["auth"]["methods"], serde_json::json!(["publickey", "odd@example.com"]), "{record}");
    }
}

/// Lets nobody in.
#[derive(Clone)]
struct Refuse;

impl Handler for Refuse {
    type Error = russh::Error;
}

/// A server that has the first of these for its first connection, and so on; the last for all that follow.
fn server(runtime: &Runtime, configs: Vec<Config>) -> SocketAddr {
    serve(runtime, configs, || Refuse)
}

fn serve<H: Handler + Send + 'static>(runtime: &Runtime, configs: Vec<Config>, handler: fn() -> H) -> SocketAddr {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let addr = listener.local_addr().expect("an address");
    let configs: Vec<Arc<Config>> = configs.into_iter().map(Arc::new).collect();
    runtime.spawn(async move {
        let mut made = 0;
        while let Ok((stream, _)) = listener.accept().await {
            let config = Arc::clone(&configs[made.min(configs.len() - 1)]);
            made += 1;
            tokio::spawn(async move {
                if let Ok(session) = run_stream(config, stream, handler()).await {
                    let _ = session.await;
                }
            });
        }
    });
    addr
}

fn holding(key: &Path) -> Config {
    Config {
        keys: vec![russh::keys::load_secret_key(key, None).expect("a key of ssh-keygen's")],
        auth_rejection_time: Duration::ZERO,
        ..Config::default()
    }
}

fn record(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(output)))
}

#[test]
fn login_sends_nothing_where_the_second_connection_shows_another_key() {
    if !have(&["ssh-keygen"]) {
        return;
    }
    let home = home();
    for name in ["user", "first", "second"] {
        keygen(home.path(), &["-q", "-t", "ed25519", "-N", "", "-f", name]);
    }
    let runtime = Runtime::new().expect("a runtime");
    let configs = ["first", "second"].map(|name| holding(&home.path().join(name))).into();
    let addr = server(&runtime, configs).to_string();
    give(&home.path().join("user"), 0o600);
    let record = record(&sshprobe(home.path(), &["--depth", "login", "-i", "user", "--per-host", "10ms", &addr]));
    assert_eq!((&record["code"], &record["connections"]), (&"host-key-changed".into(), &2.into()), "{record}");
    assert!(record["detail"].as_str().unwrap().contains("another host key was shown"), "{record}");
    assert_eq!(record["auth"]["attempts"], Value::Array(Vec::new()), "{record}");
    assert_eq!(record["host_keys"].as_array().map(Vec::len), Some(2), "{record}");
}

#[test]
fn login_goes_through_a_program_as_the_probe_does() {
    if !have(&["ssh-keygen"]) || !tools(&[("nc", "netcat-openbsd")]) {
        return;
    }
    let home = home();
    for name in ["user", "host"] {
        keygen(home.path(), &["-q", "-t", "ed25519", "-N", "", "-f", name]);
    }
    let runtime = Runtime::new().expect("a runtime");
    let addr = server(&runtime, vec![holding(&home.path().join("host"))]).to_string();
    give(&home.path().join("user"), 0o600);
    let through = ["--depth", "login", "-i", "user", "--per-host", "10ms", "--proxy-command", "nc %h %p", &addr];
    let record = record(&sshprobe(home.path(), &through));
    assert_eq!(
        (&record["code"], &record["target"]["via"]),
        (&"auth-refused-after-key".into(), &"proxy-command".into()),
        "{record}"
    );
    // russh's server wants a signature of every key, and only then refuses.
    assert_eq!(record["auth"]["attempts"][0]["answer"], "refused-after-key", "{record}");
}

#[test]
fn login_with_an_rsa_key_to_a_server_without_rsa_sha2_is_auth_sig_alg_and_ssh_agrees() {
    if !have(&["ssh-keygen", "ssh"]) {
        return;
    }
    let home = home();
    keygen(home.path(), &["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "rsa"]);
    keygen(home.path(), &["-q", "-t", "ed25519", "-N", "", "-f", "host"]);
    let mut config = holding(&home.path().join("host"));
    config.preferred.key = vec![Algorithm::Ed25519].into();
    let runtime = Runtime::new().expect("a runtime");
    let addr = server(&runtime, vec![config]);
    let port = addr.port().to_string();
    let ssh = ["-v", "-F", "none", "-p", &port, "-l", "alice", "-i", "rsa", "-o", "IdentitiesOnly=yes"];
    let options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"];
    let all = [&ssh[..], &options[..], &["127.0.0.1", "true"]].concat();
    let theirs = String::from_utf8_lossy(&run(home.path(), "ssh", &all).stderr).into_owned();
    assert!(theirs.contains("no mutual signature algorithm"), "{theirs}");
    give(&home.path().join("rsa"), 0o600);
    let ours = sshprobe(home.path(), &["--depth", "login", "-i", "rsa", "--per-host", "10ms", &addr.to_string()]);
    let record: Value =
        serde_json::from_slice(&ours.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(&ours)));
    assert_eq!(record["code"], "auth-sig-alg", "{record}");
    assert_eq!(record["auth"]["attempts"][0]["answer"], "no-signature-algorithm", "{record}");
}
