//! SSH_MSG_KEXINIT (RFC 4253 section 7.1).

use super::read::{NameList, ReadError, Reader};

/// SSH_MSG_KEXINIT's number.
pub const SSH_MSG_KEXINIT: u8 = 20;

/// A KEXINIT as it was sent. The payload is kept whole: it enters the exchange hash byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KexInit {
    payload: Vec<u8>,
    lists: [(usize, usize); 10],
    first_kex_packet_follows: bool,
    reserved: u32,
    trailing: usize,
}

impl KexInit {
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
            *list = (reader.offset().saturating_sub(names.len()), reader.offset());
        }
        let first_kex_packet_follows = reader.boolean()?;
        let reserved = reader.u32()?;
        let trailing = reader.rest().len();
        Ok(Self { payload: payload.to_vec(), lists, first_kex_packet_follows, reserved, trailing })
    }

    /// The payload from byte 20 on: I_C or I_S of the exchange hash.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    fn list(&self, index: usize) -> NameList<'_> {
        let (from, to) = self.lists.get(index).copied().unwrap_or_default();
        NameList(self.payload.get(from..to).unwrap_or_default())
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
