//! The relay's address, and the request that opens a tunnel through it.

use std::fmt::{self, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use super::target::{Backend, IapTarget};
use crate::escape;

/// The subprotocol to ask for, and the only one the answer may name.
pub const SUBPROTOCOL: &str = "relay.tunnel.cloudproxy.app";
/// The `Origin` the relay expects. It is no URL.
pub const ORIGIN: &str = "bot:iap-tunneler";

const GOOGLE_HOSTS: [&str; 2] = ["tunnel.cloudproxy.app", "mtls.tunnel.cloudproxy.app"];
const ROOT: &str = "/v4";
const URL_MAX: usize = 2048;
const SHOWN: usize = 60;

/// Where a relay is: `wss://HOST[:PORT][/PATH]`.
///
/// `ws://` is for a relay on this machine alone, as the token would travel in the clear. Whoever resolves the name
/// `localhost` for such a URL must see to it that the address is a loopback one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RelayUrl {
    tls: bool,
    host: Box<str>,
    port: u16,
    root: Box<str>,
}

/// Why a relay's URL cannot be used, and how to write it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RelayUrlError {
    /// Another scheme, or none.
    #[error("{0} is no relay's URL: write wss://HOST[:PORT][/PATH]")]
    Scheme(String),
    /// `ws://` to another machine.
    #[error("ws:// would show the token to the network: write wss://{0}, or ws:// with a loopback host")]
    Clear(String),
    /// `user@`.
    #[error("a user or password cannot stand in a relay's URL: give the token with --access-token-file")]
    Userinfo,
    /// `?` or `#`.
    #[error("a relay's URL has no query and no fragment: leave out what follows ? or #")]
    Query,
    /// No host, or one that is no host.
    #[error("{0} is no host: write wss://HOST[:PORT][/PATH]")]
    Host(String),
    /// A port that is none.
    #[error("{0} is no port: write one from 1 to 65535")]
    Port(String),
    /// A byte that no path has unescaped.
    #[error("{0} is no path: write letters, digits and /-._~")]
    Path(String),
    /// Longer than anything sensible.
    #[error("the URL is longer than {URL_MAX} bytes: write wss://HOST[:PORT][/PATH]")]
    TooLong,
}

impl Default for RelayUrl {
    /// Google's own: `wss://tunnel.cloudproxy.app/v4`.
    fn default() -> Self {
        Self { tls: true, host: "tunnel.cloudproxy.app".into(), port: 443, root: ROOT.into() }
    }
}

impl RelayUrl {
    /// Reads a URL. Scheme and host replace Google's; its path, unless it is `/`, replaces `/v4`, as gcloud's override does.
    ///
    /// # Errors
    /// One clause that names what is wrong and how to write it. What it quotes is safe to show.
    pub fn parse(text: &str) -> Result<Self, RelayUrlError> {
        if text.len() > URL_MAX {
            return Err(RelayUrlError::TooLong);
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| RelayUrlError::Scheme(shown(text)))?;
        let tls = if scheme.eq_ignore_ascii_case("wss") {
            true
        } else if scheme.eq_ignore_ascii_case("ws") {
            false
        } else {
            return Err(RelayUrlError::Scheme(shown(text)));
        };
        if rest.contains(['?', '#']) {
            return Err(RelayUrlError::Query);
        }
        let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(RelayUrlError::Userinfo);
        }
        let (host, port) = host_and_port(authority)?;
        let port = match port {
            None if tls => 443,
            None => 80,
            Some(text) => port_number(text).ok_or_else(|| RelayUrlError::Port(shown(text)))?,
        };
        let path = path.trim_end_matches('/');
        if !path.bytes().all(|byte| is_unreserved(byte) || byte == b'/') {
            return Err(RelayUrlError::Path(shown(path)));
        }
        let root = if path.is_empty() { ROOT } else { path };
        let url = Self { tls, host, port, root: root.into() };
        if !tls && !url.is_loopback() {
            return Err(RelayUrlError::Clear(escape::shorten(rest, SHOWN)));
        }
        Ok(url)
    }

    /// TLS is spoken: `wss://`.
    #[must_use]
    pub const fn tls(&self) -> bool {
        self.tls
    }

    /// The host, for the resolver and for SNI. An IPv6 address stands without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The `Host` header: with brackets, and with the port where it is not the scheme's own (RFC 9110 section 7.2).
    #[must_use]
    pub fn host_header(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_string() };
        if self.port == if self.tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }

    /// One of the names under which Google's relay goes, with TLS, so that the certificate proves it.
    ///
    /// A token that came from Google's credentials may go there; to any other host only one that the user handed over. Other
    /// universes' names are not among them: that `tunnel-cloudproxy.DOMAIN` is Google's cannot be seen from the name.
    #[must_use]
    pub fn is_googles(&self) -> bool {
        self.tls && GOOGLE_HOSTS.contains(&&*self.host)
    }

    /// The host is this machine by its spelling.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        &*self.host == "localhost"
            || self.host.parse::<Ipv4Addr>().is_ok_and(|addr| addr.is_loopback())
            || self.host.parse::<Ipv6Addr>().is_ok_and(|addr| addr.is_loopback())
    }

    /// Path and query of the request that opens a tunnel to `target`, in the order in which gcloud writes them.
    ///
    /// `default_port` is for a target that has none of its own.
    #[must_use]
    pub fn connect(&self, target: &IapTarget, default_port: u16) -> String {
        let mut path = format!("{}/connect?project=", self.root);
        encode(target.project(), &mut path);
        // `True` and not `true`: gcloud's spelling since 386.0.0.
        let _ = write!(path, "&port={}&newWebsocket=True", target.port().unwrap_or(default_port));
        let mut add = |name: &str, value: &str| {
            let _ = write!(path, "&{name}=");
            encode(value, &mut path);
        };
        match target.backend() {
            Backend::Instance { zone, instance, interface } => {
                add("zone", zone);
                add("instance", instance);
                add("interface", interface);
            }
            Backend::Host { region, network, group, host } => {
                add("region", region);
                add("network", network);
                add("host", host);
                add("group", group);
            }
        }
        path
    }
}

impl std::str::FromStr for RelayUrl {
    type Err = RelayUrlError;

    fn from_str(text: &str) -> Result<Self, RelayUrlError> {
        Self::parse(text)
    }
}

/// What [`RelayUrl::parse`] reads back as the same URL.
impl fmt::Display for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.tls { "wss" } else { "ws" }, self.host_header(), self.root)
    }
}

fn shown(text: &str) -> String {
    escape::quote(text, SHOWN)
}

/// RFC 3986 section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Appends `text` percent-encoded.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// A port, in digits alone.
pub(super) fn port_number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|port| *port != 0)
}

pub(super) fn host_and_port(authority: &str) -> Result<(Box<str>, Option<&str>), RelayUrlError> {
    let wrong = || RelayUrlError::Host(shown(authority));
    if let Some(inner) = authority.strip_prefix('[') {
        let (addr, behind) = inner.split_once(']').ok_or_else(wrong)?;
        let addr: Ipv6Addr = addr.parse().map_err(|_| wrong())?;
        let port = match behind.strip_prefix(':') {
            None if behind.is_empty() => None,
            None => return Err(wrong()),
            port => port,
        };
        return Ok((addr.to_string().into(), port));
    }
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let labels = host.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    });
    if labels && host.len() <= 253 { Ok((host.to_ascii_lowercase().into(), port)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(text: &str) -> IapTarget {
        IapTarget::parse(text).unwrap()
    }

    /// The request line that gcloud 578 was seen to send.
    #[test]
    fn the_request_is_gclouds() {
        let google = RelayUrl::default();
        assert_eq!(
            google.connect(&target("iap://my-proj/us-central1-a/vm1"), 22),
            "/v4/connect?project=my-proj&port=22&newWebsocket=True&zone=us-central1-a&instance=vm1&interface=nic0"
        );
        assert_eq!(
            google.connect(&target("iap://example.com:p/z/vm1:2222?interface=nic0.5"), 22),
            "/v4/connect?project=example.com%3Ap&port=2222&newWebsocket=True&zone=z&instance=vm1&interface=nic0.5"
        );
        assert_eq!(
            google.connect(&target("iap://p/us-east1/default/on-prem/[2001:db8::1]"), 2222),
            "/v4/connect?project=p&port=2222&newWebsocket=True&region=us-east1&network=default&host=2001%3Adb8%3A%3A1&group=on-prem"
        );
        assert_eq!(google.to_string(), "wss://tunnel.cloudproxy.app/v4");
        assert_eq!(google, RelayUrl::parse("wss://tunnel.cloudproxy.app").unwrap());
    }

    #[test]
    fn an_override_replaces_what_it_names() {
        for (text, host_header, root, shown) in [
            ("wss://relay.example", "relay.example", "/v4", "wss://relay.example/v4"),
            ("wss://Relay.Example:443/", "relay.example", "/v4", "wss://relay.example/v4"),
            ("WSS://relay.example:8443/v5/", "relay.example:8443", "/v5", "wss://relay.example:8443/v5"),
            ("ws://127.0.0.1:9000/a/b", "127.0.0.1:9000", "/a/b", "ws://127.0.0.1:9000/a/b"),
            ("ws://localhost", "localhost", "/v4", "ws://localhost/v4"),
            ("ws://[::1]:8080", "[::1]:8080", "/v4", "ws://[::1]:8080/v4"),
            ("wss://[2001:DB8::1]", "[2001:db8::1]", "/v4", "wss://[2001:db8::1]/v4"),
        ] {
            let url = RelayUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(url.host_header(), host_header);
            assert!(url.connect(&target("iap://p/z/vm"), 22).starts_with(&format!("{root}/connect?project=p&")));
            assert_eq!(url.to_string(), shown);
            assert_eq!(RelayUrl::parse(shown), Ok(url));
        }
    }

    #[test]
    fn only_googles_own_names_are_googles() {
        for yes in
            ["wss://tunnel.cloudproxy.app", "wss://mtls.tunnel.cloudproxy.app/v4", "wss://TUNNEL.cloudproxy.app:8443"]
        {
            assert!(RelayUrl::parse(yes).unwrap().is_googles(), "{yes}");
        }
        for no in [
            "wss://tunnel.cloudproxy.app.evil.example",
            "wss://tunnel-cloudproxy.evil.example",
            "wss://eviltunnel.cloudproxy.app",
            "wss://x.tunnel.cloudproxy.app",
            "ws://localhost",
        ] {
            assert!(!RelayUrl::parse(no).unwrap().is_googles(), "{no}");
        }
    }

    #[test]
    fn unusable_urls_are_named() {
        for (text, wanted) in [
            ("", "no relay's URL"),
            ("relay.example", "no relay's URL: write wss://"),
            ("https://relay.example", "no relay's URL"),
            ("ws://relay.example", "write wss://relay.example"),
            ("ws://tunnel.cloudproxy.app", "would show the token"),
            ("ws://127.0.0.1.example", "would show the token"),
            ("ws://localhost.example", "would show the token"),
            ("ws://10.0.0.1", "would show the token"),
            ("ws://[2001:db8::1]", "would show the token"),
            ("wss://user:pw@relay.example", "a user or password cannot stand"),
            ("wss://relay.example/?x=1", "no query"),
            ("wss://relay.example/#x", "no fragment"),
            ("wss://", "is no host"),
            ("wss://:443", "is no host"),
            ("wss://a b", "is no host"),
            ("wss://-a", "is no host"),
            ("wss://a\r\nb", "is no host"),
            ("wss://[::1", "is no host"),
            ("wss://[::1]x", "is no host"),
            ("wss://[x]", "is no host"),
            ("wss://a:", "is no port"),
            ("wss://a:0", "is no port"),
            ("wss://a:65536", "is no port"),
            ("wss://::1", "is no host"),
            ("wss://a/b c", "is no path"),
            ("wss://a/b\nc", "is no path"),
        ] {
            let error = RelayUrl::parse(text).expect_err(text).to_string();
            assert!(error.contains(wanted), "{text}: {error}");
            assert!(!error.chars().any(escape::is_unsafe) && !error.contains("pw"), "{error:?}");
        }
        assert_eq!(RelayUrl::parse(&format!("wss://a/{}", "b".repeat(3000))), Err(RelayUrlError::TooLong));
    }

    proptest! {
        #[test]
        fn encoding_leaves_nothing_that_ends_a_value(text in ".{0,40}") {
            let mut encoded = String::new();
            encode(&text, &mut encoded);
            prop_assert!(encoded.bytes().all(|byte| is_unreserved(byte) || byte == b'%'));
            prop_assert_eq!(encoded.bytes().filter(|byte| *byte == b'%').count(), text.bytes().filter(|byte| !is_unreserved(*byte)).count());
        }
    }
}
