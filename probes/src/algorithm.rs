//! THE tables of algorithms: what is listed here is offered, negotiated and used. Adding one takes one line (and its code).

use std::fmt;

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY as SHA1, SHA256, SHA384, SHA512};

use crate::hostkey::{self, VerifyFault};
use crate::kex::finite_field::{GROUP1, GROUP14, GROUP15, GROUP16, GROUP17, GROUP18};
use crate::kex::hybrid::{MLKEM768_NISTP256, MLKEM768_X25519, SNTRUP761_X25519};
use crate::kex::{Direction, Exchange, KexFault, KeySource, Serve, ecdh, finite_field, hybrid};
use crate::random::Randomness;
use crate::wire::cipher::{
    Authenticate, CipherFault, Keys, Opener, Sealer, Transform, aes_cbc_decryptor, aes_cbc_encryptor, aes_ctr,
    aes_gcm_opener, aes_gcm_sealer, chacha20_poly1305_opener, chacha20_poly1305_sealer, composed_opener,
    composed_sealer, hmac_md5, hmac_md5_96, hmac_sha1, hmac_sha1_96, hmac_sha2_256, hmac_sha2_512,
    triple_des_cbc_decryptor, triple_des_cbc_encryptor,
};

pub use crate::negotiate::{Agreed, NoCommon, Offer, UnknownAlgorithm, negotiate};

/// Verifies a signature: plain key blob, what stands behind the algorithm's name in the signature blob, message.
pub type Verify = fn(&[u8], &[u8], &[u8]) -> Result<(), VerifyFault>;

/// Makes a transform from key and IV.
pub type Keyed = fn(&[u8], &[u8]) -> Result<Box<dyn Transform>, CipherFault>;

/// A key exchange method.
pub struct KexAlgorithm {
    /// Its name on the wire.
    pub name: &'static str,
    /// The hash of its exchange hash and key derivation.
    pub hash: &'static digest::Algorithm,
    /// Safe from someone who records now and has a quantum computer later.
    pub post_quantum: bool,
    /// Begins a client's exchange.
    pub begin: fn(&mut Randomness) -> Result<Box<dyn Exchange>, KexFault>,
    /// Begins a server's exchange.
    pub serve: fn(&mut Randomness) -> Result<Box<dyn Serve>, KexFault>,
}

/// A host-key (signature) algorithm.
pub struct HostKeyAlgorithm {
    /// Its name on the wire.
    pub name: &'static str,
    /// The type its key blobs name.
    pub key_type: &'static str,
    /// The name its signatures carry: with a certificate, that of the certified key's algorithm.
    pub signature: &'static str,
    /// Verifies its signatures.
    pub verify: Verify,
}

/// A cipher.
pub struct CipherAlgorithm {
    /// Its name on the wire.
    pub name: &'static str,
    /// Size of its key in bytes.
    pub key: usize,
    /// Size of its IV in bytes.
    pub iv: usize,
    /// How it is put to work.
    pub mode: CipherMode,
}

/// Whether a cipher authenticates by itself.
pub enum CipherMode {
    /// It does, and the negotiated MAC is ignored.
    Aead {
        /// Makes the receiving half.
        opener: fn(&Keys) -> Result<Opener, CipherFault>,
        /// Makes the sending half.
        sealer: fn(&Keys) -> Result<Sealer, CipherFault>,
    },
    /// It does not: a MAC stands beside it.
    Mac {
        /// Makes a decrypting transform.
        decrypt: Keyed,
        /// Makes an encrypting transform.
        encrypt: Keyed,
    },
}

/// A MAC.
pub struct MacAlgorithm {
    /// Its name on the wire.
    pub name: &'static str,
    /// Size of its key in bytes.
    pub key: usize,
    /// Encrypt-then-MAC.
    pub etm: bool,
    /// Keys it.
    pub begin: fn(&[u8]) -> Box<dyn Authenticate>,
}

/// Key exchange methods, in the order in which they are offered by default: the cheapest sound one first, post-quantum
/// hybrids where a server has nothing else that is sound, broken ones last.
#[rustfmt::skip]
pub static KEX: &[KexAlgorithm] = &[
    KexAlgorithm { name: "curve25519-sha256", hash: &SHA256, post_quantum: false, begin: |r| ecdh::begin(&ecdh::X25519, r), serve: |r| ecdh::serve(&ecdh::X25519, r) },
    KexAlgorithm { name: "curve25519-sha256@libssh.org", hash: &SHA256, post_quantum: false, begin: |r| ecdh::begin(&ecdh::X25519, r), serve: |r| ecdh::serve(&ecdh::X25519, r) },
    KexAlgorithm { name: "ecdh-sha2-nistp256", hash: &SHA256, post_quantum: false, begin: |r| ecdh::begin(&ecdh::NISTP256, r), serve: |r| ecdh::serve(&ecdh::NISTP256, r) },
    KexAlgorithm { name: "ecdh-sha2-nistp384", hash: &SHA384, post_quantum: false, begin: |r| ecdh::begin(&ecdh::NISTP384, r), serve: |r| ecdh::serve(&ecdh::NISTP384, r) },
    KexAlgorithm { name: "ecdh-sha2-nistp521", hash: &SHA512, post_quantum: false, begin: |r| ecdh::begin(&ecdh::NISTP521, r), serve: |r| ecdh::serve(&ecdh::NISTP521, r) },
    KexAlgorithm { name: "diffie-hellman-group14-sha256", hash: &SHA256, post_quantum: false, begin: |r| finite_field::begin(&GROUP14, &SHA256, r), serve: |r| finite_field::serve(&GROUP14, &SHA256, r) },
    KexAlgorithm { name: "diffie-hellman-group15-sha512", hash: &SHA512, post_quantum: false, begin: |r| finite_field::begin(&GROUP15, &SHA512, r), serve: |r| finite_field::serve(&GROUP15, &SHA512, r) },
    KexAlgorithm { name: "diffie-hellman-group16-sha512", hash: &SHA512, post_quantum: false, begin: |r| finite_field::begin(&GROUP16, &SHA512, r), serve: |r| finite_field::serve(&GROUP16, &SHA512, r) },
    KexAlgorithm { name: "diffie-hellman-group-exchange-sha256", hash: &SHA256, post_quantum: false, begin: |r| finite_field::begin_group_exchange(&SHA256, r), serve: |r| finite_field::serve_group_exchange(&SHA256, r) },
    KexAlgorithm { name: "diffie-hellman-group17-sha512", hash: &SHA512, post_quantum: false, begin: |r| finite_field::begin(&GROUP17, &SHA512, r), serve: |r| finite_field::serve(&GROUP17, &SHA512, r) },
    KexAlgorithm { name: "diffie-hellman-group18-sha512", hash: &SHA512, post_quantum: false, begin: |r| finite_field::begin(&GROUP18, &SHA512, r), serve: |r| finite_field::serve(&GROUP18, &SHA512, r) },
    KexAlgorithm { name: "mlkem768x25519-sha256", hash: &SHA256, post_quantum: true, begin: |r| hybrid::begin(&MLKEM768_X25519, r), serve: |r| hybrid::serve(&MLKEM768_X25519, r) },
    KexAlgorithm { name: "sntrup761x25519-sha512", hash: &SHA512, post_quantum: true, begin: |r| hybrid::begin(&SNTRUP761_X25519, r), serve: |r| hybrid::serve(&SNTRUP761_X25519, r) },
    KexAlgorithm { name: "sntrup761x25519-sha512@openssh.com", hash: &SHA512, post_quantum: true, begin: |r| hybrid::begin(&SNTRUP761_X25519, r), serve: |r| hybrid::serve(&SNTRUP761_X25519, r) },
    KexAlgorithm { name: "mlkem768nistp256-sha256", hash: &SHA256, post_quantum: true, begin: |r| hybrid::begin(&MLKEM768_NISTP256, r), serve: |r| hybrid::serve(&MLKEM768_NISTP256, r) },
    KexAlgorithm { name: "diffie-hellman-group14-sha1", hash: &SHA1, post_quantum: false, begin: |r| finite_field::begin(&GROUP14, &SHA1, r), serve: |r| finite_field::serve(&GROUP14, &SHA1, r) },
    KexAlgorithm { name: "diffie-hellman-group-exchange-sha1", hash: &SHA1, post_quantum: false, begin: |r| finite_field::begin_group_exchange(&SHA1, r), serve: |r| finite_field::serve_group_exchange(&SHA1, r) },
    KexAlgorithm { name: "diffie-hellman-group1-sha1", hash: &SHA1, post_quantum: false, begin: |r| finite_field::begin(&GROUP1, &SHA1, r), serve: |r| finite_field::serve(&GROUP1, &SHA1, r) },
];

/// Host-key algorithms, in the order in which they are offered by default: certificates behind plain keys, so that plain
/// keys are seen unless certificates are asked for; what is rare behind both, and what is broken last.
#[rustfmt::skip]
pub static HOST_KEY: &[HostKeyAlgorithm] = &[
    HostKeyAlgorithm { name: "ssh-ed25519", key_type: "ssh-ed25519", signature: "ssh-ed25519", verify: hostkey::verify_ed25519 },
    HostKeyAlgorithm { name: "ecdsa-sha2-nistp256", key_type: "ecdsa-sha2-nistp256", signature: "ecdsa-sha2-nistp256", verify: hostkey::verify_nistp256 },
    HostKeyAlgorithm { name: "ecdsa-sha2-nistp384", key_type: "ecdsa-sha2-nistp384", signature: "ecdsa-sha2-nistp384", verify: hostkey::verify_nistp384 },
    HostKeyAlgorithm { name: "ecdsa-sha2-nistp521", key_type: "ecdsa-sha2-nistp521", signature: "ecdsa-sha2-nistp521", verify: hostkey::verify_nistp521 },
    HostKeyAlgorithm { name: "rsa-sha2-512", key_type: "ssh-rsa", signature: "rsa-sha2-512", verify: hostkey::verify_rsa_sha2_512 },
    HostKeyAlgorithm { name: "rsa-sha2-256", key_type: "ssh-rsa", signature: "rsa-sha2-256", verify: hostkey::verify_rsa_sha2_256 },
    HostKeyAlgorithm { name: "ssh-ed25519-cert-v01@openssh.com", key_type: "ssh-ed25519-cert-v01@openssh.com", signature: "ssh-ed25519", verify: hostkey::verify_ed25519 },
    HostKeyAlgorithm { name: "ecdsa-sha2-nistp256-cert-v01@openssh.com", key_type: "ecdsa-sha2-nistp256-cert-v01@openssh.com", signature: "ecdsa-sha2-nistp256", verify: hostkey::verify_nistp256 },
    HostKeyAlgorithm { name: "ecdsa-sha2-nistp384-cert-v01@openssh.com", key_type: "ecdsa-sha2-nistp384-cert-v01@openssh.com", signature: "ecdsa-sha2-nistp384", verify: hostkey::verify_nistp384 },
    HostKeyAlgorithm { name: "ecdsa-sha2-nistp521-cert-v01@openssh.com", key_type: "ecdsa-sha2-nistp521-cert-v01@openssh.com", signature: "ecdsa-sha2-nistp521", verify: hostkey::verify_nistp521 },
    HostKeyAlgorithm { name: "rsa-sha2-512-cert-v01@openssh.com", key_type: "ssh-rsa-cert-v01@openssh.com", signature: "rsa-sha2-512", verify: hostkey::verify_rsa_sha2_512 },
    HostKeyAlgorithm { name: "rsa-sha2-256-cert-v01@openssh.com", key_type: "ssh-rsa-cert-v01@openssh.com", signature: "rsa-sha2-256", verify: hostkey::verify_rsa_sha2_256 },
    HostKeyAlgorithm { name: "sk-ssh-ed25519@openssh.com", key_type: "sk-ssh-ed25519@openssh.com", signature: "sk-ssh-ed25519@openssh.com", verify: hostkey::verify_sk_ed25519 },
    HostKeyAlgorithm { name: "sk-ecdsa-sha2-nistp256@openssh.com", key_type: "sk-ecdsa-sha2-nistp256@openssh.com", signature: "sk-ecdsa-sha2-nistp256@openssh.com", verify: hostkey::verify_sk_nistp256 },
    HostKeyAlgorithm { name: "sk-ssh-ed25519-cert-v01@openssh.com", key_type: "sk-ssh-ed25519-cert-v01@openssh.com", signature: "sk-ssh-ed25519@openssh.com", verify: hostkey::verify_sk_ed25519 },
    HostKeyAlgorithm { name: "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", key_type: "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", signature: "sk-ecdsa-sha2-nistp256@openssh.com", verify: hostkey::verify_sk_nistp256 },
    HostKeyAlgorithm { name: "ssh-rsa", key_type: "ssh-rsa", signature: "ssh-rsa", verify: hostkey::verify_rsa_sha1 },
    HostKeyAlgorithm { name: "ssh-rsa-cert-v01@openssh.com", key_type: "ssh-rsa-cert-v01@openssh.com", signature: "ssh-rsa", verify: hostkey::verify_rsa_sha1 },
    HostKeyAlgorithm { name: "ssh-dss", key_type: "ssh-dss", signature: "ssh-dss", verify: hostkey::verify_dss },
    HostKeyAlgorithm { name: "ssh-dss-cert-v01@openssh.com", key_type: "ssh-dss-cert-v01@openssh.com", signature: "ssh-dss", verify: hostkey::verify_dss },
];

const CHACHA20_POLY1305: CipherMode =
    CipherMode::Aead { opener: chacha20_poly1305_opener, sealer: chacha20_poly1305_sealer };
const AES_GCM: CipherMode = CipherMode::Aead { opener: aes_gcm_opener, sealer: aes_gcm_sealer };
const AES_CTR: CipherMode = CipherMode::Mac { decrypt: aes_ctr, encrypt: aes_ctr };
const AES_CBC: CipherMode = CipherMode::Mac { decrypt: aes_cbc_decryptor, encrypt: aes_cbc_encryptor };
const TRIPLE_DES_CBC: CipherMode =
    CipherMode::Mac { decrypt: triple_des_cbc_decryptor, encrypt: triple_des_cbc_encryptor };

/// Ciphers, in the order in which they are offered by default: weak ones last.
#[rustfmt::skip]
pub static CIPHER: &[CipherAlgorithm] = &[
    CipherAlgorithm { name: "chacha20-poly1305@openssh.com", key: 64, iv: 0, mode: CHACHA20_POLY1305 },
    CipherAlgorithm { name: "aes128-gcm@openssh.com", key: 16, iv: 12, mode: AES_GCM },
    CipherAlgorithm { name: "aes256-gcm@openssh.com", key: 32, iv: 12, mode: AES_GCM },
    CipherAlgorithm { name: "aes128-ctr", key: 16, iv: 16, mode: AES_CTR },
    CipherAlgorithm { name: "aes192-ctr", key: 24, iv: 16, mode: AES_CTR },
    CipherAlgorithm { name: "aes256-ctr", key: 32, iv: 16, mode: AES_CTR },
    CipherAlgorithm { name: "aes128-gcm", key: 16, iv: 12, mode: AES_GCM },
    CipherAlgorithm { name: "aes256-gcm", key: 32, iv: 12, mode: AES_GCM },
    CipherAlgorithm { name: "aes128-cbc", key: 16, iv: 16, mode: AES_CBC },
    CipherAlgorithm { name: "aes192-cbc", key: 24, iv: 16, mode: AES_CBC },
    CipherAlgorithm { name: "aes256-cbc", key: 32, iv: 16, mode: AES_CBC },
    CipherAlgorithm { name: "rijndael-cbc@lysator.liu.se", key: 32, iv: 16, mode: AES_CBC },
    CipherAlgorithm { name: "3des-cbc", key: 24, iv: 8, mode: TRIPLE_DES_CBC },
];

/// MACs, in the order in which they are offered by default: weak ones last. UMAC is missing, as no crate that could be
/// relied on has it; a server that has it has an HMAC beside it.
#[rustfmt::skip]
pub static MAC: &[MacAlgorithm] = &[
    MacAlgorithm { name: "hmac-sha2-256-etm@openssh.com", key: 32, etm: true, begin: hmac_sha2_256 },
    MacAlgorithm { name: "hmac-sha2-512-etm@openssh.com", key: 64, etm: true, begin: hmac_sha2_512 },
    MacAlgorithm { name: "hmac-sha2-256", key: 32, etm: false, begin: hmac_sha2_256 },
    MacAlgorithm { name: "hmac-sha2-512", key: 64, etm: false, begin: hmac_sha2_512 },
    MacAlgorithm { name: "hmac-sha1-etm@openssh.com", key: 20, etm: true, begin: hmac_sha1 },
    MacAlgorithm { name: "hmac-sha1", key: 20, etm: false, begin: hmac_sha1 },
    MacAlgorithm { name: "hmac-sha1-96-etm@openssh.com", key: 20, etm: true, begin: hmac_sha1_96 },
    MacAlgorithm { name: "hmac-sha1-96", key: 20, etm: false, begin: hmac_sha1_96 },
    MacAlgorithm { name: "hmac-md5-etm@openssh.com", key: 16, etm: true, begin: hmac_md5 },
    MacAlgorithm { name: "hmac-md5", key: 16, etm: false, begin: hmac_md5 },
    MacAlgorithm { name: "hmac-md5-96-etm@openssh.com", key: 16, etm: true, begin: hmac_md5_96 },
    MacAlgorithm { name: "hmac-md5-96", key: 16, etm: false, begin: hmac_md5_96 },
];

/// Compression methods. Compressing is never worth a prober's while, and every server takes `none`.
pub static COMPRESSION: &[&str] = &["none"];

impl HostKeyAlgorithm {
    /// Its keys come with a certificate.
    #[must_use]
    pub fn is_certificate(&self) -> bool {
        hostkey::is_certificate(self.key_type)
    }
}

impl CipherAlgorithm {
    /// It authenticates by itself.
    #[must_use]
    pub const fn aead(&self) -> bool {
        matches!(self.mode, CipherMode::Aead { .. })
    }

    fn keys(&self, mac: Option<&MacAlgorithm>, direction: Direction, source: &mut KeySource) -> Keys {
        let [iv, key, integrity] = direction.letters();
        Keys {
            key: source.key(key, self.key),
            iv: source.key(iv, self.iv),
            mac: source.key(integrity, mac.map_or(0, |mac| mac.key)),
        }
    }

    /// The receiving half of a direction.
    ///
    /// # Errors
    /// A cipher that needs a MAC without one; nothing else in practice.
    pub fn opener(
        &self,
        mac: Option<&MacAlgorithm>,
        direction: Direction,
        source: &mut KeySource,
    ) -> Result<Opener, CipherFault> {
        let keys = self.keys(mac, direction, source);
        match (&self.mode, mac) {
            (CipherMode::Aead { opener, .. }, _) => opener(&keys),
            (CipherMode::Mac { decrypt, .. }, Some(mac)) => {
                Ok(composed_opener(decrypt(&keys.key, &keys.iv)?, (mac.begin)(&keys.mac), mac.etm))
            }
            (CipherMode::Mac { .. }, None) => Err(CipherFault),
        }
    }

    /// The sending half of a direction.
    ///
    /// # Errors
    /// A cipher that needs a MAC without one; nothing else in practice.
    pub fn sealer(
        &self,
        mac: Option<&MacAlgorithm>,
        direction: Direction,
        source: &mut KeySource,
    ) -> Result<Sealer, CipherFault> {
        let keys = self.keys(mac, direction, source);
        match (&self.mode, mac) {
            (CipherMode::Aead { sealer, .. }, _) => sealer(&keys),
            (CipherMode::Mac { encrypt, .. }, Some(mac)) => {
                Ok(composed_sealer(encrypt(&keys.key, &keys.iv)?, (mac.begin)(&keys.mac), mac.etm))
            }
            (CipherMode::Mac { .. }, None) => Err(CipherFault),
        }
    }
}

/// An entry of one of the tables.
pub trait Named {
    /// The name on the wire.
    fn name(&self) -> &'static str;
}

impl Named for KexAlgorithm {
    fn name(&self) -> &'static str {
        self.name
    }
}

impl Named for HostKeyAlgorithm {
    fn name(&self) -> &'static str {
        self.name
    }
}

impl Named for CipherAlgorithm {
    fn name(&self) -> &'static str {
        self.name
    }
}

impl Named for MacAlgorithm {
    fn name(&self) -> &'static str {
        self.name
    }
}

impl Named for &'static str {
    fn name(&self) -> &'static str {
        self
    }
}

impl fmt::Debug for KexAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for HostKeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for CipherAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for MacAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kex::{ExchangeHash, Preface, SharedSecret};
    use crate::random::Seed;
    use crate::wire::packet::{Inbound, Outbound};

    fn unique(names: Vec<&str>) {
        for (at, name) in names.iter().enumerate() {
            assert!(!names[..at].contains(name), "{name} stands twice");
            assert!(name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b','), "{name}");
        }
    }

    #[test]
    fn names_are_names_and_stand_once() {
        unique(KEX.iter().map(|each| each.name).collect());
        unique(HOST_KEY.iter().map(|each| each.name).collect());
        unique(CIPHER.iter().map(|each| each.name).collect());
        unique(MAC.iter().map(|each| each.name).collect());
        unique(COMPRESSION.to_vec());
    }

    #[test]
    fn certificates_are_signed_for_with_a_plain_algorithm() {
        for algorithm in HOST_KEY {
            let plain = HOST_KEY.iter().find(|plain| plain.name == algorithm.signature).unwrap();
            assert!(!plain.is_certificate() && plain.signature == plain.name, "{algorithm:?}");
            assert_eq!(algorithm.is_certificate(), algorithm.name.ends_with("-cert-v01@openssh.com"));
        }
    }

    #[test]
    fn every_method_begins_with_a_message_of_its_own() {
        for kex in KEX {
            let mut exchange = (kex.begin)(&mut Randomness::new(Seed([1; 32]))).unwrap();
            let first = exchange.first(&Preface { v_c: b"", v_s: b"SSH-2.0-x", i_c: [b"", b""], i_s: b"" });
            assert!((30..50).contains(&first[0]) && first.len() > 12, "{kex:?}");
        }
    }

    /// Both ends derive the same keys, and the two directions differ.
    #[test]
    fn every_cipher_with_every_mac_carries_packets_in_both_directions() {
        let secret = SharedSecret::mpint(&[7; 32]);
        let hash = ExchangeHash::of(&SHA256, b"hash");
        let mut source = KeySource::new(&secret, &hash, &hash);
        let mut randomness = Randomness::new(Seed([1; 32]));
        for cipher in CIPHER {
            let macs: Vec<Option<&MacAlgorithm>> =
                if cipher.aead() { vec![None] } else { MAC.iter().map(Some).collect() };
            for mac in macs {
                let mut wires = Vec::new();
                for direction in [Direction::ClientToServer, Direction::ServerToClient] {
                    let (mut outbound, mut inbound, mut wire) = (Outbound::new(), Inbound::new(), Vec::new());
                    outbound.rekey(cipher.sealer(mac, direction, &mut source).unwrap(), true);
                    inbound.rekey(cipher.opener(mac, direction, &mut source).unwrap(), true);
                    outbound.seal(b"\x05first", &mut randomness, &mut wire);
                    outbound.seal(b"\x32second", &mut randomness, &mut wire);
                    inbound.feed(&wire);
                    assert_eq!(inbound.packet(), Ok(Some(&b"\x05first"[..])), "{cipher:?} {mac:?}");
                    assert_eq!(inbound.packet(), Ok(Some(&b"\x32second"[..])), "{cipher:?} {mac:?}");
                    assert_eq!(inbound.packet(), Ok(None));
                    wires.push(wire);
                }
                assert_ne!(wires[0], wires[1]);
            }
            if !cipher.aead() {
                assert!(cipher.opener(None, Direction::ClientToServer, &mut source).is_err());
            }
        }
    }
}
