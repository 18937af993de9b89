//! What a session of russh's offers.

use std::borrow::Cow;

use russh::keys::{Algorithm, HashAlg};
use russh::{Preferred, SshId, cipher, client, kex, mac};
use sshprobe_probes::hostkey::key_type;

use super::session::Terms;

/// Everything that russh has and a server may still want, the best first. Who is at the other end is settled by the pinned key.
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G16_SHA512,
    kex::DH_G18_SHA512,
    kex::DH_G14_SHA256,
    kex::DH_G15_SHA512,
    kex::DH_G17_SHA512,
    kex::DH_G14_SHA1,
    kex::DH_GEX_SHA1,
    kex::DH_G1_SHA1,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

const CIPHER: &[cipher::Name] = &[
    cipher::CHACHA20_POLY1305,
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::AES_128_CTR,
    cipher::AES_192_CTR,
    cipher::AES_256_CTR,
    cipher::AES_128_CBC,
    cipher::AES_192_CBC,
    cipher::AES_256_CBC,
];

const MAC: &[mac::Name] = &[
    mac::HMAC_SHA256_ETM,
    mac::HMAC_SHA512_ETM,
    mac::HMAC_SHA256,
    mac::HMAC_SHA512,
    mac::HMAC_SHA1_ETM,
    mac::HMAC_SHA1,
];

/// How russh is to behave.
pub(super) fn config(terms: &Terms<'_>) -> client::Config {
    client::Config {
        client_id: SshId::Standard(Cow::Owned(terms.ident.to_owned())),
        preferred: Preferred {
            kex: Cow::Borrowed(KEX),
            key: Cow::Owned(host_key_algorithms(&terms.order.host_key)),
            cipher: Cow::Borrowed(CIPHER),
            mac: Cow::Borrowed(MAC),
            ..Preferred::DEFAULT
        },
        inactivity_timeout: terms.inactivity,
        keepalive_interval: None,
        ..client::Config::default()
    }
}

/// The algorithms by which a server proves to hold the key that is expected of it.
fn host_key_algorithms(blob: &[u8]) -> Vec<Algorithm> {
    match key_type(blob) {
        Some("ssh-rsa") => {
            [Some(HashAlg::Sha512), Some(HashAlg::Sha256), None].map(|hash| Algorithm::Rsa { hash }).into()
        }
        Some(kind) => Algorithm::new(kind).into_iter().collect(),
        None => Vec::new(),
    }
}
