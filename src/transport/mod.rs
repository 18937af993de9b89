//! How a byte stream to a target is opened.

pub mod command;
#[cfg(feature = "iap")]
pub mod iap;
#[cfg(feature = "login")]
pub mod jump;
pub mod proxy;
mod reading;
pub mod road;
pub mod seam;
pub mod tcp;

pub use command::ProxyCommand;
#[cfg(feature = "iap")]
pub use iap::Iap;
#[cfg(feature = "login")]
pub use jump::Jump;
pub use proxy::{Proxy, ProxyUrl};
pub use road::Road;
pub use seam::{Opening, PathEnd, SoftError, Stream, Transport};
pub use tcp::Tcp;
