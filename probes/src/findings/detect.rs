//! Looking for findings in the evidence of one connection.

use std::sync::Arc;
use std::time::Duration;

use super::rating::{Rating, rate};
use crate::diagnose::{Finding, FindingId};
use crate::escape::{escape, quote};
use crate::evidence::{Evidence, Identification, Slot};
use crate::fingerprint::honeypot_signs;
use crate::hostkey::KeyInfo;
use crate::memo::Memo;
use crate::negotiate::KEX_STRICT_S;
use crate::record::{JumpHost, Trust};
use crate::wire::kexinit::KexInit;
use crate::wire::read::NameList;

/// How much of a server's text a sentence quotes, in characters.
const QUOTED: usize = 120;

/// How many names a sentence lists.
const LISTED: usize = 8;

/// An identification later than this after the handshake is slow. sshd sends it without looking anything up.
const SLOW_IDENT: Duration = Duration::from_secs(1);

/// After how long a silent server is spoken to: [`crate::plan::Plan::speak_after`]'s default.
const SPEAK_AFTER: Duration = Duration::from_secs(2);

/// The host-key algorithms that sign SHA-1 hashes.
const SHA1_SIGNATURES: [&[u8]; 4] =
    [b"ssh-rsa", b"ssh-dss", b"ssh-rsa-cert-v01@openssh.com", b"ssh-dss-cert-v01@openssh.com"];

/// Everything noteworthy that one connection saw, each finding at most once. `key` is the host key's type and size, if the
/// caller could read it.
///
/// What a server *offers* is judged, not what was agreed on with us: another client may agree on the worst of it.
#[must_use]
pub fn findings(evidence: &Evidence, key: Option<KeyInfo<'_>>) -> Vec<Finding> {
    let mut found = Found::default();
    if let Some(auth) = &evidence.auth {
        if auth.none_accepted {
            found.add(
                FindingId::AuthNoneAccepted,
                format!("the server let user {} in without a credential", quote(&*auth.user, QUOTED)),
            );
        }
        if auth.methods.iter().flat_map(|methods| methods.iter()).any(|method| method == b"password") {
            let listed = PASSWORD.with(|made| made.get(auth.user.as_bytes(), || password_listed(&auth.user)));
            found.add(FindingId::PasswordAuthOffered, listed);
        }
    }
    if let Some(ident) = &evidence.ident {
        identification(&mut found, evidence, ident);
    }
    if let Some(kexinit) = &evidence.kexinit {
        let offered = || {
            let mut found = Found::default();
            offer(&mut found, kexinit);
            found.0.into()
        };
        let offered: Arc<[Finding]> = OFFERS.with(|made| made.get(kexinit.offer(), offered));
        found.0.extend_from_slice(&offered);
    }
    sizes(&mut found, evidence, key);
    way(&mut found, evidence);
    let signs = honeypot_signs(evidence);
    if signs.enough() {
        found.add(FindingId::LikelyHoneypot, signs.tells.join("; "));
    }
    found.0
}

fn password_listed(user: &str) -> Arc<str> {
    format!("password is listed for user {}", quote(user, QUOTED)).into()
}

thread_local! {
    static OFFERS: Memo<Arc<[Finding]>> = const { Memo::new() };
    static PASSWORD: Memo<Arc<str>> = const { Memo::new() };
}

#[derive(Default)]
struct Found(Vec<Finding>);

impl Found {
    fn add(&mut self, id: FindingId, detail: impl Into<Arc<str>>) {
        self.0.push(Finding::new(id, detail));
    }
}

/// The jump hosts on the way whose keys ssh would ask about.
fn way(found: &mut Found, evidence: &Evidence) {
    let Some(way) = &evidence.tunnel else { return };
    let unknown = |host: &&JumpHost| matches!(host.trust, Some(Trust::Unknown | Trust::CaMismatch));
    let unknown: Vec<_> = way.jump_hosts.iter().filter(unknown).map(JumpHost::shown).collect();
    if !unknown.is_empty() {
        let detail = format!("a key is not known of a jump host on the way: {}", unknown.join(", "));
        found.add(FindingId::JumpHostKeyUnknown, detail);
    }
}

/// The identification line and what came before it.
fn identification(found: &mut Found, evidence: &Evidence, ident: &Identification) {
    lateness(found, evidence);
    let count = evidence.preamble.count;
    if count > 0 {
        let first = evidence.preamble.lines.first().map(|line| quote(&line.bytes, QUOTED)).unwrap_or_default();
        let lines = if count == 1 { "line" } else { "lines" };
        found.add(
            FindingId::PreIdentLines,
            format!("{count} {lines} came before the identification, the first: {first}"),
        );
    }
    if ident.proto() == b"1.99" {
        found.add(FindingId::Ssh1Compat, format!("{} offers SSH 1 beside SSH 2", quote(&ident.raw, QUOTED)));
    }
    // RFC 4253 section 4.2 counts CR and LF.
    let length = ident.raw.len().saturating_add(2);
    if length > 255 {
        found
            .add(FindingId::IdentTooLong, format!("the identification has {length} bytes with CR LF, 255 are allowed"));
    }
}

/// When the identification came: late by itself, or only once we had spoken.
fn lateness(found: &mut Found, evidence: &Evidence) {
    let took = evidence.timing.ident;
    // One round trip is the network's, and a lost SYN says nothing about the server.
    let own = took.map(|took| took.saturating_sub(evidence.timing.connect.unwrap_or_default()));
    // Had it come much later than we spoke, our speaking would not have been what it waited for.
    let answered = own.is_none_or(|own| own < SPEAK_AFTER.saturating_add(SLOW_IDENT));
    let silent = evidence.preamble.lines.first().is_none_or(|line| line.at >= SPEAK_AFTER);
    if evidence.spoke_first && silent && answered {
        let detail = "the server stayed silent until our identification had come";
        found.add(FindingId::IdentAfterClient, detail);
    } else if let Some(own) = own.filter(|own| *own >= SLOW_IDENT) {
        let seconds = own.as_secs_f64();
        let fives = (seconds / 5.0).round();
        let dns = if fives >= 1.0 && (seconds - fives * 5.0).abs() < 0.3 {
            ", a multiple of 5 s as resolvers wait for a dead name server"
        } else {
            ""
        };
        found.add(FindingId::SlowIdent, format!("the identification came {seconds:.1} s after the handshake{dns}"));
    }
}

/// What the KEXINIT offers.
fn offer(found: &mut Found, kexinit: &KexInit) {
    if let Some(detail) = terrapin(kexinit) {
        found.add(FindingId::TerrapinVulnerableOffer, detail);
    }
    let kex = kexinit.kex();
    if !kex.names().any(|name| rate(Slot::Kex, name).is_some_and(|known| known.pq)) {
        found.add(FindingId::NoPqKex, "no post-quantum key exchange is offered");
    }
    let (cipher, mac) = (kexinit.cipher_c2s(), kexinit.mac_c2s());
    for (id, slot, lists) in [
        (FindingId::WeakKex, Slot::Kex, [kex, NameList(b"")]),
        (FindingId::WeakCipher, Slot::Cipher, [cipher, unless_same(kexinit.cipher_s2c(), cipher)]),
        (FindingId::WeakMac, Slot::Mac, [mac, unless_same(kexinit.mac_s2c(), mac)]),
    ] {
        if let Some(detail) = weak(slot, lists) {
            found.add(id, detail);
        }
    }
    let mut host_keys = kexinit.host_key().names().filter(|name| !name.is_empty()).peekable();
    if host_keys.peek().is_some() && host_keys.all(|name| SHA1_SIGNATURES.contains(&name)) {
        let names = quote(kexinit.host_key().0, QUOTED);
        found.add(FindingId::Sha1HostkeyOnly, format!("host keys are offered with SHA-1 signatures only: {names}"));
    }
    let lists = [
        ("kex_algorithms", kex),
        ("server_host_key_algorithms", kexinit.host_key()),
        ("encryption_algorithms_client_to_server", cipher),
        ("encryption_algorithms_server_to_client", kexinit.cipher_s2c()),
        ("mac_algorithms_client_to_server", mac),
        ("mac_algorithms_server_to_client", kexinit.mac_s2c()),
        ("compression_algorithms_client_to_server", kexinit.comp_c2s()),
        ("compression_algorithms_server_to_client", kexinit.comp_s2c()),
        ("languages_client_to_server", kexinit.lang_c2s()),
        ("languages_server_to_client", kexinit.lang_s2c()),
    ];
    let gaps = lists.iter().filter(|(_, list)| list.names().any(<[u8]>::is_empty));
    let gaps: Vec<_> = gaps.map(|(field, _)| *field).collect();
    if !gaps.is_empty() {
        found.add(FindingId::EmptyNameInList, format!("an empty name stands in {}", gaps.join(", ")));
    }
}

/// Both directions are nearly always alike, and looking one list up twice is a waste.
fn unless_same<'l>(list: NameList<'l>, other: NameList<'_>) -> NameList<'l> {
    if list == other { NameList(b"") } else { list }
}

/// Terrapin (CVE-2023-48795): no strict key exchange, and in one and the same direction either ChaCha20-Poly1305, or a CBC
/// cipher beside an encrypt-then-MAC one. GCM, and CTR with -etm, cannot be exploited.
fn terrapin(kexinit: &KexInit) -> Option<String> {
    if kexinit.kex().contains(KEX_STRICT_S) {
        return None;
    }
    let exposed = |cipher: NameList<'_>, mac: NameList<'_>| {
        if cipher.contains("chacha20-poly1305@openssh.com") {
            Some("chacha20-poly1305@openssh.com")
        } else if cipher.names().any(|name| name.ends_with(b"-cbc"))
            && mac.names().any(|name| name.ends_with(b"-etm@openssh.com"))
        {
            Some("CBC with an -etm MAC")
        } else {
            None
        }
    };
    let c2s = exposed(kexinit.cipher_c2s(), kexinit.mac_c2s());
    let s2c = exposed(kexinit.cipher_s2c(), kexinit.mac_s2c());
    let (what, direction) = match (c2s, s2c) {
        (None, None) => return None,
        (Some(c2s), Some(s2c)) if c2s == s2c => (c2s, "in both directions"),
        (Some(c2s), Some(_)) => (c2s, "from the client, and another from the server"),
        (Some(c2s), None) => (c2s, "from the client"),
        (None, Some(s2c)) => (s2c, "from the server"),
    };
    Some(format!("{what} is offered {direction} and strict key exchange is not"))
}

/// The names that are rated weak or broken, worst first within the order sent.
fn weak(slot: Slot, lists: [NameList<'_>; 2]) -> Option<String> {
    let mut seen: Vec<(&[u8], Rating)> = Vec::new();
    let mut more = false;
    for name in lists.into_iter().flat_map(NameList::names) {
        let Some(rating) = rate(slot, name).map(|known| known.rating()).filter(|rating| *rating <= Rating::Weak) else {
            continue;
        };
        if seen.iter().any(|(known, _)| *known == name) {
            continue;
        }
        if seen.len() == LISTED {
            more = true;
            break;
        }
        seen.push((name, rating));
    }
    seen.sort_by_key(|(_, rating)| *rating);
    let names: Vec<_> = seen.iter().map(|(name, rating)| format!("{} ({})", escape(name), rating.name())).collect();
    let more = if more { " and more" } else { "" };
    (!names.is_empty()).then(|| format!("offers {}{more}", names.join(", ")))
}

/// Sizes that a list does not show: the RSA key's and the group's that the server picked.
fn sizes(found: &mut Found, evidence: &Evidence, key: Option<KeyInfo<'_>>) {
    // A key of type ssh-rsa is rated as a key, whatever hash its signature had.
    if let Some(KeyInfo { kind: "ssh-rsa" | "ssh-rsa-cert-v01@openssh.com", bits }) = key
        && rate(Slot::HostKey, b"rsa-sha2-256").is_some_and(|known| known.rating_at(bits) <= Rating::Weak)
    {
        found.add(FindingId::RsaKeyTooSmall, format!("the RSA host key has {bits} bits"));
    }
    if let Some(negotiated) = &evidence.negotiated
        && let Some(bits) = negotiated.dh_bits
        && negotiated.kex.contains("group-exchange")
        && rate(Slot::Kex, negotiated.kex.as_bytes()).is_some_and(|known| known.rating_at(bits) == Rating::Broken)
    {
        found.add(FindingId::GexGroupWeak, format!("the server picked a group of {bits} bits for {}", negotiated.kex));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    #[test]
    fn the_plan_speaks_when_lateness_assumes_it() {
        assert_eq!(Plan::default().speak_after, SPEAK_AFTER);
    }
}
