//! A cipher and a MAC side by side, in both of SSH's orders: encrypt-and-MAC (RFC 4253 section 6.4), where the first block
//! hides the length, and OpenSSH's encrypt-then-MAC (`-etm@openssh.com`), where the length is plain.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::{Authenticate, CipherFault, Layout, Open, Opener, Seal, Sealer, Transform};

#[derive(Debug)]
struct EncryptAndMac {
    transform: Box<dyn Transform>,
    mac: Box<dyn Authenticate>,
}

#[derive(Debug)]
struct EncryptThenMac {
    transform: Box<dyn Transform>,
    mac: Box<dyn Authenticate>,
}

/// Opens with a decrypting transform.
#[must_use]
pub fn composed_opener(transform: Box<dyn Transform>, mac: Box<dyn Authenticate>, etm: bool) -> Opener {
    if etm { Box::new(EncryptThenMac { transform, mac }) } else { Box::new(EncryptAndMac { transform, mac }) }
}

/// Seals with an encrypting transform.
#[must_use]
pub fn composed_sealer(transform: Box<dyn Transform>, mac: Box<dyn Authenticate>, etm: bool) -> Sealer {
    if etm { Box::new(EncryptThenMac { transform, mac }) } else { Box::new(EncryptAndMac { transform, mac }) }
}

fn verify(mac: &dyn Authenticate, sequence: u32, packet: &[u8], tag: &[u8]) -> Result<(), CipherFault> {
    let ours = mac.tag(sequence, packet);
    let ours = ours.0.get(..mac.size()).ok_or(CipherFault)?;
    verify_slices_are_equal(ours, tag).map_err(|_| CipherFault)
}

fn sign(mac: &dyn Authenticate, sequence: u32, packet: &[u8], tag: &mut [u8]) -> Result<(), CipherFault> {
    let ours = mac.tag(sequence, packet);
    let ours = ours.0.get(..mac.size()).ok_or(CipherFault)?;
    if tag.len() != ours.len() {
        return Err(CipherFault);
    }
    tag.copy_from_slice(ours);
    Ok(())
}

// Ciphers of 8-byte blocks and stream ciphers pad to 8 (RFC 4253 section 6).
fn padded_to(transform: &dyn Transform) -> usize {
    transform.block().max(8)
}

impl EncryptAndMac {
    fn layout(&self) -> Layout {
        let block = padded_to(&*self.transform);
        Layout { head: block, block, length_in_block: true, length_encrypted: true, tag: self.mac.size() }
    }
}

impl Open for EncryptAndMac {
    fn layout(&self) -> Layout {
        self.layout()
    }

    fn length(&mut self, _: u32, head: &mut [u8]) -> u32 {
        if self.transform.apply(head).is_err() {
            return 0;
        }
        head.first_chunk().map_or(0, |length| u32::from_be_bytes(*length))
    }

    fn open(&mut self, sequence: u32, packet: &mut [u8], tag: &[u8]) -> Result<(), CipherFault> {
        // The first block was decrypted for its length.
        let rest = packet.get_mut(padded_to(&*self.transform)..).ok_or(CipherFault)?;
        self.transform.apply(rest)?;
        verify(&*self.mac, sequence, packet, tag)
    }
}

impl Seal for EncryptAndMac {
    fn layout(&self) -> Layout {
        self.layout()
    }

    fn seal(&mut self, sequence: u32, packet: &mut [u8], tag: &mut [u8]) -> Result<(), CipherFault> {
        sign(&*self.mac, sequence, packet, tag)?;
        self.transform.apply(packet)
    }
}

impl EncryptThenMac {
    fn layout(&self) -> Layout {
        let block = padded_to(&*self.transform);
        Layout { head: 4, block, length_in_block: false, length_encrypted: false, tag: self.mac.size() }
    }
}

impl Open for EncryptThenMac {
    fn layout(&self) -> Layout {
        self.layout()
    }

    fn length(&mut self, _: u32, head: &mut [u8]) -> u32 {
        head.first_chunk().map_or(0, |length| u32::from_be_bytes(*length))
    }

    fn open(&mut self, sequence: u32, packet: &mut [u8], tag: &[u8]) -> Result<(), CipherFault> {
        verify(&*self.mac, sequence, packet, tag)?;
        self.transform.apply(packet.get_mut(4..).ok_or(CipherFault)?)
    }
}

impl Seal for EncryptThenMac {
    fn layout(&self) -> Layout {
        self.layout()
    }

    fn seal(&mut self, sequence: u32, packet: &mut [u8], tag: &mut [u8]) -> Result<(), CipherFault> {
        self.transform.apply(packet.get_mut(4..).ok_or(CipherFault)?)?;
        sign(&*self.mac, sequence, packet, tag)
    }
}
