//! Revocation lists against `ssh-keygen -k`, which makes them, and `ssh-keygen -Q`, which says what they revoke.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sshprobe_probes::trust::revoked::{RevokedBy, RevokedKeys, RevokedKeysBuilder};
use tempfile::TempDir;

use crate::support::openssh::{have, keygen, run, version};

/// Certificates: name, authority, key ID, serial.
const CERTIFICATES: [(&str, &str, &str, &str); 12] = [
    ("zero", "ca", "zero", "0"),
    ("one", "ca", "one", "1"),
    ("seven", "ca", "seven", "7"),
    ("ten", "ca", "ten", "10"),
    ("eleven", "ca", "eleven", "11"),
    ("hundred", "ca", "hundred", "100"),
    ("thousand", "ca", "thousand", "1000"),
    ("half", "ca", "half", "9223372036854775808"),
    ("last", "ca", "last", "18446744073709551615"),
    ("other-seven", "ca2", "seven", "7"),
    ("other-zero", "ca2", "other", "0"),
    ("rsa-seven", "rsa-ca", "by rsa", "7"),
];

/// Keys without certificates.
const KEYS: [&str; 8] = ["host", "host2", "rsa", "ecdsa", "ca", "ca2", "rsa-ca", "sk"];

/// The public key file of each name.
fn files() -> impl Iterator<Item = (&'static str, String)> {
    let certificates = CERTIFICATES.iter().map(|&(name, ..)| (name, format!("{name}-cert.pub")));
    KEYS.iter().map(|&name| (name, format!("{name}.pub"))).chain(certificates)
}

/// Makes the keys and certificates.
fn make_keys(dir: &Path) {
    for name in KEYS {
        let kind = match name {
            "rsa" | "rsa-ca" => "rsa",
            "ecdsa" => "ecdsa",
            "sk" => continue,
            _ => "ed25519",
        };
        let mut args = vec!["-q", "-t", kind, "-N", "", "-C", name, "-f", name];
        if kind == "rsa" {
            args.extend(["-b", "2048"]);
        }
        keygen(dir, &args);
    }
    // A security key's public half, for which no security key is needed.
    let field = |bytes: &[u8]| [&u32::try_from(bytes.len()).expect("short").to_be_bytes(), bytes].concat();
    let kind = b"sk-ssh-ed25519@openssh.com";
    let blob = [field(kind), field(&[7; 32]), field(b"ssh:")].concat();
    fs::write(dir.join("sk.pub"), format!("sk-ssh-ed25519@openssh.com {} sk\n", STANDARD.encode(blob)))
        .expect("written");
    for (name, authority, id, serial) in CERTIFICATES {
        fs::copy(dir.join("host.pub"), dir.join(format!("{name}.pub"))).expect("copied");
        let file = format!("{name}.pub");
        keygen(dir, &["-q", "-s", authority, "-h", "-I", id, "-n", "host.example", "-z", serial, &file]);
    }
}

/// Makes the KRLs; gives their names.
fn make_krls(dir: &Path) -> Vec<&'static str> {
    let line = |name: &str| fs::read_to_string(dir.join(format!("{name}.pub"))).expect("a public key");
    let sparse: String = (0..400).map(|at| format!("serial: {}\n", 10 + at * 3)).collect();
    let spread: String = (0..40u64).map(|at| format!("serial: {}\n", 7 + at * 1_000_003)).collect();
    let hash = keygen(dir, &["-l", "-f", "ecdsa.pub"]);
    let hash = hash.split_whitespace().nth(1).expect("bits, fingerprint");
    let specs: [(&str, &[&str], String); 19] = [
        ("empty", &[], String::new()),
        ("key", &[], format!("key: {}", line("host"))),
        ("keys", &[], ["rsa", "ecdsa", "sk"].map(|name| format!("key: {}", line(name))).concat()),
        ("key-of-certificate", &[], format!("key: {}", line("seven-cert"))),
        ("authority", &[], format!("key: {}", line("ca"))),
        ("authority-sha1", &[], format!("sha1: {}", line("ca2"))),
        ("authority-sha256", &[], format!("sha256: {}", line("rsa-ca"))),
        ("sha1", &[], format!("sha1: {}sha1: {}", line("rsa"), line("sk"))),
        ("sha256", &[], format!("sha256: {}sha256: {}", line("rsa"), line("host"))),
        ("hash", &[], format!("hash: {hash}\n")),
        ("serial", &["-s", "ca.pub"], "serial: 7\n".to_owned()),
        ("serial-range", &["-s", "ca.pub"], "serial: 5-10\nserial: 900-0xffffffffffffffff\n".to_owned()),
        ("serial-bitmap", &["-s", "ca.pub"], sparse),
        ("serial-list", &["-s", "ca.pub"], spread),
        ("serial-all", &["-s", "none"], "serial: 1-18446744073709551615\n".to_owned()),
        ("serial-any", &["-s", "none"], "serial: 7\n".to_owned()),
        ("id", &["-s", "ca.pub"], "id: seven\nid: zero\n".to_owned()),
        ("id-any", &["-s", "none"], "id: seven\n".to_owned()),
        ("rsa-authority", &["-s", "rsa-ca.pub"], "serial: 7\nid: zero\n".to_owned()),
    ];
    let mut names = Vec::new();
    for (name, options, spec) in specs {
        let file = format!("{name}.spec");
        fs::write(dir.join(&file), spec).expect("written");
        let krl = format!("{name}.krl");
        keygen(dir, &[&["-q", "-k", "-f", &krl], options, &["-z", "3", &file][..]].concat());
        names.push(name);
    }
    // As most people do it: the files of what is to be revoked.
    keygen(dir, &["-q", "-k", "-f", "files.krl", "host2.pub", "ten-cert.pub", "other-zero-cert.pub"]);
    // Sections for several authorities in one list.
    fs::copy(dir.join("serial.krl"), dir.join("updated.krl")).expect("copied");
    keygen(dir, &["-q", "-k", "-u", "-f", "updated.krl", "-s", "ca2.pub", "id.spec"]);
    keygen(dir, &["-q", "-k", "-u", "-f", "updated.krl", "-s", "none", "serial-range.spec"]);
    names.extend(["files", "updated"]);
    names
}

/// What `ssh-keygen -Q` says of every key.
fn asked(dir: &Path, krl: &str) -> Vec<(&'static str, bool)> {
    let mut args = vec!["-Q".to_owned(), "-f".to_owned(), format!("{krl}.krl")];
    args.extend(files().map(|(_, file)| file));
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let output = run(dir, "ssh-keygen", &args);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer = |(name, file): (&'static str, String)| {
        let line = said.lines().find(|line| line.strip_prefix(&*file).is_some_and(|rest| rest.starts_with([' ', ':'])));
        let line = line.unwrap_or_else(|| panic!("nothing of {file} in {said}"));
        let revoked = line.ends_with(": REVOKED");
        assert!(revoked || line.ends_with(": ok"), "{line}");
        (name, revoked)
    };
    files().map(answer).collect()
}

fn blob(dir: &Path, file: &str) -> Vec<u8> {
    let line = fs::read_to_string(dir.join(file)).expect("a public key");
    STANDARD.decode(line.split_whitespace().nth(1).expect("type and key")).expect("base64")
}

fn read(content: &[u8]) -> RevokedKeys {
    let mut builder = RevokedKeysBuilder::default();
    assert_eq!(builder.file("list.krl", content), Ok(Vec::new()));
    builder.build()
}

#[test]
fn ssh_keygen_and_we_agree_on_every_key_and_krl() {
    if !have(&["ssh-keygen"]) {
        return;
    }
    let dir = TempDir::new().expect("a temporary directory");
    let dir = dir.path();
    make_keys(dir);
    let (mut pairs, mut revoked, mut by, mut authorities) = (0, 0, BTreeSet::new(), 0);
    for krl in make_krls(dir) {
        let ours = read(&fs::read(dir.join(format!("{krl}.krl"))).expect("a KRL"));
        for ((name, expect), (_, file)) in asked(dir, krl).into_iter().zip(files()) {
            let answer = ours.revokes(&blob(dir, &file));
            assert_eq!(answer.is_some(), expect, "{name} in {krl}: {answer:?}");
            if let Some(answer) = answer {
                assert_eq!(answer.at.to_string(), "list.krl");
                by.insert(answer.by.word());
                authorities += usize::from(answer.authority);
                revoked += 1;
            }
            pairs += 1;
        }
    }
    assert!(pairs >= 400 && revoked >= 80 && pairs - revoked >= 80, "{revoked} of {pairs}");
    let every = [RevokedBy::Key, RevokedBy::Sha1, RevokedBy::Sha256, RevokedBy::Serial, RevokedBy::KeyId];
    assert_eq!(by, every.map(RevokedBy::word).into());
    assert!(authorities >= 10);
}

/// A KRL cut short or with a byte changed: where ssh-keygen refuses to read it, so do we, and the other way round.
#[test]
fn ssh_keygen_and_we_refuse_the_same_broken_krls() {
    if !have(&["ssh-keygen"]) {
        return;
    }
    let dir = TempDir::new().expect("a temporary directory");
    let dir = dir.path();
    make_keys(dir);
    make_krls(dir);
    let (mut refused, mut taken) = (0, 0);
    for name in ["updated", "serial-bitmap", "sha256"] {
        let whole = fs::read(dir.join(format!("{name}.krl"))).expect("a KRL");
        let cuts = (8..whole.len()).step_by(whole.len() / 12 + 1).map(|cut| whole[..cut].to_vec());
        let changes = (8..whole.len()).step_by(whole.len() / 40 + 1).map(|at| {
            let mut changed = whole.clone();
            changed[at] ^= 0x81;
            changed
        });
        for broken in cuts.chain(changes) {
            fs::write(dir.join("broken.krl"), &broken).expect("written");
            let output = run(dir, "ssh-keygen", &["-Q", "-f", "broken.krl", "host.pub", "seven-cert.pub"]);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let read = said.contains("host.pub");
            let mut builder = RevokedKeysBuilder::default();
            let ours = builder.file("broken.krl", &broken);
            assert_eq!(ours.is_ok(), read, "{name}: {ours:?}\n{}", String::from_utf8_lossy(&output.stderr));
            if read {
                let keys = builder.build();
                for file in ["host.pub", "seven-cert.pub"] {
                    let line = said.lines().find(|line| line.starts_with(file)).expect("an answer");
                    assert_eq!(keys.revokes(&blob(dir, file)).is_some(), line.ends_with("REVOKED"), "{name} {line}");
                }
                taken += 1;
            } else {
                refused += 1;
            }
        }
    }
    assert!(refused >= 20 && taken >= 20, "{refused} refused, {taken} taken");
}

/// KRLs by hand, of kinds that ssh-keygen does not write.
#[test]
fn ssh_keygen_and_we_take_the_same_handmade_krls() {
    if !have(&["ssh-keygen"]) {
        return;
    }
    let dir = TempDir::new().expect("a temporary directory");
    let dir = dir.path();
    make_keys(dir);
    let string = |bytes: &[u8]| [&u32::try_from(bytes.len()).expect("short").to_be_bytes(), bytes].concat();
    let section = |kind: u8, body: &[u8]| [&[kind][..], &string(body)].concat();
    let list = |version: u32, comment: &[u8], sections: &[u8]| {
        let head = [&b"SSHKRL\n\0"[..], &version.to_be_bytes(), &[0; 24], &string(b""), &string(comment)].concat();
        [&head, sections].concat()
    };
    let about = |ca: &[u8], kind: u8, body: &[u8]| {
        list(1, b"", &section(1, &[string(ca), string(b""), section(kind, body)].concat()))
    };
    let serials = |serials: &[u64]| serials.iter().flat_map(|serial| serial.to_be_bytes()).collect::<Vec<_>>();
    let bitmap = |first: u64, bits: &[u8]| about(b"", 0x22, &[&serials(&[first])[..], &string(bits)].concat());
    let (ca, certificate) = (blob(dir, "ca.pub"), blob(dir, "seven-cert.pub"));
    let newer = version() >= (9, 4);
    let extension = |critical: u8| [string(b"x@example"), vec![critical], string(b"data")].concat();
    let krls: Vec<(&str, Vec<u8>, bool)> = vec![
        ("serials unsorted and twice", about(&ca, 0x20, &serials(&[100, 7, 7, 1])), true),
        ("serial 0 in a list", about(&ca, 0x20, &serials(&[7, 0])), false),
        ("a range from 0", about(&ca, 0x21, &serials(&[0, 9])), false),
        ("a range backwards", about(&ca, 0x21, &serials(&[9, 7])), false),
        ("a range of one", about(&ca, 0x21, &serials(&[7, 7])), true),
        ("a range and a half", about(&ca, 0x21, &serials(&[7, 7, 8])), false),
        ("a bitmap from 0", bitmap(0, &[0x80]), false),
        ("a bitmap from 0 without it", bitmap(0, &[0x04, 0x80]), true),
        ("a bitmap with leading zeros", bitmap(5, &[0, 0, 0x04]), true),
        ("a bitmap with serial 0", bitmap(0, &[0x01]), false),
        ("an empty bitmap", bitmap(0, &[]), true),
        ("a bitmap to the last serial", bitmap(u64::MAX - 1, &[0x02]), true),
        ("a bitmap beyond the last serial", bitmap(u64::MAX, &[0x02]), false),
        ("the longest bitmap", bitmap(1, &[&[0][..], &[0xff; 2048]].concat()), true),
        ("a longer bitmap", bitmap(1, &[1; 2049]), false),
        ("a certificate as authority", about(&certificate, 0x20, &serials(&[7])), true),
        ("no key as authority", about(b"no key", 0x20, &serials(&[7])), false),
        ("a key ID with a NUL at its end", about(&ca, 0x23, &string(b"seven\0")), true),
        ("a key ID with a NUL", about(&ca, 0x23, &string(b"sev\0en")), false),
        ("an empty key ID", about(&ca, 0x23, &string(b"")), true),
        ("an unknown certificate section", about(&ca, 0x24, b""), false),
        ("an extension within", about(&ca, 0x39, &extension(0)), newer),
        ("a critical extension within", about(&ca, 0x39, &extension(1)), false),
        ("an extension", list(1, b"", &section(255, &extension(0))), newer),
        ("a critical extension", list(1, b"", &section(255, &extension(1))), false),
        ("an unknown section", list(1, b"", &section(6, b"")), false),
        ("a certificate as key", list(1, b"", &section(2, &string(&certificate))), true),
        ("no key as key", list(1, b"", &section(2, &string(b"no key"))), true),
        ("a short SHA-1", list(1, b"", &section(3, &string(&[7; 19]))), false),
        ("a long SHA-256", list(1, b"", &section(5, &string(&[7; 33]))), false),
        ("version 2", list(2, b"", b""), false),
        ("a comment", list(1, b"of the lab", b""), true),
        ("a comment with a NUL", list(1, b"of\0the lab", b""), false),
        ("a byte more", list(1, b"", b"\0"), false),
    ];
    for (name, content, expect) in krls {
        fs::write(dir.join("handmade.krl"), &content).expect("written");
        let mut builder = RevokedKeysBuilder::default();
        let ours = builder.file("list.krl", &content);
        // Extensions are what 9.4 added, and we read them whatever is installed.
        let extension = name.starts_with("an extension");
        assert_eq!(ours.is_ok(), expect || extension, "{name}: {ours:?}");
        let output = run(dir, "ssh-keygen", &["-Q", "-f", "handmade.krl", "host.pub"]);
        assert_eq!(!output.stdout.is_empty(), expect, "{name}: {}", String::from_utf8_lossy(&output.stderr));
        if expect {
            let keys = builder.build();
            for ((key, revoked), (_, file)) in asked(dir, "handmade").into_iter().zip(files()) {
                assert_eq!(keys.revokes(&blob(dir, &file)).is_some(), revoked, "{key} in {name}");
            }
        }
    }
}

/// Writes the samples that `probes/tests/revoked.rs` and the fuzz target `krl` begin with. Every run makes new keys, so it runs
/// only when asked: `SSHPROBE_WRITE_SEEDS=1 cargo test --test integration write_samples`.
#[test]
fn write_samples() {
    if std::env::var_os("SSHPROBE_WRITE_SEEDS").is_none() {
        return;
    }
    let dir = TempDir::new().expect("a temporary directory");
    let dir = dir.path();
    make_keys(dir);
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let samples = tree.join("probes/tests/revoked");
    let seeds = tree.join("fuzz/seeds/krl");
    fs::create_dir_all(&seeds).expect("made");
    let mut keys = String::new();
    for (name, file) in files() {
        let _ = writeln!(keys, "{name} {}", STANDARD.encode(blob(dir, &file)));
    }
    let mut answers = String::new();
    for krl in make_krls(dir) {
        let content = fs::read(dir.join(format!("{krl}.krl"))).expect("a KRL");
        fs::write(samples.join(format!("{krl}.krl")), &content).expect("written");
        let revoked: Vec<_> =
            asked(dir, krl).into_iter().filter(|(_, revoked)| *revoked).map(|(name, _)| name).collect();
        let _ = writeln!(answers, "{krl}: {}", revoked.join(" "));
        let asked = blob(dir, "seven-cert.pub");
        let length = u32::try_from(asked.len()).expect("short").to_be_bytes();
        fs::write(seeds.join(krl), [&length, &asked[..], &content].concat()).expect("written");
    }
    fs::write(samples.join("keys.txt"), keys).expect("written");
    fs::write(samples.join("answers.txt"), answers).expect("written");
}
