//! Ways through somebody else's hands.

mod expand;
mod fault;
mod http_connect;
mod socks5;

pub use expand::{ExpandError, expand};
pub use fault::{Credentials, Peer, PeerError, ProxyFault, Step};
pub use http_connect::HttpConnect;
pub use socks5::Socks5;
