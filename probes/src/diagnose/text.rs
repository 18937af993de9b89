//! The words with which servers refuse: lines instead of an identification, and DISCONNECT texts.
//!
//! Lines are compared whole, without surrounding blanks, as the servers write them: a banner that merely talks about
//! `MaxStartups` must not count.

use super::code::Code;

/// What a refusal text means, and who sends it.
pub(super) fn refusal(line: &[u8]) -> Option<Code> {
    let line = line.trim_ascii();
    match line {
        // OpenSSH 8.2 to 9.7.
        b"Exceeded MaxStartups" => Some(Code::ThrottledMaxstartups),
        // OpenSSH 9.8 and later: PerSourcePenalties, MaxStartups or PerSourceMaxStartups, it does not say which.
        b"Not allowed at this time" => Some(Code::ThrottledOrPenalised),
        // OpenSSH before 8.0 and Erlang; OpenSSH; OpenSSH 8.0 and later.
        b"Protocol mismatch." | b"Protocol major versions differ." | b"Invalid SSH identification string." => {
            Some(Code::VersionRejected)
        }
        // Apache MINA.
        _ if line.starts_with(b"Unsupported protocol version: ") => Some(Code::VersionRejected),
        _ => None,
    }
}

/// sshd's dying words on the socket: started by inetd or a socket unit, its stderr is the connection.
pub(super) fn broken(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let starts = |prefix: &str| line.starts_with(prefix.as_bytes());
    let holds = |part: &str| super::sniff::contains(line, part.as_bytes());
    // `/etc/ssh/sshd_config: No such file or directory`, `/etc/ssh/sshd_config: line 3: Bad configuration option: x`,
    // `/usr/sbin/sshd: error while loading shared libraries: ...`
    let path = starts("/") && holds(": ");
    path || starts("Could not load host key")
        || starts("Unable to load host key")
        || starts("No host key is configured!")
        || starts("sshd: no hostkeys available")
        || starts("OpenSSL version mismatch.")
        || starts("Missing privilege separation directory")
        || starts("Privilege separation user ")
        || holds("Bad configuration option")
        || holds("bad configuration options")
}

/// What a DISCONNECT's description says where the reason code does not (OpenSSH's server uses 2 for everything).
pub(super) fn disconnect(text: &[u8]) -> Option<Code> {
    let text = text.trim_ascii();
    if let Some(code) = refusal(text) {
        return Some(code);
    }
    let starts = |prefix: &str| text.starts_with(prefix.as_bytes());
    let rows: [(bool, Code); 9] = [
        // OpenSSH; Go's two.
        (
            starts("Too many authentication failures")
                || starts("too many authentication failures")
                || starts("too many authentication attempts"),
            Code::AuthTooMany,
        ),
        (starts("no authentication methods enabled"), Code::AuthNoMethods),
        (starts("bad service request"), Code::ServiceDenied),
        // lshd, when our first line is not to its taste; Foundry, before any identification.
        (starts("Invalid handshake line."), Code::VersionRejected),
        (starts("No host key is configured!"), Code::SshdBroken),
        // lshd and AsyncSSH say which list had nothing in common; Twisted and MINA do not.
        (starts("No common key exchange method") || starts("No matching key exchange algorithm"), Code::NoCommonKex),
        (
            starts("No common hostkey algorithm") || starts("Unable to find compatible server host key"),
            Code::NoCommonHostkey,
        ),
        (starts("No matching encryption algorithm"), Code::NoCommonCipher),
        (starts("No matching MAC algorithm"), Code::NoCommonMac),
    ];
    rows.iter().find(|(matches, _)| *matches).map(|(_, code)| *code)
}

/// Complaints about the protocol itself, whichever stage they come in (all with reason 2).
pub(super) fn complains_of_protocol(text: &[u8]) -> bool {
    const COMPLAINTS: [&str; 8] = [
        "strict KEX violation",
        "multiple KEXINIT received",
        "Packet corrupt",
        "Corrupted padlen",
        "Corrupted MAC",
        "no matching DH grp found",
        "Packet too large",
        "Protocol error",
    ];
    let text = text.trim_ascii();
    COMPLAINTS.iter().any(|complaint| text.starts_with(complaint.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_whole_lines_as_the_servers_write_them() {
        assert_eq!(refusal(b"Exceeded MaxStartups"), Some(Code::ThrottledMaxstartups));
        assert_eq!(refusal(b"Exceeded MaxStartups\r"), Some(Code::ThrottledMaxstartups));
        assert_eq!(refusal(b"exceeded maxstartups"), None);
        assert_eq!(refusal(b"Exceeded MaxStartups, try later"), None);
        assert_eq!(refusal(b"Not allowed at this time"), Some(Code::ThrottledOrPenalised));
        assert_eq!(refusal(b"Protocol mismatch."), Some(Code::VersionRejected));
        assert_eq!(refusal(b"Unsupported protocol version: SSH-2.0-x"), Some(Code::VersionRejected));
    }

    #[test]
    fn a_broken_sshd_is_known_by_its_words() {
        for line in [
            "/etc/ssh/sshd_config: No such file or directory",
            "/etc/ssh/sshd_config: line 3: Bad configuration option: Fnord",
            "/usr/sbin/sshd: error while loading shared libraries: libcrypto.so.3",
            "Could not load host key. Closing connection...",
            "OpenSSL version mismatch. Built against 30000020, you have 30200010",
            "sshd: no hostkeys available -- exiting.",
        ] {
            assert!(broken(line.as_bytes()), "{line}");
        }
        assert!(!broken(b"blocked by twist"));
        assert!(!broken(b"No connection is available now. Try again later!"));
    }
}
