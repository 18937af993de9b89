//! What every key exchange method has in common.

use std::fmt;

use aws_lc_rs::digest::{self, Context, Digest};
use thiserror::Error;

use crate::wipe::wipe;
use crate::wire::read::ReadError;
use crate::wire::write::Writer;

/// The client's side of one key exchange.
pub trait Exchange: Send + fmt::Debug {
    /// Appends the first message's payload to `out`. Group exchange asks some servers for less than others.
    fn write_first(&mut self, preface: &Preface<'_>, out: &mut Vec<u8>);

    /// A method-specific message (numbers 30 to 49) from the server: gives another payload to send, or the end.
    ///
    /// # Errors
    /// The server broke the method's rules.
    fn receive<'p>(&mut self, payload: &'p [u8], preface: &Preface<'_>) -> Result<Progress<'p>, KexFault>;
}

#[cfg(test)]
impl dyn Exchange {
    /// The first message's payload.
    pub(crate) fn first(&mut self, preface: &Preface<'_>) -> Vec<u8> {
        let mut payload = Vec::new();
        self.write_first(preface, &mut payload);
        payload
    }
}

/// What a message from the server leads to.
#[derive(Debug)]
pub enum Progress<'p> {
    /// This payload is to be sent; another message will come.
    Send(Vec<u8>),
    /// The exchange is complete. The signature is still to be verified.
    Done(Exchanged<'p>),
}

/// The server's side of one key exchange, as the scripted responder needs it.
pub trait Serve: Send + fmt::Debug {
    /// A method-specific message (numbers 30 to 49) from the client: gives another payload to send, or the end.
    ///
    /// # Errors
    /// The client broke the method's rules.
    fn receive(&mut self, payload: &[u8], preface: &Preface<'_>, signer: &Signer<'_>) -> Result<Served, KexFault>;
}

/// A server's host key, as a key exchange uses it.
pub struct Signer<'a> {
    /// K_S
    pub host_key: &'a [u8],
    /// Gives the signature blob over H.
    pub sign: &'a dyn Fn(&[u8]) -> Vec<u8>,
}

/// What a message from the client leads to.
#[derive(Debug)]
pub enum Served {
    /// This payload is to be sent; another message will come.
    Send(Vec<u8>),
    /// The exchange is complete once this has been sent.
    Done(Box<Answer>),
}

/// A server's last message, and what it knows then.
#[derive(Debug)]
pub struct Answer {
    /// The reply, with host key and signature.
    pub payload: Vec<u8>,
    /// H
    pub hash: ExchangeHash,
    /// K
    pub secret: SharedSecret,
}

/// What a key exchange yields.
#[derive(Debug)]
pub struct Exchanged<'p> {
    /// K_S: the host key blob.
    pub host_key: &'p [u8],
    /// The signature blob over [`Exchanged::hash`], not verified.
    pub signature: &'p [u8],
    /// H
    pub hash: ExchangeHash,
    /// K
    pub secret: SharedSecret,
    /// Size of the finite-field group, where one was used.
    pub dh_bits: Option<u32>,
}

/// Why a key exchange cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KexFault {
    /// A message does not have its layout.
    #[error("key exchange message {number}: {fault}")]
    Layout {
        /// The message's number.
        number: u8,
        /// What is wrong with it.
        fault: ReadError,
    },
    /// A message the method does not have, or not here.
    #[error("message {number} where the key exchange method has none")]
    Unexpected {
        /// The message's number.
        number: u8,
    },
    /// The peer's ephemeral public key cannot be used; the text says why.
    #[error("the peer's ephemeral key {0}")]
    PublicKey(&'static str),
    /// The finite-field group the peer chose cannot be used; the text says why.
    #[error("the server's group {0}")]
    Group(&'static str),
    /// The cryptographic library failed on our own key: our trouble, not the peer's.
    #[error("no ephemeral key could be made")]
    Ephemeral,
}

/// What was said before the key exchange, as it enters the exchange hash (RFC 4253 section 8).
#[derive(Debug, Clone, Copy)]
pub struct Preface<'a> {
    /// The client's identification without CR LF.
    pub v_c: &'a [u8],
    /// The server's identification without CR LF.
    pub v_s: &'a [u8],
    /// The payload of the client's KEXINIT, in two pieces: of its own a client need not keep what all of them share.
    pub i_c: [&'a [u8]; 2],
    /// The payload of the server's KEXINIT.
    pub i_s: &'a [u8],
}

impl fmt::Debug for Signer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(..)")
    }
}

/// H, the exchange hash; the first one of a connection is also its session identifier.
#[derive(Clone, Copy)]
pub struct ExchangeHash(Digest);

impl ExchangeHash {
    /// The hash itself: what the host key signs.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// Any hash, for tests.
    #[cfg(test)]
    pub(crate) fn of(algorithm: &'static digest::Algorithm, bytes: &[u8]) -> Self {
        Self(digest::digest(algorithm, bytes))
    }

    /// The method's hash function.
    #[must_use]
    pub fn algorithm(&self) -> &'static digest::Algorithm {
        self.0.algorithm()
    }
}

impl fmt::Debug for ExchangeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExchangeHash(")?;
        self.bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// K, encoded as the method encodes it in the exchange hash and in the key derivation.
pub struct SharedSecret(Vec<u8>);

impl SharedSecret {
    /// An `mpint` of a big-endian number, as the classical methods have it.
    #[must_use]
    pub fn mpint(magnitude: &[u8]) -> Self {
        let mut encoded = Vec::with_capacity(magnitude.len().saturating_add(5));
        Writer::new(&mut encoded).mpint(magnitude);
        Self(encoded)
    }

    /// A `string`, as the hybrid methods have it.
    #[must_use]
    pub fn string(bytes: &[u8]) -> Self {
        let mut encoded = Vec::with_capacity(bytes.len().saturating_add(4));
        Writer::new(&mut encoded).string(bytes);
        Self(encoded)
    }

    /// The encoding.
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for SharedSecret {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

/// The exchange hash in the making: each method appends its own fields after the common ones.
pub struct Transcript(Context);

impl Transcript {
    /// Begins with V_C, V_S, I_C, I_S and K_S, which all methods have.
    #[must_use]
    pub fn new(algorithm: &'static digest::Algorithm, preface: &Preface<'_>, host_key: &[u8]) -> Self {
        let mut transcript = Self(Context::new(algorithm));
        let Preface { v_c, v_s, i_c, i_s } = preface;
        for field in [&[*v_c][..], &[*v_s], i_c, &[*i_s], &[host_key]] {
            transcript.string_of(field);
        }
        transcript
    }

    /// A `string`.
    pub fn string(&mut self, bytes: &[u8]) {
        self.string_of(&[bytes]);
    }

    /// A `string` of these pieces.
    fn string_of(&mut self, pieces: &[&[u8]]) {
        let length = pieces.iter().fold(0usize, |sum, piece| sum.saturating_add(piece.len()));
        self.0.update(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        pieces.iter().for_each(|piece| self.0.update(piece));
    }

    /// An `mpint`, from a big-endian magnitude.
    pub fn mpint(&mut self, magnitude: &[u8]) {
        let mut encoded = Vec::with_capacity(magnitude.len().saturating_add(5));
        Writer::new(&mut encoded).mpint(magnitude);
        self.0.update(&encoded);
    }

    /// Bytes that are encoded already.
    pub fn encoded(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// K comes last; the hash is complete.
    #[must_use]
    pub fn finish(mut self, secret: &SharedSecret) -> ExchangeHash {
        self.0.update(secret.encoded());
        ExchangeHash(self.0.finish())
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transcript(..)")
    }
}
