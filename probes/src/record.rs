//! Record: the serialised result, versioned.

use crate::time::UnixMicros;

/// What every record of a run says about the run.
#[derive(Debug, Clone)]
pub struct Run {
    /// The run's identity, unique enough to tell two runs' lines apart.
    pub id: String,
    /// The program's version.
    pub version: &'static str,
    /// The wall-clock time of [`crate::time::Moment::START`].
    pub epoch: UnixMicros,
}

/// placeholder, being written
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Record {}
