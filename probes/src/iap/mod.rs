//! Tunnels of Google Cloud's Identity-Aware Proxy: what is asked for, what the relay says, and how it ends.
//!
//! The relay's protocol runs over WebSocket messages; TCP, TLS and WebSocket belong to whoever drives this. [`IapTarget`] and
//! [`RelayUrl`] give the request, [`IapSession`] converses over messages, [`IapEnd`] says what the end of it means.

mod credentials;
mod end;
mod frame;
mod relay;
mod session;
mod strike;
mod target;

pub use credentials::{Credentials, CredentialsError, Endpoint, Grant, SCOPE};
pub use end::{
    BadUpgrade, CLOSE_FRAME_MAX, How, IapEnd, IapRetry, IapVerdict, Phase, close_frame_at_end, status_at_start,
};
pub use frame::{ACK_LEN, DATA_MAX, Frame, FrameError, MESSAGE_MAX, ack, data};
pub use relay::{ORIGIN, RelayUrl, RelayUrlError, SUBPROTOCOL};
pub use session::{Event, IapSession, RelayFault};
pub use strike::{Sieve, strike};
pub use target::{Backend, IapTarget, IapTargetError};
