//! Lines of known_hosts as ssh and ssh-keyscan write them.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::LookupName;
use crate::hostkey::key_type;

/// The name as HashKnownHosts hides it: who reads the file can tell whether a name stands in it, but not which names do.
///
/// `salt` is for this one line: under a shared one all names could be tried at the price of one.
#[must_use]
pub fn hashed_name(name: &LookupName, salt: &[u8; 20]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
    let hash = hmac::sign(&key, name.as_str().as_bytes());
    format!("|1|{}|{}", BASE64.encode(salt), BASE64.encode(hash))
}

/// The line that has `blob` as the key of `names`, without its end; `None` for a blob that names no type.
#[must_use]
pub fn known_hosts_line(names: &str, blob: &[u8]) -> Option<String> {
    Some(format!("{names} {} {}", key_type(blob)?, BASE64.encode(blob)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostkey::plain_key;
    use crate::trust::samples::certificate;
    use crate::trust::{Answer, KnownHosts};

    /// What ssh-keygen -H made of these two names, and the salts it drew.
    const BY_SSH_KEYGEN: [(&str, u16, &str); 2] = [
        ("web1.example", 22, "|1|mKV7mlHJIugCua1z7Bd/Uoi6HnM=|vMmMIOQyKxogXDky4MfOyVfvecs="),
        ("2001:db8::1", 2222, "|1|k3GIzE8oQH4/xwkKYb7/eaf5Y34=|iuPtnJCbbcN8cnV3r8fPGEjARNM="),
    ];

    #[test]
    fn names_are_hashed_as_ssh_keygen_does() {
        for (host, port, line) in BY_SSH_KEYGEN {
            let salt = line.split('|').nth(2).expect("a salt");
            let salt: [u8; 20] = BASE64.decode(salt).expect("base64").try_into().expect("20 bytes");
            assert_eq!(hashed_name(&LookupName::new(host, port), &salt), line, "{host}");
        }
    }

    #[test]
    fn what_is_written_is_found_again() {
        let key = plain_key(&certificate("good")).expect("a key").into_owned();
        for name in [("Web1.Example", 22), ("web1.example", 2222), ("10.0.0.1", 22), ("2001:db8::1", 2222), ("::1", 22)]
            .map(|(host, port)| LookupName::new(host, port))
        {
            for names in [name.as_str().to_owned(), hashed_name(&name, &[7; 20])] {
                let line = known_hosts_line(&names, &key).expect("a type");
                let mut files = KnownHosts::builder();
                assert_eq!(files.file("out", line.as_bytes()), [], "{line}");
                let known = files.build().lookup(&name);
                assert!(matches!(known.answer(&key), Answer::Match(_)), "{line}");
            }
        }
        assert_eq!(known_hosts_line("a", b"no key"), None);
    }
}
