//! Access tokens: where they come from, where they go, and that nobody sees them.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{TOKEN, output, records, sshprobe, through, token_file};
use crate::support::dns::NameServer;
use crate::support::openssh;
use crate::support::relay::{Act, Authority, GOOD, Relay};

/// The token stands in no command line, not even for a moment, and neither does what is told of a run that fails.
#[test]
fn the_token_is_nowhere_to_be_seen() {
    let relay = Relay::start(None, |_| vec![Act::Upgrade(GOOD), Act::Hang]);
    let token = token_file();
    let mut command = through(&format!("ws://{}", relay.addr), token.path(), &["-vv", "--timeout=2s", "vm1"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    let asked = || !relay.seen("vm1").request.is_empty();
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(20));
        if asked() {
            break;
        }
    }
    assert!(asked(), "the tunnel is up");
    for file in ["cmdline", "environ"] {
        let shown = fs::read(format!("/proc/{}/{file}", child.id())).expect("it runs");
        assert!(!String::from_utf8_lossy(&shown).contains(TOKEN), "{file}");
    }
    let output = child.wait_with_output().expect("it ends");
    assert!(!String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).contains(TOKEN));
}

/// Where there is no token, or it is none, nothing is sent, and what is said does not hold what was found.
#[test]
fn without_a_token_nothing_is_sent() {
    let relay = Relay::start(None, |_| vec![]);
    let url = format!("ws://{}", relay.addr);
    let dir = TempDir::new().expect("a temporary directory");
    let path = dir.path().join("token");
    let refused = |command: Command, words: &str| {
        let output = output(command);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(2), 1), "{stderr}");
        assert!(stderr.contains(words), "{words}: {stderr}");
    };
    refused(through(&url, &path, &["vm1"]), "there is no such file");
    for (text, words) in [("", "no access token"), (&*format!("{TOKEN} {TOKEN}"), "is no access token")] {
        fs::write(&path, text).expect("written");
        refused(through(&url, &path, &["vm1"]), words);
    }
    let google = ["--iap", "--project=p", "--zone=us-central1-a", "vm1"];
    // PATH leads nowhere: there is no gcloud.
    refused(
        sshprobe(&google),
        "or install gcloud and log in with it (gcloud is not installed; the metadata server 127.0.0.1:1: Connection refused (os error 111))",
    );
    let mut command = sshprobe(&google);
    command.env("CLOUDSDK_AUTH_ACCESS_TOKEN", format!("{TOKEN}\n{TOKEN}"));
    refused(command, "CLOUDSDK_AUTH_ACCESS_TOKEN: what is in it is no access token");
    // A token of Google's credentials goes to Google.
    let mut command = sshprobe(&[&google[..], &["--iap-url", &url]].concat());
    command.env("CLOUDSDK_AUTH_ACCESS_TOKEN", TOKEN);
    refused(command, "is not Google's, so it gets no token of Google's credentials");
    // gcloud that fails, and one whose words are no token.
    let gcloud = dir.path().join("gcloud");
    for (script, words) in [
        (
            "echo 'ERROR: (gcloud.auth.print-access-token) You do not currently have an active account selected.' >&2\nexit 1",
            "active account",
        ),
        ("echo Please log in first", "gave no access token"),
    ] {
        use std::os::unix::fs::PermissionsExt;
        fs::write(&gcloud, format!("#!/bin/sh\n{script}\n")).expect("written");
        fs::set_permissions(&gcloud, fs::Permissions::from_mode(0o755)).expect("ours");
        let mut command = sshprobe(&google);
        command.env("PATH", dir.path());
        refused(command, words);
    }
    assert_eq!(relay.seen("vm1").request, "");
    // Where there is one, the run begins; of Google's relay nobody knows the address here.
    fs::write(&gcloud, format!("#!/bin/sh\n[ \"$*\" = 'auth print-access-token' ] && echo {TOKEN}\n"))
        .expect("written");
    let nowhere = [&google[..], &["-vv", "--resolver=127.0.0.1:1", "--timeout=4s"]].concat();
    for (name, value) in [("PATH", dir.path().as_os_str()), ("CLOUDSDK_AUTH_ACCESS_TOKEN", TOKEN.as_ref())] {
        let mut command = sshprobe(&nowhere);
        command.env(name, value);
        let record = records(command).remove("vm1").expect("a record");
        assert_eq!(
            (&record["code"], &record["stage"]),
            (&"proxy-unreachable".into(), &"tunnel".into()),
            "{name}: {record}"
        );
    }
}

/// The token that a server on loopback gives for credentials, or as the metadata server.
fn token_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let body = format!("{{\"access_token\":\"{TOKEN}\",\"expires_in\":3600}}");
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    addr
}

/// Credentials of a file, named or where gcloud leaves them, and the metadata server: their token reaches Google's relay, which
/// its certificate proves, and no other host.
#[test]
fn tokens_for_googles_credentials_go_to_google_alone() {
    if !openssh::have(&["openssl"]) {
        return;
    }
    let authority = Authority::new("tunnel.cloudproxy.app");
    let relay = Relay::start(Some(&authority), |_| vec![Act::Upgrade(GOOD), Act::Close(4003, Vec::new())]);
    let (_names, resolver) = NameServer::here();
    let (endpoint, dir) = (token_server(), TempDir::new().expect("a temporary directory"));
    let file = dir.path().join("application_default_credentials.json");
    let credentials = |uri: &str| {
        let text = format!(
            r#"{{"type":"authorized_user","client_id":"i","client_secret":"s3cret-planted","refresh_token":"r3fresh-planted","token_uri":"{uri}"}}"#
        );
        fs::write(&file, text).expect("written");
    };
    credentials(&format!("http://{endpoint}/token"));
    let (url, resolver) = (format!("wss://tunnel.cloudproxy.app:{}", relay.addr.port()), resolver.to_string());
    let google = ["--iap", "--project=p", "--zone=us-central1-a", "--iap-url", &url, "--resolver", &resolver, "-vv"];
    let ways = [
        ("named", "GOOGLE_APPLICATION_CREDENTIALS", file.clone().into_os_string()),
        ("well-known", "CLOUDSDK_CONFIG", dir.path().as_os_str().to_owned()),
        ("metadata", "GCE_METADATA_HOST", endpoint.to_string().into()),
    ];
    for (instance, name, value) in &ways {
        let mut command = sshprobe(&[&google[..], &[*instance]].concat());
        command.env("SSL_CERT_FILE", authority.ca()).env(name, value);
        let record = records(command).remove(*instance).expect("a record");
        assert_eq!(record["code"], "iap-backend-unreachable", "{instance}: {record}");
        assert_eq!(relay.seen(instance).headers.get("authorization"), Some(&format!("Bearer {TOKEN}")), "{instance}");
    }
    let refused = |command: Command, words: &str| {
        let output = output(command);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(2), 1), "{stderr}");
        assert!(stderr.contains(words) && !stderr.contains("planted"), "{words}: {stderr}");
    };
    // To another relay goes none of them.
    for (instance, name, value) in &ways {
        let mut command =
            sshprobe(&["--iap", "--project=p", "--zone=us-central1-a", "--iap-url=wss://localhost:1", instance]);
        command.env("SSL_CERT_FILE", authority.ca()).env(name, value);
        refused(command, "localhost is not Google's, so it gets no token of Google's credentials");
    }
    // And no secret goes where a file leads away from Google.
    credentials("https://evil.example/token");
    let mut command = sshprobe(&[&google[..], &["vm1"]].concat());
    command.env("SSL_CERT_FILE", authority.ca()).env("GOOGLE_APPLICATION_CREDENTIALS", &file);
    refused(command, "its token_uri is neither https:// of Google's");
    fs::write(&file, r#"{"type":"external_account","x":"planted"}"#).expect("written");
    let mut command = sshprobe(&[&google[..], &["vm1"]].concat());
    command.env("SSL_CERT_FILE", authority.ca()).env("GOOGLE_APPLICATION_CREDENTIALS", &file);
    refused(command, "credentials of the kind \"external_account\" are not read here");
    assert_eq!(relay.seen("vm1").request, "");
}
