//! `sshprobe demo`, as a user runs it.

use std::process::{Command, Stdio};

use serde_json::Value;
use sshprobe::demo::{HOSTS, UNSTAGED};

#[test]
fn every_host_of_the_demo_is_classified_as_staged() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sshprobe"));
    let output = command.args(["demo", "--format", "jsonl"]).stdin(Stdio::null()).output().expect("runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let mut seen: Vec<(String, String)> = Vec::new();
    for line in stdout.lines() {
        let record: Value = serde_json::from_str(line).expect(line);
        let host = record["target"]["host"].as_str().expect("a host").split('.').next().unwrap_or_default().to_owned();
        seen.push((host, record["code"].as_str().expect("a code").to_owned()));
    }
    let mut staged: Vec<_> = HOSTS.iter().map(|host| (host.name.to_owned(), host.code.name().to_owned())).collect();
    seen.sort();
    staged.sort();
    assert_eq!(seen, staged);
    assert!(stderr.contains(&format!("{0} of {0} hosts classified as staged.", HOSTS.len())), "{stderr}");
    for (status, _) in UNSTAGED {
        assert!(stderr.contains(status), "{status} is not named: {stderr}");
    }
}
