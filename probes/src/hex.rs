//! Bytes as lower-case hexadecimal digits.

/// Two digits a byte, with `between` between two bytes.
pub(crate) fn hex(bytes: &[u8], between: &str) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2 + between.len()));
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 {
            text.push_str(between);
        }
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('?'));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_two_digits_each() {
        assert_eq!(hex(&[0, 10, 255], ""), "000aff");
        assert_eq!(hex(&[0, 10, 255], ":"), "00:0a:ff");
        assert_eq!(hex(&[], ":"), "");
    }
}
