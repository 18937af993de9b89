//! What a person reads: explain, help, manual, completions and the plan of a run, from outside and as kept screens.

use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Output, Stdio};

use sshprobe_probes::diagnose::{Code, FindingId, Status};

use crate::support::bless;

fn sshprobe(args: &[&str], width: usize) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
    command.args(args).env_remove("NO_COLOR").env("COLUMNS", width.to_string()).stdin(Stdio::null());
    command.output().expect("runs")
}

#[track_caller]
fn shown(args: &[&str], width: usize) -> String {
    let output = sshprobe(args, width);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_screens_are_as_kept() {
    for (name, args) in [
        ("explain", &["explain"][..]),
        ("explain-host-key-changed", &["explain", "host-key-changed"]),
        ("explain-closed", &["explain", "closed"]),
        ("explain-slow-ident", &["explain", "slow-ident"]),
        ("help", &["--help"]),
        ("help-brief", &["-h"]),
        ("help-explain", &["explain", "--help"]),
        ("help-keys", &["keys", "--help"]),
        ("help-keys-brief", &["keys", "-h"]),
    ] {
        for width in [80, 200] {
            let text = shown(args, width);
            assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{name}");
            bless::compare(&format!("tests/snapshots/{name}-{width}.txt"), &text);
        }
    }
    let colored = shown(&["explain", "tarpit", "--color", "always"], 80);
    assert_eq!(colored.matches("\x1b[1m").count(), colored.matches("\x1b[0m").count());
    let plain = colored.replace("\x1b[1m", "").replace("\x1b[0m", "");
    assert_eq!(plain, shown(&["explain", "tarpit"], 80), "colour changes nothing but the looks of headings");
    bless::compare("tests/snapshots/explain-tarpit-80-color.txt", &colored);
}

#[test]
fn every_word_a_record_can_hold_is_explained() {
    let codes = Code::ALL.iter().map(|code| code.name()).chain(Status::ALL.iter().map(|status| status.name()));
    for word in codes.chain(FindingId::ALL.iter().map(|id| id.name())) {
        assert!(shown(&["explain", word], 80).starts_with(&format!("{word}: ")), "{word}");
    }
    let output = sshprobe(&["explain", "refusd"], 80);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr, "sshprobe: error: explain: `refusd` is no code, status or finding; did you mean refused?\n");
    assert!(output.stdout.is_empty());
}

#[test]
fn the_brief_help_is_shorter_and_both_are_grouped() {
    let (brief, long) = (shown(&["-h"], 80), shown(&["--help"], 80));
    assert!(brief.lines().count() * 3 < long.lines().count() * 2, "{}", brief.lines().count());
    for group in ["Commands:", "Targets:", "Probe:", "Pace:", "Network:", "Output:"] {
        for help in [&brief, &long] {
            assert!(help.lines().any(|line| line == group), "{group}");
        }
    }
    assert!(brief.contains("sshprobe --help") && !brief.contains("--max-targets") && long.contains("--max-targets"));
    assert_eq!(shown(&["demo", "-h"], 80), shown(&["demo", "--help"], 80));
}

#[test]
fn completions_and_manual_are_made_from_the_same_options() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = shown(&["completions", shell], 80);
        for word in ["depth", "connect-timeout", "max-targets", "explain", "plan"] {
            assert!(script.contains(word), "{word} is not in {shell}'s completions");
        }
    }
    assert!(shown(&["man"], 80).contains(".TH sshprobe 1"));
    let output = sshprobe(&["completions", "csh"], 80);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`csh` is none of bash, "));
}

#[test]
fn a_plan_bothers_nobody() {
    let bystander = TcpListener::bind("127.0.0.1:0").expect("a port");
    let resolver = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let (target, server) = (bystander.local_addr().expect("bound"), resolver.local_addr().expect("bound"));
    let home = tempfile::tempdir().expect("a folder");
    let out = home.path().join("out.jsonl");
    let args = ["--plan", "--resolver", &server.to_string(), "-o", &out.display().to_string()];
    let text = shown(&[&args[..], &[&target.to_string(), "web1.example", "10.0.0.0/30"]].concat(), 80);
    for words in
        ["Targets      6 (1 name, 4 out of ranges), ports ", "User         ", "none", "Penalties    OpenSSH 9.8"]
    {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    bystander.set_nonblocking(true).expect("set");
    resolver.set_nonblocking(true).expect("set");
    assert_eq!(bystander.accept().expect_err("nobody").kind(), ErrorKind::WouldBlock);
    assert_eq!(resolver.recv(&mut [0; 512]).expect_err("nothing").kind(), ErrorKind::WouldBlock);
    assert!(!out.exists(), "no output is created");
    let refused = sshprobe(&["--plan", "10.0.0.0/33"], 80);
    assert_eq!(refused.status.code(), Some(2), "what the run would refuse, its plan refuses");
}
