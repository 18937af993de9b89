//! What happens to a packet between the wire and its plain form: one file per family of ciphers.

mod aes_ctr;
mod aes_gcm;
mod cbc;
mod chacha20_poly1305;
mod composed;
mod hmac;
mod plain;
mod seam;

pub use aes_ctr::aes_ctr;
pub use aes_gcm::{aes_gcm_opener, aes_gcm_sealer};
pub use cbc::{aes_cbc_decryptor, aes_cbc_encryptor, triple_des_cbc_decryptor, triple_des_cbc_encryptor};
pub use chacha20_poly1305::{chacha20_poly1305_opener, chacha20_poly1305_sealer};
pub use composed::{composed_opener, composed_sealer};
pub use hmac::{hmac_md5, hmac_md5_96, hmac_sha1, hmac_sha1_96, hmac_sha2_256, hmac_sha2_512};
pub use plain::{plain_opener, plain_sealer};
pub use seam::{Authenticate, CipherFault, Keys, Layout, Open, Opener, Seal, Sealer, Tag, Transform};
