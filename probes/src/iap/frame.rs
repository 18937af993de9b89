//! The relay's frames ("SSH Relay v4"): one to a binary WebSocket message, all integers big-endian.
//!
//! | tag | name | layout behind the tag |
//! |---|---|---|
//! | 1 | CONNECT_SUCCESS_SID | `u32` length, the session's id in printable ASCII |
//! | 2 | RECONNECT_SUCCESS_ACK | `u64` payload bytes the server has |
//! | 4 | DATA | `u32` length, 1 to 16384 bytes |
//! | 7 | ACK | `u64` payload bytes had so far |
//! | 10 | LONG_CLOSE | `u32` close code, `u32` length, reason in UTF-8 |
//!
//! Other tags are ignored, as the protocol asks of clients, and so is what follows a frame within its message.

use thiserror::Error;

use crate::wire::read::Reader;

/// The most bytes of a DATA frame, of a session's id and of a reason.
pub const DATA_MAX: usize = 16_384;
/// The longest message taken. The longest legal frame has 16394 bytes; more is room for trailing bytes.
pub const MESSAGE_MAX: usize = 65_536;
/// The bytes of an ACK frame.
pub const ACK_LEN: usize = 10;

const CONNECT_SUCCESS_SID: u16 = 1;
const RECONNECT_SUCCESS_ACK: u16 = 2;
const DATA: u16 = 4;
const ACK: u16 = 7;
const LONG_CLOSE: u16 = 10;

/// One frame, borrowing from its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame<'m> {
    /// The relay has TCP to the backend; this is the session's id.
    ConnectSuccessSid(&'m str),
    /// The relay took up an earlier session and has so many payload bytes of ours.
    ReconnectSuccessAck(u64),
    /// Payload.
    Data(&'m [u8]),
    /// The other side has so many payload bytes.
    Ack(u64),
    /// The relay gives up the session, with a close code and more to say than a WebSocket Close holds.
    LongClose {
        /// The close code, of the same meaning as a WebSocket's.
        code: u32,
        /// The reason, meant to be UTF-8.
        reason: &'m [u8],
    },
    /// A tag this program has no use for, to be ignored.
    Ignored(u16),
}

/// A message that is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Longer than [`MESSAGE_MAX`].
    #[error("a message of {0} bytes")]
    MessageTooLong(usize),
    /// It ends within a frame.
    #[error("{0} cut short")]
    CutShort(&'static str),
    /// A length above [`DATA_MAX`], or none.
    #[error("{name} of {len} bytes")]
    Length {
        /// Which frame.
        name: &'static str,
        /// The length it states.
        len: u32,
    },
    /// A session's id with something else than printable ASCII in it.
    #[error("CONNECT_SUCCESS_SID with a session id that is not printable ASCII")]
    Sid,
}

impl<'m> Frame<'m> {
    /// Reads the frame of one binary message.
    ///
    /// # Errors
    /// A message too long or too short for what it says, an array out of bounds.
    pub fn decode(message: &'m [u8]) -> Result<Self, FrameError> {
        if message.len() > MESSAGE_MAX {
            return Err(FrameError::MessageTooLong(message.len()));
        }
        let mut reader = Reader::new(message);
        let tag = u16::from_be_bytes(reader.array("tag").map_err(|_| FrameError::CutShort("a tag"))?);
        match tag {
            CONNECT_SUCCESS_SID => {
                let sid = array(&mut reader, "CONNECT_SUCCESS_SID", 1)?;
                let printable = sid.iter().all(|byte| matches!(byte, b' '..=b'~'));
                let sid = str::from_utf8(sid).ok().filter(|_| printable).ok_or(FrameError::Sid)?;
                Ok(Frame::ConnectSuccessSid(sid))
            }
            RECONNECT_SUCCESS_ACK => number(&mut reader, "RECONNECT_SUCCESS_ACK").map(Frame::ReconnectSuccessAck),
            DATA => array(&mut reader, "DATA", 1).map(Frame::Data),
            ACK => number(&mut reader, "ACK").map(Frame::Ack),
            LONG_CLOSE => {
                let code = reader.u32().map_err(|_| FrameError::CutShort("LONG_CLOSE"))?;
                let reason = array(&mut reader, "LONG_CLOSE", 0)?;
                Ok(Frame::LongClose { code, reason })
            }
            other => Ok(Frame::Ignored(other)),
        }
    }
}

fn number(reader: &mut Reader<'_>, name: &'static str) -> Result<u64, FrameError> {
    reader.array(name).map(u64::from_be_bytes).map_err(|_| FrameError::CutShort(name))
}

fn array<'m>(reader: &mut Reader<'m>, name: &'static str, least: usize) -> Result<&'m [u8], FrameError> {
    let len = reader.u32().map_err(|_| FrameError::CutShort(name))?;
    let count = usize::try_from(len).ok().filter(|count| (least..=DATA_MAX).contains(count));
    let count = count.ok_or(FrameError::Length { name, len })?;
    reader.bytes(count, name).map_err(|_| FrameError::CutShort(name))
}

/// An ACK frame: this side has `received` payload bytes of the session.
#[must_use]
pub fn ack(received: u64) -> [u8; ACK_LEN] {
    let [t0, t1] = ACK.to_be_bytes();
    let [a, b, c, d, e, f, g, h] = received.to_be_bytes();
    [t0, t1, a, b, c, d, e, f, g, h]
}

/// A DATA frame with the first [`DATA_MAX`] bytes of `payload`, and what is left of it. `None` if there is nothing to send.
#[must_use]
pub fn data(payload: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (head, rest) = payload.split_at_checked(DATA_MAX).unwrap_or((payload, &[]));
    let len = u32::try_from(head.len()).ok().filter(|len| *len > 0)?;
    let mut frame = Vec::with_capacity(head.len().saturating_add(6));
    frame.extend_from_slice(&DATA.to_be_bytes());
    frame.extend_from_slice(&len.to_be_bytes());
    frame.extend_from_slice(head);
    Some((frame, rest))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A frame whose layout is a length and that many bytes.
    pub(in crate::iap) fn framed(tag: u16, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(body.len()).unwrap();
        [&tag.to_be_bytes()[..], &len.to_be_bytes(), body].concat()
    }

    pub(in crate::iap) fn sid(id: &str) -> Vec<u8> {
        framed(CONNECT_SUCCESS_SID, id.as_bytes())
    }

    pub(in crate::iap) fn reconnected(count: u64) -> Vec<u8> {
        [&RECONNECT_SUCCESS_ACK.to_be_bytes()[..], &count.to_be_bytes()].concat()
    }

    pub(in crate::iap) fn long_close(code: u32, reason: &[u8]) -> Vec<u8> {
        let len = u32::try_from(reason.len()).unwrap();
        [&LONG_CLOSE.to_be_bytes()[..], &code.to_be_bytes(), &len.to_be_bytes(), reason].concat()
    }

    const LONG_CLOSE_4003: &[u8] = b"\x00\x0a\x00\x00\x0f\xa3\x00\x00\x00\x1cfailed to connect to backend";

    fn vectors() -> Vec<(Vec<u8>, Frame<'static>)> {
        vec![
            (b"\x00\x01\x00\x00\x00\x03Sid".to_vec(), Frame::ConnectSuccessSid("Sid")),
            (b"\x00\x02\x00\x00\x00\x00\x00\x00\x00\x2a".to_vec(), Frame::ReconnectSuccessAck(42)),
            (b"\x00\x04\x00\x00\x00\x01\x44".to_vec(), Frame::Data(b"D")),
            (b"\x00\x07\x00\x00\x00\x00\x00\x00\x00\x4d".to_vec(), Frame::Ack(77)),
            (LONG_CLOSE_4003.to_vec(), Frame::LongClose { code: 4003, reason: b"failed to connect to backend" }),
            (long_close(4033, b""), Frame::LongClose { code: 4033, reason: b"" }),
        ]
    }

    /// Every vector is read whole and with trailing bytes, and refused at every shorter length.
    #[test]
    fn the_vectors_are_read_and_every_cut_is_seen() {
        for (bytes, frame) in vectors() {
            assert_eq!(Frame::decode(&bytes), Ok(frame));
            let trailing = [&bytes[..], b"\x00\x04trailing"].concat();
            assert_eq!(Frame::decode(&trailing), Ok(frame));
            for cut in 0..bytes.len() {
                assert!(matches!(Frame::decode(&bytes[..cut]), Err(FrameError::CutShort(_))), "{frame:?} at {cut}");
            }
        }
    }

    #[test]
    fn what_is_written_are_the_vectors_too() {
        assert_eq!(ack(77), b"\x00\x07\x00\x00\x00\x00\x00\x00\x00\x4d"[..]);
        assert_eq!(data(b"D"), Some((b"\x00\x04\x00\x00\x00\x01\x44".to_vec(), &b""[..])));
        assert_eq!(data(b""), None);
        let long = vec![7; DATA_MAX + 1];
        let (frame, rest) = data(&long).unwrap();
        assert_eq!((frame.len(), rest), (DATA_MAX + 6, &[7][..]));
        assert_eq!(Frame::decode(&frame), Ok(Frame::Data(&long[..DATA_MAX])));
    }

    #[test]
    fn tags_without_use_are_ignored() {
        for tag in [0u16, 3, 5, 6, 8, 9, 11, 0x63, 0xffff] {
            assert_eq!(Frame::decode(&tag.to_be_bytes()), Ok(Frame::Ignored(tag)));
        }
    }

    #[test]
    fn lengths_out_of_bounds_are_refused() {
        let over = u32::try_from(DATA_MAX).unwrap() + 1;
        for tag in [CONNECT_SUCCESS_SID, DATA] {
            assert!(Frame::decode(&framed(tag, &vec![b'a'; DATA_MAX])).is_ok());
            let long = framed(tag, &vec![b'a'; DATA_MAX + 1]);
            assert!(matches!(Frame::decode(&long), Err(FrameError::Length { len, .. }) if len == over));
            assert!(matches!(Frame::decode(&framed(tag, b"")), Err(FrameError::Length { len: 0, .. })));
        }
        assert!(Frame::decode(&long_close(4000, &vec![b'a'; DATA_MAX])).is_ok());
        assert!(Frame::decode(&long_close(4000, &vec![b'a'; DATA_MAX + 1])).is_err());
        let stated = b"\x00\x04\xff\xff\xff\xffx";
        assert_eq!(Frame::decode(stated), Err(FrameError::Length { name: "DATA", len: u32::MAX }));
        let huge = framed(DATA, b"x").into_iter().chain(vec![0; MESSAGE_MAX]).collect::<Vec<_>>();
        assert_eq!(Frame::decode(&huge), Err(FrameError::MessageTooLong(huge.len())));
        assert!(Frame::decode(&huge[..MESSAGE_MAX]).is_ok());
    }

    #[test]
    fn a_session_id_is_printable() {
        for no in [&b"a\0b"[..], b"a\n", b"\xff", "\u{e4}".as_bytes(), b"\x7f"] {
            assert_eq!(Frame::decode(&framed(CONNECT_SUCCESS_SID, no)), Err(FrameError::Sid));
        }
    }

    proptest! {
        #[test]
        fn payload_survives_being_framed(payload in proptest::collection::vec(any::<u8>(), 0..40_000)) {
            let (mut rest, mut back) = (&payload[..], Vec::new());
            while let Some((frame, left)) = data(rest) {
                let Ok(Frame::Data(bytes)) = Frame::decode(&frame) else { return Err(TestCaseError::fail("no DATA")) };
                back.extend_from_slice(bytes);
                rest = left;
            }
            prop_assert_eq!(back, payload);
        }

        #[test]
        fn any_message_is_read_or_refused(message in proptest::collection::vec(any::<u8>(), 0..300), tag in 0u16..12) {
            let _ = Frame::decode(&message);
            let _ = Frame::decode(&[&tag.to_be_bytes()[..], &message].concat());
        }
    }
}
