//! What a login came to.

use super::code::Code;
use super::verdict::Verdict;
use crate::evidence::Evidence;

/// The connection that was to log in was answered by another key than the one before it.
pub(super) fn other_host_key(evidence: &Evidence) -> Verdict {
    let sentence = "another host key was shown than on the connection before; nothing was sent to whoever holds it";
    Verdict::new(Code::HostKeyChanged, evidence.stage, sentence)
}
