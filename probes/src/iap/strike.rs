//! Secrets in what others say: a relay can send back what it was sent.

/// What somebody said, without `secret`, nor with a piece of it: what is said may begin or end in its middle. `instead`
/// stands where it stood.
#[must_use]
pub fn strike(secret: &[u8], words: &[u8], instead: &[u8]) -> Vec<u8> {
    let (mut rest, mut out) = (words, Vec::with_capacity(words.len()));
    while let Some((first, behind)) = rest.split_first() {
        match rest.get(piece_before(secret, rest)..) {
            Some(behind_piece) if behind_piece.len() < rest.len() => {
                out.extend_from_slice(instead);
                rest = behind_piece;
            }
            _ => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out
}

/// How much of the beginning of `words` is the secret, or a piece of it that is long enough to tell something.
fn piece_before(secret: &[u8], words: &[u8]) -> usize {
    /// Shorter ones are in any text.
    const TELLS: usize = 8;
    let least = secret.len().min(TELLS);
    let Some(begin) = words.get(..least).filter(|begin| !begin.is_empty()) else { return 0 };
    let common = |at: &[u8]| at.iter().zip(words).take_while(|(ours, theirs)| ours == theirs).count();
    let places = secret.windows(least).enumerate().filter(|(_, window)| *window == begin);
    places.filter_map(|(at, _)| secret.get(at..)).map(common).max().unwrap_or(0)
}

/// Finds a secret in a stream, in whatever pieces that comes.
///
/// What may be passed on before a piece of the secret is recognised is less than [`Sieve::TELLS`] bytes of it.
#[derive(Debug, Clone, Default)]
pub struct Sieve {
    /// The last bytes that came, less than what tells.
    last: Vec<u8>,
}

impl Sieve {
    /// So many bytes of a secret in a row are no coincidence, and fewer tell nobody anything: of Google's tokens the first
    /// five are the same for all.
    pub const TELLS: usize = 12;

    /// How much of `bytes`, which come next, may be passed on; less than all if `secret`, or a piece of it, stands in the way.
    /// A secret that is too short to be one is not looked for.
    pub fn clear(&mut self, secret: &[u8], bytes: &[u8]) -> usize {
        if secret.len() < Self::TELLS {
            return bytes.len();
        }
        let seen = self.last.len();
        let all = [self.last.as_slice(), bytes].concat();
        let hit = all.windows(Self::TELLS).position(|window| {
            // Most bytes are told apart by the first ones.
            window.first().is_some_and(|first| secret.contains(first))
                && secret.windows(Self::TELLS).any(|piece| piece == window)
        });
        if let Some(hit) = hit {
            return hit.saturating_sub(seen);
        }
        let keep = all.len().min(Self::TELLS.saturating_sub(1));
        self.last = all.get(all.len().saturating_sub(keep)..).unwrap_or_default().to_vec();
        bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"ya29.planted-Secret_0123456789";

    #[test]
    fn what_others_say_is_shown_without_it() {
        for (secret, said, shown) in [
            ("abab", "", ""),
            ("abab", "aba", "aba"),
            ("abab", "no ababab!", "no [it]ab!"),
            ("abab", "aabab", "a[it]"),
            ("abab", "abababab", "[it][it]"),
            ("", "anything", "anything"),
            ("ya29.planted-Secret_0123456789", "Bearer ya29.planted-Secret_012345678", "Bearer [it]"),
            ("ya29.planted-Secret_0123456789", "t_0123456789 was wrong", "[it] was wrong"),
            ("ya29.planted-Secret_0123456789", "ed-Secret_01|ya29.planted-Secret_0123456789x", "[it]|[it]x"),
            ("ya29.planted-Secret_0123456789", "ya29.pl", "ya29.pl"),
        ] {
            assert_eq!(strike(secret.as_bytes(), said.as_bytes(), b"[it]"), shown.as_bytes(), "{said}");
        }
    }

    /// In one piece, byte by byte and cut at every place.
    #[test]
    fn a_stream_is_stopped_before_a_secret_tells_anything() {
        let said = [b"SSH-2.0-".as_slice(), SECRET, b"\r\n"].concat();
        let passed = |pieces: &[&[u8]]| {
            let mut sieve = Sieve::default();
            let mut out = Vec::new();
            for piece in pieces {
                let clear = sieve.clear(SECRET, piece);
                out.extend_from_slice(&piece[..clear]);
                if clear < piece.len() {
                    return (out, true);
                }
            }
            (out, false)
        };
        for cut in 0..=said.len() {
            let (out, stopped) = passed(&[&said[..cut], &said[cut..]]);
            assert!(stopped && out.len() < 8 + Sieve::TELLS && said.starts_with(&out), "{cut}: {out:?}");
        }
        let each: Vec<&[u8]> = said.chunks(1).collect();
        assert_eq!(passed(&each), (said[..8 + Sieve::TELLS - 1].to_vec(), true));
        for clean in [&b"SSH-2.0-OpenSSH_9.2p1\r\n"[..], b"ya29.plante", b""] {
            assert_eq!(passed(&[clean]), (clean.to_vec(), false));
        }
        // A token that is none protects nothing, and stops nothing.
        assert_eq!(Sieve::default().clear(b"SSH-2.0-", b"SSH-2.0-x"), 9);
    }
}
