//! What the user gave to log in with. Read once, before anything is sent.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use russh::keys::{Certificate, PrivateKey, PublicKey};
use sshprobe_probes::evidence::login::Named;
use zeroize::Zeroizing;

use super::answers::Answers;

/// A password or an answer: wiped when it is no longer needed, and never shown.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps `secret`.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// For the one place that sends it.
    pub(super) fn reveal(&self) -> String {
        (*self.0).clone()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("(secret)")
    }
}

/// Everything there is to log in with, in the order in which it is tried.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Keys and certificates.
    pub keys: Vec<Identity>,
    /// Answers to what keyboard-interactive asks, and the name of the file they came from.
    pub answers: Option<(Named, Answers)>,
    /// A password, and the name of the file it came from.
    pub password: Option<(Named, Secret)>,
    /// Only ask whether a key would be accepted: nothing is signed.
    pub query_only: bool,
}

impl Credentials {
    /// Its keys and certificates alone: what gives no secret away, for hosts on the way.
    #[must_use]
    pub fn keys_only(&self) -> Self {
        Self { keys: self.keys.clone(), ..Self::default() }
    }

    /// With these keys in front. A key that is in both is tried once.
    #[must_use]
    pub fn behind(&self, first: Self) -> Self {
        let mut keys = first.keys;
        self.keys.iter().for_each(|key| add(&mut keys, key.clone()));
        Self { keys, ..self.clone() }
    }

    /// There is nothing to try.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.answers.is_none() && self.password.is_none()
    }
}

/// A key or certificate that can be shown to a server.
#[derive(Debug, Clone)]
pub struct Identity {
    /// What it goes by.
    pub named: Named,
    /// What is shown.
    pub(super) public: Public,
    /// What signs.
    pub(super) holder: Holder,
}

impl Identity {
    /// Whether it is this key, or a certificate for it.
    pub(super) fn is_of(&self, key: &PublicKey) -> bool {
        match &self.public {
            Public::Key(own) => own.key_data() == key.key_data(),
            Public::Certificate(certificate) => certificate.public_key() == key.key_data(),
        }
    }

    /// Whether a server is shown the same, whoever has the private half. Certificates for one key differ.
    fn is_the_key_of(&self, other: &Self) -> bool {
        match (&self.public, &other.public) {
            (Public::Key(one), Public::Key(other)) => one.key_data() == other.key_data(),
            // As it is sent: a file has a comment that an agent does not hand on.
            (Public::Certificate(one), Public::Certificate(other)) => {
                matches!((one.to_bytes(), other.to_bytes()), (Ok(one), Ok(other)) if one == other)
            }
            _ => false,
        }
    }
}

/// Adds an identity unless a server is shown the same already.
pub(super) fn add(keys: &mut Vec<Identity>, identity: Identity) {
    if !keys.iter().any(|other| other.is_the_key_of(&identity)) {
        keys.push(identity);
    }
}

/// What is shown of an identity.
#[derive(Debug, Clone)]
pub(super) enum Public {
    Key(PublicKey),
    Certificate(Box<Certificate>),
}

impl Public {
    pub(super) fn is_rsa(&self) -> bool {
        match self {
            Public::Key(key) => key.algorithm().is_rsa(),
            Public::Certificate(certificate) => certificate.algorithm().is_rsa(),
        }
    }
}

/// Who has the private half.
#[derive(Clone)]
pub(super) enum Holder {
    /// We.
    Here(Arc<PrivateKey>),
    /// The agent behind this socket. What it signs by is what is shown, but for a certificate that it was not given.
    Agent { socket: Arc<Path>, signs_by: Option<Arc<PublicKey>> },
}

impl fmt::Debug for Holder {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Holder::Here(_) => "(private key)",
            Holder::Agent { .. } => "(agent)",
        })
    }
}
