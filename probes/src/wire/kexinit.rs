//! SSH_MSG_KEXINIT (RFC 4253 section 7.1).

use super::read::{NameList, ReadError, Reader};
use super::write::Writer;

pub use super::message::SSH_MSG_KEXINIT;

/// A KEXINIT as it was sent. The payload is kept whole: it enters the exchange hash byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KexInit {
    payload: Box<[u8]>,
    /// Where each begins and ends in it. No packet is longer than these can tell.
    lists: [(u32, u32); 10],
    first_kex_packet_follows: bool,
    reserved: u32,
    trailing: usize,
}

impl KexInit {
    /// Size of [`KexInit::head`] in bytes.
    pub const HEAD: usize = 1 + 16;

    /// Writes a payload: the cookie, the ten name lists in the order of RFC 4253 section 7.1, the guess flag, reserved 0.
    #[must_use]
    pub fn build(cookie: [u8; 16], lists: [&[u8]; 10], first_follows: bool) -> Vec<u8> {
        let mut payload = Vec::with_capacity(Self::size(&lists));
        let mut writer = Writer::new(&mut payload);
        writer.bytes(&Self::head(cookie));
        for list in lists {
            writer.string(list);
        }
        writer.boolean(first_follows).u32(0);
        payload
    }

    /// How long a payload with these lists is, in bytes.
    fn size(lists: &[&[u8]; 10]) -> usize {
        let names = lists.iter().fold(0usize, |sum, list| sum.saturating_add(list.len()));
        // The head, the lists' lengths, the flag, and the reserved field.
        names.saturating_add(Self::HEAD + 10 * 4 + 1 + 4)
    }

    /// Reads a payload that begins with byte 20. A nonzero reserved field and bytes after it are tolerated and noted.
    pub fn parse(payload: &[u8]) -> Result<Self, ReadError> {
        let mut reader = Reader::new(payload);
        if reader.u8()? != SSH_MSG_KEXINIT {
            return Err(ReadError { what: "not a KEXINIT", offset: 0 });
        }
        reader.bytes(16, "cookie cut short")?;
        let mut lists = [(0, 0); 10];
        for list in &mut lists {
            let names = reader.string()?;
            let end = reader.offset();
            let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            *list = (place(end.saturating_sub(names.len())), place(end));
        }
        let first_kex_packet_follows = reader.boolean()?;
        let reserved = reader.u32()?;
        let trailing = reader.rest().len();
        Ok(Self { payload: payload.into(), lists, first_kex_packet_follows, reserved, trailing })
    }

    /// The payload from byte 20 on: I_C or I_S of the exchange hash.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The message number and the random cookie: how each payload begins.
    #[must_use]
    pub fn head(cookie: [u8; 16]) -> [u8; Self::HEAD] {
        let mut head = [SSH_MSG_KEXINIT; Self::HEAD];
        for (to, from) in head.iter_mut().skip(1).zip(cookie) {
            *to = from;
        }
        head
    }

    /// Everything but the message number and the random cookie: the same from equal servers.
    #[must_use]
    pub fn offer(&self) -> &[u8] {
        self.payload.get(Self::HEAD..).unwrap_or_default()
    }

    fn list(&self, index: usize) -> NameList<'_> {
        let (from, to) = self.lists.get(index).copied().unwrap_or_default();
        let place = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        NameList(self.payload.get(place(from)..place(to)).unwrap_or_default())
    }

    /// All ten lists, in the order in which they are sent.
    #[must_use]
    pub fn lists(&self) -> [NameList<'_>; 10] {
        std::array::from_fn(|index| self.list(index))
    }

    /// `kex_algorithms`, pseudo names included.
    #[must_use]
    pub fn kex(&self) -> NameList<'_> {
        self.list(0)
    }

    /// `server_host_key_algorithms`
    #[must_use]
    pub fn host_key(&self) -> NameList<'_> {
        self.list(1)
    }

    /// `encryption_algorithms_client_to_server`
    #[must_use]
    pub fn cipher_c2s(&self) -> NameList<'_> {
        self.list(2)
    }

    /// `encryption_algorithms_server_to_client`
    #[must_use]
    pub fn cipher_s2c(&self) -> NameList<'_> {
        self.list(3)
    }

    /// `mac_algorithms_client_to_server`
    #[must_use]
    pub fn mac_c2s(&self) -> NameList<'_> {
        self.list(4)
    }

    /// `mac_algorithms_server_to_client`
    #[must_use]
    pub fn mac_s2c(&self) -> NameList<'_> {
        self.list(5)
    }

    /// `compression_algorithms_client_to_server`
    #[must_use]
    pub fn comp_c2s(&self) -> NameList<'_> {
        self.list(6)
    }

    /// `compression_algorithms_server_to_client`
    #[must_use]
    pub fn comp_s2c(&self) -> NameList<'_> {
        self.list(7)
    }

    /// `languages_client_to_server`, always empty in practice.
    #[must_use]
    pub fn lang_c2s(&self) -> NameList<'_> {
        self.list(8)
    }

    /// `languages_server_to_client`, always empty in practice.
    #[must_use]
    pub fn lang_s2c(&self) -> NameList<'_> {
        self.list(9)
    }

    /// One key-exchange packet follows as a guess.
    #[must_use]
    pub const fn first_kex_packet_follows(&self) -> bool {
        self.first_kex_packet_follows
    }

    /// The last field, 0 in every implementation known.
    #[must_use]
    pub const fn reserved(&self) -> u32 {
        self.reserved
    }

    /// How many bytes stood after the last field.
    #[must_use]
    pub const fn trailing(&self) -> usize {
        self.trailing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_built_parses_back(
            cookie: [u8; 16],
            lists in prop::array::uniform10("[a-z0-9@,.-]{0,40}"),
            follows: bool,
        ) {
            let lists: [&[u8]; 10] = std::array::from_fn(|at| lists[at].as_bytes());
            let payload = KexInit::build(cookie, lists, follows);
            prop_assert_eq!(payload.capacity(), payload.len());
            let read = KexInit::parse(&payload).unwrap();
            let fields = [
                read.kex(), read.host_key(), read.cipher_c2s(), read.cipher_s2c(), read.mac_c2s(),
                read.mac_s2c(), read.comp_c2s(), read.comp_s2c(), read.lang_c2s(), read.lang_s2c(),
            ];
            prop_assert_eq!(fields.map(|list| list.0), lists);
            prop_assert_eq!(read.first_kex_packet_follows(), follows);
            prop_assert_eq!((read.reserved(), read.trailing()), (0, 0));
            prop_assert_eq!(read.payload(), &payload[..]);
            for cut in 0..payload.len() {
                prop_assert!(KexInit::parse(&payload[..cut]).is_err());
            }
        }

        #[test]
        fn anything_else_is_refused_or_read_without_harm(bytes: Vec<u8>) {
            let _ = KexInit::parse(&bytes);
            let _ = KexInit::parse(&[&[SSH_MSG_KEXINIT][..], &bytes].concat());
        }
    }

    #[test]
    fn a_reserved_field_in_use_and_bytes_after_it_are_noted() {
        let mut payload = KexInit::build([7; 16], [b"k"; 10], false);
        *payload.last_mut().unwrap() = 9;
        payload.extend([1, 2, 3]);
        let read = KexInit::parse(&payload).unwrap();
        assert_eq!((read.reserved(), read.trailing()), (9, 3));
        assert_eq!(KexInit::parse(&[21, 0]).unwrap_err().what, "not a KEXINIT");
    }
}
