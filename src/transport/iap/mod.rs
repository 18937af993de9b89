//! Tunnels of Google Cloud's Identity-Aware Proxy as the way to the target: DNS, TCP, TLS, the WebSocket upgrade, the session's
//! id, and then whatever the target says.
//!
//! What is said to the relay and what its answers mean is decided in `sshprobe_probes::iap`; here are the sockets and the time.

mod exchange;
mod open;
mod path;
mod source;
mod tls;
mod token;
mod words;

pub use exchange::MetadataServer;
pub use open::{Iap, Instances};
pub use path::IapPath;
pub use source::{TokenSource, Tokens};
pub use tls::NoTls;
pub use token::{Token, TokenError};
