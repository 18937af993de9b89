//! `[user@]host[:port]` and `ssh://` as ProxyJump and the command line take them.

use std::fmt;

use super::number;

/// One jump host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// Whom to log in as there; `None` leaves it to the configuration of that host.
    pub user: Option<String>,
    /// Its name as a configuration knows it, without brackets.
    pub host: String,
    /// Its port; `None` leaves it to the configuration of that host.
    pub port: Option<u16>,
}

/// As `ssh -G` shows it: addresses in brackets.
impl fmt::Display for Jump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        let numeric = self.host.contains(':') || self.host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if numeric {
            write!(f, "[{}]", self.host)?
        } else {
            f.write_str(&self.host)?
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// The hosts of a ProxyJump, the one to reach first in front. `None` if one of them is none.
#[must_use]
pub fn chain(text: &str) -> Option<Vec<Jump>> {
    text.split(',').map(jump).collect()
}

/// The hosts of a chain, and whether the first of them is reached straight, whatever its own configuration says.
///
/// In front of others `none` is no host: of `none,a,b` ssh reaches `a` by `ssh -J none a`. Elsewhere a host is called so.
#[must_use]
pub fn straight(chain: &[Jump]) -> (bool, &[Jump]) {
    match chain {
        [Jump { user: None, host, port: None }, rest @ ..] if host.eq_ignore_ascii_case("none") && !rest.is_empty() => {
            (true, rest)
        }
        all => (false, all),
    }
}

fn jump(text: &str) -> Option<Jump> {
    match uri(text) {
        Uri::Is(jump) => Some(jump),
        Uri::Bad => None,
        Uri::None => {
            let (user, place) = text.rsplit_once('@').map_or((None, text), |(user, place)| (Some(user), place));
            let (host, port) = host_and_rest(place)?;
            let port = match port {
                None | Some((_, "")) => None,
                Some((':', port)) => Some(number::port(port)?),
                Some(_) => return None,
            };
            let user = user.map(|user| (!user.is_empty()).then(|| user.to_owned()).ok_or(()));
            Some(Jump { user: user.transpose().ok()?, host: host.to_owned(), port })
        }
    }
}

/// Whether a text is an `ssh://` URI.
pub(super) enum Uri {
    Is(Jump),
    Bad,
    None,
}

pub(super) fn uri(text: &str) -> Uri {
    match text.strip_prefix("ssh://") {
        None => Uri::None,
        Some(rest) => uri_rest(rest, is_domain).map_or(Uri::Bad, Uri::Is),
    }
}

/// `[user@]host[:port]` behind `ssh://`. Other than for ssh, an IPv6 address in brackets is a host too.
#[must_use]
pub fn behind_scheme(text: &str) -> Option<Jump> {
    uri_rest(text, |host| is_domain(host) || host.contains(':'))
}

fn uri_rest(text: &str, fits: impl Fn(&str) -> bool) -> Option<Jump> {
    let (user, place) = text.split_once('@').map_or((None, text), |(user, place)| (Some(user), place));
    let user = match user {
        // Behind `;` would stand connection parameters, which ssh does not know either.
        Some(user) => Some(percent_decoded(user.split(';').next().unwrap_or_default())?),
        None => None,
    };
    if user.as_deref() == Some("") {
        return None;
    }
    let (host, rest) = host_and_rest(place)?;
    if !fits(host) {
        return None;
    }
    let port = match rest {
        None | Some((_, "")) => None,
        Some((':', rest)) => {
            let (port, path) = rest.split_once('/').unwrap_or((rest, ""));
            if !path.is_empty() {
                return None;
            }
            Some(number::port(port)?)
        }
        // A path, which a ProxyJump has no use for.
        Some(_) => return None,
    };
    Some(Jump { user, host: host.to_owned(), port })
}

/// The host at the start, without brackets, and the `:` or `/` behind it with all that follows.
fn host_and_rest(text: &str) -> Option<(&str, Option<(char, &str)>)> {
    let end = match text.strip_prefix('[') {
        Some(inside) => inside.find(']')?.checked_add(2)?,
        None => text.find([':', '/']).unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at_checked(end)?;
    let host = host.strip_prefix('[').and_then(|inside| inside.strip_suffix(']')).unwrap_or(host);
    let mut rest_chars = rest.chars();
    let rest = match rest_chars.next() {
        None => None,
        Some(sign @ (':' | '/')) => Some((sign, rest_chars.as_str())),
        Some(_) => return None,
    };
    // ssh looks at what it found before the brackets are off.
    (end > 0).then_some((host, rest))
}

fn is_domain(host: &str) -> bool {
    host.len() <= 1024
        && host.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        && !host.contains("..")
}

/// `%41` is `A`, `+` a blank. `None` for anything else behind `%`.
fn percent_decoded(text: &str) -> Option<String> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text.bytes());
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let [high, low] = [rest.next()?, rest.next()?].map(|digit| char::from(digit).to_digit(16));
                u8::try_from(high?.checked_mul(16)?.checked_add(low?)?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jump_hosts() {
        for (text, shown) in [
            ("h", Some("h")),
            ("u@h:33", Some("u@h:33")),
            ("u@v@h", Some("u@v@h")),
            ("[::1]:5", Some("[::1]:5")),
            ("::1", None),
            ("1.2.3.4", Some("[1.2.3.4]")),
            ("ssh://u%40x@h:44/", Some("u@x@h:44")),
            ("ssh://h", Some("h")),
            ("ssh://[::1]", None),
            ("ssh://h/path", None),
            ("ssh://", None),
            ("ssh://@h", None),
            ("h/x", None),
            ("@h", None),
            ("u@", None),
            ("", None),
            ("h:0", None),
            ("h:", Some("h")),
            ("[h", None),
        ] {
            assert_eq!(jump(text).map(|jump| jump.to_string()).as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn none_in_front_of_a_chain_is_no_host() {
        for (text, straight_to, hosts) in [
            ("a,b", false, "a,b"),
            ("none,a", true, "a"),
            ("NONE,a,b", true, "a,b"),
            ("none,none,a", true, "none,a"),
            ("a,none", false, "a,none"),
            ("u@none,a", false, "u@none,a"),
            ("none:22,a", false, "none:22,a"),
            ("none", false, "none"),
        ] {
            let chain = chain(text).unwrap();
            let (is_straight, rest) = straight(&chain);
            let shown: Vec<_> = rest.iter().map(ToString::to_string).collect();
            assert_eq!((is_straight, shown.join(",").as_str()), (straight_to, hosts), "{text}");
        }
    }
}
