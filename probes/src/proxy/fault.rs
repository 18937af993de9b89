//! What SOCKS5 and HTTP CONNECT have in common: where to, with which credentials, and how a proxy says no.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use crate::diagnose::Code;
use crate::escape;

/// The longest name a SOCKS5 request holds (RFC 1928 section 5), and the longest there is in the DNS.
const NAME_MAX: usize = 255;
/// The longest user name or password of RFC 1929 section 2.
const CREDENTIAL_MAX: usize = 255;
const SHOWN: usize = 60;

/// Where the proxy is to connect to. Nothing in it can break out of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    host: PeerHost,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PeerHost {
    Name(Box<str>),
    Addr(IpAddr),
}

/// What no proxy can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PeerError {
    /// A name that is empty, too long or has something in it that no host name has.
    #[error("{0} is no host name a proxy can be asked for: write letters, digits, dots, hyphens and underscores")]
    Name(String),
    /// Port 0.
    #[error("port 0 cannot be connected to: write 1 to 65535")]
    Port,
    /// A user name or password that the proxy's protocol cannot carry.
    #[error("the proxy's {0}")]
    Credentials(&'static str),
}

impl Peer {
    /// A name for the proxy to resolve (`socks5h://`, HTTP), or an address in any spelling.
    ///
    /// # Errors
    /// A name with anything in it that no host name has, port 0.
    pub fn new(host: &str, port: u16) -> Result<Self, PeerError> {
        if port == 0 {
            return Err(PeerError::Port);
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match (bare, host.parse::<Ipv4Addr>(), bare.unwrap_or(host).parse::<Ipv6Addr>()) {
            (_, _, Ok(addr)) => PeerHost::Addr(addr.into()),
            (None, Ok(addr), _) => PeerHost::Addr(addr.into()),
            _ => {
                let name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
                if host.is_empty() || host.len() > NAME_MAX || !host.bytes().all(name) {
                    return Err(PeerError::Name(escape::quote(host, SHOWN)));
                }
                PeerHost::Name(host.into())
            }
        };
        Ok(Self { host, port })
    }

    /// An address that was resolved here (`socks5://`).
    ///
    /// # Errors
    /// Port 0.
    pub const fn resolved(addr: IpAddr, port: u16) -> Result<Self, PeerError> {
        if port == 0 { Err(PeerError::Port) } else { Ok(Self { host: PeerHost::Addr(addr), port }) }
    }

    pub(super) const fn host(&self) -> &PeerHost {
        &self.host
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }
}

/// `host:port`, an IPv6 address in brackets.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            PeerHost::Name(name) => write!(f, "{name}:{}", self.port),
            PeerHost::Addr(IpAddr::V4(addr)) => write!(f, "{addr}:{}", self.port),
            PeerHost::Addr(IpAddr::V6(addr)) => write!(f, "[{addr}]:{}", self.port),
        }
    }
}

/// User name and password for a proxy. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: Box<str>,
    password: Box<str>,
}

impl Credentials {
    /// Credentials that either protocol can carry.
    ///
    /// # Errors
    /// A user name that is empty or has a colon in it (RFC 7617 section 2), either longer than 255 bytes (RFC 1929 section 2) or
    /// with a control character. The message shows neither.
    pub fn new(user: &str, password: &str) -> Result<Self, PeerError> {
        let wrong = if user.is_empty() {
            Some("user name is empty: give user and password")
        } else if user.contains(':') {
            Some("user name has a colon in it, which no proxy can be told")
        } else if user.len() > CREDENTIAL_MAX || password.len() > CREDENTIAL_MAX {
            Some("user name or password is longer than 255 bytes")
        } else if user.chars().chain(password.chars()).any(char::is_control) {
            Some("user name or password has a control character in it: remove it")
        } else {
            None
        };
        match wrong {
            Some(wrong) => Err(PeerError::Credentials(wrong)),
            None => Ok(Self { user: user.into(), password: password.into() }),
        }
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// What a piece of a proxy's answer led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// All of it was taken and more is wanted; there may be something to send.
    More,
    /// The connection stands. So many bytes of the piece were the proxy's; what follows comes through the tunnel.
    Connected(usize),
}

/// Why there is no connection through the proxy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyFault {
    /// A SOCKS5 reply other than 0 (RFC 1928 section 6).
    #[error("the proxy answered with SOCKS reply {0} ({meaning})", meaning = socks_reply(*.0))]
    SocksReply(u8),
    /// No authentication method in common (RFC 1928 section 3), with or without credentials to offer.
    #[error("the proxy accepts no authentication method that was offered")]
    NoMethod,
    /// User name and password were refused (RFC 1929 section 2).
    #[error("the proxy refused user name and password (status {0})")]
    Credentials(u8),
    /// HTTP 407.
    #[error("the proxy wants authentication (HTTP 407)")]
    AuthenticationRequired,
    /// Another HTTP status that is not 2xx.
    #[error("the proxy answered with HTTP status {0}")]
    HttpStatus(u16),
    /// What came is not the protocol.
    #[error("what answers is no {0} proxy")]
    NotAProxy(&'static str),
    /// More came than an answer can have.
    #[error("the proxy's answer is longer than {0} bytes")]
    TooLong(usize),
    /// The stream ended within the answer.
    #[error("the proxy hung up before it had answered")]
    Closed,
}

impl ProxyFault {
    /// The outcome and its parameter.
    #[must_use]
    pub fn verdict(&self) -> (Code, Option<String>) {
        match self {
            ProxyFault::SocksReply(reply) => (Code::ProxyRefused, Some(reply.to_string())),
            // As tinyproxy says that the credentials are wrong.
            ProxyFault::HttpStatus(401) => (Code::ProxyAuth, Some("401".to_owned())),
            ProxyFault::HttpStatus(status) => (Code::ProxyRefused, Some(status.to_string())),
            ProxyFault::NoMethod => (Code::ProxyAuth, Some("no-method".to_owned())),
            ProxyFault::Credentials(_) => (Code::ProxyAuth, Some("credentials".to_owned())),
            ProxyFault::AuthenticationRequired => (Code::ProxyAuth, Some("407".to_owned())),
            // A wrong port, or a proxy of another kind: there is no proxy there to speak of.
            ProxyFault::NotAProxy(_) | ProxyFault::TooLong(_) => {
                (Code::ProxyUnreachable, Some("not-a-proxy".to_owned()))
            }
            ProxyFault::Closed => (Code::ProxyUnreachable, Some("closed".to_owned())),
        }
    }
}

/// RFC 1928 section 6.
const fn socks_reply(reply: u8) -> &'static str {
    match reply {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused by the target",
        6 => "TTL expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => "of no known meaning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_written_as_an_authority() {
        for (host, shown) in [
            ("db.example", "db.example:22"),
            ("10.0.0.5", "10.0.0.5:22"),
            ("2001:DB8::1", "[2001:db8::1]:22"),
            ("[::1]", "[::1]:22"),
            ("a_b", "a_b:22"),
        ] {
            assert_eq!(Peer::new(host, 22).unwrap().to_string(), shown);
        }
        assert_eq!(Peer::resolved(Ipv6Addr::LOCALHOST.into(), 22), Peer::new("::1", 22));
        assert_eq!(
            (Peer::new("a", 0), Peer::resolved(Ipv4Addr::LOCALHOST.into(), 0)),
            (Err(PeerError::Port), Err(PeerError::Port))
        );
    }

    #[test]
    fn nothing_breaks_out_of_a_request() {
        let long = "a".repeat(256);
        for no in [
            "",
            " ",
            "a b",
            "a\r\nX: y",
            "a\n",
            "a:22",
            "a/b",
            "a@b",
            "fe80::1%eth0",
            "[a]",
            "[10.0.0.1]",
            "\u{e4}",
            &long,
        ] {
            let error = Peer::new(no, 22).expect_err(no).to_string();
            assert!(error.contains("is no host name") && !error.contains('\n'), "{error}");
        }
        assert!(Peer::new(&long[..255], 22).is_ok());
        for (user, password) in [("", "x"), ("a:b", "x"), (&*long, "x"), ("a", &*long), ("a\n", "x"), ("a", "x\0")] {
            let error = Credentials::new(user, password).expect_err(user);
            assert!(matches!(error, PeerError::Credentials(_)));
            assert!(!error.to_string().contains(&long) && !error.to_string().contains('\n'));
        }
        assert_eq!(format!("{:?}", Credentials::new("u", "secret").unwrap()), "Credentials(..)");
        assert!(Credentials::new("u", "").is_ok());
    }
}
