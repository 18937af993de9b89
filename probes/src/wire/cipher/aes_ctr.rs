//! aes128-ctr, aes192-ctr and aes256-ctr (RFC 4344 section 4): the counter runs on from packet to packet.

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, AES_CTR_IV_LEN, Algorithm, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;

use super::{CipherFault, Transform};

const BLOCK: usize = 16;

/// The key and the counter's next value. We keep the counter ourselves: that encrypts in place without a streaming context.
#[derive(Debug)]
struct Ctr {
    key: EncryptingKey,
    counter: u128,
}

/// A key stream from 16, 24 or 32 bytes of key and 16 of IV. Both directions use it alike.
pub fn aes_ctr(key: &[u8], iv: &[u8]) -> Result<Box<dyn Transform>, CipherFault> {
    let algorithm: &'static Algorithm = match key.len() {
        16 => &AES_128,
        24 => &AES_192,
        32 => &AES_256,
        _ => return Err(CipherFault),
    };
    let key = UnboundCipherKey::new(algorithm, key).and_then(EncryptingKey::ctr).map_err(|_| CipherFault)?;
    let counter = u128::from_be_bytes(iv.try_into().map_err(|_| CipherFault)?);
    Ok(Box::new(Ctr { key, counter }))
}

impl Transform for Ctr {
    fn block(&self) -> usize {
        BLOCK
    }

    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), CipherFault> {
        // A part of a block would leave key stream unused that the peer uses for what follows.
        if !bytes.len().is_multiple_of(BLOCK) {
            return Err(CipherFault);
        }
        let blocks = u128::try_from(bytes.len() / BLOCK).map_err(|_| CipherFault)?;
        let iv: [u8; AES_CTR_IV_LEN] = self.counter.to_be_bytes();
        let context = EncryptionContext::Iv128(FixedLength::from(&iv));
        self.key.less_safe_encrypt(bytes, context).map_err(|_| CipherFault)?;
        self.counter = self.counter.wrapping_add(blocks);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    /// NIST SP 800-38A, appendix F.5.
    #[test]
    fn the_key_stream_is_that_of_sp_800_38a() {
        let iv = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
        let plain = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
        let keys = [
            ("2b7e151628aed2a6abf7158809cf4f3c", "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"),
            (
                "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
                "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94",
            ),
            (
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5",
            ),
        ];
        for (key, cipher) in keys {
            let mut whole = plain.clone();
            aes_ctr(&hex(key), &iv).unwrap().apply(&mut whole).unwrap();
            assert_eq!(whole, hex(cipher), "{key}");
            let mut blocks = plain.clone();
            let mut stream = aes_ctr(&hex(key), &iv).unwrap();
            blocks.chunks_mut(16).for_each(|block| stream.apply(block).unwrap());
            assert_eq!(blocks, hex(cipher), "{key}, block by block");
        }
    }

    #[test]
    fn the_counter_wraps_at_128_bits_and_parts_of_blocks_are_refused() {
        let mut stream = aes_ctr(&[1; 16], &[0xff; 16]).unwrap();
        let mut zeros = [0; 32];
        stream.apply(&mut zeros).unwrap();
        let mut second = [0; 16];
        aes_ctr(&[1; 16], &[0; 16]).unwrap().apply(&mut second).unwrap();
        assert_eq!(zeros[16..], second);
        assert_eq!(stream.apply(&mut [0; 15]), Err(CipherFault));
        assert!(aes_ctr(&[1; 17], &[0; 16]).is_err() && aes_ctr(&[1; 16], &[0; 12]).is_err());
    }
}
