//! What a run is told.

use std::sync::Arc;

use sshprobe_probes::case::Settings;

use crate::target::Families;
use crate::transport::Transport;

/// The knobs of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// What every case of the run shares: the plan, retries, spacing, the run's identity.
    pub settings: Arc<Settings>,
    /// How streams are opened.
    pub transport: Transport,
    /// Connections in flight; lowered to what the descriptors allow.
    pub concurrency: usize,
    /// New connections a second; 0 lifts it.
    pub rate: u32,
    /// Connections in flight per /24 or /64.
    pub per_subnet: u32,
    /// Which addresses of a name count.
    pub families: Families,
    /// Every address of a name is a target of its own.
    pub all_addresses: bool,
}
