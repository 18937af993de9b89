//! What the evidence beyond the identification line says about the server's software, and whether the two agree.

use std::sync::Arc;

use super::rule::{Rules, release};
use super::software::{Software, identify};
use crate::evidence::Evidence;
use crate::hassh::hassh_server;
use crate::memo::Memo;
use crate::negotiate::KEX_STRICT_S;
use crate::wire::kexinit::KexInit;

/// The server understands EXT_INFO from the client (RFC 8308 section 2.1): OpenSSH lists it since 9.6.
const EXT_INFO_S: &str = "ext-info-s";

/// A range of OpenSSH releases, as major and minor number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseRange {
    /// The first release that behaves so.
    pub from: (u16, u16),
    /// The last one, if later ones behave otherwise.
    pub to: Option<(u16, u16)>,
}

impl ReleaseRange {
    /// `release` lies in it.
    #[must_use]
    pub fn contains(&self, release: (u16, u16)) -> bool {
        self.from <= release && self.to.is_none_or(|to| release <= to)
    }
}

impl std::fmt::Display for ReleaseRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.from.0, self.from.1)?;
        match self.to {
            Some(to) => write!(f, " to {}.{}", to.0, to.1),
            None => f.write_str(" or later"),
        }
    }
}

/// What the evidence beyond the identification line says. It names releases of OpenSSH only for servers that claim to be one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hints {
    /// The OpenSSH releases that send what this server sent. A distribution that carries features back can lie outside.
    pub openssh: Option<ReleaseRange>,
    /// The server whose measured default lists these are, by HASSH: its product and a description. An operator who changes a
    /// list, or another program that copies one, changes this.
    pub lists: Option<(&'static str, &'static str)>,
    /// What led to these conclusions, and where the identification contradicts them: one sentence each.
    pub reasons: Vec<String>,
    /// Whether it is what it says.
    pub honeypot: HoneypotSigns,
}

/// What speaks for a honeypot that copies OpenSSH's identification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HoneypotSigns {
    /// A honeypot is known to send this very identification. Real servers do too, so it is no sign by itself.
    pub copied: Option<&'static str>,
    /// The signs, one sentence each.
    pub tells: Vec<&'static str>,
}

impl HoneypotSigns {
    /// How many signs it takes: one alone can be an operator's choice or a middlebox's work.
    pub const NEEDED: usize = 2;

    /// Enough signs came together to say so.
    #[must_use]
    pub fn enough(&self) -> bool {
        self.tells.len() >= Self::NEEDED
    }

    /// Adds what the comparison of the lists with those of measured servers says.
    fn lists(&mut self, software: &Software, lists: Option<(&'static str, &'static str)>) {
        if software.is_openssh() && lists.is_some_and(|(product, _)| product != "OpenSSH") {
            self.tells.push("the algorithm lists are those of another SSH implementation");
        }
    }
}

/// Weighs what does not depend on the identification line: EXT_INFO, the KEXINIT's names and lists, error texts.
#[must_use]
pub fn hints(evidence: &Evidence) -> Hints {
    let software = evidence.ident.as_ref().map(identify).unwrap_or_default();
    let lists = evidence.kexinit.as_ref().and_then(known_lists);
    let mut honeypot = signs(evidence, &software);
    honeypot.lists(&software, lists);
    let mut hints = Hints { lists, honeypot, ..Hints::default() };
    if let Some((_, says)) = lists {
        hints.reasons.push(format!("HASSH: the lists are those of {says}"));
    }
    if software.is_openssh() {
        age(evidence, &software, &mut hints);
    }
    hints
}

thread_local! {
    static SOFTWARE: Memo<Arc<Software>> = const { Memo::new() };
}

/// The part of [`hints`] that every probe pays for. The lists are compared only where they could decide.
pub(crate) fn honeypot_signs(evidence: &Evidence) -> HoneypotSigns {
    let Some(ident) = &evidence.ident else { return signs(evidence, &Software::default()) };
    let software = SOFTWARE.with(|made| made.get(&ident.raw, || Arc::new(identify(ident))));
    let mut signs = signs(evidence, &software);
    if !signs.tells.is_empty() {
        signs.lists(&software, evidence.kexinit.as_ref().and_then(known_lists));
    }
    signs
}

/// The measured server whose lists these are.
fn known_lists(kexinit: &KexInit) -> Option<(&'static str, &'static str)> {
    let hassh = hassh_server(kexinit);
    Rules::all().hassh.iter().find(|known| known.md5 == hassh).map(|known| (known.product, known.says))
}

/// From when to when OpenSSH behaved so, and whether the version reported fits.
fn age(evidence: &Evidence, software: &Software, hints: &mut Hints) {
    let known = Rules::all().ext_info.iter().find(|known| evidence.extension(known.name.as_bytes()).is_some());
    let mut range = known.map(|known| {
        let range = ReleaseRange { from: known.from, to: known.to };
        hints.reasons.push(format!("EXT_INFO holds {} and nothing later: OpenSSH {range}", known.name));
        range
    });
    if let Some(kexinit) = &evidence.kexinit {
        if kexinit.kex().contains(EXT_INFO_S) {
            let from = (9, 6);
            hints.reasons.push(format!("{EXT_INFO_S} in KEXINIT: OpenSSH 9.6 or later"));
            let later = range
                .map_or(ReleaseRange { from, to: None }, |range| ReleaseRange { from: range.from.max(from), ..range });
            range = Some(later);
        } else if kexinit.kex().contains(KEX_STRICT_S) {
            hints
                .reasons
                .push(String::from("strict key exchange without ext-info-s: carried back into a release before 9.6"));
        }
        if kexinit.kex().names().all(|name| !name.starts_with(b"diffie-hellman-")) {
            hints
                .reasons
                .push(String::from("no finite-field Diffie-Hellman: the defaults since OpenSSH 10.0, or hardened"));
        }
    }
    hints.openssh = range;
    if let (Some(range), Some(reported)) = (range, reported(software))
        && !range.contains(reported)
    {
        let version = software.version.as_deref().unwrap_or_default();
        hints.reasons.push(format!(
            "contradiction: the identification says {version}, the rest OpenSSH {range}: an edited line, features carried back, \
             or another program"
        ));
    }
}

fn reported(software: &Software) -> Option<(u16, u16)> {
    software.version.as_deref().and_then(release)
}

/// The signs by which Cowrie and its kin, which copy OpenSSH's identification, differ from OpenSSH, as read in their source.
/// The identification itself is none: real servers send the same.
fn signs(evidence: &Evidence, software: &Software) -> HoneypotSigns {
    let mut signs = HoneypotSigns { copied: software.honeypot, tells: Vec::new() };
    if !software.is_openssh() {
        return signs;
    }
    let reported = reported(software);
    let at_least = |wanted| reported.is_some_and(|reported| reported >= wanted);
    let mut tell = |holds: bool, says| {
        if holds {
            signs.tells.push(says);
        }
    };
    if let Some(kexinit) = &evidence.kexinit {
        let macs = [kexinit.mac_c2s(), kexinit.mac_s2c()];
        tell(
            macs.iter().any(|macs| macs.contains("hmac-sha2-384") && macs.contains("hmac-md5")),
            "the MACs hmac-sha2-384 and hmac-md5 together: no OpenSSH ever offered the first",
        );
        // In OpenSSH's own defaults until 6.6, configurable until 7.5.
        let ciphers = [kexinit.cipher_c2s(), kexinit.cipher_s2c()];
        tell(
            at_least((6, 7)) && ciphers.iter().any(|list| list.contains("3des-cbc") && list.contains("cast128-cbc")),
            "the ciphers 3des-cbc and cast128-cbc, which OpenSSH dropped from its defaults in 6.7 and altogether in 7.6",
        );
        let compression = [kexinit.comp_c2s(), kexinit.comp_s2c()];
        tell(
            compression.iter().any(|list| list.0 == b"zlib@openssh.com,zlib,none"),
            "compression zlib@openssh.com,zlib,none: OpenSSH puts none first",
        );
        tell(
            !kexinit.kex().contains(KEX_STRICT_S) && promises_strict_kex(software, reported),
            "no strict key exchange, which this version has and always offers",
        );
    }
    let text = evidence.unparsed.as_slice();
    tell(
        text.starts_with(b"Invalid SSH identification string.\n")
            || (at_least((8, 0)) && text.starts_with(b"Protocol major versions differ.\n")),
        "an error text that ends in LF alone: OpenSSH sends CR LF",
    );
    tell(
        evidence.disconnect.as_ref().is_some_and(|end| end.code == 3 && end.text == b"couldn't match all kex parts"),
        "DISCONNECT 3 `couldn't match all kex parts`: OpenSSH hangs up without a word",
    );
    signs
}

/// The version, or the patch level of Debian 12's package, has strict key exchange, which nothing switches off.
fn promises_strict_kex(software: &Software, reported: Option<(u16, u16)>) -> bool {
    let patched = software.os.as_deref() == Some("Debian 12") && software.level.is_some_and(|level| level >= 2);
    patched || reported.is_some_and(|reported| reported >= (9, 6))
}

#[cfg(test)]
mod tests {
    use super::super::measured::{Server, evidence};
    use super::*;
    use crate::evidence::Disconnect;

    #[test]
    fn every_measured_server_is_known_by_its_lists() {
        for server in Server::ALL {
            let hints = hints(&server.evidence());
            assert_eq!(hints.lists.map(|(product, _)| product), Some(server.product), "{}", server.ident);
            assert!(
                !hints.honeypot.enough() && hints.honeypot.tells.is_empty(),
                "{}: {:?}",
                server.ident,
                hints.honeypot.tells
            );
        }
    }

    #[test]
    fn ext_info_and_markers_tell_the_age_of_openssh() {
        let age = |server: Server, keys: &[&str]| {
            let mut evidence = server.evidence();
            evidence.ext_info = keys.iter().map(|key| (key.as_bytes().to_vec(), b"0".to_vec())).collect();
            hints(&evidence)
        };
        let debian = age(Server::DEBIAN_12, &["server-sig-algs", "publickey-hostbound@openssh.com"]);
        assert_eq!(debian.openssh, Some(ReleaseRange { from: (8, 9), to: Some((9, 4)) }));
        assert!(!debian.reasons.iter().any(|reason| reason.contains("contradiction")), "{:?}", debian.reasons);
        assert!(debian.reasons.iter().any(|reason| reason.contains("carried back")), "{:?}", debian.reasons);
        let newest = ["server-sig-algs", "publickey-hostbound@openssh.com", "ping@openssh.com", "agent-forward"];
        let upstream = age(Server::OPENSSH_10_5, &newest);
        assert_eq!(upstream.openssh, Some(ReleaseRange { from: (10, 3), to: None }));
        assert_eq!(age(Server::OPENSSH_10_5, &[]).openssh, Some(ReleaseRange { from: (9, 6), to: None }));
        // A line that says 10.5 over a server that behaves like 8.8.
        let edited = age(Server { ident: "SSH-2.0-OpenSSH_10.5", ..Server::DEBIAN_12 }, &["server-sig-algs"]);
        assert!(edited.reasons.iter().any(|reason| reason.contains("contradiction")), "{:?}", edited.reasons);
        // Go's library sends ping@openssh.com too: it says nothing about those who do not claim to be OpenSSH.
        assert_eq!(age(Server { ident: "SSH-2.0-Go", ..Server::OPENSSH_10_5 }, &newest).openssh, None);
    }

    /// The lists by which Cowrie is known, under the identification it copies; the rest is made up.
    const COWRIE: Server = Server {
        ident: "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3",
        product: "",
        kex: "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,diffie-hellman-group14-sha1",
        host_key: "ssh-rsa,ssh-dss",
        cipher: "aes128-ctr,aes192-ctr,aes256-ctr,aes256-cbc,aes192-cbc,aes128-cbc,3des-cbc,cast128-cbc",
        mac: "hmac-sha2-512,hmac-sha2-384,hmac-sha2-256,hmac-sha1,hmac-md5",
        compression: "zlib@openssh.com,zlib,none",
    };

    #[test]
    fn a_honeypot_is_called_one_for_two_signs_and_not_for_one() {
        let cowrie = hints(&COWRIE.evidence());
        assert_eq!(cowrie.honeypot.tells.len(), 4, "{:?}", cowrie.honeypot.tells);
        assert!(cowrie.honeypot.enough() && cowrie.honeypot.copied.is_some());
        let real = Server::DEBIAN_12;
        // The very identification Cowrie copies, with one oddity more: an operator's choice.
        let one = Server { ident: COWRIE.ident, compression: COWRIE.compression, ..real };
        assert_eq!(hints(&one.evidence()).honeypot.tells.len(), 1);
        assert!(!hints(&one.evidence()).honeypot.enough());
        assert!(
            hints(&Server { ident: COWRIE.ident, ..real }.evidence()).honeypot.tells.is_empty(),
            "the line alone is no sign"
        );
        // Before Debian's second patch level there was no strict key exchange to miss.
        let kex = "curve25519-sha256";
        let first = Server { ident: "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u1", kex, ..real };
        assert!(hints(&first.evidence()).honeypot.tells.is_empty());
        // Old OpenSSH offered 3des and cast128 itself.
        let old = Server { ident: "SSH-2.0-OpenSSH_6.0p1 Debian-4+deb7u2", cipher: COWRIE.cipher, kex, ..real };
        assert!(hints(&old.evidence()).honeypot.tells.is_empty());
        // Others may do as they like: they do not claim to be OpenSSH.
        assert!(hints(&Server { ident: "SSH-2.0-Twisted_22.4.0", ..COWRIE }.evidence()).honeypot.tells.is_empty());
    }

    #[test]
    fn what_a_server_says_on_its_way_out_can_give_it_away() {
        let mut evidence = evidence("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10");
        evidence.unparsed = b"Protocol major versions differ.\r\n".to_vec();
        evidence.disconnect = Some(Disconnect { code: 2, text: b"Too many authentication failures".to_vec() });
        assert!(hints(&evidence).honeypot.tells.is_empty());
        evidence.unparsed = b"Protocol major versions differ.\n".to_vec();
        assert_eq!(hints(&evidence).honeypot.tells.len(), 1);
        evidence.disconnect = Some(Disconnect { code: 3, text: b"couldn't match all kex parts".to_vec() });
        assert!(hints(&evidence).honeypot.enough());
        let mut old = super::super::measured::evidence("SSH-2.0-OpenSSH_7.4");
        old.unparsed = b"Protocol major versions differ.\n".to_vec();
        assert!(hints(&old).honeypot.tells.is_empty(), "before 8.0 OpenSSH itself sent LF alone");
    }

    /// Twisted under OpenSSH's name: what Cowrie and Kippo are.
    #[test]
    fn the_lists_of_another_implementation_under_openssh_s_name_are_a_sign() {
        let posing = Server { ident: "SSH-2.0-OpenSSH_7.4", ..Server::TWISTED };
        let tells = hints(&posing.evidence()).honeypot.tells;
        assert!(tells.iter().any(|tell| tell.contains("another SSH implementation")), "{tells:?}");
    }
}
