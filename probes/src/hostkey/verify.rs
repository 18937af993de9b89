//! Signatures over the exchange hash.

use thiserror::Error;

use super::{key_type, plain_key};
use crate::algorithm::HostKeyAlgorithm;
use crate::wire::read::Reader;

/// A signature that proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum VerifyFault {
    /// The signature is wrong, of another algorithm than agreed, or no signature at all; the text says which.
    #[error("{0}")]
    Wrong(&'static str),
    /// The key is one we cannot verify with, good or not: nothing is known about the signature.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// Verifies the signature blob (`string` algorithm, then the algorithm's own fields) of a key over a message. With a
/// certificate it is the certified key that signs; who certified it is another question ([`super::Certificate::verify_ca`]).
///
/// # Errors
/// See [`VerifyFault`]. The signature has to be of the negotiated algorithm (RFC 8332 section 3.1) and the key of its type.
pub fn verify(algorithm: &HostKeyAlgorithm, blob: &[u8], signature: &[u8], message: &[u8]) -> Result<(), VerifyFault> {
    if key_type(blob) != Some(algorithm.key_type) {
        return Err(VerifyFault::Wrong("the host key is of another type than agreed"));
    }
    let mut reader = Reader::new(signature);
    let name = reader.string().map_err(|_| LAYOUT)?;
    if name != algorithm.signature.as_bytes() {
        return Err(VerifyFault::Wrong("the signature is of another algorithm than agreed"));
    }
    let key = plain_key(blob).map_err(|_| VerifyFault::Wrong("the host key is not a certificate of its type"))?;
    (algorithm.verify)(&key, reader.rest(), message)
}

/// The one field of most signatures.
pub(super) fn only(fields: &[u8]) -> Result<&[u8], VerifyFault> {
    let mut reader = Reader::new(fields);
    match (reader.string(), reader.end()) {
        (Ok(raw), Ok(())) => Ok(raw),
        _ => Err(LAYOUT),
    }
}

/// The text for a signature cut short or followed by something.
pub(super) const LAYOUT: VerifyFault = VerifyFault::Wrong("the signature does not have a signature's layout");

/// The text for the one thing that a signature is verified for.
pub(super) const MISMATCH: VerifyFault = VerifyFault::Wrong("the host key did not make this signature");

#[cfg(test)]
mod tests {
    use super::super::samples::{SAMPLES, Sample};
    use super::*;
    use crate::algorithm::HOST_KEY;
    use crate::wire::write::Writer;
    use proptest::prelude::*;

    fn algorithm(name: &str) -> &'static HostKeyAlgorithm {
        HOST_KEY.iter().find(|algorithm| algorithm.name == name).unwrap()
    }

    fn check(sample: &Sample, signature: &[u8]) -> Result<(), VerifyFault> {
        verify(algorithm(sample.algorithm), &sample.blob(), signature, &sample.message())
    }

    fn signature_blob(name: &[u8], raw: &[u8]) -> Vec<u8> {
        let mut blob = Vec::new();
        Writer::new(&mut blob).string(name).string(raw);
        blob
    }

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    }

    #[test]
    fn every_algorithm_verifies_what_openssh_signed() {
        for algorithm in HOST_KEY {
            assert!(SAMPLES.iter().any(|sample| sample.algorithm == algorithm.name), "no sample of {algorithm:?}");
        }
        for sample in SAMPLES {
            assert_eq!(check(sample, &sample.signature()), Ok(()), "{} {}", sample.algorithm, sample.bits);
        }
    }

    #[test]
    fn another_message_and_another_key_do_not_verify() {
        for sample in SAMPLES {
            let signature = sample.signature();
            let other = verify(algorithm(sample.algorithm), &sample.blob(), &signature, b"another message");
            assert_eq!(other, Err(MISMATCH), "{}", sample.algorithm);
        }
        let [a, b] = [&SAMPLES[4], &SAMPLES[5]];
        assert!(verify(algorithm("rsa-sha2-512"), &a.blob(), &b.signature(), &a.message()).is_err());
    }

    #[test]
    fn a_signature_changed_anywhere_does_not_verify() {
        for sample in SAMPLES {
            let mut signature = sample.signature();
            // The largest keys take their time.
            for at in (0..signature.len()).step_by(signature.len() / 64 + 1) {
                signature[at] ^= 1;
                assert!(
                    matches!(check(sample, &signature), Err(VerifyFault::Wrong(_))),
                    "{} at {at}",
                    sample.algorithm
                );
                signature[at] ^= 1;
                assert!(check(sample, &signature[..at]).is_err());
            }
        }
    }

    #[test]
    fn algorithm_and_type_have_to_be_the_agreed_ones() {
        let rsa = &SAMPLES[4];
        assert_eq!((rsa.algorithm, rsa.bits), ("rsa-sha2-512", 2048));
        let other = verify(algorithm("rsa-sha2-256"), &rsa.blob(), &rsa.signature(), &rsa.message());
        assert_eq!(other, Err(VerifyFault::Wrong("the signature is of another algorithm than agreed")));
        let other = verify(algorithm("ssh-ed25519"), &rsa.blob(), &rsa.signature(), &rsa.message());
        assert_eq!(other, Err(VerifyFault::Wrong("the host key is of another type than agreed")));
    }

    #[test]
    fn rsa_keys_that_nobody_takes_say_nothing_about_the_signature() {
        let blob = |e: &[u8], n: &[u8]| {
            let mut blob = Vec::new();
            Writer::new(&mut blob).string(b"ssh-rsa").mpint(e).mpint(n);
            blob
        };
        let n = [0xff; 256];
        let signature = signature_blob(b"rsa-sha2-256", &[1; 256]);
        let check = |blob: &[u8]| verify(algorithm("rsa-sha2-256"), blob, &signature, b"m");
        assert_eq!(check(&blob(&[1, 0, 1], &n)), Err(MISMATCH));
        for unsupported in [
            blob(&[1, 0, 1], &[0xff; 2049]),
            blob(&[1], &n),
            blob(&[4], &n),
            blob(&[0xff; 9], &n),
            blob(&[3], &[&n[..255], &[2]].concat()),
        ] {
            assert!(matches!(check(&unsupported), Err(VerifyFault::Unsupported(_))));
        }
        // What only we take, not the library, is verified (and fails for the right reason).
        for taken in [blob(&[1, 0, 1], &[0xff; 2048]), blob(&[1, 0, 1], &n[..127]), blob(&[0xff; 8], &n)] {
            let signature = signature_blob(b"rsa-sha2-256", &[1; 100]);
            assert_eq!(verify(algorithm("rsa-sha2-256"), &taken, &signature, b"m"), Err(MISMATCH));
        }
    }

    /// RFC 8032 section 7.1, test 2.
    #[test]
    fn ed25519_is_that_of_rfc_8032() {
        let public: [u8; 32] = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature: [u8; 64] = hex(concat!(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ));
        let blob = signature_blob(b"ssh-ed25519", &public);
        let signature = signature_blob(b"ssh-ed25519", &signature);
        assert_eq!(verify(algorithm("ssh-ed25519"), &blob, &signature, &[0x72]), Ok(()));
    }

    proptest! {
        #[test]
        fn no_invented_signature_verifies(at in 0usize..SAMPLES.len(), raw: Vec<u8>) {
            let sample = &SAMPLES[at];
            prop_assert!(check(sample, &raw).is_err());
            prop_assert!(check(sample, &signature_blob(sample.algorithm.as_bytes(), &raw)).is_err());
        }
    }
}
