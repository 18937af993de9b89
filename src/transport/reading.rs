//! What a program that was to be the way to the target says about its failure.

use sshprobe_probes::diagnose::Code;
use sshprobe_probes::escape::quote;
use sshprobe_probes::evidence::TunnelTrouble;
use sshprobe_probes::proxy::Stderr;

/// How much of a program's words a sentence quotes, in characters.
const QUOTED: usize = 160;

/// What is wrong, if anything is: the words decide, and the exit status where they say nothing (gcloud exits with 0 whatever
/// happened). `status` is that of a program that ended by itself.
pub(super) fn trouble(words: &Stderr, status: Option<i32>) -> Option<TunnelTrouble> {
    if let Some(found) = words.trouble() {
        let detail = format!("the proxy command ({}) said {}", found.program, quote(&found.line, QUOTED));
        return Some(TunnelTrouble { code: found.code, arg: found.arg, detail });
    }
    let failed = status.filter(|status| *status != 0)?;
    let last = words.last_line();
    let said = last.map_or_else(|| String::from(" without a word"), |line| format!(": {}", quote(line, QUOTED)));
    let detail = format!("the proxy command ended with status {failed}{said}");
    Some(TunnelTrouble { code: Code::ProxyCommandFailed, arg: Some(failed.to_string()), detail })
}
