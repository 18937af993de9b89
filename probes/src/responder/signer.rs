//! The responder's host keys.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

use crate::algorithm::HostKeyAlgorithm;
use crate::hostkey::{CertificateRole, UnixTime};
use crate::wire::write::Writer;

/// An Ed25519 key pair: of type ssh-ed25519, or as a security key holds it; certified or not.
pub struct HostKeyPair {
    pair: Option<Ed25519KeyPair>,
    kind: Kind,
    blob: Vec<u8>,
    certificate: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    SecurityKey,
}

/// What a certificate says, apart from the keys. Nothing is checked: a responder shows bad ones as well.
#[derive(Debug, Clone)]
pub struct CertificateTerms {
    /// The number its authority gives it.
    pub serial: u64,
    /// Whom it is for.
    pub role: CertificateRole,
    /// What its authority calls it.
    pub key_id: String,
    /// The names it is valid for.
    pub principals: Vec<String>,
    /// From when on it is valid.
    pub valid_after: UnixTime,
    /// Until when it is valid.
    pub valid_before: UnixTime,
    /// Names and values of critical options.
    pub critical_options: Vec<(String, Vec<u8>)>,
}

impl CertificateTerms {
    /// A host's, for these names and for ever.
    #[must_use]
    pub fn host(principals: &[&str]) -> Self {
        Self {
            serial: 1,
            role: CertificateRole::Host,
            key_id: "responder".into(),
            principals: principals.iter().map(|&principal| principal.to_owned()).collect(),
            valid_after: UnixTime(0),
            valid_before: UnixTime::FOREVER,
            critical_options: Vec::new(),
        }
    }
}

impl HostKeyPair {
    /// The name of the type of [`HostKeyPair::from_seed`] and of its signatures.
    pub const ALGORITHM: &'static str = "ssh-ed25519";

    const SECURITY_KEY: &'static str = "sk-ssh-ed25519@openssh.com";
    /// What a security key's key was made for; OpenSSH's default.
    const APPLICATION: &'static [u8] = b"ssh:";
    /// Somebody was there, and this was the token's seventh signature.
    const FLAGS: u8 = 1;
    const COUNTER: u32 = 7;

    /// The key pair whose private half is `seed` (RFC 8032 section 5.1.5).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self::new(seed, Kind::Plain)
    }

    /// The same as a key in a security key: of type sk-ssh-ed25519@openssh.com.
    #[must_use]
    pub fn security_key(seed: &[u8; 32]) -> Self {
        Self::new(seed, Kind::SecurityKey)
    }

    fn new(seed: &[u8; 32], kind: Kind) -> Self {
        // Any 32 bytes are a private key; without one the blob stays empty and nothing verifies.
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok();
        let mut key = Self { pair, kind, blob: Vec::new(), certificate: None };
        key.blob = key.written(key.kind(), &[]);
        key
    }

    /// The type's name, what stands between it and the key's own fields, and these.
    fn written(&self, kind: &str, between: &[&[u8]]) -> Vec<u8> {
        let mut blob = Vec::new();
        let Some(pair) = &self.pair else { return blob };
        let mut writer = Writer::new(&mut blob);
        writer.string(kind.as_bytes());
        for field in between {
            writer.string(field);
        }
        writer.string(pair.public_key().as_ref());
        if self.kind == Kind::SecurityKey {
            writer.string(Self::APPLICATION);
        }
        blob
    }

    const fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Plain => Self::ALGORITHM,
            Kind::SecurityKey => Self::SECURITY_KEY,
        }
    }

    /// The same key with a certificate beside it.
    #[must_use]
    pub fn certified(mut self, authority: &Self, terms: &CertificateTerms) -> Self {
        let mut principals = Vec::new();
        for principal in &terms.principals {
            Writer::new(&mut principals).string(principal.as_bytes());
        }
        let mut options = Vec::new();
        for (name, data) in &terms.critical_options {
            Writer::new(&mut options).string(name.as_bytes()).string(data);
        }
        let nonce = digest(&SHA256, &self.blob);
        let mut blob = self.written(self.certificate_kind(), &[nonce.as_ref()]);
        let role = match terms.role {
            CertificateRole::User => 1,
            CertificateRole::Host => 2,
        };
        let mut writer = Writer::new(&mut blob);
        writer.u64(terms.serial).u32(role).string(terms.key_id.as_bytes()).string(&principals);
        writer.u64(terms.valid_after.0).u64(terms.valid_before.0).string(&options).string(b"").string(b"");
        writer.string(authority.blob());
        let signature = authority.sign(authority.kind(), &blob);
        Writer::new(&mut blob).string(&signature);
        self.certificate = Some(blob);
        self
    }

    /// The same private half behind another's public key: what somebody in the middle can show, and cannot prove.
    #[must_use]
    pub fn posing_as(self, blob: &[u8]) -> Self {
        Self { blob: blob.to_vec(), ..self }
    }

    const fn certificate_kind(&self) -> &'static str {
        match self.kind {
            Kind::Plain => "ssh-ed25519-cert-v01@openssh.com",
            Kind::SecurityKey => "sk-ssh-ed25519-cert-v01@openssh.com",
        }
    }

    /// The names of the algorithms it serves, joined by commas.
    #[must_use]
    pub fn algorithms(&self) -> String {
        match &self.certificate {
            Some(_) => [self.kind(), self.certificate_kind()].join(","),
            None => self.kind().into(),
        }
    }

    /// K_S, plain.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// K_S as that algorithm wants it.
    pub(super) fn blob_for(&self, algorithm: &HostKeyAlgorithm) -> &[u8] {
        match &self.certificate {
            Some(certificate) if algorithm.is_certificate() => certificate,
            _ => &self.blob,
        }
    }

    /// The signature blob over a message, under this algorithm name.
    pub(super) fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let mut signature = Vec::with_capacity(4 + 26 + 4 + 64 + 5);
        let mut writer = Writer::new(&mut signature);
        writer.string(algorithm.as_bytes());
        let Some(pair) = &self.pair else {
            writer.string(b"");
            return signature;
        };
        match self.kind {
            Kind::Plain => writer.string(pair.sign(message).as_ref()),
            Kind::SecurityKey => {
                let mut signed = digest(&SHA256, Self::APPLICATION).as_ref().to_vec();
                Writer::new(&mut signed).u8(Self::FLAGS).u32(Self::COUNTER).bytes(digest(&SHA256, message).as_ref());
                writer.string(pair.sign(&signed).as_ref()).u8(Self::FLAGS).u32(Self::COUNTER)
            }
        };
        signature
    }
}

impl fmt::Debug for HostKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKeyPair({} {})", self.algorithms(), crate::hostkey::fingerprint_sha256(&self.blob))
    }
}
