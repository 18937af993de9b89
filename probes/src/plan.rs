//! What one connection is meant to find out, and how it behaves while it does.

use std::sync::Arc;
use std::time::Duration;

use crate::negotiate::Offer;

/// How deep one probe goes. Each depth includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Depth {
    /// The TCP handshake alone.
    Connect,
    /// The server's identification (RFC 4253 section 4.2).
    Ident,
    /// The server's KEXINIT (RFC 4253 section 7.1).
    Kexinit,
    /// A key exchange whose host-key signature was verified (RFC 4253 section 8).
    Kex,
    /// The authentication methods listed in answer to `none` (RFC 4252 section 5.2).
    Auth,
    /// A login with the credentials that the user gave, on a connection of its own after the one that goes as deep as
    /// [`Depth::Auth`].
    Login,
}

impl Depth {
    /// Every depth, shallowest first.
    pub const ALL: [Depth; 6] = [Depth::Connect, Depth::Ident, Depth::Kexinit, Depth::Kex, Depth::Auth, Depth::Login];

    /// The word the command line knows it by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Depth::Connect => "connect",
            Depth::Ident => "ident",
            Depth::Kexinit => "kexinit",
            Depth::Kex => "kex",
            Depth::Auth => "auth",
            Depth::Login => "login",
        }
    }
}

/// The plan of one connection. Shared by many: cheap to clone behind an [`Arc`].
#[derive(Debug, Clone)]
pub struct Plan {
    /// How deep to go.
    pub depth: Depth,
    /// The user named with `none`; the only one, as changing it makes OpenSSH hang up (and probing several leaks who exists).
    pub user: Arc<str>,
    /// Our identification without CR LF, as it enters the exchange hash.
    pub ident: Vec<u8>,
    /// The algorithms offered, in order of preference.
    pub offer: Arc<Offer>,
    /// How long to wait for the server's identification before speaking first.
    pub speak_after: Duration,
    /// The whole connection, from the first SYN to the end. No byte of the server's extends it.
    pub timeout: Duration,
    /// How long to go on reading after a write failed: the reason is often still in the receive queue.
    pub drain: Duration,
    /// Send SERVICE_REQUEST and wait for SERVICE_ACCEPT before `none`, for servers that choke on both in one segment.
    pub step_by_step: bool,
    /// Passwords and answers may be given to a host whose key nobody knows. To one whose key is another than the one known
    /// they never are.
    pub accept_new: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            depth: Depth::Auth,
            user: "root".into(),
            ident: concat!("SSH-2.0-sshprobe_", env!("CARGO_PKG_VERSION")).into(),
            offer: Arc::new(Offer::modern()),
            speak_after: Duration::from_secs(2),
            timeout: Duration::from_secs(20),
            drain: Duration::from_millis(500),
            step_by_step: false,
            accept_new: false,
        }
    }
}
