//! The parsers of option values. An error is the rest of a sentence that begins with the option and the value given.

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use sshprobe_probes::plan::Depth;
use sshprobe_probes::trust::KeyTypes;

use crate::cli::duration;
use crate::cli::exit::FailOn;
use crate::report::columns::COLUMNS;
use crate::report::{Columns, FORMATS, Format};
use crate::target::Share;

/// A duration above zero.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        Duration::ZERO => Err(String::from("leaves no time at all; give more than 0")),
        span => Ok(span),
    }
}

/// A duration; zero is meant.
pub(super) fn span_or_zero(text: &str) -> Result<Duration, String> {
    duration::parse(text)
}

/// A whole number from 0.
pub(super) fn whole<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(String::from("is not a whole number from 0"));
    }
    text.parse().map_err(|_| String::from("is too large"))
}

/// A whole number from 1.
pub(super) fn at_least_one<N: std::str::FromStr + PartialEq + From<u8>>(text: &str) -> Result<N, String> {
    match whole::<N>(text) {
        Ok(n) if n == N::from(0) => Err(String::from("must be at least 1")),
        other => other,
    }
}

/// [`at_least_one`] as a type.
pub(super) fn at_least_one_nonzero(text: &str) -> Result<NonZeroUsize, String> {
    NonZeroUsize::new(whole(text)?).ok_or_else(|| String::from("must be at least 1"))
}

/// [`at_least_one`] as a type.
pub(super) fn at_least_one_u32(text: &str) -> Result<NonZeroU32, String> {
    NonZeroU32::new(whole(text)?).ok_or_else(|| String::from("must be at least 1"))
}

/// How often to try again: more than a few tries make OpenSSH punish the address they come from.
pub(super) fn retries(text: &str) -> Result<u32, String> {
    match whole::<u32>(text)? {
        n if n > 10 => Err(String::from("is more than 10, which servers answer with a ban")),
        n => Ok(n),
    }
}

/// A seed: decimal, or hexadecimal after `0x`.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => u64::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None => whole(text).ok(),
    };
    parsed.ok_or_else(|| String::from("is not a number from 0 to 18446744073709551615 (or 0x and hexadecimal digits)"))
}

/// `--shard`.
pub(super) fn shard(text: &str) -> Result<Share, String> {
    text.parse()
}

/// A depth by its name.
pub(super) fn depth(text: &str) -> Result<Depth, String> {
    let names: Vec<&str> = Depth::ALL.iter().map(|depth| depth.name()).collect();
    one_of(text, &names).map(|at| Depth::ALL[at])
}

/// A format by its name.
pub(super) fn format(text: &str) -> Result<&'static Format, String> {
    let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    one_of(text, &names).map(|at| &FORMATS[at])
}

/// `--columns`.
pub(super) fn columns(text: &str) -> Result<Columns, String> {
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    let chosen = text.split(',').map(str::trim).map(|word| match names.iter().position(|name| *name == word) {
        Some(at) => Ok(&COLUMNS[at]),
        None => Err(stranger(text, word, &names)),
    });
    chosen.collect::<Result<_, _>>().map(Columns)
}

/// `--fail-on`.
pub(super) fn fail_on(text: &str) -> Result<FailOn, String> {
    text.parse()
}

/// The types of key by the names that `ssh-keyscan -t` has for them; each stands for one or several types on the wire.
const KEY_TYPES: [(&str, &[&str]); 6] = [
    ("ed25519", &["ssh-ed25519"]),
    ("ecdsa", &["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"]),
    ("rsa", &["ssh-rsa"]),
    ("dsa", &["ssh-dss"]),
    ("ed25519-sk", &["sk-ssh-ed25519@openssh.com"]),
    ("ecdsa-sk", &["sk-ecdsa-sha2-nistp256@openssh.com"]),
];

/// Every type of key, as known_hosts names it.
pub(super) fn every_key_type() -> impl Iterator<Item = &'static str> {
    KEY_TYPES.iter().flat_map(|(_, types)| types.iter().copied())
}

/// `--host-key-types`.
pub(super) fn key_types(text: &str) -> Result<KeyTypes, String> {
    match text {
        "first" => Ok(KeyTypes::First),
        "all" => Ok(KeyTypes::All),
        _ => key_type_list(text, &["first", "all"]).map(KeyTypes::Listed),
    }
}

/// `sshprobe keys --type`.
pub(super) fn key_types_written(text: &str) -> Result<KeyTypes, String> {
    if text == "all" { Ok(KeyTypes::All) } else { key_type_list(text, &["all"]).map(KeyTypes::Listed) }
}

/// Types of key, short as for `ssh-keyscan -t` or in full as in known_hosts, joined by commas. `alone` are the words that can
/// stand in their place.
fn key_type_list(text: &str, alone: &[&str]) -> Result<Vec<&'static str>, String> {
    let mut types = Vec::new();
    for word in text.split(',').map(str::trim) {
        let short = KEY_TYPES.iter().find(|(name, _)| *name == word).map(|(_, types)| *types);
        let full = || {
            KEY_TYPES.iter().find_map(|(_, types)| types.iter().find(|name| **name == word)).map(std::slice::from_ref)
        };
        let Some(meant) = short.or_else(full) else {
            let names: Vec<&str> = alone.iter().copied().chain(KEY_TYPES.iter().map(|(name, _)| *name)).collect();
            return Err(match word {
                _ if alone.contains(&word) => format!("has {word} beside others; it stands alone"),
                _ => stranger(text, word, &names),
            });
        };
        types.extend(meant.iter().filter(|kind| !types.contains(*kind)).copied().collect::<Vec<_>>());
    }
    Ok(types)
}

/// A name to look up in known_hosts.
pub(super) fn alias(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(|c| c.is_control() || c.is_whitespace() || ",*?!|".contains(c)) {
        return Err(String::from("cannot be the name of a host in known_hosts; write it without pattern characters"));
    }
    Ok(text.to_owned())
}

/// A user name as it goes into USERAUTH_REQUEST (RFC 4252 section 5).
pub(super) fn user(text: &str) -> Result<String, String> {
    match text {
        "" => Err(String::from("is empty; name a user or leave the option out")),
        _ if text.len() > 255 => Err(String::from("is longer than 255 bytes")),
        _ if text.chars().any(char::is_control) => Err(String::from("contains a control character")),
        _ => Ok(text.to_owned()),
    }
}

/// A name server.
pub(super) fn resolver(text: &str) -> Result<SocketAddr, String> {
    crate::resolve::server(text)
}

/// Where connections come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// An address of this machine's.
    pub addr: IpAddr,
    /// What stands behind a % of it: the interface that a link-local one is an address of.
    pub scope: Option<String>,
}

/// An address that connections come from. The kernel lets a socket be bound to many more, and then sends from another one, or
/// sends what nobody can answer. An IPv4 address written as IPv6 is what the kernel takes it for.
pub(super) fn source(text: &str) -> Result<Source, String> {
    let (addr, scope) = text.split_once('%').map_or((text, None), |(addr, scope)| (addr, Some(scope)));
    let addr: IpAddr = addr.parse().map_err(|_| "is not an address; write one like 192.0.2.7 or 2001:db8::7")?;
    let addr = addr.to_canonical();
    let what = match addr {
        _ if addr.is_unspecified() => "stands for every address",
        _ if addr.is_multicast() => "is a multicast address",
        IpAddr::V4(addr) if addr.is_broadcast() => "is a broadcast address",
        _ => {
            let scope = match scope {
                Some(_) if !is_link_local(addr) => {
                    return Err(String::from(
                        "has a %, which belongs to link-local addresses (fe80::/10) only; leave it away",
                    ));
                }
                Some("") => return Err(String::from("names no interface behind the %; write one like fe80::7%eth0")),
                Some(scope) => Some(interface(scope).map_err(|why| format!("has behind the % what {why}"))?),
                None => None,
            };
            return Ok(Source { addr, scope });
        }
    };
    Err(format!("{what}, and nothing can be sent from there; `ip address` lists the addresses of this machine"))
}

/// Whether an address says nothing without an interface.
pub(super) fn is_link_local(addr: IpAddr) -> bool {
    matches!(addr, IpAddr::V6(addr) if addr.is_unicast_link_local())
}

/// An interface's name: 1 to 15 bytes (IFNAMSIZ), no slash, no space.
pub(super) fn interface(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 15 || text.bytes().any(|b| b == b'/' || b.is_ascii_whitespace() || b == 0) {
        return Err(String::from("cannot be the name of an interface; `ip link` lists them"));
    }
    Ok(text.to_owned())
}

/// The place of `text` in `names`.
fn one_of(text: &str, names: &[&str]) -> Result<usize, String> {
    names.iter().position(|name| *name == text).ok_or_else(|| none_of(text, names))
}

/// Says that `word` of the list `text` is no member of a closed set of names.
pub(super) fn stranger(text: &str, word: &str, names: &[&str]) -> String {
    match word {
        "" if text.trim().is_empty() => format!("names nothing; give one or more of {}", names.join(", ")),
        "" => format!("has a comma with nothing beside it; between commas stands one of {}", names.join(", ")),
        // The line begins with the whole list: where it is one word, that is shown already.
        _ if text.trim() == word => none_of(word, names),
        _ => format!("has `{}`, which {}", word.escape_default(), none_of(word, names)),
    }
}

/// Says that `text` is no member of a closed set of names, and which it may have meant.
pub(super) fn none_of(text: &str, names: &[&str]) -> String {
    let near = names.iter().filter_map(|name| Some((slips(text, name)?, name))).min();
    let meant = near.map_or_else(String::new, |(_, name)| format!("; did you mean {name}?"));
    format!("is none of {}{meant}", names.join(", "))
}

/// The few of `names` that `text` may have been meant to be, the nearest first: by a slip or two, else by their beginning.
pub(super) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str> + Clone) -> Vec<&'a str> {
    let mut near: Vec<(usize, &str)> = names.clone().filter_map(|name| Some((slips(text, name)?, name))).collect();
    near.sort_unstable();
    near.dedup();
    // Where one slip explains it, two are not what happened.
    let least = near.first().map_or(0, |(edits, _)| *edits);
    near.retain(|(edits, _)| *edits == least);
    let mut near: Vec<&str> = near.into_iter().map(|(_, name)| name).collect();
    if near.is_empty() && text.len() >= 3 {
        near = names.filter(|name| name.contains(text)).collect();
        near.dedup();
    }
    near.truncate(4);
    near
}

/// By how many slips `text` may have come of `name`; `None` where it is more likely to be something else. A slip in every three
/// letters is the most, and two in all: of a shorter word less is left than would say which one was meant. Whether a letter is
/// large is no slip.
fn slips(text: &str, name: &str) -> Option<usize> {
    let text = text.to_lowercase();
    let letters = text.chars().count().max(name.chars().count());
    Some(distance(&text, name)).filter(|slips| *slips <= 2 && slips * 3 <= letters)
}

/// How many letters are to be replaced, put in, left out or changed with their neighbour (the distance of Damerau and Levenshtein in
/// which no piece is touched twice), for words short enough that its square is nothing.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().collect();
    // Of the last three beginnings of `a`, the distance to every beginning of `b`.
    let mut rows = [vec![0; b.len() + 1], vec![0; b.len() + 1], (0..=b.len()).collect::<Vec<usize>>()];
    for (i, from) in a.iter().enumerate() {
        rows.rotate_left(1);
        let [before, above, row] = &mut rows;
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(from != to);
            row[j + 1] = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *to && b[j - 1] == *from {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
    }
    rows[2][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole_and_in_bounds() {
        assert_eq!(at_least_one_nonzero("1000").map(NonZeroUsize::get), Ok(1000));
        assert_eq!(at_least_one_nonzero("0"), Err(String::from("must be at least 1")));
        assert_eq!(at_least_one::<u64>("0"), Err(String::from("must be at least 1")));
        assert_eq!(whole::<u32>("-3"), Err(String::from("is not a whole number from 0")));
        assert_eq!(whole::<u32>("4294967296"), Err(String::from("is too large")));
        assert_eq!(whole::<u32>("1k"), Err(String::from("is not a whole number from 0")));
        assert_eq!(retries("0"), Ok(0));
        assert!(retries("11").is_err());
        assert_eq!(seed("0xff"), Ok(255));
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        assert!(seed("0x").is_err() && seed("-1").is_err() && seed("0x1ffffffffffffffff").is_err());
    }

    #[test]
    fn no_time_at_all_is_an_error_only_where_it_makes_no_sense() {
        assert!(span("0").is_err());
        assert_eq!(span_or_zero("0"), Ok(Duration::ZERO));
    }

    #[test]
    fn a_near_miss_is_named() {
        assert_eq!(
            depth("auht"),
            Err("is none of connect, ident, kexinit, kex, auth, login; did you mean auth?".into())
        );
        assert_eq!(depth("foo"), Err("is none of connect, ident, kexinit, kex, auth, login".into()));
        assert_eq!(depth("kex"), Ok(Depth::Kex));
        assert_eq!(format("jsonl").map(|format| format.name), Ok("jsonl"));
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!((distance("auht", "auth"), distance("ab", "ba"), distance("abc", "")), (1, 1, 3));
    }

    /// What shares next to nothing with a name was not meant to be it.
    #[test]
    fn what_is_far_from_every_name_is_likened_to_none() {
        let statuses = |text: &str| fail_on(text).expect_err("refused");
        let columns = |text: &str| columns(text).map(drop).expect_err("refused");
        for line in [statuses("foo"), statuses("xk"), statuses("up"), columns("x"), columns("abc"), columns("host,zz")]
        {
            assert!(!line.contains("did you mean"), "{line}");
        }
        for (line, meant) in [
            (statuses("refusd"), "refused"),
            (statuses("REFUSED"), "refused"),
            (statuses("tmeotu"), "timeout"),
            (statuses("okk"), "ok"),
            (columns("hsot"), "host"),
            (columns("kx"), "kex"),
        ] {
            assert!(line.ends_with(&format!("; did you mean {meant}?")), "{line}");
        }
        assert_eq!(nearest("xz", ["ok", "xx", "kex"].into_iter()), Vec::<&str>::new());
        assert_eq!(nearest("weakmac", ["weak-mac", "weak-kex"].into_iter()), ["weak-mac"]);
    }

    #[test]
    fn a_word_alone_is_not_said_twice() {
        assert!(fail_on("foo").expect_err("refused").starts_with("is none of ok, timeout, "));
        assert!(columns(" x ").expect_err("refused").starts_with("is none of status, code, "));
        assert!(key_types("x25519").expect_err("refused").starts_with("is none of first, all, "));
        assert!(fail_on("ok,foo").expect_err("refused").starts_with("has `foo`, which is none of ok, timeout, "));
    }

    #[test]
    fn columns_keep_their_order_and_an_unknown_one_is_told() {
        let names = |text| columns(text).map(|chosen| chosen.0.iter().map(|column| column.name).collect::<Vec<_>>());
        assert_eq!(names("why, host,status"), Ok(vec!["why", "host", "status"]));
        let line = names("host,sofware").expect_err("refused");
        assert!(line.starts_with("has `sofware`, which is none of status, code, "), "{line}");
        assert!(line.ends_with("; did you mean software?"), "{line}");
        assert!(names("").is_err() && names("host,,status").is_err());
        assert!(names("host,a\u{1b}[2J").expect_err("refused").contains("`a\\u{1b}[2J`"));
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        assert!(user("").is_err() && user("a\nb").is_err() && user(&"x".repeat(256)).is_err());
        assert_eq!(user("root"), Ok(String::from("root")));
        assert!(interface("a/b").is_err() && interface("").is_err() && interface("sixteen-bytes-xx").is_err());
        assert_eq!(interface("eth0"), Ok(String::from("eth0")));
    }

    #[test]
    fn a_source_is_an_address_that_something_can_be_sent_from() {
        for text in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "::ffff:0.0.0.0", "::ffff:224.0.0.1"] {
            let line = source(text).expect_err("refused");
            assert!(line.ends_with("nothing can be sent from there; `ip address` lists the addresses of this machine"));
        }
        let addr = |text| source(text).map(|source| source.addr.to_string());
        assert_eq!(addr("::ffff:192.0.2.7").as_deref(), Ok("192.0.2.7"), "the kernel takes it for that");
        assert_eq!(addr("2001:db8::7").as_deref(), Ok("2001:db8::7"));
        assert!(source("eth0").expect_err("refused").starts_with("is not an address; write one like"));
        let scoped = source("fe80::7%eth0").expect("an address and its interface");
        assert_eq!((scoped.addr.to_string().as_str(), scoped.scope.as_deref()), ("fe80::7", Some("eth0")));
        for (text, line) in [
            ("2001:db8::7%eth0", "has a %, which belongs to link-local addresses (fe80::/10) only; leave it away"),
            ("fe80::7%", "names no interface behind the %; write one like fe80::7%eth0"),
            ("fe80::7%a/b", "has behind the % what cannot be the name of an interface; `ip link` lists them"),
        ] {
            assert_eq!(source(text).err().as_deref(), Some(line));
        }
    }
}
