//! Host names as DNS and ssh have them.

use super::problem::Fault;

/// A longer name cannot be asked for (RFC 1035 section 2.3.4: 255 octets with the length bytes and the root).
const NAME_MAX: usize = 253;

/// A longer part cannot be encoded (RFC 1035 section 2.3.4).
const LABEL_MAX: usize = 63;

/// Checks a host name and gives it in lower case without the trailing dot.
///
/// Letters, digits, `-` and `_`: underscores are no host name by RFC 952, but they are in use, and a resolver answers
/// for them. A name whose last part is a number would be read as an address by ssh (`inet_aton(3)` takes `10.1` for
/// 10.0.0.1): it is refused as a mistyped address rather than asked for.
///
/// # Errors
///
/// Everything that no resolver could be asked for, and what is only an option or an address in disguise.
pub(crate) fn dns_name(text: &str) -> Result<Box<str>, Fault> {
    if !text.is_ascii() {
        return Err(Fault::NameNotAscii);
    }
    if let Some(c) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))) {
        return Err(match c {
            ',' => Fault::Comma,
            '*' | '?' => Fault::Wildcard,
            c => Fault::NameCharacter(c),
        });
    }
    if text.starts_with('-') {
        return Err(Fault::NameDash);
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.len() > NAME_MAX {
        return Err(Fault::NameTooLong(name.len()));
    }
    let mut last = "";
    for label in name.split('.') {
        if label.is_empty() {
            return Err(Fault::NameEmptyLabel);
        }
        if label.len() > LABEL_MAX {
            return Err(Fault::NameLabelTooLong(label.len()));
        }
        last = label;
    }
    if number_to_inet_aton(last) {
        return Err(Fault::V4Malformed { addr: text.into(), why: "and a name does not end in a number".into() });
    }
    Ok(name.to_ascii_lowercase().into())
}

/// Whether `inet_aton(3)` would read it as a number: decimal, octal or hexadecimal.
fn number_to_inet_aton(label: &str) -> bool {
    match label.strip_prefix("0x").or_else(|| label.strip_prefix("0X")) {
        Some(hex) => hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => label.bytes().all(|b| b.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names() {
        let label = "x".repeat(63);
        let longest = [label.as_str(), &label, &label, &"y".repeat(61)].join(".");
        assert_eq!(longest.len(), 253);
        for (text, name) in [
            ("web1", "web1"),
            ("Web1.Example.ORG", "web1.example.org"),
            ("web1.example.org.", "web1.example.org"),
            ("_ssh._tcp.example.org", "_ssh._tcp.example.org"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("10.0.0.web", "10.0.0.web"),
            ("a-", "a-"),
            ("1a", "1a"),
            ("0xg", "0xg"),
            (&longest, &longest),
            (&format!("{longest}."), &longest),
        ] {
            assert_eq!(dns_name(text).as_deref(), Ok(name));
        }
    }

    #[test]
    fn bad_names() {
        for (text, fault) in [
            ("bücher.example", Fault::NameNotAscii),
            ("a b", Fault::NameCharacter(' ')),
            ("a;reboot", Fault::NameCharacter(';')),
            ("a,b", Fault::Comma),
            ("web*", Fault::Wildcard),
            ("-oProxyCommand", Fault::NameDash),
            (".", Fault::NameEmptyLabel),
            ("a..b", Fault::NameEmptyLabel),
            (".a", Fault::NameEmptyLabel),
            ("a..", Fault::NameEmptyLabel),
            (&"x".repeat(64), Fault::NameLabelTooLong(64)),
        ] {
            assert_eq!(dns_name(text), Err(fault), "{text}");
        }
        assert_eq!(dns_name(&["x"; 128].join(".")), Err(Fault::NameTooLong(255)));
        for text in ["host.5", "0x7f000001", "10.0x1", "7"] {
            assert!(matches!(dns_name(text), Err(Fault::V4Malformed { .. })), "{text}");
        }
    }
}
