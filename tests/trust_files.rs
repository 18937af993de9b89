//! Files of trust that are not as they should be: what is wrong is told with file and line, nothing else of the file suffers, and
//! nobody is trusted by mistake.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sshprobe_probes::responder::Script;
use tempfile::TempDir;

use crate::support::loopback::Loopback;
use crate::support::run::unprivileged;

const SEED: [u8; 32] = [7; 32];
const TEN_MEGABYTES: usize = 10 << 20;

/// The base64 of the server's key.
fn key() -> String {
    STANDARD.encode(Script::healthy(&SEED).host_key().blob())
}

fn run(args: &[&str]) -> Output {
    let mut command = unprivileged();
    command.args(["--format", "jsonl"]).args(args).stdin(Stdio::null());
    command.output().expect("runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn record(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(output)))
}

fn warnings(output: &Output) -> Vec<String> {
    stderr(output).lines().filter(|line| line.starts_with("sshprobe: warning: ")).map(str::to_owned).collect()
}

/// A folder that anybody may enter.
fn home() -> TempDir {
    let home = TempDir::new().expect("a folder");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("our own folder");
    home
}

fn file(home: &Path, name: &str, content: &[u8]) -> String {
    let path = home.join(name);
    fs::write(&path, content).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("our own file");
    path.display().to_string()
}

/// Lines that say the server's key in a way that does not count, and what is told of them.
fn bad_lines(name: &str) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let key = key();
    let good = format!("{name} ssh-ed25519 {key}");
    let long = "x".repeat(TEN_MEGABYTES);
    let many = "y,".repeat(TEN_MEGABYTES / 2);
    vec![
        ("words", b"this is no known_hosts line".to_vec(), "is not known"),
        ("bytes", b"\xff\xfe \x1b[2J\x07 \x80\x81 zz".to_vec(), "is not known"),
        ("one word", name.into(), "is followed by no key"),
        ("no key", format!("{name} ssh-ed25519").into(), "is followed by no key"),
        ("truncated base64", good[..good.len() - 9].into(), "damaged or cut short"),
        ("truncated base64, in step", good[..good.len() - 12].into(), "damaged"),
        ("another alphabet", good.replace("AAAA", "A--A").into(), "damaged or cut short"),
        ("another type", format!("{name} ssh-rsa {key}").into(), "the line says ssh-rsa, the key in it is ssh-ed25519"),
        ("unheard-of type", format!("{name} ssh-ed448 {key}").into(), "is not known"),
        ("two markers", format!("@cert-authority @revoked {good}").into(), "more than one"),
        ("unheard-of marker", format!("@trusted {good}").into(), "no marker that ssh knows"),
        ("damaged hash", format!("|1|AAAA|AAAA ssh-ed25519 {key}").into(), "the hashed name is damaged"),
        ("a hash in a list", format!("|1|AAAA|AAAA,{good}").into(), "a hashed name stands alone"),
        ("10 MB of a name", format!("{long},{good}").into(), "a host name of 1023 or more characters"),
        ("10 MB of a type", format!("{name} {long} {key}").into(), "is not known"),
        ("10 MB of base64", format!("{good}{long}").into(), "damaged"),
        ("10 MB of one word", long.clone().into(), "is followed by no key"),
        ("10 MB of names and no key", many.into(), "is followed by no key"),
        ("10 MB of NUL bytes", vec![0; TEN_MEGABYTES], "a NUL byte"),
        ("NUL bytes", b"\0\0\0".to_vec(), "a NUL byte"),
        ("a NUL byte in the key", format!("{name} ssh-ed25519 {}\0{}", &key[..20], &key[20..]).into(), "damaged"),
        ("a NUL byte in the name", format!("{name}\0 ssh-ed25519 {key}").into(), "is followed by no key"),
    ]
}

#[test]
fn a_bad_line_is_told_once_with_its_place_and_the_others_count() {
    let loopback = Loopback::new();
    let server = loopback.server(Script::healthy(&SEED));
    let (home, target) = (home(), server.to_string());
    let name = format!("[127.0.0.1]:{}", server.port());
    let good = format!("{name} ssh-ed25519 {}", key());
    for (what, line, told) in bad_lines(&name) {
        // Beside a good one, before and after it; and alone, where nothing is known.
        let rows = [
            ([line.as_slice(), b"\n", good.as_bytes(), b"\n"].concat(), 1, Some(2)),
            ([good.as_bytes(), b"\r\n\n", &line].concat(), 3, Some(1)),
            ([&line, &b"\n"[..]].concat(), 1, None),
        ];
        for (content, at, known) in rows {
            let path = file(home.path(), "known_hosts", &content);
            let output = run(&["--known-hosts", &path, &target]);
            let warnings = warnings(&output);
            assert_eq!(warnings.len(), 1, "{what}: {}", stderr(&output));
            let place = format!("sshprobe: warning: {path}:{at}: ");
            assert!(warnings[0].starts_with(&place) && warnings[0].contains(told), "{what}: {warnings:?}");
            assert!(warnings[0].len() < 400 && !warnings[0].contains(char::is_control), "{what}: {warnings:?}");
            assert!(warnings[0].ends_with("; the line is left out"), "{what}: {warnings:?}");
            let record = record(&output);
            assert_eq!((output.status.code(), &record["code"]), (Some(0), &"ok".into()), "{what}: {record}");
            let key = &record["host_keys"][0];
            match known {
                Some(line) => assert_eq!(
                    (&key["trust"], &key["source"]),
                    (&"match".into(), &format!("{path}:{line}").into()),
                    "{what}: {key}"
                ),
                None => assert_eq!((&key["trust"], &key["source"]), (&"unknown".into(), &Value::Null), "{what}: {key}"),
            }
        }
        // And where unknown counts, it fails.
        let path = file(home.path(), "known_hosts", &line);
        let output = run(&["--known-hosts", &path, "--strict-host-keys", &target]);
        assert_eq!((output.status.code(), &record(&output)["code"]), (Some(1), &"host-key-unknown".into()), "{what}");
    }
}

#[test]
fn a_long_line_that_is_right_counts_without_a_word() {
    let loopback = Loopback::new();
    let server = loopback.server(Script::healthy(&SEED));
    let (home, name, key) = (home(), format!("[127.0.0.1]:{}", server.port()), key());
    let lines = [
        format!("{}{name} ssh-ed25519 {key}\n", "some.example,".repeat(TEN_MEGABYTES / 13)),
        format!("{name} ssh-ed25519 {key} {}\n", "c".repeat(TEN_MEGABYTES)),
        format!("{}{name} ssh-ed25519 {key}\n", " ".repeat(TEN_MEGABYTES)),
        format!("#{}\n{name} ssh-ed25519 {key}", "#".repeat(TEN_MEGABYTES)),
    ];
    for line in lines {
        let path = file(home.path(), "known_hosts", line.as_bytes());
        let output = run(&["--known-hosts", &path, &server.to_string()]);
        assert_eq!(warnings(&output), [""; 0]);
        assert_eq!(record(&output)["host_keys"][0]["trust"], "match", "{}", stderr(&output));
    }
}

#[test]
fn a_line_that_ssh_reads_otherwise_than_it_looks_is_told_and_counts() {
    let loopback = Loopback::new();
    let server = loopback.server(Script::healthy(&SEED));
    let (home, name, key) = (home(), format!("[127.0.0.1]:{}", server.port()), key());
    for (content, told) in [
        (format!("{name} ssh-ed25519 {key} comment\0more\n"), "a NUL byte; ssh reads the line only as far as that"),
        (
            format!("\u{feff}x,{name} ssh-ed25519 {key}\n"),
            "a byte order mark; for ssh it is part of the line's first name",
        ),
    ] {
        let path = file(home.path(), "known_hosts", content.as_bytes());
        let output = run(&["--known-hosts", &path, &server.to_string()]);
        assert_eq!(warnings(&output), [format!("sshprobe: warning: {path}:1: {told}")]);
        assert_eq!(record(&output)["host_keys"][0]["trust"], "match");
    }
}

/// Somebody who must hear nothing of a run that is refused.
fn bystander() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("set");
    let target = listener.local_addr().expect("bound").to_string();
    (listener, target)
}

#[track_caller]
fn assert_refused(output: &Output, words: &[&str]) {
    let told = stderr(output);
    assert_eq!((output.status.code(), told.lines().count(), output.stdout.len()), (Some(2), 1, 0), "{told}");
    assert!(told.starts_with("sshprobe: error: "), "{told}");
    assert!(words.iter().all(|word| told.contains(word)), "{words:?}: {told}");
}

#[test]
fn a_named_file_that_cannot_be_read_is_refused_before_anything_is_sent() {
    let (listener, target) = bystander();
    let home = home();
    let folder = home.path().display().to_string();
    let missing = home.path().join("missing").display().to_string();
    let sealed = file(home.path(), "sealed", format!("h ssh-ed25519 {}\n", key()).as_bytes());
    fs::set_permissions(&sealed, fs::Permissions::from_mode(0o000)).expect("our own file");
    let fine = file(home.path(), "fine", format!("ssh-ed25519 {}\n", key()).as_bytes());
    for option in ["--known-hosts", "--revoked-host-keys", "--bad-keys"] {
        for (path, why) in
            [(&folder, "it is a directory"), (&missing, "there is no such file"), (&sealed, "permission denied")]
        {
            assert_refused(&run(&[option, path, &target]), &[option, path, "cannot be read", why]);
            // Beside one that can be read, too, whichever comes first.
            assert_refused(&run(&[option, &fine, option, path, &target]), &[option, path, why]);
            assert_refused(&run(&[option, path, option, &fine, &target]), &[option, path, why]);
        }
    }
    assert!(listener.accept().is_err(), "somebody called");
}

#[test]
fn options_of_trust_that_are_at_odds_are_refused() {
    let (listener, target) = bystander();
    let home = home();
    let known = file(home.path(), "known_hosts", b"");
    for (args, words) in [
        (&["--known-hosts", "none", "--known-hosts", &known][..], &["--known-hosts: none stands alone", "./none"][..]),
        (&["--known-hosts", &known, "--known-hosts", "none"], &["--known-hosts: none stands alone"]),
        (&["--known-hosts", "none", "--strict-host-keys"], &["--strict-host-keys", "nothing to look up"]),
        (&["--known-hosts", "none", "--check-host-ip"], &["--check-host-ip", "nothing to look up"]),
        (&["--known-hosts", "none", "--host-key-alias", "h"], &["--host-key-alias", "nothing to look up"]),
        (&["--host-key-alias", "*.example"], &["--host-key-alias", "without pattern characters"]),
        (&["--host-key-alias", ""], &["--host-key-alias"]),
        (&["--host-key-types", "ed25519,all"], &["--host-key-types", "stands alone"]),
        (&["--host-key-types", "ed22519"], &["--host-key-types", "did you mean ed25519?"]),
        (&["--fingerprint-hash", "sha1"], &["--fingerprint-hash", "sha256, md5"]),
    ] {
        assert_refused(&run(&[args, &[&target]].concat()), words);
    }
    assert!(listener.accept().is_err(), "somebody called");
    // Without files nobody is judged, and what is revoked still is.
    let loopback = Loopback::new();
    let server = loopback.server(Script::healthy(&SEED)).to_string();
    let output = run(&["--known-hosts", "none", &server]);
    assert_eq!(record(&output)["host_keys"][0]["trust"], "unchecked", "{}", stderr(&output));
    assert_eq!((output.status.code(), warnings(&output).len()), (Some(0), 0));
    let list = file(home.path(), "list", format!("ssh-ed25519 {}\n", key()).as_bytes());
    let output = run(&["--known-hosts", "none", "--revoked-host-keys", &list, &server]);
    assert_eq!((output.status.code(), &record(&output)["code"]), (Some(1), &"host-key-revoked".into()));
}

#[test]
fn a_revocation_list_is_read_whole_or_not_at_all() {
    let (listener, target) = bystander();
    let home = home();
    // A KRL of one section: this key (PROTOCOL.krl).
    let blob = Script::healthy(&SEED).host_key().blob().to_vec();
    let string = |bytes: &[u8]| [&u32::try_from(bytes.len()).expect("short").to_be_bytes(), bytes].concat();
    let head = [b"SSHKRL\n\0\0\0\0\x01".as_slice(), &[0; 24], &string(b""), &string(b"")].concat();
    let krl = [head.as_slice(), &[2], &string(&string(&blob))].concat();
    for cut in [9, head.len() - 1, head.len() + 1, head.len() + 5, krl.len() - 1] {
        let path = file(home.path(), "krl", &krl[..cut]);
        let words = [path.as_str(), "a KRL that cannot be used", "without the list nobody knows what is revoked"];
        assert_refused(&run(&["--revoked-host-keys", &path, &target]), &words);
    }
    for content in [&b"no key\n"[..], b"\0", b"ssh-ed25519 AAAA\n"] {
        let path = file(home.path(), "list", content);
        assert_refused(&run(&["--revoked-host-keys", &path, &target]), &[&format!("{path}:1"), "no public key"]);
    }
    assert!(listener.accept().is_err(), "somebody called");

    let loopback = Loopback::new();
    let server = loopback.server(Script::healthy(&SEED)).to_string();
    let path = file(home.path(), "krl", &krl);
    let output = run(&["--revoked-host-keys", &path, &server]);
    let (code, record) = (output.status.code(), record(&output));
    assert_eq!((code, &record["code"]), (Some(1), &"host-key-revoked".into()), "{record}");
    assert_eq!(record["host_keys"][0]["source"], path.as_str());

    // Of a list the good lines count, and the bad one is told. So with keys that the world has.
    let content = format!("garbage\n\0\nssh-ed25519 {}\n", key());
    for (option, arg) in [("--revoked-host-keys", "revocation-list"), ("--bad-keys", "bad-key")] {
        let path = file(home.path(), "list", content.as_bytes());
        let output = run(&[option, &path, &server]);
        let told = warnings(&output);
        assert_eq!(told.len(), 2, "{told:?}");
        for (line, told) in (1..).zip(&told) {
            assert!(told.starts_with(&format!("sshprobe: warning: {path}:{line}: ")), "{told}");
            assert!(told.ends_with("; the line is left out") && !told.contains(char::is_control), "{told}");
        }
        let record = self::record(&output);
        assert_eq!((&record["code"], &record["arg"]), (&"host-key-revoked".into(), &arg.into()), "{record}");
        assert_eq!(record["host_keys"][0]["source"], format!("{path}:3").as_str());
    }
}

#[test]
fn what_is_asked_of_keys_at_a_depth_where_none_is_seen_is_refused() {
    let files = TempDir::new().expect("a folder");
    let list = files.path().join("list");
    fs::write(&list, "").expect("written");
    let list = list.to_str().expect("printable");
    for options in [
        &["--known-hosts", list][..],
        &["--strict-host-keys"],
        &["--host-key-alias", "gate"],
        &["--host-key-types", "all"],
        &["--check-host-ip"],
        &["--revoked-host-keys", list],
        &["--bad-keys", list],
        &["--sshfp"],
    ] {
        for depth in ["connect", "ident", "kexinit"] {
            let run = run(&[options, &["--depth", depth, "127.0.0.1:1"]].concat());
            assert_refused(&run, &[options[0], "no host key is seen at --depth", depth]);
        }
    }
}
