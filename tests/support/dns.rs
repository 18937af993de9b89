//! A name server that answers by the first label of the name: truly, wrongly or not at all.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::netns::Netns;

/// Answers until dropped.
pub(crate) struct NameServer {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Listens on port 53 (UDP) of the address. The first label of the name asked for decides:
    /// `hostN` has the address 10.0.0.N; `gone` does not exist; `broken` is SERVFAIL; `refused` is REFUSED; `empty` exists and
    /// has no address; `mute` is never answered; `liar` is answered with another's id; `stranger` with the answer to another
    /// question; `garbage` with bytes that are no message; `loop` with a CNAME to itself; `vouched` has the address 10.0.0.9 and
    /// the SSHFP record 4 2 of 32 bytes 0xAB, and the answer claims to be validated (AD), though there is no signature anywhere.
    pub(crate) fn start(netns: &Netns, address: IpAddr) -> Self {
        let socket = netns.enter(|| UdpSocket::bind(SocketAddr::new(address, 53))).expect("port 53");
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        Self { over, thread: Some(netns.spawn(move || serve(&socket, &until))) }
    }

    /// Listens on a free port of 127.0.0.1. `tunnel` and `vm-here` have the address 127.0.0.1.
    pub(crate) fn here() -> (Self, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let addr = socket.local_addr().expect("bound");
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        (Self { over, thread: Some(std::thread::spawn(move || serve(&socket, &until))) }, addr)
    }
}

fn serve(socket: &UdpSocket, until: &AtomicBool) {
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    let mut buffer = [0; 1500];
    while !until.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut buffer)
            && let Some(answer) = answer(&buffer[..length])
        {
            let _ = socket.send_to(&answer, from);
        }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

const A: u16 = 1;
const CNAME: u16 = 5;
const SSHFP: u16 = 44;

/// The answer to a query with one question (RFC 1035 section 4.1), if it gets one.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let label_length = usize::from(*query.get(12)?);
    let label = String::from_utf8_lossy(query.get(13..13 + label_length)?).to_lowercase();
    let name_end = 12 + query.get(12..)?.iter().position(|byte| *byte == 0)? + 1;
    let question = query.get(12..name_end + 4)?;
    let kind = u16::from_be_bytes([query[name_end], query[name_end + 1]]);
    let (code, record) = match label.as_str() {
        "mute" => return None,
        "garbage" => return Some(b"\xff\xfe\xfd no message at all".to_vec()),
        "gone" => (3, None),
        "broken" => (2, None),
        "refused" => (5, None),
        "liar" | "stranger" => (0, Some((A, vec![10, 0, 0, 9]))),
        "vouched" if kind == SSHFP => (0, Some((SSHFP, [&[4, 2][..], &[0xab; 32]].concat()))),
        "vouched" => (0, Some((A, vec![10, 0, 0, 9])).filter(|_| kind == A)),
        // A name that is a pointer to the question's own.
        "loop" => (0, Some((CNAME, vec![0xc0, 12]))),
        "tunnel" | "vm-here" => (0, Some((A, vec![127, 0, 0, 1])).filter(|_| kind == A)),
        _ => {
            let octet = label.strip_prefix("host").and_then(|number| number.parse().ok());
            let address = octet.map(|octet| Ipv4Addr::new(10, 0, 0, octet).octets().to_vec());
            (0, address.filter(|_| kind == A).map(|address| (A, address)))
        }
    };
    let mut message = query[..2].to_vec();
    if label == "liar" {
        message[0] ^= 0x5a;
    }
    // A response, recursion desired and available.
    let ad = if label == "vouched" { 0x20 } else { 0 };
    message.extend([0x81, 0x80 | ad | code]);
    message.extend([0, 1, 0, u8::from(record.is_some()), 0, 0, 0, 0]);
    if label == "stranger" {
        message.extend(b"\x05other\x03lab\x04test\x00");
        message.extend(&question[question.len() - 4..]);
    } else {
        message.extend(question);
    }
    if let Some((kind, data)) = record {
        message.extend([0xc0, 12]);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 60]);
        message.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        message.extend(data);
    }
    Some(message)
}
