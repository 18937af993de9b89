//! The connection that logs in, after all that was to be learned of the target is.

use std::num::NonZeroUsize;

use super::{Another, Case};
use crate::diagnose::{Code, classify, judge, overrule};
use crate::evidence::{Evidence, Signature, Stage};
use crate::govern::retry::Transient;
use crate::hostkey::plain_key;
use crate::plan::Depth;
use crate::record::Trust;
use crate::trust::{JudgedKey, judge_keys};

/// What a connection that logs in is held to. The ordinary connection before it has learned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginOrder {
    /// The plain host key that the server has proved to hold, and has to show again before anything is sent.
    pub host_key: Vec<u8>,
    /// The authentication methods that it lists for the user.
    pub methods: Vec<String>,
    /// The signature algorithms that it takes from users (`server-sig-algs`, RFC 8308 section 3.1), if it has said.
    pub sig_algs: Option<Vec<String>>,
    /// Passwords and answers may be sent there.
    pub secrets: bool,
}

impl Case {
    /// How to log in, if that was asked for, all else is well, and the host key is not one to be kept away from: not the one
    /// known, revoked, bad or not proven.
    pub(super) fn login_order(&self) -> Option<LoginOrder> {
        if self.settings.plan.depth < Depth::Login {
            return None;
        }
        let further = self.further.map_or(self.connections.len(), NonZeroUsize::get);
        let verdict = judge(&self.connections, further, Depth::Auth);
        let decided = self.connections.get(verdict.connection)?;
        let auth = decided.auth.as_ref().filter(|auth| !auth.none_accepted)?;
        let methods = auth.methods.as_ref()?.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        let sig_algs = decided.extension(b"server-sig-algs").map(|list| {
            let list = String::from_utf8_lossy(list);
            list.split(',').map(str::to_owned).collect()
        });
        let mut connections: Vec<&Evidence> = vec![decided];
        connections.extend(self.connections.iter().filter(|each| !std::ptr::eq(*each, decided)));
        let now = self.settings.run.wall_clock(decided.ended);
        let keys = judge_keys(&connections, self.known.as_deref(), now);
        let proven = |key: &&JudgedKey<'_>| key.signature == Signature::Verified;
        // Where one of several keys is the one known, that is the one to ask for.
        let key = keys.iter().filter(proven).find(|key| key.judgement.accepted());
        let key = key.or_else(|| keys.iter().filter(proven).find(|key| is(key, decided)))?;
        let host_key = plain_key(key.blob).ok()?.to_vec();
        let secrets = may_be_told(key, self.settings.plan.accept_new);
        // The keys have the last word: what they make of an outcome that is well is no more.
        (overrule(verdict, &keys).code == Code::Ok).then_some(LoginOrder { host_key, methods, sig_algs, secrets })
    }

    /// The login came to nothing for a reason that may pass.
    pub(super) fn login_again(&self, evidence: &Evidence) -> Option<Another> {
        if evidence.stage == Stage::Login || evidence.fault.is_none() || self.attempts > self.settings.retries {
            return None;
        }
        Transient::of(classify(evidence, Depth::Login).code).map(Another::Retry)
    }
}

fn is(key: &JudgedKey<'_>, evidence: &Evidence) -> bool {
    evidence.host_key.as_ref().is_some_and(|shown| shown.blob == key.blob)
}

/// Whoever has this key may be told a password: they are the ones meant, as far as anybody knows.
fn may_be_told(key: &JudgedKey<'_>, accept_new: bool) -> bool {
    let vouched = key.judgement.sshfp.as_ref().is_some_and(|said| said.vouches());
    let new = matches!(key.judgement.trust, Trust::Unknown | Trust::Unchecked | Trust::CaMismatch);
    key.judgement.accepted() || (new && (vouched || accept_new))
}
