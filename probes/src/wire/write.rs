//! Writing SSH's data types (RFC 4251 section 5).

/// Appends one field after another to a message. All calls can be chained.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Bytes as they are, without a length.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// `byte`
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    /// `boolean`: 0 or 1.
    pub fn boolean(&mut self, value: bool) -> &mut Self {
        self.u8(u8::from(value))
    }

    /// `uint32`
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// `uint64`
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// `string`. What does not fit into its `uint32` length is cut; nothing this program writes comes near.
    pub fn string(&mut self, bytes: &[u8]) -> &mut Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let cut = bytes.get(..usize::try_from(length).unwrap_or(usize::MAX)).unwrap_or(bytes);
        self.u32(length).bytes(cut)
    }

    /// `mpint` of a number that is not negative, given big-endian with any number of leading zeros.
    pub fn mpint(&mut self, magnitude: &[u8]) -> &mut Self {
        let zeros = magnitude.iter().take_while(|byte| **byte == 0).count();
        let shortest = magnitude.get(zeros..).unwrap_or_default();
        // Two's complement: a set top bit would make the number negative.
        let sign = shortest.first().is_some_and(|top| top & 0x80 != 0);
        self.u32(u32::try_from(shortest.len().saturating_add(usize::from(sign))).unwrap_or(u32::MAX));
        if sign {
            self.u8(0);
        }
        self.bytes(shortest)
    }

    /// `name-list` of names joined by commas.
    pub fn name_list<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> &mut Self {
        let mut list = Vec::new();
        for (at, name) in names.into_iter().enumerate() {
            if at > 0 {
                list.push(b',');
            }
            list.extend_from_slice(name.as_bytes());
        }
        self.string(&list)
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::{NameList, Reader};
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut Writer::new(&mut out));
        out
    }

    #[test]
    fn mpints_are_written_as_rfc_4251_shows_them() {
        let mpint = |magnitude: &[u8]| {
            written(|w| {
                w.mpint(magnitude);
            })
        };
        assert_eq!(mpint(&[]), [0, 0, 0, 0]);
        assert_eq!(mpint(&[0, 0]), [0, 0, 0, 0]);
        let example = [0x09, 0xa3, 0x78, 0xf9, 0xb2, 0xe3, 0x32, 0xa7];
        assert_eq!(mpint(&example), [&[0, 0, 0, 8][..], &example].concat());
        assert_eq!(mpint(&[0x80]), [0, 0, 0, 2, 0, 0x80]);
        assert_eq!(mpint(&[0, 0, 0x7f]), [0, 0, 0, 1, 0x7f]);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            byte: u8, flag: bool, word: u32, long: u64, text: Vec<u8>, number: Vec<u8>,
            names in prop::collection::vec("[a-z0-9@.-]{1,20}", 0..6),
        ) {
            let out = written(|w| {
                w.u8(byte).boolean(flag).u32(word).u64(long).string(&text).mpint(&number);
                w.name_list(names.iter().map(String::as_str));
            });
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.u8().unwrap(), byte);
            prop_assert_eq!(reader.boolean().unwrap(), flag);
            prop_assert_eq!(reader.u32().unwrap(), word);
            prop_assert_eq!(reader.u64().unwrap(), long);
            prop_assert_eq!(reader.string().unwrap(), &text[..]);
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            prop_assert_eq!(reader.mpint().unwrap(), &number[zeros..]);
            let list = NameList(reader.string().unwrap());
            let read: Vec<_> = list.names().map(|name| String::from_utf8(name.to_vec()).unwrap()).collect();
            prop_assert_eq!(read, names);
            prop_assert!(reader.end().is_ok());
        }

        #[test]
        fn a_message_cut_anywhere_is_refused_where_it_breaks(word: u32, text: Vec<u8>, number: Vec<u8>) {
            let out = written(|w| { w.u32(word).string(&text).mpint(&number).u64(7); });
            for cut in 0..out.len() {
                let mut reader = Reader::new(&out[..cut]);
                let whole = reader.u32().and_then(|_| reader.string()).and_then(|_| reader.mpint()).and_then(|_| reader.u64());
                let fault = whole.unwrap_err();
                prop_assert!(fault.offset <= cut, "{fault} of {cut}");
            }
        }

        #[test]
        fn readers_survive_anything(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while reader.string().is_ok() {}
            let mut reader = Reader::new(&bytes);
            while reader.mpint().is_ok() {}
            let names = NameList(&bytes).names().count();
            prop_assert_eq!(names == 0, bytes.is_empty());
        }
    }
}
