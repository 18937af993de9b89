//! From the identification on: KEXINIT, key exchange, userauth, and the depth reached.

use std::fmt::Write as _;

use super::classify::{End, QUOTED, midway, seconds, up};
use super::code::Code;
use super::verdict::Verdict;
use super::{ident, sniff};
use crate::escape::{Shortened, escape, quote};
use crate::evidence::{Evidence, Signature, Slot, Stage};

/// What was asked for was learned.
pub(super) fn complete(evidence: &Evidence) -> Verdict {
    let empty = evidence.auth.as_ref().is_some_and(|auth| {
        !auth.none_accepted && !auth.partial && auth.methods.as_ref().is_some_and(|methods| methods.is_empty())
    });
    if empty {
        let sentence = "the server has no authentication method to offer to this user: the list is empty";
        return Verdict::new(Code::AuthNoMethods, evidence.stage, sentence);
    }
    Verdict::new(Code::Ok, evidence.stage, learned(evidence))
}

/// What a complete connection learned, in a sentence.
fn learned(evidence: &Evidence) -> String {
    // Every healthy host gets one: it is made in one go.
    let mut sentence = String::with_capacity(LEARNED);
    let and = |sentence: &mut String| {
        if !sentence.is_empty() {
            sentence.push_str("; ");
        }
    };
    if let Some(ident) = &evidence.ident {
        let _ = write!(sentence, "\"{}\"", Shortened(&ident.raw, QUOTED));
    }
    if let (Some(negotiated), Some(key)) = (&evidence.negotiated, &evidence.host_key) {
        // A key too odd for the library is presented and recorded, but proves nothing.
        let proven = if key.signature == Signature::Verified { "proven" } else { "not proven" };
        and(&mut sentence);
        let _ = write!(sentence, "host key {proven} with {} over {}", negotiated.host_key, negotiated.kex);
    }
    if let Some(auth) = &evidence.auth {
        if auth.none_accepted {
            and(&mut sentence);
            let _ =
                write!(sentence, "lets user \"{}\" in without a credential", Shortened(auth.user.as_bytes(), QUOTED));
        } else if let Some(methods) = &auth.methods {
            and(&mut sentence);
            let _ = sentence.write_str("authentication by ");
            let length: usize = methods.iter().map(|method| method.len().saturating_add(2)).sum();
            if length <= 2 * QUOTED {
                for (at, method) in methods.iter().enumerate() {
                    let comma = if at > 0 { ", " } else { "" };
                    let _ = write!(sentence, "{comma}{}", Shortened(method, 2 * QUOTED));
                }
            } else {
                let _ = write!(sentence, "{}", Shortened(&methods.join(&b", "[..]), 2 * QUOTED));
            }
        }
    }
    if sentence.is_empty() { String::from("the connection was made") } else { sentence }
}

/// Room for what is usually learned, in bytes.
const LEARNED: usize = 192;

/// The connection ended after the identification, before KEXINIT.
pub(super) fn kexinit_ended(evidence: &Evidence, end: End) -> Verdict {
    if let Some(verdict) = clear_text(evidence) {
        return verdict;
    }
    let after = seconds(up(evidence));
    let verdict = |code, sentence| Verdict::new(code, evidence.stage, sentence).medium();
    match end {
        End::Eof | End::Reset => verdict(
            Code::ClosedAfterIdent,
            format!("the server identified itself and {} before its KEXINIT, after {after}", end.verb()),
        ),
        End::Timeout => verdict(
            Code::KexinitTimeout,
            format!("the server identified itself, but its KEXINIT did not come in {after}"),
        ),
        End::Lost => midway(evidence, end),
    }
}

/// The connection ended within the key exchange.
pub(super) fn kex_ended(evidence: &Evidence, end: End) -> Verdict {
    let after = seconds(up(evidence));
    // With the host-key algorithm: Dropbear without an RSA key lists RSA all the same, and closes when it comes to that.
    let method =
        evidence.negotiated.map(|it| format!(" ({}, host key by {})", it.kex, it.host_key)).unwrap_or_default();
    let verdict = |code, sentence| Verdict::new(code, evidence.stage, sentence).medium();
    match end {
        End::Eof | End::Reset => verdict(
            Code::KexClosed,
            format!("the server {} within the key exchange{method}, after {after}", end.verb()),
        ),
        End::Timeout => {
            verdict(Code::KexTimeout, format!("the server did not complete the key exchange{method} in {after}"))
        }
        End::Lost => midway(evidence, end),
    }
}

/// The connection ended after NEWKEYS.
pub(super) fn auth_ended(evidence: &Evidence, end: End) -> Verdict {
    let after = seconds(up(evidence));
    let auth = evidence.auth.as_ref();
    let at_userauth = auth.is_some_and(|auth| auth.service_accepted && auth.none_sent);
    let user = auth.map(|auth| quote(&*auth.user, QUOTED)).unwrap_or_default();
    let banner = auth.filter(|auth| !auth.banner.is_empty());
    let banner = banner.map(|auth| format!("; its banner: {}", quote(&auth.banner, QUOTED))).unwrap_or_default();
    let verdict = |code, sentence| Verdict::new(code, evidence.stage, sentence).medium();
    match end {
        End::Eof | End::Reset if at_userauth => verdict(
            Code::RefusedAtUserauth,
            format!(
                "the server {} without a reason at the first userauth request, for user {user}{banner}",
                end.verb()
            ),
        ),
        End::Eof | End::Reset => verdict(
            Code::AuthClosed,
            format!("the server {} after NEWKEYS, before it accepted the userauth service", end.verb()),
        ),
        End::Timeout if at_userauth => verdict(
            Code::AuthTimeout,
            format!("no answer to the first userauth request in {after}, for user {user}{banner}"),
        ),
        End::Timeout => verdict(Code::AuthTimeout, format!("no answer to the service request in {after}")),
        End::Lost => midway(evidence, end),
    }
}

/// The two KEXINITs have nothing in common in one of the lists.
pub(super) fn no_common(evidence: &Evidence, slot: Slot) -> Verdict {
    let lists = |server: &[Option<&[u8]>]| {
        let lists: Vec<_> = server.iter().flatten().map(|list| quote(list, 4 * QUOTED)).collect();
        if lists.first() == lists.get(1) { lists.first().cloned().unwrap_or_default() } else { lists.join(" and ") }
    };
    let kexinit = evidence.kexinit.as_ref();
    let (code, what, offered) = match slot {
        Slot::Kex => (Code::NoCommonKex, "key exchange method", lists(&[kexinit.map(|k| k.kex().0)])),
        Slot::HostKey => (Code::NoCommonHostkey, "host-key algorithm", lists(&[kexinit.map(|k| k.host_key().0)])),
        Slot::Cipher => (
            Code::NoCommonCipher,
            "cipher",
            lists(&[kexinit.map(|k| k.cipher_c2s().0), kexinit.map(|k| k.cipher_s2c().0)]),
        ),
        Slot::Mac => {
            (Code::NoCommonMac, "MAC", lists(&[kexinit.map(|k| k.mac_c2s().0), kexinit.map(|k| k.mac_s2c().0)]))
        }
        Slot::Compression => (
            Code::NoCommonCompression,
            "compression method",
            lists(&[kexinit.map(|k| k.comp_c2s().0), kexinit.map(|k| k.comp_s2c().0)]),
        ),
    };
    // Decided on the two KEXINITs, whatever the server did next: most close without a word.
    Verdict::new(code, Stage::Kexinit, format!("no {what} in common; the server offers {offered}"))
}

/// The signature over the exchange hash does not hold.
pub(super) fn bad_signature(evidence: &Evidence, why: &str) -> Verdict {
    let sentence = format!("the host key's signature over the key exchange does not hold: {why}");
    Verdict::new(Code::BadHostSignature, evidence.stage, sentence).medium()
}

/// The peer broke the protocol; `what` is the probe's own sentence on how.
pub(super) fn broke_protocol(evidence: &Evidence, what: &str) -> Verdict {
    clear_text(evidence).unwrap_or_else(|| {
        // What was agreed on is in use since NEWKEYS. Go's x/crypto/ssh agrees on a CBC cipher with an -etm MAC and then sends its
        // packets as if the MAC were another.
        let keys = evidence.negotiated.filter(|_| evidence.stage >= Stage::Auth);
        let keys = keys.map(|it| match it.mac_s2c {
            Some(mac) => format!(" (under {} with {mac})", it.cipher_s2c),
            None => format!(" (under {})", it.cipher_s2c),
        });
        let sentence = format!("the server broke the protocol: {}{}", escape(what), keys.unwrap_or_default());
        Verdict::new(Code::ProtocolError, evidence.stage, sentence).medium()
    })
}

/// After their identification some servers say in clear text why they hang up: OpenSSH that it does not like ours,
/// DrayTek that it has no session left. The probe finds a packet of absurd length there.
fn clear_text(evidence: &Evidence) -> Option<Verdict> {
    if let Some(verdict) = ident::refused(evidence) {
        return Some(verdict);
    }
    let text = evidence.unparsed.trim_ascii();
    // Shorter than a packet's header it may be anything.
    if evidence.stage != Stage::Kexinit || text.len() < 5 || !sniff::is_text(text) {
        return None;
    }
    let sentence =
        format!("after its identification the server said {}, where a packet should begin", quote(text, QUOTED));
    Some(Verdict::new(Code::RefusedText, evidence.stage, sentence).medium())
}

/// A packet did not authenticate.
pub(super) fn mac_error(evidence: &Evidence) -> Verdict {
    let cipher = evidence.negotiated.map(|negotiated| format!(" ({})", negotiated.cipher_s2c)).unwrap_or_default();
    let sentence = format!("an encrypted packet of the server's did not authenticate{cipher}");
    Verdict::new(Code::MacError, evidence.stage, sentence).medium()
}
