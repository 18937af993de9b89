//! Sessions against russh's own server, over streams in memory: what is left behind, and to whom nothing is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, PrivateKey, PublicKey};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, PublicKeyOffer, VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelOpenFailure};
use sshprobe_probes::case::LoginOrder;
use sshprobe_probes::evidence::login::{Answer, Named};
use sshprobe_probes::evidence::{Fault, Stage};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::channel::{OpenReason, Session};
use super::credentials::{Credentials, Holder, Identity, Public, Secret};
use super::fence::{Fence, Key};
use super::session::{Terms, Told, login};

fn key() -> PrivateKey {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap()
}

fn identity(key: &PrivateKey) -> Identity {
    let public = Public::Key(key.public_key().clone());
    Identity { named: Named::default(), public, holder: Holder::Here(Arc::new(key.clone())) }
}

fn order(host: &PrivateKey) -> LoginOrder {
    LoginOrder {
        host_key: host.public_key().to_bytes().unwrap(),
        methods: vec![String::from("publickey"), String::from("password")],
        sig_algs: None,
        secrets: true,
    }
}

/// The password that it takes its time over.
const SLOWLY_TAKEN: &str = "slowly";

/// A server that knows one key.
#[derive(Clone)]
struct Server {
    known: PublicKey,
    requests: Arc<AtomicUsize>,
}

impl server::Handler for Server {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, _: &str, key: PublicKeyOffer<'_>) -> Result<Auth, russh::Error> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        Ok(if key.public_key.key_data() == self.known.key_data() { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, russh::Error> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if password == SLOWLY_TAKEN {
            tokio::time::sleep(Duration::from_secs(3)).await;
            return Ok(Auth::Accept);
        }
        Ok(Auth::reject())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut server::Session,
    ) -> Result<(), russh::Error> {
        match host {
            "echo" => {
                reply.accept().await;
                tokio::spawn(async move {
                    let (mut read, mut write) = tokio::io::split(channel.into_stream());
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
            "forbidden" => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
            _ => reply.reject(ChannelOpenFailure::ConnectFailed).await,
        }
        Ok(())
    }
}

fn serve(host: &PrivateKey, server: &Server) -> DuplexStream {
    let (near, far) = duplex(1 << 16);
    let config =
        server::Config { keys: vec![host.clone()], auth_rejection_time: Duration::ZERO, ..server::Config::default() };
    let server = server.clone();
    tokio::spawn(async move {
        if let Ok(session) = run_stream(Arc::new(config), far, server).await {
            let _ = session.await;
        }
    });
    near
}

async fn logged_in<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    order: &LoginOrder,
    credentials: &Credentials,
    patience: Duration,
) -> (Told, Option<Session>, Key<S>) {
    let (fence, key) = Fence::around(stream, |_, _| false);
    let terms = Terms {
        user: "alice",
        ident: "SSH-2.0-sshprobe_test",
        order,
        speak_after: Duration::from_secs(2),
        deadline: Instant::now() + patience,
        inactivity: None,
    };
    let (told, session) = login(fence, &key, terms, credentials).await;
    (told, session, key)
}

const PATIENCE: Duration = Duration::from_secs(20);

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Waits until no task is left; each of them is on its way to its end.
async fn until_no_task_is_left() {
    let all_gone = async {
        while tasks() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, all_gone).await.expect("a task is left");
}

#[tokio::test]
async fn a_login_gives_a_session_that_opens_channels_and_leaves_nothing() {
    let (host, user) = (key(), key());
    let server = Server { known: user.public_key().clone(), requests: Arc::default() };
    let credentials = Credentials { keys: vec![identity(&key()), identity(&user)], ..Credentials::default() };
    let (told, session, _key) = logged_in(serve(&host, &server), &order(&host), &credentials, PATIENCE).await;
    let answers: Vec<&Answer> = told.login.attempts.iter().map(|attempt| &attempt.answer).collect();
    assert_eq!((answers, &told.fault), (vec![&Answer::RefusedAtQuery, &Answer::Accepted], &None));
    let session = session.expect("a session");
    let mut stream = session.direct_tcpip("echo", 22).await.expect("a channel");
    stream.write_all(b"SSH-2.0-through").await.unwrap();
    let mut back = [0; 15];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"SSH-2.0-through");
    let (forbidden, failed) = tokio::join!(session.direct_tcpip("forbidden", 22), session.direct_tcpip("nowhere", 22));
    let (forbidden, failed) = (forbidden.err().unwrap(), failed.err().unwrap());
    assert_eq!((forbidden.reason, forbidden.text.as_str()), (OpenReason::Prohibited, "Administratively prohibited"));
    assert_eq!((failed.reason, failed.text.as_str()), (OpenReason::ConnectFailed, "Connect failed"));
    assert!(!session.is_over());
    drop(stream);
    session.leave().await;
    until_no_task_is_left().await;
}

#[tokio::test]
async fn a_server_that_thinks_long_about_a_password_is_not_taken_for_one_that_wants_a_new_one() {
    let (host, user) = (key(), key());
    let server = Server { known: user.public_key().clone(), requests: Arc::default() };
    // As the first thing that is tried, and after something else.
    for keys in [vec![], vec![identity(&key())]] {
        let password = Some((Named::default(), Secret::new(String::from(SLOWLY_TAKEN))));
        let credentials = Credentials { keys, password, ..Credentials::default() };
        let (told, session, _) = logged_in(serve(&host, &server), &order(&host), &credentials, PATIENCE).await;
        assert_eq!(told.login.attempts.last().map(|attempt| &attempt.answer), Some(&Answer::Accepted), "{told:?}");
        session.expect("a session").leave().await;
    }
}

#[tokio::test]
async fn a_session_that_is_dropped_takes_its_task_with_it() {
    let (host, user) = (key(), key());
    let server = Server { known: user.public_key().clone(), requests: Arc::default() };
    let credentials = Credentials { keys: vec![identity(&user)], ..Credentials::default() };
    let (_, session, key) = logged_in(serve(&host, &server), &order(&host), &credentials, PATIENCE).await;
    drop(session.expect("a session"));
    assert!(key.take().is_none(), "the stream is closed");
    until_no_task_is_left().await;
}

/// A connection to a server that says its identification, and nothing more.
async fn stalled(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    far.write_all(b"SSH-2.0-stall\r\n").await.unwrap();
    (near, far)
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[tokio::test]
async fn a_server_that_stalls_after_its_identification_leaves_no_task_and_no_descriptor() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let before = descriptors();
    let (near, far) = stalled(&listener).await;
    let credentials = Credentials { keys: vec![identity(&key())], ..Credentials::default() };
    let order = order(&key());
    let (told, session, kept) = logged_in(near, &order, &credentials, Duration::from_millis(100)).await;
    assert_eq!((told.stage, told.fault, session.is_none()), (Stage::Kex, Some(Fault::Timeout), true));
    assert!(told.login.attempts.is_empty());
    assert!(kept.take().is_some(), "the way can still be asked how it ended");
    drop((kept, far));
    until_no_task_is_left().await;
    assert_eq!(descriptors(), before);

    // Nor does one that nobody waits for any more.
    let (near, mut far) = stalled(&listener).await;
    let given_up =
        tokio::time::timeout(Duration::from_millis(100), logged_in(near, &order, &credentials, PATIENCE)).await;
    assert!(given_up.is_err());
    until_no_task_is_left().await;
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.expect("the stream is closed");
    drop(far);
    assert_eq!(descriptors(), before);
}

#[tokio::test]
async fn nothing_is_sent_to_another_key_than_the_one_expected() {
    let (expected, user) = (key(), key());
    let server = Server { known: user.public_key().clone(), requests: Arc::default() };
    let credentials = Credentials {
        keys: vec![identity(&user)],
        password: Some((Named::default(), Secret::new(String::from("x")))),
        ..Credentials::default()
    };
    let (told, session, _) = logged_in(serve(&key(), &server), &order(&expected), &credentials, PATIENCE).await;
    assert_eq!((told.fault, session.is_none()), (Some(Fault::OtherHostKey), true));
    assert!(told.other_key.is_some());
    assert_eq!(server.requests.load(Ordering::Relaxed), 0);
    until_no_task_is_left().await;
}
