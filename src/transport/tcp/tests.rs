//! Dialling over loopback, as an ordinary user.

use std::future::poll_fn;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sshprobe_probes::plan::Plan;
use sshprobe_probes::time::Moment;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::sys::descriptors;

fn tcp() -> Tcp {
    Tcp::new(Clock::start(), Duration::from_secs(5))
}

fn to(addr: SocketAddr) -> Connect {
    Connect::new(addr, Arc::new(Plan::default()), Moment::START)
}

fn down(opening: Opening<TcpPath>) -> Evidence {
    match opening {
        Opening::Down(evidence) => evidence,
        other => panic!("not down but {other:?}"),
    }
}

fn up(opening: Opening<TcpPath>) -> (TcpPath, Evidence) {
    match opening {
        Opening::Up(path, evidence) => (path, evidence),
        other => panic!("not up but {other:?}"),
    }
}

/// A port that nobody listens on, kept from being given to others as long as the socket lives.
fn closed_port(v6: bool) -> (Socket, SocketAddr) {
    let socket = Socket::new(domain(v6), Type::STREAM, None).unwrap();
    let addr: SocketAddr = if v6 { "[::1]:0" } else { "127.0.0.1:0" }.parse().unwrap();
    socket.bind(&addr.into()).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, addr)
}

#[tokio::test]
async fn an_open_port_is_up_and_knows_both_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mut path, evidence) = up(tcp().open(&to(listener.local_addr().unwrap())).await);
    let (mut peer, from) = listener.accept().await.unwrap();
    assert_eq!(evidence.path.local, Some(from));
    assert_eq!((evidence.fault, evidence.path.errno, evidence.mss), (None, None, None));
    assert!(evidence.timing.connect.is_some());
    assert_eq!(path.pending(), None);
    peer.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    path.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
}

#[tokio::test]
async fn a_low_mss_is_set_before_the_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connect = Connect { mss: Some(536), ..to(listener.local_addr().unwrap()) };
    let (path, evidence) = up(tcp().open(&connect).await);
    assert_eq!(evidence.mss, Some(536));
    let (peer, _) = listener.accept().await.unwrap();
    assert!(SockRef::from(&peer).tcp_mss().unwrap() <= 536, "the peer was told");
    drop(path);
}

#[tokio::test]
async fn a_closed_port_refuses_and_says_so() {
    for v6 in [false, true] {
        if v6 && std::net::TcpListener::bind("[::1]:0").is_err() {
            eprintln!("SKIPPED: this machine has no IPv6 loopback");
            continue;
        }
        let (_kept, addr) = closed_port(v6);
        let evidence = down(tcp().open(&to(addr)).await);
        assert_eq!(evidence.fault, Some(Fault::Connect));
        assert_eq!(evidence.path.errno, Some(Errno::ECONNREFUSED));
        assert_eq!(evidence.path.icmp, None, "a reset is no ICMP");
        assert!(!evidence.connected());
    }
}

/// A listener whose backlog is full: the kernel drops further SYNs without a word, as a filter would.
fn full_listener() -> (Socket, SocketAddr, Vec<Socket>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap().as_socket().unwrap();
    let fillers = (0..4)
        .map(|_| {
            let filler = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
            let _ = filler.connect(&addr.into());
            filler
        })
        .collect();
    (listener, addr, fillers)
}

#[tokio::test]
async fn what_connect_refuses_by_itself_took_no_time_however_busy_we_are() {
    // No TCP goes to the broadcast address: connect() says so, and nothing is sent.
    let evidence = down(tcp().open(&to("255.255.255.255:22".parse().unwrap())).await);
    assert_eq!((evidence.path.errno, evidence.timing.connect), (Some(Errno::ENETUNREACH), Some(Duration::ZERO)));
}

#[tokio::test]
async fn silence_ends_at_our_own_deadline() {
    let (_listener, addr, _fillers) = full_listener();
    let tcp = Tcp::new(Clock::start(), Duration::from_millis(150));
    let evidence = down(tcp.open(&to(addr)).await);
    assert_eq!(evidence.fault, Some(Fault::ConnectTimeout));
    assert_eq!((evidence.path.errno, evidence.path.icmp), (None, None));
    assert!(evidence.path.local.is_some(), "we know where we asked from");
    assert!(evidence.ended.since(evidence.started) >= Duration::from_millis(150));
}

#[tokio::test]
async fn the_whole_connections_deadline_bounds_the_connect_too() {
    let (_listener, addr, _fillers) = full_listener();
    let plan = Plan { timeout: Duration::from_millis(50), ..Plan::default() };
    let connect = Connect { plan: Arc::new(plan), ..to(addr) };
    assert_eq!(down(tcp().open(&connect).await).fault, Some(Fault::ConnectTimeout));
}

#[tokio::test]
async fn a_dropped_attempt_leaves_no_descriptor() {
    let (_listener, addr, _fillers) = full_listener();
    let tcp = tcp();
    let connect = to(addr);
    let opened = descriptors::open();
    for _ in 0..64 {
        tokio::select! {
            biased;
            opening = tcp.open(&connect) => panic!("{opening:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    // Tests beside this one open and close theirs, but not 64 of them.
    assert!(descriptors::open() < opened + 48);
}

#[tokio::test]
async fn what_a_server_says_before_it_resets_is_read_before_the_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = tcp().socket(&to(listener.local_addr().unwrap())).unwrap().0;
    match socket.connect(&listener.local_addr().unwrap().into()) {
        Err(error) if !under_way(&error) => panic!("{error}"),
        _ => {}
    }
    let (mut peer, _) = listener.accept().await.unwrap();
    peer.write_all(b"Not allowed at this time\r\n").await.unwrap();
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    // The reset has come before anyone looked at the socket: SO_ERROR has it, and gives it once.
    let stream = TcpStream::from_std(socket.into()).unwrap();
    let error = established(&stream).await.unwrap_err();
    assert!(reset(&error), "{error}");
    let mut path = TcpPath { stream, torn: Some(errno(&error)), waiting: false };
    let mut heard = Vec::new();
    let error = path.read_to_end(&mut heard).await.unwrap_err();
    assert_eq!(heard, b"Not allowed at this time\r\n");
    assert_eq!(error.raw_os_error(), Some(Errno::ECONNRESET.0));
    assert_eq!(path.outlived(&error), None, "it is over");
}

#[tokio::test]
async fn leaving_with_a_reset_resets() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for (how, ends) in [(Leave::Reset, Err(Errno::ECONNRESET)), (Leave::Close, Ok(0))] {
        let (path, _) = up(tcp().open(&to(listener.local_addr().unwrap())).await);
        let (mut peer, _) = listener.accept().await.unwrap();
        assert_eq!(path.leave(how, true).await, PathEnd::default());
        let read = peer.read(&mut [0; 8]).await.map_err(|error| errno(&error));
        assert_eq!(read, ends, "{how:?}");
    }
}

/// A connection that is closed with something unread is reset: what waits for the FIN would go with it.
#[tokio::test]
async fn last_words_reach_who_still_talks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for talks in [true, false] {
        let (mut path, _) = up(tcp().open(&to(listener.local_addr().unwrap())).await);
        let (mut peer, _) = listener.accept().await.unwrap();
        if talks {
            peer.write_all(b"more").await.unwrap();
            path.stream.readable().await.unwrap();
        }
        let said = poll_fn(|cx| path.poll_last_words(cx, b"goodbye")).await.unwrap();
        assert_eq!(said, b"goodbye".len());
        path.leave(Leave::Close, false).await;
        let mut heard = Vec::new();
        let end = peer.read_to_end(&mut heard).await;
        assert_eq!((heard.as_slice(), end.is_ok()), (&b"goodbye"[..], true), "{talks}");
    }
}

#[tokio::test]
async fn a_source_address_is_used() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let source = "127.0.0.9".parse().unwrap();
    let tcp = tcp().from(Some(source), None).unwrap();
    let (_path, evidence) = up(tcp.open(&to(listener.local_addr().unwrap())).await);
    assert_eq!(evidence.path.local.map(|local| local.ip()), Some(source));
    assert_eq!(listener.accept().await.unwrap().1.ip(), source);
    let other_family = down(tcp.open(&to("[::1]:22".parse().unwrap())).await);
    let trouble = LocalTrouble::OtherFamily { from: source, to: Ipv6Addr::LOCALHOST.into() };
    assert_eq!(other_family.fault, Some(Fault::Local(trouble)));
}

#[tokio::test]
async fn an_interface_is_used() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = tcp().from(None, Some("lo")).unwrap();
    let connect = to(listener.local_addr().unwrap());
    let socket = tcp.socket(&connect).unwrap().0;
    assert_eq!(socket.device().unwrap().as_deref(), Some(b"lo".as_slice()));
    up(tcp.open(&connect).await);
    // 192.0.2.0/24 is for documentation (RFC 5737): no machine has it, and the loopback leads to this one only.
    let elsewhere = down(tcp.open(&to("192.0.2.1:22".parse().unwrap())).await);
    assert_eq!(elsewhere.fault, Some(Fault::Local(LocalTrouble::StaysHere([192, 0, 2, 1].into()))));
}

#[test]
fn a_way_out_that_is_not_there_is_known_before_anything_is_sent() {
    // 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
    let error = tcp().from(Some("192.0.2.1".parse().unwrap()), None).unwrap_err();
    assert!(error.to_string().starts_with("cannot send from 192.0.2.1: "), "{error}");
    let error = tcp().from(None, Some("no-such-if0")).unwrap_err();
    assert!(error.to_string().starts_with("cannot send through no-such-if0: "), "{error}");
}

#[test]
fn our_own_shortage_is_no_evidence() {
    for errno in [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM, Errno::EADDRNOTAVAIL, Errno::EAGAIN] {
        let evidence = Evidence::new("127.0.0.1:22".parse().unwrap(), Moment::START);
        let opening = tcp().failed(evidence, &io::Error::from_raw_os_error(errno.0), None);
        assert!(matches!(opening, Opening::Short(told) if told == errno), "{errno}");
    }
}
