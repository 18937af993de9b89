//! One tunnel's conversation with the relay, from the WebSocket's opening to its end, at the level of messages.
//!
//! The contract with whoever drives it over a WebSocket:
//!
//! * every binary message goes into [`IapSession::message`]; bytes of an [`Event::Data`] are the server's;
//! * after every message, [`IapSession::ack`] says whether an acknowledgement is due, which goes out as one binary message;
//! * what the client has to say goes through [`IapSession::write`], each frame as one binary message;
//! * the WebSocket's end, by whatever way, goes into [`IapSession::end`], which knows how far the tunnel had come.
//!
//! A lost session is not taken up again, although the protocol can: for a prober the loss is the result.

use std::time::Duration;

use thiserror::Error;

use super::end::{How, IapEnd, Phase};
use super::frame::{self, ACK_LEN, DATA_MAX, Frame, FrameError};
use crate::time::Moment;

/// An acknowledgement is due when more than this many bytes have come since the last: twice the largest frame, as gcloud has
/// it. The relay stalls the stream at some 1.5 MB.
const ACK_ABOVE: u64 = 2 * DATA_MAX as u64;

/// What the relay did that its protocol forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RelayFault {
    /// A message that is no frame.
    #[error("the relay sent {0}")]
    Frame(#[from] FrameError),
    /// A text message.
    #[error("the relay sent a text message")]
    Text,
    /// What is no WebSocket (RFC 6455): a reserved opcode or bit, a masked frame, text that is not UTF-8.
    #[error("the relay broke the WebSocket protocol")]
    WebSocket,
    /// Something else before the session was announced.
    #[error("the relay sent {0} before the session began")]
    BeforeSid(&'static str),
    /// A second announcement.
    #[error("the relay announced a second session")]
    SecondSid,
    /// An answer to a reconnection that nobody made.
    #[error("the relay sent RECONNECT_SUCCESS_ACK on a new connection")]
    NotReconnecting,
    /// An acknowledgement lower than the one before.
    #[error("the relay acknowledged {now} bytes after {before}")]
    AckBackwards {
        /// What it had acknowledged.
        before: u64,
        /// What it acknowledges now.
        now: u64,
    },
    /// An acknowledgement of more than was sent.
    #[error("the relay acknowledged {acked} bytes of {sent}")]
    AckBeyond {
        /// What was sent.
        sent: u64,
        /// What it acknowledges.
        acked: u64,
    },
    /// What was shown to the relay alone came as if the server had said it.
    #[error("the relay sent the access token back as if the server had said it")]
    Token,
    /// A message after the end of the session.
    #[error("the relay went on after it had ended the session")]
    AfterEnd,
}

/// What a message brought.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'m> {
    /// The session was announced: the relay has TCP to the backend.
    Opened,
    /// Bytes of the server's.
    Data(&'m [u8]),
    /// The relay has so many bytes of ours.
    Acknowledged(u64),
    /// The relay gave the session up, by a LONG_CLOSE frame.
    Ended(IapEnd),
    /// A frame to be ignored.
    Ignored,
}

/// The client's side of one session.
#[derive(Debug, Clone)]
pub struct IapSession {
    begun: Moment,
    opened: Option<Opened>,
    received: u64,
    acked: u64,
    sent: u64,
    confirmed: u64,
    over: bool,
}

#[derive(Debug, Clone)]
struct Opened {
    sid: Box<str>,
    after: Duration,
}

impl IapSession {
    /// The WebSocket is open as of `now`; the relay's announcement is awaited.
    #[must_use]
    pub const fn new(now: Moment) -> Self {
        Self { begun: now, opened: None, received: 0, acked: 0, sent: 0, confirmed: 0, over: false }
    }

    /// Takes one binary message.
    ///
    /// # Errors
    /// What the protocol forbids. The session is over then.
    pub fn message<'m>(&mut self, now: Moment, message: &'m [u8]) -> Result<Event<'m>, RelayFault> {
        if self.over {
            return Err(RelayFault::AfterEnd);
        }
        let event = self.step(now, message);
        self.over |= matches!(event, Err(_) | Ok(Event::Ended(_)));
        event
    }

    fn step<'m>(&mut self, now: Moment, message: &'m [u8]) -> Result<Event<'m>, RelayFault> {
        match (Frame::decode(message)?, &self.opened) {
            (Frame::ConnectSuccessSid(sid), None) => {
                self.opened = Some(Opened { sid: sid.into(), after: now.since(self.begun) });
                Ok(Event::Opened)
            }
            (Frame::ConnectSuccessSid(_), Some(_)) => Err(RelayFault::SecondSid),
            (Frame::ReconnectSuccessAck(_), _) => Err(RelayFault::NotReconnecting),
            (Frame::Data(_), None) => Err(RelayFault::BeforeSid("DATA")),
            (Frame::Data(bytes), Some(_)) => {
                self.received = self.received.saturating_add(bytes.len() as u64);
                Ok(Event::Data(bytes))
            }
            (Frame::Ack(_), None) => Err(RelayFault::BeforeSid("ACK")),
            (Frame::Ack(count), Some(_)) => {
                if count < self.confirmed {
                    return Err(RelayFault::AckBackwards { before: self.confirmed, now: count });
                }
                if count > self.sent {
                    return Err(RelayFault::AckBeyond { sent: self.sent, acked: count });
                }
                self.confirmed = count;
                Ok(Event::Acknowledged(count))
            }
            (Frame::LongClose { code, reason }, _) => {
                Ok(Event::Ended(IapEnd::new(self.phase(), How::LongClose(code), reason)))
            }
            (Frame::Ignored(_), _) => Ok(Event::Ignored),
        }
    }

    /// A text message came, which the protocol does not have.
    pub fn text(&mut self) -> RelayFault {
        self.over = true;
        RelayFault::Text
    }

    /// The ACK frame that is due, if one is: ask after every message.
    pub fn ack(&mut self) -> Option<[u8; ACK_LEN]> {
        (self.received.saturating_sub(self.acked) > ACK_ABOVE).then(|| self.acknowledge())
    }

    /// An ACK frame for all that came and was not acknowledged: for the moment before a clean close.
    pub fn last_ack(&mut self) -> Option<[u8; ACK_LEN]> {
        (!self.over && self.received > self.acked).then(|| self.acknowledge())
    }

    fn acknowledge(&mut self) -> [u8; ACK_LEN] {
        self.acked = self.received;
        frame::ack(self.received)
    }

    /// The frames that carry `bytes` to the server, in order. `None` before the session is announced and after its end: the
    /// bytes cannot be sent then.
    #[must_use]
    pub fn write(&mut self, bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
        if self.over || self.opened.is_none() {
            return None;
        }
        let (mut frames, mut rest) = (Vec::with_capacity(bytes.len().div_ceil(DATA_MAX)), bytes);
        while let Some((frame, left)) = frame::data(rest) {
            frames.push(frame);
            rest = left;
        }
        self.sent = self.sent.saturating_add(bytes.len() as u64);
        Some(frames)
    }

    /// The WebSocket was closed with a Close frame, with `code` if it had one.
    pub fn close(&mut self, code: Option<u16>, reason: &[u8]) -> IapEnd {
        self.end(How::Close(code), reason)
    }

    /// The tunnel ended in any other way.
    pub fn end(&mut self, how: How, reason: &[u8]) -> IapEnd {
        self.over = true;
        IapEnd::new(self.phase(), how, reason)
    }

    /// How far the tunnel has come.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        if self.opened.is_some() { Phase::Open } else { Phase::Sid }
    }

    /// The session's id, once announced. It is a secret of a kind: whoever has it and a token could take the session up.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.opened.as_ref().map(|opened| &*opened.sid)
    }

    /// How long after the WebSocket's opening the session was announced.
    #[must_use]
    pub fn sid_after(&self) -> Option<Duration> {
        self.opened.as_ref().map(|opened| opened.after)
    }

    /// Payload bytes that came.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Payload bytes that were sent.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Payload bytes that were sent and which the relay has not acknowledged.
    #[must_use]
    pub const fn unconfirmed(&self) -> u64 {
        self.sent.saturating_sub(self.confirmed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::tests::{framed, long_close, reconnected, sid};
    use super::*;
    use proptest::prelude::*;

    const NOW: Moment = Moment::from_micros(5_000);

    fn data(body: &[u8]) -> Vec<u8> {
        framed(4, body)
    }

    fn open() -> IapSession {
        let mut session = IapSession::new(Moment::from_micros(1_000));
        assert_eq!(session.message(NOW, &sid("Sid")), Ok(Event::Opened));
        session
    }

    #[test]
    fn a_healthy_session_carries_bytes_both_ways() {
        let mut session = IapSession::new(Moment::from_micros(1_000));
        assert_eq!((session.phase(), session.sid()), (Phase::Sid, None));
        assert_eq!(session.write(b"early"), None);
        assert_eq!(session.message(NOW, &[0, 0x63, 1, 2]), Ok(Event::Ignored));
        assert_eq!(session.message(NOW, &sid("Sid")), Ok(Event::Opened));
        assert_eq!((session.sid(), session.sid_after()), (Some("Sid"), Some(Duration::from_millis(4))));
        assert_eq!(session.message(NOW, &data(b"SSH-2.0-")), Ok(Event::Data(b"SSH-2.0-")));
        assert_eq!(session.message(NOW, &data(b"x\r\n")), Ok(Event::Data(b"x\r\n")));
        assert_eq!(session.write(b"SSH-2.0-y\r\n"), Some(vec![data(b"SSH-2.0-y\r\n")]));
        assert_eq!(session.write(b""), Some(vec![]));
        assert_eq!((session.received(), session.sent(), session.unconfirmed()), (11, 11, 11));
        assert_eq!(session.message(NOW, &frame::ack(0)), Ok(Event::Acknowledged(0)));
        assert_eq!(session.message(NOW, &frame::ack(11)), Ok(Event::Acknowledged(11)));
        assert_eq!((session.unconfirmed(), session.ack()), (0, None));
        assert_eq!(session.last_ack(), Some(frame::ack(11)));
        assert_eq!(session.last_ack(), None);
        let end = session.close(Some(4010), b"destination read failed");
        assert_eq!(end, IapEnd::new(Phase::Open, How::Close(Some(4010)), b"destination read failed"));
        assert_eq!((session.write(b"late"), session.last_ack()), (None, None));
        assert_eq!(session.message(NOW, &data(b"late")), Err(RelayFault::AfterEnd));
    }

    #[test]
    fn an_acknowledgement_is_due_above_two_full_frames() {
        let mut session = open();
        for _ in 0..2 {
            session.message(NOW, &data(&vec![1; DATA_MAX])).unwrap();
            assert_eq!(session.ack(), None);
        }
        session.message(NOW, &data(b"1")).unwrap();
        assert_eq!((session.ack(), session.ack()), (Some(frame::ack(32_769)), None));
        session.message(NOW, &data(&vec![1; DATA_MAX])).unwrap();
        assert_eq!(session.ack(), None);
    }

    #[test]
    fn what_the_protocol_forbids_ends_the_session() {
        type Case = (&'static str, Vec<Vec<u8>>, &'static [u8], RelayFault);
        let cases: Vec<Case> = vec![
            ("DATA first", vec![data(b"SSH-2.0-x\r\n")], b"", RelayFault::BeforeSid("DATA")),
            ("ACK first", vec![frame::ack(0).to_vec()], b"", RelayFault::BeforeSid("ACK")),
            ("reconnected", vec![reconnected(0)], b"", RelayFault::NotReconnecting),
            ("reconnected later", vec![sid("a"), reconnected(0)], b"", RelayFault::NotReconnecting),
            ("second", vec![sid("a"), sid("b")], b"", RelayFault::SecondSid),
            ("beyond", vec![sid("a"), frame::ack(4).to_vec()], b"abc", RelayFault::AckBeyond { sent: 3, acked: 4 }),
            (
                "backwards",
                vec![sid("a"), frame::ack(3).to_vec(), frame::ack(2).to_vec()],
                b"abc",
                RelayFault::AckBackwards { before: 3, now: 2 },
            ),
            (
                "too long",
                vec![sid("a"), data(&vec![0; DATA_MAX + 1])],
                b"",
                RelayFault::Frame(FrameError::Length { name: "DATA", len: 16_385 }),
            ),
            ("empty", vec![sid("a"), Vec::new()], b"", RelayFault::Frame(FrameError::CutShort("a tag"))),
        ];
        for (name, messages, written, fault) in cases {
            let mut session = IapSession::new(NOW);
            let (last, before) = messages.split_last().unwrap();
            for message in before {
                session.message(NOW, message).unwrap_or_else(|fault| panic!("{name}: {fault}"));
                assert!(session.write(written).is_some() || written.is_empty());
            }
            assert_eq!(session.message(NOW, last), Err(fault), "{name}");
            assert_eq!(session.message(NOW, &data(b"x")), Err(RelayFault::AfterEnd), "{name}");
            assert_eq!(session.write(b"x"), None, "{name}");
        }
        let mut session = open();
        assert_eq!(session.text(), RelayFault::Text);
        assert_eq!(session.message(NOW, &data(b"x")), Err(RelayFault::AfterEnd));
    }

    #[test]
    fn a_long_close_ends_the_session_before_and_after_its_beginning() {
        let mut session = IapSession::new(NOW);
        let closed = IapEnd::new(Phase::Sid, How::LongClose(4003), b"failed");
        assert_eq!(session.message(NOW, &long_close(4003, b"failed")), Ok(Event::Ended(closed)));
        assert_eq!(session.message(NOW, &sid("late")), Err(RelayFault::AfterEnd));
        let mut session = open();
        let closed = IapEnd::new(Phase::Open, How::LongClose(70_000), b"\xff");
        assert_eq!(session.message(NOW, &long_close(70_000, b"\xff")), Ok(Event::Ended(closed)));
    }

    /// What a relay and a client may do, in any order.
    #[derive(Debug, Clone)]
    enum Act {
        Receive(usize),
        Write(usize),
        Confirm(u64),
        Noise(u16),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            (1..=DATA_MAX).prop_map(Act::Receive),
            (0..50_000usize).prop_map(Act::Write),
            any::<u64>().prop_map(Act::Confirm),
            prop_oneof![Just(0u16), Just(3), Just(5), Just(6), 11u16..].prop_map(Act::Noise),
        ];
        proptest::collection::vec(act, 0..60)
    }

    proptest! {
        /// The counters are the sums, the relay is never left with more than the limit un-acknowledged, and a relay that keeps to
        /// the rules never ends a session.
        #[test]
        fn counts_and_acknowledgements_hold_in_any_order(acts in acts()) {
            let mut session = open();
            let (mut received, mut sent, mut confirmed, mut acked) = (0u64, 0u64, 0u64, 0u64);
            for act in acts {
                match act {
                    Act::Receive(count) => {
                        let message = data(&vec![3; count]);
                        let event = session.message(NOW, &message);
                        prop_assert!(matches!(event, Ok(Event::Data(bytes)) if bytes.len() == count));
                        received += count as u64;
                    }
                    Act::Write(count) => {
                        let frames = session.write(&vec![9; count]).unwrap();
                        prop_assert_eq!(frames.iter().map(|frame| frame.len() - 6).sum::<usize>(), count);
                        prop_assert!(frames.iter().all(|frame| frame.len() <= DATA_MAX + 6));
                        sent += count as u64;
                    }
                    Act::Confirm(pick) => {
                        confirmed += pick % (sent - confirmed + 1);
                        let message = frame::ack(confirmed);
                        prop_assert_eq!(session.message(NOW, &message), Ok(Event::Acknowledged(confirmed)));
                    }
                    Act::Noise(tag) => {
                        let message = tag.to_be_bytes();
                        prop_assert_eq!(session.message(NOW, &message), Ok(Event::Ignored));
                    }
                }
                if let Some(ack) = session.ack() {
                    prop_assert!(received - acked > 32_768);
                    prop_assert_eq!(ack, frame::ack(received));
                    acked = received;
                }
                prop_assert!(received - acked <= 32_768);
                prop_assert_eq!((session.received(), session.sent(), session.unconfirmed()), (received, sent, sent - confirmed));
            }
        }

        /// Whatever a relay sends, nothing comes through before the session and nothing after its end.
        #[test]
        fn any_messages_are_survived(messages in proptest::collection::vec((0u16..12, proptest::collection::vec(any::<u8>(), 0..40)), 0..20)) {
            let mut session = IapSession::new(NOW);
            let (mut opened, mut over) = (false, false);
            for (tag, body) in messages {
                let message = [&tag.to_be_bytes()[..], &body].concat();
                match session.message(NOW, &message) {
                    Ok(Event::Opened) => { prop_assert!(!opened && !over); opened = true; }
                    Ok(Event::Data(_) | Event::Acknowledged(_)) => prop_assert!(opened && !over),
                    Ok(Event::Ended(_)) => { prop_assert!(!over); over = true; }
                    Ok(Event::Ignored) => prop_assert!(!over),
                    Err(fault) => { prop_assert!(over == (fault == RelayFault::AfterEnd)); over = true; }
                }
            }
        }
    }
}
