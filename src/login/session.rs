//! One session of russh's, from a stream that is up to a login.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::{AlgorithmKind, client};
use sshprobe_probes::case::LoginOrder;
use sshprobe_probes::evidence::{Disconnect, Errno, Fault, HostKey, Login, Signature, Slot, Stage};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::algorithms::config;
use super::attempts::{self, Line};
use super::channel::{Session, Tether, farewell};
use super::client::{Client, End, Heard, lock};
use super::credentials::Credentials;
use super::fence::{Fence, Key, Seen};

/// What to log in by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// The user to log in as.
    pub(crate) user: &'a str,
    /// Our identification.
    pub(crate) ident: &'a str,
    /// What was learned of the server before, and the key it has to show.
    pub(crate) order: &'a LoginOrder,
    /// How long to wait for the server's identification before speaking first.
    pub(crate) speak_after: Duration,
    /// When a login that has come to nothing so far is over.
    pub(crate) deadline: Instant,
    /// How long a session that was logged in to may be silent, if not for ever.
    pub(crate) inactivity: Option<Duration>,
}

/// How a login went, as evidence has it.
#[derive(Debug)]
pub(crate) struct Told {
    /// What was tried.
    pub(crate) login: Login,
    /// The last stage entered.
    pub(crate) stage: Stage,
    /// Why it went no further, other than by a refusal.
    pub(crate) fault: Option<Fault>,
    /// The DISCONNECT that the server sent.
    pub(crate) disconnect: Option<Disconnect>,
    /// The host key it showed, if that was not the one expected.
    pub(crate) other_key: Option<HostKey>,
    /// What it said in banners.
    pub(crate) banner: Vec<u8>,
    /// There was more.
    pub(crate) banner_truncated: bool,
    /// What came over the stream.
    pub(crate) seen: Seen,
}

/// Logs in over a stream that is up, and stays there if that succeeds.
///
/// Ends at the deadline. Where there is no session afterwards, nothing is left running, and the key takes the stream out of the
/// fence, for whoever wants to know how the way to the target ended. Dropped before, it closes the stream.
pub(crate) async fn login<S>(
    mut fence: Fence<S>,
    key: &Key<S>,
    terms: Terms<'_>,
    credentials: &Credentials,
) -> (Told, Option<Session>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let tether = Tether::to(Arc::new(key.clone()));
    let heard = Arc::new(Mutex::new(Heard::default()));
    let mut login = Login { user: terms.user.to_owned(), methods: terms.order.methods.clone(), ..Login::default() };
    // Whoever speaks first turns the text of a server that throttles into a reset.
    let _ = timeout_at(terms.deadline.min(Instant::now() + terms.speak_after), fence.heard()).await;
    let (ended, end) = oneshot::channel();
    let (failures, failed) = mpsc::unbounded_channel();
    let client = Client::new(terms.order.host_key.clone(), Arc::clone(&heard), failures, ended);
    let mut end = End::new(end);
    let connecting = client::connect_stream(Arc::new(config(&terms)), fence, client);
    let mut handle = match timeout_at(terms.deadline, connecting).await {
        Ok(Ok(handle)) => handle,
        other => {
            if other.is_err() {
                key.stall();
            }
            end.wait().await;
            let seen = key.seen();
            let stage = if seen.identified() { Stage::Kex } else { Stage::Ident };
            let fault = match other {
                Ok(Err(error)) => fault(&lock(&heard), &seen, Some(&error)),
                _ => Fault::Timeout,
            };
            tether.release();
            return (told(login, stage, Some(fault), &heard, seen), None);
        }
    };
    let received = || key.received();
    let line = Line { handle: &mut handle, end: &mut end, heard: &heard, received: &received, terms, asked: false };
    let trying = attempts::attempts(line, credentials, &mut login);
    let in_time = timeout_at(terms.deadline, trying).await.is_ok();
    if login.accepted {
        let seen = key.seen();
        let session = Session::new(handle, end, failed, tether);
        return (told(login, Stage::Login, None, &heard, seen), Some(session));
    }
    // What it was that ended the session is known before we say farewell to it.
    let over = end.over();
    let fault = if !in_time {
        Some(Fault::Timeout)
    } else if over && !lock(&heard).no_method {
        Some(fault(&lock(&heard), &key.seen(), None))
    } else {
        None
    };
    // A DISCONNECT is an answer, and what came was that.
    if matches!(fault, Some(Fault::Timeout | Fault::Eof | Fault::Reset)) {
        attempts::undecided(&mut login, &lock(&heard), key.received());
    }
    let told = told(login, Stage::Login, fault, &heard, key.seen());
    farewell(&handle, &mut end).await;
    tether.release();
    (told, None)
}

fn told(login: Login, stage: Stage, fault: Option<Fault>, heard: &Mutex<Heard>, seen: Seen) -> Told {
    let mut heard = lock(heard);
    let other_key = heard.other_key.take().map(|blob| HostKey { blob, signature: Signature::Verified });
    Told {
        login,
        stage,
        fault,
        disconnect: heard.disconnect.take(),
        other_key,
        banner: std::mem::take(&mut heard.banner),
        banner_truncated: heard.banner_truncated,
        seen,
    }
}

/// Why a session ended: by what the server said, what the socket said, or what russh says.
fn fault(heard: &Heard, seen: &Seen, error: Option<&russh::Error>) -> Fault {
    if heard.disconnect.is_some() {
        return Fault::Disconnected;
    }
    if heard.other_key.is_some() {
        return Fault::OtherHostKey;
    }
    let ended = || match seen.error {
        Some(Errno::ETIMEDOUT | Errno::EHOSTUNREACH | Errno::ENETUNREACH) => Some(Fault::Lost),
        Some(_) => Some(Fault::Reset),
        None if seen.eof => Some(Fault::Eof),
        None => None,
    };
    match heard.error.as_ref().or(error) {
        Some(russh::Error::NoCommonAlgo { kind, .. }) => Fault::NoCommon(match kind {
            AlgorithmKind::Kex => Slot::Kex,
            AlgorithmKind::Key => Slot::HostKey,
            AlgorithmKind::Cipher => Slot::Cipher,
            AlgorithmKind::Compression => Slot::Compression,
            AlgorithmKind::Mac => Slot::Mac,
        }),
        Some(russh::Error::WrongServerSig) => Fault::BadSignature("it does not verify"),
        Some(russh::Error::PacketAuth | russh::Error::DecryptionError) => Fault::Mac,
        Some(russh::Error::InactivityTimeout | russh::Error::KeepaliveTimeout) => Fault::Timeout,
        Some(russh::Error::IO(error)) => ended().unwrap_or_else(|| match error.kind() {
            io::ErrorKind::UnexpectedEof => Fault::Eof,
            _ => Fault::Reset,
        }),
        Some(russh::Error::Disconnect | russh::Error::HUP | russh::Error::Join(_)) | None => {
            ended().unwrap_or(Fault::Eof)
        }
        Some(error) => ended().unwrap_or_else(|| Fault::Protocol(format!("{error}"))),
    }
}
