//! Which protocol it is that is not SSH, by the first bytes the server sent.

/// The protocol that `first` begins like, by the word that `not-ssh` carries as its parameter.
pub(super) fn sniff(first: &[u8]) -> Option<&'static str> {
    PREFIXES.iter().find(|(prefix, _)| first.starts_with(prefix)).map(|(_, name)| *name).or_else(|| {
        if is_tls(first) {
            Some("tls")
        } else if is_telnet(first) {
            Some("telnet")
        } else if is_mysql(first) {
            Some("mysql")
        } else if starts_ignoring_case(first, b"<html") || starts_ignoring_case(first, b"<!doctype html") {
            // Python's http.server answers a request it cannot parse with a bare page, without status line.
            Some("http")
        } else {
            numeric_greeting(first)
        }
    })
}

/// Signatures that are whole at the first bytes, longest first where one begins like another.
const PREFIXES: &[(&[u8], &str)] = &[
    (b"HTTP/", "http"),
    (b"RTSP/", "rtsp"),
    (b"SIP/2.0", "sip"),
    (b"* OK", "imap"),
    (b"* PREAUTH", "imap"),
    (b"* BYE", "imap"),
    (b"+OK", "pop3"),
    // POP3 greets with +OK before it would ever complain; Redis says nothing before it does.
    (b"-ERR", "redis"),
    (b"-DENIED", "redis"),
    (b"-NOAUTH", "redis"),
    (b"RFB 0", "vnc"),
    (b"\x03\x00\x00", "rdp"),
    (b"@RSYNCD:", "rsync"),
    (b"AMQP", "amqp"),
    (b"<?xml", "xmpp"),
    (b"<stream:", "xmpp"),
    (b"PROXY TCP", "proxy-protocol"),
    (b"PROXY UNKNOWN", "proxy-protocol"),
    (b"\r\n\r\n\0\r\nQUIT\n", "proxy-protocol"),
];

/// An alert or a handshake record: type, version 3.x, a length below 2^14 + 2048 (RFC 8446 section 5.1).
fn is_tls(first: &[u8]) -> bool {
    matches!(first, [0x15 | 0x16, 0x03, 0x00..=0x04, length, _, ..] if *length <= 0x48)
}

/// IAC and an option negotiation or subnegotiation (RFC 854).
fn is_telnet(first: &[u8]) -> bool {
    matches!(first, [0xff, 0xfa..=0xfe, ..])
}

/// Three bytes of length, sequence number 0, then protocol 10 with a version, or an error packet (host not allowed).
fn is_mysql(first: &[u8]) -> bool {
    match first {
        [_, _, 0, 0, 0x0a, b'0'..=b'9', ..] => true,
        [_, _, 0, 0, 0xff, _, _, text @ ..] => contains(text, b"MySQL") || contains(text, b"MariaDB"),
        _ => false,
    }
}

/// Three digits and a text (RFC 959, RFC 5321, RFC 3977): the text tells which, else what it answered to our identification.
fn numeric_greeting(first: &[u8]) -> Option<&'static str> {
    let [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ' | b'-', text @ ..] = first else {
        return None;
    };
    let says = |word: &[u8]| contains_ignoring_case(text, word);
    match (a, b, c) {
        _ if says(b"ftp") => Some("ftp"),
        _ if says(b"smtp") || says(b"postfix") || says(b"exim") || says(b"sendmail") => Some("smtp"),
        (b'2', b'0', b'0' | b'1') if says(b"nntp") || says(b"news") => Some("nntp"),
        // Enhanced status codes (RFC 3463) are SMTP's alone.
        (b'2', b'2', b'0') | (b'4', b'2', b'1') | (b'5', b'5', b'4')
            if contains(text, b" 5.") || contains(text, b" 4.") =>
        {
            Some("smtp")
        }
        (b'5', b'5', b'4') => Some("smtp"),
        (b'2', b'2', b'0') => Some("ftp-or-smtp"),
        _ => None,
    }
}

fn starts_ignoring_case(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

pub(super) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn contains_ignoring_case(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// The bytes read as text: what a person could have written, in whatever encoding, with line ends, tabs and colours.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let printable = bytes.iter().filter(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t')).count();
    let control = bytes.iter().any(|byte| matches!(byte, 0..=6 | 0x0e..=0x1a | 0x1c..=0x1f));
    !control && (std::str::from_utf8(bytes).is_ok() || printable.saturating_mul(2) >= bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_known_by_their_first_bytes() {
        let rows: &[(&[u8], Option<&str>)] = &[
            (b"HTTP/1.1 400 Bad Request\r\n", Some("http")),
            (b"<!DOCTYPE HTML>\n<html lang=\"en\">", Some("http")),
            (b"<HTML><head>", Some("http")),
            (b"\x15\x03\x01\x00\x02\x02\x46", Some("tls")),
            (b"\x15\x03\x03\x00\x02\x02\x0a", Some("tls")),
            (b"\x15\x04\x03\x00\x02\x02\x0a", None),
            (b"\x15\x03\x03\xff\x02\x02\x0a", None),
            (b"220 mx.example.org ESMTP Postfix\r\n", Some("smtp")),
            (b"220 mx.example.org ready\r\n502 5.5.2 Error: command not recognized\r\n", Some("smtp")),
            (b"220---------- Welcome to Pure-FTPd", Some("ftp")),
            (b"220 (vsFTPd 3.0.3)\r\n", Some("ftp")),
            (b"220 ready\r\n", Some("ftp-or-smtp")),
            (b"554 no access\r\n", Some("smtp")),
            (b"200 news.example.org ready (posting ok)\r\n", Some("nntp")),
            (b"200 lines follow", None),
            (b"2200 elephants", None),
            (b"* OK [CAPABILITY IMAP4rev1] ready", Some("imap")),
            (b"+OK POP3 ready <1@x>", Some("pop3")),
            (b"-ERR unknown command 'SSH-2.0-x'", Some("redis")),
            (b"\xff\xfd\x18\xff\xfd\x20", Some("telnet")),
            (b"\xff\xff\x18", None),
            (b"RFB 003.008\n", Some("vnc")),
            (b"\x4a\x00\x00\x00\x0a8.0.36\x00", Some("mysql")),
            (b"\x45\x00\x00\x00\xff\x6a\x04Host 'x' is not allowed to connect to this MariaDB server", Some("mysql")),
            (b"\x00\x00\x00\x0c\x0a\x14", None),
            (b"\x03\x00\x00\x0b\x06\xd0", Some("rdp")),
            (b"PROXY TCP4 10.0.0.1 10.0.0.2 1 22\r\n", Some("proxy-protocol")),
            (b"\x0d\x0a\x0d\x0a\x00\x0d\x0aQUIT\x0a\x21", Some("proxy-protocol")),
            (b"Exceeded MaxStartups\r\n", None),
            (b"SSH-2.0-OpenSSH_9.2", None),
            (b"", None),
        ];
        for (bytes, protocol) in rows {
            assert_eq!(sniff(bytes), *protocol, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn text_is_told_from_binary() {
        assert!(is_text(b"blocked by twist\n"));
        assert!(is_text("gesperrt \u{2014} \u{1b}[31mverboten".as_bytes()));
        assert!(is_text(b"caf\xe9 ferm\xe9"));
        assert!(!is_text(b"\x00\x00\x00\x2c\x06\x14"));
        assert!(!is_text(b"\xff\xd8\xff\xe0\xff\xff"));
    }
}
