//! Elliptic-curve Diffie-Hellman: curve25519-sha256 (RFC 8731) and ecdh-sha2-nistp256, -nistp384, -nistp521 (RFC 5656).
//! One message each way, the same for all curves.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::agreement::{
    Algorithm, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, PublicKey, UnparsedPublicKey, X25519 as X25519_AGREEMENT,
    agree,
};
use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};

use super::{
    Answer, Exchange, ExchangeHash, Exchanged, KexFault, Preface, Progress, Serve, Served, SharedSecret, Signer,
    Transcript,
};
use crate::random::Randomness;
use crate::wipe::wipe;
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
    /// Size of a public key in bytes.
    pub(super) fn public_size(&self) -> usize {
        self.public.0
    }

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
pub(super) struct Ephemeral {
    curve: &'static Curve,
    private: PrivateKey,
    public: PublicKey,
}

/// An ephemeral key of curve25519-sha256 for several exchanges: making one costs a tenth of a probe.
///
/// Only for connections over which nothing secret goes. Whoever learns the key can read all of those that used it; that a host
/// key signs each exchange afresh does not depend on it, as the client's cookie does not repeat.
#[derive(Debug, Clone)]
pub struct Lent(Arc<Ephemeral>);

impl Lent {
    /// A fresh one.
    ///
    /// # Errors
    /// [`KexFault::Ephemeral`], never in practice.
    pub fn draw(randomness: &mut Randomness) -> Result<Self, KexFault> {
        Ephemeral::draw(&X25519, randomness).map(|drawn| Self(Arc::new(drawn)))
    }
}

impl Ephemeral {
    /// How often a scalar outside the curve's order is drawn again. Even P-256, the worst, needs a second try once in 2^32.
    const TRIES: u32 = 16;

    pub(super) fn draw(curve: &'static Curve, randomness: &mut Randomness) -> Result<Self, KexFault> {
        let mut buffer = [0; 66];
        let scalar = buffer.get_mut(..curve.scalar).ok_or(KexFault::Ephemeral)?;
        for _ in 0..Self::TRIES {
            randomness.fill(scalar);
            if let Some(top) = scalar.first_mut() {
                *top &= curve.top;
            }
            if let Ok(private) = PrivateKey::from_private_key(curve.agreement, scalar) {
                wipe(scalar);
                let public = private.compute_public_key().map_err(|_| KexFault::Ephemeral)?;
                return Ok(Self { curve, private, public });
            }
        }
        Err(KexFault::Ephemeral)
    }

    pub(super) fn public(&self) -> &[u8] {
        self.public.as_ref()
    }

    /// K with a peer's public key.
    fn agree(&self, peer: &[u8]) -> Result<SharedSecret, KexFault> {
        self.agree_with(peer, SharedSecret::mpint)
    }

    /// What `make` makes of the result: the x coordinate in all its bytes.
    pub(super) fn agree_with<T>(&self, peer: &[u8], make: impl FnOnce(&[u8]) -> T) -> Result<T, KexFault> {
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
            if raw.iter().all(|byte| *byte == 0) { Err(unusable) } else { Ok(make(raw)) }
        })
    }
}

/// The client's side: sent nothing, or waiting for the reply.
#[derive(Debug)]
struct EcdhClient(Arc<Ephemeral>);

/// A client's exchange with a fresh ephemeral key, or with one that comes with the randomness.
///
/// # Errors
/// [`KexFault::Ephemeral`], never in practice.
pub fn begin(curve: &'static Curve, randomness: &mut Randomness) -> Result<Box<dyn Exchange>, KexFault> {
    let lent = randomness.lent().filter(|lent| std::ptr::eq(lent.0.curve, curve));
    let ephemeral = match lent {
        Some(Lent(ephemeral)) => Arc::clone(ephemeral),
        None => Arc::new(Ephemeral::draw(curve, randomness)?),
    };
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

pub(super) fn fields<const N: usize>(payload: &[u8], number: u8) -> Result<[&[u8]; N], KexFault> {
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
    fn write_first(&mut self, _: &Preface<'_>, out: &mut Vec<u8>) {
        Writer::new(out).u8(SSH_MSG_KEX_ECDH_INIT).string(self.0.public());
    }

    fn receive<'p>(&mut self, payload: &'p [u8], preface: &Preface<'_>) -> Result<Progress<'p>, KexFault> {
        let [host_key, q_s, signature] = fields(payload, SSH_MSG_KEX_ECDH_REPLY)?;
        let secret = self.0.agree(q_s)?;
        let hash = exchange_hash(self.0.curve, preface, host_key, self.0.public(), q_s, &secret);
        Ok(Progress::Done(Exchanged { host_key, signature, hash, secret, dh_bits: None }))
    }
}

/// The server's side, waiting for SSH_MSG_KEX_ECDH_INIT.
#[derive(Debug)]
struct EcdhServer(Ephemeral);

/// A server's exchange with a fresh ephemeral key.
///
/// # Errors
/// [`KexFault::Ephemeral`], never in practice.
pub fn serve(curve: &'static Curve, randomness: &mut Randomness) -> Result<Box<dyn Serve>, KexFault> {
    Ok(Box::new(EcdhServer(Ephemeral::draw(curve, randomness)?)))
}

impl Serve for EcdhServer {
    fn receive(&mut self, payload: &[u8], preface: &Preface<'_>, signer: &Signer<'_>) -> Result<Served, KexFault> {
        let [q_c] = fields(payload, SSH_MSG_KEX_ECDH_INIT)?;
        let secret = self.0.agree(q_c)?;
        let public = self.0.public();
        let hash = exchange_hash(self.0.curve, preface, signer.host_key, q_c, public, &secret);
        let mut payload = vec![SSH_MSG_KEX_ECDH_REPLY];
        Writer::new(&mut payload).string(signer.host_key).string(public).string(&(signer.sign)(hash.bytes()));
        Ok(Served::Done(Box::new(Answer { payload, hash, secret })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seed;
    use aws_lc_rs::digest::digest;
    use proptest::prelude::*;

    const CURVES: [&Curve; 4] = [&X25519, &NISTP256, &NISTP384, &NISTP521];

    const PREFACE: Preface<'_> =
        Preface { v_c: b"SSH-2.0-c", v_s: b"SSH-2.0-s", i_c: [b"\x14cli", b"ent"], i_s: b"\x14server" };

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    }

    fn randomness(seed: u8) -> Randomness {
        Randomness::new(Seed([seed; 32]))
    }

    fn done(progress: Progress<'_>) -> Exchanged<'_> {
        match progress {
            Progress::Done(exchanged) => exchanged,
            Progress::Send(_) => panic!("one message each way"),
        }
    }

    fn answer(curve: &'static Curve, init: &[u8]) -> Box<Answer> {
        let signer = Signer { host_key: b"host key", sign: &|hash| [b"signed ", hash].concat() };
        match serve(curve, &mut randomness(2)).unwrap().receive(init, &PREFACE, &signer).unwrap() {
            Served::Done(answer) => answer,
            Served::Send(_) => panic!("one message each way"),
        }
    }

    /// RFC 7748 section 6.1.
    #[test]
    fn x25519_is_that_of_rfc_7748() {
        let alice: [u8; 32] = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let public: [u8; 32] = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let bob: [u8; 32] = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        let shared: [u8; 32] = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        let private = PrivateKey::from_private_key(X25519.agreement, &alice).unwrap();
        let ephemeral = Ephemeral { curve: &X25519, public: private.compute_public_key().unwrap(), private };
        assert_eq!(ephemeral.public(), public);
        assert_eq!(ephemeral.agree(&bob).unwrap().encoded(), [&[0, 0, 0, 32][..], &shared].concat());
    }

    #[test]
    fn a_lent_key_serves_curve25519_alone() {
        let lent = Lent::draw(&mut randomness(5)).unwrap();
        for curve in CURVES {
            let first = |seed| begin(curve, &mut randomness(seed).lending(lent.clone())).unwrap().first(&PREFACE);
            let (one, other) = (first(1), first(2));
            assert_eq!(one == other, std::ptr::eq(curve, &X25519));
            assert_eq!(one[5..] == *lent.0.public(), std::ptr::eq(curve, &X25519));
        }
    }

    #[test]
    fn both_sides_agree_on_every_curve() {
        for curve in CURVES {
            let mut client = begin(curve, &mut randomness(1)).unwrap();
            let init = client.first(&PREFACE);
            assert_eq!(init, client.first(&PREFACE), "asking again gives the same key");
            let answer = answer(curve, &init);
            let exchanged = done(client.receive(&answer.payload, &PREFACE).unwrap());
            assert_eq!(exchanged.host_key, b"host key");
            assert_eq!(exchanged.hash.bytes(), answer.hash.bytes());
            assert_eq!(exchanged.hash.algorithm().output_len(), curve.hash().output_len());
            assert_eq!(exchanged.secret.encoded(), answer.secret.encoded());
            assert_eq!(exchanged.signature, [b"signed ", answer.hash.bytes()].concat());
            assert_eq!(exchanged.dh_bits, None);
        }
    }

    #[test]
    fn the_exchange_hash_is_that_of_rfc_8731() {
        let mut client = begin(&X25519, &mut randomness(1)).unwrap();
        let init = client.first(&PREFACE);
        let answer = answer(&X25519, &init);
        let q_s = &answer.payload[1 + 4 + 8..][..36];
        let mut by_hand = Vec::new();
        for field in [PREFACE.v_c, PREFACE.v_s, b"\x14client", PREFACE.i_s, b"host key"] {
            by_hand.extend((field.len() as u32).to_be_bytes());
            by_hand.extend(field);
        }
        by_hand.extend(&init[1..]);
        by_hand.extend(q_s);
        by_hand.extend(answer.secret.encoded());
        assert_eq!(answer.hash.bytes(), digest(&SHA256, &by_hand).as_ref());
    }

    #[test]
    fn unusable_keys_of_the_peer_are_refused() {
        let reply = |key: &[u8]| {
            let mut payload = vec![SSH_MSG_KEX_ECDH_REPLY];
            Writer::new(&mut payload).string(b"host key").string(key).string(b"signature");
            payload
        };
        for curve in CURVES {
            let receive = |payload: &[u8]| {
                let mut client = begin(curve, &mut randomness(1)).unwrap();
                client.receive(payload, &PREFACE).unwrap_err()
            };
            let length = curve.public.0;
            let mut off_curve = vec![7; length];
            for wrong in [&off_curve[1..], &[], &[4; 200]] {
                assert_eq!(receive(&reply(wrong)), KexFault::PublicKey("has the wrong length"));
            }
            if curve.public.1.is_some() {
                assert_eq!(receive(&reply(&off_curve)), KexFault::PublicKey("is not an uncompressed point"));
                off_curve[0] = 4;
                assert!(matches!(receive(&reply(&off_curve)), KexFault::PublicKey(_)), "{curve:?}");
            } else {
                // Points of small order (RFC 7748 section 7): the result would be all zeros.
                for low in [0, 1] {
                    let mut point = [0; 32];
                    point[0] = low;
                    assert!(matches!(receive(&reply(&point)), KexFault::PublicKey(_)));
                }
            }
        }
    }

    #[test]
    fn other_messages_and_other_layouts_are_refused() {
        let mut client = begin(&X25519, &mut randomness(1)).unwrap();
        assert_eq!(client.receive(&[33], &PREFACE).unwrap_err(), KexFault::Unexpected { number: 33 });
        let fault = client.receive(&[31, 0, 0, 0, 9, 1], &PREFACE).unwrap_err();
        assert_eq!(fault.to_string(), "key exchange message 31: string longer than its message at byte 5");
        let mut long = vec![31];
        Writer::new(&mut long).string(b"k").string(&[9; 32]).string(b"s").u8(0);
        assert!(matches!(client.receive(&long, &PREFACE), Err(KexFault::Layout { .. })));
    }

    /// The library has to refuse scalars that are not below the order, or drawing again would be pointless.
    #[test]
    fn scalars_outside_the_order_are_refused() {
        assert!(PrivateKey::from_private_key(&ECDH_P256, &[0xff; 32]).is_err());
        assert!(PrivateKey::from_private_key(&ECDH_P256, &[0; 32]).is_err());
        assert!(PrivateKey::from_private_key(&ECDH_P521, &[0xff; 66]).is_err());
        // P-521's order leaves one bit of the first byte: without the mask one draw in 128 would serve.
        assert!((0..32).all(|seed| Ephemeral::draw(&NISTP521, &mut randomness(seed)).is_ok()));
    }

    proptest! {
        #[test]
        fn any_reply_is_refused_without_harm(curve in 0usize..4, bytes: Vec<u8>) {
            let mut client = begin(CURVES[curve], &mut randomness(1)).unwrap();
            prop_assert!(client.receive(&bytes, &PREFACE).is_err());
            prop_assert!(client.receive(&[&[31][..], &bytes].concat(), &PREFACE).is_err());
        }
    }
}
