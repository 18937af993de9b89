//! hmac-sha2-256 and hmac-sha2-512 (RFC 6668), which OpenSSH also negotiates as encrypt-then-MAC.

use aws_lc_rs::hmac::{Algorithm, Context, HMAC_SHA256, HMAC_SHA512, Key};

use super::{Authenticate, Tag};

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

impl Authenticate for Hmac {
    fn size(&self) -> usize {
        self.size
    }

    fn tag(&self, sequence: u32, packet: &[u8]) -> Tag {
        let mut context = Context::with_key(&self.key);
        context.update(&sequence.to_be_bytes());
        context.update(packet);
        let mut tag = [0; Tag::MAX];
        for (to, from) in tag.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        Tag(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 test case 6 has a message that begins with any bytes we like; here `Test` is the sequence number.
    #[test]
    fn the_tag_covers_the_sequence_number_before_the_packet() {
        let sequence = u32::from_be_bytes(*b"Test");
        let rest = b" Using Larger Than Block-Size Key - Hash Key First";
        let tag = hmac_sha2_256(&[0xaa; 131]).tag(sequence, rest).0;
        assert_eq!(tag[..8], [0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f]);
        let tag = hmac_sha2_512(&[0xaa; 131]).tag(sequence, rest).0;
        assert_eq!(tag[..8], [0x80, 0xb2, 0x42, 0x63, 0xc7, 0xc1, 0xa3, 0xeb]);
    }
}
