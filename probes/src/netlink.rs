//! What the kernel says of itself over `rtnetlink(7)`: its messages, read and not received.

pub mod neighbours;
pub mod nexthop;
#[cfg(feature = "syn")]
pub mod routes;

// linux/netlink.h.
const ERROR: u16 = 2;
const DONE: u16 = 3;
const REQUEST_DUMP: u16 = 0x301;
const DUMP_WAS_INTERRUPTED: u16 = 0x10;
const HEADER: usize = 16;

/// A message that asks for a dump; of what, its last bytes say, which begin with an address family.
pub type Request = [u8; HEADER + 12];

/// The dump says too little, or something that is not understood here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the kernel's answer is not understood")]
pub struct Unclear;

/// What is made of a dump, datagram by datagram.
pub trait Reader {
    /// Takes in one message, without its header.
    ///
    /// # Errors
    /// The rest is of no use.
    fn message(&mut self, kind: u16, body: &[u8]) -> Result<(), Unclear>;

    /// Takes in a datagram of the dump; whether it was the last one.
    ///
    /// # Errors
    /// The rest is of no use.
    fn read(&mut self, mut datagram: &[u8]) -> Result<bool, Unclear> {
        while !datagram.is_empty() {
            let length = usize::try_from(word(datagram, 0).ok_or(Unclear)?).map_err(|_| Unclear)?;
            let message = datagram.get(..length).filter(|_| length >= HEADER).ok_or(Unclear)?;
            let (kind, flags) = (half(message, 4).ok_or(Unclear)?, half(message, 6).ok_or(Unclear)?);
            if flags & DUMP_WAS_INTERRUPTED != 0 {
                return Err(Unclear);
            }
            match kind {
                DONE => return Ok(true),
                ERROR => return Err(Unclear),
                _ => self.message(kind, message.get(HEADER..).unwrap_or_default())?,
            }
            datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(false)
    }
}

/// Asks for all there is of a kind, of one address family or, as 0, of all.
fn request(kind: u16, family: u8) -> Request {
    let mut message = [0; HEADER + 12];
    let length = message.len() as u32;
    let fields = length.to_ne_bytes().into_iter().chain(kind.to_ne_bytes()).chain(REQUEST_DUMP.to_ne_bytes());
    message.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
    if let Some(first) = message.get_mut(HEADER) {
        *first = family;
    }
    message
}

/// What follows the fixed part of a message: numbers with their values.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(u16, &'a [u8]), Unclear>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let length = usize::from(half(self.0, 0).unwrap_or(0));
        let whole = half(self.0, 2).zip(self.0.get(4..length));
        self.0 = self.0.get(length.next_multiple_of(4)..).filter(|_| whole.is_some()).unwrap_or_default();
        // The two highest bits of the number say how the value is to be read.
        Some(whole.map(|(kind, value)| (kind & 0x3fff, value)).ok_or(Unclear))
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// Messages as the kernel writes them.
#[cfg(test)]
mod written {
    pub(super) fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let mut out = (16 + body.len() as u32).to_ne_bytes().to_vec();
        out.extend(kind.to_ne_bytes().into_iter().chain(flags.to_ne_bytes()).chain([0; 8]));
        out.extend(body);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut out = (4 + value.len() as u16).to_ne_bytes().to_vec();
        out.extend(kind.to_ne_bytes());
        out.extend(value);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }
}
