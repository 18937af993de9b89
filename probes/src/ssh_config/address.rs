//! Addresses as ssh writes them when it takes a host's name into use: as getnameinfo(3) does.

use std::net::{Ipv4Addr, Ipv6Addr};

/// An address in its one form; `None` for a name.
pub(crate) fn canonical(host: &str) -> Option<String> {
    if let Some(address) = ipv4(&host.to_ascii_lowercase()) {
        return Some(address.to_string());
    }
    let (address, zone) = host.split_at_checked(host.find('%').unwrap_or(host.len()))?;
    Some(format!("{}{zone}", ipv6(address.parse().ok()?)))
}

/// As inet_aton(3) reads it: one to four numbers, decimal, octal or hexadecimal, of which the last fills what is left.
fn ipv4(host: &str) -> Option<Ipv4Addr> {
    let (mut address, mut bits) = (0u32, 32u32);
    let mut numbers = host.split('.').peekable();
    while let Some(text) = numbers.next() {
        let (digits, radix) = match text.strip_prefix("0x") {
            Some(digits) => (digits, 16),
            None if text.len() > 1 && text.starts_with('0') => (text, 8),
            None => (text, 10),
        };
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let number = u32::from_str_radix(digits, radix).ok()?;
        let size = if numbers.peek().is_some() { 8 } else { bits };
        bits = bits.checked_sub(size)?;
        if u64::from(number).checked_shr(size)? != 0 {
            return None;
        }
        address |= number.checked_shl(bits)?;
    }
    Some(Ipv4Addr::from(address))
}

/// As inet_ntop(3) writes it: unlike Rust, with a dotted end also behind six groups of zeros.
fn ipv6(address: Ipv6Addr) -> String {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => {
            let [.., a, b, c, d] = address.octets();
            format!("::{a}.{b}.{c}.{d}")
        }
        _ => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_form_and_names_none() {
        for (host, written) in [
            ("127.1", "127.0.0.1"),
            ("0x7F.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("0:0::1", "::1"),
            ("::102:304", "::1.2.3.4"),
            ("FE80::1%Eth0", "fe80::1%Eth0"),
        ] {
            assert_eq!(canonical(host).as_deref(), Some(written), "{host}");
        }
        assert_eq!(["a", "1.2.3.4.5", "256.1.1.1", "08.1", "1.", ""].map(canonical), [const { None }; 6]);
    }
}
