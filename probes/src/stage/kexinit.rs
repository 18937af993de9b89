//! Both sides' offers: ours goes out behind our identification, the server's is awaited (RFC 4253 section 7.1).

use std::sync::Arc;

use crate::evidence::{Fault, Stage};
use crate::negotiate::negotiate;
use crate::plan::Depth;
use crate::probe::{Conversation, State, Turn};
use crate::wire::kexinit::KexInit;
use crate::wire::message::SSH_MSG_KEXINIT;

use super::kex::Exchanging;

/// The state between our KEXINIT and the server's.
#[derive(Debug)]
pub(crate) struct AwaitKexinit {
    /// How I_C of the exchange hash begins; the rest of it is the plan's.
    head: [u8; KexInit::HEAD],
}

impl AwaitKexinit {
    /// Writes our KEXINIT. What is still queued (our identification) leaves with it in one write.
    pub(crate) fn start(conversation: &mut Conversation) -> Self {
        let mut cookie = [0; 16];
        conversation.outgoing.randomness.fill(&mut cookie);
        let head = KexInit::head(cookie);
        let plan = Arc::clone(&conversation.plan);
        conversation.send_message(|out| {
            out.extend_from_slice(&head);
            out.extend_from_slice(plan.offer.behind_cookie());
        });
        Self { head }
    }

    /// Takes a packet. `earlier` counts the packets that came before it.
    pub(crate) fn packet(self, payload: &[u8], earlier: u32, conversation: &mut Conversation) -> Result<Turn, Fault> {
        match payload.first() {
            Some(&SSH_MSG_KEXINIT) => {}
            _ => return Err(super::unexpected(payload, "before KEXINIT")),
        }
        let theirs = KexInit::parse(payload).map_err(|fault| Fault::Protocol(format!("KEXINIT: {fault}")))?;
        let theirs = conversation.evidence.kexinit.insert(theirs);
        if conversation.plan.depth == Depth::Kexinit {
            conversation.enter(None);
            return Ok(Turn::Reached);
        }
        let agreed = negotiate(&conversation.plan.offer, theirs);
        conversation.enter(None);
        let agreed = agreed.map_err(|none| Fault::NoCommon(none.0))?;
        // OpenSSH's PROTOCOL, section 1.10: under strict key exchange KEXINIT must be the very first packet.
        if agreed.strict_kex && earlier > 0 {
            return Err(Fault::Protocol(String::from("strict KEX violation: KEXINIT was not the first packet")));
        }
        conversation.evidence.stage = Stage::Kex;
        let exchange = Exchanging::start(agreed, self.head, conversation)?;
        Ok(Turn::Next(State::Kex(exchange)))
    }
}
