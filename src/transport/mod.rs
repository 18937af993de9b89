//! How a byte stream to a target is opened.

pub mod command;
pub mod proxy;
mod reading;
pub mod road;
pub mod seam;
pub mod tcp;

pub use command::ProxyCommand;
pub use proxy::{Proxy, ProxyUrl};
pub use road::Road;
pub use seam::{Opening, PathEnd, SoftError, Stream, Transport};
pub use tcp::Tcp;
