//! After NEWKEYS: the service request and `none`, whose refusal lists the methods (RFC 4252 section 5.2).
//!
//! Nothing that could let anyone in is ever sent here: `none` asks, it does not try.

use std::sync::Arc;

use crate::evidence::{Auth, Fault};
use crate::memo::Memo;
use crate::probe::{Conversation, State, Turn};
use crate::wire::message::{
    ExtInfo, SERVICE_USERAUTH, SSH_MSG_EXT_INFO, SSH_MSG_GLOBAL_REQUEST, SSH_MSG_SERVICE_ACCEPT,
    SSH_MSG_USERAUTH_BANNER, SSH_MSG_USERAUTH_FAILURE, SSH_MSG_USERAUTH_SUCCESS, SSH2_MSG_PING, Service,
    UserauthBanner, UserauthFailure, UserauthRequest,
};
use crate::wire::read::{NameList, ReadError};

/// How many method names are kept; no server has a dozen.
const MAX_METHODS: usize = 64;
/// How many EXT_INFO extensions are kept over all EXT_INFO messages.
const MAX_EXTENSIONS: usize = 64;
/// Their names and values together, in bytes. OpenSSH's are half a KiB; a thousand hostile servers at once must fit in memory.
const MAX_EXTENSION_BYTES: usize = 32 * 1024;

/// The state until `none` is answered.
#[derive(Debug)]
pub(crate) struct AwaitAnswer;

impl AwaitAnswer {
    /// Asks for the service and, unless the plan goes step by step, sends `none` right behind it: one round trip less.
    pub(crate) fn start(conversation: &mut Conversation) -> Self {
        conversation.send_message(|out| Service { name: SERVICE_USERAUTH }.write_request(out));
        let user = Arc::clone(&conversation.plan.user);
        conversation.evidence.auth = Some(Auth { user, ..Auth::default() });
        if !conversation.plan.step_by_step {
            send_none(conversation);
        }
        Self
    }

    pub(crate) fn packet(self, payload: &[u8], conversation: &mut Conversation) -> Result<Turn, Fault> {
        let broken = |what: &'static str| move |fault: ReadError| Fault::Protocol(format!("{what}: {fault}"));
        match payload.first().copied() {
            Some(SSH_MSG_SERVICE_ACCEPT) => {
                let auth = conversation.evidence.auth.get_or_insert_default();
                if std::mem::replace(&mut auth.service_accepted, true) {
                    return Err(super::unexpected(payload, "a second time"));
                }
                if !auth.none_sent {
                    send_none(conversation);
                }
            }
            // What was not asked cannot be answered: it would pass for a list, or for a login, that `none` never got.
            Some(SSH_MSG_USERAUTH_FAILURE | SSH_MSG_USERAUTH_SUCCESS) if !asked(conversation) => {
                return Err(super::unexpected(payload, "before the `none` request was sent"));
            }
            // Some servers answer the pipelined `none` without ever accepting the service; their word counts.
            Some(SSH_MSG_USERAUTH_FAILURE) => {
                let failure = UserauthFailure::parse(payload).map_err(broken("USERAUTH_FAILURE"))?;
                let auth = conversation.evidence.auth.get_or_insert_default();
                auth.methods = Some(methods(failure.methods));
                auth.partial = failure.partial_success;
                conversation.enter(None);
                return Ok(Turn::Reached);
            }
            Some(SSH_MSG_USERAUTH_SUCCESS) => {
                conversation.evidence.auth.get_or_insert_default().none_accepted = true;
                conversation.enter(None);
                return Ok(Turn::Reached);
            }
            Some(SSH_MSG_USERAUTH_BANNER) => {
                let banner = UserauthBanner::parse(payload).map_err(broken("USERAUTH_BANNER"))?;
                keep_banner(conversation.evidence.auth.get_or_insert_default(), banner.text);
            }
            // RFC 8308: right behind NEWKEYS, and a second time before the answer to `none`.
            Some(SSH_MSG_EXT_INFO) => {
                // Read to its end before anything is kept: of a broken one nothing is.
                ExtInfo::read(payload, |_, _| {}).map_err(broken("EXT_INFO"))?;
                let kept = &mut conversation.evidence.ext_info;
                if kept.is_empty() {
                    *kept = EXTENSIONS.with(|made| made.get(payload, || extended(Vec::new(), payload)));
                } else {
                    *kept = extended(kept.to_vec(), payload);
                }
            }
            // Meant for what comes after a login; harmless and unanswered here.
            Some(SSH_MSG_GLOBAL_REQUEST | SSH2_MSG_PING) => {}
            _ => return Err(super::unexpected(payload, "before the answer to the `none` request")),
        }
        Ok(Turn::Next(State::Auth(self)))
    }
}

fn asked(conversation: &Conversation) -> bool {
    conversation.evidence.auth.as_ref().is_some_and(|auth| auth.none_sent)
}

fn send_none(conversation: &mut Conversation) {
    let plan = Arc::clone(&conversation.plan);
    conversation.send_message(|out| UserauthRequest::write_none(plan.user.as_bytes(), out));
    conversation.evidence.auth.get_or_insert_default().none_sent = true;
}

/// Name and value of each.
type Extensions = Arc<[(Vec<u8>, Vec<u8>)]>;

thread_local! {
    static METHODS: Memo<Arc<[Vec<u8>]>> = const { Memo::new() };
    static EXTENSIONS: Memo<Extensions> = const { Memo::new() };
}

fn methods(list: NameList<'_>) -> Arc<[Vec<u8>]> {
    let names = || list.names().filter(|name| !name.is_empty()).take(MAX_METHODS).map(<[u8]>::to_vec).collect();
    METHODS.with(|made| made.get(list.0, names))
}

/// What is kept, with the extensions of one more message that has been read to its end.
fn extended(mut kept: Vec<(Vec<u8>, Vec<u8>)>, payload: &[u8]) -> Extensions {
    let _ = ExtInfo::read(payload, |name, value| keep_extension(&mut kept, name, value));
    kept.into()
}

/// Keeps an extension if there is room for it; a smaller one behind one that is too big still may have some.
fn keep_extension(kept: &mut Vec<(Vec<u8>, Vec<u8>)>, name: &[u8], value: &[u8]) {
    let bytes = kept.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum::<usize>();
    let bytes = bytes.saturating_add(name.len()).saturating_add(value.len());
    if kept.len() < MAX_EXTENSIONS && bytes <= MAX_EXTENSION_BYTES {
        kept.push((name.to_vec(), value.to_vec()));
    }
}

fn keep_banner(auth: &mut Auth, text: &[u8]) {
    let room = Auth::BANNER_MAX.saturating_sub(auth.banner.len());
    auth.banner.extend_from_slice(text.get(..text.len().min(room)).unwrap_or_default());
    auth.banner_truncated |= text.len() > room;
}
