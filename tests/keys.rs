//! `sshprobe keys` from outside, against scripted servers on loopback. What ssh makes of its lines is the lab's business.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sshprobe_probes::responder::{Point, Script, Signing};
use tempfile::TempDir;

use crate::support::loopback::Loopback;
use crate::support::run::told;

fn keys(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
    command.arg("keys").args(args).env_remove("COLUMNS").stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    told(&keys(args).output().expect("runs"))
}

fn left_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).expect("listed").count()
}

#[test]
fn a_key_is_written_and_counted() {
    let loopback = Loopback::new();
    let server = loopback.server(Script::healthy(&[7; 32]));
    let (code, stdout, stderr) = run(&[&server.to_string()]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with(&format!("[127.0.0.1]:{} ssh-ed25519 AAAA", server.port())), "{stdout}");
    assert_eq!((stdout.lines().count(), stdout.split(' ').count()), (1, 3));
    assert!(stderr.starts_with("1 key of 1 host in ") && stderr.ends_with(", 1 connection\n"), "{stderr}");
    assert_eq!(run(&["-q", &server.to_string()]), (Some(0), stdout.clone(), String::new()));
    assert_eq!(run(&["-q", "--known-hosts", "-o", "-", &server.to_string()]), (Some(0), stdout, String::new()));
}

#[test]
fn files_that_judge_jump_hosts_are_read_before_anything_is_sent() {
    let folder = TempDir::new().expect("a folder");
    let (missing, there) = (folder.path().join("missing"), folder.path().join("there"));
    std::fs::write(&there, "").expect("written");
    let [missing, there] = [missing, there].map(|path| path.display().to_string());
    let (code, _, stderr) = run(&["-J", "127.0.0.1", "--jump-known-hosts", &missing, "127.0.0.2"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.starts_with(&format!("sshprobe: error: --jump-known-hosts {missing}: cannot be read")), "{stderr}");
    let (code, _, stderr) = run(&["-J", "127.0.0.1", "--jump-known-hosts", &there, "-o", &there, "127.0.0.2"]);
    assert_eq!(code, Some(2), "what is read is not written to: {stderr}");
}

#[test]
fn a_key_that_was_not_proven_is_an_error_and_no_line() {
    let loopback = Loopback::new();
    for signing in [Signing::Wrong, Signing::OtherName] {
        let server = loopback.server(Script::healthy(&[7; 32]).signing(signing)).to_string();
        let (code, stdout, stderr) = run(&["-q", &server]);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(1), "", 1), "{stderr}");
        assert!(stderr.starts_with(&format!("sshprobe: error: {server}: bad-host-signature")), "{stderr}");
    }
    // What a server says on its way out is shown, and steers no terminal.
    let hostile = "\u{1b}[2Jgone\r\nhost ssh-ed25519 AAAA\n\u{202e}";
    let server = loopback.server(Script::healthy(&[7; 32]).disconnect(Point::KexinitSent, 2, hostile)).to_string();
    let (code, stdout, stderr) = run(&[&server]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{stderr:?}");
    assert!(!stderr.lines().any(|line| line.starts_with("host ")), "{stderr}");
}

#[test]
fn names_that_would_be_patterns_or_lists_are_refused() {
    for target in ["*.example", "web?", "a,b", "!a", "@revoked", "|1|a|b", "#a", "a b", "a\nb", "-oProxyCommand=x"] {
        let (code, stdout, stderr) = run(&["--", target]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{target:?}: {stderr}");
        assert!(stderr.starts_with("sshprobe: error: "), "{stderr}");
    }
}

#[test]
fn a_file_is_replaced_in_one_piece_or_not_at_all() {
    let loopback = Loopback::new();
    let server = loopback.server(Script::healthy(&[7; 32])).to_string();
    let impostor = loopback.server(Script::healthy(&[7; 32]).signing(Signing::Wrong)).to_string();
    let home = TempDir::new().expect("a folder");
    let path = home.path().join("known_hosts");
    let file = path.display().to_string();
    std::fs::write(&path, "old\n").expect("written");
    let content = || std::fs::read_to_string(&path).expect("there");

    let (code, stdout, stderr) = run(&["-o", &file, &impostor]);
    assert_eq!((code, stdout.as_str(), content().as_str()), (Some(1), "", "old\n"), "{stderr}");
    assert!(stderr.contains(&format!("error: {file} is left as it was: no key was proven\n")), "{stderr}");

    let (code, stdout, stderr) = run(&["-o", &file, &server]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""), "{stderr}");
    assert!(stderr.starts_with(&format!("1 key of 1 host written to {file} in ")), "{stderr}");
    assert_eq!(content(), run(&["-q", &server]).1);
    assert_eq!(left_in(home.path()), 1);

    let refused = run(&["-o", &home.path().join("no/such").display().to_string(), &server]);
    assert_eq!(refused.0, Some(2), "{refused:?}");
    assert!(refused.2.contains("create it first"), "{refused:?}");
}

#[test]
fn an_interrupted_run_leaves_the_file_alone() {
    let loopback = Loopback::new();
    let server = loopback.server(Script::healthy(&[7; 32])).to_string();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let home = TempDir::new().expect("a folder");
    let path = home.path().join("known_hosts");
    std::fs::write(&path, "old\n").expect("written");
    let silent_target = silent.local_addr().expect("bound").to_string();
    let mut command = keys(&["-o", &path.display().to_string(), &server, &silent_target]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    // It is in the middle of the run once the silent one was called.
    let _held = silent.accept().expect("called");
    kill(Pid::from_raw(child.id().try_into().expect("a process id")), Signal::SIGINT).expect("our own child");
    let (code, _, stderr) = told(&child.wait_with_output().expect("ends"));
    assert_eq!(code, Some(130), "{stderr}");
    assert!(stderr.contains(" is left as it was: the run was interrupted\n"), "{stderr}");
    assert_eq!(std::fs::read_to_string(&path).expect("there"), "old\n");
    assert_eq!(left_in(home.path()), 1);
}

#[test]
fn options_that_make_no_sense_together_are_refused() {
    for (args, words) in [
        (&["--sshfp", "10.0.0.0/24"][..], "addresses have no SSHFP records; name the hosts"),
        (&["--sshfp", "--hash", "a"], "cannot be used with"),
        (&["--sshfp", "--known-hosts", "a"], "cannot be used with"),
        (&["--sshfp", "-t", "ed25519-sk", "a"], "--type: security keys have no SSHFP records"),
        (&["-t", "first", "a"], "is none of all, ed25519, ecdsa, rsa, dsa"),
        (&["-t", "rsa,all", "a"], "has all beside others; it stands alone"),
        (&["--depth", "auth", "a"], "--depth: `keys` has no such option; `sshprobe keys --help` lists those it has"),
        (&[], "none given"),
    ] {
        let (code, stdout, stderr) = run(args);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(2), "", 1), "{args:?}: {stderr}");
        assert!(stderr.contains(words), "{args:?}: {stderr}");
    }
}
