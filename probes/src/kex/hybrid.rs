//! Post-quantum hybrids: a key encapsulation beside an elliptic curve (draft-ietf-sshm-mlkem-hybrid-kex,
//! draft-ietf-sshm-ntruprime-ssh). One message each way, as with the curve alone; both halves have to be broken to read
//! what follows.

use std::fmt;

use aws_lc_rs::digest::{self, Context, SHA256, SHA512};
use ml_kem::ml_kem_768;

use super::ecdh::{Curve, Ephemeral, NISTP256, X25519, fields};
use super::{
    Answer, Exchange, ExchangeHash, Exchanged, KexFault, Preface, Progress, Serve, Served, SharedSecret, Signer,
    Transcript,
};
use crate::random::Randomness;
use crate::wipe::wipe;
use crate::wire::message::{SSH_MSG_KEX_ECDH_INIT, SSH_MSG_KEX_ECDH_REPLY};
use crate::wire::write::Writer;

/// A key encapsulation with a curve, as SSH uses them together.
pub struct Hybrid {
    kem: Kem,
    curve: &'static Curve,
    hash: &'static digest::Algorithm,
}

/// ML-KEM-768 (FIPS 203) with X25519 and SHA-256.
pub static MLKEM768_X25519: Hybrid = Hybrid { kem: Kem::MlKem768, curve: &X25519, hash: &SHA256 };
/// ML-KEM-768 (FIPS 203) with NIST P-256 and SHA-256.
pub static MLKEM768_NISTP256: Hybrid = Hybrid { kem: Kem::MlKem768, curve: &NISTP256, hash: &SHA256 };
/// Streamlined NTRU Prime 761 with X25519 and SHA-512.
pub static SNTRUP761_X25519: Hybrid = Hybrid { kem: Kem::Sntrup761, curve: &X25519, hash: &SHA512 };

impl fmt::Debug for Hybrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with {:?}", self.kem, self.curve)
    }
}

/// A key encapsulation mechanism.
#[derive(Debug, Clone, Copy)]
enum Kem {
    MlKem768,
    Sntrup761,
}

/// What a KEM's holder keeps. Boxed: these are kilobytes, and most probes never have one.
enum KemKey {
    MlKem768(Box<ml_kem_768::DecapsulationKey>),
    Sntrup761(Box<sntrup761::DecapsulationKey>),
}

/// The secret of both KEMs.
type KemSecret = [u8; 32];

impl Kem {
    /// Size of a public key in bytes.
    const fn public(self) -> usize {
        match self {
            Kem::MlKem768 => 1184,
            Kem::Sntrup761 => sntrup761::PUBLIC_KEY_SIZE,
        }
    }

    /// Size of a ciphertext in bytes.
    const fn ciphertext(self) -> usize {
        match self {
            Kem::MlKem768 => 1088,
            Kem::Sntrup761 => sntrup761::CIPHERTEXT_SIZE,
        }
    }

    fn generate(self, randomness: &mut Randomness) -> (Vec<u8>, KemKey) {
        match self {
            Kem::MlKem768 => {
                use ml_kem::KeyExport as _;
                let mut seed = ml_kem::Seed::default();
                randomness.fill(&mut seed);
                let key = Box::new(ml_kem_768::DecapsulationKey::from_seed(seed));
                (key.encapsulation_key().to_bytes().to_vec(), KemKey::MlKem768(key))
            }
            Kem::Sntrup761 => {
                let mut seed = [0; 32];
                randomness.fill(&mut seed);
                let (public, key) = sntrup761::generate_key_from_seed(seed);
                (public.as_ref().to_vec(), KemKey::Sntrup761(Box::new(key)))
            }
        }
    }

    /// Ciphertext and secret for the holder of a public key.
    fn encapsulate(self, public: &[u8], seed: [u8; 32]) -> Result<(Vec<u8>, KemSecret), KexFault> {
        match self {
            Kem::MlKem768 => {
                let key = public.try_into().map_err(|_| LENGTH)?;
                // FIPS 203 section 7.2: coefficients have to be below the modulus.
                let key =
                    ml_kem_768::EncapsulationKey::new(key).map_err(|_| KexFault::PublicKey("is not an ML-KEM key"))?;
                let (ciphertext, secret) = key.encapsulate_deterministic(&seed.into());
                Ok((ciphertext.to_vec(), secret.into()))
            }
            Kem::Sntrup761 => {
                let key = sntrup761::EncapsulationKey::try_from(public).map_err(|_| LENGTH)?;
                let (ciphertext, secret) = key.encapsulate_deterministic(seed);
                Ok((ciphertext.as_ref().to_vec(), secret.as_ref().try_into().map_err(|_| KexFault::Ephemeral)?))
            }
        }
    }
}

const LENGTH: KexFault = KexFault::PublicKey("has the wrong length");

impl KemKey {
    /// The secret in a ciphertext. Both KEMs reject implicitly: a wrong one gives another secret, and the signature over
    /// the exchange hash then tells.
    fn decapsulate(&self, ciphertext: &[u8]) -> Result<KemSecret, KexFault> {
        match self {
            KemKey::MlKem768(key) => {
                use ml_kem::Decapsulate as _;
                Ok(key.decapsulate_slice(ciphertext).map_err(|_| LENGTH)?.into())
            }
            KemKey::Sntrup761(key) => {
                let ciphertext = sntrup761::Ciphertext::try_from(ciphertext).map_err(|_| LENGTH)?;
                key.decapsulate(&ciphertext).as_ref().try_into().map_err(|_| LENGTH)
            }
        }
    }
}

impl fmt::Debug for KemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KemKey(..)")
    }
}

impl Hybrid {
    /// K: the hash of the KEM's secret and the curve's, both in all their bytes, and as a `string`.
    fn secret(&self, mut kem: KemSecret, curve: &Ephemeral, peer: &[u8]) -> Result<SharedSecret, KexFault> {
        let secret = curve.agree_with(peer, |curve| {
            let mut context = Context::new(self.hash);
            context.update(&kem);
            context.update(curve);
            SharedSecret::string(context.finish().as_ref())
        });
        wipe(&mut kem);
        secret
    }

    fn exchange_hash(
        &self,
        preface: &Preface<'_>,
        host_key: &[u8],
        [init, reply]: [&[u8]; 2],
        secret: &SharedSecret,
    ) -> ExchangeHash {
        let mut transcript = Transcript::new(self.hash, preface, host_key);
        transcript.string(init);
        transcript.string(reply);
        transcript.finish(secret)
    }
}

/// Both halves of what a side sends: the KEM's first.
fn halves<'a>(blob: &'a [u8], kem: usize, curve: &Curve) -> Result<(&'a [u8], &'a [u8]), KexFault> {
    if blob.len() != kem.saturating_add(curve.public_size()) {
        return Err(LENGTH);
    }
    blob.split_at_checked(kem).ok_or(LENGTH)
}

/// The client's side: sent nothing, or waiting for the reply.
#[derive(Debug)]
struct HybridClient {
    hybrid: &'static Hybrid,
    kem: KemKey,
    curve: Ephemeral,
    /// C_INIT: both public keys.
    init: Vec<u8>,
}

/// A client's exchange with fresh keys.
///
/// # Errors
/// [`KexFault::Ephemeral`], never in practice.
pub fn begin(hybrid: &'static Hybrid, randomness: &mut Randomness) -> Result<Box<dyn Exchange>, KexFault> {
    let (mut init, kem) = hybrid.kem.generate(randomness);
    let curve = Ephemeral::draw(hybrid.curve, randomness)?;
    init.extend_from_slice(curve.public());
    Ok(Box::new(HybridClient { hybrid, kem, curve, init }))
}

impl Exchange for HybridClient {
    fn write_first(&mut self, _: &Preface<'_>, out: &mut Vec<u8>) {
        Writer::new(out).u8(SSH_MSG_KEX_ECDH_INIT).string(&self.init);
    }

    fn receive<'p>(&mut self, payload: &'p [u8], preface: &Preface<'_>) -> Result<Progress<'p>, KexFault> {
        let [host_key, reply, signature] = fields(payload, SSH_MSG_KEX_ECDH_REPLY)?;
        let (ciphertext, public) = halves(reply, self.hybrid.kem.ciphertext(), self.hybrid.curve)?;
        let secret = self.hybrid.secret(self.kem.decapsulate(ciphertext)?, &self.curve, public)?;
        let hash = self.hybrid.exchange_hash(preface, host_key, [&self.init, reply], &secret);
        Ok(Progress::Done(Exchanged { host_key, signature, hash, secret, dh_bits: None }))
    }
}

/// The server's side, waiting for SSH_MSG_KEX_HYBRID_INIT.
#[derive(Debug)]
struct HybridServer {
    hybrid: &'static Hybrid,
    curve: Ephemeral,
    /// For the encapsulation, which needs the client's key first.
    seed: [u8; 32],
}

/// A server's exchange with fresh keys.
///
/// # Errors
/// [`KexFault::Ephemeral`], never in practice.
pub fn serve(hybrid: &'static Hybrid, randomness: &mut Randomness) -> Result<Box<dyn Serve>, KexFault> {
    let curve = Ephemeral::draw(hybrid.curve, randomness)?;
    let mut seed = [0; 32];
    randomness.fill(&mut seed);
    Ok(Box::new(HybridServer { hybrid, curve, seed }))
}

impl Serve for HybridServer {
    fn receive(&mut self, payload: &[u8], preface: &Preface<'_>, signer: &Signer<'_>) -> Result<Served, KexFault> {
        let [init] = fields(payload, SSH_MSG_KEX_ECDH_INIT)?;
        let Hybrid { kem, curve, .. } = self.hybrid;
        let (public, point) = halves(init, kem.public(), curve)?;
        let (mut reply, kem) = kem.encapsulate(public, self.seed)?;
        reply.extend_from_slice(self.curve.public());
        let secret = self.hybrid.secret(kem, &self.curve, point)?;
        let hash = self.hybrid.exchange_hash(preface, signer.host_key, [init, &reply], &secret);
        let mut payload = vec![SSH_MSG_KEX_ECDH_REPLY];
        Writer::new(&mut payload).string(signer.host_key).string(&reply).string(&(signer.sign)(hash.bytes()));
        Ok(Served::Done(Box::new(Answer { payload, hash, secret })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seed;
    use aws_lc_rs::digest::digest;
    use aws_lc_rs::kem;
    use proptest::prelude::*;

    const HYBRIDS: [&Hybrid; 3] = [&MLKEM768_X25519, &MLKEM768_NISTP256, &SNTRUP761_X25519];

    const PREFACE: Preface<'_> =
        Preface { v_c: b"SSH-2.0-c", v_s: b"SSH-2.0-s", i_c: [b"\x14cli", b"ent"], i_s: b"\x14server" };

    fn randomness(seed: u8) -> Randomness {
        Randomness::new(Seed([seed; 32]))
    }

    fn answer(hybrid: &'static Hybrid, init: &[u8]) -> Result<Box<Answer>, KexFault> {
        let signer = Signer { host_key: b"host key", sign: &|hash| [b"signed ", hash].concat() };
        match serve(hybrid, &mut randomness(2)).unwrap().receive(init, &PREFACE, &signer)? {
            Served::Done(answer) => Ok(answer),
            Served::Send(_) => panic!("one message each way"),
        }
    }

    fn done(progress: Progress<'_>) -> Exchanged<'_> {
        match progress {
            Progress::Done(exchanged) => exchanged,
            Progress::Send(_) => panic!("one message each way"),
        }
    }

    #[test]
    fn both_sides_agree_and_the_messages_have_the_drafts_sizes() {
        for (hybrid, sizes) in HYBRIDS.into_iter().zip([[1216, 1120], [1249, 1153], [1190, 1071]]) {
            let mut client = begin(hybrid, &mut randomness(1)).unwrap();
            let init = client.first(&PREFACE);
            assert_eq!(init, client.first(&PREFACE), "asking again gives the same keys");
            let again = begin(hybrid, &mut randomness(1)).unwrap().first(&PREFACE);
            assert_eq!(init, again, "the seed decides the keys");
            let answer = answer(hybrid, &init).unwrap();
            let exchanged = done(client.receive(&answer.payload, &PREFACE).unwrap());
            assert_eq!(exchanged.host_key, b"host key");
            assert_eq!(exchanged.hash.bytes(), answer.hash.bytes());
            assert_eq!(exchanged.secret.encoded(), answer.secret.encoded());
            assert_eq!(exchanged.signature, [b"signed ", answer.hash.bytes()].concat());
            assert_eq!((exchanged.dh_bits, exchanged.hash.algorithm()), (None, hybrid.hash));
            let reply = u32::from_be_bytes(answer.payload[13..17].try_into().unwrap()) as usize;
            assert_eq!([init.len() - 5, reply], sizes, "{hybrid:?}");
        }
    }

    /// K is the hash of both raw secrets, as a string, behind both blobs as strings.
    #[test]
    fn the_exchange_hash_is_that_of_the_drafts() {
        for hybrid in HYBRIDS {
            let init = begin(hybrid, &mut randomness(1)).unwrap().first(&PREFACE);
            let answer = answer(hybrid, &init).unwrap();

            // The same keys, from the same seed, by hand.
            let mut drawn = randomness(1);
            let (_, kem) = hybrid.kem.generate(&mut drawn);
            let curve = Ephemeral::draw(hybrid.curve, &mut drawn).unwrap();
            let reply = &answer.payload[17..][..hybrid.kem.ciphertext() + hybrid.curve.public_size()];
            let (ciphertext, point) = reply.split_at(hybrid.kem.ciphertext());
            let raw = curve.agree_with(point, <[u8]>::to_vec).unwrap();
            assert_eq!(raw.len(), 32);
            let k = digest(hybrid.hash, &[&kem.decapsulate(ciphertext).unwrap()[..], &raw].concat());
            let string = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes(), bytes].concat();
            assert_eq!(answer.secret.encoded(), string(k.as_ref()));

            let mut by_hand: Vec<u8> =
                [PREFACE.v_c, PREFACE.v_s, b"\x14client", PREFACE.i_s, b"host key"].map(string).concat();
            by_hand.extend(&init[1..]);
            by_hand.extend(string(reply));
            by_hand.extend(string(k.as_ref()));
            assert_eq!(answer.hash.bytes(), digest(hybrid.hash, &by_hand).as_ref());
        }
    }

    /// ML-KEM-768 against another implementation, AWS-LC's, in both roles.
    #[test]
    fn ml_kem_is_that_of_aws_lc() {
        let kem = Kem::MlKem768;
        for seed in 0..8 {
            let (public, ours) = kem.generate(&mut randomness(seed));
            let theirs = kem::EncapsulationKey::new(&kem::ML_KEM_768, &public).unwrap();
            let (ciphertext, secret) = theirs.encapsulate().unwrap();
            assert_eq!(ours.decapsulate(ciphertext.as_ref()).unwrap(), secret.as_ref());

            let theirs = kem::DecapsulationKey::generate(&kem::ML_KEM_768).unwrap();
            let public = theirs.encapsulation_key().unwrap().key_bytes().unwrap();
            let (ciphertext, secret) = kem.encapsulate(public.as_ref(), [seed; 32]).unwrap();
            assert_eq!(theirs.decapsulate(ciphertext.as_slice().into()).unwrap().as_ref(), secret);
        }
    }

    #[test]
    fn a_changed_ciphertext_gives_another_secret_and_no_fault() {
        for kem in [Kem::MlKem768, Kem::Sntrup761] {
            let (public, key) = kem.generate(&mut randomness(1));
            let (mut ciphertext, secret) = kem.encapsulate(&public, [3; 32]).unwrap();
            assert_eq!(key.decapsulate(&ciphertext).unwrap(), secret);
            for at in [0, 500, ciphertext.len() - 1] {
                ciphertext[at] ^= 1;
                assert_ne!(key.decapsulate(&ciphertext).unwrap(), secret, "{kem:?} at {at}");
                ciphertext[at] ^= 1;
            }
        }
    }

    #[test]
    fn unusable_halves_are_refused() {
        let reply = |blob: &[u8]| {
            let mut payload = vec![SSH_MSG_KEX_ECDH_REPLY];
            Writer::new(&mut payload).string(b"host key").string(blob).string(b"signature");
            payload
        };
        for hybrid in HYBRIDS {
            let size = hybrid.kem.ciphertext() + hybrid.curve.public_size();
            let receive = |payload: &[u8]| {
                let mut client = begin(hybrid, &mut randomness(1)).unwrap();
                client.receive(payload, &PREFACE).unwrap_err()
            };
            for wrong in [0, hybrid.kem.ciphertext(), size - 1, size + 1] {
                assert_eq!(receive(&reply(&vec![4; wrong])), LENGTH, "{hybrid:?} {wrong}");
            }
            // An X25519 point of small order, and no point of P-256.
            assert!(matches!(receive(&reply(&vec![0; size])), KexFault::PublicKey(_)));
            assert_eq!(receive(&[33]), KexFault::Unexpected { number: 33 });
            let size = hybrid.kem.public() + hybrid.curve.public_size();
            for (byte, length) in [(0, size - 1), (0, size), (0xff, size)] {
                let mut init = vec![SSH_MSG_KEX_ECDH_INIT];
                Writer::new(&mut init).string(&vec![byte; length]);
                let served = answer(hybrid, &init);
                // Any 32 bytes but a few are an X25519 point, and any bytes a key of Streamlined NTRU Prime.
                if byte == 0 || hybrid.curve.public_size() != 32 || matches!(hybrid.kem, Kem::MlKem768) {
                    assert!(matches!(served, Err(KexFault::PublicKey(_))), "{hybrid:?} {byte} {length}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_halves_are_taken_or_refused_without_harm(at in 0usize..3, seed: [u8; 32]) {
            let hybrid = HYBRIDS[at];
            let mut random = Randomness::new(Seed(seed));
            let mut blob = vec![0; hybrid.kem.ciphertext() + hybrid.curve.public_size()];
            random.fill(&mut blob);
            let mut payload = vec![SSH_MSG_KEX_ECDH_REPLY];
            Writer::new(&mut payload).string(b"host key").string(&blob).string(b"signature");
            let _ = begin(hybrid, &mut random).unwrap().receive(&payload, &PREFACE);
            let mut blob = vec![0; hybrid.kem.public() + hybrid.curve.public_size()];
            random.fill(&mut blob);
            let mut payload = vec![SSH_MSG_KEX_ECDH_INIT];
            Writer::new(&mut payload).string(&blob);
            let _ = answer(hybrid, &payload);
        }
    }
}
