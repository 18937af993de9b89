//! The SSH conversation of a scripted server, from KEXINIT to the answer to userauth.

use super::machine::Line;
use super::script::{Action, Close, Point, Script, Signing, Userauth};
use crate::kex::{Direction, KeySource, Preface, Serve, Served, Signer};
use crate::negotiate::{Agreed, EXT_INFO_C, negotiate_as_server};
use crate::time::Moment;
use crate::wire::cipher::Opener;
use crate::wire::kexinit::KexInit;
use crate::wire::message::{
    self, ExtInfo, SSH_MSG_DEBUG, SSH_MSG_DISCONNECT, SSH_MSG_EXT_INFO, SSH_MSG_IGNORE, SSH_MSG_KEX_ECDH_REPLY,
    SSH_MSG_KEX_FIRST, SSH_MSG_KEX_LAST, SSH_MSG_KEXINIT, SSH_MSG_NEWKEYS, SSH_MSG_SERVICE_REQUEST,
    SSH_MSG_UNIMPLEMENTED, SSH_MSG_USERAUTH_REQUEST, SSH_MSG_USERAUTH_SUCCESS, Service, UserauthBanner,
    UserauthFailure,
};
use crate::wire::packet::{Inbound, Outbound};
use crate::wire::read::NameList;

/// The longest identification line taken from a client, in bytes.
const IDENT_MAX: usize = 8192;

/// A server's side of one conversation.
#[derive(Debug)]
pub(super) struct Transport {
    stage: Stage,
    inbound: Inbound,
    outbound: Outbound,
    v_s: Vec<u8>,
    v_c: Vec<u8>,
    i_s: Vec<u8>,
    /// Turn a bit of the next packet.
    corrupt: bool,
    /// Says nothing any more.
    mute: bool,
}

/// What is waited for.
#[derive(Debug)]
enum Stage {
    /// The client's identification, of which this much has come.
    Ident(Vec<u8>),
    /// The client's KEXINIT.
    Kexinit,
    /// Its key exchange messages, after a wrong guess of its that is dropped.
    Kex(Box<Exchanging>),
    /// Its NEWKEYS, after which this opens its packets.
    Newkeys { opener: Opener, strict: bool },
    /// SERVICE_REQUEST
    Service,
    /// USERAUTH_REQUEST, the first or another one.
    Userauth { first: bool },
    /// Nothing in particular: someone was let in.
    Open,
}

/// A key exchange under way.
#[derive(Debug)]
struct Exchanging {
    i_c: KexInit,
    agreed: Agreed,
    /// The client guessed wrong: its next message is dropped.
    drop: bool,
    /// Once its first message has come.
    server: Option<Box<dyn Serve>>,
}

/// The conversation cannot go on: it is closed.
struct Break;

impl Transport {
    /// Our identification is out; `early` KEXINIT or not, the client's identification is awaited.
    pub(super) fn new(script: &Script, line: &mut Line, now: Moment, ident: Vec<u8>) -> Self {
        let mut transport = Self {
            stage: Stage::Ident(Vec::new()),
            inbound: Inbound::new(),
            outbound: Outbound::new(),
            v_s: ident,
            v_c: Vec::new(),
            i_s: Vec::new(),
            corrupt: false,
            mute: false,
        };
        if script.eager {
            transport.send_kexinit(script, line, now);
        }
        transport
    }

    /// Takes bytes from the client. False: nothing will be said any more.
    pub(super) fn input(&mut self, script: &Script, line: &mut Line, now: Moment, bytes: &[u8]) -> bool {
        if let Stage::Ident(begun) = &mut self.stage {
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                begun.extend_from_slice(bytes);
                if begun.len() > IDENT_MAX {
                    line.close = Some(Close::Fin);
                }
                return true;
            };
            let (head, rest) = bytes.split_at(end.saturating_add(1).min(bytes.len()));
            begun.extend_from_slice(head);
            let ident = begun.strip_suffix(b"\n").unwrap_or(begun);
            self.v_c = ident.strip_suffix(b"\r").unwrap_or(ident).to_vec();
            self.stage = Stage::Kexinit;
            self.at(script, line, now, Point::Ident);
            if !script.eager {
                self.send_kexinit(script, line, now);
            }
            self.inbound.feed(rest);
        } else {
            self.inbound.feed(bytes);
        }
        if self.packets(script, line, now).is_err() {
            line.close.get_or_insert(Close::Fin);
        }
        !self.mute
    }

    fn packets(&mut self, script: &Script, line: &mut Line, now: Moment) -> Result<(), Break> {
        // The payload borrows from the stream, so that is put aside while it is handled.
        let mut inbound = std::mem::take(&mut self.inbound);
        while !self.mute && line.close.is_none() {
            let before = line.out.len();
            let accept_left = line.drained();
            let sequence = inbound.sequence();
            let Some(payload) = inbound.packet().map_err(|_| Break)? else { break };
            let number = message::number(payload).unwrap_or_default();
            if script.chokes_on_pipelining && number == SSH_MSG_USERAUTH_REQUEST && !accept_left {
                return Err(Break);
            }
            if let Some((opener, strict)) = self.packet(script, line, now, sequence, payload)? {
                inbound.rekey(opener, strict);
            }
            if script.chokes_on_pipelining && number == SSH_MSG_SERVICE_REQUEST && inbound.buffered() > 0 {
                line.out.truncate(before);
                return Err(Break);
            }
        }
        self.inbound = inbound;
        Ok(())
    }

    /// Handles one packet. Gives what opens the packets after it, if that changes.
    fn packet(
        &mut self,
        script: &Script,
        line: &mut Line,
        now: Moment,
        sequence: u32,
        payload: &[u8],
    ) -> Result<Option<(Opener, bool)>, Break> {
        let number = message::number(payload).unwrap_or_default();
        let stage = std::mem::replace(&mut self.stage, Stage::Open);
        match (stage, number) {
            (_, SSH_MSG_DISCONNECT) => return Err(Break),
            (stage, SSH_MSG_IGNORE | SSH_MSG_DEBUG | SSH_MSG_UNIMPLEMENTED | SSH_MSG_EXT_INFO) => self.stage = stage,
            (Stage::Kexinit, SSH_MSG_KEXINIT) => self.kexinit(script, line, now, payload)?,
            (Stage::Kex(mut exchanging), SSH_MSG_KEX_FIRST..=SSH_MSG_KEX_LAST) if exchanging.drop => {
                exchanging.drop = false;
                self.stage = Stage::Kex(exchanging);
            }
            (Stage::Kex(exchanging), SSH_MSG_KEX_FIRST..=SSH_MSG_KEX_LAST) => {
                self.kex(script, line, now, payload, exchanging)?;
            }
            (Stage::Newkeys { opener, strict }, SSH_MSG_NEWKEYS) => {
                self.stage = Stage::Service;
                return Ok(Some((opener, strict)));
            }
            (Stage::Service, SSH_MSG_SERVICE_REQUEST) => {
                let service = Service::parse_request(payload).map_err(|_| Break)?;
                self.stage = Stage::Userauth { first: true };
                self.at(script, line, now, Point::Service);
                self.send(line, &service.build_accept());
            }
            (Stage::Userauth { first }, SSH_MSG_USERAUTH_REQUEST) => self.userauth(script, line, now, first),
            (Stage::Open, _) => {}
            (stage @ (Stage::Service | Stage::Userauth { .. }), _) => {
                self.stage = stage;
                self.send(line, &message::build_unimplemented(sequence));
            }
            _ => return Err(Break),
        }
        Ok(None)
    }

    fn kexinit(&mut self, script: &Script, line: &mut Line, now: Moment, payload: &[u8]) -> Result<(), Break> {
        let i_c = KexInit::parse(payload).map_err(|_| Break)?;
        self.at(script, line, now, Point::KexinitReceived);
        let ours = script.kexinit.as_ref().ok_or(Break)?;
        // As OpenSSH and most others: nothing in common is a close without a word.
        let agreed = negotiate_as_server(&i_c, ours).map_err(|_| Break)?;
        self.stage = Stage::Kex(Box::new(Exchanging { i_c, agreed, drop: agreed.guess_wrong, server: None }));
        Ok(())
    }

    fn kex(
        &mut self,
        script: &Script,
        line: &mut Line,
        now: Moment,
        payload: &[u8],
        mut exchanging: Box<Exchanging>,
    ) -> Result<(), Break> {
        let Exchanging { i_c, agreed, server, .. } = &mut *exchanging;
        let server = match server {
            Some(server) => server,
            None => {
                self.at(script, line, now, Point::KexRequest);
                server.insert((agreed.kex.serve)(&mut line.randomness).map_err(|_| Break)?)
            }
        };
        let preface = Preface { v_c: &self.v_c, v_s: &self.v_s, i_c: [i_c.payload(), &[]], i_s: &self.i_s };
        let sign = |hash: &[u8]| match script.signing {
            Signing::Right => script.host_key.sign(agreed.host_key.signature, hash),
            Signing::Wrong => script.host_key.sign(agreed.host_key.signature, b"another exchange"),
            Signing::OtherName => script.host_key.sign("rsa-sha2-512", hash),
        };
        let signer = Signer { host_key: script.host_key.blob_for(agreed.host_key), sign: &sign };
        let answer = match server.receive(payload, &preface, &signer).map_err(|_| Break)? {
            Served::Done(answer) => answer,
            Served::Send(payload) => {
                self.send(line, &payload);
                self.stage = Stage::Kex(exchanging);
                return Ok(());
            }
        };
        self.send(line, &answer.payload);
        self.at(script, line, now, Point::KexReply);
        self.send(line, &[SSH_MSG_NEWKEYS]);
        let mut source = KeySource::new(&answer.secret, &answer.hash, &answer.hash);
        let sealer = agreed.sealer(Direction::ServerToClient, &mut source).map_err(|_| Break)?;
        self.outbound.rekey(sealer, agreed.strict_kex);
        let opener = agreed.opener(Direction::ClientToServer, &mut source).map_err(|_| Break)?;
        self.at(script, line, now, Point::Newkeys);
        if i_c.kex().contains(EXT_INFO_C) && !script.ext_info.is_empty() {
            let pairs: Vec<(&[u8], &[u8])> =
                script.ext_info.iter().map(|(name, value)| (&name[..], &value[..])).collect();
            self.send(line, &ExtInfo::build(&pairs));
        }
        self.stage = Stage::Newkeys { opener, strict: agreed.strict_kex };
        Ok(())
    }

    fn userauth(&mut self, script: &Script, line: &mut Line, now: Moment, first: bool) {
        self.stage = Stage::Userauth { first: false };
        line.user_named = true;
        if first {
            self.at(script, line, now, Point::Userauth);
            for banner in &script.banners {
                self.send(line, &UserauthBanner { text: banner }.build());
            }
        }
        match &script.userauth {
            Userauth::Failure { methods, partial_success } => {
                let methods = NameList(methods.as_bytes());
                self.send(line, &UserauthFailure { methods, partial_success: *partial_success }.build());
            }
            Userauth::Success => {
                self.send(line, &[SSH_MSG_USERAUTH_SUCCESS]);
                self.stage = Stage::Open;
            }
        }
        if first {
            self.at(script, line, now, Point::Answered);
        }
    }

    fn send_kexinit(&mut self, script: &Script, line: &mut Line, now: Moment) {
        let Some(template) = &script.kexinit else { return };
        self.i_s = template.payload().to_vec();
        line.randomness.fill(self.i_s.get_mut(1..17).unwrap_or_default());
        let payload = std::mem::take(&mut self.i_s);
        self.send(line, &payload);
        self.i_s = payload;
        if script.wrong_guess {
            self.send(line, &[SSH_MSG_KEX_ECDH_REPLY, 0, 0, 0, 1, b'?']);
        }
        self.at(script, line, now, Point::KexinitSent);
    }

    /// What the script wants to happen here.
    fn at(&mut self, script: &Script, line: &mut Line, now: Moment, point: Point) {
        for (_, action) in script.actions.iter().filter(|(at, _)| *at == point) {
            match action {
                Action::Payload(payload) => self.send(line, payload),
                Action::Raw(bytes) if self.speaks(line) => line.out.extend_from_slice(bytes),
                Action::Raw(_) => {}
                Action::Close(close) if self.speaks(line) => line.close = Some(*close),
                Action::Close(_) => {}
                Action::Mute => self.mute = true,
                Action::Delay(by) => line.delay(now, *by),
                Action::CorruptNext => self.corrupt = true,
            }
        }
    }

    fn speaks(&self, line: &Line) -> bool {
        !self.mute && line.close.is_none()
    }

    fn send(&mut self, line: &mut Line, payload: &[u8]) {
        if !self.speaks(line) {
            return;
        }
        self.outbound.seal(payload, &mut line.randomness, &mut line.out);
        if std::mem::take(&mut self.corrupt)
            && let Some(last) = line.out.last_mut()
        {
            *last ^= 1;
        }
    }
}
