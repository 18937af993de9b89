//! What a program that was to be the way to the target says about its failure.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use sshprobe_probes::diagnose::{Code, Confidence};
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
        return Some(TunnelTrouble::lasting(found.code, found.arg, detail).believed(found.confidence));
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
            let silent = failed(
                String::from("silent"),
                if last.is_some() { format!("{detail}{said}") } else { detail.to_owned() },
            );
            // Which of the two it is nobody says.
            silent.map(|trouble| trouble.believed(Confidence::Medium))
        }
        End::Left => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How sure the reading of a text is goes with it; what is only seen to be silent has two causes.
    #[test]
    fn a_reading_is_as_sure_as_its_rule() {
        let believed = |text: &str, end| {
            let mut words = Stderr::new();
            words.feed(text.as_bytes());
            let known = words.trouble().map(|trouble| trouble.confidence);
            (trouble(&words, end).map(|trouble| trouble.confidence), known)
        };
        let gcloud =
            "ERROR: (gcloud.compute.start-iap-tunnel) Error while connecting [4003: 'failed to connect to backend'].";
        let ended = End::Ended(ExitStatus::from_raw(1 << 8));
        assert_eq!(believed(gcloud, ended), (Some(Confidence::High), Some(Confidence::High)));
        let unknown = "ERROR: [0] Error during local connection to [stdin]: Error while connecting [something new].";
        assert_eq!(believed(unknown, ended), (Some(Confidence::Low), Some(Confidence::Low)));
        assert_eq!(believed("no such words", ended), (Some(Confidence::High), None));
        assert_eq!(believed("", End::Silent), (Some(Confidence::Medium), None));
    }
}
