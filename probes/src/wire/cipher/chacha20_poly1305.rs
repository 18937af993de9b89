//! chacha20-poly1305@openssh.com (OpenSSH's PROTOCOL.chacha20poly1305): the nonce is the packet's sequence number, and the
//! length is encrypted by a key of its own.

use std::fmt;

use aws_lc_rs::aead::chacha20_poly1305_openssh::{KEY_LEN, OpeningKey, SealingKey, TAG_LEN};

use super::{CipherFault, Keys, Layout, Open, Opener, Seal, Sealer};

const LAYOUT: Layout = Layout { head: 4, block: 8, length_in_block: false, length_encrypted: true, tag: TAG_LEN };

struct Opening(OpeningKey);

struct Sealing(SealingKey);

fn key(keys: &Keys) -> Result<&[u8; KEY_LEN], CipherFault> {
    (*keys.key).try_into().map_err(|_| CipherFault)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// ChaCha20 as D. J. Bernstein defined it, with a 64-bit nonce and a 64-bit counter; plain and slow.
    fn key_stream_block(key: &[u8], nonce: u64, counter: u64) -> [u8; 64] {
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
        let mut state = [0u32; 16];
        for (at, chunk) in b"expand 32-byte k".chunks(4).chain(key.chunks(4)).enumerate() {
            state[at] = word(chunk);
        }
        for (at, chunk) in counter.to_le_bytes().chunks(4).chain(nonce.to_be_bytes().chunks(4)).enumerate() {
            state[12 + at] = word(chunk);
        }
        let mut mixed = state;
        let mut quarter = |a: usize, b: usize, c: usize, d: usize| {
            for (x, y, z, turn) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
                mixed[x] = mixed[x].wrapping_add(mixed[y]);
                mixed[z] = (mixed[z] ^ mixed[x]).rotate_left(turn);
            }
        };
        for _ in 0..10 {
            (0..4).for_each(|i| quarter(i, i + 4, i + 8, i + 12));
            (0..4).for_each(|i| quarter(i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12));
        }
        let mut out = [0; 64];
        for (at, chunk) in out.chunks_mut(4).enumerate() {
            chunk.copy_from_slice(&mixed[at].wrapping_add(state[at]).to_le_bytes());
        }
        out
    }

    /// Poly1305 in base 2^8, digit by digit, as one does it on paper.
    fn poly1305(key: &[u8], message: &[u8]) -> [u8; 16] {
        const CLAMP: [(usize, u8); 7] = [(3, 15), (7, 15), (11, 15), (15, 15), (4, 252), (8, 252), (12, 252)];
        let mut r = [0u64; 17];
        (0..16).for_each(|at| r[at] = u64::from(key[at]));
        CLAMP.into_iter().for_each(|(at, mask)| r[at] &= u64::from(mask));
        let carry = |digits: &mut [u64; 17]| {
            for _ in 0..3 {
                let mut over = 0;
                for digit in &mut digits[..16] {
                    over += *digit;
                    *digit = over & 255;
                    over >>= 8;
                }
                over += digits[16];
                digits[16] = over & 3;
                digits[0] += (over >> 2) * 5;
            }
        };
        let mut sum = [0u64; 17];
        for block in message.chunks(16) {
            block.iter().chain(&[1]).enumerate().for_each(|(at, byte)| sum[at] += u64::from(*byte));
            let mut product = [0u64; 17];
            for (i, a) in sum.iter().enumerate() {
                for (j, b) in r.iter().enumerate() {
                    // 2^136 = 64 * 2^130 = 64 * 5 (mod 2^130 - 5)
                    let (place, factor) = if i + j < 17 { (i + j, 1) } else { (i + j - 17, 320) };
                    product[place] += a * b * factor;
                }
            }
            sum = product;
            carry(&mut sum);
        }
        // Subtract 2^130 - 5 once if that is possible: add 5 and see whether bit 130 appears.
        let mut plus = sum;
        plus[0] += 5;
        let mut over = 0;
        for digit in &mut plus {
            over += *digit;
            *digit = over & 255;
            over >>= 8;
        }
        let reduced = if plus[16] >= 4 { plus } else { sum };
        let mut over = 0;
        std::array::from_fn(|at| {
            over += reduced[at] + u64::from(key[16 + at]);
            let byte = u8::try_from(over & 255).unwrap();
            over >>= 8;
            byte
        })
    }

    /// RFC 8439 sections 2.5.2 and 2.3.2 (whose nonce begins with the counter's upper half): the slow code is right.
    #[test]
    fn the_reference_is_that_of_rfc_8439() {
        let key = hex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b");
        let tag = poly1305(&key, b"Cryptographic Forum Research Group");
        assert_eq!(tag[..], hex("a8061dc1305136c6c22b8baf0c0127a9"));
        let key: Vec<u8> = (0..32).collect();
        let block = key_stream_block(&key, 0x0000_004a_0000_0000, 0x0900_0000_0000_0001);
        assert_eq!(block[..16], hex("10f1e7e4d13b5915500fdd1fa32071c4"));
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    /// OpenSSH's PROTOCOL.chacha20poly1305, step by step.
    #[test]
    fn packets_are_sealed_as_openssh_describes_it() {
        let keys = Keys { key: (0..64).map(|byte| byte * 3 + 1).collect::<Vec<_>>().into(), ..Keys::default() };
        let (k_2, k_1) = keys.key.split_at(32);
        for (sequence, length) in [(0u32, 12usize), (7, 60), (u32::MAX, 64), (3, 140)] {
            let plain: Vec<u8> = (0..length).map(|at| u8::try_from(at).unwrap()).collect();
            let mut packet = plain.clone();
            let mut tag = [0; TAG_LEN];
            chacha20_poly1305_sealer(&keys).unwrap().seal(sequence, &mut packet, &mut tag).unwrap();

            let nonce = u64::from(sequence);
            let head = key_stream_block(k_1, nonce, 0);
            let body = (1..4).flat_map(|counter| key_stream_block(k_2, nonce, counter));
            let stream: Vec<u8> = head[..4].iter().copied().chain(body).collect();
            let expect: Vec<u8> = plain.iter().zip(&stream).map(|(plain, key)| plain ^ key).collect();
            assert_eq!(packet, expect, "packet {sequence}");
            assert_eq!(tag, poly1305(&key_stream_block(k_2, nonce, 0)[..32], &expect), "packet {sequence}");
        }
    }
}
