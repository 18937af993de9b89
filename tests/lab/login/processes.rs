//! What others on the machine can read of a login while it runs: the arguments and the environment of its processes.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use super::ground::{CODES, Ground, PASSPHRASE, PASSWORD, WRONG_PASSWORD};
use crate::support::guard::lab;

/// The processes below this one, itself among them.
fn family(root: u32) -> BTreeSet<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let all: Vec<u32> = fs::read_dir("/proc")
        .expect("proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let mut family = BTreeSet::from([root]);
    loop {
        let before = family.len();
        family.extend(
            all.iter().filter(|pid| parent(**pid).is_some_and(|parent| family.contains(&parent))).collect::<Vec<_>>(),
        );
        if family.len() == before {
            return family;
        }
    }
}

#[test]
fn login_shows_no_secret_in_the_arguments_or_the_environment_of_any_process() {
    let Some(_lab) = lab() else { return };
    let mut ground = Ground::new();
    ground.sshd(1, "");
    let material = fs::read_to_string(ground.path("locked-up")).expect("a private key");
    let lines: Vec<String> = material.lines().filter(|line| line.len() == 70).map(str::to_owned).collect();
    // Slow enough to be looked at, through a program, with a secret of every kind in hand.
    let slowly = ["--proxy-command", "sh -c 'sleep 0.3; exec nc %h %p'"];
    let secrets =
        ["-i", "{dir}/locked-up", "--answers-file", "{dir}/answers0", "--password-file", "{dir}/wrong-password"];
    let mut command = ground.command(1, "stale-no-more", &[&slowly[..], &secrets].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("runs");
    let (mut seen, mut shown) = (BTreeSet::new(), String::new());
    while child.try_wait().expect("ours").is_none() {
        for pid in family(child.id()) {
            for file in ["cmdline", "environ"] {
                let text = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                shown += &String::from_utf8_lossy(&text);
            }
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            seen.insert(name.trim().to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().expect("ours");
    let record = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(record.contains("\"login\""), "{record}");
    assert!(["sshprobe", "nc"].iter().all(|name| seen.contains(*name)), "{seen:?}");
    assert!(shown.contains("SSH_ASKPASS=") && shown.contains("--password-file"), "{shown}");
    let planted =
        [PASSWORD, WRONG_PASSWORD, PASSPHRASE].into_iter().chain(CODES).chain(lines.iter().map(String::as_str));
    for secret in planted {
        assert!(!shown.contains(secret), "{secret} is shown");
    }
}
