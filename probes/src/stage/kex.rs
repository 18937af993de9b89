//! The key exchange itself, up to both sides' NEWKEYS (RFC 4253 sections 7.3 and 8).

use crate::evidence::{Evidence, Fault, HostKey, Signature, Stage};
use crate::hostkey::{self, VerifyFault};
use crate::kex::{Direction, Exchange, KexFault, KeySource, Preface, Progress};
use crate::negotiate::Agreed;
use crate::plan::{Depth, Plan};
use crate::probe::{Conversation, State, Turn};
use crate::wire::cipher::Opener;
use crate::wire::kexinit::KexInit;
use crate::wire::message::{SSH_MSG_KEX_FIRST, SSH_MSG_KEX_LAST, SSH_MSG_NEWKEYS};

use super::auth::AwaitAnswer;

/// The state while the method's own messages go back and forth.
#[derive(Debug)]
pub(crate) struct Exchanging {
    agreed: Agreed,
    /// How our KEXINIT began.
    head: [u8; KexInit::HEAD],
    exchange: Box<dyn Exchange>,
    /// The server guessed another method: its one packet on that guess is dropped (RFC 4253 section 7).
    drop_guess: bool,
}

impl Exchanging {
    pub(crate) fn start(
        agreed: Agreed,
        head: [u8; KexInit::HEAD],
        conversation: &mut Conversation,
    ) -> Result<Self, Fault> {
        conversation.evidence.negotiated = Some(agreed.negotiated(None));
        let mut exchange = (agreed.kex.begin)(&mut conversation.outgoing.randomness).map_err(ours_fault)?;
        let Conversation { plan, evidence, outgoing, .. } = conversation;
        let preface = preface(plan, evidence, &head);
        outgoing.send_message(|out| exchange.write_first(&preface, out));
        let drop_guess = agreed.guess_wrong;
        Ok(Self { agreed, head, exchange, drop_guess })
    }

    /// No message that is not part of the exchange is allowed under strict key exchange.
    pub(crate) fn strict(&self) -> bool {
        self.agreed.strict_kex
    }

    pub(crate) fn packet(mut self, payload: &[u8], conversation: &mut Conversation) -> Result<Turn, Fault> {
        if !payload.first().is_some_and(|number| (SSH_MSG_KEX_FIRST..=SSH_MSG_KEX_LAST).contains(number)) {
            return Err(super::unexpected(payload, "during the key exchange"));
        }
        if std::mem::take(&mut self.drop_guess) {
            return Ok(Turn::Next(State::Kex(self)));
        }
        let preface = preface(&conversation.plan, &conversation.evidence, &self.head);
        let done = match self.exchange.receive(payload, &preface) {
            Ok(Progress::Send(reply)) => {
                conversation.send(&reply);
                return Ok(Turn::Next(State::Kex(self)));
            }
            Ok(Progress::Done(done)) => done,
            Err(fault) => return Err(Fault::Protocol(fault.to_string())),
        };
        let evidence = &mut conversation.evidence;
        evidence.negotiated = Some(self.agreed.negotiated(done.dh_bits));
        let verdict = hostkey::verify(self.agreed.host_key, done.host_key, done.signature, done.hash.bytes());
        let signature = match verdict {
            Ok(()) => Signature::Verified,
            Err(VerifyFault::Wrong(_)) => Signature::Bad,
            // Not the server's fault: the exchange goes on, nothing secret is ever sent over it, and the record says
            // that the key is unproven.
            Err(VerifyFault::Unsupported(_)) => Signature::Unchecked,
        };
        evidence.host_key = Some(HostKey { blob: done.host_key.to_vec(), signature });
        if let Err(VerifyFault::Wrong(why)) = verdict {
            return Err(Fault::BadSignature(why));
        }
        // The first exchange hash of a connection is its session identifier, and there is only this one.
        let mut source = KeySource::new(&done.secret, &done.hash, &done.hash);
        let sealer = self.agreed.sealer(Direction::ClientToServer, &mut source);
        let opener = self.agreed.opener(Direction::ServerToClient, &mut source);
        let (Ok(sealer), Ok(opener)) = (sealer, opener) else {
            return Err(Fault::Internal(String::from("the agreed cipher does not take keys of its own size")));
        };
        conversation.send(&[SSH_MSG_NEWKEYS]);
        conversation.outgoing.packets.rekey(sealer, self.agreed.strict_kex);
        // Asking at once saves a round trip; the server handles it once it has our NEWKEYS, which goes before.
        let answer = (conversation.plan.depth > Depth::Kex).then(|| AwaitAnswer::start(conversation));
        let newkeys = AwaitNewkeys { opener, strict: self.agreed.strict_kex, answer };
        Ok(Turn::Next(State::Newkeys(newkeys)))
    }
}

fn preface<'a>(plan: &'a Plan, evidence: &'a Evidence, head: &'a [u8]) -> Preface<'a> {
    Preface {
        v_c: &plan.ident,
        v_s: evidence.ident.as_ref().map_or(&[], |ident| &ident.raw),
        i_c: [head, plan.offer.behind_cookie()],
        i_s: evidence.kexinit.as_ref().map_or(&[], |kexinit| kexinit.payload()),
    }
}

/// Drawing our own ephemeral key failed: no server had a part in it.
fn ours_fault(fault: KexFault) -> Fault {
    Fault::Internal(fault.to_string())
}

/// The state between the verified signature and the server's NEWKEYS.
#[derive(Debug)]
pub(crate) struct AwaitNewkeys {
    opener: Opener,
    strict: bool,
    answer: Option<AwaitAnswer>,
}

impl AwaitNewkeys {
    pub(crate) fn strict(&self) -> bool {
        self.strict
    }

    pub(crate) fn packet(self, payload: &[u8], conversation: &mut Conversation) -> Result<Turn, Fault> {
        if payload != [SSH_MSG_NEWKEYS] {
            return Err(super::unexpected(payload, "where NEWKEYS should stand"));
        }
        conversation.enter(self.answer.is_some().then_some(Stage::Auth));
        let Some(answer) = self.answer else { return Ok(Turn::Reached) };
        Ok(Turn::Rekey(State::Auth(answer), self.opener, self.strict))
    }
}
