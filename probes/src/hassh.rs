//! HASSH: a fingerprint of a KEXINIT's algorithm lists.

use md5::{Digest, Md5};

use crate::wire::kexinit::KexInit;

/// The server's HASSH: MD5 over `kex;enc_s2c;mac_s2c;comp_s2c`, the lists exactly as sent, in lower-case hex.
#[must_use]
pub fn hassh_server(kexinit: &KexInit) -> String {
    let mut md5 = Md5::new();
    for (at, list) in [kexinit.kex(), kexinit.cipher_s2c(), kexinit.mac_s2c(), kexinit.comp_s2c()].iter().enumerate() {
        if at > 0 {
            md5.update(b";");
        }
        md5.update(list.0);
    }
    md5.finalize().iter().fold(String::with_capacity(32), |mut hex, byte| {
        for nibble in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(u32::from(nibble), 16).unwrap_or('?'));
        }
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_enter_as_sent_markers_and_empty_names_included() {
        let lists: [&[u8]; 10] = [
            b"curve25519-sha256,kex-strict-s-v00@openssh.com",
            b"ssh-ed25519",
            b"not-this-way",
            b"aes128-ctr,",
            b"nor-this",
            b"hmac-sha2-256",
            b"none",
            b"none,zlib@openssh.com",
            b"",
            b"",
        ];
        let kexinit = KexInit::parse(&KexInit::build([0; 16], lists, false)).unwrap();
        assert_eq!(hassh_server(&kexinit), "d7ef43bac7a3c32d6d8300a7b07f5891");
    }
}
