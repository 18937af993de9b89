//! Why a host on the way could not connect to the target: the words of its C library, which OpenSSH passes on.

/// The words of strerror(3) and gai_strerror(3), and the code that a probe from there would have.
const WORDS: [(&str, &str); 7] = [
    ("Connection refused", "refused"),
    ("Connection timed out", "timeout-connect"),
    ("No route to host", "unreachable-host"),
    ("Network is unreachable", "unreachable-net"),
    ("Name or service not known", "dns-nxdomain"),
    ("nodename nor servname provided", "dns-nxdomain"),
    ("Temporary failure in name resolution", "dns-servfail"),
];

/// What a jump host met that refused a direct-tcpip channel as `connect failed` (RFC 4254 section 5.1), by its description:
/// `connect-failed` where that tells nothing, as when sshd says `open failed`.
#[must_use]
pub fn connect_failed(description: &str) -> &'static str {
    let known = WORDS.iter().find(|(words, _)| description.contains(words));
    known.map_or("connect-failed", |(_, code)| code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::Code;

    #[test]
    fn what_is_said_is_a_code() {
        for (words, code) in WORDS {
            assert_eq!(connect_failed(words), code);
            assert!(Code::ALL.iter().any(|known| known.name() == code), "{code}");
        }
        assert_eq!(connect_failed("open failed"), "connect-failed");
        assert_eq!(connect_failed(""), "connect-failed");
    }
}
