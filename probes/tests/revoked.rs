//! KRLs as `ssh-keygen -k` made them, and what `ssh-keygen -Q` said of each key: `tests/revocation.rs` writes both.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sshprobe_probes::trust::revoked::{RevokedKeys, RevokedKeysBuilder};

fn sample(file: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/revoked").join(file);
    std::fs::read(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

fn keys() -> Vec<(String, Vec<u8>)> {
    let text = String::from_utf8(sample("keys.txt")).unwrap();
    let key = |line: &str| {
        let (name, blob) = line.split_once(' ').unwrap();
        (name.to_owned(), STANDARD.decode(blob).unwrap())
    };
    text.lines().map(key).collect()
}

/// Every list with the names of what it revokes.
fn answers() -> Vec<(String, Vec<String>)> {
    let text = String::from_utf8(sample("answers.txt")).unwrap();
    let answer = |line: &str| {
        let (krl, names) = line.split_once(':').unwrap();
        (krl.to_owned(), names.split_whitespace().map(str::to_owned).collect())
    };
    text.lines().map(answer).collect()
}

fn revoked(keys: &RevokedKeys) -> Vec<String> {
    self::keys().into_iter().filter(|(_, blob)| keys.revokes(blob).is_some()).map(|(name, _)| name).collect()
}

#[test]
fn every_krl_revokes_what_ssh_keygen_says() {
    let answers = answers();
    assert!(answers.len() >= 20 && answers.iter().any(|(_, names)| names.is_empty()));
    for (krl, expect) in &answers {
        let mut builder = RevokedKeysBuilder::default();
        builder.file(krl, &sample(&format!("{krl}.krl"))).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(&revoked(&builder.build()), expect, "{krl}");
    }
}

#[test]
fn several_lists_revoke_what_any_of_them_does() {
    let mut builder = RevokedKeysBuilder::default();
    let mut expect = Vec::new();
    for (krl, names) in answers() {
        if ["sha1", "serial", "id-any"].contains(&&*krl) {
            builder.file(&krl, &sample(&format!("{krl}.krl"))).unwrap();
            expect.extend(names);
        }
    }
    let found = revoked(&builder.build());
    assert!(!found.is_empty() && found.iter().all(|name| expect.contains(name)));
    assert!(expect.iter().all(|name| found.contains(name)));
}

#[test]
fn a_krl_cut_anywhere_revokes_nothing_because_it_is_refused() {
    for (krl, _) in answers() {
        let whole = sample(&format!("{krl}.krl"));
        // Cut between two sections it is a shorter KRL, and nothing in it says otherwise.
        let (mut refused, mut shorter) = (0usize, 0usize);
        for cut in 0..whole.len() {
            let mut builder = RevokedKeysBuilder::default();
            let read = builder.file("cut", &whole[..cut]);
            match read {
                Ok(_) if cut == 0 => assert!(builder.build().is_empty()),
                Ok(problems) => {
                    assert_eq!(problems, [], "{krl} cut at {cut}");
                    shorter += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(shorter <= 4 && refused >= 40, "{krl}: {shorter} of {}", whole.len());
    }
}
