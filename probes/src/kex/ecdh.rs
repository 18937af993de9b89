//! Elliptic-curve Diffie-Hellman: curve25519-sha256 (RFC 8731) and ecdh-sha2-nistp256, -nistp384, -nistp521 (RFC 5656).
//! One message each way, the same for all curves.

use std::fmt;

use aws_lc_rs::agreement::{
    Algorithm, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, PublicKey, UnparsedPublicKey, X25519 as X25519_AGREEMENT,
    agree,
};
use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};

use super::{Exchange, ExchangeHash, Exchanged, KexFault, Preface, Progress, SharedSecret, Transcript};
use crate::random::Randomness;
use crate::wire::message::{SSH_MSG_KEX_ECDH_INIT, SSH_MSG_KEX_ECDH_REPLY};
use crate::wire::read::{ReadError, Reader};
use crate::wire::write::Writer;

/// A curve as SSH uses it.
pub struct Curve {
    agreement: &'static Algorithm,
    hash: &'static digest::Algorithm,
    /// Size of a private key in bytes.
    scalar: usize,
    /// The bits of a private key's first byte that the curve's order leaves.
    top: u8,
    /// Size of a public key in bytes, and the byte it has to begin with: points come uncompressed (RFC 5656 section 4).
    public: (usize, Option<u8>),
}

/// RFC 7748, with SHA-256
pub static X25519: Curve =
    Curve { agreement: &X25519_AGREEMENT, hash: &SHA256, scalar: 32, top: 0xff, public: (32, None) };
/// NIST P-256, with SHA-256
pub static NISTP256: Curve =
    Curve { agreement: &ECDH_P256, hash: &SHA256, scalar: 32, top: 0xff, public: (65, Some(4)) };
/// NIST P-384, with SHA-384
pub static NISTP384: Curve =
    Curve { agreement: &ECDH_P384, hash: &SHA384, scalar: 48, top: 0xff, public: (97, Some(4)) };
/// NIST P-521, with SHA-512
pub static NISTP521: Curve =
    Curve { agreement: &ECDH_P521, hash: &SHA512, scalar: 66, top: 0x01, public: (133, Some(4)) };

impl Curve {
    /// The hash of the exchange hash and of the key derivation.
    #[must_use]
    pub fn hash(&self) -> &'static digest::Algorithm {
        self.hash
    }
}

impl fmt::Debug for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.agreement, f)
    }
}

/// An ephemeral key pair.
#[derive(Debug)]
struct Ephemeral {
    curve: &'static Curve,
    private: PrivateKey,
}

impl Ephemeral {
    /// How often a scalar outside the curve's order is drawn again. Even P-256, the worst, needs a second try once in 2^32.
    const TRIES: u32 = 16;

    fn draw(curve: &'static Curve, randomness: &mut Randomness) -> Result<Self, KexFault> {
        let mut buffer = [0; 66];
        let scalar = buffer.get_mut(..curve.scalar).ok_or(KexFault::Ephemeral)?;
        for _ in 0..Self::TRIES {
            randomness.fill(scalar);
            if let Some(top) = scalar.first_mut() {
                *top &= curve.top;
            }
            if let Ok(private) = PrivateKey::from_private_key(curve.agreement, scalar) {
                scalar.fill(0);
                std::hint::black_box(&*scalar);
                return Ok(Self { curve, private });
            }
        }
        Err(KexFault::Ephemeral)
    }

    fn public(&self) -> Result<PublicKey, KexFault> {
        self.private.compute_public_key().map_err(|_| KexFault::Ephemeral)
    }

    /// K with a peer's public key.
    fn agree(&self, peer: &[u8]) -> Result<SharedSecret, KexFault> {
        let (length, form) = self.curve.public;
        if peer.len() != length {
            return Err(KexFault::PublicKey("has the wrong length"));
        }
        if form.is_some_and(|form| peer.first() != Some(&form)) {
            return Err(KexFault::PublicKey("is not an uncompressed point"));
        }
        let peer = UnparsedPublicKey::new(self.curve.agreement, peer);
        // The library refuses points off the curve, and X25519 results of all zeros (RFC 7748 section 6.1).
        let unusable = KexFault::PublicKey("is not a point of the curve or gives nothing secret");
        agree(&self.private, peer, unusable, |raw| {
            if raw.iter().all(|byte| *byte == 0) { Err(unusable) } else { Ok(SharedSecret::mpint(raw)) }
        })
    }
}

/// The client's side: sent nothing, or waiting for the reply.
#[derive(Debug)]
struct EcdhClient(Ephemeral);

/// A client's exchange with a fresh ephemeral key.
///
/// # Errors
/// [`KexFault::Ephemeral`], never in practice.
pub fn begin(curve: &'static Curve, randomness: &mut Randomness) -> Result<Box<dyn Exchange>, KexFault> {
    let ephemeral = Ephemeral::draw(curve, randomness)?;
    // Asked for once here, so that `first` cannot fail.
    ephemeral.public()?;
    Ok(Box::new(EcdhClient(ephemeral)))
}

fn exchange_hash(
    curve: &Curve,
    preface: &Preface<'_>,
    host_key: &[u8],
    q_c: &[u8],
    q_s: &[u8],
    secret: &SharedSecret,
) -> ExchangeHash {
    let mut transcript = Transcript::new(curve.hash, preface, host_key);
    transcript.string(q_c);
    transcript.string(q_s);
    transcript.finish(secret)
}

fn fields<const N: usize>(payload: &[u8], number: u8) -> Result<[&[u8]; N], KexFault> {
    let layout = |fault: ReadError| KexFault::Layout { number, fault };
    let mut reader = Reader::new(payload);
    let found = reader.u8().map_err(layout)?;
    if found != number {
        return Err(KexFault::Unexpected { number: found });
    }
    let mut fields = [&[][..]; N];
    for field in &mut fields {
        *field = reader.string().map_err(layout)?;
    }
    reader.end().map_err(layout)?;
    Ok(fields)
}

impl Exchange for EcdhClient {
    fn first(&mut self) -> Vec<u8> {
        let mut payload = vec![SSH_MSG_KEX_ECDH_INIT];
        if let Ok(public) = self.0.public() {
            Writer::new(&mut payload).string(public.as_ref());
        }
        payload
    }

    fn receive(&mut self, payload: &[u8], preface: &Preface<'_>) -> Result<Progress, KexFault> {
        let [host_key, q_s, signature] = fields(payload, SSH_MSG_KEX_ECDH_REPLY)?;
        let secret = self.0.agree(q_s)?;
        let public = self.0.public()?;
        let hash = exchange_hash(self.0.curve, preface, host_key, public.as_ref(), q_s, &secret);
        let (host_key, signature) = (host_key.to_vec(), signature.to_vec());
        Ok(Progress::Done(Box::new(Exchanged { host_key, signature, hash, secret, dh_bits: None })))
    }
}

/// What a server answers, and what it knows then.
#[derive(Debug)]
pub struct Answer {
    /// SSH_MSG_KEX_ECDH_REPLY
    pub payload: Vec<u8>,
    /// H
    pub hash: ExchangeHash,
    /// K
    pub secret: SharedSecret,
}

/// The server's side, whole: answers SSH_MSG_KEX_ECDH_INIT. `sign` gives the signature blob over H.
///
/// # Errors
/// As the client's: the message or the key in it cannot be used.
pub fn answer(
    curve: &'static Curve,
    init: &[u8],
    preface: &Preface<'_>,
    host_key: &[u8],
    randomness: &mut Randomness,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Result<Answer, KexFault> {
    let [q_c] = fields(init, SSH_MSG_KEX_ECDH_INIT)?;
    let ephemeral = Ephemeral::draw(curve, randomness)?;
    let secret = ephemeral.agree(q_c)?;
    let public = ephemeral.public()?;
    let hash = exchange_hash(curve, preface, host_key, q_c, public.as_ref(), &secret);
    let mut payload = vec![SSH_MSG_KEX_ECDH_REPLY];
    Writer::new(&mut payload).string(host_key).string(public.as_ref()).string(&sign(hash.bytes()));
    Ok(Answer { payload, hash, secret })
}
