//! Addresses of ranges that come to a count and to no record.

use std::net::IpAddr;

use sshprobe_probes::diagnose::Code;

/// An address of a range where there is nobody, and which has no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Empty {
    /// [`Target::index`](sshprobe_probes::target::Target::index).
    pub index: u64,
    /// The address.
    pub addr: IpAddr,
    /// What its record would say.
    pub code: Code,
}

impl Empty {
    /// All that they can come to.
    pub const CODES: [Code; 2] = [Code::TimeoutConnect, Code::Refused];
}
