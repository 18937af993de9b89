//! Host keys that ssh-keygen makes, by the algorithm they are to sign with.

use crate::support::servers::HostKeys;

/// A key of the kind an algorithm needs.
pub(super) struct Key {
    /// The file, as a server is told.
    pub(super) path: String,
    /// The type that a record names.
    pub(super) kind: &'static str,
    /// As `ssh-keygen -lf` prints it.
    pub(super) fingerprint: String,
}

impl Key {
    /// Makes the key if there is none yet. `None` where ssh-keygen makes no key for this algorithm.
    pub(super) fn of(algorithm: &str, keys: &HostKeys) -> Option<Self> {
        let (name, keygen, bits, kind) = match algorithm {
            "ssh-ed25519" => ("ed25519", "ed25519", "256", "ssh-ed25519"),
            "ecdsa-sha2-nistp256" => ("ecdsa", "ecdsa", "256", "ecdsa-sha2-nistp256"),
            "ecdsa-sha2-nistp384" => ("ecdsa-384", "ecdsa", "384", "ecdsa-sha2-nistp384"),
            "ecdsa-sha2-nistp521" => ("ecdsa-521", "ecdsa", "521", "ecdsa-sha2-nistp521"),
            "rsa-sha2-512" | "rsa-sha2-256" | "ssh-rsa" => ("rsa", "rsa", "3072", "ssh-rsa"),
            "ssh-dss" => ("dsa", "dsa", "1024", "ssh-dss"),
            // AsyncSSH has variants of ssh.com's for the same keys.
            _ if algorithm.starts_with("ssh-rsa-") => ("rsa", "rsa", "3072", "ssh-rsa"),
            _ => return None,
        };
        let path = keys.path(name);
        if !path.exists() {
            keys.add(name, keygen, &["-b", bits]);
        }
        let path = path.to_str().expect("printable").to_owned();
        Some(Self { path, kind, fingerprint: keys.fingerprint(name) })
    }
}
