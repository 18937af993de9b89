//! The binary packet protocol (RFC 4253 section 6): bytes to payloads and back.

use thiserror::Error;

use super::cipher::{Opener, Sealer, plain_opener, plain_sealer};
use crate::random::Randomness;

/// The largest `packet_length` accepted, in bytes: OpenSSH's limit, well above the 35000 that RFC 4253 section 6.1 asks for.
pub const PACKET_MAX: u32 = 256 * 1024;

/// Room that is kept for the next packets. What a KEXINIT took, which is a KiB or a little more, has room for all that follow.
const KEPT: usize = 1536;

/// The smallest `packet_length`: the padding length and four bytes of padding.
const PACKET_MIN: u32 = 5;

/// A packet that cannot be read. The stream has no meaning from there on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PacketFault {
    /// A length that no packet has: too small, too large, or not a multiple of the block size.
    #[error(
        "packet length {length} at byte {offset}{}",
        if *encrypted { ", decrypted: wrong key or corruption" } else { "" }
    )]
    Length {
        /// What the field said, in bytes.
        length: u32,
        /// Where the packet begins in the stream.
        offset: u64,
        /// The field was encrypted: then it says nothing about the peer's intentions.
        encrypted: bool,
    },
    /// Less than four bytes of padding, or more than the packet has.
    #[error("{padding} bytes of padding in a packet of {length} at byte {offset}")]
    Padding {
        /// `padding_length`
        padding: u8,
        /// `packet_length`
        length: u32,
        /// Where the packet begins in the stream.
        offset: u64,
    },
    /// A packet without a payload.
    #[error("packet without a payload at byte {offset}")]
    Empty {
        /// Where the packet begins in the stream.
        offset: u64,
    },
    /// The packet does not authenticate: wrong key, wrong sequence number, or changed on its way.
    #[error("packet at byte {offset} does not authenticate")]
    Mac {
        /// Where the packet begins in the stream.
        offset: u64,
    },
}

impl PacketFault {
    /// The bytes are not what the peer meant to send under these keys, as opposed to a peer that breaks the protocol.
    #[must_use]
    pub const fn is_corruption(self) -> bool {
        matches!(self, PacketFault::Mac { .. } | PacketFault::Length { encrypted: true, .. })
    }
}

/// Received bytes, and the packets in them.
///
/// Memory follows what has been received, never what a length field announces, and is given back when all is read.
#[derive(Debug)]
pub struct Inbound {
    buffer: Vec<u8>,
    /// Where in the buffer the next packet begins.
    start: usize,
    /// Where in the stream the next packet begins.
    offset: u64,
    /// The next packet's length, once its head was there.
    length: Option<u32>,
    sequence: u32,
    opener: Opener,
    fault: Option<PacketFault>,
}

impl Inbound {
    /// A stream whose packets begin at once, unencrypted.
    #[must_use]
    pub fn new() -> Self {
        Self::starting_at(0)
    }

    /// A stream of which `offset` bytes (the identification) were read by someone else: faults name the place in the whole.
    #[must_use]
    pub fn starting_at(offset: u64) -> Self {
        let opener = plain_opener();
        Self { buffer: Vec::new(), start: 0, offset, length: None, sequence: 0, opener, fault: None }
    }

    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.discard_read();
        self.buffer.extend_from_slice(bytes);
    }

    /// The payload of the next packet that is there whole; `Ok(None)` when more bytes are needed. The payload is never empty.
    ///
    /// # Errors
    /// The stream cannot be read any further; every later call says so again.
    pub fn packet(&mut self) -> Result<Option<&[u8]>, PacketFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        match self.advance() {
            Ok(Some((from, to))) => Ok(self.buffer.get(from..to)),
            Ok(None) => {
                self.discard_read();
                Ok(None)
            }
            Err(fault) => {
                // What waits is kept: it may be a server's last words in clear text.
                self.fault = Some(fault);
                Err(fault)
            }
        }
    }

    /// Opens the packet at the front and steps behind it. Gives where its payload stands in the buffer.
    fn advance(&mut self) -> Result<Option<(usize, usize)>, PacketFault> {
        let layout = self.opener.layout();
        let offset = self.offset;
        let waiting = self.buffer.get_mut(self.start..).unwrap_or_default();
        let length = match self.length {
            Some(length) => length,
            None => {
                let Some(head) = waiting.get_mut(..layout.head) else { return Ok(None) };
                let length = self.opener.length(self.sequence, head);
                let counted = if layout.length_in_block { length.saturating_add(4) } else { length };
                let whole = usize::try_from(counted).is_ok_and(|counted| counted.is_multiple_of(layout.block));
                if !(PACKET_MIN..=PACKET_MAX).contains(&length) || !whole {
                    return Err(PacketFault::Length { length, offset, encrypted: layout.length_encrypted });
                }
                self.length = Some(length);
                length
            }
        };
        let body = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(4);
        let total = body.saturating_add(layout.tag);
        let Some((packet, tag)) = waiting.get_mut(..total).and_then(|packet| packet.split_at_mut_checked(body)) else {
            return Ok(None);
        };
        self.opener.open(self.sequence, packet, tag).map_err(|_| PacketFault::Mac { offset })?;
        let padding = packet.get(4).copied().unwrap_or_default();
        let behind = usize::from(padding);
        if behind < 4 || behind.saturating_add(PACKET_MIN as usize) > body {
            return Err(PacketFault::Padding { padding, length, offset });
        }
        let from = self.start.saturating_add(5);
        let to = self.start.saturating_add(body.saturating_sub(behind));
        if from == to {
            return Err(PacketFault::Empty { offset });
        }
        self.start = self.start.saturating_add(total);
        self.offset = offset.saturating_add(u64::try_from(total).unwrap_or(u64::MAX));
        self.sequence = self.sequence.wrapping_add(1);
        self.length = None;
        Ok(Some((from, to)))
    }

    /// Gives back what was read; once nothing waits, the memory too if it is much: most of a connection's life is waiting.
    fn discard_read(&mut self) {
        if self.start == 0 {
            return;
        }
        if self.start >= self.buffer.len() {
            if self.buffer.capacity() > KEPT {
                self.buffer = Vec::new();
            }
            self.buffer.clear();
        } else {
            self.buffer.drain(..self.start);
        }
        self.start = 0;
    }

    /// The sequence number of the next packet (RFC 4253 section 6.4).
    #[must_use]
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Where in the stream the next packet begins, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes wait to be read.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.unread().len()
    }

    /// The bytes that wait to be read: what came behind the last packet, or a packet cut short.
    ///
    /// Under an encrypt-and-MAC cipher the first block of a packet cut short is decrypted already.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Uses `opener` from the next packet on: to be called between the peer's NEWKEYS and the next [`Inbound::packet`].
    /// Strict key exchange also starts the sequence numbers anew.
    pub fn rekey(&mut self, opener: Opener, reset_sequence: bool) {
        self.opener = opener;
        self.length = None;
        if reset_sequence {
            self.sequence = 0;
        }
    }
}

impl Default for Inbound {
    fn default() -> Self {
        Self::new()
    }
}

/// Payloads to packets.
#[derive(Debug)]
pub struct Outbound {
    sequence: u32,
    sealer: Sealer,
}

impl Outbound {
    /// A stream that begins unencrypted.
    #[must_use]
    pub fn new() -> Self {
        Self { sequence: 0, sealer: plain_sealer() }
    }

    /// Appends `payload` as a packet to `out`, with the least padding that is allowed, drawn from `randomness`.
    ///
    /// Should the cipher fail, which none here does, nothing is appended: better silence than a plain packet.
    pub fn seal(&mut self, payload: &[u8], randomness: &mut Randomness, out: &mut Vec<u8>) {
        // The packet at once, with the most padding that there is.
        let layout = self.sealer.layout();
        let most = layout.block.saturating_add(4 + 5).saturating_add(layout.tag);
        out.reserve(payload.len().saturating_add(most));
        self.seal_message(|out| out.extend_from_slice(payload), randomness, out);
    }

    /// The same for a payload that `write` appends to what it is given.
    pub fn seal_message(&mut self, write: impl FnOnce(&mut Vec<u8>), randomness: &mut Randomness, out: &mut Vec<u8>) {
        let layout = self.sealer.layout();
        let start = out.len();
        out.extend_from_slice(&[0; 5]);
        write(out);
        let payload = out.len().saturating_sub(start).saturating_sub(5);
        let counted = payload.saturating_add(if layout.length_in_block { 5 } else { 1 });
        let mut padding = layout.block.saturating_sub(counted % layout.block);
        if padding < 4 {
            padding = padding.saturating_add(layout.block);
        }
        let length = payload.saturating_add(1).saturating_add(padding);
        let fields = u32::try_from(length).ok().zip(u8::try_from(padding).ok());
        let head = out.get_mut(start..).and_then(|packet| packet.first_chunk_mut());
        let (Some((length_field, padding_field)), Some(head)) = (fields, head) else { return out.truncate(start) };
        let [a, b, c, d] = length_field.to_be_bytes();
        *head = [a, b, c, d, padding_field];
        let padded = out.len().saturating_add(padding);
        let padding_at = out.len();
        out.resize(padded, 0);
        randomness.fill(out.get_mut(padding_at..).unwrap_or_default());
        out.resize(padded.saturating_add(layout.tag), 0);
        let sealed = out.get_mut(start..).and_then(|packet| packet.split_at_mut_checked(length.saturating_add(4)));
        let sealed = sealed.is_some_and(|(packet, tag)| self.sealer.seal(self.sequence, packet, tag).is_ok());
        if !sealed {
            out.truncate(start);
        }
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// The sequence number of the next packet.
    #[must_use]
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Uses `sealer` from the next packet on: to be called right after our NEWKEYS was sealed. Strict key exchange also
    /// starts the sequence numbers anew.
    pub fn rekey(&mut self, sealer: Sealer, reset_sequence: bool) {
        self.sealer = sealer;
        if reset_sequence {
            self.sequence = 0;
        }
    }
}

impl Default for Outbound {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::cipher::{
        Keys, aes_cbc_decryptor, aes_cbc_encryptor, aes_ctr, aes_gcm_opener, aes_gcm_sealer, chacha20_poly1305_opener,
        chacha20_poly1305_sealer, composed_opener, composed_sealer, hmac_md5, hmac_sha1_96, hmac_sha2_256,
        hmac_sha2_512, triple_des_cbc_decryptor, triple_des_cbc_encryptor,
    };
    use super::*;
    use crate::random::Seed;
    use proptest::prelude::*;

    type Pair = fn() -> (Opener, Sealer);

    fn ctr(key: usize, etm: bool) -> (Opener, Sealer) {
        let transform = || aes_ctr(&vec![3; key], &[9; 16]).unwrap();
        (
            composed_opener(transform(), hmac_sha2_256(&[5; 32]), etm),
            composed_sealer(transform(), hmac_sha2_256(&[5; 32]), etm),
        )
    }

    fn gcm(key: usize) -> (Opener, Sealer) {
        let keys = Keys { key: vec![3; key].into(), iv: vec![0xff; 12].into(), ..Keys::default() };
        (aes_gcm_opener(&keys).unwrap(), aes_gcm_sealer(&keys).unwrap())
    }

    const PAIRS: [(&str, Pair); 14] = [
        ("plain", || (plain_opener(), plain_sealer())),
        ("chacha20-poly1305", || {
            let keys = Keys { key: (0..64).collect::<Vec<_>>().into(), ..Keys::default() };
            (chacha20_poly1305_opener(&keys).unwrap(), chacha20_poly1305_sealer(&keys).unwrap())
        }),
        ("aes128-gcm", || gcm(16)),
        ("aes256-gcm", || gcm(32)),
        ("aes128-ctr", || ctr(16, false)),
        ("aes192-ctr", || ctr(24, false)),
        ("aes256-ctr", || ctr(32, false)),
        ("aes128-ctr, etm", || ctr(16, true)),
        ("aes256-ctr, etm", || ctr(32, true)),
        ("aes192-ctr, hmac-sha2-512, etm", || {
            let transform = || aes_ctr(&[3; 24], &[9; 16]).unwrap();
            (
                composed_opener(transform(), hmac_sha2_512(&[5; 64]), true),
                composed_sealer(transform(), hmac_sha2_512(&[5; 64]), true),
            )
        }),
        ("aes128-cbc", || cbc(16, false)),
        ("aes256-cbc, etm", || cbc(32, true)),
        ("3des-cbc", || triple_des(false)),
        ("3des-cbc, etm", || triple_des(true)),
    ];

    fn cbc(key: usize, etm: bool) -> (Opener, Sealer) {
        let (key, iv) = (vec![3; key], [9; 16]);
        (
            composed_opener(aes_cbc_decryptor(&key, &iv).unwrap(), hmac_md5(&[5; 16]), etm),
            composed_sealer(aes_cbc_encryptor(&key, &iv).unwrap(), hmac_md5(&[5; 16]), etm),
        )
    }

    fn triple_des(etm: bool) -> (Opener, Sealer) {
        let (key, iv): (Vec<u8>, _) = ((0..24).map(|at| at * 7 + 1).collect(), [9; 8]);
        (
            composed_opener(triple_des_cbc_decryptor(&key, &iv).unwrap(), hmac_sha1_96(&[5; 20]), etm),
            composed_sealer(triple_des_cbc_encryptor(&key, &iv).unwrap(), hmac_sha1_96(&[5; 20]), etm),
        )
    }

    fn sealed(sealer: Sealer, payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut outbound = Outbound::new();
        outbound.rekey(sealer, false);
        let mut randomness = Randomness::new(Seed([4; 32]));
        let mut wire = Vec::new();
        for payload in payloads {
            outbound.seal(payload, &mut randomness, &mut wire);
        }
        assert_eq!(outbound.sequence() as usize, payloads.len());
        wire
    }

    /// Every packet there is; the fault that ended it, if one did.
    fn opened(opener: Opener, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<PacketFault>, Inbound) {
        let mut inbound = Inbound::new();
        inbound.rekey(opener, false);
        let mut payloads = Vec::new();
        for piece in pieces {
            inbound.feed(piece);
            loop {
                match inbound.packet() {
                    Ok(Some(payload)) => payloads.push(payload.to_vec()),
                    Ok(None) => break,
                    Err(fault) => return (payloads, Some(fault), inbound),
                }
            }
        }
        (payloads, None, inbound)
    }

    fn samples() -> Vec<Vec<u8>> {
        (1..40).map(|length| (0..length).collect()).collect()
    }

    #[test]
    fn every_cipher_opens_what_it_sealed_at_every_split() {
        let payloads = samples();
        for (name, pair) in PAIRS {
            let (_, sealer) = pair();
            let wire = sealed(sealer, &payloads);
            for split in 0..=wire.len() {
                let (opener, _) = pair();
                let (read, fault, inbound) = opened(opener, &[&wire[..split], &wire[split..]]);
                assert!(read == payloads && fault.is_none(), "{name} split at {split}: {fault:?}");
                assert_eq!(inbound.buffered(), 0, "{name}");
                assert!(inbound.buffer.capacity() <= KEPT, "{name}: what is much is given back");
                assert_eq!((inbound.offset(), inbound.sequence()), (wire.len() as u64, payloads.len() as u32));
            }
            let (opener, _) = pair();
            let bytes: Vec<&[u8]> = wire.chunks(1).collect();
            assert!(opened(opener, &bytes).0 == payloads, "{name} byte by byte");
        }
    }

    #[test]
    fn a_packet_changed_anywhere_does_not_authenticate() {
        let payloads = [b"one payload".to_vec(), b"and another".to_vec()];
        for (name, pair) in &PAIRS[1..] {
            let (_, sealer) = pair();
            let mut wire = sealed(sealer, &payloads);
            for at in 0..wire.len() {
                for bit in [1, 0x80] {
                    wire[at] ^= bit;
                    let (opener, _) = pair();
                    let (read, fault, _) = opened(opener, &[&wire, &[0; 512]]);
                    wire[at] ^= bit;
                    assert!(read.len() < 2 && read[..] == payloads[..read.len()], "{name} changed at {at}");
                    // A plain length that was changed may ask for bytes that never come, or be senseless by itself.
                    let plain_length = matches!(fault, None | Some(PacketFault::Length { encrypted: false, .. }));
                    assert!(plain_length || fault.is_some_and(PacketFault::is_corruption), "{name} at {at}: {fault:?}");
                }
            }
        }
    }

    #[test]
    fn a_wrong_sequence_number_does_not_authenticate() {
        // GCM counts for itself and cannot tell.
        for (name, pair) in PAIRS.iter().filter(|(name, _)| *name != "plain" && !name.contains("gcm")) {
            let (opener, sealer) = pair();
            let wire = sealed(sealer, &[b"payload".to_vec()]);
            let mut inbound = Inbound::new();
            inbound.sequence = 1;
            inbound.rekey(opener, false);
            inbound.feed(&wire);
            let fault = inbound.packet().unwrap_err();
            assert!(fault.is_corruption(), "{name}: {fault}");
            assert_eq!(inbound.packet(), Err(fault), "a broken stream stays broken");
        }
    }

    #[test]
    fn strict_key_exchange_starts_the_numbers_anew() {
        let (opener, sealer) = PAIRS[1].1();
        let (mut outbound, mut inbound) = (Outbound::new(), Inbound::new());
        let (mut randomness, mut wire) = (Randomness::new(Seed([1; 32])), Vec::new());
        outbound.seal(&[21], &mut randomness, &mut wire);
        outbound.rekey(sealer, true);
        outbound.seal(&[2, 9], &mut randomness, &mut wire);
        assert_eq!(outbound.sequence(), 1);
        inbound.feed(&wire);
        assert_eq!(inbound.packet(), Ok(Some(&[21][..])));
        assert_eq!(inbound.unread(), &wire[16..]);
        inbound.rekey(opener, true);
        assert_eq!(inbound.packet(), Ok(Some(&[2, 9][..])));
        assert_eq!(inbound.sequence(), 1);
    }

    #[test]
    fn senseless_packets_are_named_with_their_place() {
        let fault = |offset: u64, bytes: &[u8]| {
            let mut inbound = Inbound::starting_at(offset);
            inbound.feed(bytes);
            inbound.packet().map(|packet| packet.map(<[u8]>::to_vec))
        };
        let length = |length, offset| Err(PacketFault::Length { length, offset, encrypted: false });
        assert_eq!(fault(0, b"HTTP/1.1 400"), length(u32::from_be_bytes(*b"HTTP"), 0));
        assert_eq!(fault(21, &[0, 0, 0, 4, 4, 0, 0, 0]), length(4, 21));
        assert_eq!(fault(0, &[0, 0, 0, 13]), length(13, 0));
        assert_eq!(fault(0, &(PACKET_MAX + 4).to_be_bytes()), length(PACKET_MAX + 4, 0));
        assert_eq!(fault(0, &(PACKET_MAX - 4).to_be_bytes()), Ok(None));
        let mut packet = [0; 16];
        packet[3] = 12;
        for (padding, expect) in [(3, false), (4, true), (10, true), (12, false), (255, false)] {
            packet[4] = padding;
            let read = fault(7, &packet);
            if expect {
                assert_eq!(read.unwrap().unwrap().len(), 11 - usize::from(padding));
            } else {
                assert_eq!(read, Err(PacketFault::Padding { padding, length: 12, offset: 7 }));
            }
        }
        packet[4] = 11;
        assert_eq!(fault(7, &packet), Err(PacketFault::Empty { offset: 7 }));
        let text = PacketFault::Length { length: 9, offset: 21, encrypted: true }.to_string();
        assert_eq!(text, "packet length 9 at byte 21, decrypted: wrong key or corruption");
    }

    #[test]
    fn a_length_allocates_nothing_before_its_bytes_have_come() {
        let mut inbound = Inbound::new();
        inbound.feed(&(PACKET_MAX - 4).to_be_bytes());
        assert_eq!(inbound.packet(), Ok(None));
        assert!(inbound.buffer.capacity() < 64);
    }

    #[test]
    fn chacha20_poly1305_uses_the_second_key_half_for_the_length() {
        let keys = |swap: bool| {
            let mut key: Vec<u8> = (0..64).collect();
            if swap {
                key[..32].copy_from_slice(&[0xee; 32]);
            }
            Keys { key: key.into(), ..Keys::default() }
        };
        let wire = sealed(chacha20_poly1305_sealer(&keys(false)).unwrap(), &[vec![7; 19]]);
        let head: [u8; 4] = wire[..4].try_into().unwrap();
        // The length decrypts with any first half; the tag does not.
        let mut other = chacha20_poly1305_opener(&keys(true)).unwrap();
        assert_eq!(other.length(0, &mut head.clone()), 24);
        let (packet, tag) = wire.split_at(28);
        assert!(other.open(0, &mut packet.to_vec(), tag).is_err());
    }

    proptest! {
        #[test]
        fn payloads_of_any_size_come_back(
            pair in 0usize..PAIRS.len(),
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..3000), 1..5),
            piece in 1usize..700,
        ) {
            let (opener, sealer) = PAIRS[pair].1();
            let wire = sealed(sealer, &payloads);
            let pieces: Vec<&[u8]> = wire.chunks(piece).collect();
            let (read, fault, _) = opened(opener, &pieces);
            prop_assert_eq!(fault, None);
            prop_assert_eq!(read, payloads);
        }

        #[test]
        fn any_bytes_are_a_fault_or_a_wait(pair in 0usize..PAIRS.len(), bytes: Vec<u8>, piece in 1usize..20) {
            let pieces: Vec<&[u8]> = bytes.chunks(piece).collect();
            let whole = opened(PAIRS[pair].1().0, &[&bytes]);
            let split = opened(PAIRS[pair].1().0, &pieces);
            prop_assert_eq!((whole.0, whole.1), (split.0, split.1));
        }
    }
}
