//! Drives scripts with a small client put together from this crate's own parts, in memory and under virtual time.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::algorithm::{Agreed, CIPHER, KEX, MAC, Offer, negotiate};
use crate::hostkey::{Certificate, CertificateRole, VerifyFault, fingerprint_sha256, plain_key, verify};
use crate::kex::{Direction, Exchange, ExchangeHash, Exchanged, KeySource, Preface, Progress, SharedSecret};
use crate::negotiate::NoCommon;
use crate::random::{Randomness, Seed};
use crate::time::Moment;
use crate::wire::kexinit::KexInit;
use crate::wire::message::*;
use crate::wire::packet::{Inbound, Outbound};

const HOST_KEY: [u8; 32] = [0x42; 32];

/// What the client has seen.
#[derive(Debug, Default)]
struct Seen {
    /// Everything before the identification, or everything if there was none.
    preamble: Vec<u8>,
    ident: Option<String>,
    kexinit: Option<KexInit>,
    agreed: Option<Result<Agreed, NoCommon>>,
    signature: Option<Result<(), VerifyFault>>,
    fingerprint: Option<String>,
    host_key: Vec<u8>,
    /// The numbers of all messages, in order.
    messages: Vec<u8>,
    ext_info: Vec<(String, String)>,
    banners: Vec<String>,
    failure: Option<(String, bool)>,
    success: bool,
    disconnect: Option<(u32, String)>,
    fault: Option<String>,
    close: Option<Close>,
    /// When the last thing happened.
    at: Duration,
}

struct Client {
    offer: Offer,
    pipelined: bool,
    randomness: Randomness,
    outbound: Outbound,
    inbound: Option<Inbound>,
    i_c: Vec<u8>,
    exchange: Option<Box<dyn Exchange>>,
    exchanged: Option<(SharedSecret, ExchangeHash)>,
    drop_guess: bool,
    out: Vec<u8>,
    seen: Seen,
}

impl Client {
    const IDENT: &'static str = "SSH-2.0-client";

    fn new(offer: Offer, pipelined: bool) -> Self {
        let mut randomness = Randomness::new(Seed([9; 32]));
        let mut cookie = [0; 16];
        randomness.fill(&mut cookie);
        let i_c = offer.kexinit(cookie);
        Self {
            offer,
            pipelined,
            randomness,
            outbound: Outbound::new(),
            inbound: None,
            i_c,
            exchange: None,
            exchanged: None,
            drop_guess: false,
            out: Vec::new(),
            seen: Seen::default(),
        }
    }

    fn send(&mut self, payload: &[u8]) {
        self.outbound.seal(payload, &mut self.randomness, &mut self.out);
    }

    fn speak(&mut self) {
        self.out.extend(format!("{}\r\n", Self::IDENT).as_bytes());
        let i_c = self.i_c.clone();
        self.send(&i_c);
    }

    fn input(&mut self, bytes: &[u8]) {
        if let Some(inbound) = &mut self.inbound {
            inbound.feed(bytes);
        } else {
            self.seen.preamble.extend_from_slice(bytes);
            let starts = (0..self.seen.preamble.len()).find(|at| {
                self.seen.preamble[*at..].starts_with(b"SSH-") && (*at == 0 || self.seen.preamble[at - 1] == b'\n')
            });
            let Some(starts) = starts else { return };
            let Some(length) = self.seen.preamble[starts..].iter().position(|byte| *byte == b'\n') else { return };
            let rest = self.seen.preamble.split_off(starts);
            let line = rest[..length].strip_suffix(b"\r").unwrap_or(&rest[..length]);
            self.seen.ident = Some(String::from_utf8(line.to_vec()).unwrap());
            self.speak();
            let mut inbound = Inbound::new();
            inbound.feed(&rest[length + 1..]);
            self.inbound = Some(inbound);
        }
        while self.seen.fault.is_none() {
            match self.inbound.as_mut().unwrap().packet() {
                Ok(None) => break,
                Ok(Some(payload)) => {
                    let payload = payload.to_vec();
                    self.packet(&payload);
                }
                Err(fault) => self.seen.fault = Some(fault.to_string()),
            }
        }
    }

    fn packet(&mut self, payload: &[u8]) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        self.seen.messages.push(payload[0]);
        match payload[0] {
            SSH_MSG_DISCONNECT => {
                let disconnect = Disconnect::parse(payload).unwrap();
                self.seen.disconnect = Some((disconnect.code, text(disconnect.description)));
            }
            SSH_MSG_KEXINIT => {
                let kexinit = KexInit::parse(payload).unwrap();
                let agreed = negotiate(&self.offer, &kexinit);
                self.seen.kexinit = Some(kexinit);
                self.seen.agreed = Some(agreed);
                if let Ok(agreed) = agreed {
                    self.drop_guess = agreed.guess_wrong;
                    let mut exchange = (agreed.kex.begin)(&mut self.randomness).unwrap();
                    let first = exchange.first(&self.preface());
                    self.exchange = Some(exchange);
                    self.send(&first);
                }
            }
            SSH_MSG_KEX_FIRST..=SSH_MSG_KEX_LAST if std::mem::take(&mut self.drop_guess) => {}
            SSH_MSG_KEX_FIRST..=SSH_MSG_KEX_LAST => {
                let mut exchange = self.exchange.take().unwrap();
                let progress = exchange.receive(payload, &self.preface());
                self.exchange = Some(exchange);
                match progress {
                    Ok(Progress::Send(reply)) => self.send(&reply),
                    Ok(Progress::Done(exchanged)) => {
                        let algorithm = self.agreed().host_key;
                        let Exchanged { host_key, signature, hash, secret, .. } = exchanged;
                        self.seen.signature = Some(verify(algorithm, host_key, signature, hash.bytes()));
                        self.seen.fingerprint = Some(fingerprint_sha256(host_key));
                        self.seen.host_key = host_key.to_vec();
                        self.exchanged = Some((secret, hash));
                    }
                    other => self.seen.fault = Some(format!("{other:?}")),
                }
            }
            SSH_MSG_NEWKEYS => {
                let (secret, hash) = &self.exchanged.take().unwrap();
                let agreed = self.agreed();
                self.send(&[SSH_MSG_NEWKEYS]);
                let mut source = KeySource::new(secret, hash, hash);
                let sealer = agreed.sealer(Direction::ClientToServer, &mut source).unwrap();
                self.outbound.rekey(sealer, agreed.strict_kex);
                let opener = agreed.opener(Direction::ServerToClient, &mut source).unwrap();
                self.inbound.as_mut().unwrap().rekey(opener, agreed.strict_kex);
                self.send(&Service { name: SERVICE_USERAUTH }.build_request());
                if self.pipelined {
                    self.send(&UserauthRequest::build_none(b"root"));
                }
            }
            SSH_MSG_EXT_INFO => {
                let pairs = ExtInfo::parse(payload).unwrap().pairs;
                self.seen.ext_info = pairs.into_iter().map(|(name, value)| (text(name), text(value))).collect();
            }
            SSH_MSG_SERVICE_ACCEPT if !self.pipelined => self.send(&UserauthRequest::build_none(b"root")),
            SSH_MSG_USERAUTH_BANNER => self.seen.banners.push(text(UserauthBanner::parse(payload).unwrap().text)),
            SSH_MSG_USERAUTH_FAILURE => {
                let failure = UserauthFailure::parse(payload).unwrap();
                self.seen.failure = Some((text(failure.methods.0), failure.partial_success));
            }
            SSH_MSG_USERAUTH_SUCCESS => self.seen.success = true,
            _ => {}
        }
    }

    fn preface(&self) -> Preface<'_> {
        Preface {
            v_c: Self::IDENT.as_bytes(),
            v_s: self.seen.ident.as_ref().unwrap().as_bytes(),
            i_c: [&self.i_c, &[]],
            i_s: self.seen.kexinit.as_ref().unwrap().payload(),
        }
    }

    fn agreed(&self) -> Agreed {
        self.seen.agreed.unwrap().unwrap()
    }
}

/// Shuttles bytes, `piece` at a time, until nothing happens any more or `limit` has passed.
fn drive(script: &Script, mut client: Client, piece: usize, limit: Duration) -> Seen {
    let mut now = Moment::START;
    let mut responder = Responder::new(Arc::new(script.clone()), Seed([3; 32]), now);
    loop {
        let mut moved = false;
        while !responder.output().is_empty() {
            let count = responder.output().len().min(piece);
            let bytes = responder.output()[..count].to_vec();
            responder.written(count);
            client.input(&bytes);
            client.seen.at = now.since(Moment::START);
            moved = true;
        }
        if let Some(close) = responder.closed() {
            client.seen.close = Some(close);
            client.seen.at = now.since(Moment::START);
            return client.seen;
        }
        if responder.reads() && !client.out.is_empty() {
            let count = client.out.len().min(piece);
            let bytes: Vec<u8> = client.out.drain(..count).collect();
            responder.input(now, &bytes);
            moved = true;
        }
        if !moved {
            match responder.deadline() {
                Some(moment) if moment.since(Moment::START) <= limit => {
                    assert!(moment >= now);
                    now = moment;
                    responder.wake(now);
                }
                _ => return client.seen,
            }
        }
    }
}

fn probe(script: &Script) -> Seen {
    drive(script, Client::new(Offer::modern(), true), usize::MAX, Duration::from_secs(60))
}

fn healthy() -> Script {
    Script::healthy(&HOST_KEY)
}

fn fine(seen: &Seen) -> bool {
    seen.signature == Some(Ok(())) && seen.failure == Some(("publickey,password".into(), false)) && seen.fault.is_none()
}

#[test]
fn a_healthy_server_lists_its_methods_whatever_was_agreed_on_and_however_it_arrives() {
    let offer = Offer::modern;
    let mut offers = vec![offer(), offer().with_strict_kex(false), offer().with_ext_info(false)];
    for cipher in CIPHER {
        for mac in MAC {
            offers.push(offer().with_cipher(&[cipher.name]).unwrap().with_mac(&[mac.name]).unwrap());
        }
    }
    for offer in offers {
        for pipelined in [true, false] {
            for piece in [usize::MAX, 1, 7] {
                let client = Client::new(offer.clone(), pipelined);
                let seen = drive(&healthy(), client, piece, Duration::ZERO);
                assert!(fine(&seen), "{} {} {piece}: {seen:?}", offer.kex(), offer.cipher());
                assert_eq!(seen.ident.as_deref(), Some(Script::IDENT));
                assert_eq!(seen.fingerprint, Some(fingerprint_sha256(healthy().host_key().blob())));
                assert_eq!(seen.agreed.unwrap().unwrap().strict_kex, offer.kex().contains("kex-strict"));
                assert_eq!(seen.ext_info.len(), usize::from(offer.kex().contains("ext-info-c")));
            }
        }
    }
}

/// Apart from the test above, as the large groups cost more than all else in it.
#[test]
fn every_key_exchange_method_serves() {
    for kex in KEX {
        let offer = Offer::modern().with_kex(&[kex.name]).unwrap();
        let seen = drive(&healthy(), Client::new(offer, true), 999, Duration::ZERO);
        assert!(fine(&seen), "{kex:?}: {seen:?}");
        assert_eq!(seen.agreed.unwrap().unwrap().kex.name, kex.name);
    }
}

/// Every host-key algorithm the responder can do, with a method of each family.
#[test]
fn every_kind_of_host_key_serves() {
    let authority = HostKeyPair::from_seed(&[0x11; 32]);
    let terms = CertificateTerms::host(&["host.example"]);
    let keys = || [HostKeyPair::from_seed(&HOST_KEY), HostKeyPair::security_key(&HOST_KEY)];
    let mut verified = Vec::new();
    for kex in ["curve25519-sha256", "diffie-hellman-group14-sha256", "mlkem768x25519-sha256"] {
        for key in keys().into_iter().chain(keys().map(|key| key.certified(&authority, &terms))) {
            let script = healthy().with_host_key(key);
            for offer in [Offer::modern(), Offer::modern().with_certificates_first()] {
                let seen =
                    drive(&script, Client::new(offer.with_kex(&[kex]).unwrap(), true), usize::MAX, Duration::ZERO);
                assert!(fine(&seen), "{kex} {:?}: {seen:?}", script.host_key());
                verified.push(seen.agreed.unwrap().unwrap().host_key.name);
                let plain = plain_key(&seen.host_key).unwrap();
                assert_eq!(plain, script.host_key().blob());
                if seen.host_key != *plain {
                    let certificate = Certificate::parse(&seen.host_key).unwrap();
                    assert_eq!(certificate.verify_ca().map(|algorithm| algorithm.name), Ok("ssh-ed25519"));
                    assert_eq!((certificate.ca_key, certificate.role), (authority.blob(), CertificateRole::Host));
                    assert_eq!(certificate.principals, [b"host.example"]);
                }
            }
        }
    }
    verified.sort_unstable();
    verified.dedup();
    assert_eq!(
        verified,
        [
            "sk-ssh-ed25519-cert-v01@openssh.com",
            "sk-ssh-ed25519@openssh.com",
            "ssh-ed25519",
            "ssh-ed25519-cert-v01@openssh.com"
        ]
    );
}

#[test]
fn the_same_seed_gives_the_same_conversation() {
    let cookie = |seen: &Seen| seen.kexinit.as_ref().unwrap().payload()[1..17].to_vec();
    let (one, two) = (probe(&healthy()), probe(&healthy()));
    assert_eq!(cookie(&one), cookie(&two));
    assert_ne!(cookie(&one), [0; 16]);
}

#[test]
fn wrong_signatures_are_wrong_each_in_its_way() {
    let seen = probe(&healthy().signing(Signing::Wrong));
    assert_eq!(seen.signature, Some(Err(VerifyFault::Wrong("the host key did not make this signature"))));
    let seen = probe(&healthy().signing(Signing::OtherName));
    assert_eq!(seen.signature, Some(Err(VerifyFault::Wrong("the signature is of another algorithm than agreed"))));
}

#[test]
fn nothing_in_common_is_a_close_after_both_kexinits() {
    let script = healthy().list(List::Kex, "rsa1024-sha1");
    let seen = probe(&script);
    assert_eq!(seen.agreed.unwrap().unwrap_err(), NoCommon(crate::evidence::Slot::Kex));
    assert_eq!((seen.close, seen.messages), (Some(Close::Fin), vec![SSH_MSG_KEXINIT]));
    assert_eq!(seen.kexinit.unwrap().kex().0, b"rsa1024-sha1");
}

#[test]
fn a_disconnect_comes_at_every_point_and_closes() {
    let reached: [(Point, &[u8]); 8] = [
        (Point::Ident, &[1]),
        (Point::KexinitSent, &[20, 1]),
        (Point::KexinitReceived, &[20, 1]),
        (Point::KexRequest, &[20, 1]),
        (Point::KexReply, &[20, 31, 1]),
        (Point::Newkeys, &[20, 31, 21, 1]),
        (Point::Service, &[20, 31, 21, 7, 1]),
        (Point::Userauth, &[20, 31, 21, 7, 6, 1]),
    ];
    for (point, messages) in reached {
        let seen = probe(&healthy().disconnect(point, 2, "go away"));
        assert_eq!(seen.disconnect, Some((2, "go away".into())), "{point:?}");
        assert_eq!((seen.messages.as_slice(), seen.close), (messages, Some(Close::Fin)), "{point:?}");
    }
    let seen = probe(&healthy().disconnect(Point::Answered, 11, ""));
    assert!(fine(&seen) && seen.disconnect == Some((11, String::new())));
}

#[test]
fn closes_and_silence_come_at_every_point() {
    for (point, length) in [(Point::Ident, 0), (Point::KexRequest, 1), (Point::Service, 4), (Point::Userauth, 5)] {
        for close in [Close::Fin, Close::Rst] {
            let seen = probe(&healthy().on(point, Action::Close(close)));
            assert_eq!((seen.messages.len(), seen.close), (length, Some(close)), "{point:?}");
        }
        let seen = probe(&healthy().on(point, Action::Mute));
        assert_eq!((seen.messages.len(), seen.close), (length, None), "{point:?}");
    }
}

#[test]
fn a_delay_holds_back_what_follows_and_loses_nothing() {
    let slow = healthy().on(Point::KexReply, Action::Delay(Duration::from_secs(3)));
    let seen = probe(&slow.clone().on(Point::Service, Action::Delay(Duration::from_secs(2))));
    assert!(fine(&seen) && seen.at == Duration::from_secs(5), "{seen:?}");
    let seen = drive(&slow, Client::new(Offer::modern(), true), 5, Duration::from_secs(2));
    assert_eq!(seen.messages, [SSH_MSG_KEXINIT, SSH_MSG_KEX_ECDH_REPLY]);
}

#[test]
fn packets_that_cannot_be_read_are_sent_as_scripted() {
    let fault = |script: Script| probe(&script).fault.unwrap();
    assert!(fault(healthy().on(Point::Newkeys, Action::CorruptNext)).ends_with("does not authenticate"));
    let raw = |bytes: &[u8]| healthy().on(Point::Ident, Action::Raw(bytes.to_vec()));
    assert_eq!(fault(raw(&[0, 0, 0, 3, 0, 0, 0, 0])), "packet length 3 at byte 0");
    assert!(fault(raw(b"<html>")).starts_with("packet length 1013478509"));
    let oversized = healthy().on(Point::Ident, Action::Payload(vec![SSH_MSG_IGNORE; 300_000]));
    assert!(fault(oversized).starts_with("packet length 300"));
}

#[test]
fn what_userauth_answers_is_scripted() {
    for methods in ["", "keyboard-interactive", "publickey,password,keyboard-interactive"] {
        let seen = probe(&healthy().methods(methods));
        assert_eq!(seen.failure, Some((methods.into(), false)));
    }
    let partial = Userauth::Failure { methods: "password".into(), partial_success: true };
    assert_eq!(probe(&healthy().userauth(partial)).failure, Some(("password".into(), true)));
    assert!(probe(&healthy().userauth(Userauth::Success)).success);
    let seen = probe(&healthy().banner("one\n").banner("two\n"));
    assert_eq!(seen.banners, ["one\n", "two\n"]);
    assert!(fine(&seen));
    let seen = probe(&healthy().ext_info(&[("server-sig-algs", "a"), ("ping@openssh.com", "0")]));
    assert_eq!(seen.ext_info[1], ("ping@openssh.com".into(), "0".into()));
    assert!(!probe(&healthy().ext_info(&[])).messages.contains(&SSH_MSG_EXT_INFO));
}

#[test]
fn a_server_that_chokes_on_pipelining_is_healthy_step_by_step() {
    let script = healthy().chokes_on_pipelining();
    let seen = drive(&script, Client::new(Offer::modern(), true), usize::MAX, Duration::ZERO);
    assert_eq!((seen.close, seen.failure), (Some(Close::Fin), None));
    assert!(!seen.messages.contains(&SSH_MSG_SERVICE_ACCEPT));
    for piece in [usize::MAX, 1] {
        assert!(fine(&drive(&script, Client::new(Offer::modern(), false), piece, Duration::ZERO)));
    }
}

#[test]
fn a_wrong_guess_and_an_eager_kexinit_do_no_harm() {
    let guessing = healthy().list(List::Kex, "ecdh-sha2-nistp521,curve25519-sha256").wrong_guess();
    let seen = probe(&guessing);
    assert!(fine(&seen) && seen.messages.starts_with(&[SSH_MSG_KEXINIT, 31, 31]), "{seen:?}");
    assert!(seen.kexinit.unwrap().first_kex_packet_follows());
    let mut responder = Responder::new(Arc::new(healthy().eager()), Seed([1; 32]), Moment::START);
    assert!(responder.output().len() > 500, "KEXINIT is there before the client has spoken");
    responder.input_end();
    assert_eq!(responder.closed(), Some(Close::Fin));
    assert!(fine(&probe(&healthy().eager())));
}

#[test]
fn noise_is_heard_at_its_point() {
    let seen = probe(&healthy().noise(Point::Newkeys).noise(Point::Userauth));
    assert_eq!(seen.messages, [20, 31, 21, 2, 4, 7, 6, 2, 4, 51]);
    let seen = probe(&healthy().noise(Point::Ident));
    assert_eq!(seen.messages[..3], [2, 4, 20]);
}

#[test]
fn steps_before_ssh_happen_in_their_time() {
    let second = Duration::from_secs(1);
    let ident = |every| Step::Ident { line: b"SSH-2.0-slow".to_vec(), end: LineEnd::Lf, every };
    let script = healthy().with_steps(vec![
        Step::Send(b"line one\r\nline two\n".to_vec()),
        Step::Wait(second * 2),
        ident(Some(second)),
        Step::Transport,
    ]);
    let seen = probe(&script);
    assert_eq!(seen.preamble, b"line one\r\nline two\n");
    assert_eq!(seen.ident.as_deref(), Some("SSH-2.0-slow"));
    // Thirteen bytes, the first one at once.
    assert!(fine(&seen) && seen.at == second * (2 + 12), "{seen:?}");

    let seen = probe(&Script::steps(vec![Step::Wait(second * 5), Step::Close(Close::Fin)]));
    assert_eq!((seen.at, seen.close, seen.preamble), (second * 5, Some(Close::Fin), Vec::new()));
    let drip = Step::Drip { bytes: b"abc".to_vec(), every: second };
    let seen = probe(&Script::steps(vec![drip, Step::Close(Close::Rst)]));
    assert_eq!((&seen.preamble[..], seen.at, seen.close), (&b"abc"[..], second * 2, Some(Close::Rst)));
}

#[test]
fn servers_that_are_not_ssh_say_what_they_say() {
    let seen = probe(&Script::refusal("Exceeded MaxStartups\r\n"));
    assert_eq!((&seen.preamble[..], seen.close), (&b"Exceeded MaxStartups\r\n"[..], Some(Close::Fin)));
    let deaf = Responder::new(Arc::new(Script::refusal("x")), Seed([1; 32]), Moment::START);
    assert!(!deaf.reads(), "it leaves without reading");
    let seen = probe(&Script::greeting("220 mail ESMTP\r\n"));
    assert_eq!((&seen.preamble[..], seen.close), (&b"220 mail ESMTP\r\n"[..], None));
    let seen = probe(&Script::only_ident("SSH-1.5-1.2.27"));
    assert_eq!((seen.ident.as_deref(), seen.messages.len()), (Some("SSH-1.5-1.2.27"), 0));
    assert_eq!(probe(&Script::steps(vec![Step::Mute])).preamble, b"");
    assert_eq!(probe(&Script::steps(Vec::new())).close, None);

    // The client here never speaks first, so it is made to.
    let http = Script::answer("HTTP/1.1 400 Bad Request\r\n\r\n");
    assert_eq!(probe(&http).preamble, b"");
    let mut client = Client::new(Offer::modern(), true);
    client.speak();
    let seen = drive(&http, client, usize::MAX, Duration::ZERO);
    assert_eq!((&seen.preamble[..12], seen.close), (&b"HTTP/1.1 400"[..], Some(Close::Fin)));
    let mut client = Client::new(Offer::modern(), true);
    client.speak();
    let reset = Script::steps(vec![Script::ident("SSH-2.0-x"), Step::AwaitLine, Step::Close(Close::Rst)]);
    assert_eq!(drive(&reset, client, 1, Duration::ZERO).close, Some(Close::Rst));
}

#[test]
fn a_tarpit_never_ends_and_never_identifies_itself() {
    let script = Script::steps(vec![Step::Tarpit { every: Duration::from_secs(10) }]);
    let seen = drive(&script, Client::new(Offer::modern(), true), usize::MAX, Duration::from_secs(995));
    let lines: Vec<&[u8]> = seen.preamble.split_inclusive(|byte| *byte == b'\n').collect();
    assert_eq!((lines.len(), seen.close, seen.ident), (100, None, None));
    assert!(lines.iter().all(|line| (5..=36).contains(&line.len()) && line.ends_with(b"\r\n")));
}

#[test]
fn a_responder_that_nothing_happens_to_waits_for_nothing() {
    let responder = Responder::new(Arc::new(Script::steps(vec![Step::AwaitInput])), Seed([1; 32]), Moment::START);
    assert_eq!((responder.deadline(), responder.closed(), responder.output().len()), (None, None, 0));
}

#[test]
fn any_client_is_survived() {
    let garbage: Vec<u8> = (0..4000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for piece in [1, 100, 4000] {
        for prefix in [&b""[..], b"SSH-2.0-x\r\n", b"SSH-2.0-x\r\n\0\0\0\x0c\x0a\x14"] {
            let mut responder = Responder::new(Arc::new(healthy()), Seed([1; 32]), Moment::START);
            let said = [prefix, &garbage].concat();
            said.chunks(piece).for_each(|bytes| responder.input(Moment::START, bytes));
            assert!(responder.output().len() < 4096);
        }
    }
    let mut endless = Responder::new(Arc::new(healthy()), Seed([1; 32]), Moment::START);
    for _ in 0..100 {
        endless.input(Moment::START, &[b'x'; 1000]);
    }
    assert_eq!(endless.closed(), Some(Close::Fin), "an identification without an end");
}
