//! The seam between the packet layer and the ciphers.

use std::fmt;

use crate::kex::Key;

/// How one direction's packets are laid out under its cipher and MAC (RFC 4253 section 6 and its successors).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// How many bytes must be there before the packet length can be read: 4, or a block where the first one hides it.
    pub head: usize,
    /// The size the padding makes up to, in bytes.
    pub block: usize,
    /// Whether the four bytes of the length field count towards that.
    pub length_in_block: bool,
    /// Whether the length field is encrypted: a senseless length then means a wrong key or corruption, not a confused peer.
    pub length_encrypted: bool,
    /// Size of the tag or MAC behind the packet, in bytes.
    pub tag: usize,
}

/// A packet that does not authenticate, or key material that its cipher does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CipherFault;

/// Turns received packets into plain ones.
pub trait Open: Send + fmt::Debug {
    /// How the packets are laid out.
    fn layout(&self) -> Layout;

    /// `packet_length`, from the first [`Layout::head`] bytes of a packet, which it may decrypt in place. Called exactly
    /// once for every packet.
    fn length(&mut self, sequence: u32, head: &mut [u8]) -> u32;

    /// Authenticates and decrypts in place. `packet` is whole, length field included; `tag` is [`Layout::tag`] bytes.
    ///
    /// # Errors
    /// The packet is not what the peer sealed; its bytes are then without meaning.
    fn open(&mut self, sequence: u32, packet: &mut [u8], tag: &[u8]) -> Result<(), CipherFault>;
}

/// Turns plain packets into what is sent.
pub trait Seal: Send + fmt::Debug {
    /// How the packets are laid out.
    fn layout(&self) -> Layout;

    /// Encrypts `packet` in place, length field included, and writes its tag.
    ///
    /// # Errors
    /// Never in practice; the packet must then not be sent, as it may still be plain.
    fn seal(&mut self, sequence: u32, packet: &mut [u8], tag: &mut [u8]) -> Result<(), CipherFault>;
}

/// The receiving half of one direction.
pub type Opener = Box<dyn Open>;

/// The sending half of one direction.
pub type Sealer = Box<dyn Seal>;

/// A cipher that authenticates nothing by itself: it needs a MAC beside it.
pub trait Transform: Send + fmt::Debug {
    /// Its block size in bytes.
    fn block(&self) -> usize;

    /// Encrypts or decrypts the next bytes of the stream, a multiple of the block size.
    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), CipherFault>;
}

/// A MAC.
pub trait Authenticate: Send + fmt::Debug {
    /// The size of its tag in bytes, at most [`Tag::MAX`].
    fn size(&self) -> usize;

    /// The tag of a packet: MAC(key, sequence number || packet) (RFC 4253 section 6.4).
    fn tag(&self, sequence: u32, packet: &[u8]) -> Tag;
}

/// A computed tag; only the first [`Authenticate::size`] bytes of it are used.
#[derive(Clone, Copy)]
pub struct Tag(pub [u8; Tag::MAX]);

impl Tag {
    /// The largest tag there is: HMAC-SHA-512's.
    pub const MAX: usize = 64;

    /// A tag of at most that size, from its bytes.
    pub(super) fn from_slice(bytes: &[u8]) -> Self {
        let mut tag = [0; Self::MAX];
        for (to, from) in tag.iter_mut().zip(bytes) {
            *to = *from;
        }
        Self(tag)
    }
}

/// What one direction's cipher and MAC are keyed with (RFC 4253 section 7.2).
#[derive(Default)]
pub struct Keys {
    /// Letter C or D.
    pub key: Key,
    /// Letter A or B; empty for ciphers that have none.
    pub iv: Key,
    /// Letter E or F; empty where the cipher authenticates by itself.
    pub mac: Key,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}
