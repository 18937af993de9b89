//! How a byte stream to a target is opened.

pub mod seam;
pub mod tcp;

pub use seam::{Opening, PathEnd, SoftError, Stream, Transport};
pub use tcp::Tcp;
