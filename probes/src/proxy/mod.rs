//! Ways through somebody else's hands: SOCKS5 and HTTP CONNECT proxies, and programs that are the connection.
//!
//! [`Socks5`] and [`HttpConnect`] give the bytes to send and read the answers; [`ProxyFault`] says what a refusal means.
//! [`expand`] prepares a ProxyCommand for the shell, [`Stderr`] reads why it failed out of what it wrote.

mod connect;
mod expand;
mod fault;
mod http_connect;
mod rule;
mod socks5;
mod stderr;

pub use connect::connect_failed;
pub use expand::{ExpandError, expand};
pub use fault::{Credentials, Peer, PeerError, ProxyFault, Step};
pub use http_connect::HttpConnect;
pub(crate) use http_connect::status_of;
pub use socks5::Socks5;
pub use stderr::{ProxyTrouble, Stderr};
