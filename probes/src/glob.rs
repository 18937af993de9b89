//! Patterns as ssh has them: `*` for any bytes, `?` for one.

/// Whether a pattern matches all of `name`; `same` compares a byte of the pattern with one of the name.
///
/// No recursion, and at most as many steps as the product of both lengths: a pattern is nobody's tool to keep us busy.
pub(crate) fn matches(name: &[u8], pattern: &[u8], same: impl Fn(u8, u8) -> bool) -> bool {
    let (mut at, mut next) = (0usize, 0usize);
    // Where to go on if what follows the last `*` does not fit: its place, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(at) {
        match pattern.get(next) {
            Some(b'*') => {
                star = Some((next, at));
                next = next.saturating_add(1);
            }
            Some(wanted) if *wanted == b'?' || same(*wanted, *byte) => {
                at = at.saturating_add(1);
                next = next.saturating_add(1);
            }
            _ => {
                let Some((place, taken)) = star else { return false };
                let taken = taken.saturating_add(1);
                star = Some((place, taken));
                at = taken;
                next = place.saturating_add(1);
            }
        }
    }
    pattern.get(next..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}
