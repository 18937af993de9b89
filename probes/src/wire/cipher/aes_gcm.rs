//! aes128-gcm@openssh.com and aes256-gcm@openssh.com (RFC 5647 as OpenSSH negotiates it): the length is plain and
//! authenticated, the nonce counts by itself and knows nothing of sequence numbers. The names without a suffix, which
//! some switches offer, are the same (draft-miller-sshm-aes-gcm).

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};

use super::{CipherFault, Keys, Layout, Open, Opener, Seal, Sealer};

const LAYOUT: Layout = Layout { head: 4, block: 16, length_in_block: false, length_encrypted: false, tag: 16 };

/// A key with its nonce: 4 fixed bytes and a 64-bit counter (RFC 5647 section 7.1).
#[derive(Debug)]
struct Gcm {
    key: LessSafeKey,
    fixed: [u8; 4],
    invocation: u64,
}

impl Gcm {
    fn new(keys: &Keys) -> Result<Self, CipherFault> {
        let algorithm: &'static Algorithm = match keys.key.len() {
            16 => &AES_128_GCM,
            32 => &AES_256_GCM,
            _ => return Err(CipherFault),
        };
        let key = UnboundKey::new(algorithm, &keys.key).map_err(|_| CipherFault)?;
        let (fixed, invocation) = keys.iv.split_first_chunk().ok_or(CipherFault)?;
        let invocation = u64::from_be_bytes(invocation.try_into().map_err(|_| CipherFault)?);
        Ok(Self { key: LessSafeKey::new(key), fixed: *fixed, invocation })
    }

    fn next_nonce(&mut self) -> Nonce {
        let mut nonce = [0; 12];
        for (to, from) in nonce.iter_mut().zip(self.fixed.iter().chain(&self.invocation.to_be_bytes())) {
            *to = *from;
        }
        self.invocation = self.invocation.wrapping_add(1);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Needs 16 or 32 bytes of key and 12 of IV.
pub fn aes_gcm_opener(keys: &Keys) -> Result<Opener, CipherFault> {
    Ok(Box::new(Gcm::new(keys)?))
}

/// Needs 16 or 32 bytes of key and 12 of IV.
pub fn aes_gcm_sealer(keys: &Keys) -> Result<Sealer, CipherFault> {
    Ok(Box::new(Gcm::new(keys)?))
}

impl Open for Gcm {
    fn layout(&self) -> Layout {
        LAYOUT
    }

    fn length(&mut self, _: u32, head: &mut [u8]) -> u32 {
        head.first_chunk().map_or(0, |length| u32::from_be_bytes(*length))
    }

    fn open(&mut self, _: u32, packet: &mut [u8], tag: &[u8]) -> Result<(), CipherFault> {
        let (length, rest) = packet.split_first_chunk_mut::<4>().ok_or(CipherFault)?;
        let nonce = self.next_nonce();
        let opened = self.key.open_in_place_separate_tag(nonce, Aad::from(*length), tag, rest);
        opened.map(drop).map_err(|_| CipherFault)
    }
}

impl Seal for Gcm {
    fn layout(&self) -> Layout {
        LAYOUT
    }

    fn seal(&mut self, _: u32, packet: &mut [u8], tag: &mut [u8]) -> Result<(), CipherFault> {
        let (length, rest) = packet.split_first_chunk_mut::<4>().ok_or(CipherFault)?;
        let nonce = self.next_nonce();
        let aad = Aad::from(*length);
        let sealed = self.key.seal_in_place_separate_tag(nonce, aad, rest).map_err(|_| CipherFault)?;
        let tag: &mut [u8; 16] = tag.try_into().map_err(|_| CipherFault)?;
        *tag = sealed.as_ref().try_into().map_err(|_| CipherFault)?;
        Ok(())
    }
}
