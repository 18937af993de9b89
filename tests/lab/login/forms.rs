//! The forms that private keys are kept in: each logs in, or gets a line that names the file and what mends it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use russh::keys::ssh_key::private::KeypairData;

use super::ground::{Ground, PASSPHRASE};
use crate::support::guard::lab;
use crate::support::netns::shell;
use crate::support::run::parse;

/// What becomes of a key.
enum Fate {
    /// It logs in, as it does with ssh.
    LogsIn,
    /// It is told so.
    Told(&'static str),
}

/// An Ed25519 key as PuTTY's third form has it, without a passphrase.
fn putty(ground: &Ground, name: &str) -> String {
    let key = russh::keys::load_secret_key(ground.path(name), None).expect("a key of ssh-keygen's");
    let KeypairData::Ed25519(pair) = key.key_data() else { panic!("not an Ed25519 key") };
    let public = key.public_key().to_bytes().expect("encoded");
    let secret = framed(&pair.private.to_bytes());
    let parts: [&[u8]; 5] = [b"ssh-ed25519", b"none", b"theirs", &public, &secret];
    let text: Vec<u8> = parts.iter().flat_map(|part| framed(part)).collect();
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b""), &text);
    let mac: String = mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let public = STANDARD.encode(&public);
    let (first, second) = public.split_at(64);
    format!(
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: theirs\nPublic-Lines: 2\n{first}\n{second}\nPrivate-Lines: 1\n{}\nPrivate-MAC: {mac}\n",
        STANDARD.encode(&secret)
    )
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).expect("short").to_be_bytes()[..], bytes].concat()
}

#[test]
fn login_takes_a_key_in_every_form_or_names_what_makes_it_one_that_is_read() {
    use Fate::{LogsIn, Told};
    let Some(_lab) = lab() else { return };
    let mut ground = Ground::new();
    ground.sshd(1, "");
    let path = |name: &str| ground.path(name).to_str().expect("printable").to_owned();
    let old = "it is encrypted in an old way that is not read here; ssh-keygen -p -f";
    let mut forms = Vec::new();
    for (key, kind, phrase, begins, fate) in [
        ("rsa", "PEM", "", "-----BEGIN RSA PRIVATE KEY", LogsIn),
        ("rsa", "PEM", PASSPHRASE, "-----BEGIN RSA PRIVATE KEY", LogsIn),
        ("rsa", "PKCS8", "", "-----BEGIN PRIVATE KEY", LogsIn),
        ("rsa", "PKCS8", PASSPHRASE, "-----BEGIN ENCRYPTED PRIVATE KEY", LogsIn),
        ("ec", "PEM", "", "-----BEGIN EC PRIVATE KEY", LogsIn),
        ("ec", "PEM", PASSPHRASE, "-----BEGIN EC PRIVATE KEY", Told(old)),
        ("ec", "PKCS8", "", "-----BEGIN PRIVATE KEY", LogsIn),
        ("ec", "PKCS8", PASSPHRASE, "-----BEGIN ENCRYPTED PRIVATE KEY", LogsIn),
        ("ec", "RFC4716", PASSPHRASE, "-----BEGIN OPENSSH PRIVATE KEY", LogsIn),
    ] {
        let name = format!("{key}-{kind}-{}", if phrase.is_empty() { "open" } else { "sealed" });
        fs::copy(ground.path(key), ground.path(&name)).expect("copied");
        shell("ssh-keygen", &["-q", "-p", "-m", kind, "-P", "", "-N", phrase, "-f", &path(&name)]);
        assert!(fs::read_to_string(ground.path(&name)).expect("written").starts_with(begins), "{name}");
        forms.push((name, fate));
    }
    let pass = format!("pass:{PASSPHRASE}");
    let pem = path("rsa-PEM-open");
    for (cipher, fate) in [("-aes256", Told(old)), ("-des3", Told(old)), ("-aes128", LogsIn)] {
        let name = format!("rsa-traditional{cipher}");
        shell("openssl", &["rsa", "-in", &pem, cipher, "-traditional", "-passout", &pass, "-out", &path(&name)]);
        forms.push((name, fate));
    }
    let otherwise = "the passphrase is wrong, or it is encrypted in a way that is not read here; ssh-keygen -p -f";
    for (version, fate) in [(&["-scrypt"][..], LogsIn), (&["-v1", "PBE-SHA1-3DES"], Told(otherwise))] {
        let name = format!("rsa-pkcs8{}", version[0]);
        let to = ["pkcs8", "-topk8", "-in", &pem, "-passout", &pass, "-out", &path(&name)].map(str::to_owned);
        let args: Vec<&str> = to.iter().map(String::as_str).chain(version.iter().copied()).collect();
        shell("openssl", &args);
        forms.push((name, fate));
    }
    fs::write(ground.path("good.ppk"), putty(&ground, "good")).expect("written");
    let sealed = putty(&ground, "good").replace("Encryption: none", "Encryption: aes256-cbc");
    fs::write(ground.path("sealed.ppk"), sealed).expect("written");
    forms.push((String::from("good.ppk"), LogsIn));
    forms.push((String::from("sealed.ppk"), Told("-O private-openssh -o NEWFILE")));

    let mut wrong = Vec::new();
    for (name, fate) in forms {
        ground.hand_over(&name, None);
        let key = path(&name);
        let output = ground.command(1, "alice", &["-i", &key]).output().expect("runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains(PASSPHRASE), "{said}");
        let right = match fate {
            LogsIn => {
                // PuTTY's is the one form that ssh does not read.
                let theirs = name.ends_with(".ppk")
                    || ground
                        .ssh(1, "alice", &["-o", "IdentitiesOnly=yes", "-i", &key, "-o", "BatchMode=no"], "", "")
                        .0;
                theirs && output.status.success() && parse(&output.stdout, &said)[0]["auth"]["result"] == "accepted"
            }
            Told(words) => {
                let told = said.contains(&format!("sshprobe: error: -i: {key}: ")) && said.contains(words);
                output.status.code() == Some(2) && told && said.lines().count() == 1
            }
        };
        if !right {
            wrong.push(format!("{name}: {}{said}", String::from_utf8_lossy(&output.stdout)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn login_by_an_agent_names_its_keys_by_type_and_fingerprint_and_their_comments_escaped() {
    let Some(_lab) = lab() else { return };
    let mut ground = Ground::new();
    ground.sshd(1, "");
    ground.sshd(2, "DenyUsers alice");
    let path = |name: &str| ground.path(name).to_str().expect("printable").to_owned();
    for (name, comment) in [("nasty", "a\u{1b}[2Jb\u{202e}c"), ("nameless", "")] {
        shell("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", &path(name)]);
        ground.hand_over(name, None);
        ground.add_to_agent(name);
    }
    let print = |name: &str| shell("ssh-keygen", &["-l", "-f", &path(name)]).split(' ').nth(1).expect("one").to_owned();
    let (record, run) = ground.ours(1, "stale", &["--agent"]);
    assert_eq!(record["code"], "ok", "{record}");
    // Somebody whom no key of the agent's lets in.
    let (record, refused) = ground.ours(2, "alice", &["--agent"]);
    let tried = record["auth"]["attempts"].as_array().expect("tried");
    for (at, name) in ["good", "nasty", "nameless"].into_iter().enumerate() {
        let fingerprint = print(name);
        assert_eq!(
            (&tried[at]["type"], &tried[at]["fingerprint"]),
            (&"ssh-ed25519".into(), &fingerprint.clone().into())
        );
        assert!(record["detail"].as_str().unwrap().contains(&format!("({fingerprint})")), "{record}");
    }
    let shown = format!("{}{}{}", run.stderr, refused.stderr, record["detail"]);
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown}");
    assert!(!shown.contains("  ("), "{shown}");
}

/// The agent has more keys than may be tried; what was named comes first, by its private half or by its public one.
#[test]
fn login_tries_what_was_named_before_what_the_agent_happens_to_have() {
    let Some(_lab) = lab() else { return };
    let mut ground = Ground::new();
    ground.sshd(1, "MaxAuthTries 2");
    ground.sshd(2, "");
    let path = |name: &str| ground.path(name).to_str().expect("printable").to_owned();
    let mut agent = std::process::Command::new("setpriv");
    agent.args(["--reuid=65534", "--regid=65534", "--clear-groups", "ssh-add", "-q", "-D"]);
    assert!(agent.env("SSH_AUTH_SOCK", ground.path("agents/socket")).status().expect("ssh-add").success());
    for other in 0..6 {
        let name = format!("other{other}");
        shell("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &path(&name)]);
        ground.hand_over(&name, None);
        ground.add_to_agent(&name);
    }
    ground.add_to_agent("good");
    for octet in [1, 2] {
        let (record, _) = ground.ours(octet, "alice", &["--agent"]);
        assert_eq!(record["code"], "auth-too-many", "its key was not tried: {record}");
    }
    let public = path("named.pub");
    fs::copy(path("good.pub"), &public).expect("copied");
    fs::set_permissions(&public, fs::Permissions::from_mode(0o644)).expect("our own file");
    for named in [path("good"), public] {
        let (record, run) = ground.ours(1, "alice", &["--agent", "-i", &named]);
        assert_eq!(record["code"], "ok", "{record} {}", run.stderr);
        assert_eq!(record["auth"]["attempts"].as_array().map(Vec::len), Some(1), "{record}");
    }
    let config = format!("Host *\n  IdentityFile {}\n  IdentityAgent {}\n", path("named.pub"), path("agents/socket"));
    ground.hand_over("config", Some(&config));
    let (record, run) = ground.ours(1, "alice", &["-F", &path("config")]);
    assert_eq!(record["code"], "ok", "{record} {}", run.stderr);
    // Of the agent's keys none but those that a file names, and that one is not the user's.
    fs::copy(path("other0.pub"), path("named.pub")).expect("copied");
    for (only, code, attempts) in [("yes", "auth-key-refused", 1), ("no", "auth-too-many", 2)] {
        ground.hand_over("config", Some(&format!("{config}  IdentitiesOnly {only}\n")));
        let (record, run) = ground.ours(1, "alice", &["-F", &path("config")]);
        assert_eq!(record["code"], code, "{only}: {record} {}", run.stderr);
        assert_eq!(record["auth"]["attempts"].as_array().map(Vec::len), Some(attempts), "{only}: {record}");
    }
}
