//! The matrix: one server, user and credential a row.

use super::ground::{CODES, Ground, PASSPHRASE, PASSWORD, WRONG_PASSWORD};
use crate::support::guard::lab_with;
use serde_json::Value;

/// One login by both.
struct Row {
    name: &'static str,
    octet: u8,
    user: &'static str,
    ours: &'static [&'static str],
    ssh: &'static [&'static str],
    /// What ssh answers where it is asked for a password, and for a code.
    word: &'static str,
    code: &'static str,
    /// The code and its parameter, and `auth.result`.
    expected: (&'static str, Option<&'static str>, &'static str),
    /// What is in the sentence.
    detail: &'static str,
    /// What ssh printed; empty if it was let in.
    said: &'static str,
}

const ONLY: &str = "IdentitiesOnly=yes";
const KEYS: [&str; 4] = ["-o", ONLY, "-o", "PreferredAuthentications=publickey"];

macro_rules! ssh {
    ($($arg:literal),*) => { &[KEYS[0], KEYS[1], KEYS[2], KEYS[3], $($arg),*] };
}

const fn row(name: &'static str, octet: u8, user: &'static str) -> Row {
    Row {
        name,
        octet,
        user,
        ours: &[],
        ssh: &[],
        word: "",
        code: "",
        expected: ("ok", None, "accepted"),
        detail: "logged in as",
        said: "",
    }
}

/// The servers, by the last octet of their addresses.
const SERVERS: &[(u8, &str)] = &[
    (1, ""),
    (2, "PubkeyAcceptedAlgorithms ssh-ed25519,ecdsa-sha2-nistp256"),
    (3, "TrustedUserCAKeys {dir}/ca.pub"),
    (4, "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\nPubkeyAuthentication no"),
    (
        5,
        "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\nAuthenticationMethods publickey,keyboard-interactive",
    ),
    (6, "AllowUsers somebody-else"),
    (7, "DenyUsers alice"),
    (8, "MaxAuthTries 1"),
    (9, "PermitRootLogin no"),
    (10, "PubkeyAuthentication no"),
    (11, "UsePAM yes\nKbdInteractiveAuthentication no"),
];
const DROPBEAR: u8 = 20;

const DENIED: &str = "Permission denied (publickey,password)";

fn rows() -> Vec<Row> {
    let good = &["-i", "{dir}/good"];
    let refused = ("auth-key-refused", None, "denied");
    vec![
        Row { ours: good, ssh: ssh!["-i", "{dir}/good"], ..row("good key", 1, "alice") },
        Row {
            ours: &["-i", "{dir}/spare1"],
            ssh: ssh!["-i", "{dir}/spare1"],
            expected: refused,
            detail: "refused at the query",
            said: DENIED,
            ..row("unknown key", 1, "alice")
        },
        Row {
            ours: &["-i", "{dir}/locked-up"],
            ssh: ssh!["-i", "{dir}/locked-up"],
            ..row("encrypted key", 1, "alice")
        },
        Row { ours: &["-i", "{dir}/rsa"], ssh: ssh!["-i", "{dir}/rsa"], ..row("RSA key", 1, "alice") },
        Row {
            ours: &["-i", "{dir}/rsa"],
            ssh: ssh!["-i", "{dir}/rsa"],
            // OpenSSH 9.2 lists rsa-sha2 in server-sig-algs whatever PubkeyAcceptedAlgorithms says, so ssh offers the key too.
            expected: refused,
            detail: "refused at the query",
            said: DENIED,
            ..row("RSA key without rsa-sha2", 2, "alice")
        },
        Row { ours: &["-i", "{dir}/certified"], ssh: ssh!["-i", "{dir}/certified"], ..row("certificate", 3, "alice") },
        Row {
            ours: &["-i", "{dir}/expired"],
            ssh: ssh!["-i", "{dir}/expired"],
            expected: refused,
            detail: "the certificate has expired",
            said: DENIED,
            ..row("expired certificate", 3, "alice")
        },
        Row { ours: &["--agent"], ssh: &["-o", "PreferredAuthentications=publickey"], ..row("agent", 1, "alice") },
        Row {
            ours: &["--password-file", "{dir}/password"],
            ssh: &["-o", "PreferredAuthentications=password"],
            word: PASSWORD,
            ..row("password", 1, "alice")
        },
        Row {
            ours: &["--password-file", "{dir}/wrong-password"],
            ssh: &["-o", "PreferredAuthentications=password"],
            word: WRONG_PASSWORD,
            expected: ("auth-failed", Some("password"), "denied"),
            detail: "refused",
            said: DENIED,
            ..row("wrong password", 1, "alice")
        },
        Row {
            ours: &["--answers-file", "{dir}/answers0"],
            ssh: &["-o", "PreferredAuthentications=keyboard-interactive"],
            word: PASSWORD,
            code: CODES[1],
            ..row("keyboard-interactive with two prompts", 4, "alice")
        },
        Row {
            ours: &["--answers-file", "{dir}/answers-half"],
            ssh: &["-o", "PreferredAuthentications=keyboard-interactive"],
            word: PASSWORD,
            code: "00000000",
            expected: ("auth-failed", Some("keyboard-interactive"), "listed"),
            detail: "no answer was given for \"Verification code: \"",
            said: "Permission denied (keyboard-interactive)",
            ..row("a prompt without an answer", 4, "alice")
        },
        Row {
            ours: good,
            ssh: ssh!["-i", "{dir}/good"],
            expected: ("auth-partial", Some("keyboard-interactive"), "partial"),
            detail: "accepted as one factor; the server now wants keyboard-interactive",
            said: "Authenticated using \"publickey\" with partial success.",
            ..row("the first of two factors", 5, "alice")
        },
        Row {
            ours: &["-i", "{dir}/good", "--answers-file", "{dir}/answers2"],
            ssh: &["-o", ONLY, "-i", "{dir}/good", "-o", "PreferredAuthentications=publickey,keyboard-interactive"],
            word: PASSWORD,
            code: CODES[3],
            ..row("two factors", 5, "alice")
        },
        Row {
            ours: good,
            ssh: ssh!["-i", "{dir}/good"],
            expected: refused,
            said: DENIED,
            detail: "refused at the query",
            ..row("locked account", 1, "locked")
        },
        Row {
            ours: good,
            ssh: ssh!["-i", "{dir}/good"],
            expected: refused,
            said: DENIED,
            detail: "refused at the query",
            ..row("AllowUsers", 6, "alice")
        },
        Row {
            ours: good,
            ssh: ssh!["-i", "{dir}/good"],
            expected: refused,
            said: DENIED,
            detail: "refused at the query",
            ..row("DenyUsers", 7, "alice")
        },
        Row {
            ours: &["-i", "{dir}/spare1"],
            ssh: ssh!["-i", "{dir}/spare1"],
            expected: ("auth-too-many", None, "listed"),
            detail: "Too many authentication failures",
            said: "Too many authentication failures",
            ..row("MaxAuthTries 1", 8, "alice")
        },
        Row { ours: good, ssh: ssh!["-i", "{dir}/good"], ..row("MaxAuthTries 1 and the right key", 8, "alice") },
        Row {
            ours: good,
            ssh: ssh!["-i", "{dir}/good"],
            expected: ("auth-refused-after-key", None, "denied"),
            detail: "taken at the query, refused after the signature",
            said: DENIED,
            ..row("root is refused", 9, "root")
        },
        Row {
            ours: good,
            ssh: ssh!["-i", "{dir}/good"],
            expected: ("auth-no-common-method", None, "listed"),
            detail: "the server takes password",
            said: "Permission denied (password)",
            ..row("no method in common", 10, "alice")
        },
        Row {
            ours: &[
                "-i",
                "{dir}/spare1",
                "-i",
                "{dir}/spare2",
                "-i",
                "{dir}/spare3",
                "-i",
                "{dir}/spare4",
                "-i",
                "{dir}/spare5",
                "-i",
                "{dir}/good",
            ],
            ssh: ssh![
                "-i",
                "{dir}/spare1",
                "-i",
                "{dir}/spare2",
                "-i",
                "{dir}/spare3",
                "-i",
                "{dir}/spare4",
                "-i",
                "{dir}/spare5",
                "-i",
                "{dir}/spare6"
            ],
            expected: ("auth-too-many", None, "denied"),
            detail: "not tried, as sshd hangs up after six refusals",
            said: "Too many authentication failures",
            ..row("six keys", 1, "alice")
        },
        // OpenSSH lets them in, and the session is good for nothing but changing the password; a session is not asked for here.
        Row {
            ours: &["--password-file", "{dir}/password"],
            ssh: &["-o", "PreferredAuthentications=password"],
            word: PASSWORD,
            said: "Authenticated to 10.0.0.1",
            ..row("expired password", 1, "stale")
        },
        Row {
            ours: &["--password-file", "{dir}/password"],
            ssh: &["-o", "PreferredAuthentications=password"],
            word: PASSWORD,
            said: "Authenticated to 10.0.0.11",
            ..row("expired password, PAM", 11, "stale")
        },
        // By PAM it asks for a new one in the midst of the conversation.
        Row {
            ours: &["--answers-file", "{dir}/anything"],
            ssh: &["-o", "PreferredAuthentications=keyboard-interactive"],
            word: PASSWORD,
            code: CODES[4],
            expected: ("auth-failed", Some("keyboard-interactive"), "denied"),
            detail: "the server wants a new password first",
            said: "Permission denied (keyboard-interactive)",
            ..row("expired password, keyboard-interactive", 4, "stale")
        },
        Row { ours: good, ssh: ssh!["-i", "{dir}/good"], ..row("Dropbear, good key", DROPBEAR, "alice") },
        Row { ours: &["-i", "{dir}/rsa"], ssh: ssh!["-i", "{dir}/rsa"], ..row("Dropbear, RSA key", DROPBEAR, "alice") },
        Row {
            ours: &["-i", "{dir}/spare1"],
            ssh: ssh!["-i", "{dir}/spare1"],
            expected: refused,
            detail: "refused at the query",
            said: "Permission denied (publickey,password)",
            ..row("Dropbear, unknown key", DROPBEAR, "alice")
        },
        Row {
            ours: &["--password-file", "{dir}/password"],
            ssh: &["-o", "PreferredAuthentications=password"],
            word: PASSWORD,
            ..row("Dropbear, password", DROPBEAR, "alice")
        },
        Row {
            ours: &["--password-file", "{dir}/wrong-password"],
            ssh: &["-o", "PreferredAuthentications=password"],
            word: WRONG_PASSWORD,
            expected: ("auth-failed", Some("password"), "denied"),
            detail: "refused",
            said: "Permission denied (publickey,password)",
            ..row("Dropbear, wrong password", DROPBEAR, "alice")
        },
    ]
}

#[test]
fn login_matrix_agrees_with_ssh_and_shows_no_secret() {
    let needed = [("/lib/x86_64-linux-gnu/security/pam_google_authenticator.so", "libpam-google-authenticator")];
    let Some(_lab) = lab_with(&needed) else { return };
    let mut ground = Ground::new();
    for (octet, config) in SERVERS {
        ground.sshd(*octet, config);
    }
    ground.dropbear(DROPBEAR);
    let mut wrong = Vec::new();
    for row in rows() {
        let (record, run) = ground.ours(row.octet, row.user, row.ours);
        let (let_in, said) = ground.ssh(row.octet, row.user, row.ssh, row.word, row.code);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let got = (text(&record["code"]), record["arg"].as_str(), text(&record["auth"]["result"]));
        let expected = (row.expected.0.to_owned(), row.expected.1, row.expected.2.to_owned());
        let agrees = got == expected && text(&record["detail"]).contains(row.detail);
        let ssh_agrees = if row.said.is_empty() { let_in } else { !let_in && said.contains(row.said) };
        if !agrees || !ssh_agrees {
            wrong.push(format!("{}:\n{record:#}\nssh ({let_in}): {said}\n{}", row.name, run.stderr));
        }
        let everything = format!("{record}{}", run.stderr);
        for secret in [PASSWORD, WRONG_PASSWORD, PASSPHRASE].iter().chain(&CODES) {
            assert!(!everything.contains(secret), "{}: {secret} is shown: {everything}", row.name);
        }
        for key in ["good", "rsa", "locked-up", "spare1"] {
            let material = std::fs::read_to_string(ground.path(key)).expect("a private key");
            for line in material.lines().filter(|line| line.len() == 70) {
                assert!(!everything.contains(line), "{}: {key} is shown: {everything}", row.name);
            }
        }
    }
    assert!(wrong.is_empty(), "{} rows differ:\n{}", wrong.len(), wrong.join("\n\n"));
    // Nothing was given to any server that would not have been asked for, and we left with our name.
    assert!(ground.log(0).contains("sshprobe"), "{}", ground.log(0));
}

#[test]
fn login_that_only_asks_signs_nothing() {
    let Some(_lab) = lab_with(&[]) else { return };
    let mut ground = Ground::new();
    ground.sshd(1, "LogLevel VERBOSE");
    let (record, run) =
        ground.ours(1, "alice", &["-i", "{dir}/spare1", "-i", "{dir}/good", "-i", "{dir}/rsa", "--query-keys"]);
    assert_eq!((&record["code"], &record["auth"]["result"]), (&"ok".into(), &"acceptable".into()), "{}", run.stderr);
    let answers: Vec<&str> =
        record["auth"]["attempts"].as_array().unwrap().iter().filter_map(|each| each["answer"].as_str()).collect();
    assert_eq!(answers, ["refused-at-query", "would-be-accepted", "would-be-accepted"]);
    assert!(ground.log(0).contains("Postponed publickey for alice"), "{}", ground.log(0));
    assert!(!ground.log(0).contains("Accepted publickey"), "{}", ground.log(0));
}

#[test]
fn login_gives_no_password_to_a_host_that_is_not_the_one_known() {
    let Some(_lab) = lab_with(&[]) else { return };
    let mut ground = Ground::new();
    ground.sshd(1, "LogLevel VERBOSE");
    let known = std::fs::read_to_string(ground.path("known_hosts")).expect("written");
    let password = ["--password-file", "{dir}/password"];
    let ours = |extra: &[&str]| ground.ours(1, "alice", &[&password[..], extra].concat()).0;
    let log = || ground.log(0);
    let tried = || log().matches("password for alice").count();

    // Another key of each type for the host: its own are changed.
    let other = |kind: &str| {
        let path = ground.path(&format!("other-{kind}"));
        crate::support::netns::shell("ssh-keygen", &["-q", "-t", kind, "-N", "", "-f", path.to_str().unwrap()]);
        format!("{} {}", Ground::address(1), std::fs::read_to_string(path.with_extension("pub")).unwrap())
    };
    let changed: String = ["ed25519", "ecdsa", "rsa"].map(other).concat();
    std::fs::write(ground.path("known_hosts"), &changed).unwrap();
    let record = ours(&["--accept-new"]);
    assert_eq!((&record["code"], tried()), (&"host-key-changed".into(), 0), "{record}");
    assert!(record["auth"].get("attempts").is_none(), "{record}");

    let revoked: String =
        known.lines().map(|line| format!("@revoked * {}\n", line.split_once(' ').unwrap().1)).collect();
    std::fs::write(ground.path("known_hosts"), &revoked).unwrap();
    let record = ours(&["--accept-new"]);
    assert_eq!((&record["code"], tried()), (&"host-key-revoked".into(), 0), "{record}");

    std::fs::write(ground.path("known_hosts"), "").unwrap();
    let record = ours(&[]);
    assert_eq!((&record["code"], tried()), (&"host-key-unknown".into(), 0), "{record}");
    assert_eq!(record["auth"]["withheld"][0]["why"], "host-key-unknown", "{record}");
    // Keys are of no use to whoever gets a signature.
    let record = ours(&["-i", "{dir}/good"]);
    assert_eq!((&record["code"], tried()), (&"ok".into(), 0), "{record}");
    let record = ours(&["--accept-new"]);
    assert_eq!((&record["code"], tried()), (&"ok".into(), 1), "{record}\n{}", log());
}
