//! What we offer, and what comes of it (RFC 4253 section 7.1).

use crate::algorithm::{
    CIPHER, COMPRESSION, CipherAlgorithm, HOST_KEY, HostKeyAlgorithm, KEX, KexAlgorithm, MAC, MacAlgorithm, Named,
};
use crate::evidence::{Negotiated, Slot};
use crate::hostkey::certified_type;
use crate::kex::{Direction, KeySource};
use crate::wire::cipher::{CipherFault, Opener, Sealer};
use crate::wire::kexinit::KexInit;
use crate::wire::read::NameList;

use thiserror::Error;

/// Asks the server for EXT_INFO (RFC 8308 section 2.1). Never chosen as a method.
pub const EXT_INFO_C: &str = "ext-info-c";
/// Offers strict key exchange to the server (OpenSSH's PROTOCOL, section 1.10). Never chosen as a method.
pub const KEX_STRICT_C: &str = "kex-strict-c-v00@openssh.com";
/// The server's half of strict key exchange.
pub const KEX_STRICT_S: &str = "kex-strict-s-v00@openssh.com";

/// What we offer, in order of preference. The same for both directions.
#[derive(Debug, Clone)]
pub struct Offer {
    kex: Vec<&'static KexAlgorithm>,
    host_key: Vec<&'static HostKeyAlgorithm>,
    cipher: Vec<&'static CipherAlgorithm>,
    mac: Vec<&'static MacAlgorithm>,
    ext_info: bool,
    strict_kex: bool,
    /// The name lists as they are sent.
    lists: OfferLists,
    /// Our KEXINIT, but for the cookie.
    payload: Vec<u8>,
}

/// The name lists of an [`Offer`], joined by commas.
#[derive(Debug, Clone, Default)]
struct OfferLists {
    kex: String,
    host_key: String,
    cipher: String,
    mac: String,
    compression: String,
}

/// Where certificates stand among the host keys asked for: a server shows one only where its name stands before the plain
/// key's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificates {
    /// Behind the plain keys: only a server that has nothing else shows one.
    Behind,
    /// Those of wanted types before the plain keys of these, and the others before the other plain keys.
    Beside,
    /// Before all plain keys.
    First,
}

/// A name that stands in none of our tables.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not an algorithm known here")]
pub struct UnknownAlgorithm(pub String);

impl Offer {
    /// Everything in the tables, in their order.
    #[must_use]
    pub fn modern() -> Self {
        let mut offer = Self {
            kex: KEX.iter().collect(),
            host_key: HOST_KEY.iter().collect(),
            cipher: CIPHER.iter().collect(),
            mac: MAC.iter().collect(),
            ext_info: true,
            strict_kex: true,
            lists: OfferLists::default(),
            payload: Vec::new(),
        };
        offer.join();
        offer
    }

    /// Only these key exchange methods, in this order.
    ///
    /// # Errors
    /// A name that is in no table. So with the three that follow.
    pub fn with_kex(mut self, names: &[&str]) -> Result<Self, UnknownAlgorithm> {
        self.kex = pick(KEX, names)?;
        self.join();
        Ok(self)
    }

    /// Only these host-key algorithms, in this order.
    ///
    /// # Errors
    /// A name that is in no table.
    pub fn with_host_key(mut self, names: &[&str]) -> Result<Self, UnknownAlgorithm> {
        self.host_key = pick(HOST_KEY, names)?;
        self.join();
        Ok(self)
    }

    /// Only these ciphers, in this order.
    ///
    /// # Errors
    /// A name that is in no table.
    pub fn with_cipher(mut self, names: &[&str]) -> Result<Self, UnknownAlgorithm> {
        self.cipher = pick(CIPHER, names)?;
        self.join();
        Ok(self)
    }

    /// Only these MACs, in this order.
    ///
    /// # Errors
    /// A name that is in no table.
    pub fn with_mac(mut self, names: &[&str]) -> Result<Self, UnknownAlgorithm> {
        self.mac = pick(MAC, names)?;
        self.join();
        Ok(self)
    }

    /// The key exchange methods offered, in order, without what asks for extensions.
    #[must_use]
    pub fn kex_names(&self) -> Vec<&'static str> {
        self.kex.iter().map(|kex| kex.name).collect()
    }

    /// The host-key algorithms offered, in order.
    #[must_use]
    pub fn host_key_names(&self) -> Vec<&'static str> {
        self.host_key.iter().map(|host_key| host_key.name).collect()
    }

    /// The ciphers offered, in order.
    #[must_use]
    pub fn cipher_names(&self) -> Vec<&'static str> {
        self.cipher.iter().map(|cipher| cipher.name).collect()
    }

    /// The MACs offered, in order.
    #[must_use]
    pub fn mac_names(&self) -> Vec<&'static str> {
        self.mac.iter().map(|mac| mac.name).collect()
    }

    /// Post-quantum key exchange methods before all others, each kind in the order it has now.
    #[must_use]
    pub fn prefer_pq(mut self) -> Self {
        self.kex.sort_by_key(|kex| !kex.post_quantum);
        self.join();
        self
    }

    /// Certificates before plain keys, each kind in the order it has now: a server shows one only where its name stands
    /// before the plain key's, and ssh(1) puts it there only for a host whose authority it knows.
    #[must_use]
    pub fn with_certificates_first(mut self) -> Self {
        self.host_key.sort_by_key(|host_key| !host_key.is_certificate());
        self.join();
        self
    }

    /// Host-key algorithms for keys of these types before all others, each kind in the order it has now. ssh(1) asks in this
    /// order for what it knows of a host, lest it be shown a key it cannot compare.
    #[must_use]
    pub fn with_key_types_first(mut self, types: &[&str], certificates: Certificates) -> Self {
        let rank = |host_key: &&HostKeyAlgorithm| {
            let (certified, plain) = match certified_type(host_key.key_type) {
                Some(plain) if host_key.is_certificate() => (true, plain),
                _ => (false, host_key.key_type),
            };
            let wanted = types.contains(&plain);
            match certificates {
                Certificates::First if certified => (0, false),
                Certificates::Beside if wanted => (1, !certified),
                Certificates::Beside => (2, !certified),
                _ if wanted && !certified => (1, false),
                _ => (2, false),
            }
        };
        if !self.host_key.is_sorted_by_key(rank) {
            self.host_key.sort_by_key(rank);
            self.join();
        }
        self
    }

    /// Only host-key algorithms for keys of this type: plain ones before certificates, which some servers have alone, or the
    /// other way round where certificates are wanted.
    #[must_use]
    pub fn with_key_type(mut self, kind: &str, certificates: bool) -> Self {
        self.host_key.retain(|host_key| host_key.key_type == kind || certified_type(host_key.key_type) == Some(kind));
        self.host_key.sort_by_key(|host_key| host_key.is_certificate() != certificates);
        self.join();
        self
    }

    /// With or without the marker that offers strict key exchange.
    #[must_use]
    pub fn with_strict_kex(mut self, strict_kex: bool) -> Self {
        self.strict_kex = strict_kex;
        self.join();
        self
    }

    /// With or without the marker that asks for EXT_INFO.
    #[must_use]
    pub fn with_ext_info(mut self, ext_info: bool) -> Self {
        self.ext_info = ext_info;
        self.join();
        self
    }

    fn join(&mut self) {
        let markers = [(self.ext_info, EXT_INFO_C), (self.strict_kex, KEX_STRICT_C)];
        let mut kex = names(&self.kex);
        kex.extend(markers.into_iter().filter(|(wanted, _)| *wanted).map(|(_, marker)| marker));
        self.lists = OfferLists {
            kex: kex.join(","),
            host_key: names(&self.host_key).join(","),
            cipher: names(&self.cipher).join(","),
            mac: names(&self.mac).join(","),
            compression: COMPRESSION.join(","),
        };
        self.payload = KexInit::build([0; 16], self.all_lists(), false);
    }

    /// The key exchange list as it is sent, markers included.
    #[must_use]
    pub fn kex(&self) -> &str {
        &self.lists.kex
    }

    /// The host-key list as it is sent.
    #[must_use]
    pub fn host_key(&self) -> &str {
        &self.lists.host_key
    }

    /// The cipher lists as they are sent.
    #[must_use]
    pub fn cipher(&self) -> &str {
        &self.lists.cipher
    }

    /// The MAC lists as they are sent.
    #[must_use]
    pub fn mac(&self) -> &str {
        &self.lists.mac
    }

    /// The compression lists as they are sent.
    #[must_use]
    pub fn compression(&self) -> &str {
        &self.lists.compression
    }

    /// Our KEXINIT's payload.
    #[must_use]
    pub fn kexinit(&self, cookie: [u8; 16]) -> Vec<u8> {
        [&KexInit::head(cookie), self.behind_cookie()].concat()
    }

    /// What follows the cookie in it: the same for each connection.
    pub(crate) fn behind_cookie(&self) -> &[u8] {
        self.payload.get(KexInit::HEAD..).unwrap_or_default()
    }

    /// The ten lists of a KEXINIT, in their order; languages are none of ours.
    fn all_lists(&self) -> [&[u8]; 10] {
        let OfferLists { kex, host_key, cipher, mac, compression } = &self.lists;
        let lists = [kex, host_key, cipher, cipher, mac, mac, compression, compression];
        let mut all = [&[][..]; 10];
        for (to, from) in all.iter_mut().zip(lists) {
            *to = from.as_bytes();
        }
        all
    }
}

impl Default for Offer {
    fn default() -> Self {
        Self::modern()
    }
}

fn names<T: Named>(algorithms: &[&'static T]) -> Vec<&'static str> {
    algorithms.iter().map(|algorithm| algorithm.name()).collect()
}

fn pick<T: Named>(table: &'static [T], names: &[&str]) -> Result<Vec<&'static T>, UnknownAlgorithm> {
    let find = |name: &&str| table.iter().find(|algorithm| algorithm.name() == *name);
    names.iter().map(|name| find(name).ok_or_else(|| UnknownAlgorithm((*name).to_owned()))).collect()
}

/// What both sides will use.
#[derive(Debug, Clone, Copy)]
pub struct Agreed {
    /// Key exchange method.
    pub kex: &'static KexAlgorithm,
    /// Host-key algorithm.
    pub host_key: &'static HostKeyAlgorithm,
    /// Cipher, client to server.
    pub cipher_c2s: &'static CipherAlgorithm,
    /// Cipher, server to client.
    pub cipher_s2c: &'static CipherAlgorithm,
    /// MAC, client to server; `None` where the cipher authenticates by itself.
    pub mac_c2s: Option<&'static MacAlgorithm>,
    /// MAC, server to client; `None` where the cipher authenticates by itself.
    pub mac_s2c: Option<&'static MacAlgorithm>,
    /// Both sides sent their half of the strict key exchange marker.
    pub strict_kex: bool,
    /// The peer sends a guessed key exchange packet behind its KEXINIT, and it is to be dropped unread.
    pub guess_wrong: bool,
}

/// A list of the two KEXINITs without a usable name in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("nothing in common: {0:?}")]
pub struct NoCommon(pub Slot);

impl Agreed {
    /// The names, as evidence. `dh_bits` is [`crate::kex::Exchanged::dh_bits`], once known.
    #[must_use]
    pub fn negotiated(&self, dh_bits: Option<u32>) -> Negotiated {
        Negotiated {
            kex: self.kex.name,
            host_key: self.host_key.name,
            cipher_c2s: self.cipher_c2s.name,
            cipher_s2c: self.cipher_s2c.name,
            mac_c2s: self.mac_c2s.map(|mac| mac.name),
            mac_s2c: self.mac_s2c.map(|mac| mac.name),
            strict_kex: self.strict_kex,
            dh_bits,
        }
    }

    fn suite(&self, direction: Direction) -> (&'static CipherAlgorithm, Option<&'static MacAlgorithm>) {
        match direction {
            Direction::ClientToServer => (self.cipher_c2s, self.mac_c2s),
            Direction::ServerToClient => (self.cipher_s2c, self.mac_s2c),
        }
    }

    /// The receiving half of a direction under the new keys.
    ///
    /// # Errors
    /// Never in practice: the agreed cipher does not take keys of its own size.
    pub fn opener(&self, direction: Direction, source: &mut KeySource) -> Result<Opener, CipherFault> {
        let (cipher, mac) = self.suite(direction);
        cipher.opener(mac, direction, source)
    }

    /// The sending half of a direction under the new keys.
    ///
    /// # Errors
    /// Never in practice: the agreed cipher does not take keys of its own size.
    pub fn sealer(&self, direction: Direction, source: &mut KeySource) -> Result<Sealer, CipherFault> {
        let (cipher, mac) = self.suite(direction);
        cipher.sealer(mac, direction, source)
    }
}

/// The lists of one side.
#[derive(Debug, Clone, Copy)]
struct Proposal<'a> {
    kex: NameList<'a>,
    host_key: NameList<'a>,
    cipher_c2s: NameList<'a>,
    cipher_s2c: NameList<'a>,
    mac_c2s: NameList<'a>,
    mac_s2c: NameList<'a>,
    comp_c2s: NameList<'a>,
    comp_s2c: NameList<'a>,
}

impl<'a> From<&'a KexInit> for Proposal<'a> {
    fn from(kexinit: &'a KexInit) -> Self {
        Self {
            kex: kexinit.kex(),
            host_key: kexinit.host_key(),
            cipher_c2s: kexinit.cipher_c2s(),
            cipher_s2c: kexinit.cipher_s2c(),
            mac_c2s: kexinit.mac_c2s(),
            mac_s2c: kexinit.mac_s2c(),
            comp_c2s: kexinit.comp_c2s(),
            comp_s2c: kexinit.comp_s2c(),
        }
    }
}

impl<'a> From<&'a Offer> for Proposal<'a> {
    fn from(offer: &'a Offer) -> Self {
        let list = |list: &'a str| NameList(list.as_bytes());
        let (cipher, mac, comp) = (list(offer.cipher()), list(offer.mac()), list(offer.compression()));
        Self {
            kex: list(offer.kex()),
            host_key: list(offer.host_key()),
            cipher_c2s: cipher,
            cipher_s2c: cipher,
            mac_c2s: mac,
            mac_s2c: mac,
            comp_c2s: comp,
            comp_s2c: comp,
        }
    }
}

/// What comes of our offer and the server's KEXINIT: in every list the first of our names that the server also has.
///
/// # Errors
/// The first list without one, in the order kex, host key, cipher, MAC, compression.
pub fn negotiate(offer: &Offer, server: &KexInit) -> Result<Agreed, NoCommon> {
    let agreed = agree(&offer.into(), &server.into())?;
    Ok(Agreed { guess_wrong: guess_wrong(server, &offer.into()), ..agreed })
}

/// The same for a server, which has both KEXINITs as they went over the wire. Names that our tables do not know are passed over.
///
/// # Errors
/// As [`negotiate`].
pub fn negotiate_as_server(client: &KexInit, server: &KexInit) -> Result<Agreed, NoCommon> {
    let agreed = agree(&client.into(), &server.into())?;
    Ok(Agreed { guess_wrong: guess_wrong(client, &server.into()), ..agreed })
}

/// Whether the peer has sent a guessed packet that is to be dropped. A guess is right only if both sides prefer the same
/// method and the same host-key algorithm (RFC 4253 section 7).
fn guess_wrong(peer: &KexInit, ours: &Proposal<'_>) -> bool {
    let same_first = |theirs: NameList<'_>, ours: NameList<'_>| theirs.names().next() == ours.names().next();
    let right = same_first(peer.kex(), ours.kex) && same_first(peer.host_key(), ours.host_key);
    peer.first_kex_packet_follows() && !right
}

fn agree(client: &Proposal<'_>, server: &Proposal<'_>) -> Result<Agreed, NoCommon> {
    let kex = first_common(KEX, client.kex, server.kex).ok_or(NoCommon(Slot::Kex))?;
    let host_key = first_common(HOST_KEY, client.host_key, server.host_key).ok_or(NoCommon(Slot::HostKey))?;
    let cipher = |client, server| first_common(CIPHER, client, server).ok_or(NoCommon(Slot::Cipher));
    let cipher_c2s = cipher(client.cipher_c2s, server.cipher_c2s)?;
    let cipher_s2c = cipher(client.cipher_s2c, server.cipher_s2c)?;
    // The MAC lists mean nothing beside an AEAD: OpenSSH connects although they hold nothing but `none`.
    let mac = |cipher: &CipherAlgorithm, client, server| {
        if cipher.aead() { Ok(None) } else { first_common(MAC, client, server).map(Some).ok_or(NoCommon(Slot::Mac)) }
    };
    let mac_c2s = mac(cipher_c2s, client.mac_c2s, server.mac_c2s)?;
    let mac_s2c = mac(cipher_s2c, client.mac_s2c, server.mac_s2c)?;
    for (client, server) in [(client.comp_c2s, server.comp_c2s), (client.comp_s2c, server.comp_s2c)] {
        first_common(COMPRESSION, client, server).ok_or(NoCommon(Slot::Compression))?;
    }
    let strict_kex = client.kex.contains(KEX_STRICT_C) && server.kex.contains(KEX_STRICT_S);
    Ok(Agreed { kex, host_key, cipher_c2s, cipher_s2c, mac_c2s, mac_s2c, strict_kex, guess_wrong: false })
}

fn first_common<T: Named>(table: &'static [T], client: NameList<'_>, server: NameList<'_>) -> Option<&'static T> {
    client
        .names()
        .filter(|name| server.names().any(|other| other == *name))
        .find_map(|name| table.iter().find(|algorithm| algorithm.name().as_bytes() == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SERVER: [&str; 8] = [
        "sntrup761x25519-sha512,ecdh-sha2-nistp256,curve25519-sha256,kex-strict-s-v00@openssh.com",
        "rsa-sha2-512,ssh-ed25519",
        "aes256-ctr,aes128-gcm@openssh.com",
        "aes256-ctr",
        "hmac-sha1,hmac-sha2-512",
        "hmac-sha1,hmac-sha2-512,hmac-sha2-256",
        "none,zlib@openssh.com",
        "none",
    ];

    fn server(lists: [&str; 8], follows: bool) -> KexInit {
        let lists: [&[u8]; 10] = std::array::from_fn(|at| lists.get(at).copied().unwrap_or_default().as_bytes());
        KexInit::parse(&KexInit::build([1; 16], lists, follows)).unwrap()
    }

    #[test]
    fn the_first_of_our_names_that_the_server_has_wins() {
        let agreed = negotiate(&Offer::modern(), &server(SERVER, false)).unwrap();
        let negotiated = Negotiated {
            kex: "curve25519-sha256",
            host_key: "ssh-ed25519",
            cipher_c2s: "aes128-gcm@openssh.com",
            cipher_s2c: "aes256-ctr",
            mac_c2s: None,
            mac_s2c: Some("hmac-sha2-256"),
            strict_kex: true,
            dh_bits: Some(4096),
        };
        assert_eq!(agreed.negotiated(Some(4096)), negotiated);
        assert!(!agreed.guess_wrong);
        let offer = Offer::modern().with_kex(&["ecdh-sha2-nistp256", "curve25519-sha256"]).unwrap();
        let agreed = negotiate(&offer.with_strict_kex(false), &server(SERVER, false)).unwrap();
        assert_eq!((agreed.kex.name, agreed.strict_kex), ("ecdh-sha2-nistp256", false));
    }

    #[test]
    fn each_list_can_be_the_one_without_a_common_name() {
        for (at, slot) in [
            (0, Slot::Kex),
            (1, Slot::HostKey),
            (2, Slot::Cipher),
            (3, Slot::Cipher),
            (5, Slot::Mac),
            (6, Slot::Compression),
            (7, Slot::Compression),
        ] {
            for nothing in ["", "hmac-ripemd160,foo", ","] {
                let mut lists = SERVER;
                lists[at] = nothing;
                assert_eq!(
                    negotiate(&Offer::modern(), &server(lists, false)).unwrap_err(),
                    NoCommon(slot),
                    "list {at}"
                );
            }
        }
        // Client to server an AEAD was agreed on: the MAC list may hold anything.
        let mut lists = SERVER;
        lists[4] = "none";
        assert!(negotiate(&Offer::modern(), &server(lists, false)).is_ok());
        // Several at once: the first in the order is named.
        assert_eq!(negotiate(&Offer::modern(), &server([""; 8], false)).unwrap_err(), NoCommon(Slot::Kex));
    }

    #[test]
    fn markers_are_never_chosen() {
        let mut lists = SERVER;
        lists[0] = "ext-info-c,kex-strict-c-v00@openssh.com,kex-strict-s-v00@openssh.com";
        assert_eq!(negotiate(&Offer::modern(), &server(lists, false)).unwrap_err(), NoCommon(Slot::Kex));
    }

    #[test]
    fn a_guess_is_right_only_if_both_first_names_agree() {
        let guess = |kex: &'static str, host_key: &'static str, follows: bool| {
            let mut lists = SERVER;
            (lists[0], lists[1]) = (kex, host_key);
            negotiate(&Offer::modern(), &server(lists, follows)).unwrap().guess_wrong
        };
        assert!(!guess("curve25519-sha256", "ssh-ed25519", true));
        assert!(guess("curve25519-sha256", "rsa-sha2-512,ssh-ed25519", true));
        assert!(guess("ecdh-sha2-nistp256,curve25519-sha256", "ssh-ed25519", true));
        assert!(!guess("ecdh-sha2-nistp256,curve25519-sha256", "ssh-ed25519", false));
    }

    #[test]
    fn the_offer_is_sent_as_its_lists_say() {
        let offer = Offer::modern();
        assert!(offer.kex().ends_with(",ext-info-c,kex-strict-c-v00@openssh.com"));
        let sent = KexInit::parse(&offer.kexinit([3; 16])).unwrap();
        assert_eq!(sent.kex().0, offer.kex().as_bytes());
        assert_eq!(sent.host_key().0, offer.host_key().as_bytes());
        assert_eq!((sent.cipher_c2s(), sent.cipher_s2c()), (NameList(offer.cipher().as_bytes()), sent.cipher_c2s()));
        assert_eq!((sent.mac_c2s(), sent.mac_s2c()), (NameList(offer.mac().as_bytes()), sent.mac_c2s()));
        assert_eq!((sent.comp_c2s().0, sent.comp_s2c().0), (&b"none"[..], &b"none"[..]));
        let plain = offer.with_ext_info(false).with_strict_kex(false).with_kex(&["ecdh-sha2-nistp521"]).unwrap();
        assert_eq!(plain.kex(), "ecdh-sha2-nistp521");
        let cut =
            plain.with_host_key(&["rsa-sha2-256"]).unwrap().with_cipher(&[]).unwrap().with_mac(&["hmac-sha2-512"]);
        let cut = cut.unwrap();
        assert_eq!((cut.host_key(), cut.cipher(), cut.mac()), ("rsa-sha2-256", "", "hmac-sha2-512"));
        assert_eq!(cut.with_cipher(&["rot13"]).unwrap_err().to_string(), "\"rot13\" is not an algorithm known here");
    }

    #[test]
    fn post_quantum_methods_stand_before_weak_ones_and_on_demand_before_all() {
        let names = |offer: &Offer| offer.kex().split(',').map(str::to_owned).collect::<Vec<_>>();
        let at = |names: &[String], name: &str| names.iter().position(|each| each == name).unwrap();
        let usual = names(&Offer::modern());
        for hybrid in ["mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com"] {
            assert!(at(&usual, "diffie-hellman-group18-sha512") < at(&usual, hybrid));
            assert!(at(&usual, hybrid) < at(&usual, "diffie-hellman-group14-sha1"));
        }
        assert_eq!(usual[0], "curve25519-sha256");
        let preferred = names(&Offer::modern().prefer_pq());
        assert_eq!(preferred[..2], ["mlkem768x25519-sha256", "sntrup761x25519-sha512"]);
        assert_eq!(preferred[3..5], ["mlkem768nistp256-sha256", "curve25519-sha256"]);
        assert_eq!(preferred.last().map(String::as_str), Some(KEX_STRICT_C));
        let agreed = negotiate(&Offer::modern().prefer_pq(), &server(SERVER, false)).unwrap();
        assert_eq!(agreed.kex.name, "sntrup761x25519-sha512");
    }

    #[test]
    fn certificates_come_first_only_on_demand_and_broken_keys_last() {
        let names = |offer: &Offer| offer.host_key().split(',').map(str::to_owned).collect::<Vec<_>>();
        let usual = names(&Offer::modern());
        let certificate = |name: &String| name.ends_with("-cert-v01@openssh.com");
        assert_eq!(usual.iter().position(certificate), Some(6));
        assert_eq!(usual[usual.len() - 4..][..1], ["ssh-rsa"]);
        let first = names(&Offer::modern().with_certificates_first());
        assert_eq!(first[0], "ssh-ed25519-cert-v01@openssh.com");
        assert_eq!(
            first.iter().rposition(certificate).unwrap() + 1,
            first.iter().filter(|name| certificate(name)).count()
        );
        assert_eq!(first.len(), usual.len());
    }

    #[test]
    fn a_server_comes_to_the_same_conclusion() {
        let client = KexInit::parse(&Offer::modern().kexinit([0; 16])).unwrap();
        let ours = negotiate(&Offer::modern(), &server(SERVER, false)).unwrap();
        let theirs = negotiate_as_server(&client, &server(SERVER, false)).unwrap();
        assert_eq!(ours.negotiated(None), theirs.negotiated(None));
    }

    proptest! {
        #[test]
        fn what_is_agreed_stands_in_both_lists(
            lists in prop::array::uniform8("(ssh-ed25519|aes128-ctr|curve25519-sha256|hmac-sha2-256|none|x)(,(rsa-sha2-256|aes256-gcm@openssh.com|ecdh-sha2-nistp384|hmac-sha2-512|none|,)){0,4}"),
        ) {
            let server = server(std::array::from_fn(|at| lists[at].as_str()), false);
            if let Ok(agreed) = negotiate(&Offer::modern(), &server) {
                prop_assert!(server.kex().contains(agreed.kex.name));
                prop_assert!(server.host_key().contains(agreed.host_key.name));
                prop_assert!(server.cipher_c2s().contains(agreed.cipher_c2s.name));
                prop_assert!(server.cipher_s2c().contains(agreed.cipher_s2c.name));
                prop_assert!(agreed.mac_c2s.is_none_or(|mac| server.mac_c2s().contains(mac.name)));
                prop_assert_eq!(agreed.mac_s2c.is_none(), agreed.cipher_s2c.aead());
            }
        }
    }
}
