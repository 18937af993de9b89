//! OpenSSH as the oracle for ssh_config: the tables of `probes/tests/ssh_config/` are asked of `ssh -G` again.
//!
//! No packet is sent: `-G` connects to nothing, and where `-v` is asked, the way there is a program that ends at once.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::unistd::{User, getuid};
use sshprobe_probes::ssh_config::{Local, resolve_algorithms};
use tempfile::TempDir;

use crate::config_table::{Block, DEFAULTS, Facts, Question, VARIABLE, bytes, folder, options, read, tables};
use crate::support::bless;

/// Whether ssh is there to be asked. Where it must be (CI), its absence is a failure.
fn ssh_is_here() -> bool {
    let here = Command::new("ssh").arg("-V").output().is_ok();
    assert!(here || std::env::var_os("CI").is_none(), "ssh is not here to be asked");
    if !here {
        eprintln!("SKIPPED: ssh is not here to be asked");
    }
    here
}

fn local() -> Local {
    let user = User::from_uid(getuid()).expect("the password database").expect("an entry");
    let host_name = nix::unistd::gethostname().expect("a name").into_string().expect("printable");
    let home = user.dir.into_os_string().into_string().expect("printable");
    Local { user: user.name, home, uid: user.uid.as_raw(), host_name }
}

fn ssh(home: &Path, arguments: &[String]) -> (bool, String, String) {
    let mut command = Command::new("ssh");
    command.args(arguments).stdin(Stdio::null()).env("HOME", home).env(VARIABLE.0, VARIABLE.1);
    command.env_remove("SSH_AUTH_SOCK").env("LC_ALL", "C").env("SHELL", "/bin/sh");
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.success(), out, err)
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let split = |line: &str| {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        (keyword.to_ascii_lowercase(), value.to_owned())
    };
    text.lines().map(split).collect()
}

/// What `ssh -G` shows where nothing is configured.
fn defaults(home: &Path) -> Vec<(String, String)> {
    let arguments = ["-G", "-F", "none", "nowhere"].map(String::from);
    pairs(&ssh(home, &arguments).1)
}

/// Puts a block's files where ssh finds them.
fn lay_out(block: &Block, facts: &Facts) {
    for file in &block.files {
        let path = Path::new(&facts.dir).join(&file.name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, bytes(&facts.fill(&file.content))).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).expect("own file");
    }
}

/// ssh's answer in the words of the tables, with the facts still in it.
fn ask(block: &Block, question: &Question, facts: &Facts, defaults: &[(String, String)]) -> Vec<String> {
    let dir = Path::new(&facts.dir);
    let filled = facts.fill(&question.arguments);
    let (destination, given) = options(&filled);
    let mut arguments = vec![String::from("-F"), format!("{}/config", facts.dir)];
    for (option, value) in given {
        arguments.extend([format!("-{option}"), value]);
    }
    if question.verbose {
        let text = block.files.iter().map(|file| file.content.to_ascii_lowercase()).collect::<String>();
        assert!(!text.contains("proxyjump"), "{}: that would connect", block.title);
        arguments.extend(["-v", "-o", "BatchMode=yes"].map(String::from));
        if !text.contains("proxycommand") {
            arguments.extend(["-o", "ProxyCommand=true"].map(String::from));
        }
    } else {
        arguments.push(String::from("-G"));
    }
    arguments.extend([String::from("--"), destination]);
    let (success, out, err) = ssh(dir, &arguments);
    if question.verbose {
        return told(&err, !block.files.iter().any(|file| file.content.to_ascii_lowercase().contains("identityfile")));
    }
    if !success {
        return complaints(&err, &facts.dir);
    }
    let lines = pairs(&out);
    let of = |lines: &[(String, String)], keyword: &str| -> Vec<String> {
        lines.iter().filter(|(name, _)| name == keyword).map(|(_, value)| value.clone()).collect()
    };
    let always = ["user", "hostname", "port"];
    let differing: HashSet<String> = lines
        .iter()
        .map(|(keyword, _)| keyword.clone())
        .filter(|keyword| always.contains(&&**keyword) || of(&lines, keyword) != of(defaults, keyword))
        .collect();
    block.arrange(question, lines.into_iter().filter(|(keyword, _)| differing.contains(keyword)).collect())
}

/// What `ssh -v` tells of what it uses.
fn told(err: &str, own_identities: bool) -> Vec<String> {
    let (mut commands, mut files) = (Vec::new(), Vec::new());
    for line in err.lines().filter_map(|line| line.trim_end().strip_prefix("debug1: ")) {
        let file = line.rsplit_once(" type ").map_or("", |(file, _)| file);
        if let Some(command) = line.strip_prefix("Executing proxy command: exec ") {
            if command != "true" {
                commands.push(format!("exec {command}"));
            }
        } else if let Some(path) = file.strip_prefix("identity file ") {
            // Beside each key ssh looks for its certificate.
            if !own_identities && !path.ends_with("-cert") {
                files.push(format!("identity {path}"));
            }
        } else if let Some(path) = file.strip_prefix("certificate file ") {
            files.push(format!("certificate {path}"));
        }
    }
    if commands.is_empty() && files.is_empty() && err.contains("fatal") {
        return vec![String::from("fails")];
    }
    commands.extend(files);
    commands
}

/// The places that ssh complains of.
fn complaints(err: &str, dir: &str) -> Vec<String> {
    let mut lines = vec![String::from("fails")];
    for line in err.lines() {
        let line = line.trim();
        let place = if line.starts_with("command-line line 0:") || line.starts_with("command-line: line 0:") {
            Some(String::from("command-line"))
        } else if let Some(path) = line.strip_prefix("Bad owner or permissions on ") {
            path.strip_prefix(dir).map(|path| path.trim_start_matches('/').to_owned())
        } else {
            line.strip_prefix(dir).and_then(|line| {
                let (file, rest) = line.trim_start_matches('/').split_once(" line ")?;
                let number = rest.split(|c: char| !c.is_ascii_digit()).next()?;
                Some(format!("{} {number}", file.trim_end_matches(':')))
            })
        };
        if let Some(place) = place
            && lines.last() != Some(&place)
        {
            lines.push(place);
        }
    }
    lines
}

/// The table with these answers in place of those it has.
fn answered(kept: &str, answers: &HashMap<(usize, usize), Vec<String>>) -> String {
    let mut out = String::new();
    let (mut titles, mut question) = (0usize, 0usize);
    for row in kept.lines() {
        if row.starts_with("> ") || row == ">" {
            continue;
        }
        if row.starts_with("== ") {
            (titles, question) = (titles + 1, 0);
        }
        let _ = writeln!(out, "{row}");
        if row.starts_with("? ") || row.starts_with("v ") {
            for line in &answers[&(titles - 1, question)] {
                let _ = writeln!(out, "> {line}");
            }
            question += 1;
        }
    }
    out
}

#[test]
fn ssh_still_says_what_the_tables_say() {
    if !ssh_is_here() {
        return;
    }
    let (root, local) = (TempDir::new().expect("a temporary directory"), local());
    let defaults = defaults(root.path());
    for (keyword, value) in DEFAULTS {
        assert!(defaults.contains(&((*keyword).to_owned(), (*value).to_owned())), "ssh's default of {keyword}");
    }
    let wrong = Mutex::new(Vec::new());
    for name in tables() {
        let kept = fs::read_to_string(folder().join(&name)).expect("the table");
        let blocks = read(&kept);
        let (next, answers) = (AtomicUsize::new(0), Mutex::new(HashMap::new()));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(block) = blocks.get(at) else { break };
                        let dir = root.path().join(format!("{name}-{at}"));
                        let dir = dir.into_os_string().into_string().expect("printable");
                        let facts = Facts { dir, local: local.clone() };
                        lay_out(block, &facts);
                        for (number, question) in block.questions.iter().enumerate() {
                            let said = ask(block, question, &facts, &defaults);
                            let stripped: Vec<String> = said.iter().map(|line| facts.strip(line, block)).collect();
                            // With the true facts, as the tables have only stand-ins.
                            let here = block.answer(question, &facts);
                            if !Block::same(&stripped, &here) {
                                let (title, arguments) = (&block.title, &question.arguments);
                                let said =
                                    format!("{name}: {title}: {arguments}\n  ssh:  {stripped:?}\n  here: {here:?}");
                                wrong.lock().expect("no panic").push(said);
                            }
                            answers.lock().expect("no panic").insert((at, number), stripped);
                        }
                    }
                });
            }
        });
        let answers = answers.into_inner().expect("no panic");
        bless::compare(&format!("probes/tests/ssh_config/{name}"), &answered(&kept, &answers));
    }
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{} rows\n{}", wrong.len(), wrong.join("\n"));
}

/// Not in the tables, as it depends on the machine's name.
#[test]
fn the_hash_of_a_connection_is_the_one_of_ssh() {
    if !ssh_is_here() {
        return;
    }
    let dir = TempDir::new().expect("a temporary directory");
    let table = "== hash\n| UserKnownHostsFile /%C\n| HostName X.Example\n? -p 33 u@a\n";
    let facts = Facts { dir: dir.path().to_str().expect("printable").to_owned(), local: local() };
    let block = &read(table)[0];
    lay_out(block, &facts);
    let said = ask(block, &block.questions[0], &facts, &defaults(dir.path()));
    assert!(said.iter().any(|line| line.starts_with("userknownhostsfile /") && line.len() == 60), "{said:?}");
    assert_eq!(block.answer(&block.questions[0], &facts), said);
}

#[test]
fn lists_of_algorithms_come_to_what_ssh_makes_of_them() {
    if !ssh_is_here() {
        return;
    }
    let dir = TempDir::new().expect("a temporary directory");
    let defaults = defaults(dir.path());
    for (keyword, query, lists) in [
        (
            "kexalgorithms",
            "kex",
            &[
                "curve25519-sha256",
                "+diffie-hellman-group1-sha1",
                "+diffie-hellman-group1-sha1,curve25519-sha256",
                "-curve25519-*",
                "-ecdh-*,*-sha512",
                "^ecdh-sha2-nistp521,diffie-hellman-group1-sha1",
                "-*",
            ][..],
        ),
        (
            "hostkeyalgorithms",
            "HostKeyAlgorithms",
            &["ssh-ed25519", "+ssh-rsa", "-*cert*", "^rsa-sha2-256", "*nistp*", "+ssh-*"],
        ),
        ("ciphers", "cipher", &["aes128-ctr,aes256-ctr", "+aes128-cbc", "-aes*", "^3des-cbc"]),
        ("macs", "mac", &["hmac-sha1", "+hmac-md5", "-*etm*", "^hmac-sha2-512"]),
        ("pubkeyacceptedalgorithms", "PubkeyAcceptedAlgorithms", &["+ssh-rsa", "-ssh-*"]),
    ] {
        let all = ssh(dir.path(), &[String::from("-Q"), query.to_owned()]).1;
        let all: Vec<&str> = all.lines().map(str::trim).collect();
        let value = |lines: &[(String, String)]| {
            lines.iter().find(|(name, _)| name == keyword).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let default = value(&defaults);
        let default: Vec<&str> = default.split(',').collect();
        for list in lists {
            let option = format!("{keyword}={list}");
            let (success, out, err) =
                ssh(dir.path(), &["-F", "none", "-G", "-o", &option, "nowhere"].map(String::from));
            let here = resolve_algorithms(list, &default, &all).map(|list| list.join(","));
            if success {
                assert_eq!(here.as_deref(), Ok(&*value(&pairs(&out))), "{option}");
            } else {
                assert!(here.is_err(), "{option}: {here:?}: {err}");
            }
        }
    }
}
