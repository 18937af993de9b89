//! `--bad-keys FILE`: keys that the whole world has: of appliances, images and libraries that ship or make the same private key
//! everywhere.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::SHA256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use md5::{Digest, Md5};

use super::public_key::{LineFault, public_key, word};
use super::revoked::hash;
use super::{Effect, Problem, Source};
use crate::escape::shorten;
use crate::hostkey::canonical_key;

/// As many faulty lines of one file are told one by one.
const PROBLEMS_MAX: usize = 100;

/// As many characters of a line's comment are kept.
const COMMENT_MAX: usize = 200;

/// Fingerprints of keys that prove nothing, as anybody may have the private half.
#[derive(Debug, Clone, Default)]
pub struct BadKeys {
    sha256: HashMap<[u8; 32], Entry>,
    md5: HashMap<[u8; 16], Entry>,
}

/// The line a fingerprint came from.
#[derive(Debug, Clone)]
struct Entry {
    at: Source,
    comment: Box<str>,
}

/// A fingerprint as lists have them.
enum Print {
    Sha256([u8; 32]),
    Md5([u8; 16]),
}

impl BadKeys {
    /// Adds a file's content; `file` is how messages call it. A line is a fingerprint or a public key, and the reason:
    ///
    /// * `SHA256:` and base64, as ssh prints it, or its 64 hexadecimal digits;
    /// * `MD5:` and 16 pairs of hexadecimal digits with colons, or those alone, as ssh printed it before 6.8;
    /// * type and base64 of a public key or certificate;
    /// * what `ssh-keygen -l` prints, the key's size before the fingerprint.
    ///
    /// Blank lines and those that begin with `#` say nothing. Of two lines with one fingerprint the first counts. Gives the
    /// lines that are none of this; the others count all the same.
    pub fn file(&mut self, file: &str, content: &[u8]) -> Vec<Problem> {
        let file: Arc<str> = file.into();
        let (mut problems, mut more) = (Vec::new(), 0usize);
        for (number, line) in (1u32..).zip(content.split(|byte| *byte == b'\n')) {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let at = Source { file: Arc::clone(&file), line: Some(number) };
            match print(line) {
                Ok((print, comment)) => {
                    let entry = Entry { at, comment: shorten(comment, COMMENT_MAX).into() };
                    match print {
                        Print::Sha256(print) => self.sha256.entry(print).or_insert(entry),
                        Print::Md5(print) => self.md5.entry(print).or_insert(entry),
                    };
                }
                Err(fault) if problems.len() < PROBLEMS_MAX => {
                    let what = format!("no fingerprint and no public key ({fault}): {}", shorten(line, 40));
                    problems.push(Problem::new(at, what));
                }
                Err(_) => more = more.saturating_add(1),
            }
        }
        if more > 0 {
            let what = format!("{more} more lines that are no fingerprints");
            problems.push(Problem { at: Source { file, line: None }, what, effect: Effect::More(more) });
        }
        problems
    }

    /// How many fingerprints there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sha256.len().saturating_add(self.md5.len())
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The line that has this key, and the reason it gives, escaped and maybe empty. A certificate is looked up as the key it
    /// certifies.
    #[must_use]
    pub fn find(&self, blob: &[u8]) -> Option<(Source, String)> {
        if self.is_empty() {
            return None;
        }
        let key = canonical_key(blob);
        let key = key.as_deref().unwrap_or(blob);
        let entry = self.sha256.get(&hash::<32>(&SHA256, key));
        let entry = entry.or_else(|| {
            let found = (!self.md5.is_empty()).then(|| self.md5.get(&<[u8; 16]>::from(Md5::digest(key))));
            found.flatten()
        });
        entry.map(|entry| (entry.at.clone(), entry.comment.to_string()))
    }
}

/// The fingerprint a line has, and what follows it.
fn print(line: &[u8]) -> Result<(Print, &[u8]), LineFault> {
    let (mut first, mut rest) = word(line);
    // `ssh-keygen -l` prints the key's size before.
    if !first.is_empty() && first.len() <= 5 && first.iter().all(u8::is_ascii_digit) {
        (first, rest) = word(rest);
    }
    let printed = if let Some(base64) = after(first, b"SHA256:") {
        // Some tools pad it.
        let base64 = base64.strip_suffix(b"=").unwrap_or(base64);
        let bytes = STANDARD_NO_PAD.decode(base64).map_err(|_| LineFault::Base64)?;
        Some(Print::Sha256(bytes.try_into().map_err(|_| LineFault::Base64)?))
    } else if let Some(hex) = after(first, b"MD5:") {
        Some(Print::Md5(pairs(hex).ok_or(LineFault::Words)?))
    } else {
        hex(first).map(Print::Sha256).or_else(|| pairs(first).map(Print::Md5))
    };
    match printed {
        Some(print) => Ok((print, rest)),
        None => public_key(line).map(|(key, comment)| (Print::Sha256(hash(&SHA256, &key)), comment)),
    }
}

/// What follows a prefix, in any case of letters.
fn after<'a>(word: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = word.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Bytes as hexadecimal digits, neither more nor fewer than fill the array.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    array(pairs.iter().map(|pair| byte(pair)))
}

/// The same with colons between the bytes.
fn pairs<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    array(text.split(|byte| *byte == b':').map(byte))
}

fn byte(pair: &[u8]) -> Option<u8> {
    let [high, low] = pair else { return None };
    let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

fn array<const N: usize>(bytes: impl Iterator<Item = Option<u8>>) -> Option<[u8; N]> {
    // One more than fit is enough to see that they do not.
    bytes.take(N.saturating_add(1)).collect::<Option<Vec<u8>>>()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::super::samples::certificate;
    use super::*;
    use crate::hostkey::plain_key;
    use base64::engine::general_purpose::STANDARD;

    fn key() -> Vec<u8> {
        plain_key(&certificate("good")).unwrap().into_owned()
    }

    fn read(content: &str) -> BadKeys {
        let mut bad = BadKeys::default();
        assert_eq!(bad.file("bad", content.as_bytes()), []);
        bad
    }

    #[test]
    fn every_form_of_a_fingerprint_finds_its_key() {
        // Of the sample's key, as ssh-keygen -l and sha256sum print them.
        let base64 = "ZSY0gEvhfJ6Z+jCmKrKgEH7SW4Wrmi296YSjp7YA4Ek";
        let hex = "652634804be17c9e99fa30a62ab2a0107ed25b85ab9a2dbde984a3a7b600e049";
        let md5: Vec<_> = Md5::digest(key()).iter().map(|byte| format!("{byte:02x}")).collect();
        let md5 = md5.join(":");
        for print in [
            format!("SHA256:{base64}"),
            format!("sha256:{base64}="),
            hex.to_owned(),
            hex.to_uppercase(),
            format!("MD5:{md5}"),
            md5.to_uppercase(),
            format!("ssh-ed25519 {}", STANDARD.encode(key())),
        ] {
            let bad = read(&format!("# known to the world\n\n\t{print} \t a router's,  all of them\r\n"));
            assert_eq!(bad.len(), 1);
            let (at, comment) = bad.find(&key()).unwrap_or_else(|| panic!("{print}"));
            assert_eq!((at.to_string().as_str(), comment.as_str()), ("bad:3", "a router's,  all of them"));
            assert!(bad.find(&certificate("good")).is_some() && bad.find(b"another").is_none());
            assert_eq!(read(&print).find(&key()).unwrap().1, "");
        }
    }

    #[test]
    fn the_first_line_of_a_key_counts_over_all_files() {
        let mut bad = read("SHA256:ZSY0gEvhfJ6Z+jCmKrKgEH7SW4Wrmi296YSjp7YA4Ek first\n");
        bad.file("more", format!("ssh-ed25519 {} second", STANDARD.encode(key())).as_bytes());
        assert_eq!(bad.find(&key()).unwrap().1, "first");
        assert_eq!(bad.len(), 1);
    }

    #[test]
    fn a_line_that_is_none_of_them_is_told_and_the_others_count() {
        let good = "SHA256:ZSY0gEvhfJ6Z+jCmKrKgEH7SW4Wrmi296YSjp7YA4Ek";
        for bad_line in [
            "SHA256:",
            "SHA256:AAAA",
            "SHA256:ZSY0gEvhfJ6Z+jCmKrKgEH7SW4Wrmi296YSjp7YA4Ek==",
            "SHA256:ZSY0gEvhfJ6Z+jCmKrKgEH7SW4Wrmi296YSjp7YA4El",
            "MD5:00:11",
            "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00",
            "0:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff",
            "00112233445566778899aabbccddeeff",
            "652634804be17c9e99fa30a62ab2a0107ed25b85ab9a2dbde984a3a7b600e04",
            "652634804be17c9e99fa30a62ab2a0107ed25b85ab9a2dbde984a3a7b600e04g",
            "SHA1:AAAA",
            "host.example ssh-ed25519 AAAA",
            "\x1b[2J",
        ] {
            let mut bad = BadKeys::default();
            let problems = bad.file("bad", format!("{bad_line}\n{good} x\u{202e}\n").as_bytes());
            let [problem] = &problems[..] else { panic!("{bad_line}: {problems:?}") };
            assert!(problem.to_string().starts_with("bad:1: no fingerprint and no public key ("), "{problem}");
            assert!(!problem.what.contains('\x1b'));
            assert_eq!(bad.find(&key()).unwrap().1, "x\\u{202e}", "{bad_line}");
        }
    }

    #[test]
    fn garbage_is_told_in_bounded_room() {
        let problems = BadKeys::default().file("bad", "x\n".repeat(1_000).as_bytes());
        assert_eq!(problems.len(), PROBLEMS_MAX + 1);
        assert_eq!(problems.last().unwrap().to_string(), "bad: 900 more lines that are no fingerprints");
    }
}
