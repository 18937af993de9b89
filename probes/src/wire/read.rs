//! Reading SSH's data types (RFC 4251 section 5) from bytes that came from the network.

use thiserror::Error;

/// Bytes that are not what the message's layout asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what} at byte {offset}")]
pub struct ReadError {
    /// What is wrong, for example `uint32 cut short`.
    pub what: &'static str,
    /// Where in the input, in bytes from its start.
    pub offset: usize,
}

/// Takes one field after another off the front of a message. Nothing is copied and no length is trusted.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Reads `input` from its start.
    #[must_use]
    pub const fn new(input: &'a [u8]) -> Self {
        Self { rest: input, offset: 0 }
    }

    /// What has not been read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes have been read.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// `count` bytes as they are.
    pub fn bytes(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], ReadError> {
        let (head, tail) = self.rest.split_at_checked(count).ok_or(ReadError { what, offset: self.offset })?;
        self.rest = tail;
        self.offset = self.offset.saturating_add(count);
        Ok(head)
    }

    /// A fixed number of bytes as an array.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ReadError> {
        let offset = self.offset;
        self.bytes(N, what)?.try_into().map_err(|_| ReadError { what, offset })
    }

    /// `byte`
    pub fn u8(&mut self) -> Result<u8, ReadError> {
        self.array::<1>("byte cut short").map(|[byte]| byte)
    }

    /// `boolean`: any value but 0 is true.
    pub fn boolean(&mut self) -> Result<bool, ReadError> {
        self.array::<1>("boolean cut short").map(|[byte]| byte != 0)
    }

    /// `uint32`
    pub fn u32(&mut self) -> Result<u32, ReadError> {
        self.array("uint32 cut short").map(u32::from_be_bytes)
    }

    /// `uint64`
    pub fn u64(&mut self) -> Result<u64, ReadError> {
        self.array("uint64 cut short").map(u64::from_be_bytes)
    }

    /// `string`: a length and that many bytes, of which all must be there.
    pub fn string(&mut self) -> Result<&'a [u8], ReadError> {
        let length = self.u32()?;
        self.bytes(usize::try_from(length).unwrap_or(usize::MAX), "string longer than its message")
    }

    /// `mpint` that is not negative: its magnitude, big-endian, without leading zeros. Needless leading zeros are
    /// tolerated (Cisco and other appliances write them); a negative number never has a meaning in SSH.
    pub fn mpint(&mut self) -> Result<&'a [u8], ReadError> {
        let offset = self.offset;
        let bytes = self.string()?;
        if bytes.first().is_some_and(|top| top & 0x80 != 0) {
            return Err(ReadError { what: "negative mpint", offset });
        }
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Ok(bytes.get(zeros..).unwrap_or_default())
    }

    /// Fails unless everything has been read.
    pub fn end(&self) -> Result<(), ReadError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(ReadError { what: "bytes after the last field", offset: self.offset })
        }
    }
}

/// A `name-list`: names joined by commas. What servers really send may hold empty names and bytes beyond ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameList<'a>(pub &'a [u8]);

impl<'a> NameList<'a> {
    /// The names in order. An empty list has none; an empty name between commas is kept (libssh and Windows send such).
    pub fn names(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let names = self.0.split(|byte| *byte == b',');
        names.take(if self.0.is_empty() { 0 } else { usize::MAX })
    }

    /// `name` stands in the list.
    #[must_use]
    pub fn contains(self, name: &str) -> bool {
        self.names().any(|each| each == name.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_longer_than_its_message_is_refused_without_allocating() {
        let mut reader = Reader::new(&[0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
        assert_eq!(reader.string(), Err(ReadError { what: "string longer than its message", offset: 4 }));
        assert_eq!(Reader::new(&[0, 0]).u32().unwrap_err().to_string(), "uint32 cut short at byte 0");
    }

    #[test]
    fn negative_numbers_are_refused_and_leading_zeros_are_not() {
        assert_eq!(Reader::new(&[0, 0, 0, 1, 0x80]).mpint().unwrap_err().what, "negative mpint");
        assert_eq!(Reader::new(&[0, 0, 0, 3, 0, 0, 5]).mpint(), Ok(&[5u8][..]));
        assert_eq!(Reader::new(&[0, 0, 0, 0]).mpint(), Ok(&[][..]));
    }

    #[test]
    fn name_lists_keep_empty_names_but_an_empty_list_has_none() {
        let names = |list: &'static str| NameList(list.as_bytes()).names().map(<[u8]>::len).collect::<Vec<_>>();
        assert!(names("").is_empty());
        assert_eq!(names("aes128-ctr,"), [10, 0]);
        assert_eq!(names(",,a"), [0, 0, 1]);
        assert!(NameList(b"a,b").contains("b") && !NameList(b"ab").contains("b"));
    }
}
