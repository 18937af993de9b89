//! What russh asks us and tells us while a session runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::client::{self, ChannelOpenHandle, DisconnectReason};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelId, ChannelOpenFailure};
use sshprobe_probes::evidence::{Auth, Disconnect};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// How long the words about a channel that was not opened are waited for; they come with the refusal.
pub(super) const WORDS: Duration = Duration::from_secs(1);

/// Resolves when russh's task is over.
pub(super) struct End(oneshot::Receiver<()>);

impl End {
    pub(super) fn new(ended: oneshot::Receiver<()>) -> Self {
        Self(ended)
    }

    pub(super) fn over(&mut self) -> bool {
        !matches!(self.0.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    pub(super) async fn wait(&mut self) {
        if !self.0.is_terminated() {
            let _ = (&mut self.0).await;
        }
    }
}

/// What had come when a password was sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) received: u64,
    pub(super) banners: usize,
}

/// What russh told while it ran.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) banner: Vec<u8>,
    pub(super) banner_truncated: bool,
    /// How many banners have come.
    pub(super) banners: usize,
    /// A password was sent.
    pub(super) password: Option<Sent>,
    pub(super) disconnect: Option<Disconnect>,
    pub(super) error: Option<russh::Error>,
    pub(super) other_key: Option<Vec<u8>>,
    /// The last refusal came with an empty list, and russh ended the session over it.
    pub(super) no_method: bool,
}

pub(super) fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A channel that was not opened.
pub(super) struct Failed {
    pub(super) text: String,
    pub(super) taken: oneshot::Sender<()>,
}

/// What russh asks and tells.
pub(crate) struct Client {
    expected: Vec<u8>,
    heard: Arc<Mutex<Heard>>,
    failures: mpsc::UnboundedSender<Failed>,
    /// Dropped with the task.
    _ended: oneshot::Sender<()>,
}

impl Client {
    pub(super) fn new(
        expected: Vec<u8>,
        heard: Arc<Mutex<Heard>>,
        failures: mpsc::UnboundedSender<Failed>,
        ended: oneshot::Sender<()>,
    ) -> Self {
        Self { expected, heard, failures, _ended: ended }
    }
}

impl client::Handler for Client {
    type Error = russh::Error;

    async fn auth_banner(&mut self, banner: &str, _: &mut client::Session) -> Result<(), russh::Error> {
        let mut heard = lock(&self.heard);
        heard.banners += 1;
        let room = Auth::BANNER_MAX.saturating_sub(heard.banner.len());
        heard.banner.extend(banner.bytes().take(room));
        heard.banner_truncated |= banner.len() > room;
        Ok(())
    }

    /// russh has verified the signature when it asks this.
    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let plain = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.to_bytes(),
            PublicKeyOrCertificate::Certificate(certificate) => {
                russh::keys::PublicKey::from(certificate.public_key().clone()).to_bytes()
            }
        };
        let plain = plain?;
        let same = plain == self.expected;
        if !same {
            lock(&self.heard).other_key = Some(plain);
        }
        Ok(same)
    }

    async fn channel_open_failure(
        &mut self,
        _: ChannelId,
        _: ChannelOpenFailure,
        description: &str,
        _: &str,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        let (taken, gone) = oneshot::channel();
        if self.failures.send(Failed { text: description.to_owned(), taken }).is_ok() {
            // Whoever asked for the channel may have given up.
            let _ = timeout(WORDS / 4, gone).await;
        }
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<russh::Error>) -> Result<(), russh::Error> {
        let mut heard = lock(&self.heard);
        match reason {
            DisconnectReason::ReceivedDisconnect(said) => {
                let text = said.message.into_bytes().into_iter().take(Disconnect::TEXT_MAX).collect();
                heard.disconnect = Some(Disconnect { code: said.reason_code as u32, text });
            }
            DisconnectReason::Error(error) => {
                heard.no_method = matches!(error, russh::Error::NoAuthMethod);
                heard.error = Some(error);
            }
        }
        Ok(())
    }

    // A server has no business opening channels to us, and russh accepts some of them by itself. Dropped, they are refused.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<client::Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<client::Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<client::Msg>,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<client::Msg>,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<client::Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<client::Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<client::Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }
}
