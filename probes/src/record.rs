//! Record: the serialised result, versioned. One JSON object a line; absent means "not learned".
//!
//! The names are binding: fields are added, never renamed. What came from the network stands here unescaped, as JSON has
//! its own escapes; bytes that are not UTF-8 come a second time in a field that ends in `_b64`.

mod assemble;
mod login;
mod parts;
mod proven;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use parts::{
    Attempt, Auth, AuthResult, Cert, Credential, Direct, Disconnect, Explained, HostKey, Icmp, Ident, JumpHost,
    Kexinit, KnownKey, Named, Negotiated, Net, Sshfp, TimingMicros, Tried, Trust, Tunnel, TunnelMicros, Via, Withheld,
};

pub use proven::ProvenKey;

use crate::diagnose::{Code, Confidence, Finding, Status};
use crate::evidence::Stage;
use crate::hostkey::UnixTime;
use crate::time::{Moment, Timestamp, UnixMicros};

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What every record of a run says about the run.
#[derive(Debug, Clone)]
pub struct Run {
    /// The run's identity, unique enough to tell two runs' lines apart.
    pub id: Arc<str>,
    /// The program's version.
    pub version: &'static str,
    /// The wall-clock time of [`crate::time::Moment::START`].
    pub epoch: UnixMicros,
}

impl Run {
    /// The time of day at this moment, as certificates tell it.
    pub(crate) fn wall_clock(&self, moment: Moment) -> UnixTime {
        UnixTime((self.epoch + moment.since(Moment::START)).0 / 1_000_000)
    }
}

/// The version of the record's layout.
pub const SCHEMA: u32 = 1;

/// The one result of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: u32,
    /// [`Run::id`].
    pub run: Arc<str>,
    /// The program's version.
    pub version: Cow<'static, str>,
    /// What was probed.
    pub target: Named,
    /// The target came out of a range: nobody named this very address. Written only where true.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_range: bool,
    /// The coarse class.
    pub status: Status,
    /// The precise outcome.
    pub code: Code,
    /// The outcome's parameter.
    pub arg: Option<String>,
    /// The last stage entered.
    pub stage: Stage,
    /// One sentence with the evidence, escaped.
    pub detail: String,
    /// How specific the evidence is.
    pub confidence: Confidence,
    /// TCP connections (or tunnels) opened to the target; `tried` lists those that could not be opened too.
    pub connections: u32,
    /// 1 and the tries after a transient answer.
    pub attempts: u32,
    /// Every connection and what it came to by itself.
    pub tried: Vec<Tried>,
    /// What the network said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<Net>,
    /// What the way to the target saw, where it is more than TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Tunnel>,
    /// What a direct probe of the same host came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct: Option<Box<Direct>>,
    /// The server's identification; shared, as a fleet repeats it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ident: Option<Arc<Ident>>,
    /// The lines that came, where no identification did; the last may be unfinished.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preamble: Vec<String>,
    /// The same as bytes, if not all of them are UTF-8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preamble_b64: Vec<String>,
    /// What came instead of an identification, at most [`crate::evidence::Evidence::FIRST_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_bytes_b64: Option<String>,
    /// What came after the identification where a packet should have been, at most as much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unparsed_b64: Option<String>,
    /// The server's KEXINIT; shared, as a fleet repeats it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kexinit: Option<Arc<Kexinit>>,
    /// What was agreed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negotiated: Option<Negotiated>,
    /// The host keys presented, over all connections.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_keys: Vec<HostKey>,
    /// The extensions of EXT_INFO (RFC 8308); shared, as a fleet repeats them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ext_info: Option<Arc<BTreeMap<String, String>>>,
    /// Those of them whose value is not UTF-8, as bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ext_info_b64: BTreeMap<String, String>,
    /// All of them as bytes, name and value, in the order sent, if a name is not UTF-8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ext_info_raw_b64: Vec<(String, String)>,
    /// The extension `server-sig-algs` (RFC 8308 section 3.1) as a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_sig_algs: Option<Arc<[String]>>,
    /// What userauth showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// The DISCONNECT of the connection that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnect: Option<Disconnect>,
    /// What else was noticed.
    pub findings: Vec<Finding>,
    /// How long each stage took, in microseconds.
    pub timing_us: TimingMicros,
    /// The outcome explained; empty for `ok`.
    pub diagnoses: Vec<Explained>,
    /// When the first connection was started, RFC 3339 in UTC.
    pub started: Timestamp,
}
