//! Tunnels of Google Cloud's Identity-Aware Proxy as the way to the target: DNS, TCP, TLS, the WebSocket upgrade, the session's
//! id, and then whatever the target says.
//!
//! What is said to the relay and what its answers mean is decided in `sshprobe_probes::iap`; here are the sockets and the time.

mod open;
mod path;
mod token;
mod words;

pub use open::{Iap, Instances, NoTls};
pub use path::IapPath;
pub use token::{Token, TokenError, TokenSource, Tokens};
