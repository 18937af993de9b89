//! What lets a run go on after it was interrupted, be it by kill -9: the records in FILE, and FILE.state beside it.
//!
//! FILE is the truth. Records are appended to it as they come and are never touched again, so that whatever ends the run
//! leaves whole lines and perhaps one torn one ([`mod@reread`] finds where to cut). What is done is read from it again; that costs
//! some microseconds a record, little beside the probe that made it, and there is no second copy that could disagree.
//!
//! FILE.state holds what FILE cannot tell ([`state`]): by whom and how the run was begun, so that another run is not mixed into
//! it, and, with `--records answered`, which silent targets are done without a line. It is replaced as a whole, about once a
//! second where it changes. Lost or old, it costs time: silent targets are asked again. It never costs a record.

pub mod bits;
pub mod frames;
pub mod log;
pub mod reread;
pub mod state;

pub use bits::Bits;
pub use frames::Frames;
pub use log::Log;
pub use reread::{Content, Unreadable, reread};
pub use state::{Shape, State, Unwritten};

use std::path::Path;

/// The folder that a file is in, or would be made in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
