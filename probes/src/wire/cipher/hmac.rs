//! HMACs: hmac-sha2-256 and hmac-sha2-512 (RFC 6668), hmac-sha1 and hmac-md5 with their tags cut to 96 bits (RFC 4253
//! section 6.4). OpenSSH negotiates all of them as encrypt-then-MAC as well.

use aws_lc_rs::hmac::{Algorithm, Context, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA512, Key};
use md5::{Digest, Md5};

use super::{Authenticate, Tag};

/// What `-96` leaves of a tag, in bytes.
const BITS_96: usize = 12;

#[derive(Debug)]
struct Hmac {
    key: Key,
    size: usize,
}

fn hmac(algorithm: Algorithm, key: &[u8]) -> Box<dyn Authenticate> {
    Box::new(Hmac { key: Key::new(algorithm, key), size: algorithm.tag_len() })
}

/// HMAC-SHA-256; SSH keys it with 32 bytes.
#[must_use]
pub fn hmac_sha2_256(key: &[u8]) -> Box<dyn Authenticate> {
    hmac(HMAC_SHA256, key)
}

/// HMAC-SHA-512; SSH keys it with 64 bytes.
#[must_use]
pub fn hmac_sha2_512(key: &[u8]) -> Box<dyn Authenticate> {
    hmac(HMAC_SHA512, key)
}

/// HMAC-SHA-1; SSH keys it with 20 bytes.
#[must_use]
pub fn hmac_sha1(key: &[u8]) -> Box<dyn Authenticate> {
    hmac(HMAC_SHA1_FOR_LEGACY_USE_ONLY, key)
}

/// HMAC-SHA-1, of which 96 bits are sent.
#[must_use]
pub fn hmac_sha1_96(key: &[u8]) -> Box<dyn Authenticate> {
    Box::new(Hmac { key: Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, key), size: BITS_96 })
}

impl Authenticate for Hmac {
    fn size(&self) -> usize {
        self.size
    }

    fn tag(&self, sequence: u32, packet: &[u8]) -> Tag {
        let mut context = Context::with_key(&self.key);
        context.update(&sequence.to_be_bytes());
        context.update(packet);
        Tag::from_slice(context.sign().as_ref())
    }
}

/// HMAC-MD5 (RFC 2104), which the library does not have: the hash with the key in it, as far as it goes before a message.
struct HmacMd5 {
    inner: Md5,
    outer: Md5,
    size: usize,
}

fn md5(key: &[u8], size: usize) -> Box<dyn Authenticate> {
    let mut block = [0; 64];
    // Longer keys are hashed first (RFC 2104 section 2); SSH's are 16 bytes.
    let hashed = Md5::digest(key);
    let key = if key.len() > block.len() { &hashed[..] } else { key };
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let padded = |pad: u8| Md5::new_with_prefix(block.map(|byte| byte ^ pad));
    Box::new(HmacMd5 { inner: padded(0x36), outer: padded(0x5c), size })
}

/// HMAC-MD5; SSH keys it with 16 bytes.
#[must_use]
pub fn hmac_md5(key: &[u8]) -> Box<dyn Authenticate> {
    md5(key, 16)
}

/// HMAC-MD5, of which 96 bits are sent.
#[must_use]
pub fn hmac_md5_96(key: &[u8]) -> Box<dyn Authenticate> {
    md5(key, BITS_96)
}

impl Authenticate for HmacMd5 {
    fn size(&self) -> usize {
        self.size
    }

    fn tag(&self, sequence: u32, packet: &[u8]) -> Tag {
        let inner = self.inner.clone().chain_update(sequence.to_be_bytes()).chain_update(packet).finalize();
        Tag::from_slice(&self.outer.clone().chain_update(inner).finalize())
    }
}

impl std::fmt::Debug for HmacMd5 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacMd5(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "Test Using Larger Than Block-Size Key - Hash Key First";

    /// The sequence number is the first four bytes of the vector's message.
    fn tag(mac: &dyn Authenticate, message: &str) -> String {
        let (sequence, rest) = message.as_bytes().split_first_chunk().unwrap();
        let tag = mac.tag(u32::from_be_bytes(*sequence), rest);
        tag.0[..mac.size()].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 4231, test cases 2 and 6.
    #[test]
    fn sha2_tags_are_those_of_rfc_4231() {
        let message = "what do ya want for nothing?";
        let expect = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(tag(&*hmac_sha2_256(b"Jefe"), message), expect);
        let expect = concat!(
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554",
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        );
        assert_eq!(tag(&*hmac_sha2_512(b"Jefe"), message), expect);
        assert!(tag(&*hmac_sha2_256(&[0xaa; 131]), LONG).starts_with("60e431591ee0b67f"));
        assert!(tag(&*hmac_sha2_512(&[0xaa; 131]), LONG).starts_with("80b24263c7c1a3eb"));
    }

    /// RFC 2202, test cases 2 and 6 of each hash.
    #[test]
    fn sha1_and_md5_tags_are_those_of_rfc_2202() {
        let message = "what do ya want for nothing?";
        assert_eq!(tag(&*hmac_sha1(b"Jefe"), message), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(tag(&*hmac_sha1_96(b"Jefe"), message), "effcdf6ae5eb2fa2d27416d5");
        assert_eq!(tag(&*hmac_md5(b"Jefe"), message), "750c783e6ab0b503eaa86e310a5db738");
        assert_eq!(tag(&*hmac_md5_96(b"Jefe"), message), "750c783e6ab0b503eaa86e31");
        assert_eq!(tag(&*hmac_sha1(&[0xaa; 80]), LONG), "aa4ae5e15272d00e95705637ce8a3b55ed402112");
        assert_eq!(tag(&*hmac_md5(&[0xaa; 80]), LONG), "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
    }
}
