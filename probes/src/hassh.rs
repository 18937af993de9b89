//! HASSH: a fingerprint of a KEXINIT's algorithm lists.

use md5::{Digest, Md5};

use crate::hex::hex;
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
    hex(&md5.finalize(), "")
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

    /// What Debian's OpenSSH 9.2p1-2+deb12u10 sends in its default configuration, where the recipe's value is known.
    #[test]
    fn debian_12s_openssh_has_the_value_known_for_it() {
        let kex: &[u8] = b"sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,\
            curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,\
            diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,\
            diffie-hellman-group14-sha256,kex-strict-s-v00@openssh.com";
        let ciphers: &[u8] = b"chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,\
            aes128-gcm@openssh.com,aes256-gcm@openssh.com";
        let macs: &[u8] = b"umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,\
            hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,\
            hmac-sha2-256,hmac-sha2-512,hmac-sha1";
        let lists = [kex, b"ssh-ed25519", b"c2s", ciphers, b"c2s", macs, b"c2s", b"none,zlib@openssh.com", b"", b""];
        let kexinit = KexInit::parse(&KexInit::build([0; 16], lists, false)).unwrap();
        assert_eq!(hassh_server(&kexinit), "425d29fe50d8e4f5e37efb6e24bcf660");
    }
}
