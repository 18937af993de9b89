//! HTTP CONNECT (RFC 9110 section 9.3.6): the request, and the head of the response.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fault::{Credentials, Peer, ProxyFault, Step};

/// A CONNECT request and the reader of its answer.
///
/// Send [`HttpConnect::request`], then give what comes to [`input`](Self::input). Only the head of the answer is the proxy's:
/// after a 2xx the tunnel begins at once, whatever `Content-Length` says.
#[derive(Debug, Default)]
pub struct HttpConnect {
    /// The line being read, at most [`HttpConnect::HEAD_MAX`] bytes with all lines before it.
    line: Vec<u8>,
    /// Bytes taken so far.
    taken: usize,
    /// The status of the response being read.
    status: Option<u16>,
    /// The line with it.
    status_line: Vec<u8>,
    over: Option<Result<(), ProxyFault>>,
}

impl HttpConnect {
    /// The longest head that is read, interim responses included.
    pub const HEAD_MAX: usize = 16_384;

    /// How much of a status line is kept.
    pub const STATUS_LINE_MAX: usize = 512;

    /// The status line of the last response, raw: in its reason phrase a proxy says why. Empty before there is one.
    #[must_use]
    pub fn status_line(&self) -> &[u8] {
        &self.status_line
    }

    /// The request's bytes.
    #[must_use]
    pub fn request(peer: &Peer, credentials: Option<&Credentials>) -> Vec<u8> {
        let mut request = format!("CONNECT {peer} HTTP/1.1\r\nHost: {peer}\r\n");
        if let Some(credentials) = credentials {
            // RFC 7617 section 2.
            let token = STANDARD.encode(format!("{}:{}", credentials.user(), credentials.password()));
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(&token);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        request.into_bytes()
    }

    /// The request was sent; nothing has come.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what the proxy sent.
    ///
    /// # Errors
    /// The proxy says no, or is none. Anything after the end of the head gives the same answer again.
    pub fn input(&mut self, data: &[u8]) -> Result<Step, ProxyFault> {
        for (index, byte) in data.iter().enumerate() {
            if let Some(over) = &self.over {
                return over.clone().map(|()| Step::Connected(index));
            }
            self.take(*byte);
        }
        match &self.over {
            Some(over) => over.clone().map(|()| Step::Connected(data.len())),
            None => Ok(Step::More),
        }
    }

    /// The proxy's stream ended.
    pub fn input_end(&mut self) -> ProxyFault {
        // A status line says what it says, also if the head is cut off behind it.
        let fault = match (&self.over, self.status) {
            (Some(Err(fault)), _) => fault.clone(),
            (None, Some(status)) if status >= 300 => refusal(status),
            _ => ProxyFault::Closed,
        };
        self.over = Some(Err(fault.clone()));
        fault
    }

    fn take(&mut self, byte: u8) {
        self.taken = self.taken.saturating_add(1);
        if byte != b'\n' {
            self.line.push(byte);
            if self.status.is_none() && !may_begin_status_line(&self.line) {
                self.over = Some(Err(ProxyFault::NotAProxy("HTTP")));
            } else if self.taken >= Self::HEAD_MAX {
                self.over = Some(Err(ProxyFault::TooLong(Self::HEAD_MAX)));
            }
            return;
        }
        // A lone LF ends a line, too (RFC 9112 section 2.2).
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        self.over = match self.status {
            None => match status_of(line) {
                Some(status) => {
                    self.status = Some(status);
                    self.status_line = line.get(..Self::STATUS_LINE_MAX).unwrap_or(line).to_vec();
                    None
                }
                None => Some(Err(ProxyFault::NotAProxy("HTTP"))),
            },
            // An interim response; the final one follows (RFC 9110 section 15.2).
            Some(100..=199) if line.is_empty() => {
                self.status = None;
                None
            }
            Some(200..=299) if line.is_empty() => Some(Ok(())),
            Some(status) if line.is_empty() => Some(Err(refusal(status))),
            Some(_) => None,
        };
        if self.over.is_none() && self.taken >= Self::HEAD_MAX {
            self.over = Some(Err(ProxyFault::TooLong(Self::HEAD_MAX)));
        }
    }
}

const fn refusal(status: u16) -> ProxyFault {
    match status {
        407 => ProxyFault::AuthenticationRequired,
        status => ProxyFault::HttpStatus(status),
    }
}

/// What was read of a line can still become a status line: no more is read of something else than it takes to see it.
fn may_begin_status_line(line: &[u8]) -> bool {
    let version = b"HTTP/1.";
    match line.split_at_checked(version.len()) {
        None => version.starts_with(line),
        Some((head, _)) => head == version,
    }
}

/// RFC 9112 section 4: `HTTP/1.1 200 reason`, the reason and the blank before it not always there.
pub(crate) fn status_of(line: &[u8]) -> Option<u16> {
    let [b'0'..=b'9', b' ', status @ ..] = line.strip_prefix(b"HTTP/1.")? else { return None };
    let (digits, behind) = status.split_at_checked(3)?;
    let whole = behind.first().is_none_or(|byte| *byte == b' ') && digits.iter().all(u8::is_ascii_digit);
    let status = str::from_utf8(digits).ok().filter(|_| whole)?.parse().ok()?;
    (100..600).contains(&status).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::Code;

    #[test]
    fn the_request_names_the_peer_twice_and_the_credentials_once() {
        let peer = Peer::new("db.example", 22).unwrap();
        assert_eq!(HttpConnect::request(&peer, None), b"CONNECT db.example:22 HTTP/1.1\r\nHost: db.example:22\r\n\r\n");
        let v6 = Peer::new("2001:db8::1", 2222).unwrap();
        let credentials = Credentials::new("Aladdin", "open sesame").unwrap();
        assert_eq!(
            HttpConnect::request(&v6, Some(&credentials)),
            b"CONNECT [2001:db8::1]:2222 HTTP/1.1\r\nHost: [2001:db8::1]:2222\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
        );
    }

    /// In two pieces, cut at every place, and byte by byte: one outcome.
    fn outcome(answer: &[u8]) -> Result<usize, ProxyFault> {
        let run = |pieces: &[&[u8]]| {
            let (mut connect, mut before) = (HttpConnect::new(), 0);
            for piece in pieces {
                match connect.input(piece) {
                    Ok(Step::More) => before += piece.len(),
                    Ok(Step::Connected(used)) => {
                        assert_eq!(connect.input(b""), Ok(Step::Connected(0)));
                        return Ok(before + used);
                    }
                    Err(fault) => return Err(fault),
                }
            }
            Err(connect.input_end())
        };
        let whole = run(&[answer]);
        for cut in (0..=answer.len()).step_by(answer.len() / 200 + 1) {
            assert_eq!(run(&[&answer[..cut], &answer[cut..]]), whole, "cut at {cut}");
        }
        assert_eq!(run(&answer.chunks(1).collect::<Vec<_>>()), whole);
        whole
    }

    #[test]
    fn the_tunnel_begins_right_behind_the_head() {
        for head in [
            "HTTP/1.1 200 Connection established\r\n\r\n",
            "HTTP/1.0 200 OK\r\nProxy-agent: x\r\n\r\n",
            "HTTP/1.1 200\r\n\r\n",
            "HTTP/1.1 200 \r\n\r\n",
            "HTTP/1.1 204 No Content\n\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 299 x\r\n\r\n",
        ] {
            assert_eq!(outcome(head.as_bytes()), Ok(head.len()), "{head}");
            assert_eq!(outcome(format!("{head}SSH-2.0-x\r\n\r\n").as_bytes()), Ok(head.len()), "{head}");
        }
    }

    #[test]
    fn the_status_line_is_kept_with_the_proxys_own_words() {
        let mut connect = HttpConnect::new();
        assert_eq!(connect.status_line(), b"");
        let refused =
            connect.input(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Port 22 is \xff not allowed\r\nX: y\r\n\r\n");
        assert_eq!(refused, Err(ProxyFault::HttpStatus(403)));
        assert_eq!(connect.status_line(), b"HTTP/1.1 403 Port 22 is \xff not allowed");
        let mut connect = HttpConnect::new();
        let _ = connect.input(format!("HTTP/1.1 403 {}\r\n\r\n", "x".repeat(5000)).as_bytes());
        assert_eq!(connect.status_line().len(), HttpConnect::STATUS_LINE_MAX);
    }

    #[test]
    fn every_other_status_is_a_refusal() {
        for status in 100..600u16 {
            let answer = format!("HTTP/1.1 {status} x\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\nbody");
            let result = outcome(answer.as_bytes());
            match status {
                100..=199 => assert_eq!(result, Err(ProxyFault::NotAProxy("HTTP")), "the body is no final response"),
                200..=299 => assert!(result.is_ok()),
                407 => assert_eq!(result, Err(ProxyFault::AuthenticationRequired)),
                _ => assert_eq!(result, Err(ProxyFault::HttpStatus(status))),
            }
        }
        assert_eq!(ProxyFault::AuthenticationRequired.verdict(), (Code::ProxyAuth, Some("407".to_owned())));
        assert_eq!(ProxyFault::HttpStatus(401).verdict(), (Code::ProxyAuth, Some("401".to_owned())));
        assert_eq!(ProxyFault::HttpStatus(503).verdict(), (Code::ProxyRefused, Some("503".to_owned())));
    }

    #[test]
    fn what_is_no_answer_is_seen_for_what_it_is() {
        let no = Err(ProxyFault::NotAProxy("HTTP"));
        for answer in [
            "SSH-2.0-OpenSSH_9.2p1\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 20 x\r\n",
            "HTTP/1.1 2000 x\r\n",
            "HTTP/1.1 099 x\r\n",
            "HTTP/1.1 600 x\r\n",
            "HTTP/1.1  200 x\r\n",
            "HTTP/1.1 +20 x\r\n",
            "HTTP/1.\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "\x05\x00",
            "\n",
        ] {
            assert_eq!(outcome(answer.as_bytes()), no, "{answer:?}");
        }
        for (answer, fault) in [
            ("", ProxyFault::Closed),
            ("HTTP/1.1 200", ProxyFault::Closed),
            ("HTTP/1.1 200 OK\r\n", ProxyFault::Closed),
            ("HTTP/1.1 200 OK\r\n\r", ProxyFault::Closed),
            ("HTTP/1.1 100 Continue\r\n\r\n", ProxyFault::Closed),
            ("HTTP/1.1 403 Forbidden\r\nX: y", ProxyFault::HttpStatus(403)),
            ("HTTP/1.1 407 x\r\n", ProxyFault::AuthenticationRequired),
        ] {
            assert_eq!(outcome(answer.as_bytes()), Err(fault), "{answer:?}");
        }
    }

    #[test]
    fn no_head_is_read_without_end() {
        let too_long = Err(ProxyFault::TooLong(HttpConnect::HEAD_MAX));
        let header = format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(20_000));
        let headers = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(4_000));
        let interim = "HTTP/1.1 100 x\r\n\r\n".repeat(1_000);
        for answer in [header, headers, interim] {
            assert_eq!(outcome(answer.as_bytes()), too_long);
        }
        let fits = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(HttpConnect::HEAD_MAX - 24));
        assert_eq!(outcome(fits.as_bytes()), Ok(HttpConnect::HEAD_MAX));
    }
}
