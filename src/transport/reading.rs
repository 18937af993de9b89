//! What a program that was to be the way to the target says about its failure.

use sshprobe_probes::diagnose::Code;
use sshprobe_probes::escape::quote;
use sshprobe_probes::evidence::TunnelTrouble;

/// How much of a program's words a sentence quotes, in characters.
const QUOTED: usize = 160;

/// What is wrong, if anything is: the words decide, and the exit status where they say nothing. gcloud exits with 0 whatever
/// happened.
pub(super) fn trouble(words: &[u8], status: Option<i32>) -> Option<TunnelTrouble> {
    let failed = status.filter(|status| *status != 0)?;
    let last = words.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).rfind(|line| !line.is_empty());
    let said = last.map_or_else(|| String::from(" without a word"), |line| format!(": {}", quote(line, QUOTED)));
    let detail = format!("the proxy command ended with status {failed}{said}");
    Some(TunnelTrouble { code: Code::ProxyCommandFailed, arg: Some(failed.to_string()), detail })
}
