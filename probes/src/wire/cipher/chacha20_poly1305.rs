//! chacha20-poly1305@openssh.com (OpenSSH's PROTOCOL.chacha20poly1305): the nonce is the packet's sequence number, and the
//! length is encrypted by a key of its own.

use std::fmt;

use aws_lc_rs::aead::chacha20_poly1305_openssh::{KEY_LEN, OpeningKey, SealingKey, TAG_LEN};

use super::{CipherFault, Keys, Layout, Open, Opener, Seal, Sealer};

const LAYOUT: Layout = Layout { head: 4, block: 8, length_in_block: false, length_encrypted: true, tag: TAG_LEN };

struct Opening(OpeningKey);

struct Sealing(SealingKey);

fn key(keys: &Keys) -> Result<&[u8; KEY_LEN], CipherFault> {
    keys.key.as_slice().try_into().map_err(|_| CipherFault)
}

/// Needs 64 bytes of key and no IV.
pub fn chacha20_poly1305_opener(keys: &Keys) -> Result<Opener, CipherFault> {
    Ok(Box::new(Opening(OpeningKey::new(key(keys)?))))
}

/// Needs 64 bytes of key and no IV.
pub fn chacha20_poly1305_sealer(keys: &Keys) -> Result<Sealer, CipherFault> {
    Ok(Box::new(Sealing(SealingKey::new(key(keys)?))))
}

impl Open for Opening {
    fn layout(&self) -> Layout {
        LAYOUT
    }

    // The encrypted length stays as it is: the tag covers it.
    fn length(&mut self, sequence: u32, head: &mut [u8]) -> u32 {
        head.first_chunk().map_or(0, |length| u32::from_be_bytes(self.0.decrypt_packet_length(sequence, *length)))
    }

    fn open(&mut self, sequence: u32, packet: &mut [u8], tag: &[u8]) -> Result<(), CipherFault> {
        let tag = tag.try_into().map_err(|_| CipherFault)?;
        self.0.open_in_place(sequence, packet, tag).map(drop).map_err(|_| CipherFault)
    }
}

impl Seal for Sealing {
    fn layout(&self) -> Layout {
        LAYOUT
    }

    fn seal(&mut self, sequence: u32, packet: &mut [u8], tag: &mut [u8]) -> Result<(), CipherFault> {
        let tag = tag.try_into().map_err(|_| CipherFault)?;
        self.0.seal_in_place(sequence, packet, tag);
        Ok(())
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("chacha20-poly1305@openssh.com")
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("chacha20-poly1305@openssh.com")
    }
}
