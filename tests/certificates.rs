//! Host certificates beside what the installed ssh says of them. Its `ProxyCommand` is an `sshd -i`, so there is no network.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sshprobe_probes::hostkey::{Certificate, UnixTime};
use sshprobe_probes::trust::certificate::{Authority, CertFault, CertRules, judge_certificate, version_note};
use sshprobe_probes::trust::revoked::RevokedKeysBuilder;
use sshprobe_probes::wire::write::Writer;
use tempfile::TempDir;

use crate::support::openssh::{have, keygen, run, version};

const SSHD: &str = "/usr/sbin/sshd";
const HOST: &str = "host.example";

/// A certificate and the circumstances in which ssh meets it.
struct Case {
    name: &'static str,
    /// What `ssh-keygen -s` is told beside authority and identity.
    options: &'static [&'static str],
    authority: &'static str,
    /// Lines of known_hosts by marker and key file; `*` is the host pattern of all.
    known: &'static [(&'static str, &'static str)],
    expect: Result<(), CertFault>,
}

const TRUSTED: &[(&str, &str)] = &[("@cert-authority", "ca"), ("@cert-authority", "rsa-ca")];
const ALWAYS: [&str; 2] = ["-V", "always:forever"];

const fn case(name: &'static str, options: &'static [&'static str], expect: Result<(), CertFault>) -> Case {
    Case { name, options, authority: "ca", known: TRUSTED, expect }
}

static CASES: &[Case] = &[
    case("good", &["-h", "-n", HOST], Ok(())),
    case("good-for-a-while", &["-h", "-n", "other.example,host.example", "-V", "-5m:+5m"], Ok(())),
    Case { authority: "rsa-ca", ..case("good-rsa", &["-h", "-n", HOST], Ok(())) },
    Case { authority: "rsa-ca", ..case("sha1", &["-h", "-n", HOST, "-t", "ssh-rsa"], Err(CertFault::CaSigAlg)) },
    case("expired", &["-h", "-n", HOST, "-V", "-10m:-5m"], Err(CertFault::Expired)),
    case("early", &["-h", "-n", HOST, "-V", "+5m:+10m"], Err(CertFault::NotYetValid)),
    case("other-name", &["-h", "-n", "other.example"], Err(CertFault::WrongPrincipal)),
    case("capital", &["-h", "-n", "Host.example"], Err(CertFault::WrongPrincipal)),
    case("port", &["-h", "-n", "[host.example]:22"], Err(CertFault::WrongPrincipal)),
    case("user", &["-n", HOST], Err(CertFault::UserCert)),
    case("user-expired", &["-n", "other.example", "-V", "-10m:-5m"], Err(CertFault::UserCert)),
    case("expired-other-name", &["-h", "-n", "other.example", "-V", "-10m:-5m"], Err(CertFault::Expired)),
    case("critical", &["-h", "-n", HOST, "-O", "critical:x@example=y"], Err(CertFault::CriticalOption)),
    case("critical-other-name", &["-h", "-n", "other", "-O", "critical:x@example=y"], Err(CertFault::WrongPrincipal)),
    case("empty", &["-h"], Err(CertFault::NoPrincipals)),
    case("wildcard", &["-h", "-n", "*.example"], Ok(())),
    case("question-mark", &["-h", "-n", "h?st.example"], Ok(())),
    Case { authority: "ca2", ..case("unknown-ca", &["-h", "-n", HOST], Err(CertFault::CaUnknown)) },
    Case {
        authority: "ca2",
        ..case("unknown-ca-expired", &["-h", "-n", HOST, "-V", "-10m:-5m"], Err(CertFault::CaUnknown))
    },
    Case {
        known: &[("@cert-authority", "ca"), ("@revoked", "ca")],
        ..case("revoked-ca", &["-h", "-n", HOST], Err(CertFault::CaRevoked))
    },
    Case {
        known: &[("@cert-authority", "ca"), ("@revoked", "ca")],
        ..case("revoked-ca-expired", &["-h", "-n", HOST, "-V", "-10m:-5m"], Err(CertFault::CaRevoked))
    },
];

fn make_keys(dir: &Path) {
    for (name, kind) in [("host", "ed25519"), ("ca", "ed25519"), ("ca2", "ed25519"), ("rsa-ca", "rsa")] {
        keygen(dir, &["-q", "-t", kind, "-N", "", "-C", name, "-f", name]);
    }
}

fn certify(dir: &Path, case: &Case) {
    fs::copy(dir.join("host.pub"), dir.join(format!("{}.pub", case.name))).expect("copied");
    let file = format!("{}.pub", case.name);
    let always: &[&str] = if case.options.contains(&"-V") { &[] } else { &ALWAYS };
    keygen(dir, &[&["-q", "-s", case.authority, "-I", case.name, "-z", "7"], case.options, always, &[&*file]].concat());
}

fn blob(dir: &Path, file: &str) -> Vec<u8> {
    let line = fs::read_to_string(dir.join(file)).expect("a public key");
    STANDARD.decode(line.split_whitespace().nth(1).expect("type and key")).expect("base64")
}

fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs())
}

/// What ssh prints on meeting a server with this certificate.
fn ssh_says(dir: &Path, certificate: &str, options: &[&str]) -> String {
    let config = dir.join(format!("{certificate}.sshd"));
    let mut lines = String::new();
    let _ =
        writeln!(lines, "HostKey {}\nHostCertificate {}", dir.join("host").display(), dir.join(certificate).display());
    let _ = writeln!(lines, "PidFile none\nUsePAM no\nAuthorizedKeysFile none\nPasswordAuthentication no");
    fs::write(&config, lines).expect("written");
    let proxy = format!("ProxyCommand={SSHD} -i -f {}", config.display());
    let known = format!("UserKnownHostsFile={}", dir.join("known_hosts").display());
    let mut args = vec!["-F", "none", "-o", &proxy, "-o", &known, "-o", "GlobalKnownHostsFile=none"];
    args.extend(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "IdentityFile=none"]);
    args.extend(["-o", "PreferredAuthentications=none", "-o", "HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com"]);
    for option in options {
        args.extend(["-o", option]);
    }
    args.extend(["HOST.example", "true"]);
    let output = run(dir, "ssh", &args);
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn accepted(said: &str) -> bool {
    let (refused, denied) = (said.contains("Host key verification failed."), said.contains("Permission denied ("));
    assert!(refused != denied, "neither accepted nor refused: {said}");
    denied
}

fn programs() -> bool {
    if !have(&["ssh", "ssh-keygen", SSHD]) {
        return false;
    }
    if nix::unistd::geteuid().is_root() {
        // Debian's sshd refuses to start without its privilege separation directory.
        fs::create_dir_all("/run/sshd").expect("making /run/sshd");
    }
    true
}

#[test]
fn ssh_and_we_find_the_same_fault_in_every_certificate() {
    if !programs() {
        return;
    }
    let dir = TempDir::new().expect("a temporary directory");
    let dir = dir.path();
    make_keys(dir);
    for case in CASES {
        certify(dir, case);
        let key = |name: &str| fs::read_to_string(dir.join(format!("{name}.pub"))).expect("a public key");
        let known: String = case.known.iter().map(|(marker, name)| format!("{marker} * {}", key(name))).collect();
        fs::write(dir.join("known_hosts"), known).expect("written");

        let blob = blob(dir, &format!("{}-cert.pub", case.name));
        let cert = Certificate::parse(&blob).expect("a certificate");
        let has = |marker| case.known.contains(&(marker, case.authority));
        let authority = match (has("@cert-authority"), has("@revoked")) {
            (_, true) => Authority::Revoked,
            (true, _) => Authority::Trusted,
            _ => Authority::Unknown,
        };
        let ours = judge_certificate(&cert, "HOST.example", now(), &CertRules::default(), authority);
        assert_eq!(ours, case.expect, "{}", case.name);

        let said = ssh_says(dir, &format!("{}-cert.pub", case.name), &[]);
        // Where versions differ we follow 10.3, and say what an earlier ssh does.
        let differs = version() < (10, 3) && version_note(&cert, HOST).is_some();
        assert_eq!(accepted(&said), ours.is_ok() != differs, "{}: {said}", case.name);
        if let (Err(fault), false) = (ours, differs) {
            let text = fault.said_by_ssh();
            assert!(text.is_none_or(|text| said.contains(text)), "{}: {text:?} not in {said}", case.name);
            let others = CertFault::ALL.iter().filter(|other| **other != fault).filter_map(|other| other.said_by_ssh());
            assert!(!others.into_iter().any(|text| said.contains(text)), "{}: {said}", case.name);
        }
    }
    let faults = CertFault::ALL.iter().filter(|fault| !CASES.iter().any(|case| case.expect == Err(**fault)));
    let rest: Vec<_> = faults.collect();
    assert_eq!(rest, [&CertFault::CaSignature, &CertFault::Malformed], "no case for these");
}

/// Lists in text, which `ssh-keygen -Q` does not read, and a KRL: what `ssh` does with RevokedHostKeys.
#[test]
fn ssh_and_we_refuse_the_same_revoked_keys() {
    if !programs() {
        return;
    }
    let dir = TempDir::new().expect("a temporary directory");
    let dir = dir.path();
    make_keys(dir);
    certify(dir, &CASES[0]);
    let key = |file: &str| fs::read_to_string(dir.join(file)).expect("a public key").trim_end().to_owned();
    fs::write(dir.join("known_hosts"), format!("@cert-authority * {}\n", key("ca.pub"))).expect("written");
    fs::write(dir.join("spec"), "serial: 7\n").expect("written");
    keygen(dir, &["-q", "-k", "-f", "serial.krl", "-s", "ca.pub", "spec"]);
    let krl = fs::read(dir.join("serial.krl")).expect("a KRL");
    let (host, ca, ca2, rsa) = (key("host.pub"), key("ca.pub"), key("ca2.pub"), key("rsa-ca.pub"));
    let certificate = key("good-cert.pub");
    let lists: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("comments", b"# nothing\n\n   \n\t# more\n".to_vec()),
        ("another key", format!("{ca2}\n{rsa}\n").into_bytes()),
        ("the key", format!("{ca2}\n{host}\n").into_bytes()),
        ("without an end", host.clone().into_bytes()),
        ("without a comment", host.rsplit_once(' ').expect("a comment").0.to_owned().into_bytes()),
        ("with CRLF", format!("# list\r\n{ca2}\r\n{host}\r\n").into_bytes()),
        ("with blanks", format!(" \t {}  trailing words\n", host.replacen(' ', " \t ", 1)).into_bytes()),
        ("the certificate", format!("{certificate}\n").into_bytes()),
        ("the authority", format!("{ca}\n").into_bytes()),
        ("a KRL", krl.clone()),
        ("a KRL cut short", krl[..krl.len() - 1].to_vec()),
        ("garbage", b"this is no key\n".to_vec()),
        ("garbage before a key", format!("this is no key\n{ca2}\n").into_bytes()),
        ("a key cut short", format!("{}\n", &host[..60]).into_bytes()),
        ("another type", format!("{}\n", host.replacen("ssh-ed25519", "ssh-rsa", 1)).into_bytes()),
        ("a fingerprint", keygen(dir, &["-l", "-f", "host.pub"]).into_bytes()),
    ];
    let blob = blob(dir, "good-cert.pub");
    for (name, content) in lists {
        fs::write(dir.join("revoked"), &content).expect("written");
        let option = format!("RevokedHostKeys={}", dir.join("revoked").display());
        let said = ssh_says(dir, "good-cert.pub", &[&option]);
        let mut builder = RevokedKeysBuilder::default();
        let read = builder.file("revoked", &content);
        let revoked = builder.build().revokes(&blob);
        // ssh refuses with one text a key that is revoked, and with another all keys because of what it cannot read.
        assert_eq!(revoked.is_some(), said.contains("revoked by file"), "{name}: {revoked:?} {said}");
        let broken = read.as_ref().map_or(true, |problems| !problems.is_empty());
        assert_eq!(broken, said.contains("Error checking host key"), "{name}: {read:?} {said}");
        assert_eq!(accepted(&said), revoked.is_none() && !broken, "{name}: {said}");
    }
}

/// Certificates that ssh-keygen does not make, with a true signature: we read what `ssh-keygen -L` reads.
#[test]
fn ssh_keygen_and_we_read_the_same_certificates() {
    if !have(&["ssh-keygen"]) {
        return;
    }
    let dir = TempDir::new().expect("a temporary directory");
    let dir = dir.path();
    let ca = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).expect("a key");
    let mut plain = Vec::new();
    Writer::new(&mut plain).string(b"ssh-ed25519").string(ca.public_key().as_ref());
    let packed = |fields: &[&[u8]]| {
        let mut packed = Vec::new();
        for field in fields {
            Writer::new(&mut packed).string(field);
        }
        packed
    };
    let make = |role: u32, id: &[u8], principals: &[u8], critical: &[u8], reserved: &[u8], ca_key: &[u8]| {
        let mut blob = Vec::new();
        let mut writer = Writer::new(&mut blob);
        writer.string(b"ssh-ed25519-cert-v01@openssh.com").string(&[9; 32]).string(&[7; 32]).u64(1).u32(role);
        writer.string(id).string(principals).u64(0).u64(u64::MAX).string(critical).string(b"").string(reserved);
        writer.string(ca_key);
        let signature = packed(&[b"ssh-ed25519", ca.sign(&blob).as_ref()]);
        Writer::new(&mut blob).string(&signature);
        blob
    };
    let host = packed(&[HOST.as_bytes()]);
    let with = |principals: &[u8]| make(2, b"id", principals, b"", b"", &plain);
    let certificate = with(&host);
    let mut forged = certificate.clone();
    forged[50] ^= 1;
    let cases: Vec<(&str, Vec<u8>, bool)> = vec![
        ("plain", certificate.clone(), true),
        ("forged", forged, false),
        ("for nobody", make(0, b"id", &host, b"", b"", &plain), false),
        ("role 3", make(3, b"id", &host, b"", b"", &plain), false),
        ("NUL at the end of a principal", with(&packed(&[b"host.example\0"])), true),
        ("NUL within a principal", with(&packed(&[b"host.example\0.evil"])), false),
        ("two NULs at the end", with(&packed(&[b"host.example\0\0"])), false),
        ("an empty principal", with(&packed(&[b"", b"host.example"])), true),
        ("NUL within the key ID", make(2, b"i\0d", &host, b"", b"", &plain), false),
        ("NUL at the end of the key ID", make(2, b"id\0", &host, b"", b"", &plain), true),
        ("256 principals", with(&packed(&[&b"host.example"[..]; 256])), true),
        ("257 principals", with(&packed(&[&b"host.example"[..]; 257])), false),
        ("principals cut short", with(&host[..host.len() - 1]), false),
        ("an option without data", make(2, b"id", &host, &packed(&[b"x"]), b"", &plain), false),
        ("something reserved", make(2, b"id", &host, b"", b"reserved", &plain), true),
        ("no authority", make(2, b"id", &host, b"", b"", b""), false),
        ("a certificate as authority", make(2, b"id", &host, b"", b"", &certificate), false),
        ("a byte more", [&certificate[..], b"\0"].concat(), false),
        ("a byte less", certificate[..certificate.len() - 1].to_vec(), false),
    ];
    for (name, blob, expect) in cases {
        let line = format!("ssh-ed25519-cert-v01@openssh.com {} c\n", STANDARD.encode(&blob));
        fs::write(dir.join("x-cert.pub"), line).expect("written");
        let output = run(dir, "ssh-keygen", &["-L", "-f", "x-cert.pub"]);
        assert_eq!(output.status.success(), expect, "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let judge =
            |cert: &Certificate<'_>| judge_certificate(cert, HOST, now(), &CertRules::default(), Authority::Trusted);
        let ours = Certificate::parse(&blob).map_err(|_| CertFault::Malformed).and_then(|cert| judge(&cert));
        let unread = matches!(ours, Err(CertFault::Malformed | CertFault::CaSignature));
        assert_eq!(!unread, expect, "{name}: {ours:?}");
    }
}
