//! A session after a login: connections that the server makes for us, and the farewell.

use std::sync::Arc;
use std::time::Duration;

use russh::ChannelOpenFailure;
use russh::client::{Handle, Msg};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;

use super::client::{Client, End, Failed, WORDS};
use super::fence::Abort;

/// A session that is told to end has ended after this long, or it is ended.
const FAREWELL: Duration = Duration::from_secs(1);
/// Our reason for leaving, and the word that goes with it into the server's log.
const FAREWELL_TEXT: &str = "sshprobe";

/// Tells russh to leave, and waits until it has.
pub(super) async fn farewell(handle: &Handle<Client>, end: &mut End) {
    let said = handle.disconnect(russh::Disconnect::ByApplication, FAREWELL_TEXT, "");
    let _ = timeout(FAREWELL, async { (said.await, end.wait().await) }).await;
}

/// A session after a login.
pub(crate) struct Session {
    handle: Arc<Handle<Client>>,
    end: End,
    failed: Arc<Mutex<mpsc::UnboundedReceiver<Failed>>>,
    tether: Tether,
}

/// A connection that the server made for us, as a stream.
pub(crate) type ChannelStream = russh::ChannelStream<Msg>;

/// Why the server did not connect us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenFailure {
    /// The reason.
    pub(crate) reason: OpenReason,
    /// The server's words.
    pub(crate) text: String,
}

/// The reasons of RFC 4254 section 5.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenReason {
    /// It must not (AllowTcpForwarding, PermitOpen, `restrict`).
    Prohibited,
    /// It tried, and could not.
    ConnectFailed,
    /// It does not know such channels.
    UnknownType,
    /// It lacks something.
    Shortage,
    /// A reason of its own, by number.
    Other(u32),
    /// The session is over.
    SessionOver,
}

impl Session {
    pub(super) fn new(
        handle: Handle<Client>,
        end: End,
        failed: mpsc::UnboundedReceiver<Failed>,
        tether: Tether,
    ) -> Self {
        Self { handle: Arc::new(handle), end, failed: Arc::new(Mutex::new(failed)), tether }
    }

    /// Has the server connect to `host`, as it understands that name, and `port`.
    ///
    /// Dropped before the server has answered, the channel is closed as soon as it has.
    pub(crate) async fn direct_tcpip(&self, host: &str, port: u16) -> Result<ChannelStream, OpenFailure> {
        let (answer, answered) = oneshot::channel();
        let (handle, host) = (Arc::clone(&self.handle), host.to_owned());
        // A task of its own, which ends with the session: a channel that opens when nobody waits for it any more is to be closed.
        let failed = Arc::clone(&self.failed);
        let over = || OpenFailure { reason: OpenReason::SessionOver, text: String::new() };
        tokio::spawn(async move {
            let opened = handle.channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0).await;
            let opened = match opened {
                Ok(channel) => Ok(channel.into_stream()),
                // Taken also where nobody waits any more: the session, and every other channel with it, waits for that.
                Err(russh::Error::ChannelOpenFailure(reason)) => {
                    Err(OpenFailure { reason: open_reason(&reason), text: words(&failed).await })
                }
                Err(_) => Err(over()),
            };
            let _ = answer.send(opened);
        });
        answered.await.map_err(|_| over())?
    }

    /// Whether the server is still there: it answers within this time.
    pub(crate) async fn answers(&self, within: Duration) -> bool {
        matches!(timeout(within, self.handle.send_ping()).await, Ok(Ok(()))) && !self.is_over()
    }

    /// Ends a session whose server is not there any more.
    pub(crate) fn give_up(&self) {
        self.tether.pull();
    }

    /// The session has ended, whoever ended it.
    pub(crate) fn is_over(&self) -> bool {
        self.handle.is_closed()
    }

    /// Says farewell. When this is done, nothing runs any more that belonged to the session.
    pub(crate) async fn leave(mut self) {
        farewell(&self.handle, &mut self.end).await;
        self.tether.release();
    }
}

/// What the server said about the channel that it has just refused.
///
/// The session's task goes on to nothing else before somebody has taken these words ([`Client::channel_open_failure`]), so they
/// are never those about another channel.
async fn words(failed: &Mutex<mpsc::UnboundedReceiver<Failed>>) -> String {
    let take = async {
        let mut failed = failed.lock().await;
        while let Some(Failed { text, taken }) = failed.recv().await {
            if taken.send(()).is_ok() {
                return text;
            }
        }
        String::new()
    };
    timeout(WORDS, take).await.unwrap_or_default()
}

/// Ends what hangs on it when it is dropped, unless it was released.
pub(super) struct Tether(Option<Arc<dyn Abort>>);

impl Tether {
    /// Something to end.
    pub(super) fn to(stream: Arc<dyn Abort>) -> Self {
        Self(Some(stream))
    }

    /// Ends what hangs on it now.
    fn pull(&self) {
        if let Some(stream) = &self.0 {
            stream.abort();
        }
    }

    pub(super) fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for Tether {
    fn drop(&mut self) {
        self.pull();
    }
}

fn open_reason(reason: &ChannelOpenFailure) -> OpenReason {
    match reason {
        ChannelOpenFailure::AdministrativelyProhibited => OpenReason::Prohibited,
        ChannelOpenFailure::ConnectFailed => OpenReason::ConnectFailed,
        ChannelOpenFailure::UnknownChannelType => OpenReason::UnknownType,
        ChannelOpenFailure::ResourceShortage => OpenReason::Shortage,
        ChannelOpenFailure::Other { code, .. } => OpenReason::Other(*code),
    }
}
