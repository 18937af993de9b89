//! A second reader of known_hosts, for comparison: line by line, no index, no thought for time, and nothing in common with
//! the first but the manual. It knows Ed25519 keys only.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY as SHA1, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A line that speaks of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) line: u32,
    /// The marker's word, or nothing.
    pub(super) marker: Vec<u8>,
    pub(super) blob: Vec<u8>,
}

/// What a server's key is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Match(u32),
    Revoked(u32),
    Changed,
    Unknown,
}

/// The lines of a file, each with its number and cut at its first NUL byte.
pub(super) fn lines(content: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut lines = vec![(1u32, Vec::new())];
    let (mut number, mut nul) = (1u32, false);
    for byte in content {
        match byte {
            b'\n' => {
                number = number.saturating_add(1);
                nul = false;
                lines.push((number, Vec::new()));
            }
            0 => nul = true,
            _ if nul => {}
            byte => lines.last_mut().into_iter().for_each(|(_, line)| line.push(*byte)),
        }
    }
    lines
}

/// All lines that speak of `name` and have an Ed25519 key.
pub(super) fn said_of(content: &[u8], name: &str) -> Vec<Said> {
    lines(content).into_iter().filter_map(|(line, text)| said(line, &text, name)).collect()
}

fn said(line: u32, text: &[u8], name: &str) -> Option<Said> {
    let blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let mut rest: Vec<u8> = text.iter().copied().skip_while(blank).collect();
    let mut marker = Vec::new();
    if rest.starts_with(b"@") {
        let end = if rest.contains(&b' ') { b' ' } else { b'\t' };
        marker = rest.iter().copied().take_while(|byte| *byte != end).collect();
        if marker != b"@revoked" && marker != b"@cert-authority" {
            return None;
        }
        rest = rest.into_iter().skip(marker.len()).skip_while(blank).collect();
        if rest.starts_with(b"@") {
            return None;
        }
    } else if rest.starts_with(b"#") {
        return None;
    }
    let mut words = rest.split(blank).filter(|word| !word.is_empty());
    let (names, kind, base64) = (words.next()?, words.next()?, words.next()?);
    if kind != b"ssh-ed25519" || !speaks_of(names, name) {
        return None;
    }
    let blob = base64_bytes(base64)?;
    let mut layout = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
    layout.extend(blob.iter().skip(layout.len()));
    (blob == layout && blob.len() == 51).then_some(Said { line, marker, blob })
}

fn speaks_of(names: &[u8], name: &str) -> bool {
    if names.starts_with(b"|") {
        let mut parts = names.split(|byte| *byte == b'|').skip(2);
        let salt = parts.next().and_then(base64_bytes).filter(|salt| salt.len() == 20);
        let written = |salt: Vec<u8>| format!("|1|{}|{}", STANDARD.encode(&salt), STANDARD.encode(hmac(&salt, name)));
        return salt.map(written).is_some_and(|written| written.as_bytes() == names);
    }
    let names = names.to_ascii_lowercase();
    let mut patterns: Vec<&[u8]> = names.split(|byte| *byte == b',').collect();
    if patterns.last().is_some_and(|last| last.is_empty()) {
        patterns.pop();
    }
    let (refused, wanted): (Vec<&[u8]>, Vec<&[u8]>) = patterns.iter().partition(|pattern| pattern.starts_with(b"!"));
    let refused: Vec<&[u8]> = refused.iter().filter_map(|pattern| pattern.get(1..)).collect();
    if refused.iter().chain(&wanted).any(|pattern| pattern.len() > 1022) {
        return false;
    }
    wanted.iter().any(|pattern| fits(name.as_bytes(), pattern))
        && !refused.iter().any(|pattern| fits(name.as_bytes(), pattern))
}

/// By a table: whether each beginning of the pattern matches each beginning of the name.
fn fits(name: &[u8], pattern: &[u8]) -> bool {
    let mut before: Vec<bool> = std::iter::once(true).chain(name.iter().map(|_| false)).collect();
    for wanted in pattern {
        let mut now = Vec::with_capacity(before.len());
        now.push(*wanted == b'*' && before.first() == Some(&true));
        for (byte, pair) in name.iter().zip(before.windows(2)) {
            let (shorter, same) = (pair.first() == Some(&true), pair.last() == Some(&true));
            let one_more = now.last() == Some(&true);
            now.push(match wanted {
                b'*' => same || one_more,
                b'?' => shorter,
                wanted => shorter && wanted == byte,
            });
        }
        before = now;
    }
    before.last() == Some(&true)
}

/// RFC 2104, by its words.
fn hmac(key: &[u8], name: &str) -> Vec<u8> {
    let padded = |with: u8| key.iter().copied().chain(std::iter::repeat(0)).take(64).map(move |byte| byte ^ with);
    let inner: Vec<u8> = padded(0x36).chain(name.bytes()).collect();
    let outer: Vec<u8> = padded(0x5c).chain(digest(&SHA1, &inner).as_ref().iter().copied()).collect();
    digest(&SHA1, &outer).as_ref().to_vec()
}

/// As C's resolver reads base64: white space skipped, whole groups, padding, and nothing left over.
fn base64_bytes(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\r' | 0x0b | 0x0c)).collect();
    let digits: Vec<u8> = text.iter().copied().take_while(|byte| *byte != b'=').collect();
    let padding =
        text.iter().skip(digits.len()).all(|byte| *byte == b'=').then(|| text.len().checked_sub(digits.len()))??;
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let (mut bits, mut count, mut bytes) = (0u32, 0u32, Vec::new());
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit.checked_sub(b'A')?,
            b'a'..=b'z' => digit.checked_sub(b'a')?.checked_add(26)?,
            b'0'..=b'9' => digit.checked_sub(b'0')?.checked_add(52)?,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count = count.checked_add(6)?;
        if count >= 8 {
            count = count.checked_sub(8)?;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
            bits &= (1 << count) - 1;
        }
    }
    (bits == 0).then_some(bytes)
}

/// What is said of `blob`, where `plain` is what stands under the name without the port, if there is one.
pub(super) fn word(named: &[Said], plain: Option<&[Said]>, blob: &[u8]) -> Word {
    let equal = |said: &&Said| said.blob == blob;
    let unmarked: Vec<&Said> = named.iter().filter(|said| said.marker.is_empty()).collect();
    if let Some(said) = named.iter().filter(|said| said.marker == b"@revoked").find(equal) {
        Word::Revoked(said.line)
    } else if let Some(said) = unmarked.iter().copied().find(equal) {
        Word::Match(said.line)
    } else if !unmarked.is_empty() {
        Word::Changed
    } else {
        match plain.map(|plain| word(plain, None, blob)) {
            None | Some(Word::Changed) => Word::Unknown,
            Some(word) => word,
        }
    }
}
