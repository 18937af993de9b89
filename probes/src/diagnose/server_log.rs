//! What a probe that came to an outcome leaves in the server's log: the operator's side of the same story.
//!
//! OpenSSH's lines at its default LogLevel INFO, seen on 9.2 and 10.5. 9.2 writes as `sshd`, 9.8 and later as
//! `sshd-session`, 10.0 and later also as `sshd-auth`.

use super::code::{Code, Status};

/// Nothing of sshd's was reached.
const NOTHING: &[&str] = &["nothing: the probe did not get as far as sshd"];

/// What a connection leaves that was accepted and on which nobody got to speak.
const ACCEPTED: &[&str] = &[
    "nothing, or `Connection closed by IP port N` once sshd gets to it (`Connection reset by` where the probe reset it)",
    "what kept sshd from answering stands beside it, if anything does",
];

/// What is left by leaving with DISCONNECT 11 after both have spoken.
const BYE: &[&str] = &[
    "`Received disconnect from IP port N:11: sshprobe [preauth]`",
    "`Disconnected from IP port N [preauth]`",
    "where the connection was lost or closed instead: `Connection closed by IP port N [preauth]` or `Connection reset by IP port N [preauth]`",
];

/// The same after a user was named.
const BYE_USER: &[&str] = &[
    "`Received disconnect from IP port N:11: sshprobe [preauth]`",
    "the user exists: `Disconnected from authenticating user USER IP port N [preauth]`",
    "the user does not exist: `Invalid user USER from IP port N` and `Disconnected from invalid user USER IP port N [preauth]`; fail2ban counts the first",
];

/// No algorithm in common: sshd says what was looked for.
const NEGOTIATION: &[&str] = &[
    "`Unable to negotiate with IP port N: no matching ... found. Their offer: ... [preauth]` (fail2ban counts it in mode extra)",
];

/// What every depth of a healthy probe leaves.
const BY_DEPTH: &[&str] = &[
    "--depth connect: nothing, as the probe resets a connection on which nothing was said",
    "--depth ident: `Connection closed by IP port N`, on 9.2 after `kex_exchange_identification: Connection closed by remote host`",
    "--depth kexinit and kex: `Received disconnect from IP port N:11: sshprobe [preauth]` and `Disconnected from IP port N [preauth]`",
    "--depth auth, the user exists: `Received disconnect from ...` and `Disconnected from authenticating user USER IP port N [preauth]`",
    "--depth auth, the user does not exist: `Invalid user USER from IP port N` and `Disconnected from invalid user USER ...`; fail2ban counts the first, so name one who exists (-l)",
    "OpenSSH 9.8 and later at LogLevel VERBOSE also: `srclimit_penalise: ... deferred penalty of 1.000 seconds for penalty: ...`",
    "dropbear: `Child connection from IP:N` and `Exit before auth from <IP:N>: ...`",
];

impl Code {
    /// What a probe with this outcome leaves in the log of an OpenSSH server, one line each.
    #[must_use]
    pub const fn server_log(self) -> &'static [&'static str] {
        match self {
            Code::Ok => BY_DEPTH,
            Code::ConnectedNoIdent | Code::ClosedNoIdent | Code::ResetNoIdent => ACCEPTED,
            Code::ClosedAfter5s => &["`refused connect from NAME (IP)`, by TCP wrappers"],
            Code::RefusedText => {
                &["`refused connect from NAME (IP)` if TCP wrappers sent the text; else whatever that program logs"]
            }
            Code::SshdBroken => {
                &["sshd's own complaint, on standard error or in the journal of its unit: journalctl -u ssh"]
            }
            Code::ThrottledMaxstartups => &[
                "`drop connection #N from [IP]:P on [IP]:22 past MaxStartups`, at times `beginning MaxStartups throttling`",
            ],
            Code::ThrottledOrPenalised => &[
                "`drop connection #N from [IP]:P on [IP]:22 Maxstartups`, or with `penalty: REASON` at its end",
                "where the penalty comes from, at LogLevel VERBOSE: `srclimit_penalise: ...`",
            ],
            Code::NotSsh | Code::Tarpit | Code::AcceptAllMiddlebox => &[
                "nothing of sshd's; the service there may log a connection, or a request `SSH-2.0-sshprobe_...` it cannot read",
            ],
            Code::VersionRejected => &[
                "`banner exchange: Connection from IP port N: invalid format`, with the line that came if a middlebox changed it",
            ],
            Code::IdentTimeout | Code::IdentMalformed | Code::Ssh1Only => {
                &["`Connection closed by IP port N`, if it is an sshd and gets that far"]
            }
            Code::NoCommonKex
            | Code::NoCommonHostkey
            | Code::NoCommonCipher
            | Code::NoCommonMac
            | Code::NoCommonCompression => NEGOTIATION,
            Code::RefusedAtUserauth => &[
                "`administratively prohibited connection for USER from IP port N` if RefuseConnection matched; else why it ended: `fatal:`",
            ],
            Code::AuthFailed => &["`Failed METHOD for USER from IP port N ssh2`; fail2ban counts it"],
            Code::AuthKeyRefused
            | Code::AuthSigAlg
            | Code::AuthNoCommonMethod
            | Code::AuthPartial
            | Code::AuthNoMethods => &[
                "`Disconnected from authenticating user USER IP port N [preauth]`; from the fourth unknown key on also `Failed publickey for USER ...`",
                "at LogLevel VERBOSE: `Postponed publickey`, `Accepted key ... found at FILE:LINE`, or why the file was not looked at",
            ],
            Code::AuthRefusedAfterKey => {
                &["`User USER from IP not allowed because ...` or the account rule of PAM; fail2ban counts the first"]
            }
            Code::AuthTooMany => &[
                "`error: maximum authentication attempts exceeded for USER from IP port N ssh2 [preauth]`",
                "`Disconnecting authenticating user USER IP port N: Too many authentication failures [preauth]`; fail2ban counts both",
            ],
            Code::AuthTimeout => BYE_USER,
            Code::IapBackendClosed => ACCEPTED,
            Code::HostKeyChanged
            | Code::HostKeyRevoked
            | Code::HostCertInvalid
            | Code::HostKeyTypeUnknown
            | Code::HostKeyTypeGone
            | Code::HostKeyUnknown => BYE_USER,
            _ => match self.status() {
                Status::Refused
                | Status::Unreachable
                | Status::TunnelFailure
                | Status::DnsFailure
                | Status::LocalError => NOTHING,
                _ => match self {
                    Code::TimeoutConnect => NOTHING,
                    _ => BYE,
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_says_what_it_leaves() {
        for code in Code::ALL {
            let lines = code.server_log();
            assert!(!lines.is_empty(), "{code}");
            for line in lines {
                assert!(
                    !line.contains("  ") && !line.chars().any(char::is_control) && !line.ends_with('.'),
                    "{code}: {line}"
                );
            }
        }
        assert_eq!(Code::TimeoutConnect.server_log(), NOTHING);
        assert_eq!(Code::DnsTimeout.server_log(), NOTHING);
        assert_eq!(Code::KexTimeout.server_log(), BYE);
    }
}
