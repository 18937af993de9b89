//! Where records go: one file per format behind one trait, the sink that feeds them, progress and the closing summary.

pub mod columns;
mod csv;
pub mod exposition;
pub mod format;
mod histogram;
mod jsonl;
pub mod keys;
pub mod layout;
mod networks;
pub mod next;
mod pace;
pub mod progress;
#[cfg(test)]
pub(crate) mod samples;
pub mod selection;
mod shared_keys;
pub mod sink;
pub mod span;
pub mod summary;
mod table;

pub use columns::Columns;
pub use format::{Encoder, FORMATS, Format, Look, is_packed, packed_otherwise};
pub use next::Reach;
pub use progress::{Progress, Snapshot};
pub use selection::{Selection, is_silence};
pub use sink::{Delivered, Place, Sink, View};
pub use summary::{Closing, Summary};
