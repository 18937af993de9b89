//! aes128-cbc, aes192-cbc, aes256-cbc and 3des-cbc (RFC 4253 section 6.3): each packet continues the chain of the one before
//! it. Readable under attack as SSH uses it (CPNI-957037), and all that some old network gear has.

use std::fmt;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;

use super::{CipherFault, Transform};

/// The library marks it as what it is; some peers offer nothing else.
#[allow(deprecated)]
static TRIPLE_DES: &Algorithm = &aws_lc_rs::cipher::DES_EDE3_FOR_LEGACY_USE_ONLY;

/// The last block of ciphertext, which the next block is mixed with; at first the IV.
#[derive(Clone, Copy)]
enum Chain {
    Aes([u8; 16]),
    TripleDes([u8; 8]),
}

impl Chain {
    /// Of the size of the algorithm's blocks.
    fn new(algorithm: &Algorithm, iv: &[u8]) -> Result<Self, CipherFault> {
        let chain = match algorithm.block_len() {
            16 => iv.try_into().map(Chain::Aes),
            _ => iv.try_into().map(Chain::TripleDes),
        };
        chain.map_err(|_| CipherFault)
    }

    fn block(&self) -> usize {
        match self {
            Chain::Aes(block) => block.len(),
            Chain::TripleDes(block) => block.len(),
        }
    }

    /// Where this chain goes on after that ciphertext. A part of a block would break it.
    fn after(&self, ciphertext: &[u8]) -> Result<Self, CipherFault> {
        if !ciphertext.len().is_multiple_of(self.block()) {
            return Err(CipherFault);
        }
        Ok(match self {
            Chain::Aes(_) => ciphertext.last_chunk().map_or(*self, |last| Chain::Aes(*last)),
            Chain::TripleDes(_) => ciphertext.last_chunk().map_or(*self, |last| Chain::TripleDes(*last)),
        })
    }
}

struct Encryptor {
    key: EncryptingKey,
    chain: Chain,
}

struct Decryptor {
    key: DecryptingKey,
    chain: Chain,
}

fn aes(key: &[u8]) -> Result<&'static Algorithm, CipherFault> {
    match key.len() {
        16 => Ok(&AES_128),
        24 => Ok(&AES_192),
        32 => Ok(&AES_256),
        _ => Err(CipherFault),
    }
}

fn encryptor(algorithm: &'static Algorithm, key: &[u8], iv: &[u8]) -> Result<Box<dyn Transform>, CipherFault> {
    let key = UnboundCipherKey::new(algorithm, key).and_then(EncryptingKey::cbc).map_err(|_| CipherFault)?;
    Ok(Box::new(Encryptor { key, chain: Chain::new(algorithm, iv)? }))
}

fn decryptor(algorithm: &'static Algorithm, key: &[u8], iv: &[u8]) -> Result<Box<dyn Transform>, CipherFault> {
    let key = UnboundCipherKey::new(algorithm, key).and_then(DecryptingKey::cbc).map_err(|_| CipherFault)?;
    Ok(Box::new(Decryptor { key, chain: Chain::new(algorithm, iv)? }))
}

/// Encrypts with 16, 24 or 32 bytes of key and 16 of IV.
pub fn aes_cbc_encryptor(key: &[u8], iv: &[u8]) -> Result<Box<dyn Transform>, CipherFault> {
    encryptor(aes(key)?, key, iv)
}

/// Decrypts with 16, 24 or 32 bytes of key and 16 of IV.
pub fn aes_cbc_decryptor(key: &[u8], iv: &[u8]) -> Result<Box<dyn Transform>, CipherFault> {
    decryptor(aes(key)?, key, iv)
}

/// Encrypts with 24 bytes of key and 8 of IV. The library refuses keys that make it single DES; no key derivation hits one.
pub fn triple_des_cbc_encryptor(key: &[u8], iv: &[u8]) -> Result<Box<dyn Transform>, CipherFault> {
    encryptor(TRIPLE_DES, key, iv)
}

/// Decrypts with 24 bytes of key and 8 of IV.
pub fn triple_des_cbc_decryptor(key: &[u8], iv: &[u8]) -> Result<Box<dyn Transform>, CipherFault> {
    decryptor(TRIPLE_DES, key, iv)
}

impl Transform for Encryptor {
    fn block(&self) -> usize {
        self.chain.block()
    }

    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), CipherFault> {
        let context = match &self.chain {
            Chain::Aes(iv) => EncryptionContext::Iv128(FixedLength::from(iv)),
            Chain::TripleDes(iv) => EncryptionContext::Iv64(FixedLength::from(iv)),
        };
        self.key.less_safe_encrypt(bytes, context).map_err(|_| CipherFault)?;
        self.chain = self.chain.after(bytes)?;
        Ok(())
    }
}

impl Transform for Decryptor {
    fn block(&self) -> usize {
        self.chain.block()
    }

    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), CipherFault> {
        let next = self.chain.after(bytes)?;
        let context = match &self.chain {
            Chain::Aes(iv) => DecryptionContext::Iv128(FixedLength::from(iv)),
            Chain::TripleDes(iv) => DecryptionContext::Iv64(FixedLength::from(iv)),
        };
        self.key.decrypt(bytes, context).map_err(|_| CipherFault)?;
        self.chain = next;
        Ok(())
    }
}

impl fmt::Debug for Encryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cbc, encrypting blocks of {} bytes", self.chain.block())
    }
}

impl fmt::Debug for Decryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cbc, decrypting blocks of {} bytes", self.chain.block())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Make = fn(&[u8], &[u8]) -> Result<Box<dyn Transform>, CipherFault>;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    fn check(encryptor: Make, decryptor: Make, [key, iv, plain, cipher]: [&str; 4]) {
        let [key, iv, plain, cipher] = [key, iv, plain, cipher].map(hex);
        for (make, from, to) in [(encryptor, &plain, &cipher), (decryptor, &cipher, &plain)] {
            let mut whole = from.clone();
            make(&key, &iv).unwrap().apply(&mut whole).unwrap();
            assert_eq!(&whole, to);
            let mut blocks = from.clone();
            let mut transform = make(&key, &iv).unwrap();
            blocks.chunks_mut(transform.block()).for_each(|block| transform.apply(block).unwrap());
            assert_eq!(&blocks, to, "block by block");
            transform.apply(&mut []).unwrap();
            assert_eq!(transform.apply(&mut [0; 7]), Err(CipherFault));
        }
    }

    /// NIST SP 800-38A, appendix F.2.
    #[test]
    fn aes_is_that_of_sp_800_38a() {
        let iv = "000102030405060708090a0b0c0d0e0f";
        let plain = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
        let keys = [
            ("2b7e151628aed2a6abf7158809cf4f3c", "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"),
            (
                "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
                "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a",
            ),
            (
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
            ),
        ];
        for (key, cipher) in keys {
            check(aes_cbc_encryptor, aes_cbc_decryptor, [key, iv, plain, cipher]);
        }
    }

    /// Computed with OpenSSL (`enc -des-ede3-cbc -nopad`); the key is the one of NIST SP 800-67, appendix B.
    #[test]
    fn triple_des_is_that_of_openssl() {
        let key = "0123456789abcdef23456789abcdef01456789abcdef0123";
        let plain = "5468652071756663 6b2062726f776e20 666f78206a756d70".replace(' ', "");
        check(
            triple_des_cbc_encryptor,
            triple_des_cbc_decryptor,
            [key, "f0f1f2f3f4f5f6f7", &plain, "846073e455ecd64ed2d6734618d4b9ae3b7e6d9134c0383c"],
        );
    }

    #[test]
    fn keys_and_ivs_of_other_sizes_are_refused() {
        assert!(aes_cbc_encryptor(&[1; 17], &[0; 16]).is_err() && aes_cbc_decryptor(&[1; 16], &[0; 8]).is_err());
        assert!(triple_des_cbc_encryptor(&[1; 16], &[0; 8]).is_err());
        let key: Vec<u8> = (0..24).map(|at| at * 7 + 1).collect();
        assert!(triple_des_cbc_decryptor(&key, &[0; 16]).is_err());
        assert!(triple_des_cbc_decryptor(&key, &[0; 8]).is_ok());
    }
}
