//! No encryption: every connection begins like this.

use super::{CipherFault, Layout, Open, Opener, Seal, Sealer};

const LAYOUT: Layout = Layout { head: 4, block: 8, length_in_block: true, length_encrypted: false, tag: 0 };

#[derive(Debug)]
struct Plain;

/// Packets as they are before the first NEWKEYS.
#[must_use]
pub fn plain_opener() -> Opener {
    Box::new(Plain)
}

/// Packets as they are before the first NEWKEYS.
#[must_use]
pub fn plain_sealer() -> Sealer {
    Box::new(Plain)
}

impl Open for Plain {
    fn layout(&self) -> Layout {
        LAYOUT
    }

    fn length(&mut self, _: u32, head: &mut [u8]) -> u32 {
        head.first_chunk().map_or(0, |length| u32::from_be_bytes(*length))
    }

    fn open(&mut self, _: u32, _: &mut [u8], _: &[u8]) -> Result<(), CipherFault> {
        Ok(())
    }
}

impl Seal for Plain {
    fn layout(&self) -> Layout {
        LAYOUT
    }

    fn seal(&mut self, _: u32, _: &mut [u8], _: &mut [u8]) -> Result<(), CipherFault> {
        Ok(())
    }
}
