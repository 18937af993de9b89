//! How a tunnel ended, and what that means: the mapping from close codes, HTTP statuses and silences to outcomes.
//!
//! The relay's 101 says only that the relay took the WebSocket; the session's id (SID) that follows is the proof of TCP to the
//! backend. So everything depends on how far the tunnel had come.

use std::time::Duration;

use super::session::RelayFault;
use crate::diagnose::Code;
use crate::govern::retry::Transient;

/// How far a tunnel had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The relay's name is looked up and TCP to it opened.
    Connect,
    /// TLS with the relay.
    Tls,
    /// The HTTP upgrade was asked for.
    Upgrade,
    /// 101 came; the session is not announced.
    Sid,
    /// The session was announced: TCP to the backend was open.
    Open,
}

/// What is wrong with a 101.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadUpgrade {
    /// No `Upgrade: websocket` or no `Connection: upgrade`.
    Headers,
    /// `Sec-WebSocket-Accept` is missing or not the key's (RFC 6455 section 4.2.2).
    AcceptKey,
    /// `Sec-WebSocket-Protocol` is missing or names another one.
    Subprotocol,
    /// What came is no HTTP response.
    NotHttp,
}

/// In which way it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum How {
    /// A WebSocket Close frame, with its code if it had one.
    Close(Option<u16>),
    /// A LONG_CLOSE frame of the relay's.
    LongClose(u32),
    /// An HTTP status other than 101 in answer to the upgrade.
    Http(u16),
    /// A 101 that is none.
    BadUpgrade(BadUpgrade),
    /// What the relay's protocol forbids.
    Protocol(RelayFault),
    /// The certificate did not verify, or TLS broke off with an alert.
    Tls,
    /// The stream ended without a Close frame.
    Eof,
    /// The stream was reset.
    Reset,
    /// Nothing came within the time given.
    Silence,
    /// TCP was refused.
    Refused,
    /// No route to the relay.
    Unreachable,
    /// The relay's name did not resolve.
    NameUnknown,
}

/// Whether and when it makes sense to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IapRetry {
    /// The same would come of it.
    Never,
    /// Once, after a moment.
    Once,
    /// Once, with a fresh token.
    FreshToken,
    /// Later: the relay asked for less, or is in trouble.
    BackOff,
    /// For so long, if the instance has just been created or started; else never.
    WhileStarting(Duration),
}

/// What an end means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IapVerdict {
    /// The outcome.
    pub code: Code,
    /// Its parameter.
    pub arg: Option<String>,
    /// Whether to try again.
    pub retry: IapRetry,
}

/// The end of a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IapEnd {
    /// How far it had come.
    pub phase: Phase,
    /// In which way it ended.
    pub how: How,
    /// The relay's own words, raw and at most [`IapEnd::REASON_MAX`] bytes.
    pub reason: Box<[u8]>,
    /// How long the relay asked to be left alone (Retry-After, RFC 9110 section 10.2.3), where it gave seconds.
    pub retry_after: Option<Duration>,
}

/// How many bytes a server's Close frame can have: a header of two, and a payload of at most 125 (RFC 6455 section 5.5).
pub const CLOSE_FRAME_MAX: usize = 127;

/// The code and reason of the Close frame that `read`, the last bytes read of a WebSocket, ends with.
///
/// For a reason that is not UTF-8, which WebSocket libraries refuse together with the code (RFC 6455 section 5.5.1 wants UTF-8).
/// Nothing follows a Close frame, so it is looked for at the end; a server's frames are not masked.
#[must_use]
pub fn close_frame_at_end(read: &[u8]) -> Option<(u16, &[u8])> {
    const CLOSE: u8 = 0x88;
    (0..read.len()).find_map(|at| match read.get(at..)? {
        [CLOSE, len @ 2..=125, a, b, reason @ ..] if reason.len().checked_add(2) == Some(usize::from(*len)) => {
            Some((u16::from_be_bytes([*a, *b]), reason))
        }
        _ => None,
    })
}

/// The status of an HTTP response (RFC 9112 section 4) that begins like this: also where what follows the status is nothing that
/// a reason phrase may be, which HTTP libraries refuse together with the status.
#[must_use]
pub fn status_at_start(read: &[u8]) -> Option<u16> {
    let line = read.split(|byte| *byte == b'\n').next()?;
    crate::proxy::status_of(line.strip_suffix(b"\r").unwrap_or(line))
}

/// A freshly created instance is known to IAP within about a minute; twice that is allowed.
const STARTING: Duration = Duration::from_secs(120);

impl IapEnd {
    /// How much of a reason is kept. A Close frame holds 123 bytes, a LONG_CLOSE 16384.
    pub const REASON_MAX: usize = 1024;

    /// An end with the relay's words, cut to what is kept.
    #[must_use]
    pub fn new(phase: Phase, how: How, reason: &[u8]) -> Self {
        Self { phase, how, reason: reason.get(..Self::REASON_MAX).unwrap_or(reason).into(), retry_after: None }
    }

    /// With the value of a Retry-After header. A date is none of it: the relay's clock is its own.
    #[must_use]
    pub fn with_retry_after(self, value: &[u8]) -> Self {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let seconds = std::str::from_utf8(value).ok().filter(|_| digits).map(|text| text.parse().unwrap_or(u64::MAX));
        Self { retry_after: seconds.map(Duration::from_secs), ..self }
    }

    /// Whether to try again, as far as that is decided without knowing whether the instance has just been created.
    #[must_use]
    pub fn transient(&self) -> Option<Transient> {
        match self.verdict()?.retry {
            IapRetry::Once | IapRetry::FreshToken => Some(Transient::Way),
            IapRetry::BackOff => Some(Transient::Busy { after: self.retry_after }),
            IapRetry::Never | IapRetry::WhileStarting(_) => None,
        }
    }

    /// The relay did not take the token.
    #[must_use]
    pub fn refuses_the_token(&self) -> bool {
        self.verdict().is_some_and(|verdict| verdict.retry == IapRetry::FreshToken)
    }

    /// The close code, if the relay gave one.
    #[must_use]
    pub fn close_code(&self) -> Option<u32> {
        match self.how {
            How::Close(code) => code.map(u32::from),
            How::LongClose(code) => Some(code),
            _ => None,
        }
    }

    /// The backend's side of the session ended, not the tunnel: to SSH it is the end of the stream, and what SSH had seen by then
    /// tells more than the tunnel can. The verdict, if there is one, is for a session in which the server had said nothing.
    #[must_use]
    pub fn is_end_of_stream(&self) -> bool {
        self.phase == Phase::Open
            && match self.how {
                How::Close(None) => true,
                _ => matches!(self.close_code(), Some(1000 | 1005 | 4009 | 4010)),
            }
    }

    /// What it means. `None` where the tunnel did its work and SSH's own evidence decides alone.
    #[must_use]
    pub fn verdict(&self) -> Option<IapVerdict> {
        let verdict = |code, arg: Option<String>, retry| Some(IapVerdict { code, arg, retry });
        let word = |word: &str| Some(word.to_owned());
        match (self.how, self.phase) {
            (How::Close(None), phase) => closed(1005, phase),
            (How::Close(Some(code)), phase) => closed(code.into(), phase),
            (How::LongClose(code), phase) => closed(code, phase),

            (How::Http(status), _) => {
                let retry = match status {
                    400 | 401 => IapRetry::FreshToken,
                    429 | 500..=599 => IapRetry::BackOff,
                    _ => IapRetry::Never,
                };
                verdict(Code::IapHttp, Some(status.to_string()), retry)
            }
            (How::BadUpgrade(what), _) => {
                let what = match what {
                    BadUpgrade::Headers => "upgrade",
                    BadUpgrade::AcceptKey => "accept-key",
                    BadUpgrade::Subprotocol => "subprotocol",
                    BadUpgrade::NotHttp => "not-http",
                };
                verdict(Code::IapProtocol, word(what), IapRetry::Never)
            }
            (How::Protocol(_), _) => verdict(Code::IapProtocol, word("frame"), IapRetry::Never),
            (How::Tls, _) => verdict(Code::IapTls, None, IapRetry::Never),

            // Before TCP stands, the relay is a proxy that cannot be reached. The parameter is the code that a target would get.
            (How::Refused, _) => verdict(Code::ProxyUnreachable, word(Code::Refused.name()), IapRetry::Never),
            (How::Unreachable, _) => {
                verdict(Code::ProxyUnreachable, word(Code::UnreachableNet.name()), IapRetry::Never)
            }
            (How::NameUnknown, _) => verdict(Code::ProxyUnreachable, word(Code::DnsNxdomain.name()), IapRetry::Never),
            (How::Silence, Phase::Connect) => {
                verdict(Code::ProxyUnreachable, word(Code::TimeoutConnect.name()), IapRetry::Once)
            }
            (How::Eof | How::Reset, Phase::Connect) => {
                verdict(Code::ProxyUnreachable, word(Code::ResetNoIdent.name()), IapRetry::Once)
            }

            // An interception proxy that does not like what it sees hangs up or goes silent in the handshake.
            (How::Silence, Phase::Tls) => verdict(Code::IapTls, word("timeout"), IapRetry::Once),
            (How::Eof | How::Reset, Phase::Tls) => verdict(Code::IapTls, word("closed"), IapRetry::Once),
            // Something takes TCP there and speaks no protocol at all, neither the relay's nor a wrong one.
            (How::Silence, Phase::Upgrade) => verdict(Code::ProxyUnreachable, word("silent"), IapRetry::Once),
            (How::Eof | How::Reset, Phase::Upgrade | Phase::Sid) => verdict(Code::IapClosedEarly, None, IapRetry::Once),
            (How::Silence, Phase::Sid) => verdict(Code::IapBackendSilent, None, IapRetry::Once),

            // 1006 is the code for a WebSocket that went without a Close frame (RFC 6455 section 7.1.5). It is the relay that was
            // lost, or something on the way to it: not the backend.
            (How::Eof | How::Reset, Phase::Open) => closed(1006, Phase::Open),
            // Through an open tunnel it is the server that is silent.
            (How::Silence, Phase::Open) => None,
        }
    }
}

/// What a close code means, given by WebSocket or by LONG_CLOSE.
fn closed(close_code: u32, phase: Phase) -> Option<IapVerdict> {
    let open = phase == Phase::Open;
    let (code, retry) = match close_code {
        1000 | 1005 if open => return None,
        // Gone before the session began: normal, going away, without a code, without a frame.
        1000 | 1001 | 1005 | 1006 if !open => (Code::IapClosedEarly, IapRetry::Once),
        4003 => (Code::IapBackendUnreachable, IapRetry::WhileStarting(STARTING)),
        4004 => (Code::IapRelayError, IapRetry::FreshToken),
        4009 | 4010 => (Code::IapBackendClosed, IapRetry::Once),
        4033 => (Code::IapNotAuthorized, IapRetry::Never),
        4047 | 4051 => (Code::IapInstanceLookupFailed, IapRetry::WhileStarting(STARTING)),
        // The relay takes this program to be at fault: an acknowledgement, an opcode, a tag or data it does not take.
        4005..=4008 | 4013 => (Code::IapRelayError, IapRetry::Never),
        _ => (Code::IapRelayError, IapRetry::Once),
    };
    Some(IapVerdict { code, arg: Some(close_code.to_string()), retry })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::Status;

    #[test]
    fn a_close_frame_is_found_at_the_end_alone() {
        let frame = b"\x88\x06\x0f\xa3\xffno\xfe";
        assert_eq!(close_frame_at_end(frame), Some((4003, &b"\xffno\xfe"[..])));
        let behind = [b"\x82\x88\x88\x02".as_slice(), frame].concat();
        assert_eq!(close_frame_at_end(&behind), Some((4003, &b"\xffno\xfe"[..])));
        for cut in 0..frame.len() {
            assert_eq!(close_frame_at_end(&frame[..cut]), None, "{cut}");
        }
        assert_eq!(close_frame_at_end(&[frame.as_slice(), b"x"].concat()), None);
        assert_eq!(close_frame_at_end(b"\x88\x02\x0f\xa3"), Some((4003, &b""[..])));
        assert_eq!(close_frame_at_end(b"\x88\x00"), None);
    }

    #[test]
    fn what_the_relay_said_decides_whether_to_try_again() {
        let busy = |after: Option<u64>| Some(Transient::Busy { after: after.map(Duration::from_secs) });
        let http = |status, after: &[u8]| {
            IapEnd::new(Phase::Upgrade, How::Http(status), b"").with_retry_after(after).transient()
        };
        for (value, after) in [
            (&b"7"[..], Some(7)),
            (b"0", Some(0)),
            (b"99999999999999999999", Some(u64::MAX)),
            (b"", None),
            (b"+7", None),
            (b"Fri, 31 Dec 1999 23:59:59 GMT", None),
        ] {
            assert_eq!((http(429, value), http(503, value)), (busy(after), busy(after)), "{value:?}");
        }
        assert_eq!((http(401, b""), http(403, b""), http(407, b"")), (Some(Transient::Way), None, None));
        let close = |code| IapEnd::new(Phase::Sid, How::Close(Some(code)), b"").transient();
        for code in [1001, 1006, 4000, 4004, 4010] {
            assert_eq!(close(code), Some(Transient::Way), "{code}");
        }
        for code in [4003, 4005, 4033, 4047, 4051] {
            assert_eq!(close(code), None, "{code}");
        }
        assert!(IapEnd::new(Phase::Open, How::Close(Some(4004)), b"").refuses_the_token());
        assert!(!IapEnd::new(Phase::Sid, How::Close(Some(4033)), b"").refuses_the_token());
    }

    #[test]
    fn a_status_is_read_whatever_stands_behind_it() {
        for (read, status) in [
            (&b"HTTP/1.1 403 No\x1b\r\nX: y\r\n\r\n"[..], Some(403)),
            (b"HTTP/1.0 503\n", Some(503)),
            (b"HTTP/1.1 403", Some(403)),
            (b"HTTP/1.1 4033 no", None),
            (b"SSH-2.0-x\r\nHTTP/1.1 403 No", None),
            (b"", None),
        ] {
            assert_eq!(status_at_start(read), status, "{read:?}");
        }
    }

    const STARTING_RETRY: IapRetry = IapRetry::WhileStarting(STARTING);

    fn verdict(phase: Phase, how: How) -> Option<(&'static str, Option<String>, IapRetry)> {
        IapEnd::new(phase, how, b"").verdict().map(|verdict| (verdict.code.name(), verdict.arg, verdict.retry))
    }

    /// Every close code there is, before and after the session's beginning, by Close and by LONG_CLOSE alike.
    #[test]
    fn close_codes() {
        use IapRetry::{FreshToken, Never, Once};
        type Meaning = Option<(&'static str, IapRetry)>;
        let relay = Some(("iap-relay-error", Once));
        let early = Some(("iap-closed-early", Once));
        let ours = Some(("iap-relay-error", Never));
        let lookup = Some(("iap-instance-lookup-failed", STARTING_RETRY));
        let backend = Some(("iap-backend-closed", Once));
        let table: &[(u16, Meaning, Meaning)] = &[
            (1000, early, None),
            (1001, early, relay),
            (1002, relay, relay),
            (1003, relay, relay),
            (1005, early, None),
            (1006, early, relay),
            (1007, relay, relay),
            (1008, relay, relay),
            (1009, relay, relay),
            (1010, relay, relay),
            (1011, relay, relay),
            (1012, relay, relay),
            (1013, relay, relay),
            (1014, relay, relay),
            (1015, relay, relay),
            (4000, relay, relay),
            (4001, relay, relay),
            (4002, relay, relay),
            (
                4003,
                Some(("iap-backend-unreachable", STARTING_RETRY)),
                Some(("iap-backend-unreachable", STARTING_RETRY)),
            ),
            (4004, Some(("iap-relay-error", FreshToken)), Some(("iap-relay-error", FreshToken))),
            (4005, ours, ours),
            (4006, ours, ours),
            (4007, ours, ours),
            (4008, ours, ours),
            (4009, backend, backend),
            (4010, backend, backend),
            (4013, ours, ours),
            (4033, Some(("iap-not-authorized", Never)), Some(("iap-not-authorized", Never))),
            (4047, lookup, lookup),
            (4051, lookup, lookup),
            (4064, relay, relay),
            (4074, relay, relay),
            (4080, relay, relay),
            (4999, relay, relay),
            (3000, relay, relay),
            (0, relay, relay),
        ];
        for (code, before, after) in table {
            for (phase, meaning) in [(Phase::Sid, before), (Phase::Open, after)] {
                let wanted = meaning.map(|(name, retry)| (name, Some(code.to_string()), retry));
                assert_eq!(verdict(phase, How::Close(Some(*code))), wanted, "{code} {phase:?}");
                assert_eq!(verdict(phase, How::LongClose((*code).into())), wanted, "long {code} {phase:?}");
            }
        }
        let closed_early = Some(("iap-closed-early", Some("1005".to_owned()), Once));
        assert_eq!(verdict(Phase::Sid, How::Close(None)), closed_early);
        assert_eq!(verdict(Phase::Open, How::Close(None)), None);
        assert_eq!(
            verdict(Phase::Sid, How::LongClose(70_000)),
            Some(("iap-relay-error", Some("70000".to_owned()), Once))
        );
    }

    /// The handshake's failures, in the order in which a tunnel can meet them.
    #[test]
    fn handshake_failures() {
        use IapRetry::{BackOff, FreshToken, Never, Once};
        use Phase::{Connect, Open, Sid, Tls, Upgrade};
        for (phase, how, code, arg, retry) in [
            (Connect, How::NameUnknown, "proxy-unreachable", Some("dns-nxdomain"), Never),
            (Connect, How::Refused, "proxy-unreachable", Some("refused"), Never),
            (Connect, How::Unreachable, "proxy-unreachable", Some("unreachable-net"), Never),
            (Connect, How::Silence, "proxy-unreachable", Some("timeout-connect"), Once),
            (Connect, How::Reset, "proxy-unreachable", Some("reset-no-ident"), Once),
            (Tls, How::Tls, "iap-tls", None, Never),
            (Tls, How::Silence, "iap-tls", Some("timeout"), Once),
            (Tls, How::Eof, "iap-tls", Some("closed"), Once),
            (Tls, How::Reset, "iap-tls", Some("closed"), Once),
            (Upgrade, How::Http(301), "iap-http", Some("301"), Never),
            (Upgrade, How::Http(302), "iap-http", Some("302"), Never),
            (Upgrade, How::Http(303), "iap-http", Some("303"), Never),
            (Upgrade, How::Http(200), "iap-http", Some("200"), Never),
            (Upgrade, How::Http(400), "iap-http", Some("400"), FreshToken),
            (Upgrade, How::Http(401), "iap-http", Some("401"), FreshToken),
            (Upgrade, How::Http(403), "iap-http", Some("403"), Never),
            (Upgrade, How::Http(404), "iap-http", Some("404"), Never),
            (Upgrade, How::Http(407), "iap-http", Some("407"), Never),
            (Upgrade, How::Http(429), "iap-http", Some("429"), BackOff),
            (Upgrade, How::Http(500), "iap-http", Some("500"), BackOff),
            (Upgrade, How::Http(503), "iap-http", Some("503"), BackOff),
            (Upgrade, How::BadUpgrade(BadUpgrade::Subprotocol), "iap-protocol", Some("subprotocol"), Never),
            (Upgrade, How::BadUpgrade(BadUpgrade::AcceptKey), "iap-protocol", Some("accept-key"), Never),
            (Upgrade, How::BadUpgrade(BadUpgrade::Headers), "iap-protocol", Some("upgrade"), Never),
            (Upgrade, How::BadUpgrade(BadUpgrade::NotHttp), "iap-protocol", Some("not-http"), Never),
            (Upgrade, How::Silence, "proxy-unreachable", Some("silent"), Once),
            (Upgrade, How::Eof, "iap-closed-early", None, Once),
            (Upgrade, How::Reset, "iap-closed-early", None, Once),
            (Sid, How::Eof, "iap-closed-early", None, Once),
            (Sid, How::Reset, "iap-closed-early", None, Once),
            (Sid, How::Silence, "iap-backend-silent", None, Once),
            (Sid, How::Protocol(RelayFault::BeforeSid("DATA")), "iap-protocol", Some("frame"), Never),
            (Open, How::Protocol(RelayFault::SecondSid), "iap-protocol", Some("frame"), Never),
            (Open, How::Eof, "iap-relay-error", Some("1006"), Once),
            (Open, How::Reset, "iap-relay-error", Some("1006"), Once),
            (Open, How::Tls, "iap-tls", None, Never),
        ] {
            assert_eq!(verdict(phase, how), Some((code, arg.map(str::to_owned), retry)), "{phase:?} {how:?}");
        }
        assert_eq!(verdict(Open, How::Silence), None);
    }

    /// Whatever comes at whatever time is a tunnel's failure, or the tunnel was open and did its work.
    #[test]
    fn every_end_has_a_meaning() {
        let mut hows: Vec<How> =
            (0..=u16::MAX).step_by(7).flat_map(|code| [How::Close(Some(code)), How::Http(code)]).collect();
        hows.extend([How::Close(None), How::Tls, How::Eof, How::Reset, How::Silence, How::Refused, How::Unreachable]);
        hows.extend([How::NameUnknown, How::Protocol(RelayFault::Text), How::LongClose(u32::MAX)]);
        for phase in [Phase::Connect, Phase::Tls, Phase::Upgrade, Phase::Sid, Phase::Open] {
            for how in &hows {
                let end = IapEnd::new(phase, *how, b"");
                match end.verdict() {
                    Some(verdict) => assert_eq!(verdict.code.status(), Status::TunnelFailure, "{end:?}"),
                    None => assert!(phase == Phase::Open, "{end:?}"),
                }
            }
        }
    }

    #[test]
    fn the_backends_own_end_is_told_from_the_tunnels() {
        for (phase, how, is) in [
            (Phase::Open, How::Close(Some(1000)), true),
            (Phase::Open, How::Close(None), true),
            (Phase::Open, How::Close(Some(4009)), true),
            (Phase::Open, How::Close(Some(4010)), true),
            (Phase::Open, How::LongClose(4010), true),
            (Phase::Sid, How::Close(Some(4010)), false),
            (Phase::Sid, How::Close(Some(1000)), false),
            (Phase::Open, How::Close(Some(4033)), false),
            (Phase::Open, How::Eof, false),
        ] {
            assert_eq!(IapEnd::new(phase, how, b"").is_end_of_stream(), is, "{phase:?} {how:?}");
        }
        let long = IapEnd::new(Phase::Sid, How::LongClose(4003), &[b'x'; 5000]);
        assert_eq!((long.reason.len(), long.close_code()), (IapEnd::REASON_MAX, Some(4003)));
    }
}
