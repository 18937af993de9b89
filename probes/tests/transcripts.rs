//! Known answers from real servers: what OpenSSH 9.2 and AsyncSSH 2.24 said to a probe whose seed is known (recorded by
//! `examples/record.rs`). The server signed the exchange hash and encrypted with the keys derived from it, so that every byte
//! of a method, of the derivation, of a cipher, a MAC and a signature has to be theirs for one of these to come to its end.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::path::PathBuf;
use std::sync::Arc;

use sshprobe_probes::algorithm::{CIPHER, HOST_KEY, KEX, MAC, Named};
use sshprobe_probes::evidence::Signature;
use sshprobe_probes::fuzzing::{replay, transcript_plan};

/// Spoken by no server at hand: names that are other names for what is checked above, and keys in security keys, whose
/// samples stand beside the code.
const NOT_RECORDED: [&str; 7] = [
    "aes128-gcm",
    "aes256-gcm",
    "rijndael-cbc@lysator.liu.se",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
];

fn check<T: Named>(list: &str, table: &[T], pieces: &[usize]) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(list);
    for name in table.iter().map(Named::name).filter(|name| !NOT_RECORDED.contains(name)) {
        let transcript = std::fs::read(folder.join(name)).unwrap_or_else(|fault| panic!("{list}/{name}: {fault}"));
        let plan = Arc::new(transcript_plan(list, name).unwrap());
        for piece in pieces {
            let evidence = replay(&plan, transcript.chunks(*piece));
            assert_eq!(evidence.fault, None, "{name}");
            assert_eq!(evidence.host_key.unwrap().signature, Signature::Verified, "{name}");
            let methods = evidence.auth.unwrap().methods.unwrap();
            assert!(methods.iter().any(|method| method == b"password"), "{name}: {methods:?}");
            let negotiated = evidence.negotiated.unwrap();
            let used = match list {
                "kex" => negotiated.kex,
                "host_key" => negotiated.host_key,
                "cipher" => negotiated.cipher_s2c,
                _ => negotiated.mac_s2c.unwrap(),
            };
            assert_eq!(used, name);
        }
        // The same with one byte changed in the encrypted part does not come to its end.
        let mut changed = transcript.clone();
        let at = changed.len() - 20;
        changed[at] ^= 1;
        assert!(replay(&plan, [&changed[..]]).auth.is_none_or(|auth| auth.methods.is_none()), "{name}");
    }
}

#[test]
fn key_exchange_methods() {
    check("kex", KEX, &[usize::MAX]);
}

#[test]
fn host_keys() {
    check("host_key", HOST_KEY, &[usize::MAX]);
}

#[test]
fn ciphers() {
    check("cipher", CIPHER, &[usize::MAX, 1, 7]);
}

#[test]
fn macs() {
    check("mac", MAC, &[usize::MAX, 1, 7]);
}

/// The largest RSA key there is, which the library does not take.
#[test]
fn an_rsa_key_of_16384_bits() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let transcript = std::fs::read(folder.join("rsa-16384")).unwrap();
    let plan = Arc::new(transcript_plan("host_key", "rsa-sha2-512").unwrap());
    let evidence = replay(&plan, [&transcript[..]]);
    assert_eq!((evidence.fault, evidence.host_key.unwrap().signature), (None, Signature::Verified));
}
