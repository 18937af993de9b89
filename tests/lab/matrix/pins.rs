//! One algorithm at a time, out of the lists of a server.

use std::collections::BTreeMap;

use super::cell::{Cell, Wanted};
use super::key::Key;
use crate::support::servers::HostKeys;

/// What a server has: names by kind, which is `kex`, `host_key`, `cipher` or `mac` as in a record's `negotiated`.
pub(super) type Lists = BTreeMap<String, Vec<String>>;

/// A list of names of one kind that sshprobe has not.
type Lacking = (&'static str, &'static str, &'static [&'static str]);

/// What real servers have and sshprobe has not, with the outcome where a server has nothing else. Not meant to grow: each is
/// found in next to no server that has not something better beside it.
#[rustfmt::skip]
const LACKING: &[Lacking] = &[
    // X448 and secp256k1 are not in aws-lc-rs; the key transport of RFC 4432 and the variants of ssh.com are AsyncSSH's alone.
    ("kex", "no-common-kex", &[
        "curve448-sha512", "ecdh-sha2-1.3.132.0.10", "rsa2048-sha256", "rsa1024-sha1",
        "diffie-hellman-group-exchange-sha224@ssh.com", "diffie-hellman-group-exchange-sha384@ssh.com",
        "diffie-hellman-group-exchange-sha512@ssh.com", "diffie-hellman-group14-sha256@ssh.com",
        "diffie-hellman-group14-sha224@ssh.com", "diffie-hellman-group15-sha256@ssh.com",
        "diffie-hellman-group15-sha384@ssh.com", "diffie-hellman-group16-sha384@ssh.com",
        "diffie-hellman-group16-sha512@ssh.com", "diffie-hellman-group18-sha512@ssh.com",
    ]),
    // The same; and SPKI (lshd), which never became an RFC.
    ("host_key", "no-common-hostkey", &[
        "ssh-ed448", "ecdsa-sha2-1.3.132.0.10", "spki-sign-rsa", "spki-sign-dss", "ssh-rsa-sha224@ssh.com", "ssh-rsa-sha256@ssh.com",
        "ssh-rsa-sha384@ssh.com", "ssh-rsa-sha512@ssh.com",
    ]),
    // Ciphers of the nineties, which no library that is kept up has; and Erlang's names of RFC 5647, which stand beside
    // OpenSSH's for the same two ciphers.
    ("cipher", "no-common-cipher", &[
        "blowfish-cbc", "cast128-cbc", "seed-cbc@ssh.com", "arcfour", "arcfour128", "arcfour256",
        "twofish-cbc", "serpent-cbc@lysator.liu.se", "serpent256-cbc", "AEAD_AES_128_GCM",
        "AEAD_AES_256_GCM",
    ]),
    // UMAC: see the table. The rest are truncated or renamed HMACs that stand beside the plain ones.
    ("mac", "no-common-mac", &[
        "umac-64@openssh.com", "umac-128@openssh.com", "umac-64-etm@openssh.com", "umac-128-etm@openssh.com",
        "hmac-sha2-384", "hmac-ripemd160", "hmac-sha2-256-96", "hmac-sha2-512-96",
        "hmac-sha2-256-96-etm@openssh.com", "hmac-sha2-512-96-etm@openssh.com", "hmac-sha256-2@ssh.com",
        "hmac-sha224@ssh.com", "hmac-sha256@ssh.com", "hmac-sha384@ssh.com", "hmac-sha512@ssh.com",
    ]),
];

/// The outcome at a server that has nothing but this name in a list.
pub(super) fn code(kind: &str, name: &str) -> &'static str {
    let lacking = LACKING.iter().find(|(of, _, names)| *of == kind && names.contains(&name));
    lacking.map_or("ok", |(_, code, _)| code)
}

/// It authenticates by itself and agrees on no MAC.
pub(super) fn aead(cipher: &str) -> bool {
    cipher.contains("gcm") || cipher.contains("poly1305")
}

/// What one server has to have no other of, by kind; there is always a `host_key`.
#[derive(Debug, Clone)]
pub(super) struct Pins(BTreeMap<&'static str, String>);

impl Pins {
    /// One for each name in the lists, where these name the kinds to be pinned.
    fn all(lists: &Lists, usual_host_key: &str) -> Vec<Self> {
        let mut all = Vec::new();
        for kind in ["kex", "host_key", "cipher", "mac"] {
            for name in lists.get(kind).into_iter().flatten() {
                let mut pins = BTreeMap::from([("host_key", usual_host_key.to_owned())]);
                if kind == "mac" {
                    // With an authenticated cipher there would be no MAC to agree on.
                    pins.insert("cipher", "aes128-ctr".to_owned());
                }
                pins.insert(kind, name.clone());
                all.push(Self(pins));
            }
        }
        all
    }

    /// The name pinned of a kind.
    pub(super) fn get(&self, kind: &str) -> Option<&str> {
        self.0.get(kind).map(String::as_str)
    }

    /// The host-key algorithm.
    pub(super) fn host_key(&self) -> &str {
        &self.0["host_key"]
    }

    /// The pinned names as an object of JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::to_value(&self.0).expect("names")
    }

    /// What a record of this server must hold.
    fn wanted(&self, key: Option<&Key>, methods: &'static [&'static str]) -> Wanted {
        let mut codes = self.0.iter().map(|(kind, name)| code(kind, name));
        let code = codes.find(|code| *code != "ok").unwrap_or("ok");
        let mut agreed: Vec<_> = self.0.iter().map(|(kind, name)| (*kind, Some(name.clone()))).collect();
        if self.get("cipher").is_some_and(aead) {
            agreed.push(("mac", None));
        }
        // A key that ssh-keygen cannot make is of no algorithm that sshprobe has.
        let key = key.map(|key| (key.kind.to_owned(), key.fingerprint.clone()));
        assert!(key.is_some() || code != "ok", "no key for {self:?}");
        Wanted { agreed, key: key.unwrap_or_default(), methods, code }
    }
}

/// A cell for each name of the lists, with an Ed25519 key where no other is pinned. `setup` makes of it what the server is told.
pub(super) fn cells<S>(
    lists: &Lists,
    keys: &HostKeys,
    methods: &'static [&'static str],
    setup: impl Fn(&Pins, Option<&Key>) -> S,
) -> Vec<Cell<S>> {
    let all = Pins::all(lists, "ssh-ed25519");
    all.iter()
        .map(|pins| {
            let key = Key::of(pins.host_key(), keys);
            Cell { setup: setup(pins, key.as_ref()), wanted: pins.wanted(key.as_ref(), methods) }
        })
        .collect()
}

/// Lists out of names with blanks between them.
pub(super) fn lists(names: &[(&str, &str)]) -> Lists {
    let split = |names: &str| names.split_whitespace().map(str::to_owned).collect();
    names.iter().map(|(kind, names)| ((*kind).to_owned(), split(names))).collect()
}
