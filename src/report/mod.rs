//! Where records go: one file per format behind one trait, the sink that feeds them, progress and the closing summary.

pub mod columns;
mod csv;
pub mod format;
mod jsonl;
pub mod layout;
pub mod progress;
#[cfg(test)]
mod samples;
pub mod selection;
pub mod sink;
pub mod span;
pub mod summary;
mod table;

pub use columns::Columns;
pub use format::{Encoder, FORMATS, Format, Look};
pub use progress::{Progress, Snapshot};
pub use selection::{Selection, is_silence};
pub use sink::{Delivered, Place, Sink, View};
pub use summary::{Closing, Summary};
