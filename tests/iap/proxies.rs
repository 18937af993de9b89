//! The way to the relay: TLS, names, and what stands before it.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

use super::{TOKEN, records, sshprobe, through, token_file};
use crate::support::dns::NameServer;
use crate::support::openssh;
use crate::support::proxies::{Asked, http_proxy, socks_proxy};
use crate::support::relay::{Act, Authority, GOOD, Relay};

/// What TLS and everything before it can fail by.
#[test]
fn relays_that_cannot_be_reached_or_trusted() {
    if !openssh::have(&["openssl"]) {
        return;
    }
    let play = |_: &str| vec![Act::Upgrade(GOOD), Act::Hang];
    let (authority, elsewhere) = (Authority::new("localhost"), Authority::new("elsewhere"));
    let (known, other) = (Relay::start(Some(&authority), play), Relay::start(Some(&elsewhere), play));
    // A server that speaks no TLS says so in the clear.
    let plain = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let plain_port = plain.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for mut stream in plain.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").and_then(|()| stream.read(&mut [0; 1024]));
        }
    });
    // Accepts, says nothing, and is not served: the kernel does it.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let silent = silent.local_addr().map(|addr| (addr.port(), silent)).expect("bound");
    // Bound, so that nobody else gets the port, and not listened on.
    let refusing = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    refusing.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    let refusing_port = refusing.local_addr().ok().and_then(|addr| addr.as_socket()).expect("bound").port();
    let token = token_file();
    let [known, other] = [&known, &other].map(|relay| relay.addr.port());
    for (port, ca, code, arg, words) in [
        (known, elsewhere.ca(), "iap-tls", None, "UnknownIssuer"),
        (other, elsewhere.ca(), "iap-tls", None, "not valid for name"),
        (plain_port, authority.ca(), "iap-tls", None, "TLS"),
        (silent.0, authority.ca(), "iap-tls", Some("timeout"), "during the TLS handshake"),
        (refusing_port, authority.ca(), "proxy-unreachable", Some("refused"), "refuses TCP"),
    ] {
        let mut command = through(&format!("wss://localhost:{port}"), token.path(), &["--timeout=4s", "vm1"]);
        command.env("SSL_CERT_FILE", ca);
        let record = records(command).remove("vm1").expect("a record");
        let detail = record["detail"].as_str().unwrap_or_default();
        assert_eq!((&record["code"], record["arg"].as_str()), (&code.into(), arg), "{detail}");
        assert!(record["stage"] == "tunnel" && detail.contains(words), "{words}: {detail}");
    }
    let mut command = through("wss://relay.example", token.path(), &["--resolver=127.0.0.1:1", "--timeout=4s", "vm1"]);
    command.env("SSL_CERT_FILE", authority.ca());
    let record = records(command).remove("vm1").expect("a record");
    assert_eq!((&record["code"], record["stage"].as_str()), (&"proxy-unreachable".into(), Some("tunnel")), "{record}");
}

/// A proxy before the relay is asked for it by its name, its refusals are told apart, and its time is told.
#[test]
fn a_proxy_before_the_relay_is_gone_through_and_its_refusals_are_its_own() {
    if !openssh::have(&["openssl"]) {
        return;
    }
    let (authority, runtime) = (Authority::new("tunnel.cloudproxy.app"), Runtime::new().expect("a runtime"));
    let relay = Relay::start(Some(&authority), |_| vec![Act::Upgrade(GOOD), Act::Close(4003, Vec::new())]);
    let (token, url) = (token_file(), format!("wss://tunnel.cloudproxy.app:{}", relay.addr.port()));
    for (head, code, arg, reason) in [
        ("HTTP/1.1 200 Connected\r\n\r\n", "iap-backend-unreachable", "4003", ""),
        ("HTTP/1.1 403 Not this port\r\n\r\n", "proxy-refused", "403", "HTTP/1.1 403 Not this port"),
        ("HTTP/1.1 407 Who is it\r\n\r\n", "proxy-auth", "407", "HTTP/1.1 407 Who is it"),
        ("SSH-2.0-x\r\n", "proxy-unreachable", "not-a-proxy", ""),
    ] {
        let (proxy, asked) = http_proxy(&runtime, head);
        let proxy = format!("http://{proxy}");
        // Nobody resolves the relay's name here: that is the proxy's to do.
        let args = ["--proxy", &proxy, "--resolver=127.0.0.1:1", "--timeout=8s", "vm1"];
        let mut command = through(&url, token.path(), &args);
        command
            .env("SSL_CERT_FILE", authority.ca())
            .env("SSHPROBE_PROXY_USER", "ann")
            .env("SSHPROBE_PROXY_PASSWORD", "s3cret");
        let record = records(command).remove("vm1").expect("a record");
        assert_eq!((&record["code"], record["arg"].as_str()), (&code.into(), Some(arg)), "{record}");
        let (tunnel, via) = (&record["tunnel"], &record["target"]["via"]);
        assert_eq!((tunnel["kind"].as_str(), via.as_str()), (Some("iap"), Some("iap")), "{record}");
        assert_eq!(tunnel["reason"].as_str().unwrap_or_default(), reason);
        assert!(tunnel["timing_us"]["proxy"].is_u64() && tunnel["timing_us"]["connect"].is_u64(), "{tunnel}");
        let asked = asked.lock().expect("no panic while locked").join("");
        let peer = format!("tunnel.cloudproxy.app:{}", relay.addr.port());
        assert!(asked.starts_with(&format!("CONNECT {peer} HTTP/1.1\r\n")), "{asked}");
        assert!(
            asked.contains("Proxy-Authorization: Basic YW5uOnMzY3JldA==") && !record.to_string().contains("s3cret")
        );
    }
    // Nobody there.
    let args = ["--proxy=http://127.0.0.1:1", "--timeout=8s", "vm1"];
    let mut command = through(&url, token.path(), &args);
    command.env("SSL_CERT_FILE", authority.ca());
    let record = records(command).remove("vm1").expect("a record");
    assert_eq!((&record["code"], record["arg"].as_str()), (&"proxy-unreachable".into(), Some("connect")), "{record}");
}

/// By `socks5h://` the proxy is given the relay's name, by `socks5://` its address; its refusal is not the relay's.
#[test]
fn a_socks_proxy_before_the_relay_is_gone_through_too() {
    if !openssh::have(&["openssl"]) {
        return;
    }
    let (authority, runtime) = (Authority::new("tunnel.cloudproxy.app"), Runtime::new().expect("a runtime"));
    let relay = Relay::start(Some(&authority), |_| vec![Act::Upgrade(GOOD), Act::Close(4003, Vec::new())]);
    let (token, port) = (token_file(), relay.addr.port());
    let (url, (_names, resolver)) = (format!("wss://tunnel.cloudproxy.app:{port}"), NameServer::here());
    let resolver = resolver.to_string();
    for (scheme, code, outcome, arg, peer) in [
        ("socks5h", 0, "iap-backend-unreachable", "4003", "tunnel.cloudproxy.app"),
        ("socks5", 0, "iap-backend-unreachable", "4003", "[127, 0, 0, 1]"),
        ("socks5h", 2, "proxy-refused", "2", "tunnel.cloudproxy.app"),
    ] {
        let (proxy, asked) = socks_proxy(&runtime, code);
        let proxy = format!("{scheme}://{proxy}");
        // By name, nobody here is to ask for it.
        let resolver = if scheme == "socks5h" { "127.0.0.1:1" } else { &resolver };
        let args = ["--proxy", &proxy, "--resolver", resolver, "--timeout=8s", "vm1"];
        let mut command = through(&url, token.path(), &args);
        command.env("SSL_CERT_FILE", authority.ca());
        let record = records(command).remove("vm1").expect("a record");
        assert_eq!((&record["code"], record["arg"].as_str()), (&outcome.into(), Some(arg)), "{record}");
        assert_eq!((&record["target"]["via"], &record["tunnel"]["kind"]), (&"iap".into(), &"iap".into()), "{record}");
        assert_eq!(*asked.lock().expect("no panic while locked"), [format!("{peer} {port}")]);
    }
}

/// Who gives tokens is reached through the proxy as the relay is, by TLS from here on: the proxy sees neither secret nor token.
#[test]
fn a_token_is_exchanged_through_the_proxy() {
    if !openssh::have(&["openssl"]) {
        return;
    }
    let runtime = Runtime::new().expect("a runtime");
    let (google, endpoint) = (Authority::new("tunnel.cloudproxy.app"), Authority::new("oauth2.googleapis.com"));
    let relay = Relay::start(Some(&google), |_| vec![Act::Upgrade(GOOD), Act::Close(4003, Vec::new())]);
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let (port, acceptor, posted) =
        (listener.local_addr().expect("bound").port(), endpoint.acceptor(), Asked::default());
    let keeper = Arc::clone(&posted);
    runtime.spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(client).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(b"refresh_token=r3fresh-planted")
                && stream.read_buf(&mut request).await.is_ok_and(|read| read > 0)
            {}
            keeper.lock().expect("no panic while locked").push(String::from_utf8_lossy(&request).into_owned());
            let body = format!("{{\"access_token\":\"{TOKEN}\",\"expires_in\":3600}}");
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    let dir = TempDir::new().expect("a temporary directory");
    let (file, trusted) = (dir.path().join("credentials.json"), dir.path().join("trusted.pem"));
    let authorities = [google.ca(), endpoint.ca()].map(|path| fs::read_to_string(path).expect("a certificate"));
    fs::write(&trusted, authorities.concat()).expect("written");
    let text = format!(
        r#"{{"type":"authorized_user","client_id":"i","client_secret":"s3cret-planted","refresh_token":"r3fresh-planted","token_uri":"https://oauth2.googleapis.com:{port}/token"}}"#
    );
    fs::write(&file, text).expect("written");
    let url = format!("wss://tunnel.cloudproxy.app:{}", relay.addr.port());
    for (proxy, asked) in [http_proxy(&runtime, "HTTP/1.1 200 Connected\r\n\r\n"), socks_proxy(&runtime, 0)]
        .into_iter()
        .zip(["http", "socks5h"])
        .map(|((addr, asked), scheme)| (format!("{scheme}://{addr}"), asked))
    {
        let args = ["--iap", "--project=p", "--zone=us-central1-a", "--iap-url", &url, "--proxy", &proxy];
        let mut command = sshprobe(&[&args[..], &["--resolver=127.0.0.1:1", "--timeout=8s", "-vv", "vm1"]].concat());
        command.env("SSL_CERT_FILE", &trusted).env("GOOGLE_APPLICATION_CREDENTIALS", &file);
        let record = records(command).remove("vm1").expect("a record");
        assert_eq!(record["code"], "iap-backend-unreachable", "{proxy}: {record}");
        assert_eq!(relay.seen("vm1").headers.get("authorization"), Some(&format!("Bearer {TOKEN}")));
        let asked = asked.lock().expect("no panic while locked");
        assert_eq!(asked.len(), 2, "{asked:?}");
        assert!(asked[0].contains("oauth2.googleapis.com") && asked[1].contains("tunnel.cloudproxy.app"), "{asked:?}");
        assert!(!asked.join("").contains("planted"), "{asked:?}");
    }
    let posted = posted.lock().expect("no panic while locked");
    assert!(posted.len() == 2 && posted[0].contains("client_secret=s3cret-planted"), "{posted:?}");
}
