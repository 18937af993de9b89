//! What a program that was to be the way to the target says about its failure.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use sshprobe_probes::diagnose::Code;
use sshprobe_probes::escape::quote;
use sshprobe_probes::evidence::TunnelTrouble;
use sshprobe_probes::proxy::Stderr;

/// How much of a program's words a sentence quotes, in characters.
const QUOTED: usize = 160;

/// How a program came to its end.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// By itself.
    Ended(ExitStatus),
    /// It was running when nobody wanted it any more, and had passed on bytes.
    Left,
    /// It was running, and had passed on nothing.
    Silent,
}

/// What is wrong, if anything is: the words decide, and how it ended where they say nothing (gcloud exits with 0 whatever
/// happened).
///
/// A program that ends well and without a word is no trouble: netcat does so where the server closes the connection.
pub(super) fn trouble(words: &Stderr, end: End) -> Option<TunnelTrouble> {
    if let Some(found) = words.trouble() {
        let detail = format!("the proxy command ({}) said {}", found.program, quote(&found.line, QUOTED));
        return Some(TunnelTrouble::lasting(found.code, found.arg, detail));
    }
    let last = words.last_line();
    let said =
        last.as_ref().map_or_else(|| String::from(" without a word"), |line| format!(": {}", quote(line, QUOTED)));
    let failed = |arg: String, detail: String| {
        Some(TunnelTrouble::lasting(Code::ProxyCommandFailed, Some(arg), format!("the proxy command {detail}")))
    };
    match end {
        End::Ended(status) => match (status.code(), status.signal()) {
            (Some(0), _) | (None, None) => None,
            (Some(status), _) => failed(status.to_string(), format!("ended with status {status}{said}")),
            // The status that a shell tells of it.
            (None, Some(signal)) => failed((128 + signal).to_string(), format!("was killed by signal {signal}{said}")),
        },
        End::Silent => {
            let detail = "was running and had passed on no byte: it did not reach the target, or the target is silent";
            failed(String::from("silent"), if last.is_some() { format!("{detail}{said}") } else { detail.to_owned() })
        }
        End::Left => None,
    }
}
