//! SOCKS5 (RFC 1928) with user name and password (RFC 1929), the client's side of CONNECT.

use std::net::IpAddr;

use super::fault::{Credentials, Peer, PeerHost, ProxyFault, Step};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USERNAME_PASSWORD: u8 = 2;
const NO_ACCEPTABLE_METHOD: u8 = 0xff;
/// The version of RFC 1929's own negotiation.
const AUTH_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const DOMAIN_NAME: u8 = 3;
const IPV6: u8 = 4;

/// A handshake with a SOCKS5 proxy.
///
/// Send [`output`](Self::output) and say so with [`written`](Self::written); give what comes to [`input`](Self::input).
#[derive(Debug)]
pub struct Socks5 {
    peer: Peer,
    credentials: Option<Credentials>,
    state: State,
    /// The answer read so far, at most [`Socks5::REPLY_MAX`] bytes.
    answer: Vec<u8>,
    output: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Method,
    Authentication,
    Reply,
    Over(Option<ProxyFault>),
}

impl Socks5 {
    /// The longest answer: a reply with a name of 255 bytes.
    pub const REPLY_MAX: usize = 4 + 1 + 255 + 2;

    /// A handshake that asks for `peer`. Credentials are offered, and given only to a proxy that chooses them.
    #[must_use]
    pub fn new(peer: Peer, credentials: Option<Credentials>) -> Self {
        let methods: &[u8] =
            if credentials.is_some() { &[NO_AUTHENTICATION, USERNAME_PASSWORD] } else { &[NO_AUTHENTICATION] };
        let mut output = vec![VERSION, length(methods)];
        output.extend_from_slice(methods);
        Self { peer, credentials, state: State::Method, answer: Vec::new(), output }
    }

    /// What is to be sent.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// So many bytes of [`output`](Self::output) were sent.
    pub fn written(&mut self, count: usize) {
        self.output.drain(..count.min(self.output.len()));
    }

    /// Takes what the proxy sent.
    ///
    /// # Errors
    /// The proxy says no, or is none. Anything after the end of the handshake gives the same answer again.
    pub fn input(&mut self, data: &[u8]) -> Result<Step, ProxyFault> {
        for (index, byte) in data.iter().enumerate() {
            if let State::Over(fault) = &self.state {
                return fault.clone().map_or(Ok(Step::Connected(index)), Err);
            }
            self.answer.push(*byte);
            let next = self.step().unwrap_or_else(|fault| Some(State::Over(Some(fault))));
            if let Some(next) = next {
                self.answer.clear();
                self.state = next;
            }
        }
        match &self.state {
            State::Over(fault) => fault.clone().map_or(Ok(Step::Connected(data.len())), Err),
            _ => Ok(Step::More),
        }
    }

    /// The proxy's stream ended.
    pub fn input_end(&mut self) -> ProxyFault {
        match &self.state {
            State::Over(Some(fault)) => fault.clone(),
            _ => {
                self.state = State::Over(Some(ProxyFault::Closed));
                ProxyFault::Closed
            }
        }
    }

    /// The state that the answer as read leads to, if it is whole.
    fn step(&mut self) -> Result<Option<State>, ProxyFault> {
        let expected = if self.state == State::Authentication { AUTH_VERSION } else { VERSION };
        if self.answer.first().is_some_and(|version| *version != expected) {
            return Err(ProxyFault::NotAProxy("SOCKS5"));
        }
        match (&self.state, self.answer.as_slice()) {
            (State::Method, [_, method]) => match (*method, &self.credentials) {
                (NO_AUTHENTICATION, _) => Ok(Some(self.request())),
                (USERNAME_PASSWORD, Some(credentials)) => {
                    let (user, password) = (credentials.user().as_bytes(), credentials.password().as_bytes());
                    self.output.extend_from_slice(&[AUTH_VERSION, length(user)]);
                    self.output.extend_from_slice(user);
                    self.output.push(length(password));
                    self.output.extend_from_slice(password);
                    Ok(Some(State::Authentication))
                }
                (NO_ACCEPTABLE_METHOD, _) => Err(ProxyFault::NoMethod),
                // A method that was not offered.
                _ => Err(ProxyFault::NotAProxy("SOCKS5")),
            },
            (State::Authentication, [_, 0]) => Ok(Some(self.request())),
            (State::Authentication, [_, status]) => Err(ProxyFault::Credentials(*status)),
            // A refusal is one as soon as it is seen: some proxies send no address behind it.
            (State::Reply, [_, reply]) if *reply != 0 => Err(ProxyFault::SocksReply(*reply)),
            (State::Reply, [_, _, _, kind, rest @ ..]) => {
                let wanted = match (*kind, rest) {
                    (IPV4, _) => 4,
                    (IPV6, _) => 16,
                    (DOMAIN_NAME, []) => return Ok(None),
                    (DOMAIN_NAME, [len, ..]) => usize::from(*len).saturating_add(1),
                    _ => return Err(ProxyFault::NotAProxy("SOCKS5")),
                };
                Ok((rest.len() >= wanted.saturating_add(2)).then_some(State::Over(None)))
            }
            _ => Ok(None),
        }
    }

    /// Asks for the connection.
    fn request(&mut self) -> State {
        self.output.extend_from_slice(&[VERSION, CONNECT, 0]);
        match self.peer.host() {
            PeerHost::Addr(IpAddr::V4(addr)) => {
                self.output.push(IPV4);
                self.output.extend_from_slice(&addr.octets());
            }
            PeerHost::Addr(IpAddr::V6(addr)) => {
                self.output.push(IPV6);
                self.output.extend_from_slice(&addr.octets());
            }
            PeerHost::Name(name) => {
                self.output.extend_from_slice(&[DOMAIN_NAME, length(name.as_bytes())]);
                self.output.extend_from_slice(name.as_bytes());
            }
        }
        self.output.extend_from_slice(&self.peer.port().to_be_bytes());
        State::Reply
    }
}

/// The length byte of what [`Peer`] and [`Credentials`] have bounded to 255 bytes.
fn length(bytes: &[u8]) -> u8 {
    u8::try_from(bytes.len()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::Code;

    const OK4: &[u8] = b"\x05\0\0\x01\x0a\0\0\x01\0\x16";

    fn credentials() -> Option<Credentials> {
        Some(Credentials::new("user", "pass").unwrap())
    }

    fn handshake(host: &str, credentials: Option<Credentials>) -> Socks5 {
        Socks5::new(Peer::new(host, 22).unwrap(), credentials)
    }

    fn sent(socks: &mut Socks5) -> Vec<u8> {
        let out = socks.output().to_vec();
        socks.written(out.len());
        out
    }

    #[test]
    fn the_requests_are_those_of_the_rfcs() {
        let mut socks = handshake("10.0.0.5", None);
        assert_eq!(sent(&mut socks), b"\x05\x01\0");
        assert_eq!(socks.input(b"\x05\0"), Ok(Step::More));
        assert_eq!(sent(&mut socks), b"\x05\x01\0\x01\x0a\0\0\x05\0\x16");
        assert_eq!(socks.input(OK4), Ok(Step::Connected(OK4.len())));

        let mut socks = handshake("db.example", credentials());
        assert_eq!(sent(&mut socks), b"\x05\x02\0\x02");
        assert_eq!(socks.input(b"\x05\x02"), Ok(Step::More));
        assert_eq!(sent(&mut socks), b"\x01\x04user\x04pass");
        assert_eq!(socks.input(b"\x01\0"), Ok(Step::More));
        assert_eq!(sent(&mut socks), b"\x05\x01\0\x03\x0adb.example\0\x16");

        let mut socks = handshake("::1", credentials());
        sent(&mut socks);
        assert_eq!(socks.input(b"\x05\0"), Ok(Step::More), "credentials stay here if they are not asked for");
        assert_eq!(sent(&mut socks), b"\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x16");
    }

    /// The whole conversation in two pieces, cut at every place, and byte by byte: one outcome.
    fn outcome(credentials: Option<Credentials>, answers: &[u8]) -> (Result<usize, ProxyFault>, Vec<u8>) {
        let run = |pieces: &[&[u8]]| {
            let (mut socks, mut before, mut out) = (handshake("db.example", credentials.clone()), 0, Vec::new());
            let mut result = None;
            for piece in pieces {
                out.extend(sent(&mut socks));
                match socks.input(piece) {
                    Ok(Step::More) => before += piece.len(),
                    Ok(Step::Connected(used)) => {
                        result = Some(Ok(before + used));
                        break;
                    }
                    Err(fault) => {
                        result = Some(Err(fault));
                        break;
                    }
                }
            }
            out.extend(sent(&mut socks));
            (result.unwrap_or_else(|| Err(socks.input_end())), out)
        };
        let whole = run(&[answers]);
        for cut in 0..=answers.len() {
            assert_eq!(run(&[&answers[..cut], &answers[cut..]]), whole, "cut at {cut}");
        }
        assert_eq!(run(&answers.chunks(1).collect::<Vec<_>>()), whole);
        whole
    }

    #[test]
    fn every_answer_leads_where_it_should_at_every_split() {
        let name: &[u8] = b"\x05\0\0\x03\x05proxy\0\x16";
        let v6: &[u8] = b"\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x16";
        for reply in [OK4, name, v6, b"\x05\0\0\x03\0\0\0"] {
            let plain = [b"\x05\0", reply, b"SSH-2.0-x\r\n"].concat();
            assert_eq!(outcome(None, &plain).0, Ok(2 + reply.len()));
            let authenticated = [b"\x05\x02\x01\0", reply, b"SSH"].concat();
            assert_eq!(outcome(credentials(), &authenticated).0, Ok(4 + reply.len()));
        }
        let socks5 = ProxyFault::NotAProxy("SOCKS5");
        let longest = [b"\x05\0\x05\0\0\x03\xff", &[b'a'; 257][..]].concat();
        assert_eq!(outcome(None, &longest).0, Ok(2 + Socks5::REPLY_MAX));
        for (answers, fault) in [
            (&b"\x05\xff"[..], ProxyFault::NoMethod),
            (b"\x05\x02\x01\x01", ProxyFault::Credentials(1)),
            (b"\x05\x02\x01\xff", ProxyFault::Credentials(255)),
            (b"\x05\x02\x05\0", socks5.clone()),
            (b"\x05\x01", socks5.clone()),
            (b"\x04\0", socks5.clone()),
            (b"\0\x5b", socks5.clone()),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", socks5.clone()),
            (b"SSH-2.0-OpenSSH_9.2p1\r\n", socks5.clone()),
            (b"\x05\0\x04\0", socks5.clone()),
            (b"\x05\0\x05\0\0\x02", socks5.clone()),
            (b"", ProxyFault::Closed),
            (b"\x05", ProxyFault::Closed),
            (b"\x05\0", ProxyFault::Closed),
            (b"\x05\0\x05\0\0\x01\x0a\0\0\x01\0", ProxyFault::Closed),
            (b"\x05\x02\x01", ProxyFault::Closed),
        ] {
            assert_eq!(outcome(credentials(), answers).0, Err(fault), "{answers:?}");
        }
        assert_eq!(outcome(None, b"\x05\x02").0, Err(socks5), "user name and password were not offered");
    }

    #[test]
    fn every_reply_code_is_a_refusal_with_its_number() {
        for reply in 1..=255u8 {
            for tail in [&b""[..], b"\0\x01\0\0\0\0\0\0"] {
                let answers = [&b"\x05\0\x05"[..], &[reply], tail].concat();
                let fault = outcome(None, &answers).0.unwrap_err();
                assert_eq!(fault, ProxyFault::SocksReply(reply));
                assert_eq!(fault.verdict(), (Code::ProxyRefused, Some(reply.to_string())));
            }
        }
        assert!(ProxyFault::SocksReply(5).to_string().contains("refused by the target"));
        assert_eq!(ProxyFault::NoMethod.verdict().0, Code::ProxyAuth);
        assert_eq!(ProxyFault::Credentials(1).verdict().0, Code::ProxyAuth);
        assert_eq!(ProxyFault::NotAProxy("SOCKS5").verdict().0, Code::ProxyUnreachable);
        assert_eq!(ProxyFault::Closed.verdict().0, Code::ProxyUnreachable);
    }
}
